/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/dockerfile_parser.h"

#include "base/mem.h"

#include "base/banned.h"

size_t rune_at(const char *s, uint32_t *out)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;

	if (n == 1) {
		*out = u[0];
		return 1;
	}
	*out = u[0] & (0x7fu >> n);
	for (size_t k = 1; k < n; k++) {
		if ((u[k] & 0xc0) != 0x80) {
			n = 0;
			break;
		}
		*out = *out << 6 | (u[k] & 0x3f);
	}
	/* neither too long for their code point, nor half of a pair, nor above U+10FFFF */
	if (n == 2 || (n == 3 && *out >= 0x800 && (*out < 0xd800 || *out >= 0xe000)) ||
	    (n == 4 && *out >= 0x10000 && *out <= 0x10ffff))
		return n;
	/* No code point has this number, so that it equals itself only. */
	*out = 0x110000u + u[0];
	return 1;
}

size_t rune_valid(const char *s)
{
	uint32_t c;
	size_t n = rune_at(s, &c);

	return c < 0x110000 ? n : 0;
}

void rune_put(struct buf *out, uint32_t c)
{
	if (c >= 0x110000) {
		buf_addch(out, (char)(c - 0x110000));
	} else if (c < 0x80) {
		buf_addch(out, (char)c);
	} else {
		int n = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

		buf_addch(out, (char)((0xff00u >> (n + 1) & 0xff) | c >> (6 * n)));
		while (n-- > 0)
			buf_addch(out, (char)(0x80 | (c >> (6 * n) & 0x3f)));
	}
}

size_t rune_space(const char *s)
{
	uint32_t c;
	size_t n;

	if (!((unsigned char)*s & 0x80))
		return *s == ' ' || (*s >= '\t' && *s <= '\r');
	n = rune_at(s, &c);
	switch (c) {
	case 0x85:
	case 0xa0:
	case 0x1680:
	case 0x2028:
	case 0x2029:
	case 0x202f:
	case 0x205f:
	case 0x3000:
		break;
	default:
		if (c < 0x2000 || c > 0x200a)
			return 0;
	}
	return n;
}

bool rune_is_letter(uint32_t c)
{
	static const uint32_t symbols[][2] = {
		{0x80, 0xa9},	  {0xab, 0xb4},	    {0xb6, 0xb9},	{0xbb, 0xbf},
		{0xd7, 0xd7},	  {0xf7, 0xf7},	    {0x2000, 0x2070},	{0x2072, 0x207e},
		{0x2080, 0x208f}, {0x20a0, 0x2101}, {0x2190, 0x2bff},	{0x2e00, 0x2e7f},
		{0x3000, 0x3004}, {0x3007, 0x3030}, {0xe000, 0xf8ff},	{0xfe00, 0xfe6f},
		{0xff00, 0xff20}, {0xfff0, 0xffff}, {0x1f000, 0x1faff}, {0xe0000, UINT32_MAX},
	};

	if (c < 0x80)
		return (c | 32) >= 'a' && (c | 32) <= 'z';
	for (size_t k = 0; k < ARRAY_SIZE(symbols); k++)
		if (c >= symbols[k][0] && c <= symbols[k][1])
			return false;
	return true;
}

/* One end of a range; NULL if there is none. */
static const char *class_char(const char *p, uint32_t *out)
{
	if (*p == '-' || *p == ']')
		return NULL;
	if (*p == '\\')
		p++;
	return *p ? p + rune_at(p, out) : NULL;
}

const char *rune_class(const char *p, uint32_t c, bool *out_match)
{
	bool negated = p[1] == '^';
	bool found = false;
	uint32_t from, to;

	p += 1 + negated;
	do {
		p = class_char(p, &from);
		to = from;
		if (p && *p == '-')
			p = class_char(p + 1, &to);
		if (!p)
			return NULL;
		found |= from <= c && c <= to;
	} while (*p != ']');
	*out_match = found != negated;
	return p + 1;
}
