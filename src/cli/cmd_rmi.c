/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"

#include "base/banned.h"

struct rmi_options {
	bool force;
	bool no_prune;
	struct strlist platforms;
};

static const struct option_def options[] = {
	OPTION('f', "force", BOOL, rmi_options, force, "Force removal of the image"),
	OPTION(0, "no-prune", BOOL, rmi_options, no_prune, "Do not delete untagged parents"),
	OPTION(0, "platform", STRINGS, rmi_options, platforms,
	       "Remove only the given platform variant. Formatted as \"os[/arch[/variant]]\" "
	       "(e.g., \"linux/amd64\")"),
};

static void print_removed(const struct cli_invocation *inv, const struct image_removed *r)
{
	char text[DIGEST_TEXT_SIZE];

	for (size_t i = 0; i < r->untagged.n; i++)
		fprintf(inv->program->out, "Untagged: %s\n", r->untagged.items[i]);
	for (size_t i = 0; i < r->deleted.n; i++)
		fprintf(inv->program->out, "Deleted: %s\n",
			digest_text(&r->deleted.items[i], text));
}

/* An image here is for one platform: it goes if that is the one which is meant. */
static int check_platforms(struct engine *e, const char *name, const struct strlist *platforms,
			   struct error *err)
{
	AUTO(image) struct image i = {0};
	int r = platforms->n ? engine_image(e, name, &i, err) : 0;

	for (size_t k = 0; r == 0 && k < platforms->n; k++)
		r = engine_check_platform(&i, name, platforms->items[k], err);
	return r;
}

/* All of them are tried. With -f what is not there is told and is no failure. */
static int run(struct cli_invocation *inv)
{
	const struct rmi_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(image_removed) struct image_removed removed = {0};
		AUTO(error) struct error err = ERROR_INIT;
		int r = check_platforms(e, inv->argv[i], &o->platforms, &err);

		if (r == 0)
			r = engine_rmi(e, inv->argv[i], o->force, &removed, &err);
		print_removed(inv, &removed);
		if (r == 0)
			continue;
		cli_fail(inv, &err);
		if (!o->force || r != -ERR_NOT_FOUND)
			status = CLI_EXIT_ERROR;
	}
	return status;
}

const struct command cmd_rmi = {
	.path = "image rm",
	.aliases = "image remove, rmi",
	.summary = "Remove one or more images",
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	COMMAND_OPTIONS(options, rmi_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run,
};
