/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include <string.h>

#include "base/banned.h"

static int fail(const char *line, const char *at, const char *what, size_t *out_at,
		struct error *err)
{
	size_t offset = (size_t)(at - line);

	if (out_at)
		*out_at = offset;
	return error_set(err, ERR_INVALID, "%s at its character %zu", what, offset + 1);
}

/* Behind the opening quote at *at; false when there is no closing one where it must be. */
static bool quoted(const char **at, const char *end, struct buf *field)
{
	const char *s = *at;

	for (;; s++) {
		const char *quote = s < end ? memchr(s, '"', (size_t)(end - s)) : NULL;

		if (!quote) {
			*at = end;
			return false;
		}
		buf_add(field, s, (size_t)(quote - s));
		s = quote + 1;
		if (s == end || *s == ',')
			break;
		if (*s != '"') {
			*at = quote;
			return false;
		}
		buf_addch(field, '"');
	}
	*at = s;
	return true;
}

int csv_split(const char *line, struct strlist *out, size_t *out_at, struct error *err)
{
	const char *at = line, *end = line + strlen(line);

	if (end > line && end[-1] == '\n')
		end--;
	if (end < line + strlen(line) && end > line && end[-1] == '\r')
		end--;
	if (at == end)
		return fail(line, at, "the list is empty", out_at, err);
	for (;; at++) {
		AUTO(buf) struct buf field = BUF_INIT;

		if (at < end && *at == '"') {
			at++;
			if (!quoted(&at, end, &field))
				return fail(line, at,
					    at == end ? "a quote has no end"
						      : "a quote inside a quoted field",
					    out_at, err);
		} else {
			size_t n = strcspn(at, ",\"");

			if (at + n > end)
				n = (size_t)(end - at);
			if (at[n] == '"')
				return fail(line, at + n, "a quote inside a field", out_at,
					    err);
			buf_add(&field, at, n);
			at += n;
		}
		strlist_addn(out, buf_str(&field), field.len);
		if (at == end)
			return 0;
	}
}
