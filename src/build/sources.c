/* SPDX-License-Identifier: Apache-2.0 */
#include "build/sources.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "image/image.h"

#include "base/banned.h"

struct source {
	const struct vertex *of; /* NULL: the build context, or an empty stage */
	bool empty;
	int fd;
	int lock; /* of a git checkout; -1: none */
	struct ignore *ignore;
	struct tree_index *index;
	struct tree *tree;
	struct source *next;
};

/* A directory of the user's: with an ignore file, and worth an index. */
struct place {
	int fd;
	const char *name, *ignore, *ignore_name;
	size_t ignore_len;
};

static int open_directory(struct sources *s, const struct place *p, struct source *src,
			  struct error *err)
{
	struct stat st;
	int r;

	src->fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
	if (src->fd < 0 || fstat(src->fd, &st) < 0)
		return error_sys(err, "%s", p->name);
	if (p->ignore &&
	    (r = ignore_parse(p->ignore, p->ignore_len, p->ignore_name, &src->ignore, err)) < 0)
		return r;
	src->index = index_load(store_dir(s->store, STORE_CACHE), &st);
	if ((r = tree_open(src->fd, p->name, src->ignore, src->index, &src->tree, err)) < 0)
		return r;
	src->tree->ignore_name = p->ignore_name;
	return 0;
}

static int open_context(struct sources *s, struct source *src, struct error *err)
{
	const struct build_options *o = s->o;
	struct place p = {.fd = o->context,
			  .name = o->context_name,
			  .ignore = o->ignore,
			  .ignore_len = o->ignore_len,
			  .ignore_name = o->ignore_name};

	return open_directory(s, &p, src, err);
}

static int open_named(struct sources *s, const struct build_context *c, struct source *src,
		      struct error *err)
{
	struct place p = {.fd = c->dir,
			  .name = c->label,
			  .ignore = c->ignore,
			  .ignore_len = c->ignore_len,
			  .ignore_name = c->ignore_name};

	return open_directory(s, &p, src, err);
}

static int open_layers(struct sources *s, const struct copy_spec *c, struct source *src,
		       struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {.bottom = -1};
	int r = 0;

	if (c->from)
		r = image_stack(s->store, c->from->diff_ids.items, c->from->diff_ids.n, &stack,
				err);
	if (r < 0 || (r = snapshot_view(&stack, &src->fd, err)) < 0)
		return r;
	return tree_open(src->fd, c->from_name, NULL, NULL, &src->tree, err);
}

static struct source *add(struct sources *s, const struct vertex *of, bool empty)
{
	struct source *src = mem_new(struct source);

	*src = (struct source){
		.of = of, .empty = empty, .fd = -1, .lock = -1, .next = s->first};
	s->first = src;
	return src;
}

int sources_open(struct sources *s, struct store *store, const struct build_options *o,
		 struct error *err)
{
	*s = (struct sources){.store = store, .o = o};
	return o->context < 0 ? 0 : open_context(s, add(s, NULL, false), err);
}

int sources_tree(struct sources *s, const struct copy_spec *c, struct tree **out,
		 struct error *err)
{
	bool empty = c->has_from && !c->from;
	struct source *src = s->first;
	int r = 0;

	while (src && (src->of != c->from || src->empty != empty))
		src = src->next;
	if (!src) {
		src = add(s, c->from, empty);
		if (!c->has_from)
			r = open_context(s, src, err);
		else if (c->from && c->from->kind == VERTEX_SOURCE)
			r = open_named(s, c->from->source.context, src, err);
		else
			r = open_layers(s, c, src, err);
	}
	*out = src->tree;
	if (r < 0)
		return r;
	return src->tree ? 0 : error_set(err, ERR_SYSTEM, "the source could not be opened");
}

int sources_checkout(struct sources *s, const struct vertex *v, struct tree **out,
		     struct error *err)
{
	struct source *src = add(s, v, false);
	int r = remote_open_checkout(store_dir(s->store, STORE_CACHE), &v->source.checkout,
				     v->source.git.subdir, &src->fd, &src->lock, err);

	if (r == 0)
		r = tree_open(src->fd, v->text, NULL, NULL, &src->tree, err);
	*out = src->tree;
	return r;
}

void sources_close(struct sources *s)
{
	while (s->first) {
		struct source *src = s->first;

		s->first = src->next;
		if (src->index)
			index_save(src->index, store_dir(s->store, STORE_CACHE));
		index_free(src->index);
		tree_free(src->tree);
		ignore_free(src->ignore);
		close_fd(&src->fd);
		close_fd(&src->lock);
		free(src);
	}
}
