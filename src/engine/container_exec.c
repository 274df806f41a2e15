/* SPDX-License-Identifier: Apache-2.0 */
/* exec: one more command in a container that runs, with the rights that its first one has. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define EXIT_NOT_STARTED 126

static int check_state(const struct store_container *c, struct error *err)
{
	if (str_eq(c->state, "paused"))
		return error_set(err, ERR_CONFLICT,
				 "Container %s is paused, unpause the container before exec",
				 c->name);
	if (str_eq(c->state, "restarting"))
		return error_set(err, ERR_CONFLICT,
				 "Container %s is restarting, wait until the container is "
				 "running",
				 c->id);
	if (!container_is_up(c))
		return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	return 0;
}

/* The options of the container, with what this command has instead. */
static void apply(const struct engine_exec *req, struct container_options *o)
{
	o->has_entrypoint = true;
	strlist_clear(&o->entrypoint);
	strlist_clear(&o->args);
	strlist_addall(&o->args, &req->args);
	strlist_addall(&o->env, &req->env);
	o->tty = req->tty;
	o->interactive = req->interactive;
	if (req->user) {
		free(o->user);
		o->user = mem_strdup(req->user);
	}
	if (req->workdir) {
		free(o->workdir);
		o->workdir = mem_strdup(req->workdir);
	}
}

/* --privileged means capabilities: the filter stays that of the container, as in Docker. */
static int make_spec(struct container_box *b, pid_t pid, bool privileged, struct error *err)
{
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	AUTO(free) char *path = mem_printf("/proc/%lld/root", (long long)pid);
	AUTO(fd) int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct image_config *cfg = &b->image.config;
	int r;

	if (root < 0)
		return error_set(err, ERR_CONFLICT, "container %s is not running", b->row.id);
	r = runtime_resolve_user(root, runtime_user_spec(cfg, b->o), &user, err);
	if (r == 0)
		r = runtime_resolve_groups(root, &b->o->group_add, &user, err);
	if (r < 0 ||
	    (r = runtime_make_spec_running(cfg, b->o, &user, false, &b->spec, err)) < 0)
		return r;
	if (privileged) {
		struct process_config *p = &b->spec.process;

		p->bounding = p->effective = p->permitted = CAPABILITY_ALL;
	}
	return 0;
}

/*
 * After the keys: the command goes on, and somebody must read what it writes to its terminal,
 * or it would hang; and hold that open, or it would hang up.  A process of its own, with
 * nothing of ours but these two descriptors, until the command has ended.  Signals stay
 * blocked as they are: our terminal hangs up when we end, which may be before its setsid().
 */
static void leave_behind(struct sandbox *sb)
{
	const pid_t pid = fork();
	struct pollfd p[2] = {{.fd = 3, .events = POLLIN}, {.fd = 4, .events = POLLIN}};
	char waste[4096];

	if (pid == 0) {
		setsid();
		/* above the two places that they go to */
		p[0].fd = fcntl(sb->terminal, F_DUPFD, 5);
		p[1].fd = fcntl(sb->pidfd, F_DUPFD, 5);
		dup2(p[0].fd, 3);
		dup2(p[1].fd, 4);
		syscall(SYS_close_range, 0, 2, 0);
		syscall(SYS_close_range, 5, ~0u, 0);
		p[0].fd = 3;
		p[1].fd = 4;
		while (!(p[1].revents & POLLIN)) {
			ssize_t n = 1;

			p[0].revents = p[1].revents = 0;
			if (poll(p, 2, -1) > 0 && p[0].revents)
				n = read(3, waste, sizeof(waste));
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				p[0].fd = -1; /* nobody has the other side open */
		}
		_exit(0);
	}
	close_fd(&sb->terminal);
	close_fd(&sb->pidfd);
}

static int run_attached(struct container_box *b, const struct engine_exec *req,
			struct sandbox_enter *enter, struct engine_attached *out,
			struct error *err)
{
	struct runtime_stdio_options io = {.tty = req->tty,
					   .interactive = req->interactive,
					   .in = req->in,
					   .out = req->out,
					   .err = req->err};
	AUTO(runtime_spec) struct runtime_spec none = RUNTIME_SPEC_INIT;
	const struct sandbox_options so = {.spec = &none};
	AUTO(runtime_stdio) struct runtime_stdio *stdio = NULL;
	struct sandbox sb;
	int r = 0;

	if (req->tty && req->interactive)
		r = runtime_keys_parse(req->detach_keys ? req->detach_keys : b->o->detach_keys,
				       &io.keys, err);
	if (r < 0 && err)
		err->exit_code = 1; /* Docker's, as nothing was tried */
	if (r < 0 || (r = runtime_stdio_new(&io, &stdio, err)) < 0)
		return r;
	/* whoever can leave it is not missed: when we are killed its terminal hangs up */
	enter->survive = io.keys.n > 0;
	runtime_stdio_console(stdio, &b->spec.process);
	enter->stdio = runtime_stdio_child(stdio);
	if ((r = sandbox_enter(enter, &sb, err)) < 0)
		return r;
	store_rest(b->e->store);
	r = runtime_stdio_run(stdio, &sb, &so, &out->exit_code, err);
	out->detached = runtime_stdio_detached(stdio);
	if (out->detached)
		leave_behind(&sb);
	if (store_wake(b->e->store, r < 0 ? NULL : err) < 0 && r == 0)
		r = -ERR_SYSTEM;
	return r;
}

static int run_detached(struct sandbox_enter *enter, struct error *err)
{
	struct sandbox sb;
	int r;

	enter->survive = true;
	if ((r = sandbox_enter(enter, &sb, err)) < 0)
		return r;
	close_fd(&sb.pidfd);
	close_fd(&sb.terminal);
	return 0;
}

static void tell(struct container_box *b, const struct engine_exec *req, const char *what)
{
	AUTO(free) char *words = strlist_join(&req->args, " ");
	AUTO(free) char *action = mem_printf("%s: %s", what, words);

	container_event(b->e, &b->row, action, NULL, NULL);
}

static int exec(struct container_box *b, const struct engine_exec *req,
		struct engine_attached *out, struct error *err)
{
	AUTO(free) char *code = NULL;
	struct sandbox_enter enter = {.process = &b->spec.process, .seccomp = &b->spec.seccomp};
	int r;

	if ((r = engine_need_store(b->e, err)) < 0 ||
	    (r = container_box_open(b, req->container, err)) < 0 ||
	    (r = check_state(&b->row, err)) < 0) {
		if (err && !err->exit_code)
			err->exit_code = 1;
		return r;
	}
	if ((r = container_process(&b->row, &enter.pid, err)) < 0)
		return r;
	apply(req, b->o);
	free(b->o->id);
	b->o->id = mem_strdup(b->row.id);
	if ((r = make_spec(b, enter.pid, req->privileged, err)) < 0) {
		if (err && !err->exit_code)
			err->exit_code = 1; /* no runtime was asked yet */
		return r;
	}
	enter.cache_dir = store_dir(b->e->store, STORE_CACHE);
	if (req->detach)
		b->spec.process.terminal = false;
	tell(b, req, "exec_create");
	tell(b, req, "exec_start");
	if (req->detach)
		return run_detached(&enter, err);
	if ((r = run_attached(b, req, &enter, out, err)) < 0 || out->detached)
		return r;
	code = mem_printf("%d", out->exit_code);
	container_event(b->e, &b->row, "exec_die", "exitCode", code);
	return 0;
}

int engine_exec(struct engine *e, const struct engine_exec *req, struct engine_attached *out,
		struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	struct container_box b = CONTAINER_BOX_INIT;
	int r;

	b.e = e;
	b.o = &o;
	*out = (struct engine_attached){0};
	r = exec(&b, req, out, err);
	container_box_clear(&b);
	if (r < 0 && err && !err->exit_code)
		err->exit_code = EXIT_NOT_STARTED;
	return r;
}
