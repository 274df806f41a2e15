/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"
#include "cli/cli_transfer.h"

#include "base/banned.h"

struct push_options {
	bool all_tags;
	bool quiet;
};

static const struct option_def options[] = {
	OPTION('a', "all-tags", BOOL, push_options, all_tags,
	       "Push all tags of an image to the repository"),
	OPTION('q', "quiet", BOOL, push_options, quiet, "Suppress verbose output"),
};

static void print_name(const struct cli_invocation *inv)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;

	if (reference_parse(inv->argv[0], &ref, NULL) < 0)
		return;
	reference_normal(&ref, &normal);
	fprintf(inv->program->out, "%s\n", buf_str(&normal));
}

static int run(struct cli_invocation *inv)
{
	const struct push_options *o = inv->options;
	AUTO(cli_transfer) struct cli_transfer transfer;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct engine_push_request req = {
		.name = inv->argv[0], .all_tags = o->all_tags, .progress = &transfer.progress};

	cli_transfer_start(&transfer, inv->program->out, o->quiet);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_push(e, &req, &err) < 0)
		return cli_fail(inv, &err);
	if (o->quiet)
		print_name(inv);
	return 0;
}

const struct command cmd_push = {
	.path = "image push",
	.aliases = "push",
	.summary = "Upload an image to a registry",
	.usage = "[OPTIONS] NAME[:TAG]",
	COMMAND_OPTIONS(options, push_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
