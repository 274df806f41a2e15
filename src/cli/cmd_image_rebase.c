/* SPDX-License-Identifier: Apache-2.0 */
/* image flatten and image rebase: other layers without a build. */
#include "cli/cli_command.h"

#include "base/banned.h"

static int print_id(const struct cli_invocation *inv, const struct digest *id)
{
	char text[DIGEST_TEXT_SIZE];

	fprintf(inv->program->out, "%s\n", digest_text(id, text));
	return 0;
}

static int run_flatten(struct cli_invocation *inv)
{
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct digest id;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_flatten(e, inv->argv[0], inv->argc > 1 ? inv->argv[1] : NULL, &id, &err) < 0)
		return cli_fail(inv, &err);
	return print_id(inv, &id);
}

const struct command cmd_image_flatten = {
	.path = "image flatten",
	.summary = "Make an image with one layer of an image with several",
	.usage = "IMAGE [NAME]",
	.min_args = 1,
	.max_args = 2,
	.run = run_flatten,
};

struct rebase_options {
	char *onto;
	char *from;
	struct strlist tags;
	bool force;
};

static const struct option_def options[] = {
	OPTION('f', "force", BOOL, rebase_options, force,
	       "Do it although the result may differ from that of a build"),
	OPTION(0, "from", STRING, rebase_options, from,
	       "The base that the image was built on (default found by its layers)",
	       .type = "image"),
	OPTION(0, "onto", STRING, rebase_options, onto, "The base to put it on",
	       .type = "image"),
	OPTION('t', "tag", LIST, rebase_options, tags, "Name of the new image",
	       .type = "stringArray"),
};

static int run_rebase(struct cli_invocation *inv)
{
	const struct rebase_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct engine_rebase req = {
		.image = inv->argv[0],
		.onto = o->onto,
		.from = o->from,
		.names = o->tags,
		.force = o->force,
	};
	struct digest id;

	if (str_empty(o->onto))
		return cli_usage_error(inv, "--onto is missing: which base is it to be?");
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_rebase(e, &req, &id, &err) < 0)
		return cli_fail(inv, &err);
	return print_id(inv, &id);
}

const struct command cmd_image_rebase = {
	.path = "image rebase",
	.summary = "Put the layers of an image on another base, without a build",
	.usage = "[OPTIONS] IMAGE --onto BASE",
	COMMAND_OPTIONS(options, rebase_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_rebase,
};
