/* SPDX-License-Identifier: Apache-2.0 */
/* --cache-from: records that others have made, and their layers when they are needed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "build/cache.h"
#include "image/image.h"
#include "registry/registry.h"

#include "base/banned.h"

struct import {
	struct cache_source from;
	struct map steps; /* hex of the key -> struct cache_step, borrowed */
	struct map memos; /* hex of the key -> struct cache_memo, borrowed */
	char **hit;	  /* for each step: its title, if it was found in this build */
	bool *bad;	  /* for each layer: do not try it again */
};

struct cache_imports {
	struct import *items;
	size_t n, cap;
	const struct progress *progress;
	unsigned *tasks;   /* borrowed: the last number of a task */
	bool lost;	   /* the last attempt failed for want of a layer */
	bool needs_blobs;  /* a step without a blob had to be given up: none counts any more */
	unsigned attempts; /* given up */
};

static void emit(const struct progress *p, struct progress_event e)
{
	progress_emit(p, &e);
}

static void __attribute__((format(printf, 3, 4)))
warn(const struct cache_imports *c, const struct import *s, const char *fmt, ...)
{
	AUTO(free) char *what = NULL;
	AUTO(free) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = mem_vprintf(fmt, ap);
	va_end(ap);
	text = mem_printf("--cache-from %s: %s", cache_place_name(&s->from.place), what);
	emit(c->progress, (struct progress_event){.kind = PROGRESS_WARNING, .text = text});
}

/* ---- reading them ---- */

static void index_document(struct import *s)
{
	const struct cache_document *doc = &s->from.doc;
	char hex[DIGEST_HEX_SIZE];

	for (size_t i = 0; i < doc->steps.n; i++)
		map_set(&s->steps, digest_hex(&doc->steps.items[i].key, hex),
			&doc->steps.items[i]);
	for (size_t i = 0; i < doc->memos.n; i++)
		map_set(&s->memos, digest_hex(&doc->memos.items[i].key, hex),
			&doc->memos.items[i]);
	s->hit = mem_zalloc((doc->steps.n + 1) * sizeof(*s->hit));
	s->bad = mem_zalloc(doc->layers.n + 1);
}

static void clear_import(struct import *s)
{
	for (size_t i = 0; s->hit && i < s->from.doc.steps.n; i++)
		free(s->hit[i]);
	free(s->hit);
	free(s->bad);
	cache_source_clear(&s->from);
	map_clear(&s->steps);
	map_clear(&s->memos);
}

static void tell_type(const struct cache_imports *c, const struct import *s, unsigned task)
{
	AUTO(free)
	char *text = mem_printf("inferred cache manifest type: %s", s->from.media_type);

	if (s->from.media_type)
		emit(c->progress, (struct progress_event){
					  .kind = PROGRESS_STATUS, .task = task, .text = text});
}

/* A task, as in BuildKit: it may take its time. */
static int read_registry(struct cache_imports *c, struct import *s,
			 const struct platform *platform, unsigned *tasks, struct error *err)
{
	AUTO(free)
	char *title = mem_printf("importing cache manifest from %s", s->from.place.name);
	AUTO(free) char *text = NULL;
	int64_t started = clock_monotonic_ns();
	int r;

	emit(c->progress,
	     (struct progress_event){.kind = PROGRESS_BEGIN, .task = ++*tasks, .text = title});
	if ((r = cache_source_read(&s->from, NULL, platform, err)) < 0)
		text = mem_printf("failed to configure registry cache importer: %s",
				  err->message);
	tell_type(c, s, *tasks);
	emit(c->progress,
	     (struct progress_event){.kind = r < 0 ? PROGRESS_FAILED : PROGRESS_DONE,
				     .task = *tasks,
				     .text = text,
				     .duration_ns = clock_monotonic_ns() - started});
	return r;
}

static int read_import(struct cache_imports *c, struct import *s,
		       const struct platform *platform, unsigned *tasks, struct error *err)
{
	int r;

	if (s->from.place.type == CACHE_REGISTRY)
		return read_registry(c, s, platform, tasks, err);
	if ((r = cache_source_read(&s->from, NULL, platform, err)) < 0)
		warn(c, s, "not used: %s", err->message);
	return r;
}

static int add_import(struct cache_imports *c, const char *value,
		      const struct platform *platform, unsigned *tasks, struct error *err)
{
	AUTO(error) struct error why = ERROR_INIT;
	struct import *s = vec_push(c);
	int r;

	s->from = CACHE_SOURCE_INIT;
	if ((r = cache_place_parse(value, false, &s->from.place, err)) < 0)
		return r;
	if (read_import(c, s, platform, tasks, &why) == 0) {
		index_document(s);
		return 0;
	}
	clear_import(s);
	c->n--;
	return 0;
}

int cache_imports_open(const struct build_options *o, unsigned *tasks,
		       struct cache_imports **out, struct error *err)
{
	AUTO(cache_imports) struct cache_imports *c = NULL;
	AUTO(platform) struct platform platform = PLATFORM_INIT;
	int r = 0;

	*out = NULL;
	if (!o->cache_from || !o->cache_from->n)
		return 0;
	if (o->platform)
		r = platform_parse(o->platform, &platform, err);
	else
		platform_host(&platform);
	c = mem_new(struct cache_imports);
	c->progress = o->progress;
	for (size_t i = 0; r == 0 && i < o->cache_from->n; i++)
		r = add_import(c, o->cache_from->items[i], &platform, tasks, err);
	if (r == 0)
		*out = take_ptr(c);
	return r;
}

static void clear_all(struct cache_imports *c)
{
	for (size_t i = 0; i < c->n; i++)
		clear_import(&c->items[i]);
	c->n = 0;
}

const struct cache_mount *cache_imports_mount(const struct cache_imports *c,
					      const struct digest *key,
					      const struct cache_source **out_source)
{
	for (size_t i = 0; c && i < c->n; i++) {
		const struct cache_source *from = &c->items[i].from;

		for (size_t k = 0; from->place.cache_mounts && k < from->doc.mounts.n; k++) {
			if (!digest_eq(&from->doc.mounts.items[k].key, key))
				continue;
			*out_source = from;
			return &from->doc.mounts.items[k];
		}
	}
	return NULL;
}

void cache_imports_count(struct cache_imports *c, unsigned *tasks)
{
	if (c)
		c->tasks = tasks;
}

void cache_imports_free(struct cache_imports *c)
{
	if (!c)
		return;
	clear_all(c);
	free(c->items);
	free(c);
}

/* ---- finding ---- */

/*
 * Cheap questions only: what its bytes are is asked when they are needed, and a
 * registry not even whether it has them.
 */
static bool layer_usable(struct cache_imports *c, struct import *s, size_t index)
{
	const struct cache_layer *l = &s->from.doc.layers.items[index];
	AUTO(error) struct error why = ERROR_INIT;
	AUTO(fd) int fd = -1;

	if (s->bad[index])
		return false;
	if (!l->has_blob)
		return !c->needs_blobs;
	if (s->from.place.type == CACHE_REGISTRY ||
	    cache_source_blob(&s->from, NULL, l, &fd, &why) == 0)
		return true;
	s->bad[index] = true;
	warn(c, s, "a layer is not used: %s", why.message);
	return false;
}

static int add_row(struct store *store, const struct cache_step *step,
		   const struct cache_layer *layer, const char *title, struct error *err)
{
	struct store_step row = {.key = step->key,
				 .diff_id = layer->diff_id,
				 .created_ns = step->created_ns,
				 .duration_ns = step->duration_ns,
				 .title = (char *)(uintptr_t)title}; /* only read */

	return store_step_add(store, &row, err);
}

static bool find_in(struct cache_imports *c, struct import *s, struct store *store,
		    const char *hex, const char *title, struct cache_hit *out)
{
	const struct cache_document *doc = &s->from.doc;
	const struct cache_step *step = map_get(&s->steps, hex);
	const struct cache_layer *layer;
	struct store_layer have;
	char **hit;

	if (!step)
		return false;
	layer = &doc->layers.items[step->layer];
	if (image_layer(store, &layer->diff_id, &have, NULL) == 0) {
		if (add_row(store, step, layer, title, NULL) < 0)
			return false;
	} else if (!layer_usable(c, s, step->layer)) {
		return false;
	}
	hit = &s->hit[step - doc->steps.items];
	if (!*hit)
		*hit = mem_strdup(title);
	*out = (struct cache_hit){.diff_id = layer->diff_id,
				  .created_ns = step->created_ns,
				  .from = cache_place_name(&s->from.place)};
	return true;
}

bool cache_imports_find(struct cache_imports *c, struct store *s, const struct digest *key,
			const char *title, struct cache_hit *out)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(key, hex);
	for (size_t i = 0; c && i < c->n; i++)
		if (find_in(c, &c->items[i], s, hex, title ? title : "", out))
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

struct bringing {
	struct cache_imports *c;
	struct import *s;
	struct store *store;
	struct lease *lease;
	const size_t *which; /* layers of the document, in the order of the blobs */
	uint64_t *current;   /* as many: bytes that have come */
	uint64_t total;
	size_t n;
};

/*
 * The helper reads the bytes, whatever they are; what came out is proved by the
 * digest of the tar, and by what the directory is now.
 */
static int unpack(const struct bringing *b, const struct cache_layer *l, int blob,
		  struct store_layer *layer, struct error *err)
{
	struct layer_unpack how = {.mode = LAYER_UNPACK_LAYER,
				   .input = blob,
				   .below = "",
				   .limit_bytes = l->measured ? l->content_bytes + 1 : 0};
	struct layer_unpacked unpacked;
	struct layer_info info = {0};
	AUTO(fd) int fd = -1;
	int r;

	if ((r = store_layer_new(b->store, b->lease, layer->dir, err)) < 0 ||
	    (r = store_layer_open(b->store, layer->dir, &fd, err)) < 0)
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

static int add_rows(const struct bringing *b, const struct store_layer *layer,
		    struct error *err)
{
	const struct cache_document *doc = &b->s->from.doc;
	int r = 0;

	for (size_t i = 0; r == 0 && i < doc->steps.n; i++) {
		const struct cache_step *step = &doc->steps.items[i];
		const struct cache_layer *l = &doc->layers.items[step->layer];

		if (b->s->hit[i] && digest_eq(&l->diff_id, &layer->diff_id))
			r = add_row(b->store, step, l, b->s->hit[i], err);
	}
	return r;
}

/* A push to the same registry can have it mounted. */
static int add_place(const struct bringing *b, const struct cache_layer *l, struct error *err)
{
	const struct cache_place *p = &b->s->from.place;
	AUTO(free) char *repository = NULL;

	if (p->type != CACHE_REGISTRY)
		return 0;
	repository = mem_printf("%s/%s", p->ref.domain, p->ref.path);
	return store_placed_add(b->store, &l->diff_id, &l->blob.digest, repository, err);
}

/* With all records that were found for it. */
static int commit(const struct bringing *b, const struct cache_layer *l,
		  struct store_layer *layer, struct error *err)
{
	char made[STORE_LAYER_DIR_SIZE];
	int r = store_begin(b->store, false, err);

	if (r < 0)
		return r;
	memcpy(made, layer->dir, sizeof(made));
	r = store_layer_commit(b->store, layer, err);
	/* somebody else was faster: hold his */
	if (r == 0 && !str_eq(made, layer->dir))
		r = lease_note(b->lease, "layer", layer->dir, err);
	if (r == 0)
		r = add_rows(b, layer, err);
	if (r == 0)
		r = add_place(b, l, err);
	if (r < 0) {
		store_abort(b->store);
		return r;
	}
	return store_commit(b->store, err);
}

/* Nothing else will do better. */
static bool is_fatal(const struct error *err)
{
	return err->code == ERR_CANCELLED || (err->code == ERR_SYSTEM && err->sys == ENOSPC);
}

/* An error for this layer alone is remarked on. */
static int take(void *data, size_t which, int blob, struct error *err)
{
	const struct bringing *b = data;
	size_t index = b->which[which];
	const struct cache_layer *l = &b->s->from.doc.layers.items[index];
	AUTO(error) struct error why = ERROR_INIT;
	struct store_layer layer = {0};
	char text[DIGEST_TEXT_SIZE];
	int r = unpack(b, l, blob, &layer, &why);

	if (r == 0)
		r = commit(b, l, &layer, &why);
	log_debug("build", "cache: layer from %s: %d", cache_place_name(&b->s->from.place), r);
	if (r == 0)
		return 0;
	if (*layer.dir)
		store_layer_discard(b->store, layer.dir, NULL);
	if (is_fatal(&why)) {
		error_move(err, &why);
		return r;
	}
	b->s->bad[index] = true;
	warn(b->c, b->s, "layer %s is not used: %s", digest_text(&l->diff_id, text),
	     why.message);
	return 0;
}

static void give_up(const struct bringing *b, size_t n, const char *why)
{
	for (size_t i = 0; i < n; i++)
		b->s->bad[b->which[i]] = true;
	warn(b->c, b->s, "%s not used: %s", n == 1 ? "a layer is" : "layers are", why);
}

static bool is_there(struct store *store, const struct digest *diff_id)
{
	struct store_layer have;

	return store_layer_find(store, diff_id, &have, NULL) == 0;
}

static void on_bytes(void *data, size_t which, uint64_t current)
{
	const struct bringing *b = data;
	uint64_t sum = 0;

	b->current[which] = current;
	for (size_t i = 0; i < b->n; i++)
		sum += b->current[i];
	progress_tell(b->c->progress, PROGRESS_BYTES, *b->c->tasks, NULL, sum, b->total);
}

/* All at once; if one of them is the trouble, the others one by one. */
static int download(const struct bringing *b, struct registry *registry, size_t n,
		    struct error *err)
{
	AUTO(free)
	const struct descriptor **blobs = mem_zalloc((n + 1) * sizeof(*blobs));
	struct image_blobs want = {.registry = registry,
				   .items = blobs,
				   .n = n,
				   .take = take,
				   .bytes = on_bytes,
				   .data = (void *)(uintptr_t)b};
	AUTO(error) struct error why = ERROR_INIT;
	int r;

	for (size_t i = 0; i < n; i++)
		blobs[i] = &b->s->from.doc.layers.items[b->which[i]].blob;
	r = image_fetch_blobs(b->store, &want, &why);
	if (r < 0 && is_fatal(&why)) {
		error_move(err, &why);
		return r;
	}
	if (r == 0)
		return 0;
	if (n == 1 || (r != -ERR_NOT_FOUND && r != -ERR_CORRUPT)) {
		give_up(b, n, why.message);
		return 0;
	}
	r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct bringing one = *b;

		one.which = &b->which[i];
		one.current = &b->current[i];
		one.n = 1;
		if (!is_there(b->store, &b->s->from.doc.layers.items[*one.which].diff_id) &&
		    !b->s->bad[*one.which])
			r = download(&one, registry, 1, err);
	}
	return r;
}

static int connect_and_download(const struct bringing *b, size_t n, struct error *err)
{
	AUTO(registry) struct registry *registry = NULL;
	AUTO(error) struct error why = ERROR_INIT;
	int r = cache_registry_open(&b->s->from.place, false, &registry, &why);

	if (r == 0)
		return download(b, registry, n, err);
	if (is_fatal(&why)) {
		error_move(err, &why);
		return r;
	}
	give_up(b, n, why.message);
	return 0;
}

/* A task of its own: steps wait for it.  What is not used is told by warnings. */
static int bring_from_registry(struct bringing *b, size_t n, struct error *err)
{
	AUTO(free)
	char *title = mem_printf("importing cache layers from %s", b->s->from.place.name);
	AUTO(free) uint64_t *current = mem_zalloc((n + 1) * sizeof(*current));
	int64_t started = clock_monotonic_ns();
	int r;

	b->current = current;
	b->n = n;
	for (size_t i = 0; i < n; i++)
		b->total += b->s->from.doc.layers.items[b->which[i]].blob.size;
	emit(b->c->progress, (struct progress_event){.kind = PROGRESS_BEGIN,
						     .task = ++*b->c->tasks,
						     .text = title,
						     .total = b->total});
	r = connect_and_download(b, n, err);
	emit(b->c->progress,
	     (struct progress_event){.kind = r < 0 ? PROGRESS_FAILED : PROGRESS_DONE,
				     .task = *b->c->tasks,
				     .text = r < 0 && err ? err->message : NULL,
				     .duration_ns = clock_monotonic_ns() - started});
	return r;
}

static int bring(struct bringing *b, size_t n, struct error *err)
{
	AUTO(error) struct error why = ERROR_INIT;

	if (b->s->from.place.type == CACHE_REGISTRY)
		return bring_from_registry(b, n, err);
	for (size_t i = 0; i < n; i++) {
		struct bringing one = *b;
		AUTO(fd) int fd = -1;
		int r;

		one.which = &b->which[i];
		if (cache_source_blob(&b->s->from, b->store,
				      &b->s->from.doc.layers.items[*one.which], &fd, &why) < 0)
			give_up(&one, 1, why.message);
		else if ((r = take(&one, 0, fd, err)) < 0)
			return r;
		error_clear(&why);
	}
	return 0;
}

static bool is_wanted(const struct digest_list *wanted, const struct digest *diff_id)
{
	for (size_t i = 0; i < wanted->n; i++)
		if (digest_eq(&wanted->items[i], diff_id))
			return true;
	return false;
}

/* What @s has of @wanted and the store has not. */
static int fetch_from(struct cache_imports *c, struct import *s, struct store *store,
		      struct lease *lease, const struct digest_list *wanted, struct error *err)
{
	const struct cache_document *doc = &s->from.doc;
	AUTO(free) size_t *which = mem_zalloc((doc->layers.n + 1) * sizeof(*which));
	AUTO(map) struct map seen = MAP_INIT;
	struct bringing b = {.c = c, .s = s, .store = store, .lease = lease, .which = which};
	char hex[DIGEST_HEX_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < doc->layers.n; i++) {
		const struct cache_layer *l = &doc->layers.items[i];

		if (!l->has_blob || s->bad[i] || !is_wanted(wanted, &l->diff_id) ||
		    map_has(&seen, digest_hex(&l->diff_id, hex)) ||
		    is_there(store, &l->diff_id))
			continue;
		map_set(&seen, hex, NULL);
		which[n++] = i;
	}
	return n ? bring(&b, n, err) : 0;
}

/* Those of @diff_ids that the store has not. */
static int find_missing(struct store *s, const struct digest_list *diff_ids,
			struct digest_list *out, struct error *err)
{
	for (size_t i = 0; i < diff_ids->n; i++) {
		struct store_layer have;
		int r = store_layer_find(s, &diff_ids->items[i], &have, NULL);

		if (r == -ERR_NOT_FOUND)
			*vec_push(out) = diff_ids->items[i];
		else if (r < 0)
			return error_set(err, ERR_SYSTEM, "cannot look up a layer");
	}
	return 0;
}

int cache_imports_fetch(struct cache_imports *c, struct store *s, struct lease *lease,
			const struct digest_list *diff_ids, struct error *err)
{
	struct digest_list missing = {0};
	char text[DIGEST_TEXT_SIZE];
	int r = c ? find_missing(s, diff_ids, &missing, err) : 0;

	for (size_t i = 0; r == 0 && missing.n && i < c->n; i++)
		r = fetch_from(c, &c->items[i], s, lease, &missing, err);
	for (size_t i = 0; r == 0 && i < missing.n; i++) {
		if (is_there(s, &missing.items[i]))
			continue;
		c->lost = true;
		c->needs_blobs = true;
		r = error_set(err, ERR_CORRUPT, "layer %s is in no cache that was given",
			      digest_text(&missing.items[i], text));
	}
	free(missing.items);
	return r;
}

#define ATTEMPTS 8 /* each gives up one layer that lied, or all without a blob */

bool cache_imports_lost(struct cache_imports *c)
{
	if (!c || !c->lost)
		return false;
	c->lost = false;
	if (++c->attempts >= ATTEMPTS)
		clear_all(c);
	return true;
}

const struct cache_step *cache_imports_step(const struct cache_imports *c,
					    const struct digest *key)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(key, hex);
	for (size_t i = 0; c && i < c->n; i++) {
		const struct import *s = &c->items[i];
		const struct cache_step *step = map_get(&s->steps, hex);

		if (step && s->hit[step - s->from.doc.steps.items])
			return step;
	}
	return NULL;
}

const struct cache_layer *cache_imports_layer(const struct cache_imports *c,
					      const struct digest *diff_id,
					      const struct cache_source **out_source)
{
	for (size_t i = 0; c && i < c->n; i++) {
		const struct import *s = &c->items[i];

		for (size_t k = 0; k < s->from.doc.layers.n; k++) {
			const struct cache_layer *l = &s->from.doc.layers.items[k];

			if (!l->has_blob || s->bad[k] || !digest_eq(&l->diff_id, diff_id))
				continue;
			*out_source = &s->from;
			return l;
		}
	}
	return NULL;
}
