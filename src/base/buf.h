/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - a growing byte string.
 *
 * Invariant: data[len] is NUL whenever data is not NULL, so a buf without
 * inner NULs is a C string; buf_str() never returns NULL.  BUF_INIT is empty
 * and owns nothing.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* owned */
	size_t len;
	size_t cap;
};

#define BUF_INIT ((struct buf){0})

void buf_add(struct buf *b, const void *data, size_t len);
void buf_addstr(struct buf *b, const char *s);
void buf_addch(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Makes room for @extra more bytes and returns where they go; then set len. */
char *buf_reserve(struct buf *b, size_t extra);
/* Forgets the contents, keeps the memory. */
void buf_reset(struct buf *b);
/* Removes @len bytes from the front. */
void buf_consume(struct buf *b, size_t len);
/* Frees; the buf is as new. */
void buf_clear(struct buf *b);
/* Hands the string to the caller (free()); the buf is as new.  Never NULL. */
char *buf_steal(struct buf *b);

static inline const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

static inline void buf_auto(struct buf *b)
{
	buf_clear(b);
}

/* Little-endian integers and length-prefixed strings, for keys and pipes. */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/* NULL and "" are told apart. */
void buf_put_string(struct buf *b, const char *s);

struct cursor {
	const unsigned char *at;
	size_t left;
	int failed; /* sticky: a read past the end gives zeros and sets it */
};

uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
/* New string (free()) or NULL if NULL was put. */
char *cursor_string(struct cursor *c);
const void *cursor_bytes(struct cursor *c, size_t len);
