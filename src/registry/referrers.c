/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What refers to a manifest: signatures, SBOMs (distribution-spec v1.1, "Listing Referrers").
 * Registries that do not know the question are asked for the tag that stands in for it, an
 * index that clients keep ("Referrers Tag Schema").
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "registry/registry_call.h"

#include "base/banned.h"

#define LIMIT_PAGES 100u

static void tag_of(const struct digest *subject, char out[DIGEST_TEXT_SIZE])
{
	digest_text(subject, out);
	*strchr(out, ':') = '-';
}

/* Those of a page, as far as they are descriptors. */
static int add_page(const struct buf *text, json_t *to, struct error *err)
{
	AUTO(index) struct index x = INDEX_INIT;
	AUTO(json) json_t *doc = NULL;
	json_t *entry;
	size_t i;
	int result = index_decode(text->data, text->len, &x, err);

	if (result == 0)
		result = json_parse(text->data, text->len, &doc, err);
	json_array_foreach (json_object_get(doc, "manifests"), i, entry)
		json_array_append(to, entry);
	if (result == 0 && json_array_size(to) > LIMIT_REFERRERS)
		result = error_set(err, ERR_LIMIT, "more than %u referrers", LIMIT_REFERRERS);
	return result;
}

static int read_tag(struct registry *r, const struct digest *subject, json_t *to,
		    struct error *err)
{
	AUTO(registry_document) struct registry_document doc = {0};
	char tag[DIGEST_TEXT_SIZE];
	int result;

	tag_of(subject, tag);
	result = registry_manifest(r, tag, NULL, &doc, err);
	if (result == -ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	if (result == 0 && media_kind(doc.media_type) != MEDIA_KIND_INDEX)
		return 0; /* somebody's tag of that name */
	return result < 0 ? result : add_page(&doc.bytes, to, err);
}

static int read_pages(struct registry *r, const struct digest *subject, bool *out_known,
		      json_t *to, struct error *err)
{
	char text[DIGEST_TEXT_SIZE];
	size_t bytes = 0;
	AUTO(free)
	char *url = mem_printf("%s/v2/%s/referrers/%s", r->origin, r->path,
			       digest_text(subject, text));

	for (unsigned page = 0; url; page++) {
		AUTO(call) struct call c = CALL_INIT;
		AUTO(buf) struct buf body = BUF_INIT;
		int result;

		if (page >= LIMIT_PAGES)
			return error_set(err, ERR_LIMIT,
					 "%s: a list of referrers without "
					 "end",
					 r->path);
		c.url = take_ptr(url);
		strlist_add(&c.headers, "Accept: " MEDIA_OCI_INDEX);
		if ((result = registry_fetch(r, &c, LIMIT_MANIFEST_BYTES, &body, err)) < 0)
			return result;
		if ((bytes += body.len) > LIMIT_REFERRER_BYTES)
			return error_set(err, ERR_LIMIT, "more than %u bytes of referrers",
					 LIMIT_REFERRER_BYTES);
		*out_known = c.response.status == 200;
		if (!*out_known)
			return 0;
		if ((result = add_page(&body, to, err)) < 0)
			return error_wrap(err, "what refers to %s", text);
		if ((result = registry_next_page(r, &c, &url, err)) < 0)
			return result;
	}
	return 0;
}

int registry_referrers(struct registry *r, const struct digest *subject, json_t **out,
		       struct error *err)
{
	AUTO(json) json_t *all = json_array();
	bool known = false;
	int result = registry_go_home(r, err);

	if (result == 0)
		result = read_pages(r, subject, &known, all, err);

	if (result == 0 && !known)
		result = read_tag(r, subject, all, err);
	if (result == 0)
		*out = take_ptr(all);
	return result;
}

/* ---- keeping the tag ---- */

/* Its descriptor, with what a list of referrers says of it. */
static json_t *describe(const json_t *doc, const char *media_type, const struct buf *bytes)
{
	const json_t *config = json_object_get(doc, "config");
	json_t *type = json_object_get(doc, "artifactType");
	char text[DIGEST_TEXT_SIZE];
	json_t *out = json_object();
	struct digest d;

	digest_of(bytes->data, bytes->len, &d);
	json_object_set_new(out, "mediaType", json_string(media_type));
	json_object_set_new(out, "digest", json_string(digest_text(&d, text)));
	json_object_set_new(out, "size", json_integer((json_int_t)bytes->len));
	if (!json_is_string(type))
		type = json_object_get(config, "mediaType");
	if (json_is_string(type))
		json_object_set(out, "artifactType", type);
	if (json_is_object(json_object_get(doc, "annotations")))
		json_object_set(out, "annotations", json_object_get(doc, "annotations"));
	return out;
}

static bool lists(const json_t *all, const char *digest)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (all, i, entry)
		if (str_eq(json_string_value(json_object_get(entry, "digest")), digest))
			return true;
	return false;
}

static int put_tag(struct registry *r, const struct digest *subject, json_t *all,
		   struct error *err)
{
	AUTO(json) json_t *index = json_object();
	AUTO(buf) struct buf text = BUF_INIT;
	char tag[DIGEST_TEXT_SIZE];
	struct digest d;

	json_object_set_new(index, "schemaVersion", json_integer(2));
	json_object_set_new(index, "mediaType", json_string(MEDIA_OCI_INDEX));
	json_object_set(index, "manifests", all);
	json_text(index, &text);
	tag_of(subject, tag);
	return registry_put_manifest(r, tag, MEDIA_OCI_INDEX, &text, &d, err);
}

int registry_note_referrer(struct registry *r, const char *media_type, const struct buf *bytes,
			   struct error *err)
{
	AUTO(json) json_t *doc = NULL;
	AUTO(json) json_t *all = json_array();
	AUTO(json) json_t *entry = NULL;
	const char *subject_text;
	struct digest subject;
	int result;

	if (json_parse(bytes->data, bytes->len, &doc, NULL) < 0)
		return 0;
	subject_text =
		json_string_value(json_object_get(json_object_get(doc, "subject"), "digest"));
	if (!subject_text || !digest_parse(subject_text, &subject))
		return 0;
	if ((result = read_tag(r, &subject, all, err)) < 0)
		return result;
	entry = describe(doc, media_type, bytes);
	if (lists(all, json_string_value(json_object_get(entry, "digest"))))
		return 0;
	json_array_append(all, entry);
	return put_tag(r, &subject, all, err);
}
