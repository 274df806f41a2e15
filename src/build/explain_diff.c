/* SPDX-License-Identifier: Apache-2.0 */
/* What a step changed: its layer directory against the tree that it began with. */
#include <stdlib.h>

#include "base/mem.h"
#include "build/explain.h"
#include "image/image.h"
#include "layer/layer.h"
#include "snapshot/snapshot.h"

#include "base/banned.h"

/* The layers of step @i and those below it, lowest first; -1: they are not all known. */
static int layers_of(const json_t *record, json_int_t i, struct digest_list *out)
{
	const json_t *at =
		i < 0 ? NULL : json_array_get(json_object_get(record, "steps"), (size_t)i);
	const json_t *layer;
	struct digest d;
	size_t n;

	if (!at)
		return 0;
	if (!str_eq(field(at, "kind"), "image")) {
		if (layers_of(record, parent_of(record, i), out) < 0 ||
		    !digest_parse(field(at, "layer"), &d))
			return -1;
		*vec_push(out) = d;
		return 0;
	}
	json_array_foreach (json_object_get(at, "layers"), n, layer) {
		if (!json_string_value(layer) || !digest_parse(json_string_value(layer), &d))
			return -1;
		*vec_push(out) = d;
	}
	return 0;
}

static int is_gone(const json_t *step, struct error *err)
{
	error_clear(err);
	error_set(err, ERR_NOT_FOUND, "the layer of step [%s] is not in the store any more",
		  field(step, "label"));
	error_hint(err, "build it again");
	return -ERR_NOT_FOUND;
}

static int open_layer(struct store *s, const json_t *step, int *out, struct error *err)
{
	struct store_layer layer;
	struct digest d;
	int r = 0;

	if (str_eq(field(step, "kind"), "image")) {
		error_set(err, ERR_INVALID, "[%s] is the base: it changed nothing",
			  field(step, "label"));
		return -ERR_INVALID;
	}
	if (!digest_parse(field(step, "layer"), &d)) {
		error_set(err, ERR_NOT_FOUND, "step [%s] did not come to its end",
			  field(step, "label"));
		error_hint(err, "`stave build log` has what it said");
		return -ERR_NOT_FOUND;
	}
	r = store_layer_find(s, &d, &layer, NULL);
	return r < 0 ? is_gone(step, err) : store_layer_open(s, layer.dir, out, err);
}

static int open_before(struct store *s, const json_t *record, size_t i, int *out,
		       struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {.bottom = -1};
	struct digest_list below = {0};
	int r = layers_of(record, parent_of(record, (json_int_t)i), &below);

	if (r == 0 && below.n) {
		r = image_stack(s, below.items, below.n, &stack, err);
		if (r == 0)
			r = snapshot_view(&stack, out, err);
	}
	free(below.items);
	return r < 0 ? is_gone(json_array_get(json_object_get(record, "steps"), i), err) : 0;
}

int build_diff(struct store *s, const char *id, const char *step, struct layer_change_list *out,
	       struct error *err)
{
	AUTO(json) json_t *record = NULL;
	AUTO(fd) int layer = -1;
	AUTO(fd) int before = -1;
	const json_t *asked;
	struct past past;
	size_t i;
	int r = build_record(s, id, &record, &past, err);

	if (r < 0 || (r = find_step(record, step, &i, err)) < 0)
		return r;
	asked = json_array_get(json_object_get(record, "steps"), i);
	if ((r = open_layer(s, asked, &layer, err)) < 0 ||
	    (r = open_before(s, record, i, &before, err)) < 0)
		return r;
	return layer_changes(layer, before, false, out, err);
}
