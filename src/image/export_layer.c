/* SPDX-License-Identifier: Apache-2.0 */
/* One layer in the form that an output wants. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image_archive.h"

#include "base/banned.h"

/* The packed bytes: into a file without a name, and into a hash. */
struct packed {
	const struct archive *archive; /* NULL: none that is told */
	int fd;
	uint64_t size;
	struct hasher hasher;
};

static int packed_write(void *data, const void *bytes, size_t len, struct error *err)
{
	struct packed *p = data;

	hasher_add(&p->hasher, bytes, len);
	p->size += len;
	if (p->archive && p->archive->tick)
		p->archive->tick(p->archive->data);
	return io_write_full(p->fd, bytes, len) < 0
		       ? error_sys(err, "cannot write a packed layer")
		       : 0;
}

static enum layer_compression form_of(const char *media_type)
{
	if (str_ends(media_type, "gzip"))
		return LAYER_GZIP;
	return str_ends(media_type, "zstd") ? LAYER_ZSTD : LAYER_PLAIN;
}

static const char *media_type_of(enum layer_compression how, bool docker)
{
	switch (how) {
	case LAYER_GZIP:
		return docker ? MEDIA_DOCKER_LAYER_GZIP : MEDIA_OCI_LAYER_GZIP;
	case LAYER_ZSTD:
		return MEDIA_OCI_LAYER_ZSTD; /* Docker has no word for it */
	case LAYER_PLAIN:
		break;
	}
	return docker ? MEDIA_DOCKER_LAYER : MEDIA_OCI_LAYER;
}

/* The plain tar of @layer to @to: from its directory, or the blob it came as. */
static int stream(struct archive *a, const struct store_layer *layer,
		  const struct store_origin *origin, const struct layer_sink *to,
		  struct digest *out, struct error *err)
{
	struct layer_info info;
	AUTO(fd) int fd = -1;
	int r;

	if (!origin) {
		if ((r = store_layer_open(a->store, layer->dir, &fd, err)) == 0 &&
		    (r = layer_describe(fd, to, &info, err)) == 0)
			*out = info.diff_id;
		return r;
	}
	if ((r = store_blob_open(a->store, &origin->blob, &fd, err)) < 0)
		return r;
	return archive_stream(fd, to, out, err);
}

static int pack(struct archive *a, const struct store_layer *layer,
		const struct store_origin *origin, const struct image_form *form,
		struct packed *p, struct error *err)
{
	const struct layer_sink to = {.write = packed_write, .data = p};
	struct layer_compressor *c = NULL;
	char text[DIGEST_TEXT_SIZE];
	struct layer_sink sink;
	struct digest have;
	int r = layer_compressor_open(form->compression, form->level, &to, &c, err);

	if (r < 0)
		return r;
	sink = layer_compressor_sink(c);
	if ((r = stream(a, layer, origin, &sink, &have, err)) < 0) {
		layer_compressor_abort(c);
		return r;
	}
	if ((r = layer_compressor_close(c, err)) < 0)
		return r;
	if (digest_eq(&have, &layer->diff_id))
		return 0;
	error_set(err, ERR_CORRUPT, "layer %s is not what its digest says any more",
		  digest_text(&layer->diff_id, text));
	error_hint(err, "run `stave system check --repair`, then build again");
	return -ERR_CORRUPT;
}

/* How the store remembers a form: one of the usual levels.  NULL: not at all. */
static const char *packed_form(const struct image_form *form)
{
	if (form->level != -1)
		return NULL;
	return form->compression == LAYER_GZIP ? "gzip:libdeflate-1" : "zstd:3";
}

static bool find_packed(struct archive *a, const struct store_layer *layer,
			const struct image_form *form, struct descriptor *out)
{
	const char *name = packed_form(form);
	struct digest blob;
	uint64_t size;

	if (!a->lazy || !name ||
	    store_packed_find(a->store, &layer->diff_id, name, &blob, &size, NULL) < 0)
		return false;
	descriptor_set(out, media_type_of(form->compression, form->docker_types), &blob, size);
	archive_add_later(a, &layer->diff_id, form, &blob, size);
	return true;
}

static int add_packed(struct archive *a, const struct store_layer *layer,
		      const struct store_origin *origin, const struct image_form *form,
		      struct descriptor *out, struct error *err)
{
	const char *name = packed_form(form);
	struct packed p = {.archive = a, .fd = -1};
	struct digest d;
	int r = root_open(store_dir(a->store, STORE_CACHE), ROOT_BENEATH, ".",
			  O_TMPFILE | O_RDWR, 0600, &p.fd, err);

	if (r < 0)
		return error_wrap(err, "cannot make a file for packed layers");
	hasher_init(&p.hasher);
	if ((r = pack(a, layer, origin, form, &p, err)) < 0) {
		close_fd(&p.fd);
		return r;
	}
	hasher_end(&p.hasher, &d);
	descriptor_set(out, media_type_of(form->compression, form->docker_types), &d, p.size);
	archive_add_file(a, p.fd, &d, p.size);
	return name ? store_packed_add(a->store, &layer->diff_id, name, &d, p.size, err) : 0;
}

static int pack_tree(int tree, const struct image_form *form, struct packed *p,
		     struct digest *out_diff_id, struct error *err)
{
	const struct layer_sink to = {.write = packed_write, .data = p};
	struct layer_compressor *c = NULL;
	struct layer_info info;
	struct layer_sink sink;
	int r = layer_compressor_open(form->compression, form->level, &to, &c, err);

	if (r < 0)
		return r;
	sink = layer_compressor_sink(c);
	if ((r = layer_describe_tree(tree, &sink, &info, err)) < 0) {
		layer_compressor_abort(c);
		return r;
	}
	*out_diff_id = info.diff_id;
	return layer_compressor_close(c, err);
}

int image_pack_tree(struct store *s, int tree, const struct image_form *form,
		    struct digest *out_diff_id, struct descriptor *out, int *out_fd,
		    struct error *err)
{
	struct packed p = {.fd = -1};
	struct digest d;
	int r = root_open(store_dir(s, STORE_CACHE), ROOT_BENEATH, ".", O_TMPFILE | O_RDWR,
			  0600, &p.fd, err);

	if (r < 0)
		return error_wrap(err, "cannot make a file for packed layers");
	hasher_init(&p.hasher);
	r = pack_tree(tree, form, &p, out_diff_id, err);
	if (r == 0 && lseek(p.fd, 0, SEEK_SET) < 0)
		r = error_sys(err, "cannot rewind it");
	if (r < 0) {
		close_fd(&p.fd);
		return r;
	}
	hasher_end(&p.hasher, &d);
	descriptor_set(out, media_type_of(form->compression, form->docker_types), &d, p.size);
	*out_fd = p.fd;
	return 0;
}

int export_layer(struct archive *a, const struct digest *diff_id, const struct image_form *form,
		 struct descriptor *out, struct error *err)
{
	AUTO(store_origin) struct store_origin origin = {0};
	enum layer_compression is = LAYER_PLAIN;
	struct store_layer layer;
	bool foreign;
	int r = image_layer(a->store, diff_id, &layer, err);

	if (r < 0)
		return r;
	foreign = store_origin_find(a->store, diff_id, &origin, NULL) == 0;
	if (foreign)
		is = form_of(origin.media_type);
	if (is != LAYER_PLAIN && is != form->compression && form->force)
		return error_set(err, ERR_UNSUPPORTED,
				 "force-compression: a layer of the base image came packed in "
				 "another way, and is not unpacked again");
	if (is == LAYER_PLAIN && form->compression != LAYER_PLAIN &&
	    find_packed(a, &layer, form, out))
		return 0;
	if (is == LAYER_PLAIN && form->compression != LAYER_PLAIN && a->known)
		return error_set(err, ERR_NOT_FOUND, "the layer was not packed yet");
	if (is == LAYER_PLAIN && form->compression != LAYER_PLAIN)
		return add_packed(a, &layer, foreign ? &origin : NULL, form, out, err);
	if (foreign)
		descriptor_set(out, media_type_of(is, form->docker_types), &origin.blob,
			       origin.size);
	else
		descriptor_set(out, media_type_of(is, form->docker_types), diff_id,
			       layer.tar_bytes);
	return archive_add_layer(a, diff_id, out, err);
}

bool export_known(struct store *s, const struct digest *diff_id, const struct image_form *form,
		  struct descriptor *out)
{
	AUTO(archive) struct archive a;

	archive_init(&a, s);
	a.lazy = a.known = true;
	return export_layer(&a, diff_id, form, out, NULL) == 0;
}
