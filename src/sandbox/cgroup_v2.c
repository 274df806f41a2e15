/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version 2: one group, entered with the clone (CLONE_INTO_CGROUP, Linux 5.7).
 * Files: Documentation/admin-guide/cgroup-v2.rst of the kernel.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

static const struct root_made group_mode = {
	.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};

struct need {
	const char *controller;
	const char *limit; /* what people call it */
	bool needed;
};

/* Into the group @to; what cannot move (it is outside our pid name space) stays. */
static void move_members(const struct strlist *pids, int to)
{
	for (size_t i = 0; i < pids->n; i++)
		if (*pids->items[i])
			cgroup_write(to, "cgroup.procs", pids->items[i], "group", NULL);
}

/*
 * A group with processes hands down no controllers (EBUSY), or some of them to groups that take
 * no processes (EOPNOTSUPP), but for the machine's root, which has no type.  In a container of
 * a CI all processes are in the root of its cgroup name space: they go to a group below, of the
 * name that Docker's and podman's images for such containers give it.
 */
static void empty_root(int hierarchy)
{
	if (faccessat(hierarchy, "cgroup.type", F_OK, 0) < 0)
		return;
	/* a second time for those that were born meanwhile */
	for (int i = 0; i < 2; i++) {
		AUTO(strlist) struct strlist pids = STRLIST_INIT;
		AUTO(buf) struct buf text = BUF_INIT;
		AUTO(fd) int init = -1;

		if (io_read_file(hierarchy, "cgroup.procs", CGROUP_PROCS_LIMIT, &text, NULL) <
			    0 ||
		    !text.len)
			return;
		if (mkdirat(hierarchy, "init", 0755) < 0 && errno != EEXIST)
			return;
		init = openat(hierarchy, "init",
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		strlist_split(&pids, buf_str(&text), '\n');
		move_members(&pids, init);
	}
}

static int enable_one(int dir, const struct need *need, struct error *err)
{
	AUTO(free) char *text = mem_printf("+%s", need->controller);
	int r = cgroup_write(dir, "cgroup.subtree_control", text, need->limit, err);

	if (r == 0)
		return 0;
	if (err && (err->sys == EBUSY || err->sys == EOPNOTSUPP))
		error_hint(err,
			   "a group with processes hands no controllers down: name another "
			   "with --cgroup-parent");
	else
		error_hint(err, "the controller %s is not delegated to this user or place",
			   need->controller);
	return r;
}

/* A controller works in a group when every group above hands it down. */
static int enable_controllers(int hierarchy, const char *path, const struct need *needs,
			      size_t n, struct error *err)
{
	const char *end = path;
	int r = 0;

	for (;;) {
		AUTO(free) char *part = mem_strndup(path, (size_t)(end - path));
		AUTO(fd) int dir = -1;

		r = root_open(hierarchy, ROOT_BENEATH, part, O_RDONLY | O_DIRECTORY, 0, &dir,
			      err);
		for (size_t i = 0; r == 0 && i < n; i++)
			if (needs[i].needed)
				r = enable_one(dir, &needs[i], err);
		if (r < 0)
			return r;
		end += *end == '/';
		end += strcspn(end, "/");
		if (!*end)
			return 0;
	}
}

static int set_memory(int dir, const struct resources_spec *r, struct error *err)
{
	int e = 0;

	if (r->memory_limit)
		e = cgroup_write_or_max(dir, "memory.max", r->memory_limit, "memory limit",
					err);
	if (e == 0 && r->memory_reservation)
		e = cgroup_write_or_max(dir, "memory.low", r->memory_reservation,
					"memory reservation", err);
	/* the specification counts memory and swap together, version 2 swap alone */
	if (e == 0 && r->memory_swap && faccessat(dir, "memory.swap.max", F_OK, 0) == 0)
		e = cgroup_write_or_max(dir, "memory.swap.max",
					r->memory_swap < 0 ? -1
							   : r->memory_swap - r->memory_limit,
					"limit of memory and swap", err);
	return e;
}

/* The curve of runc 1.3.2 and crun 1.23, through both ends and both defaults. */
uint64_t cgroup_v2_weight(uint64_t shares)
{
	double l;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

static int set_cpu(int dir, const struct resources_spec *r, struct error *err)
{
	int e = 0;

	if (r->cpu_shares)
		e = cgroup_write_or_max(dir, "cpu.weight",
					(int64_t)cgroup_v2_weight(r->cpu_shares), "CPU shares",
					err);
	if (e == 0 && (r->cpu_quota || r->cpu_period)) {
		AUTO(free)
		char *quota = r->cpu_quota > 0 ? mem_printf("%" PRId64, r->cpu_quota)
					       : mem_strdup("max");
		AUTO(free)
		char *text = mem_printf("%s %" PRIu64, quota,
					r->cpu_period ? r->cpu_period : 100000);

		e = cgroup_write(dir, "cpu.max", text, "CPU quota", err);
	}
	return e;
}

static int set_others(int dir, const struct resources_spec *r, struct error *err)
{
	int e = 0;

	if (r->cpuset_cpus)
		e = cgroup_write(dir, "cpuset.cpus", r->cpuset_cpus, "set of CPUs", err);
	if (e == 0 && r->cpuset_mems)
		e = cgroup_write(dir, "cpuset.mems", r->cpuset_mems, "set of memory nodes",
				 err);
	/* no limit is the rule, and news only where there was one */
	if (e == 0 && (r->pids_limit > 0 ||
		       (r->pids_limit < 0 && faccessat(dir, "pids.max", F_OK, 0) == 0)))
		e = cgroup_write_or_max(dir, "pids.max", r->pids_limit, "limit of processes",
					err);
	return e;
}

/* BFQ's own file takes the numbers as they are; io.weight has 1 … 10000 for 10 … 1000. */
static int set_weight(int dir, const char *who, uint64_t weight, struct error *err)
{
	const bool bfq = faccessat(dir, "io.bfq.weight", F_OK, 0) == 0;
	const uint64_t wide = weight < 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
	AUTO(free) char *text = mem_printf("%s %" PRIu64, who, bfq ? weight : wide);

	return cgroup_write(dir, bfq ? "io.bfq.weight" : "io.weight", text, "block I/O weight",
			    err);
}

static int set_io(int dir, const struct resources_spec *r, struct error *err)
{
	static const char *const keys[BLKIO_COUNT] = {
		[BLKIO_READ_BPS] = "rbps",
		[BLKIO_WRITE_BPS] = "wbps",
		[BLKIO_READ_IOPS] = "riops",
		[BLKIO_WRITE_IOPS] = "wiops",
	};
	int e = r->blkio_weight ? set_weight(dir, "default", r->blkio_weight, err) : 0;

	for (size_t k = 0; k < BLKIO_COUNT; k++)
		for (size_t i = 0; e == 0 && i < r->blkio[k].n; i++) {
			const struct blkio_value *v = &r->blkio[k].items[i];
			AUTO(free)
			char *who = mem_printf("%" PRId64 ":%" PRId64, v->major, v->minor);
			AUTO(free) char *text = NULL;

			if (k == BLKIO_WEIGHT) {
				e = set_weight(dir, who, v->value, err);
				continue;
			}
			text = mem_printf("%s %s=%" PRIu64, who, keys[k], v->value);
			e = cgroup_write(dir, "io.max", text, "limit of a block device", err);
		}
	return e;
}

int cgroup_v2_prepare(const struct sandbox_options *o, const char *path, struct cgroup *out,
		      struct error *err)
{
	const struct resources_spec *r = &o->spec->resources;
	const struct need needs[] = {
		{"memory", "memory limit",
		 r->memory_limit || r->memory_reservation || r->memory_swap},
		{"cpu", "CPU limit", r->cpu_shares || r->cpu_quota || r->cpu_period},
		{"cpuset", "set of CPUs", r->cpuset_cpus || r->cpuset_mems},
		{"pids", "limit of processes", r->pids_limit > 0},
		{"io", "limits of block devices", resources_spec_limit_blkio(r)},
	};
	AUTO(fd) int hierarchy = cgroup_open_unified();
	AUTO(fd) int made = -1;
	int e;

	if (hierarchy < 0)
		return error_set(err, ERR_UNSUPPORTED, "cannot open /sys/fs/cgroup");
	e = root_mkdirs(hierarchy, ROOT_BENEATH, path, &group_mode, &made, NULL, err);
	if (e < 0)
		return error_wrap(err, "cannot make the cgroup %s", path);
	out->v2 = openat(made, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->v2 < 0)
		return error_sys(err, "cannot open the cgroup %s", path);
	if (resources_spec_limit(r))
		empty_root(hierarchy);
	e = enable_controllers(hierarchy, path, needs, ARRAY_SIZE(needs), err);
	if (e == 0)
		e = set_memory(out->v2, r, err);
	if (e == 0)
		e = set_cpu(out->v2, r, err);
	if (e == 0)
		e = set_others(out->v2, r, err);
	return e < 0 ? e : set_io(out->v2, r, err);
}

int cgroup_v2_remove(const char *path, struct error *err)
{
	AUTO(fd) int hierarchy = cgroup_open_unified();

	return hierarchy < 0 ? 0 : cgroup_remove_dir(hierarchy, path, err);
}
