/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/dockerfile_parser.h"

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

bool word_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

char *word_skip_space(const char *s)
{
	while (word_space(*s))
		s++;
	return (char *)(uintptr_t)s;
}

void word_trim_end(char *s)
{
	size_t n = strlen(s);

	while (n && word_space(s[n - 1]))
		n--;
	s[n] = 0;
}

void words_split(const char *s, struct strlist *out)
{
	for (;;) {
		const char *begin = word_skip_space(s);

		for (s = begin; *s && !word_space(*s);)
			s++;
		if (s == begin)
			return;
		strlist_addn(out, begin, (size_t)(s - begin));
	}
}

/* Moves past one word that may contain quotes; *out gets it as written. */
static const char *quoted_word(const char *s, char escape, struct buf *out, bool *out_blank_ok)
{
	char quote = 0;

	*out_blank_ok = false;
	for (; *s && (quote || !word_space(*s)); s++) {
		if (!quote && (*s == '\'' || *s == '"')) {
			quote = *s;
			*out_blank_ok = true;
		} else if (quote && *s == quote) {
			quote = 0;
		} else if (*s == escape && quote != '\'') {
			/* An escape that ends the line is dropped. */
			if (!s[1])
				return s + 1;
			buf_addch(out, *s++);
		}
		buf_addch(out, *s);
	}
	return s;
}

void words_quoted(const char *s, char escape, struct strlist *out)
{
	AUTO(buf) struct buf word = BUF_INIT;
	bool blank_ok;

	for (s = word_skip_space(s); *s; s = word_skip_space(s)) {
		buf_reset(&word);
		s = quoted_word(s, escape, &word, &blank_ok);
		if (word.len || blank_ok)
			strlist_add(out, buf_str(&word));
	}
}

/* The end of the JSON array that @s begins with, NULL if it has none. */
static const char *array_end(const char *s)
{
	bool quoted = false;
	size_t depth = 0;

	for (; *s; s++) {
		if (quoted) {
			if (*s == '\\' && s[1])
				s++;
			else if (*s == '"')
				quoted = false;
		} else if (*s == '"') {
			quoted = true;
		} else if (*s == '[') {
			depth++;
		} else if (*s == ']' && --depth == 0) {
			return s + 1;
		}
	}
	return NULL;
}

enum words_json words_json(const char *s, struct strlist *out, const char **out_comment)
{
	AUTO(json) json_t *j = NULL;
	const char *end, *tail;
	size_t k;
	json_t *item;

	*out_comment = NULL;
	s = word_skip_space(s);
	if (*s != '[' || !(end = array_end(s)))
		return WORDS_NOT_JSON;
	tail = word_skip_space(end);
	if (*tail && (*tail != '#' || tail == end))
		return WORDS_NOT_JSON;
	if (json_parse(s, (size_t)(end - s), &j, NULL) < 0 || !json_is_array(j))
		return WORDS_NOT_JSON;
	json_array_foreach (j, k, item)
		if (!json_is_string(item))
			return WORDS_NOT_STRINGS;
	json_array_foreach (j, k, item)
		strlist_add(out, json_string_value(item));
	if (*tail)
		*out_comment = tail;
	return WORDS_JSON;
}

char *words_find_comment(const char *s, size_t after, bool whole)
{
	for (size_t n = 0;; n++) {
		s = word_skip_space(s);
		if (!*s)
			return NULL;
		if (n >= after && *s == '#' && (!whole || !s[1] || word_space(s[1])))
			return (char *)(uintptr_t)s;
		while (*s && !word_space(*s))
			s++;
	}
}

char *words_find_pair_comment(const char *s, char escape)
{
	AUTO(buf) struct buf word = BUF_INIT;
	bool blank_ok;

	for (bool first = true; *(s = word_skip_space(s)); first = false) {
		const char *begin = s;

		buf_reset(&word);
		s = quoted_word(s, escape, &word, &blank_ok);
		if (!first && *begin == '#' && !strchr(buf_str(&word), '='))
			return (char *)(uintptr_t)begin;
	}
	return NULL;
}
