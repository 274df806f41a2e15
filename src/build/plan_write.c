/* SPDX-License-Identifier: Apache-2.0 */
/* The plan becomes a layer: each source byte is read once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/chmod.h"
#include "build/plan.h"

#include "base/banned.h"

#define ATTRIBUTES_MAX 64

struct writing {
	const struct plan *p;
	const struct tree *t;
	const struct plan_look *look;
	struct layer_writer *w;
	struct plan_hashed *hashed;
	struct map links; /* "dev:ino" -> path of the first name; borrowed */
	struct layer_xattr xattrs[ATTRIBUTES_MAX];
	struct buf names, values;
};

static int64_t floor_sec(int64_t ns)
{
	return ns >= 0 ? ns / 1000000000 : -((-ns + 999999999) / 1000000000);
}

static int64_t clamp_time(const struct writing *w, int64_t sec)
{
	return w->look->has_latest && sec > w->look->latest_sec ? w->look->latest_sec : sec;
}

static void set_owner(const struct writing *w, struct layer_entry *e,
		      const struct tree_node *node)
{
	if (w->look->has_owner) {
		e->uid = w->look->uid;
		e->gid = w->look->gid;
	} else if (w->look->keep_owner && node) {
		e->uid = node->uid;
		e->gid = node->gid;
	}
}

/* security.capability and user.* of an open file or directory. */
static int read_attributes(struct writing *w, int fd, struct layer_entry *e, struct error *err)
{
	ssize_t n =
		flistxattr(fd, buf_reserve(&w->names, LIMIT_XATTR_BYTES), LIMIT_XATTR_BYTES);
	size_t ends[ATTRIBUTES_MAX];

	buf_reset(&w->values);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(w->names.data + at) + 1) {
		const char *name = w->names.data + at;
		ssize_t size;

		if (!str_eq(name, "security.capability") && !str_starts(name, "user."))
			continue;
		if (str_starts(name, "user.overlay."))
			continue;
		if (e->nxattrs == ATTRIBUTES_MAX)
			return error_set(err, ERR_LIMIT, "%s has too many attributes", e->path);
		size = fgetxattr(fd, name, buf_reserve(&w->values, LIMIT_XATTR_BYTES),
				 LIMIT_XATTR_BYTES);
		if (size < 0)
			return error_sys(err, "%s: cannot read attribute %s", e->path, name);
		w->values.len += (size_t)size;
		ends[e->nxattrs] = w->values.len;
		w->xattrs[e->nxattrs++].name = name;
	}
	for (size_t i = 0; i < e->nxattrs; i++) {
		size_t start = i ? ends[i - 1] : 0;

		w->xattrs[i].value = w->values.data + start;
		w->xattrs[i].size = ends[i] - start;
	}
	e->xattrs = w->xattrs;
	return 0;
}

static int write_existing(struct writing *w, const struct plan_entry *p, struct error *err)
{
	struct layer_entry e = {.path = p->path};
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = root_open(w->p->view, ROOT_INSIDE, p->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
			  0, &fd, err);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_sys(err, "/%s", p->path);
	if ((r = read_attributes(w, fd, &e, err)) < 0)
		return r;
	e.mode = st.st_mode;
	e.uid = st.st_uid;
	e.gid = st.st_gid;
	e.mtime_sec = st.st_mtim.tv_sec;
	return layer_writer_add(w->w, &e, -1, err);
}

static int write_made(struct writing *w, const struct plan_entry *p, struct error *err)
{
	struct layer_entry e = {.path = p->path,
				.mode = S_IFDIR | 0755,
				.mtime_sec = clamp_time(w, p->mtime_sec)};

	set_owner(w, &e, NULL);
	/* as Docker: an octal mode counts here too, less setuid and the like,
	 * and less the umask of its daemon */
	if (w->look->chmod && *w->look->chmod >= '0' && *w->look->chmod <= '7') {
		chmod_apply(w->look->chmod, &e.mode);
		e.mode &= S_IFMT | 0755;
	}
	return layer_writer_add(w->w, &e, -1, err);
}

static void note_hash(struct writing *w, const struct tree_node *n, struct hasher *h, int fd,
		      int64_t started)
{
	struct plan_hashed *to = &w->hashed[n->number];
	struct digest bytes;

	hasher_end(h, &bytes);
	tree_file_digest(&bytes, fd, &to->digest);
	to->hashed_at_ns = started;
}

static int write_bytes(struct writing *w, const struct tree_node *n, struct layer_entry *e,
		       struct error *err)
{
	bool wanted = w->hashed && n->tree == w->t && !n->has_digest &&
		      !w->hashed[n->number].hashed_at_ns;
	int64_t started = wanted ? clock_now_ns() : 0;
	struct hasher hasher;
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = tree_open_file(n, &fd, err);

	if (r < 0 || (r = read_attributes(w, fd, e, err)) < 0)
		return r;
	if (wanted) {
		hasher_init(&hasher);
		e->content = &hasher;
	}
	if ((r = layer_writer_add(w->w, e, fd, err)) < 0)
		return r;
	if (fstat(fd, &st) < 0 || !tree_same(n, &st))
		return error_set(err, ERR_CONFLICT, "%s changed during the build", e->path);
	if (wanted)
		note_hash(w, n, &hasher, fd, started);
	return 0;
}

/* The path of an earlier name of the same file in this layer, or NULL. */
static const char *earlier_name(struct writing *w, const struct tree_node *n, const char *path)
{
	char key[48];
	const char *first;

	if (n->nlink < 2)
		return NULL;
	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)n->dev,
		 (unsigned long long)n->ino);
	first = map_get(&w->links, key);
	if (!first) {
		union {
			const char *in;
			void *out;
		} cast = {.in = path};

		map_set(&w->links, key, cast.out);
	}
	return first;
}

static int write_node(struct writing *w, const struct plan_entry *p, struct error *err)
{
	const struct tree_node *n = p->node;
	struct layer_entry e = {.path = p->path, .mode = n->mode};

	e.mtime_sec = clamp_time(w, floor_sec(n->mtime_ns));
	set_owner(w, &e, n);
	if (w->look->chmod && !S_ISLNK(n->mode))
		chmod_apply(w->look->chmod, &e.mode);
	if (S_ISLNK(n->mode)) {
		e.link = n->link;
	} else if (S_ISCHR(n->mode) || S_ISBLK(n->mode)) {
		e.rdev = n->rdev;
		if (S_ISCHR(n->mode) && n->rdev == makedev(0, 0))
			return 0; /* would hide what is below */
	} else if (S_ISREG(n->mode)) {
		e.size = n->size;
		e.link = earlier_name(w, n, p->path);
		if (!e.link)
			return write_bytes(w, n, &e, err);
	}
	return layer_writer_add(w->w, &e, -1, err);
}

/* As BuildKit: only root may read it, and it is as old as the server said. */
static int write_download(struct writing *w, const struct plan_entry *p, struct error *err)
{
	const struct copy_file *f = p->file;
	struct layer_entry e = {.path = p->path,
				.mode = S_IFREG | 0600,
				.size = f->body.size,
				.mtime_sec = clamp_time(w, f->body.mtime_sec)};
	AUTO(fd) int fd = -1;
	int r = remote_open_body(f->cache, &f->body.digest, &fd, err);

	if (r < 0)
		return r;
	set_owner(w, &e, NULL);
	if (w->look->chmod)
		chmod_apply(w->look->chmod, &e.mode);
	return layer_writer_add(w->w, &e, fd, err);
}

static int write_file(struct writing *w, const struct plan_entry *p, struct error *err)
{
	struct layer_entry e = {.path = p->path,
				.mode = S_IFREG | 0644,
				.size = p->file->len,
				.mtime_sec = clamp_time(w, w->p->made_sec)};

	set_owner(w, &e, NULL);
	if (w->look->chmod)
		chmod_apply(w->look->chmod, &e.mode);
	return layer_writer_add_bytes(w->w, &e, p->file->data, err);
}

static int write_entry(struct writing *w, const struct plan_entry *p, struct error *err)
{
	switch (p->kind) {
	case PLAN_EXISTING:
		return write_existing(w, p, err);
	case PLAN_MADE:
		return write_made(w, p, err);
	case PLAN_NODE:
		return write_node(w, p, err);
	case PLAN_FILE:
		return p->file->data ? write_file(w, p, err) : write_download(w, p, err);
	}
	return error_set(err, ERR_INVALID, "unknown kind of entry");
}

int plan_check_chmod(const char *text, struct error *err)
{
	mode_t mode = S_IFREG | 0644;

	if (chmod_apply(text, &mode))
		return 0;
	error_set(err, ERR_INVALID, "invalid chmod parameter: '%s'", text);
	error_hint(err, "it should be an octal mode between 0 and 07777, or like u=rwx,go=rX");
	return -ERR_INVALID;
}

static uint64_t bytes_of(const struct plan_entry *p)
{
	return p->kind == PLAN_NODE && S_ISREG(p->node->mode) ? p->node->size : 0;
}

static void start_count(const struct plan *p)
{
	uint64_t total = 0;

	for (size_t i = 0; i < p->n; i++)
		total += bytes_of(p->items[i]);
	p->count->total = total;
}

int plan_write(const struct plan *p, const struct tree *t, const struct plan_look *look,
	       int layer_dir, struct plan_hashed *hashed, struct layer_info *out,
	       struct error *err)
{
	struct writing w = {.p = p, .t = t, .look = look, .hashed = hashed, .links = MAP_INIT};
	int r = layer_writer_open(layer_dir, &w.w, err);

	if (p->count)
		start_count(p);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		r = write_entry(&w, p->items[i], err);
		if (p->count)
			p->count->bytes += bytes_of(p->items[i]);
	}
	if (r == 0)
		r = layer_writer_close(w.w, out, err);
	else if (w.w)
		layer_writer_abort(w.w);
	map_clear(&w.links);
	buf_clear(&w.names);
	buf_clear(&w.values);
	return r;
}
