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
	struct cache_document doc;
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

/* ---- blobs ---- */

/* It was there; if it still is, nobody need pack or send anything. */
static int take_old(const struct push *p, const struct cache_layer *old, struct cache_layer *l,
		    bool *out_taken, struct error *err)
{
	int r = registry_blob_exists(p->registry, &old->blob.digest, out_taken, err);

	if (r == 0 && *out_taken)
		descriptor_copy(&old->blob, &l->blob);
	return r;
}

/* Out of a cache that was taken from, when nobody needed the layer here. */
static int pass_on(const struct push *p, const struct cache_source *from,
		   const struct cache_layer *have, struct cache_layer *l, struct error *err)
{
	const struct reference *to = &p->place->ref, *ref = &from->place.ref;
	bool same = from->place.type == CACHE_REGISTRY && str_eq(to->domain, ref->domain);
	bool there = false;
	AUTO(fd) int fd = -1;
	int r = take_old(p, have, l, &there, err);

	if (r < 0 || there)
		return r;
	if (same && !str_eq(to->path, ref->path))
		r = registry_mount(p->registry, &have->blob.digest, ref->path, &there, err);
	if (r == 0 && !there && (r = cache_source_blob(from, p->g->store, have, &fd, err)) == 0)
		r = image_push_file(p->g->store, p->registry, to, &have->blob, fd, err);
	if (r == 0)
		descriptor_copy(&have->blob, &l->blob);
	return r;
}

static bool is_here(const struct push *p, const struct cache_layer *l)
{
	struct store_layer have;

	return store_layer_find(p->g->store, &l->diff_id, &have, NULL) == 0;
}

static int place_blob(const struct push *p, struct cache_layer *l, bool *out_known,
		      struct error *err)
{
	const struct image_form form = {.compression = p->place->compression,
					.level = p->place->level,
					.force = p->place->force,
					.docker_types = p->place->docker_types};
	const struct cache_layer *old = cache_before(&p->before.doc, p->place, l);
	bool here = is_here(p, l);
	const struct cache_source *from;
	int r = 0;

	*out_known = false;
	/* by force: what others say that a blob is does not count */
	if (old && !(here && form.force) &&
	    ((r = take_old(p, old, l, out_known, err)) < 0 || *out_known))
		return r;
	*out_known = true;
	if (here)
		return image_push_layer(p->g->store, p->registry, &p->place->ref, &l->diff_id,
					&form, &l->blob, err);
	old = cache_imports_layer(p->g->imports, &l->diff_id, &from);
	*out_known = old != NULL;
	return old ? pass_on(p, from, old, l, err) : 0;
}

/* For cache_gather(). */
static int put_blob(void *data, struct cache_layer *l, bool *out_known, struct error *err)
{
	const struct push *p = data;
	const struct reference *ref = &p->place->ref;
	AUTO(free) char *repository = mem_printf("%s/%s", ref->domain, ref->path);
	int64_t started = clock_monotonic_ns();
	int r = place_blob(p, l, out_known, err);

	if (r < 0 || !*out_known)
		return r;
	tell(p, "layer", &l->blob.digest, started);
	return is_here(p, l) ? store_placed_add(p->g->store, &l->diff_id, &l->blob.digest,
						repository, err)
			     : 0;
}

/* For cache_mounts_gather(). */
static int put_file(void *data, struct cache_layer *l, int fd, struct error *err)
{
	const struct push *p = data;
	int64_t started = clock_monotonic_ns();
	int r = image_push_file(p->g->store, p->registry, &p->place->ref, &l->blob, fd, err);

	if (r == 0)
		tell(p, "layer", &l->blob.digest, started);
	return r;
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

static int push(struct push *p, struct error *err)
{
	const struct cache_target to = {.blob = put_blob, .file = put_file, .data = p};
	int r = cache_registry_open(p->place, true, &p->registry, err);

	if (r < 0)
		return r;
	/*
	 * What is not there, or not readable, was not there.  The registry itself is asked:
	 * what a mirror has need not be what the tag is.
	 */
	p->before.place = *p->place;
	if (cache_source_read(&p->before, p->registry, &p->g->platform, NULL) < 0)
		p->before.manifest = (struct digest){0};
	r = cache_gather(p->g, p->place, &to, &p->before.doc, &p->doc, err);
	if (r == 0)
		r = cache_mounts_gather(p->g, p->place, &to, &p->before.doc, &p->doc, err);
	if (r == 0 && !p->doc.layers.n) {
		skip(p);
		return 0;
	}
	return r < 0 ? r : put_manifest(p, err);
}

int cache_push(const struct graph *g, const struct cache_place *place, unsigned task,
	       struct error *err)
{
	struct push p = {.g = g, .place = place, .task = task, .before = CACHE_SOURCE_INIT};
	int r = push(&p, err);

	registry_close(p.registry);
	cache_document_clear(&p.before.doc);
	free(p.before.media_type);
	cache_document_clear(&p.doc);
	return r;
}
