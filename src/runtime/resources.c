/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runtime_resources.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define MEMORY_MIN (UINT64_C(6) << 20)
#define CPU_PERIOD 100000 /* µs */
#define BILLION	   INT64_C(1000000000)

/* ---- words of one device ----------------------------------------------------------------- */

static bool parse_value(enum blkio_kind kind, const char *text, uint64_t *out)
{
	if (kind == BLKIO_WEIGHT)
		return parse_u64(text, 1000, out) && (*out == 0 || *out >= 10);
	if (kind == BLKIO_READ_BPS || kind == BLKIO_WRITE_BPS)
		return parse_bytes(text, out);
	return parse_u64(text, UINT64_MAX, out);
}

int container_options_add_blkio(struct container_options *o, enum blkio_kind kind,
				const char *text, struct error *err)
{
	const char *colon = strchr(text, ':');
	uint64_t value;

	if (!colon || colon == text)
		return error_set(err, ERR_INVALID, "bad format: %s", text);
	if (!str_starts(text, "/dev/"))
		return error_set(err, ERR_INVALID, "bad format for device path: %s", text);
	if (parse_value(kind, colon + 1, &value)) {
		strlist_printf(&o->blkio[kind], "%.*s:%llu", (int)(colon - text), text,
			       (unsigned long long)value);
		return 0;
	}
	if (kind == BLKIO_WEIGHT)
		return error_set(err, ERR_INVALID, "invalid weight for device: %s", text);
	if (kind == BLKIO_READ_BPS || kind == BLKIO_WRITE_BPS)
		return error_set(err, ERR_INVALID,
				 "invalid rate for device: %s. The correct format is "
				 "<device-path>:<number>[<unit>]. Number must be a positive "
				 "integer. Unit is optional and can be kb, mb, or gb",
				 text);
	return error_set(err, ERR_INVALID,
			 "invalid rate for device: %s. The correct format is "
			 "<device-path>:<number>. Number must be a positive integer",
			 text);
}

static int add_device(const char *text, enum blkio_kind kind, struct resources_spec *out,
		      struct error *err)
{
	const char *colon = strrchr(text, ':');
	AUTO(free) char *path = mem_strndup(text, colon ? (size_t)(colon - text) : 0);
	uint64_t value = 0;
	struct stat st;

	if (!colon || !parse_u64(colon + 1, UINT64_MAX, &value))
		return error_set(err, ERR_INVALID, "bad format: %s", text);
	if (fstatat(AT_FDCWD, path, &st, 0) < 0) {
		if (errno == ENOENT)
			return error_set(err, ERR_NOT_FOUND,
					 "stat %s: no such file or directory", path);
		return error_sys(err, "stat %s", path);
	}
	resources_spec_add_blkio(out, kind, major(st.st_rdev), minor(st.st_rdev), value);
	return 0;
}

/* ---- checks ------------------------------------------------------------------------------ */

/* The processors that this process may use, which is what a limit can be of. */
static int cpu_count(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return CPU_COUNT(&set);
}

static int check_memory(const struct container_options *o, struct error *err)
{
	if (o->memory > INT64_MAX / 2 || o->memory_reservation > INT64_MAX / 2)
		return error_set(err, ERR_INVALID, "the memory limit is out of range");
	if (o->memory && o->memory < MEMORY_MIN)
		return error_set(err, ERR_INVALID, "Minimum memory limit allowed is 6MB");
	if (o->memory_swap > 0 && !o->memory)
		return error_set(err, ERR_INVALID,
				 "You should always set the Memory limit when using Memoryswap "
				 "limit, see usage");
	if (o->memory_swap > 0 && (uint64_t)o->memory_swap < o->memory)
		return error_set(err, ERR_INVALID,
				 "Minimum memoryswap limit should be larger than memory limit, "
				 "see usage");
	if (o->memory_reservation && o->memory_reservation < MEMORY_MIN)
		return error_set(err, ERR_INVALID, "Minimum memory reservation allowed is 6MB");
	if (o->memory && o->memory_reservation && o->memory < o->memory_reservation)
		return error_set(err, ERR_INVALID,
				 "Minimum memory limit can not be less than memory reservation "
				 "limit, see usage");
	return 0;
}

static int check_cpu(const struct container_options *o, struct error *err)
{
	const int n = cpu_count();

	if (o->nano_cpus && (o->cpu_period || o->cpu_quota))
		return error_set(err, ERR_INVALID,
				 "Conflicting options: Nano CPUs and CPU %s cannot both be set",
				 o->cpu_period ? "Period" : "Quota");
	if (o->nano_cpus < 0 || o->nano_cpus > n * BILLION)
		return error_set(
			err, ERR_INVALID,
			"range of CPUs is from 0.01 to %d.00, as there are only %d CPUs "
			"available",
			n, n);
	if (o->nano_cpus && !sandbox_offers(SANDBOX_CPU_CFS))
		return error_set(err, ERR_UNSUPPORTED,
				 "NanoCPUs can not be set, as your kernel does not support CPU "
				 "CFS scheduler or the cgroup is not mounted");
	if (o->cpu_shares == 1)
		return error_set(err, ERR_INVALID, "the minimum allowed cpu-shares is 2");
	if (o->cpu_period && (o->cpu_period < 1000 || o->cpu_period > 1000000))
		return error_set(err, ERR_INVALID,
				 "CPU cfs period can not be less than 1ms (i.e. 1000) or "
				 "larger than 1s (i.e. 1000000)");
	if (o->cpu_quota > 0 && o->cpu_quota < 1000)
		return error_set(err, ERR_INVALID,
				 "CPU cfs quota can not be less than 1ms (i.e. 1000)");
	if ((o->cpu_rt_period > 0 || o->cpu_rt_runtime > 0) &&
	    !sandbox_offers(SANDBOX_REAL_TIME))
		return error_set(err, ERR_UNSUPPORTED,
				 "kernel does not support CPU real-time scheduler");
	if (o->cpu_rt_period && o->cpu_rt_runtime > o->cpu_rt_period)
		return error_set(err, ERR_INVALID,
				 "cpu real-time runtime cannot be higher than cpu real-time "
				 "period");
	return 0;
}

/* "0-3" or "5"; false if it is neither. */
static bool parse_range(const char *text, uint64_t *first, uint64_t *last)
{
	const size_t len = strcspn(text, "-");
	AUTO(free) char *low = mem_strndup(text, len);

	return parse_u64(low, UINT32_MAX, first) &&
	       parse_u64(text[len] ? text + len + 1 : low, UINT32_MAX, last) && *first <= *last;
}

static bool covers(const struct strlist *available, uint64_t first, uint64_t last)
{
	uint64_t low, high;

	for (size_t i = 0; i < available->n && first <= last; i++)
		if (parse_range(available->items[i], &low, &high) && low <= first &&
		    first <= high)
			first = high + 1;
	return first > last;
}

/* Lists as "0-3,5" against the file of sysfs that says what is online. */
static int check_set(const char *set, const char *file, const char *kind,
		     const char *short_kind, struct error *err)
{
	AUTO(strlist) struct strlist wanted = STRLIST_INIT, available = STRLIST_INIT;
	AUTO(fd) int sys = open("/sys/devices/system", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(buf) struct buf online = BUF_INIT;
	uint64_t first, last;

	if (!set || sys < 0 || io_read_file(sys, file, 4096, &online, NULL) < 0)
		return 0;
	while (online.len && online.data[online.len - 1] == '\n')
		online.data[--online.len] = 0;
	strlist_split(&available, buf_str(&online), ',');
	strlist_split(&wanted, set, ',');
	for (size_t i = 0; i < wanted.n; i++) {
		if (!parse_range(wanted.items[i], &first, &last))
			return error_set(err, ERR_INVALID,
					 "Invalid value %s for cpuset %s: invalid format: %s",
					 set, short_kind, set);
		if (!covers(&available, first, last))
			return error_set(err, ERR_INVALID,
					 "Requested %s are not available - requested %s, "
					 "available: %s",
					 kind, set, buf_str(&online));
	}
	return 0;
}

static int check(const struct container_options *o, struct error *err)
{
	int r;

	if ((r = check_memory(o, err)) < 0 || (r = check_cpu(o, err)) < 0 ||
	    (r = check_set(o->cpuset_cpus, "cpu/online", "CPUs", "cpus", err)) < 0 ||
	    (r = check_set(o->cpuset_mems, "node/online", "memory nodes", "mems", err)) < 0)
		return r;
	if (o->blkio_weight && (o->blkio_weight < 10 || o->blkio_weight > 1000))
		return error_set(err, ERR_INVALID, "Range of blkio weight is from 10 to 1000");
	return 0;
}

/* ---- what this machine does not have ----------------------------------------------------- */

/* Is it asked for, and not to be had?  Then a warning says so, in Docker's words. */
static bool lacks(bool asked, enum sandbox_feature feature, const char *words,
		  struct strlist *warnings)
{
	if (!asked || sandbox_offers(feature))
		return false;
	strlist_printf(warnings, "Your kernel does not support %s", words);
	return true;
}

static void discard_memory(struct container_options *o, struct strlist *warnings)
{
	if (lacks(o->memory, SANDBOX_MEMORY,
		  "memory limit capabilities or the cgroup is not mounted. "
		  "Limitation discarded.",
		  warnings))
		o->memory = 0, o->memory_swap = 0;
	if (lacks(o->memory && o->memory_swap != -1, SANDBOX_SWAP,
		  "swap limit capabilities or the cgroup is not mounted. "
		  "Memory limited without swap.",
		  warnings))
		o->memory_swap = -1;
	if (lacks(o->has_swappiness, SANDBOX_SWAPPINESS,
		  "memory swappiness capabilities or the cgroup is not mounted. "
		  "Memory swappiness discarded.",
		  warnings))
		o->has_swappiness = false;
	if (lacks(o->memory_reservation, SANDBOX_MEMORY_RESERVATION,
		  "memory soft limit capabilities or the cgroup is not mounted. "
		  "Limitation discarded.",
		  warnings))
		o->memory_reservation = 0;
	if (lacks(o->oom_kill_disable, SANDBOX_NO_OOM_KILLER,
		  "OomKillDisable. OomKillDisable discarded.", warnings))
		o->oom_kill_disable = false;
}

static void discard_cpu(struct container_options *o, struct strlist *warnings)
{
	if (lacks(o->pids_limit > 0, SANDBOX_PIDS,
		  "PIDs limit capabilities or the cgroup is not mounted. "
		  "PIDs limit discarded.",
		  warnings))
		o->pids_limit = 0;
	if (lacks(o->cpu_shares, SANDBOX_CPU_SHARES,
		  "CPU shares or the cgroup is not mounted. Shares discarded.", warnings))
		o->cpu_shares = 0;
	if (lacks(o->cpu_period || o->cpu_quota, SANDBOX_CPU_CFS,
		  "CPU CFS scheduler. CPU period/quota discarded.", warnings))
		o->cpu_period = 0, o->cpu_quota = 0;
	if (lacks(o->cpuset_cpus || o->cpuset_mems, SANDBOX_CPUSET,
		  "cpuset or the cgroup is not mounted. Cpuset discarded.", warnings)) {
		free(o->cpuset_cpus);
		free(o->cpuset_mems);
		o->cpuset_cpus = o->cpuset_mems = NULL;
	}
}

static void discard_blkio(struct container_options *o, struct strlist *warnings)
{
	static const char *const words[BLKIO_COUNT] = {
		[BLKIO_WEIGHT] = "Block I/O weight_device or the cgroup is not mounted. "
				 "Weight-device discarded.",
		[BLKIO_READ_BPS] = "BPS Block I/O read limit or the cgroup is not mounted. "
				   "Block I/O BPS read limit discarded.",
		[BLKIO_WRITE_BPS] = "BPS Block I/O write limit or the cgroup is not mounted. "
				    "Block I/O BPS write limit discarded.",
		[BLKIO_READ_IOPS] = "IOPS Block read limit or the cgroup is not mounted. "
				    "Block I/O IOPS read limit discarded.",
		[BLKIO_WRITE_IOPS] = "IOPS Block write limit or the cgroup is not mounted. "
				     "Block I/O IOPS write limit discarded.",
	};

	if (lacks(o->blkio_weight, SANDBOX_BLKIO_WEIGHT,
		  "Block I/O weight or the cgroup is not mounted. Weight discarded.", warnings))
		o->blkio_weight = 0;
	for (size_t k = 0; k < BLKIO_COUNT; k++)
		if (lacks(o->blkio[k].n,
			  k == BLKIO_WEIGHT ? SANDBOX_BLKIO_WEIGHT : SANDBOX_BLKIO_THROTTLE,
			  words[k], warnings))
			strlist_clear(&o->blkio[k]);
}

void container_options_discard(struct container_options *o, struct strlist *warnings)
{
	discard_memory(o, warnings);
	discard_cpu(o, warnings);
	discard_blkio(o, warnings);
}

int container_options_settle(struct container_options *o, struct strlist *warnings,
			     struct error *err)
{
	container_options_discard(o, warnings);
	if (o->oom_kill_disable && !o->memory)
		strlist_add(warnings, "OOM killer is disabled for the container, but no memory "
				      "limit is set, this can result in the system running out "
				      "of resources.");
	return check(o, err);
}

/* ---- the spec ---------------------------------------------------------------------------- */

static int add_blkio(const struct container_options *o, struct resources_spec *out,
		     struct error *err)
{
	int r = 0;

	out->blkio_weight = (uint16_t)o->blkio_weight;
	for (size_t k = 0; k < BLKIO_COUNT; k++)
		for (size_t i = 0; r == 0 && i < o->blkio[k].n; i++)
			r = add_device(o->blkio[k].items[i], (enum blkio_kind)k, out, err);
	return r;
}

int runtime_resources(const struct container_options *o, struct resources_spec *out,
		      struct error *err)
{
	int r = check(o, err);

	if (r < 0)
		return r;
	out->memory_limit = (int64_t)o->memory;
	out->memory_reservation = (int64_t)o->memory_reservation;
	out->memory_swap = o->memory_swap;
	if (o->memory && !o->memory_swap)
		out->memory_swap = 2 * (int64_t)o->memory;
	out->has_swappiness = o->has_swappiness;
	out->swappiness = (uint64_t)o->swappiness;
	out->disable_oom_killer = o->oom_kill_disable;
	out->cpu_shares = o->cpu_shares;
	out->cpu_quota = o->cpu_quota;
	out->cpu_period = o->cpu_period;
	out->rt_runtime = o->cpu_rt_runtime;
	out->rt_period = (uint64_t)o->cpu_rt_period;
	if (o->nano_cpus) {
		out->cpu_period = CPU_PERIOD;
		out->cpu_quota = o->nano_cpus * CPU_PERIOD / BILLION;
	}
	out->cpuset_cpus = o->cpuset_cpus ? mem_strdup(o->cpuset_cpus) : NULL;
	out->cpuset_mems = o->cpuset_mems ? mem_strdup(o->cpuset_mems) : NULL;
	out->pids_limit = o->pids_limit < 0 ? -1 : o->pids_limit;
	return add_blkio(o, out, err);
}
