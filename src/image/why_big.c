/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of an image are, who brought them, and which of them nobody sees. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image.h"
#include "layer/layer.h"

#include "base/banned.h"

/* One name of the tree as it is after the layers that were read. */
struct node {
	struct map children; /* name -> struct node *, owned */
	long file;	     /* that it is now; -1: none, or no regular one */
	long last;	     /* that it was before; -1 */
};

struct survey {
	struct image_big *big;
	struct node root;
	size_t layer;
	bool packages; /* this layer has a package database */
};

static void node_free(void *p)
{
	struct node *n = p;

	map_clear(&n->children);
	free(n);
}

static void node_init(struct node *n)
{
	*n = (struct node){.children = MAP_INIT_FREE(node_free), .file = -1, .last = -1};
}

static struct node *node_child(struct node *n, const char *name)
{
	struct node *child = map_get(&n->children, name);

	if (child)
		return child;
	child = mem_new(struct node);
	node_init(child);
	map_set(&n->children, name, child);
	return child;
}

/* Made where it is not there yet. */
static struct node *node_at(struct survey *s, const char *path)
{
	struct node *n = &s->root;
	AUTO(free) char *copy = mem_strdup(path);
	char *rest = copy, *name;

	while ((name = strsep(&rest, "/")))
		if (*name)
			n = node_child(n, name);
	return n;
}

static void bury_file(struct survey *s, struct node *n, enum image_waste why)
{
	struct image_big_file *f;

	if (n->file < 0)
		return;
	f = &s->big->files.items[n->file];
	n->last = n->file;
	n->file = -1;
	/* the bytes are there as long as one of its names is */
	if (--f->names)
		return;
	f->waste = why;
	f->by = s->layer;
}

static void bury_below(struct survey *s, struct node *n, enum image_waste why)
{
	map_each (&n->children, e) {
		bury_file(s, e->value, why);
		bury_below(s, e->value, why);
	}
}

static bool is_opaque(const struct layer_entry *e)
{
	for (size_t i = 0; i < e->nxattrs; i++)
		if (str_ends(e->xattrs[i].name, ".overlay.opaque"))
			return true;
	return false;
}

/* An opaque directory deleted it, and this is the same name again. */
static void replace_deleted(struct survey *s, const struct node *n)
{
	struct image_big_file *f;

	if (n->last < 0)
		return;
	f = &s->big->files.items[n->last];
	if (f->waste == IMAGE_DELETED && f->by == s->layer)
		f->waste = IMAGE_SHADOWED;
}

static bool is_database(const char *path)
{
	return str_eq(path, "var/lib/dpkg/status") ||
	       str_starts(path, "var/lib/dpkg/status.d/") ||
	       str_eq(path, "lib/apk/db/installed") || str_eq(path, "usr/lib/apk/db/installed");
}

static void add_file(struct survey *s, struct node *n, const struct layer_entry *e)
{
	struct image_big_file *f;

	if (e->link) {
		n->file = node_at(s, e->link)->file;
		if (n->file >= 0)
			s->big->files.items[n->file].names++;
		return;
	}
	n->file = (long)s->big->files.n;
	f = vec_push(&s->big->files);
	f->path = mem_strdup(e->path);
	f->bytes = e->size;
	f->package = -1;
	f->names = 1;
	s->packages |= is_database(e->path);
}

static int take(void *data, const struct layer_entry *e, int fd, struct error *err)
{
	struct survey *s = data;
	struct node *n = node_at(s, e->path);
	bool whiteout = S_ISCHR(e->mode) && !e->rdev;

	(void)fd;
	(void)err;
	bury_file(s, n, whiteout ? IMAGE_DELETED : IMAGE_SHADOWED);
	if (!S_ISDIR(e->mode))
		bury_below(s, n, whiteout ? IMAGE_DELETED : IMAGE_SHADOWED);
	else if (is_opaque(e))
		bury_below(s, n, IMAGE_DELETED);
	if (!whiteout)
		replace_deleted(s, n);
	if (S_ISREG(e->mode))
		add_file(s, n, e);
	return 0;
}

/* ---- packages ---- */

static long intern(struct image_big *b, struct map *known, const struct image_package *p)
{
	AUTO(free) char *key = mem_printf("%s %s %s", p->type, p->name, p->version);
	struct image_big_package *new;
	uintptr_t at = (uintptr_t)map_get(known, key);

	if (at)
		return (long)at - 1;
	new = vec_push(&b->packages);
	new->type = p->type;
	new->name = mem_strdup(p->name);
	new->version = mem_strdup(p->version);
	map_set(known, key, (void *)b->packages.n); /* 1 and up: 0 is absent */
	return (long)b->packages.n - 1;
}

/* dpkg remembers names from before /bin and /lib became links into /usr. */
static const struct image_package *owner(const struct map *owners, const char *path)
{
	const struct image_package *p = map_get(owners, path);
	AUTO(free) char *merged = NULL;

	if (p)
		return p;
	if (str_starts(path, "usr/"))
		return map_get(owners, path + 4);
	merged = mem_printf("usr/%s", path);
	return map_get(owners, merged);
}

/* What the databases say when this layer is the last. */
static int attribute(struct survey *s, struct store *store, const struct image *i,
		     struct map *known, struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {.bottom = -1};
	AUTO(image_package_list) struct image_package_list list = {0};
	AUTO(map) struct map owners = MAP_INIT;
	const struct image_big_layer *layer = &s->big->layers.items[s->layer];
	AUTO(fd) int view = -1;
	int r = image_stack(store, i->config.diff_ids.items, s->layer + 1, &stack, err);

	if (r < 0 || (r = snapshot_view(&stack, &view, err)) < 0)
		return r;
	image_packages(view, &list);
	for (size_t p = 0; p < list.n; p++)
		for (size_t f = 0; f < list.items[p].files.n; f++)
			map_set(&owners, list.items[p].files.items[f], &list.items[p]);
	for (size_t f = layer->first; f < layer->first + layer->n; f++) {
		struct image_big_file *file = &s->big->files.items[f];
		const struct image_package *p = owner(&owners, file->path);

		if (p)
			file->package = intern(s->big, known, p);
	}
	return 0;
}

/* ---- layers ---- */

static int check_sum(const struct image_big *b, const struct image_big_layer *layer,
		     struct error *err)
{
	char text[DIGEST_TEXT_SIZE];
	uint64_t sum = 0;

	for (size_t f = layer->first; f < layer->first + layer->n; f++)
		sum += b->files.items[f].bytes;
	if (sum == layer->bytes)
		return 0;
	error_set(err, ERR_CORRUPT, "layer %s: its files are not as large as they were",
		  digest_text(&layer->diff_id, text));
	error_hint(err, "`stave system check --repair` removes what is damaged");
	return -ERR_CORRUPT;
}

static int read_layer(struct survey *s, struct store *store, const struct digest *diff_id,
		      struct error *err)
{
	struct layer_visitor visitor = {take, s};
	struct image_big_layer *l = vec_push(&s->big->layers);
	struct store_layer layer;
	AUTO(fd) int fd = -1;
	int r = image_layer(store, diff_id, &layer, err);

	s->packages = false;
	l->diff_id = *diff_id;
	l->created_by = mem_strdup("");
	l->first = s->big->files.n;
	if (r < 0 || (r = store_layer_open(store, layer.dir, &fd, err)) < 0 ||
	    (r = layer_visit(fd, &visitor, err)) < 0)
		return r;
	l->bytes = layer.content_bytes;
	l->n = s->big->files.n - l->first;
	return check_sum(s->big, l, err);
}

static int read_layers(struct store *store, const struct image *i, struct image_big *out,
		       struct error *err)
{
	struct survey s = {.big = out};
	AUTO(map) struct map known = MAP_INIT;
	int r = 0;

	node_init(&s.root);
	for (; r == 0 && s.layer < i->config.diff_ids.n; s.layer++) {
		r = read_layer(&s, store, &i->config.diff_ids.items[s.layer], err);
		if (r == 0 && s.packages)
			r = attribute(&s, store, i, &known, err);
	}
	map_clear(&s.root.children);
	return r;
}

static void name_layers(const struct image *i, struct image_big *out)
{
	size_t layer = 0;

	for (size_t h = 0; h < i->config.history.n && layer < out->layers.n; h++) {
		const struct history *row = &i->config.history.items[h];

		if (row->empty_layer)
			continue;
		free(out->layers.items[layer].created_by);
		out->layers.items[layer++].created_by =
			mem_strdup(!str_empty(row->created_by) ? row->created_by
				   : row->comment	       ? row->comment
							       : "");
	}
}

/* ---- the same content again ---- */

struct candidate {
	uint64_t bytes;
	size_t file, layer;
};

struct candidates {
	struct candidate *items;
	size_t n, cap;
};

static int by_size(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

static int hash_file(struct store *s, const struct image_big *b, const struct candidate *c,
		     struct digest *out, struct error *err)
{
	struct store_layer layer;
	AUTO(fd) int dir = -1, fd = -1;
	char block[65536];
	struct hasher h;
	ssize_t n;
	int r = store_layer_find(s, &b->layers.items[c->layer].diff_id, &layer, err);

	if (r < 0 || (r = store_layer_open(s, layer.dir, &dir, err)) < 0 ||
	    (r = root_open(dir, ROOT_BENEATH, b->files.items[c->file].path,
			   O_RDONLY | O_NOFOLLOW, 0, &fd, err)) < 0)
		return r;
	hasher_init(&h);
	while ((n = read(fd, block, sizeof(block))) > 0)
		hasher_add(&h, block, (size_t)n);
	if (n < 0)
		return error_sys(err, "%s", b->files.items[c->file].path);
	hasher_end(&h, out);
	return 0;
}

/* Of files of one size. */
static int compare_group(struct store *s, struct image_big *b, const struct candidate *items,
			 size_t n, struct error *err)
{
	AUTO(map) struct map first = MAP_INIT; /* digest -> file + 1 */
	char text[DIGEST_TEXT_SIZE];
	struct digest d;

	for (size_t i = 0; i < n; i++) {
		struct image_big_file *f = &b->files.items[items[i].file];
		int r = hash_file(s, b, &items[i], &d, err);
		uintptr_t seen;

		if (r < 0)
			return r;
		digest_text(&d, text);
		seen = (uintptr_t)map_get(&first, text);
		if (!seen) {
			map_set(&first, text, (void *)(uintptr_t)(items[i].file + 1));
			continue;
		}
		f->waste = IMAGE_DUPLICATED;
		f->by = seen - 1;
	}
	return 0;
}

static int find_duplicates(struct store *s, struct image_big *b, struct error *err)
{
	struct candidates c = {0};
	int r = 0;

	for (size_t l = 0; l < b->layers.n; l++)
		for (size_t f = 0; f < b->layers.items[l].n; f++) {
			size_t file = b->layers.items[l].first + f;

			if (b->files.items[file].bytes && !b->files.items[file].waste)
				*vec_push(&c) =
					(struct candidate){b->files.items[file].bytes, file, l};
		}
	if (c.n)
		qsort(c.items, c.n, sizeof(*c.items), by_size);
	for (size_t i = 0, n; r == 0 && i < c.n; i += n) {
		for (n = 1; i + n < c.n && c.items[i + n].bytes == c.items[i].bytes;)
			n++;
		if (n > 1)
			r = compare_group(s, b, c.items + i, n, err);
	}
	free(c.items);
	return r;
}

static void add_up(struct image_big *b)
{
	for (size_t l = 0; l < b->layers.n; l++) {
		struct image_big_layer *layer = &b->layers.items[l];

		b->bytes += layer->bytes;
		for (size_t f = layer->first; f < layer->first + layer->n; f++) {
			const struct image_big_file *file = &b->files.items[f];

			b->wasted[file->waste] += file->bytes;
			if (file->waste)
				layer->wasted += file->bytes;
		}
	}
}

int image_why_big(struct store *s, const struct image *i, struct image_big *out,
		  struct error *err)
{
	int r = read_layers(s, i, out, err);

	if (r < 0 || (r = find_duplicates(s, out, err)) < 0)
		return r;
	name_layers(i, out);
	add_up(out);
	return 0;
}

void image_big_clear(struct image_big *b)
{
	for (size_t i = 0; i < b->layers.n; i++) {
		free(b->layers.items[i].created_by);
		free(b->layers.items[i].dockerfile);
	}
	for (size_t i = 0; i < b->files.n; i++)
		free(b->files.items[i].path);
	for (size_t i = 0; i < b->packages.n; i++) {
		free(b->packages.items[i].name);
		free(b->packages.items[i].version);
	}
	free(b->layers.items);
	free(b->files.items);
	free(b->packages.items);
	*b = (struct image_big){0};
}
