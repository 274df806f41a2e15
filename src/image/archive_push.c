/* SPDX-License-Identifier: Apache-2.0 */
/* An archive's blobs and manifests to a registry. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image_archive.h"
#include "registry/registry.h"

#include "base/banned.h"

static enum media_kind kind_of(const struct archive_blob *b)
{
	return b->bytes.len ? media_kind_of(b->bytes.data, b->bytes.len) : MEDIA_KIND_UNKNOWN;
}

static int pack_now(const struct archive *a, const struct archive_blob *b, int *out,
		    struct error *err)
{
	AUTO(descriptor) struct descriptor d = DESCRIPTOR_INIT;
	AUTO(archive) struct archive one;
	int r;

	archive_init(&one, a->store);
	one.tick = a->tick;
	one.data = a->data;
	if ((r = export_layer(&one, &b->diff_id, &b->form, &d, err)) < 0)
		return r;
	if (one.items[0].file < 0 || !digest_eq(&d.digest, &b->digest))
		return error_set(err, ERR_CONFLICT,
				 "a layer is packed in another way than before; push again");
	*out = take_fd(&one.items[0].file);
	return 0;
}

int archive_open_blob(const struct archive *a, const struct archive_blob *b, int *out,
		      struct error *err)
{
	AUTO(fd) int fd = -1;
	int r;

	if (b->bytes.len)
		return io_memfd("blob", b->bytes.data, b->bytes.len, out, err);
	if (b->later)
		return pack_now(a, b, out, err);
	if (b->file >= 0) {
		*out = fcntl(b->file, F_DUPFD_CLOEXEC, 0);
		return *out < 0 ? error_sys(err, "cannot read a blob") : 0;
	}
	r = root_open(store_dir(a->store, STORE_CACHE), ROOT_BENEATH, ".", O_TMPFILE | O_RDWR,
		      0600, &fd, err);
	if (r < 0 || (r = archive_put_blob(a, b, fd, err)) < 0)
		return r;
	*out = take_fd(&fd);
	return 0;
}

static const char *type_of(const struct archive_blob *b, const struct descriptor *top,
			   json_t *document)
{
	const char *own = json_string_value(json_object_get(document, "mediaType"));

	if (digest_eq(&b->digest, &top->digest))
		return top->media_type;
	return own ? own : MEDIA_OCI_MANIFEST;
}

static int push_manifest(const struct archive_blob *b, struct registry *registry,
			 const char *tag, const struct descriptor *top, struct error *err)
{
	AUTO(json) json_t *document = NULL;
	struct digest d;
	int r = json_parse(b->bytes.data, b->bytes.len, &document, err);

	return r < 0 ? r
		     : registry_put_manifest(registry, tag, type_of(b, top, document),
					     &b->bytes, &d, err);
}

static bool is_manifest(const struct archive_blob *b)
{
	enum media_kind kind = kind_of(b);

	return kind == MEDIA_KIND_MANIFEST || kind == MEDIA_KIND_INDEX;
}

int archive_push_blobs(const struct archive *a, struct registry *registry,
		       const struct reference *ref, struct error *err)
{
	const struct registry_uploads_watch nobody = {0};
	AUTO(registry_uploads)
	struct registry_uploads *uploads = registry_uploads_open(registry, &nobody);
	AUTO(free) size_t *blobs = mem_resize(NULL, a->n + 1, sizeof(*blobs));
	size_t which;
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n; i++) {
		const struct archive_blob *b = &a->items[i];
		AUTO(strlist) struct strlist from = STRLIST_INIT;
		const struct registry_upload what = {
			.digest = b->digest, .size = b->size, .fd = -1, .from = &from};

		if (is_manifest(b) ||
		    (r = push_places(a->store, ref, &b->digest, &from, err)) < 0)
			continue;
		blobs[registry_uploads_add(uploads, &what)] = i;
	}
	while (r >= 0 && (r = registry_uploads_next(uploads, 0, &which, err)) > 0) {
		int fd = -1;

		if ((r = archive_open_blob(a, &a->items[blobs[which]], &fd, err)) == 0)
			registry_uploads_give(uploads, which, fd);
	}
	return r;
}

/* Everything but @top, which names the rest. */
static int push_manifests(const struct archive *a, struct registry *registry,
			  const struct descriptor *top, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n; i++)
		if (is_manifest(&a->items[i]) && !digest_eq(&a->items[i].digest, &top->digest))
			r = push_manifest(&a->items[i], registry, NULL, top, err);
	return r;
}

int archive_push(const struct archive *a, const char *name, bool by_digest,
		 const struct descriptor *top, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(registry) struct registry *registry = NULL;
	int r;

	if ((r = reference_parse(name, &ref, err)) < 0 ||
	    (r = registry_open(&ref, REGISTRY_PUSH, &registry, err)) < 0 ||
	    (r = archive_push_blobs(a, registry, &ref, err)) < 0 ||
	    (r = push_manifests(a, registry, top, err)) < 0)
		return r;
	for (size_t i = 0; i < a->n; i++)
		if (digest_eq(&a->items[i].digest, &top->digest))
			return push_manifest(&a->items[i], registry, by_digest ? NULL : ref.tag,
					     top, err);
	return error_set(err, ERR_NOT_FOUND, "the archive has no manifest");
}
