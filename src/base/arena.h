/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - memory of one tree (AST, graph), freed all at once.
 */
#pragma once

#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *head;
};

#define ARENA_INIT ((struct arena){0})

/* Zeroed, aligned for any type; lives until arena_clear(). */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t len)
	__attribute__((returns_nonnull));
void arena_clear(struct arena *a);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

static inline void arena_auto(struct arena *a)
{
	arena_clear(a);
}
