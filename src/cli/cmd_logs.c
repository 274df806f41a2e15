/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"

#include <unistd.h>

#include "base/parse.h"

#include "base/banned.h"

struct logs_options {
	bool details, follow, timestamps;
	char *since, *until, *tail;
};

static const struct option_def options[] = {
	OPTION(0, "details", BOOL, logs_options, details,
	       "Show extra details provided to logs"),
	OPTION('f', "follow", BOOL, logs_options, follow, "Follow log output"),
	OPTION(0, "since", STRING, logs_options, since,
	       "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. "
	       "\"42m\" for 42 minutes)"),
	OPTION('n', "tail", STRING, logs_options, tail,
	       "Number of lines to show from the end of the logs", .fallback = "all"),
	OPTION('t', "timestamps", BOOL, logs_options, timestamps, "Show timestamps"),
	OPTION(0, "until", STRING, logs_options, until,
	       "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. "
	       "\"42m\" for 42 minutes)"),
};

static int run(struct cli_invocation *inv)
{
	const struct logs_options *o = inv->options;
	struct engine_logs req = {.container = inv->argv[0],
				  .follow = o->follow,
				  .timestamps = o->timestamps,
				  .details = o->details,
				  .tail = -1,
				  .out = STDOUT_FILENO,
				  .err = STDERR_FILENO};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	uint64_t tail;

	/* as Docker: what is no number means all */
	if (o->tail && parse_u64(o->tail, INT32_MAX, &tail))
		req.tail = (int64_t)tail;
	if (cli_parse_moment("since", o->since, &req.since_ns, &err) < 0 ||
	    cli_parse_moment("until", o->until, &req.until_ns, &err) < 0)
		return cli_fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	return engine_logs(e, &req, &err) < 0 ? cli_fail(inv, &err) : 0;
}

const struct command cmd_logs = {
	.path = "container logs",
	.aliases = "logs",
	.summary = "Fetch the logs of a container",
	.usage = "[OPTIONS] CONTAINER",
	COMMAND_OPTIONS(options, logs_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
