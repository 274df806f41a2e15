/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --ssh: a socket for the step, and a process behind it that hands every
 * connection on to an agent: the user's, or, for key files, one that is
 * started for this step and holds them in its memory.
 *
 * The step cannot use the agent's own socket: that belongs to the user, and a
 * step may run as anybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/process.h"
#include "build/mount.h"

#include "base/banned.h"

#define AGENT_SOCKET "agent"
#define AGENT_TRIES  250
#define AGENT_WAIT   (20 * 1000 * 1000) /* ns */

/* ---- what was said ---- */

static int check_path(const struct build_ssh *s, const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_sys(err, "failed to convert agent config for ID: \"%s\": stat %s",
				 s->id, path);
	if (S_ISSOCK(st.st_mode) && s->paths.n > 1)
		return error_set(err, ERR_INVALID,
				 "invalid ssh agent config \"%s\": only single socket allowed",
				 s->id);
	if (!S_ISSOCK(st.st_mode) && !S_ISREG(st.st_mode))
		return error_set(
			err, ERR_INVALID,
			"invalid ssh agent config \"%s\": %s is neither a socket nor a "
			"key file",
			s->id, path);
	return 0;
}

int build_ssh_parse(const char *text, struct build_ssh_list *l, struct error *err)
{
	const char *eq = strchr(text, '=');
	struct build_ssh *s = vec_push(l);
	const char *agent;
	int r = 0;

	s->id = eq ? mem_strndup(text, (size_t)(eq - text)) : mem_strdup(text);
	if (!*s->id) {
		free(s->id);
		s->id = mem_strdup("default");
	}
	if (eq)
		strlist_split(&s->paths, eq + 1, ',');
	if (eq && s->paths.n == 1 && !s->paths.items[0][0])
		strlist_clear(&s->paths);
	agent = getenv("SSH_AUTH_SOCK");
	if (!s->paths.n && str_empty(agent)) {
		error_set(err, ERR_INVALID,
			  "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
		error_hint(err, "or name a key file: --ssh %s=FILE", s->id);
		return -ERR_INVALID;
	}
	if (!s->paths.n)
		strlist_add(&s->paths, agent);
	for (size_t i = 0; r == 0 && i < s->paths.n; i++)
		r = check_path(s, s->paths.items[i], err);
	return r;
}

void build_ssh_clear(struct build_ssh_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].id);
		strlist_clear(&l->items[i].paths);
	}
	free(l->items);
	*l = (struct build_ssh_list){0};
}

/* ---- sockets ---- */

/* Of a name in @dir, or of a path if that is negative: the path may be too long for one. */
static int make_address(int dir, const char *name, struct sockaddr_un *out, struct error *err)
{
	int n;

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (dir >= 0)
		n = snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", dir,
			     name);
	else
		n = snprintf(out->sun_path, sizeof(out->sun_path), "%s", name);
	if (n < 0 || (size_t)n >= sizeof(out->sun_path))
		return error_set(err, ERR_LIMIT, "the path of a socket is too long: %s", name);
	return 0;
}

static int connect_to(int dir, const char *name, int *out, struct error *err)
{
	struct sockaddr_un address;
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = make_address(dir, name, &address, err);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_sys(err, "cannot reach the ssh agent %s", name);
	*out = take_fd(&fd);
	return 0;
}

static int listen_at(int dir, const char *name, int *out, struct error *err)
{
	struct sockaddr_un address;
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = make_address(dir, name, &address, err);

	if (r < 0)
		return r;
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 16) < 0)
		return error_sys(err, "cannot make a socket for the ssh agent");
	*out = take_fd(&fd);
	return 0;
}

/* ---- an agent for key files ---- */

/* In @dir, whose name the agent sees as its working directory. */
static int start_in(int dir, const struct process_spec *spec, pid_t *out_pid, struct error *err)
{
	AUTO(fd) int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fchdir(dir) < 0)
		return error_sys(err, "cannot use a directory in memory");
	r = process_start(spec, out_pid, NULL, err);
	if (back >= 0 && fchdir(back) < 0)
		return error_sys(err, "cannot go back");
	return r;
}

static int add_key(int dir, const char *path, struct error *err)
{
	char add[] = "ssh-add", quiet[] = "-q", input[] = "-";
	char socket[] = "SSH_AUTH_SOCK=" AGENT_SOCKET;
	/* a key with a passphrase shall fail, not ask on somebody's terminal */
	char ask[] = "SSH_ASKPASS=/bin/false", force[] = "SSH_ASKPASS_REQUIRE=force";
	char search[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *argv[] = {add, quiet, input, NULL};
	char *envp[] = {socket, ask, force, search, NULL};
	AUTO(fd) int key = open(path, O_RDONLY | O_CLOEXEC);
	struct process_fd fds[] = {{.fd = key, .target = 0}};
	struct process_spec spec = {.argv = argv, .envp = envp, .fds = fds, .nfds = 1};
	pid_t pid;
	int r;

	if (key < 0)
		return error_sys(err, "%s", path);
	r = start_in(dir, &spec, &pid, err);
	if (r < 0)
		return error_wrap(err, "a key file needs ssh-add");
	if (process_wait(pid) == 0)
		return 0;
	error_set(err, ERR_INVALID, "%s is no private key that ssh-add takes", path);
	error_hint(err, "a key with a passphrase has to be in an agent: --ssh default");
	return -ERR_INVALID;
}

static int start_agent(const struct build_ssh *s, int dir, struct error *err)
{
	char program[] = "ssh-agent", stay[] = "-D", at[] = "-a", name[] = AGENT_SOCKET;
	char *argv[] = {program, stay, at, name, NULL};
	struct process_spec spec = {.argv = argv};
	const struct timespec wait = {.tv_nsec = AGENT_WAIT};
	pid_t pid;
	int r = start_in(dir, &spec, &pid, err);

	if (r < 0)
		return error_wrap(err, "a key file needs ssh-agent");
	for (int tries = 0; tries < AGENT_TRIES; tries++) {
		AUTO(fd) int fd = -1;

		if (connect_to(dir, AGENT_SOCKET, &fd, NULL) == 0)
			break;
		nanosleep(&wait, NULL);
	}
	for (size_t i = 0; i < s->paths.n; i++)
		if ((r = add_key(dir, s->paths.items[i], err)) < 0)
			return r;
	return 0;
}

/* ---- the process behind the socket ---- */

static bool pass(int from, int to)
{
	char data[16384];
	ssize_t n = read(from, data, sizeof(data));

	if (n > 0 && io_write_full(to, data, (size_t)n) == 0)
		return true;
	shutdown(to, SHUT_WR);
	return false;
}

static void shuttle(int a, int b)
{
	struct pollfd p[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0)
			return;
		for (int i = 0; i < 2; i++)
			if (p[i].fd >= 0 && p[i].revents && !pass(i ? b : a, i ? a : b))
				p[i].fd = -1;
	}
}

static _Noreturn void serve(int listener, int dir, const char *agent)
{
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	for (;;) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), server;

		if (client < 0 && errno == EINTR)
			continue;
		if (client < 0)
			_exit(1);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (connect_to(dir, agent, &server, NULL) == 0)
				shuttle(client, server);
			_exit(0);
		}
		close(client);
	}
}

/* Lets go of all that is the step's, its locks and its pipes, and serves. */
static _Noreturn void become_proxy(int listener, int dir, const char *agent)
{
	listener = fcntl(listener, F_DUPFD, 64);
	dir = dir < 0 ? -1 : fcntl(dir, F_DUPFD, 64);
	for (int target = 0; target < 3; target++) {
		int null = open("/dev/null", O_RDWR);

		if (null >= 0)
			dup2(null, target);
	}
	listener = dup2(listener, 3);
	dir = dir < 0 ? -1 : dup2(dir, 4);
	process_close_from(dir < 0 ? 4 : 5);
	serve(listener, dir, agent);
}

static int start_proxy(int listener, const char *agent, struct error *err)
{
	pid_t self = getpid(), pid = fork();

	if (pid < 0)
		return error_sys(err, "cannot start a process for the ssh agent");
	if (pid)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self)
		_exit(1);
	become_proxy(listener, -1, agent);
}

static _Noreturn void keep_agent(const struct build_ssh *s, int dir, int listener, int report)
{
	struct error err = ERROR_INIT;
	struct buf message = BUF_INIT;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	if (start_agent(s, dir, &err) < 0)
		error_encode(&err, &message);
	else
		buf_addstr(&message, "ok");
	/* nobody reads it: the step has ended meanwhile */
	if (io_write_full(report, message.data, message.len) < 0 || err.code)
		_exit(1);
	become_proxy(listener, dir, AGENT_SOCKET);
}

/*
 * ssh-agent is often setgid, against tracing, and then does not die with its
 * parent.  So it lives in a pid name space whose first process is the proxy,
 * which does; the kernel kills the agent with it.
 */
static int start_keeper(const struct build_ssh *s, int dir, int listener, struct error *err)
{
	struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	AUTO(buf) struct buf answer = BUF_INIT;
	int ends[2], r;
	long pid;

	if (io_pipe(ends, err) < 0)
		return -ERR_SYSTEM;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		keep_agent(s, dir, listener, ends[1]);
	r = pid < 0 ? error_sys(err, "cannot start a process for the ssh agent") : 0;
	close(ends[1]);
	if (r == 0)
		r = io_read_all(ends[0], LIMIT_WIRE_BYTES, &answer, err);
	close(ends[0]);
	if (r < 0 || str_eq(buf_str(&answer), "ok"))
		return r;
	if (error_decode(answer.data, answer.len, err) < 0)
		return error_set(err, ERR_SYSTEM, "the process of the ssh agent ended early");
	return err ? -(int)err->code : -ERR_SYSTEM;
}

int ssh_forward(const struct build_options *o, const char *id, int dir, struct error *err)
{
	const struct build_ssh *s = NULL;
	AUTO(fd) int listener = -1;
	struct stat st;
	bool keys;
	int r;

	for (size_t i = 0; o->ssh && i < o->ssh->n; i++)
		if (str_eq(o->ssh->items[i].id, id))
			s = &o->ssh->items[i];
	if (!s) {
		error_set(err, ERR_NOT_FOUND, "unset ssh forward key %s", id);
		error_hint(err, "give an agent or a key with --ssh %s[=SOCKET|KEYFILE]", id);
		return -ERR_NOT_FOUND;
	}
	keys = stat(s->paths.items[0], &st) < 0 || !S_ISSOCK(st.st_mode);
	if ((r = listen_at(dir, "s", &listener, err)) < 0)
		return r;
	if (!keys)
		return start_proxy(listener, s->paths.items[0], err);
	r = start_keeper(s, dir, listener, err);
	return r == -ERR_NOT_FOUND
		       ? error_set(err, ERR_UNSUPPORTED,
				   "--ssh %s with a key file needs ssh-agent and ssh-add", id)
		       : r;
}
