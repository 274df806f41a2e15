/* SPDX-License-Identifier: Apache-2.0 */
/* Text of strangers on a terminal: nothing in it may move the cursor. */
#include "cli/cli_renderer.h"

#include <string.h>

#include "base/banned.h"

#define TAB_STOP 8
#define ESC	 0x1b
#define BEL	 0x07

struct range {
	uint32_t first;
	uint32_t last;
};

/* Unicode 15, East Asian Width W and F, in rough blocks; there is no locale to ask. */
static const struct range wide[] = {
	{0x1100, 0x115f},   {0x2e80, 0x303e},	{0x3041, 0xa4cf},   {0xac00, 0xd7a3},
	{0xf900, 0xfaff},   {0xfe30, 0xfe6f},	{0xff00, 0xff60},   {0xffe0, 0xffe6},
	{0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

/* Combining marks, joiners, and what changes the direction of writing. */
static const struct range unseen[] = {
	{0x0300, 0x036f}, {0x200b, 0x200f}, {0x2028, 0x202e},
	{0x2060, 0x206f}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
};

static bool within(const struct range *r, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].first && c <= r[i].last)
			return true;
	return false;
}

/* Bytes of the character at @s, at least 1; *out is 0 for bytes that are no UTF-8. */
static size_t decode(const char *text, size_t len, uint32_t *out)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
	size_t n = *s < 0x80 ? 1 : *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
	uint32_t c;

	*out = 0;
	if (n == 1) {
		*out = *s;
		return 1;
	}
	if (*s < 0xc2 || *s > 0xf4 || n > len)
		return 1;
	c = *s & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*out = c;
	return n;
}

static unsigned columns_of(uint32_t c)
{
	if (within(unseen, ARRAY_SIZE(unseen), c))
		return 0;
	return within(wide, ARRAY_SIZE(wide), c) ? 2 : 1;
}

/* ECMA-48: CSI … final byte; OSC, DCS and the like up to BEL or ESC \; else two bytes. */
static size_t skip_escape(const char *s, size_t len)
{
	size_t i = 2;

	if (len < 2)
		return len;
	if (s[1] == '[') {
		while (i < len && !(s[i] >= 0x40 && s[i] <= 0x7e))
			i++;
		return i < len ? i + 1 : len;
	}
	if (strchr("]PX^_", s[1])) {
		while (i < len && s[i] != BEL && s[i] != ESC)
			i++;
		if (i + 1 < len && s[i] == ESC && s[i + 1] == '\\')
			i++;
		return i < len ? i + 1 : len;
	}
	while (i < len && s[i - 1] >= 0x20 && s[i - 1] <= 0x2f)
		i++;
	return i;
}

/* A lone escape at the start of a nested sequence must not be lost sight of: s[0] is ESC. */
static size_t clean_control(const char *s, size_t len, size_t begin, unsigned *column,
			    struct buf *out)
{
	if (*s == ESC)
		return skip_escape(s, len);
	if (*s == '\t') {
		do
			buf_addch(out, ' ');
		while (++*column % TAB_STOP);
	} else if (*s == '\r' && len > 1) {
		out->len = begin;
		if (out->data)
			out->data[begin] = '\0';
		*column = 0;
	}
	return 1;
}

void progress_clean(const char *text, size_t len, struct buf *out)
{
	size_t begin = out->len;
	unsigned column = 0;

	while (len) {
		uint32_t c;
		size_t n = decode(text, len, &c);

		if (n == 1 && ((unsigned char)*text < 0x20 || *text == 0x7f)) {
			n = clean_control(text, len, begin, &column, out);
		} else if (!c) {
			buf_addch(out, '?');
			column++;
		} else if (c >= 0xa0 || c < 0x80) {
			/* U+0080 to U+009F are control characters of eight bits; dropped, as
			 * are marks of direction */
			if (columns_of(c) || c < 0x2000)
				buf_add(out, text, n);
			column += columns_of(c);
		}
		text += n;
		len -= n;
	}
}

unsigned progress_width(const char *text)
{
	size_t len = strlen(text);
	unsigned width = 0;

	while (len) {
		uint32_t c;
		size_t n = decode(text, len, &c);

		width += columns_of(c);
		text += n;
		len -= n;
	}
	return width;
}

unsigned progress_fit(const char *text, unsigned columns, struct buf *out)
{
	size_t len = strlen(text);
	unsigned used = 0;
	bool cut = progress_width(text) > columns;

	if (cut && !columns)
		return 0;
	while (len) {
		uint32_t c;
		size_t n = decode(text, len, &c);

		if (used + columns_of(c) + cut > columns)
			break;
		buf_add(out, text, n);
		used += columns_of(c);
		text += n;
		len -= n;
	}
	if (cut)
		buf_addstr(out, "…");
	return used + cut;
}
