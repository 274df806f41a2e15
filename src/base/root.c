/* SPDX-License-Identifier: Apache-2.0 */
#include "base/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

static int try_openat2(int tree, enum root_scope scope, const char *path, int flags,
		       mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = (flags & (O_CREAT | O_TMPFILE)) ? mode & 07777 : 0,
		.resolve = RESOLVE_NO_MAGICLINKS |
			   (scope == ROOT_BENEATH ? RESOLVE_BENEATH : RESOLVE_IN_ROOT),
	};
	long fd;

	if (scope == ROOT_INSIDE && *path == '/')
		path += strspn(path, "/");
	/* EAGAIN: a rename raced with "..", the kernel could not prove that we stayed inside */
	for (int tries = 0; tries < 128; tries++) {
		fd = syscall(SYS_openat2, tree, *path ? path : ".", &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

static int open_error(const char *path, struct error *err)
{
	switch (errno) {
	case ENOENT:
		return error_set(err, ERR_NOT_FOUND, "%s: no such file or directory", path);
	case EXDEV:
		return error_set(err, ERR_ESCAPE, "%s: leads outside of its directory", path);
	case ELOOP:
		return error_set(err, ERR_INVALID,
				 "%s: too many links, or a link where none may be", path);
	case ENOTDIR:
		return error_set(err, ERR_INVALID, "%s: not a directory", path);
	default:
		return error_sys(err, "%s", path);
	}
}

int root_open(int tree, enum root_scope scope, const char *path, int flags, mode_t mode,
	      int *out_fd, struct error *err)
{
	int fd = try_openat2(tree, scope, path, flags, mode);

	if (fd < 0)
		return open_error(path, err);
	*out_fd = fd;
	return 0;
}

int root_parent(int tree, enum root_scope scope, const char *path, int *out_fd,
		char name[NAME_MAX + 1], struct error *err)
{
	size_t len = strlen(path), start;
	AUTO(free) char *dir = NULL;

	while (len && path[len - 1] == '/')
		len--;
	for (start = len; start && path[start - 1] != '/';)
		start--;
	if (len - start > NAME_MAX) {
		errno = ENAMETOOLONG;
		return error_sys(err, "%s", path);
	}
	memcpy(name, path + start, len - start);
	name[len - start] = 0;
	if (!root_is_component(name)) {
		memcpy(name, ".", 2);
		start = len;
	}
	dir = mem_strndup(path, start);
	return root_open(tree, scope, dir, O_PATH | O_DIRECTORY, 0, out_fd, err);
}

bool root_is_component(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

char *root_clean_path(const char *path)
{
	struct buf out = BUF_INIT;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (out.len && out.data[out.len - 1] != '/')
				out.len--;
			if (out.len)
				out.len--;
			if (out.data)
				out.data[out.len] = 0;
		} else if (n && !(n == 1 && *path == '.')) {
			if (out.len)
				buf_addch(&out, '/');
			buf_add(&out, path, n);
		}
		path += n;
		path += strspn(path, "/");
	}
	return buf_steal(&out);
}

static void drop_last(struct buf *path)
{
	while (path->len && path->data[path->len - 1] != '/')
		path->len--;
	if (path->len)
		path->len--;
	if (path->data)
		path->data[path->len] = 0;
}

/* What the one component @name in the directory @path is; false when it is not there. */
static bool look_at(int tree, const struct buf *path, const char *name, struct stat *st,
		    struct buf *link)
{
	AUTO(fd)
	int dir = try_openat2(tree, ROOT_INSIDE, buf_str(path), O_PATH | O_DIRECTORY, 0);

	if (dir < 0 || fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	buf_reset(link);
	return !S_ISLNK(st->st_mode) || root_read_link(dir, name, link, NULL) == 0;
}

#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */

int root_resolve(int tree, const char *path, struct buf *out, struct stat *out_st,
		 struct error *err)
{
	AUTO(buf) struct buf rest = BUF_INIT;
	AUTO(buf) struct buf link = BUF_INIT;
	struct stat st = {.st_mode = S_IFDIR};
	unsigned links = 0;
	size_t at = 0;

	buf_addstr(&rest, path);
	for (;;) {
		char name[NAME_MAX + 1];
		size_t n;

		at += strspn(buf_str(&rest) + at, "/");
		n = strcspn(buf_str(&rest) + at, "/");
		if (n == 0)
			break;
		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			return error_sys(err, "%s", path);
		}
		memcpy(name, rest.data + at, n);
		name[n] = 0;
		at += n;
		if (str_eq(name, "."))
			continue;
		if (str_eq(name, "..")) {
			drop_last(out);
			st = (struct stat){.st_mode = S_IFDIR};
			continue;
		}
		if (!look_at(tree, out, name, &st, &link)) {
			st = (struct stat){0};
		} else if (S_ISLNK(st.st_mode)) {
			if (++links > LINKS_MAX)
				return error_set(err, ERR_INVALID, "%s: too many links", path);
			buf_addstr(&link, buf_str(&rest) + at);
			buf_reset(&rest);
			buf_add(&rest, link.data, link.len);
			at = 0;
			if (*link.data == '/')
				buf_reset(out);
			st = (struct stat){.st_mode = S_IFDIR};
			continue;
		}
		if (out->len)
			buf_addch(out, '/');
		buf_add(out, name, n);
	}
	if (out_st)
		*out_st = st;
	return 0;
}

/* Makes one directory; true only if it was this call that made it. */
static int make_component(int parent, const char *name, const struct root_made *how,
			  bool *out_made, struct error *err)
{
	AUTO(fd) int fd = -1;

	*out_made = false;
	if (mkdirat(parent, name, 0700) < 0) {
		if (errno == EEXIST)
			return 0;
		return error_sys(err, "cannot create the directory %s", name);
	}
	*out_made = true;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "cannot open the directory %s", name);
	if ((how->uid != (uid_t)-1 || how->gid != (gid_t)-1) &&
	    fchown(fd, how->uid, how->gid) < 0)
		return error_sys(err, "cannot give away the directory %s", name);
	if (fchmod(fd, how->mode) < 0)
		return error_sys(err, "cannot set the mode of %s", name);
	return 0;
}

/* The time is set last: making what is inside would change it. */
static void stamp(int fd, int64_t mtime_sec)
{
	struct timespec times[2] = {{.tv_sec = mtime_sec}, {.tv_sec = mtime_sec}};
	char self[64];

	if (mtime_sec < 0)
		return;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	utimensat(AT_FDCWD, self, times, 0);
}

/* Opens the directory @path of the tree, making its last component if it is not there. */
static int open_or_make(int tree, enum root_scope scope, const char *path, int parent,
			const char *name, const struct root_made *how, int *out_fd,
			bool *out_made, struct error *err)
{
	int fd = try_openat2(tree, scope, path, O_PATH | O_DIRECTORY, 0);

	*out_made = false;
	if (fd < 0 && errno == ENOENT && !str_eq(name, "..")) {
		if (make_component(parent, name, how, out_made, err) < 0)
			return error_wrap(err, "%s", path);
		fd = try_openat2(tree, scope, path, O_PATH | O_DIRECTORY, 0);
		/* still absent: a dangling link, whose target chroot rules would have us make
		 */
		if (fd < 0 && errno == ENOENT)
			return error_set(err, ERR_INVALID, "%s: a link to nowhere", path);
	}
	if (fd < 0)
		return open_error(path, err);
	*out_fd = fd;
	return 0;
}

int root_mkdirs(int tree, enum root_scope scope, const char *path, const struct root_made *how,
		int *out_fd, bool *out_created, struct error *err)
{
	AUTO(buf) struct buf sofar = BUF_INIT;
	AUTO(fd) int at = -1;
	bool made = false;

	if (root_open(tree, scope, "", O_PATH | O_DIRECTORY, 0, &at, err) < 0)
		return -(int)ERR_SYSTEM;
	while (path += strspn(path, "/"), *path) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(path, "/");
		int next = -1, r;

		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			return error_sys(err, "%s", path);
		}
		memcpy(name, path, n);
		name[n] = 0;
		if (sofar.len)
			buf_addch(&sofar, '/');
		buf_add(&sofar, name, n);
		path += n;
		if (n == 1 && *name == '.')
			continue;
		r = open_or_make(tree, scope, buf_str(&sofar), at, name, how, &next, &made,
				 err);
		if (r < 0)
			return r;
		close_fd(&at);
		at = next;
		if (made)
			stamp(at, how->mtime_sec);
	}
	if (out_created)
		*out_created = made;
	if (out_fd)
		*out_fd = take_fd(&at);
	return 0;
}

int root_read_file(int tree, enum root_scope scope, const char *path, size_t limit,
		   struct buf *out, struct error *err)
{
	AUTO(fd) int fd = -1;
	int r = root_open(tree, scope, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);

	if (r < 0)
		return r;
	if ((r = io_read_regular(fd, limit, out, err)) < 0)
		error_wrap(err, "%s", path);
	return r;
}

int root_read_link(int dirfd, const char *name, struct buf *out, struct error *err)
{
	char *room = buf_reserve(out, LIMIT_LINK_BYTES + 1);
	ssize_t n = readlinkat(dirfd, name, room, LIMIT_LINK_BYTES + 1);

	if (n < 0)
		return error_sys(err, "cannot read the link %s", name);
	if (n > (ssize_t)LIMIT_LINK_BYTES)
		return error_set(err, ERR_LIMIT, "the link %s is too long", name);
	out->len += (size_t)n;
	out->data[out->len] = 0;
	return 0;
}

/* Recursion is bounded by LIMIT_TREE_DEPTH; nothing is followed, the tree is ours alone. */
static int remove_entry(int dirfd, const char *name, struct error *err);

static int empty_directory(int fd, struct error *err, unsigned depth)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(fd, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		const char *name = list.items[i].name;
		AUTO(fd) int sub = -1;

		if (list.items[i].type != DT_DIR && list.items[i].type != DT_UNKNOWN &&
		    unlinkat(fd, name, 0) == 0)
			continue;
		if (list.items[i].type == DT_DIR || list.items[i].type == DT_UNKNOWN)
			sub = openat(fd, name,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC |
					     O_NONBLOCK);
		if (sub >= 0 && depth >= LIMIT_TREE_DEPTH)
			return error_set(err, ERR_LIMIT, "%s: nested too deeply", name);
		if (sub >= 0 && (r = empty_directory(sub, err, depth + 1)) < 0)
			return r;
		if ((r = remove_entry(fd, name, err)) < 0)
			return r;
	}
	return 0;
}

static int remove_entry(int dirfd, const char *name, struct error *err)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if ((errno == EISDIR || errno == EPERM) && unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno == ENOENT)
		return 0;
	return error_sys(err, "cannot remove %s", name);
}

int root_empty(int dirfd, struct error *err)
{
	return empty_directory(dirfd, err, 0);
}

int root_remove(int dirfd, const char *name, struct error *err)
{
	AUTO(fd) int fd = -1;
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES) { /* overlayfs leaves work/work with mode 000 */
		if (fchmodat(dirfd, name, 0700, 0) < 0)
			return error_sys(err, "cannot remove %s", name);
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return error_sys(err, "cannot remove %s", name);
	if ((r = empty_directory(fd, err, 0)) < 0)
		return r;
	return remove_entry(dirfd, name, err);
}

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct dir_entry *)a)->name, ((const struct dir_entry *)b)->name);
}

static void add_records(struct dir_list *out, const char *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		const struct linux_dirent64 *d = (const void *)(data + at);
		struct dir_entry *e;

		at += d->d_reclen;
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		e = vec_push(out);
		/* an offset until all are read: the buffer of names still moves */
		e->name = (const char *)(uintptr_t)out->names.len;
		e->ino = d->d_ino;
		e->type = d->d_type;
		buf_add(&out->names, d->d_name, strlen(d->d_name) + 1);
	}
}

int dir_list_read(int fd, struct dir_list *out, struct error *err)
{
	/* more would only be more pages to touch: most directories have less than a hundred
	 * names */
	_Alignas(struct linux_dirent64) char data[8192];

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot rewind a directory");
	for (;;) {
		long n = syscall(SYS_getdents64, fd, data, sizeof(data));

		if (n < 0)
			return error_sys(err, "cannot read a directory");
		if (n == 0)
			break;
		add_records(out, data, (size_t)n);
		if (out->n > LIMIT_DIR_ENTRIES)
			return error_set(err, ERR_LIMIT, "a directory has more than %u entries",
					 LIMIT_DIR_ENTRIES);
	}
	for (size_t i = 0; i < out->n; i++)
		out->items[i].name = out->names.data + (uintptr_t)out->items[i].name;
	if (out->n > 1)
		qsort(out->items, out->n, sizeof(*out->items), compare_names);
	return 0;
}

void dir_list_clear(struct dir_list *l)
{
	free(l->items);
	buf_clear(&l->names);
	*l = (struct dir_list){0};
}
