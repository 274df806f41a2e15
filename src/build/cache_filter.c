/* SPDX-License-Identifier: Apache-2.0 */
/* --no-cache and --no-cache-filter: whose steps run whatever is recorded. */
#include "build/lower.h"

#include "base/mem.h"

#include "base/banned.h"

/* A stage without a name can be meant by its number. */
static bool is_called(const struct stage *stage, const char *text)
{
	AUTO(free) char *number = mem_printf("%u", stage->index);

	return stage->name ? str_ieq(stage->name, text) : str_eq(number, text);
}

bool cache_is_off(const struct graph *g, const struct stage *stage)
{
	const struct strlist *names = g->o->no_cache_stages;

	if (g->o->no_cache)
		return true;
	for (size_t i = 0; names && i < names->n; i++)
		if (is_called(stage, names->items[i]))
			return true;
	return false;
}

static bool is_there(const struct graph *g, const char *name)
{
	for (size_t i = 0; i < g->file->n_stages; i++)
		if (is_called(&g->file->stages[i], name))
			return true;
	return false;
}

char *cache_filter_stranger(const struct graph *g)
{
	const struct strlist *names = g->o->no_cache_stages;

	for (size_t i = 0; names && i < names->n; i++)
		if (!is_there(g, names->items[i]))
			return mem_printf("--no-cache-filter %s: no stage is called that",
					  names->items[i]);
	return NULL;
}
