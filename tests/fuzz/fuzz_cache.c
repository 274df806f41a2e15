/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents of build caches.  Laws: what is refused leaves nothing; what is accepted is
 * written as a document that is accepted, and is the same then; what points to a layer
 * points to one that there is; a manifest can be made of it, and read.
 */
#include "fuzz.h"

#include "build/cache.h"

#include "base/banned.h"

static void check_indexes(const struct cache_document *d)
{
	for (size_t i = 0; i < d->steps.n; i++)
		demand(d->steps.items[i].layer < d->layers.n);
	for (size_t i = 0; i < d->mounts.n; i++)
		demand(d->mounts.items[i].layer < d->layers.n &&
		       d->layers.items[d->mounts.items[i].layer].has_blob);
}

static void check_manifest(const struct cache_document *d, const struct buf *config, bool index)
{
	const struct cache_place place = {.index = index};
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(index) struct index x = INDEX_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	const char *type;

	cache_manifest_encode(d, config, &place, &text, &type);
	demand((index ? index_decode(text.data, text.len, &x, NULL)
		      : manifest_decode(text.data, text.len, &m, NULL)) == 0);
}

static void try_document(const char *data, size_t size)
{
	AUTO(cache_document) struct cache_document d = {0}, again = {0};
	AUTO(buf) struct buf one = BUF_INIT;
	AUTO(buf) struct buf other = BUF_INIT;

	if (cache_document_decode(data, size, &d, NULL) < 0) {
		demand(!d.layers.items && !d.steps.items && !d.memos.items && !d.mounts.items);
		return;
	}
	check_indexes(&d);
	cache_document_encode(&d, &one);
	demand(cache_document_decode(one.data, one.len, &again, NULL) == 0);
	cache_document_encode(&again, &other);
	demand(str_eq(buf_str(&one), buf_str(&other)));
	check_manifest(&d, &one, false);
	check_manifest(&d, &one, true);
}

/* Those of an image with one layer. */
static void try_records(const char *data, size_t size)
{
	AUTO(cache_document) struct cache_document d = {0};
	struct cache_layer *l = vec_push(&d.layers);

	l->blob = DESCRIPTOR_INIT;
	l->has_blob = true;
	memset(l->diff_id.bytes, 0x11, sizeof(l->diff_id.bytes));
	cache_records_decode(data, size, &d, NULL);
	check_indexes(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_document((const char *)data, size);
	try_records((const char *)data, size);
	return 0;
}
