/* SPDX-License-Identifier: Apache-2.0 */
/* update: other limits and another restart policy; system start: what should run after boot. */
#include "cli/cli_command.h"

#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

struct update_options {
	int64_t cpus, cpu_period, cpu_quota, cpu_shares, cpu_rt_period, cpu_rt_runtime, memory,
		memory_reservation, memory_swap, pids_limit;
	uint64_t blkio_weight;
	char *cpuset_cpus, *cpuset_mems, *restart;
};

static const struct option_def options[] = {
	OPTION(0, "blkio-weight", UINT, update_options, blkio_weight,
	       "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)",
	       .type = "uint16"),
	OPTION(0, "cpu-period", INT, update_options, cpu_period,
	       "Limit the CPU CFS (Completely Fair Scheduler) period"),
	OPTION(0, "cpu-quota", INT, update_options, cpu_quota,
	       "Limit the CPU CFS (Completely Fair Scheduler) quota"),
	OPTION(0, "cpu-rt-period", INT, update_options, cpu_rt_period,
	       "Limit the CPU real-time period in microseconds"),
	OPTION(0, "cpu-rt-runtime", INT, update_options, cpu_rt_runtime,
	       "Limit the CPU real-time runtime in microseconds"),
	OPTION('c', "cpu-shares", INT, update_options, cpu_shares,
	       "CPU shares (relative weight)"),
	OPTION(0, "cpus", DECIMAL, update_options, cpus, "Number of CPUs"),
	OPTION(0, "cpuset-cpus", STRING, update_options, cpuset_cpus,
	       "CPUs in which to allow execution (0-3, 0,1)"),
	OPTION(0, "cpuset-mems", STRING, update_options, cpuset_mems,
	       "MEMs in which to allow execution (0-3, 0,1)"),
	OPTION('m', "memory", BYTES, update_options, memory, "Memory limit"),
	OPTION(0, "memory-reservation", BYTES, update_options, memory_reservation,
	       "Memory soft limit"),
	OPTION(0, "memory-swap", BYTES, update_options, memory_swap,
	       "Swap limit equal to memory plus swap: -1 to enable unlimited swap"),
	OPTION(0, "pids-limit", INT, update_options, pids_limit,
	       "Tune container pids limit (set -1 for unlimited)"),
	OPTION(0, "restart", STRING, update_options, restart,
	       "Restart policy to apply when a container exits"),
};

/* What is 0 stays as it is.  False if nothing was asked for. */
static bool limits_of(const struct update_options *o, struct container_options *to)
{
	to->nano_cpus = o->cpus;
	to->cpu_period = (uint64_t)o->cpu_period;
	to->cpu_quota = o->cpu_quota;
	to->cpu_shares = (uint64_t)o->cpu_shares;
	to->cpu_rt_period = o->cpu_rt_period;
	to->cpu_rt_runtime = o->cpu_rt_runtime;
	to->memory = (uint64_t)o->memory;
	to->memory_reservation = (uint64_t)o->memory_reservation;
	to->memory_swap = o->memory_swap;
	to->pids_limit = o->pids_limit;
	to->blkio_weight = o->blkio_weight > INT32_MAX ? INT32_MAX : (int64_t)o->blkio_weight;
	to->cpuset_cpus = o->cpuset_cpus ? mem_strdup(o->cpuset_cpus) : NULL;
	to->cpuset_mems = o->cpuset_mems ? mem_strdup(o->cpuset_mems) : NULL;
	return o->cpus || o->cpu_period || o->cpu_quota || o->cpu_shares || o->cpu_rt_period ||
	       o->cpu_rt_runtime || o->memory || o->memory_reservation || o->memory_swap ||
	       o->pids_limit || o->blkio_weight || o->cpuset_cpus || o->cpuset_mems;
}

static int fail_empty(const struct cli_invocation *inv)
{
	fprintf(inv->program->err,
		"%s: you must provide one or more flags when using this command\n",
		inv->program->name);
	return CLI_EXIT_ERROR;
}

static int run(struct cli_invocation *inv)
{
	const struct update_options *o = inv->options;
	AUTO(container_options) struct container_options to = CONTAINER_OPTIONS_INIT;
	AUTO(engine) struct engine *e = NULL;
	AUTO(strlist) struct strlist warnings = STRLIST_INIT;
	struct engine_update u = {.limits = &to, .restart = o->restart, .warnings = &warnings};
	int status = 0;

	u.has_limits = limits_of(o, &to);
	if (!u.has_limits && !o->restart)
		return fail_empty(inv);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;

		if (engine_update(e, inv->argv[i], &u, &err) == 0) {
			fprintf(inv->program->out, "%s\n", inv->argv[i]);
			continue;
		}
		status = cli_fail(inv, &err);
	}
	for (size_t i = 0; i < warnings.n; i++)
		fprintf(inv->program->out, "%s\n", warnings.items[i]);
	return status;
}

struct started {
	const struct cli_invocation *inv;
	int status;
};

static void on_started(void *data, const char *name, const struct error *why)
{
	struct started *s = data;

	if (why)
		s->status = cli_fail(s->inv, why);
	else
		fprintf(s->inv->program->out, "%s\n", name);
}

static int run_start(struct cli_invocation *inv)
{
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct started s = {.inv = inv};

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_start_all(e, on_started, &s, &err) < 0)
		return cli_fail(inv, &err);
	return s.status;
}

const struct command cmd_update = {
	.path = "container update",
	.aliases = "update",
	.summary = "Update configuration of one or more containers",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	COMMAND_OPTIONS(options, update_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run,
};

const struct command cmd_system_start = {
	.path = "system start",
	.summary = "Start the containers whose restart policy wants them to run, after boot",
	.usage = "",
	.max_args = 0,
	.run = run_start,
};
