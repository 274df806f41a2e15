/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"

#include "base/banned.h"

struct commit_options {
	char *author;
	struct strlist changes;
	char *message;
	bool pause;
};

static const struct option_def options[] = {
	OPTION('a', "author", STRING, commit_options, author,
	       "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"),
	OPTION('c', "change", LIST, commit_options, changes,
	       "Apply Dockerfile instruction to the created image"),
	OPTION('m', "message", STRING, commit_options, message, "Commit message"),
	OPTION('p', "pause", BOOL, commit_options, pause, "Pause container during commit",
	       .fallback = "true"),
};

static int run(struct cli_invocation *inv)
{
	const struct commit_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct engine_commit req = {
		.container = inv->argv[0],
		.name = inv->argc > 1 ? inv->argv[1] : NULL,
		.message = o->message,
		.author = o->author,
		.changes = o->changes,
		.pause = o->pause,
	};
	char text[DIGEST_TEXT_SIZE];
	struct digest id;

	if (req.name) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;

		/* before anything is read */
		if (reference_parse(req.name, &ref, &err) < 0)
			return cli_fail(inv, &err);
	}
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_commit(e, &req, &id, &err) < 0)
		return cli_fail(inv, &err);
	fprintf(inv->program->out, "%s\n", digest_text(&id, text));
	return 0;
}

const struct command cmd_commit = {
	.path = "container commit",
	.aliases = "commit",
	.summary = "Create a new image from a container's changes",
	.usage = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	COMMAND_OPTIONS(options, commit_options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
