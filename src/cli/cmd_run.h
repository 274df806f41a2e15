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

/* How long it lives, how its health is looked after, where its log goes, what it shares. */
struct run_life {
	char *restart, *health_cmd, *log_driver, *ipc, *pid, *uts, *userns, *cgroupns,
		*cgroup_parent;
	struct strlist log_options, devices, expose, label_files, annotations;
	int64_t health_interval, health_timeout, health_start_period, health_start_interval,
		health_retries, stop_timeout;
	bool no_healthcheck;
};

int run_set_life(const struct run_life *o, struct container_options *to, bool has_stop_timeout,
		 struct error *err);
/* -ERR_INVALID for what cannot be a container's name; "" and NULL are fine. */
int run_check_name(const char *name, struct error *err);
