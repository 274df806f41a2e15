/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI image layouts: directories that others have written.  Order of trust:
 * a document is compared with its digest before it is parsed, a layer's bytes
 * before (compressed ones) or while (plain ones) the helper program reads them.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image_incoming.h"

#include "base/banned.h"

#define REF_NAME   "org.opencontainers.image.ref.name"
#define INDEX_DEEP 4 /* an index in an index in … */

static int not_a_layout(const struct image_layout *l, const char *why, struct error *err)
{
	error_set(err, ERR_INVALID, "%s: not an OCI image layout: %s", l->name, why);
	error_hint(err, "it has to be a directory with oci-layout, index.json and blobs/");
	return -ERR_INVALID;
}

static int check_version(const struct image_layout *l, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	const char *version;
	json_t *doc = NULL;
	bool good;
	int r = root_read_file(l->dir, ROOT_BENEATH, "oci-layout", LIMIT_MANIFEST_BYTES, &text,
			       err);

	if (r == -ERR_NOT_FOUND)
		return not_a_layout(l, "there is no oci-layout", err);
	if (r < 0 || (r = json_parse(text.data, text.len, &doc, err)) < 0)
		return error_wrap(err, "%s: oci-layout", l->name);
	version = json_string_value(json_object_get(doc, "imageLayoutVersion"));
	good = version && str_starts(version, "1.");
	json_decref(doc);
	return good ? 0 : not_a_layout(l, "its version is not 1.x", err);
}

int image_layout_index(const struct image_layout *l, struct index *out, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int r = check_version(l, err);

	*out = INDEX_INIT;
	if (r < 0)
		return r;
	r = root_read_file(l->dir, ROOT_BENEATH, "index.json", LIMIT_MANIFEST_BYTES, &text,
			   err);
	if (r == -ERR_NOT_FOUND)
		return not_a_layout(l, "there is no index.json", err);
	if (r == 0)
		r = index_decode(text.data, text.len, out, err);
	return r < 0 ? error_wrap(err, "%s: index.json", l->name) : 0;
}

static char *blob_path(const struct digest *d)
{
	char hex[DIGEST_HEX_SIZE];

	return mem_printf("blobs/sha256/%s", digest_hex(d, hex));
}

static int open_blob(const struct image_layout *l, const struct digest *d, int *out,
		     struct stat *st, struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	AUTO(free) char *path = blob_path(d);
	AUTO(fd) int fd = -1;
	int r = root_open(l->dir, ROOT_BENEATH, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
			  &fd, err);

	if (r == -ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND, "%s: blob sha256:%s is missing", l->name,
				 digest_hex(d, hex));
	if (r < 0)
		return error_wrap(err, "%s", l->name);
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))
		return error_set(err, ERR_INVALID, "%s: %s is not a file", l->name, path);
	*out = take_fd(&fd);
	return 0;
}

int image_layout_open(const struct image_layout *l, const struct digest *d, int *out_fd,
		      uint64_t *out_size, struct error *err)
{
	struct stat st;
	int r = open_blob(l, d, out_fd, &st, err);

	if (r == 0)
		*out_size = (uint64_t)st.st_size;
	return r;
}

int image_layout_blob(const struct image_layout *l, const struct digest *d, size_t limit,
		      struct buf *out, struct error *err)
{
	size_t start = out->len;
	char hex[DIGEST_HEX_SIZE];
	struct digest have;
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = open_blob(l, d, &fd, &st, err);

	if (r < 0)
		return r;
	if ((r = io_read_all(fd, limit, out, err)) < 0)
		return error_wrap(err, "%s: blob sha256:%s", l->name, digest_hex(d, hex));
	digest_of(out->data + start, out->len - start, &have);
	if (!digest_eq(&have, d))
		return error_set(err, ERR_CORRUPT,
				 "%s: blob sha256:%s is damaged: its bytes have another digest",
				 l->name, digest_hex(d, hex));
	return 0;
}

/* ---- which image ---- */

static const char *tag_of(const struct descriptor *d)
{
	return map_get(&d->annotations, REF_NAME);
}

static int no_such_tag(const struct image_layout *l, const struct index *x, const char *tag,
		       struct error *err)
{
	AUTO(buf) struct buf tags = BUF_INIT;

	for (size_t i = 0; i < x->manifests.n; i++)
		if (tag_of(&x->manifests.items[i]))
			buf_printf(&tags, "%s%s", tags.len ? ", " : "",
				   tag_of(&x->manifests.items[i]));
	error_set(err, ERR_NOT_FOUND, "%s: no image has the tag %s", l->name, tag);
	if (tags.len)
		error_hint(err, "there are: %.1000s", buf_str(&tags));
	else
		error_hint(err, "none has a tag; give its digest: %s@sha256:…", l->name);
	return -ERR_NOT_FOUND;
}

/* Some write the tag, some the whole reference, whose tag counts if nothing else does. */
static const struct descriptor *by_tag(const struct index *x, const char *tag)
{
	const struct descriptor *close = NULL;

	for (size_t i = 0; i < x->manifests.n; i++) {
		const struct descriptor *d = &x->manifests.items[i];
		const char *have = tag_of(d), *colon = have ? strrchr(have, ':') : NULL;

		if (str_eq(have, tag) ||
		    str_eq(map_get(&d->annotations, "io.containerd.image.name"), tag))
			return d;
		if (!close && colon && str_eq(colon + 1, tag))
			close = d;
	}
	return close;
}

/* What index.json does not list may still be there, as a part of what it lists. */
static int by_digest(const struct image_layout *l, const struct index *x, const char *text,
		     struct descriptor *out, struct error *err)
{
	AUTO(buf) struct buf data = BUF_INIT;
	struct digest d;
	int r;

	if (!digest_parse(text, &d))
		return error_set(err, ERR_INVALID, "%s: %s is not a digest (sha256:…)", l->name,
				 text);
	for (size_t i = 0; i < x->manifests.n; i++)
		if (digest_eq(&x->manifests.items[i].digest, &d)) {
			descriptor_copy(&x->manifests.items[i], out);
			return 0;
		}
	if ((r = image_layout_blob(l, &d, LIMIT_MANIFEST_BYTES, &data, err)) < 0)
		return r;
	descriptor_set(out,
		       media_kind_of(data.data, data.len) == MEDIA_KIND_INDEX
			       ? MEDIA_OCI_INDEX
			       : MEDIA_OCI_MANIFEST,
		       &d, data.len);
	return 0;
}

int image_layout_find(const struct image_layout *l, const char *ref, struct descriptor *out,
		      struct error *err)
{
	AUTO(index) struct index x = INDEX_INIT;
	const struct descriptor *found;
	const char *at = ref ? strchr(ref, '@') : NULL;
	int r = image_layout_index(l, &x, err);

	*out = DESCRIPTOR_INIT;
	if (r < 0)
		return r;
	if (at)
		return by_digest(l, &x, at + 1, out, err);
	if (!x.manifests.n)
		return error_set(err, ERR_NOT_FOUND, "%s: there is no image in it", l->name);
	if (str_empty(ref) && x.manifests.n == 1)
		found = x.manifests.items;
	else
		found = by_tag(&x, str_empty(ref) ? "latest" : ref);
	if (!found)
		return no_such_tag(l, &x, str_empty(ref) ? "latest" : ref, err);
	descriptor_copy(found, out);
	return 0;
}

/* ---- bringing it in ---- */

/* The bytes of the manifest for @platform, through as many indexes as there are. */
static int read_manifest(const struct image_layout *l, const struct descriptor *what,
			 const struct platform *platform, unsigned depth, struct buf *out,
			 struct error *err)
{
	AUTO(index) struct index x = INDEX_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	const struct descriptor *next;
	int r;

	if (depth > INDEX_DEEP)
		return error_set(err, ERR_LIMIT, "%s: indexes nested too deeply", l->name);
	buf_reset(out);
	r = image_layout_blob(l, &what->digest, LIMIT_MANIFEST_BYTES, out, err);
	if (r < 0 || media_kind_of(out->data, out->len) != MEDIA_KIND_INDEX)
		return r;
	if ((r = index_decode(out->data, out->len, &x, err)) < 0)
		return error_wrap(err, "%s", l->name);
	next = index_select(&x, platform);
	if (next)
		return read_manifest(l, next, platform, depth + 1, out, err);
	platform_format(platform, &text);
	return error_set(err, ERR_NOT_FOUND, "%s: no match for platform %s", l->name,
			 buf_str(&text));
}

static int read_layers(struct incoming *in, const struct manifest *m,
		       const struct image_config *cfg, struct error *err)
{
	const char *name = in->layout->name;
	int r = 0;

	if (m->layers.n != cfg->diff_ids.n)
		return error_set(err, ERR_CORRUPT,
				 "%s: the manifest has %zu layers, its config %zu", name,
				 m->layers.n, cfg->diff_ids.n);
	for (size_t i = 0; r == 0 && i < m->layers.n; i++) {
		const struct descriptor *d = &m->layers.items[i];
		AUTO(free) char *path = blob_path(&d->digest);
		char hex[DIGEST_HEX_SIZE];

		if (media_kind(d->media_type) != MEDIA_KIND_LAYER)
			return error_set(err, ERR_UNSUPPORTED, "%s: layers of type %s", name,
					 d->media_type);
		r = incoming_layer(in, path, d, &cfg->diff_ids.items[i], err);
		if (r < 0)
			error_wrap(err, "%s: layer sha256:%.12s", name,
				   digest_hex(&d->digest, hex));
	}
	return r;
}

int incoming_layout_image(struct incoming *in, const struct descriptor *what,
			  const struct platform *platform, struct incoming_image *out,
			  struct error *err)
{
	const struct image_layout *l = in->layout;
	int r = read_manifest(l, what, platform, 0, &out->manifest, err);

	if (r < 0)
		return r;
	if ((r = manifest_decode(out->manifest.data, out->manifest.len, &out->m, err)) < 0)
		return error_wrap(err, "%s", l->name);
	if (media_kind(out->m.config.media_type) != MEDIA_KIND_CONFIG)
		return error_set(err, ERR_UNSUPPORTED, "%s: not an image: its config is %s",
				 l->name, out->m.config.media_type);
	if ((r = image_layout_blob(l, &out->m.config.digest, LIMIT_CONFIG_BYTES, &out->config,
				   err)) < 0)
		return r;
	r = image_config_decode(out->config.data, out->config.len, &out->cfg, err);
	if (r < 0)
		return error_wrap(err, "%s", l->name);
	return read_layers(in, &out->m, &out->cfg, err);
}

int image_layout_load(struct store *s, const struct image_layout *l,
		      const struct descriptor *what, const struct platform *platform,
		      const struct strlist *names, struct digest *out_id, struct error *err)
{
	AUTO(incoming_image) struct incoming_image image = INCOMING_IMAGE_INIT;
	AUTO(lease) struct lease *lease = NULL;
	struct incoming in = {.store = s, .layout = l};
	int r = lease_new(s, &lease, err);

	if (r < 0)
		return r;
	in.lease = lease;
	if ((r = incoming_layout_image(&in, what, platform, &image, err)) < 0)
		return r;
	return incoming_commit(s, &image, names, out_id, err);
}
