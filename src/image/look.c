/* SPDX-License-Identifier: Apache-2.0 */
/* `history` and `inspect`. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "image/image.h"

#include "base/banned.h"

int image_history(struct store *s, const struct image *i, struct image_history *out,
		  struct error *err)
{
	const struct image_config *cfg = &i->config;
	size_t layer = cfg->diff_ids.n;

	for (size_t h = cfg->history.n; h-- > 0;) {
		const struct history *from = &cfg->history.items[h];
		struct image_history_row *row = vec_push(out);

		if (out->n == 1)
			row->id = i->row.id;
		row->created_ns = from->created;
		row->has_created = from->has_created;
		row->created_by = from->created_by ? from->created_by : "";
		row->comment = from->comment ? from->comment : "";
		if (!from->empty_layer && layer > 0) {
			struct store_layer found;
			int r = store_layer_find(s, &cfg->diff_ids.items[--layer], &found, err);

			if (r < 0)
				return r;
			row->size = found.content_bytes;
		}
	}
	return 0;
}

static json_t *time_or_empty(int64_t ns, bool has)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (has)
		clock_format(ns, &text);
	return json_string(buf_str(&text));
}

static json_t *familiar_names(const struct strlist *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->n; i++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		AUTO(buf) struct buf familiar = BUF_INIT;

		if (reference_parse(names->items[i], &ref, NULL) < 0)
			continue;
		reference_familiar(&ref, &familiar);
		json_array_append_new(list, json_string(buf_str(&familiar)));
	}
	return list;
}

static void add_names(struct store *s, json_t *j, const struct store_image *row)
{
	AUTO(strlist) struct strlist digests = STRLIST_INIT;

	store_repo_digests(s, &row->id, &digests, NULL);
	json_object_set_new(j, "RepoTags", familiar_names(&row->names));
	json_object_set_new(j, "RepoDigests", familiar_names(&digests));
}

static json_t *root_fs(const struct image_config *cfg)
{
	json_t *layers = json_array(), *fs = json_object();

	for (size_t i = 0; i < cfg->diff_ids.n; i++) {
		char text[DIGEST_TEXT_SIZE];

		json_array_append_new(layers,
				      json_string(digest_text(&cfg->diff_ids.items[i], text)));
	}
	json_object_set_new(fs, "Type", json_string("layers"));
	json_object_set_new(fs, "Layers", layers);
	return fs;
}

static const char *last_comment(const struct image_config *cfg)
{
	const char *comment =
		cfg->history.n ? cfg->history.items[cfg->history.n - 1].comment : NULL;

	return comment ? comment : "";
}

/* Of the config as it came: what nobody here needs, and people look at. */
static char *word_of(const struct image *i, const char *key)
{
	AUTO(json) json_t *doc = NULL;
	char *word = NULL;

	/* most have none; a hundred images should not be read twice for it */
	if (!memmem(i->config_bytes.data, i->config_bytes.len, key, strlen(key)))
		return NULL;
	if (json_parse(i->config_bytes.data, i->config_bytes.len, &doc, NULL) == 0)
		json_get_string(doc, key, &word, NULL);
	return word;
}

json_t *image_inspect(struct store *s, const struct image *i)
{
	const struct image_config *cfg = &i->config;
	AUTO(free) char *version = word_of(i, "docker_version");
	char text[DIGEST_TEXT_SIZE];
	json_t *j = json_object(), *driver = json_object(), *data = json_object(), *meta;

	json_object_set_new(j, "Id", json_string(digest_text(&i->row.id, text)));
	add_names(s, j, &i->row);
	json_object_set_new(j, "Parent", json_string(""));
	json_object_set_new(j, "Comment", json_string(last_comment(cfg)));
	if (cfg->has_created)
		json_object_set_new(j, "Created", time_or_empty(cfg->created, true));
	json_object_set_new(j, "DockerVersion", json_string(version ? version : ""));
	json_object_set_new(j, "Author", json_string(cfg->author ? cfg->author : ""));
	json_object_set_new(
		j, "Architecture",
		json_string(cfg->platform.architecture ? cfg->platform.architecture : ""));
	if (cfg->platform.variant)
		json_object_set_new(j, "Variant", json_string(cfg->platform.variant));
	json_object_set_new(j, "Os", json_string(cfg->platform.os ? cfg->platform.os : ""));
	if (!str_empty(cfg->platform.os_version))
		json_object_set_new(j, "OsVersion", json_string(cfg->platform.os_version));
	json_object_set_new(j, "Size", json_integer((json_int_t)i->row.size));
	json_object_set_new(data, "Store", json_string(store_path(s)));
	json_object_set_new(driver, "Data", data);
	json_object_set_new(driver, "Name", json_string("overlay"));
	json_object_set_new(j, "GraphDriver", driver);
	json_object_set_new(j, "RootFS", root_fs(cfg));
	meta = json_object();
	json_object_set_new(meta, "LastTagTime", time_or_empty(i->row.added_ns, true));
	json_object_set_new(j, "Metadata", meta);
	json_object_set_new(j, "Config", image_config_inspect(cfg));
	return j;
}
