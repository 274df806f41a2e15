/* SPDX-License-Identifier: Apache-2.0 */
/* The document of a cache as JSON, and the manifest that leads to it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "build/cache.h"
#include "build/step.h"

#include "base/banned.h"

#define OURS	     "stave" /* what BuildKit does not know of and reads past */
#define UNCOMPRESSED "containerd.io/uncompressed"

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

static void set_time(json_t *j, const char *key, int64_t ns)
{
	AUTO(buf) struct buf text = BUF_INIT;

	clock_format(ns, &text);
	json_object_set_new(j, key, json_string(buf_str(&text)));
}

static json_t *encode_layer(const struct cache_layer *l)
{
	json_t *j = json_object(), *annotations = json_object(), *ours = json_object();

	set_digest(j, "blob", &l->blob.digest);
	json_object_set_new(j, "parent", json_integer(-1));
	json_object_set_new(annotations, "mediaType", json_string(l->blob.media_type));
	set_digest(annotations, "diffID", &l->diff_id);
	set_number(annotations, "size", l->blob.size);
	json_object_set_new(j, "annotations", annotations);
	if (l->measured) {
		set_number(ours, "contentBytes", l->content_bytes);
		set_number(ours, "tarBytes", l->tar_bytes);
		set_number(ours, "entries", l->entries);
	}
	json_object_set_new(j, OURS, ours);
	return j;
}

/* @at: the layer's place among those with a blob; -1: it has none. */
static json_t *encode_step(const struct cache_step *s, const struct digest *diff_id, int at)
{
	json_t *j = json_object(), *ours = json_object();

	if (at >= 0) {
		json_t *results = json_array(), *result = json_object();

		set_number(result, "layer", (uint64_t)at);
		set_time(result, "createdAt", s->created_ns);
		json_array_append_new(results, result);
		json_object_set_new(j, "layers", results);
	}
	set_digest(j, "digest", &s->key);
	set_digest(ours, "diffID", diff_id);
	set_time(ours, "createdAt", s->created_ns);
	if (s->duration_ns)
		set_number(ours, "duration", (uint64_t)s->duration_ns);
	json_object_set_new(j, OURS, ours);
	return j;
}

/* @at as for encode_step(), of each layer. */
static json_t *encode_records(const struct cache_document *d, const int *at)
{
	json_t *records = json_array();

	for (size_t i = 0; i < d->steps.n; i++) {
		const struct cache_step *s = &d->steps.items[i];

		json_array_append_new(
			records,
			encode_step(s, &d->layers.items[s->layer].diff_id, at[s->layer]));
	}
	for (size_t i = 0; i < d->memos.n; i++) {
		json_t *j = json_object(), *ours = json_object();

		set_digest(j, "digest", &d->memos.items[i].key);
		set_digest(ours, "content", &d->memos.items[i].value);
		json_object_set_new(j, OURS, ours);
		json_array_append_new(records, j);
	}
	return records;
}

static json_t *encode_mounts(const struct cache_document *d, const int *at)
{
	json_t *mounts = json_array();

	for (size_t i = 0; i < d->mounts.n; i++) {
		const struct cache_mount *m = &d->mounts.items[i];
		json_t *j = json_object();

		set_digest(j, "key", &m->key);
		json_object_set_new(j, "id", json_lossy_string(m->id));
		set_number(j, "layer", (uint64_t)at[m->layer]);
		set_number(j, "mode", m->mode);
		set_number(j, "uid", m->uid);
		set_number(j, "gid", m->gid);
		json_array_append_new(mounts, j);
	}
	return mounts;
}

void cache_document_encode(const struct cache_document *d, struct buf *out)
{
	AUTO(json) json_t *j = json_object();
	AUTO(free) int *at = mem_resize(NULL, d->layers.n + 1, sizeof(*at));
	json_t *layers = json_array(), *ours = json_object();

	for (size_t i = 0; i < d->layers.n; i++) {
		at[i] = d->layers.items[i].has_blob ? (int)json_array_size(layers) : -1;
		if (at[i] >= 0)
			json_array_append_new(layers, encode_layer(&d->layers.items[i]));
	}
	json_object_set_new(j, "layers", layers);
	json_object_set_new(j, "records", encode_records(d, at));
	json_object_set_new(ours, "keys", json_string(STEP_KEY_VERSION));
	if (d->mounts.n)
		json_object_set_new(ours, "mounts", encode_mounts(d, at));
	json_object_set_new(j, OURS, ours);
	json_text(j, out);
}

void cache_records_encode(const struct cache_document *d, const struct digest_list *diff_ids,
			  struct buf *out)
{
	AUTO(free) int *at = mem_resize(NULL, d->layers.n + 1, sizeof(*at));
	AUTO(json) json_t *records = NULL;

	for (size_t i = 0; i < d->layers.n; i++) {
		at[i] = -1;
		for (size_t k = 0; k < diff_ids->n && at[i] < 0; k++)
			if (digest_eq(&diff_ids->items[k], &d->layers.items[i].diff_id))
				at[i] = (int)k;
	}
	records = encode_records(d, at);
	json_text(records, out);
}

void cache_manifest_encode(const struct cache_document *d, const struct buf *config,
			   const struct cache_place *p, struct buf *out,
			   const char **out_media_type)
{
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(index) struct index x = INDEX_INIT;
	struct descriptor_list *layers = p->index ? &x.manifests : &m.layers;
	struct descriptor *document;
	struct digest digest;

	for (size_t i = 0; i < d->layers.n && layers->n < LIMIT_LAYERS; i++) {
		const struct cache_layer *l = &d->layers.items[i];
		struct descriptor *to;
		char text[DIGEST_TEXT_SIZE];

		if (!l->has_blob)
			continue;
		to = descriptor_list_add(layers);
		descriptor_set(to, l->blob.media_type, &l->blob.digest, l->blob.size);
		map_set(&to->annotations, UNCOMPRESSED,
			mem_strdup(digest_text(&l->diff_id, text)));
	}
	digest_of(config->data, config->len, &digest);
	document = p->index ? descriptor_list_add(layers) : &m.config;
	descriptor_set(document, CACHE_MEDIA, &digest, config->len);
	*out_media_type = !p->index	    ? MEDIA_OCI_MANIFEST
			  : p->docker_types ? MEDIA_DOCKER_INDEX
					    : MEDIA_OCI_INDEX;
	m.media_type = mem_strdup(*out_media_type);
	x.media_type = mem_strdup(*out_media_type);
	if (p->index)
		index_encode(&x, out);
	else
		manifest_encode(&m, out);
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
	json_t *annotations = NULL, *ours = NULL;
	struct digest digest;
	uint64_t size = 0;
	int r;

	out->blob = DESCRIPTOR_INIT;
	if ((r = get_digest(j, "blob", &digest, err)) < 0 ||
	    (r = json_get_object(j, "annotations", &annotations, err)) < 0 ||
	    (r = json_get_object(j, OURS, &ours, err)) < 0 ||
	    (r = get_digest(annotations, "diffID", &out->diff_id, err)) < 0 ||
	    (r = json_get_u64(annotations, "size", &size, err)) < 0 ||
	    (r = json_get_string(annotations, "mediaType", &media_type, err)) < 0 ||
	    (r = json_get_u64(ours, "contentBytes", &out->content_bytes, err)) < 0 ||
	    (r = json_get_u64(ours, "tarBytes", &out->tar_bytes, err)) < 0 ||
	    (r = json_get_u64(ours, "entries", &out->entries, err)) < 0)
		return r;
	if (!media_type || media_kind(media_type) != MEDIA_KIND_LAYER)
		return error_set(err, ERR_INVALID, "mediaType is not that of a layer");
	descriptor_set(&out->blob, media_type, &digest, size);
	out->has_blob = true;
	out->measured = json_object_get(ours, "contentBytes") != NULL;
	return 0;
}

/* The layer that a step's record points to, or one without a blob. */
static int find_layer(const json_t *record, const struct digest *diff_id,
		      struct cache_document *out, size_t *out_layer, struct error *err)
{
	json_t *results = NULL;
	uint64_t at = out->layers.n;
	int r = json_get_array(record, "layers", &results, err);

	if (r < 0)
		return r;
	if (!json_array_size(results)) {
		struct cache_layer *l = vec_push(&out->layers);

		l->blob = DESCRIPTOR_INIT;
		l->diff_id = *diff_id;
		*out_layer = out->layers.n - 1;
		return 0;
	}
	if ((r = json_get_u64(json_array_get(results, 0), "layer", &at, err)) < 0)
		return r;
	if (at >= out->layers.n || !digest_eq(&out->layers.items[at].diff_id, diff_id))
		return error_set(err, ERR_INVALID, "a step has a layer that is not there");
	*out_layer = (size_t)at;
	return 0;
}

static int decode_step(const json_t *record, const json_t *ours, struct cache_document *out,
		       struct error *err)
{
	AUTO(free) char *created = NULL;
	struct cache_step step = {0};
	struct digest diff_id;
	int r;

	if ((r = get_digest(record, "digest", &step.key, err)) < 0 ||
	    (r = get_digest(ours, "diffID", &diff_id, err)) < 0 ||
	    (r = json_get_i64(ours, "duration", &step.duration_ns, err)) < 0 ||
	    (r = json_get_string(ours, "createdAt", &created, err)) < 0 ||
	    (r = find_layer(record, &diff_id, out, &step.layer, err)) < 0)
		return r;
	if (!created || !clock_parse(created, &step.created_ns))
		return error_set(err, ERR_INVALID, "createdAt is not a time");
	if (step.duration_ns < 0)
		return error_set(err, ERR_INVALID, "duration is negative");
	*vec_push(&out->steps) = step;
	return 0;
}

static int decode_record(const json_t *record, struct cache_document *out, struct error *err)
{
	struct cache_memo memo;
	json_t *ours = NULL;
	int r = json_get_object(record, OURS, &ours, err);

	if (r < 0 || !ours) /* BuildKit's own */
		return r;
	if (json_object_get(ours, "diffID"))
		return decode_step(record, ours, out, err);
	if ((r = get_digest(record, "digest", &memo.key, err)) < 0 ||
	    (r = get_digest(ours, "content", &memo.value, err)) < 0)
		return r;
	*vec_push(&out->memos) = memo;
	return 0;
}

static int decode_records(const json_t *records, struct cache_document *out, struct error *err)
{
	int r = 0;

	if (json_array_size(records) > LIMIT_CACHE_RECORDS)
		return error_set(err, ERR_LIMIT, "it has more than %u records",
				 LIMIT_CACHE_RECORDS);
	for (size_t i = 0; r == 0 && i < json_array_size(records); i++)
		r = decode_record(json_array_get(records, i), out, err);
	return r;
}

static int decode_mount(const json_t *j, size_t n_layers, struct cache_mount *out,
			struct error *err)
{
	uint64_t layer = n_layers, mode = 0755, uid = 0, gid = 0;
	int r;

	if ((r = get_digest(j, "key", &out->key, err)) < 0 ||
	    (r = json_get_string(j, "id", &out->id, err)) < 0 ||
	    (r = json_get_u64(j, "layer", &layer, err)) < 0 ||
	    (r = json_get_u64(j, "mode", &mode, err)) < 0 ||
	    (r = json_get_u64(j, "uid", &uid, err)) < 0 ||
	    (r = json_get_u64(j, "gid", &gid, err)) < 0)
		return r;
	if (layer >= n_layers || mode > 07777 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return error_set(err, ERR_INVALID, "a cache mount has what cannot be");
	if (!out->id)
		out->id = mem_strdup("");
	out->layer = (size_t)layer;
	out->mode = (mode_t)mode;
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	return 0;
}

static int decode_mounts(const json_t *ours, struct cache_document *out, struct error *err)
{
	json_t *mounts = NULL;
	int r = json_get_array(ours, "mounts", &mounts, err);

	if (r == 0 && json_array_size(mounts) > LIMIT_CACHE_RECORDS)
		return error_set(err, ERR_LIMIT, "it has more than %u cache mounts",
				 LIMIT_CACHE_RECORDS);
	for (size_t i = 0; r == 0 && i < json_array_size(mounts); i++)
		r = decode_mount(json_array_get(mounts, i), out->layers.n,
				 vec_push(&out->mounts), err);
	return r;
}

static int decode_lists(const json_t *j, struct cache_document *out, struct error *err)
{
	json_t *layers = NULL, *records = NULL, *item;
	size_t i;
	int r;

	if ((r = json_get_array(j, "layers", &layers, err)) < 0 ||
	    (r = json_get_array(j, "records", &records, err)) < 0)
		return r;
	if (json_array_size(layers) > LIMIT_CACHE_RECORDS)
		return error_set(err, ERR_LIMIT, "it has more than %u layers",
				 LIMIT_CACHE_RECORDS);
	json_array_foreach (layers, i, item)
		if ((r = decode_layer(item, vec_push(&out->layers), err)) < 0)
			return r;
	/* before the records, which may add layers that have no blob */
	if ((r = decode_mounts(json_object_get(j, OURS), out, err)) < 0)
		return r;
	return decode_records(records, out, err);
}

int cache_document_decode(const char *data, size_t len, struct cache_document *out,
			  struct error *err)
{
	AUTO(json) json_t *j = NULL;
	const json_t *ours;
	int r = json_parse(data, len, &j, err);

	*out = (struct cache_document){0};
	if (r < 0)
		return r;
	if (!json_is_object(j))
		return error_set(err, ERR_INVALID, "it is not a build cache");
	ours = json_object_get(j, OURS);
	if (!ours)
		return error_set(err, ERR_UNSUPPORTED,
				 "it was written by BuildKit, whose keys mean nothing here");
	if (!str_eq(json_string_value(json_object_get(ours, "keys")), STEP_KEY_VERSION))
		return error_set(err, ERR_UNSUPPORTED,
				 "it was written by another version of stave");
	if ((r = decode_lists(j, out, err)) < 0)
		cache_document_clear(out);
	return r;
}

int cache_records_decode(const char *data, size_t len, struct cache_document *out,
			 struct error *err)
{
	AUTO(json) json_t *j = NULL;
	int r = json_parse(data, len, &j, err);

	if (r == 0 && !json_is_array(j))
		r = error_set(err, ERR_INVALID, "its records are no list");
	return r < 0 ? r : decode_records(j, out, err);
}

void cache_document_clear(struct cache_document *d)
{
	for (size_t i = 0; i < d->layers.n; i++)
		descriptor_clear(&d->layers.items[i].blob);
	free(d->layers.items);
	free(d->steps.items);
	free(d->memos.items);
	for (size_t i = 0; i < d->mounts.n; i++)
		free(d->mounts.items[i].id);
	free(d->mounts.items);
	*d = (struct cache_document){0};
}
