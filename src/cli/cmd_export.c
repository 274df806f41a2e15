/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"
#include "cli/cli_output.h"
#include "cli/cli_filebar.h"

#include "base/banned.h"

struct export_options {
	char *output;
};

static const struct option_def options[] = {
	OPTION('o', "output", STRING, export_options, output,
	       "Write to a file, instead of STDOUT", .type = "file"),
};

static int run(struct cli_invocation *inv)
{
	const struct export_options *o = inv->options;
	AUTO(cli_output) struct cli_output output = CLI_OUTPUT_INIT;
	AUTO(cli_filebar) struct cli_filebar bar = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	int r;

	if (cli_output_open(o->output, &output, &err) < 0) {
		error_wrap(&err, "failed to export container");
		return cli_fail(inv, &err);
	}
	cli_filebar_start(&bar, output.fd, NULL, false, false);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = engine_export(e, inv->argv[0], output.fd, &err);
	cli_filebar_stop(&bar);
	if (r < 0 || cli_output_finish(&output, &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_export = {
	.path = "container export",
	.aliases = "export",
	.summary = "Export a container's filesystem as a tar archive",
	.usage = "[OPTIONS] CONTAINER",
	COMMAND_OPTIONS(options, export_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
