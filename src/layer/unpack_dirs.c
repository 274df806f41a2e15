/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

#define KEY_SIZE 40

static const char *key_of(dev_t dev, ino_t ino, char key[KEY_SIZE])
{
	snprintf(key, KEY_SIZE, "%" PRIx64 ":%" PRIx64, (uint64_t)dev, (uint64_t)ino);
	return key;
}

/* By inode and not by path: an archive may name a directory in several ways. */
void unpack_dirs_put(struct unpack_tree *t, const char *path, const struct unpack_dir *dir)
{
	char key[KEY_SIZE];
	uintptr_t at;
	struct unpack_dir *d;

	key_of(dir->dev, dir->ino, key);
	at = (uintptr_t)map_get(&t->dir_index, key);
	if (at) {
		d = &t->dirs.items[at - 1];
		free(d->path);
	} else {
		d = vec_push(&t->dirs);
		map_set(&t->dir_index, key, (void *)(uintptr_t)t->dirs.n);
	}
	*d = *dir;
	d->path = mem_strdup(path);
}

bool unpack_dirs_has(const struct unpack_tree *t, dev_t dev, ino_t ino)
{
	char key[KEY_SIZE];

	return map_has(&t->dir_index, key_of(dev, ino, key));
}

static int apply_owner_and_mode(const struct unpack_tree *t, int fd, const struct unpack_dir *d,
				struct error *err)
{
	mode_t mode = d->mode;

	if (t->mode == LAYER_UNPACK_CONTEXT)
		mode |= 0700; /* ours to read and to throw away */
	else if (t->uid == 0 && fchown(fd, d->uid, d->gid) < 0)
		return unpack_owner_error(d->path, d->uid, d->gid, err);
	if (fchmod(fd, mode) < 0)
		return error_sys(err, "cannot set the mode of %s", d->path);
	return 0;
}

static int apply(const struct unpack_tree *t, const struct unpack_dir *d, struct error *err)
{
	const struct timespec times[2] = {d->mtime, d->mtime};
	AUTO(fd) int fd = -1;
	struct stat st;
	int r;

	r = root_open(t->fd, ROOT_INSIDE, d->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0, &fd,
		      d->only_times ? NULL : err);
	/* replaced by a later entry, or one that only its owner can open */
	if (r == -ERR_NOT_FOUND || r == -ERR_INVALID || (r < 0 && d->only_times)) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at %s", d->path);
	if (st.st_dev != d->dev || st.st_ino != d->ino)
		return 0;
	if (!d->only_times && (r = apply_owner_and_mode(t, fd, d, err)) < 0)
		return r;
	if (futimens(fd, times) < 0 && !d->only_times)
		return error_sys(err, "cannot set the time of %s", d->path);
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct unpack_dir *)b)->path,
		      ((const struct unpack_dir *)a)->path);
}

int unpack_dirs_apply(struct unpack_tree *t, struct error *err)
{
	int r;

	map_clear(&t->dir_index);
	/* what is below sorts behind: so the innermost come first and can still be reached */
	if (t->dirs.n > 1)
		qsort(t->dirs.items, t->dirs.n, sizeof(*t->dirs.items), compare_paths);
	for (size_t i = 0; i < t->dirs.n; i++)
		if ((r = apply(t, &t->dirs.items[i], err)) < 0)
			return r;
	return 0;
}
