/* SPDX-License-Identifier: Apache-2.0 */
#include "build/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

#define LINKS_MAX 40

static void set_stat(struct tree_node *n, const struct stat *st)
{
	n->mode = st->st_mode;
	n->uid = st->st_uid;
	n->gid = st->st_gid;
	n->nlink = st->st_nlink;
	n->dev = st->st_dev;
	n->rdev = st->st_rdev;
	n->ino = st->st_ino;
	n->size = (uint64_t)st->st_size;
	n->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	n->ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

int tree_open(int fd, const char *name, const struct ignore *ignore, struct tree_index *index,
	      struct tree **out, struct error *err)
{
	struct tree *t;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "%s", name);
	t = mem_new(struct tree);
	t->fd = fd;
	t->name = name;
	t->ignore = ignore;
	t->index = index;
	t->top = arena_new(&t->arena, struct tree_node);
	t->top->name = "";
	t->top->tree = t;
	set_stat(t->top, &st);
	*out = t;
	return 0;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	arena_clear(&t->arena);
	free(t->files);
	free(t);
}

void tree_path(const struct tree_node *n, struct buf *out)
{
	if (!n->parent)
		return;
	tree_path(n->parent, out);
	if (n->parent->parent)
		buf_addch(out, '/');
	buf_addstr(out, n->name);
}

void tree_add_file(struct tree *t, struct tree_node *n)
{
	if (t->n_files == t->cap_files) {
		t->cap_files = t->cap_files ? t->cap_files * 2 : 256;
		t->files = mem_resize(t->files, t->cap_files, sizeof(*t->files));
	}
	n->number = (uint32_t)t->n_files;
	t->files[t->n_files++] = n;
}

static int add_node(struct tree *t, int dirfd, struct tree_node *dir, const char *name,
		    const char *path, struct tree_node **out, struct error *err)
{
	struct tree_node *n;
	struct stat st;

	*out = NULL;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, "%s", path);
	if (S_ISSOCK(st.st_mode))
		return 0; /* not a file that an image can hold */
	n = arena_new(&t->arena, struct tree_node);
	n->name = arena_strdup(&t->arena, name);
	n->parent = dir;
	n->tree = t;
	set_stat(n, &st);
	n->hidden = t->ignore && ignore_match(t->ignore, path);
	if (S_ISLNK(st.st_mode)) {
		AUTO(buf) struct buf target = BUF_INIT;
		int r = root_read_link(dirfd, name, &target, err);

		if (r < 0)
			return r;
		n->link = arena_strndup(&t->arena, buf_str(&target), target.len);
	} else if (S_ISREG(st.st_mode)) {
		tree_add_file(t, n);
		n->has_digest = t->index && index_find(t->index, n, &n->digest);
	}
	*out = n;
	return 0;
}

static int open_dir(const struct tree *t, const char *path, int *out, struct error *err)
{
	/* the path has no links: it was found by walking; one that appears now is refused */
	int r = root_open(t->fd, ROOT_BENEATH, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
			  out, err);

	return r < 0 ? error_wrap(err, "%s", t->name) : 0;
}

int tree_load(struct tree *t, struct tree_node *dir, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(buf) struct buf path = BUF_INIT;
	AUTO(fd) int fd = -1;
	size_t base;
	int r;

	if (dir->loaded)
		return 0;
	dir->loaded = true;
	tree_path(dir, &path);
	if (dir->hidden && !ignore_may_contain(t->ignore, buf_str(&path)))
		return 0;
	if ((r = open_dir(t, buf_str(&path), &fd, err)) < 0 ||
	    (r = dir_list_read(fd, &list, err)) < 0)
		return r;
	dir->children = arena_alloc(&t->arena, (list.n ? list.n : 1) * sizeof(*dir->children));
	if (path.len)
		buf_addch(&path, '/');
	base = path.len;
	for (size_t i = 0; i < list.n; i++) {
		struct tree_node *n;

		path.len = base;
		buf_addstr(&path, list.items[i].name);
		if ((r = add_node(t, fd, dir, list.items[i].name, buf_str(&path), &n, err)) < 0)
			return r;
		if (n)
			dir->children[dir->n_children++] = n;
	}
	return 0;
}

/* A hidden directory shows if something in it was taken back in. */
static void reveal(struct tree_node *dir)
{
	for (size_t i = 0; i < dir->n_children && dir->hidden; i++)
		if (!dir->children[i]->hidden)
			dir->hidden = false;
}

static int load_all(struct tree *t, struct tree_node *dir, unsigned depth, struct error *err)
{
	int r;

	if (depth > LIMIT_TREE_DEPTH)
		return error_set(err, ERR_LIMIT, "%s: nested too deeply", t->name);
	if ((r = tree_load(t, dir, err)) < 0)
		return r;
	for (size_t i = 0; i < dir->n_children; i++)
		if (S_ISDIR(dir->children[i]->mode) &&
		    (r = load_all(t, dir->children[i], depth + 1, err)) < 0)
			return r;
	reveal(dir);
	return 0;
}

int tree_load_all(struct tree *t, struct tree_node *dir, struct error *err)
{
	return S_ISDIR(dir->mode) ? load_all(t, dir, 0, err) : 0;
}

static struct tree_node *child(const struct tree_node *dir, const char *name, size_t len)
{
	size_t low = 0, high = dir->n_children;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strncmp(dir->children[mid]->name, name, len);

		if (c == 0 && dir->children[mid]->name[len])
			c = 1;
		if (c == 0)
			return dir->children[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Is it there for COPY?  A hidden directory is, when something below it is. */
static int is_visible(struct tree *t, struct tree_node *n, bool *out, struct error *err)
{
	int r = 0;

	if (n->hidden && S_ISDIR(n->mode))
		r = tree_load_all(t, n, err);
	*out = !n->hidden;
	return r;
}

/* Puts the target of a link before what is left of the path. */
static void follow(const struct tree_node *link, struct buf *rest, size_t *pos)
{
	AUTO(buf) struct buf spliced = BUF_INIT;

	buf_addstr(&spliced, link->link);
	buf_addstr(&spliced, buf_str(rest) + *pos);
	buf_reset(rest);
	buf_add(rest, spliced.data, spliced.len);
	*pos = 0;
}

int tree_find(struct tree *t, const char *path, struct tree_node **out,
	      struct tree_node **out_hidden, struct error *err)
{
	AUTO(buf) struct buf rest = BUF_INIT;
	struct tree_node *at = t->top;
	unsigned links = 0;
	size_t pos = 0;
	bool visible;
	int r;

	*out = NULL;
	buf_addstr(&rest, path);
	for (;;) {
		const char *name = buf_str(&rest) + pos + strspn(buf_str(&rest) + pos, "/");
		size_t len = strcspn(name, "/");
		struct tree_node *next;

		pos = (size_t)(name - buf_str(&rest)) + len;
		if (!len)
			break;
		if (len == 1 && *name == '.')
			continue;
		if (len == 2 && !strncmp(name, "..", 2)) {
			at = at->parent ? at->parent : at;
			continue;
		}
		if (!S_ISDIR(at->mode))
			return 0;
		if ((r = tree_load(t, at, err)) < 0)
			return r;
		next = child(at, name, len);
		if (!next) {
			/* a hidden directory without exceptions was not even read */
			if (at->hidden && out_hidden)
				*out_hidden = at;
			return 0;
		}
		if (S_ISLNK(next->mode)) {
			if (++links > LINKS_MAX)
				return error_set(err, ERR_INVALID, "%s: too many links", path);
			if (*next->link == '/')
				at = t->top;
			follow(next, &rest, &pos);
			continue;
		}
		at = next;
	}
	if ((r = is_visible(t, at, &visible, err)) < 0)
		return r;
	if (visible)
		*out = at;
	else if (out_hidden)
		*out_hidden = at;
	return 0;
}

bool tree_same(const struct tree_node *n, const struct stat *st)
{
	struct tree_node now = {0};

	set_stat(&now, st);
	return now.ino == n->ino && now.dev == n->dev && now.size == n->size &&
	       now.mtime_ns == n->mtime_ns && now.ctime_ns == n->ctime_ns;
}

int tree_open_file(const struct tree_node *n, int *out_fd, struct error *err)
{
	const struct tree *t = n->tree;
	AUTO(buf) struct buf path = BUF_INIT;
	AUTO(fd) int fd = -1;
	struct stat st;
	int r;

	tree_path(n, &path);
	r = root_open(t->fd, ROOT_BENEATH, buf_str(&path),
		      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, &fd, err);
	if (r < 0)
		return error_wrap(err, "%s", t->name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !tree_same(n, &st))
		return error_set(err, ERR_CONFLICT, "%s/%s changed during the build", t->name,
				 buf_str(&path));
	*out_fd = take_fd(&fd);
	return 0;
}

/* ---- digests ---- */

/* Kept by COPY: what a file is, not where it lies. */
static bool keeps_attribute(const char *name)
{
	return str_eq(name, "security.capability") || str_starts(name, "user.");
}

void tree_file_digest(const struct digest *bytes, int fd, struct digest *out)
{
	static char names[LIMIT_XATTR_BYTES], value[LIMIT_XATTR_BYTES];
	ssize_t n = flistxattr(fd, names, sizeof(names));
	struct digest plain = *bytes;
	bool any = false;
	struct hasher h;

	*out = plain;
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t size;

		if (!keeps_attribute(names + at))
			continue;
		size = fgetxattr(fd, names + at, value, sizeof(value));
		if (size < 0)
			continue;
		if (!any) {
			hasher_init(&h);
			hasher_add(&h, plain.bytes, sizeof(plain.bytes));
		}
		any = true;
		hasher_add_string(&h, names + at);
		hasher_add_u64(&h, (uint64_t)size);
		hasher_add(&h, value, (size_t)size);
	}
	if (!any)
		return;
	hasher_end(&h, out);
	/* whoever compares two of them can tell the bytes from the attributes (explain_files.c)
	 */
	memcpy(out->bytes, plain.bytes, 8);
}

void tree_set_digest(struct tree *t, struct tree_node *n, const struct digest *d,
		     int64_t hashed_at_ns)
{
	n->digest = *d;
	n->has_digest = true;
	if (t->index)
		index_add(t->index, n, d, hashed_at_ns);
}

static int hash_bytes(int fd, struct digest *out)
{
	enum {
		CHUNK = 128 << 10
	};
	static char data[CHUNK];
	struct hasher h;
	ssize_t n;

	hasher_init(&h);
	while ((n = read(fd, data, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		hasher_add(&h, data, (size_t)n);
	}
	hasher_end(&h, out);
	return 0;
}

static int digest_file(struct tree *t, struct tree_node *n, struct error *err)
{
	int64_t now = clock_now_ns();
	struct digest bytes;
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = tree_open_file(n, &fd, err);

	if (r < 0)
		return r;
	if (hash_bytes(fd, &bytes) < 0)
		return error_sys(err, "cannot read %s", n->name);
	if (fstat(fd, &st) < 0 || !tree_same(n, &st))
		return error_set(err, ERR_CONFLICT, "%s changed during the build", n->name);
	tree_file_digest(&bytes, fd, &bytes);
	tree_set_digest(t, n, &bytes, now);
	return 0;
}

int tree_digest_all(struct tree *t, struct tree_node *n, struct error *err)
{
	int r = 0;

	if (n->hidden)
		return 0;
	if (S_ISREG(n->mode))
		return n->has_digest ? 0 : digest_file(t, n, err);
	for (size_t i = 0; r == 0 && i < n->n_children; i++)
		r = tree_digest_all(t, n->children[i], err);
	return r;
}

bool tree_has_digests(const struct tree_node *n)
{
	if (n->hidden)
		return true;
	if (S_ISREG(n->mode))
		return n->has_digest;
	for (size_t i = 0; i < n->n_children; i++)
		if (!tree_has_digests(n->children[i]))
			return false;
	return true;
}

/* ---- keys ---- */

static void put_node(struct buf *b, const struct tree_node *n, bool owners)
{
	buf_put_string(b, n->name);
	buf_put_u32(b, n->mode);
	if (owners) {
		buf_put_u32(b, n->uid);
		buf_put_u32(b, n->gid);
	}
	if (S_ISREG(n->mode))
		buf_add(b, n->digest.bytes, sizeof(n->digest.bytes));
	else if (S_ISLNK(n->mode))
		buf_put_string(b, n->link);
	else if (S_ISCHR(n->mode) || S_ISBLK(n->mode))
		buf_put_u64(b, n->rdev);
}

static void hash_node(struct hasher *h, struct buf *b, const struct tree_node *n, bool owners)
{
	if (n->hidden)
		return;
	buf_reset(b);
	put_node(b, n, owners);
	hasher_add(h, b->data, b->len);
	if (!S_ISDIR(n->mode))
		return;
	for (size_t i = 0; i < n->n_children; i++)
		hash_node(h, b, n->children[i], owners);
	hasher_add_string(h, NULL); /* the end of this directory */
}

void tree_hash(struct hasher *h, const struct tree_node *n, bool owners)
{
	AUTO(buf) struct buf b = BUF_INIT;

	hash_node(h, &b, n, owners);
}
