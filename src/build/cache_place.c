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
	char *type;
	struct cache_place *out;
};

static int bad(const struct reading *r, const char *key, const char *value,
	       const char *expected, struct error *err)
{
	return error_set(err, ERR_INVALID, "%s: %s=%s: expected %s", r->option, key, value,
			 expected);
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

static int set_bool(const struct reading *r, const char *key, const char *value, bool *out,
		    struct error *err)
{
	return parse_bool(value, out) ? 0 : bad(r, key, value, "true or false", err);
}

/* Of --cache-to alone. */
static int set_output(struct reading *r, const char *key, const char *value, struct error *err)
{
	struct cache_place *p = r->out;
	int64_t level;
	bool ignored;

	if (str_eq(key, "mode")) {
		p->max = str_eq(value, "max");
		return p->max || str_eq(value, "min") ? 0
						      : bad(r, key, value, "min or max", err);
	}
	if (str_eq(key, "compression"))
		return set_compression(r, value, err);
	if (str_eq(key, "compression-level")) {
		if (!parse_i64(value, &level) || level < 0 || level > 22)
			return bad(r, key, value, "a number from 0 to 22", err);
		p->level = (int)level;
		return 0;
	}
	if (str_eq(key, "force-compression"))
		return set_bool(r, key, value, &p->force, err);
	if (str_eq(key, "ignore-error"))
		return set_bool(r, key, value, &p->ignore_error, err);
	/* what is written is always one of OCI's image manifests */
	if (str_eq(key, "oci-mediatypes") || str_eq(key, "image-manifest"))
		return set_bool(r, key, value, &ignored, err);
	return error_set(err, ERR_INVALID, "%s: unknown key %s", r->option, key);
}

static int set(struct reading *r, const char *key, const char *value, struct error *err)
{
	struct cache_place *p = r->out;
	char **text = NULL;

	if (str_eq(key, "type"))
		text = &r->type;
	else if (str_eq(key, r->to ? "dest" : "src"))
		text = &p->dir;
	else if (str_eq(key, "tag"))
		text = &p->tag;
	if (text) {
		free(*text);
		*text = mem_strdup(value);
		return 0;
	}
	if (!r->to && str_eq(key, "digest")) {
		p->has_digest = digest_parse(value, &p->digest);
		return p->has_digest ? 0 : bad(r, key, value, "sha256:…", err);
	}
	/* keys of other types: their own error comes in the end, if the type is another */
	return r->to && (!r->type || str_eq(r->type, "local")) ? set_output(r, key, value, err)
	       : r->type && !str_eq(r->type, "local")
		       ? 0
		       : error_set(err, ERR_INVALID, "%s: unknown key %s", r->option, key);
}

static int refuse_type(const struct reading *r, const char *type, struct error *err)
{
	static const char *const registries[] = {"registry", "inline"};
	static const char *const others[] = {"gha", "s3", "azblob"};

	for (size_t i = 0; i < ARRAY_SIZE(registries); i++)
		if (str_eq(type, registries[i]))
			error_set(err, ERR_UNSUPPORTED,
				  "%s: caches of type %s are not supported yet, only local",
				  r->option, type);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (str_eq(type, others[i]))
			error_set(err, ERR_UNSUPPORTED,
				  "%s: caches of type %s are not supported", r->option, type);
	if (!err || !err->code)
		error_set(err, ERR_INVALID, "%s: there is no cache of type %s", r->option,
			  type);
	error_hint(err, "use type=local,%s=DIR and carry the directory along",
		   r->to ? "dest" : "src");
	return -ERR_UNSUPPORTED;
}

static int finish(struct reading *r, struct error *err)
{
	struct cache_place *p = r->out;

	if (!r->type)
		return error_set(err, ERR_INVALID, "%s: type is missing", r->option);
	if (!str_eq(r->type, "local"))
		return refuse_type(r, r->type, err);
	if (str_empty(p->dir))
		return error_set(err, ERR_INVALID, "%s: type=local needs %s=DIR", r->option,
				 r->to ? "dest" : "src");
	if (p->level >= 0 && !layer_compression_level_valid(p->compression, p->level))
		return error_set(err, ERR_INVALID,
				 "%s: compression-level=%d is not one of this compression",
				 r->option, p->level);
	if (str_empty(p->tag)) {
		free(p->tag);
		p->tag = mem_strdup(DEFAULT_TAG);
	}
	return 0;
}

static int read_fields(struct reading *r, const struct strlist *fields, struct error *err)
{
	for (size_t i = 0; i < fields->n; i++) {
		const char *eq = strchr(fields->items[i], '=');
		AUTO(free) char *raw = NULL;
		AUTO(free) char *key = NULL;
		int e;

		if (!eq)
			return error_set(err, ERR_INVALID,
					 "%s: \"%s\" is not of the form key=value", r->option,
					 fields->items[i]);
		raw = mem_strndup(fields->items[i], (size_t)(eq - fields->items[i]));
		key = str_lower(raw);
		if ((e = set(r, key, eq + 1, err)) < 0)
			return e;
	}
	return finish(r, err);
}

int cache_place_parse(const char *text, bool to, struct cache_place *out, struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT;
	struct reading r = {.option = to ? "--cache-to" : "--cache-from", .to = to, .out = out};
	int e;

	*out = (struct cache_place){.compression = LAYER_GZIP, .level = -1};
	if (csv_split(text, &fields, NULL, NULL) < 0)
		return error_set(err, ERR_INVALID, "%s: \"%s\" is not a list of key=value",
				 r.option, text);
	/* a reference alone means a registry, to Docker */
	if (fields.n == 1 && !strchr(text, '='))
		return refuse_type(&r, "registry", err);
	e = read_fields(&r, &fields, err);
	free(r.type);
	return e;
}

void cache_place_clear(struct cache_place *p)
{
	free(p->dir);
	free(p->tag);
	*p = (struct cache_place){0};
}
