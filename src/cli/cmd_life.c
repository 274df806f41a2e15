/* SPDX-License-Identifier: Apache-2.0 */
/* stop, kill, restart, pause, unpause, wait, rename: one line for each container that it was
 * done to. */
#include "cli/cli_command.h"
#include "cli/cmd_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

struct life_options {
	char *signal;
	int64_t seconds;
	int64_t time;
};

typedef int (*life_fn)(struct engine *e, const char *name, const struct cli_invocation *inv,
		       struct error *err);

/* Docker goes on with the next one, and tells what failed. */
static int for_each(struct cli_invocation *inv, life_fn fn)
{
	AUTO(engine) struct engine *e = NULL;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;

		if (fn(e, inv->argv[i], inv, &err) == 0) {
			fprintf(inv->program->out, "%s\n", inv->argv[i]);
			fflush(inv->program->out);
			continue;
		}
		cli_fail(inv, &err);
		status = CLI_EXIT_ERROR;
	}
	return status;
}

static int signal_of(const char *text, int *out, struct error *err)
{
	*out = str_empty(text) ? 0 : engine_signal(text);
	return *out < 0 ? error_set(err, ERR_INVALID, "invalid signal: %s", text) : 0;
}

static int64_t seconds_of(const struct cli_invocation *inv)
{
	const struct life_options *o = inv->options;

	if (cli_given(inv, &o->seconds))
		return o->seconds;
	return cli_given(inv, &o->time) ? o->time : INT64_MIN;
}

static int stop_one(struct engine *e, const char *name, const struct cli_invocation *inv,
		    struct error *err)
{
	const struct life_options *o = inv->options;
	int number, r = signal_of(o->signal, &number, err);

	return r < 0 ? error_wrap(err, "cannot stop container: %s", name)
		     : engine_stop(e, name, number, seconds_of(inv), err);
}

static int restart_one(struct engine *e, const char *name, const struct cli_invocation *inv,
		       struct error *err)
{
	struct engine_attached attached;
	int r = stop_one(e, name, inv, err);

	return r < 0 ? r : engine_start(e, name, NULL, &attached, err);
}

static int kill_one(struct engine *e, const char *name, const struct cli_invocation *inv,
		    struct error *err)
{
	const struct life_options *o = inv->options;
	int number, r = signal_of(o->signal, &number, err);

	if (r == 0)
		r = engine_kill(e, name, number, err);
	return r < 0 ? error_wrap(err, "cannot kill container: %s", name) : 0;
}

static int pause_one(struct engine *e, const char *name, const struct cli_invocation *inv,
		     struct error *err)
{
	(void)inv;
	return engine_pause(e, name, true, err);
}

static int unpause_one(struct engine *e, const char *name, const struct cli_invocation *inv,
		       struct error *err)
{
	(void)inv;
	return engine_pause(e, name, false, err);
}

static int run_stop(struct cli_invocation *inv)
{
	return for_each(inv, stop_one);
}

static int run_restart(struct cli_invocation *inv)
{
	return for_each(inv, restart_one);
}

static int run_kill(struct cli_invocation *inv)
{
	return for_each(inv, kill_one);
}

static int run_pause(struct cli_invocation *inv)
{
	return for_each(inv, pause_one);
}

static int run_unpause(struct cli_invocation *inv)
{
	return for_each(inv, unpause_one);
}

static int run_wait(struct cli_invocation *inv)
{
	AUTO(engine) struct engine *e = NULL;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;
		int code;

		if (engine_wait(e, inv->argv[i], &code, &err) == 0) {
			fprintf(inv->program->out, "%d\n", code);
			fflush(inv->program->out);
			continue;
		}
		cli_fail(inv, &err);
		status = CLI_EXIT_ERROR;
	}
	return status;
}

static int fail_rename(struct cli_invocation *inv, const struct error *err)
{
	cli_fail(inv, err);
	fprintf(inv->program->err, "Error: failed to rename container named %s\n",
		inv->argv[0]);
	return CLI_EXIT_ERROR;
}

static int run_rename(struct cli_invocation *inv)
{
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	if (!*inv->argv[0] || !*inv->argv[1]) {
		fprintf(inv->program->err, "Error: Neither old nor new names may be empty\n");
		return CLI_EXIT_ERROR;
	}
	if (run_check_name(inv->argv[1] + (*inv->argv[1] == '/'), NULL) < 0) {
		error_set(&err, ERR_INVALID,
			  "Error when allocating new name: Invalid container name (/%s), only "
			  "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			  inv->argv[1] + (*inv->argv[1] == '/'));
		return fail_rename(inv, &err);
	}
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_rename(e, inv->argv[0], inv->argv[1], &err) < 0) {
		if (err.code == ERR_EXISTS)
			error_wrap(&err, "Error when allocating new name");
		return fail_rename(inv, &err);
	}
	return 0;
}

static const struct option_def stop_options[] = {
	OPTION('s', "signal", STRING, life_options, signal, "Signal to send to the container"),
	OPTION(0, "time", INT, life_options, time,
	       "Seconds to wait before killing the container", .hidden = true),
	OPTION('t', "timeout", INT, life_options, seconds,
	       "Seconds to wait before killing the container"),
};

static const struct option_def kill_options[] = {
	OPTION('s', "signal", STRING, life_options, signal, "Signal to send to the container"),
};

const struct command cmd_stop = {
	.path = "container stop",
	.aliases = "stop",
	.summary = "Stop one or more running containers",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	COMMAND_OPTIONS(stop_options, life_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_stop,
};

const struct command cmd_restart = {
	.path = "container restart",
	.aliases = "restart",
	.summary = "Restart one or more containers",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	COMMAND_OPTIONS(stop_options, life_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_restart,
};

const struct command cmd_kill = {
	.path = "container kill",
	.aliases = "kill",
	.summary = "Kill one or more running containers",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	COMMAND_OPTIONS(kill_options, life_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_kill,
};

const struct command cmd_pause = {
	.path = "container pause",
	.aliases = "pause",
	.summary = "Pause all processes within one or more containers",
	.usage = "CONTAINER [CONTAINER...]",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_pause,
};

const struct command cmd_unpause = {
	.path = "container unpause",
	.aliases = "unpause",
	.summary = "Unpause all processes within one or more containers",
	.usage = "CONTAINER [CONTAINER...]",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_unpause,
};

const struct command cmd_wait = {
	.path = "container wait",
	.aliases = "wait",
	.summary = "Block until one or more containers stop, then print their exit codes",
	.usage = "CONTAINER [CONTAINER...]",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_wait,
};

const struct command cmd_rename = {
	.path = "container rename",
	.aliases = "rename",
	.summary = "Rename a container",
	.usage = "CONTAINER NEW_NAME",
	.min_args = 2,
	.max_args = 2,
	.run = run_rename,
};
