/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli_command.h"
#include "cli/cli_table.h"

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

#define CREATED_BY_WIDTH 45
#define NS		 1000000000

struct history_options {
	bool human;
	bool no_trunc;
	bool quiet;
	char *format;
	char *platform;
};

static const struct option_def options[] = {
	OPTION(0, "format", STRING, history_options, format, cli_help_list_format),
	OPTION('H', "human", BOOL, history_options, human,
	       "Print sizes and dates in human readable format", .fallback = "true"),
	OPTION(0, "no-trunc", BOOL, history_options, no_trunc, "Don't truncate output"),
	OPTION(0, "platform", STRING, history_options, platform,
	       "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" "
	       "(e.g., \"linux/amd64\")"),
	OPTION('q', "quiet", BOOL, history_options, quiet, "Only show image IDs"),
};

static const struct cli_column columns[] = {
	{"ID", "IMAGE"},
	{"CreatedSince", "CREATED"},
	{"CreatedAt", "CREATED AT"},
	{"CreatedBy", "CREATED BY"},
	{"Size", "SIZE"},
	{"Comment", "COMMENT"},
};

#define TABLE(created)                                                                   \
	{                                                                                \
		.type = "*image.historyContext",                                         \
		.fallback = "table {{.ID}}\t{{." created                                 \
			    "}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",               \
		.quiet = "{{.ID}}", .columns = columns, .ncolumns = ARRAY_SIZE(columns), \
	}

static const struct cli_table_def table = TABLE("CreatedSince");
static const struct cli_table_def table_exact = TABLE("CreatedAt");

/* RFC 3339 in local time, whole seconds; "" if there is none. */
static char *exact_time(const struct image_history_row *row)
{
	time_t seconds = (time_t)(row->created_ns / NS);
	char text[64];
	size_t len;
	struct tm tm;

	if (!row->has_created || !localtime_r(&seconds, &tm))
		return mem_strdup("");
	if (!tm.tm_gmtoff) {
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		return mem_strdup(text);
	}
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &tm);
	return mem_printf("%.*s:%s", (int)len - 2, text, text + len - 2);
}

static void set_id(json_t *j, const struct image_history_row *row, bool no_trunc)
{
	char id[DIGEST_TEXT_SIZE];
	AUTO(free) char *short_id = NULL;

	if (digest_is_zero(&row->id)) {
		cli_row_string(j, "ID", "<missing>");
		return;
	}
	short_id = cli_short_id(digest_text(&row->id, id));
	cli_row_string(j, "ID", no_trunc ? id : short_id);
}

static json_t *make_row(const struct image_history_row *row, const struct history_options *o,
			bool wants_exact)
{
	AUTO(free)
	char *since = cli_time_ago(row->has_created ? row->created_ns : 0, clock_now_ns());
	AUTO(free) char *at = wants_exact ? exact_time(row) : NULL;
	AUTO(free) char *by = mem_strdup(row->created_by);
	AUTO(free) char *bytes = mem_printf("%llu", (unsigned long long)row->size);
	AUTO(free) char *cut = NULL;
	json_t *j = json_object();

	for (char *c = by; *c; c++)
		if (*c == '\t')
			*c = ' ';
	cut = cli_truncate(by, CREATED_BY_WIDTH);
	cli_row_string(j, "Comment", row->comment);
	cli_row_string(j, "CreatedAt", at);
	cli_row_string(j, "CreatedBy", o->no_trunc ? by : cut);
	cli_row_string(j, "CreatedSince", o->human ? since : at);
	set_id(j, row, o->no_trunc);
	if (o->human)
		cli_row_size(j, "Size", row->size);
	else
		cli_row_string(j, "Size", bytes);
	return j;
}

static int print_history(struct cli_invocation *inv, struct engine *e, struct cli_table *t,
			 struct error *err)
{
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	AUTO(buf) struct buf text = BUF_INIT;
	const struct history_options *o = inv->options;
	/* local time is read from a file */
	bool exact = !o->human || cli_table_uses(t, "CreatedAt");
	struct image_history rows = {0};
	int r = engine_image(e, inv->argv[0], &image, err);

	if (r == 0)
		r = engine_check_platform(&image, inv->argv[0], o->platform, err);
	if (r == 0)
		r = engine_history(e, &image, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++)
		r = cli_table_add(t, make_row(&rows.items[i], o, exact), err);
	if (r == 0) {
		cli_table_text(t, &text);
		cli_print(inv, &text);
	}
	free(rows.items);
	return r;
}

static int run(struct cli_invocation *inv)
{
	const struct history_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	if (cli_table_new(o->human ? &table : &table_exact, o->format, o->quiet, &t, &err) < 0)
		return cli_fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (print_history(inv, e, t, &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_history = {
	.path = "image history",
	.aliases = "history",
	.summary = "Show the history of an image",
	.usage = "[OPTIONS] IMAGE",
	COMMAND_OPTIONS(options, history_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
