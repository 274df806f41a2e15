/* SPDX-License-Identifier: Apache-2.0 */
/* The document of a cache as JSON, and how it is found in its layout. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "build/cache.h"
#include "build/step.h"
#include "image/image.h"

#include "base/banned.h"

#define CACHE_VERSION	  1
#define BUILDKIT_DOCUMENT "application/vnd.buildkit.cacheconfig.v0"

/* ---- writing ---- */

static void set_digest(json_t *j, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT_SIZE];

	json_object_set_new(j, key, json_string(digest_text(d, text)));
}

static void set_number(json_t *j, const char *key, uint64_t n)
{
	json_object_set_new(j, key, json_integer((json_int_t)n));
}

static json_t *encode_layer(const struct cache_layer *l)
{
	json_t *j = json_object(), *blob;

	set_digest(j, "diffID", &l->diff_id);
	set_number(j, "contentBytes", l->content_bytes);
	set_number(j, "tarBytes", l->tar_bytes);
	set_number(j, "entries", l->entries);
	if (!l->has_blob)
		return j;
	blob = json_object();
	json_object_set_new(blob, "mediaType", json_string(l->blob.media_type));
	set_digest(blob, "digest", &l->blob.digest);
	set_number(blob, "size", l->blob.size);
	json_object_set_new(j, "blob", blob);
	return j;
}

static json_t *encode_step(const struct cache_step *s)
{
	json_t *j = json_object();
	AUTO(buf) struct buf created = BUF_INIT;

	clock_format(s->created_ns, &created);
	set_digest(j, "key", &s->key);
	set_number(j, "layer", s->layer);
	json_object_set_new(j, "created", json_string(buf_str(&created)));
	set_number(j, "duration", (uint64_t)s->duration_ns);
	json_object_set_new(j, "title", json_string(s->title ? s->title : ""));
	return j;
}

void cache_document_encode(const struct cache_document *d, struct buf *out)
{
	AUTO(json) json_t *j = json_object();
	json_t *layers = json_array(), *steps = json_array(), *memos = json_array();

	for (size_t i = 0; i < d->layers.n; i++)
		json_array_append_new(layers, encode_layer(&d->layers.items[i]));
	for (size_t i = 0; i < d->steps.n; i++)
		json_array_append_new(steps, encode_step(&d->steps.items[i]));
	for (size_t i = 0; i < d->memos.n; i++) {
		json_t *memo = json_object();

		set_digest(memo, "key", &d->memos.items[i].key);
		set_digest(memo, "value", &d->memos.items[i].value);
		json_array_append_new(memos, memo);
	}
	json_object_set_new(j, "version", json_integer(CACHE_VERSION));
	json_object_set_new(j, "keys", json_string(STEP_KEY_VERSION));
	json_object_set_new(j, "layers", layers);
	json_object_set_new(j, "steps", steps);
	json_object_set_new(j, "memos", memos);
	json_text(j, out);
}

/* ---- reading ---- */

static int get_digest(const json_t *j, const char *key, struct digest *out, struct error *err)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text && digest_parse(text, out)
		       ? 0
		       : error_set(err, ERR_INVALID, "%s is not a digest", key);
}

static int decode_layer(const json_t *j, struct cache_layer *out, struct error *err)
{
	AUTO(free) char *media_type = NULL;
	json_t *blob = NULL;
	struct digest digest;
	uint64_t size = 0;
	int r;

	out->blob = DESCRIPTOR_INIT;
	if ((r = get_digest(j, "diffID", &out->diff_id, err)) < 0 ||
	    (r = json_get_u64(j, "contentBytes", &out->content_bytes, err)) < 0 ||
	    (r = json_get_u64(j, "tarBytes", &out->tar_bytes, err)) < 0 ||
	    (r = json_get_u64(j, "entries", &out->entries, err)) < 0 ||
	    (r = json_get_object(j, "blob", &blob, err)) < 0 || !blob)
		return r;
	if ((r = get_digest(blob, "digest", &digest, err)) < 0 ||
	    (r = json_get_u64(blob, "size", &size, err)) < 0 ||
	    (r = json_get_string(blob, "mediaType", &media_type, err)) < 0)
		return r;
	if (!media_type || media_kind(media_type) != MEDIA_KIND_LAYER)
		return error_set(err, ERR_INVALID, "mediaType is not that of a layer");
	descriptor_set(&out->blob, media_type, &digest, size);
	out->has_blob = true;
	return 0;
}

static int decode_step(const json_t *j, size_t n_layers, struct cache_step *out,
		       struct error *err)
{
	AUTO(free) char *created = NULL;
	uint64_t layer = n_layers;
	int r;

	if ((r = get_digest(j, "key", &out->key, err)) < 0 ||
	    (r = json_get_u64(j, "layer", &layer, err)) < 0 ||
	    (r = json_get_i64(j, "duration", &out->duration_ns, err)) < 0 ||
	    (r = json_get_string(j, "created", &created, err)) < 0 ||
	    (r = json_get_string(j, "title", &out->title, err)) < 0)
		return r;
	if (layer >= n_layers)
		return error_set(err, ERR_INVALID, "a step has a layer that is not there");
	if (!created || !clock_parse(created, &out->created_ns))
		return error_set(err, ERR_INVALID, "created is not a time");
	if (out->duration_ns < 0)
		return error_set(err, ERR_INVALID, "duration is negative");
	out->layer = (size_t)layer;
	return 0;
}

static int decode_lists(const json_t *j, struct cache_document *out, struct error *err)
{
	json_t *layers = NULL, *steps = NULL, *memos = NULL, *item;
	size_t i;
	int r;

	if ((r = json_get_array(j, "layers", &layers, err)) < 0 ||
	    (r = json_get_array(j, "steps", &steps, err)) < 0 ||
	    (r = json_get_array(j, "memos", &memos, err)) < 0)
		return r;
	json_array_foreach (layers, i, item)
		if ((r = decode_layer(item, vec_push(&out->layers), err)) < 0)
			return r;
	json_array_foreach (steps, i, item)
		if ((r = decode_step(item, out->layers.n, vec_push(&out->steps), err)) < 0)
			return r;
	json_array_foreach (memos, i, item) {
		struct cache_memo *memo = vec_push(&out->memos);

		if ((r = get_digest(item, "key", &memo->key, err)) < 0 ||
		    (r = get_digest(item, "value", &memo->value, err)) < 0)
			return r;
	}
	return 0;
}

int cache_document_decode(const char *data, size_t len, struct cache_document *out,
			  struct error *err)
{
	AUTO(json) json_t *j = NULL;
	const char *keys;
	int r = json_parse(data, len, &j, err);

	*out = (struct cache_document){0};
	if (r < 0)
		return r;
	keys = json_string_value(json_object_get(j, "keys"));
	if (json_integer_value(json_object_get(j, "version")) != CACHE_VERSION ||
	    !str_eq(keys, STEP_KEY_VERSION))
		return error_set(err, ERR_UNSUPPORTED,
				 "it was written by another version of stave");
	if ((r = decode_lists(j, out, err)) < 0)
		cache_document_clear(out);
	return r;
}

void cache_document_clear(struct cache_document *d)
{
	for (size_t i = 0; i < d->layers.n; i++)
		descriptor_clear(&d->layers.items[i].blob);
	for (size_t i = 0; i < d->steps.n; i++)
		free(d->steps.items[i].title);
	free(d->layers.items);
	free(d->steps.items);
	free(d->memos.items);
	*d = (struct cache_document){0};
}

/* ---- in its layout ---- */

static int not_ours(const struct manifest *m, struct error *err)
{
	const char *type = m->config.media_type ? m->config.media_type : "unknown";

	if (str_eq(type, BUILDKIT_DOCUMENT))
		return error_set(err, ERR_UNSUPPORTED,
				 "it was written by BuildKit, whose keys mean nothing here");
	return error_set(err, ERR_UNSUPPORTED, "it is not a build cache (%.100s)", type);
}

static int read_manifest(const struct image_layout *l, const struct descriptor *what,
			 struct manifest *out, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int r = image_layout_blob(l, &what->digest, LIMIT_MANIFEST_BYTES, &text, err);

	if (r < 0)
		return r;
	/* BuildKit's is an index of layers, with the document among them */
	if (media_kind_of(text.data, text.len) == MEDIA_KIND_INDEX)
		return error_set(err, ERR_UNSUPPORTED,
				 "it was not written by stave: its keys mean nothing here");
	return manifest_decode(text.data, text.len, out, err);
}

int cache_read(const struct cache_place *p, int dir, struct cache_document *out,
	       struct manifest *out_manifest, struct error *err)
{
	struct image_layout l = {.dir = dir, .name = p->dir};
	AUTO(descriptor) struct descriptor found = DESCRIPTOR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(free) char *ref = NULL;
	int r;

	*out = (struct cache_document){0};
	*out_manifest = MANIFEST_INIT;
	ref = p->has_digest ? mem_printf("@%s", digest_text(&p->digest, digest))
			    : mem_strdup(p->tag);
	if ((r = image_layout_find(&l, ref, &found, err)) < 0 ||
	    (r = read_manifest(&l, &found, out_manifest, err)) < 0)
		return r;
	if (!str_eq(out_manifest->config.media_type, CACHE_MEDIA))
		return not_ours(out_manifest, err);
	r = image_layout_blob(&l, &out_manifest->config.digest, LIMIT_CONFIG_BYTES, &text, err);
	return r < 0 ? r : cache_document_decode(buf_str(&text), text.len, out, err);
}
