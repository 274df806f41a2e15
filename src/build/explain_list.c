/* SPDX-License-Identifier: Apache-2.0 */
/* The builds that are remembered. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/explain.h"

#include "base/banned.h"

static void count_steps(const json_t *record, struct build_past *out)
{
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(record, "steps"), i, step) {
		const char *state = field(step, "state");

		if (!*state || str_eq(field(step, "kind"), "source"))
			continue;
		out->steps++;
		out->cached += str_eq(state, "cached");
		out->ran += str_eq(state, "ran") || str_eq(state, "failed");
	}
}

static void describe(const json_t *record, struct build_past *out)
{
	out->id = mem_strdup(field(record, "id"));
	out->name = mem_strdup(field(record, "name"));
	out->status = mem_strdup(field(record, "status"));
	out->dockerfile = mem_strdup(field(record, "dockerfile"));
	out->context = mem_strdup(field(record, "context"));
	out->target = mem_strdup(field(record, "target"));
	out->started_ns = json_integer_value(json_object_get(record, "started"));
	out->duration_ns = json_integer_value(json_object_get(record, "duration"));
	count_steps(record, out);
}

int build_past_list(struct store *s, struct build_past_list *out, struct error *err)
{
	AUTO(past_list) struct past_list list = {0};
	int dir = store_dir(s, STORE_HISTORY), r = past_list(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		AUTO(json) json_t *record = NULL;

		if (past_load(dir, &list.items[i], &record, NULL) == 0)
			describe(record, vec_push(out));
	}
	return r;
}

void build_past_list_clear(struct build_past_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct build_past *p = &l->items[i];

		free(p->id);
		free(p->name);
		free(p->status);
		free(p->dockerfile);
		free(p->context);
		free(p->target);
	}
	free(l->items);
	*l = (struct build_past_list){0};
}
