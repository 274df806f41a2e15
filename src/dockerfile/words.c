/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/dockerfile_parser.h"

#include "base/mem.h"

#include "base/banned.h"

bool word_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

char *word_skip_space(const char *s)
{
	size_t n;

	while ((n = rune_space(s)))
		s += n;
	return (char *)(uintptr_t)s;
}

void word_trim_end(char *s)
{
	char *end = s;

	while (*s) {
		size_t n = rune_space(s);

		s += n ? n : 1;
		if (!n)
			end = s;
	}
	*end = 0;
}

void words_split(const char *s, struct strlist *out)
{
	for (;;) {
		const char *begin;

		while (word_space(*s))
			s++;
		for (begin = s; *s && !word_space(*s);)
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
	for (; *s && (quote || !rune_space(s)); s++) {
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

char *words_find_comment(const char *s, size_t after, bool whole)
{
	for (size_t n = 0;; n++) {
		while (word_space(*s))
			s++;
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
