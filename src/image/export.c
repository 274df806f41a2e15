/* SPDX-License-Identifier: Apache-2.0 */
/* What a build writes as an archive or a layout. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "image/image_archive.h"

#include "base/banned.h"

static bool is_for(const struct image_annotation *a, const struct platform *platform)
{
	AUTO(platform) struct platform want = PLATFORM_INIT;

	return !a->platform || !platform ||
	       (platform_parse(a->platform, &want, NULL) == 0 && platform_eq(&want, platform));
}

static void annotate(const struct image_annotations *all, unsigned place,
		     const struct platform *platform, struct map *out)
{
	for (size_t i = 0; all && i < all->n; i++) {
		const struct image_annotation *a = &all->items[i];

		if ((a->places & place) && is_for(a, platform))
			map_set(out, a->key, mem_strdup(a->value));
	}
}

static bool has_index_annotations(const struct image_annotations *all)
{
	for (size_t i = 0; all && i < all->n; i++)
		if (all->items[i].places &
		    (IMAGE_ANNOTATE_INDEX | IMAGE_ANNOTATE_INDEX_DESCRIPTOR))
			return true;
	return false;
}

void image_annotations_clear(struct image_annotations *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->items[i].platform);
		free(a->items[i].key);
		free(a->items[i].value);
	}
	free(a->items);
	*a = (struct image_annotations){0};
}

/* The manifest of one platform, its config and its layers. */
static int add_part(struct archive *a, const struct image_export *how,
		    const struct image_part *part, struct descriptor *out, struct error *err)
{
	const bool docker = how->form.docker_types && how->form.compression != LAYER_ZSTD;
	const struct digest_list *ids = &part->cfg->diff_ids;
	struct image_form form = how->form;
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	struct archive_image *list = NULL;
	struct digest d;

	form.docker_types = docker;
	archive_add_bytes(a, part->config->data, part->config->len, &d);
	descriptor_set(&m.config, docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG, &d,
		       part->config->len);
	if (how->docker_list) {
		list = vec_push(&a->images);
		list->config = d;
	}
	for (size_t i = 0; i < ids->n; i++) {
		struct descriptor *layer = descriptor_list_add(&m.layers);
		int r = export_layer(a, &ids->items[i], &form, layer, err);

		if (r < 0)
			return r;
		if (list)
			*vec_push(&list->layers) = layer->digest;
	}
	annotate(how->annotations, IMAGE_ANNOTATE_MANIFEST, &part->cfg->platform,
		 &m.annotations);
	m.media_type = mem_strdup(docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST);
	manifest_encode(&m, &text);
	archive_add_bytes(a, text.data, text.len, &d);
	descriptor_set(out, m.media_type, &d, text.len);
	annotate(how->annotations, IMAGE_ANNOTATE_MANIFEST_DESCRIPTOR, &part->cfg->platform,
		 &out->annotations);
	return 0;
}

static int add_index(struct archive *a, const struct image_export *how, struct descriptor *out,
		     struct error *err)
{
	AUTO(index) struct index x = INDEX_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	struct digest d;

	for (size_t i = 0; i < how->n_parts; i++) {
		struct descriptor *one = descriptor_list_add(&x.manifests);
		int r = add_part(a, how, &how->parts[i], one, err);

		if (r < 0)
			return r;
		one->has_platform = true;
		platform_copy(&how->parts[i].cfg->platform, &one->platform);
	}
	for (size_t i = 0; i < how->n_parts; i++)
		if (how->parts[i].n_attestations) {
			/* the list of manifests grows, so a copy */
			const struct descriptor about = x.manifests.items[i];

			attest_add(a, &how->parts[i], how->names, &about, &x);
		}
	annotate(how->annotations, IMAGE_ANNOTATE_INDEX, NULL, &x.annotations);
	x.media_type =
		mem_strdup(how->form.docker_types ? MEDIA_DOCKER_INDEX : MEDIA_OCI_INDEX);
	index_encode(&x, &text);
	archive_add_bytes(a, text.data, text.len, &d);
	descriptor_set(out, x.media_type, &d, text.len);
	annotate(how->annotations, IMAGE_ANNOTATE_INDEX_DESCRIPTOR, NULL, &out->annotations);
	return 0;
}

/* In whole seconds; an image without a time says nothing. */
static void add_created(const struct image_config *cfg, struct descriptor *d)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (!cfg->has_created)
		return;
	clock_format(cfg->created / 1000000000 * 1000000000, &text);
	map_set(&d->annotations, "org.opencontainers.image.created", buf_steal(&text));
}

static int put_together(struct archive *a, const struct image_export *how,
			struct descriptor *out, struct error *err)
{
	struct strlist *tags;
	int r;

	bool alone = how->n_parts == 1 && !how->parts[0].n_attestations;

	if (alone && has_index_annotations(how->annotations))
		return error_set(err, ERR_INVALID,
				 "index annotations not supported for single platform export");
	r = alone ? add_part(a, how, how->parts, out, err) : add_index(a, how, out, err);
	if (r < 0)
		return r;
	add_created(how->parts[0].cfg, out);
	tags = a->images.n ? &a->images.items[0].tags : NULL;
	return archive_name(a, out, how->names, tags, err);
}

int image_export_tar(struct store *s, const struct image_export *how, int fd,
		     struct descriptor *out, struct error *err)
{
	AUTO(archive) struct archive a;
	int r;

	archive_init(&a, s);
	r = put_together(&a, how, out, err);
	return r < 0 ? r : archive_write_tar(&a, fd, err);
}

int image_export_layout(struct store *s, const struct image_export *how, int dir,
			struct descriptor *out, struct error *err)
{
	AUTO(archive) struct archive a;
	int r;

	archive_init(&a, s);
	r = put_together(&a, how, out, err);
	return r < 0 ? r : archive_write_dir(&a, dir, err);
}

/* The stored image has this digest there. */
static int remember(struct store *s, const struct image_export *how, const char *name,
		    const struct descriptor *d, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(store_image) struct store_image row = {0};
	AUTO(buf) struct buf text = BUF_INIT;
	struct digest id;
	int r;

	digest_of(how->parts->config->data, how->parts->config->len, &id);
	if (store_image_get(s, &id, &row, NULL) < 0)
		return 0; /* nobody wanted it in the store */
	if ((r = reference_parse(name, &ref, err)) < 0)
		return r;
	image_repo_digest(&ref, &d->digest, &text);
	return store_repo_digest_add(s, buf_str(&text), &id, err);
}

int image_export_registry(struct store *s, const struct image_export *how, bool by_digest,
			  struct descriptor *out, struct error *err)
{
	AUTO(archive) struct archive a;
	int r;

	archive_init(&a, s);
	a.lazy = true;
	r = put_together(&a, how, out, err);
	for (size_t i = 0; r == 0 && i < how->names->n; i++) {
		r = archive_push(&a, how->names->items[i], by_digest, out, err);
		if (r == 0 && how->n_parts == 1)
			r = remember(s, how, how->names->items[i], out, err);
	}
	return r;
}

int image_annotate(struct store *s, const struct digest *id, const struct image_annotations *a,
		   struct error *err)
{
	AUTO(store_image) struct store_image row = {0};
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	struct digest digest;
	int r;

	if ((r = store_image_get(s, id, &row, err)) < 0 ||
	    (r = store_blob_read(s, &row.manifest, LIMIT_MANIFEST_BYTES, &text, err)) < 0 ||
	    (r = manifest_decode(text.data, text.len, &m, err)) < 0)
		return r;
	map_clear(&m.annotations);
	m.annotations = MAP_INIT_FREE(free);
	annotate(a, IMAGE_ANNOTATE_MANIFEST, NULL, &m.annotations);
	buf_reset(&text);
	manifest_encode(&m, &text);
	if ((r = store_blob_write(s, text.data, text.len, &digest, err)) < 0)
		return r;
	return store_image_set_manifest(s, id, &digest, err);
}
