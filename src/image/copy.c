/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_copy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "image/image_incoming.h"

#include "base/banned.h"

#define BATCH	 64u /* blobs whose files are open at the same time */
#define DEEP	 4   /* an index in an index in … */
#define SHORT_ID 12

struct copy {
	const struct image_copy *how;
	struct copy_source from;
	struct copy_target to;
	struct copy_documents {
		struct copy_document *items; /* each behind those that it names */
		size_t n, cap;
	} documents;
	struct copy_blobs {
		struct copy_blob *items;
		size_t n, cap;
	} blobs;
	size_t bytes; /* of the documents */
	struct map seen;
	size_t current; /* of the blobs, on its way to the target */
};

static void tell(const struct copy *c, enum progress_kind kind, size_t which, const char *text,
		 uint64_t current)
{
	progress_tell(c->how->progress, kind, (unsigned)which + 1, text, current,
		      c->blobs.items[which].d.size);
}

/* ---- what there is ---- */

static bool is_new(struct copy *c, const struct digest *d)
{
	char hex[DIGEST_HEX_SIZE];

	if (map_has(&c->seen, digest_hex(d, hex)))
		return false;
	map_set(&c->seen, hex, NULL);
	return true;
}

static void want_blob(struct copy *c, const struct descriptor *d)
{
	struct copy_blob *b;

	if (!is_new(c, &d->digest))
		return;
	b = vec_push(&c->blobs);
	b->fd = -1;
	descriptor_copy(d, &b->d);
}

static int want_blobs(struct copy *c, const struct copy_document *doc, struct error *err)
{
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	int r = manifest_decode(doc->bytes.data, doc->bytes.len, &m, err);

	if (r < 0)
		return error_wrap(err, "%s", c->from.place->text);
	want_blob(c, &m.config);
	for (size_t i = 0; i < m.layers.n; i++)
		want_blob(c, &m.layers.items[i]);
	return 0;
}

/* The one that is wanted instead of an index; @doc becomes it. */
static int choose(struct copy *c, const struct platform *want, struct copy_document *doc,
		  struct error *err)
{
	AUTO(index) struct index x = INDEX_INIT;
	const struct descriptor *found;
	AUTO(buf) struct buf text = BUF_INIT;
	struct digest digest;
	int r = index_decode(doc->bytes.data, doc->bytes.len, &x, err);

	if (r < 0)
		return error_wrap(err, "%s", c->from.place->text);
	found = index_select(&x, want);
	if (!found) {
		platform_format(want, &text);
		return error_set(err, ERR_NOT_FOUND,
				 "%s: no matching manifest for %s in the manifest list entries",
				 c->from.place->text, buf_str(&text));
	}
	digest = found->digest;
	buf_clear(&doc->bytes);
	return copy_source_document(&c->from, &digest, doc, err);
}

static int walk(struct copy *c, const struct digest *digest, int deep, struct error *err);

static int walk_index(struct copy *c, const struct copy_document *doc, int deep,
		      struct error *err)
{
	AUTO(index) struct index x = INDEX_INIT;
	int r = index_decode(doc->bytes.data, doc->bytes.len, &x, err);

	if (r < 0)
		return error_wrap(err, "%s", c->from.place->text);
	for (size_t i = 0; r == 0 && i < x.manifests.n; i++)
		r = walk(c, &x.manifests.items[i].digest, deep + 1, err);
	return r;
}

static int walk_referrers(struct copy *c, const struct digest *subject, int deep,
			  struct error *err)
{
	AUTO(json) json_t *all = NULL;
	json_t *entry;
	size_t i;
	int r = c->from.registry ? registry_referrers(c->from.registry, subject, &all, err) : 0;

	json_array_foreach (all, i, entry) {
		const char *text = json_string_value(json_object_get(entry, "digest"));
		struct digest d;

		if (r == 0 && text && digest_parse(text, &d))
			r = walk(c, &d, deep + 1, err);
	}
	return r;
}

/* Adds the document, behind what it names; it was read already. */
static int walk_document(struct copy *c, struct copy_document *doc, int deep, struct error *err)
{
	bool is_index = media_kind(doc->d.media_type) == MEDIA_KIND_INDEX;
	bool there = false, below;
	int r;

	c->bytes += doc->bytes.len;
	if (deep > DEEP || c->documents.n >= LIMIT_COPY_DOCUMENTS ||
	    c->bytes > LIMIT_COPY_BYTES)
		return error_set(err, ERR_LIMIT, "%s: more manifests than are copied at once",
				 c->from.place->text);
	if ((r = copy_target_has_document(&c->to, &doc->d.digest, &there, err)) < 0)
		return r;
	/* with a document that is there is all that it names, but not what refers to that */
	below = !there || (is_index && c->how->referrers);
	if (below &&
	    (r = is_index ? walk_index(c, doc, deep, err) : want_blobs(c, doc, err)) < 0)
		return r;
	if (!there || !deep) {
		*vec_push(&c->documents) = *doc;
		*doc = (struct copy_document){.d = DESCRIPTOR_INIT};
	}
	return 0;
}

/*
 * Referrers come behind what they refer to: their list may be kept by tag.  What a registry
 * says of them may go in circles.
 */
static int walk(struct copy *c, const struct digest *digest, int deep, struct error *err)
{
	struct copy_document doc = {.d = DESCRIPTOR_INIT};
	int r;

	if (!is_new(c, digest))
		return 0;
	r = copy_source_document(&c->from, digest, &doc, err);
	if (r == 0)
		r = walk_document(c, &doc, deep, err);
	if (r == 0 && c->how->referrers)
		r = walk_referrers(c, digest, deep, err);
	descriptor_clear(&doc.d);
	buf_clear(&doc.bytes);
	return r;
}

static int walk_top(struct copy *c, struct digest *out, struct error *err)
{
	struct copy_document doc = {.d = DESCRIPTOR_INIT};
	AUTO(platform) struct platform host = PLATFORM_INIT;
	const struct platform *want = c->how->platform;
	int r = copy_source_document(&c->from, NULL, &doc, err);

	if (!want && c->how->to->kind == IMAGE_PLACE_DOCKER_ARCHIVE) {
		platform_host(&host);
		want = &host;
	}
	for (int deep = 0; r == 0 && want && media_kind(doc.d.media_type) == MEDIA_KIND_INDEX;
	     deep++)
		r = deep > DEEP ? error_set(err, ERR_LIMIT, "%s: indexes nested too deeply",
					    c->from.place->text)
				: choose(c, want, &doc, err);
	*out = doc.d.digest;
	is_new(c, out);
	if (r == 0)
		r = walk_document(c, &doc, 0, err);
	if (r == 0 && c->how->referrers)
		r = walk_referrers(c, out, 0, err);
	descriptor_clear(&doc.d);
	buf_clear(&doc.bytes);
	return r;
}

/* ---- blobs ---- */

static void on_sent(void *data, uint64_t current)
{
	const struct copy *c = data;

	tell(c, PROGRESS_BYTES, c->current, NULL, current);
}

/* The file of blob @i has its size: is it the blob? */
static int check_blob(struct copy *c, size_t i, struct error *err)
{
	const struct copy_blob *b = &c->blobs.items[i];
	char text[DIGEST_TEXT_SIZE];
	struct digest have;
	int r;

	if (lseek(b->fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot read a blob");
	if ((r = incoming_hash(b->fd, &have, err)) < 0 || digest_eq(&have, &b->d.digest))
		return r;
	return error_set(err, ERR_CORRUPT, "%s: verification failed for digest %s: it is %s",
			 c->from.place->text, digest_text(&b->d.digest, text),
			 digest_text(&have, (char[DIGEST_TEXT_SIZE]){0}));
}

/* On to the target with it. */
static int send_blob(struct copy *c, size_t i, struct error *err)
{
	struct copy_blob *b = &c->blobs.items[i];
	int r;

	c->current = i;
	r = copy_target_blob(&c->to, &b->d, take_fd(&b->fd), on_sent, c, err);
	if (r == 0)
		tell(c, PROGRESS_DONE, i, "Copied", 0);
	return r;
}

struct batch {
	struct copy *copy;
	struct registry_download items[BATCH];
	size_t which[BATCH]; /* of the blobs */
	size_t n;
};

static void on_bytes(void *data, size_t which, uint64_t current)
{
	const struct batch *b = data;

	tell(b->copy, PROGRESS_BYTES, b->which[which], NULL, current);
}

static int on_check(void *data, size_t which, struct error *err)
{
	const struct batch *b = data;

	return check_blob(b->copy, b->which[which], err);
}

/* The others come down while this one goes up. */
static int on_done(void *data, size_t which, struct error *err)
{
	struct batch *b = data;

	return send_blob(b->copy, b->which[which], err);
}

/* 1: it has the blob, and that is told. */
static int target_has(struct copy *c, size_t i, struct error *err)
{
	AUTO(free) char *how = NULL;
	int r = copy_target_has_blob(&c->to, &c->blobs.items[i].d, &how, err);

	if (r < 0 || !how)
		return r;
	tell(c, PROGRESS_CACHED, i, how, 0);
	return 1;
}

/* Blobs that the target has are done; the others get a place in the batch. */
static int plan_blob(struct copy *c, size_t i, struct batch *batch, struct error *err)
{
	struct copy_blob *b = &c->blobs.items[i];
	int r = target_has(c, i, err);

	if (r)
		return r < 0 ? r : 0;
	if ((r = copy_target_scratch(&c->to, &b->fd, err)) < 0)
		return r;
	batch->which[batch->n] = i;
	batch->items[batch->n++] = (struct registry_download){
		.digest = b->d.digest, .size = b->d.size, .fd = b->fd};
	return 0;
}

static int copy_batch(struct copy *c, size_t from, size_t to, struct error *err)
{
	struct batch *batch = mem_new(struct batch);
	struct registry_watch watch = {
		.bytes = on_bytes, .check = on_check, .done = on_done, .data = batch};
	int r = 0;

	batch->copy = c;
	for (size_t i = from; r == 0 && i < to; i++)
		r = plan_blob(c, i, batch, err);
	if (r == 0)
		r = registry_download(c->from.registry, batch->items, batch->n, &watch, err);
	free(batch);
	return r;
}

/* Out of a layout: its own file. */
static int copy_file(struct copy *c, size_t i, struct error *err)
{
	struct copy_blob *b = &c->blobs.items[i];
	char text[DIGEST_TEXT_SIZE];
	uint64_t size;
	int r = target_has(c, i, err);

	if (r)
		return r < 0 ? r : 0;
	if ((r = image_layout_open(&c->from.layout, &b->d.digest, &b->fd, &size, err)) < 0)
		return r;
	if (size == b->d.size)
		return (r = check_blob(c, i, err)) < 0 ? r : send_blob(c, i, err);
	return error_set(err, ERR_CORRUPT, "%s: blob %s has %llu bytes, not %llu",
			 c->from.place->text, digest_text(&b->d.digest, text),
			 (unsigned long long)size, (unsigned long long)b->d.size);
}

static int copy_blobs(struct copy *c, struct error *err)
{
	size_t n = c->blobs.n;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		char hex[DIGEST_HEX_SIZE];

		digest_hex(&c->blobs.items[i].d.digest, hex);
		hex[SHORT_ID] = 0;
		tell(c, PROGRESS_BEGIN, i, hex, 0);
	}
	for (size_t i = 0; r == 0 && i < n && !c->from.registry; i++)
		r = copy_file(c, i, err);
	for (size_t i = 0; r == 0 && i < n && c->from.registry; i += BATCH)
		r = copy_batch(c, i, i + BATCH < n ? i + BATCH : n, err);
	return r;
}

/* ---- the whole ---- */

static int copy_documents(struct copy *c, const struct digest *top, struct error *err)
{
	const struct copy_document *last = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->documents.n; i++) {
		const struct copy_document *doc = &c->documents.items[i];

		if (digest_eq(&doc->d.digest, top))
			last = doc;
		r = copy_target_document(&c->to, doc, doc == last, err);
	}
	return r < 0 ? r : copy_target_finish(&c->to, last, err);
}

static void copy_clear(struct copy *c)
{
	for (size_t i = 0; i < c->blobs.n; i++) {
		descriptor_clear(&c->blobs.items[i].d);
		close_fd(&c->blobs.items[i].fd);
	}
	for (size_t i = 0; i < c->documents.n; i++) {
		descriptor_clear(&c->documents.items[i].d);
		buf_clear(&c->documents.items[i].bytes);
	}
	free(c->blobs.items);
	free(c->documents.items);
	map_clear(&c->seen);
	copy_target_close(&c->to);
	registry_close(c->from.registry);
}

int image_copy(const struct image_copy *how, struct digest *out, struct error *err)
{
	struct copy c = {.how = how};
	int r;

	if ((r = copy_source_open(how, &c.from, err)) == 0 &&
	    (r = copy_target_open(how, &c.from, &c.to, err)) == 0 &&
	    (r = walk_top(&c, out, err)) == 0 && (r = copy_blobs(&c, err)) == 0)
		r = copy_documents(&c, out, err);
	copy_clear(&c);
	return r;
}
