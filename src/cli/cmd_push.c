/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"
#include "cli/cli_transfer.h"

#include "base/banned.h"

struct push_options {
	bool all_tags;
	char *platform;
	bool quiet;
};

static const struct option_def options[] = {
	OPTION('a', "all-tags", BOOL, push_options, all_tags,
	       "Push all tags of an image to the repository"),
	OPTION(0, "platform", STRING, push_options, platform,
	       "Push a platform-specific manifest as a single-platform image to the registry: "
	       "\"os[/arch[/variant]]\""),
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

/* Docker's own note, also where an image is for one platform alone. */
static void print_note(const struct cli_invocation *inv)
{
	fputs("\n Info -> Using --platform pushes only the specified platform manifest of a "
	      "multi-platform image index.\n"
	      "         Other components, like attestations, will not be included.\n"
	      "         To push the complete multi-platform image, remove the --platform "
	      "flag.\n"
	      "         \n",
	      inv->program->out);
}

static int run(struct cli_invocation *inv)
{
	const struct push_options *o = inv->options;
	AUTO(cli_transfer) struct cli_transfer transfer;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct engine_push_request req = {.name = inv->argv[0],
					  .all_tags = o->all_tags,
					  .platform = o->platform,
					  .progress = &transfer.progress};

	cli_transfer_start(&transfer, inv->program->out, o->quiet);
	if (o->platform)
		print_note(inv);
	e = cli_engine_for_registry(inv);
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
