/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_table.h"

#include <string.h>
#include <time.h>

#include "cli/cli_template.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/strlist.h"
#include "base/banned.h"

/* Go's tabwriter as Docker sets it up. */
#define CELL_MIN 10
#define CELL_GAP 3

#define SHORT_ID 12

struct cell {
	const char *text;
	size_t len;
	size_t width; /* in characters */
};

struct line {
	size_t first; /* index of the first cell */
	size_t n;     /* cells; the last one is not ended by a tab */
};

struct cells {
	struct cell *items;
	size_t n;
	size_t cap;
};

struct lines {
	struct line *items;
	size_t n;
	size_t cap;
};

struct widths {
	size_t *items;
	size_t n;
	size_t cap;
};

struct aligner {
	struct cells cells;
	struct lines lines;
	struct widths widths;
	struct buf *out;
};

/* Characters of UTF-8: every byte that does not continue one. */
static size_t count_characters(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static void split_cells(struct aligner *a, const char *text)
{
	while (*text) {
		struct line *line = vec_push(&a->lines);

		line->first = a->cells.n;
		for (;;) {
			size_t len = strcspn(text, "\t\n");
			struct cell *c = vec_push(&a->cells);

			c->text = text;
			c->len = len;
			c->width = count_characters(text, len);
			line->n++;
			text += len;
			if (*text != '\t')
				break;
			text++;
		}
		if (*text)
			text++;
	}
}

static void write_lines(struct aligner *a, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct line *line = &a->lines.items[i];

		for (size_t j = 0; j < line->n; j++) {
			const struct cell *c = &a->cells.items[line->first + j];

			buf_add(a->out, c->text, c->len);
			if (j >= a->widths.n || j + 1 == line->n)
				continue;
			for (size_t k = c->width; k < a->widths.items[j]; k++)
				buf_addch(a->out, ' ');
		}
		buf_addch(a->out, '\n');
	}
}

/* A column is a block of neighbouring lines that all have a cell there which a tab ends. */
static void align_lines(struct aligner *a, size_t from, size_t to)
{
	size_t column = a->widths.n;

	for (size_t i = from; i < to; i++) {
		size_t width = CELL_MIN;

		if (column + 1 >= a->lines.items[i].n)
			continue;
		write_lines(a, from, i);
		from = i;
		for (; i < to && column + 1 < a->lines.items[i].n; i++) {
			size_t first = a->lines.items[i].first;
			size_t wanted = a->cells.items[first + column].width + CELL_GAP;

			if (wanted > width)
				width = wanted;
		}
		*vec_push(&a->widths) = width;
		align_lines(a, from, i);
		a->widths.n--;
		from = i;
	}
	write_lines(a, from, to);
}

void cli_align(const char *text, struct buf *out)
{
	struct aligner a = {.out = out};

	split_cells(&a, text);
	align_lines(&a, 0, a.lines.n);
	free(a.cells.items);
	free(a.lines.items);
	free(a.widths.items);
}

struct cli_table {
	const struct cli_table_def *def;
	struct cli_template *template;
	bool aligned;
	bool json;
	struct buf text;
	size_t rows;
};

static bool is_table(const char *format)
{
	return str_starts(format, "table");
}

/* The format that counts: --format, else -q's, else the default one. */
static const char *choose_format(const struct cli_table_def *def, const char *format,
				 bool quiet)
{
	if (str_empty(format) || str_eq(format, "table"))
		return quiet ? def->quiet : def->fallback;
	return format;
}

static int add_header(struct cli_table *t, struct error *err)
{
	json_t *headers = json_object();
	int rc;

	for (size_t i = 0; i < t->def->ncolumns; i++)
		cli_row_string(headers, t->def->columns[i].field, t->def->columns[i].header);
	rc = cli_template_headers(t->template, headers, t->def->type, &t->text, err);
	buf_addch(&t->text, '\n');
	json_decref(headers);
	return rc;
}

static char *trim_blanks(const char *s)
{
	size_t len;

	s += strspn(s, " ");
	len = strlen(s);
	while (len && s[len - 1] == ' ')
		len--;
	return mem_strndup(s, len);
}

int cli_table_new(const struct cli_table_def *def, const char *format, bool quiet,
		  struct cli_table **out, struct error *err)
{
	AUTO(cli_table) struct cli_table *t = mem_new(struct cli_table);
	const char *chosen = choose_format(def, format, quiet);
	AUTO(free) char *trimmed = NULL;
	AUTO(free) char *text = NULL;
	int rc;

	t->def = def;
	t->json = str_eq(chosen, "json");
	t->aligned = is_table(chosen);
	trimmed = trim_blanks(t->aligned ? chosen + strlen("table") : chosen);
	text = cli_template_unescape(t->json ? "{{json .}}" : trimmed);
	rc = cli_template_parse(text, &t->template, err);
	if (rc == 0 && t->aligned)
		rc = add_header(t, err);
	if (rc < 0)
		return rc;
	*out = take_ptr(t);
	return 0;
}

int cli_table_add(struct cli_table *t, json_t *row, struct error *err)
{
	int rc = cli_template_execute(t->template, row, t->def->type, &t->text, err);

	json_decref(row);
	buf_addch(&t->text, '\n');
	t->rows++;
	return rc;
}

int cli_table_try(const struct cli_table *t, json_t *row, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int rc = cli_template_execute(t->template, row, t->def->type, &text, err);

	json_decref(row);
	return rc;
}

void cli_table_text(const struct cli_table *t, struct buf *out)
{
	if (t->aligned)
		cli_align(buf_str(&t->text), out);
	else
		buf_add(out, buf_str(&t->text), t->text.len);
}

bool cli_table_uses(const struct cli_table *t, const char *field)
{
	return t->json || cli_template_uses(t->template, field);
}

void cli_table_free(struct cli_table *t)
{
	if (!t)
		return;
	cli_template_free(t->template);
	buf_clear(&t->text);
	free(t);
}

char *cli_truncate(const char *text, size_t width)
{
	size_t at = 0;

	if (count_characters(text, strlen(text)) <= width)
		return mem_strdup(text);
	/* There are more characters than we keep, so this stays inside. */
	for (size_t kept = 0; kept + 1 < width; kept++) {
		at++;
		while (((unsigned char)text[at] & 0xc0) == 0x80)
			at++;
	}
	return mem_printf("%.*s%s", (int)at, text, width ? "…" : "");
}

char *cli_short_id(const char *id)
{
	const char *colon = strchr(id, ':');

	return mem_strndup(colon ? colon + 1 : id, SHORT_ID);
}

char *cli_time_ago(int64_t then_ns, int64_t now_ns)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (!then_ns)
		return mem_strdup("N/A");
	clock_format_span(now_ns - then_ns, &text);
	buf_addstr(&text, " ago");
	return buf_steal(&text);
}

char *cli_time_text(int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	char text[64];

	if (!localtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm))
		return mem_strdup("N/A");
	return mem_strdup(text);
}

void cli_row_string(json_t *row, const char *field, const char *value)
{
	json_object_set_new(row, field, json_lossy_string(value ? value : ""));
}

void cli_row_size(json_t *row, const char *field, uint64_t bytes)
{
	AUTO(buf) struct buf text = BUF_INIT;

	format_size(bytes, &text);
	cli_row_string(row, field, buf_str(&text));
}
