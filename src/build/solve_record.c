/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a vertex that was executed: a layer, a record, digests of files. */
#include "build/solve_running.h"

#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/mem.h"
#include "build/history.h"

#include "base/banned.h"

static void *share(size_t bytes)
{
	void *map =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

int running_share(struct running *r, struct error *err)
{
	r->count = share(sizeof(*r->count));
	if (!r->count)
		return error_sys(err, "no memory to share");
	r->hashed_bytes =
		r->tree && !r->has_content ? r->tree->n_files * sizeof(*r->hashed) : 0;
	if (!r->hashed_bytes)
		return 0;
	r->hashed = share(r->hashed_bytes);
	return r->hashed ? 0 : error_sys(err, "no memory for %zu digests", r->tree->n_files);
}

void running_unshare(struct running *r)
{
	if (r->hashed)
		munmap(r->hashed, r->hashed_bytes);
	if (r->count)
		munmap(r->count, sizeof(*r->count));
}

void vertex_finish(struct vertex *v, const struct digest *diff_id, int64_t created_ns)
{
	if (v->parent)
		for (size_t i = 0; i < v->parent->diff_ids.n; i++)
			*vec_push(&v->diff_ids) = v->parent->diff_ids.items[i];
	if (diff_id)
		*vec_push(&v->diff_ids) = *diff_id;
	if (v->diff_ids.n)
		chain_id_of(v->diff_ids.items, v->diff_ids.n, &v->chain_id);
	v->created_ns = created_ns;
	v->state = VERTEX_DONE;
}

static int64_t stamp(const struct solve *s)
{
	return s->g->o->has_epoch ? s->g->o->epoch_sec * 1000000000 : clock_now_ns();
}

/* The child computed digests of files while it copied them. */
static void take_hashes(struct running *r)
{
	for (size_t i = 0; r->tree && r->hashed && i < r->tree->n_files; i++) {
		struct tree_node *n = r->tree->files[i];

		if (r->hashed[i].hashed_at_ns && !n->has_digest)
			tree_set_digest(r->tree, n, &r->hashed[i].digest,
					r->hashed[i].hashed_at_ns);
	}
}

int running_record_memos(struct running *r, struct error *err)
{
	struct store *store = r->s->store;
	struct digest memo;
	int e;

	if (r->v->kind != VERTEX_COPY)
		return 0;
	if ((e = store_memo_add(store, &r->definition, &r->content, err)) < 0 ||
	    !copy_from_layers(&r->v->copy) || r->v->copy.n_files)
		return e;
	step_memo_key(&r->v->copy, &memo);
	return store_memo_add(store, &memo, &r->content, err);
}

void running_note_inputs(struct running *r)
{
	if (!r->v->record.inputs)
		r->v->record.inputs =
			step_inputs(r->s->g, r->v, r->has_content ? &r->content : NULL);
}

static int record_rows(struct running *r, const struct store_layer *layer, int64_t created,
		       int64_t duration, struct error *err)
{
	struct store_step step = {.key = r->key,
				  .diff_id = layer->diff_id,
				  .created_ns = created,
				  .duration_ns = duration,
				  .title = r->v->text};
	int e;

	running_note_inputs(r);
	step.inputs = r->v->record.inputs;
	e = store_step_add(r->s->store, &step, err);
	return e < 0 ? e : running_record_memos(r, err);
}

int running_record(struct running *r, const struct layer_info *info, int64_t duration,
		   struct error *err)
{
	struct store *store = r->s->store;
	struct store_layer layer = {.diff_id = info->diff_id,
				    .content_bytes = info->content_bytes,
				    .tar_bytes = info->tar_bytes,
				    .entries = info->entries};
	int64_t created = stamp(r->s);
	int e;

	memcpy(layer.dir, r->dir, sizeof(layer.dir));
	if (r->v->kind == VERTEX_COPY && !r->has_content) {
		take_hashes(r);
		/* files of 0 names (replaced by a later source) were not copied: read them */
		if ((e = selection_digest_all(r->tree, &r->sources, err)) < 0)
			return e;
		selection_hash(&r->sources, copy_keeps_owners(&r->v->copy), &r->content);
		r->has_content = true;
		running_set_key(r);
	}
	if (r->v->kind == VERTEX_COPY)
		files_save(store_dir(store, STORE_HISTORY), &r->content, &r->sources,
			   copy_keeps_owners(&r->v->copy));
	if ((e = store_begin(store, false, err)) < 0)
		return e;
	e = store_layer_commit(store, &layer, err);
	/* somebody had made the same: hold his */
	if (e == 0 && !str_eq(layer.dir, r->dir))
		e = lease_note(*r->s->lease, "layer", layer.dir, err);
	if (e == 0)
		e = record_rows(r, &layer, created, duration, err);
	if (e < 0) {
		store_abort(store);
		return e;
	}
	if ((e = store_commit(store, err)) < 0)
		return e;
	r->v->content = r->content;
	vertex_finish(r->v, &layer.diff_id, created);
	return 0;
}
