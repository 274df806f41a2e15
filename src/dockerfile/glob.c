/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob - the patterns of COPY and ADD sources, as Go's path.Match has them.
 *
 * A '*' that fails is tried again one character further on, and only the last
 * one seen: what an earlier one could do, a later one can as well.  So the
 * work is at most the product of the two lengths.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/banned.h"

bool glob_is_pattern(const char *text)
{
	return strpbrk(text, "*?[\\") != NULL;
}

bool glob_valid(const char *p)
{
	bool match;

	while (*p) {
		if (*p == '[') {
			p = rune_class(p, 0, &match);
			if (!p)
				return false;
			continue;
		}
		if (*p == '\\' && !*++p)
			return false;
		p++;
	}
	return true;
}

/* Does the element at *p (no '*') match the character at *s?  Moves past both if so. */
static bool match_one(const char **p, const char **s)
{
	const char *next = *p;
	uint32_t want, have;
	size_t len = rune_at(*s, &have);
	bool match;

	if (*next == '[') {
		next = rune_class(next, have, &match);
		match = match && have != '/';
	} else if (*next == '?') {
		next++;
		match = have != '/';
	} else {
		next += *next == '\\';
		next += rune_at(next, &want);
		match = want == have;
	}
	if (!match)
		return false;
	*p = next;
	*s += len;
	return true;
}

bool glob_match(const char *pattern, const char *name)
{
	const char *p = pattern, *s = name;
	const char *star = NULL, *star_s = NULL;
	uint32_t c;

	if (!glob_valid(pattern))
		return false;
	while (*s) {
		if (*p == '*') {
			star = ++p;
			star_s = s;
		} else if (!*p || !match_one(&p, &s)) {
			if (!star || *star_s == '/')
				return false;
			star_s += rune_at(star_s, &c);
			s = star_s;
			p = star;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}
