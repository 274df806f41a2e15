/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"

#include "base/banned.h"

struct rm_options {
	bool force;
	bool volumes;
};

static const struct option_def options[] = {
	OPTION('f', "force", BOOL, rm_options, force,
	       "Force the removal of a running container (uses SIGKILL)"),
	OPTION('v', "volumes", BOOL, rm_options, volumes,
	       "Remove anonymous volumes associated with the container"),
};

static int run(struct cli_invocation *inv)
{
	const struct rm_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;
		int r = engine_rm(e, inv->argv[i], o->force, o->volumes, &err);

		if (r == 0) {
			fprintf(inv->program->out, "%s\n", inv->argv[i]);
			continue;
		}
		cli_fail(inv, &err);
		/* with -f it is enough that it is not there */
		if (!o->force || r != -ERR_NOT_FOUND)
			status = CLI_EXIT_ERROR;
	}
	return status;
}

const struct command cmd_rm = {
	.path = "container rm",
	.aliases = "container remove, rm",
	.summary = "Remove one or more containers",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	COMMAND_OPTIONS(options, rm_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run,
};
