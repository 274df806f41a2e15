/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_db.h"

#include "base/banned.h"

#define LAYER_COLUMNS \
	"diff_id, dir, content_bytes, tar_bytes, entries, (synced = 0 AND boot <> ?) "

int store_layer_new(struct store *s, struct lease *l, char dir[STORE_LAYER_DIR_SIZE],
		    struct error *err)
{
	AUTO(fd) int fd = -1;
	int r;

	/* 40 bits: 500 of them and their separators fit into one page of mount options */
	random_hex(dir, 10);
	if ((r = lease_note(l, "layer", dir, err)) < 0)
		return r;
	if (mkdirat(s->dirs[STORE_LAYERS], dir, 0700) < 0)
		return error_sys(err, "cannot create layers/%s", dir);
	fd = openat(s->dirs[STORE_LAYERS], dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* the mode of fs is that of the container's "/": the umask has no say */
	if (fd < 0 || mkdirat(fd, "fs", 0755) < 0 || fchmodat(fd, "fs", 0755, 0) < 0 ||
	    mkdirat(fd, "work", 0700) < 0)
		return error_sys(err, "cannot create layers/%s", dir);
	return 0;
}

int store_layer_discard(struct store *s, const char *dir, struct error *err)
{
	if (!root_is_component(dir))
		return error_set(err, ERR_CORRUPT, "bad layer directory name");
	return root_remove(s->dirs[STORE_LAYERS], dir, err);
}

static void read_layer(struct stmt *stmt, struct store_layer *out)
{
	AUTO(free) char *dir = db_text(stmt, 1);

	*out = (struct store_layer){0};
	db_digest(stmt, 0, &out->diff_id);
	if (dir)
		snprintf(out->dir, sizeof(out->dir), "%s", dir);
	out->content_bytes = (uint64_t)db_i64(stmt, 2);
	out->tar_bytes = (uint64_t)db_i64(stmt, 3);
	out->entries = (uint64_t)db_i64(stmt, 4);
	out->doubtful = db_i64(stmt, 5) != 0;
}

int store_layer_find(struct store *s, const struct digest *diff_id, struct store_layer *out,
		     struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	char text[DIGEST_TEXT_SIZE];
	int r = db_prepare(s, &stmt, err,
			   "SELECT " LAYER_COLUMNS "FROM layer WHERE diff_id = ?", "td",
			   s->boot, diff_id);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "layer %s is not in the store",
				 digest_text(diff_id, text));
	read_layer(stmt, out);
	return 0;
}

static int insert_layer(struct store *s, const struct store_layer *info, struct error *err)
{
	return db_exec(
		s, err,
		"INSERT INTO layer(diff_id, dir, content_bytes, tar_bytes, entries, boot,"
		" added) VALUES (?, ?, ?, ?, ?, ?, ?)",
		"dtiiiti", &info->diff_id, info->dir, (int64_t)info->content_bytes,
		(int64_t)info->tar_bytes, (int64_t)info->entries, s->boot, clock_now_ns());
}

int store_layer_commit(struct store *s, struct store_layer *info, struct error *err)
{
	struct store_layer old = {0};
	int r = store_begin(s, false, err);

	if (r < 0)
		return r;
	r = store_layer_find(s, &info->diff_id, &old, NULL);
	if (r == -ERR_NOT_FOUND)
		r = insert_layer(s, info, err);
	else if (r == 0 && old.doubtful)
		/* the fresh one is known to be good: it takes the place of the doubtful */
		r = db_exec(s, err,
			    "UPDATE layer SET dir = ?, boot = ?, synced = 0, disk = -1"
			    " WHERE diff_id = ?",
			    "ttd", info->dir, s->boot, &info->diff_id);
	else if (r < 0)
		r = error_set(err, ERR_SYSTEM, "cannot look up a layer");
	if (r < 0) {
		store_abort(s);
		return r;
	}
	if ((r = store_commit(s, err)) < 0)
		return r;
	if (!digest_is_zero(&old.diff_id)) {
		const char *spare = old.doubtful ? old.dir : info->dir;

		if ((r = store_layer_discard(s, spare, err)) < 0)
			return r;
		if (!old.doubtful)
			memcpy(info->dir, old.dir, sizeof(info->dir));
	}
	return 0;
}

int store_layer_trust(struct store *s, const struct digest *diff_id, struct error *err)
{
	return db_exec(s, err, "UPDATE layer SET boot = ? WHERE diff_id = ?", "td", s->boot,
		       diff_id);
}

static int drop_rows(struct store *s, const struct digest *diff_id, struct error *err)
{
	int r = db_exec(s, err,
			"DELETE FROM image WHERE id IN"
			" (SELECT image FROM image_layer WHERE diff_id = ?)",
			"d", diff_id);

	if (r < 0)
		return r;
	return db_exec(s, err, "DELETE FROM layer WHERE diff_id = ?", "d", diff_id);
}

int store_layer_drop(struct store *s, const struct digest *diff_id, struct error *err)
{
	struct store_layer layer;
	int r = store_layer_find(s, diff_id, &layer, err);

	if (r < 0 || (r = store_begin(s, true, err)) < 0)
		return r;
	if ((r = drop_rows(s, diff_id, err)) < 0) {
		store_abort(s);
		return r;
	}
	if ((r = store_commit(s, err)) < 0)
		return r;
	return store_layer_discard(s, layer.dir, err);
}

int store_layer_open(struct store *s, const char *dir, int *out_fd, struct error *err)
{
	AUTO(free) char *path = mem_printf("%s/fs", dir);

	*out_fd = openat(s->dirs[STORE_LAYERS], path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out_fd < 0)
		return error_sys(err, "cannot open layers/%s", path);
	return 0;
}

int store_layers_sync(struct store *s, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int64_t before = clock_now_ns();
	int r = db_prepare(s, &stmt, err,
			   "SELECT 1 FROM layer WHERE synced = 0 AND boot = ? LIMIT 1", "t",
			   s->boot);

	if (r < 0 || (r = db_step(s, stmt, err)) <= 0)
		return r;
	db_reset(stmt);
	if (syncfs(s->dirs[STORE_LAYERS]) < 0)
		return error_sys(err, "cannot sync the store");
	return db_exec(
		s, err,
		"UPDATE layer SET synced = 1 WHERE boot = ? AND added < ? AND synced = 0", "ti",
		s->boot, before);
}

int store_layer_all(struct store *s, struct store_layer_list *out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT " LAYER_COLUMNS "FROM layer ORDER BY added",
			   "t", s->boot);

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		read_layer(stmt, vec_push(out));
	return r;
}
