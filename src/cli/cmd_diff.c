/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"

#include "base/banned.h"

static int run(struct cli_invocation *inv)
{
	AUTO(layer_change_list) struct layer_change_list list = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_diff(e, inv->argv[0], &list, &err) < 0)
		return cli_fail(inv, &err);
	for (size_t i = 0; i < list.n; i++)
		fprintf(inv->program->out, "%c %s\n", list.items[i].kind, list.items[i].path);
	return 0;
}

const struct command cmd_diff = {
	.path = "container diff",
	.aliases = "diff",
	.summary = "Inspect changes to files or directories on a container's filesystem",
	.usage = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
