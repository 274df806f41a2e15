/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

/* A directory whose entries are being made; mode and times wait until it is left. */
struct level {
	int fd; /* owned; -1 when there are too many below */
	dev_t dev;
	ino_t ino;
	size_t path_len;
	mode_t mode;
	int64_t mtime_sec;
};

struct layer_writer {
	struct tar_stream stream;
	struct level *items; /* the first is the layer directory itself */
	size_t n;
	size_t cap;
	struct buf last; /* path of the entry before; its front is the path of each level */
	uid_t uid;	 /* who a new file belongs to */
	gid_t gid;
	mode_t umask;
	bool inherits; /* a new file gets group or mode from the directory above */
};

static unsigned order_of(char c)
{
	return c == 0 ? 0 : c == '/' ? 1 : (unsigned)(unsigned char)c + 1;
}

int layer_path_compare(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (int)order_of(*a) - (int)order_of(*b);
}

static void writer_free(struct layer_writer *w)
{
	for (size_t i = 0; i < w->n; i++)
		close_fd(&w->items[i].fd);
	free(w->items);
	buf_clear(&w->last);
	tar_stream_clear(&w->stream);
	free(w);
}

int layer_writer_open(int dirfd, struct layer_writer **out, struct error *err)
{
	AUTO(fd) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct layer_writer *w;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "cannot open the layer directory");
	w = mem_new(struct layer_writer);
	tar_stream_init(&w->stream, NULL);
	w->uid = geteuid();
	w->gid = getegid();
	w->umask = umask(077);
	umask(w->umask);
	w->inherits = (st.st_mode & S_ISGID) ||
		      fgetxattr(fd, "system.posix_acl_default", NULL, 0) > 0;
	*vec_push(w) = (struct level){.fd = take_fd(&fd), .dev = st.st_dev, .ino = st.st_ino};
	*out = w;
	return 0;
}

static int set_times(int fd, int64_t mtime_sec, const char *path, struct error *err)
{
	struct timespec times[2] = {{.tv_sec = mtime_sec}, {.tv_sec = mtime_sec}};

	if (futimens(fd, times) < 0)
		return error_sys(err, "cannot set the time of %s", path);
	return 0;
}

/* The top directory has nothing in the stream and keeps what it has. */
static int leave(struct layer_writer *w, struct error *err)
{
	struct level *l = &w->items[w->n - 1];
	int r = 0;

	w->last.data[l->path_len] = 0;
	if (fchmod(l->fd, l->mode) < 0)
		return error_sys(err, "cannot set the mode of %s", buf_str(&w->last));
	if ((r = set_times(l->fd, l->mtime_sec, buf_str(&w->last), err)) < 0)
		return r;
	if (l[-1].fd < 0)
		r = layer_reopen_parent(l->fd, l[-1].dev, l[-1].ino, &l[-1].fd, err);
	close_fd(&l->fd);
	w->n--;
	return r;
}

/* Leaves directories until the one that holds @path is the last; gives the name in it. */
static int go_to(struct layer_writer *w, const char *path, const char **out_name,
		 struct error *err)
{
	int r;

	if (w->last.len && layer_path_compare(buf_str(&w->last), path) >= 0)
		return error_set(err, ERR_INVALID, "%s: out of order after %s", path,
				 buf_str(&w->last));
	for (;;) {
		size_t len = w->items[w->n - 1].path_len;

		if (len == 0) {
			*out_name = path;
			break;
		}
		if (strncmp(path, buf_str(&w->last), len) == 0 && path[len] == '/') {
			*out_name = path + len + 1;
			break;
		}
		if ((r = leave(w, err)) < 0)
			return r;
	}
	if (!root_is_component(*out_name))
		return error_set(err, ERR_INVALID, "%s: its directory was not added before",
				 path);
	if (strlen(*out_name) > NAME_MAX)
		return error_set(err, ERR_LIMIT, "%s: the name is longer than %d bytes", path,
				 NAME_MAX);
	if (str_starts(*out_name, TAR_WHITEOUT))
		return error_set(err, ERR_UNSUPPORTED,
				 "%s: names that begin with .wh. mean removal", path);
	buf_reset(&w->last);
	buf_addstr(&w->last, path);
	return 0;
}

static int create_error(const char *path, struct error *err)
{
	if (errno == EEXIST)
		return error_set(err, ERR_EXISTS, "%s: exists already", path);
	return error_sys(err, "cannot create %s", path);
}

static bool is_foreign(const struct layer_writer *w, const struct layer_entry *e)
{
	return w->inherits || e->uid != w->uid || e->gid != w->gid;
}

static int owner_error(const struct layer_entry *e, struct error *err)
{
	const bool refused = errno == EPERM;
	const int r = error_sys(err, "cannot give %s to %u:%u", e->path, e->uid, e->gid);

	if (refused)
		error_hint(err,
			   "files of others need root, or a user name space (`unshare -r`)");
	return r;
}

static int set_xattrs(int fd, const struct layer_entry *e, struct error *err)
{
	for (size_t i = 0; i < e->nxattrs; i++) {
		const struct layer_xattr *x = &e->xattrs[i];

		if (!layer_xattr_is_kept(x->name) && !layer_xattr_is_overlay(x->name, "opaque"))
			continue;
		if (strchr(x->name, '='))
			return error_set(err, ERR_UNSUPPORTED,
					 "%s: the attribute name %s has a '='", e->path,
					 x->name);
		if (fsetxattr(fd, x->name, x->value, x->size, 0) < 0)
			return error_sys(err, "%s: cannot set the attribute %s", e->path,
					 x->name);
	}
	return 0;
}

static bool is_opaque(const struct layer_entry *e)
{
	for (size_t i = 0; i < e->nxattrs; i++)
		if (layer_xattr_is_overlay(e->xattrs[i].name, "opaque"))
			return e->xattrs[i].size == 1 &&
			       *(const char *)e->xattrs[i].value == 'y';
	return false;
}

static int add_directory(struct layer_writer *w, const struct layer_entry *e, const char *name,
			 struct error *err)
{
	int parent = w->items[w->n - 1].fd, r;
	AUTO(fd) int fd = -1;
	struct stat st;

	if (w->n > LIMIT_TREE_DEPTH)
		return error_set(err, ERR_LIMIT, "%s: more than %u directories deep", e->path,
				 LIMIT_TREE_DEPTH);
	if (mkdirat(parent, name, 0700) < 0)
		return create_error(e->path, err);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "cannot open %s", e->path);
	if ((r = set_xattrs(fd, e, err)) < 0)
		return r;
	if ((st.st_uid != e->uid || st.st_gid != e->gid) && fchown(fd, e->uid, e->gid) < 0)
		return owner_error(e, err);
	*vec_push(w) = (struct level){
		.fd = take_fd(&fd),
		.dev = st.st_dev,
		.ino = st.st_ino,
		.path_len = strlen(e->path),
		.mode = e->mode & 07777,
		.mtime_sec = e->mtime_sec,
	};
	/* the top stays open: hard links are resolved from there */
	if (w->n > LAYER_OPEN_LEVELS + 1)
		close_fd(&w->items[w->n - 1 - LAYER_OPEN_LEVELS].fd);
	if ((r = tar_stream_entry(&w->stream, e, err)) < 0)
		return r;
	return is_opaque(e) ? tar_stream_opaque(&w->stream, e->path, err) : 0;
}

/* Owner before mode: giving a file away clears its set-id bits; capabilities after both. */
static int finish_file(struct layer_writer *w, int fd, const struct layer_entry *e,
		       mode_t created, struct error *err)
{
	int r;

	if (is_foreign(w, e) && fchown(fd, e->uid, e->gid) < 0)
		return owner_error(e, err);
	if ((w->inherits || (created & ~w->umask) != (e->mode & 07777)) &&
	    fchmod(fd, e->mode & 07777) < 0)
		return error_sys(err, "cannot set the mode of %s", e->path);
	if (e->nxattrs && (r = set_xattrs(fd, e, err)) < 0)
		return r;
	return set_times(fd, e->mtime_sec, e->path, err);
}

static int add_file(struct layer_writer *w, const struct layer_entry *e, const char *name,
		    int from, const void *data, struct error *err)
{
	int parent = w->items[w->n - 1].fd, r;
	mode_t mode = is_foreign(w, e) || (e->mode & 07000) ? 0600 : e->mode & 0777;
	AUTO(fd)
	int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			mode);

	if (fd < 0)
		return create_error(e->path, err);
	if ((r = tar_stream_entry(&w->stream, e, err)) < 0)
		return r;
	if (data && e->size) {
		if (io_write_full(fd, data, e->size) < 0)
			return error_sys(err, "cannot write %s", e->path);
		if ((r = tar_stream_bytes(&w->stream, data, e->size, err)) < 0 ||
		    (r = tar_stream_pad(&w->stream, e->size, err)) < 0)
			return r;
	} else if (from >= 0) {
		w->stream.also = e->content;
		r = tar_stream_file(&w->stream, from, e->size, fd, e->path, err);
		w->stream.also = NULL;
		if (r < 0)
			return r;
	} else if (e->size) {
		return error_set(err, ERR_INVALID, "%s: has a size but no bytes", e->path);
	}
	return finish_file(w, fd, e, mode, err);
}

/* The target is in a directory that was made here, so nothing on the way is a link. */
static int add_link(struct layer_writer *w, const struct layer_entry *e, const char *name,
		    struct error *err)
{
	char base[NAME_MAX + 1];
	AUTO(fd) int dir = -1;
	struct layer_entry same = *e;
	struct stat st;
	int r = root_parent(w->items[0].fd, ROOT_BENEATH, e->link, &dir, base, err);

	if (r < 0)
		return error_wrap(err, "%s", e->path);
	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "%s: cannot link to %s", e->path, e->link);
	if (S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "%s: cannot link to the directory %s",
				 e->path, e->link);
	if (linkat(dir, base, w->items[w->n - 1].fd, name, 0) < 0)
		return create_error(e->path, err);
	/* one inode, one set of facts: those of the first name */
	same.mode = S_IFREG | (st.st_mode & 07777);
	same.uid = st.st_uid;
	same.gid = st.st_gid;
	same.mtime_sec = st.st_mtim.tv_sec;
	return tar_stream_entry(&w->stream, &same, err);
}

static int make_special(int parent, const struct layer_entry *e, const char *name,
			struct error *err)
{
	int r = S_ISLNK(e->mode) ? symlinkat(e->link, parent, name)
				 : mknodat(parent, name, (e->mode & S_IFMT) | 0600, e->rdev);

	return r < 0 ? create_error(e->path, err) : 0;
}

static int add_special(struct layer_writer *w, const struct layer_entry *e, const char *name,
		       struct error *err)
{
	struct timespec times[2] = {{.tv_sec = e->mtime_sec}, {.tv_sec = e->mtime_sec}};
	int parent = w->items[w->n - 1].fd, r;

	if ((r = make_special(parent, e, name, err)) < 0)
		return r;
	if (S_ISCHR(e->mode) && e->rdev == 0)
		return tar_stream_whiteout(&w->stream, e->path, err);
	if (is_foreign(w, e) && fchownat(parent, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return owner_error(e, err);
	if (!S_ISLNK(e->mode) && fchmodat(parent, name, e->mode & 07777, 0) < 0)
		return error_sys(err, "cannot set the mode of %s", e->path);
	if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "cannot set the time of %s", e->path);
	return tar_stream_entry(&w->stream, e, err);
}

static int add(struct layer_writer *w, const struct layer_entry *e, int from, const void *data,
	       struct error *err)
{
	const char *name = NULL;
	int r = go_to(w, e->path, &name, err);

	if (r < 0)
		return r;
	switch (e->mode & S_IFMT) {
	case S_IFDIR:
		return add_directory(w, e, name, err);
	case S_IFREG:
		return e->link ? add_link(w, e, name, err)
			       : add_file(w, e, name, from, data, err);
	case S_IFLNK:
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		return add_special(w, e, name, err);
	default:
		return error_set(err, ERR_INVALID, "%s: a kind of file that no layer holds",
				 e->path);
	}
}

int layer_writer_add(struct layer_writer *w, const struct layer_entry *e, int from,
		     struct error *err)
{
	return add(w, e, from, NULL, err);
}

int layer_writer_add_bytes(struct layer_writer *w, const struct layer_entry *e,
			   const void *data, struct error *err)
{
	return add(w, e, -1, data ? data : "", err);
}

int layer_writer_close(struct layer_writer *w, struct layer_info *out, struct error *err)
{
	int r = 0;

	while (r == 0 && w->n > 1)
		r = leave(w, err);
	if (r == 0)
		r = tar_stream_end(&w->stream, out, err);
	writer_free(w);
	return r;
}

void layer_writer_abort(struct layer_writer *w)
{
	if (w)
		writer_free(w);
}
