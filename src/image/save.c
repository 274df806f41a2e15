/* SPDX-License-Identifier: Apache-2.0 */
/* `save`: images of the store as one archive. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "image/image_archive.h"

#include "base/banned.h"

/* ---- which images, by which names ---- */

static struct image_choice *choice_of(struct image_choices *c, const struct digest *id)
{
	struct image_choice *new;

	for (size_t i = 0; i < c->n; i++)
		if (digest_eq(&c->items[i].id, id))
			return &c->items[i];
	new = vec_push(c);
	new->id = *id;
	return new;
}

static void add_name(struct image_choices *c, const struct digest *id, const char *normal)
{
	struct image_choice *choice = choice_of(c, id);

	if (strlist_find(&choice->names, normal) < 0)
		strlist_add(&choice->names, normal);
}

/* All tags of a repository, newest images first. */
static int add_repository(struct store *s, const struct reference *ref,
			  struct image_choices *out, bool *out_found, struct error *err)
{
	AUTO(store_image_list) struct store_image_list list = {0};
	AUTO(buf) struct buf prefix = BUF_INIT;
	int r = store_image_list(s, &list, err);

	reference_normal_name(ref, &prefix);
	buf_addch(&prefix, ':');
	for (size_t i = 0; r == 0 && i < list.n; i++)
		for (size_t k = 0; k < list.items[i].names.n; k++) {
			const char *name = list.items[i].names.items[k];

			if (!str_starts(name, buf_str(&prefix)))
				continue;
			add_name(out, &list.items[i].id, name);
			*out_found = true;
		}
	return r;
}

int image_choose(struct store *s, const char *text, struct image_choices *out,
		 struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	struct digest id, named;
	bool found = false;
	int r;

	if (reference_parse(text, &ref, NULL) == 0 && !ref.has_digest) {
		if (ref.tag_implied && (r = add_repository(s, &ref, out, &found, err)) < 0)
			return r;
		if (found)
			return 0;
		reference_normal(&ref, &normal);
	}
	if ((r = image_resolve(s, text, &id, err)) < 0)
		/* all tags were looked for */
		return r == -ERR_NOT_FOUND
			       ? error_set(err, ERR_NOT_FOUND, "No such image: %s", text)
			       : r;
	if (normal.len && store_name_find(s, buf_str(&normal), &named, NULL) == 0 &&
	    digest_eq(&named, &id))
		add_name(out, &id, buf_str(&normal));
	else
		choice_of(out, &id);
	return 0;
}

void image_choices_clear(struct image_choices *c)
{
	for (size_t i = 0; i < c->n; i++)
		strlist_clear(&c->items[i].names);
	free(c->items);
	*c = (struct image_choices){0};
}

/* ---- what belongs to one of them ---- */

static int add_layers(struct archive *a, const struct manifest *m,
		      const struct image_config *cfg, struct archive_image *docker,
		      struct error *err)
{
	if (m->layers.n != cfg->diff_ids.n)
		return error_set(err, ERR_CORRUPT,
				 "its manifest has %zu layers and its config %zu", m->layers.n,
				 cfg->diff_ids.n);
	for (size_t i = 0; i < m->layers.n; i++) {
		int r = archive_add_layer(a, &cfg->diff_ids.items[i], &m->layers.items[i], err);

		if (r < 0)
			return r;
		*vec_push(&docker->layers) = m->layers.items[i].digest;
	}
	return 0;
}

static int add_image(struct archive *a, const struct image_choice *choice, struct error *err)
{
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	AUTO(descriptor) struct descriptor d = DESCRIPTOR_INIT;
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	struct archive_image *docker;
	int r;

	if ((r = image_open(a->store, &choice->id, &image, err)) < 0 ||
	    (r = store_blob_read(a->store, &image.row.manifest, LIMIT_MANIFEST_BYTES, &text,
				 err)) < 0 ||
	    (r = manifest_decode(text.data, text.len, &m, err)) < 0 ||
	    (r = archive_add_stored(a, &image.row.manifest, LIMIT_MANIFEST_BYTES, err)) < 0 ||
	    (r = archive_add_stored(a, &choice->id, LIMIT_CONFIG_BYTES, err)) < 0)
		return r;
	docker = vec_push(&a->images);
	docker->config = choice->id;
	if ((r = add_layers(a, &m, &image.config, docker, err)) < 0)
		return r;
	descriptor_set(&d, str_empty(m.media_type) ? MEDIA_OCI_MANIFEST : m.media_type,
		       &image.row.manifest, text.len);
	return archive_name(a, &d, &choice->names, &docker->tags, err);
}

int image_save(struct store *s, const struct image_choices *what, int fd, struct error *err)
{
	AUTO(archive) struct archive a;
	int r = 0;

	archive_init(&a, s);
	for (size_t i = 0; r == 0 && i < what->n; i++) {
		char hex[DIGEST_HEX_SIZE];

		r = add_image(&a, &what->items[i], err);
		if (r < 0)
			error_wrap(err, "image %.12s", digest_hex(&what->items[i].id, hex));
	}
	return r < 0 ? r : archive_write_tar(&a, fd, err);
}
