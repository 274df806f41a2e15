/* SPDX-License-Identifier: Apache-2.0 */
/* `image diff` and `image verify`. */
#include "engine/engine_private.h"

#include "base/banned.h"

int engine_compare(struct engine *e, const char *a, const char *b,
		   struct image_difference_list *out, struct error *err)
{
	AUTO(image) struct image one = {.config = IMAGE_CONFIG_INIT};
	AUTO(image) struct image other = {.config = IMAGE_CONFIG_INIT};
	int r = image_find(e->store, a, &one, err);

	if (r < 0 || (r = image_find(e->store, b, &other, err)) < 0)
		return r;
	return image_compare(e->store, &one, &other, out, err);
}

int engine_verify(struct engine *e, const char *text, uint64_t *out_bytes, struct error *err)
{
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	int r = image_find(e->store, text, &image, err);

	return r < 0 ? r : image_verify(e->store, &image, out_bytes, err);
}
