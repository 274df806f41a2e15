/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"
#include "cli/cli_transfer.h"

#include "base/banned.h"

struct pull_options {
	bool all_tags;
	char *platform;
	bool quiet;
};

static const struct option_def options[] = {
	OPTION('a', "all-tags", BOOL, pull_options, all_tags,
	       "Download all tagged images in the repository"),
	OPTION(0, "platform", STRING, pull_options, platform,
	       "Set platform if server is multi-platform capable"),
	OPTION('q', "quiet", BOOL, pull_options, quiet, "Suppress verbose output"),
};

static int run(struct cli_invocation *inv)
{
	const struct pull_options *o = inv->options;
	AUTO(cli_transfer) struct cli_transfer transfer;
	AUTO(engine_pulled) struct engine_pulled pulled = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct engine_pull_request req = {.name = inv->argv[0],
					  .platform = o->platform,
					  .all_tags = o->all_tags,
					  .progress = &transfer.progress};

	cli_transfer_start(&transfer, inv->program->out, o->quiet);
	e = cli_engine_for_registry(inv);
	if (engine_pull(e, &req, &pulled, &err) < 0)
		return cli_fail(inv, &err);
	fprintf(inv->program->out, "%s\n", pulled.name);
	return 0;
}

const struct command cmd_pull = {
	.path = "image pull",
	.aliases = "pull",
	.summary = "Download an image from a registry",
	.usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
	COMMAND_OPTIONS(options, pull_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
