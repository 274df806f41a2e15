/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/cli_command.h"

#include "base/banned.h"

static bool is_id(const char *text)
{
	const char *hex = str_starts(text, "sha256:") ? text + 7 : text;

	return *hex && strspn(hex, "0123456789abcdef") == strlen(hex);
}

static int check_name(const char *text, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	int r = reference_parse(text, &ref, err);

	return r < 0 ? error_wrap(err,
				  "Error parsing reference: \"%s\" is not a valid "
				  "repository/tag",
				  text)
		     : 0;
}

static int run(struct cli_invocation *inv)
{
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	/* an id is no name, and may be a source */
	if ((!is_id(inv->argv[0]) && check_name(inv->argv[0], &err) < 0) ||
	    check_name(inv->argv[1], &err) < 0)
		return cli_fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_tag(e, inv->argv[0], inv->argv[1], &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_tag = {
	.path = "image tag",
	.aliases = "tag",
	.summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
	.usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
