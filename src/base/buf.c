/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

char *buf_reserve(struct buf *b, size_t extra)
{
	size_t need;

	if (__builtin_add_overflow(b->len, extra, &need) ||
	    __builtin_add_overflow(need, 1, &need))
		need = SIZE_MAX; /* mem_resize() gives up */
	if (need > b->cap) {
		size_t cap = b->cap > SIZE_MAX / 2 ? need : b->cap * 2;

		if (cap < need)
			cap = need;
		if (cap < 64)
			cap = 64;
		b->data = mem_resize(b->data, cap, 1);
		b->cap = cap;
		b->data[b->len] = 0;
	}
	return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	char *to = buf_reserve(b, len);

	if (len)
		memcpy(to, data, len);
	b->len += len;
	b->data[b->len] = 0;
}

void buf_addstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addch(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return;
	vsnprintf(buf_reserve(b, (size_t)n), (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = 0;
}

void buf_consume(struct buf *b, size_t len)
{
	if (len >= b->len) {
		buf_reset(b);
		return;
	}
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

void buf_clear(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT;
}

char *buf_steal(struct buf *b)
{
	char *s = b->data ? b->data : mem_strdup("");

	*b = BUF_INIT;
	return s;
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	unsigned char raw[4];

	for (int i = 0; i < 4; i++)
		raw[i] = (unsigned char)(v >> (8 * i));
	buf_add(b, raw, sizeof(raw));
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	buf_put_u32(b, (uint32_t)v);
	buf_put_u32(b, (uint32_t)(v >> 32));
}

void buf_put_string(struct buf *b, const char *s)
{
	if (!s) {
		buf_put_u32(b, UINT32_MAX);
		return;
	}
	buf_put_u32(b, (uint32_t)strlen(s));
	buf_addstr(b, s);
}

const void *cursor_bytes(struct cursor *c, size_t len)
{
	const unsigned char *at = c->at;

	if (c->failed || len > c->left) {
		c->failed = 1;
		return NULL;
	}
	c->at += len;
	c->left -= len;
	return at;
}

uint32_t cursor_u32(struct cursor *c)
{
	const unsigned char *raw = cursor_bytes(c, 4);

	if (!raw)
		return 0;
	return (uint32_t)raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 |
	       (uint32_t)raw[3] << 24;
}

uint64_t cursor_u64(struct cursor *c)
{
	uint64_t low = cursor_u32(c);

	return low | (uint64_t)cursor_u32(c) << 32;
}

char *cursor_string(struct cursor *c)
{
	uint32_t len = cursor_u32(c);
	const char *raw;

	if (c->failed || len == UINT32_MAX)
		return NULL;
	raw = cursor_bytes(c, len);
	return raw ? mem_strndup(raw, len) : NULL;
}
