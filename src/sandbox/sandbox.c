/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: prepare, clone, listen; wait and clean up. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox_child.h"

#include "base/io.h"
#include "base/mem.h"

#include "base/banned.h"

int setns(int fd, int nstype);

/* One start in progress; all of it is owned. */
struct launch {
	const struct sandbox_options *o;
	struct seccomp_program filter;
	struct cgroup cgroup;
	int channel[2]; /* ours, the child's */
	int self;	/* our pidfd: how the child sees that we are gone */
	pid_t stage;	/* joins name spaces and clones the container's process; 0: none */
	pid_t pid;
	int pidfd;
	int terminal;
	bool hooks_wait; /* the child asked for hooks before its pid was told */
	const struct sandbox_enter *enter; /* NULL: a new container */
};

static void launch_auto(struct launch *l)
{
	seccomp_program_clear(&l->filter);
	cgroup_clear(&l->cgroup);
	close_fd(&l->channel[0]);
	close_fd(&l->channel[1]);
	close_fd(&l->self);
	close_fd(&l->pidfd);
	close_fd(&l->terminal);
}

static int exit_code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int reap(pid_t pid)
{
	int status = 0;
	pid_t r;

	do {
		r = waitpid(pid, &status, 0);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? 255 : exit_code_of(status);
}

static long clone_process(uint64_t flags, const struct cgroup *g, int *out_pidfd)
{
	struct clone_args args = {.flags = flags};

	if (!(flags & CLONE_PARENT))
		args.exit_signal = SIGCHLD;
	if (out_pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uint64_t)(uintptr_t)out_pidfd;
	}
	if (g->v2 >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)(unsigned)g->v2;
	}
	return syscall(SYS_clone3, &args, sizeof(args));
}

/* Descriptors 0 to 2 belong to the container: none of ours may sit there. */
static void lift(int *fd)
{
	if (*fd >= 0 && *fd <= 2)
		*fd = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
}

static void prepare_child(struct launch *l, struct child *c)
{
	close_fd(&l->channel[0]);
	lift(&l->channel[1]);
	lift(&l->self);
	*c = (struct child){
		.o = l->o,
		.spec = l->o->spec,
		.filter = &l->filter,
		.cgroup = &l->cgroup,
		.channel = l->channel[1],
		.parent = l->self,
		.root = -1,
		.dev = -1,
		.pts = -1,
		.null = -1,
		.cwd = -1,
		.slave = -1,
		.user_ns = l->o->spec->namespaces[NAMESPACE_USER].present,
	};
}

/*
 * The stage enters name spaces that must be entered before the clone, then
 * makes the container's process as a sibling of its own (CLONE_PARENT), tells
 * its pid and is done.
 */
static _Noreturn void stage_main(struct launch *l)
{
	struct child c;
	struct error err = ERROR_INIT;
	uint64_t flags = namespaces_new_flags(l->o) | CLONE_PARENT;
	uint32_t pid;
	long r;

	prepare_child(l, &c);
	child_die_with_parent(&c);
	prctl(PR_SET_DUMPABLE, 0);
	if (namespaces_join(l->o, &err) < 0)
		child_fail(&c, &err);
	r = clone_process(flags, &l->cgroup, NULL);
	if (r < 0) {
		error_sys(&err, "cannot start the container's process");
		child_fail(&c, &err);
	}
	if (r == 0)
		child_main(&c);
	pid = (uint32_t)r;
	channel_send(c.channel, CHANNEL_PID, &pid, sizeof(pid), -1);
	_exit(0);
}

/*
 * Joins the container before the clone, so that the command is born in its pid name space.
 * Its group this stage is in already: who has joined the cgroup name space does not see where
 * it comes from, and then the kernel lets nobody into a group (with nsdelegate: ENOENT).
 */
static _Noreturn void enter_main(struct launch *l, int target)
{
	const struct cgroup stay = CGROUP_INIT;
	struct child c;
	struct error err = ERROR_INIT;
	uint32_t pid;
	long r;

	prepare_child(l, &c);
	c.entering = true;
	c.survive = l->enter->survive;
	child_die_with_parent(&c);
	prctl(PR_SET_DUMPABLE, 0);
	if (setns(target, namespaces_of_process(l->enter->pid)) < 0) {
		error_sys(&err, "cannot join the name spaces of the container");
		child_fail(&c, &err);
	}
	close(target);
	r = clone_process(CLONE_PARENT, &stay, NULL);
	if (r < 0) {
		error_sys(&err, "cannot start a process in the container");
		child_fail(&c, &err);
	}
	if (r == 0)
		child_enter_main(&c);
	pid = (uint32_t)r;
	channel_send(c.channel, CHANNEL_PID, &pid, sizeof(pid), -1);
	_exit(0);
}

static int launch_prepare(struct launch *l, struct error *err)
{
	int r = seccomp_program_get(&l->o->spec->seccomp, l->o->cache_dir, &l->filter, err);

	if (r < 0 || (!l->enter && (r = hooks_prepare(l->o, err)) < 0))
		return r;
	r = l->enter ? cgroup_of_process(l->enter->pid, &l->cgroup, err)
		     : cgroup_prepare(l->o, &l->cgroup, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->channel) < 0)
		return error_sys(err, "socketpair");
	l->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (l->self < 0)
		return error_sys(err, "pidfd_open");
	return 0;
}

static int launch_clone(struct launch *l, struct error *err)
{
	bool staged = namespaces_need_stage(l->o);
	struct cgroup stay = CGROUP_INIT;
	struct child c;
	long r;

	if (staged)
		r = clone_process(0, &stay, NULL);
	else
		r = clone_process(namespaces_new_flags(l->o), &l->cgroup, &l->pidfd);
	if (r < 0) {
		error_sys(err, "cannot start the container's process");
		if (errno == EPERM)
			error_hint(err,
				   "this user may not make the name spaces of a container");
		return -ERR_SYSTEM;
	}
	if (r == 0 && staged)
		stage_main(l);
	if (r == 0) {
		prepare_child(l, &c);
		child_main(&c);
	}
	*(staged ? &l->stage : &l->pid) = (pid_t)r;
	close_fd(&l->channel[1]);
	return 0;
}

/* While the child waits: its name spaces are made, its root is mounted and not entered. */
static int run_hooks(struct launch *l, struct error *err)
{
	AUTO(free) char *bundle = io_fd_path(l->o->bundle_dir);
	int r;

	l->hooks_wait = l->pid <= 0;
	if (l->hooks_wait)
		return 0;
	if ((r = hooks_run(l->o, HOOK_PRESTART, bundle, "creating", l->pid, err)) < 0 ||
	    (r = hooks_run(l->o, HOOK_CREATE_RUNTIME, bundle, "creating", l->pid, err)) < 0)
		return r;
	channel_send(l->channel[0], CHANNEL_GO, NULL, 0, -1);
	return 0;
}

static int take_pid(struct launch *l, const struct channel_message *m, struct error *err)
{
	uint32_t pid = 0;

	if (m->len == sizeof(pid))
		memcpy(&pid, m->data, sizeof(pid));
	l->pid = (pid_t)pid;
	l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	if (l->pidfd < 0)
		return error_sys(err, "pidfd_open");
	return l->hooks_wait ? run_hooks(l, err) : 0;
}

static int take_message(struct launch *l, struct channel_message *m, bool *executing,
			struct error *err)
{
	int r = 0;

	switch (m->type) {
	case CHANNEL_PID:
		return take_pid(l, m, err);
	case CHANNEL_MAPS:
		r = namespaces_write_maps(l->o->spec, l->pid, err);
		if (r == 0)
			channel_send(l->channel[0], CHANNEL_GO, NULL, 0, -1);
		return r;
	case CHANNEL_HOOKS:
		return run_hooks(l, err);
	case CHANNEL_TERMINAL:
		close_fd(&l->terminal);
		l->terminal = m->fd;
		return 0;
	case CHANNEL_MADE:
		if (l->o->made)
			strlist_addn(l->o->made, m->data, m->len);
		return 0;
	case CHANNEL_EXEC:
		*executing = true;
		return 0;
	case CHANNEL_ERROR:
		if (error_decode(m->data, m->len, err) < 0)
			return error_set(err, ERR_SYSTEM, "the container could not be built");
		return -(int)(err ? err->code : ERR_SYSTEM);
	case CHANNEL_GO:
		break;
	}
	return error_set(err, ERR_SYSTEM, "an unknown message from the container's process");
}

/* Listens until the command is executed, or why not. */
static int launch_listen(struct launch *l, struct error *err)
{
	AUTO(free) struct channel_message *m = mem_new(struct channel_message);
	bool executing = false;
	int r, n;

	while ((n = channel_receive(l->channel[0], m)) > 0) {
		r = take_message(l, m, &executing, err);
		if (r < 0)
			return r;
	}
	if (n < 0)
		return error_sys(err, "cannot hear from the container's process");
	if (!executing) {
		error_set(err, ERR_FAILED, "the container's process ended before its command");
		error_hint(err, "was memory too short for it? see the kernel's log (dmesg)");
		return -ERR_FAILED;
	}
	return 0;
}

static void launch_abandon(struct launch *l)
{
	AUTO(free) char *path = l->enter ? NULL : cgroup_path_of(l->o);

	if (l->stage > 0) {
		kill(l->stage, SIGKILL);
		reap(l->stage);
	}
	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		reap(l->pid);
	}
	if (path)
		sandbox_remove_cgroup(path, NULL);
}

static int start_embedded(const struct sandbox_options *o, struct sandbox *out,
			  struct error *err)
{
	AUTO(launch)
	struct launch l = {.o = o,
			   .cgroup = CGROUP_INIT,
			   .channel = {-1, -1},
			   .self = -1,
			   .pidfd = -1,
			   .terminal = -1};
	int r = launch_prepare(&l, err);

	if (r == 0)
		r = launch_clone(&l, err);
	if (r == 0)
		r = launch_listen(&l, err);
	if (r < 0) {
		launch_abandon(&l);
		/* those before may have begun something */
		hooks_run_after(o, HOOK_POSTSTOP, "stopped", 0);
		return r;
	}
	if (l.stage > 0)
		reap(l.stage);
	out->pid = l.pid;
	out->pidfd = take_fd(&l.pidfd);
	out->terminal = take_fd(&l.terminal);
	hooks_run_after(o, HOOK_POSTSTART, "running", out->pid);
	return 0;
}

static int launch_enter(struct launch *l, struct error *err)
{
	AUTO(fd) int target = (int)syscall(SYS_pidfd_open, l->enter->pid, 0);
	long r;

	if (target < 0)
		return error_set(err, ERR_CONFLICT, "the container is not running");
	r = clone_process(0, &l->cgroup, NULL);
	if (r < 0)
		return error_sys(err, "cannot start a process in the container");
	if (r == 0)
		enter_main(l, target);
	l->stage = (pid_t)r;
	close_fd(&l->channel[1]);
	return 0;
}

int sandbox_enter(const struct sandbox_enter *e, struct sandbox *out, struct error *err)
{
	struct runtime_spec spec = {
		.has_process = true, .process = *e->process, .seccomp = *e->seccomp};
	const struct sandbox_options o = {.spec = &spec,
					  .root_fd = -1,
					  .netns_fd = -1,
					  .stdio = e->stdio,
					  .cache_dir = e->cache_dir,
					  .bundle_dir = -1};
	AUTO(launch)
	struct launch l = {.o = &o,
			   .cgroup = CGROUP_INIT,
			   .channel = {-1, -1},
			   .self = -1,
			   .pidfd = -1,
			   .terminal = -1,
			   .enter = e};
	int r;

	*out = (struct sandbox){.pid = -1, .pidfd = -1, .terminal = -1};
	if (namespaces_of_process(e->pid) & CLONE_NEWUSER)
		spec.namespaces[NAMESPACE_USER] =
			(struct namespace_spec){.present = true, .path = (char[]){"joined"}};
	if (!e->process->args.n)
		r = error_set(err, ERR_INVALID, "no command specified");
	else
		r = launch_prepare(&l, err);
	if (r == 0)
		r = launch_enter(&l, err);
	if (r == 0)
		r = launch_listen(&l, err);
	if (r < 0) {
		launch_abandon(&l);
		if (err && !err->exit_code)
			err->exit_code = 126;
		return r;
	}
	reap(l.stage);
	out->pid = l.pid;
	out->pidfd = take_fd(&l.pidfd);
	out->terminal = take_fd(&l.terminal);
	return 0;
}

static int check_options(const struct sandbox_options *o, struct error *err)
{
	const struct runtime_spec *s = o->spec;

	if (!s->has_process || !s->process.args.n)
		return error_set(err, ERR_INVALID, "no command specified");
	if (s->namespaces[NAMESPACE_MOUNT].present && s->namespaces[NAMESPACE_MOUNT].path)
		return error_set(err, ERR_UNSUPPORTED,
				 "a mount name space cannot be shared with the container");
	if (o->root_fd < 0 && str_empty(s->root_path))
		return error_set(err, ERR_INVALID, "the container has no root file system");
	return 0;
}

int sandbox_start(const struct sandbox_options *o, struct sandbox *out, struct error *err)
{
	int r;

	*out = (struct sandbox){.pid = -1, .pidfd = -1, .terminal = -1};
	r = check_options(o, err);
	if (r == 0)
		r = o->runtime ? other_runtime_start(o, out, err) : start_embedded(o, out, err);
	/* the mounts live in the container's name space now; holding them would pin them */
	if (o->root_fd >= 0)
		close(o->root_fd);
	for (size_t i = 0; i < o->nbinds; i++)
		if (o->binds[i].fd >= 0)
			close(o->binds[i].fd);
	if (r < 0 && err && !err->exit_code)
		err->exit_code = 125;
	return r;
}

int sandbox_wait(struct sandbox *s, const struct sandbox_options *o)
{
	AUTO(free) char *path = cgroup_path_of(o);
	int code = reap(s->pid);

	close_fd(&s->pidfd);
	close_fd(&s->terminal);
	s->pid = -1;
	s->oom = path && cgroup_had_oom(path);
	if (path)
		sandbox_remove_cgroup(path, NULL);
	if (!o->runtime)
		hooks_run_after(o, HOOK_POSTSTOP, "stopped", 0);
	return code;
}

void sandbox_resize(const struct sandbox *s, unsigned short rows, unsigned short columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};

	if (s->terminal >= 0)
		ioctl(s->terminal, TIOCSWINSZ, &size);
}
