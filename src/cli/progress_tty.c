/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block of lines, drawn over itself.  The cursor is hidden only within one
 * write, so there is nothing to give back whatever ends the program.
 */
#include "cli/cli_renderer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define NS 1000000000ll
/* Drawings in a second, in the long run; so many at once after a rest. */
#define DRAWINGS       10
#define DRAWINGS_BURST 20

#define COLUMNS_DEFAULT 80
#define ROWS_DEFAULT	24
#define COLUMNS_MIN	20

struct painter {
	struct cli_progress *p;
	unsigned columns;
	unsigned lines;
	struct buf text;
};

static void find_size(const struct cli_progress *p, unsigned *columns, unsigned *rows)
{
	struct winsize size = {0};

	ioctl(p->o.fd, TIOCGWINSZ, &size);
	*columns = p->o.columns ? p->o.columns : size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
	*rows = p->o.rows ? p->o.rows : size.ws_row ? size.ws_row : ROWS_DEFAULT;
	if (*columns < COLUMNS_MIN)
		*columns = COLUMNS_MIN;
}

/* One line: @left, cut if need be, and @right at the margin. The last column stays free. */
static void paint(struct painter *w, const char *color, const char *left, const char *right)
{
	unsigned end = progress_width(right);
	unsigned room = w->columns - 1 - end - (end ? 1 : 0);
	unsigned used;

	if (!w->p->color)
		color = "";
	buf_addstr(&w->text, color);
	used = progress_fit(left, room, &w->text);
	if (end)
		buf_printf(&w->text, "%*s%s", (int)(room - used + 1), "", right);
	buf_printf(&w->text, "%s\033[K\n", *color ? "\033[0m" : "");
	w->lines++;
}

#define BAR_COLUMNS 20

/* "[=====>              ]": how much of the bytes is done. */
static void add_bar(uint64_t current, uint64_t total, struct buf *out)
{
	unsigned done = current >= total
				? BAR_COLUMNS
				: (unsigned)((double)current * BAR_COLUMNS / (double)total);

	buf_addch(out, '[');
	for (unsigned i = 0; i < BAR_COLUMNS; i++)
		buf_addch(out, i < done ? '=' : i == done ? '>' : ' ');
	buf_addstr(out, "] ");
}

static void paint_title(struct painter *w, const struct task *t)
{
	static const struct {
		const char *word;
		const char *color;
	} looks[] = {
		[TASK_RUNNING] = {"", ""},
		[TASK_DONE] = {"", "\033[34m"},
		[TASK_CACHED] = {"CACHED ", "\033[34m"},
		[TASK_FAILED] = {"ERROR ", "\033[31m"},
		[TASK_CANCELLED] = {"CANCELED ", "\033[33m"},
	};
	int64_t took =
		t->state == TASK_RUNNING ? progress_now(w->p) - t->started_ns : t->duration_ns;
	AUTO(free) char *left = mem_printf(" => %s%s", looks[t->state].word, t->title);
	AUTO(buf) struct buf right = BUF_INIT;

	if (t->current && t->state == TASK_RUNNING) {
		if (t->total && w->columns >= COLUMNS_DEFAULT)
			add_bar(t->current, t->total, &right);
		format_size(t->current, &right);
		if (t->total) {
			buf_addstr(&right, " / ");
			format_size(t->total, &right);
		}
		buf_addstr(&right, "  ");
	}
	buf_printf(&right, "%.1fs", (double)took / (double)NS);
	paint(w, looks[t->state].color, left, buf_str(&right));
}

static void paint_output(struct painter *w, const char *line)
{
	AUTO(free) char *left = mem_printf(" => => # %s", line);

	paint(w, "\033[2m", left, "");
}

/* What has no newline yet is shown too: a bar that redraws itself with \r. */
static void paint_tail(struct painter *w, const struct task *t)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;

	strlist_addall(&lines, &t->tail);
	for (size_t i = 0; i < ARRAY_SIZE(t->partial); i++) {
		struct buf clean = BUF_INIT;

		if (!t->partial[i].len)
			continue;
		progress_clean(t->partial[i].data, t->partial[i].len, &clean);
		strlist_take(&lines, buf_steal(&clean));
	}
	for (size_t i = lines.n > TASK_TAIL ? lines.n - TASK_TAIL : 0; i < lines.n; i++)
		paint_output(w, lines.items[i]);
}

static void paint_task(struct painter *w, const struct task *t)
{
	paint_title(w, t);
	for (size_t i = 0; i < t->statuses.n; i++) {
		AUTO(free) char *left = mem_printf(" => => %s", t->statuses.items[i]);

		paint(w, t->state == TASK_RUNNING ? "" : "\033[34m", left, "");
	}
	if (t->state == TASK_RUNNING)
		paint_tail(w, t);
}

static void paint_header(struct painter *w, bool finished)
{
	const struct cli_progress *p = w->p;
	double took = (double)(progress_now(p) - p->started_ns) / (double)NS;
	size_t total = p->planned > p->tasks.n ? p->planned : p->tasks.n, done = 0;
	AUTO(free) char *text = NULL;

	for (size_t i = 0; i < p->tasks.n; i++)
		done += p->tasks.items[i]->state != TASK_RUNNING;
	text = mem_printf("[+] %s %.1fs (%zu/%zu)%s", p->o.verb ? p->o.verb : "Working", took,
			  done, total, finished ? " FINISHED" : "");
	paint(w, "", text, "");
}

static unsigned height(const struct task *t)
{
	size_t tail = t->tail.n + (t->partial[0].len > 0) + (t->partial[1].len > 0);

	if (t->state != TASK_RUNNING)
		tail = 0;
	return 1 + (unsigned)t->statuses.n + (unsigned)(tail > TASK_TAIL ? TASK_TAIL : tail);
}

/*
 * A block that is higher than the screen cannot be drawn over: of many tasks
 * the oldest that are done are left out, then the oldest that run.
 */
static void choose_tasks(const struct cli_progress *p, unsigned rows, bool *shown)
{
	unsigned lines = 0;

	for (size_t i = 0; i < p->tasks.n; i++) {
		shown[i] = true;
		lines += height(p->tasks.items[i]);
	}
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < p->tasks.n && lines + 2 > rows; i++) {
			if (!shown[i] ||
			    (pass == 0 && p->tasks.items[i]->state == TASK_RUNNING))
				continue;
			shown[i] = false;
			lines -= height(p->tasks.items[i]);
		}
}

/* Back to the first line of the last drawing; a narrower terminal has wrapped its lines. */
static void go_back(struct cli_progress *p, unsigned columns, unsigned rows)
{
	unsigned up = p->drawn;

	if (columns < p->drawn_columns)
		up *= (p->drawn_columns - 1 + columns - 1) / columns;
	if (up >= rows)
		up = rows - 1;
	if (up)
		buf_printf(&p->out, "\r\033[%uA", up);
}

static void draw(struct cli_progress *p, bool finished)
{
	AUTO(free) bool *shown = mem_zalloc(p->tasks.n + 1);
	struct painter w = {.p = p};
	unsigned rows;

	find_size(p, &w.columns, &rows);
	choose_tasks(p, finished ? UINT32_MAX : rows, shown);
	paint_header(&w, finished);
	for (size_t i = 0; i < p->tasks.n; i++)
		if (shown[i])
			paint_task(&w, p->tasks.items[i]);
	buf_addstr(&p->out, "\033[?25l");
	go_back(p, w.columns, rows);
	buf_add(&p->out, buf_str(&w.text), w.text.len);
	buf_addstr(&p->out, "\033[J\033[?25h");
	p->drawn = w.lines;
	p->drawn_columns = w.columns;
	buf_clear(&w.text);
}

/* Few events are drawn each, many only so often. */
static bool may_draw(struct cli_progress *p)
{
	int64_t now = progress_now(p);

	if (!p->drawn_ns)
		p->credit = DRAWINGS_BURST;
	else
		p->credit += (double)(now - p->drawn_ns) * DRAWINGS / (double)NS;
	p->drawn_ns = now;
	if (p->credit > DRAWINGS_BURST)
		p->credit = DRAWINGS_BURST;
	if (p->credit < 1)
		return false;
	p->credit -= 1;
	return true;
}

static void tty_line(struct cli_progress *p, struct task *t, const char *stamp,
		     const char *text, size_t len)
{
	struct buf clean = BUF_INIT;

	(void)p;
	(void)stamp;
	progress_clean(text, len, &clean);
	strlist_take(&t->tail, buf_steal(&clean));
	if (t->tail.n > TASK_TAIL)
		strlist_remove(&t->tail, 0);
}

static void tty_event(struct cli_progress *p, struct task *t, const struct progress_event *e)
{
	(void)t;
	(void)e;
	if (may_draw(p))
		draw(p, false);
}

static void tty_finish(struct cli_progress *p)
{
	if (p->tasks.n)
		draw(p, true);
}

const struct renderer progress_tty = {
	.event = tty_event,
	.line = tty_line,
	.finish = tty_finish,
	.clean = true,
};
