/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

#define BLOCK_BYTES 8192

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->head;
	size_t align = _Alignof(max_align_t), want;
	void *p;

	if (__builtin_add_overflow(size, align - 1, &want))
		want = SIZE_MAX / 2; /* mem_alloc() gives up */
	want -= want % align;
	if (!b || b->size - b->used < want) {
		size_t room = want > BLOCK_BYTES ? want : BLOCK_BYTES;

		b = mem_alloc(sizeof(*b) + room);
		*b = (struct arena_block){.next = a->head, .size = room};
		a->head = b;
	}
	p = b->data + b->used;
	b->used += want;
	return memset(p, 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *out;

	len = strnlen(s, len);
	out = arena_alloc(a, len + 1);
	memcpy(out, s, len);
	return out;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

void arena_clear(struct arena *a)
{
	struct arena_block *b = a->head;

	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	a->head = NULL;
}
