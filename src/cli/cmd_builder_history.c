/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cli/cli_command.h"
#include "cli/cli_table.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define MS 1000000

struct list_options {
	bool quiet;
	char *format;
};

static const struct option_def options[] = {
	OPTION(0, "format", STRING, list_options, format, cli_help_list_format),
	OPTION('q', "quiet", BOOL, list_options, quiet, "Only show build IDs"),
};

static const struct cli_column columns[] = {
	{"ID", "BUILD ID"},
	{"Name", "NAME"},
	{"Status", "STATUS"},
	{"CreatedSince", "CREATED"},
	{"CreatedAt", "CREATED AT"},
	{"Duration", "DURATION"},
	{"Steps", "STEPS"},
	{"Cached", "CACHED"},
	{"Ran", "RAN"},
	{"Dockerfile", "DOCKERFILE"},
	{"Context", "CONTEXT"},
	{"Target", "TARGET"},
};

static const struct cli_table_def table = {
	.type = "*formatter.buildHistoryContext",
	.fallback = "table {{.ID}}\t{{.Name}}\t{{.Status}}\t{{.CreatedSince}}\t{{.Duration}}"
		    "\t{{.Ran}}\t{{.Cached}}\t{{.Context}}",
	.quiet = "{{.ID}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

static void set_number(json_t *row, const char *field, unsigned n)
{
	AUTO(free) char *text = mem_printf("%u", n);

	cli_row_string(row, field, text);
}

static void set_name(json_t *row, const char *name)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf familiar = BUF_INIT;

	if (*name && reference_parse(name, &ref, NULL) == 0)
		reference_familiar(&ref, &familiar);
	cli_row_string(row, "Name", buf_str(&familiar));
}

static json_t *make_row(const struct build_past *p)
{
	AUTO(free) char *since = cli_time_ago(p->started_ns, clock_now_ns());
	AUTO(free) char *at = cli_time_text(p->started_ns);
	AUTO(buf) struct buf duration = BUF_INIT;
	json_t *row = json_object();

	format_duration(p->duration_ns / MS * MS, &duration);
	cli_row_string(row, "ID", p->id);
	set_name(row, p->name);
	cli_row_string(row, "Status", p->status);
	cli_row_string(row, "CreatedSince", since);
	cli_row_string(row, "CreatedAt", at);
	cli_row_string(row, "Duration", buf_str(&duration));
	cli_row_string(row, "Dockerfile", p->dockerfile);
	cli_row_string(row, "Context", p->context);
	cli_row_string(row, "Target", p->target);
	set_number(row, "Steps", p->steps);
	set_number(row, "Cached", p->cached);
	set_number(row, "Ran", p->ran);
	return row;
}

static int run(struct cli_invocation *inv)
{
	const struct list_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(build_past_list) struct build_past_list list = {0};
	int r;

	if (cli_table_new(&table, o->format, o->quiet, &t, &err) < 0)
		return cli_fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = engine_build_history(e, &list, &err);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = cli_table_add(t, make_row(&list.items[i]), &err);
	if (r < 0)
		return cli_fail(inv, &err);
	cli_table_text(t, &text);
	cli_print(inv, &text);
	return 0;
}

const struct command cmd_builder_history = {
	.path = "builder history",
	.aliases = "buildx history ls, buildx history",
	.summary = "List the builds that are remembered",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, list_options),
	.max_args = 0,
	.run = run,
};
