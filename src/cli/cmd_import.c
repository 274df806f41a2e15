/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_command.h"
#include "cli/cli_filebar.h"

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
	AUTO(cli_filebar) struct cli_filebar bar = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(fd) int file = -1;
	int r;
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
	/* a URL, or what will be an error, has no such file */
	if (!str_eq(req.source, "-") && !strstr(req.source, "://"))
		file = open(req.source, O_RDONLY | O_CLOEXEC);
	if (file >= 0) {
		req.source = "-";
		req.input = file;
	}
	cli_filebar_start(&bar, req.input, NULL, true, false);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = engine_import(e, &req, &id, &err);
	cli_filebar_stop(&bar);
	if (r < 0)
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
