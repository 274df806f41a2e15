/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of a container: memory, processors, processes, block devices. */
#include "cli/cmd_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

static int check(const struct run_limits *o, struct error *err)
{
	const struct {
		const char *name;
		int64_t value;
	} positive[] = {
		{"memory", o->memory},	       {"memory-reservation", o->memory_reservation},
		{"shm-size", o->shm_size},     {"cpus", o->cpus},
		{"cpu-shares", o->cpu_shares}, {"cpu-period", o->cpu_period}};

	for (size_t i = 0; i < ARRAY_SIZE(positive); i++)
		if (positive[i].value < 0)
			return error_set(err, ERR_INVALID, "--%s must not be negative",
					 positive[i].name);
	if (o->oom_score_adj < -1000 || o->oom_score_adj > 1000)
		return error_set(err, ERR_INVALID,
				 "Invalid value %lld, range for oom score adj is [-1000, 1000]",
				 (long long)o->oom_score_adj);
	if (o->swappiness < -1 || o->swappiness > 100)
		return error_set(err, ERR_INVALID,
				 "invalid value: %lld. Valid memory swappiness range is 0-100",
				 (long long)o->swappiness);
	return 0;
}

static int add_devices(const struct run_limits *o, struct container_options *to,
		       struct error *err)
{
	static const char *const flags[BLKIO_COUNT] = {
		[BLKIO_WEIGHT] = "--blkio-weight-device",
		[BLKIO_READ_BPS] = "--device-read-bps",
		[BLKIO_WRITE_BPS] = "--device-write-bps",
		[BLKIO_READ_IOPS] = "--device-read-iops",
		[BLKIO_WRITE_IOPS] = "--device-write-iops",
	};

	for (size_t k = 0; k < BLKIO_COUNT; k++)
		for (size_t i = 0; i < o->blkio[k].n; i++) {
			const char *text = o->blkio[k].items[i];

			if (container_options_add_blkio(to, (enum blkio_kind)k, text, err) < 0)
				return run_bad_flag(err, text, flags[k]);
		}
	return 0;
}

int run_set_limits(const struct run_limits *o, struct container_options *to, struct error *err)
{
	int r = check(o, err);

	to->memory = (uint64_t)o->memory;
	to->memory_reservation = (uint64_t)o->memory_reservation;
	to->memory_swap = o->memory_swap;
	to->has_swappiness = o->swappiness >= 0;
	to->swappiness = to->has_swappiness ? o->swappiness : 0;
	to->oom_kill_disable = o->oom_kill_disable;
	to->oom_score_adj = (int)o->oom_score_adj;
	to->shm_size = (uint64_t)o->shm_size;
	to->nano_cpus = o->cpus;
	to->cpu_shares = (uint64_t)o->cpu_shares;
	to->cpu_quota = o->cpu_quota;
	to->cpu_period = (uint64_t)o->cpu_period;
	to->cpu_rt_period = o->cpu_rt_period;
	to->cpu_rt_runtime = o->cpu_rt_runtime;
	to->cpuset_cpus = str_empty(o->cpuset_cpus) ? NULL : mem_strdup(o->cpuset_cpus);
	to->cpuset_mems = str_empty(o->cpuset_mems) ? NULL : mem_strdup(o->cpuset_mems);
	to->pids_limit = o->pids_limit > 0 ? o->pids_limit : 0;
	to->blkio_weight = o->blkio_weight > INT32_MAX ? INT32_MAX : (int64_t)o->blkio_weight;
	return r < 0 ? r : add_devices(o, to, err);
}
