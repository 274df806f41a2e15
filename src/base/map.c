/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

/* FNV-1a; keys that a stranger picks can make chains, so sizes are limited before. */
static size_t hash_key(const char *key)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3u;
	return (size_t)(h ^ h >> 32);
}

static size_t *find_slot(const struct map *m, const char *key)
{
	size_t i = hash_key(key) & (m->nslots - 1);

	for (;; i = (i + 1) & (m->nslots - 1)) {
		size_t at = m->slots[i];

		if (!at || (m->items[at - 1].key && strcmp(m->items[at - 1].key, key) == 0))
			return &m->slots[i];
	}
}

static void rehash(struct map *m)
{
	size_t want = 16, kept = 0;

	while (want < m->live * 4 + 8)
		want *= 2;
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].key)
			m->items[kept++] = m->items[i];
	m->n = kept;
	free(m->slots);
	m->slots = mem_zalloc(want * sizeof(*m->slots));
	m->nslots = want;
	for (size_t i = 0; i < m->n; i++)
		*find_slot(m, m->items[i].key) = i + 1;
}

void map_set(struct map *m, const char *key, void *value)
{
	size_t *slot;

	if (m->nslots < (m->n + 1) * 2)
		rehash(m);
	slot = find_slot(m, key);
	if (*slot) {
		struct map_entry *e = &m->items[*slot - 1];

		if (m->free_value && e->value != value)
			m->free_value(e->value);
		e->value = value;
		return;
	}
	*vec_push(m) = (struct map_entry){.key = mem_strdup(key), .value = value};
	*slot = m->n;
	m->live++;
}

static struct map_entry *find(const struct map *m, const char *key)
{
	size_t at = m->nslots ? *find_slot(m, key) : 0;

	return at ? &m->items[at - 1] : NULL;
}

void *map_get(const struct map *m, const char *key)
{
	struct map_entry *e = find(m, key);

	return e ? e->value : NULL;
}

bool map_has(const struct map *m, const char *key)
{
	return find(m, key) != NULL;
}

bool map_remove(struct map *m, const char *key)
{
	struct map_entry *e = find(m, key);

	if (!e)
		return false;
	if (m->free_value)
		m->free_value(e->value);
	free(e->key);
	*e = (struct map_entry){0}; /* the slot stays as a tombstone until rehash() */
	m->live--;
	return true;
}

void map_clear(struct map *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->items[i].key && m->free_value)
			m->free_value(m->items[i].value);
		free(m->items[i].key);
	}
	free(m->items);
	free(m->slots);
	*m = (struct map){.free_value = m->free_value};
}
