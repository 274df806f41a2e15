/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors, manifests and indexes: image-spec descriptor.md, manifest.md, image-index.md. */
#include "oci/oci.h"

#include <string.h>

#include "oci/oci_json.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/banned.h"

/* One index names a manifest for each platform, and attestations beside them. */
#define INDEX_MANIFESTS_MAX 4096u

enum media_kind media_kind(const char *media_type)
{
	if (!media_type)
		return MEDIA_KIND_UNKNOWN;
	if (str_eq(media_type, MEDIA_OCI_INDEX) || str_eq(media_type, MEDIA_DOCKER_INDEX))
		return MEDIA_KIND_INDEX;
	if (str_eq(media_type, MEDIA_OCI_MANIFEST) || str_eq(media_type, MEDIA_DOCKER_MANIFEST))
		return MEDIA_KIND_MANIFEST;
	if (str_eq(media_type, MEDIA_OCI_CONFIG) || str_eq(media_type, MEDIA_DOCKER_CONFIG))
		return MEDIA_KIND_CONFIG;
	if (str_starts(media_type, "application/vnd.oci.image.layer.v1.tar") ||
	    str_starts(media_type, "application/vnd.oci.image.layer.nondistributable.v1.tar") ||
	    str_starts(media_type, "application/vnd.docker.image.rootfs."))
		return MEDIA_KIND_LAYER;
	return MEDIA_KIND_UNKNOWN;
}

enum media_kind media_kind_of(const char *data, size_t len)
{
	AUTO(json) json_t *doc = NULL;
	enum media_kind kind;

	if (json_parse(data, len, &doc, NULL) < 0 || !json_is_object(doc))
		return MEDIA_KIND_UNKNOWN;
	kind = media_kind(json_string_value(json_object_get(doc, "mediaType")));
	if (kind != MEDIA_KIND_UNKNOWN)
		return kind;
	if (json_is_array(json_object_get(doc, "manifests")))
		return MEDIA_KIND_INDEX;
	if (json_is_array(json_object_get(doc, "layers")) &&
	    json_is_object(json_object_get(doc, "config")))
		return MEDIA_KIND_MANIFEST;
	if (json_is_object(json_object_get(doc, "rootfs")))
		return MEDIA_KIND_CONFIG;
	return MEDIA_KIND_UNKNOWN;
}

void descriptor_set(struct descriptor *d, const char *media_type, const struct digest *digest,
		    uint64_t size)
{
	free(d->media_type);
	d->media_type = dup_or_null(media_type);
	d->digest = *digest;
	d->size = size;
}

struct descriptor *descriptor_list_add(struct descriptor_list *l)
{
	struct descriptor *d = vec_push(l);

	*d = DESCRIPTOR_INIT;
	return d;
}

static void descriptor_list_clear(struct descriptor_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		descriptor_clear(&l->items[i]);
	free(l->items);
	*l = (struct descriptor_list){0};
}

void descriptor_copy(const struct descriptor *from, struct descriptor *to)
{
	*to = DESCRIPTOR_INIT;
	to->media_type = dup_or_null(from->media_type);
	to->digest = from->digest;
	to->size = from->size;
	map_copy_strings(&from->annotations, &to->annotations);
	to->has_platform = from->has_platform;
	if (from->has_platform)
		platform_copy(&from->platform, &to->platform);
}

void descriptor_clear(struct descriptor *d)
{
	free(d->media_type);
	map_clear(&d->annotations);
	platform_clear(&d->platform);
	*d = DESCRIPTOR_INIT;
}

static void write_descriptor(struct json_writer *w, const struct descriptor *d)
{
	json_write_open(w, '{');
	json_member_string(w, "mediaType", d->media_type ? d->media_type : "");
	json_member_digest(w, "digest", &d->digest);
	json_member_u64(w, "size", d->size);
	json_member_map_opt(w, "annotations", &d->annotations);
	if (d->has_platform) {
		json_write_key(w, "platform");
		json_write_open(w, '{');
		json_member_string(w, "architecture",
				   d->platform.architecture ? d->platform.architecture : "");
		json_member_string(w, "os", d->platform.os ? d->platform.os : "");
		json_member_opt(w, "os.version", d->platform.os_version);
		json_member_opt(w, "variant", d->platform.variant);
		json_write_close(w, '}');
	}
	json_write_close(w, '}');
}

static void write_descriptors(struct json_writer *w, const char *key,
			      const struct descriptor_list *l)
{
	json_write_key(w, key);
	json_write_open(w, '[');
	for (size_t i = 0; i < l->n; i++)
		write_descriptor(w, &l->items[i]);
	json_write_close(w, ']');
}

static int read_platform(const json_t *obj, struct descriptor *d, struct error *err)
{
	json_t *p = NULL;
	int rc = json_get_object(obj, "platform", &p, err);

	if (rc < 0 || !p)
		return rc;
	d->has_platform = true;
	if ((rc = json_get_string(p, "os", &d->platform.os, err)) < 0 ||
	    (rc = json_get_string(p, "architecture", &d->platform.architecture, err)) < 0 ||
	    (rc = json_get_string(p, "variant", &d->platform.variant, err)) < 0)
		return rc;
	return json_get_string(p, "os.version", &d->platform.os_version, err);
}

static int read_descriptor(const json_t *obj, struct descriptor *d, struct error *err)
{
	bool has = false;
	int rc;

	if ((rc = json_get_string(obj, "mediaType", &d->media_type, err)) < 0 ||
	    (rc = json_read_digest(obj, "digest", &d->digest, &has, err)) < 0 ||
	    (rc = json_get_u64(obj, "size", &d->size, err)) < 0 ||
	    (rc = json_read_map(obj, "annotations", &d->annotations, err)) < 0 ||
	    (rc = read_platform(obj, d, err)) < 0)
		return rc;
	if (!has)
		return error_set(err, ERR_INVALID, "a descriptor has no digest");
	if (!json_is_integer(json_object_get(obj, "size")))
		return error_set(err, ERR_INVALID, "a descriptor has no size");
	return 0;
}

static int read_descriptors(const json_t *doc, const char *key, size_t limit,
			    struct descriptor_list *out, struct error *err)
{
	json_t *array = NULL;
	int rc = json_get_array(doc, key, &array, err);

	if (rc < 0)
		return rc;
	if (json_array_size(array) > limit)
		return error_set(err, ERR_LIMIT, "\"%s\" has %zu entries; at most %zu are read",
				 key, json_array_size(array), limit);
	for (size_t i = 0; i < json_array_size(array); i++) {
		json_t *element;

		if ((rc = json_read_element(array, i, key, &element, err)) < 0 ||
		    (rc = read_descriptor(element, descriptor_list_add(out), err)) < 0)
			return rc;
	}
	return 0;
}

/* A document that is a manifest to one reader and an index to another is refused. */
static int check_header(const json_t *doc, const char *what, enum media_kind kind,
			const char *foreign, char **out_media_type, struct error *err)
{
	uint64_t version = 0;
	int rc;

	if ((rc = json_get_u64(doc, "schemaVersion", &version, err)) < 0 ||
	    (rc = json_get_string(doc, "mediaType", out_media_type, err)) < 0)
		return rc;
	if (version == 1)
		return error_set(err, ERR_UNSUPPORTED,
				 "%s: schema version 1 is not supported any more", what);
	if (version != 2)
		return error_set(err, ERR_INVALID, "%s: \"schemaVersion\" is not 2", what);
	if (!str_empty(*out_media_type) && media_kind(*out_media_type) != kind)
		return error_set(err, ERR_INVALID, "%s: has the media type %.100s", what,
				 *out_media_type);
	if (json_object_get(doc, foreign))
		return error_set(err, ERR_INVALID, "%s: has \"%s\" as well, which is ambiguous",
				 what, foreign);
	return 0;
}

void manifest_encode(const struct manifest *m, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out);

	json_write_open(&w, '{');
	json_member_i64(&w, "schemaVersion", 2);
	json_member_string(&w, "mediaType",
			   str_empty(m->media_type) ? MEDIA_OCI_MANIFEST : m->media_type);
	json_member_opt(&w, "artifactType", m->artifact_type);
	json_write_key(&w, "config");
	write_descriptor(&w, &m->config);
	write_descriptors(&w, "layers", &m->layers);
	json_member_map_opt(&w, "annotations", &m->annotations);
	json_write_close(&w, '}');
}

static int decode_manifest(const json_t *doc, struct manifest *m, struct error *err)
{
	json_t *config = NULL;
	int rc;

	rc = check_header(doc, "manifest", MEDIA_KIND_MANIFEST, "manifests", &m->media_type,
			  err);
	if (rc < 0)
		return rc;
	if ((rc = json_get_string(doc, "artifactType", &m->artifact_type, err)) < 0 ||
	    (rc = json_get_object(doc, "config", &config, err)) < 0)
		return rc;
	if (!config)
		return error_set(err, ERR_INVALID, "manifest: has no config");
	if ((rc = read_descriptor(config, &m->config, err)) < 0 ||
	    (rc = read_descriptors(doc, "layers", LIMIT_LAYERS, &m->layers, err)) < 0)
		return rc;
	return json_read_map(doc, "annotations", &m->annotations, err);
}

int manifest_decode(const char *data, size_t len, struct manifest *out, struct error *err)
{
	AUTO(json) json_t *doc = NULL;
	int rc;

	if (len > LIMIT_MANIFEST_BYTES)
		return error_set(err, ERR_LIMIT, "manifest: larger than %u bytes",
				 LIMIT_MANIFEST_BYTES);
	rc = json_read_document(data, len, "manifest", &doc, err);
	if (rc == 0)
		rc = decode_manifest(doc, out, err);
	if (rc < 0)
		manifest_clear(out);
	return rc;
}

void manifest_clear(struct manifest *m)
{
	free(m->media_type);
	free(m->artifact_type);
	descriptor_clear(&m->config);
	descriptor_list_clear(&m->layers);
	map_clear(&m->annotations);
	*m = MANIFEST_INIT;
}

void index_encode(const struct index *x, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out);

	json_write_open(&w, '{');
	json_member_i64(&w, "schemaVersion", 2);
	json_member_string(&w, "mediaType",
			   str_empty(x->media_type) ? MEDIA_OCI_INDEX : x->media_type);
	write_descriptors(&w, "manifests", &x->manifests);
	json_member_map_opt(&w, "annotations", &x->annotations);
	json_write_close(&w, '}');
}

static int decode_index(const json_t *doc, struct index *x, struct error *err)
{
	int rc = check_header(doc, "index", MEDIA_KIND_INDEX, "layers", &x->media_type, err);

	if (rc < 0)
		return rc;
	rc = read_descriptors(doc, "manifests", INDEX_MANIFESTS_MAX, &x->manifests, err);
	if (rc < 0)
		return rc;
	return json_read_map(doc, "annotations", &x->annotations, err);
}

int index_decode(const char *data, size_t len, struct index *out, struct error *err)
{
	AUTO(json) json_t *doc = NULL;
	int rc;

	if (len > LIMIT_MANIFEST_BYTES)
		return error_set(err, ERR_LIMIT, "index: larger than %u bytes",
				 LIMIT_MANIFEST_BYTES);
	rc = json_read_document(data, len, "index", &doc, err);
	if (rc == 0)
		rc = decode_index(doc, out, err);
	if (rc < 0)
		index_clear(out);
	return rc;
}

void index_clear(struct index *x)
{
	free(x->media_type);
	descriptor_list_clear(&x->manifests);
	map_clear(&x->annotations);
	*x = INDEX_INIT;
}

const struct descriptor *index_select(const struct index *x, const struct platform *want)
{
	const struct descriptor *best = NULL;
	const struct descriptor *bare = NULL;
	unsigned best_score = 0;

	for (size_t i = 0; i < x->manifests.n; i++) {
		const struct descriptor *d = &x->manifests.items[i];
		unsigned score;

		if (!d->has_platform) {
			if (!bare)
				bare = d;
			continue;
		}
		score = platform_match(want, &d->platform);
		if (score > best_score) {
			best = d;
			best_score = score;
		}
	}
	return best ? best : bare;
}
