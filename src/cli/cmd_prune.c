/* SPDX-License-Identifier: Apache-2.0 */
/* image prune, container prune, system prune. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_upkeep.h"
#include "cli/cmd_volume.h"

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

struct prune_options {
	bool all, force, volumes;
	struct strlist filters;
};

#define PRUNE(letter, name, kind, field, help, ...) \
	OPTION(letter, name, kind, prune_options, field, help, ##__VA_ARGS__)

#define SURE "Are you sure you want to continue?"

/* What one command asks for, read and checked. */
struct asked {
	struct cli_prune_filters filters;
	struct engine_prune how;
};

static int read_options(const struct cli_invocation *inv, struct asked *out, int *out_status)
{
	const struct prune_options *o = inv->options;
	AUTO(error) struct error err = ERROR_INIT;

	*out = (struct asked){0};
	*out_status = cli_check_filters(inv, "--filter", &o->filters);
	if (*out_status)
		return -1;
	if (cli_prune_filters_parse(&o->filters, &out->filters, &err) < 0) {
		*out_status = cli_fail(inv, &err);
		return -1;
	}
	out->how = (struct engine_prune){.all = o->all,
					 .before_ns = out->filters.before_ns,
					 .labels = &out->filters.labels,
					 .not_labels = &out->filters.not_labels};
	return 0;
}

static void print_total(const struct cli_invocation *inv, uint64_t bytes)
{
	AUTO(free) char *size = cli_size4(bytes);

	fprintf(inv->program->out, "Total reclaimed space: %s\n", size);
}

/* ---- images ---- */

static const struct option_def image_options[] = {
	PRUNE('a', "all", BOOL, all, "Remove all unused images, not just dangling ones"),
	PRUNE(0, "filter", LIST, filters, "Provide filter values (e.g. \"until=<timestamp>\")",
	      .type = "filter"),
	PRUNE('f', "force", BOOL, force, "Do not prompt for confirmation"),
};

static int prune_images(const struct cli_invocation *inv, struct engine *e,
			const struct engine_prune *how, uint64_t *bytes, struct error *err)
{
	AUTO(image_removed) struct image_removed removed = {0};
	char text[DIGEST_TEXT_SIZE];
	FILE *to = inv->program->out;
	bool busy = false;
	int r = engine_image_prune(e, how, &removed, bytes, &busy, err);

	if (removed.untagged.n + removed.deleted.n)
		fprintf(to, "Deleted Images:\n");
	for (size_t i = 0; i < removed.untagged.n; i++)
		fprintf(to, "untagged: %s\n", removed.untagged.items[i]);
	for (size_t i = 0; i < removed.deleted.n; i++)
		fprintf(to, "deleted: %s\n", digest_text(&removed.deleted.items[i], text));
	if (removed.untagged.n + removed.deleted.n)
		fprintf(to, "\n");
	cli_note_busy(inv, r == 0 && busy);
	return r;
}

static int run_image(struct cli_invocation *inv)
{
	const struct prune_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct asked asked;
	uint64_t bytes;
	int status = 0;

	if (read_options(inv, &asked, &status) < 0)
		goto out;
	if (!o->force &&
	    !cli_confirm(inv, o->all ? "WARNING! This will remove all images without at least "
				       "one container associated to them.\n" SURE
				     : "WARNING! This will remove all dangling images.\n" SURE))
		goto out;
	status = CLI_EXIT_ERROR;
	if (!cli_open_engine(inv, &e))
		goto out;
	if (prune_images(inv, e, &asked.how, &bytes, &err) < 0) {
		status = cli_fail(inv, &err);
		goto out;
	}
	print_total(inv, bytes);
	status = 0;
out:
	cli_prune_filters_clear(&asked.filters);
	return status;
}

const struct command cmd_image_prune = {
	.path = "image prune",
	.summary = "Remove unused images",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(image_options, prune_options),
	.max_args = 0,
	.run = run_image,
};

/* ---- containers ---- */

static const struct option_def container_options[] = {
	PRUNE(0, "filter", LIST, filters, "Provide filter values (e.g. \"until=<timestamp>\")",
	      .type = "filter"),
	PRUNE('f', "force", BOOL, force, "Do not prompt for confirmation"),
};

static int prune_containers(const struct cli_invocation *inv, struct engine *e,
			    const struct engine_prune *how, uint64_t *bytes, struct error *err)
{
	AUTO(strlist) struct strlist ids = STRLIST_INIT;
	FILE *to = inv->program->out;
	int r = engine_container_prune(e, how, &ids, bytes, err);

	if (ids.n)
		fprintf(to, "Deleted Containers:\n");
	for (size_t i = 0; i < ids.n; i++)
		fprintf(to, "%s\n", ids.items[i]);
	if (ids.n)
		fprintf(to, "\n");
	return r;
}

static int run_container(struct cli_invocation *inv)
{
	const struct prune_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct asked asked;
	uint64_t bytes;
	int status = 0;

	if (read_options(inv, &asked, &status) < 0)
		goto out;
	if (!o->force &&
	    !cli_confirm(inv, "WARNING! This will remove all stopped containers.\n" SURE))
		goto out;
	status = CLI_EXIT_ERROR;
	if (!cli_open_engine(inv, &e))
		goto out;
	if (prune_containers(inv, e, &asked.how, &bytes, &err) < 0) {
		status = cli_fail(inv, &err);
		goto out;
	}
	print_total(inv, bytes);
	status = 0;
out:
	cli_prune_filters_clear(&asked.filters);
	return status;
}

const struct command cmd_container_prune = {
	.path = "container prune",
	.summary = "Remove all stopped containers",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(container_options, prune_options),
	.max_args = 0,
	.run = run_container,
};

/* ---- everything ---- */

static const struct option_def system_options[] = {
	PRUNE('a', "all", BOOL, all, "Remove all unused images not just dangling ones"),
	PRUNE(0, "filter", LIST, filters,
	      "Provide filter values (e.g. \"label=<key>=<value>\")", .type = "filter"),
	PRUNE('f', "force", BOOL, force, "Do not prompt for confirmation"),
	PRUNE(0, "volumes", BOOL, volumes, "Prune anonymous volumes"),
};

static bool confirm_system(const struct cli_invocation *inv)
{
	const struct prune_options *o = inv->options;
	AUTO(strlist) struct strlist filters = STRLIST_INIT;
	AUTO(buf) struct buf text = BUF_INIT;

	buf_addstr(&text, "WARNING! This will remove:\n"
			  "  - all stopped containers\n"
			  "  - all networks not used by at least one container\n");
	if (o->volumes)
		buf_addstr(&text,
			   "  - all anonymous volumes not used by at least one container\n");
	buf_printf(&text, "  - %s\n  - %s\n",
		   o->all ? "all images without at least one container associated to them"
			  : "all dangling images",
		   o->all ? "all build cache" : "unused build cache");
	strlist_addall(&filters, &o->filters);
	strlist_sort(&filters);
	if (filters.n)
		buf_addstr(&text, "\n  Items to be pruned will be filtered with:\n");
	for (size_t i = 0; i < filters.n; i++)
		buf_printf(&text, "  - %s\n", filters.items[i]);
	buf_addstr(&text, "\n" SURE);
	return cli_confirm(inv, buf_str(&text));
}

static int prune_cache(const struct cli_invocation *inv, struct engine *e,
		       const struct engine_prune *how, uint64_t *bytes, struct error *err)
{
	struct engine_cache_prune cache = {.all = how->all, .before_ns = how->before_ns};
	struct engine_cache_pruned pruned = {0};
	char id[CLI_ENTRY_ID_SIZE];
	FILE *to = inv->program->out;
	int r = engine_builder_prune(e, &cache, &pruned, err);

	if (pruned.entries.n)
		fprintf(to, "Deleted build cache objects:\n");
	for (size_t i = 0; i < pruned.entries.n; i++)
		fprintf(to, "%s\n", cli_entry_id(&pruned.entries.items[i], id));
	if (pruned.entries.n)
		fprintf(to, "\n");
	cli_note_busy(inv, r == 0 && pruned.busy);
	*bytes = pruned.bytes;
	engine_cache_pruned_clear(&pruned);
	return r;
}

/* Labels say nothing about the build cache: with such a filter it stays. */
static int prune_all(const struct cli_invocation *inv, struct engine *e,
		     const struct engine_prune *how, struct error *err)
{
	const struct prune_options *o = inv->options;
	/* -a is about images: named volumes go with `volume prune -a` alone */
	const struct engine_prune anonymous = {.labels = how->labels,
					       .not_labels = how->not_labels};
	uint64_t containers = 0, volumes = 0, images = 0, cache = 0;
	int r = prune_containers(inv, e, how, &containers, err);

	if (r == 0 && o->volumes)
		r = cli_prune_volumes(inv, e, &anonymous, &volumes, err);
	if (r == 0)
		r = cli_prune_networks(inv, e, how, err);
	if (r == 0)
		r = prune_images(inv, e, how, &images, err);
	if (r == 0 && !how->labels->n && !how->not_labels->n)
		r = prune_cache(inv, e, how, &cache, err);
	if (r == 0)
		print_total(inv, containers + volumes + images + cache);
	return r;
}

static int run_system(struct cli_invocation *inv)
{
	const struct prune_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct asked asked;
	int status = 0;

	if (read_options(inv, &asked, &status) < 0)
		goto out;
	if (o->volumes && asked.filters.has_until) {
		error_set(&err, ERR_INVALID,
			  "The \"until\" filter is not supported with \"--volumes\"");
		status = cli_fail(inv, &err);
		goto out;
	}
	if (!o->force && !confirm_system(inv))
		goto out;
	if (!cli_open_engine(inv, &e))
		status = CLI_EXIT_ERROR;
	else if (prune_all(inv, e, &asked.how, &err) < 0)
		status = cli_fail(inv, &err);
out:
	cli_prune_filters_clear(&asked.filters);
	return status;
}

const struct command cmd_system_prune = {
	.path = "system prune",
	.summary = "Remove unused data",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(system_options, prune_options),
	.max_args = 0,
	.run = run_system,
};
