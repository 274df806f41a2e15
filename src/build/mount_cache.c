/* SPDX-License-Identifier: Apache-2.0 */
/* The directories behind type=cache: whose turn it is, and what they begin with. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/mount.h"

#include "base/banned.h"

static int wait_for(struct job *j, const struct build_mount *b, struct store_cache_use *use,
		    struct error *err)
{
	AUTO(free)
	char *text = mem_printf("waiting for the cache mount %s: another step has it\n", b->id);

	io_write_full(j->err, text, strlen(text));
	use->waits = false;
	return io_lock(use->turn, b->m.sharing != RUN_MOUNT_SHARED, true, err);
}

int mount_cache_wait(struct job *j, struct error *err)
{
	const struct run_spec *run = &j->v->run;

	for (size_t turn = 0; turn < run->n_mounts; turn++)
		for (size_t i = 0; i < run->n_mounts; i++) {
			struct job_mount *jm = &j->mounts[i];

			if (jm->turn == turn && jm->use.turn >= 0 && jm->use.waits &&
			    wait_for(j, &run->mounts[i], &jm->use, err) < 0)
				return -ERR_SYSTEM;
		}
	return 0;
}

/* ---- what a new one begins with ---- */

static int copy_tree(int from, int to, unsigned depth, struct error *err);

static void copy_xattrs(int from, int to)
{
	AUTO(free) char *names = mem_alloc(LIMIT_XATTR_BYTES);
	AUTO(free) char *value = mem_alloc(LIMIT_XATTR_BYTES);
	ssize_t n = flistxattr(from, names, LIMIT_XATTR_BYTES);

	/* a cache is a help: what this file system does not keep, it does without */
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t len;

		if (strncmp(names + at, "trusted.overlay.", 16) == 0)
			continue;
		len = fgetxattr(from, names + at, value, LIMIT_XATTR_BYTES);
		if (len >= 0)
			fsetxattr(to, names + at, value, (size_t)len, 0);
	}
}

static int copy_facts(int from, int to, const struct stat *st, struct error *err)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return error_sys(err, "cannot copy an owner");
	copy_xattrs(from, to);
	return futimens(to, times) < 0 ? error_sys(err, "cannot copy a time") : 0;
}

static int copy_regular(int dir, int to, const char *name, const struct stat *st,
			struct error *err)
{
	AUTO(fd) int in = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(fd) int out = -1;
	int r;

	if (in < 0)
		return error_sys(err, "%s", name);
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return error_sys(err, "%s", name);
	r = io_copy(in, out, UINT64_MAX, err);
	return r < 0 ? r : copy_facts(in, out, st, err);
}

static int copy_directory(int dir, int to, const char *name, const struct stat *st,
			  unsigned depth, struct error *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	AUTO(fd) int in = openat(dir, name, flags);
	AUTO(fd) int out = -1;
	int r;

	if (in < 0 || mkdirat(to, name, 0700) < 0 || (out = openat(to, name, flags)) < 0)
		return error_sys(err, "%s", name);
	r = copy_tree(in, out, depth + 1, err);
	return r < 0 ? r : copy_facts(in, out, st, err);
}

static int copy_other(int dir, int to, const char *name, const struct stat *st,
		      struct error *err)
{
	AUTO(buf) struct buf link = BUF_INIT;
	int r = 0;

	if (S_ISLNK(st->st_mode)) {
		r = root_read_link(dir, name, &link, err);
		if (r == 0 && symlinkat(buf_str(&link), to, name) < 0)
			r = error_sys(err, "%s", name);
	} else if (mknodat(to, name, st->st_mode, st->st_rdev) < 0) {
		r = error_sys(err, "%s", name);
	}
	if (r == 0 && fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = error_sys(err, "%s", name);
	return r;
}

static int copy_tree(int from, int to, unsigned depth, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(from, &list, err);

	if (depth > LIMIT_TREE_DEPTH)
		return error_set(err, ERR_LIMIT, "a tree deeper than %u", LIMIT_TREE_DEPTH);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;
		struct stat st;

		if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_sys(err, "%s", name);
		if (S_ISREG(st.st_mode))
			r = copy_regular(from, to, name, &st, err);
		else if (S_ISDIR(st.st_mode))
			r = copy_directory(from, to, name, &st, depth, err);
		else if (!S_ISSOCK(st.st_mode))
			r = copy_other(from, to, name, &st, err);
	}
	return r;
}

static int fill_from(struct job *j, size_t i, int to, struct error *err)
{
	AUTO(free) char *source = mount_source_path(&j->v->run.mounts[i]);
	AUTO(fd) int view = -1;
	AUTO(fd) int from = -1;
	struct stat st;
	int r = snapshot_view(&j->mounts[i].stack, &view, err);

	if (r < 0 || (r = root_open(view, ROOT_INSIDE, source, O_RDONLY | O_DIRECTORY, 0, &from,
				    err)) < 0)
		return r;
	if (fstat(from, &st) < 0)
		return error_sys(err, "%s", source);
	r = copy_tree(from, to, 0, err);
	return r < 0 ? r : copy_facts(from, to, &st, err);
}

static int fill(struct job *j, size_t i, int to, struct error *err)
{
	const struct build_mount *b = &j->v->run.mounts[i];

	if (b->has_files)
		return fill_from(j, i, to, err);
	if (fchown(to, b->m.has_uid ? b->m.uid : 0, b->m.has_gid ? b->m.gid : 0) < 0 ||
	    fchmod(to, b->m.has_mode ? b->m.mode : 0755) < 0)
		return error_sys(err, "cannot give away the cache mount %s", b->id);
	return 0;
}

/* Whole, or not at all; of two that make it at once the first one wins. */
static int make_content(struct job *j, size_t i, int dir, struct error *err)
{
	char name[16] = "new-";
	AUTO(fd) int fd = -1;
	int r;

	random_hex(name + 4, sizeof(name) - 5);
	if (mkdirat(dir, name, 0700) < 0 ||
	    (fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return error_sys(err, "cannot make the cache mount");
	r = fill(j, i, fd, err);
	if (r == 0 && renameat2(dir, name, dir, "fs", RENAME_NOREPLACE) == 0)
		return 0;
	if (r == 0 && errno != EEXIST)
		r = error_sys(err, "cannot make the cache mount");
	root_remove(dir, name, NULL);
	return r;
}

int mount_cache_open(struct job *j, size_t i, int *out_tree, struct error *err)
{
	const char *name = j->mounts[i].use.dir;
	AUTO(fd)
	int dir =
		openat(j->cache_mounts, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return error_sys(err, "cachemounts/%s", name);
	if (faccessat(dir, "fs", F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	    make_content(j, i, dir, err) < 0)
		return err ? -(int)err->code : -ERR_SYSTEM;
	*out_tree =
		open_tree(dir, "fs", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	return *out_tree < 0 ? error_sys(err, "cachemounts/%s/fs", name) : 0;
}
