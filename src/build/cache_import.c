/* SPDX-License-Identifier: Apache-2.0 */
/* --cache-from: records that others have made, and their layers when they are needed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/cache.h"
#include "image/image.h"

#include "base/banned.h"

struct source {
	struct cache_place place;
	int dir;
	struct cache_document doc;
	struct map steps; /* hex of the key -> struct cache_step, borrowed */
	struct map memos; /* hex of the key -> struct cache_memo, borrowed */
	bool *hit;	  /* for each step: it was found in this build */
	bool *bad;	  /* for each layer: do not try it again */
};

struct cache_imports {
	struct source *items;
	size_t n, cap;
	const struct progress *progress;
	bool lost;	   /* the last attempt failed for want of a layer */
	bool needs_blobs;  /* a step without a blob had to be given up: none counts any more */
	unsigned attempts; /* given up */
};

static void __attribute__((format(printf, 3, 4)))
warn(const struct cache_imports *c, const struct source *s, const char *fmt, ...)
{
	AUTO(free) char *what = NULL;
	AUTO(free) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = mem_vprintf(fmt, ap);
	va_end(ap);
	text = mem_printf("--cache-from %s: %s", s->place.dir, what);
	progress_emit(c->progress,
		      &(struct progress_event){.kind = PROGRESS_WARNING, .text = text});
}

/* ---- reading them ---- */

static void index_document(struct source *s)
{
	char hex[DIGEST_HEX_SIZE];

	for (size_t i = 0; i < s->doc.steps.n; i++)
		map_set(&s->steps, digest_hex(&s->doc.steps.items[i].key, hex),
			&s->doc.steps.items[i]);
	for (size_t i = 0; i < s->doc.memos.n; i++)
		map_set(&s->memos, digest_hex(&s->doc.memos.items[i].key, hex),
			&s->doc.memos.items[i]);
	s->hit = mem_zalloc(s->doc.steps.n + 1);
	s->bad = mem_zalloc(s->doc.layers.n + 1);
}

static void clear_source(struct source *s)
{
	cache_place_clear(&s->place);
	cache_document_clear(&s->doc);
	map_clear(&s->steps);
	map_clear(&s->memos);
	free(s->hit);
	free(s->bad);
	close_fd(&s->dir);
}

static int open_source(struct source *s, struct error *err)
{
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	int r;

	/* the user's own path */
	s->dir = open(s->place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return error_sys(err, "%s", s->place.dir);
	if ((r = cache_read(&s->place, s->dir, &s->doc, &m, err)) < 0)
		return r;
	index_document(s);
	return 0;
}

int cache_imports_open(const struct build_options *o, struct cache_imports **out,
		       struct error *err)
{
	AUTO(cache_imports) struct cache_imports *c = NULL;

	*out = NULL;
	if (!o->cache_from || !o->cache_from->n)
		return 0;
	c = mem_new(struct cache_imports);
	c->progress = o->progress;
	for (size_t i = 0; i < o->cache_from->n; i++) {
		AUTO(error) struct error why = ERROR_INIT;
		struct source *s = vec_push(c);
		int r;

		s->dir = -1;
		r = cache_place_parse(o->cache_from->items[i], false, &s->place, err);
		if (r < 0)
			return r;
		if (open_source(s, &why) == 0)
			continue;
		warn(c, s, "not used: %s", why.message);
		clear_source(s);
		c->n--;
	}
	*out = take_ptr(c);
	return 0;
}

void cache_imports_free(struct cache_imports *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		clear_source(&c->items[i]);
	free(c->items);
	free(c);
}

/* ---- finding ---- */

static int open_blob(const struct source *s, const struct cache_layer *l, int *out,
		     struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	AUTO(free) char *path = mem_printf("blobs/sha256/%s", digest_hex(&l->blob.digest, hex));
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = root_open(s->dir, ROOT_BENEATH, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
			  &fd, err);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "blob sha256:%s is not a file", hex);
	if ((uint64_t)st.st_size != l->blob.size)
		return error_set(err, ERR_CORRUPT, "blob sha256:%s has %lld bytes, not %llu",
				 hex, (long long)st.st_size, (unsigned long long)l->blob.size);
	*out = take_fd(&fd);
	return 0;
}

/* Cheap questions only: what its bytes are is asked when they are needed. */
static bool layer_usable(struct cache_imports *c, struct source *s, size_t index)
{
	const struct cache_layer *l = &s->doc.layers.items[index];
	AUTO(error) struct error why = ERROR_INIT;
	AUTO(fd) int fd = -1;

	if (s->bad[index])
		return false;
	if (!l->has_blob)
		return !c->needs_blobs;
	if (open_blob(s, l, &fd, &why) == 0)
		return true;
	s->bad[index] = true;
	warn(c, s, "a layer is not used: %s", why.message);
	return false;
}

static int add_row(struct store *store, const struct cache_step *step,
		   const struct cache_layer *layer, struct error *err)
{
	struct store_step row = {.key = step->key,
				 .diff_id = layer->diff_id,
				 .created_ns = step->created_ns,
				 .duration_ns = step->duration_ns,
				 .title = step->title};

	return store_step_add(store, &row, err);
}

static bool find_in(struct cache_imports *c, struct source *s, struct store *store,
		    const char *hex, struct cache_hit *out)
{
	const struct cache_step *step = map_get(&s->steps, hex);
	const struct cache_layer *layer;
	struct store_layer have;

	if (!step)
		return false;
	layer = &s->doc.layers.items[step->layer];
	if (image_layer(store, &layer->diff_id, &have, NULL) == 0) {
		if (add_row(store, step, layer, NULL) < 0)
			return false;
	} else if (!layer_usable(c, s, step->layer)) {
		return false;
	}
	s->hit[step - s->doc.steps.items] = true;
	*out = (struct cache_hit){.diff_id = layer->diff_id, .created_ns = step->created_ns};
	return true;
}

bool cache_imports_find(struct cache_imports *c, struct store *s, const struct digest *key,
			struct cache_hit *out)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(key, hex);
	for (size_t i = 0; c && i < c->n; i++)
		if (find_in(c, &c->items[i], s, hex, out))
			return true;
	return false;
}

bool cache_imports_memo(const struct cache_imports *c, const struct digest *key,
			struct digest *out)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(key, hex);
	for (size_t i = 0; c && i < c->n; i++) {
		const struct cache_memo *memo = map_get(&c->items[i].memos, hex);

		if (!memo)
			continue;
		*out = memo->value;
		return true;
	}
	return false;
}

/* ---- bringing ---- */

/*
 * The helper reads the bytes, whatever they are; what came out is proved by the
 * digest of the tar, and by what the directory is now.
 */
static int unpack(struct store *store, struct lease *lease, const struct cache_layer *l,
		  int blob, struct store_layer *layer, struct error *err)
{
	struct layer_unpack how = {.mode = LAYER_UNPACK_LAYER,
				   .input = blob,
				   .below = "",
				   .limit_bytes = l->content_bytes + 1};
	struct layer_unpacked unpacked;
	struct layer_info info = {0};
	AUTO(fd) int fd = -1;
	int r;

	if ((r = store_layer_new(store, lease, layer->dir, err)) < 0 ||
	    (r = store_layer_open(store, layer->dir, &fd, err)) < 0)
		return r;
	how.tree = fd;
	if ((r = layer_unpack(&how, &unpacked, err)) < 0)
		return r;
	info = unpacked.tree;
	if (!digest_eq(&unpacked.stream, &l->diff_id) || !digest_eq(&info.diff_id, &l->diff_id))
		return error_set(err, ERR_CORRUPT, "its tar is not what its record says");
	layer->diff_id = l->diff_id;
	layer->content_bytes = info.content_bytes;
	layer->tar_bytes = info.tar_bytes;
	layer->entries = info.entries;
	return 0;
}

/* With all records that were found for it. */
static int commit(struct source *s, struct store *store, struct lease *lease,
		  struct store_layer *layer, struct error *err)
{
	char made[STORE_LAYER_DIR_SIZE];
	int r = store_begin(store, false, err);

	if (r < 0)
		return r;
	memcpy(made, layer->dir, sizeof(made));
	r = store_layer_commit(store, layer, err);
	/* somebody else was faster: hold his */
	if (r == 0 && !str_eq(made, layer->dir))
		r = lease_note(lease, "layer", layer->dir, err);
	for (size_t i = 0; r == 0 && i < s->doc.steps.n; i++) {
		const struct cache_step *step = &s->doc.steps.items[i];
		const struct cache_layer *l = &s->doc.layers.items[step->layer];

		if (s->hit[i] && digest_eq(&l->diff_id, &layer->diff_id))
			r = add_row(store, step, l, err);
	}
	if (r < 0) {
		store_abort(store);
		return r;
	}
	return store_commit(store, err);
}

static int bring(struct source *s, size_t index, struct store *store, struct lease *lease,
		 struct error *err)
{
	const struct cache_layer *l = &s->doc.layers.items[index];
	struct store_layer layer = {0};
	AUTO(fd) int blob = -1;
	int r = open_blob(s, l, &blob, err);

	if (r == 0)
		r = unpack(store, lease, l, blob, &layer, err);
	if (r == 0)
		r = commit(s, store, lease, &layer, err);
	if (r < 0 && *layer.dir)
		store_layer_discard(store, layer.dir, NULL);
	log_debug("build", "cache: layer from %s: %d", s->place.dir, r);
	return r;
}

/* Tries all that say they have it; the last error is the one that is told. */
static int fetch(struct cache_imports *c, struct store *store, struct lease *lease,
		 const struct digest *diff_id, struct error *err)
{
	char text[DIGEST_TEXT_SIZE];

	for (size_t i = 0; i < c->n; i++) {
		struct source *s = &c->items[i];

		for (size_t k = 0; k < s->doc.layers.n; k++) {
			AUTO(error) struct error why = ERROR_INIT;

			if (!digest_eq(&s->doc.layers.items[k].diff_id, diff_id) ||
			    !s->doc.layers.items[k].has_blob || s->bad[k])
				continue;
			if (bring(s, k, store, lease, &why) == 0)
				return 0;
			if (why.code == ERR_SYSTEM && why.sys == ENOSPC) {
				error_move(err, &why);
				return -ERR_SYSTEM;
			}
			s->bad[k] = true;
			warn(c, s, "layer %s is not used: %s", digest_text(diff_id, text),
			     why.message);
		}
	}
	c->lost = true;
	c->needs_blobs = true;
	return error_set(err, ERR_CORRUPT, "layer %s is in no cache that was given",
			 digest_text(diff_id, text));
}

int cache_imports_fetch(struct cache_imports *c, struct store *s, struct lease *lease,
			const struct digest_list *diff_ids, struct error *err)
{
	for (size_t i = 0; c && i < diff_ids->n; i++) {
		struct store_layer have;
		int r = store_layer_find(s, &diff_ids->items[i], &have, NULL);

		if (r == -ERR_NOT_FOUND)
			r = fetch(c, s, lease, &diff_ids->items[i], err);
		else if (r < 0)
			r = error_set(err, ERR_SYSTEM, "cannot look up a layer");
		if (r < 0)
			return r;
	}
	return 0;
}

#define ATTEMPTS 8 /* each gives up one layer that lied, or all without a blob */

bool cache_imports_lost(struct cache_imports *c)
{
	if (!c || !c->lost)
		return false;
	c->lost = false;
	if (++c->attempts < ATTEMPTS)
		return true;
	for (size_t i = 0; i < c->n; i++)
		clear_source(&c->items[i]);
	c->n = 0;
	return true;
}

int cache_imports_blob(const struct cache_imports *c, const struct digest *diff_id,
		       struct cache_layer *out, int *out_fd, struct error *err)
{
	for (size_t i = 0; c && i < c->n; i++) {
		const struct source *s = &c->items[i];

		for (size_t k = 0; k < s->doc.layers.n; k++) {
			const struct cache_layer *l = &s->doc.layers.items[k];

			if (!digest_eq(&l->diff_id, diff_id) || s->bad[k])
				continue;
			*out = *l; /* borrowed */
			if (!l->has_blob)
				return -ERR_NOT_FOUND;
			return open_blob(s, l, out_fd, err);
		}
	}
	return -ERR_NOT_FOUND;
}
