/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first content of a volume.  Files are copied into volumes/NAME/.filling,
 * which is renamed to .fill when all are there; then they move into _data, one
 * name after the other.  After a kill a .filling is thrown away and a .fill
 * is moved to its end, so a volume never has a part of the image's files for
 * longer than until its next use.  _data itself stays the same directory:
 * another container may have it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_mounts.h"
#include "layer/layer.h"

#include "base/banned.h"

#define DATA	"_data"
#define FILLING ".filling"
#define FILL	".fill"

static int open_below(int dir, const char *name, int *out, struct error *err)
{
	*out = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cannot open %s of the volume", name) : 0;
}

/* Those that a layer keeps; a file system that has no such thing is no reason to fail. */
static void copy_attributes(int from, int to)
{
	AUTO(free) char *names = mem_alloc(LIMIT_XATTR_BYTES);
	AUTO(free) char *value = mem_alloc(LIMIT_XATTR_BYTES);
	ssize_t n = flistxattr(from, names, LIMIT_XATTR_BYTES);

	for (char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
		ssize_t size;

		if (!str_starts(name, "user.") || str_starts(name, "user.overlay."))
			continue;
		size = fgetxattr(from, name, value, LIMIT_XATTR_BYTES);
		if (size >= 0)
			fsetxattr(to, name, value, (size_t)size, 0);
	}
}

static int copy_facts(int from, int to, struct error *err)
{
	struct timespec times[2];
	struct stat st;

	if (fstat(from, &st) < 0)
		return error_sys(err, "cannot look at the image's directory");
	copy_attributes(from, to);
	/* an ordinary user's store: all is ours */
	if (fchown(to, st.st_uid, st.st_gid) < 0 && errno != EPERM && errno != EINVAL)
		return error_sys(err, "cannot set the owner of the volume");
	if (fchmod(to, st.st_mode & 07777) < 0)
		return error_sys(err, "cannot set the mode of the volume");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	futimens(to, times);
	return 0;
}

/* What somebody else put there meanwhile stays. */
static int move_entries(int from, int to, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(from, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;

		if (renameat2(from, name, to, name, RENAME_NOREPLACE) < 0)
			r = errno == EEXIST
				    ? root_remove(from, name, err)
				    : error_sys(err, "cannot fill the volume: %s", name);
	}
	return r;
}

static int move_in(int dir, int data, struct error *err)
{
	AUTO(fd) int fill = -1;
	int r = open_below(dir, FILL, &fill, err);

	if (r < 0 || (r = move_entries(fill, data, err)) < 0 ||
	    (r = copy_facts(fill, data, err)) < 0)
		return r;
	if (unlinkat(dir, FILL, AT_REMOVEDIR) < 0)
		return error_sys(err, "cannot remove " FILL);
	return 0;
}

static int copy_in(int dir, int from, bool durable, struct error *err)
{
	AUTO(fd) int filling = -1;
	int r;

	if (mkdirat(dir, FILLING, 0700) < 0)
		return error_sys(err, "cannot create " FILLING);
	if ((r = open_below(dir, FILLING, &filling, err)) < 0 ||
	    (r = layer_copy_tree(from, filling, err)) < 0 ||
	    (r = copy_facts(from, filling, err)) < 0)
		return r;
	if (durable && syncfs(filling) < 0)
		return error_sys(err, "cannot write the volume to the disk");
	if (renameat(dir, FILLING, dir, FILL) < 0)
		return error_sys(err, "cannot fill the volume");
	return 0;
}

static int is_empty(int dir, bool *out, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(dir, &list, err);

	*out = list.n == 0;
	return r;
}

/* 1: opened, 0: the image has no such directory. */
static int open_source(int root, const char *path, int *out, struct error *err)
{
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = root_open(root, ROOT_INSIDE, path, O_PATH, 0, &fd, err);

	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at %s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID,
				 "cannot mount volume over existing file, file exists %s",
				 path);
	*out = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cannot open %s", path) : 1;
}

static int fill(int dir, int data, int from, bool durable, struct error *err)
{
	bool empty;
	int r = is_empty(from, &empty, err);

	if (r < 0)
		return r;
	if (empty)
		return copy_facts(from, data, err);
	if ((r = copy_in(dir, from, durable, err)) < 0) {
		root_remove(dir, FILLING, NULL);
		return r;
	}
	return move_in(dir, data, err);
}

int engine_volume_fill(struct engine *e, const char *name, int root, const char *path,
		       bool durable, struct error *err)
{
	AUTO(fd) int dir = -1;
	AUTO(fd) int data = -1;
	AUTO(fd) int from = -1;
	bool empty;
	int r;

	if ((r = store_volume_open(e->store, name, &dir, err)) < 0 ||
	    (r = io_lock(dir, true, true, err)) < 0 ||
	    (r = open_below(dir, DATA, &data, err)) < 0)
		return r;
	if (faccessat(dir, FILL, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (r = move_in(dir, data, err)) < 0)
		return r;
	if ((r = root_remove(dir, FILLING, err)) < 0 ||
	    (r = open_source(root, path, &from, err)) <= 0 ||
	    (r = is_empty(data, &empty, err)) < 0)
		return r;
	if (empty && (r = fill(dir, data, from, durable, err)) < 0)
		return error_wrap(err, "volume %s", name);
	return 0;
}
