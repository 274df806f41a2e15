/* SPDX-License-Identifier: Apache-2.0 */
/* `image why-big`. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"

#include "base/banned.h"

/* What the records of builds know of it. */
static void add_lines(struct engine *e, const struct image *image, struct image_big *out)
{
	AUTO(free) struct build_line *lines = mem_zalloc((out->layers.n + 1) * sizeof(*lines));

	build_layer_lines(e->store, &image->row.id, &image->config.diff_ids, lines);
	for (size_t i = 0; i < out->layers.n; i++) {
		out->layers.items[i].dockerfile = lines[i].dockerfile;
		out->layers.items[i].line = lines[i].line;
	}
}

int engine_why_big(struct engine *e, const char *text, struct image_big *out,
		   struct digest *out_id, struct error *err)
{
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	int r = engine_need_store(e, err);

	if (r < 0 || (r = image_find(e->store, text, &image, err)) < 0 ||
	    (r = image_why_big(e->store, &image, out, err)) < 0)
		return r;
	*out_id = image.row.id;
	add_lines(e, &image, out);
	return 0;
}
