/* SPDX-License-Identifier: Apache-2.0 */
/* start, attach, and the monitor that start starts. */
#include "cli/cli_command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"

#include "base/banned.h"

#define MONITOR_FD 3

struct start_options {
	bool attach, interactive, no_stdin, sig_proxy;
	char *detach_keys;
};

static const struct option_def start_options[] = {
	OPTION('a', "attach", BOOL, start_options, attach,
	       "Attach STDOUT/STDERR and forward signals"),
	OPTION(0, "detach-keys", STRING, start_options, detach_keys,
	       "Override the key sequence for detaching a container"),
	OPTION('i', "interactive", BOOL, start_options, interactive,
	       "Attach container's STDIN"),
};

static const struct option_def attach_options[] = {
	OPTION(0, "detach-keys", STRING, start_options, detach_keys,
	       "Override the key sequence for detaching a container"),
	OPTION(0, "no-stdin", BOOL, start_options, no_stdin, "Do not attach STDIN"),
	OPTION(0, "sig-proxy", BOOL, start_options, sig_proxy,
	       "Proxy all received signals to the process", .fallback = "true"),
};

static struct engine_streams streams_of(const struct start_options *o, bool in)
{
	return (struct engine_streams){.attach_in = in,
				       .attach_out = true,
				       .attach_err = true,
				       .sig_proxy = true,
				       .detach_keys = o->detach_keys,
				       .in = STDIN_FILENO,
				       .out = STDOUT_FILENO,
				       .err = STDERR_FILENO};
}

static int start_attached(struct cli_invocation *inv, struct engine *e)
{
	const struct start_options *o = inv->options;
	const struct engine_streams streams = streams_of(o, o->interactive);
	struct engine_attached attached = {0};
	AUTO(error) struct error err = ERROR_INIT;

	if (inv->argc > 1) {
		error_set(&err, ERR_INVALID,
			  "you cannot start and attach multiple containers at "
			  "once");
		return cli_fail(inv, &err);
	}
	if (engine_start(e, inv->argv[0], &streams, &attached, &err) < 0) {
		cli_fail(inv, &err);
		return CLI_EXIT_ERROR; /* 126 and 127 are for run */
	}
	return attached.exit_code;
}

static int run_start(struct cli_invocation *inv)
{
	const struct start_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(strlist) struct strlist failed = STRLIST_INIT;
	AUTO(free) char *names = NULL;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (o->attach || o->interactive)
		return start_attached(inv, e);
	for (int i = 0; i < inv->argc; i++) {
		struct engine_attached attached;
		AUTO(error) struct error err = ERROR_INIT;

		if (engine_start(e, inv->argv[i], NULL, &attached, &err) == 0) {
			fprintf(inv->program->out, "%s\n", inv->argv[i]);
			fflush(inv->program->out);
			continue;
		}
		cli_fail(inv, &err);
		strlist_add(&failed, inv->argv[i]);
	}
	if (!failed.n)
		return 0;
	names = strlist_join(&failed, ", ");
	fprintf(inv->program->err, "Error: failed to start containers: %s\n", names);
	return CLI_EXIT_ERROR;
}

static int run_attach(struct cli_invocation *inv)
{
	const struct start_options *o = inv->options;
	struct engine_streams streams = streams_of(o, !o->no_stdin);
	struct engine_attached attached = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	streams.sig_proxy = o->sig_proxy;
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_attach(e, inv->argv[0], &streams, &attached, &err) < 0)
		return cli_fail(inv, &err);
	if (attached.detached) {
		fprintf(inv->program->err, "read escape sequence\n");
		return CLI_EXIT_ERROR;
	}
	return attached.exit_code;
}

static unsigned number_of(const char *text)
{
	uint64_t n = 0;

	parse_u64(text, UINT32_MAX, &n);
	return (unsigned)n;
}

static int run_monitor(struct cli_invocation *inv)
{
	const struct engine_monitor req = {.id = inv->argv[0],
					   .socket = MONITOR_FD,
					   .attach = number_of(inv->argv[1]),
					   .rows = number_of(inv->argv[2]),
					   .columns = number_of(inv->argv[3])};
	AUTO(engine) struct engine *e = NULL;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	return engine_monitor(e, &req);
}

const struct command cmd_start = {
	.path = "container start",
	.aliases = "start",
	.summary = "Start one or more stopped containers",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	COMMAND_OPTIONS(start_options, start_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_start,
};

const struct command cmd_attach = {
	.path = "container attach",
	.aliases = "attach",
	.summary =
		"Attach local standard input, output, and error streams to a running container",
	.usage = "[OPTIONS] CONTAINER",
	COMMAND_OPTIONS(attach_options, start_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_attach,
};

const struct command cmd_monitor = {
	.path = "container monitor",
	.summary = "Look after a detached container: started by other commands only",
	.usage = "CONTAINER ATTACH ROWS COLUMNS",
	.flags = COMMAND_HIDDEN | COMMAND_SHIELD,
	.min_args = 4,
	.max_args = 4,
	.run = run_monitor,
};
