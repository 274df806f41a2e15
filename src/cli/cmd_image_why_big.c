/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli_big.h"
#include "cli/cli_command.h"
#include "cli/cli_output.h"

#include "base/io.h"
#include "base/json.h"

#include "base/banned.h"

#define ROWS_PLAIN 40u /* when it is no terminal */
#define ROWS_MIN   12u
#define ROWS_OTHER 12u /* summary, prompt */

struct why_big_options {
	uint64_t depth;
	uint64_t top;
	char *format;
	char *html;
};

static const struct option_def options[] = {
	OPTION(0, "depth", UINT, why_big_options, depth,
	       "Levels to show: 1 is layers (default what fits)"),
	OPTION(0, "format", STRING, why_big_options, format,
	       "Print as \"text\" (default) or \"json\""),
	OPTION(0, "html", STRING, why_big_options, html,
	       "Write a page with a map to zoom into, for any browser", .type = "file"),
	OPTION(0, "top", UINT, why_big_options, top,
	       "How many of each layer, package or directory to show (default what fits)"),
};

static void see_terminal(const struct why_big_options *o, struct big_view *view)
{
	struct winsize size;

	*view = (struct big_view){.rows = ROWS_PLAIN, .depth = o->depth, .top = o->top};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	view->columns = size.ws_col;
	if (size.ws_row)
		view->rows = size.ws_row > ROWS_MIN + ROWS_OTHER ? size.ws_row - ROWS_OTHER
								 : ROWS_MIN;
}

static int write_page(const char *path, const struct image_big *b, const struct big_node *tree,
		      struct error *err)
{
	AUTO(cli_output) struct cli_output output = CLI_OUTPUT_INIT;
	AUTO(buf) struct buf page = BUF_INIT;
	int r = cli_output_open(path, &output, err);

	if (r < 0)
		return r;
	big_page(b, tree, &page);
	if (io_write_full(output.fd, page.data, page.len) < 0)
		return error_sys(err, "cannot write %s", path);
	return cli_output_finish(&output, err);
}

static int print(struct cli_invocation *inv, const struct image_big *b, const struct digest *id,
		 struct error *err)
{
	const struct why_big_options *o = inv->options;
	AUTO(big_node) struct big_node *tree = big_tree(b, inv->argv[0]);
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(json) json_t *j = NULL;
	struct big_view view;

	if (o->html)
		return write_page(o->html, b, tree, err);
	if (str_eq(o->format, "json")) {
		j = big_json(b, id);
		json_pretty(j, &text);
		buf_addch(&text, '\n');
	} else {
		see_terminal(o, &view);
		big_text(b, tree, &view, &text);
	}
	cli_print(inv, &text);
	return 0;
}

static int run(struct cli_invocation *inv)
{
	const struct why_big_options *o = inv->options;
	AUTO(image_big) struct image_big big = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct digest id;

	if (o->html && o->format)
		return cli_usage_error(inv, "--html and --format are two forms of the answer");
	if (!str_empty(o->format) && !str_eq(o->format, "json") && !str_eq(o->format, "text")) {
		error_set(&err, ERR_INVALID,
			  "invalid argument \"%s\" for --format: it takes text or json",
			  o->format);
		return cli_fail(inv, &err);
	}
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_why_big(e, inv->argv[0], &big, &id, &err) < 0 ||
	    print(inv, &big, &id, &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_image_why_big = {
	.path = "image why-big",
	.summary = "Show what the bytes of an image are for, and which are wasted",
	.usage = "[OPTIONS] IMAGE",
	COMMAND_OPTIONS(options, why_big_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
