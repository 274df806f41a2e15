/* SPDX-License-Identifier: Apache-2.0 */
/* Garbage collection: what no row uses is removed, rows first, bytes after. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_db.h"

#include "base/banned.h"

#define UNUSED_LAYERS                                                            \
	"FROM layer WHERE NOT EXISTS"                                            \
	" (SELECT 1 FROM image_layer WHERE image_layer.diff_id = layer.diff_id)" \
	" AND NOT EXISTS (SELECT 1 FROM step WHERE step.diff_id = layer.diff_id)"

static int take_unused_layers(struct store *s, struct strlist *dirs,
			      struct store_collected *out, struct error *err)
{
	AUTO(stmt) sqlite3_stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT diff_id, dir, content_bytes " UNUSED_LAYERS,
			   "");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		db_digest(stmt, 0, vec_push(&out->diff_ids));
		strlist_take(dirs, db_text(stmt, 1));
		out->layers++;
		out->bytes += (uint64_t)sqlite3_column_int64(stmt, 2);
	}
	return r < 0 ? r : db_exec(s, err, "DELETE " UNUSED_LAYERS, "");
}

static bool blob_is_used(struct store *s, const char *hex)
{
	AUTO(stmt) sqlite3_stmt *stmt = NULL;

	/* an error counts as a use: nothing is deleted in doubt */
	return db_prepare(s, &stmt, NULL,
			  "SELECT 1 FROM image WHERE id = ?1 OR manifest = ?1"
			  " UNION ALL SELECT 1 FROM origin WHERE blob = ?1 LIMIT 1",
			  "t", hex) < 0 ||
	       db_step(s, stmt, NULL) != 0;
}

static int remove_unused_blobs(struct store *s, struct store_collected *out, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int dir = s->dirs[STORE_BLOBS], r = dir_list_read(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;
		struct stat st;

		if (blob_is_used(s, name) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (unlinkat(dir, name, 0) < 0)
			return error_sys(err, "cannot remove blob %s", name);
		out->blobs++;
		out->bytes += (uint64_t)st.st_size;
	}
	return r;
}

static int collect(struct store *s, struct store_collected *out, struct error *err)
{
	AUTO(strlist) struct strlist dirs = STRLIST_INIT;
	AUTO(lease) struct lease *lease = NULL;
	int r = lease_new(s, &lease, err);

	if (r < 0 || (r = store_begin(s, false, err)) < 0)
		return r;
	r = take_unused_layers(s, &dirs, out, err);
	/* killed after the commit: the lease removes the directories that have no row */
	for (size_t i = 0; i < dirs.n && r == 0; i++)
		r = lease_note(lease, "layer", dirs.items[i], err);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	if ((r = store_commit(s, err)) < 0)
		return r;
	for (size_t i = 0; i < dirs.n && r == 0; i++)
		r = store_layer_discard(s, dirs.items[i], err);
	return r < 0 ? r : remove_unused_blobs(s, out, err);
}

int store_collect(struct store *s, struct store_collected *out, struct error *err)
{
	int r = 0;

	*out = (struct store_collected){0};
	if (io_lock(s->lock, true, false, NULL) == 0)
		r = collect(s, out, err);
	else
		log_debug("store", "other commands are at work: nothing collected");
	/* a failed upgrade may have dropped the shared lock: take it in any case */
	if (io_lock(s->lock, false, true, r < 0 ? NULL : err) < 0 && r == 0)
		r = -ERR_SYSTEM;
	return r;
}

void store_collected_clear(struct store_collected *c)
{
	free(c->diff_ids.items);
	*c = (struct store_collected){0};
}

int store_count(struct store *s, struct store_counts *out, struct error *err)
{
	AUTO(stmt) sqlite3_stmt *stmt = NULL;
	int r = db_prepare(
		s, &stmt, err,
		"SELECT (SELECT count(*) FROM image), (SELECT count(*) FROM container),"
		" (SELECT count(*) FROM container WHERE state = 'running'),"
		" (SELECT count(*) FROM layer), (SELECT count(*) FROM step)",
		"");

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	*out = (struct store_counts){
		.images = (uint64_t)sqlite3_column_int64(stmt, 0),
		.containers = (uint64_t)sqlite3_column_int64(stmt, 1),
		.running = (uint64_t)sqlite3_column_int64(stmt, 2),
		.layers = (uint64_t)sqlite3_column_int64(stmt, 3),
		.steps = (uint64_t)sqlite3_column_int64(stmt, 4),
	};
	return 0;
}
