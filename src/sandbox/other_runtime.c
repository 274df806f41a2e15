/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another OCI runtime: the same spec as config.json in a bundle.
 *
 * The program runs as process 1 of a pid name space and in a mount name space
 * of its own.  So its death, and ours, ends the container that it started; the
 * root is mounted in the bundle without anybody else seeing it; and a cgroup2
 * that holds controllers beside version 1, before which crun 1.8 gives up, can
 * be taken out of its sight.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

#define UNIFIED "/sys/fs/cgroup/unified"

/* ---- the child --------------------------------------------------------------------------- */

/* crun 1.8: "cgroups in hybrid mode not supported, drop all controllers from cgroupv2". */
static void hide_hybrid_cgroup2(void)
{
	AUTO(buf) struct buf controllers = BUF_INIT;
	AUTO(fd) int dir = open(UNIFIED, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || io_read_file(dir, "cgroup.controllers", 4096, &controllers, NULL) < 0)
		return;
	/* locked in a user name space: then it can only be covered */
	if (controllers.len > 1 && umount2(UNIFIED, MNT_DETACH) < 0)
		(void)mount("tmpfs", UNIFIED, "tmpfs", 0, "size=4k");
}

static int set_up_mounts(struct error *err)
{
	AUTO(fd) int proc = -1;
	int r;

	if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		return error_sys(err, "cannot make the mounts private");
	r = child_new_fs("proc", "proc", NULL,
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, &proc, err);
	if (r < 0)
		return r;
	if (move_mount(proc, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, "cannot mount /proc");
	hide_hybrid_cgroup2();
	return 0;
}

/* Puts the tree @fd at bundle/@name. */
static int attach_in_bundle(int bundle, int fd, const char *name, struct error *err)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at a mount");
	if (S_ISDIR(st.st_mode))
		r = mkdirat(bundle, name, 0700);
	else
		r = mknodat(bundle, name, S_IFREG | 0600, 0);
	if (r < 0 && errno != EEXIST)
		return error_sys(err, "cannot make %s in the bundle", name);
	if (move_mount(fd, "", bundle, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, "cannot mount %s in the bundle", name);
	return 0;
}

static int keep_open(int fd, struct error *err)
{
	int kept = fcntl(fd, F_DUPFD, 10);

	return kept < 0 ? error_sys(err, "cannot keep a descriptor") : kept;
}

static int add_binds(const struct child *c, int bundle, const char *bundle_path,
		     struct runtime_spec *spec, struct error *err)
{
	for (size_t i = 0; i < c->o->nbinds; i++) {
		const struct sandbox_bind *b = &c->o->binds[i];
		AUTO(free) char *name = mem_printf("bind-%zu", i);
		AUTO(free) char *source = mem_printf("%s/%s", bundle_path, name);
		int r = attach_in_bundle(bundle, b->fd, name, err);

		if (r < 0)
			return r;
		runtime_spec_add_mount(spec, b->destination, "bind", source,
				       b->readonly ? "rbind,rprivate,ro" : "rbind,rprivate");
	}
	return 0;
}

/* Name spaces of other containers, while their processes can be seen: in our new /proc not. */
static int keep_namespaces(const struct runtime_spec *spec, int *fds, struct error *err)
{
	for (int t = 0; t < NAMESPACE_COUNT; t++) {
		const char *path = spec->namespaces[t].path;
		AUTO(fd) int fd = -1;

		fds[t] = -1;
		if (!path)
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return error_sys(err, "cannot open %s", path);
		fds[t] = keep_open(fd, err);
		if (fds[t] < 0)
			return fds[t];
	}
	return 0;
}

static void name_namespace(struct namespace_spec *ns, int fd)
{
	ns->present = true;
	free(ns->path);
	ns->path = mem_printf("/proc/1/fd/%d", fd);
}

/* The spec as the other program shall read it: our descriptors have become paths. */
static int write_config(const struct child *c, const char *bundle_path, const int *namespaces,
			struct error *err)
{
	AUTO(runtime_spec) struct runtime_spec spec = RUNTIME_SPEC_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(fd) int bundle = -1;
	int r, fd;

	/* by its path in this mount name space: the caller's descriptor leads into another */
	bundle = open(bundle_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (bundle < 0)
		return error_sys(err, "cannot open the bundle %s", bundle_path);
	runtime_spec_encode(c->spec, &text);
	r = runtime_spec_decode(text.data, text.len, &spec, err);
	if (r < 0)
		return r;
	if (c->o->root_fd >= 0) {
		r = attach_in_bundle(bundle, c->o->root_fd, "rootfs", err);
		free(spec.root_path);
		spec.root_path = mem_strdup("rootfs");
	}
	if (r == 0)
		r = add_binds(c, bundle, bundle_path, &spec, err);
	if (r < 0)
		return r;
	if (c->o->netns_fd >= 0) {
		fd = keep_open(c->o->netns_fd, err);
		if (fd < 0)
			return fd;
		name_namespace(&spec.namespaces[NAMESPACE_NETWORK], fd);
	}
	for (int t = 0; t < NAMESPACE_COUNT; t++)
		if (namespaces[t] >= 0)
			name_namespace(&spec.namespaces[t], namespaces[t]);
	buf_reset(&text);
	runtime_spec_encode(&spec, &text);
	return io_write_file(c->o->bundle_dir, "config.json", text.data, text.len, 0600, 0,
			     err);
}

static void make_arguments(const struct child *c, const char *bundle_path, struct strlist *args)
{
	strlist_add(args, c->o->runtime);
	strlist_add(args, "--root");
	strlist_printf(args, "%s/state", bundle_path);
	strlist_add(args, "run");
	strlist_add(args, "--bundle");
	strlist_add(args, bundle_path);
	strlist_add(args, c->o->id);
}

/* Nothing of our environment but where programs and the user's runtime files are. */
static void make_environment(struct strlist *env)
{
	static const char *const names[] = {"PATH", "XDG_RUNTIME_DIR", "HOME"};

	strlist_add(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (getenv(names[i]))
			strlist_env_set(env, names[i], getenv(names[i]));
}

int runtime_execute(struct child *c, const struct strlist *args, const struct strlist *env,
		    struct error *err)
{
	execvpe(c->o->runtime, args->items, env->items);
	if (errno == ENOENT || errno == EACCES) {
		error_set(err, ERR_NOT_FOUND, "unknown or invalid runtime name: %s",
			  c->o->runtime);
		error_hint(err, "is it installed?  the embedded executor needs none");
		return -ERR_NOT_FOUND;
	}
	return error_sys(err, "cannot execute the runtime %s", c->o->runtime);
}

static int hand_over(struct child *c, const char *bundle_path, struct error *err)
{
	struct strlist args = STRLIST_INIT, env = STRLIST_INIT;
	struct process_config *p;
	struct runtime_spec plain = *c->spec;
	int bundle, r;

	make_environment(&env);
	/* the runtime's own streams become the container's; ids are for it to change */
	p = &plain.process;
	p->uid = 0;
	c->spec = &plain;
	r = child_set_stdio(c, err);
	if (r < 0)
		return r;
	if (p->terminal) {
		bundle = keep_open(c->o->bundle_dir, err);
		if (bundle < 0)
			return bundle;
		runtime_attend(c, bundle_path, bundle, &env);
	}
	channel_send(c->channel, CHANNEL_EXEC, NULL, 0, -1);
	make_arguments(c, bundle_path, &args);
	return runtime_execute(c, &args, &env, err);
}

static _Noreturn void runtime_child(struct child *c)
{
	struct error err = ERROR_INIT;
	AUTO(free) char *bundle_path = io_fd_path(c->o->bundle_dir);
	int namespaces[NAMESPACE_COUNT];
	sigset_t none;

	child_die_with_parent(c);
	for (int s = 1; s < _NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!bundle_path)
		error_sys(&err, "cannot find the bundle");
	else if (keep_namespaces(c->spec, namespaces, &err) == 0 && set_up_mounts(&err) == 0 &&
		 write_config(c, bundle_path, namespaces, &err) == 0)
		hand_over(c, bundle_path, &err);
	child_fail(c, &err);
}

/* ---- the parent -------------------------------------------------------------------------- */

static int listen_for_console(int bundle, int *out, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", bundle,
		 RUNTIME_CONSOLE);
	unlinkat(bundle, RUNTIME_CONSOLE, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return error_sys(err, "cannot listen for the terminal");
	*out = take_fd(&fd);
	return 0;
}

/* The runtime has connected and sent the master, before its command ran. */
static int receive_console(int listener, int *out_terminal, struct error *err)
{
	AUTO(fd) int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	AUTO(free) struct channel_message *m = mem_new(struct channel_message);

	if (connection < 0 || channel_receive(connection, m) < 0 || m->fd < 0)
		return error_set(err, ERR_FAILED, "the runtime gave no terminal");
	*out_terminal = m->fd;
	return 0;
}

static int receive_result(const struct sandbox_options *o, int channel, struct error *err)
{
	AUTO(free) struct channel_message *m = mem_new(struct channel_message);
	bool executing = false;
	int n;

	while ((n = channel_receive(channel, m)) > 0) {
		executing = executing || m->type == CHANNEL_EXEC;
		if (m->type != CHANNEL_ERROR)
			continue;
		if (error_decode(m->data, m->len, err) < 0)
			return error_set(err, ERR_SYSTEM, "the runtime could not be started");
		return -(int)(err ? err->code : ERR_SYSTEM);
	}
	return executing ? 0 : runtime_failure(o->runtime, o->bundle_dir, err);
}

static int check(const struct sandbox_options *o, struct error *err)
{
	if (o->init)
		return error_set(err, ERR_UNSUPPORTED,
				 "--init needs the embedded executor: leave --runtime out");
	/* it is in a pid name space below ours, and could go below that only */
	if (o->spec->namespaces[NAMESPACE_PID].path)
		return error_set(err, ERR_UNSUPPORTED,
				 "the pid name space of another container needs the embedded "
				 "executor: leave --runtime out");
	if (o->bundle_dir < 0 || str_empty(o->id))
		return error_set(err, ERR_INVALID, "the runtime %s needs a bundle and an id",
				 o->runtime);
	return 0;
}

int other_runtime_start(const struct sandbox_options *o, struct sandbox *out, struct error *err)
{
	struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_PIDFD,
				  .exit_signal = SIGCHLD};
	int channel[2], r = check(o, err);
	AUTO(fd) int listener = -1;
	AUTO(fd) int self = -1;
	AUTO(fd) int pidfd = -1;
	struct child c = {.o = o, .spec = o->spec, .slave = -1};
	long pid;

	if (r == 0 && o->spec->process.terminal)
		r = listen_for_console(o->bundle_dir, &listener, err);
	if (r < 0)
		return r;
	self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (self < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		return error_sys(err, "cannot prepare the runtime's start");
	args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		close(channel[0]);
		c.channel = fcntl(channel[1], F_DUPFD_CLOEXEC, 3);
		close(channel[1]);
		c.parent = self;
		runtime_child(&c);
	}
	close(channel[1]);
	r = pid < 0 ? error_sys(err, "cannot start the runtime")
		    : receive_result(o, channel[0], err);
	close(channel[0]);
	if (r == 0 && listener >= 0)
		r = receive_console(listener, &out->terminal, err);
	if (r < 0 && pid > 0) {
		kill((pid_t)pid, SIGKILL);
		waitpid((pid_t)pid, NULL, 0);
	}
	if (r < 0)
		return r;
	out->pid = (pid_t)pid;
	out->pidfd = take_fd(&pidfd);
	return 0;
}
