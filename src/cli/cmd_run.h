/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_run - the options of `run` in small parts.  Private to cmd_run*.c and its test. */
#pragma once

#include "cli/cli_command.h"

/*
 * Appends NAME=value for each line, as Docker reads it: comments, blank lines, a bare NAME
 * for our own value.  "invalid env file (x): …".
 */
int run_read_env_file(const char *path, struct strlist *env, struct error *err);
/* -e NAME=value, or NAME: our value, or without one the name alone. */
int run_add_env(const char *text, struct strlist *env, struct error *err);
int run_add_label(const char *text, struct map *labels, struct error *err);
/* --security-opt. */
int run_add_security(const char *text, struct container_options *o, struct error *err);

/* "invalid argument "x" for "--flag" flag: " in front, which cli_fail_run() knows. */
int run_bad_flag(struct error *err, const char *text, const char *flag);

struct run_limits {
	int64_t memory, memory_swap, memory_reservation, swappiness, shm_size, cpus, cpu_quota,
		cpu_period, cpu_shares, cpu_rt_period, cpu_rt_runtime, pids_limit,
		oom_score_adj;
	uint64_t blkio_weight;
	struct strlist blkio[BLKIO_COUNT];
	char *cpuset_cpus, *cpuset_mems;
	bool oom_kill_disable;
};

int run_set_limits(const struct run_limits *o, struct container_options *to, struct error *err);

/* How long it lives, how its health is looked after, where its log goes, what it shares. */
struct run_life {
	char *restart, *health_cmd, *log_driver, *ipc, *pid, *uts, *userns, *cgroupns,
		*cgroup_parent, *volume_driver;
	struct strlist log_options, devices, device_rules, gpus, expose, label_files,
		annotations;
	int64_t health_interval, health_timeout, health_start_period, health_start_interval,
		health_retries, stop_timeout;
	bool no_healthcheck;
};

int run_set_life(const struct run_life *o, struct container_options *to, bool has_stop_timeout,
		 struct error *err);
/* -ERR_INVALID for what cannot be a container's name; "" and NULL are fine. */
int run_check_name(const char *name, struct error *err);
