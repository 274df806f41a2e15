/* SPDX-License-Identifier: Apache-2.0 */
/* `tag` and `rmi`. */
#include <string.h>

#include "base/mem.h"
#include "image/image.h"

#include "base/banned.h"

int image_tag(struct store *s, const struct digest *id, const char *reference,
	      struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	int r = reference_parse(reference, &ref, err);

	if (r < 0)
		return r;
	if (ref.has_digest)
		return error_set(err, ERR_INVALID,
				 "refusing to create a tag with a digest reference");
	reference_normal(&ref, &normal);
	return store_name_set(s, buf_str(&normal), id, NULL, err);
}

/* Docker has words of its own for a name. */
static int in_use(const char *text, bool named, const char *container, const struct digest *id,
		  struct error *err)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(id, hex);
	if (named)
		return error_set(err, ERR_CONFLICT,
				 "conflict: unable to remove repository reference \"%s\" (must "
				 "force) - container %.12s is using its referenced image %.12s",
				 text, container, hex);
	return error_set(
		err, ERR_CONFLICT,
		"conflict: unable to delete %.12s (must be forced) - container %.12s is "
		"using its referenced image %.12s",
		hex, container, hex);
}

static int check_containers(struct store *s, const struct digest *id, const char *text,
			    bool named, struct error *err)
{
	AUTO(store_container_list) struct store_container_list list = {0};
	int r = store_container_list(s, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (digest_eq(&list.items[i].image, id))
			return in_use(text, named, list.items[i].id, id, err);
	return r;
}

static void add_untagged(struct image_removed *out, const char *normal)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf familiar = BUF_INIT;

	if (reference_parse(normal, &ref, NULL) == 0)
		reference_familiar(&ref, &familiar);
	strlist_add(&out->untagged, familiar.len ? buf_str(&familiar) : normal);
}

static int remove_rows(struct store *s, const struct store_image *row, const char *only_name,
		       bool keep, struct image_removed *out, struct error *err)
{
	bool whole = !keep && (!only_name || row->names.n == 1);
	int r = store_begin(s, true, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < row->names.n; i++) {
		if (only_name && !str_eq(row->names.items[i], only_name))
			continue;
		r = store_name_remove(s, row->names.items[i], err);
		add_untagged(out, row->names.items[i]);
	}
	if (r == 0 && whole) {
		r = store_image_remove(s, &row->id, err);
		*vec_push(&out->deleted) = row->id;
	}
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

/* In one transaction, so that no container comes to be in between. */
static int remove_unused(struct store *s, const struct store_image *row, const char *name,
			 const char *text, bool force, struct image_removed *out,
			 struct error *err)
{
	bool keep = false;
	int r = store_begin(s, true, err);

	if (r < 0)
		return r;
	if (!name || row->names.n == 1) {
		r = check_containers(s, &row->id, text, name != NULL, err);
		/* forced: the names go, the image stays for its container */
		keep = r == -ERR_CONFLICT && force;
		if (keep) {
			error_clear(err);
			r = 0;
		}
	}
	if (r == 0)
		r = remove_rows(s, row, name, keep, out, err);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

/* The normal form of @text if that is a name of the image, else NULL (it was an id). */
static char *name_of(const char *text, const struct store_image *row)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;

	if (reference_parse(text, &ref, NULL) < 0)
		return NULL;
	reference_normal(&ref, &normal);
	return strlist_find(&row->names, buf_str(&normal)) >= 0 ? buf_steal(&normal) : NULL;
}

static int collect(struct store *s, struct image_removed *out, struct error *err)
{
	struct store_collected collected;
	int r = store_collect(s, &collected, err);

	for (size_t i = 0; i < collected.diff_ids.n; i++)
		*vec_push(&out->deleted) = collected.diff_ids.items[i];
	store_collected_clear(&collected);
	return r;
}

int image_remove(struct store *s, const char *text, bool force, struct image_removed *out,
		 struct error *err)
{
	AUTO(store_image) struct store_image row = {0};
	AUTO(free) char *name = NULL;
	struct digest id;
	int r;

	if ((r = image_resolve(s, text, &id, err)) < 0 ||
	    (r = store_image_get(s, &id, &row, err)) < 0)
		return r;
	name = name_of(text, &row);
	if (!name && row.names.n > 1 && !force) {
		char hex[DIGEST_HEX_SIZE];

		return error_set(err, ERR_CONFLICT,
				 "conflict: unable to delete %.12s (must be forced) - image is "
				 "referenced in multiple repositories",
				 digest_hex(&id, hex));
	}
	if ((r = remove_unused(s, &row, name, text, force, out, err)) < 0)
		return r;
	return out->deleted.n ? collect(s, out, err) : 0;
}

int image_discard(struct store *s, const struct digest *id, bool named,
		  struct image_removed *out, struct error *err)
{
	AUTO(store_image) struct store_image row = {0};
	char text[DIGEST_TEXT_SIZE];
	int r = store_begin(s, true, err);

	if (r < 0)
		return r;
	r = store_image_get(s, id, &row, err);
	if (r == 0 && row.names.n && !named)
		r = error_set(err, ERR_CONFLICT, "%s has got a name", digest_text(id, text));
	if (r == 0)
		r = remove_unused(s, &row, NULL, digest_text(id, text), false, out, err);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

void image_removed_clear(struct image_removed *r)
{
	strlist_clear(&r->untagged);
	free(r->deleted.items);
	*r = (struct image_removed){0};
}
