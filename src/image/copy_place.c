/* SPDX-License-Identifier: Apache-2.0 */
/* Where images are copied from and to. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image_copy.h"
#include "layer/layer.h"

#include "base/banned.h"

#define LAYOUT_WORDS "oci-layout"

/* ---- names ---- */

static const struct {
	const char *prefix;
	enum image_place_kind kind;
} prefixes[] = {
	{"oci:", IMAGE_PLACE_LAYOUT},
	{"oci-archive:", IMAGE_PLACE_OCI_ARCHIVE},
	{"docker-archive:", IMAGE_PLACE_DOCKER_ARCHIVE},
};

static int parse_file(const char *rest, struct image_place *out, struct error *err)
{
	const char *digest = strstr(rest, "@sha256:");
	size_t n = digest ? (size_t)(digest - rest) : strcspn(rest, ":");
	const char *name = digest || !rest[n] ? rest + n : rest + n + 1;

	if (!n)
		return error_set(err, ERR_INVALID, "%s: there is no path in it", out->text);
	out->path = mem_strndup(rest, n);
	if (*name)
		out->name = mem_strdup(name);
	if (out->kind != IMAGE_PLACE_DOCKER_ARCHIVE || !out->name)
		return 0;
	return reference_parse(out->name, &out->ref, err);
}

int image_place_parse(const char *text, struct image_place *out, struct error *err)
{
	*out = (struct image_place){
		.kind = IMAGE_PLACE_REGISTRY, .text = text, .dir = -1, .file = -1};
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_starts(text, prefixes[i].prefix)) {
			out->kind = prefixes[i].kind;
			return parse_file(text + strlen(prefixes[i].prefix), out, err);
		}
	return reference_parse(str_starts(text, "docker://") ? text + 9 : text, &out->ref, err);
}

void image_place_clear(struct image_place *p)
{
	free(p->path);
	free(p->name);
	reference_clear(&p->ref);
}

/* ---- from ---- */

static int open_registry(const struct image_copy *how, const struct image_place *p,
			 enum registry_access access, struct registry **out, struct error *err)
{
	return registry_open(&p->ref, access | (how->insecure ? REGISTRY_INSECURE : 0u), out,
			     err);
}

static bool has_layout(int dir)
{
	AUTO(fd) int marker = -1;

	return root_open(dir, ROOT_BENEATH, LAYOUT_WORDS, O_PATH | O_NOFOLLOW, 0, &marker,
			 NULL) == 0;
}

/* Its members become the files of the empty directory. */
static int unpack(const struct image_place *p, struct error *err)
{
	const struct layer_unpack how = {
		.mode = LAYER_UNPACK_CONTEXT, .input = p->file, .tree = p->dir, .below = ""};
	struct layer_unpacked unpacked;
	int r = layer_unpack(&how, &unpacked, err);

	if (r < 0)
		return error_wrap(err, "%s", p->path);
	if (has_layout(p->dir))
		return 0;
	error_set(err, ERR_UNSUPPORTED, "%s: an archive without an OCI index", p->path);
	error_hint(err, "`stave load` reads it, and `stave push` brings it to a registry");
	return -ERR_UNSUPPORTED;
}

int copy_source_open(const struct image_copy *how, struct copy_source *out, struct error *err)
{
	const struct image_place *p = how->from;

	*out = (struct copy_source){.place = p, .layout = {.dir = p->dir, .name = p->text}};
	if (p->kind == IMAGE_PLACE_REGISTRY)
		return open_registry(how, p, REGISTRY_PULL, &out->registry, err);
	return p->kind == IMAGE_PLACE_LAYOUT ? 0 : unpack(p, err);
}

static int layout_document(const struct copy_source *s, const struct digest *digest,
			   struct copy_document *out, struct error *err)
{
	AUTO(descriptor) struct descriptor found = DESCRIPTOR_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(json) json_t *doc = NULL;
	const char *type;
	int r = 0;

	if (s->place->kind == IMAGE_PLACE_DOCKER_ARCHIVE && s->place->name)
		reference_normal(&s->place->ref, &normal);
	if (!digest) {
		r = image_layout_find(&s->layout,
				      normal.len ? buf_str(&normal) : s->place->name, &found,
				      err);
		digest = &found.digest;
	}
	if (r < 0 || (r = image_layout_blob(&s->layout, digest, LIMIT_MANIFEST_BYTES,
					    &out->bytes, err)) < 0)
		return r;
	if ((r = json_parse(out->bytes.data, out->bytes.len, &doc, err)) < 0)
		return error_wrap(err, "%s", s->place->text);
	type = json_string_value(json_object_get(doc, "mediaType"));
	if (!type)
		type = media_kind_of(out->bytes.data, out->bytes.len) == MEDIA_KIND_INDEX
			       ? MEDIA_OCI_INDEX
			       : MEDIA_OCI_MANIFEST;
	descriptor_set(&out->d, type, digest, out->bytes.len);
	return 0;
}

int copy_source_document(const struct copy_source *s, const struct digest *digest,
			 struct copy_document *out, struct error *err)
{
	AUTO(registry_document) struct registry_document doc = {0};
	const struct reference *ref = &s->place->ref;
	const char *tag = digest || ref->has_digest ? NULL : ref->tag;
	int r;

	if (!s->registry)
		return layout_document(s, digest, out, err);
	r = registry_manifest(s->registry, tag, digest ? digest : &ref->digest, &doc, err);
	if (r < 0)
		return r;
	out->bytes = doc.bytes;
	doc.bytes = BUF_INIT;
	descriptor_set(&out->d, doc.media_type, &doc.digest, out->bytes.len);
	return 0;
}

/* ---- to ---- */

int copy_target_open(const struct image_copy *how, const struct copy_source *from,
		     struct copy_target *out, struct error *err)
{
	const struct reference *a = &how->from->ref, *b = &how->to->ref;
	int r;

	*out = (struct copy_target){.place = how->to};
	archive_init(&out->archive, NULL);
	out->here = how->to->kind == IMAGE_PLACE_LAYOUT && has_layout(how->to->dir);
	if (how->to->kind != IMAGE_PLACE_REGISTRY)
		return 0;
	if ((r = open_registry(how, how->to, REGISTRY_PUSH, &out->registry, err)) < 0)
		return r;
	if (from->registry && str_eq(a->domain, b->domain) && !str_eq(a->path, b->path)) {
		out->from = a->path;
		registry_pull_too(out->registry, a->path);
	}
	return 0;
}

void copy_target_close(struct copy_target *t)
{
	registry_close(t->registry);
	archive_clear(&t->archive);
}

int copy_target_has_document(const struct copy_target *t, const struct digest *d, bool *out,
			     struct error *err)
{
	*out = false;
	return t->registry ? registry_manifest_exists(t->registry, d, out, err) : 0;
}

/* A whole one of an earlier copy; its name says its digest. */
static bool layout_has(const struct copy_target *t, const struct descriptor *d)
{
	const struct image_layout l = {.dir = t->place->dir, .name = t->place->text};
	AUTO(fd) int fd = -1;
	uint64_t size;

	return t->here && image_layout_open(&l, &d->digest, &fd, &size, NULL) == 0 &&
	       size == d->size;
}

int copy_target_has_blob(const struct copy_target *t, const struct descriptor *d,
			 char **out_how, struct error *err)
{
	bool there = archive_has(&t->archive, &d->digest), mounted = false;
	int r = 0;

	if (t->registry)
		r = registry_blob_exists(t->registry, &d->digest, &there, err);
	else
		there |= layout_has(t, d);
	if (r == 0 && t->from && !there)
		r = registry_mount(t->registry, &d->digest, t->from, &mounted, err);
	if (there)
		*out_how = mem_strdup("Layer already exists");
	else if (mounted)
		*out_how = mem_printf("Mounted from %s", t->from);
	return r;
}

int copy_target_scratch(const struct copy_target *t, int *out_fd, struct error *err)
{
	return root_open(t->place->dir, ROOT_BENEATH, ".", O_TMPFILE | O_RDWR, 0600, out_fd,
			 err);
}

int copy_target_blob(struct copy_target *t, const struct descriptor *d, int fd,
		     void (*bytes)(void *data, uint64_t current), void *data, struct error *err)
{
	AUTO(fd) int file = fd;

	if (t->registry)
		return registry_upload(t->registry, &d->digest, d->size, file, bytes, data,
				       err);
	archive_add_file(&t->archive, take_fd(&file), &d->digest, d->size);
	return 0;
}

int copy_target_document(struct copy_target *t, const struct copy_document *doc, bool top,
			 struct error *err)
{
	const char *tag = top && !t->place->ref.has_digest ? t->place->ref.tag : NULL;
	struct digest d;

	if (t->registry)
		return registry_put_manifest(t->registry, tag, doc->d.media_type, &doc->bytes,
					     &d, err);
	archive_add_bytes(&t->archive, doc->bytes.data, doc->bytes.len, &d);
	return 0;
}

/* ---- archives ---- */

/* Docker's list of the one image that it loads. */
static int add_image(struct copy_target *t, const struct copy_document *top,
		     struct strlist *tags, struct error *err)
{
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	struct archive_image *image;
	int r = manifest_decode(top->bytes.data, top->bytes.len, &m, err);

	if (r < 0)
		return r;
	image = vec_push(&t->archive.images);
	image->config = m.config.digest;
	image->tags = *tags;
	*tags = STRLIST_INIT;
	for (size_t i = 0; i < m.layers.n; i++)
		*vec_push(&image->layers) = m.layers.items[i].digest;
	return 0;
}

static int name_it(struct copy_target *t, const struct copy_document *top, struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	AUTO(strlist) struct strlist tags = STRLIST_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	struct descriptor *d;
	int r;

	if (t->place->kind == IMAGE_PLACE_DOCKER_ARCHIVE) {
		if (t->place->name) {
			reference_normal(&t->place->ref, &normal);
			strlist_add(&names, buf_str(&normal));
		}
		r = archive_name(&t->archive, &top->d, &names, &tags, err);
		return r < 0 ? r : add_image(t, top, &tags, err);
	}
	d = descriptor_list_add(&t->archive.index.manifests);
	descriptor_copy(&top->d, d);
	if (t->place->name)
		map_set(&d->annotations, "org.opencontainers.image.ref.name",
			mem_strdup(t->place->name));
	return 0;
}

int copy_target_finish(struct copy_target *t, const struct copy_document *top,
		       struct error *err)
{
	int r;

	if (t->registry)
		return 0;
	if ((r = name_it(t, top, err)) < 0)
		return r;
	return t->place->kind == IMAGE_PLACE_LAYOUT
		       ? archive_write_dir(&t->archive, t->place->dir, err)
		       : archive_write_tar(&t->archive, t->place->file, err);
}
