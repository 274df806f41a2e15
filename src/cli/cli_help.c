/* SPDX-License-Identifier: Apache-2.0 */
/* --help, laid out as Docker's: the same columns, the same wrapping. */
#include "cli/cli_option.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/banned.h"

#define DEFAULT_COLUMNS	 80u
#define NAME_COLUMN	 11
#define WRAP_MIN	 24
#define WRAP_SLOP	 5
#define WRAP_BLOCK	 16
#define FALLBACK_COLUMNS 24

static unsigned help_columns(unsigned wanted)
{
	struct winsize ws;

	if (wanted)
		return wanted;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > FALLBACK_COLUMNS)
		return ws.ws_col;
	return DEFAULT_COLUMNS;
}

static void add_spaces(struct buf *out, size_t n)
{
	while (n--)
		buf_addch(out, ' ');
}

/* Text whose own line ends are followed by the indent of its block. */
static void add_block(struct buf *out, const char *text, size_t len, size_t indent)
{
	for (size_t i = 0; i < len; i++) {
		buf_addch(out, text[i]);
		if (text[i] == '\n')
			add_spaces(out, indent);
	}
}

static size_t last_of(const char *s, size_t len, const char *set)
{
	while (len > 0)
		if (strchr(set, s[--len]))
			return len;
	return SIZE_MAX;
}

/*
 * Length of the next line of @s when about @width characters fit; the blank
 * after it is dropped.  A line may be longer by a few when that ends the text.
 */
static size_t line_length(const char *s, size_t width)
{
	size_t left = strlen(s);
	size_t blank, newline;

	if (width + WRAP_SLOP > left)
		return left;
	blank = last_of(s, width, " \t\n");
	if (blank == SIZE_MAX || blank == 0)
		return left;
	newline = last_of(s, width, "\n");
	return newline != SIZE_MAX && newline > 0 && newline < blank ? newline : blank;
}

static void add_wrapped(struct buf *out, const char *text, size_t indent, unsigned columns)
{
	long width = (long)columns - (long)indent;

	if (width < WRAP_MIN) {
		indent = WRAP_BLOCK;
		width = (long)columns - WRAP_BLOCK;
		buf_addch(out, '\n');
		add_spaces(out, indent);
	}
	if (width < WRAP_MIN) {
		add_block(out, text, strlen(text), indent);
		return;
	}
	for (;;) {
		size_t len = line_length(text, (size_t)width - WRAP_SLOP);

		add_block(out, text, len, indent);
		text += len;
		if (!*text || !*++text)
			return;
		buf_addch(out, '\n');
		add_spaces(out, indent);
	}
}

static int compare_options(const void *a, const void *b)
{
	const struct option_def *const *x = a;
	const struct option_def *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void option_head(const struct option_def *o, struct buf *out)
{
	const char *type = cli_option_type(o);

	if (o->letter)
		buf_printf(out, "  -%c, --%s", o->letter, o->name);
	else
		buf_printf(out, "      --%s", o->name);
	if (*type)
		buf_printf(out, " %s", type);
}

static void option_text(const struct option_def *o, struct buf *out)
{
	buf_addstr(out, o->help);
	if (str_empty(o->fallback) || str_eq(o->fallback, "false") || str_eq(o->fallback, "0"))
		return;
	if (o->kind == OPTION_STRING)
		buf_printf(out, " (default \"%s\")", o->fallback);
	else
		buf_printf(out, " (default %s)", o->fallback);
}

void cli_help_options(const struct option_def *defs, size_t n, unsigned columns,
		      struct buf *out)
{
	AUTO(free) const struct option_def **sorted = mem_alloc((n + 1) * sizeof(*sorted));
	size_t shown = 0, widest = 0;

	for (size_t i = 0; i < n; i++) {
		AUTO(buf) struct buf head = BUF_INIT;

		if (defs[i].hidden)
			continue;
		sorted[shown++] = &defs[i];
		option_head(&defs[i], &head);
		if (head.len > widest)
			widest = head.len;
	}
	qsort(sorted, shown, sizeof(*sorted), compare_options);
	for (size_t i = 0; i < shown; i++) {
		AUTO(buf) struct buf head = BUF_INIT;
		AUTO(buf) struct buf text = BUF_INIT;

		option_head(sorted[i], &head);
		option_text(sorted[i], &text);
		buf_addstr(out, buf_str(&head));
		add_spaces(out, widest - head.len + 3);
		add_wrapped(out, buf_str(&text), widest + 3, columns - 1);
		buf_addch(out, '\n');
	}
}

static bool has_visible_options(const struct command *c)
{
	for (size_t i = 0; i < c->noptions; i++)
		if (!c->options[i].hidden)
			return true;
	return false;
}

struct entry {
	char *name; /* last word, owned */
	const char *summary;
};

struct entry_list {
	struct entry *items;
	size_t n;
	size_t cap;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	return strcmp(x->name, y->name);
}

/* The word by which @c is listed below @group ("" for the top), new, or NULL. */
static char *name_below(const struct command *c, const char *group)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	size_t skip = strlen(group);

	cli_command_names(c, &names);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.items[i];

		if (skip && (strncmp(name, group, skip) != 0 || name[skip] != ' '))
			continue;
		name += skip ? skip + 1 : 0;
		if (*name && !strchr(name, ' '))
			return mem_strdup(name);
	}
	return NULL;
}

static void clear_entries(struct entry_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].name);
	free(l->items);
}

static void add_entries(const struct cli_program *program, const char *group, unsigned flags,
			unsigned mask, struct entry_list *out)
{
	for (size_t i = 0; i < program->ncommands; i++) {
		const struct command *c = program->commands[i];
		char *name;

		if ((c->flags & mask) != flags || str_eq(c->path, group))
			continue;
		name = name_below(c, group);
		if (name)
			*vec_push(out) = (struct entry){name, c->summary};
	}
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), compare_entries);
}

static void print_entries(const char *title, const struct entry_list *l, int width,
			  struct buf *out)
{
	if (!l->n)
		return;
	buf_printf(out, "\n%s:\n", title);
	for (size_t i = 0; i < l->n; i++)
		buf_printf(out, "  %-*s %s\n", width, l->items[i].name, l->items[i].summary);
}

static int name_width(const struct entry_list *l, int width)
{
	for (size_t i = 0; i < l->n; i++)
		if ((int)strlen(l->items[i].name) > width)
			width = (int)strlen(l->items[i].name);
	return width;
}

static void print_usage_lines(const struct cli_program *program, const struct command *c,
			      const char *name, struct buf *out)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;

	strlist_split(&lines, c->usage ? c->usage : "", '\n');
	for (size_t i = 0; i < lines.n; i++)
		buf_printf(out, "%s%s %s%s%s\n", i ? "\t" : "Usage:  ", program->name, name,
			   *lines.items[i] ? " " : "", lines.items[i]);
}

static void print_aliases(const struct cli_program *program, const struct command *c,
			  struct buf *out)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;

	cli_command_names(c, &names);
	if (names.n < 2)
		return;
	buf_addstr(out, "\nAliases:\n  ");
	for (size_t i = 0; i < names.n; i++)
		buf_printf(out, "%s%s %s", i ? ", " : "", program->name, names.items[i]);
	buf_addch(out, '\n');
}

void cli_help_command(const struct cli_program *program, const struct command *c,
		      const char *name, struct buf *out)
{
	if (c->flags & COMMAND_GROUP) {
		struct entry_list entries = {0};

		add_entries(program, c->path, 0, COMMAND_HIDDEN, &entries);
		buf_printf(out, "Usage:  %s %s COMMAND\n\n%s\n", program->name, name,
			   c->summary);
		print_entries("Commands", &entries, name_width(&entries, NAME_COLUMN), out);
		buf_printf(out,
			   "\nRun '%s %s COMMAND --help' for more information on a command.\n",
			   program->name, name);
		clear_entries(&entries);
		return;
	}
	print_usage_lines(program, c, name, out);
	buf_printf(out, "\n%s\n", c->summary);
	print_aliases(program, c, out);
	if (has_visible_options(c)) {
		buf_addstr(out, "\nOptions:\n");
		cli_help_options(c->options, c->noptions, help_columns(program->columns), out);
	}
}

/* Moves the entry of that name from @from to @to. */
static void pick_entry(struct entry_list *from, const char *name, struct entry_list *to)
{
	for (size_t i = 0; i < from->n; i++) {
		if (!str_eq(from->items[i].name, name))
			continue;
		*vec_push(to) = from->items[i];
		memmove(&from->items[i], &from->items[i + 1],
			(from->n - i - 1) * sizeof(*from->items));
		from->n--;
		return;
	}
}

void cli_help_program(const struct cli_program *program, struct buf *out)
{
	struct entry_list common = {0}, groups = {0}, others = {0};
	int width;

	add_entries(program, "", COMMAND_GROUP, COMMAND_GROUP | COMMAND_HIDDEN, &groups);
	add_entries(program, "", 0, COMMAND_GROUP | COMMAND_HIDDEN, &others);
	for (const char *const *name = program->common; name && *name; name++) {
		pick_entry(&others, *name, &common);
		pick_entry(&groups, *name, &common);
	}
	width = name_width(&others, name_width(&groups, name_width(&common, NAME_COLUMN)));
	buf_printf(out, "Usage:  %s [OPTIONS] COMMAND\n\n%s\n", program->name,
		   program->summary);
	print_entries("Common Commands", &common, width, out);
	print_entries("Management Commands", &groups, width, out);
	print_entries("Commands", &others, width, out);
	if (program->nglobals) {
		buf_addstr(out, "\nGlobal Options:\n");
		cli_help_options(program->globals, program->nglobals,
				 help_columns(program->columns), out);
	}
	buf_printf(out, "\nRun '%s COMMAND --help' for more information on a command.\n",
		   program->name);
	clear_entries(&common);
	clear_entries(&groups);
	clear_entries(&others);
}
