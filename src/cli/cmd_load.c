/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli_command.h"
#include "cli/cli_filebar.h"

#include "base/mem.h"

#include "base/banned.h"

struct load_options {
	char *input;
	char *platform;
	bool quiet;
};

static const struct option_def options[] = {
	OPTION('i', "input", STRING, load_options, input,
	       "Read from tar archive file, instead of STDIN", .type = "file"),
	OPTION(0, "platform", STRING, load_options, platform,
	       "Load only the given platform variant. Formatted as "
	       "\"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"),
	OPTION('q', "quiet", BOOL, load_options, quiet, "Suppress the load output"),
};

static void print_item(const struct cli_invocation *inv, const struct image_loaded_item *i)
{
	FILE *to = inv->program->out;
	char text[DIGEST_TEXT_SIZE];

	for (size_t k = 0; k < i->names.n; k++) {
		long old = strlist_find(&i->renamed, i->names.items[k]);

		if (old >= 0)
			fprintf(to,
				"The image %s already exists, renaming the old one with ID %s "
				"to empty string\n",
				i->names.items[k],
				digest_text(&i->renamed_from.items[old], text));
		fprintf(to, "Loaded image: %s\n", i->names.items[k]);
	}
	if (!i->names.n)
		fprintf(to, "Loaded image ID: %s\n", digest_text(&i->id, text));
}

/* Docker's words; first there was a bar for the archive itself. */
static void watch_layer(void *data, const struct digest *diff_id, int file)
{
	char hex[DIGEST_HEX_SIZE];
	AUTO(free)
	char *label = mem_printf("%.12s: Loading layer  ", digest_hex(diff_id, hex));

	cli_filebar_stop(data);
	cli_filebar_start(data, file, label, true, false);
}

static int run(struct cli_invocation *inv)
{
	const struct load_options *o = inv->options;
	AUTO(image_loaded) struct image_loaded loaded = {0};
	AUTO(cli_filebar) struct cli_filebar bar = {0};
	AUTO(engine) struct engine *e = NULL;
	const struct image_watch watch = {.layer = watch_layer, .data = &bar};
	AUTO(fd) int file = -1;
	int r;
	AUTO(error) struct error err = ERROR_INIT;
	struct engine_load req = {
		.path = str_empty(o->input) ? NULL : o->input,
		.input = STDIN_FILENO,
		.platform = o->platform,
		.watch = o->quiet ? NULL : &watch,
	};

	if (!req.path && isatty(STDIN_FILENO)) {
		error_set(&err, ERR_INVALID, "requested load from stdin, but stdin is empty");
		return cli_fail(inv, &err);
	}
	if (req.path) {
		file = open(req.path, O_RDONLY | O_CLOEXEC);
		if (file < 0) {
			error_sys(&err, "open %s", req.path);
			return cli_fail(inv, &err);
		}
		req.input = file;
	}
	cli_filebar_start(&bar, req.input, NULL, true, o->quiet);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = engine_load(e, &req, &loaded, &err);
	cli_filebar_stop(&bar);
	if (r < 0)
		return cli_fail(inv, &err);
	for (size_t i = 0; i < loaded.n; i++)
		print_item(inv, &loaded.items[i]);
	return 0;
}

const struct command cmd_load = {
	.path = "image load",
	.aliases = "load",
	.summary = "Load an image from a tar archive or STDIN",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, load_options),
	.min_args = 0,
	.max_args = 0,
	.run = run,
};
