/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cli/cli_command.h"

#include "base/parse.h"

#include "base/banned.h"

struct diff_options {
	char *build;
};

static const struct option_def options[] = {
	OPTION(0, "build", STRING, diff_options, build,
	       "ID of the build, or its beginning (default: the last one)"),
};

static void print_change(const struct cli_invocation *inv, const struct layer_change *c)
{
	AUTO(buf) struct buf size = BUF_INIT;

	format_size(c->kind == 'D' ? c->old_bytes : c->bytes, &size);
	fprintf(inv->program->out, "%c %9s  %s%s\n", c->kind, buf_str(&size), c->path,
		c->is_directory && c->kind != 'D' ? "/" : "");
}

static int run(struct cli_invocation *inv)
{
	const struct diff_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(layer_change_list) struct layer_change_list list = {0};

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_build_diff(e, o->build, inv->argv[0], &list, &err) < 0)
		return cli_fail(inv, &err);
	for (size_t i = 0; i < list.n; i++)
		print_change(inv, &list.items[i]);
	return 0;
}

const struct command cmd_build_diff = {
	.path = "builder diff",
	.aliases = "build diff, buildx diff",
	.summary = "Show what a step of a build added (A), changed (C) and deleted (D)",
	.usage = "[OPTIONS] STEP",
	COMMAND_OPTIONS(options, diff_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
