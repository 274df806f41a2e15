/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

#define OPAQUE "trusted.overlay.opaque"

/* One directory on the way down. */
struct level {
	int fd; /* owned; -1 when there are too many below */
	dev_t dev;
	ino_t ino;
	struct dir_list list; /* owned */
	size_t next;
	size_t path_len; /* of the directory's own path in walk.path */
};

struct walk {
	struct tar_stream stream;
	const struct layer_visitor *visitor; /* instead of the stream */
	bool merged; /* a view of the whole: nothing in it is overlay's language */
	int noatime; /* O_NOATIME until the kernel says that the files are not ours */
	struct level *items;
	size_t n;
	size_t cap;
	struct buf path;
	struct map links; /* "dev:ino" of what has several names, to the first name */
	char *names;	  /* LIMIT_XATTR_BYTES */
	struct buf values;
	struct xattr_list {
		struct layer_xattr *items;
		size_t n;
		size_t cap;
	} xattrs;
	bool opaque;
};

static void walk_clear(struct walk *w)
{
	for (size_t i = 0; i < w->n; i++) {
		close_fd(&w->items[i].fd);
		dir_list_clear(&w->items[i].list);
	}
	free(w->items);
	free(w->names);
	free(w->xattrs.items);
	buf_clear(&w->values);
	buf_clear(&w->path);
	map_clear(&w->links);
	tar_stream_clear(&w->stream);
}

static const char *user_path(const struct walk *w)
{
	return w->path.len ? buf_str(&w->path) : "/";
}

static int read_xattr(struct walk *w, int fd, const char *name, struct error *err)
{
	char *room = buf_reserve(&w->values, LIMIT_XATTR_BYTES);
	ssize_t n = fgetxattr(fd, name, room, LIMIT_XATTR_BYTES);
	struct layer_xattr *x;

	if (n < 0 && errno == ENODATA)
		return 0;
	if (n < 0)
		return error_sys(err, "%s: cannot read the attribute %s", user_path(w), name);
	if (strchr(name, '=')) {
		error_set(err, ERR_UNSUPPORTED, "%s: the attribute name %s has a '='",
			  user_path(w), name);
		error_hint(err, "the tar format of image layers cannot say it: remove it");
		return -ERR_UNSUPPORTED;
	}
	x = vec_push(&w->xattrs);
	x->name = name;
	/* an offset until all are read: the buffer still moves */
	x->value = (const void *)(uintptr_t)w->values.len;
	x->size = (size_t)n;
	w->values.len += (size_t)n;
	return 0;
}

static int note_overlay(struct walk *w, int fd, const char *name, struct error *err)
{
	char value = 0;

	if (w->merged)
		return 0;
	if (layer_xattr_is_overlay(name, "opaque"))
		w->opaque |= fgetxattr(fd, name, &value, 1) == 1 && value == 'y';
	else if (layer_xattr_is_overlay(name, "redirect") ||
		 layer_xattr_is_overlay(name, "metacopy"))
		return error_set(err, ERR_UNSUPPORTED,
				 "%s: was made by an overlay mount with redirect_dir or "
				 "metacopy, its content is elsewhere",
				 user_path(w));
	return 0;
}

/* Files and directories only: the kernel lets nothing else carry what a layer keeps. */
static int read_xattrs(struct walk *w, int fd, struct error *err)
{
	ssize_t len = flistxattr(fd, w->names, LIMIT_XATTR_BYTES);
	int r;

	w->xattrs.n = 0;
	w->opaque = false;
	buf_reset(&w->values);
	if (len < 0 && errno == EOPNOTSUPP)
		return 0;
	if (len < 0)
		return error_sys(err, "%s: cannot list its attributes", user_path(w));
	for (const char *name = w->names; name < w->names + len; name += strlen(name) + 1) {
		if (layer_xattr_is_kept(name))
			r = read_xattr(w, fd, name, err);
		else
			r = note_overlay(w, fd, name, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < w->xattrs.n; i++)
		w->xattrs.items[i].value =
			buf_str(&w->values) + (uintptr_t)w->xattrs.items[i].value;
	return 0;
}

static void fill_entry(const struct walk *w, const struct stat *st, struct layer_entry *e)
{
	*e = (struct layer_entry){
		.path = buf_str(&w->path),
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime_sec = st->st_mtim.tv_sec,
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		.rdev = st->st_rdev,
		.xattrs = w->xattrs.items,
		.nxattrs = w->xattrs.n,
	};
}

/* The first name of an inode that has several; NULL for the first itself. */
static const char *first_name(struct walk *w, const struct stat *st)
{
	const char *first;
	char key[40];

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return NULL;
	snprintf(key, sizeof(key), "%" PRIx64 ":%" PRIx64, (uint64_t)st->st_dev,
		 (uint64_t)st->st_ino);
	first = map_get(&w->links, key);
	if (!first)
		map_set(&w->links, key, mem_strdup(buf_str(&w->path)));
	return first;
}

static int emit(struct walk *w, const struct layer_entry *e, int fd, struct error *err)
{
	int r;

	if (w->visitor)
		return w->visitor->entry(w->visitor->data, e, fd, err);
	if ((r = tar_stream_entry(&w->stream, e, err)) < 0 || fd < 0 || e->size == 0)
		return r;
	return tar_stream_file(&w->stream, fd, e->size, -1, e->path, err);
}

/* To a visitor a whiteout is what it is in the directory. */
static int put_whiteout(struct walk *w, struct error *err)
{
	struct layer_entry e = {.path = buf_str(&w->path), .mode = S_IFCHR};

	return w->visitor ? emit(w, &e, -1, err) : tar_stream_whiteout(&w->stream, e.path, err);
}

static int add_link(struct walk *w, const struct stat *st, const char *first, struct error *err)
{
	struct layer_entry e;

	w->xattrs.n = 0;
	fill_entry(w, st, &e);
	e.mode = S_IFREG | (st->st_mode & 07777);
	e.link = first;
	return emit(w, &e, -1, err);
}

/* Everything that is not opened. */
static int add_other(struct walk *w, int parent, const char *name, const struct stat *st,
		     struct error *err)
{
	AUTO(buf) struct buf target = BUF_INIT;
	struct layer_entry e;
	const char *first;
	int r;

	if (S_ISSOCK(st->st_mode))
		return 0;
	if (S_ISCHR(st->st_mode) && st->st_rdev == 0 && !w->merged)
		return put_whiteout(w, err);
	if ((first = first_name(w, st)))
		return add_link(w, st, first, err);
	w->xattrs.n = 0;
	fill_entry(w, st, &e);
	if (S_ISLNK(st->st_mode)) {
		if ((r = root_read_link(parent, name, &target, err)) < 0)
			return r;
		e.link = buf_str(&target);
	}
	return emit(w, &e, -1, err);
}

static int add_file(struct walk *w, int fd, const struct stat *st, struct error *err)
{
	const char *first = first_name(w, st);
	struct layer_entry e;
	int r;

	if (first)
		return add_link(w, st, first, err);
	if ((r = read_xattrs(w, fd, err)) < 0)
		return r;
	fill_entry(w, st, &e);
	return emit(w, &e, fd, err);
}

/* TAKES @fd. */
static int enter(struct walk *w, int fd, const struct stat *st, struct error *err)
{
	struct level *l;

	if (w->n > LIMIT_TREE_DEPTH) {
		close(fd);
		return error_set(err, ERR_LIMIT, "%s: more than %u directories deep",
				 user_path(w), LIMIT_TREE_DEPTH);
	}
	l = vec_push(w);
	l->fd = fd;
	l->dev = st->st_dev;
	l->ino = st->st_ino;
	l->path_len = w->path.len;
	if (w->n > LAYER_OPEN_LEVELS)
		close_fd(&w->items[w->n - 1 - LAYER_OPEN_LEVELS].fd);
	return dir_list_read(fd, &l->list, err);
}

static int leave(struct walk *w, struct error *err)
{
	struct level *l = &w->items[w->n - 1];
	int r = 0;

	if (w->n > 1 && l[-1].fd < 0)
		r = layer_reopen_parent(l->fd, l[-1].dev, l[-1].ino, &l[-1].fd, err);
	close_fd(&l->fd);
	dir_list_clear(&l->list);
	w->n--;
	return r;
}

/* TAKES @fd. */
static int add_directory(struct walk *w, int fd, const struct stat *st, struct error *err)
{
	struct layer_entry e;
	int r = read_xattrs(w, fd, err);

	if (r == 0 && w->visitor && w->opaque)
		*vec_push(&w->xattrs) = (struct layer_xattr){OPAQUE, "y", 1};
	if (r == 0 && w->path.len) {
		fill_entry(w, st, &e);
		r = emit(w, &e, -1, err);
	}
	if (r == 0 && w->opaque && !w->visitor)
		r = tar_stream_opaque(&w->stream, buf_str(&w->path), err);
	if (r < 0) {
		close(fd);
		return r;
	}
	return enter(w, fd, st, err);
}

static int open_entry(struct walk *w, int parent, const char *name, struct error *err)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = openat(parent, name, flags | w->noatime);

	if (fd < 0 && errno == EPERM && w->noatime) {
		w->noatime = 0;
		fd = openat(parent, name, flags);
	}
	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return error_set(err, ERR_CONFLICT, "%s: changed while it was read",
				 user_path(w));
	if (fd < 0)
		return error_sys(err, "cannot open %s", user_path(w));
	return fd;
}

static bool is_opened(unsigned char type)
{
	return type == DT_REG || type == DT_DIR;
}

static int visit(struct walk *w, int parent, const struct dir_entry *d, struct error *err)
{
	unsigned char type = d->type;
	AUTO(fd) int fd = -1;
	struct stat st;

	if (!w->merged && str_starts(d->name, TAR_WHITEOUT)) {
		error_set(err, ERR_UNSUPPORTED, "%s: names that begin with .wh. mean removal",
			  user_path(w));
		error_hint(err, "an image layer cannot hold such a name: choose another");
		return -ERR_UNSUPPORTED;
	}
	if (!is_opened(type)) {
		if (fstatat(parent, d->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_sys(err, "cannot look at %s", user_path(w));
		if (!is_opened((unsigned char)IFTODT(st.st_mode)))
			return add_other(w, parent, d->name, &st, err);
	}
	if ((fd = open_entry(w, parent, d->name, err)) < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at %s", user_path(w));
	if (S_ISDIR(st.st_mode))
		return add_directory(w, take_fd(&fd), &st, err);
	if (S_ISREG(st.st_mode))
		return add_file(w, fd, &st, err);
	return error_set(err, ERR_CONFLICT, "%s: changed while it was read", user_path(w));
}

static int walk_all(struct walk *w, struct error *err)
{
	while (w->n) {
		struct level *l = &w->items[w->n - 1];
		int r;

		w->path.len = l->path_len;
		if (w->path.data)
			w->path.data[w->path.len] = 0;
		if (l->next == l->list.n) {
			if ((r = leave(w, err)) < 0)
				return r;
			continue;
		}
		if (w->path.len)
			buf_addch(&w->path, '/');
		buf_addstr(&w->path, l->list.items[l->next].name);
		/* @l may move: the vector of levels grows when a directory is entered */
		if ((r = visit(w, l->fd, &l->list.items[l->next++], err)) < 0)
			return r;
	}
	return 0;
}

static int describe(int dirfd, bool merged, const struct layer_sink *sink,
		    const struct layer_visitor *visitor, struct layer_info *out,
		    struct error *err)
{
	struct walk w = {.merged = merged, .visitor = visitor, .noatime = O_NOATIME};
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct stat st;

	if (fd < 0)
		return error_sys(err, "cannot open the layer directory");
	if (fstat(fd, &st) < 0) {
		close(fd);
		return error_sys(err, "cannot look at the layer directory");
	}
	w.links.free_value = free;
	w.names = mem_alloc(LIMIT_XATTR_BYTES);
	tar_stream_init(&w.stream, sink);
	r = add_directory(&w, fd, &st, err);
	if (r == 0)
		r = walk_all(&w, err);
	if (r == 0)
		r = tar_stream_end(&w.stream, out, err);
	walk_clear(&w);
	return r;
}

int layer_describe(int dirfd, const struct layer_sink *sink, struct layer_info *out,
		   struct error *err)
{
	return describe(dirfd, false, sink, NULL, out, err);
}

int layer_describe_tree(int dirfd, const struct layer_sink *sink, struct layer_info *out,
			struct error *err)
{
	return describe(dirfd, true, sink, NULL, out, err);
}

int layer_visit_tree(int dirfd, const struct layer_visitor *visitor, struct error *err)
{
	struct layer_info nothing;

	return describe(dirfd, true, NULL, visitor, &nothing, err);
}

int layer_visit(int dirfd, const struct layer_visitor *visitor, struct error *err)
{
	struct layer_info nothing;

	return describe(dirfd, false, NULL, visitor, &nothing, err);
}

static int copy_entry(void *data, const struct layer_entry *e, int fd, struct error *err)
{
	return layer_writer_add(data, e, fd, err);
}

int layer_copy(int from, int to, struct layer_info *out, struct error *err)
{
	struct layer_visitor visitor = {.entry = copy_entry};
	struct layer_writer *copy;
	int r = layer_writer_open(to, &copy, err);

	if (r < 0)
		return r;
	visitor.data = copy;
	r = describe(from, false, NULL, &visitor, out, err);
	if (r == 0)
		return layer_writer_close(copy, out, err);
	layer_writer_abort(copy);
	return r;
}
