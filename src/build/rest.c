/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A build that has begun to run steps lets removals of other commands go on:
 * what it needs is pinned in its lease (store_rest()).
 */
#include "build/solve.h"


#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"

#include "base/banned.h"

static int pin(struct graph *g, struct lease *lease, const struct vertex *v, struct map *pinned,
	       struct error *err)
{
	for (size_t i = 0; i < v->diff_ids.n; i++) {
		char hex[DIGEST_HEX_SIZE];
		struct store_layer layer;
		int r;

		digest_hex(&v->diff_ids.items[i], hex);
		if (map_has(pinned, hex))
			continue;
		map_set(pinned, hex, NULL);
		r = store_layer_pin(g->store, lease, &v->diff_ids.items[i], &layer, NULL);
		/* from --cache-from, and not brought yet */
		if (r < 0 && (r != -ERR_NOT_FOUND || !g->imports))
			return error_set(err, ERR_SYSTEM, "a layer of %s cannot be held",
					 v->title ? v->title : "the base");
	}
	return 0;
}

/* A checkout that is the build context: it is below our own cache/. */
static bool context_is_ours(const struct graph *g)
{
	AUTO(free) char *ours = mem_printf("%s/cache/", store_path(g->store));
	AUTO(free) char *path = g->o->context < 0 ? mem_strdup("") : io_fd_path(g->o->context);

	return !path || str_starts(path, ours);
}

int solve_rest(struct graph *g, struct lease *lease, struct error *err)
{
	AUTO(map) struct map pinned = MAP_INIT;

	/* downloads and checkouts belong to nobody: only the lock keeps them */
	for (size_t i = 0; i < g->n; i++)
		if (g->items[i]->kind == VERTEX_SOURCE)
			return 0;
	if (context_is_ours(g))
		return 0;
	for (size_t i = 0; i < g->n; i++) {
		int r = pin(g, lease, g->items[i], &pinned, err);

		if (r < 0)
			return r;
	}
	store_rest(g->store);
	return 1;
}
