/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runtime_resources.h"

#include <sched.h>

#include "base/mem.h"

#include "base/banned.h"

#define MEMORY_MIN (UINT64_C(6) << 20)
#define CPU_PERIOD 100000 /* µs */
#define BILLION	   INT64_C(1000000000)

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
		return error_set(
			err, ERR_INVALID,
			"Conflicting options: Nano CPUs and CPU %s cannot both be set.",
			o->cpu_period ? "Period" : "Quota");
	if (o->nano_cpus < 0 || o->nano_cpus > n * BILLION)
		return error_set(
			err, ERR_INVALID,
			"range of CPUs is from 0.01 to %d.00, as there are only %d CPUs "
			"available",
			n, n);
	return 0;
}

int runtime_resources(const struct container_options *o, struct resources_spec *out,
		      struct error *err)
{
	int r = check_memory(o, err);

	if (r == 0)
		r = check_cpu(o, err);
	if (r < 0)
		return r;
	out->memory_limit = (int64_t)o->memory;
	out->memory_reservation = (int64_t)o->memory_reservation;
	out->memory_swap = o->memory_swap;
	if (o->memory && !o->memory_swap)
		out->memory_swap = 2 * (int64_t)o->memory;
	out->cpu_shares = o->cpu_shares;
	out->cpu_quota = o->cpu_quota;
	out->cpu_period = o->cpu_period;
	if (o->nano_cpus) {
		out->cpu_period = CPU_PERIOD;
		out->cpu_quota = o->nano_cpus * CPU_PERIOD / BILLION;
	}
	out->cpuset_cpus = o->cpuset_cpus ? mem_strdup(o->cpuset_cpus) : NULL;
	out->cpuset_mems = o->cpuset_mems ? mem_strdup(o->cpuset_mems) : NULL;
	out->pids_limit = o->pids_limit > 0 ? o->pids_limit : 0;
	return 0;
}
