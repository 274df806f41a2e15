/* SPDX-License-Identifier: Apache-2.0 */
/* `import`: an archive of a whole root file system becomes an image of one layer. */
#include "base/mem.h"
#include "image/image.h"
#include "layer/layer.h"

#include "base/banned.h"

static int unpack_layer(struct store *s, struct lease *l, int input, struct store_layer *out,
			struct error *err)
{
	struct layer_unpack how = {.mode = LAYER_UNPACK_TREE, .input = input, .below = ""};
	struct layer_unpacked unpacked;
	struct layer_info info;
	AUTO(fd) int fd = -1;
	int r;

	*out = (struct store_layer){0};
	if ((r = store_layer_new(s, l, out->dir, err)) < 0 ||
	    (r = store_layer_open(s, out->dir, &fd, err)) < 0)
		return r;
	how.tree = fd;
	r = layer_unpack(&how, &unpacked, err);
	if (r == 0)
		r = layer_describe(fd, NULL, &info, err);
	if (r < 0) {
		store_layer_discard(s, out->dir, NULL);
		return r;
	}
	out->diff_id = info.diff_id;
	out->content_bytes = info.content_bytes;
	out->tar_bytes = info.tar_bytes;
	out->entries = info.entries;
	return store_layer_commit(s, out, err);
}

int image_import(struct store *s, const struct image_import *how, struct digest *out_id,
		 struct error *err)
{
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	AUTO(lease) struct lease *lease = NULL;
	struct store_layer layer;
	struct history *h;
	int r;

	if ((r = lease_new(s, &lease, err)) < 0 ||
	    (r = unpack_layer(s, lease, how->input, &layer, err)) < 0)
		return r;
	image_config_copy(how->config, &cfg);
	cfg.created = how->now_ns;
	cfg.has_created = true;
	image_config_add_diff_id(&cfg, &layer.diff_id);
	h = image_config_add_history(&cfg);
	h->created = how->now_ns;
	h->has_created = true;
	h->comment = how->message ? mem_strdup(how->message)
				  : mem_printf("Imported from %s", how->source);
	return image_commit(s, &cfg, how->names, out_id, err);
}
