/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache - build caches that travel: --cache-to and --cache-from.
 *
 * type=local is an OCI image layout in a directory of the user's.  Its
 * index.json points, by tag, to a manifest whose config is a document of type
 * CACHE_MEDIA:
 *
 *   {"version": 1, "keys": STEP_KEY_VERSION,
 *    "layers": [{"diffID", "contentBytes", "tarBytes", "entries",
 *                "blob": {"mediaType", "digest", "size"}}],
 *    "steps":  [{"key", "layer": 0, "created", "duration", "title"}],
 *    "memos":  [{"key", "value"}]}
 *
 * A step maps a key to a layer, by its index; a layer is an ordinary blob, or
 * has none (mode=min, steps that the result does not consist of): then the step
 * counts as done for as long as nobody asks for its files.
 *
 * What is read is not believed.  A layer counts when its tar has the diff_id
 * that the record says, and is unpacked only when a step or the image needs
 * its files.  What cannot be used is remarked on and left out.  That a key
 * really gives that layer cannot be verified: who may write into the directory
 * decides what builds with it contain, as he does with a base image.
 */
#pragma once

#include "build/graph.h"
#include "layer/layer.h"

#define CACHE_MEDIA "application/vnd.stave.cache.v1+json"

/* One --cache-to or --cache-from. */
struct cache_place {
	char *dir;
	char *tag;
	struct digest digest; /* of the manifest, instead of a tag */
	bool has_digest;
	bool max; /* mode=max: layers of all steps, not of the result only */
	enum layer_compression compression;
	int level;
	bool force; /* what is there in another compression is packed again */
	bool ignore_error;
};

/* Messages name @option ("--cache-to"). */
int cache_place_parse(const char *text, bool to, struct cache_place *out, struct error *err);
void cache_place_clear(struct cache_place *p);

/* ---- the document ---- */

struct cache_layer {
	struct digest diff_id;
	uint64_t content_bytes, tar_bytes, entries;
	bool has_blob;
	struct descriptor blob;
};

struct cache_step {
	struct digest key;
	size_t layer;
	int64_t created_ns, duration_ns;
	char *title;
};

struct cache_memo {
	struct digest key, value;
};

struct cache_document {
	struct {
		struct cache_layer *items;
		size_t n, cap;
	} layers;
	struct {
		struct cache_step *items;
		size_t n, cap;
	} steps;
	struct {
		struct cache_memo *items;
		size_t n, cap;
	} memos;
};

void cache_document_encode(const struct cache_document *d, struct buf *out);
/* -ERR_UNSUPPORTED: of another version, or made with other keys. */
int cache_document_decode(const char *data, size_t len, struct cache_document *out,
			  struct error *err);
void cache_document_clear(struct cache_document *d);
/* Reads index.json, the manifest and the document that @p means. */
int cache_read(const struct cache_place *p, int dir, struct cache_document *out,
	       struct manifest *out_manifest, struct error *err);

/* ---- taking from one ---- */

struct cache_imports;

struct cache_hit {
	struct digest diff_id;
	int64_t created_ns;
};

/* Sources that cannot be used are remarked on. */
int cache_imports_open(const struct build_options *o, struct cache_imports **out,
		       struct error *err);
/* A record for @key whose layer is there or can be brought. @c may be NULL. */
bool cache_imports_find(struct cache_imports *c, struct store *s, const struct digest *key,
			struct cache_hit *out);
bool cache_imports_memo(const struct cache_imports *c, const struct digest *key,
			struct digest *out);
/*
 * Brings what the store has not of these layers, with the records that were
 * found.  -ERR_CORRUPT: one of them is not what it should be.
 */
int cache_imports_fetch(struct cache_imports *c, struct store *s, struct lease *lease,
			const struct digest_list *diff_ids, struct error *err);
/*
 * After a build that failed: is it worth another try, because a step that
 * counted as done could not be brought?  Then it will not be found again.
 */
bool cache_imports_lost(struct cache_imports *c);
/* The blob of a layer that the store has not: opens it. */
int cache_imports_blob(const struct cache_imports *c, const struct digest *diff_id,
		       struct cache_layer *out, int *out_fd, struct error *err);
void cache_imports_free(struct cache_imports *c);

/* ---- cache_files.c: before files are read.  @lease is made when it is needed ---- */

/* All layers of @v (may be NULL). */
int cache_need(struct graph *g, struct lease **lease, const struct vertex *v,
	       struct error *err);
/* Those that the execution of @v begins with or takes from. */
int cache_need_inputs(struct graph *g, struct lease **lease, const struct vertex *v,
		      struct error *err);
/* Those whose content mounts_content() has to look at. */
int cache_need_contents(struct graph *g, struct lease **lease, const struct run_spec *run,
			struct error *err);

/* ---- writing one ---- */

/* All steps of a build that is done, to @p. */
int cache_export(const struct graph *g, const struct cache_place *p,
		 const struct cache_imports *imports, struct error *err);

static inline void cache_place_auto(struct cache_place *p)
{
	cache_place_clear(p);
}
static inline void cache_document_auto(struct cache_document *d)
{
	cache_document_clear(d);
}
static inline void cache_imports_auto(struct cache_imports **c)
{
	if (*c)
		cache_imports_free(*c);
}
