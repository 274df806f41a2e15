/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem - allocation that does not return NULL.
 *
 * When memory ends, the process says so and leaves with status 125.  The
 * store is crash-only (docs/adr/0009), so this is as safe as any other end,
 * and no caller carries an untestable branch.  Sizes that input can steer
 * meet a named limit (limits.h) before they come here.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
/* realloc() of @count elements of @size bytes; the product is checked. */
void *mem_resize(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *fmt, ...)
	__attribute__((malloc, returns_nonnull, format(printf, 1, 2)));
char *mem_vprintf(const char *fmt, va_list ap)
	__attribute__((malloc, returns_nonnull, format(printf, 1, 0)));

#define mem_new(type) ((type *)mem_zalloc(sizeof(type)))

/*
 * Grows a vector { T *items; size_t n, cap; } so that one more fits, and
 * evaluates to a pointer to the new zeroed last element.
 */
#define vec_push(v)                                                                         \
	({                                                                                  \
		if ((v)->n == (v)->cap) {                                                   \
			(v)->cap = (v)->cap ? (v)->cap * 2 : 8;                             \
			(v)->items = mem_resize((v)->items, (v)->cap, sizeof(*(v)->items)); \
		}                                                                           \
		memset(&(v)->items[(v)->n], 0, sizeof(*(v)->items));                        \
		&(v)->items[(v)->n++];                                                      \
	})
