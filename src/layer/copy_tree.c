/* SPDX-License-Identifier: Apache-2.0 */
/* A tree once more, with all that a layer keeps of files. */
#include "layer/layer.h"

#include "base/mem.h"

#include "base/banned.h"

static int copy_entry(void *data, const struct layer_entry *e, int from, struct error *err)
{
	return layer_writer_add(data, e, from, err);
}

int layer_copy_tree(int tree, int to, struct error *err)
{
	AUTO(layer_writer) struct layer_writer *w = NULL;
	struct layer_visitor visitor = {.entry = copy_entry};
	struct layer_info info;
	int r = layer_writer_open(to, &w, err);

	visitor.data = w;
	if (r < 0 || (r = layer_visit_tree(tree, &visitor, err)) < 0)
		return r;
	return layer_writer_close(take_ptr(w), &info, err);
}
