/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map - strings to pointers, iterated in the order of insertion, so that
 * what is printed from a map is deterministic by construction.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct map_entry {
	char *key; /* owned; NULL marks a removed entry */
	void *value;
};

struct map {
	struct map_entry *items; /* owned */
	size_t n;		 /* entries in use, removed ones included */
	size_t cap;
	size_t *slots; /* open addressing, index + 1 into items */
	size_t nslots;
	size_t live;
	void (*free_value)(void *); /* may be NULL: values are borrowed */
};

#define MAP_INIT	  ((struct map){0})
#define MAP_INIT_FREE(fn) ((struct map){.free_value = (fn)})

/* Replaces (and frees) an earlier value in place. */
void map_set(struct map *m, const char *key, void *value);
/* NULL when absent; map_has() tells a NULL value from an absent key. */
void *map_get(const struct map *m, const char *key);
bool map_has(const struct map *m, const char *key);
bool map_remove(struct map *m, const char *key);
void map_clear(struct map *m);

static inline void map_auto(struct map *m)
{
	map_clear(m);
}

#define map_each(m, e)                                                            \
	for (struct map_entry *e = (m)->items; e && e < (m)->items + (m)->n; e++) \
		if (e->key)
