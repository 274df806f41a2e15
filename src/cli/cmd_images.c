/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_command.h"
#include "cli/cli_table.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

struct images_options {
	bool all;
	bool digests;
	bool quiet;
	bool no_trunc;
	struct strlist filters;
	char *format;
};

static const struct option_def options[] = {
	OPTION('a', "all", BOOL, images_options, all,
	       "Show all images (default hides intermediate images)"),
	OPTION(0, "digests", BOOL, images_options, digests, "Show digests"),
	OPTION('f', "filter", LIST, images_options, filters,
	       "Filter output based on conditions provided", .type = "filter"),
	OPTION(0, "format", STRING, images_options, format, cli_help_list_format),
	OPTION(0, "no-trunc", BOOL, images_options, no_trunc, "Don't truncate output"),
	OPTION('q', "quiet", BOOL, images_options, quiet, "Only show image IDs"),
};

static const struct cli_column columns[] = {
	{"Repository", "REPOSITORY"},
	{"Tag", "TAG"},
	{"Digest", "DIGEST"},
	{"ID", "IMAGE ID"},
	{"CreatedSince", "CREATED"},
	{"CreatedAt", "CREATED AT"},
	{"Size", "SIZE"},
	{"Containers", "CONTAINERS"},
	{"SharedSize", "SHARED SIZE"},
	{"UniqueSize", "UNIQUE SIZE"},
	{"VirtualSize", "VIRTUAL SIZE"},
};

#define TABLE(digest)                                                                    \
	{                                                                                \
		.type = "*formatter.imageContext",                                       \
		.fallback = "table {{.Repository}}\t{{.Tag}}\t" digest                   \
			    "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",                     \
		.quiet = "{{.ID}}", .columns = columns, .ncolumns = ARRAY_SIZE(columns), \
	}

static const struct cli_table_def table = TABLE("");
static const struct cli_table_def table_digests = TABLE("{{.Digest}}\t");

/* What --filter and the argument ask for. */
struct wanted {
	struct strlist references; /* patterns; any of them */
	struct strlist labels;	   /* KEY or KEY=VALUE; all of them */
	bool has_dangling;
	bool dangling;
	bool has_before;
	int64_t before_ns;
	bool has_since;
	int64_t since_ns;
};

static int created_of(struct engine *e, const char *text, int64_t *out, struct error *err)
{
	AUTO(image) struct image i = {.config = IMAGE_CONFIG_INIT};
	int r = engine_image(e, text, &i, err);

	*out = i.row.created_ns;
	return r;
}

static int add_filter(struct engine *e, const char *text, struct wanted *w, struct error *err)
{
	AUTO(free) char *key = NULL;
	const char *value;
	int r = cli_parse_filter(text, &key, &value, err);

	if (r < 0)
		return r;
	if (str_eq(key, "reference")) {
		strlist_add(&w->references, value);
	} else if (str_eq(key, "label")) {
		strlist_add(&w->labels, value);
	} else if (str_eq(key, "dangling")) {
		w->has_dangling = true;
		if (!parse_bool(value, &w->dangling))
			return error_set(err, ERR_INVALID, "invalid filter 'dangling=[%s]'",
					 value);
	} else if (str_eq(key, "before")) {
		w->has_before = true;
		return created_of(e, value, &w->before_ns, err);
	} else if (str_eq(key, "since")) {
		w->has_since = true;
		return created_of(e, value, &w->since_ns, err);
	} else {
		return error_set(err, ERR_INVALID, "invalid filter '%s'", key);
	}
	return 0;
}

static bool name_matches(const struct wanted *w, const struct reference *ref)
{
	AUTO(buf) struct buf full = BUF_INIT;
	AUTO(buf) struct buf name = BUF_INIT;

	reference_familiar(ref, &full);
	reference_familiar_name(ref, &name);
	for (size_t i = 0; i < w->references.n; i++) {
		const char *pattern = w->references.items[i];

		if (fnmatch(pattern, buf_str(&full), FNM_PATHNAME) == 0 ||
		    fnmatch(pattern, buf_str(&name), FNM_PATHNAME) == 0)
			return true;
	}
	return w->references.n == 0;
}

static bool has_label(const struct map *labels, const char *wanted)
{
	size_t len = strcspn(wanted, "=");
	AUTO(free) char *key = mem_strndup(wanted, len);

	return map_has(labels, key) &&
	       (!wanted[len] || str_eq(map_get(labels, key), wanted + len + 1));
}

/* 1: yes. */
static int labels_match(struct engine *e, const struct wanted *w, const struct store_image *row,
			struct error *err)
{
	AUTO(image) struct image i = {.config = IMAGE_CONFIG_INIT};
	char id[DIGEST_TEXT_SIZE];
	int r;

	if (!w->labels.n)
		return 1;
	if ((r = engine_image(e, digest_text(&row->id, id), &i, err)) < 0)
		return r;
	for (size_t n = 0; n < w->labels.n; n++)
		if (!has_label(&i.config.labels, w->labels.items[n]))
			return 0;
	return 1;
}

static bool row_matches(const struct wanted *w, const struct store_image *row)
{
	return (!w->has_dangling || w->dangling == (row->names.n == 0)) &&
	       (!w->has_before || row->created_ns < w->before_ns) &&
	       (!w->has_since || row->created_ns > w->since_ns);
}

/* Docker's size with four digits, which only this old field has. */
static void set_virtual_size(json_t *row, uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double size = (double)bytes;
	AUTO(free) char *text = NULL;
	size_t unit = 0;

	for (; size >= 1000 && unit + 1 < ARRAY_SIZE(units); unit++)
		size /= 1000;
	text = mem_printf("%.4g%s", size, units[unit]);
	cli_row_string(row, "VirtualSize", text);
}

static json_t *make_row(const struct store_image *i, const struct reference *ref, bool no_trunc)
{
	char id[DIGEST_TEXT_SIZE];
	AUTO(free) char *short_id = cli_short_id(digest_text(&i->id, id));
	AUTO(free) char *since = cli_time_ago(i->created_ns, clock_now_ns());
	AUTO(free) char *at = cli_time_text(i->created_ns);
	AUTO(buf) struct buf name = BUF_INIT;
	json_t *row = json_object();

	if (ref)
		reference_familiar_name(ref, &name);
	cli_row_string(row, "Containers", "N/A");
	cli_row_string(row, "CreatedAt", at);
	cli_row_string(row, "CreatedSince", since);
	cli_row_string(row, "Digest", "<none>");
	cli_row_string(row, "ID", no_trunc ? id : short_id);
	cli_row_string(row, "Repository", ref ? buf_str(&name) : "<none>");
	cli_row_string(row, "SharedSize", "N/A");
	cli_row_size(row, "Size", i->size);
	cli_row_string(row, "Tag", ref && ref->tag ? ref->tag : "<none>");
	cli_row_string(row, "UniqueSize", "N/A");
	set_virtual_size(row, i->size);
	return row;
}

/* One row for each name; an image without any has one too, unless names were asked for. */
static int add_rows(struct cli_table *t, const struct wanted *w, const struct store_image *i,
		    bool no_trunc, struct error *err)
{
	int r = 0;

	if (!i->names.n && !w->references.n)
		return cli_table_add(t, make_row(i, NULL, no_trunc), err);
	for (size_t n = 0; r == 0 && n < i->names.n; n++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;

		if (reference_parse(i->names.items[n], &ref, NULL) == 0 &&
		    name_matches(w, &ref))
			r = cli_table_add(t, make_row(i, &ref, no_trunc), err);
	}
	return r;
}

/* -q names each image once. */
static int add_quiet(struct cli_table *t, const struct wanted *w, const struct store_image *i,
		     bool no_trunc, struct error *err)
{
	for (size_t n = 0; n < i->names.n; n++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;

		if (reference_parse(i->names.items[n], &ref, NULL) == 0 &&
		    name_matches(w, &ref))
			return cli_table_add(t, make_row(i, &ref, no_trunc), err);
	}
	return w->references.n ? 0 : cli_table_add(t, make_row(i, NULL, no_trunc), err);
}

static int fill(struct engine *e, struct cli_table *t, const struct wanted *w,
		const struct images_options *o, struct error *err)
{
	AUTO(store_image_list) struct store_image_list list = {0};
	int r = engine_images(e, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (!row_matches(w, &list.items[i]))
			continue;
		r = labels_match(e, w, &list.items[i], err);
		if (r == 1)
			r = o->quiet && !o->format
				    ? add_quiet(t, w, &list.items[i], o->no_trunc, err)
				    : add_rows(t, w, &list.items[i], o->no_trunc, err);
	}
	return r;
}

static int list_images(struct cli_invocation *inv, struct engine *e, struct cli_table *t,
		       struct error *err)
{
	const struct images_options *o = inv->options;
	AUTO(buf) struct buf text = BUF_INIT;
	struct wanted w = {0};
	int r = 0;

	if (inv->argc)
		strlist_add(&w.references, inv->argv[0]);
	for (size_t i = 0; r == 0 && i < o->filters.n; i++)
		r = add_filter(e, o->filters.items[i], &w, err);
	if (r == 0)
		r = fill(e, t, &w, o, err);
	if (r == 0) {
		cli_table_text(t, &text);
		cli_print(inv, &text);
	}
	strlist_clear(&w.references);
	strlist_clear(&w.labels);
	return r;
}

static int run(struct cli_invocation *inv)
{
	const struct images_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	for (size_t i = 0; i < o->filters.n; i++)
		if (!strchr(o->filters.items[i], '='))
			return cli_usage_error(
				inv,
				"invalid argument \"%s\" for \"-f, --filter\" "
				"flag: bad format of filter (expected name=value)",
				o->filters.items[i]);
	if (cli_table_new(o->digests ? &table_digests : &table, o->format, o->quiet, &t, &err) <
	    0)
		return cli_fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (list_images(inv, e, t, &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_images = {
	.path = "image ls",
	.aliases = "image list, images",
	.summary = "List images",
	.usage = "[OPTIONS] [REPOSITORY[:TAG]]",
	COMMAND_OPTIONS(options, images_options),
	.max_args = 1,
	.run = run,
};
