/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of an image's bytes, and the same as JSON. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_big.h"

#include "base/mem.h"

#include "base/banned.h"

static const char *const wastes[] = {
	[IMAGE_SHADOWED] = "shadowed",
	[IMAGE_DELETED] = "deleted",
	[IMAGE_DUPLICATED] = "duplicated",
};

static char *big_utf8(const char *text)
{
	AUTO(json) json_t *j = json_lossy_string(text);

	return mem_strdup(json_string_value(j));
}

/* TAKES @name. */
static struct big_node *add(struct big_node *to, const char *kind, char *name)
{
	struct big_node *n = mem_new(struct big_node);

	n->kind = kind;
	n->name = name;
	if (to)
		*vec_push(to) = n;
	return n;
}

void big_node_free(struct big_node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++)
		big_node_free(n->items[i]);
	free(n->items);
	free(n->name);
	free(n->why);
	free(n);
}

char *big_waste(const struct image_big *b, const struct image_big_file *f)
{
	AUTO(free) char *other = NULL;

	if (f->waste == IMAGE_USED)
		return NULL;
	if (f->waste != IMAGE_DUPLICATED)
		return mem_printf("%s in layer %zu",
				  f->waste == IMAGE_DELETED ? "deleted" : "replaced",
				  f->by + 1);
	other = big_utf8(b->files.items[f->by].path);
	return mem_printf("the same as /%s", other);
}

static void add_file(const struct image_big *b, struct big_node *to, const char *name,
		     const struct image_big_file *f)
{
	struct big_node *n = add(to, "file", big_utf8(name));

	n->bytes = f->bytes;
	n->wasted = f->waste ? f->bytes : 0;
	n->why = big_waste(b, f);
}

/* Files come in canonical order: a directory that is not the last one is over. */
static struct big_node *directory(struct big_node *in, const char *name, size_t len)
{
	AUTO(free) char *plain = mem_strndup(name, len);
	char *clean = big_utf8(plain);
	struct big_node *last = in->n ? in->items[in->n - 1] : NULL;

	if (last && str_eq(last->kind, "directory") && str_eq(last->name, clean)) {
		free(clean);
		return last;
	}
	return add(in, "directory", clean);
}

static void add_path(const struct image_big *b, struct big_node *layer,
		     const struct image_big_file *f)
{
	struct big_node *at = layer;
	const char *name = f->path, *slash;

	for (; (slash = strchr(name, '/')); name = slash + 1)
		at = directory(at, name, (size_t)(slash - name));
	add_file(b, at, name, f);
}

static void add_packaged(const struct image_big *b, struct big_node *layer,
			 struct big_node **packages, const struct image_big_file *f)
{
	const struct image_big_package *p = &b->packages.items[f->package];
	AUTO(free) char *path = mem_printf("/%s", f->path), *name = NULL;

	if (!packages[f->package]) {
		name = mem_printf("%s %s (%s)", p->name, p->version, p->type);
		packages[f->package] = add(layer, "package", big_utf8(name));
	}
	add_file(b, packages[f->package], path, f);
}

/* A directory with one directory in it and nothing else is one with it. */
static void join(struct big_node *n)
{
	while (str_eq(n->kind, "directory") && n->n == 1 &&
	       str_eq(n->items[0]->kind, "directory")) {
		struct big_node *only = n->items[0];
		char *name = mem_printf("%s/%s", n->name, only->name);

		free(n->name);
		free(n->items);
		n->name = name;
		n->items = only->items;
		n->n = only->n;
		n->cap = only->cap;
		free(only->name);
		free(only);
	}
}

static int by_bytes(const void *a, const void *b)
{
	const struct big_node *x = *(struct big_node *const *)a;
	const struct big_node *y = *(struct big_node *const *)b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void add_up(struct big_node *n)
{
	join(n);
	for (size_t i = 0; i < n->n; i++) {
		add_up(n->items[i]);
		n->bytes += n->items[i]->bytes;
		n->wasted += n->items[i]->wasted;
	}
	if (n->n)
		qsort(n->items, n->n, sizeof(struct big_node *), by_bytes);
}

static char *layer_name(const struct image_big_layer *l, size_t number)
{
	AUTO(free) char *by = big_utf8(l->created_by), *file = NULL;
	const char *slash;

	for (char *c = by; *c; c++)
		if (*c == '\t' || *c == '\n')
			*c = ' ';
	if (!l->line)
		return mem_printf("layer %zu: %s", number, by);
	file = big_utf8(l->dockerfile);
	slash = strrchr(file, '/');
	return mem_printf("layer %zu: %s (%s:%u)", number, by, slash ? slash + 1 : file,
			  l->line);
}

struct big_node *big_tree(const struct image_big *b, const char *name)
{
	struct big_node *tree = add(NULL, "image", big_utf8(name));

	for (size_t i = 0; i < b->layers.n; i++) {
		const struct image_big_layer *l = &b->layers.items[i];
		struct big_node *layer = add(tree, "layer", layer_name(l, i + 1));
		AUTO(free)
		struct big_node **packages =
			mem_zalloc((b->packages.n + 1) * sizeof(*packages));
		struct big_node held = {0};

		for (size_t f = l->first; f < l->first + l->n; f++)
			if (b->files.items[f].package < 0)
				add_path(b, layer, &b->files.items[f]);
		/* apart, so that directories stay last ones while they are filled */
		for (size_t f = l->first; f < l->first + l->n; f++)
			if (b->files.items[f].package >= 0)
				add_packaged(b, &held, packages, &b->files.items[f]);
		for (size_t p = 0; p < held.n; p++)
			*vec_push(layer) = held.items[p];
		free(held.items);
	}
	add_up(tree);
	return tree;
}

/* ---- JSON ---- */

static void set_text(json_t *to, const char *key, const char *text)
{
	json_object_set_new(to, key, json_lossy_string(text));
}

static void set_number(json_t *to, const char *key, uint64_t n)
{
	json_object_set_new(to, key, json_integer((json_int_t)n));
}

static json_t *file_json(const struct image_big *b, const struct image_big_file *f)
{
	AUTO(free) char *path = mem_printf("/%s", f->path), *other = NULL;
	json_t *j = json_object();

	set_text(j, "Path", path);
	set_number(j, "Bytes", f->bytes);
	if (f->package >= 0)
		set_number(j, "Package", (uint64_t)f->package);
	if (!f->waste)
		return j;
	set_text(j, "Waste", wastes[f->waste]);
	if (f->waste != IMAGE_DUPLICATED) {
		set_number(j, "InLayer", f->by + 1);
		return j;
	}
	other = mem_printf("/%s", b->files.items[f->by].path);
	set_text(j, "SameAs", other);
	return j;
}

static json_t *layer_json(const struct image_big *b, const struct image_big_layer *l)
{
	char text[DIGEST_TEXT_SIZE];
	json_t *j = json_object(), *files = json_array();

	set_text(j, "Digest", digest_text(&l->diff_id, text));
	set_text(j, "CreatedBy", l->created_by);
	if (l->line) {
		set_text(j, "Dockerfile", l->dockerfile);
		set_number(j, "Line", l->line);
	}
	set_number(j, "Bytes", l->bytes);
	set_number(j, "Wasted", l->wasted);
	for (size_t f = l->first; f < l->first + l->n; f++)
		json_array_append_new(files, file_json(b, &b->files.items[f]));
	json_object_set_new(j, "Files", files);
	return j;
}

json_t *big_json(const struct image_big *b, const struct digest *id)
{
	char text[DIGEST_TEXT_SIZE];
	json_t *j = json_object(), *layers = json_array(), *packages = json_array();
	json_t *wasted = json_object();

	set_text(j, "Id", digest_text(id, text));
	set_number(j, "Bytes", b->bytes);
	set_number(wasted, "Shadowed", b->wasted[IMAGE_SHADOWED]);
	set_number(wasted, "Deleted", b->wasted[IMAGE_DELETED]);
	set_number(wasted, "Duplicated", b->wasted[IMAGE_DUPLICATED]);
	json_object_set_new(j, "Wasted", wasted);
	for (size_t i = 0; i < b->packages.n; i++) {
		json_t *p = json_object();

		set_text(p, "Type", b->packages.items[i].type);
		set_text(p, "Name", b->packages.items[i].name);
		set_text(p, "Version", b->packages.items[i].version);
		json_array_append_new(packages, p);
	}
	json_object_set_new(j, "Packages", packages);
	for (size_t i = 0; i < b->layers.n; i++)
		json_array_append_new(layers, layer_json(b, &b->layers.items[i]));
	json_object_set_new(j, "Layers", layers);
	return j;
}
