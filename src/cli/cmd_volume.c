/* SPDX-License-Identifier: Apache-2.0 */
/* volume create, ls, rm, prune. */
#include "cli/cmd_volume.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli_table.h"
#include "cli/cli_upkeep.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

/* ---- create ---- */

struct create_options {
	char *driver;
	struct strlist labels, options;
};

static const struct option_def create_options[] = {
	OPTION('d', "driver", STRING, create_options, driver, "Specify volume driver name",
	       .fallback = "local"),
	OPTION(0, "label", LIST, create_options, labels, "Set metadata for a volume"),
	OPTION('o', "opt", LIST, create_options, options, "Set driver specific options",
	       .type = "map"),
};

static void add_pairs(const struct strlist *list, struct map *out)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *text = list->items[i];
		size_t len = strcspn(text, "=");
		AUTO(free) char *key = mem_strndup(text, len);

		map_set(out, key, mem_strdup(text[len] ? text + len + 1 : ""));
	}
}

static int run_create(struct cli_invocation *inv)
{
	const struct create_options *o = inv->options;
	AUTO(map) struct map labels = MAP_INIT_FREE(free);
	AUTO(map) struct map options = MAP_INIT_FREE(free);
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *name = NULL;
	struct engine_volume req = {.name = inv->argc ? inv->argv[0] : NULL,
				    .driver = o->driver,
				    .labels = &labels,
				    .options = &options};

	add_pairs(&o->labels, &labels);
	add_pairs(&o->options, &options);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_volume_create(e, &req, &name, &err) < 0)
		return cli_fail(inv, &err);
	fprintf(inv->program->out, "%s\n", name);
	return 0;
}

const struct command cmd_volume_create = {
	.path = "volume create",
	.summary = "Create a volume",
	.usage = "[OPTIONS] [VOLUME]",
	COMMAND_OPTIONS(create_options, create_options),
	.max_args = 1,
	.run = run_create,
};

/* ---- ls ---- */

struct ls_options {
	struct strlist filters;
	char *format;
	bool quiet;
};

static const struct option_def ls_options[] = {
	OPTION('f', "filter", LIST, ls_options, filters,
	       "Provide filter values (e.g. \"dangling=true\")", .type = "filter"),
	OPTION(0, "format", STRING, ls_options, format, cli_help_list_format),
	OPTION('q', "quiet", BOOL, ls_options, quiet, "Only display volume names"),
};

static const struct cli_column columns[] = {
	{"Availability", "AVAILABILITY"},
	{"Driver", "DRIVER"},
	{"Group", "GROUP"},
	{"Labels", "LABELS"},
	{"Links", "LINKS"},
	{"Mountpoint", "MOUNTPOINT"},
	{"Name", "VOLUME NAME"},
	{"Scope", "SCOPE"},
	{"Size", "SIZE"},
	{"Status", "STATUS"},
};

static const struct cli_table_def table = {
	.type = "*formatter.volumeContext",
	.fallback = "table {{.Driver}}\t{{.Name}}",
	.quiet = "{{.Name}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

static char *labels_text(const struct map *labels)
{
	AUTO(strlist) struct strlist list = STRLIST_INIT;

	map_each (labels, l)
		strlist_printf(&list, "%s=%s", l->key, (const char *)l->value);
	strlist_sort(&list);
	return strlist_join(&list, ",");
}

json_t *cli_volume_row(struct engine *e, const struct store_volume *v)
{
	AUTO(json) json_t *document = engine_inspect_volume(e, v);
	AUTO(free) char *labels = labels_text(&v->labels);
	json_t *row = json_object();

	cli_row_string(row, "Availability", "N/A");
	cli_row_string(row, "Driver", "local");
	cli_row_string(row, "Group", "N/A");
	cli_row_string(row, "Labels", labels);
	cli_row_string(row, "Links", "N/A");
	json_object_set(row, "Mountpoint", json_object_get(document, "Mountpoint"));
	cli_row_string(row, "Name", v->name);
	cli_row_string(row, "Scope", "local");
	cli_row_string(row, "Size", "N/A");
	cli_row_string(row, "Status", "N/A");
	return row;
}

/* Values of one key are alternatives, but for labels; all keys are to be met. */
struct wanted {
	struct strlist names, drivers, labels;
	bool has_dangling, dangling;
};

static int read_filters(const struct strlist *filters, struct wanted *out, struct error *err)
{
	for (size_t i = 0; i < filters->n; i++) {
		AUTO(free) char *key = NULL;
		const char *value;
		int r = cli_parse_filter(filters->items[i], &key, &value, err);

		if (r < 0)
			return r;
		if (str_eq(key, "name"))
			strlist_add(&out->names, value);
		else if (str_eq(key, "driver"))
			strlist_add(&out->drivers, value);
		else if (str_eq(key, "label"))
			strlist_add(&out->labels, value);
		else if (!str_eq(key, "dangling"))
			return error_set(err, ERR_INVALID, "invalid filter '%s'", key);
		else if (!parse_bool(value, &out->dangling))
			return error_set(err, ERR_INVALID, "invalid filter 'dangling=[%s]'",
					 value);
		else
			out->has_dangling = true;
	}
	return 0;
}

static bool is_wanted(const struct store_volume *v, const struct wanted *w)
{
	const struct engine_prune labels = {.labels = &w->labels};
	bool named = !w->names.n;

	for (size_t i = 0; i < w->names.n; i++)
		named |= strstr(v->name, w->names.items[i]) != NULL;
	return named && (!w->drivers.n || strlist_find(&w->drivers, "local") >= 0) &&
	       (!w->has_dangling || w->dangling == !v->containers.n) &&
	       engine_prune_labels(&v->labels, &labels);
}

static int fill(struct engine *e, struct cli_table *t, const struct wanted *w,
		struct error *err)
{
	AUTO(store_volume_list) struct store_volume_list list = {0};
	int r = engine_volumes(e, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (is_wanted(&list.items[i], w))
			r = cli_table_add(t, cli_volume_row(e, &list.items[i]), err);
	return r;
}

static int list(const struct cli_invocation *inv, const struct wanted *w, struct error *err)
{
	const struct ls_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(buf) struct buf text = BUF_INIT;

	if (cli_table_new(&table, o->format, o->quiet, &t, err) < 0)
		return cli_fail(inv, err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (fill(e, t, w, err) < 0)
		return cli_fail(inv, err);
	cli_table_text(t, &text);
	cli_print(inv, &text);
	return 0;
}

static int run_ls(struct cli_invocation *inv)
{
	const struct ls_options *o = inv->options;
	struct wanted w = {.names = STRLIST_INIT};
	AUTO(error) struct error err = ERROR_INIT;
	int status = cli_check_filters(inv, "--filter", &o->filters);

	if (!status)
		status = read_filters(&o->filters, &w, &err) < 0 ? cli_fail(inv, &err)
								 : list(inv, &w, &err);
	strlist_clear(&w.names);
	strlist_clear(&w.drivers);
	strlist_clear(&w.labels);
	return status;
}

const struct command cmd_volume_ls = {
	.path = "volume ls",
	.aliases = "volume list",
	.summary = "List volumes",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(ls_options, ls_options),
	.max_args = 0,
	.run = run_ls,
};

/* ---- rm ---- */

struct rm_options {
	bool force;
};

static const struct option_def rm_options[] = {
	OPTION('f', "force", BOOL, rm_options, force,
	       "Force the removal of one or more volumes"),
};

static int run_rm(struct cli_invocation *inv)
{
	const struct rm_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;

		if (engine_volume_rm(e, inv->argv[i], o->force, &err) < 0)
			status = cli_fail(inv, &err);
		else
			fprintf(inv->program->out, "%s\n", inv->argv[i]);
	}
	return status;
}

const struct command cmd_volume_rm = {
	.path = "volume rm",
	.aliases = "volume remove",
	.summary = "Remove one or more volumes. You cannot remove a volume that is in use by a "
		   "container.",
	.usage = "[OPTIONS] VOLUME [VOLUME...]",
	COMMAND_OPTIONS(rm_options, rm_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_rm,
};

/* ---- prune ---- */

struct prune_options {
	bool all, force;
	struct strlist filters;
};

static const struct option_def prune_options[] = {
	OPTION('a', "all", BOOL, prune_options, all,
	       "Remove all unused volumes, not just anonymous ones"),
	OPTION(0, "filter", LIST, prune_options, filters,
	       "Provide filter values (e.g. \"label=<label>\")", .type = "filter"),
	OPTION('f', "force", BOOL, prune_options, force, "Do not prompt for confirmation"),
};

int cli_prune_volumes(const struct cli_invocation *inv, struct engine *e,
		      const struct engine_prune *how, uint64_t *bytes, struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	FILE *to = inv->program->out;
	int r = engine_volume_prune(e, how, &names, bytes, err);

	if (names.n)
		fprintf(to, "Deleted Volumes:\n");
	for (size_t i = 0; i < names.n; i++)
		fprintf(to, "%s\n", names.items[i]);
	if (names.n)
		fprintf(to, "\n");
	return r;
}

static int read_prune(const struct prune_options *o, struct strlist *labels,
		      struct strlist *not_labels, bool *all, struct error *err)
{
	*all = o->all;
	for (size_t i = 0; i < o->filters.n; i++) {
		AUTO(free) char *key = NULL;
		const char *value;
		int r = cli_parse_filter(o->filters.items[i], &key, &value, err);

		if (r < 0)
			return r;
		if (str_eq(key, "label"))
			strlist_add(labels, value);
		else if (str_eq(key, "label!"))
			strlist_add(not_labels, value);
		else if (!str_eq(key, "all"))
			return error_set(err, ERR_INVALID, "invalid filter '%s'", key);
		else if (!parse_bool(value, all))
			return error_set(err, ERR_INVALID, "invalid filter 'all=[%s]'", value);
	}
	return 0;
}

static int run_prune(struct cli_invocation *inv)
{
	const struct prune_options *o = inv->options;
	AUTO(strlist) struct strlist labels = STRLIST_INIT;
	AUTO(strlist) struct strlist not_labels = STRLIST_INIT;
	struct engine_prune how = {.labels = &labels, .not_labels = &not_labels};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *size = NULL;
	AUTO(free) char *question = NULL;
	int status = cli_check_filters(inv, "--filter", &o->filters);
	uint64_t bytes = 0;

	if (status)
		return status;
	if (read_prune(o, &labels, &not_labels, &how.all, &err) < 0)
		return cli_fail(inv, &err);
	question = mem_printf("WARNING! This will remove %s volumes not used by at least one "
			      "container.\nAre you sure you want to continue?",
			      how.all ? "all local" : "anonymous local");
	if (!o->force && !cli_confirm(inv, question))
		return 0;
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (cli_prune_volumes(inv, e, &how, &bytes, &err) < 0)
		return cli_fail(inv, &err);
	size = cli_size4(bytes);
	fprintf(inv->program->out, "Total reclaimed space: %s\n", size);
	return 0;
}

const struct command cmd_volume_prune = {
	.path = "volume prune",
	.summary = "Remove unused local volumes",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(prune_options, prune_options),
	.max_args = 0,
	.run = run_prune,
};
