/* SPDX-License-Identifier: Apache-2.0 */
/* --cache-to: the steps of a build as a directory that can be carried away. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/cache.h"
#include "image/image.h"

#include "base/banned.h"

#define REF_NAME   "org.opencontainers.image.ref.name"
#define SCRATCH	   ".stave-" /* names of files that are not whole yet */
#define COPY_BYTES (256u << 10)

struct export
{
	const struct graph *g;
	const struct cache_place *place;
	int dir, blobs, lock;
	struct cache_document doc;
	struct cache_source before; /* what the same tag had; its place is borrowed */
};

/* ---- the directory ---- */

/* mkdir -p of the user's own path. */
static int make_path(const char *path, struct error *err)
{
	AUTO(free) char *copy = mem_strdup(path);

	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return error_sys(err, "cannot create %s", path);
		if (!c)
			return 0;
		*p = c;
	}
}

static int open_below(int dir, const char *name, int *out, struct error *err)
{
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return error_sys(err, "cannot create %s", name);
	*out = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cannot open %s", name) : 0;
}

/* What a killed one left; nobody else writes while we hold the lock. */
static int remove_scratch(struct export *x, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(x->blobs, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (str_starts(list.items[i].name, SCRATCH))
			unlinkat(x->blobs, list.items[i].name, 0);
	return r;
}

static int open_place(struct export *x, struct error *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	AUTO(fd) int blobs = -1;
	int r = make_path(x->place->dir, err);

	if (r < 0)
		return r;
	x->dir = open(x->place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->dir < 0)
		return error_sys(err, "%s", x->place->dir);
	/* BuildKit's name for the same purpose */
	x->lock = openat(x->dir, "index.json.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			 0644);
	if (x->lock < 0)
		return error_sys(err, "cannot open %s/index.json.lock", x->place->dir);
	if ((r = io_lock(x->lock, true, true, err)) < 0 ||
	    (r = open_below(x->dir, "blobs", &blobs, err)) < 0 ||
	    (r = open_below(blobs, "sha256", &x->blobs, err)) < 0 ||
	    (r = remove_scratch(x, err)) < 0)
		return r;
	if (faccessat(x->dir, "oci-layout", F_OK, 0) == 0)
		return 0;
	return io_write_file(x->dir, "oci-layout", layout, sizeof(layout) - 1, 0644, 0, err);
}

/* Reads it: what a bad disk made of it must not stay there for ever. */
static bool blob_is_there(const struct export *x, const struct descriptor *d)
{
	char hex[DIGEST_HEX_SIZE];
	AUTO(free) char *data = NULL;
	AUTO(fd)
	int fd = openat(x->blobs, digest_hex(&d->digest, hex),
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct hasher hasher;
	struct digest have;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != d->size)
		return false;
	data = mem_alloc(COPY_BYTES);
	hasher_init(&hasher);
	while ((n = io_read_full(fd, data, COPY_BYTES)) > 0)
		hasher_add(&hasher, data, (size_t)n);
	hasher_end(&hasher, &have);
	return n == 0 && digest_eq(&have, &d->digest);
}

/* ---- blobs ---- */

/* A file that gets its name when it is whole and its digest known. */
struct packing {
	int fd;
	char name[32];
	struct hasher hasher;
	uint64_t size;
};

static int packing_write(void *data, const void *bytes, size_t len, struct error *err)
{
	struct packing *p = data;

	hasher_add(&p->hasher, bytes, len);
	p->size += len;
	return io_write_full(p->fd, bytes, len) < 0 ? error_sys(err, "cannot write a layer")
						    : 0;
}

static int packing_begin(const struct export *x, struct packing *p, struct error *err)
{
	char id[17];

	random_hex(id, 16);
	*p = (struct packing){.fd = -1};
	snprintf(p->name, sizeof(p->name), SCRATCH "%s", id);
	hasher_init(&p->hasher);
	p->fd = openat(x->blobs, p->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return p->fd < 0 ? error_sys(err, "cannot write to %s", x->place->dir) : 0;
}

static int packing_end(const struct export *x, struct packing *p, int result,
		       struct digest *out, struct error *err)
{
	char hex[DIGEST_HEX_SIZE];

	close_fd(&p->fd);
	if (result == 0) {
		hasher_end(&p->hasher, out);
		if (renameat(x->blobs, p->name, x->blobs, digest_hex(out, hex)) == 0)
			return 0;
		result = error_sys(err, "cannot write to %s", x->place->dir);
	}
	unlinkat(x->blobs, p->name, 0);
	return result;
}

static const char *media_type_of(enum layer_compression how)
{
	return how == LAYER_GZIP   ? MEDIA_OCI_LAYER_GZIP
	       : how == LAYER_ZSTD ? MEDIA_OCI_LAYER_ZSTD
				   : MEDIA_OCI_LAYER;
}

static int pack(const struct export *x, int fs, const struct digest *diff_id, struct packing *p,
		struct error *err)
{
	const struct layer_sink to = {.write = packing_write, .data = p};
	struct layer_compressor *c = NULL;
	struct layer_info info;
	struct layer_sink sink;
	int r = layer_compressor_open(x->place->compression, x->place->level, &to, &c, err);

	if (r < 0)
		return r;
	sink = layer_compressor_sink(c);
	if ((r = layer_describe(fs, &sink, &info, err)) < 0) {
		layer_compressor_abort(c);
		return r;
	}
	if ((r = layer_compressor_close(c, err)) < 0)
		return r;
	return digest_eq(&info.diff_id, diff_id)
		       ? 0
		       : error_set(err, ERR_CORRUPT,
				   "a layer is not what its digest says any more");
}

static int pack_layer(const struct export *x, const struct store_layer *have,
		      struct cache_layer *out, struct error *err)
{
	AUTO(fd) int fs = -1;
	struct packing p;
	struct digest digest;
	int r = store_layer_open(x->g->store, have->dir, &fs, err);

	if (r < 0 || (r = packing_begin(x, &p, err)) < 0)
		return r;
	r = pack(x, fs, &have->diff_id, &p, err);
	if ((r = packing_end(x, &p, r, &digest, err)) < 0)
		return r;
	descriptor_set(&out->blob, media_type_of(x->place->compression), &digest, p.size);
	return 0;
}

/* Of a cache that was taken from, when nobody needed the layer. */
static int copy_blob(const struct export *x, int from, const struct cache_layer *l,
		     struct cache_layer *out, struct error *err)
{
	AUTO(free) char *data = mem_alloc(COPY_BYTES);
	struct packing p;
	struct digest digest;
	ssize_t n = 0;
	int r = packing_begin(x, &p, err);

	if (r < 0)
		return r;
	while (r == 0 && (n = io_read_full(from, data, COPY_BYTES)) > 0)
		r = packing_write(&p, data, (size_t)n, err);
	if (r == 0 && n < 0)
		r = error_sys(err, "cannot read a layer");
	if ((r = packing_end(x, &p, r, &digest, err)) < 0)
		return r;
	descriptor_set(&out->blob, l->blob.media_type, &digest, p.size);
	return 0;
}

/* For cache_gather(). */
static int put_blob(void *data, struct cache_layer *l, bool *out_known, struct error *err)
{
	struct export *x = data;
	const struct cache_layer *old = cache_before(&x->before.doc, x->place, l);
	const struct cache_source *source;
	struct store_layer have;
	AUTO(fd) int fd = -1;
	int r;

	*out_known = true;
	if (old && blob_is_there(x, &old->blob)) {
		descriptor_copy(&old->blob, &l->blob);
		return 0;
	}
	if (store_layer_find(x->g->store, &l->diff_id, &have, NULL) == 0)
		return pack_layer(x, &have, l, err);
	old = cache_imports_layer(x->g->imports, &l->diff_id, &source);
	*out_known = old != NULL;
	if (!old)
		return 0;
	r = cache_source_blob(source, x->g->store, old, &fd, err);
	return r < 0 ? r : copy_blob(x, fd, old, l, err);
}

/* For cache_mounts_gather(). */
static int put_file(void *data, struct cache_layer *l, int fd, struct error *err)
{
	struct cache_layer out = {.blob = DESCRIPTOR_INIT};
	int r = copy_blob(data, fd, l, &out, err);

	descriptor_clear(&out.blob);
	return r;
}

/* ---- documents ---- */

static int write_document(struct export *x, const struct buf *text, struct digest *out,
			  struct error *err)
{
	char hex[DIGEST_HEX_SIZE];

	digest_of(text->data, text->len, out);
	return io_write_file(x->blobs, digest_hex(out, hex), text->data, text->len, 0644, 0,
			     err);
}

static int write_manifest(struct export *x, struct manifest *m, struct descriptor *out,
			  struct error *err)
{
	AUTO(buf) struct buf document = BUF_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	const char *media_type;
	struct digest d;
	int r;

	cache_document_encode(&x->doc, &document);
	if ((r = write_document(x, &document, &d, err)) < 0)
		return r;
	cache_manifest_encode(&x->doc, &document, x->place, &text, &media_type);
	if ((r = write_document(x, &text, &d, err)) < 0 ||
	    (r = manifest_decode(text.data, text.len, m, err)) < 0)
		return r;
	descriptor_set(out, media_type, &d, text.len);
	map_set(&out->annotations, REF_NAME, mem_strdup(x->place->tag));
	return 0;
}

static bool is_tag(const struct descriptor *d, const char *tag)
{
	return str_eq(map_get(&d->annotations, REF_NAME), tag);
}

/* Other tags of the same directory stay. */
static int write_index(struct export *x, const struct descriptor *mine, struct error *err)
{
	struct image_layout l = {.dir = x->dir, .name = x->place->dir};
	AUTO(index) struct index old = INDEX_INIT;
	AUTO(index) struct index new = INDEX_INIT;
	AUTO(buf) struct buf text = BUF_INIT;

	if (faccessat(x->dir, "index.json", F_OK, 0) == 0) {
		int r = image_layout_index(&l, &old, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < old.manifests.n; i++)
		if (!is_tag(&old.manifests.items[i], x->place->tag))
			descriptor_copy(&old.manifests.items[i],
					descriptor_list_add(&new.manifests));
	descriptor_copy(mine, descriptor_list_add(&new.manifests));
	index_encode(&new, &text);
	return io_write_file(x->dir, "index.json", text.data, text.len, 0644, 0, err);
}

/* ---- what the tag had before and nothing needs any more ---- */

static void keep_digest(struct map *kept, const struct digest *d)
{
	char hex[DIGEST_HEX_SIZE];

	map_set(kept, digest_hex(d, hex), NULL);
}

static void keep_manifest(struct map *kept, const struct descriptor *d,
			  const struct manifest *m, const struct cache_document *doc)
{
	keep_digest(kept, &d->digest);
	keep_digest(kept, &m->config.digest);
	for (size_t i = 0; i < m->layers.n; i++)
		keep_digest(kept, &m->layers.items[i].digest);
	for (size_t i = 0; i < doc->layers.n; i++)
		if (doc->layers.items[i].has_blob)
			keep_digest(kept, &doc->layers.items[i].blob.digest);
}

/* All that index.json leads to.  Something that is not ours: then nothing is removed. */
static bool find_kept(struct export *x, struct map *kept)
{
	struct image_layout l = {.dir = x->dir, .name = x->place->dir};
	AUTO(index) struct index index = INDEX_INIT;

	if (image_layout_index(&l, &index, NULL) < 0)
		return false;
	for (size_t i = 0; i < index.manifests.n; i++) {
		struct cache_source one = CACHE_SOURCE_INIT;
		int r;

		one.dir = x->dir;
		one.place = *x->place; /* borrowed */
		one.place.has_digest = true;
		one.place.digest = index.manifests.items[i].digest;
		if ((r = cache_source_read_dir(&one, NULL)) == 0)
			keep_manifest(kept, &index.manifests.items[i], &one.m, &one.doc);
		cache_document_clear(&one.doc);
		manifest_clear(&one.m);
		if (r < 0)
			return false;
	}
	return true;
}

static void remove_old(struct export *x)
{
	AUTO(map) struct map kept = MAP_INIT;
	AUTO(map) struct map old = MAP_INIT;
	struct descriptor was = {.digest = x->before.manifest};

	if (digest_is_zero(&was.digest) || !find_kept(x, &kept))
		return;
	keep_manifest(&old, &was, &x->before.m, &x->before.doc);
	map_each (&old, e)
		if (!map_has(&kept, e->key))
			unlinkat(x->blobs, e->key, 0);
}

/* ---- all of it ---- */

/* What is not there, or not readable, was not there. */
static void read_before(struct export *x)
{
	x->before.dir = x->dir;
	x->before.place = *x->place;
	if (cache_source_read_dir(&x->before, NULL) < 0)
		x->before.manifest = (struct digest){0};
}

static int export(struct export *x, struct error *err)
{
	const struct cache_target to = {.blob = put_blob, .file = put_file, .data = x};
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(descriptor) struct descriptor mine = DESCRIPTOR_INIT;
	int r = open_place(x, err);

	if (r < 0)
		return r;
	read_before(x);
	if ((r = cache_gather(x->g, x->place, &to, &x->before.doc, &x->doc, err)) < 0 ||
	    (r = cache_mounts_gather(x->g, x->place, &to, &x->before.doc, &x->doc, err)) < 0 ||
	    (r = write_manifest(x, &m, &mine, err)) < 0 || (r = write_index(x, &mine, err)) < 0)
		return r;
	if (!digest_eq(&x->before.manifest, &mine.digest))
		remove_old(x);
	return 0;
}

static int export_local(const struct graph *g, const struct cache_place *p, struct error *err)
{
	struct export x = {.g = g,
			   .place = p,
			   .before = CACHE_SOURCE_INIT,
			   .dir = -1,
			   .blobs = -1,
			   .lock = -1};
	int r = export(&x, err);

	cache_document_clear(&x.doc);
	cache_document_clear(&x.before.doc);
	manifest_clear(&x.before.m);
	close_fd(&x.blobs);
	close_fd(&x.dir);
	close_fd(&x.lock);
	return r;
}

int cache_export(const struct graph *g, const struct cache_place *p, unsigned task,
		 struct error *err)
{
	int r = p->type == CACHE_REGISTRY ? cache_push(g, p, task, err)
					  : export_local(g, p, err);

	return r < 0 ? error_wrap(err, "exporting cache to %s", cache_place_name(p)) : 0;
}
