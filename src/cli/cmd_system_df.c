/* SPDX-License-Identifier: Apache-2.0 */
/* system df: what the file system has allocated for what is kept. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_table.h"
#include "cli/cli_upkeep.h"
#include "cli/cmd_ps.h"
#include "cli/cmd_volume.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

struct df_options {
	char *format;
	bool verbose;
};

static const struct option_def options[] = {
	OPTION(0, "format", STRING, df_options, format, cli_help_list_format),
	OPTION('v', "verbose", BOOL, df_options, verbose,
	       "Show detailed information on space usage"),
};

/* All that is asked of the engine, once. */
struct df {
	struct store_usage usage;
	struct store_image_list images;
	struct store_container_list containers;
	struct store_entry_list entries;
};

static int load(struct engine *e, struct df *df, struct error *err)
{
	int r = engine_images(e, &df->images, err);

	if (r == 0)
		r = engine_containers(e, &df->containers, err);
	if (r == 0)
		r = engine_builder_entries(e, &df->entries, err);
	return r < 0 ? r : engine_usage(e, &df->usage, err);
}

static void clear(struct df *df)
{
	store_usage_clear(&df->usage);
	store_image_list_clear(&df->images);
	store_container_list_clear(&df->containers);
	store_entry_list_clear(&df->entries);
}

static uint64_t cache_bytes(const struct store_usage *u)
{
	return u->cache_layers + u->cache_mounts + u->cache_files;
}

/* ---- the summary ---- */

static const struct cli_column columns[] = {
	{"Type", "TYPE"}, {"TotalCount", "TOTAL"},	  {"Active", "ACTIVE"},
	{"Size", "SIZE"}, {"Reclaimable", "RECLAIMABLE"},
};

static const struct cli_table_def table = {
	.type = "*formatter.diskUsageContext",
	.fallback =
		"table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

static void set_size(json_t *row, const char *field, uint64_t bytes)
{
	AUTO(free) char *size = cli_size4(bytes);

	cli_row_string(row, field, size);
}

static void set_count(json_t *row, const char *field, uint64_t n)
{
	AUTO(free) char *text = mem_printf("%llu", (unsigned long long)n);

	cli_row_string(row, field, text);
}

static json_t *summary_row(const char *type, uint64_t total, uint64_t active, uint64_t size,
			   uint64_t reclaimable, bool percent)
{
	AUTO(free) char *free_text = cli_size4(reclaimable);
	AUTO(free) char *text = NULL;
	json_t *row = json_object();

	text = percent && size ? mem_printf("%s (%llu%%)", free_text,
					    (unsigned long long)(reclaimable * 100 / size))
			       : mem_strdup(free_text);
	set_count(row, "Active", active);
	cli_row_string(row, "Reclaimable", text);
	set_size(row, "Size", size);
	set_count(row, "TotalCount", total);
	cli_row_string(row, "Type", type);
	return row;
}

static int print_summary(const struct cli_invocation *inv, const struct df *df,
			 struct error *err)
{
	const struct df_options *o = inv->options;
	const struct store_usage *u = &df->usage;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	uint64_t running = 0, busy = 0, held = 0;
	int r = cli_table_new(&table, o->format, false, &t, err);

	for (size_t i = 0; i < df->containers.n; i++)
		running += str_eq(df->containers.items[i].state, "running");
	for (size_t i = 0; i < df->entries.n; i++)
		busy += df->entries.items[i].busy;
	for (size_t i = 0; i < u->volumes.n; i++)
		held += u->volumes.items[i].containers.n > 0;
	if (r == 0)
		r = cli_table_add(t,
				  summary_row("Images", u->images.n, u->images_active,
					      u->image_bytes, u->image_bytes_idle, true),
				  err);
	if (r == 0)
		r = cli_table_add(t,
				  summary_row("Containers", df->containers.n, running,
					      u->container_bytes, u->container_bytes_idle,
					      true),
				  err);
	if (r == 0)
		r = cli_table_add(t,
				  summary_row("Local Volumes", u->volumes.n, held,
					      u->volume_bytes, u->volume_bytes_idle, true),
				  err);
	if (r == 0)
		r = cli_table_add(t,
				  summary_row("Build Cache", df->entries.n, busy,
					      cache_bytes(u), cache_bytes(u) - u->cache_busy,
					      false),
				  err);
	if (r < 0)
		return r;
	cli_table_text(t, &text);
	cli_print(inv, &text);
	return 0;
}

/* ---- in detail: the rows ---- */

static const struct store_image_usage *usage_of(const struct store_usage *u,
						const struct digest *id)
{
	for (size_t i = 0; i < u->images.n; i++)
		if (digest_eq(&u->images.items[i].id, id))
			return &u->images.items[i];
	return NULL;
}

static json_t *image_row(const struct store_image *i, const struct store_image_usage *usage,
			 const char *name)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf familiar = BUF_INIT;
	AUTO(free) char *since = cli_time_ago(i->created_ns, clock_now_ns());
	AUTO(free) char *at = cli_time_text(i->created_ns);
	char id[DIGEST_TEXT_SIZE];
	json_t *row = json_object();

	if (name && reference_parse(name, &ref, NULL) == 0)
		reference_familiar_name(&ref, &familiar);
	set_count(row, "Containers", usage->containers);
	cli_row_string(row, "CreatedAt", at);
	cli_row_string(row, "CreatedSince", since);
	cli_row_string(row, "ID", digest_text(&i->id, id));
	cli_row_string(row, "Repository", familiar.len ? buf_str(&familiar) : "<none>");
	set_size(row, "SharedSize", usage->disk - usage->unique);
	set_size(row, "Size", usage->disk);
	cli_row_string(row, "Tag", ref.tag ? ref.tag : "<none>");
	set_size(row, "UniqueSize", usage->unique);
	return row;
}

static json_t *image_rows(const struct df *df)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < df->images.n; i++) {
		const struct store_image *image = &df->images.items[i];
		const struct store_image_usage *usage = usage_of(&df->usage, &image->id);

		if (!usage) /* removed in the meantime */
			continue;
		for (size_t n = 0; n < image->names.n || n == 0; n++)
			json_array_append_new(
				rows, image_row(image, usage,
						image->names.n ? image->names.items[n] : NULL));
	}
	return rows;
}

static json_t *volume_rows(struct engine *e, const struct df *df)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < df->usage.volumes.n; i++) {
		const struct store_volume *v = &df->usage.volumes.items[i];
		json_t *row = cli_volume_row(e, v);

		set_count(row, "Links", v->containers.n);
		set_size(row, "Size", v->disk);
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *container_rows(struct engine *e, const struct df *df)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < df->containers.n; i++) {
		const struct store_container *c = &df->containers.items[i];
		AUTO(json) json_t *document = engine_inspect_container(e, c);
		json_t *row = cli_container_row(c, document, true);
		uint64_t bytes = 0;

		for (size_t k = 0; k < df->usage.containers.n; k++)
			if (str_eq(df->usage.containers.items[k].id, c->id))
				bytes = df->usage.containers.items[k].disk;
		set_size(row, "Size", bytes);
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *cache_rows(const struct df *df)
{
	json_t *rows = json_array();
	int64_t now = clock_now_ns();

	for (size_t i = 0; i < df->entries.n; i++) {
		const struct store_entry *e = &df->entries.items[i];
		json_t *row = cli_entry_document(e);
		AUTO(free) char *since = cli_time_ago(e->created_ns, now);

		cli_row_string(row, "CacheType", cli_entry_type(e));
		cli_row_string(row, "CreatedSince", since);
		json_array_append_new(rows, row);
	}
	return rows;
}

/* Every allocated byte, in one row each: the sum is what du(1) says. */
static json_t *store_rows(const struct store_usage *u)
{
	const struct {
		const char *what;
		uint64_t bytes;
	} parts[] = {
		{"images", u->image_bytes},
		{"containers", u->container_bytes},
		{"build cache: layers", u->cache_layers},
		{"build cache: mounts", u->cache_mounts},
		{"build cache: sources, indexes", u->cache_files},
		{"leftovers and work", u->leftovers},
		{"history of builds", u->history},
		{"database", u->database},
		{"directories", u->other},
	};
	json_t *rows = json_array();
	uint64_t total = 0;

	for (size_t i = 0; i <= ARRAY_SIZE(parts); i++) {
		bool last = i == ARRAY_SIZE(parts);
		json_t *row = json_object();

		cli_row_string(row, "What", last ? "total" : parts[i].what);
		set_size(row, "Size", last ? total : parts[i].bytes);
		json_object_set_new(row, "SizeBytes",
				    json_integer((json_int_t)(last ? total : parts[i].bytes)));
		total += last ? 0 : parts[i].bytes;
		json_array_append_new(rows, row);
	}
	return rows;
}

/* ---- in detail: as text ---- */

static const char *cell(const json_t *row, const char *field)
{
	const char *text = json_string_value(json_object_get(row, field));

	return text ? text : "";
}

/* Ids are shortened here: the document has them whole. */
static void add_cell(struct buf *out, const json_t *row, const char *field)
{
	const char *text = cell(row, field);
	AUTO(free) char *short_id = NULL;

	if (str_eq(field, "ID")) {
		short_id = cli_short_id(text);
		text = short_id;
	} else if (str_eq(field, "Shared")) {
		text = json_is_true(json_object_get(row, field)) ? "true" : "false";
	}
	buf_addstr(out, text);
}

static void add_section(const char *title, const json_t *rows, const struct cli_column *cols,
			size_t ncols, struct buf *out)
{
	AUTO(buf) struct buf text = BUF_INIT;
	const json_t *row;
	size_t i;

	for (size_t c = 0; c < ncols; c++)
		buf_printf(&text, "%s%s", c ? "\t" : "", cols[c].header);
	buf_addch(&text, '\n');
	json_array_foreach (rows, i, row) {
		for (size_t c = 0; c < ncols; c++) {
			buf_addstr(&text, c ? "\t" : "");
			add_cell(&text, row, cols[c].field);
		}
		buf_addch(&text, '\n');
	}
	buf_printf(out, "%s\n\n", title);
	cli_align(buf_str(&text), out);
	buf_addch(out, '\n');
}

static void add_details(const json_t *document, uint64_t cache, struct buf *out)
{
	static const struct cli_column images[] = {
		{"Repository", "REPOSITORY"},
		{"Tag", "TAG"},
		{"ID", "IMAGE ID"},
		{"CreatedSince", "CREATED"},
		{"Size", "SIZE"},
		{"SharedSize", "SHARED SIZE"},
		{"UniqueSize", "UNIQUE SIZE"},
		{"Containers", "CONTAINERS"},
	};
	static const struct cli_column containers[] = {
		{"ID", "CONTAINER ID"}, {"Image", "IMAGE"},
		{"Command", "COMMAND"}, {"LocalVolumes", "LOCAL VOLUMES"},
		{"Size", "SIZE"},	{"RunningFor", "CREATED"},
		{"Status", "STATUS"},	{"Names", "NAMES"},
	};
	static const struct cli_column volumes[] = {
		{"Name", "VOLUME NAME"}, {"Links", "LINKS"}, {"Size", "SIZE"}};
	static const struct cli_column entries[] = {
		{"ID", "CACHE ID"},	     {"CacheType", "CACHE TYPE"}, {"Size", "SIZE"},
		{"CreatedSince", "CREATED"}, {"LastUsedAt", "LAST USED"}, {"Shared", "SHARED"},
	};
	static const struct cli_column store[] = {{"What", "WHAT"}, {"Size", "SIZE"}};
	AUTO(free) char *size = cli_size4(cache);
	AUTO(free) char *title = mem_printf("Build cache usage: %s", size);

	add_section("Images space usage:", json_object_get(document, "Images"), images,
		    ARRAY_SIZE(images), out);
	add_section("Containers space usage:", json_object_get(document, "Containers"),
		    containers, ARRAY_SIZE(containers), out);
	add_section("Local Volumes space usage:", json_object_get(document, "Volumes"), volumes,
		    ARRAY_SIZE(volumes), out);
	add_section(title, json_object_get(document, "BuildCache"), entries,
		    ARRAY_SIZE(entries), out);
	add_section("Store space usage:", json_object_get(document, "Store"), store,
		    ARRAY_SIZE(store), out);
	out->len--; /* no empty line at the end */
}

static int print_details(const struct cli_invocation *inv, struct engine *e,
			 const struct df *df)
{
	const struct df_options *o = inv->options;
	AUTO(json) json_t *document = json_object();
	AUTO(buf) struct buf text = BUF_INIT;

	json_object_set_new(document, "Images", image_rows(df));
	json_object_set_new(document, "Containers", container_rows(e, df));
	json_object_set_new(document, "Volumes", volume_rows(e, df));
	json_object_set_new(document, "BuildCache", cache_rows(df));
	json_object_set_new(document, "Store", store_rows(&df->usage));
	if (!str_empty(o->format) && !str_eq(o->format, "table"))
		return cli_print_format(inv, o->format, document);
	add_details(document, cache_bytes(&df->usage), &text);
	cli_print(inv, &text);
	return 0;
}

static int run(struct cli_invocation *inv)
{
	const struct df_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct df df = {0};
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (load(e, &df, &err) < 0)
		status = cli_fail(inv, &err);
	else if (o->verbose)
		status = print_details(inv, e, &df);
	else if (print_summary(inv, &df, &err) < 0)
		status = cli_fail(inv, &err);
	clear(&df);
	return status;
}

const struct command cmd_system_df = {
	.path = "system df",
	.summary = "Show disk usage",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, df_options),
	.max_args = 0,
	.run = run,
};
