/* SPDX-License-Identifier: Apache-2.0 */
/* Garbage collection: what no row uses is removed, rows first, bytes after. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_disk.h"

#include "base/banned.h"

#define UNUSED_LAYERS                                                            \
	"FROM layer WHERE NOT EXISTS"                                            \
	" (SELECT 1 FROM image_layer WHERE image_layer.diff_id = layer.diff_id)" \
	" AND NOT EXISTS (SELECT 1 FROM step WHERE step.diff_id = layer.diff_id)"

/*
 * Inside a transaction, and the leases are read inside it too: whoever pins a
 * layer does so in one as well, so either we see the lease, or it sees no row.
 */
static int take_unused_layers(struct store *s, struct strlist *dirs,
			      struct store_collected *out, struct error *err)
{
	AUTO(map) struct map held = MAP_INIT;
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = store_leased(s, "layer", &held, err);

	if (r == 0)
		r = db_prepare(s, &stmt, err, "SELECT diff_id, dir " UNUSED_LAYERS, "");
	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		AUTO(free) char *dir = db_text(stmt, 1);

		if (map_has(&held, dir))
			continue;
		db_digest(stmt, 0, vec_push(&out->diff_ids));
		strlist_take(dirs, take_ptr(dir));
	}
	for (size_t i = 0; r == 0 && i < out->diff_ids.n; i++)
		r = db_exec(s, err, "DELETE FROM layer WHERE diff_id = ?", "d",
			    &out->diff_ids.items[i]);
	return r;
}

static bool blob_is_used(struct store *s, const char *hex)
{
	AUTO(stmt) struct stmt *stmt = NULL;

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
		out->bytes += (uint64_t)st.st_blocks * 512;
	}
	return r;
}

/* Counts first: the files may be larger or smaller on the disk than they are long. */
static int discard(struct store *s, const struct strlist *dirs, struct store_collected *out,
		   struct error *err)
{
	for (size_t i = 0; i < dirs->n; i++) {
		uint64_t bytes;
		int r = disk_usage(s->dirs[STORE_LAYERS], dirs->items[i], &bytes, err);

		if (r < 0 || (r = store_layer_discard(s, dirs->items[i], err)) < 0)
			return r;
		out->layers++;
		out->bytes += bytes;
	}
	return 0;
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
	if ((r = store_commit(s, err)) < 0 || (r = discard(s, &dirs, out, err)) < 0)
		return r;
	return remove_unused_blobs(s, out, err);
}

#define TRY_MS 20

/*
 * Does not hold the store while it waits: two that collect would wait for each
 * other.  A failed upgrade may drop the shared lock anyway.
 */
static bool get_alone(struct store *s, unsigned patience_ms)
{
	struct timespec pause = {.tv_nsec = TRY_MS * 1000000};

	for (unsigned waited = 0;; waited += TRY_MS) {
		if (io_lock(s->lock, true, false, NULL) == 0)
			return true;
		if (waited >= patience_ms)
			return false;
		flock(s->lock, LOCK_UN);
		nanosleep(&pause, NULL);
	}
}

/* Nobody holds them: whoever uses them has the store. */
static int remove_sources(struct store *s, const struct strlist *sources,
			  struct store_collected *out, struct error *err)
{
	int r = 0;

	for (size_t i = 0; sources && r == 0 && i < sources->n; i++) {
		const char *slash = strchr(sources->items[i], '/');
		AUTO(free) char *place = NULL;
		AUTO(fd) int dir = -1;
		uint64_t bytes;

		if (!slash)
			continue;
		place = mem_strndup(sources->items[i], (size_t)(slash - sources->items[i]));
		dir = openat(s->dirs[STORE_CACHE], place,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			continue;
		r = disk_usage(dir, slash + 1, &bytes, err);
		if (r == 0)
			r = root_remove(dir, slash + 1, err);
		if (r == 0)
			out->bytes += bytes;
	}
	return r;
}

int store_collect_wait(struct store *s, unsigned patience_ms, const struct strlist *sources,
		       struct store_collected *out, struct error *err)
{
	int r = 0;

	*out = (struct store_collected){0};
	if (get_alone(s, patience_ms)) {
		r = collect(s, out, err);
		if (r == 0)
			r = remove_sources(s, sources, out, err);
	} else {
		log_debug("store", "other commands are at work: nothing collected");
		out->busy = true;
	}
	if (io_lock(s->lock, false, true, r < 0 ? NULL : err) < 0 && r == 0)
		r = -ERR_SYSTEM;
	return r;
}

int store_collect(struct store *s, struct store_collected *out, struct error *err)
{
	return store_collect_wait(s, 0, NULL, out, err);
}

void store_collected_clear(struct store_collected *c)
{
	free(c->diff_ids.items);
	*c = (struct store_collected){0};
}

int store_count(struct store *s, struct store_counts *out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(
		s, &stmt, err,
		"SELECT (SELECT count(*) FROM image), (SELECT count(*) FROM container),"
		" (SELECT count(*) FROM container WHERE state IN ('running', 'paused')),"
		" (SELECT count(*) FROM layer), (SELECT count(*) FROM step)",
		"");

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	*out = (struct store_counts){
		.images = (uint64_t)db_i64(stmt, 0),
		.containers = (uint64_t)db_i64(stmt, 1),
		.running = (uint64_t)db_i64(stmt, 2),
		.layers = (uint64_t)db_i64(stmt, 3),
		.steps = (uint64_t)db_i64(stmt, 4),
	};
	return 0;
}
