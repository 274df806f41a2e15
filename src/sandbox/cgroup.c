/* SPDX-License-Identifier: Apache-2.0 */
/* Where cgroups are, and what both versions share: writing, killing, removing. */
#include "sandbox/sandbox_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

/* Removal waits for the end of what was killed: at most this many steps of 1 ms and longer. */
#define REMOVE_TRIES 60

static long type_of(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) < 0 ? 0 : (long)fs.f_type;
}

enum cgroup_layout cgroup_layout(void)
{
	long type = type_of(CGROUP_MOUNT_POINT);

	if (type == CGROUP2_SUPER_MAGIC)
		return CGROUP_LAYOUT_V2;
	return type == TMPFS_MAGIC ? CGROUP_LAYOUT_V1 : CGROUP_LAYOUT_NONE;
}

const char *sandbox_cgroup_version(void)
{
	switch (cgroup_layout()) {
	case CGROUP_LAYOUT_V1:
		return "v1";
	case CGROUP_LAYOUT_V2:
		return "v2";
	case CGROUP_LAYOUT_NONE:
		break;
	}
	return "none";
}

/*
 * What not every kernel has.  Version 1: a file of the root group that tells (blkio.bfq.weight
 * itself is in the groups below only).  Version 2: the controller; NULL: it never has it.
 */
static const struct {
	const char *controller, *file;
	const char *unified;
} features[SANDBOX_FEATURE_COUNT] = {
	[SANDBOX_MEMORY] = {"memory", "memory.limit_in_bytes", "memory"},
	[SANDBOX_SWAP] = {"memory", "memory.memsw.limit_in_bytes", "memory"},
	[SANDBOX_MEMORY_RESERVATION] = {"memory", "memory.soft_limit_in_bytes", "memory"},
	[SANDBOX_PIDS] = {"pids", "tasks", "pids"},
	[SANDBOX_CPU_SHARES] = {"cpu", "cpu.shares", "cpu"},
	[SANDBOX_CPU_CFS] = {"cpu", "cpu.cfs_quota_us", "cpu"},
	[SANDBOX_CPUSET] = {"cpuset", "cpuset.cpus", "cpuset"},
	[SANDBOX_SWAPPINESS] = {"memory", "memory.swappiness", NULL},
	[SANDBOX_NO_OOM_KILLER] = {"memory", "memory.oom_control", NULL},
	[SANDBOX_REAL_TIME] = {"cpu", "cpu.rt_runtime_us", NULL},
	[SANDBOX_BLKIO_WEIGHT] = {"blkio", "blkio.bfq.io_serviced", "io"},
	[SANDBOX_BLKIO_THROTTLE] = {"blkio", "blkio.throttle.read_bps_device", "io"},
};

static bool has_controller(int dir, const char *name)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(strlist) struct strlist words = STRLIST_INIT;

	if (dir < 0 || io_read_file(dir, "cgroup.controllers", 4096, &text, NULL) < 0)
		return false;
	strlist_split(&words, buf_str(&text), ' ');
	for (size_t i = 0; i < words.n; i++)
		words.items[i][strcspn(words.items[i], "\n")] = 0;
	return strlist_find(&words, name) >= 0;
}

bool sandbox_offers(enum sandbox_feature feature)
{
	const char *controller = features[feature].controller, *file = features[feature].file;
	AUTO(fd) int dir = -1;

	switch (cgroup_layout()) {
	case CGROUP_LAYOUT_V1:
		dir = cgroup_open_controller(controller);
		return dir >= 0 && (faccessat(dir, file, F_OK, 0) == 0 ||
				    (feature == SANDBOX_BLKIO_WEIGHT &&
				     faccessat(dir, "blkio.weight", F_OK, 0) == 0));
	case CGROUP_LAYOUT_V2:
		dir = cgroup_open_unified();
		return features[feature].unified &&
		       has_controller(dir, features[feature].unified);
	case CGROUP_LAYOUT_NONE:
		break;
	}
	return false;
}

static int open_typed(const char *path, long type)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != type)
		return -1;
	return take_fd(&fd);
}

int cgroup_open_unified(void)
{
	int fd = open_typed(CGROUP_MOUNT_POINT, CGROUP2_SUPER_MAGIC);

	return fd >= 0 ? fd : open_typed(CGROUP_MOUNT_POINT "/unified", CGROUP2_SUPER_MAGIC);
}

int cgroup_open_controller(const char *name)
{
	AUTO(free) char *path = mem_printf(CGROUP_MOUNT_POINT "/%s", name);

	return open_typed(path, CGROUP_SUPER_MAGIC);
}

int cgroup_write(int dir, const char *name, const char *value, const char *limit,
		 struct error *err)
{
	AUTO(fd) int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, value, strlen(value)) >= 0)
		return 0;
	error_sys(err, "cannot set the %s to %s (%s)", limit, value, name);
	if (errno == ENOENT || errno == EACCES)
		error_hint(err,
			   "this machine's cgroups do not offer it: run without that limit");
	return -ERR_SYSTEM;
}

int cgroup_write_or_max(int dir, const char *name, int64_t value, const char *limit,
			struct error *err)
{
	AUTO(free) char *text = value < 0 ? mem_strdup("max") : mem_printf("%" PRId64, value);

	return cgroup_write(dir, name, text, limit, err);
}

char *cgroup_path_of(const struct sandbox_options *o)
{
	char *clean;

	if (!str_empty(o->spec->cgroups_path)) {
		clean = root_clean_path(o->spec->cgroups_path);
		if (*clean)
			return clean;
		free(clean);
	}
	if (!resources_spec_limit(&o->spec->resources))
		return NULL;
	return mem_printf("stave/%s", str_empty(o->id) ? "container" : o->id);
}

/*
 * A group that nobody asked for: one of ours, without limits.  Where cgroups are read-only, as
 * in most containers, its container does without.
 */
static bool may_miss(const struct sandbox_options *o, const char *path)
{
	return str_starts(path, "stave/") && !resources_spec_limit(&o->spec->resources);
}

int cgroup_prepare(const struct sandbox_options *o, struct cgroup *out, struct error *err)
{
	AUTO(free) char *path = cgroup_path_of(o);
	const struct device_rule_list *rules = &o->spec->resources.devices;
	int r = 0;

	if (path) {
		switch (cgroup_layout()) {
		case CGROUP_LAYOUT_V1:
			r = cgroup_v1_prepare(o, path, out, err);
			break;
		case CGROUP_LAYOUT_V2:
			r = cgroup_v2_prepare(o, path, out, err);
			if (r < 0 && may_miss(o, path)) {
				if (err)
					error_clear(err);
				cgroup_clear(out);
				r = 0;
			}
			break;
		case CGROUP_LAYOUT_NONE:
			if (resources_spec_limit(&o->spec->resources))
				r = error_set(err, ERR_UNSUPPORTED,
					      "limits need cgroups, and there are none "
					      "at " CGROUP_MOUNT_POINT);
			break;
		}
	}
	/* a user name space cannot make devices that work */
	if (r == 0 && !o->spec->namespaces[NAMESPACE_USER].present)
		device_policy_prepare(rules, out);
	return r;
}

int cgroup_join(const struct cgroup *g, struct error *err)
{
	for (size_t i = 0; i < g->njoins; i++) {
		AUTO(fd) int fd = openat(g->joins[i].dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);

		/* 0 is the one who writes */
		if (fd < 0 || write(fd, "0", 1) < 0)
			return error_sys(err, "cannot join the %s group",
					 g->joins[i].controller);
	}
	return 0;
}

void cgroup_clear(struct cgroup *g)
{
	close_fd(&g->v2);
	for (size_t i = 0; i < g->njoins; i++)
		close_fd(&g->joins[i].dir);
	g->njoins = 0;
}

/* ---- removal ----------------------------------------------------------------------------- */

static void kill_listed(int dir)
{
	AUTO(buf) struct buf text = BUF_INIT;
	const char *at;

	if (io_read_file(dir, "cgroup.procs", CGROUP_PROCS_LIMIT, &text, NULL) < 0)
		return;
	for (at = buf_str(&text); *at;) {
		AUTO(free) char *line = mem_strndup(at, strcspn(at, "\n"));
		uint64_t pid;

		if (parse_u64(line, INT32_MAX, &pid) && pid > 1)
			kill((pid_t)pid, SIGKILL);
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
}

static void kill_members(int dir)
{
	AUTO(fd) int all = openat(dir, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	/* version 2, Linux 5.14 */
	if (all >= 0 && write(all, "1", 1) == 1)
		return;
	kill_listed(dir);
	/* in version 1 what is frozen does not even die; other hierarchies have no such file */
	cgroup_write(dir, "freezer.state", "THAWED", "freezer", NULL);
}

/* Groups that the container made below its own, deepest first. */
static void remove_children(int dir)
{
	struct dir_list list = {0};

	if (dir_list_read(dir, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.n; i++) {
		AUTO(fd) int child = -1;

		if (list.items[i].type != DT_DIR)
			continue;
		child = openat(dir, list.items[i].name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			continue;
		kill_members(child);
		remove_children(child);
		unlinkat(dir, list.items[i].name, AT_REMOVEDIR);
	}
	dir_list_clear(&list);
}

static void drain(int parent, const char *name)
{
	AUTO(fd)
	int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return;
	kill_members(dir);
	remove_children(dir);
}

int cgroup_remove_dir(int hierarchy, const char *path, struct error *err)
{
	char name[NAME_MAX + 1];
	AUTO(fd) int parent = -1;
	int r = root_parent(hierarchy, ROOT_BENEATH, path, &parent, name, err);

	if (r == -ERR_NOT_FOUND) {
		if (err)
			error_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	for (int i = 0; i < REMOVE_TRIES; i++) {
		struct timespec pause = {.tv_nsec = (1 + i) * 1000000L};

		if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		/* ENOTEMPTY cannot be: only groups inside hold a group, and that is EBUSY */
		if (errno != EBUSY)
			break;
		drain(parent, name);
		nanosleep(&pause, NULL);
	}
	return error_sys(err, "cannot remove the cgroup %s", path);
}

int sandbox_remove_cgroup(const char *cgroups_path, struct error *err)
{
	AUTO(free) char *path = root_clean_path(cgroups_path);

	if (!*path)
		return 0;
	switch (cgroup_layout()) {
	case CGROUP_LAYOUT_V1:
		return cgroup_v1_remove(path, err);
	case CGROUP_LAYOUT_V2:
		return cgroup_v2_remove(path, err);
	case CGROUP_LAYOUT_NONE:
		break;
	}
	return 0;
}
