/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_source.h"

#include <stdbool.h>
#include <stdio.h>
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
static size_t last_line(const struct strlist *lines, size_t line, char escape)
{
	size_t last = line;

	while (last < lines->n && goes_on(lines->items[last - 1], escape)) {
		last++;
		/* comments and empty lines do not end it */
		while (last < lines->n && is_comment(lines->items[last - 1]))
			last++;
	}
	return last;
}

/* The first line of the one that @line is in; lines of heredocs are taken for instructions. */
static size_t first_line(const struct strlist *lines, size_t line)
{
	char escape = escape_of(lines);
	size_t first = 1, last;

	for (;; first = last + 1) {
		while (first < line && is_comment(lines->items[first - 1]))
			first++;
		last = last_line(lines, first, escape);
		if (last >= line)
			return first;
	}
}

void cli_source_clean(const char *s, struct buf *out)
{
	for (; *s; s++) {
		bool control = ((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f;

		/* a carriage return at the end of a line is how some files are written */
		if (*s != '\r' || s[1])
			buf_addch(out, control ? '?' : *s);
	}
}

/* "^^^" below the marked text, which may have tabs and wide letters before it. */
static void add_mark(const char *line, size_t number, const struct cli_source_place *p,
		     struct buf *out)
{
	const char *on = p->color ? "\033[33m" : "", *off = p->color ? "\033[0m" : "";
	size_t len = strlen(line), at = p->mark_column - 1;
	int digits = snprintf(NULL, 0, "%3zu", number);

	if (!p->mark_column || at > len)
		return;
	buf_printf(out, " %*s |     ", digits, "");
	for (size_t i = 0; i < at; i++)
		if (line[i] == '\t')
			buf_addch(out, '\t');
		else if (((unsigned char)line[i] & 0xc0) != 0x80)
			buf_addch(out, ' ');
	buf_addstr(out, on);
	for (size_t i = at; i < len && i < at + p->mark_len; i++)
		if (((unsigned char)line[i] & 0xc0) != 0x80)
			buf_addch(out, '^');
	if (!p->mark_len || at == len) /* a place, not a text */
		buf_addch(out, '^');
	buf_printf(out, "%s\n", off);
}

/* Widens *from and *to by what is shown around the instruction. */
static void add_context(size_t n, size_t *from, size_t *to)
{
	unsigned context = *to == *from ? CONTEXT_ONE : CONTEXT_MANY;

	for (unsigned used = 0; used < context; used++) {
		if (*from > 1) {
			--*from;
			used++;
		}
		if (*to < n) {
			++*to;
			used++;
		}
	}
}

void cli_source_place(const char *name, const char *text, size_t len,
		      const struct cli_source_place *p, struct buf *out)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	AUTO(buf) struct buf copy = BUF_INIT;
	size_t from = p->line, last, to;

	buf_add(&copy, text, len);
	strlist_split(&lines, buf_str(&copy), '\n');
	if (!p->line || p->line > lines.n)
		return;
	last = p->last ? p->last : last_line(&lines, p->line, escape_of(&lines));
	if (last > lines.n)
		last = lines.n;
	to = last;
	add_context(lines.n, &from, &to);
	if (p->name_mark && p->mark_column)
		buf_printf(out, "%s:%u:%u\n" RULE, name, p->mark_line, p->mark_column);
	else
		buf_printf(out, "%s:%u\n" RULE, name, p->line);
	for (size_t i = from; i <= to; i++) {
		buf_printf(out, " %3zu | %s ", i, i >= p->line && i <= last ? ">>>" : "   ");
		cli_source_clean(lines.items[i - 1], out);
		buf_addch(out, '\n');
		if (i == p->mark_line)
			add_mark(lines.items[i - 1], i, p, out);
	}
	buf_addstr(out, RULE);
}

void cli_source_excerpt(const char *name, const char *text, size_t len, unsigned line,
			unsigned column, struct buf *out)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	AUTO(buf) struct buf copy = BUF_INIT;
	struct cli_source_place place = {
		.line = line, .mark_line = line, .mark_column = column, .name_mark = true};

	buf_add(&copy, text, len);
	strlist_split(&lines, buf_str(&copy), '\n');
	if (line && line <= lines.n && column) {
		place.line = (unsigned)first_line(&lines, line);
		if (column <= strlen(lines.items[line - 1]))
			place.mark_len = strcspn(lines.items[line - 1] + column - 1, " \t\r");
	}
	cli_source_place(name, text, len, &place, out);
}
