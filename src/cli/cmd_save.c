/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "cli/cli_command.h"
#include "cli/cli_output.h"
#include "cli/cli_filebar.h"

#include "base/banned.h"

struct save_options {
	char *output;
	char *platform;
};

static const struct option_def options[] = {
	OPTION('o', "output", STRING, save_options, output,
	       "Write to a file, instead of STDOUT", .type = "file"),
	OPTION(0, "platform", STRING, save_options, platform,
	       "Save only the given platform variant. Formatted as "
	       "\"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"),
};

static int run(struct cli_invocation *inv)
{
	const struct save_options *o = inv->options;
	AUTO(cli_output) struct cli_output output = CLI_OUTPUT_INIT;
	AUTO(cli_filebar) struct cli_filebar bar = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct engine_save req = {
		.names = inv->argv,
		.n_names = (size_t)inv->argc,
		.platform = o->platform,
	};
	int r;

	if (cli_output_open(o->output, &output, &err) < 0) {
		error_wrap(&err, "failed to save image");
		return cli_fail(inv, &err);
	}
	cli_filebar_start(&bar, output.fd, NULL, false, false);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	req.output = output.fd;
	r = engine_save(e, &req, &err);
	cli_filebar_stop(&bar);
	if (r < 0 || cli_output_finish(&output, &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_save = {
	.path = "image save",
	.aliases = "save",
	.summary = "Save one or more images to a tar archive (streamed to STDOUT by default)",
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	COMMAND_OPTIONS(options, save_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run,
};
