/* SPDX-License-Identifier: Apache-2.0 */
/* image diff and image verify: what no layer tool of Docker's tells. */
#include "cli/cli_command.h"
#include "cli/cli_error.h"

#include "base/json.h"
#include "base/parse.h"

#include "base/banned.h"

struct diff_options {
	bool quiet;
	char *format;
};

static const struct option_def diff_options[] = {
	OPTION(0, "format", STRING, diff_options, format,
	       "Print as \"text\" (default) or \"json\""),
	OPTION('q', "quiet", BOOL, diff_options, quiet,
	       "Print nothing; exit with 1 if the images differ"),
};

static void print_text(FILE *to, const struct image_difference *d)
{
	AUTO(buf) struct buf size = BUF_INIT;

	if (d->kind == '=') {
		fprintf(to, "= %s: %s -> %s\n", d->path, d->old_value, d->value);
		return;
	}
	format_size(d->kind == 'D' ? d->old_bytes : d->bytes, &size);
	fprintf(to, "%c %9s  %s%s%s%s\n", d->kind, buf_str(&size), d->path,
		*d->what ? " (" : "", d->what, *d->what ? ")" : "");
}

static json_t *document(const struct image_difference_list *l)
{
	json_t *files = json_array(), *config = json_object();

	for (size_t i = 0; i < l->n; i++) {
		const struct image_difference *d = &l->items[i];
		char kind[2] = {d->kind};

		if (d->kind == '=')
			json_object_set_new(
				config, d->path,
				json_pack("{s:o,s:o}", "old",
					  json_loads(d->old_value, JSON_DECODE_ANY, NULL),
					  "new", json_loads(d->value, JSON_DECODE_ANY, NULL)));
		else
			json_array_append_new(
				files, json_pack("{s:s,s:o,s:s,s:I,s:I}", "Kind", kind, "Path",
						 json_lossy_string(d->path), "What", d->what,
						 "OldSize", (json_int_t)d->old_bytes, "Size",
						 (json_int_t)d->bytes));
	}
	return json_pack("{s:o,s:o}", "Files", files, "Config", config);
}

static int run_diff(struct cli_invocation *inv)
{
	const struct diff_options *o = inv->options;
	AUTO(image_difference_list) struct image_difference_list list = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(json) json_t *j = NULL;

	if (!str_empty(o->format) && !str_eq(o->format, "json") && !str_eq(o->format, "text")) {
		error_set(&err, ERR_INVALID,
			  "invalid argument \"%s\" for --format: it takes "
			  "text or json",
			  o->format);
		return cli_fail(inv, &err);
	}
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_compare(e, inv->argv[0], inv->argv[1], &list, &err) < 0)
		return cli_fail(inv, &err);
	if (o->quiet)
		return list.n ? CLI_EXIT_ERROR : 0;
	if (str_eq(o->format, "json")) {
		j = document(&list);
		json_pretty(j, &text);
		fprintf(inv->program->out, "%s\n", buf_str(&text));
		return 0;
	}
	for (size_t i = 0; i < list.n; i++)
		print_text(inv->program->out, &list.items[i]);
	return 0;
}

const struct command cmd_image_diff = {
	.path = "image diff",
	.summary = "Show which files and settings differ between two images",
	.usage = "[OPTIONS] IMAGE IMAGE",
	COMMAND_OPTIONS(diff_options, diff_options),
	.min_args = 2,
	.max_args = 2,
	.run = run_diff,
};

static int run_verify(struct cli_invocation *inv)
{
	AUTO(engine) struct engine *e = NULL;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;
		AUTO(buf) struct buf size = BUF_INIT;
		uint64_t bytes = 0;

		if (engine_verify(e, inv->argv[i], &bytes, &err) < 0) {
			status = cli_fail(inv, &err);
			continue;
		}
		format_size(bytes, &size);
		fprintf(inv->program->out, "%s: OK, %s read\n", inv->argv[i], buf_str(&size));
	}
	return status;
}

const struct command cmd_image_verify = {
	.path = "image verify",
	.summary = "Read all of an image and compare it with its digests",
	.usage = "IMAGE [IMAGE...]",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_verify,
};
