/* SPDX-License-Identifier: Apache-2.0 */
/* What things take up on the disk: allocated blocks, as du(1) counts them. */
#include "store/store_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

#define BLOCK 512 /* of st_blocks, whatever the file system's are */

struct walk {
	uint64_t bytes;
	bool content;	 /* what the files say that they are, directories nothing */
	struct map seen; /* files with several names that were met already */
};

static void count(struct walk *w, const struct stat *st)
{
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
		AUTO(free)
		char *id = mem_printf("%llx:%llx", (unsigned long long)st->st_dev,
				      (unsigned long long)st->st_ino);

		if (map_has(&w->seen, id))
			return;
		map_set(&w->seen, id, NULL);
	}
	if (!w->content)
		w->bytes += (uint64_t)st->st_blocks * BLOCK;
	else if (!S_ISDIR(st->st_mode))
		w->bytes += (uint64_t)st->st_size;
}

static int walk_directory(struct walk *w, int *dir, unsigned depth, struct error *err);

/* Goes down with one descriptor, and comes back by "..": trees are deeper than we may open. */
static int walk_below(struct walk *w, int *dir, const char *name, unsigned depth,
		      struct error *err)
{
	AUTO(fd)
	int child = openat(*dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat before, after;
	int r;

	if (child < 0) /* gone by now, or overlayfs's own with mode 000 */
		return errno == ENOENT || errno == EACCES
			       ? 0
			       : error_sys(err, "cannot look into %s", name);
	if (fstat(*dir, &before) < 0)
		return error_sys(err, "cannot look at the directory of %s", name);
	close_fd(dir);
	if ((r = walk_directory(w, &child, depth + 1, err)) < 0)
		return r;
	*dir = openat(child, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* a container may have moved it in the meantime: never walk where that leads */
	if (*dir < 0 || fstat(*dir, &after) < 0 || before.st_ino != after.st_ino ||
	    before.st_dev != after.st_dev)
		return error_set(err, ERR_CONFLICT, "%s changed while it was counted", name);
	return 0;
}

static int walk_directory(struct walk *w, int *dir, unsigned depth, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(*dir, &list, err);

	if (r == 0 && depth > LIMIT_TREE_DEPTH)
		return error_set(err, ERR_LIMIT, "a tree is deeper than %u", LIMIT_TREE_DEPTH);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct stat st;

		if (fstatat(*dir, list.items[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* removed by another command */
		count(w, &st);
		if (S_ISDIR(st.st_mode))
			r = walk_below(w, dir, list.items[i].name, depth, err);
	}
	return r;
}

static int usage(int dirfd, const char *name, bool content, uint64_t *out, struct error *err)
{
	struct walk w = {.content = content};
	struct stat st;
	int r = 0;

	*out = 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, "cannot look at %s", name);
	count(&w, &st);
	if (S_ISDIR(st.st_mode)) {
		AUTO(fd) int dir = -1;

		dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0 && errno != ENOENT && errno != EACCES)
			r = error_sys(err, "cannot look into %s", name);
		else if (dir >= 0)
			r = walk_directory(&w, &dir, 0, err);
		if (r == -ERR_CONFLICT) { /* counted as far as it went */
			error_clear(err);
			r = 0;
		}
	}
	map_clear(&w.seen);
	*out = w.bytes;
	return r;
}

int disk_usage(int dirfd, const char *name, uint64_t *out, struct error *err)
{
	return usage(dirfd, name, false, out, err);
}

int store_content(struct store *s, enum store_place place, const char *name, uint64_t *out,
		  struct error *err)
{
	return usage(s->dirs[place], name, true, out, err);
}

int store_disk(struct store *s, enum store_place place, const char *name, uint64_t *out,
	       struct error *err)
{
	return disk_usage(s->dirs[place], name, out, err);
}

uint64_t disk_of_file(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return 0;
	return (uint64_t)st.st_blocks * BLOCK;
}

static int measure(struct store *s, const struct strlist *dirs, struct error *err)
{
	for (size_t i = 0; i < dirs->n; i++) {
		uint64_t bytes;
		int r = disk_usage(s->dirs[STORE_LAYERS], dirs->items[i], &bytes, err);

		if (r == 0)
			r = db_exec(s, err, "UPDATE layer SET disk = ? WHERE dir = ?", "it",
				    (int64_t)bytes, dirs->items[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int store_measure(struct store *s, struct error *err)
{
	AUTO(strlist) struct strlist dirs = STRLIST_INIT;
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT dir FROM layer WHERE disk < 0", "");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		strlist_take(&dirs, db_text(stmt, 0));
	if (r < 0 || !dirs.n)
		return r;
	db_reset(stmt);
	if ((r = store_begin(s, false, err)) < 0)
		return r;
	if ((r = measure(s, &dirs, err)) < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}
