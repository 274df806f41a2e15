/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --exclude and --parents: a COPY's own view of a part of the tree.  Nodes are
 * shared by all COPYs of a build, so what one of them leaves out is left out
 * of a copy of the nodes.
 */
#include "build/tree.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

struct filtering {
	struct tree *t;
	const struct tree_filter *f;
	struct buf path; /* below the top of the view */
};

static bool is_kept(const struct filtering *g)
{
	const char *path = buf_str(&g->path);

	return !(g->f->only && ignore_match(g->f->only, path)) &&
	       !(g->f->exclude && ignore_match(g->f->exclude, path));
}

/* May something below a directory that is not kept be kept? */
static bool may_contain(const struct filtering *g)
{
	const char *path = buf_str(&g->path);

	if (g->f->only && ignore_match(g->f->only, path) &&
	    !ignore_may_contain(g->f->only, path))
		return false;
	return !g->f->exclude || !ignore_match(g->f->exclude, path) ||
	       ignore_may_contain(g->f->exclude, path);
}

static struct tree_node *copy_node(struct tree *t, const struct tree_node *n,
				   struct tree_node *parent)
{
	struct tree_node *copy = arena_new(&t->arena, struct tree_node);

	*copy = *n;
	copy->parent = parent;
	copy->children = NULL;
	copy->n_children = 0;
	if (S_ISREG(copy->mode))
		tree_add_file(t, copy);
	return copy;
}

static int filter_children(struct filtering *g, struct tree_node *from, struct tree_node *to,
			   unsigned depth, struct error *err);

/* *out stays NULL if nothing of @n is kept. */
static int filter_node(struct filtering *g, struct tree_node *n, struct tree_node *parent,
		       unsigned depth, struct tree_node **out, struct error *err)
{
	bool kept = is_kept(g);
	struct tree_node *copy;
	int r;

	*out = NULL;
	if (!S_ISDIR(n->mode)) {
		if (kept && !n->hidden)
			*out = copy_node(g->t, n, parent);
		return 0;
	}
	if (!kept && !may_contain(g))
		return 0;
	copy = copy_node(g->t, n, parent);
	if ((r = filter_children(g, n, copy, depth + 1, err)) < 0)
		return r;
	/* a hidden one shows when something in it was taken back in */
	if (copy->n_children)
		copy->hidden = false;
	if ((kept && !copy->hidden) || copy->n_children)
		*out = copy;
	return 0;
}

static int filter_children(struct filtering *g, struct tree_node *from, struct tree_node *to,
			   unsigned depth, struct error *err)
{
	size_t base = g->path.len;
	int r = tree_load(g->t, from, err);

	if (r < 0)
		return r;
	if (depth > LIMIT_TREE_DEPTH)
		return error_set(err, ERR_LIMIT, "%s: nested too deeply", g->t->name);
	to->children = arena_alloc(&g->t->arena, (from->n_children ? from->n_children : 1) *
							 sizeof(*to->children));
	for (size_t i = 0; r == 0 && i < from->n_children; i++) {
		struct tree_node *copy;

		g->path.len = base;
		if (base)
			buf_addch(&g->path, '/');
		buf_addstr(&g->path, from->children[i]->name);
		r = filter_node(g, from->children[i], to, depth, &copy, err);
		if (copy)
			to->children[to->n_children++] = copy;
	}
	g->path.len = base;
	if (g->path.data)
		g->path.data[base] = 0;
	return r;
}

int tree_filter(struct tree *t, struct tree_node *dir, const struct tree_filter *f,
		struct tree_node **out, struct error *err)
{
	struct filtering g = {.t = t, .f = f, .path = BUF_INIT};
	int r;

	*out = copy_node(t, dir, dir->parent);
	(*out)->hidden = false;
	r = filter_children(&g, dir, *out, 0, err);
	buf_clear(&g.path);
	return r;
}
