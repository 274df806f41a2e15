/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

#define INTEGER_DIGITS 18 /* what an int64_t always holds */
#define LIMIT_TABLES   10000u

/* What made a table; those that are only on the way to another have no such mark. */
enum maker {
	BY_HEADER,
	BY_KEYS, /* with dots: others of that kind may add to it, no header may name it */
	BY_VALUE,
};

struct toml {
	const char *at, *end;
	unsigned line;
	json_t *root, *table; /* where keys go now; borrowed */
	struct tables {
		struct table {
			json_t *j; /* borrowed */
			enum maker by;
		} * items;
		size_t n, cap;
	} made;
	struct error *err;
};

static int bad(struct toml *t, const char *what)
{
	return error_set(t->err, ERR_INVALID, "line %u: %s", t->line, what);
}

static int mark(struct toml *t, json_t *j, enum maker by)
{
	if (t->made.n >= LIMIT_TABLES)
		return bad(t, "too many tables");
	*vec_push(&t->made) = (struct table){j, by};
	return 0;
}

/* ---- characters ---- */

static char peek(const struct toml *t)
{
	return t->at < t->end ? *t->at : 0;
}

static bool take(struct toml *t, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(t->end - t->at) < n || memcmp(t->at, text, n) != 0)
		return false;
	t->at += n;
	return true;
}

static void skip_blanks(struct toml *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->at++;
}

static void skip_comment(struct toml *t)
{
	if (peek(t) == '#')
		while (t->at < t->end && *t->at != '\n')
			t->at++;
}

static bool take_line_end(struct toml *t)
{
	if (!take(t, "\r\n") && !take(t, "\n"))
		return false;
	t->line++;
	return true;
}

/* Blanks, comments and line ends. */
static void skip_all(struct toml *t)
{
	do {
		skip_blanks(t);
		skip_comment(t);
	} while (take_line_end(t));
}

/* ---- strings ---- */

static void add_utf8(struct buf *out, unsigned long c)
{
	if (c < 0x80) {
		buf_addch(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_addch(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_addch(out, (char)(0xe0 | c >> 12));
		} else {
			buf_addch(out, (char)(0xf0 | c >> 18));
			buf_addch(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_addch(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_addch(out, (char)(0x80 | (c & 0x3f)));
}

static int read_code(struct toml *t, unsigned digits, struct buf *out)
{
	unsigned long c = 0;

	for (unsigned i = 0; i < digits; i++) {
		const char d = peek(t);

		if (!isxdigit((unsigned char)d))
			return bad(t, "an escape has too few digits");
		c = c << 4 |
		    (unsigned long)(isdigit((unsigned char)d) ? d - '0' : (d | 32) - 'a' + 10);
		t->at++;
	}
	if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return bad(t, "an escape is no character");
	add_utf8(out, c);
	return 0;
}

static int read_escape(struct toml *t, struct buf *out)
{
	static const char named[] = "b\bt\tn\nf\fr\r\"\"\\\\";
	const char c = peek(t);

	t->at += c != 0;
	for (const char *n = named; c && *n; n += 2)
		if (c == *n) {
			buf_addch(out, n[1]);
			return 0;
		}
	if (c == 'u' || c == 'U')
		return read_code(t, c == 'u' ? 4 : 8, out);
	return bad(t, "an escape that TOML does not know");
}

/* A backslash at the end of a line: with all white space behind it nothing. */
static bool joins_lines(struct toml *t)
{
	const char *before = t->at;

	skip_blanks(t);
	if (!take_line_end(t)) {
		t->at = before;
		return false;
	}
	do
		skip_blanks(t);
	while (take_line_end(t));
	return true;
}

/* The quotes that open it were read. */
static int read_text(struct toml *t, char quote, bool lines, struct buf *out)
{
	const char three[] = {quote, quote, quote, 0};

	if (lines)
		take_line_end(t);
	while (t->at < t->end) {
		const unsigned char c = (unsigned char)*t->at;

		if (lines ? take(t, three) : c == (unsigned char)quote) {
			/* up to two more belong to the text */
			for (int i = 0; lines && i < 2 && peek(t) == quote; i++, t->at++)
				buf_addch(out, quote);
			t->at += !lines;
			return 0;
		}
		if (lines && take_line_end(t)) {
			buf_addch(out, '\n');
			continue;
		}
		if (c == '\n' || c == '\r')
			break;
		t->at++;
		if (c != '\\' || quote == '\'')
			buf_addch(out, (char)c);
		else if (!(lines && joins_lines(t)) && read_escape(t, out) < 0)
			return -ERR_INVALID;
	}
	return bad(t, "a string has no end");
}

/* *out false: there is none. */
static int read_string(struct toml *t, bool key, struct buf *text, bool *out)
{
	const char quote = peek(t);
	bool lines = false;

	*out = quote == '"' || quote == '\'';
	if (!*out)
		return 0;
	if (!key)
		lines = take(t, quote == '"' ? "\"\"\"" : "'''");
	t->at += !lines;
	return read_text(t, quote, lines, text);
}

/* ---- keys ---- */

static int read_key(struct toml *t, struct buf *out)
{
	bool quoted;
	int r = read_string(t, true, out, &quoted);

	if (r < 0 || quoted)
		return r;
	while (isalnum((unsigned char)peek(t)) || peek(t) == '_' || peek(t) == '-')
		buf_addch(out, *t->at++);
	return out->len ? 0 : bad(t, "a key is missing");
}

static const struct table *find_mark(const struct toml *t, const json_t *j)
{
	for (size_t i = 0; i < t->made.n; i++)
		if (t->made.items[i].j == j)
			return &t->made.items[i];
	return NULL;
}

/* The table @name below *table, made if need be; of an array of tables the last one. */
static int enter(struct toml *t, json_t **table, const char *name, bool by_header)
{
	json_t *below = json_object_get(*table, name);
	const struct table *made;

	if (!below) {
		json_object_set_new(*table, name, json_object());
		*table = json_object_get(*table, name);
		return by_header ? 0 : mark(t, *table, BY_KEYS);
	}
	if (by_header && json_is_array(below) && find_mark(t, below))
		below = json_array_get(below, json_array_size(below) - 1);
	*table = below;
	/* a value gets no more keys, and what has a header none from elsewhere */
	made = find_mark(t, below);
	if (!json_is_object(below) ||
	    (made && (made->by == BY_VALUE || (made->by == BY_HEADER && !by_header))))
		return bad(t, "a key is there already");
	return 0;
}

/* a.b.c up to the last part, which goes to @last; *table: where that belongs. */
static int read_path(struct toml *t, bool by_header, json_t **table, struct buf *last)
{
	for (unsigned depth = 0;; depth++) {
		int r;

		skip_blanks(t);
		buf_reset(last);
		if ((r = read_key(t, last)) < 0)
			return r;
		skip_blanks(t);
		if (!take(t, "."))
			return 0;
		if (depth >= LIMIT_JSON_DEPTH / 2)
			return bad(t, "keys are nested too deeply");
		if ((r = enter(t, table, buf_str(last), by_header)) < 0)
			return r;
	}
}

/* ---- values ---- */

static int read_value(struct toml *t, unsigned depth, json_t **out);

static int read_pair(struct toml *t, json_t *table, unsigned depth)
{
	AUTO(buf) struct buf key = BUF_INIT;
	json_t *value = NULL;
	int r = read_path(t, false, &table, &key);

	if (r < 0)
		return r;
	if (!take(t, "="))
		return bad(t, "\"=\" is missing behind a key");
	if (json_object_get(table, buf_str(&key)))
		return bad(t, "a key is there already");
	skip_blanks(t);
	if ((r = read_value(t, depth, &value)) < 0)
		return r;
	json_object_set_new(table, buf_str(&key), value);
	return 0;
}

static int read_array(struct toml *t, unsigned depth, json_t *out)
{
	for (skip_all(t); !take(t, "]"); skip_all(t)) {
		json_t *value = NULL;
		int r = read_value(t, depth + 1, &value);

		if (r < 0)
			return r;
		json_array_append_new(out, value);
		skip_all(t);
		if (!take(t, ",") && peek(t) != ']')
			return bad(t, "\",\" or \"]\" is missing in an array");
	}
	return 0;
}

static int read_inline(struct toml *t, unsigned depth, json_t *out)
{
	skip_blanks(t);
	if (take(t, "}"))
		return 0;
	for (;;) {
		int r = read_pair(t, out, depth + 1);

		if (r < 0)
			return r;
		skip_blanks(t);
		if (take(t, "}"))
			return 0;
		if (!take(t, ","))
			return bad(t, "\",\" or \"}\" is missing in a table");
	}
}

static int read_word(struct toml *t, json_t **out)
{
	const char *start = t->at, sign = peek(t);
	json_int_t n = 0;
	size_t len, i = sign == '-' || sign == '+';

	while (isalnum((unsigned char)peek(t)) || (peek(t) && strchr("_-+.:", peek(t))))
		t->at++;
	len = (size_t)(t->at - start);
	if ((len == 4 && !memcmp(start, "true", 4)) || (len == 5 && !memcmp(start, "false", 5)))
		*out = json_boolean(len == 4);
	if (*out)
		return 0;
	if (len == i || len - i > INTEGER_DIGITS || (start[i] == '0' && len - i > 1))
		return bad(t, "a value that is no string, integer, boolean, array or table");
	for (; i < len; i++) {
		if (!isdigit((unsigned char)start[i]))
			return bad(t, "a value that is no string, integer, boolean, array or "
				      "table");
		n = n * 10 + (start[i] - '0');
	}
	*out = json_integer(sign == '-' ? -n : n);
	return 0;
}

static int read_value(struct toml *t, unsigned depth, json_t **out)
{
	AUTO(buf) struct buf text = BUF_INIT;
	bool is_string;
	int r;

	if (depth >= LIMIT_JSON_DEPTH)
		return bad(t, "values are nested too deeply");
	if ((r = read_string(t, false, &text, &is_string)) < 0)
		return r;
	if (is_string) {
		*out = json_stringn(buf_str(&text), text.len);
		return 0;
	}
	if (peek(t) != '[' && peek(t) != '{')
		return read_word(t, out);
	*out = peek(t) == '[' ? json_array() : json_object();
	t->at++;
	r = json_is_array(*out) ? read_array(t, depth, *out) : read_inline(t, depth, *out);
	if (r == 0 && json_is_object(*out))
		r = mark(t, *out, BY_VALUE);
	if (r < 0) {
		json_decref(*out);
		*out = NULL;
	}
	return r;
}

/* ---- headers ---- */

static int add_element(struct toml *t, json_t *table, const char *name)
{
	json_t *all = json_object_get(table, name);

	if (!all) {
		all = json_array();
		json_object_set_new(table, name, all);
		if (mark(t, all, BY_HEADER) < 0)
			return -ERR_INVALID;
	} else if (!json_is_array(all) || !find_mark(t, all)) {
		return bad(t, "a key is there already");
	}
	t->table = json_object();
	json_array_append_new(all, t->table);
	return mark(t, t->table, BY_HEADER);
}

static int read_header(struct toml *t)
{
	AUTO(buf) struct buf name = BUF_INIT;
	bool array = take(t, "[");
	json_t *table = t->root;
	int r = read_path(t, true, &table, &name);

	if (r < 0)
		return r;
	if (!take(t, array ? "]]" : "]"))
		return bad(t, "\"]\" is missing behind a header");
	if (array)
		return add_element(t, table, buf_str(&name));
	if ((r = enter(t, &table, buf_str(&name), true)) < 0)
		return r;
	if (find_mark(t, table))
		return bad(t, "a table is there already");
	t->table = table;
	return mark(t, table, BY_HEADER);
}

/* What may stand nowhere, not even in a comment; no string or key is looked at for it again. */
static int check_text(struct toml *t)
{
	const char *p, *from = t->at;

	for (p = from; p <= t->end; p++) {
		const unsigned char c = p < t->end ? (unsigned char)*p : '\n';
		AUTO(json) json_t *line = NULL;

		if (c == 127 || (c < 32 && !memchr("\t\n\r", c, 3)) ||
		    (c == '\r' && (p + 1 >= t->end || p[1] != '\n')))
			return bad(t, "a control character");
		if (c != '\n')
			continue;
		line = json_stringn(from, (size_t)(p - from));
		if (!line)
			return bad(t, "it is no UTF-8");
		from = p + 1;
		t->line++;
	}
	t->line = 1;
	return 0;
}

static int read_lines(struct toml *t)
{
	for (;;) {
		int r;

		skip_all(t);
		if (t->at == t->end)
			return 0;
		r = take(t, "[") ? read_header(t) : read_pair(t, t->table, 0);
		if (r < 0)
			return r;
		skip_blanks(t);
		skip_comment(t);
		if (t->at < t->end && !take_line_end(t))
			return bad(t, "there is more behind the value");
	}
}

int toml_parse(const char *data, size_t len, json_t **out, struct error *err)
{
	AUTO(json) json_t *root = json_object();
	struct toml t = {.at = data,
			 .end = data + len,
			 .line = 1,
			 .root = root,
			 .table = root,
			 .err = err};
	int r = len ? check_text(&t) : 0;

	if (r == 0 && len)
		r = read_lines(&t);
	free(t.made.items);
	if (r == 0)
		*out = take_ptr(root);
	return r;
}
