/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci_json.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/banned.h"

static void separate(struct json_writer *w)
{
	if (w->comma)
		buf_addch(w->out, ',');
	w->comma = true;
}

void json_write_open(struct json_writer *w, char bracket)
{
	separate(w);
	buf_addch(w->out, bracket);
	w->comma = false;
}

void json_write_close(struct json_writer *w, char bracket)
{
	buf_addch(w->out, bracket);
	w->comma = true;
}

void json_write_key(struct json_writer *w, const char *key)
{
	separate(w);
	json_quote(key, true, w->out);
	buf_addch(w->out, ':');
	w->comma = false;
}

void json_write_string(struct json_writer *w, const char *s)
{
	separate(w);
	json_quote(s, true, w->out);
}

void json_write_i64(struct json_writer *w, int64_t v)
{
	separate(w);
	buf_printf(w->out, "%" PRId64, v);
}

void json_write_u64(struct json_writer *w, uint64_t v)
{
	separate(w);
	buf_printf(w->out, "%" PRIu64, v);
}

void json_write_bool(struct json_writer *w, bool v)
{
	separate(w);
	buf_addstr(w->out, v ? "true" : "false");
}

void json_write_strings(struct json_writer *w, const struct strlist *l)
{
	json_write_open(w, '[');
	for (size_t i = 0; i < l->n; i++)
		json_write_string(w, l->items[i]);
	json_write_close(w, ']');
}

void json_member_string(struct json_writer *w, const char *key, const char *s)
{
	json_write_key(w, key);
	json_write_string(w, s);
}

void json_member_opt(struct json_writer *w, const char *key, const char *s)
{
	if (!str_empty(s))
		json_member_string(w, key, s);
}

void json_member_i64(struct json_writer *w, const char *key, int64_t v)
{
	json_write_key(w, key);
	json_write_i64(w, v);
}

void json_member_i64_opt(struct json_writer *w, const char *key, int64_t v)
{
	if (v)
		json_member_i64(w, key, v);
}

void json_member_u64(struct json_writer *w, const char *key, uint64_t v)
{
	json_write_key(w, key);
	json_write_u64(w, v);
}

void json_member_bool(struct json_writer *w, const char *key, bool v)
{
	json_write_key(w, key);
	json_write_bool(w, v);
}

void json_member_true_opt(struct json_writer *w, const char *key, bool v)
{
	if (v)
		json_member_bool(w, key, v);
}

void json_member_digest(struct json_writer *w, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT_SIZE];

	json_member_string(w, key, digest_text(d, text));
}

void json_member_time(struct json_writer *w, const char *key, int64_t ns)
{
	AUTO(buf) struct buf text = BUF_INIT;

	clock_format(ns, &text);
	json_member_string(w, key, buf_str(&text));
}

void json_member_strings(struct json_writer *w, const char *key, const struct strlist *l)
{
	json_write_key(w, key);
	json_write_strings(w, l);
}

void json_member_strings_opt(struct json_writer *w, const char *key, const struct strlist *l)
{
	if (l->n)
		json_member_strings(w, key, l);
}

void json_member_map_opt(struct json_writer *w, const char *key, const struct map *m)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;

	map_each (m, e)
		strlist_add(&names, e->key);
	if (!names.n)
		return;
	strlist_sort(&names);
	json_write_key(w, key);
	json_write_open(w, '{');
	for (size_t i = 0; i < names.n; i++)
		json_member_string(w, names.items[i], map_get(m, names.items[i]));
	json_write_close(w, '}');
}

void json_member_set_opt(struct json_writer *w, const char *key, const struct strlist *set)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;

	if (!set->n)
		return;
	strlist_addall(&names, set);
	strlist_sort(&names);
	json_write_key(w, key);
	json_write_open(w, '{');
	for (size_t i = 0; i < names.n; i++) {
		if (i && str_eq(names.items[i], names.items[i - 1]))
			continue;
		json_write_key(w, names.items[i]);
		json_write_open(w, '{');
		json_write_close(w, '}');
	}
	json_write_close(w, '}');
}

int json_read_map(const json_t *obj, const char *key, struct map *out, struct error *err)
{
	json_t *members = NULL;
	json_t *value;
	const char *name;
	int rc = json_get_object(obj, key, &members, err);

	if (rc < 0 || !members)
		return rc;
	json_object_foreach (members, name, value) {
		if (!json_is_string(value) && !json_is_null(value))
			return error_set(err, ERR_INVALID, "\"%s\" of \"%s\" is not a string",
					 name, key);
		map_set(out, name,
			mem_strdup(json_is_string(value) ? json_string_value(value) : ""));
	}
	return 0;
}

int json_read_set(const json_t *obj, const char *key, struct strlist *out, struct error *err)
{
	json_t *members = NULL;
	json_t *value;
	const char *name;
	int rc = json_get_object(obj, key, &members, err);

	if (rc < 0 || !members)
		return rc;
	json_object_foreach (members, name, value)
		strlist_add(out, name);
	strlist_sort(out);
	return 0;
}

int json_read_digest(const json_t *obj, const char *key, struct digest *out, bool *out_has,
		     struct error *err)
{
	AUTO(free) char *text = NULL;
	int rc = json_get_string(obj, key, &text, err);

	*out_has = false;
	if (rc < 0 || str_empty(text))
		return rc;
	if (!digest_parse(text, out))
		return error_set(err, ERR_INVALID, "\"%s\" is not a sha256 digest: %.80s", key,
				 text);
	*out_has = true;
	return 0;
}

int json_read_time(const json_t *obj, const char *key, int64_t *out, bool *out_has,
		   struct error *err)
{
	AUTO(free) char *text = NULL;
	int rc = json_get_string(obj, key, &text, err);

	*out_has = false;
	if (rc < 0 || str_empty(text))
		return rc;
	/* Go's zero time, year 1, is how some builders write "not known". */
	if (str_starts(text, "0001-01-01T00:00:00"))
		return 0;
	if (!clock_parse(text, out))
		return error_set(err, ERR_INVALID, "\"%s\" is not an RFC 3339 time: %.80s", key,
				 text);
	*out_has = true;
	return 0;
}

int json_read_document(const char *data, size_t len, const char *what, json_t **out,
		       struct error *err)
{
	AUTO(json) json_t *doc = NULL;
	int rc = json_parse(data, len, &doc, err);

	if (rc < 0) {
		error_wrap(err, "%s", what);
		return rc;
	}
	if (!json_is_object(doc))
		return error_set(err, ERR_INVALID, "%s: not a JSON object", what);
	*out = take_ptr(doc);
	return 0;
}

int json_read_wide_document(const char *data, size_t len, const char *what, json_t **out,
			    struct error *err)
{
	static const char widest[] = "18446744073709551615";
	const size_t width = sizeof(widest) - 1;
	AUTO(buf) struct buf text = BUF_INIT;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && data[i] == '\\' && i + 1 < len) {
			buf_add(&text, data + i++, 2);
			continue;
		}
		if (data[i] == '"')
			quoted = !quoted;
		if (!quoted && data[i] == '1' && len - i >= width &&
		    memcmp(data + i, widest, width) == 0) {
			buf_addstr(&text, "-1");
			i += width - 1;
			continue;
		}
		buf_addch(&text, data[i]);
	}
	return json_read_document(buf_str(&text), text.len, what, out, err);
}

int json_read_wide(const json_t *obj, const char *key, uint64_t *out, struct error *err)
{
	const json_t *j = json_object_get(obj, key);

	if (json_is_integer(j) && json_integer_value(j) == -1) {
		*out = UINT64_MAX;
		return 0;
	}
	return json_get_u64(obj, key, out, err);
}

int json_read_element(const json_t *array, size_t i, const char *key, json_t **out,
		      struct error *err)
{
	json_t *e = json_array_get(array, i);

	if (!json_is_object(e))
		return error_set(err, ERR_INVALID, "element %zu of \"%s\" is not an object", i,
				 key);
	*out = e;
	return 0;
}

void map_copy_strings(const struct map *from, struct map *to)
{
	map_each (from, e)
		map_set(to, e->key, mem_strdup(e->value));
}
