/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents that most are, read at a fifth of the cost: jansson fetches, checks and
 * stores byte by byte.  Whatever is out of the ordinary, and all that is wrong, is left
 * to it, so that what is refused, and how that is said, stays in one place.
 */
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

#define DIGITS_MAX 18 /* always fit into 63 bits */

struct reader {
	const char *at, *end;
	unsigned depth;
	const char *text; /* of the last string: in the document, or in .plain */
	size_t len;
	struct buf plain; /* its text without escapes */
};

static json_t *read_value(struct reader *r);

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end &&
	       (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *found = memchr(digits, c, sizeof(digits) - 1);
	int i = found ? (int)(found - digits) : -1;

	return i < 16 ? i : i - 6;
}

/* \u0001 to \u007f: Go writes < > & so. */
static bool read_code(struct reader *r)
{
	int high, low;

	if (r->end - r->at < 4 || r->at[0] != '0' || r->at[1] != '0')
		return false;
	high = hex_digit(r->at[2]);
	low = hex_digit(r->at[3]);
	if (high < 0 || high > 7 || low < 0 || (!high && !low))
		return false;
	buf_addch(&r->plain, (char)(high << 4 | low));
	r->at += 4;
	return true;
}

static bool read_escape(struct reader *r)
{
	static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	char c;

	if (r->at == r->end)
		return false;
	c = *r->at++;
	if (c == 'u')
		return read_code(r);
	letter = memchr(letters, c, sizeof(letters) - 1);
	if (letter)
		buf_addch(&r->plain, means[letter - letters]);
	return letter != NULL;
}

/* After the first quote; ASCII only. */
static bool read_string(struct reader *r)
{
	const char *start = r->at;

	buf_reset(&r->plain);
	for (;;) {
		const char *from = r->at;

		while (r->at < r->end && *r->at >= ' ' && *r->at < 0x7f && *r->at != '"' &&
		       *r->at != '\\')
			r->at++;
		if (r->at == r->end)
			return false;
		if (*r->at == '"' && from == start) {
			r->text = from;
			r->len = (size_t)(r->at++ - from);
			return true;
		}
		buf_add(&r->plain, from, (size_t)(r->at - from));
		if (*r->at == '"') {
			r->at++;
			r->text = buf_str(&r->plain);
			r->len = r->plain.len;
			return true;
		}
		if (*r->at++ != '\\' || !read_escape(r))
			return false;
	}
}

static json_t *read_integer(struct reader *r)
{
	bool negative = *r->at == '-';
	const char *from = r->at += negative;
	uint64_t v = 0; /* one digit more than is taken fits, too */

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - from <= DIGITS_MAX)
		v = v * 10 + (uint64_t)(*r->at++ - '0');
	if (r->at == from || r->at - from > DIGITS_MAX || (*from == '0' && r->at - from > 1) ||
	    (r->at < r->end && memchr(".eE", *r->at, 3)) || (negative && !v))
		return NULL;
	return json_integer(negative ? -(json_int_t)v : (json_int_t)v);
}

static json_t *read_word(struct reader *r)
{
	static const struct {
		const char *word;
		json_t *(*make)(void);
	} words[] = {{"true", json_true}, {"false", json_false}, {"null", json_null}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i].word);

		if ((size_t)(r->end - r->at) < len || memcmp(r->at, words[i].word, len) != 0)
			continue;
		r->at += len;
		return words[i].make();
	}
	return NULL;
}

static bool read_member(struct reader *r, json_t *object)
{
	size_t before = json_object_size(object);
	AUTO(free) char *key = NULL;

	if (!take(r, '"') || !read_string(r))
		return false;
	key = mem_strndup(r->text, r->len);
	/* the same key twice is a reason to refuse */
	return take(r, ':') && json_object_set_new_nocheck(object, key, read_value(r)) == 0 &&
	       json_object_size(object) > before;
}

static bool read_object(struct reader *r, json_t *object)
{
	if (take(r, '}'))
		return true;
	do {
		if (!read_member(r, object))
			return false;
	} while (take(r, ','));
	return take(r, '}');
}

static bool read_array(struct reader *r, json_t *array)
{
	if (take(r, ']'))
		return true;
	do {
		if (json_array_append_new(array, read_value(r)) < 0)
			return false;
	} while (take(r, ','));
	return take(r, ']');
}

static json_t *read_nested(struct reader *r, bool is_object)
{
	AUTO(json) json_t *j = is_object ? json_object() : json_array();
	bool good;

	if (++r->depth > LIMIT_JSON_DEPTH)
		return NULL;
	good = is_object ? read_object(r, j) : read_array(r, j);
	r->depth--;
	return good ? take_ptr(j) : NULL;
}

static json_t *read_value(struct reader *r)
{
	if (take(r, '{'))
		return read_nested(r, true);
	if (take(r, '['))
		return read_nested(r, false);
	if (take(r, '"'))
		return read_string(r) ? json_stringn_nocheck(r->text, r->len) : NULL;
	if (r->at == r->end)
		return NULL;
	return *r->at == '-' || (*r->at >= '0' && *r->at <= '9') ? read_integer(r)
								 : read_word(r);
}

json_t *json_read_plain(const char *data, size_t len)
{
	struct reader r = {.at = data, .end = data + len, .plain = BUF_INIT};
	AUTO(json) json_t *j = read_value(&r);

	skip_blanks(&r);
	buf_clear(&r.plain);
	/* a document is an object or a list */
	if (r.at < r.end || (!json_is_object(j) && !json_is_array(j)))
		return NULL;
	return take_ptr(j);
}
