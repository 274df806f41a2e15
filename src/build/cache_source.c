/* SPDX-License-Identifier: Apache-2.0 */
/* A cache as it lies somewhere: its document, and the way to its blobs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/cache.h"
#include "image/image.h"
#include "registry/registry.h"

#include "base/banned.h"

void cache_source_clear(struct cache_source *s)
{
	cache_place_clear(&s->place);
	cache_document_clear(&s->doc);
	manifest_clear(&s->m);
	free(s->media_type);
	close_fd(&s->dir);
}

/* ---- in a directory ---- */

static int not_ours(const char *type, struct error *err)
{
	return error_set(err, ERR_UNSUPPORTED, "it is not a build cache (%.100s)",
			 type ? type : "unknown");
}

int cache_source_read_dir(struct cache_source *s, struct error *err)
{
	const struct cache_place *p = &s->place;
	struct image_layout l = {.dir = s->dir, .name = p->dir};
	AUTO(descriptor) struct descriptor found = DESCRIPTOR_INIT;
	AUTO(buf) struct buf manifest = BUF_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	char digest[DIGEST_TEXT_SIZE];
	AUTO(free) char *ref = NULL;
	int r;

	ref = p->has_digest ? mem_printf("@%s", digest_text(&p->digest, digest))
			    : mem_strdup(p->tag);
	if ((r = image_layout_find(&l, ref, &found, err)) < 0 ||
	    (r = image_layout_blob(&l, &found.digest, LIMIT_MANIFEST_BYTES, &manifest, err)) <
		    0)
		return r;
	/* only BuildKit writes them as an index of layers, with the document among them */
	if (media_kind_of(manifest.data, manifest.len) == MEDIA_KIND_INDEX)
		return error_set(err, ERR_UNSUPPORTED,
				 "it was not written by stave: its keys mean nothing here");
	if ((r = manifest_decode(manifest.data, manifest.len, &s->m, err)) < 0)
		return r;
	if (!str_eq(s->m.config.media_type, CACHE_MEDIA))
		return not_ours(s->m.config.media_type, err);
	s->manifest = found.digest;
	r = image_layout_blob(&l, &s->m.config.digest, LIMIT_CONFIG_BYTES, &text, err);
	return r < 0 ? r : cache_document_decode(buf_str(&text), text.len, &s->doc, err);
}

static int open_file(const struct cache_source *s, const struct cache_layer *l, int *out,
		     struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	AUTO(free) char *path = mem_printf("blobs/sha256/%s", digest_hex(&l->blob.digest, hex));
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = root_open(s->dir, ROOT_BENEATH, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
			  &fd, err);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "blob sha256:%s is not a file", hex);
	if ((uint64_t)st.st_size != l->blob.size)
		return error_set(err, ERR_CORRUPT, "blob sha256:%s has %lld bytes, not %llu",
				 hex, (long long)st.st_size, (unsigned long long)l->blob.size);
	*out = take_fd(&fd);
	return 0;
}

/* ---- in a registry ---- */

int cache_registry_open(const struct cache_place *p, bool push, struct registry **out,
			struct error *err)
{
	return registry_open(&p->ref,
			     (push ? REGISTRY_PUSH : REGISTRY_PULL) |
				     (p->insecure ? REGISTRY_INSECURE : 0u),
			     out, err);
}

static int read_document(struct cache_source *s, struct registry *r, const struct digest *d,
			 struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int e = registry_blob(r, d, LIMIT_CONFIG_BYTES, &text, err);

	return e < 0 ? e : cache_document_decode(buf_str(&text), text.len, &s->doc, err);
}

static int read_manifest(struct cache_source *s, struct registry *r,
			 const struct registry_document *doc, struct error *err)
{
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	int e = manifest_decode(doc->bytes.data, doc->bytes.len, &m, err);

	if (e < 0)
		return e;
	if (str_eq(m.config.media_type, CACHE_MEDIA))
		return read_document(s, r, &m.config.digest, err);
	if (media_kind(m.config.media_type) == MEDIA_KIND_CONFIG)
		return cache_inline_read(r, &m, &s->doc, err);
	return not_ours(m.config.media_type, err);
}

/* Of blobs with the document among them, or of images for several platforms. */
static int read_index(struct cache_source *s, struct registry *r,
		      const struct registry_document *doc, const struct platform *platform,
		      struct error *err)
{
	AUTO(registry_document) struct registry_document one = {0};
	AUTO(index) struct index x = INDEX_INIT;
	const struct descriptor *image;
	int e = index_decode(doc->bytes.data, doc->bytes.len, &x, err);

	if (e < 0)
		return e;
	for (size_t i = 0; i < x.manifests.n; i++)
		if (str_eq(x.manifests.items[i].media_type, CACHE_MEDIA))
			return read_document(s, r, &x.manifests.items[i].digest, err);
	image = index_select(&x, platform);
	if (!image)
		return error_set(err, ERR_NOT_FOUND, "it has nothing for this platform");
	if ((e = registry_manifest(r, NULL, &image->digest, &one, err)) < 0)
		return e;
	return media_kind(one.media_type) == MEDIA_KIND_INDEX ? not_ours(one.media_type, err)
							      : read_manifest(s, r, &one, err);
}

static int read_registry(struct cache_source *s, struct registry *r,
			 const struct platform *platform, struct error *err)
{
	AUTO(registry_document) struct registry_document doc = {0};
	AUTO(registry) struct registry *own = NULL;
	const struct reference *ref = &s->place.ref;
	int e = 0;

	if (!r && (e = cache_registry_open(&s->place, false, &own, err)) < 0)
		return e;
	r = r ? r : own;
	e = registry_manifest(r, ref->has_digest ? NULL : ref->tag, &ref->digest, &doc, err);
	if (e < 0)
		return e;
	s->manifest = doc.digest;
	s->media_type = mem_strdup(doc.media_type);
	return media_kind(doc.media_type) == MEDIA_KIND_INDEX
		       ? read_index(s, r, &doc, platform, err)
		       : read_manifest(s, r, &doc, err);
}

/* The file loses its name in the store's cache, and is ours alone. */
static int take_file(void *data, size_t which, int fd, struct error *err)
{
	int *out = data;

	(void)which;
	*out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *out < 0 ? error_sys(err, "cannot keep a download") : 0;
}

static int download(const struct cache_source *s, struct store *store,
		    const struct cache_layer *l, int *out, struct error *err)
{
	AUTO(registry) struct registry *r = NULL;
	const struct descriptor *blob = &l->blob;
	struct image_blobs want = {.items = &blob, .n = 1, .take = take_file, .data = out};
	int e = cache_registry_open(&s->place, false, &r, err);

	want.registry = r;
	return e < 0 ? e : image_fetch_blobs(store, &want, err);
}

/* ---- either ---- */

int cache_source_read(struct cache_source *s, struct registry *r,
		      const struct platform *platform, struct error *err)
{
	if (s->place.type == CACHE_REGISTRY)
		return read_registry(s, r, platform, err);
	/* the user's own path */
	s->dir = open(s->place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return error_sys(err, "%s", s->place.dir);
	return cache_source_read_dir(s, err);
}

int cache_source_blob(const struct cache_source *s, struct store *store,
		      const struct cache_layer *l, int *out_fd, struct error *err)
{
	return s->place.type == CACHE_REGISTRY ? download(s, store, l, out_fd, err)
					       : open_file(s, l, out_fd, err);
}
