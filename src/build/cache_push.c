/* SPDX-License-Identifier: Apache-2.0 */
/* --cache-to type=registry: blobs that the repository has not, then the document. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "build/cache.h"
#include "image/image.h"
#include "registry/registry.h"

#include "base/banned.h"

struct push {
	const struct graph *g;
	const struct cache_place *place;
	unsigned task;
	struct registry *registry;
	struct cache_source before; /* what the tag had; its place is borrowed */
	bool *still;		    /* of its layers: whose blobs are there now */
	struct cache_document doc;
	char *repository;
	struct image_uploads *uploads;
	struct sent_list {
		struct {
			struct digest diff_id;
			bool here; /* it is a layer of the store */
			int64_t started_ns;
			const struct cache_layer *have; /* in another cache, with … */
			const struct cache_source *from;
		} * items;
		size_t n, cap;
	} sent; /* as image_uploads_… counts them */
};

static void tell(const struct push *p, const char *what, const struct digest *d,
		 int64_t started_ns)
{
	char digest[DIGEST_TEXT_SIZE];
	AUTO(free) char *text = mem_printf("writing %s %s", what, digest_text(d, digest));

	progress_emit(
		p->g->o->progress,
		&(struct progress_event){.kind = PROGRESS_STATUS,
					 .task = p->task,
					 .text = text,
					 .duration_ns = clock_monotonic_ns() - started_ns});
}

/* ---- blobs on their way ---- */

static void on_bytes(void *data, uint64_t current, uint64_t total)
{
	const struct push *p = data;

	progress_tell(p->g->o->progress, PROGRESS_BYTES, p->task, NULL, current, total);
}

/* The repository has it: whoever pushes the layer to another one can have it mounted. */
static int note(const struct push *p, bool here, const struct digest *diff_id,
		const struct digest *blob, int64_t started_ns, struct error *err)
{
	tell(p, "layer", blob, started_ns);
	return here ? store_placed_add(p->g->store, diff_id, blob, p->repository, err) : 0;
}

static int on_done(void *data, size_t which, const struct digest *blob, struct error *err)
{
	const struct push *p = data;

	return note(p, p->sent.items[which].here, &p->sent.items[which].diff_id, blob,
		    p->sent.items[which].started_ns, err);
}

static int on_open(void *data, size_t which, int *out_fd, struct error *err)
{
	const struct push *p = data;

	return cache_source_blob(p->sent.items[which].from, p->g->store,
				 p->sent.items[which].have, out_fd, err);
}

static void begin_blob(struct push *p, const struct cache_layer *l, bool here,
		       const struct cache_layer *have, const struct cache_source *from)
{
	*vec_push(&p->sent) = (typeof(*p->sent.items)){.diff_id = l->diff_id,
						       .here = here,
						       .started_ns = clock_monotonic_ns(),
						       .have = have,
						       .from = from};
}

/* Out of a cache that was taken from, when nobody needed the layer here. */
static int pass_on(struct push *p, const struct cache_source *from,
		   const struct cache_layer *have, struct cache_layer *l, struct error *err)
{
	bool same = from->place.type == CACHE_REGISTRY &&
		    str_eq(p->place->ref.domain, from->place.ref.domain);

	descriptor_copy(&have->blob, &l->blob);
	begin_blob(p, l, false, have, from);
	return image_uploads_elsewhere(p->uploads, &have->blob,
				       same ? from->place.ref.path : NULL, err);
}

/* For cache_gather(). */
static int put_blob(void *data, struct cache_layer *l, bool *out_known, struct error *err)
{
	struct push *p = data;
	const struct cache_layer *old = cache_before(&p->before.doc, p->place, l);
	const struct cache_source *from;
	struct store_layer have;
	bool here = store_layer_find(p->g->store, &l->diff_id, &have, NULL) == 0;

	*out_known = true;
	/* by force: what others say that a blob is does not count */
	if (old && !(here && p->place->force) && p->still[old - p->before.doc.layers.items]) {
		descriptor_copy(&old->blob, &l->blob);
		return note(p, here, &l->diff_id, &l->blob.digest, clock_monotonic_ns(), err);
	}
	if (here) {
		begin_blob(p, l, true, NULL, NULL);
		return image_uploads_layer(p->uploads, &l->diff_id, &l->blob, err);
	}
	old = cache_imports_layer(p->g->imports, &l->diff_id, &from);
	*out_known = old != NULL;
	return old ? pass_on(p, from, old, l, err) : 0;
}

/* For cache_mounts_gather(). */
static int put_file(void *data, struct cache_layer *l, int fd, struct error *err)
{
	struct push *p = data;

	begin_blob(p, l, false, NULL, NULL);
	return image_uploads_file(p->uploads, &l->blob, fd, err);
}

/* ---- documents ---- */

static int put_config(const struct push *p, const struct buf *text, struct error *err)
{
	int64_t started = clock_monotonic_ns();
	struct digest d;
	bool there = false;
	AUTO(fd) int fd = -1;
	int r;

	digest_of(text->data, text->len, &d);
	if ((r = registry_blob_exists(p->registry, &d, &there, err)) < 0)
		return r;
	if (!there && (r = io_memfd("cache", text->data, text->len, &fd, err)) == 0)
		r = registry_upload(p->registry, &d, text->len, fd, NULL, NULL, err);
	if (r == 0)
		tell(p, "config", &d, started);
	return r;
}

static int put_manifest(const struct push *p, struct error *err)
{
	AUTO(buf) struct buf config = BUF_INIT;
	AUTO(buf) struct buf manifest = BUF_INIT;
	int64_t started = clock_monotonic_ns();
	const char *media_type;
	struct digest d;
	int r;

	cache_document_encode(&p->doc, &config);
	cache_manifest_encode(&p->doc, &config, p->place, &manifest, &media_type);
	digest_of(manifest.data, manifest.len, &d);
	/* the tag has this very one */
	if (!digest_eq(&d, &p->before.manifest) &&
	    ((r = put_config(p, &config, err)) < 0 ||
	     (r = registry_put_manifest(p->registry, p->place->ref.tag, media_type, &manifest,
					&d, err)) < 0))
		return r;
	tell(p, p->place->index ? "cache manifest" : "cache image manifest", &d, started);
	return 0;
}

static void skip(const struct push *p)
{
	progress_emit(
		p->g->o->progress,
		&(struct progress_event){.kind = PROGRESS_STATUS,
					 .task = p->task,
					 .text = "skipping cache export for empty result"});
}

/*
 * What is not there, or not readable, was not there.  The registry itself is asked: what a
 * mirror has need not be what the tag is.
 */
static int read_before(struct push *p, struct error *err)
{
	const struct cache_document *doc = &p->before.doc;
	AUTO(free) const struct digest **blobs = NULL;
	AUTO(free) size_t *layers = NULL;
	AUTO(free) bool *there = NULL;
	size_t n = 0;
	int r;

	p->before.place = *p->place;
	if (cache_source_read(&p->before, p->registry, &p->g->platform, NULL) < 0)
		p->before.manifest = (struct digest){0};
	blobs = mem_zalloc((doc->layers.n + 1) * sizeof(const struct digest *));
	layers = mem_zalloc((doc->layers.n + 1) * sizeof(*layers));
	there = mem_zalloc(doc->layers.n + 1);
	p->still = mem_zalloc(doc->layers.n + 1);
	for (size_t i = 0; i < doc->layers.n; i++)
		if (doc->layers.items[i].has_blob) {
			blobs[n] = &doc->layers.items[i].blob.digest;
			layers[n++] = i;
		}
	r = registry_blobs_exist(p->registry, blobs, n, there, err);
	for (size_t i = 0; i < n; i++)
		p->still[layers[i]] = there[i];
	return r;
}

static int gather(struct push *p, struct error *err)
{
	const struct cache_target to = {.blob = put_blob, .file = put_file, .data = p};
	const struct image_form form = {.compression = p->place->compression,
					.level = p->place->level,
					.force = p->place->force,
					.docker_types = p->place->docker_types};
	const struct image_uploads_watch watch = {
		.bytes = on_bytes, .done = on_done, .open = on_open, .data = p};
	AUTO(image_uploads)
	struct image_uploads *uploads =
		image_uploads_open(p->g->store, p->registry, &p->place->ref, &form, &watch);
	int r;

	p->uploads = uploads;
	if ((r = cache_gather(p->g, p->place, &to, &p->before.doc, &p->doc, err)) < 0 ||
	    (r = cache_mounts_gather(p->g, p->place, &to, &p->before.doc, &p->doc, err)) < 0)
		return r;
	return image_uploads_finish(uploads, err);
}

static int push(struct push *p, struct error *err)
{
	int r = cache_registry_open(p->place, true, &p->registry, err);

	if (r < 0 || (r = read_before(p, err)) < 0 || (r = gather(p, err)) < 0)
		return r;
	if (p->doc.layers.n)
		return put_manifest(p, err);
	skip(p);
	return 0;
}

int cache_push(const struct graph *g, const struct cache_place *place, unsigned task,
	       struct error *err)
{
	const struct reference *ref = &place->ref;
	struct push p = {.g = g,
			 .place = place,
			 .task = task,
			 .before = CACHE_SOURCE_INIT,
			 .repository = mem_printf("%s/%s", ref->domain, ref->path)};
	int r = push(&p, err);

	registry_close(p.registry);
	cache_document_clear(&p.before.doc);
	free(p.before.media_type);
	cache_document_clear(&p.doc);
	free(p.still);
	free(p.sent.items);
	free(p.repository);
	return r;
}
