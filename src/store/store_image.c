/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/store_db.h"

#include "base/banned.h"

static int insert_image(struct store *s, const struct store_image *image,
			const struct digest_list *diff_ids, struct error *err)
{
	int r = db_exec(s, err,
			"INSERT INTO image(id, manifest, created, added, size)"
			" VALUES (?, ?, ?, ?, ?)",
			"ddiii", &image->id, &image->manifest, image->created_ns,
			clock_now_ns(), (int64_t)image->size);

	for (size_t i = 0; r == 0 && i < diff_ids->n; i++)
		r = db_exec(
			s, err,
			"INSERT INTO image_layer(image, position, diff_id) VALUES (?, ?, ?)",
			"did", &image->id, (int64_t)i, &diff_ids->items[i]);
	return r;
}

int store_image_add(struct store *s, const struct store_image *image,
		    const struct digest_list *diff_ids, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = store_begin(s, true, err);

	if (r < 0)
		return r;
	r = db_prepare(s, &stmt, err, "SELECT 1 FROM image WHERE id = ?", "d", &image->id);
	if (r == 0 && (r = db_step(s, stmt, err)) == 0)
		r = insert_image(s, image, diff_ids, err);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	db_reset(stmt);
	return store_commit(s, err);
}

static int read_names(struct store *s, const struct digest *id, struct strlist *out,
		      struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT name FROM name WHERE image = ? ORDER BY name",
			   "d", id);

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		strlist_take(out, db_text(stmt, 0));
	return r;
}

static void read_image(struct stmt *stmt, struct store_image *out)
{
	db_digest(stmt, 0, &out->id);
	db_digest(stmt, 1, &out->manifest);
	out->created_ns = db_i64(stmt, 2);
	out->added_ns = db_i64(stmt, 3);
	out->size = (uint64_t)db_i64(stmt, 4);
}

#define IMAGE_COLUMNS "id, manifest, created, added, size "

int store_image_get(struct store *s, const struct digest *id, struct store_image *out,
		    struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	char text[DIGEST_TEXT_SIZE];
	int r = db_prepare(s, &stmt, err, "SELECT " IMAGE_COLUMNS "FROM image WHERE id = ?",
			   "d", id);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "No such image: %s",
				 digest_text(id, text));
	*out = (struct store_image){0};
	read_image(stmt, out);
	return read_names(s, id, &out->names, err);
}

int store_name_find(struct store *s, const char *name, struct digest *out_id, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT image FROM name WHERE name = ?", "t", name);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0 || !db_digest(stmt, 0, out_id))
		return error_set(err, ERR_NOT_FOUND, "No such image: %s", name);
	return 0;
}

int store_image_prefix(struct store *s, const char *hex_prefix, size_t max,
		       struct digest_list *out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	/* 'g' follows 'f': every id that begins with the prefix lies between */
	AUTO(free) char *end = mem_printf("%sg", hex_prefix);
	int r = db_prepare(s, &stmt, err,
			   "SELECT id FROM image WHERE id >= ? AND id < ? LIMIT ?", "tti",
			   hex_prefix, end, (int64_t)max);

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		db_digest(stmt, 0, vec_push(out));
	return r;
}

int store_name_set(struct store *s, const char *name, const struct digest *id,
		   bool *out_changed, struct error *err)
{
	struct digest old;
	int r = store_name_find(s, name, &old, NULL);
	bool same = r == 0 && digest_eq(&old, id);

	if (out_changed)
		*out_changed = !same;
	if (same)
		return 0;
	if ((r = store_begin(s, true, err)) < 0)
		return r;
	r = db_exec(s, err, "INSERT OR REPLACE INTO name(name, image) VALUES (?, ?)", "td",
		    name, id);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

int store_name_remove(struct store *s, const char *name, struct error *err)
{
	return db_exec(s, err, "DELETE FROM name WHERE name = ?", "t", name);
}

int store_image_set_manifest(struct store *s, const struct digest *id,
			     const struct digest *manifest, struct error *err)
{
	return db_exec(s, err, "UPDATE image SET manifest = ? WHERE id = ?", "dd", manifest,
		       id);
}

int store_image_remove(struct store *s, const struct digest *id, struct error *err)
{
	return db_exec(s, err, "DELETE FROM image WHERE id = ?", "d", id);
}

static void index_images(const struct store_image_list *list, struct map *out)
{
	char hex[DIGEST_HEX_SIZE];

	for (size_t i = 0; i < list->n; i++)
		map_set(out, digest_hex(&list->items[i].id, hex), &list->items[i]);
}

/* All of them at once: most stores have few, many none. */
static int add_digests(struct store *s, struct store_image_list *list, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	AUTO(map) struct map images = MAP_INIT;
	int r = db_prepare(s, &stmt, err, "SELECT image, name FROM repo_digest ORDER BY name",
			   "");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		AUTO(free) char *id = db_text(stmt, 0);
		struct store_image *image;

		if (!images.n)
			index_images(list, &images);
		if ((image = map_get(&images, id)))
			strlist_take(&image->digests, db_text(stmt, 1));
	}
	return r;
}

/* One pass over names and images together, however many there are. */
int store_image_list(struct store *s, struct store_image_list *out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	struct store_image *last = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT " IMAGE_COLUMNS ", name.name FROM image"
			   " LEFT JOIN name ON name.image = image.id"
			   " ORDER BY created DESC, added DESC, id, name",
			   "");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		struct digest id = {0};
		char *name;

		db_digest(stmt, 0, &id);
		if (!last || !digest_eq(&last->id, &id)) {
			last = vec_push(out);
			read_image(stmt, last);
		}
		if ((name = db_text(stmt, 5)))
			strlist_take(&last->names, name);
	}
	return r < 0 ? r : add_digests(s, out, err);
}

void store_image_clear(struct store_image *image)
{
	strlist_clear(&image->names);
	strlist_clear(&image->digests);
}

void store_image_list_clear(struct store_image_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		store_image_clear(&l->items[i]);
	free(l->items);
	*l = (struct store_image_list){0};
}
