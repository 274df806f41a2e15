/* SPDX-License-Identifier: Apache-2.0 */
/* `system df`: each allocated byte of the store under exactly one heading. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_disk.h"

#include "base/banned.h"

static struct store_image_usage *image_item(struct store_usage *u, const struct digest *id)
{
	for (size_t i = 0; i < u->images.n; i++)
		if (digest_eq(&u->images.items[i].id, id))
			return &u->images.items[i];
	return NULL;
}

static int list_images(struct store *s, struct store_usage *u, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT id, (SELECT count(*) FROM container WHERE"
			   " container.image = image.id)"
			   " FROM image ORDER BY created DESC, added DESC, id",
			   "");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		struct store_image_usage *i = vec_push(&u->images);

		db_digest(stmt, 0, &i->id);
		i->containers = (uint64_t)db_i64(stmt, 1);
		u->images_active += i->containers > 0;
	}
	return r;
}

/*
 * One thing that images may keep: the sums of all, of those that only idle
 * images keep, and its share in each image.  @stmt lists its images, column 0.
 */
static int add_to_images(struct store *s, struct store_usage *u, struct stmt *stmt,
			 uint64_t bytes, bool *out_used, struct error *err)
{
	struct store_image_usage *only = NULL;
	bool active = false;
	unsigned n = 0;
	int r;

	while ((r = db_step(s, stmt, err)) == 1) {
		struct store_image_usage *i;
		struct digest id;

		if (!db_digest(stmt, 0, &id) || !(i = image_item(u, &id)))
			continue;
		i->disk += bytes;
		active |= i->containers > 0;
		only = i;
		n++;
	}
	if (n == 1)
		only->unique += bytes;
	if (n)
		u->image_bytes += bytes;
	if (n && !active)
		u->image_bytes_idle += bytes;
	*out_used = n > 0;
	return r;
}

static int count_layer(struct store *s, struct store_usage *u, const struct map *held,
		       struct stmt *layer, struct error *err)
{
	AUTO(stmt) struct stmt *images = NULL;
	AUTO(free) char *diff_id = db_text(layer, 0);
	AUTO(free) char *dir = db_text(layer, 1);
	uint64_t disk = (uint64_t)db_i64(layer, 2);
	bool used;
	int r = db_prepare(s, &images, err,
			   "SELECT DISTINCT image FROM image_layer WHERE diff_id = ?", "t",
			   diff_id);

	if (r < 0 || (r = add_to_images(s, u, images, disk, &used, err)) < 0)
		return r;
	if (used)
		return 0;
	if (!db_i64(layer, 3)) {
		u->leftovers += disk;
		return 0;
	}
	u->cache_layers += disk;
	if (map_has(held, dir))
		u->cache_busy += disk;
	return 0;
}

static int count_layers(struct store *s, struct store_usage *u, struct error *err)
{
	AUTO(map) struct map held = MAP_INIT;
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = store_measure(s, err);

	if (r < 0 || (r = store_leased(s, "layer", &held, err)) < 0 ||
	    (r = db_prepare(s, &stmt, err,
			    "SELECT diff_id, dir, disk, EXISTS (SELECT 1 FROM step"
			    " WHERE step.diff_id = layer.diff_id) FROM layer",
			    "")) < 0)
		return r;
	while ((r = db_step(s, stmt, err)) == 1)
		if ((r = count_layer(s, u, &held, stmt, err)) < 0)
			return r;
	return r;
}

static int count_blobs(struct store *s, struct store_usage *u, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(s->dirs[STORE_BLOBS], &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;
		uint64_t bytes = disk_of_file(s->dirs[STORE_BLOBS], name);
		AUTO(stmt) struct stmt *stmt = NULL;
		bool used;

		r = db_prepare(
			s, &stmt, err,
			"SELECT id FROM image WHERE id = ?1 OR manifest = ?1"
			" UNION SELECT image FROM image_layer JOIN origin USING (diff_id)"
			" WHERE blob = ?1",
			"t", name);
		if (r == 0)
			r = add_to_images(s, u, stmt, bytes, &used, err);
		if (r == 0 && !used)
			u->leftovers += bytes;
	}
	return r;
}

static bool is_running(struct store *s, const char *id)
{
	AUTO(stmt) struct stmt *stmt = NULL;

	return db_prepare(s, &stmt, NULL,
			  "SELECT 1 FROM container WHERE id = ? AND state = 'running'", "t",
			  id) == 0 &&
	       db_step(s, stmt, NULL) == 1;
}

static int count_containers(struct store *s, struct store_usage *u, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(s->dirs[STORE_CONTAINERS], &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct store_container_usage *c = vec_push(&u->containers);

		c->id = mem_strdup(list.items[i].name);
		r = disk_usage(s->dirs[STORE_CONTAINERS], c->id, &c->disk, err);
		u->container_bytes += c->disk;
		if (!is_running(s, c->id))
			u->container_bytes_idle += c->disk;
	}
	return r;
}

static int count_mounts(struct store *s, struct store_usage *u, struct error *err)
{
	AUTO(store_cache_list) struct store_cache_list list = {0};
	int r = store_cache_list(s, false, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		uint64_t bytes;

		r = disk_usage(s->dirs[STORE_CACHE_MOUNTS], list.items[i].dir, &bytes, err);
		u->cache_mounts += bytes;
		if (list.items[i].in_use)
			u->cache_busy += bytes;
	}
	return r;
}

static int count_volumes(struct store *s, struct store_usage *u, struct error *err)
{
	int r = store_volume_list(s, true, &u->volumes, err);

	for (size_t i = 0; r == 0 && i < u->volumes.n; i++) {
		u->volume_bytes += u->volumes.items[i].disk;
		if (!u->volumes.items[i].containers.n)
			u->volume_bytes_idle += u->volumes.items[i].disk;
	}
	return r;
}

/* What lies in layers/ without a row: a command's that is at work, or leftovers. */
static int count_strange_layers(struct store *s, struct store_usage *u, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int dir = s->dirs[STORE_LAYERS], r = dir_list_read(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		AUTO(stmt) struct stmt *stmt = NULL;
		uint64_t bytes;

		r = db_prepare(s, &stmt, err, "SELECT 1 FROM layer WHERE dir = ?", "t",
			       list.items[i].name);
		if (r < 0 || (r = db_step(s, stmt, err)) != 0) {
			r = r < 0 ? r : 0;
			continue;
		}
		r = disk_usage(dir, list.items[i].name, &bytes, err);
		u->leftovers += bytes;
	}
	return r;
}

/* All else that lies in the store, and the directories that hold what was counted above. */
static int count_rest(struct store *s, struct store_usage *u, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int root = s->dirs[STORE_ROOT], r = dir_list_read(root, &list, err);

	u->other = disk_of_file(root, "") + disk_of_file(s->dirs[STORE_LAYERS], "") +
		   disk_of_file(s->dirs[STORE_CONTAINERS], "") +
		   disk_of_file(s->dirs[STORE_BLOBS], "") + disk_of_file(root, "blobs");
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;
		uint64_t bytes;

		if (str_eq(name, "layers") || str_eq(name, "containers") ||
		    str_eq(name, "blobs"))
			continue;
		if ((r = disk_usage(root, name, &bytes, err)) < 0)
			return r;
		if (str_eq(name, "cache")) {
			uint64_t own = disk_of_file(s->dirs[STORE_CACHE], "");

			u->cache_files += bytes > own ? bytes - own : 0;
			u->other += own;
		} else if (str_eq(name, "cachemounts"))
			u->other += bytes > u->cache_mounts ? bytes - u->cache_mounts : 0;
		else if (str_eq(name, "volumes"))
			u->other += bytes > u->volume_bytes ? bytes - u->volume_bytes : 0;
		else if (str_eq(name, "history"))
			u->history += bytes;
		else if (str_starts(name, "stave.db"))
			u->database += bytes;
		else
			u->other += bytes;
	}
	return r;
}

int store_usage(struct store *s, struct store_usage *out, struct error *err)
{
	int r;

	*out = (struct store_usage){0};
	if ((r = list_images(s, out, err)) < 0 || (r = count_layers(s, out, err)) < 0 ||
	    (r = count_blobs(s, out, err)) < 0 || (r = count_containers(s, out, err)) < 0 ||
	    (r = count_mounts(s, out, err)) < 0 || (r = count_volumes(s, out, err)) < 0 ||
	    (r = count_strange_layers(s, out, err)) < 0)
		return r;
	return count_rest(s, out, err);
}

void store_usage_clear(struct store_usage *u)
{
	for (size_t i = 0; i < u->containers.n; i++)
		free(u->containers.items[i].id);
	free(u->containers.items);
	free(u->images.items);
	store_volume_list_clear(&u->volumes);
	*u = (struct store_usage){0};
}
