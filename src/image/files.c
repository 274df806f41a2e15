/* SPDX-License-Identifier: Apache-2.0 */
/* The merged tree of an image: as files, as a tar, as one layer. */
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "image/image.h"

#include "base/banned.h"

int image_files(struct store *s, const struct image_config *cfg, int dir, struct error *err)
{
	AUTO(fd) int tree = -1;
	int r = image_view(s, cfg, &tree, err);

	return r < 0 ? r : layer_copy_out(tree, dir, err);
}

static int tar_write(void *data, const void *bytes, size_t len, struct error *err)
{
	const int *fd = data;

	return io_write_full(*fd, bytes, len) < 0 ? error_sys(err, "cannot write the tar") : 0;
}

int image_files_tar(struct store *s, const struct image_config *cfg, int fd, struct error *err)
{
	const struct layer_sink sink = {.write = tar_write, .data = &fd};
	struct layer_info info;
	AUTO(fd) int tree = -1;
	int r = image_view(s, cfg, &tree, err);

	return r < 0 ? r : layer_describe_tree(tree, &sink, &info, err);
}

/* ---- one layer of all ---- */

static int write_entry(void *data, const struct layer_entry *e, int fd, struct error *err)
{
	return layer_writer_add(data, e, fd, err);
}

static int write_layer(struct store *s, struct lease *lease, const struct image_config *cfg,
		       struct store_layer *out, struct error *err)
{
	struct layer_writer *w = NULL;
	struct layer_visitor visitor = {.entry = write_entry};
	AUTO(fd) int tree = -1, fd = -1;
	struct layer_info info;
	int r;

	if ((r = image_view(s, cfg, &tree, err)) < 0 ||
	    (r = store_layer_new(s, lease, out->dir, err)) < 0 ||
	    (r = store_layer_open(s, out->dir, &fd, err)) < 0 ||
	    (r = layer_writer_open(fd, &w, err)) < 0)
		return r;
	visitor.data = w;
	if ((r = layer_visit_tree(tree, &visitor, err)) < 0) {
		layer_writer_abort(w);
		return r;
	}
	if ((r = layer_writer_close(w, &info, err)) < 0)
		return r;
	out->diff_id = info.diff_id;
	out->content_bytes = info.content_bytes;
	out->tar_bytes = info.tar_bytes;
	out->entries = info.entries;
	return store_layer_commit(s, out, err);
}

/* Which layer these layers together are: known when they were flattened before. */
static void memo_key(const struct image_config *cfg, struct digest *out)
{
	struct hasher h;

	hasher_init(&h);
	hasher_add_string(&h, "flatten 1");
	for (size_t i = 0; i < cfg->diff_ids.n; i++)
		hasher_add(&h, cfg->diff_ids.items[i].bytes, DIGEST_SIZE);
	hasher_end(&h, out);
}

static int one_layer(struct store *s, const struct image_config *cfg, struct digest *out,
		     struct error *err)
{
	AUTO(lease) struct lease *lease = NULL;
	struct store_layer layer = {0};
	struct digest key;
	int r;

	memo_key(cfg, &key);
	if (store_memo_find(s, &key, out) && image_layer(s, out, &layer, NULL) == 0)
		return 0;
	layer = (struct store_layer){0};
	if ((r = lease_new(s, &lease, err)) < 0)
		return r;
	if ((r = write_layer(s, lease, cfg, &layer, err)) < 0) {
		if (*layer.dir)
			store_layer_discard(s, layer.dir, NULL);
		return r;
	}
	*out = layer.diff_id;
	return store_memo_add(s, &key, out, err);
}

int image_flatten(struct store *s, struct image_config *cfg, struct error *err)
{
	size_t n = cfg->diff_ids.n;
	struct history *row;
	struct digest one;
	int r;

	if (n < 2)
		return 0;
	if ((r = one_layer(s, cfg, &one, err)) < 0)
		return r;
	for (size_t i = 0; i < cfg->history.n; i++)
		cfg->history.items[i].empty_layer = true;
	row = image_config_add_history(cfg);
	row->created = cfg->created;
	row->has_created = cfg->has_created;
	row->created_by = mem_strdup("flatten");
	row->comment = mem_printf("%zu layers as one", n);
	cfg->diff_ids.n = 0;
	image_config_add_diff_id(cfg, &one);
	return 0;
}
