/* SPDX-License-Identifier: Apache-2.0 */
#include "build/plan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

void plan_entry_free(void *entry)
{
	struct plan_entry *e = entry;

	free(e->path);
	free(e);
}

void plan_clear(struct plan *p)
{
	map_clear(&p->by_path);
	free(p->items);
	p->items = NULL;
	p->n = 0;
}

/* What the parent has at a real path: its type bits, 0 for nothing. */
static mode_t look_in_view(const struct plan *p, const char *path)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	if (p->view < 0 ||
	    root_open(p->view, ROOT_INSIDE, path, O_PATH | O_NOFOLLOW, 0, &fd, NULL) < 0 ||
	    fstat(fd, &st) < 0)
		return 0;
	return st.st_mode & S_IFMT;
}

static struct plan_entry *add_entry(struct plan *p, const char *path, enum plan_kind kind,
				    bool fresh)
{
	struct plan_entry *e = mem_new(struct plan_entry);

	e->path = mem_strdup(path);
	e->kind = kind;
	e->fresh = fresh;
	e->mtime_sec = p->made_sec;
	map_set(&p->by_path, path, e);
	return e;
}

static bool is_directory(const struct plan_entry *e)
{
	return e->kind == PLAN_EXISTING || e->kind == PLAN_MADE ||
	       (e->kind == PLAN_NODE && S_ISDIR(e->node->mode));
}

static int not_a_directory(const char *path, struct error *err)
{
	return error_set(err, ERR_INVALID, "cannot copy to non-directory: /%s", path);
}

/* One directory of a real path, whose parents are in the plan. */
static int ensure_one(struct plan *p, const char *path, bool parent_fresh,
		      struct plan_entry **out, struct error *err)
{
	struct plan_entry *e = map_get(&p->by_path, path);
	mode_t type;

	if (e) {
		*out = e;
		return is_directory(e) ? 0 : not_a_directory(path, err);
	}
	type = parent_fresh ? 0 : look_in_view(p, path);
	if (type && !S_ISDIR(type))
		return not_a_directory(path, err);
	*out = add_entry(p, path, type ? PLAN_EXISTING : PLAN_MADE, !type);
	return 0;
}

/* A real directory path and all above it; @out_fresh: the last one's. */
static int ensure(struct plan *p, const char *path, bool *out_fresh, struct error *err)
{
	AUTO(free) char *copy = mem_strdup(path);
	bool fresh = p->view < 0;

	for (char *at = copy; *at;) {
		char *end = at + strcspn(at, "/"), c = *end;
		struct plan_entry *e = NULL;
		int r;

		*end = 0;
		if ((r = ensure_one(p, copy, fresh, &e, err)) < 0)
			return r;
		fresh = e->fresh;
		*end = c;
		at = c ? end + 1 : end;
	}
	*out_fresh = fresh;
	return 0;
}

/* The real path of a destination; its type if there is something. */
static int resolve(const struct plan *p, const char *path, struct buf *out, mode_t *out_type,
		   struct error *err)
{
	struct plan_entry *e;
	struct stat st = {0};
	int r;

	if (p->view < 0) {
		AUTO(free) char *clean = root_clean_path(path);

		buf_addstr(out, clean);
	} else if ((r = root_resolve(p->view, path, out, &st, err)) < 0) {
		return r;
	}
	*out_type = st.st_mode & S_IFMT;
	e = map_get(&p->by_path, buf_str(out));
	if (e)
		*out_type = is_directory(e) ? S_IFDIR : S_IFREG;
	if (!out->len)
		*out_type = S_IFDIR;
	return 0;
}

int plan_directory(struct plan *p, const char *path, struct error *err)
{
	AUTO(buf) struct buf real = BUF_INIT;
	mode_t type;
	bool fresh;
	int r = resolve(p, path, &real, &type, err);

	if (r < 0)
		return r;
	if (type && !S_ISDIR(type))
		return error_set(err, ERR_INVALID, "%s: not a directory", path);
	/* an existing one needs no entry: the step makes nothing */
	return type ? 0 : ensure(p, buf_str(&real), &fresh, err);
}

static int check_replace(struct plan *p, const char *path, const struct tree_node *node,
			 bool fresh, mode_t *out_type, struct error *err)
{
	struct plan_entry *e = map_get(&p->by_path, path);
	bool dir = node && S_ISDIR(node->mode);
	mode_t type;

	if (e)
		type = is_directory(e) ? S_IFDIR : S_IFREG;
	else
		type = fresh ? 0 : look_in_view(p, path);
	*out_type = type;
	if (dir && type && !S_ISDIR(type))
		return not_a_directory(path, err);
	if (!dir && S_ISDIR(type))
		return error_set(err, ERR_INVALID, "cannot replace to directory /%s with file",
				 path);
	return 0;
}

static int place(struct plan *p, struct tree_node *node, const char *path, bool parent_fresh,
		 struct error *err);

static int place_children(struct plan *p, struct tree_node *dir, const char *path, bool fresh,
			  struct error *err)
{
	AUTO(buf) struct buf name = BUF_INIT;
	size_t base;
	int r = 0;

	buf_addstr(&name, path);
	if (name.len)
		buf_addch(&name, '/');
	base = name.len;
	for (size_t i = 0; r == 0 && i < dir->n_children; i++) {
		if (dir->children[i]->hidden)
			continue;
		name.len = base;
		buf_addstr(&name, dir->children[i]->name);
		r = place(p, dir->children[i], buf_str(&name), fresh, err);
	}
	return r;
}

/* A node at a real path whose parent is in the plan. */
static int place(struct plan *p, struct tree_node *node, const char *path, bool parent_fresh,
		 struct error *err)
{
	struct plan_entry *e;
	mode_t type;
	int r = check_replace(p, path, node, parent_fresh, &type, err);

	if (r < 0)
		return r;
	e = map_get(&p->by_path, path);
	if (!e)
		e = add_entry(p, path, PLAN_NODE, !type);
	e->kind = PLAN_NODE;
	e->node = node;
	e->file = NULL;
	return S_ISDIR(node->mode) ? place_children(p, node, path, e->fresh, err) : 0;
}

static int place_file(struct plan *p, const struct copy_file *file, const char *path,
		      bool fresh, struct error *err)
{
	struct plan_entry *e;
	mode_t type;
	int r = check_replace(p, path, NULL, fresh, &type, err);

	if (r < 0)
		return r;
	e = map_get(&p->by_path, path);
	if (!e)
		e = add_entry(p, path, PLAN_FILE, !type);
	e->kind = PLAN_FILE;
	e->file = file;
	e->node = NULL;
	return 0;
}

/* The contents of a source directory go into the destination directory. */
static int copy_directory(struct plan *p, struct tree_node *dir, const char *dest,
			  struct error *err)
{
	AUTO(buf) struct buf real = BUF_INIT;
	struct plan_entry *e;
	mode_t type;
	bool fresh;
	int r = resolve(p, dest, &real, &type, err);

	if (r < 0)
		return r;
	if (type && !S_ISDIR(type))
		return not_a_directory(buf_str(&real), err);
	if ((r = ensure(p, buf_str(&real), &fresh, err)) < 0)
		return r;
	e = map_get(&p->by_path, buf_str(&real));
	if (e && e->kind == PLAN_MADE)
		e->mtime_sec = dir->mtime_ns / 1000000000;
	if (e && e->kind == PLAN_MADE && p->keep_top) {
		e->kind = PLAN_NODE;
		e->node = dir;
	}
	return place_children(p, dir, buf_str(&real), fresh, err);
}

/* A file goes into the destination if that is a directory, else becomes it. */
static int copy_file_to(struct plan *p, const struct selected *s, const char *dest,
			struct error *err)
{
	AUTO(free) char *inside = NULL;
	AUTO(free) char *parent = NULL;
	AUTO(buf) struct buf real = BUF_INIT;
	bool slash = str_ends(dest, "/"), fresh;
	char *cut;
	mode_t type;
	int r = resolve(p, dest, &real, &type, err);

	if (r < 0)
		return r;
	if (slash && type && !S_ISDIR(type))
		return not_a_directory(buf_str(&real), err);
	if (slash || S_ISDIR(type)) {
		inside = mem_printf("%s%s%s", buf_str(&real), real.len ? "/" : "", s->name);
		buf_reset(&real);
		buf_addstr(&real, inside);
	}
	parent = mem_strdup(buf_str(&real));
	cut = strrchr(parent, '/');
	*(cut ? cut : parent) = 0;
	if ((r = ensure(p, parent, &fresh, err)) < 0)
		return r;
	return s->node ? place(p, s->node, buf_str(&real), fresh, err)
		       : place_file(p, s->file, buf_str(&real), fresh, err);
}

int plan_copy(struct plan *p, const struct selection *sel, const char *dest, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sel->n; i++) {
		const struct selected *s = &sel->items[i];

		if (s->node && S_ISDIR(s->node->mode))
			r = copy_directory(p, s->node, dest, err);
		else
			r = copy_file_to(p, s, dest, err);
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	return layer_path_compare((*(struct plan_entry *const *)a)->path,
				  (*(struct plan_entry *const *)b)->path);
}

void plan_sort(struct plan *p)
{
	p->items = mem_alloc((p->by_path.live ? p->by_path.live : 1) * sizeof(*p->items));
	p->n = 0;
	map_each (&p->by_path, e)
		p->items[p->n++] = e->value;
	if (p->n > 1)
		qsort(p->items, p->n, sizeof(*p->items), compare);
}
