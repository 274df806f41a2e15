/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context index: a file of fixed records, looked up by (device, inode).
 * It is a cache: whatever is wrong with it, the files are read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/tree.h"

#include "base/banned.h"

#define INDEX_MAGIC	  "stavectx1"
#define LIMIT_INDEX_BYTES (512u << 20)
#define KEEP_RECORDS	  1000000u

/* A change within this time of the hashing might not show in the time stamps. */
#define RACY_NS 20000000ll
#define RACY_COARSE_NS \
	2100000000ll /* file systems that store whole seconds, or pairs of them */

struct record {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	struct digest digest;
};

struct tree_index {
	char name[64];
	struct buf file;	     /* as loaded */
	const struct record *loaded; /* in it */
	size_t n_loaded;
	struct record *items; /* added by this build */
	size_t n, cap;
	uint32_t *slots; /* of loaded */
	size_t nslots;
};

static size_t slot_of(const struct tree_index *x, uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino ^ dev << 40) * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> 20) & (x->nslots - 1);
}

static void make_slots(struct tree_index *x)
{
	x->nslots = 64;
	while (x->nslots < x->n_loaded * 2)
		x->nslots *= 2;
	x->slots = mem_zalloc(x->nslots * sizeof(*x->slots));
	for (size_t i = 0; i < x->n_loaded; i++) {
		size_t at = slot_of(x, x->loaded[i].dev, x->loaded[i].ino);

		while (x->slots[at])
			at = (at + 1) & (x->nslots - 1);
		x->slots[at] = (uint32_t)i + 1;
	}
}

struct tree_index *index_load(int cache, const struct stat *context)
{
	struct tree_index *x = mem_new(struct tree_index);
	size_t head = sizeof(INDEX_MAGIC) + 6; /* 16: keeps the records aligned */

	snprintf(x->name, sizeof(x->name), "context-%llx-%llx",
		 (unsigned long long)context->st_dev, (unsigned long long)context->st_ino);
	if (io_read_file(cache, x->name, LIMIT_INDEX_BYTES, &x->file, NULL) == 0 &&
	    x->file.len >= head && !memcmp(x->file.data, INDEX_MAGIC, sizeof(INDEX_MAGIC)) &&
	    (x->file.len - head) % sizeof(struct record) == 0) {
		x->loaded = (const void *)(x->file.data + head);
		x->n_loaded = (x->file.len - head) / sizeof(struct record);
	}
	make_slots(x);
	return x;
}

static const struct record *find(const struct tree_index *x, uint64_t dev, uint64_t ino)
{
	size_t at = slot_of(x, dev, ino);

	for (; x->slots[at]; at = (at + 1) & (x->nslots - 1)) {
		const struct record *r = &x->loaded[x->slots[at] - 1];

		if (r->dev == dev && r->ino == ino)
			return r;
	}
	return NULL;
}

bool index_find(const struct tree_index *x, const struct tree_node *n, struct digest *out)
{
	const struct record *r = find(x, n->dev, n->ino);

	if (!r || r->size != n->size || r->mtime_ns != n->mtime_ns ||
	    r->ctime_ns != n->ctime_ns)
		return false;
	*out = r->digest;
	return true;
}

static bool is_racy(const struct tree_node *n, int64_t hashed_at_ns)
{
	bool coarse = n->mtime_ns % 1000000000 == 0 && n->ctime_ns % 1000000000 == 0;
	int64_t newest = n->mtime_ns > n->ctime_ns ? n->mtime_ns : n->ctime_ns;

	return newest > hashed_at_ns - (coarse ? RACY_COARSE_NS : RACY_NS);
}

void index_add(struct tree_index *x, const struct tree_node *n, const struct digest *d,
	       int64_t hashed_at_ns)
{
	if (is_racy(n, hashed_at_ns))
		return;
	*vec_push(x) = (struct record){.dev = n->dev,
				       .ino = n->ino,
				       .size = n->size,
				       .mtime_ns = n->mtime_ns,
				       .ctime_ns = n->ctime_ns,
				       .digest = *d};
}

static bool was_added(const struct tree_index *x, const struct record *r, const uint32_t *slots,
		      size_t nslots)
{
	size_t at = (size_t)(r->ino * 0x9e3779b97f4a7c15u >> 20) & (nslots - 1);

	for (; slots[at]; at = (at + 1) & (nslots - 1))
		if (x->items[slots[at] - 1].ino == r->ino &&
		    x->items[slots[at] - 1].dev == r->dev)
			return true;
	return false;
}

/* Old records stay unless replaced; beyond a bound only the new ones do. */
static void add_old(const struct tree_index *x, struct buf *out)
{
	size_t nslots = 64;
	uint32_t *slots;

	while (nslots < x->n * 2)
		nslots *= 2;
	slots = mem_zalloc(nslots * sizeof(*slots));
	for (size_t i = 0; i < x->n; i++) {
		size_t at =
			(size_t)(x->items[i].ino * 0x9e3779b97f4a7c15u >> 20) & (nslots - 1);

		while (slots[at])
			at = (at + 1) & (nslots - 1);
		slots[at] = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < x->n_loaded; i++)
		if (!was_added(x, &x->loaded[i], slots, nslots))
			buf_add(out, &x->loaded[i], sizeof(x->loaded[i]));
	free(slots);
}

void index_save(struct tree_index *x, int cache)
{
	AUTO(buf) struct buf out = BUF_INIT;
	static const char padding[6];

	if (!x->n)
		return;
	buf_add(&out, INDEX_MAGIC, sizeof(INDEX_MAGIC));
	buf_add(&out, padding, sizeof(padding));
	if (x->n_loaded + x->n < KEEP_RECORDS)
		add_old(x, &out);
	buf_add(&out, x->items, x->n * sizeof(*x->items));
	/* losing it costs time, not truth: no sync, no error */
	if (io_write_file(cache, x->name, out.data, out.len, 0600, 0, NULL) < 0)
		log_debug("build", "the context index could not be written");
	x->n = 0;
}

void index_free(struct tree_index *x)
{
	if (!x)
		return;
	buf_clear(&x->file);
	free(x->items);
	free(x->slots);
	free(x);
}
