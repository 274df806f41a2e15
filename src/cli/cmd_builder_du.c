/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cli/cli_template.h"
#include "cli/cli_upkeep.h"

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

struct du_options {
	struct strlist filters;
	char *format;
	bool verbose;
};

static const struct option_def options[] = {
	OPTION(0, "filter", LIST, du_options, filters, "Provide filter values",
	       .type = "filter"),
	OPTION(0, "format", STRING, du_options, format,
	       "Format the output: table, pretty, json, or a Go template"),
	OPTION(0, "verbose", BOOL, du_options, verbose, "Shorthand for \"--format=pretty\""),
};

/* Takes away what the filters do not want. */
static void apply(struct store_entry_list *l, struct cli_entry_filters *filters)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct store_entry *e = &l->items[i];

		if (cli_entry_wanted(filters, e) &&
		    (!filters->before_ns || e->used_ns < filters->before_ns)) {
			struct store_entry keep = *e;

			*e = l->items[n];
			l->items[n++] = keep;
		}
	}
	while (l->n > n) {
		free(l->items[--l->n].title);
		free(l->items[l->n].name);
	}
}

static void add_sum(struct buf *out, const char *title, uint64_t bytes)
{
	AUTO(free) char *size = cli_size4(bytes);

	buf_printf(out, "%s%s\n", title, size);
}

/* Each layer once, however many records give it. */
static void add_sums(const struct store_entry_list *l, struct buf *out)
{
	struct store_entry_list shared = {0}, busy = {0};
	uint64_t kept = store_entry_bytes(l), also_kept;

	for (size_t i = 0; i < l->n; i++) {
		if (l->items[i].shared) {
			*vec_push(&shared) = l->items[i];
			shared.items[shared.n - 1].shared = false;
		} else if (l->items[i].busy) {
			*vec_push(&busy) = l->items[i];
		}
	}
	also_kept = store_entry_bytes(&shared);
	if (also_kept) {
		add_sum(out, "Shared:\t\t", also_kept);
		add_sum(out, "Private:\t", kept);
	}
	add_sum(out, "Reclaimable:\t", kept - store_entry_bytes(&busy));
	add_sum(out, "Total:\t\t", kept + also_kept);
	free(shared.items);
	free(busy.items);
}

static int print_each(const struct cli_invocation *inv, const struct store_entry_list *l,
		      const char *format)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < l->n; i++) {
		AUTO(json) json_t *document = cli_entry_document(&l->items[i]);

		status = cli_print_format(inv, format, document);
	}
	return status;
}

static int print(const struct cli_invocation *inv, const struct store_entry_list *l)
{
	const struct du_options *o = inv->options;
	AUTO(buf) struct buf text = BUF_INIT;
	bool pretty = o->verbose || str_eq(o->format, "pretty");

	if (!str_empty(o->format) && !pretty && !str_eq(o->format, "table"))
		return print_each(inv, l, o->format);
	if (pretty)
		cli_entry_blocks(l, &text);
	else if (l->n)
		cli_entry_table(l, &text);
	else
		buf_addstr(&text, "ID        RECLAIMABLE   SIZE      LAST ACCESSED\n");
	if (!o->filters.n)
		add_sums(l, &text);
	cli_print(inv, &text);
	return 0;
}

static int run(struct cli_invocation *inv)
{
	const struct du_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(cli_entry_filters) struct cli_entry_filters filters = {0};
	AUTO(store_entry_list) struct store_entry_list list = {0};
	int status = cli_check_filters(inv, "--filter", &o->filters);

	if (status)
		return status;
	if (o->verbose && !str_empty(o->format))
		return cli_usage_error(inv, "--format and --verbose cannot be used together");
	if (cli_entry_filters_parse(&o->filters, &filters, &err) < 0)
		return cli_fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_builder_entries(e, &list, &err) < 0)
		return cli_fail(inv, &err);
	apply(&list, &filters);
	return print(inv, &list);
}

const struct command cmd_builder_du = {
	.path = "builder du",
	.aliases = "buildx du",
	.summary = "Disk usage of the build cache",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, du_options),
	.max_args = 0,
	.run = run,
};
