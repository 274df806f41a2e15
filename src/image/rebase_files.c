/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Would the layers of an image be the same if they were made on another base?
 * What they read to be made is not known; what they replaced or deleted is, and
 * that must be the same in both bases.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image_rebase.h"
#include "layer/layer.h"

#include "base/banned.h"

#define BLOCK 65536

/* One name in one tree. */
struct place {
	int tree;
	const char *path;
	bool there;
	struct stat st;
};

struct check {
	int old, new;	 /* views */
	struct map told; /* paths */
	struct strlist *reasons;
};

static int look(int tree, const char *path, struct place *out, struct error *err)
{
	AUTO(error) struct error why = ERROR_INIT;
	AUTO(fd) int fd = -1;
	int r = root_open(tree, ROOT_BENEATH, path, O_PATH | O_NOFOLLOW, 0, &fd, &why);

	*out = (struct place){.tree = tree, .path = path};
	/* a file or a link that leads out, in place of a directory: then it is not there */
	if (r == -ERR_NOT_FOUND || r == -ERR_ESCAPE || why.sys == ENOTDIR || why.sys == ELOOP)
		return 0;
	if (r < 0) {
		error_move(err, &why);
		return r;
	}
	if (fstat(fd, &out->st) < 0)
		return error_sys(err, "%s", path);
	out->there = true;
	return 0;
}

static int open_place(const struct place *p, int *out, struct error *err)
{
	return root_open(p->tree, ROOT_BENEATH, p->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
			 out, err);
}

static int read_link(const struct place *p, struct buf *out, struct error *err)
{
	char name[NAME_MAX + 1];
	AUTO(fd) int parent = -1;
	int r = root_parent(p->tree, ROOT_BENEATH, p->path, &parent, name, err);

	return r < 0 ? r : root_read_link(parent, name, out, err);
}

static int compare_links(const struct place *a, const struct place *b, bool *same,
			 struct error *err)
{
	AUTO(buf) struct buf one = BUF_INIT;
	AUTO(buf) struct buf other = BUF_INIT;
	int r = read_link(a, &one, err);

	if (r < 0 || (r = read_link(b, &other, err)) < 0)
		return r;
	*same = str_eq(buf_str(&one), buf_str(&other));
	return 0;
}

/* Those that images keep, as text, whatever their order. */
static void read_xattrs(int fd, struct strlist *out)
{
	AUTO(free) char *names = mem_alloc(LIMIT_XATTR_BYTES);
	AUTO(free) unsigned char *value = mem_alloc(LIMIT_XATTR_BYTES);
	ssize_t len = flistxattr(fd, names, LIMIT_XATTR_BYTES);

	for (char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
		ssize_t n = fgetxattr(fd, name, value, LIMIT_XATTR_BYTES);
		struct buf text = BUF_INIT;

		if (strstr(name, ".overlay.") || n < 0)
			continue;
		buf_printf(&text, "%s=", name);
		for (ssize_t i = 0; i < n; i++)
			buf_printf(&text, "%02x", value[i]);
		strlist_take(out, buf_steal(&text));
	}
	strlist_sort(out);
}

static bool same_xattrs(int a, int b)
{
	AUTO(strlist) struct strlist one = STRLIST_INIT;
	AUTO(strlist) struct strlist other = STRLIST_INIT;
	bool same;

	read_xattrs(a, &one);
	read_xattrs(b, &other);
	same = one.n == other.n;
	for (size_t i = 0; same && i < one.n; i++)
		same = str_eq(one.items[i], other.items[i]);
	return same;
}

static int compare_bytes(int a, int b, uint64_t size, bool *same, struct error *err)
{
	AUTO(free) char *one = mem_alloc(BLOCK), *other = mem_alloc(BLOCK);

	for (uint64_t at = 0; *same && at < size;) {
		size_t want = size - at < BLOCK ? (size_t)(size - at) : BLOCK;

		if (io_read_full(a, one, want) < 0 || io_read_full(b, other, want) < 0)
			return error_sys(err, "cannot compare files");
		*same = memcmp(one, other, want) == 0;
		at += want;
	}
	return 0;
}

/* Files, and of directories what is not in them. */
static int compare_opened(const struct place *a, const struct place *b, bool *same,
			  struct error *err)
{
	AUTO(fd) int one = -1, other = -1;
	int r = open_place(a, &one, err);

	if (r < 0 || (r = open_place(b, &other, err)) < 0)
		return r;
	*same = same_xattrs(one, other);
	return S_ISREG(a->st.st_mode)
		       ? compare_bytes(one, other, (uint64_t)a->st.st_size, same, err)
		       : 0;
}

static int compare_places(const struct place *a, const struct place *b, bool *same,
			  struct error *err)
{
	const struct stat *x = &a->st, *y = &b->st;

	*same = a->there == b->there;
	if (!*same || !a->there)
		return 0;
	*same = x->st_mode == y->st_mode && x->st_uid == y->st_uid && x->st_gid == y->st_gid &&
		(!S_ISREG(x->st_mode) || x->st_size == y->st_size) &&
		(!(S_ISCHR(x->st_mode) || S_ISBLK(x->st_mode)) || x->st_rdev == y->st_rdev);
	if (*same && S_ISLNK(x->st_mode))
		return compare_links(a, b, same, err);
	if (*same && (S_ISREG(x->st_mode) || S_ISDIR(x->st_mode)))
		return compare_opened(a, b, same, err);
	return 0;
}

/* ---- one entry of a layer ---- */

static const char *what_became(const struct place *old, const struct place *new)
{
	if (!new->there)
		return "the new base has it no more";
	return old->there ? "the new base changed it" : "only the new base has it";
}

/* A whole directory that goes says nothing about what is in it. */
static bool both_directories(const struct place *old, const struct place *new)
{
	return old->there && new->there &&S_ISDIR(old->st.st_mode) && S_ISDIR(new->st.st_mode);
}

static bool is_opaque(const struct layer_entry *e)
{
	for (size_t i = 0; i < e->nxattrs; i++)
		if (str_ends(e->xattrs[i].name, ".overlay.opaque"))
			return true;
	return false;
}

/* A directory of the image where only the new base has one: one in the other. */
static bool merges(const struct layer_entry *e, const struct place *old,
		   const struct place *new)
{
	return !old->there && new->there &&S_ISDIR(e->mode) && S_ISDIR(new->st.st_mode) &&
	       !is_opaque(e) && !e->nxattrs && (e->mode & 07777) == (new->st.st_mode & 07777) &&
	       e->uid == new->st.st_uid && e->gid == new->st.st_gid;
}

static void tell(struct check *c, const char *verb, const char *path, const char *what)
{
	if (map_has(&c->told, path))
		return;
	map_set(&c->told, path, NULL);
	strlist_printf(c->reasons, "the image %s /%s, and %s", verb, path, what);
}

static int check_entry(void *data, const struct layer_entry *e, int fd, struct error *err)
{
	struct check *c = data;
	bool whiteout = S_ISCHR(e->mode) && !e->rdev, same = false;
	struct place old, new;
	int r;

	(void)fd;
	if ((r = look(c->old, e->path, &old, err)) < 0 ||
	    (r = look(c->new, e->path, &new, err)) < 0)
		return r;
	if (whiteout && both_directories(&old, &new))
		return 0;
	if ((r = compare_places(&old, &new, &same, err)) < 0 || same || merges(e, &old, &new))
		return r;
	tell(c,
	     whiteout		? "deletes"
	     : S_ISDIR(e->mode) ? "has its own directory"
				: "replaces",
	     e->path, what_became(&old, &new));
	return 0;
}

static int open_view(struct store *s, const struct image_config *cfg, int *out,
		     struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {.bottom = -1};
	int r = image_stack(s, cfg->diff_ids.items, cfg->diff_ids.n, &stack, err);

	return r < 0 ? r : snapshot_view(&stack, out, err);
}

static int check_layer(struct store *s, const struct digest *diff_id, struct check *c,
		       struct error *err)
{
	struct layer_visitor visitor = {check_entry, c};
	struct store_layer layer;
	AUTO(fd) int fd = -1;
	int r = image_layer(s, diff_id, &layer, err);

	if (r < 0 || (r = store_layer_open(s, layer.dir, &fd, err)) < 0)
		return r;
	return layer_visit(fd, &visitor, err);
}

int rebase_check_files(struct store *s, const struct rebase_configs *c, size_t first,
		       struct strlist *reasons, struct error *err)
{
	struct check check = {.old = -1, .new = -1, .reasons = reasons};
	int r = open_view(s, c->old, &check.old, err);

	if (r == 0)
		r = open_view(s, c->new, &check.new, err);
	for (size_t i = first; r == 0 && i < c->now->diff_ids.n; i++)
		r = check_layer(s, &c->now->diff_ids.items[i], &check, err);
	map_clear(&check.told);
	close_fd(&check.old);
	close_fd(&check.new);
	return r;
}
