/* SPDX-License-Identifier: Apache-2.0 */
#include "build/redact.h"

#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

#define SHORTEST 4u
#define STARS	 "***"

static void add_line(struct redact *r, const char *line, size_t len)
{
	while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	if (len < SHORTEST)
		return;
	strlist_addn(&r->values, line, len);
	r->begins[(unsigned char)*line] = true;
	if (len > r->longest)
		r->longest = len;
}

void redact_add(struct redact *r, const char *value, size_t len)
{
	size_t begin = 0;

	for (size_t i = 0; i <= len; i++)
		if (i == len || value[i] == '\n' || !value[i]) {
			add_line(r, value + begin, i - begin);
			begin = i + 1;
		}
}

/* The longest value that begins at @at, 0 if none does. */
static size_t value_at(const struct redact *r, const char *at, size_t left)
{
	size_t best = 0;

	for (size_t i = 0; r->begins[(unsigned char)*at] && i < r->values.n; i++) {
		const char *v = r->values.items[i];
		size_t len = strlen(v);

		if (*v == *at && len > best && len <= left && !memcmp(v, at, len))
			best = len;
	}
	return best;
}

void redact_feed(struct redact *r, const char *text, size_t len, bool last, struct buf *out)
{
	size_t at = 0, safe, begin = 0;

	buf_add(&r->held, text, len);
	/* before this, a value that begins is all there */
	safe = last || !r->longest	   ? r->held.len
	       : r->held.len >= r->longest ? r->held.len - r->longest + 1
					   : 0;
	while (at < safe) {
		size_t found = value_at(r, r->held.data + at, r->held.len - at);

		if (!found) {
			at++;
			continue;
		}
		buf_add(out, r->held.data + begin, at - begin);
		buf_addstr(out, STARS);
		at += found;
		begin = at;
	}
	if (at > begin)
		buf_add(out, r->held.data + begin, at - begin);
	buf_consume(&r->held, at);
}

void redact_clear(struct redact *r)
{
	for (size_t i = 0; i < r->values.n; i++)
		explicit_bzero(r->values.items[i], strlen(r->values.items[i]));
	strlist_clear(&r->values);
	buf_clear(&r->held);
	r->longest = 0;
}
