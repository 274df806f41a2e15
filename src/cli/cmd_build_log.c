/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli_command.h"

#include "base/io.h"

#include "base/banned.h"

struct log_options {
	char *build;
};

static const struct option_def options[] = {
	OPTION(0, "build", STRING, log_options, build,
	       "ID of the build, or its beginning (default: the last one)"),
};

static int print_one(const struct cli_invocation *inv, const struct build_log *log, bool titled,
		     struct error *err)
{
	if (titled)
		fprintf(inv->program->out, "%s\n", log->title);
	fflush(inv->program->out);
	return log->fd < 0 ? 0 : io_copy(log->fd, fileno(inv->program->out), UINT64_MAX, err);
}

static int run(struct cli_invocation *inv)
{
	const struct log_options *o = inv->options;
	const char *step = inv->argc ? inv->argv[0] : NULL;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(build_log_list) struct build_log_list logs = {0};
	int r;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = engine_build_logs(e, o->build, step, &logs, &err);
	for (size_t i = 0; r == 0 && i < logs.n; i++)
		r = print_one(inv, &logs.items[i], !step, &err);
	return r < 0 ? cli_fail(inv, &err) : 0;
}

const struct command cmd_build_log = {
	.path = "builder log",
	.aliases = "build log, buildx log",
	.summary = "Show what the RUN steps of a build said",
	.usage = "[OPTIONS] [STEP]",
	COMMAND_OPTIONS(options, log_options),
	.max_args = 1,
	.run = run,
};
