/* SPDX-License-Identifier: Apache-2.0 */
/* `pull`: an image from its registry. */
#include "image/image_pull.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

#define INDEX_DEEP 4 /* an index in an index in … */

/* ---- documents ---- */

static int choose(struct pull *p, const struct registry_document *doc, struct digest *out,
		  struct error *err)
{
	AUTO(platform) struct platform host = PLATFORM_INIT;
	AUTO(index) struct index x = INDEX_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	const struct platform *want = p->how->platform;
	const struct descriptor *found;
	int r = index_decode(doc->bytes.data, doc->bytes.len, &x, err);

	if (r < 0)
		return error_wrap(err, "%s", p->name);
	platform_host(&host);
	found = index_select(&x, want ? want : &host);
	if (found) {
		*out = found->digest;
		return 0;
	}
	platform_format(want ? want : &host, &text);
	return error_set(err, ERR_NOT_FOUND,
			 "%s: no matching manifest for %s in the manifest list entries",
			 p->name, buf_str(&text));
}

static void say_from(const struct pull *p)
{
	char text[DIGEST_TEXT_SIZE];
	const struct reference *ref = p->how->ref;
	AUTO(free)
	char *line = mem_printf("%s: Pulling from %s",
				ref->has_digest ? digest_text(&ref->digest, text) : ref->tag,
				ref->path);

	progress_tell(p->how->progress, PROGRESS_STATUS, 0, line, 0, 0);
}

static int read_manifest(struct pull *p, struct error *err)
{
	AUTO(registry_document) struct registry_document doc = {0};
	const struct reference *ref = p->how->ref;
	int r = registry_manifest(p->registry, ref->has_digest ? NULL : ref->tag, &ref->digest,
				  &doc, err);

	if (r < 0)
		return r;
	p->digest = doc.digest;
	say_from(p);
	for (int deep = 0; media_kind(doc.media_type) == MEDIA_KIND_INDEX; deep++) {
		struct digest next;

		if (deep >= INDEX_DEEP)
			return error_set(err, ERR_LIMIT, "%s: indexes nested too deeply",
					 p->name);
		if ((r = choose(p, &doc, &next, err)) < 0)
			return r;
		registry_document_clear(&doc);
		if ((r = registry_manifest(p->registry, NULL, &next, &doc, err)) < 0)
			return r;
	}
	p->image.manifest = doc.bytes;
	doc.bytes = BUF_INIT;
	r = manifest_decode(p->image.manifest.data, p->image.manifest.len, &p->image.m, err);
	return r < 0 ? error_wrap(err, "%s", p->name) : 0;
}

static int check_manifest(const struct pull *p, struct error *err)
{
	const struct manifest *m = &p->image.m;

	if (media_kind(m->config.media_type) != MEDIA_KIND_CONFIG)
		return error_set(err, ERR_UNSUPPORTED, "%s: not an image: its config is %s",
				 p->name, m->config.media_type);
	for (size_t i = 0; i < m->layers.n; i++)
		if (media_kind(m->layers.items[i].media_type) != MEDIA_KIND_LAYER)
			return error_set(err, ERR_UNSUPPORTED, "%s: layers of type %s", p->name,
					 m->layers.items[i].media_type);
	return 0;
}

static int check_config(const struct pull *p, struct error *err)
{
	const struct image_config *cfg = &p->image.cfg;
	AUTO(buf) struct buf text = BUF_INIT;

	if (p->image.m.layers.n != cfg->diff_ids.n)
		return error_set(err, ERR_CORRUPT,
				 "%s: the manifest has %zu layers, its config %zu", p->name,
				 p->image.m.layers.n, cfg->diff_ids.n);
	if (!p->how->platform || platform_match(p->how->platform, &cfg->platform))
		return 0;
	platform_format(p->how->platform, &text);
	return error_set(err, ERR_NOT_FOUND,
			 "image with reference %s was found but does not provide the specified "
			 "platform (%s)",
			 p->name, buf_str(&text));
}

static int read_config(struct pull *p, struct error *err)
{
	const struct digest *d = &p->image.m.config.digest;
	struct buf *config = &p->image.config;
	int r;

	if (store_blob_read(p->store, d, LIMIT_CONFIG_BYTES, config, NULL) < 0) {
		buf_reset(config);
		r = registry_blob(p->registry, d, LIMIT_CONFIG_BYTES, config, err);
		if (r < 0)
			return r;
	}
	r = image_config_decode(config->data, config->len, &p->image.cfg, err);
	return r < 0 ? error_wrap(err, "%s", p->name) : check_config(p, err);
}

/* ---- recording ---- */

static int record_places(struct pull *p, struct error *err)
{
	AUTO(free)
	char *repository = mem_printf("%s/%s", p->how->ref->domain, p->how->ref->path);
	const struct descriptor_list *all = &p->image.m.layers;
	int r = 0;

	for (size_t i = 0; r == 0 && i < all->n; i++)
		r = store_placed_add(p->store, &p->image.cfg.diff_ids.items[i],
				     &all->items[i].digest, repository, err);
	return r;
}

static int record_rows(struct pull *p, struct image_pulled *out, struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(buf) struct buf by_digest = BUF_INIT;
	const struct reference *ref = p->how->ref;
	struct digest before;
	bool known;
	int r;

	image_repo_digest(ref, &p->digest, &by_digest);
	reference_normal(ref, &normal);
	if (ref->has_digest) {
		known = store_repo_digest_find(p->store, buf_str(&by_digest), &before, NULL) ==
			0;
	} else {
		known = store_name_find(p->store, buf_str(&normal), &before, NULL) == 0;
		strlist_add(&names, buf_str(&normal));
	}
	if ((r = incoming_commit(p->store, &p->image, &names, &out->id, err)) < 0)
		return r;
	out->newer = !known || !digest_eq(&before, &out->id);
	out->digest = p->digest;
	r = store_repo_digest_add(p->store, buf_str(&by_digest), &out->id, err);
	return r < 0 ? r : record_places(p, err);
}

/* Nothing is new: what is not written need not be synced. */
static bool is_recorded(const struct pull *p)
{
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(buf) struct buf by_digest = BUF_INIT;
	const struct reference *ref = p->how->ref;
	const struct digest *id = &p->image.m.config.digest;
	struct digest found;

	image_repo_digest(ref, &p->digest, &by_digest);
	reference_normal(ref, &normal);
	return p->here &&
	       store_repo_digest_find(p->store, buf_str(&by_digest), &found, NULL) == 0 &&
	       digest_eq(&found, id) &&
	       (ref->has_digest ||
		(store_name_find(p->store, buf_str(&normal), &found, NULL) == 0 &&
		 digest_eq(&found, id)));
}

static int record(struct pull *p, struct image_pulled *out, struct error *err)
{
	int r;

	if (is_recorded(p)) {
		*out = (struct image_pulled){.id = p->image.m.config.digest,
					     .digest = p->digest};
		return 0;
	}
	if ((r = store_begin(p->store, true, err)) < 0)
		return r;
	if ((r = record_rows(p, out, err)) < 0) {
		store_abort(p->store);
		return r;
	}
	return store_commit(p->store, err);
}

/* ---- the whole ---- */

static bool is_here(const struct pull *p)
{
	struct store_image row = {0};
	bool here = store_image_get(p->store, &p->image.m.config.digest, &row, NULL) == 0;

	store_image_clear(&row);
	for (size_t i = 0; here && i < p->image.cfg.diff_ids.n; i++) {
		struct store_layer layer;

		here = image_layer(p->store, &p->image.cfg.diff_ids.items[i], &layer, NULL) ==
		       0;
	}
	return here;
}

static int fetch(struct pull *p, struct error *err)
{
	int r;

	if ((r = read_manifest(p, err)) < 0 || (r = check_manifest(p, err)) < 0 ||
	    (r = read_config(p, err)) < 0)
		return r;
	p->here = is_here(p);
	if (p->here)
		return 0;
	r = partial_place(p->store, &p->layout.dir, err);
	return r < 0 ? r : pull_layers(p, err);
}

/* Layers that a lie has brought are used by nothing; those of a broken pull will be. */
static void forget(struct store *s)
{
	struct store_collected gone;

	store_collect(s, &gone, NULL);
	store_collected_clear(&gone);
}

static void pull_clear(struct pull *p)
{
	registry_close(p->registry);
	incoming_image_clear(&p->image);
	close_fd(&p->layout.dir);
	lease_end(p->in.lease);
}

int image_pull(struct store *s, const struct image_pull *how, struct image_pulled *out,
	       struct error *err)
{
	AUTO(buf) struct buf name = BUF_INIT;
	struct pull p = {.store = s,
			 .how = how,
			 .registry = how->registry,
			 .in = {.store = s, .ours = true},
			 .image = INCOMING_IMAGE_INIT,
			 .layout = {.dir = -1}};
	int r = lease_new(s, &p.in.lease, err);

	if (r < 0) {
		registry_close(p.registry);
		return r;
	}
	reference_familiar(how->ref, &name);
	p.name = p.layout.name = buf_str(&name);
	p.in.layout = &p.layout;
	if (p.registry || (r = registry_open(how->ref, REGISTRY_PULL, &p.registry, err)) == 0)
		r = fetch(&p, err);
	if (r == 0)
		r = record(&p, out, err);
	pull_clear(&p);
	if (!partial_is_kept(r))
		forget(s);
	return r;
}
