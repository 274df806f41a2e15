/* SPDX-License-Identifier: Apache-2.0 */
/* type=inline: the records in the config of an image, whose layers are those of the cache. */
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "build/cache.h"
#include "registry/registry.h"

#include "base/banned.h"

#define CONFIG_KEY "moby.buildkit.cache.v0"

/* ---- writing ---- */

bool cache_inline_wanted(const struct build_options *o)
{
	const char *arg =
		o->build_args ? strlist_env_get(o->build_args, "BUILDKIT_INLINE_CACHE") : NULL;
	bool wanted = false;

	if (arg && (!parse_bool(arg, &wanted) || wanted))
		return wanted;
	for (size_t i = 0; o->cache_to && i < o->cache_to->n; i++) {
		AUTO(cache_place) struct cache_place p = {0};

		if (cache_place_parse(o->cache_to->items[i], true, &p, NULL) == 0 &&
		    p.type == CACHE_INLINE)
			return true;
	}
	return false;
}

/* What is not the same in the next build that is all cache has no place in a config. */
static void strip(struct cache_document *doc)
{
	for (size_t i = 0; i < doc->steps.n; i++)
		doc->steps.items[i].duration_ns = 0;
}

int cache_inline(const struct graph *g, struct image_config *cfg, struct error *err)
{
	const struct cache_place place = {.type = CACHE_INLINE};
	AUTO(cache_document) struct cache_document doc = {0};
	AUTO(buf) struct buf text = BUF_INIT;
	int r = cache_gather(g, &place, NULL, NULL, &doc, err);

	if (r < 0 || !doc.steps.n)
		return r;
	strip(&doc);
	cache_records_encode(&doc, &cfg->diff_ids, &text);
	free(cfg->build_cache);
	cfg->build_cache = mem_zalloc(BASE64_ENCODE_RAW_LENGTH(text.len) + 1);
	base64_encode_raw(cfg->build_cache, text.len, (const uint8_t *)text.data);
	return 0;
}

/* ---- reading ---- */

static int decode_base64(const char *text, struct buf *out, struct error *err)
{
	size_t len = strlen(text), n = BASE64_DECODE_LENGTH(len);
	struct base64_decode_ctx ctx;
	AUTO(free) uint8_t *to = mem_alloc(n + 1);

	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, to, len, text) || !base64_decode_final(&ctx))
		return error_set(err, ERR_INVALID, "%s is not in base64", CONFIG_KEY);
	buf_add(out, to, n);
	return 0;
}

/* The layers of the image, by the digests of their tars. */
static int add_layers(const struct manifest *m, const struct buf *config,
		      struct cache_document *out, struct error *err)
{
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	int r = image_config_decode(config->data, config->len, &cfg, err);

	if (r < 0)
		return r;
	if (cfg.diff_ids.n != m->layers.n)
		return error_set(err, ERR_CORRUPT,
				 "the manifest has %zu layers, its config %zu", m->layers.n,
				 cfg.diff_ids.n);
	for (size_t i = 0; i < m->layers.n; i++) {
		struct cache_layer *l = vec_push(&out->layers);

		l->blob = DESCRIPTOR_INIT;
		descriptor_copy(&m->layers.items[i], &l->blob);
		l->diff_id = cfg.diff_ids.items[i];
		l->has_blob = media_kind(l->blob.media_type) == MEDIA_KIND_LAYER;
	}
	return 0;
}

int cache_inline_read(struct registry *r, const struct manifest *m, struct cache_document *out,
		      struct error *err)
{
	AUTO(json) json_t *j = NULL;
	AUTO(buf) struct buf config = BUF_INIT;
	AUTO(buf) struct buf records = BUF_INIT;
	const char *text;
	int e = registry_blob(r, &m->config.digest, LIMIT_CONFIG_BYTES, &config, err);

	if (e < 0 || (e = json_parse(config.data, config.len, &j, err)) < 0)
		return e;
	text = json_string_value(json_object_get(j, CONFIG_KEY));
	if (!text) {
		error_set(err, ERR_NOT_FOUND, "the image has no build cache in it");
		error_hint(err, "build it with --cache-to type=inline");
		return -ERR_NOT_FOUND;
	}
	if ((e = decode_base64(text, &records, err)) < 0 ||
	    (e = add_layers(m, &config, out, err)) < 0)
		return e;
	e = cache_records_decode(buf_str(&records), records.len, out, err);
	if (e == 0 && !out->steps.n)
		return error_set(err, ERR_UNSUPPORTED,
				 "it was written by BuildKit, whose keys mean nothing here");
	return e;
}
