/* SPDX-License-Identifier: Apache-2.0 */
/* The values of --cache-to and --cache-from. */
#include "build/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define DEFAULT_TAG "latest"

struct reading {
	const char *option;
	bool to;
	struct cache_place *out;
	const char *manifest; /* image-manifest= as it was given; borrowed */
};

static int bad(const struct reading *r, const char *key, const char *value,
	       const char *expected, struct error *err)
{
	return error_set(err, ERR_INVALID, "%s: %s=%s: expected %s", r->option, key, value,
			 expected);
}

static int unknown(const struct reading *r, const char *key, struct error *err)
{
	return error_set(err, ERR_INVALID, "%s: unknown key %s", r->option, key);
}

static int set_compression(const struct reading *r, const char *value, struct error *err)
{
	if (str_eq(value, "uncompressed"))
		r->out->compression = LAYER_PLAIN;
	else if (str_eq(value, "gzip"))
		r->out->compression = LAYER_GZIP;
	else if (str_eq(value, "zstd"))
		r->out->compression = LAYER_ZSTD;
	else
		return bad(r, "compression", value, "uncompressed, gzip or zstd", err);
	return 0;
}

static int set_level(const struct reading *r, const char *value, struct error *err)
{
	int64_t level;

	if (!parse_i64(value, &level) || level < 0 || level > 22)
		return bad(r, "compression-level", value, "a number from 0 to 22", err);
	r->out->level = (int)level;
	return 0;
}

static int set_bool(const struct reading *r, const char *key, const char *value, bool *out,
		    struct error *err)
{
	return parse_bool(value, out) ? 0 : bad(r, key, value, "true or false", err);
}

static void set_text(char **out, const char *value)
{
	free(*out);
	*out = mem_strdup(value);
}

/* Of --cache-to alone. */
static int set_output(struct reading *r, const char *key, const char *value, struct error *err)
{
	struct cache_place *p = r->out;
	bool oci = true, image = true;
	int e = 0;

	if (str_eq(key, "mode")) {
		p->max = str_eq(value, "max");
		return p->max || str_eq(value, "min") ? 0
						      : bad(r, key, value, "min or max", err);
	}
	if (str_eq(key, "ignore-error"))
		return set_bool(r, key, value, &p->ignore_error, err);
	if (p->type == CACHE_INLINE)
		return unknown(r, key, err);
	if (str_eq(key, "compression"))
		return set_compression(r, value, err);
	if (str_eq(key, "compression-level"))
		return set_level(r, value, err);
	if (str_eq(key, "force-compression"))
		return set_bool(r, key, value, &p->force, err);
	if (str_eq(key, "cache-mounts"))
		return set_bool(r, key, value, &p->cache_mounts, err);
	/* a directory always gets OCI's image manifests */
	if (str_eq(key, "oci-mediatypes")) {
		e = set_bool(r, key, value, &oci, err);
		p->docker_types = !oci;
		return e;
	}
	if (str_eq(key, "image-manifest")) {
		e = set_bool(r, key, value, &image, err);
		p->index = !image;
		r->manifest = value;
		return e;
	}
	return unknown(r, key, err);
}

static int set_digest(struct reading *r, const char *value, struct error *err)
{
	r->out->has_digest = digest_parse(value, &r->out->digest);
	return r->out->has_digest ? 0 : bad(r, "digest", value, "sha256:…", err);
}

static int set(struct reading *r, const char *key, const char *value, struct error *err)
{
	struct cache_place *p = r->out;
	bool local = p->type == CACHE_LOCAL, registry = p->type == CACHE_REGISTRY;

	if (str_eq(key, "type"))
		return 0;
	if (local && str_eq(key, r->to ? "dest" : "src"))
		set_text(&p->dir, value);
	else if (local && str_eq(key, "tag"))
		set_text(&p->tag, value);
	else if (registry && str_eq(key, "ref"))
		set_text(&p->name, value);
	else if (registry && str_eq(key, "registry.insecure"))
		return set_bool(r, key, value, &p->insecure, err);
	else if (!r->to && str_eq(key, "cache-mounts"))
		return set_bool(r, key, value, &p->cache_mounts, err);
	else if (local && !r->to && str_eq(key, "digest"))
		return set_digest(r, value, err);
	else
		return r->to ? set_output(r, key, value, err) : unknown(r, key, err);
	return 0;
}

static int set_type(const struct reading *r, const char *type, struct error *err)
{
	static const char *const others[] = {"gha", "s3", "azblob"};

	if (!type)
		return error_set(err, ERR_INVALID, "%s: type is missing", r->option);
	if (str_eq(type, "local"))
		r->out->type = CACHE_LOCAL;
	else if (str_eq(type, "registry"))
		r->out->type = CACHE_REGISTRY;
	else if (r->to && str_eq(type, "inline"))
		r->out->type = CACHE_INLINE;
	if (r->out->type)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (str_eq(type, others[i])) {
			error_set(err, ERR_UNSUPPORTED,
				  "%s: caches of type %s are not supported", r->option, type);
			error_hint(err, "use type=registry,ref=NAME or type=local,%s=DIR",
				   r->to ? "dest" : "src");
			return -ERR_UNSUPPORTED;
		}
	error_set(err, ERR_INVALID, "%s: there is no cache of type %s", r->option, type);
	if (str_eq(type, "inline"))
		error_hint(err, "records in an image are read with --cache-from IMAGE");
	return -ERR_INVALID;
}

/* What a registry's name means, and what the manifest can be. */
static int finish_registry(struct reading *r, struct error *err)
{
	struct cache_place *p = r->out;
	int e;

	if (str_empty(p->name))
		return error_set(err, ERR_INVALID, "%s: type=registry needs ref=NAME",
				 r->option);
	if ((e = reference_parse(p->name, &p->ref, err)) < 0)
		return error_wrap(err, "%s", r->option);
	if (p->ref.has_digest && r->to)
		return error_set(err, ERR_INVALID, "%s: ref=%s: a cache is written to a tag",
				 r->option, p->name);
	if (p->docker_types && r->manifest && !p->index)
		return error_set(err, ERR_INVALID,
				 "%s: OCI mediatypes are required for image-manifest cache "
				 "format",
				 r->option);
	p->index |= p->docker_types;
	return 0;
}

static int finish(struct reading *r, struct error *err)
{
	struct cache_place *p = r->out;

	if (p->level >= 0 && !layer_compression_level_valid(p->compression, p->level))
		return error_set(err, ERR_INVALID,
				 "%s: compression-level=%d is not one of this compression",
				 r->option, p->level);
	if (p->type == CACHE_REGISTRY)
		return finish_registry(r, err);
	if (p->type == CACHE_INLINE)
		return 0;
	p->index = p->docker_types = false;
	if (str_empty(p->dir))
		return error_set(err, ERR_INVALID, "%s: type=local needs %s=DIR", r->option,
				 r->to ? "dest" : "src");
	if (str_empty(p->tag))
		set_text(&p->tag, DEFAULT_TAG);
	return 0;
}

/* Keys in small letters; the type decides what the others mean, wherever it stands. */
static int read_fields(struct reading *r, struct strlist *fields, struct error *err)
{
	const char *type = NULL;
	int e = 0;

	for (size_t i = 0; i < fields->n; i++) {
		char *text = fields->items[i], *eq = strchr(text, '=');
		AUTO(free) char *key = NULL;

		if (!eq)
			return error_set(err, ERR_INVALID,
					 "%s: \"%s\" is not of the form key=value", r->option,
					 text);
		*eq = 0;
		key = str_lower(text);
		memcpy(text, key, strlen(key));
		if (str_eq(key, "type"))
			type = eq + 1;
	}
	if ((e = set_type(r, type, err)) < 0)
		return e;
	for (size_t i = 0; e == 0 && i < fields->n; i++) {
		const char *key = fields->items[i];

		e = set(r, key, key + strlen(key) + 1, err);
	}
	return e < 0 ? e : finish(r, err);
}

int cache_place_parse(const char *text, bool to, struct cache_place *out, struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT;
	struct reading r = {.option = to ? "--cache-to" : "--cache-from", .to = to, .out = out};

	*out = (struct cache_place){
		.compression = LAYER_GZIP, .level = -1, .ref = REFERENCE_INIT};
	if (csv_split(text, &fields, NULL, NULL) < 0)
		return error_set(err, ERR_INVALID, "%s: \"%s\" is not a list of key=value",
				 r.option, text);
	/* a reference alone means a registry, to Docker */
	if (fields.n == 1 && !strchr(text, '=')) {
		out->type = CACHE_REGISTRY;
		set_text(&out->name, text);
		return finish(&r, err);
	}
	return read_fields(&r, &fields, err);
}

void cache_place_clear(struct cache_place *p)
{
	free(p->dir);
	free(p->tag);
	free(p->name);
	reference_clear(&p->ref);
	*p = (struct cache_place){0};
}

const char *cache_place_name(const struct cache_place *p)
{
	return p->type == CACHE_LOCAL ? p->dir : p->name;
}
