/* SPDX-License-Identifier: Apache-2.0 */
/* `system check`: rows against bytes, in both directions. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_disk.h"
#include "store/store_volume.h"

#include "base/banned.h"

struct check {
	struct store *s;
	bool repair;
	const struct store_problem_sink *sink;
};

static void __attribute__((format(printf, 3, 4)))
problem(struct check *c, bool fixed, const char *fmt, ...)
{
	AUTO(free) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	c->sink->problem(c->sink->data, text, fixed);
}

static int check_database(struct check *c, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	AUTO(stmt) struct stmt *keys = NULL;
	int r = db_prepare(c->s, &stmt, err, "PRAGMA quick_check", "");

	while (r >= 0 && (r = db_step(c->s, stmt, err)) == 1) {
		AUTO(free) char *text = db_text(stmt, 0);

		if (!str_eq(text, "ok"))
			problem(c, false, "database: %s", text ? text : "unreadable");
	}
	if (r < 0 || (r = db_prepare(c->s, &keys, err, "PRAGMA foreign_key_check", "")) < 0)
		return r;
	while ((r = db_step(c->s, keys, err)) == 1) {
		AUTO(free) char *table = db_text(keys, 0);

		problem(c, false, "database: a row of %s refers to nothing", table);
	}
	return r;
}

/* An image without its documents is gone; its layers may still serve others. */
static void check_image_blob(struct check *c, const struct store_image *image,
			     const struct digest *blob, const char *what, bool *damaged)
{
	AUTO(buf) struct buf data = BUF_INIT;
	AUTO(error) struct error why = ERROR_INIT;
	char id[DIGEST_HEX_SIZE], hex[DIGEST_HEX_SIZE];

	if (store_blob_read(c->s, blob, LIMIT_CONFIG_BYTES, &data, &why) == 0)
		return;
	digest_hex(&image->id, id);
	digest_hex(blob, hex);
	problem(c, c->repair, "image %.12s: its %s %.12s is missing or damaged", id, what, hex);
	if (c->repair)
		unlinkat(c->s->dirs[STORE_BLOBS], hex, 0);
	*damaged = true;
}

static int check_images(struct check *c, struct error *err)
{
	AUTO(store_image_list) struct store_image_list list = {0};
	int r = store_image_list(c->s, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		bool damaged = false;

		check_image_blob(c, &list.items[i], &list.items[i].id, "config", &damaged);
		check_image_blob(c, &list.items[i], &list.items[i].manifest, "manifest",
				 &damaged);
		if (damaged && c->repair)
			r = store_image_remove(c->s, &list.items[i].id, err);
	}
	return r;
}

static int check_layer_rows(struct check *c, struct error *err)
{
	struct store_layer_list list = {0};
	int r = store_layer_all(c->s, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		char hex[DIGEST_HEX_SIZE];
		AUTO(fd) int fd = -1;

		if (store_layer_open(c->s, list.items[i].dir, &fd, NULL) == 0)
			continue;
		problem(c, c->repair, "layer %.12s: its directory is gone",
			digest_hex(&list.items[i].diff_id, hex));
		if (c->repair)
			r = store_layer_drop(c->s, &list.items[i].diff_id, err);
	}
	free(list.items);
	return r;
}

static bool blob_is_whole(struct check *c, const struct digest *want)
{
	AUTO(fd) int fd = -1;
	AUTO(free) char *data = mem_alloc(256 << 10);
	struct digest have;
	struct hasher h;
	ssize_t n;

	if (store_blob_open(c->s, want, &fd, NULL) < 0)
		return false;
	hasher_init(&h);
	while ((n = io_read_full(fd, data, 256 << 10)) > 0)
		hasher_add(&h, data, (size_t)n);
	hasher_end(&h, &have);
	return n == 0 && digest_eq(&have, want);
}

/* Without its original bytes, a layer from elsewhere could not be handed on any more. */
static int check_origins(struct check *c, struct error *err)
{
	struct store_layer_list list = {0};
	int r = store_layer_all(c->s, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		AUTO(store_origin) struct store_origin origin = {0};
		char hex[DIGEST_HEX_SIZE];

		if (store_origin_find(c->s, &list.items[i].diff_id, &origin, NULL) < 0 ||
		    blob_is_whole(c, &origin.blob))
			continue;
		problem(c, c->repair,
			"layer %.12s: the bytes it came as are missing or damaged",
			digest_hex(&list.items[i].diff_id, hex));
		if (c->repair)
			r = store_layer_drop(c->s, &list.items[i].diff_id, err);
		if (c->repair)
			unlinkat(c->s->dirs[STORE_BLOBS], digest_hex(&origin.blob, hex), 0);
	}
	free(list.items);
	return r;
}

static int check_cache_mounts(struct check *c, struct error *err)
{
	AUTO(store_cache_list) struct store_cache_list list = {0};
	int r = store_cache_list(c->s, false, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (faccessat(c->s->dirs[STORE_CACHE_MOUNTS], list.items[i].dir, F_OK, 0) == 0)
			continue;
		problem(c, c->repair, "cache mount %s: its directory is gone",
			list.items[i].id);
		if (c->repair)
			r = store_cache_remove(c->s, list.items[i].dir, err);
	}
	return r;
}

/* Containers hold the row, so it stays: what was in it is lost either way. */
static int check_volume_rows(struct check *c, struct error *err)
{
	AUTO(store_volume_list) struct store_volume_list list = {0};
	int r = store_volume_list(c->s, false, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;

		if (faccessat(c->s->dirs[STORE_VOLUMES], name, F_OK, 0) == 0)
			continue;
		problem(c, c->repair, "volume %s: its directory is gone", name);
		if (c->repair)
			r = volume_restore_directory(c->s, name, err);
	}
	return r;
}

static bool has_row(struct check *c, const char *sql, const char *name)
{
	AUTO(stmt) struct stmt *stmt = NULL;

	return db_prepare(c->s, &stmt, NULL, sql, "t", name) < 0 ||
	       db_step(c->s, stmt, NULL) != 0;
}

static int check_leftovers(struct check *c, enum store_place place, const char *sql,
			   const char *what, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(map) struct map held = MAP_INIT;
	int dir = c->s->dirs[place], r = dir_list_read(dir, &list, err);

	/* read after the directory: who rests has noted a thing before making it */
	if (r == 0)
		r = store_leased(c->s,
				 place == STORE_LAYERS	     ? "layer"
				 : place == STORE_CONTAINERS ? "container"
							     : "cachemount",
				 &held, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;

		if (map_has(&held, name) || has_row(c, sql, name))
			continue;
		problem(c, c->repair, "%s %s belongs to nothing", what, name);
		if (c->repair)
			r = root_remove(dir, name, err);
	}
	return r;
}

/* A volume is nobody's copy: a directory that lost its row is a volume again. */
static int check_volume_directories(struct check *c, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(map) struct map held = MAP_INIT;
	int dir = c->s->dirs[STORE_VOLUMES], r = dir_list_read(dir, &list, err);

	if (r == 0)
		r = store_leased(c->s, "volume", &held, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;

		if (map_has(&held, name) ||
		    has_row(c, "SELECT 1 FROM volume WHERE name = ?", name))
			continue;
		problem(c, c->repair, "volume directory %s belongs to nothing", name);
		if (c->repair)
			r = volume_is_name(name) ? volume_adopt(c->s, name, err)
						 : root_remove(dir, name, err);
	}
	return r;
}

static int check_bytes(struct check *c, struct error *err)
{
	int r = check_leftovers(c, STORE_LAYERS, "SELECT 1 FROM layer WHERE dir = ?",
				"layer directory", err);

	if (r == 0)
		r = check_leftovers(c, STORE_CONTAINERS, "SELECT 1 FROM container WHERE id = ?",
				    "container directory", err);
	if (r == 0)
		r = check_leftovers(c, STORE_CACHE_MOUNTS,
				    "SELECT 1 FROM cache_mount WHERE dir = ?",
				    "cache mount directory", err);
	if (r == 0)
		r = check_volume_directories(c, err);
	return r;
}

int store_check(struct store *s, bool repair, const struct store_problem_sink *sink,
		struct error *err)
{
	struct check c = {.s = s, .repair = repair, .sink = sink};
	int r = check_database(&c, err);

	if (r == 0)
		r = check_images(&c, err);
	if (r == 0)
		r = check_layer_rows(&c, err);
	if (r == 0)
		r = check_origins(&c, err);
	if (r == 0)
		r = check_cache_mounts(&c, err);
	if (r == 0)
		r = check_volume_rows(&c, err);
	if (r < 0)
		return r;
	/* others may be making things at this moment, under leases: look only when alone */
	if (io_lock(s->lock, true, false, NULL) == 0) {
		/* a command that was killed a moment ago may have let go of its lease only now
		 */
		r = store_reap(s, err);
		if (r == 0)
			r = check_bytes(&c, err);
	}
	if (io_lock(s->lock, false, true, r < 0 ? NULL : err) < 0 && r == 0)
		r = -ERR_SYSTEM;
	return r;
}
