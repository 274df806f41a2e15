/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache mounts.  Two locks each, so that nobody needs the database to let go:
 *
 *   DIR/use    shared by who has it, for as long as they live; exclusive to remove it
 *   DIR/turn   shared by sharing=shared, exclusive for private and locked
 *
 * Both are flock(2) on descriptors that a build step's process inherits: the
 * kernel drops them with the last process, however it ended.  Choosing,
 * making and removing happen in transactions, which order them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_db.h"

#include "base/banned.h"

#define COLUMNS "dir, key, id, created, used, uses "

static int open_dir(struct store *s, const char *dir, int *out, struct error *err)
{
	*out = openat(s->dirs[STORE_CACHE_MOUNTS], dir,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cachemounts/%s", dir) : 0;
}

static int open_lock(int fd, const char *dir, const char *name, int *out, struct error *err)
{
	*out = openat(fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *out < 0 ? error_sys(err, "cachemounts/%s/%s", dir, name) : 0;
}

/* ---- taking one ---- */

/* The directory of one that is there and its locks; 1: taken, 0: somebody has it. */
static int try_one(struct store *s, const char *dir, enum store_sharing sharing,
		   struct store_cache_use *out, struct error *err)
{
	AUTO(fd) int fd = -1;
	AUTO(fd) int use = -1;
	AUTO(fd) int turn = -1;
	int r = open_dir(s, dir, &fd, err);

	if (r < 0 || (r = open_lock(fd, dir, "use", &use, err)) < 0 ||
	    (r = open_lock(fd, dir, "turn", &turn, err)) < 0)
		return r;
	if (io_lock(use, false, false, NULL) < 0)
		return 0; /* on its way out */
	out->waits = io_lock(turn, sharing != STORE_SHARING_SHARED, false, NULL) < 0;
	if (out->waits && sharing != STORE_SHARING_LOCKED)
		return 0;
	memcpy(out->dir, dir, sizeof(out->dir));
	out->use = take_fd(&use);
	out->turn = take_fd(&turn);
	return 1;
}

static int candidates(struct store *s, const struct digest *key, struct strlist *out,
		      struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT dir FROM cache_mount WHERE key = ? ORDER BY created, dir",
			   "d", key);

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		strlist_take(out, db_text(stmt, 0));
	return r;
}

/* 1: taken, 0: none is free. */
static int take_old(struct store *s, const struct digest *key, enum store_sharing sharing,
		    struct store_cache_use *out, struct error *err)
{
	AUTO(strlist) struct strlist dirs = STRLIST_INIT;
	struct store_cache_use later = STORE_CACHE_USE_INIT;
	int r = candidates(s, key, &dirs, err);

	for (size_t i = 0; r == 0 && i < dirs.n; i++) {
		struct store_cache_use one = STORE_CACHE_USE_INIT;

		if (strlen(dirs.items[i]) + 1 != sizeof(one.dir))
			continue;
		/* one whose directory is damaged is no reason to fail: `system check` has it */
		if (try_one(s, dirs.items[i], sharing, &one, NULL) != 1)
			continue;
		if (!one.waits) {
			*out = one;
			r = 1;
		} else if (later.use < 0) {
			later = one;
		} else {
			store_cache_release(&one);
		}
	}
	if (r == 0 && later.use >= 0) {
		*out = later;
		return 1;
	}
	store_cache_release(&later);
	return r;
}

static int make_new(struct store *s, struct lease *l, const struct digest *key, const char *id,
		    enum store_sharing sharing, struct store_cache_use *out, struct error *err)
{
	char dir[STORE_LAYER_DIR_SIZE] = "";
	int64_t now = clock_now_ns();
	int r;

	random_hex(dir, sizeof(dir) - 1);
	if ((r = lease_note(l, "cachemount", dir, err)) < 0)
		return r;
	if (mkdirat(s->dirs[STORE_CACHE_MOUNTS], dir, 0700) < 0)
		return error_sys(err, "cannot create cachemounts/%s", dir);
	if ((r = try_one(s, dir, sharing, out, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_CONFLICT, "cachemounts/%s is locked by another", dir);
	return db_exec(s, err, "INSERT INTO cache_mount(" COLUMNS ") VALUES (?, ?, ?, ?, ?, 1)",
		       "tdtii", dir, key, id, now, now);
}

int store_cache_take(struct store *s, struct lease *l, const struct digest *key, const char *id,
		     enum store_sharing sharing, struct store_cache_use *out, struct error *err)
{
	int r = store_begin(s, false, err);

	*out = STORE_CACHE_USE_INIT;
	if (r < 0)
		return r;
	r = take_old(s, key, sharing, out, err);
	if (r == 1)
		r = db_exec(s, err,
			    "UPDATE cache_mount SET used = ?, uses = uses + 1 WHERE dir = ?",
			    "it", clock_now_ns(), out->dir);
	else if (r == 0)
		r = make_new(s, l, key, id, sharing, out, err);
	if (r < 0)
		store_abort(s);
	else
		r = store_commit(s, err);
	if (r < 0)
		store_cache_release(out);
	return r;
}

int store_cache_find(struct store *s, const struct digest *key, struct store_cache_use *out,
		     struct error *err)
{
	int r = store_begin(s, false, err);

	*out = STORE_CACHE_USE_INIT;
	if (r < 0)
		return r;
	r = take_old(s, key, STORE_SHARING_PRIVATE, out, err);
	store_abort(s); /* nothing was written */
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "no cache mount that nobody has");
	return r < 0 ? r : 0;
}

void store_cache_release(struct store_cache_use *use)
{
	close_fd(&use->turn);
	close_fd(&use->use);
}

/* ---- upkeep ---- */

static uint64_t bytes_below(int parent, const char *name, unsigned depth);

static uint64_t entry_bytes(int dir, const char *name, unsigned depth)
{
	struct stat st;
	uint64_t bytes;

	/* builds are at work in it: what vanishes meanwhile counts nothing */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	bytes = (uint64_t)st.st_blocks * 512;
	if (S_ISDIR(st.st_mode))
		return depth < LIMIT_TREE_DEPTH ? bytes + bytes_below(dir, name, depth) : bytes;
	/* a file with several names here gives each its part */
	return st.st_nlink > 1 ? bytes / st.st_nlink : bytes;
}

static uint64_t bytes_below(int parent, const char *name, unsigned depth)
{
	AUTO(fd)
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(dir_list) struct dir_list list = {0};
	uint64_t bytes = 0;

	if (fd < 0 || dir_list_read(fd, &list, NULL) < 0)
		return 0;
	for (size_t i = 0; i < list.n; i++)
		bytes += entry_bytes(fd, list.items[i].name, depth + 1);
	return bytes;
}

static bool is_used(struct store *s, const char *dir)
{
	AUTO(fd) int fd = -1;
	AUTO(fd) int use = -1;

	return open_dir(s, dir, &fd, NULL) == 0 && open_lock(fd, dir, "use", &use, NULL) == 0 &&
	       io_lock(use, true, false, NULL) < 0;
}

static int read_rows(struct store *s, struct store_cache_list *out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT " COLUMNS "FROM cache_mount ORDER BY used DESC, dir", "");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		struct store_cache *c = vec_push(out);

		c->dir = db_text(stmt, 0);
		c->id = db_text(stmt, 2);
		c->created_ns = db_i64(stmt, 3);
		c->used_ns = db_i64(stmt, 4);
		c->uses = (uint64_t)db_i64(stmt, 5);
		c->in_use = is_used(s, c->dir);
	}
	return r;
}

int store_cache_list(struct store *s, bool measure, struct store_cache_list *out,
		     struct error *err)
{
	/* in a transaction, or a build that starts would see our look at a lock as a use */
	int r = store_begin(s, false, err);

	if (r < 0)
		return r;
	if ((r = read_rows(s, out, err)) < 0) {
		store_abort(s);
		return r;
	}
	if ((r = store_commit(s, err)) < 0)
		return r;
	for (size_t i = 0; measure && i < out->n; i++)
		out->items[i].bytes =
			entry_bytes(s->dirs[STORE_CACHE_MOUNTS], out->items[i].dir, 0);
	return 0;
}

/* Inside a transaction: nobody can take it up meanwhile. */
static int remove_row(struct store *s, struct lease *l, const char *dir, int *out_use,
		      struct error *err)
{
	AUTO(fd) int fd = -1;
	int r = open_dir(s, dir, &fd, NULL);

	if (r == 0) {
		if ((r = open_lock(fd, dir, "use", out_use, err)) < 0)
			return r;
		if (io_lock(*out_use, true, false, NULL) < 0)
			return error_set(err, ERR_CONFLICT,
					 "a build is at work with the cache mount %s", dir);
	}
	if ((r = lease_note(l, "cachemount", dir, err)) < 0)
		return r;
	return db_exec(s, err, "DELETE FROM cache_mount WHERE dir = ?", "t", dir);
}

int store_cache_remove(struct store *s, const char *dir, struct error *err)
{
	AUTO(lease) struct lease *l = NULL;
	AUTO(fd) int use = -1;
	int r;

	if (!root_is_component(dir))
		return error_set(err, ERR_INVALID, "%s is no cache mount", dir);
	if ((r = lease_new(s, &l, err)) < 0 || (r = store_begin(s, false, err)) < 0)
		return r;
	if ((r = remove_row(s, l, dir, &use, err)) < 0) {
		store_abort(s);
		return r;
	}
	if ((r = store_commit(s, err)) < 0)
		return r;
	return root_remove(s->dirs[STORE_CACHE_MOUNTS], dir, err);
}

void store_cache_list_clear(struct store_cache_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].dir);
		free(l->items[i].id);
	}
	free(l->items);
	*l = (struct store_cache_list){0};
}
