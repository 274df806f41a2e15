/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that the spec wants run at points of a container's life: config.md, "POSIX-platform
 * Hooks".  Each gets the container's state on its input, an environment that is the spec's
 * alone, and its time; what it prints is told when it fails.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"

#include "base/banned.h"

bool hooks_any(const struct runtime_spec *spec)
{
	for (size_t i = 0; i < HOOK_COUNT; i++)
		if (spec->hooks[i].n)
			return true;
	return false;
}

int hooks_prepare(const struct sandbox_options *o, struct error *err)
{
	AUTO(free) char *bundle = o->bundle_dir < 0 ? NULL : io_fd_path(o->bundle_dir);
	AUTO(free) char *root = mem_printf("%s/" HOOKS_ROOT, bundle ? bundle : "");
	struct runtime_spec told = *o->spec;
	AUTO(buf) struct buf text = BUF_INIT;

	if (!hooks_any(o->spec))
		return 0;
	if (!bundle)
		return error_set(err, ERR_INVALID, "hooks need a bundle");
	if (mkdirat(o->bundle_dir, HOOKS_ROOT, 0700) < 0 && errno != EEXIST)
		return error_sys(err, "cannot make %s", root);
	told.root_path = root;
	runtime_spec_encode(&told, &text);
	return io_write_file(o->bundle_dir, "config.json", text.data, text.len, 0600, 0, err);
}

/* ---- one ---- */

/* "The state of the container MUST be passed to hooks over stdin": runtime.md, "State". */
static int state_file(const struct sandbox_options *o, const char *bundle, const char *status,
		      pid_t pid, struct error *err)
{
	AUTO(json) json_t *j = json_object();
	AUTO(buf) struct buf text = BUF_INIT;
	int fd;

	json_object_set_new(j, "ociVersion", json_string(RUNTIME_SPEC_VERSION));
	json_object_set_new(j, "id", json_string(o->id));
	json_object_set_new(j, "status", json_string(status));
	if (pid > 0)
		json_object_set_new(j, "pid", json_integer(pid));
	json_object_set_new(j, "bundle", json_string(bundle));
	json_object_set_new(j, "annotations", json_from_map(&o->spec->annotations));
	json_text(j, &text);
	return io_memfd("state", text.data, text.len, &fd, err) < 0 ? -ERR_SYSTEM : fd;
}

/* Until it has ended; what it says, up to a limit.  False: its time was over. */
static bool listen_to(int pidfd, int output, uint32_t seconds, struct buf *said)
{
	const int64_t end = clock_monotonic_ns() + (int64_t)seconds * 1000000000;
	struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN},
				{.fd = output, .events = POLLIN}};
	char data[4096];

	for (;;) {
		const int64_t left = (end - clock_monotonic_ns()) / 1000000 + 1;
		const int r = poll(fds, 2, !seconds ? -1 : left > 0 ? (int)left : 0);
		ssize_t n = 0;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		if (fds[1].revents) {
			n = read(output, data, sizeof(data));
			if (n <= 0)
				fds[1].fd = -1;
			else if (said->len < LIMIT_HOOK_OUTPUT)
				buf_add(said, data, (size_t)n);
		}
		/* what it has left running may hold the pipe: nobody waits for that */
		if (fds[0].revents && n <= 0)
			return true;
	}
}

static int judge(const struct hook_spec *h, bool in_time, int status, struct buf *said,
		 struct error *err)
{
	while (said->len && said->data[said->len - 1] == '\n')
		said->data[--said->len] = 0;
	if (!in_time)
		return error_set(err, ERR_FAILED, "the hook %s took more than %u seconds",
				 h->path, h->timeout);
	if (status)
		return error_set(err, ERR_FAILED, "the hook %s failed with %d%s%s", h->path,
				 status, said->len ? ": " : "", buf_str(said));
	return 0;
}

static int run_one(const struct hook_spec *h, int state, struct error *err)
{
	static char *const nothing[] = {NULL};
	char *const own[] = {h->path, NULL};
	AUTO(buf) struct buf said = BUF_INIT;
	AUTO(fd) int pidfd = -1, output = -1, input = -1;
	int pipe_fds[2], r;
	bool in_time;
	pid_t pid;

	if (io_pipe(pipe_fds, err) < 0)
		return -ERR_SYSTEM;
	output = pipe_fds[0];
	input = pipe_fds[1];
	{
		const struct process_fd fds[] = {{state, 0}, {input, 1}, {input, 2}};
		const struct process_spec spec = {.program = h->path,
						  .argv = h->args.n ? h->args.items : own,
						  .envp = h->env.n ? h->env.items : nothing,
						  .fds = fds,
						  .nfds = ARRAY_SIZE(fds)};

		if ((r = process_start(&spec, &pid, &pidfd, err)) < 0)
			return error_wrap(err, "the hook %s", h->path);
	}
	close_fd(&input);
	in_time = listen_to(pidfd, output, h->timeout, &said);
	if (!in_time)
		kill(pid, SIGKILL);
	return judge(h, in_time, process_wait(pid), &said, err);
}

/* ---- all of a kind ---- */

int hooks_run(const struct sandbox_options *o, enum hook_kind kind, const char *bundle,
	      const char *status, pid_t pid, struct error *err)
{
	const struct hook_list *l = &o->spec->hooks[kind];
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		AUTO(fd) int state = state_file(o, bundle, status, pid, err);

		r = state < 0 ? state : run_one(&l->items[i], state, err);
	}
	return r < 0 ? error_wrap(err, "%s", hook_name(kind)) : 0;
}

void hooks_run_after(const struct sandbox_options *o, enum hook_kind kind, const char *status,
		     pid_t pid)
{
	AUTO(free) char *bundle = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	if (!o->spec->hooks[kind].n)
		return;
	bundle = io_fd_path(o->bundle_dir);
	/* "the runtime MUST log a warning, but continue" */
	if (bundle && hooks_run(o, kind, bundle, status, pid, &err) < 0)
		log_debug("sandbox", "%s", err.message);
}

/* ---- the child's ---- */

int child_run_hooks(struct child *c, struct error *err)
{
	AUTO(free) struct channel_message *m = NULL;

	if (!c->bundle)
		return 0;
	m = mem_new(struct channel_message);
	/* those of the runtime's name spaces are the parent's affair */
	if (channel_send(c->channel, CHANNEL_HOOKS, NULL, 0, -1) < 0 ||
	    channel_receive(c->channel, m) <= 0 || m->type != CHANNEL_GO)
		return error_set(err, ERR_SYSTEM, "no answer about hooks");
	return hooks_run(c->o, HOOK_CREATE_CONTAINER, c->bundle, "creating", getpid(), err);
}
