/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "cli/cli_command.h"

#include "base/banned.h"

struct import_options {
	struct strlist changes;
	char *message;
	char *platform;
};

static const struct option_def options[] = {
	OPTION('c', "change", LIST, import_options, changes,
	       "Apply Dockerfile instruction to the created image"),
	OPTION('m', "message", STRING, import_options, message,
	       "Set commit message for imported image"),
	OPTION(0, "platform", STRING, import_options, platform,
	       "Set the platform of the image"),
};

static int run(struct cli_invocation *inv)
{
	const struct import_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	char text[DIGEST_TEXT_SIZE];
	struct digest id;
	struct engine_import req = {
		.source = inv->argv[0],
		.input = STDIN_FILENO,
		.name = inv->argc > 1 ? inv->argv[1] : NULL,
		.message = o->message,
		.changes = o->changes,
		.platform = o->platform,
	};

	if (req.name) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;

		/* before anything is read */
		if (reference_parse(req.name, &ref, &err) < 0)
			return cli_fail(inv, &err);
	}
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_import(e, &req, &id, &err) < 0)
		return cli_fail(inv, &err);
	fprintf(inv->program->out, "%s\n", digest_text(&id, text));
	return 0;
}

const struct command cmd_import = {
	.path = "image import",
	.aliases = "import",
	.summary = "Import the contents from a tarball to create a filesystem image",
	.usage = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
	COMMAND_OPTIONS(options, import_options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
