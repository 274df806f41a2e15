/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cli/cli_upkeep.h"

#include "base/banned.h"

struct prune_options {
	bool all, force, verbose;
	struct strlist filters;
	int64_t keep, max_used, min_free, reserved;
};

#define PRUNE(letter, name, kind, field, help, ...) \
	OPTION(letter, name, kind, prune_options, field, help, ##__VA_ARGS__)

static const struct option_def options[] = {
	PRUNE('a', "all", BOOL, all, "Include what images use too, and internal files"),
	PRUNE(0, "filter", LIST, filters,
	      "Provide filter values (e.g., \"until=24h\", \"description~=RUN\")",
	      .type = "filter"),
	PRUNE('f', "force", BOOL, force, "Do not prompt for confirmation"),
	PRUNE(0, "keep-storage", BYTES, keep, "The former name of --reserved-space",
	      .hidden = true),
	PRUNE(0, "max-used-space", BYTES, max_used,
	      "Maximum amount of disk space allowed to keep for cache"),
	PRUNE(0, "min-free-space", BYTES, min_free,
	      "Target amount of free disk space after pruning"),
	PRUNE(0, "reserved-space", BYTES, reserved,
	      "Amount of disk space always allowed to keep for cache"),
	PRUNE(0, "verbose", BOOL, verbose, "Provide a more verbose output"),
};

static uint64_t size_of(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

static void report(const struct cli_invocation *inv, const struct engine_cache_pruned *pruned)
{
	const struct prune_options *o = inv->options;
	AUTO(free) char *size = cli_size4(pruned->bytes);
	AUTO(buf) struct buf text = BUF_INIT;

	if (o->verbose)
		cli_entry_blocks(&pruned->entries, &text);
	else
		cli_entry_table(&pruned->entries, &text);
	buf_printf(&text, "Total:\t%s\n", size);
	cli_print(inv, &text);
	cli_note_busy(inv, pruned->busy);
}

static bool confirm(const struct cli_invocation *inv)
{
	const struct prune_options *o = inv->options;

	return o->force || cli_confirm(inv, o->all ? "WARNING! This will remove all build "
						     "cache. Are you sure you want to continue?"
						   : "WARNING! This will remove all dangling "
						     "build cache. Are you sure you want to "
						     "continue?");
}

static int run(struct cli_invocation *inv)
{
	const struct prune_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(cli_entry_filters) struct cli_entry_filters filters = {0};
	struct engine_cache_prune how = {.all = o->all,
					 .max_used = size_of(o->max_used),
					 .min_free = size_of(o->min_free),
					 .reserved = size_of(o->reserved)};
	struct engine_cache_pruned pruned = {0};
	int status = cli_check_filters(inv, "--filter", &o->filters);

	if (status)
		return status;
	if (cli_given(inv, &o->keep)) {
		fprintf(inv->program->err,
			"Flag --keep-storage has been deprecated, keep-storage flag has been "
			"changed to reserved-space\n");
		if (!cli_given(inv, &o->reserved))
			how.reserved = size_of(o->keep);
	}
	if (cli_entry_filters_parse(&o->filters, &filters, &err) < 0)
		return cli_fail(inv, &err);
	how.before_ns = filters.before_ns;
	if (filters.n) {
		how.wanted = cli_entry_wanted;
		how.data = &filters;
	}
	if (!confirm(inv))
		return 0;
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_builder_prune(e, &how, &pruned, &err) < 0)
		status = cli_fail(inv, &err);
	else
		report(inv, &pruned);
	engine_cache_pruned_clear(&pruned);
	return status;
}

const struct command cmd_builder_prune = {
	.path = "builder prune",
	.aliases = "buildx prune",
	.summary = "Remove build cache",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, prune_options),
	.max_args = 0,
	.run = run,
};
