/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that run: which groups and name spaces, freezing, new limits, what they use. */
#include "sandbox/sandbox_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

#define PROC_TEXT_MAX (1u << 20)
#define FREEZE_TRIES  400 /* of 5 ms */
#define MOVE_ROUNDS   50

static const struct root_made group_mode = {
	.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};

/* ---- /proc --------------------------------------------------------------------------------
 */

static int read_proc(pid_t pid, const char *name, struct buf *out)
{
	AUTO(free) char *path = mem_printf("/proc/%d/%s", (int)pid, name);
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : io_read_all(fd, PROC_TEXT_MAX, out, NULL);
}

/* The word @n of /proc/PID/stat, counted from 1 as in proc(5); the name may hold blanks. */
static uint64_t stat_word(const char *text, int n)
{
	const char *at = strrchr(text, ')');

	for (int i = 2; at && i < n; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

uint64_t sandbox_start_time(pid_t pid)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (pid <= 0 || read_proc(pid, "stat", &text) < 0)
		return 0;
	return stat_word(buf_str(&text), 22);
}

static bool same_namespace(pid_t a, const char *b, const char *name)
{
	AUTO(free) char *one = mem_printf("/proc/%d/ns/%s", (int)a, name);
	AUTO(free) char *two = mem_printf("/proc/%s/ns/%s", b, name);
	struct stat x, y;

	return stat(one, &x) == 0 && stat(two, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

int namespaces_of_process(pid_t pid)
{
	static const char *const names[NAMESPACE_COUNT] = {
		[NAMESPACE_MOUNT] = "mnt",    [NAMESPACE_PID] = "pid",
		[NAMESPACE_UTS] = "uts",      [NAMESPACE_IPC] = "ipc",
		[NAMESPACE_NETWORK] = "net",  [NAMESPACE_USER] = "user",
		[NAMESPACE_CGROUP] = "cgroup"};
	int flags = 0;

	for (int t = 0; t < NAMESPACE_COUNT; t++)
		if (names[t] && !same_namespace(pid, "self", names[t]))
			flags |= namespace_clone_flag((enum namespace_type)t);
	return flags;
}

void sandbox_processes(pid_t pid, struct pid_list *out)
{
	DIR *proc;
	struct dirent *d;

	/* with the host's pid name space the descendants cannot be told from others */
	if (same_namespace(pid, "self", "pid")) {
		*(pid_t *)vec_push(out) = pid;
		return;
	}
	proc = opendir("/proc");
	while (proc && (d = readdir(proc))) {
		uint64_t number;

		if (parse_u64(d->d_name, INT32_MAX, &number) &&
		    same_namespace(pid, d->d_name, "pid"))
			*(pid_t *)vec_push(out) = (pid_t)number;
	}
	if (proc)
		closedir(proc);
}

/*
 * Has it executed its command?  Before that it is the runtime, at work on the container with
 * the host's files still in sight, and nobody may be put beside it.  The kernel knows who was
 * forked and has not executed yet (PF_FORKNOEXEC); runc's last fork is behind its own start.
 */
static bool has_executed(const char *stat)
{
	return !(stat_word(stat, 9) & 0x40);
}

pid_t sandbox_inside(pid_t runtime)
{
	AUTO(free) char *own = mem_printf("%d", (int)runtime);
	DIR *proc = opendir("/proc");
	struct dirent *d;
	pid_t found = 0;

	while (proc && !found && (d = readdir(proc))) {
		AUTO(buf) struct buf text = BUF_INIT;
		uint64_t number;

		/* word 4 is the parent; its helpers are in its own name spaces */
		if (parse_u64(d->d_name, INT32_MAX, &number) &&
		    read_proc((pid_t)number, "stat", &text) == 0 &&
		    stat_word(buf_str(&text), 4) == (uint64_t)runtime &&
		    !same_namespace((pid_t)number, own, "mnt") && has_executed(buf_str(&text)))
			found = (pid_t)number;
	}
	if (proc)
		closedir(proc);
	return found;
}

/* ---- groups -------------------------------------------------------------------------------
 */

/* "5:devices:/path" → controller and path below its hierarchy. */
static void join_one(char *line, struct cgroup *out)
{
	char *controller = strchr(line, ':'), *path;
	AUTO(fd) int hierarchy = -1;
	AUTO(fd) int dir = -1;

	path = controller ? strchr(controller + 1, ':') : NULL;
	if (!path || str_eq(path + 1, "/"))
		return;
	*path++ = 0;
	controller++;
	hierarchy = *controller ? cgroup_open_controller(controller) : cgroup_open_unified();
	if (hierarchy < 0 || root_open(hierarchy, ROOT_BENEATH, path + 1,
				       O_RDONLY | O_DIRECTORY, 0, &dir, NULL) < 0)
		return;
	if (!*controller)
		out->v2 = take_fd(&dir);
	else if (out->njoins < CGROUP_JOINS_MAX)
		out->joins[out->njoins++] =
			(struct cgroup_join){.controller = "container's", .dir = take_fd(&dir)};
}

int cgroup_of_process(pid_t pid, struct cgroup *out, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(strlist) struct strlist lines = STRLIST_INIT, own = STRLIST_INIT;

	if (read_proc(pid, "cgroup", &text) < 0)
		return error_set(err, ERR_CONFLICT, "the container is not running");
	strlist_split(&lines, buf_str(&text), '\n');
	buf_reset(&text);
	if (read_proc(getpid(), "cgroup", &text) == 0)
		strlist_split(&own, buf_str(&text), '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const bool unified = str_starts(lines.items[i], "0::");

		/* to join a group of version 1 takes 10 ms, also the one where we are */
		if (unified || strlist_find(&own, lines.items[i]) < 0)
			join_one(lines.items[i], out);
	}
	return 0;
}

/* All of the container's processes; those that are born meanwhile are born inside. */
static int move_all(pid_t pid, int dir, struct error *err)
{
	size_t known = 0;

	for (int round = 0; round < MOVE_ROUNDS; round++) {
		struct pid_list list = {0};
		size_t n;

		sandbox_processes(pid, &list);
		for (size_t i = 0; i < list.n; i++) {
			AUTO(fd) int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
			AUTO(free) char *text = mem_printf("%d", (int)list.items[i]);

			if (fd < 0 || (write(fd, text, strlen(text)) < 0 && errno != ESRCH)) {
				free(list.items);
				return error_sys(err, "cannot move the container's processes "
						      "into a cgroup");
			}
		}
		n = list.n;
		free(list.items);
		if (round && n == known)
			return 0;
		known = n;
	}
	return 0;
}

static bool file_says(int dir, const char *name, const char *word)
{
	AUTO(buf) struct buf text = BUF_INIT;

	return io_read_file(dir, name, 4096, &text, NULL) == 0 &&
	       strstr(buf_str(&text), word) != NULL;
}

static int await_file(int dir, const char *name, const char *word, struct error *err)
{
	const struct timespec pause = {.tv_nsec = 5000000};

	for (int i = 0; i < FREEZE_TRIES; i++) {
		if (file_says(dir, name, word))
			return 0;
		nanosleep(&pause, NULL);
	}
	return error_set(err, ERR_FAILED, "the container's processes do not stop");
}

static int freeze_v1(pid_t pid, const char *id, bool freeze, int hierarchy, struct error *err)
{
	AUTO(free) char *path = mem_printf("stave/%s", id);
	AUTO(fd) int made = -1;
	AUTO(fd) int dir = -1;
	int r = root_mkdirs(hierarchy, ROOT_BENEATH, path, &group_mode, &made, NULL, err);

	if (r < 0)
		return error_wrap(err, "cannot make the freezer group");
	dir = openat(made, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (freeze && (r = move_all(pid, dir, err)) < 0)
		return r;
	r = cgroup_write(dir, "freezer.state", freeze ? "FROZEN" : "THAWED", "freezer", err);
	if (r < 0 || !freeze)
		return r;
	/* a process that was stopped half way needs a second word (kernel: cgroup-v1/freezer)
	 */
	return await_file(dir, "freezer.state", "FROZEN", err);
}

/*
 * The container's own group, which is named after it: @dir, or above it when the container has
 * made groups of its own inside.  -1: it has none.
 */
static int open_named(int dir, const char *id)
{
	AUTO(buf) struct buf up = BUF_INIT;
	AUTO(free) char *target = io_fd_path(dir);
	const char *at = target ? strstr(target, id) : NULL;

	if (!at || at == target || at[-1] != '/')
		return -1;
	at += strlen(id);
	if (*at && *at != '/')
		return -1;
	buf_addstr(&up, ".");
	for (; *at; at++)
		if (*at == '/')
			buf_addstr(&up, "/..");
	return openat(dir, buf_str(&up), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A group below the one where it is, so that its device rules stay in force. */
static int freeze_v2(pid_t pid, const char *id, bool freeze, struct error *err)
{
	AUTO(cgroup) struct cgroup g = CGROUP_INIT;
	AUTO(fd) int dir = -1;
	int r = cgroup_of_process(pid, &g, err);

	if (r < 0)
		return r;
	if (g.v2 < 0)
		g.v2 = cgroup_open_unified();
	if (g.v2 < 0)
		return error_set(err, ERR_UNSUPPORTED,
				 "pausing needs the freezer of cgroups, which is not there");
	dir = open_named(g.v2, id);
	if (dir < 0) {
		if (mkdirat(g.v2, id, 0755) < 0 && errno != EEXIST)
			return error_sys(err, "cannot make a group to freeze");
		dir = openat(g.v2, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if ((r = move_all(pid, dir, err)) < 0)
			return r;
	}
	r = cgroup_write(dir, "cgroup.freeze", freeze ? "1" : "0", "freezer", err);
	return r < 0 || !freeze ? r : await_file(dir, "cgroup.events", "frozen 1", err);
}

int sandbox_freeze(pid_t pid, const char *id, bool freeze, struct error *err)
{
	AUTO(fd) int hierarchy = cgroup_open_controller("freezer");

	return hierarchy >= 0 ? freeze_v1(pid, id, freeze, hierarchy, err)
			      : freeze_v2(pid, id, freeze, err);
}

int sandbox_update(pid_t pid, const struct runtime_spec *spec, const char *id,
		   struct error *err)
{
	const struct sandbox_options o = {.spec = spec, .id = id};
	AUTO(cgroup) struct cgroup g = CGROUP_INIT, now = CGROUP_INIT;
	AUTO(fd) int named = -1;
	int r = cgroup_prepare(&o, &g, err);

	/* who is in it already may have made groups of its own below */
	if (r == 0 && (r = cgroup_of_process(pid, &now, err)) == 0 && now.v2 >= 0)
		named = open_named(now.v2, id);
	if (r == 0 && g.v2 >= 0 && named < 0 && cgroup_layout() == CGROUP_LAYOUT_V2)
		r = move_all(pid, g.v2, err);
	for (size_t i = 0; r == 0 && i < g.njoins; i++)
		r = move_all(pid, g.joins[i].dir, err);
	return r;
}

bool cgroup_had_oom(const char *path)
{
	const bool v2 = cgroup_layout() == CGROUP_LAYOUT_V2;
	AUTO(fd) int hierarchy = v2 ? cgroup_open_unified() : cgroup_open_controller("memory");
	AUTO(fd) int dir = -1;
	AUTO(buf) struct buf text = BUF_INIT;
	const char *at;

	if (hierarchy < 0 ||
	    root_open(hierarchy, ROOT_BENEATH, path, O_RDONLY | O_DIRECTORY, 0, &dir, NULL) < 0)
		return false;
	if (io_read_file(dir, v2 ? "memory.events" : "memory.oom_control", 4096, &text, NULL) <
	    0)
		return false;
	at = strstr(buf_str(&text), "oom_kill ");
	return at && strtoull(at + strlen("oom_kill "), NULL, 10) > 0;
}

/* ---- usage --------------------------------------------------------------------------------
 */

static void add_process(pid_t pid, struct sandbox_usage *out)
{
	const uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	AUTO(buf) struct buf stat_text = BUF_INIT, status = BUF_INIT, io = BUF_INIT;
	static const char *const sizes[] = {"RssAnon:", "RssShmem:"};
	const char *at;

	if (read_proc(pid, "stat", &stat_text) < 0)
		return;
	out->pids++;
	for (int word = 14; word <= 17; word++) /* utime, stime, and those of reaped children */
		out->cpu_ns += stat_word(buf_str(&stat_text), word) * tick;
	if (read_proc(pid, "status", &status) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			if ((at = strstr(buf_str(&status), sizes[i])))
				out->memory += strtoull(at + strlen(sizes[i]), NULL, 10) << 10;
	if (read_proc(pid, "io", &io) < 0)
		return;
	if ((at = strstr(buf_str(&io), "\nread_bytes: ")))
		out->read_bytes += strtoull(at + strlen("\nread_bytes: "), NULL, 10);
	if ((at = strstr(buf_str(&io), "\nwrite_bytes: ")))
		out->written_bytes += strtoull(at + strlen("\nwrite_bytes: "), NULL, 10);
}

static void add_network(pid_t pid, struct sandbox_usage *out)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(strlist) struct strlist lines = STRLIST_INIT;

	if (same_namespace(pid, "self", "net") || read_proc(pid, "net/dev", &text) < 0)
		return;
	strlist_split(&lines, buf_str(&text), '\n');
	for (size_t i = 2; i < lines.n; i++) {
		uint64_t rx = 0, tx = 0;
		const char *name = lines.items[i] + strspn(lines.items[i], " ");
		const char *at = strchr(name, ':');
		char *end;

		if (!at || str_starts(name, "lo:"))
			continue;
		/* received bytes are the first number, sent bytes the ninth */
		rx = strtoull(at + 1, &end, 10);
		for (int n = 0; n < 8; n++)
			tx = strtoull(end, &end, 10);
		out->rx_bytes += rx;
		out->tx_bytes += tx;
	}
}

void sandbox_measure(pid_t pid, struct sandbox_usage *out)
{
	struct pid_list list = {0};

	*out = (struct sandbox_usage){0};
	sandbox_processes(pid, &list);
	for (size_t i = 0; i < list.n; i++)
		add_process(list.items[i], out);
	add_network(pid, out);
	free(list.items);
}
