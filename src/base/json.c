/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <string.h>
#include <sys/random.h>

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

/* jansson recurses; its own limit of 2048 is deeper than a small stack likes. */
static bool too_deep(const char *data, size_t len)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > LIMIT_JSON_DEPTH)
				return true;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return false;
}

void json_seed(void)
{
	static bool done;
	size_t seed;

	if (done)
		return;
	if (getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
		json_object_seed(seed);
	done = true;
}

int json_parse(const char *data, size_t len, json_t **out, struct error *err)
{
	json_error_t je;
	json_t *j;

	json_seed();
	if ((j = json_read_plain(data, len))) {
		*out = j;
		return 0;
	}
	if (too_deep(data, len))
		return error_set(err, ERR_LIMIT, "JSON nested deeper than %u",
				 LIMIT_JSON_DEPTH);
	j = json_loadb(data, len, JSON_REJECT_DUPLICATES, &je);
	if (!j)
		return error_set(err, ERR_INVALID, "malformed JSON at line %d, column %d: %s",
				 je.line, je.column, je.text);
	*out = j;
	return 0;
}

static int add_to_buf(const char *data, size_t len, void *out)
{
	buf_add(out, data, len);
	return 0;
}

void json_text(const json_t *j, struct buf *out)
{
	json_dump_callback(j, add_to_buf, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

void json_pretty(const json_t *j, struct buf *out)
{
	json_dump_callback(j, add_to_buf, out, JSON_INDENT(4) | JSON_ENCODE_ANY);
}

static void line_end(struct buf *out, const char *unit, size_t depth)
{
	buf_addch(out, '\n');
	while (depth--)
		buf_addstr(out, unit);
}

/* Bytes of the string that begins at @s, its quotes included. */
static size_t string_length(const char *s, size_t len)
{
	size_t n = 1;

	while (n < len && s[n] != '"')
		n += s[n] == '\\' ? 2 : 1;
	return n < len ? n + 1 : len;
}

void json_indent(const char *data, size_t len, const char *unit, struct buf *out)
{
	size_t depth = 0, n;
	bool opened = false; /* an object or array of which nothing was written yet */

	for (size_t i = 0; i < len; i += n) {
		const char c = data[i];
		bool closes = c == '}' || c == ']';

		n = 1;
		if (strchr(" \t\r\n", c))
			continue;
		if (closes && depth && depth-- && !opened)
			line_end(out, unit, depth);
		if (opened && !closes)
			line_end(out, unit, depth);
		opened = c == '{' || c == '[';
		depth += opened;
		if (c == '"')
			n = string_length(data + i, len - i);
		buf_add(out, data + i, n);
		if (c == ':')
			buf_addch(out, ' ');
		if (c == ',')
			line_end(out, unit, depth);
	}
}

/*
 * Bytes of the UTF-8 sequence at @s, 0 if it is not one: no overlong forms,
 * no surrogates, nothing above U+10FFFF (RFC 3629 section 4).
 */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void quote_ascii(unsigned char c, bool html, struct buf *out)
{
	static const char named[] = "\"\"\\\\\nn\rr\tt\bb\ff";

	for (const char *n = named; c && *n; n += 2) {
		if (c != (unsigned char)*n)
			continue;
		buf_addch(out, '\\');
		buf_addch(out, n[1]);
		return;
	}
	if (c < 0x20 || (html && (c == '<' || c == '>' || c == '&')))
		buf_printf(out, "\\u%04x", c);
	else
		buf_addch(out, (char)c);
}

/* What is not UTF-8 becomes U+FFFD, as in Go, so that any reader takes the document. */
void json_quote(const char *s, bool html, struct buf *out)
{
	const unsigned char *at = (const unsigned char *)s;

	buf_addch(out, '"');
	while (*at) {
		size_t n;

		if (*at < 0x80) {
			quote_ascii(*at++, html, out);
			continue;
		}
		n = utf8_length(at);
		if (!n) {
			buf_addstr(out, "\\ufffd");
			at++;
		} else if (html && n == 3 && at[0] == 0xe2 && at[1] == 0x80 &&
			   (at[2] | 1) == 0xa9) {
			buf_printf(out, "\\u202%c", at[2] & 1 ? '9' : '8');
			at += 3;
		} else {
			buf_add(out, at, n);
			at += n;
		}
	}
	buf_addch(out, '"');
}

static int wrong_type(const char *key, const char *expected, struct error *err)
{
	return error_set(err, ERR_INVALID, "\"%s\" is not %s", key, expected);
}

static json_t *get(const json_t *obj, const char *key)
{
	json_t *j = json_object_get(obj, key);

	return json_is_null(j) ? NULL : j;
}

int json_get_string(const json_t *obj, const char *key, char **out_new, struct error *err)
{
	json_t *j = get(obj, key);

	if (!j)
		return 0;
	if (!json_is_string(j) || strlen(json_string_value(j)) != json_string_length(j))
		return wrong_type(key, "a string", err);
	free(*out_new);
	*out_new = mem_strdup(json_string_value(j));
	return 0;
}

int json_get_i64(const json_t *obj, const char *key, int64_t *out, struct error *err)
{
	json_t *j = get(obj, key);

	if (!j)
		return 0;
	if (!json_is_integer(j))
		return wrong_type(key, "an integer", err);
	*out = json_integer_value(j);
	return 0;
}

int json_get_u64(const json_t *obj, const char *key, uint64_t *out, struct error *err)
{
	int64_t v = (int64_t)*out;
	int r = json_get_i64(obj, key, &v, err);

	if (r < 0)
		return r;
	if (get(obj, key) && v < 0)
		return wrong_type(key, "a positive integer", err);
	*out = (uint64_t)v;
	return 0;
}

int json_get_bool(const json_t *obj, const char *key, bool *out, struct error *err)
{
	json_t *j = get(obj, key);

	if (!j)
		return 0;
	if (!json_is_boolean(j))
		return wrong_type(key, "true or false", err);
	*out = json_is_true(j);
	return 0;
}

int json_get_array(const json_t *obj, const char *key, json_t **out, struct error *err)
{
	json_t *j = get(obj, key);

	if (j && !json_is_array(j))
		return wrong_type(key, "a list", err);
	*out = j;
	return 0;
}

int json_get_object(const json_t *obj, const char *key, json_t **out, struct error *err)
{
	json_t *j = get(obj, key);

	if (j && !json_is_object(j))
		return wrong_type(key, "an object", err);
	*out = j;
	return 0;
}

int json_get_strings(const json_t *obj, const char *key, struct strlist *out, bool *out_present,
		     struct error *err)
{
	json_t *list = NULL, *j;
	size_t i;
	int r = json_get_array(obj, key, &list, err);

	if (r < 0)
		return r;
	if (out_present)
		*out_present = list != NULL;
	json_array_foreach (list, i, j) {
		if (!json_is_string(j) || strlen(json_string_value(j)) != json_string_length(j))
			return wrong_type(key, "a list of strings", err);
		strlist_add(out, json_string_value(j));
	}
	return 0;
}

json_t *json_lossy_string(const char *s)
{
	AUTO(buf) struct buf out = BUF_INIT;
	json_t *j = json_string(s);

	while (!j && *s) {
		size_t left = strnlen(s, 4), n = 1;
		json_t *one = NULL;

		/* jansson is the judge of what a character is */
		while (n <= left && !(one = json_stringn(s, n)))
			n++;
		json_decref(one);
		if (n > left) {
			buf_addstr(&out, "\xef\xbf\xbd");
			s++;
		} else {
			buf_add(&out, s, n);
			s += n;
		}
	}
	return j ? j : json_string(buf_str(&out));
}

void json_put_text(json_t *object, const char *key, const char *value)
{
	AUTO(json) json_t *name = json_lossy_string(key);

	json_object_set_new(object, json_string_value(name), json_lossy_string(value));
}

json_t *json_from_strings(const struct strlist *l)
{
	json_t *j = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(j, json_lossy_string(l->items[i]));
	return j;
}

json_t *json_from_map(const struct map *m)
{
	json_t *j = json_object();

	map_each (m, e)
		json_put_text(j, e->key, e->value);
	return j;
}

json_t *json_pick(const json_t *from, const char *const *keys, size_t n)
{
	json_t *out = json_object();

	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(from, keys[i]);

		if (value && !json_is_null(value))
			json_object_set(out, keys[i], value);
	}
	return out;
}
