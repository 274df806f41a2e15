/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"

#include "base/parse.h"

#include "base/banned.h"

struct prune_options {
	bool all;
	bool force;
};

static const struct option_def options[] = {
	OPTION('a', "all", BOOL, prune_options, all,
	       "Remove all unused build cache, not just dangling ones"),
	OPTION('f', "force", BOOL, prune_options, force, "Do not prompt for confirmation"),
};

static int run(struct cli_invocation *inv)
{
	const struct prune_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf size = BUF_INIT;
	struct store_collected collected = {0};
	int r;

	if (!o->force &&
	    !cli_confirm(inv, "WARNING! This will remove all build cache that no image uses.\n"
			      "Are you sure you want to continue?"))
		return 0;
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = engine_builder_prune(e, &collected, &err);
	format_size(collected.bytes, &size);
	store_collected_clear(&collected);
	if (r < 0)
		return cli_fail(inv, &err);
	fprintf(inv->program->out, "Total reclaimed space: %s\n", buf_str(&size));
	return 0;
}

const struct command cmd_builder_prune = {
	.path = "builder prune",
	.aliases = "buildx prune",
	.summary = "Remove build cache",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, prune_options),
	.max_args = 0,
	.run = run,
};
