/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every entry is made as "opened parent + one component"; what stands in its
 * place is removed first, never opened, so nothing is written through.
 */
#include "layer/layer_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"
#include "layer/layer_tar.h"

#include "base/banned.h"

int unpack_owner_error(const char *path, uid_t uid, gid_t gid, struct error *err)
{
	bool unmapped = errno == EINVAL;

	error_sys(err, "cannot give %s to %u:%u", path, uid, gid);
	if (unmapped)
		error_hint(err, "this user name space does not have that id: give yourself a "
				"range in /etc/subuid and /etc/subgid");
	return -ERR_SYSTEM;
}

int unpack_tree_open(struct unpack_tree *t, int fd, enum layer_unpack_mode mode,
		     const char *below, uint64_t limit_bytes, struct error *err)
{
	AUTO(fd) int dir = -1;
	int r;

	*t = (struct unpack_tree){
		.fd = fd,
		.mode = mode,
		.below = below,
		.uid = geteuid(),
		.gid = getegid(),
		.parent = -1,
		.limit_bytes = limit_bytes ? limit_bytes : LIMIT_ARCHIVE_BYTES,
	};
	r = root_open(fd, ROOT_INSIDE, below, O_PATH | O_DIRECTORY, 0, &dir, err);
	return r < 0 ? r : 0;
}

void unpack_tree_clear(struct unpack_tree *t)
{
	for (size_t i = 0; i < t->dirs.n; i++)
		free(t->dirs.items[i].path);
	free(t->dirs.items);
	map_clear(&t->dir_index);
	free(t->parent_path);
	close_fd(&t->parent);
	*t = (struct unpack_tree){.parent = -1};
}

void unpack_entry_clear(struct unpack_entry *e)
{
	free(e->path);
	free(e->link);
	free(e->xattrs.items);
	*e = (struct unpack_entry){0};
}

/* Notes the directory @name of @parent, to be finished as @e says. */
static int note_directory(struct unpack_tree *t, int parent, const char *name, const char *path,
			  const struct unpack_entry *e, struct error *err)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "cannot look at the directory");
	unpack_dirs_put(t, path,
			&(struct unpack_dir){
				.dev = st.st_dev,
				.ino = st.st_ino,
				.mode = e->mode & 07777,
				.uid = e->uid,
				.gid = e->gid,
				.mtime = e->mtime,
			});
	return 0;
}

/* Making something in a directory changes its time; what was there before gets it back. */
static int note_parent(struct unpack_tree *t, int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at %s", path);
	t->parent_gives_group = st.st_mode & S_ISGID;
	if (t->mode == LAYER_UNPACK_ADD && !unpack_dirs_has(t, st.st_dev, st.st_ino))
		unpack_dirs_put(t, path,
				&(struct unpack_dir){
					.dev = st.st_dev,
					.ino = st.st_ino,
					.only_times = true,
					.mtime = st.st_mtim,
				});
	return 0;
}

/* A directory that the archive leaves out: root's, 0755, as old as what needed it. */
static int make_parent(struct unpack_tree *t, int at, const char *at_path, const char *name,
		       const char *path, struct timespec mtime, struct error *err)
{
	const struct unpack_entry how = {.mode = 0755, .mtime = mtime};
	int r = note_parent(t, at, at_path, err);

	if (r < 0)
		return r;
	if (mkdirat(at, name, 0700) < 0)
		return errno == EEXIST
			       ? error_set(err, ERR_INVALID, "%s: a link to nowhere", path)
			       : error_sys(err, "cannot create %s", path);
	return note_directory(t, at, name, path, &how, err);
}

/* Opens the directory @path, making what is missing on the way. */
static int make_parents(struct unpack_tree *t, const char *path, struct timespec mtime,
			int *out_fd, struct error *err)
{
	AUTO(buf) struct buf above = BUF_INIT, here = BUF_INIT;
	AUTO(fd) int at = -1;
	char name[NAME_MAX + 1];
	int r = root_open(t->fd, ROOT_INSIDE, "", O_PATH | O_DIRECTORY, 0, &at, err);

	while (r >= 0 && *path) {
		size_t n = strcspn(path, "/");
		const int flags = O_PATH | O_DIRECTORY;
		int next = -1;

		memcpy(name, path, n);
		name[n] = 0;
		path += n + (path[n] == '/');
		buf_printf(&here, "%s%s", here.len ? "/" : "", name);
		r = root_open(t->fd, ROOT_INSIDE, buf_str(&here), flags, 0, &next, err);
		if (r == -ERR_NOT_FOUND) {
			error_clear(err);
			r = make_parent(t, at, buf_str(&above), name, buf_str(&here), mtime,
					err);
			if (r == 0)
				r = root_open(t->fd, ROOT_INSIDE, buf_str(&here), flags, 0,
					      &next, err);
		}
		close_fd(&at);
		at = next;
		buf_printf(&above, "%s%s", above.len ? "/" : "", name);
	}
	if (r >= 0)
		*out_fd = take_fd(&at);
	return r;
}

/* The directory that @path is made in, borrowed; neighbours use the same one again. */
static int find_parent(struct unpack_tree *t, const struct unpack_entry *e,
		       const char **out_name, struct error *err)
{
	const char *slash = strrchr(e->path, '/');
	size_t len = slash ? (size_t)(slash - e->path) : 0;
	AUTO(free) char *dir = NULL;
	int r;

	*out_name = slash ? slash + 1 : e->path;
	if (t->parent_path && strncmp(t->parent_path, e->path, len) == 0 &&
	    t->parent_path[len] == 0)
		return t->parent;
	dir = mem_strndup(e->path, len);
	close_fd(&t->parent);
	free(t->parent_path);
	t->parent_path = NULL;
	r = root_open(t->fd, ROOT_INSIDE, dir, O_PATH | O_DIRECTORY, 0, &t->parent, err);
	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		r = make_parents(t, dir, e->mtime, &t->parent, err);
	}
	if (r < 0 || (r = note_parent(t, t->parent, dir, err)) < 0)
		return r;
	t->parent_path = take_ptr(dir);
	return t->parent;
}

/* Removes what stands in the way. Links may have led through it: forget where we were. */
static int make_way(struct unpack_tree *t, int parent, const char *name, struct error *err)
{
	free(t->parent_path);
	t->parent_path = NULL;
	return root_remove(parent, name, err);
}

static int create_error(struct error *err)
{
	return error_sys(err, "cannot create it");
}

int unpack_set_xattrs(const struct unpack_tree *t, int fd, const struct unpack_entry *e,
		      struct error *err)
{
	for (size_t i = 0; i < e->xattrs.n; i++) {
		const struct layer_xattr *x = &e->xattrs.items[i];

		if (fsetxattr(fd, x->name, x->value, x->size, 0) == 0)
			continue;
		/* the file system has none, or they are not for an ordinary user to set */
		if (errno == EOPNOTSUPP || (errno == EPERM && t->uid != 0))
			continue;
		return error_sys(err, "cannot set the attribute %s", x->name);
	}
	return 0;
}

/* In the initial name space trusted.*, elsewhere what overlay's userxattr reads. */
static int set_opaque(int parent, const char *name, struct error *err)
{
	AUTO(fd) int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, "cannot open the directory");
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) == 0)
		return 0;
	if ((errno != EPERM && errno != EOPNOTSUPP) ||
	    fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0)
		return error_sys(err, "cannot make the directory opaque");
	return 0;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static int add_directory(struct unpack_tree *t, const struct unpack_entry *e, struct error *err)
{
	const char *name = NULL;
	int parent = find_parent(t, e, &name, err), r;
	bool hides = false;
	struct stat st;

	if (parent < 0)
		return parent;
	if (mkdirat(parent, name, 0700) < 0) {
		if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return create_error(err);
		if (!S_ISDIR(st.st_mode)) {
			/* removed below and made here: what was below stays hidden */
			hides = t->mode == LAYER_UNPACK_LAYER && is_whiteout(&st);
			if ((r = make_way(t, parent, name, err)) < 0)
				return r;
			if (mkdirat(parent, name, 0700) < 0)
				return create_error(err);
		}
	}
	if (hides && (r = set_opaque(parent, name, err)) < 0)
		return r;
	if (e->xattrs.n) {
		AUTO(fd)
		int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return error_sys(err, "cannot open the directory");
		if ((r = unpack_set_xattrs(t, fd, e, err)) < 0)
			return r;
	}
	return note_directory(t, parent, name, e->path, e, err);
}

/* The top itself: ADD leaves what was there as it was. */
static int add_top(struct unpack_tree *t, const struct unpack_entry *e, struct error *err)
{
	AUTO(fd) int fd = -1;
	int r;

	if (!S_ISDIR(e->mode) || e->hard)
		return error_set(err, ERR_INVALID,
				 "the root directory can be nothing but a directory");
	if (t->mode == LAYER_UNPACK_ADD)
		return 0;
	r = root_open(t->fd, ROOT_INSIDE, e->path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
	if (r < 0 || (r = unpack_set_xattrs(t, fd, e, err)) < 0)
		return r;
	return note_directory(t, fd, ".", e->path, e, err);
}

static int write_at(int fd, const void *data, size_t len, int64_t offset)
{
	const char *at = data;

	while (len) {
		ssize_t n = pwrite(fd, at, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

/* Holes of a sparse file are offsets that are skipped. */
static int write_content(int fd, uint64_t size, const struct unpack_source *from,
			 struct error *err)
{
	uint64_t end = 0;

	for (;;) {
		const void *data = NULL;
		int64_t offset = 0;
		size_t len = 0;
		int r = from->read(from->data, &data, &len, &offset, err);

		if (r < 0)
			return r;
		if (r > 0)
			break;
		if (offset < 0 || (uint64_t)offset > size || len > size - (uint64_t)offset)
			return error_set(err, ERR_CORRUPT, "holds more bytes than it says");
		if (write_at(fd, data, len, offset) < 0)
			return error_sys(err, "cannot write it");
		if (len && (uint64_t)offset + len > end)
			end = (uint64_t)offset + len;
	}
	if (end < size && ftruncate(fd, (off_t)size) < 0)
		return error_sys(err, "cannot set its size");
	return 0;
}

static bool may_give(const struct unpack_tree *t)
{
	return t->uid == 0 && t->mode != LAYER_UNPACK_CONTEXT;
}

/* Only root gives away; and what is made in a set-group-id directory has its group. */
static bool sets_owner(const struct unpack_tree *t, const struct unpack_entry *e)
{
	return may_give(t) && (t->parent_gives_group || e->uid != t->uid || e->gid != t->gid);
}

static int open_new(struct unpack_tree *t, int parent, const char *name, struct error *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags, 0600), r;

	if (fd < 0 && errno == EEXIST) {
		if ((r = make_way(t, parent, name, err)) < 0)
			return r;
		fd = openat(parent, name, flags, 0600);
	}
	return fd < 0 ? create_error(err) : fd;
}

/* All but the owner, which takes bits of the mode away and so comes before. */
static int set_facts(const struct unpack_tree *t, int fd, const struct unpack_entry *e,
		     struct error *err)
{
	const struct timespec times[2] = {e->mtime, e->mtime};
	int r;

	if (fchmod(fd, e->mode & 07777) < 0)
		return error_sys(err, "cannot set its mode");
	if (e->xattrs.n && (r = unpack_set_xattrs(t, fd, e, err)) < 0)
		return r;
	if (futimens(fd, times) < 0)
		return error_sys(err, "cannot set its time");
	return 0;
}

static int add_file(struct unpack_tree *t, const struct unpack_entry *e,
		    const struct unpack_source *from, struct error *err)
{
	const char *name = NULL;
	int parent = find_parent(t, e, &name, err), r;
	AUTO(fd) int fd = -1;

	if (parent < 0)
		return parent;
	if (e->size > t->limit_bytes - t->bytes)
		return error_set(err, ERR_LIMIT,
				 "the archive would unpack to more than %llu bytes",
				 (unsigned long long)t->limit_bytes);
	t->bytes += e->size;
	if ((fd = open_new(t, parent, name, err)) < 0)
		return fd;
	if (e->size && (r = write_content(fd, e->size, from, err)) < 0)
		return r;
	if (sets_owner(t, e) && fchown(fd, e->uid, e->gid) < 0)
		return unpack_owner_error("it", e->uid, e->gid, err);
	return set_facts(t, fd, e, err);
}

static bool is_same(int a, const char *a_name, int b, const char *b_name)
{
	struct stat x, y;

	return fstatat(a, a_name, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(b, b_name, &y, AT_SYMLINK_NOFOLLOW) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int link_error(const struct unpack_entry *e, struct error *err)
{
	if (errno == ENOENT)
		return error_set(err, ERR_INVALID, "a hard link to %s, which is not there",
				 e->link);
	return error_sys(err, "cannot link it to %s", e->link);
}

/* Of several names that do not say the same of their file, the last one counts, as in Docker.
 */
static int take_facts(const struct unpack_tree *t, int parent, const char *name,
		      const struct unpack_entry *e, struct error *err)
{
	AUTO(fd) int fd = -1;
	struct stat st;
	bool gives;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "cannot look at it");
	gives = may_give(t) && (st.st_uid != e->uid || st.st_gid != e->gid);
	if (gives && fchownat(parent, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return unpack_owner_error("it", e->uid, e->gid, err);
	if (!S_ISREG(st.st_mode) ||
	    (!gives && (st.st_mode & 07777) == (e->mode & 07777) && !e->xattrs.n &&
	     st.st_mtim.tv_sec == e->mtime.tv_sec && st.st_mtim.tv_nsec == e->mtime.tv_nsec))
		return 0;
	fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_sys(err, "cannot open it") : set_facts(t, fd, e, err);
}

/* A second name; bytes that come along are not written. */
static int add_hard_link(struct unpack_tree *t, const struct unpack_entry *e, struct error *err)
{
	const char *name = NULL;
	int parent = find_parent(t, e, &name, err), r;
	char target[NAME_MAX + 1];
	AUTO(fd) int dir = -1;

	if (parent < 0)
		return parent;
	r = root_parent(t->fd, ROOT_INSIDE, e->link, &dir, target, err);
	if (r < 0)
		return error_wrap(err, "the target of its hard link");
	if (linkat(dir, target, parent, name, 0) < 0) {
		if (errno != EEXIST)
			return link_error(e, err);
		if (is_same(dir, target, parent, name))
			return 0;
		if ((r = make_way(t, parent, name, err)) < 0)
			return r;
		if (linkat(dir, target, parent, name, 0) < 0)
			return link_error(e, err);
	}
	return take_facts(t, parent, name, e, err);
}

static int make_special(int parent, const char *name, const struct unpack_entry *e)
{
	if (S_ISLNK(e->mode))
		return symlinkat(e->link, parent, name);
	return mknodat(parent, name, (e->mode & S_IFMT) | 0600, e->rdev);
}

static int finish_special(const struct unpack_tree *t, int parent, const char *name,
			  const struct unpack_entry *e, struct error *err)
{
	const struct timespec times[2] = {e->mtime, e->mtime};

	if (sets_owner(t, e) && fchownat(parent, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return unpack_owner_error("it", e->uid, e->gid, err);
	/* made a moment ago by us, who alone write here: it is no link */
	if (!S_ISLNK(e->mode) && fchmodat(parent, name, e->mode & 07777, 0) < 0)
		return error_sys(err, "cannot set its mode");
	if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "cannot set its time");
	return 0;
}

static int add_special(struct unpack_tree *t, const struct unpack_entry *e, struct error *err)
{
	const char *name = NULL;
	int parent = find_parent(t, e, &name, err), r;
	bool device = S_ISCHR(e->mode) || S_ISBLK(e->mode);

	if (parent < 0)
		return parent;
	if (S_ISCHR(e->mode) && e->rdev == 0)
		return error_set(err, ERR_INVALID,
				 "the device 0:0 would mean the removal of a file");
	r = make_special(parent, name, e);
	if (r < 0 && errno == EEXIST) {
		if ((r = make_way(t, parent, name, err)) < 0)
			return r;
		r = make_special(parent, name, e);
	}
	/* user name spaces make no devices; images run without those of their tar */
	if (r < 0 && device && errno == EPERM)
		return 0;
	if (r < 0)
		return create_error(err);
	return finish_special(t, parent, name, e, err);
}

int unpack_tree_add(struct unpack_tree *t, const struct unpack_entry *e,
		    const struct unpack_source *from, struct error *err)
{
	if (str_eq(e->path, t->below))
		return add_top(t, e, err);
	if (e->hard)
		return add_hard_link(t, e, err);
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		return add_file(t, e, from, err);
	case S_IFDIR:
		return add_directory(t, e, err);
	case S_IFLNK:
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		return add_special(t, e, err);
	default:
		return error_set(err, ERR_INVALID, "a kind of file that is not known");
	}
}

int unpack_tree_whiteout(struct unpack_tree *t, const struct unpack_entry *e, struct error *err)
{
	const char *name = NULL;
	int parent = find_parent(t, e, &name, err);
	struct stat st;

	if (parent < 0)
		return parent;
	if (mknodat(parent, name, S_IFCHR, 0) == 0)
		return 0;
	if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "cannot make the removal of a file");
	/*
	 * image-spec v1.1 layer.md: a whiteout hides what is in lower layers
	 * only.  What this layer made before stays, and hides it already.
	 */
	return S_ISDIR(st.st_mode) ? set_opaque(parent, name, err) : 0;
}

int unpack_tree_opaque(struct unpack_tree *t, const struct unpack_entry *dir, struct error *err)
{
	AUTO(fd) int fd = -1;
	int r = root_open(t->fd, ROOT_INSIDE, dir->path, O_PATH | O_DIRECTORY, 0, &fd, err);

	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		r = make_parents(t, dir->path, dir->mtime, &fd, err);
	}
	return r < 0 ? r : set_opaque(fd, ".", err);
}

int unpack_tree_finish(struct unpack_tree *t, struct error *err)
{
	return unpack_dirs_apply(t, err);
}
