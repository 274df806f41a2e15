/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs put together, and the documents over them. */
#include "image/image_archive.h"

#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

void archive_init(struct archive *a, struct store *s)
{
	*a = (struct archive){.store = s, .index = INDEX_INIT};
}

static void image_entry_clear(struct archive_image *i)
{
	strlist_clear(&i->tags);
	free(i->layers.items);
}

void archive_clear(struct archive *a)
{
	for (size_t i = 0; i < a->n; i++) {
		buf_clear(&a->items[i].bytes);
		close_fd(&a->items[i].file);
	}
	for (size_t i = 0; i < a->images.n; i++)
		image_entry_clear(&a->images.items[i]);
	free(a->items);
	free(a->images.items);
	map_clear(&a->seen);
	index_clear(&a->index);
}

bool archive_has(const struct archive *a, const struct digest *d)
{
	char hex[DIGEST_HEX_SIZE];

	return map_has(&a->seen, digest_hex(d, hex));
}

static struct archive_blob *add(struct archive *a, const struct digest *d, uint64_t size)
{
	char hex[DIGEST_HEX_SIZE];
	struct archive_blob *b = vec_push(a);

	map_set(&a->seen, digest_hex(d, hex), NULL);
	b->digest = *d;
	b->size = size;
	b->file = -1;
	return b;
}

void archive_add_bytes(struct archive *a, const void *data, size_t len, struct digest *out)
{
	digest_of(data, len, out);
	if (!archive_has(a, out))
		buf_add(&add(a, out, len)->bytes, data, len);
}

void archive_add_file(struct archive *a, int fd, const struct digest *d, uint64_t size)
{
	AUTO(fd) int file = fd;

	if (!archive_has(a, d))
		add(a, d, size)->file = take_fd(&file);
}

void archive_add_later(struct archive *a, const struct digest *diff_id,
		       const struct image_form *form, const struct digest *blob, uint64_t size)
{
	struct archive_blob *b;

	if (archive_has(a, blob))
		return;
	b = add(a, blob, size);
	b->later = true;
	b->diff_id = *diff_id;
	b->form = *form;
}

int archive_add_stored(struct archive *a, const struct digest *d, size_t limit,
		       struct error *err)
{
	AUTO(buf) struct buf data = BUF_INIT;
	struct archive_blob *b;
	int r;

	if (archive_has(a, d))
		return 0;
	if ((r = store_blob_read(a->store, d, limit, &data, err)) < 0)
		return r;
	b = add(a, d, data.len);
	b->bytes = data;
	data = BUF_INIT;
	return 0;
}

static int add_kept(struct archive *a, const struct digest *d, uint64_t size, struct error *err)
{
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = store_blob_open(a->store, d, &fd, err);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != size)
		return error_set(err, ERR_CORRUPT,
				 "a layer's blob has another size than its manifest says");
	add(a, d, size)->stored = true;
	return 0;
}

int archive_add_layer(struct archive *a, const struct digest *diff_id,
		      const struct descriptor *d, struct error *err)
{
	char text[DIGEST_TEXT_SIZE];
	struct store_layer layer;
	AUTO(store_origin) struct store_origin origin = {0};
	struct archive_blob *b;
	int r;

	if (archive_has(a, &d->digest))
		return 0;
	if ((r = image_layer(a->store, diff_id, &layer, err)) < 0)
		return r;
	r = store_origin_find(a->store, diff_id, &origin, NULL);
	if (r == 0 && digest_eq(&origin.blob, &d->digest))
		return add_kept(a, &d->digest, d->size, err);
	/* a layer from elsewhere has no other form, one of ours has its canonical tar */
	if (r != -ERR_NOT_FOUND || !digest_eq(&d->digest, diff_id))
		return error_set(err, ERR_CORRUPT, "the blob of layer %s is not in the store",
				 digest_text(diff_id, text));
	b = add(a, &d->digest, layer.tar_bytes);
	memcpy(b->layer, layer.dir, sizeof(b->layer));
	return 0;
}

/* containerd and Docker read the first annotation, OCI tools the second. */
static int add_named(struct archive *a, const struct descriptor *manifest, const char *normal,
		     struct strlist *tags, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf familiar = BUF_INIT;
	struct descriptor *d;
	int r = reference_parse(normal, &ref, err);

	if (r < 0)
		return r;
	d = descriptor_list_add(&a->index.manifests);
	descriptor_copy(manifest, d);
	map_set(&d->annotations, "io.containerd.image.name", mem_strdup(normal));
	map_set(&d->annotations, "org.opencontainers.image.ref.name",
		mem_strdup(ref.tag ? ref.tag : ""));
	reference_familiar(&ref, &familiar);
	if (tags)
		strlist_add(tags, buf_str(&familiar));
	return 0;
}

int archive_name(struct archive *a, const struct descriptor *manifest,
		 const struct strlist *names, struct strlist *tags, struct error *err)
{
	int r = 0;

	if (!names || !names->n)
		descriptor_copy(manifest, descriptor_list_add(&a->index.manifests));
	for (size_t i = 0; names && r == 0 && i < names->n; i++)
		r = add_named(a, manifest, names->items[i], tags, err);
	return r;
}
