/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version 1: one hierarchy for each controller; only those that a limit
 * needs get a group, since joining each costs an RCU grace period.
 * Files: Documentation/admin-guide/cgroup-v1 of the kernel.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

static const struct root_made group_mode = {
	.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};

/* Makes the container's group below one controller and notes it for the join. */
static int add_group(const char *controller, const char *path, struct cgroup *out,
		     struct error *err)
{
	struct cgroup_join *join = &out->joins[out->njoins];
	AUTO(fd) int hierarchy = cgroup_open_controller(controller);
	AUTO(fd) int made = -1;
	int r;

	if (hierarchy < 0)
		return error_set(err, ERR_UNSUPPORTED,
				 "the controller %s is not mounted below /sys/fs/cgroup",
				 controller);
	r = root_mkdirs(hierarchy, ROOT_BENEATH, path, &group_mode, &made, NULL, err);
	if (r < 0)
		return error_wrap(err, "cannot make the %s group", controller);
	join->dir = openat(made, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (join->dir < 0)
		return error_sys(err, "cannot open the %s group", controller);
	join->controller = controller;
	out->njoins++;
	return 0;
}

static int dir_of(const struct cgroup *g)
{
	return g->joins[g->njoins - 1].dir;
}

static int write_number(int dir, const char *name, int64_t value, const char *limit,
			struct error *err)
{
	AUTO(free) char *text = mem_printf("%" PRId64, value);

	return cgroup_write(dir, name, text, limit, err);
}

static int set_memory(int dir, const struct resources_spec *r, struct error *err)
{
	int e = 0;

	if (r->memory_limit)
		e = write_number(dir, "memory.limit_in_bytes", r->memory_limit, "memory limit",
				 err);
	if (e == 0 && r->memory_reservation)
		e = write_number(dir, "memory.soft_limit_in_bytes", r->memory_reservation,
				 "memory reservation", err);
	/* as Docker: a kernel that does not account swap limits memory alone */
	if (e == 0 && r->memory_swap &&
	    faccessat(dir, "memory.memsw.limit_in_bytes", F_OK, 0) == 0)
		e = write_number(dir, "memory.memsw.limit_in_bytes", r->memory_swap,
				 "limit of memory and swap", err);
	if (e == 0 && r->has_swappiness)
		e = write_number(dir, "memory.swappiness", (int64_t)r->swappiness,
				 "memory swappiness", err);
	if (e == 0 && r->disable_oom_killer)
		e = write_number(dir, "memory.oom_control", 1, "OOM killer", err);
	return e;
}

static int set_real_time(int dir, const struct resources_spec *r, struct error *err)
{
	int e = 0;

	if (r->rt_period)
		e = write_number(dir, "cpu.rt_period_us", (int64_t)r->rt_period,
				 "real-time period", err);
	if (e < 0 || !r->rt_runtime)
		return e;
	e = write_number(dir, "cpu.rt_runtime_us", r->rt_runtime, "real-time runtime", err);
	if (e < 0)
		error_hint(err,
			   "the group above must have as much: see cpu.rt_runtime_us there");
	return e;
}

static int set_cpu(int dir, const struct resources_spec *r, struct error *err)
{
	int e = 0;

	if (r->cpu_shares)
		e = write_number(dir, "cpu.shares", (int64_t)r->cpu_shares, "CPU shares", err);
	/* the period first: a quota must fit into it */
	if (e == 0 && r->cpu_period)
		e = write_number(dir, "cpu.cfs_period_us", (int64_t)r->cpu_period, "CPU period",
				 err);
	if (e == 0 && r->cpu_quota)
		e = write_number(dir, "cpu.cfs_quota_us", r->cpu_quota, "CPU quota", err);
	return e < 0 ? e : set_real_time(dir, r, err);
}

/* A new cpuset group is empty and takes no process: each level starts with its parent's. */
static int inherit_cpuset(int hierarchy, const char *path, const char *file, struct error *err)
{
	AUTO(buf) struct buf above = BUF_INIT;
	const char *end = path;
	int r = io_read_file(hierarchy, file, 4096, &above, err);

	while (r == 0 && *end) {
		AUTO(buf) struct buf mine = BUF_INIT;
		AUTO(free) char *part = NULL;
		AUTO(fd) int dir = -1;

		end += strcspn(end, "/");
		part = mem_strndup(path, (size_t)(end - path));
		end += *end == '/';
		r = root_open(hierarchy, ROOT_BENEATH, part, O_RDONLY | O_DIRECTORY, 0, &dir,
			      err);
		if (r == 0)
			r = io_read_file(dir, file, 4096, &mine, err);
		if (r < 0)
			break;
		if (mine.len > 1) {
			buf_clear(&above);
			above = mine;
			mine = BUF_INIT;
			continue;
		}
		r = cgroup_write(dir, file, buf_str(&above), "set of CPUs", err);
	}
	return r;
}

static int set_cpuset(int dir, const char *path, const struct resources_spec *r,
		      struct error *err)
{
	AUTO(fd) int hierarchy = cgroup_open_controller("cpuset");
	int e = inherit_cpuset(hierarchy, path, "cpuset.cpus", err);

	if (e == 0)
		e = inherit_cpuset(hierarchy, path, "cpuset.mems", err);
	if (e == 0 && r->cpuset_cpus)
		e = cgroup_write(dir, "cpuset.cpus", r->cpuset_cpus, "set of CPUs", err);
	if (e == 0 && r->cpuset_mems)
		e = cgroup_write(dir, "cpuset.mems", r->cpuset_mems, "set of memory nodes",
				 err);
	return e;
}

/* until 5.0 blkio.weight; since then BFQ has its own, and nobody else a weight */
static const char *weight_file(int dir, bool device)
{
	if (faccessat(dir, "blkio.bfq.weight", F_OK, 0) == 0)
		return device ? "blkio.bfq.weight_device" : "blkio.bfq.weight";
	return device ? "blkio.weight_device" : "blkio.weight";
}

static int set_blkio(int dir, const struct resources_spec *r, struct error *err)
{
	const char *const files[BLKIO_COUNT] = {
		[BLKIO_WEIGHT] = weight_file(dir, true),
		[BLKIO_READ_BPS] = "blkio.throttle.read_bps_device",
		[BLKIO_WRITE_BPS] = "blkio.throttle.write_bps_device",
		[BLKIO_READ_IOPS] = "blkio.throttle.read_iops_device",
		[BLKIO_WRITE_IOPS] = "blkio.throttle.write_iops_device",
	};
	int e = 0;

	if (r->blkio_weight)
		e = write_number(dir, weight_file(dir, false), r->blkio_weight,
				 "block I/O weight", err);
	for (size_t k = 0; k < BLKIO_COUNT; k++)
		for (size_t i = 0; e == 0 && i < r->blkio[k].n; i++) {
			const struct blkio_value *v = &r->blkio[k].items[i];
			AUTO(free)
			char *text = mem_printf("%" PRId64 ":%" PRId64 " %" PRIu64, v->major,
						v->minor, v->value);

			e = cgroup_write(dir, files[k], text, "limit of a block device", err);
		}
	return e;
}

static bool needs_memory(const struct resources_spec *r)
{
	return r->memory_limit || r->memory_reservation || r->memory_swap ||
	       r->has_swappiness || r->disable_oom_killer;
}

static bool needs_cpu(const struct resources_spec *r)
{
	return r->cpu_shares || r->cpu_quota || r->cpu_period || r->rt_runtime || r->rt_period;
}

int cgroup_v1_prepare(const struct sandbox_options *o, const char *path, struct cgroup *out,
		      struct error *err)
{
	const struct resources_spec *r = &o->spec->resources;
	int e = 0;

	if (needs_memory(r)) {
		e = add_group("memory", path, out, err);
		e = e < 0 ? error_wrap(err, "cannot set the memory limit")
			  : set_memory(dir_of(out), r, err);
	}
	if (e == 0 && needs_cpu(r)) {
		e = add_group("cpu", path, out, err);
		e = e < 0 ? error_wrap(err, "cannot set the CPU limit")
			  : set_cpu(dir_of(out), r, err);
	}
	if (e == 0 && (r->cpuset_cpus || r->cpuset_mems)) {
		e = add_group("cpuset", path, out, err);
		e = e < 0 ? error_wrap(err, "cannot set the set of CPUs")
			  : set_cpuset(dir_of(out), path, r, err);
	}
	if (e == 0 && r->pids_limit) {
		e = add_group("pids", path, out, err);
		e = e < 0 ? error_wrap(err, "cannot set the limit of processes")
			  : cgroup_write_or_max(dir_of(out), "pids.max", r->pids_limit,
						"limit of processes", err);
	}
	if (e == 0 && resources_spec_limit_blkio(r)) {
		e = add_group("blkio", path, out, err);
		e = e < 0 ? error_wrap(err, "cannot limit block devices")
			  : set_blkio(dir_of(out), r, err);
	}
	return e;
}

int cgroup_v1_remove(const char *path, struct error *err)
{
	/* what is frozen leaves no other group, so the freezer comes first; those behind blkio
	 * are other runtimes' */
	static const char *const controllers[] = {
		"freezer",  "memory",	  "cpu",     "cpuset",	"pids",
		"blkio",    "cpuacct",	  "devices", "systemd", "net_cls",
		"net_prio", "perf_event", "hugetlb", "rdma",	"misc"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(controllers); i++) {
		AUTO(fd) int hierarchy = cgroup_open_controller(controllers[i]);

		if (hierarchy >= 0)
			r = cgroup_remove_dir(hierarchy, path, err);
	}
	return r;
}
