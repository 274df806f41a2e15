/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_command.h"
#include "cli/cli_table.h"
#include "cli/cli_upkeep.h"
#include "cli/cmd_images_remote.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

struct images_options {
	bool all;
	bool digests;
	bool quiet;
	bool no_trunc;
	bool remote;
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
	OPTION(0, "remote", BOOL, images_options, remote,
	       "List the tags that the repository has in its registry"),
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
	{"VirtualSize", "SIZE"},
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

/* The older form of a list, for eyes and grep. */
#define RAW(digest)                                           \
	"repository: {{.Repository}}\ntag: {{.Tag}}\n" digest \
	"image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n"

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

static void wanted_clear(struct wanted *w)
{
	strlist_clear(&w->references);
	strlist_clear(&w->labels);
}

static int created_of(struct engine *e, const char *text, int64_t *out, struct error *err)
{
	AUTO(image) struct image i = {.config = IMAGE_CONFIG_INIT};
	int r = engine_image(e, text, &i, err);

	*out = i.row.created_ns;
	return r;
}

/* Of several the narrowest counts. */
static void want_before(struct wanted *w, int64_t ns)
{
	w->before_ns = w->has_before && w->before_ns < ns ? w->before_ns : ns;
	w->has_before = true;
}

static void want_since(struct wanted *w, int64_t ns)
{
	w->since_ns = w->has_since && w->since_ns > ns ? w->since_ns : ns;
	w->has_since = true;
}

static int add_time_filter(struct engine *e, const char *key, const char *value,
			   struct wanted *w, struct error *err)
{
	int64_t ns = 0;
	int r = 0;

	if (!str_eq(key, "until"))
		r = created_of(e, value, &ns, err);
	else if (!cli_parse_until(value, &ns))
		r = error_set(err, ERR_INVALID,
			      "failed to parse value as time or duration: \"%s\"", value);
	if (r == 0 && str_eq(key, "since"))
		want_since(w, ns);
	else if (r == 0)
		want_before(w, ns);
	return r;
}

static int add_reference(struct wanted *w, const char *pattern, struct error *err)
{
	if (!glob_valid(pattern))
		return error_set(err, ERR_INVALID, "syntax error in pattern");
	strlist_add(&w->references, pattern);
	return 0;
}

static int add_filter(struct engine *e, const char *text, struct wanted *w, struct error *err)
{
	AUTO(free) char *key = NULL;
	const char *value;
	int r = cli_parse_filter(text, &key, &value, err);

	if (r < 0)
		return r;
	if (str_empty(key))
		return error_set(err, ERR_INVALID, "invalid filter");
	if (str_eq(key, "reference")) {
		return add_reference(w, value, err);
	} else if (str_eq(key, "label")) {
		strlist_add(&w->labels, value);
	} else if (str_eq(key, "dangling")) {
		w->has_dangling = true;
		if (!parse_bool(value, &w->dangling))
			return error_set(err, ERR_INVALID, "invalid filter 'dangling=[%s]'",
					 value);
	} else if (str_eq(key, "before") || str_eq(key, "since") || str_eq(key, "until")) {
		return add_time_filter(e, key, value, w, err);
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

		if (glob_match(pattern, buf_str(&full)) || glob_match(pattern, buf_str(&name)))
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

/* Without a time of its own an image is neither before nor after anything. */
static bool row_matches(const struct wanted *w, const struct store_image *row)
{
	return (!w->has_before || (row->created_ns && row->created_ns < w->before_ns)) &&
	       (!w->has_since || row->created_ns > w->since_ns);
}

/* What is listed of one image, and where to. */
struct listing {
	struct cli_table *table;
	const struct wanted *wanted;
	const struct store_image *image;
	int64_t now_ns;
	bool show_digests;
	bool no_trunc;
};

/* What the default table does not show is made up only if it is asked for. */
static void add_created_at(const struct listing *l, json_t *row)
{
	AUTO(free) char *at = NULL;

	if (!cli_table_uses(l->table, "CreatedAt"))
		return;
	at = cli_time_text(l->image->created_ns);
	cli_row_string(row, "CreatedAt", at);
}

static void add_virtual_size(const struct listing *l, json_t *row)
{
	AUTO(free) char *size = NULL;

	if (!cli_table_uses(l->table, "VirtualSize"))
		return;
	size = cli_size4(l->image->size);
	cli_row_string(row, "VirtualSize", size);
}

static json_t *make_row(const struct listing *l, const struct reference *ref,
			const char *digest)
{
	const struct store_image *i = l->image;
	char id[DIGEST_TEXT_SIZE];
	AUTO(free) char *short_id = cli_short_id(digest_text(&i->id, id));
	/* no time is 1970 here, as in Docker */
	AUTO(free) char *since = cli_time_ago(i->created_ns ? i->created_ns : 1, l->now_ns);
	AUTO(buf) struct buf name = BUF_INIT;
	json_t *row = json_object();

	if (ref)
		reference_familiar_name(ref, &name);
	cli_row_string(row, "Containers", "N/A");
	add_created_at(l, row);
	cli_row_string(row, "CreatedSince", since);
	cli_row_string(row, "Digest", digest ? digest : "<none>");
	cli_row_string(row, "ID", l->no_trunc ? id : short_id);
	cli_row_string(row, "Repository", ref ? buf_str(&name) : "<none>");
	cli_row_string(row, "SharedSize", "N/A");
	cli_row_size(row, "Size", i->size);
	cli_row_string(row, "Tag", ref && ref->tag ? ref->tag : "<none>");
	cli_row_string(row, "UniqueSize", "N/A");
	add_virtual_size(l, row);
	return row;
}

static bool same_repository(const struct reference *a, const struct reference *b)
{
	return str_eq(a->domain, b->domain) && str_eq(a->path, b->path);
}

static int add_row(const struct listing *l, const struct reference *ref, const char *digest,
		   struct error *err)
{
	return cli_table_add(l->table, make_row(l, ref, digest), err);
}

/* A row, or one for each digest that the repository has. */
static int add_name(const struct listing *l, const struct reference *ref, struct error *err)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; r == 0 && l->show_digests && i < l->image->digests.n; i++) {
		AUTO(reference) struct reference at = REFERENCE_INIT;
		char text[DIGEST_TEXT_SIZE];

		if (reference_parse(l->image->digests.items[i], &at, NULL) < 0 ||
		    !same_repository(&at, ref))
			continue;
		any = true;
		r = add_row(l, ref, digest_text(&at.digest, text), err);
	}
	return any ? r : add_row(l, ref, NULL, err);
}

static bool has_repository(const struct strlist *names, size_t n, const struct reference *ref)
{
	for (size_t i = 0; i < n; i++) {
		AUTO(reference) struct reference other = REFERENCE_INIT;

		if (reference_parse(names->items[i], &other, NULL) == 0 &&
		    same_repository(&other, ref))
			return true;
	}
	return false;
}

/* Repositories that give the image no tag: one row, or one for each digest. */
static int add_digests(const struct listing *l, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->image->digests.n; i++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		char text[DIGEST_TEXT_SIZE];

		if (reference_parse(l->image->digests.items[i], &ref, NULL) < 0 ||
		    has_repository(&l->image->names, l->image->names.n, &ref) ||
		    (!l->show_digests && has_repository(&l->image->digests, i, &ref)) ||
		    !name_matches(l->wanted, &ref))
			continue;
		r = add_row(l, &ref, digest_text(&ref.digest, text), err);
	}
	return r;
}

/* An image without any name has a row, too, unless names were asked for. */
static int add_rows(const struct listing *l, struct error *err)
{
	const struct strlist *names = &l->image->names;
	int r = 0;

	if (!names->n && !l->image->digests.n)
		return l->wanted->references.n ? 0 : add_row(l, NULL, NULL, err);
	for (size_t n = 0; r == 0 && n < names->n; n++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;

		if (reference_parse(names->items[n], &ref, NULL) == 0 &&
		    name_matches(l->wanted, &ref))
			r = add_name(l, &ref, err);
	}
	return r < 0 ? r : add_digests(l, err);
}

static int add_image(struct engine *e, struct cli_table *t, const struct wanted *w,
		     const struct store_image *image, const struct images_options *o,
		     struct error *err)
{
	const struct listing l = {
		.table = t,
		.wanted = w,
		.image = image,
		.now_ns = clock_now_ns(),
		.show_digests = cli_table_uses(t, "Digest"),
		.no_trunc = o->no_trunc,
	};
	int r;

	if (!row_matches(w, image) ||
	    (w->has_dangling && w->dangling != (!image->names.n && !image->digests.n)))
		return 0;
	r = labels_match(e, w, image, err);
	return r == 1 ? add_rows(&l, err) : r;
}

static int fill(struct engine *e, struct cli_table *t, const struct wanted *w,
		const struct images_options *o, struct error *err)
{
	AUTO(store_image_list) struct store_image_list list = {0};
	int r = engine_images(e, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = add_image(e, t, w, &list.items[i], o, err);
	return r;
}

static int list_images(struct cli_invocation *inv, struct engine *e, struct cli_table *t,
		       struct error *err)
{
	const struct images_options *o = inv->options;
	AUTO(buf) struct buf text = BUF_INIT;
	struct wanted w = {0};
	int r = inv->argc ? add_reference(&w, inv->argv[0], err) : 0;

	for (size_t i = 0; r == 0 && i < o->filters.n; i++)
		r = add_filter(e, o->filters.items[i], &w, err);
	if (r == 0)
		r = fill(e, t, &w, o, err);
	if (r == 0) {
		cli_table_text(t, &text);
		cli_print(inv, &text);
	}
	wanted_clear(&w);
	return r;
}

static const char *format_of(const struct images_options *o)
{
	if (!str_eq(o->format, "raw"))
		return o->format;
	return o->quiet	    ? "image_id: {{.ID}}"
	       : o->digests ? RAW("digest: {{.Digest}}\n")
			    : RAW("");
}

static int run_remote(struct cli_invocation *inv)
{
	const struct images_options *o = inv->options;
	const struct images_remote how = {.repository = inv->argv[0],
					  .format = o->format,
					  .quiet = o->quiet,
					  .digests = o->digests};

	if (!inv->argc)
		return cli_usage_error(inv, "--remote needs the name of a repository");
	if (o->filters.n)
		return cli_usage_error(inv, "--filter cannot be used with --remote");
	return images_remote(inv, &how);
}

static int run(struct cli_invocation *inv)
{
	const struct images_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	int bad;

	if (o->remote)
		return run_remote(inv);
	bad = cli_check_filters(inv, "-f, --filter", &o->filters);
	if (bad)
		return bad;
	if (cli_table_new(o->digests ? &table_digests : &table, format_of(o), o->quiet, &t,
			  &err) < 0)
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
