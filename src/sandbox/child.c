/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a container is built, from the inside. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

int unshare(int flags);

void child_die_with_parent(const struct child *c)
{
	struct pollfd parent = {.fd = c->parent, .events = POLLIN};

	if (c->survive)
		return;
	/* getppid() tells nothing across pid name spaces; a pidfd does */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&parent, 1, 0) != 0)
		_exit(125);
}

_Noreturn void child_fail(struct child *c, struct error *err)
{
	struct buf wire = BUF_INIT;

	error_encode(err, &wire);
	channel_send(c->channel, CHANNEL_ERROR, wire.data, wire.len, -1);
	_exit(err->exit_code ? err->exit_code : 125);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < _NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In a new user name space: wait for the maps, then be its root. */
static int become_root(struct child *c, struct error *err)
{
	struct channel_message *m;
	int n;

	if (!c->user_ns)
		return 0;
	if (!c->spec->namespaces[NAMESPACE_USER].path) {
		channel_send(c->channel, CHANNEL_MAPS, NULL, 0, -1);
		m = mem_new(struct channel_message);
		n = channel_receive(c->channel, m);
		free(m);
		if (n <= 0)
			_exit(125);
	}
	/* setgroups() is refused where it was given up for the map */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return error_sys(err, "cannot drop the groups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_sys(err, "cannot become root of the user name space");
	/* who changes the uid loses the death signal and its own /proc entries */
	prctl(PR_SET_DUMPABLE, 1);
	child_die_with_parent(c);
	return 0;
}

static int enter_namespaces(struct child *c, struct error *err)
{
	const struct namespace_spec *cgroup = &c->spec->namespaces[NAMESPACE_CGROUP];
	int r = cgroup_join(c->cgroup, err);

	if (r == 0 && !namespaces_need_stage(c->o))
		r = namespaces_join(c->o, err);
	if (r == 0)
		r = become_root(c, err);
	if (r < 0)
		return r;
	if (cgroup->present && !cgroup->path && unshare(CLONE_NEWCGROUP) < 0)
		return error_sys(err, "cannot make a cgroup name space");
	return 0;
}

static int set_names(const struct child *c, struct error *err)
{
	const struct runtime_spec *s = c->spec;

	/* without a name space of its own this would rename the host */
	if (!s->namespaces[NAMESPACE_UTS].present)
		return 0;
	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return error_sys(err, "cannot set the host name %s", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return error_sys(err, "cannot set the domain name %s", s->domainname);
	return 0;
}

typedef int child_step(struct child *c, struct error *err);

static int set_names_and_labels(struct child *c, struct error *err)
{
	int r = set_names(c, err);

	return r < 0 ? r : child_set_labels(c, err);
}

static void run_steps(struct child *c, child_step *const *steps, size_t n)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < n; i++)
		if (steps[i](c, &err) < 0)
			child_fail(c, &err);
}

/* From here on the process has the container's rights only. */
static _Noreturn void finish(struct child *c)
{
	struct error err = ERROR_INIT;
	AUTO(free) char *program = NULL;
	bool nnp = c->spec->process.no_new_privileges;

	if (nnp && child_final_capabilities(c, &err) < 0)
		child_fail(c, &err);
	if (c->bundle &&
	    hooks_run(c->o, HOOK_START_CONTAINER, c->bundle, "created", getpid(), &err) < 0)
		child_fail(c, &err);
	if (child_find_program(c, &program, &err) < 0)
		child_fail(c, &err);
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	channel_send(c->channel, CHANNEL_EXEC, NULL, 0, -1);
	/* without no_new_privs a filter needs CAP_SYS_ADMIN, so it comes before the last drop
	 */
	if (seccomp_program_load(c->filter, &err) < 0)
		child_fail(c, &err);
	if (!nnp && child_final_capabilities(c, &err) < 0)
		child_fail(c, &err);
	child_execute(c, program, &err);
	child_fail(c, &err);
}

/*
 * A directory of the container, whose names are its own by now: no link leads
 * through /proc/PID/fd/N to what we, or another who enters, still hold of the
 * host (CVE-2024-21626).
 */
static int open_inside(const char *path, int *out, struct error *err)
{
	AUTO(fd) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return error_sys(err, "cannot open the root of the container");
	return root_open(root, ROOT_INSIDE, path, O_RDONLY | O_DIRECTORY, 0, out, err);
}

/* The container's own devpts: its first process may have mounted something else there. */
static int open_pts(struct child *c, struct error *err)
{
	struct statfs fs;

	if (!c->spec->process.terminal)
		return 0;
	if (open_inside("/dev/pts", &c->pts, NULL) < 0 || fstatfs(c->pts, &fs) < 0 ||
	    fs.f_type != DEVPTS_SUPER_MAGIC)
		return error_set(err, ERR_UNSUPPORTED,
				 "a terminal needs a devpts mount at /dev/pts");
	return 0;
}

static int enter_cwd(struct child *c, struct error *err)
{
	const char *cwd = c->spec->process.cwd;
	AUTO(fd) int dir = -1;
	int r = open_inside(str_empty(cwd) ? "/" : cwd, &dir, err);

	if (r == 0 && fchdir(dir) < 0)
		r = error_sys(err, "%s", cwd);
	if (r < 0) {
		error_wrap(err, "chdir to cwd (\"%s\") failed", cwd);
		err->exit_code = 127;
	}
	return r;
}

/* What we have of the host must be no part of a path that the container gave: its program's. */
static int let_go(struct child *c, struct error *err)
{
	const unsigned low = (unsigned)(c->channel < c->parent ? c->channel : c->parent);
	const unsigned high = (unsigned)(c->channel < c->parent ? c->parent : c->channel);
	const unsigned from[] = {3, low + 1, high + 1}, to[] = {low - 1, high - 1, ~0u};

	for (int i = 0; i < 3; i++)
		if (from[i] <= to[i] && syscall(SYS_close_range, from[i], to[i], 0) < 0)
			return error_sys(err, "close_range");
	return 0;
}

static int join_groups(struct child *c, struct error *err)
{
	return cgroup_join(c->cgroup, err);
}

_Noreturn void child_enter_main(struct child *c)
{
	static child_step *const steps[] = {
		join_groups,	       become_root,	    open_pts, child_open_terminal,
		child_set_stdio,       child_set_limits,    let_go,   enter_cwd,
		child_drop_privileges, child_take_terminal,
	};

	child_die_with_parent(c);
	reset_signals();
	umask(0);
	/* those inside must not look into us while we hold things of the host */
	prctl(PR_SET_DUMPABLE, 0);
	setsid();
	run_steps(c, steps, ARRAY_SIZE(steps));
	finish(c);
}

_Noreturn void child_main(struct child *c)
{
	static child_step *const build[] = {
		enter_namespaces,    set_names_and_labels, child_open_sources,
		child_attach_root,   child_mount_all,	   child_make_devices,
		child_open_terminal, child_write_sysctls,  child_mask_paths,
		child_open_cwd,	     child_run_hooks,	   child_enter_root,
	};
	static child_step *const leave[] = {
		child_set_stdio,       let_go,		 child_set_limits,
		child_drop_privileges, child_start_init, child_take_terminal,
	};

	child_die_with_parent(c);
	reset_signals();
	umask(0);
	/* others in a shared pid name space must not look into us while we hold their host */
	if (c->spec->namespaces[NAMESPACE_PID].path ||
	    !c->spec->namespaces[NAMESPACE_PID].present)
		prctl(PR_SET_DUMPABLE, 0);
	setsid();
	run_steps(c, build, ARRAY_SIZE(build));
	run_steps(c, leave, ARRAY_SIZE(leave));
	finish(c);
}
