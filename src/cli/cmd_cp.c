/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

struct cp_options {
	bool archive, follow, quiet;
};

static const struct option_def options[] = {
	OPTION('a', "archive", BOOL, cp_options, archive,
	       "Archive mode (copy all uid/gid information)"),
	OPTION('L', "follow-link", BOOL, cp_options, follow,
	       "Always follow symbol link in SRC_PATH"),
	OPTION('q', "quiet", BOOL, cp_options, quiet,
	       "Suppress progress output during copy. Progress output is automatically "
	       "suppressed "
	       "if no terminal is attached"),
};

/* "CONTAINER:PATH"; a path that is absolute or begins with "." is this machine's. */
static char *container_of(const char *text, const char **path)
{
	const size_t len = strcspn(text, ":");

	*path = text;
	if (*text == '/' || *text == '.' || !text[len] || !len)
		return NULL;
	*path = text + len + 1;
	return mem_strndup(text, len);
}

static int check(const char *from, const char *to, struct error *err)
{
	if (from && to)
		return error_set(err, ERR_INVALID,
				 "copying between containers is not supported");
	if (!from && !to)
		return error_set(err, ERR_INVALID,
				 "must specify at least one container source");
	return 0;
}

static int run(struct cli_invocation *inv)
{
	const struct cp_options *o = inv->options;
	const char *source, *target;
	AUTO(free) char *from = container_of(inv->argv[0], &source);
	AUTO(free) char *to = container_of(inv->argv[1], &target);
	struct engine_copy req = {.container = to ? to : from,
				  .path = to ? target : source,
				  .host_path = to ? source : target,
				  .to_container = to != NULL,
				  .archive = o->archive,
				  .follow = o->follow,
				  .in = STDIN_FILENO,
				  .out = STDOUT_FILENO};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf size = BUF_INIT;
	uint64_t bytes;

	if (check(from, to, &err) < 0)
		return cli_fail(inv, &err);
	if (!*req.path || !*req.host_path) {
		error_set(&err, ERR_INVALID, "source and destination can not be empty");
		return cli_fail(inv, &err);
	}
	if (!to && str_eq(req.host_path, "-") && isatty(STDOUT_FILENO)) {
		error_set(&err, ERR_INVALID, "refusing to write the archive to a terminal");
		return cli_fail(inv, &err);
	}
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_copy(e, &req, &bytes, &err) < 0)
		return cli_fail(inv, &err);
	if (o->quiet || !isatty(STDERR_FILENO) || str_eq(req.host_path, "-"))
		return 0;
	format_size(bytes, &size);
	fprintf(inv->program->err, "Successfully copied %s to %s\n", buf_str(&size),
		inv->argv[1]);
	return 0;
}

const struct command cmd_cp = {
	.path = "container cp",
	.aliases = "cp",
	.summary = "Copy files/folders between a container and the local filesystem",
	.usage = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n"
		 "[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
	COMMAND_OPTIONS(options, cp_options),
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
