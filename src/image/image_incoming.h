/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_incoming - images that others have written, on their way in.
 *
 * In two steps, so that several come together or not at all: first documents
 * and layers are read and verified (layers have rows then, which nothing
 * uses: garbage if it ends here), then images and names are recorded.
 */
#pragma once

#include "image/image.h"
#include "layer/layer.h"

struct incoming {
	struct store *store;		   /* borrowed */
	struct lease *lease;		   /* borrowed */
	const struct image_layout *layout; /* borrowed; paths are below it */
	bool ours; /* nobody else writes there, and its files may be taken away */
	const struct image_watch *watch; /* borrowed; may be NULL */
};

struct incoming_image {
	struct buf manifest; /* empty: ours is made */
	struct buf config;
	struct manifest m; /* decoded @manifest */
	struct image_config cfg;
};

#define INCOMING_IMAGE_INIT \
	((struct incoming_image){.m = MANIFEST_INIT, .cfg = IMAGE_CONFIG_INIT})

/*
 * Makes the layer @diff_id of the file @path, which is the blob @d.  It is not
 * read when the store has the layer.
 */
int incoming_layer(struct incoming *in, const char *path, const struct descriptor *d,
		   const struct digest *diff_id, struct error *err);
/* The digest of a file, from its position on. */
int incoming_hash(int fd, struct digest *out, struct error *err);
/* The two halves of it, for who unpacks otherwise: is the unpacked tar what the config says? */
int incoming_check(const struct digest *stream, const struct digest *diff_id,
		   struct error *err);
/* Records the layer in layers/@layer->dir; @kept: the blob it came as, if that was kept. */
int incoming_row(struct incoming *in, struct store_layer *layer, const struct digest *diff_id,
		 const struct layer_info *info, const struct descriptor *kept,
		 struct error *err);
/* All of an image but its rows. */
int incoming_layout_image(struct incoming *in, const struct descriptor *what,
			  const struct platform *platform, struct incoming_image *out,
			  struct error *err);
int incoming_commit(struct store *s, const struct incoming_image *image,
		    const struct strlist *names, struct digest *out_id, struct error *err);
void incoming_image_clear(struct incoming_image *i);

/* ---- downloads: files in the store's cache/pull, by the digest of the blob ---- */

#define PARTIAL_NAME 100

struct partial {
	char file[PARTIAL_NAME];
	bool resumed; /* something was there */
};

/* The directory of all of them. */
int partial_place(struct store *s, int *out_dir, struct error *err);
/*
 * The file of @blob, with what an earlier download left, for us alone: whoever
 * finished it takes the file away from under its name.  While another command is
 * at it, one of our own.
 */
int partial_open(int dir, const struct digest *blob, struct partial *out, int *out_fd,
		 struct error *err);

/* Has a download only been broken off, so that the next one goes on with what has come? */
static inline bool partial_is_kept(int result)
{
	return result == 0 || result == -ERR_FAILED || result == -ERR_CANCELLED;
}

static inline void incoming_image_auto(struct incoming_image *i)
{
	incoming_image_clear(i);
}
