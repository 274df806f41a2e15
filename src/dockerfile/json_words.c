/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_words - the JSON form of an instruction.
 *
 * What is no JSON is a shell command, so the border between the two has to
 * be exactly that of Go's encoding/json, which Docker reads it with: bytes
 * that are no UTF-8 and lone surrogates become U+FFFD, names may repeat, a
 * number has to fit into a double.
 */
#include "dockerfile/dockerfile_parser.h"

#include <math.h>

#include "base/mem.h"

#include "base/banned.h"

/* Go's encoding/json, maxNestingDepth. */
#define MAX_DEPTH 10000u

#define REPLACEMENT 0xfffdu

struct scanner {
	const char *at;
	struct strlist *out; /* strings of the outermost array */
	struct buf open;     /* brackets that are open, as they were written */
	struct buf text;     /* of the last string */
	bool other;	     /* an element of the outermost array is no string */
	bool zero;	     /* a string has \u0000 */
};

static void scanner_auto(struct scanner *s)
{
	buf_clear(&s->open);
	buf_clear(&s->text);
}

static void skip_blanks(struct scanner *s)
{
	s->at += strspn(s->at, " \t\r\n");
}

/* The number of the four hexadecimal digits at @s, -1 if they are something else. */
static long hex4(const char *s)
{
	long v = 0;

	for (int k = 0; k < 4; k++) {
		char c = s[k];
		int digit = c >= '0' && c <= '9'		 ? c - '0'
			    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
								 : -1;

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* Behind "\u". */
static bool take_unicode(struct scanner *s)
{
	long c = hex4(s->at), low;

	if (c < 0)
		return false;
	s->at += 4;
	if (c >= 0xd800 && c < 0xe000) {
		low = c < 0xdc00 && s->at[0] == '\\' && s->at[1] == 'u' ? hex4(s->at + 2) : -1;
		if (low >= 0xdc00 && low < 0xe000) {
			s->at += 6;
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		} else {
			c = REPLACEMENT;
		}
	}
	s->zero |= !c;
	rune_put(&s->text, (uint32_t)c);
	return true;
}

static bool take_escape(struct scanner *s)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	char c = *s->at;
	const char *name = c ? strchr(names, c) : NULL;

	s->at += c != 0;
	if (c == 'u')
		return take_unicode(s);
	if (name)
		buf_addch(&s->text, values[name - names]);
	return name != NULL;
}

/* Behind the opening quote. */
static bool take_string(struct scanner *s)
{
	buf_reset(&s->text);
	while (*s->at != '"') {
		size_t n = rune_valid(s->at);

		if ((unsigned char)*s->at < ' ')
			return false;
		if (*s->at == '\\') {
			s->at++;
			if (!take_escape(s))
				return false;
		} else if (n) {
			buf_add(&s->text, s->at, n);
			s->at += n;
		} else {
			rune_put(&s->text, REPLACEMENT);
			s->at++;
		}
	}
	s->at++;
	return true;
}

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

static bool take_number(struct scanner *s)
{
	const char *at = s->at + (*s->at == '-');
	size_t n = *at == '0' ? 1 : digits(at);

	if (!n)
		return false;
	at += n;
	if (*at == '.') {
		if (!(n = digits(at + 1)))
			return false;
		at += 1 + n;
	}
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '+' || at[1] == '-');
		if (!(n = digits(at)))
			return false;
		at += n;
	}
	if (isinf(strtod(s->at, NULL)))
		return false;
	s->at = at;
	return true;
}

static bool take_word(struct scanner *s)
{
	static const char *const literals[] = {"true", "false", "null"};

	for (size_t k = 0; k < ARRAY_SIZE(literals); k++)
		if (str_starts(s->at, literals[k])) {
			s->at += strlen(literals[k]);
			return true;
		}
	return take_number(s);
}

static char innermost(const struct scanner *s)
{
	return s->open.len ? s->open.data[s->open.len - 1] : 0;
}

/* "name": in front of a value in an object. */
static bool take_name(struct scanner *s)
{
	skip_blanks(s);
	if (*s->at++ != '"' || !take_string(s))
		return false;
	skip_blanks(s);
	return *s->at++ == ':';
}

/* One value, or the bracket that begins one; *out_opened tells which. */
static bool take_value(struct scanner *s, bool *out_opened)
{
	bool top = s->open.len == 1;

	*out_opened = false;
	skip_blanks(s);
	if (*s->at == '"') {
		s->at++;
		if (!take_string(s))
			return false;
		if (top)
			strlist_addn(s->out, buf_str(&s->text), s->text.len);
		return true;
	}
	s->other |= top;
	if (*s->at != '[' && *s->at != '{')
		return take_word(s);
	*out_opened = true;
	buf_addch(&s->open, *s->at++);
	return s->open.len <= MAX_DEPTH;
}

/* Behind a value: closes what ends here.  False at anything but a comma or the end. */
static bool close_brackets(struct scanner *s)
{
	for (;;) {
		char close = innermost(s) == '[' ? ']' : '}';

		skip_blanks(s);
		if (*s->at != close)
			break;
		s->at++;
		s->open.data[--s->open.len] = 0;
		if (!s->open.len)
			return true;
	}
	return *s->at++ == ',';
}

/* At '['; to behind its ']'. */
static bool take_array(struct scanner *s)
{
	bool opened = true;

	buf_addch(&s->open, *s->at++);
	while (s->open.len) {
		char end = innermost(s) == '[' ? ']' : '}';

		skip_blanks(s);
		if (!opened || *s->at != end) {
			if (end == '}' && !take_name(s))
				return false;
			if (!take_value(s, &opened))
				return false;
			if (opened)
				continue;
		}
		if (!close_brackets(s))
			return false;
		opened = false;
	}
	return true;
}

enum words_json words_json(const char *text, struct strlist *out, const char **out_comment)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	AUTO(scanner) struct scanner s = {.at = word_skip_space(text), .out = &words};
	const char *tail;

	*out_comment = NULL;
	if (*s.at != '[' || !take_array(&s))
		return WORDS_NOT_JSON;
	tail = word_skip_space(s.at);
	if (*tail && (*tail != '#' || tail == s.at))
		return WORDS_NOT_JSON;
	if (s.other)
		return WORDS_NOT_STRINGS;
	if (s.zero)
		return WORDS_ZERO;
	strlist_addall(out, &words);
	if (*tail)
		*out_comment = tail;
	return WORDS_JSON;
}
