/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at what registries have.  Nothing is kept. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

#include "engine/engine_private.h"
#include "registry/registry.h"

#include "base/banned.h"

static int open_registry(const struct reference *ref, bool insecure, struct registry **out,
			 struct error *err)
{
	return registry_open(ref, REGISTRY_PULL | (insecure ? REGISTRY_INSECURE : 0u), out,
			     err);
}

/* The document, as part of @out. */
static int read_part(struct registry *r, const char *tag, const struct digest *digest,
		     struct engine_remote_part *out, struct error *err)
{
	AUTO(registry_document) struct registry_document doc = {0};
	int result = registry_manifest(r, tag, digest, &doc, err);

	if (result < 0)
		return result;
	descriptor_set(&out->descriptor, doc.media_type, &doc.digest, doc.bytes.len);
	out->bytes = doc.bytes;
	doc.bytes = BUF_INIT;
	return 0;
}

json_t *engine_pick_platform(const json_t *from)
{
	static const char *const keys[] = {"architecture", "os", "os.version", "os.features",
					   "variant"};

	return json_pick(from, keys, ARRAY_SIZE(keys));
}

/* Of one without an entry in an index: what its config says. */
static json_t *platform_in(const struct buf *config)
{
	AUTO(json) json_t *doc = NULL;

	return json_parse(config->data, config->len, &doc, NULL) < 0
		       ? NULL
		       : engine_pick_platform(doc);
}

/* Artifacts have configs of any kind; those of images are read. */
static int read_config(struct registry *r, struct engine_remote_part *part, struct error *err)
{
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	int result = manifest_decode(part->bytes.data, part->bytes.len, &m, err);

	if (result < 0 || media_kind(m.config.media_type) != MEDIA_KIND_CONFIG)
		return result;
	result = registry_blob(r, &m.config.digest, LIMIT_CONFIG_BYTES, &part->config, err);
	if (result == 0 && !part->platform)
		part->platform = platform_in(&part->config);
	return result;
}

/* What an index lists, without asking for any of it. */
static int list_parts(struct engine_remote *out, struct error *err)
{
	AUTO(index) struct index x = INDEX_INIT;
	AUTO(json) json_t *doc = NULL;
	json_t *entries;
	int result = index_decode(out->top.bytes.data, out->top.bytes.len, &x, err);

	if (result == 0)
		result = json_parse(out->top.bytes.data, out->top.bytes.len, &doc, err);
	entries = json_object_get(doc, "manifests");
	for (size_t i = 0; result == 0 && i < x.manifests.n; i++) {
		struct engine_remote_part *part = vec_push(&out->parts);

		descriptor_copy(&x.manifests.items[i], &part->descriptor);
		part->platform =
			json_incref(json_object_get(json_array_get(entries, i), "platform"));
	}
	return result;
}

static int read_parts(struct registry *r, enum engine_remote_depth depth,
		      struct engine_remote *out, struct error *err)
{
	for (size_t i = 0; i < out->parts.n; i++) {
		struct engine_remote_part *part = &out->parts.items[i];
		const struct digest digest = part->descriptor.digest;
		int result = read_part(r, NULL, &digest, part, err);

		if (result == 0 && depth == ENGINE_REMOTE_CONFIGS &&
		    media_kind(part->descriptor.media_type) == MEDIA_KIND_MANIFEST)
			result = read_config(r, part, err);
		if (result < 0)
			return result;
	}
	return 0;
}

int engine_remote(const char *name, bool insecure, enum engine_remote_depth depth,
		  struct engine_remote *out, struct error *err)
{
	AUTO(registry) struct registry *r = NULL;
	const struct reference *ref = &out->ref;
	int result = reference_parse(name, &out->ref, err);

	if (result < 0 || (result = open_registry(ref, insecure, &r, err)) < 0 ||
	    (result = read_part(r, ref->has_digest ? NULL : ref->tag, &ref->digest, &out->top,
				err)) < 0)
		return result;
	out->is_index = media_kind(out->top.descriptor.media_type) == MEDIA_KIND_INDEX;
	if (out->is_index && (result = list_parts(out, err)) < 0)
		return error_wrap(err, "%s", name);
	if (depth == ENGINE_REMOTE_TOP || (depth == ENGINE_REMOTE_CONFIG && out->is_index))
		return 0;
	return out->is_index ? read_parts(r, depth, out, err) : read_config(r, &out->top, err);
}

static void part_clear(struct engine_remote_part *p)
{
	free(p->ref);
	descriptor_clear(&p->descriptor);
	json_decref(p->platform);
	buf_clear(&p->bytes);
	buf_clear(&p->config);
}

void engine_remote_clear(struct engine_remote *r)
{
	reference_clear(&r->ref);
	part_clear(&r->top);
	for (size_t i = 0; i < r->parts.n; i++)
		part_clear(&r->parts.items[i]);
	free(r->parts.items);
	*r = (struct engine_remote){0};
}

int engine_remote_referrers(const char *name, bool insecure, json_t **out, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(registry) struct registry *r = NULL;
	struct digest subject;
	int result = reference_parse(name, &ref, err);

	if (result < 0 || (result = open_registry(&ref, insecure, &r, err)) < 0)
		return result;
	subject = ref.digest;
	if (!ref.has_digest &&
	    (result = registry_manifest_digest(r, ref.tag, &subject, err)) < 0)
		return result;
	return registry_referrers(r, &subject, out, err);
}

int engine_remote_tags(const char *name, bool digests, struct engine_tags *out,
		       struct error *err)
{
	AUTO(registry) struct registry *r = NULL;
	int result = reference_parse(name, &out->ref, err);

	if (result < 0)
		return result;
	if (!out->ref.tag_implied) {
		error_set(err, ERR_INVALID, "%s: a repository has tags, an image has not",
			  name);
		error_hint(err, "write it without tag and digest");
		return -ERR_INVALID;
	}
	if ((result = open_registry(&out->ref, false, &r, err)) < 0 ||
	    (result = registry_tags(r, &out->names, err)) < 0)
		return result;
	for (size_t i = 0; result == 0 && digests && i < out->names.n; i++)
		result = registry_manifest_digest(r, out->names.items[i],
						  vec_push(&out->digests), err);
	return result;
}

void engine_tags_clear(struct engine_tags *t)
{
	reference_clear(&t->ref);
	strlist_clear(&t->names);
	free(t->digests.items);
	*t = (struct engine_tags){0};
}
