/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_source.h"

#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/strlist.h"

#include "base/banned.h"

#define RULE "--------------------\n"
/* BuildKit counts both sides together, and less for an instruction of several lines. */
#define CONTEXT_ONE  4
#define CONTEXT_MANY 2

/* The directive "# escape=`" is valid at the very top only. */
static char escape_of(const struct strlist *lines)
{
	for (size_t i = 0; i < lines->n; i++) {
		const char *s = lines->items[i];

		if (*s != '#')
			break;
		s += 1 + strspn(s + 1, " \t");
		if (strncmp(s, "escape", 6) != 0)
			continue;
		s += 6 + strspn(s + 6, " \t");
		if (*s == '=')
			s += 1 + strspn(s + 1, " \t");
		return *s == '`' ? '`' : '\\';
	}
	return '\\';
}

static bool goes_on(const char *s, char escape)
{
	size_t len = strlen(s);

	while (len && strchr(" \t\r", s[len - 1]))
		len--;
	return len && s[len - 1] == escape;
}

static bool is_comment(const char *s)
{
	s += strspn(s, " \t");
	return *s == '#' || !*s;
}

/* The last line of the instruction that begins at @line (both from 1). */
static size_t last_line(const struct strlist *lines, size_t line)
{
	char escape = escape_of(lines);
	size_t last = line;

	while (last < lines->n && goes_on(lines->items[last - 1], escape)) {
		last++;
		/* comments and empty lines do not end it */
		while (last < lines->n && is_comment(lines->items[last - 1]))
			last++;
	}
	return last;
}

void cli_source_excerpt(const char *name, const char *text, size_t len, unsigned line,
			struct buf *out)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	AUTO(buf) struct buf copy = BUF_INIT;
	size_t from = line, last, to;
	unsigned context;

	buf_add(&copy, text, len);
	strlist_split(&lines, buf_str(&copy), '\n');
	if (!line || line > lines.n)
		return;
	last = to = last_line(&lines, line);
	context = last == line ? CONTEXT_ONE : CONTEXT_MANY;
	for (unsigned used = 0; used < context; used++) {
		if (from > 1) {
			from--;
			used++;
		}
		if (to < lines.n) {
			to++;
			used++;
		}
	}
	buf_printf(out, "%s:%u\n" RULE, name, line);
	for (size_t i = from; i <= to; i++)
		buf_printf(out, " %3zu | %s %s\n", i, i >= line && i <= last ? ">>>" : "   ",
			   lines.items[i - 1]);
	buf_addstr(out, RULE);
}
