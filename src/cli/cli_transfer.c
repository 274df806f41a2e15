/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_transfer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/strlist.h"

#include "base/banned.h"

#define BAR	  50
#define REDRAW_NS INT64_C(80000000)

static void draw_line(const struct cli_transfer *t, const struct cli_transfer_line *l)
{
	AUTO(buf) struct buf now = BUF_INIT;
	AUTO(buf) struct buf all = BUF_INIT;
	char bar[BAR + 1];
	int full;

	fprintf(t->to, "%s: %s ", l->id, l->state);
	if (!l->bar || !l->total)
		return;
	full = (int)(l->current * BAR / l->total);
	full = full > BAR ? BAR : full;
	memset(bar, ' ', BAR);
	memset(bar, '=', (size_t)full);
	if (full < BAR)
		bar[full] = '>';
	bar[BAR] = 0;
	format_size(l->current, &now);
	format_size(l->total, &all);
	fprintf(t->to, "[%s]  %s/%s", bar, buf_str(&now), buf_str(&all));
}

/* All lines again, over the old ones. */
static void draw(struct cli_transfer *t, bool now)
{
	if (!t->redraws || (!now && clock_monotonic_ns() - t->drawn_ns < REDRAW_NS))
		return;
	t->drawn_ns = clock_monotonic_ns();
	if (t->lines)
		fprintf(t->to, "\033[%zuA", t->lines);
	t->lines = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (!t->items[i].id)
			continue;
		fputs("\r\033[K", t->to);
		draw_line(t, &t->items[i]);
		fputc('\n', t->to);
		t->lines++;
	}
	fflush(t->to);
}

/* A line that stays; those of the layers end above it. */
static void print_line(struct cli_transfer *t, const char *text)
{
	draw(t, true);
	for (size_t i = 0; i < t->n; i++) {
		free(t->items[i].id);
		free(t->items[i].state);
	}
	t->n = t->lines = 0;
	fprintf(t->to, "%s\n", text);
	fflush(t->to);
}

static struct cli_transfer_line *line_of(struct cli_transfer *t, unsigned task)
{
	while (t->n < task)
		vec_push(t);
	return &t->items[task - 1];
}

static void set_state(struct cli_transfer *t, struct cli_transfer_line *l, const char *text)
{
	free(l->state);
	l->state = mem_strdup(text);
	l->bar = false;
	if (!t->redraws)
		fprintf(t->to, "%s: %s\n", l->id, text);
	fflush(t->to);
	draw(t, true);
}

static void on_task(struct cli_transfer *t, const struct progress_event *e)
{
	struct cli_transfer_line *l = line_of(t, e->task);

	if (e->kind == PROGRESS_BEGIN) {
		free(l->id);
		l->id = mem_strdup(e->text);
		free(l->state);
		l->state = mem_strdup("Waiting");
		l->total = e->total;
	} else if (!l->id) {
		return;
	} else if (e->kind == PROGRESS_BYTES) {
		if (t->redraws && !str_eq(l->state, e->text)) {
			free(l->state);
			l->state = mem_strdup(e->text);
		}
		l->bar = true;
		l->current = e->current;
		l->total = e->total;
		draw(t, false);
	} else if (e->text) {
		set_state(t, l, e->text);
	}
}

static void on_event(void *data, const struct progress_event *e)
{
	struct cli_transfer *t = data;

	if (t->quiet)
		return;
	if (e->task)
		on_task(t, e);
	else if (e->kind == PROGRESS_STATUS)
		print_line(t, e->text);
}

void cli_transfer_start(struct cli_transfer *t, FILE *to, bool quiet)
{
	const char *term = getenv("TERM");

	*t = (struct cli_transfer){.to = to, .quiet = quiet};
	t->progress = (struct progress){.event = on_event, .data = t};
	t->redraws = isatty(fileno(to)) && term && strcmp(term, "dumb") != 0;
}

void cli_transfer_clear(struct cli_transfer *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->items[i].id);
		free(t->items[i].state);
	}
	free(t->items);
	t->items = NULL;
	t->n = t->cap = 0;
}
