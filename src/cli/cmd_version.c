/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/utsname.h>

#include "cli/cli_command.h"

#include "base/json.h"

#include "base/banned.h"

struct version_options {
	char *format;
};

static const struct option_def options[] = {
	OPTION('f', "format", STRING, version_options, format, cli_help_format),
};

/* Static text and uname(2): no store is looked for. */
static int run(struct cli_invocation *inv)
{
	const struct version_options *o = inv->options;
	AUTO(platform) struct platform host = PLATFORM_INIT;
	AUTO(json) json_t *document = NULL;
	struct utsname kernel;

	platform_host(&host);
	uname(&kernel);
	if (str_empty(o->format)) {
		fprintf(inv->program->out,
			"Client: stave\n"
			" Version:           " STAVE_VERSION "\n"
			" OS/Arch:           %s/%s\n",
			host.os, host.architecture);
		return 0;
	}
	/* what scripts ask of a daemon is answered by the program that does its work */
	document =
		json_pack("{s:{s:s,s:s,s:s,s:s},s:{s:s,s:s,s:s,s:s}}", "Client", "Name",
			  "stave", "Version", STAVE_VERSION, "Os", host.os, "Arch",
			  host.architecture, "Server", "Version", STAVE_VERSION, "Os", host.os,
			  "Arch", host.architecture, "KernelVersion", kernel.release);
	return cli_print_format(inv, o->format, document);
}

const struct command cmd_version = {
	.path = "version",
	.summary = "Show the version of stave",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, version_options),
	.max_args = 0,
	.run = run,
};
