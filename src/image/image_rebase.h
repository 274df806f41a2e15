/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_rebase - the two halves of image_rebase(): settings, and files.
 *
 * Each appends to @reasons what stands against it, a line each.
 */
#pragma once

#include "image/image.h"

/* Three configs of one setting each: what the image was made on, the image, the new base. */
struct rebase_configs {
	const struct image_config *old;
	const struct image_config *now;
	const struct image_config *new;
};

/*
 * All but layers and history.  What the image changed stays, the rest is the new
 * base's; where both changed something it is a reason, and the image's stays.
 */
void rebase_merge(const struct rebase_configs *c, struct image_config *out,
		  struct strlist *reasons);

/*
 * Do the image's layers from number @first on mean the same on the new base?  Not
 * if they replace or delete what is not the same in both.
 */
int rebase_check_files(struct store *s, const struct rebase_configs *c, size_t first,
		       struct strlist *reasons, struct error *err);
