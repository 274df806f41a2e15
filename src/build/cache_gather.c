/* SPDX-License-Identifier: Apache-2.0 */
/* What a build that is done leaves for a cache: its steps, their layers, digests of files. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "build/cache.h"
#include "build/mount.h"
#include "build/step.h"
#include "image/image.h"

#include "base/banned.h"

struct gathering {
	const struct graph *g;
	const struct cache_place *place;
	const struct cache_target *to;
	struct cache_document *doc;
	struct map layers; /* hex of the diff_id -> index + 1 */
	struct map memos;  /* hex of their keys */
};

/* ---- layers ---- */

/* The facts are the store's, or those of the cache that it came from. */
static void measure(const struct gathering *x, struct cache_layer *l)
{
	const struct cache_source *ignored;
	const struct cache_layer *borrowed;
	struct store_layer have;

	if (store_layer_find(x->g->store, &l->diff_id, &have, NULL) == 0) {
		l->content_bytes = have.content_bytes;
		l->tar_bytes = have.tar_bytes;
		l->entries = have.entries;
		l->measured = true;
		return;
	}
	borrowed = cache_imports_layer(x->g->imports, &l->diff_id, &ignored);
	if (!borrowed || !borrowed->measured)
		return;
	l->content_bytes = borrowed->content_bytes;
	l->tar_bytes = borrowed->tar_bytes;
	l->entries = borrowed->entries;
	l->measured = true;
}

static struct cache_layer *add_layer(struct gathering *x, const struct digest *diff_id,
				     size_t *out_index)
{
	char hex[DIGEST_HEX_SIZE];
	size_t known = (size_t)(uintptr_t)map_get(&x->layers, digest_hex(diff_id, hex));
	struct cache_layer *l;

	if (!known) {
		l = vec_push(&x->doc->layers);
		known = x->doc->layers.n;
		map_set(&x->layers, hex, (void *)(uintptr_t)known);
		l->blob = DESCRIPTOR_INIT;
		l->diff_id = *diff_id;
		measure(x, l);
	}
	*out_index = known - 1;
	return &x->doc->layers.items[known - 1];
}

const struct cache_layer *cache_before(const struct cache_document *before,
				       const struct cache_place *p, const struct cache_layer *l)
{
	const char *wanted = p->compression == LAYER_GZIP   ? "gzip"
			     : p->compression == LAYER_ZSTD ? "zstd"
							    : "tar";

	for (size_t i = 0; i < before->layers.n; i++) {
		const struct cache_layer *old = &before->layers.items[i];

		if (old->has_blob && digest_eq(&old->diff_id, &l->diff_id) &&
		    (!p->force || str_ends(old->blob.media_type, wanted)))
			return old;
	}
	return NULL;
}

/* ---- steps ---- */

static void add_memo(struct gathering *x, const struct digest *key, const struct digest *value)
{
	char hex[DIGEST_HEX_SIZE];
	struct cache_memo *memo;

	if (map_has(&x->memos, digest_hex(key, hex)))
		return;
	map_set(&x->memos, hex, NULL);
	memo = vec_push(&x->doc->memos);
	memo->key = *key;
	memo->value = *value;
}

/* What a stage or image held at a place: so that nobody need have its files to know. */
static void add_content(struct gathering *x, const struct copy_spec *files,
			const struct digest *content)
{
	struct digest memo;

	if (!copy_from_layers(files) || files->n_files)
		return;
	step_memo_key(files, &memo);
	add_memo(x, &memo, content);
}

static void add_memos(struct gathering *x, const struct vertex *v)
{
	for (size_t i = 0; i < v->run.n_mounts; i++)
		if (v->run.mounts[i].has_files)
			add_content(x, &v->run.mounts[i].files, &v->run.mounts[i].content);
	if (v->kind != VERTEX_COPY || !v->record.has_content)
		return;
	add_memo(x, &v->record.definition, &v->record.content);
	add_content(x, &v->copy, &v->record.content);
}

/* Of when it ran, here or elsewhere. */
static int64_t duration_of(const struct gathering *x, const struct vertex *v)
{
	AUTO(store_step) struct store_step row = {0};
	const struct cache_step *imported;

	if (v->record.duration_ns)
		return v->record.duration_ns;
	if (store_step_find(x->g->store, &v->record.key, &row, NULL) == 0)
		return row.duration_ns;
	imported = cache_imports_step(x->g->imports, &v->record.key);
	return imported ? imported->duration_ns : 0;
}

/* A step that counted as done may have no files anywhere. */
static int add_step(struct gathering *x, const struct vertex *v, bool with_blob,
		    struct error *err)
{
	struct cache_step *step;
	size_t at;
	struct cache_layer *l = add_layer(x, &v->diff_ids.items[v->diff_ids.n - 1], &at);
	int r = 0;

	if (x->to && with_blob && !l->has_blob)
		r = x->to->blob(x->to->data, l, &l->has_blob, err);
	if (r < 0)
		return r;
	step = vec_push(&x->doc->steps);
	step->key = v->record.key;
	step->layer = at;
	step->created_ns = v->created_ns;
	step->duration_ns = duration_of(x, v);
	add_memos(x, v);
	return 0;
}

static bool in_result(const struct graph *g, const struct vertex *v)
{
	for (const struct vertex *at = g->target->last; at; at = at->parent)
		if (at == v)
			return true;
	return false;
}

static int add_steps(struct gathering *x, struct error *err)
{
	for (size_t i = 0; i < x->g->n; i++) {
		const struct vertex *v = x->g->items[i];
		int r;

		if (!v->record.has_key || v->state != VERTEX_DONE || !v->diff_ids.n)
			continue;
		r = add_step(x, v, x->place->max || in_result(x->g, v), err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what was there ---- */

static void add_before(struct gathering *x, const struct cache_document *before)
{
	AUTO(map) struct map keys = MAP_INIT;
	char hex[DIGEST_HEX_SIZE];

	for (size_t i = 0; i < x->doc->steps.n; i++)
		map_set(&keys, digest_hex(&x->doc->steps.items[i].key, hex), NULL);
	for (size_t i = 0; i < before->steps.n; i++) {
		struct cache_step step = before->steps.items[i];
		const struct cache_layer *old = &before->layers.items[step.layer];
		struct cache_layer *l;

		if (map_has(&keys, digest_hex(&step.key, hex)))
			continue;
		l = add_layer(x, &old->diff_id, &step.layer);
		if (old->has_blob && !l->has_blob) {
			descriptor_copy(&old->blob, &l->blob);
			l->has_blob = true;
		}
		*vec_push(&x->doc->steps) = step;
	}
	for (size_t i = 0; i < before->memos.n; i++)
		add_memo(x, &before->memos.items[i].key, &before->memos.items[i].value);
}

int cache_gather(const struct graph *g, const struct cache_place *p,
		 const struct cache_target *to, const struct cache_document *before,
		 struct cache_document *out, struct error *err)
{
	struct gathering x = {.g = g, .place = p, .to = to, .doc = out};
	int r;

	*out = (struct cache_document){0};
	r = add_steps(&x, err);
	if (r == 0 && before && g->o->adds)
		add_before(&x, before);
	map_clear(&x.layers);
	map_clear(&x.memos);
	return r;
}
