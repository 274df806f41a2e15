/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_pull - a pull at work: documents (pull.c), then layers (pull_layers.c).
 *
 * A layer's bytes go to a file below cache/pull, which outlives a pull that breaks
 * off.  While the file grows, two read it: we, for the digest, and a stave-unpack,
 * into a directory that only a lease knows.  That directory becomes the layer when the
 * blob has its digest and the tar its diff_id, and not before.
 */
#pragma once

#include "base/hash.h"
#include "image/image_incoming.h"
#include "registry/registry.h"

struct layer_pull;

struct pull {
	struct store *store;
	const struct image_pull *how;
	const char *name; /* what the user knows it by */
	struct registry *registry;
	struct incoming in;
	struct image_layout layout; /* cache/pull */
	struct incoming_image image;
	struct digest digest;
	bool here;		   /* the image was, with all of its layers */
	struct layer_pull *layers; /* those to be fetched */
	struct registry_download *files;
	size_t n;
};

/* All layers that are not here. */
int pull_layers(struct pull *p, struct error *err);
