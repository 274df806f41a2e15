/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_ps.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli_command.h"
#include "cli/cli_ports.h"
#include "cli/cli_table.h"
#include "cli/cli_upkeep.h"
#include "cli/cmd_ps_filter.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define COMMAND_WIDTH 20

struct ps_options {
	bool all;
	struct strlist filters;
	char *format;
	int64_t last;
	bool latest;
	bool no_trunc;
	bool quiet;
	bool size;
};

static const struct option_def options[] = {
	OPTION('a', "all", BOOL, ps_options, all,
	       "Show all containers (default shows just running)"),
	OPTION('f', "filter", LIST, ps_options, filters,
	       "Filter output based on conditions provided: id, name, status, ancestor, label, "
	       "exited, health, before, since, volume, network, publish, expose",
	       .type = "filter"),
	OPTION(0, "format", STRING, ps_options, format, cli_help_list_format),
	OPTION('n', "last", INT, ps_options, last,
	       "Show n last created containers (includes all states)", .fallback = "-1"),
	OPTION('l', "latest", BOOL, ps_options, latest,
	       "Show the latest created container (includes all states)"),
	OPTION(0, "no-trunc", BOOL, ps_options, no_trunc, "Don't truncate output"),
	OPTION('q', "quiet", BOOL, ps_options, quiet, "Only display container IDs"),
	OPTION('s', "size", BOOL, ps_options, size, "Display total file sizes"),
};

static const struct cli_column columns[] = {
	{"ID", "CONTAINER ID"},
	{"Image", "IMAGE"},
	{"Command", "COMMAND"},
	{"CreatedAt", "CREATED AT"},
	{"RunningFor", "CREATED"},
	{"Ports", "PORTS"},
	{"State", "STATE"},
	{"Status", "STATUS"},
	{"Size", "SIZE"},
	{"Names", "NAMES"},
	{"Labels", "LABELS"},
	{"Mounts", "MOUNTS"},
	{"LocalVolumes", "LOCAL VOLUMES"},
	{"Networks", "NETWORKS"},
	{"Platform", "PLATFORM"},
};

/* --format raw */
#define RAW                                                                 \
	"container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\n" \
	"created_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\n"         \
	"status: {{- pad .Status 1 0}}\nnames: {{.Names}}\n"                \
	"labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n"

#define PLAIN                                                                     \
	"table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t" \
	"{{.Ports}}\t{{.Names}}"

static const struct cli_table_def table = {
	.type = "*formatter.ContainerContext",
	.fallback = PLAIN,
	.quiet = "{{.ID}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

static const struct cli_table_def table_with_size = {
	.type = "*formatter.ContainerContext",
	.fallback = PLAIN "\t{{.Size}}",
	.quiet = "{{.ID}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

/* The words of the command as one could type them: those with blanks in quotes. */
static char *command_of(const json_t *document, bool no_trunc)
{
	const char *path = json_string_value(json_object_get(document, "Path"));
	const json_t *args = json_object_get(document, "Args");
	AUTO(buf) struct buf words = BUF_INIT;
	AUTO(free) char *cut = NULL;
	struct buf out = BUF_INIT;

	buf_addstr(&words, path ? path : "");
	for (size_t i = 0; i < json_array_size(args); i++) {
		const char *word = json_string_value(json_array_get(args, i));
		const char *quote = word && (strchr(word, ' ') || !*word) ? "'" : "";

		buf_printf(&words, " %s%s%s", quote, word ? word : "", quote);
	}
	cut = cli_truncate(buf_str(&words), COMMAND_WIDTH);
	json_quote(no_trunc ? buf_str(&words) : cut, false, &out);
	return buf_steal(&out);
}

static const json_t *labels_of(const json_t *document)
{
	return json_object_get(json_object_get(document, "Config"), "Labels");
}

static char *labels_text(const json_t *document)
{
	AUTO(strlist) struct strlist list = STRLIST_INIT;
	const json_t *value;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)labels_of(document), key, value)
		strlist_printf(&list, "%s=%s", key, json_string_value(value));
	strlist_sort(&list);
	return strlist_join(&list, ",");
}

static const char *health_of(const json_t *document)
{
	const json_t *state = json_object_get(document, "State");

	return json_string_value(json_object_get(json_object_get(state, "Health"), "Status"));
}

static json_t *networks_of(const json_t *document)
{
	return json_object_get(json_object_get(document, "NetworkSettings"), "Networks");
}

static char *networks_text(const json_t *document)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	const char *name;
	json_t *one;

	json_object_foreach (networks_of(document), name, one)
		strlist_add(&names, name);
	strlist_sort(&names);
	return strlist_join(&names, ",");
}

static char *status_of(const struct store_container *c, const json_t *document, int64_t now)
{
	AUTO(buf) struct buf span = BUF_INIT;

	if (str_eq(c->state, "running") || str_eq(c->state, "paused")) {
		const char *health = health_of(document);

		clock_format_span(now - c->started_ns, &span);
		if (str_eq(c->state, "paused"))
			return mem_printf("Up %s (Paused)", buf_str(&span));
		if (!health)
			return mem_printf("Up %s", buf_str(&span));
		return mem_printf("Up %s (%s%s)", buf_str(&span),
				  str_eq(health, "starting") ? "health: " : "", health);
	}
	if (str_eq(c->state, "exited") || str_eq(c->state, "restarting")) {
		clock_format_span(now - c->finished_ns, &span);
		return mem_printf("%s (%lld) %s ago",
				  str_eq(c->state, "exited") ? "Exited" : "Restarting",
				  (long long)c->exit_code, buf_str(&span));
	}
	return mem_strdup("Created");
}

/* Names of volumes and sources of binds. */
static void set_mounts(json_t *row, const json_t *mounts, bool no_trunc)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	AUTO(free) char *text = NULL;
	AUTO(free) char *count = NULL;
	unsigned volumes = 0;
	const json_t *m;
	size_t i;

	json_array_foreach (mounts, i, m) {
		const char *name = json_string_value(json_object_get(m, "Name"));

		volumes += name != NULL;
		if (!name)
			name = json_string_value(json_object_get(m, "Source"));
		strlist_take(&names, no_trunc ? mem_strdup(name) : cli_truncate(name, 15));
	}
	text = strlist_join(&names, ",");
	count = mem_printf("%u", volumes);
	cli_row_string(row, "LocalVolumes", count);
	cli_row_string(row, "Mounts", text);
}

/* What the default table shows; the rest is there for formats that ask for it. */
static json_t *row_of(const struct store_container *c, const json_t *document, bool no_trunc,
		      bool outline)
{
	int64_t now = clock_now_ns();
	AUTO(free) char *id = no_trunc ? mem_strdup(c->id) : cli_short_id(c->id);
	AUTO(free) char *command = command_of(document, no_trunc);
	AUTO(free) char *status = status_of(c, document, now);
	AUTO(free) char *since = cli_time_ago(c->created_ns, now);
	AUTO(free) char *at = outline ? NULL : cli_time_text(c->created_ns);
	AUTO(free) char *labels = outline ? NULL : labels_text(document);
	AUTO(free) char *ports = cli_ports_text(document);
	AUTO(free) char *networks = outline ? NULL : networks_text(document);
	json_t *row = json_object();

	cli_row_string(row, "Command", command);
	if (!outline)
		cli_row_string(row, "CreatedAt", at);
	cli_row_string(row, "ID", id);
	cli_row_string(row, "Image", c->image_name);
	if (!outline) {
		cli_row_string(row, "Labels", labels);
		set_mounts(row, json_object_get(document, "Mounts"), no_trunc);
	}
	cli_row_string(row, "Names", c->name);
	if (!outline) {
		cli_row_string(row, "Networks", networks);
		json_object_set_new(row, "Platform", json_null());
	}
	cli_row_string(row, "Ports", ports);
	cli_row_string(row, "RunningFor", since);
	cli_row_string(row, "Size", "0B");
	if (!outline)
		cli_row_string(row, "State", c->state);
	cli_row_string(row, "Status", status);
	return row;
}

json_t *cli_container_row(const struct store_container *c, const json_t *document,
			  bool no_trunc)
{
	return row_of(c, document, no_trunc, false);
}

/* A filter by state shows those that do not run, too. */
static bool shows_all(const struct ps_options *o, const struct ps_filters *filters)
{
	return filters->all || o->all || o->latest || o->last > 0;
}

static int add_size(struct engine *e, const struct store_container *c, json_t *row,
		    struct error *err)
{
	AUTO(buf) struct buf own = BUF_INIT, whole = BUF_INIT;
	AUTO(free) char *text = NULL;
	uint64_t rw = 0, root = 0;
	int r = engine_container_size(e, c, &rw, &root, err);

	format_size(rw, &own);
	format_size(root, &whole);
	text = mem_printf("%s (virtual %s)", buf_str(&own), buf_str(&whole));
	cli_row_string(row, "Size", text);
	return r;
}

static int fill(struct engine *e, struct cli_table *t, const struct ps_options *o,
		const struct ps_filters *filters, bool size, struct error *err)
{
	AUTO(store_container_list) struct store_container_list list = {0};
	int64_t left = o->latest ? 1 : o->last > 0 ? o->last : INT64_MAX;
	const bool plain = str_empty(o->format) && !o->filters.n;
	int r = engine_containers(e, &list, err);

	for (size_t i = 0; r == 0 && i < list.n && left > 0; i++) {
		const struct store_container *c = &list.items[i];
		AUTO(json) json_t *document = NULL;
		json_t *row;

		if (!shows_all(o, filters) &&
		    (str_eq(c->state, "created") || str_eq(c->state, "exited")))
			continue;
		document =
			plain ? engine_outline_container(e, c) : engine_inspect_container(e, c);
		if (!ps_filters_match(filters, c, document))
			continue;
		row = row_of(c, document, o->no_trunc, plain);
		r = size ? add_size(e, c, row, err) : 0;
		if (r == 0)
			r = cli_table_add(t, row, err);
		else
			json_decref(row);
		left--;
	}
	return r;
}

static bool asks_for_size(const char *format)
{
	return format && (strstr(format, ".Size") || strstr(format, "json ."));
}

/* What -q leaves of --format. */
static const char *format_of(const struct cli_invocation *inv)
{
	const struct ps_options *o = inv->options;

	if (str_eq(o->format, "raw"))
		return o->quiet	 ? "container_id: {{.ID}}"
		       : o->size ? RAW "size: {{.Size}}\n"
				 : RAW;
	if (!o->quiet || str_empty(o->format))
		return o->format;
	fprintf(inv->program->err, "WARNING: Ignoring custom format, because both --format and "
				   "--quiet are set.\n");
	return NULL;
}

/* ps reads its template before it asks for anything, and has words of its own for that. */
static int fail(const struct cli_invocation *inv, struct error *err)
{
	static const char usual[] = "template parsing error: ";

	if (!str_starts(err->message, usual))
		return cli_fail(inv, err);
	fprintf(inv->program->err, "%s: failed to %s template: %s\n", inv->program->name,
		strstr(err->message, "executing") ? "execute" : "parse",
		err->message + strlen(usual));
	return CLI_EXIT_ERROR;
}

/* As Docker's: a field that is not there is an error even if there is no container. */
static int try_template(const struct cli_table *t, const char *format, struct error *err)
{
	static char none[] = "";
	static const struct store_container nothing = {
		.id = none, .name = none, .image_name = none, .state = none};
	AUTO(json) json_t *document = json_object();

	return str_empty(format)
		       ? 0
		       : cli_table_try(t, cli_container_row(&nothing, document, true), err);
}

static int run(struct cli_invocation *inv)
{
	const struct ps_options *o = inv->options;
	AUTO(ps_filters) struct ps_filters filters = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	int bad = cli_check_filters(inv, "-f, --filter", &o->filters);
	const char *format = format_of(inv);
	bool size;

	if (bad)
		return bad;
	if (cli_table_new(o->size ? &table_with_size : &table, format, o->quiet, &t, &err) <
		    0 ||
	    try_template(t, format, &err) < 0)
		return fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	/* dear to find out: for those who ask, which "json" does not */
	size = cli_given(inv, &o->size) ? o->size : asks_for_size(format);
	if (ps_filters_parse(e, &o->filters, &filters, &err) < 0 ||
	    fill(e, t, o, &filters, size, &err) < 0)
		return fail(inv, &err);
	cli_table_text(t, &text);
	cli_print(inv, &text);
	return 0;
}

const struct command cmd_ps = {
	.path = "container ls",
	.aliases = "container list, container ps, ps",
	.summary = "List containers",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, ps_options),
	.max_args = 0,
	.run = run,
};
