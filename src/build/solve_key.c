/* SPDX-License-Identifier: Apache-2.0 */
/* What a vertex is known by, and whether the cache has it. */
#include "build/solve_running.h"

#include "base/mem.h"
#include "build/cache.h"
#include "image/image.h"

#include "base/banned.h"

int running_tree(struct running *r, struct error *err)
{
	const struct copy_spec *c = &r->v->copy;

	return copy_needs_tree(c) ? sources_tree(&r->s->sources, c, &r->tree, err) : 0;
}

static bool find_memo(const struct solve *s, const struct digest *key, struct digest *out)
{
	return store_memo_find(s->store, key, out) ||
	       cache_imports_memo(s->g->imports, key, out);
}

int solve_get_lease(struct solve *s, struct error *err)
{
	return *s->lease ? 0 : lease_new(s->store, s->lease, err);
}

/*
 * Finds the content digest of a COPY, if that is known or worth knowing before
 * the copy is made: reading everything twice pays only when an earlier build
 * did the same step.
 */
static int find_content(struct running *r, struct error *err)
{
	struct solve *s = r->s;
	const struct copy_spec *c = &r->v->copy;
	struct digest memo, ignored;
	int e;

	if (copy_from_layers(c)) {
		step_memo_key(c, &memo);
		r->has_content =
			c->n_files == 0 && !r->v->no_cache && find_memo(s, &memo, &r->content);
		if (r->has_content)
			return 0;
	}
	if ((e = cache_need(s->g, s->lease, c->from, err)) < 0 ||
	    (e = running_tree(r, err)) < 0 ||
	    (e = select_sources(r->tree, c, &r->sources, err)) < 0)
		return e;
	if (!selection_has_digests(&r->sources)) {
		if (r->v->no_cache || !find_memo(s, &r->definition, &ignored))
			return 0;
		if ((e = selection_digest_all(r->tree, &r->sources, err)) < 0)
			return e;
	}
	selection_hash(&r->sources, copy_keeps_owners(c), &r->content);
	r->has_content = true;
	return 0;
}

void running_set_key(struct running *r)
{
	step_key(&r->definition, r->v->kind == VERTEX_COPY ? &r->content : NULL, &r->key);
	r->v->record.key = r->key;
	r->v->record.has_key = true;
	r->v->record.definition = r->definition;
	r->v->record.content = r->content;
	r->v->record.has_content = r->has_content;
}

int running_make_key(struct running *r, struct error *err)
{
	struct solve *s = r->s;
	int e = cache_need_contents(s->g, s->lease, &r->v->run, err);

	if (e < 0 || (e = mounts_content(&s->sources, &r->v->run, err)) < 0)
		return e;
	step_definition(r->s->g, r->v, &r->definition);
	if (r->v->kind == VERTEX_COPY && (e = find_content(r, err)) < 0)
		return e;
	if (r->v->kind != VERTEX_COPY || r->has_content)
		running_set_key(r);
	return 0;
}

/* The same from --cache-from. */
static int try_imports(struct running *r, struct error *err)
{
	struct cache_hit hit;
	int e;

	if (!cache_imports_find(r->s->g->imports, r->s->store, &r->key, r->v->text, &hit))
		return 0;
	if ((e = running_record_memos(r, err)) < 0)
		return e;
	r->v->record.miss = MISS_NONE;
	r->v->record.cache = mem_strdup(hit.from);
	r->v->cached = true;
	vertex_finish(r->v, &hit.diff_id, hit.created_ns);
	return 1;
}

/* 1: done from the cache, 0: must be executed. */
int running_try_cache(struct running *r, struct error *err)
{
	AUTO(store_step) struct store_step step = {0};
	struct store_layer layer;
	int e;

	r->v->record.miss = r->v->no_cache ? MISS_ASKED : MISS_UNKNOWN;
	if (r->v->no_cache || (r->v->kind == VERTEX_COPY && !r->has_content))
		return 0;
	e = store_step_find(r->s->store, &r->key, &step, NULL);
	if (e == -ERR_NOT_FOUND)
		return try_imports(r, err);
	if (e < 0)
		return error_set(err, ERR_SYSTEM, "the build cache cannot be read");
	/* gone with its record just now, perhaps */
	if (r->s->rests &&
	    store_layer_pin(r->s->store, *r->s->lease, &step.diff_id, &layer, NULL) < 0)
		return 0;
	/* a layer that a power cut damaged is dropped with its record: then run the step */
	e = image_layer(r->s->store, &step.diff_id, &layer, NULL);
	if (e < 0) {
		r->v->record.miss = MISS_DAMAGED;
		return 0;
	}
	r->v->record.miss = MISS_NONE;
	r->v->cached = true;
	r->v->content = r->content;
	vertex_finish(r->v, &step.diff_id, step.created_ns);
	return 1;
}
