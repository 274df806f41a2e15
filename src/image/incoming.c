/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_incoming.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/root.h"
#include "layer/layer.h"

#include "base/banned.h"

int incoming_check(const struct digest *stream, const struct digest *diff_id, struct error *err)
{
	char hex[DIGEST_HEX_SIZE];

	if (digest_eq(stream, diff_id))
		return 0;
	return error_set(err, ERR_CORRUPT, "its tar is not sha256:%s, as the config says",
			 digest_hex(diff_id, hex));
}

static int unpack(struct incoming *in, int input, const struct digest *diff_id,
		  struct store_layer *layer, struct layer_info *info, struct error *err)
{
	struct layer_unpack how = {.mode = LAYER_UNPACK_LAYER, .input = input, .below = ""};
	struct layer_unpacked unpacked;
	AUTO(fd) int fd = -1;
	int r;

	if ((r = store_layer_new(in->store, in->lease, layer->dir, err)) < 0 ||
	    (r = store_layer_open(in->store, layer->dir, &fd, err)) < 0)
		return r;
	how.tree = fd;
	if ((r = layer_unpack(&how, &unpacked, err)) == 0 &&
	    (r = incoming_check(&unpacked.stream, diff_id, err)) == 0) {
		*info = unpacked.tree;
		return 0;
	}
	store_layer_discard(in->store, layer->dir, NULL);
	return r;
}

static int commit_layer(struct incoming *in, struct store_layer *layer,
			const struct store_origin *origin, struct error *err)
{
	int r = store_begin(in->store, false, err);

	if (r < 0)
		return r;
	r = store_layer_commit(in->store, layer, err);
	if (r == 0 && origin)
		r = store_origin_add(in->store, &layer->diff_id, origin, err);
	if (r < 0) {
		store_abort(in->store);
		return r;
	}
	return store_commit(in->store, err);
}

int incoming_row(struct incoming *in, struct store_layer *layer, const struct digest *diff_id,
		 const struct layer_info *info, const struct descriptor *kept,
		 struct error *err)
{
	struct store_origin origin = {.tree = info->diff_id};

	layer->diff_id = *diff_id;
	layer->content_bytes = info->content_bytes;
	layer->tar_bytes = info->tar_bytes;
	layer->entries = info->entries;
	if (kept) {
		origin.blob = kept->digest;
		origin.size = kept->size;
		origin.media_type = kept->media_type; /* borrowed */
	}
	return commit_layer(in, layer, kept ? &origin : NULL, err);
}

/* Keeps the blob: by taking the file itself where that is ours to do. */
static int keep(struct incoming *in, const char *path, int fd, const struct descriptor *d,
		struct error *err)
{
	AUTO(buf) struct buf real = BUF_INIT;
	AUTO(fd) int dir = -1;
	char name[NAME_MAX + 1];
	int r;

	if (!in->ours) {
		if (lseek(fd, 0, SEEK_SET) < 0)
			return error_sys(err, "cannot rewind it");
		return store_blob_copy(in->store, fd, &d->digest, d->size, err);
	}
	/* old archives have links where a layer is there twice */
	if ((r = root_resolve(in->layout->dir, path, &real, NULL, err)) < 0 ||
	    (r = root_parent(in->layout->dir, ROOT_BENEATH, buf_str(&real), &dir, name, err)) <
		    0)
		return r;
	return store_blob_take(in->store, dir, name, &d->digest, d->size, err);
}

static int make_layer(struct incoming *in, const char *path, int fd, const struct descriptor *d,
		      const struct digest *diff_id, struct error *err)
{
	struct store_layer layer = {0};
	bool plain = digest_eq(&d->digest, diff_id), foreign;
	struct layer_info info = {0};
	AUTO(fd) int kept = -1;
	int r;

	/* a plain tar is proved by unpacking; of a packed one the proof comes first */
	if (!plain && ((r = keep(in, path, fd, d, err)) < 0 ||
		       (r = store_blob_open(in->store, &d->digest, &kept, err)) < 0))
		return r;
	if (in->watch)
		in->watch->layer(in->watch->data, diff_id, plain ? fd : kept);
	if ((r = unpack(in, plain ? fd : kept, diff_id, &layer, &info, err)) < 0)
		return r;
	foreign = !plain || !digest_eq(&info.diff_id, diff_id);
	if (plain && foreign && (r = keep(in, path, fd, d, err)) < 0) {
		store_layer_discard(in->store, layer.dir, NULL);
		return r;
	}
	return incoming_row(in, &layer, diff_id, &info, foreign ? d : NULL, err);
}

int incoming_layer(struct incoming *in, const char *path, const struct descriptor *d,
		   const struct digest *diff_id, struct error *err)
{
	struct store_layer have;
	AUTO(fd) int fd = -1;
	struct stat st;
	int r;

	/* a damaged one is dropped by the question */
	if (image_layer(in->store, diff_id, &have, NULL) == 0)
		return 0;
	r = root_open(in->layout->dir, ROOT_BENEATH, path,
		      O_RDONLY | O_NONBLOCK | (in->ours ? 0 : O_NOFOLLOW), 0, &fd, err);
	if (r == -ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND, "%s is missing", path);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a file", path);
	if ((uint64_t)st.st_size != d->size)
		return error_set(err, ERR_CORRUPT, "it has %llu bytes, not %llu",
				 (unsigned long long)st.st_size, (unsigned long long)d->size);
	return make_layer(in, path, fd, d, diff_id, err);
}

int incoming_commit(struct store *s, const struct incoming_image *image,
		    const struct strlist *names, struct digest *out_id, struct error *err)
{
	const struct image_documents given = {
		.config = &image->config,
		.manifest = image->manifest.len ? &image->manifest : NULL,
		.layers = &image->m.layers,
	};

	return image_commit_documents(s, &given, names, out_id, err);
}

void incoming_image_clear(struct incoming_image *i)
{
	buf_clear(&i->manifest);
	buf_clear(&i->config);
	manifest_clear(&i->m);
	image_config_clear(&i->cfg);
}
