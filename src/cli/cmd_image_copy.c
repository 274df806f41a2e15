/* SPDX-License-Identifier: Apache-2.0 */
/* image copy: from registry to registry, from and to archives; the store is not asked. */
#include "cli/cli_command.h"
#include "cli/cli_transfer.h"

#include "base/banned.h"

struct copy_options {
	bool insecure;
	char *platform;
	bool quiet;
	bool referrers;
};

static const struct option_def options[] = {
	OPTION(0, "insecure", BOOL, copy_options, insecure,
	       "Allow communication with insecure registries"),
	OPTION(0, "platform", STRING, copy_options, platform,
	       "Copy the image for this platform only, of several (\"os[/arch[/variant]]\")"),
	OPTION('q', "quiet", BOOL, copy_options, quiet, "Only show the digest"),
	OPTION(0, "referrers", BOOL, copy_options, referrers,
	       "Copy what refers to the images, too: signatures, SBOMs"),
};

static int run(struct cli_invocation *inv)
{
	const struct copy_options *o = inv->options;
	AUTO(cli_transfer) struct cli_transfer transfer;
	AUTO(error) struct error err = ERROR_INIT;
	const struct engine_copy_image req = {.from = inv->argv[0],
					      .to = inv->argv[1],
					      .platform = o->platform,
					      .referrers = o->referrers,
					      .insecure = o->insecure,
					      .progress = &transfer.progress};
	char text[DIGEST_TEXT_SIZE];
	struct digest digest;

	cli_transfer_start(&transfer, inv->program->out, o->quiet);
	if (engine_copy_image(&req, &digest, &err) < 0)
		return cli_fail(inv, &err);
	fprintf(inv->program->out, o->quiet ? "%s\n" : "Digest: %s\n",
		digest_text(&digest, text));
	return 0;
}

const struct command cmd_image_copy = {
	.path = "image copy",
	.summary = "Copy an image from place to place, without the store",
	.usage = "[OPTIONS] SOURCE TARGET",
	COMMAND_OPTIONS(options, copy_options),
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
