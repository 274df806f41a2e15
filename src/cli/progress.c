/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks and their output lines, for whichever renderer was chosen. */
#include "cli/cli_renderer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"

#include "base/banned.h"

#define NS 1000000000ll
/* A line that never ends is cut here, so that memory stays bounded. */
#define PARTIAL_BYTES (64u << 10)
/* Kept of one task's output, for the case that it fails. */
#define LOG_BYTES (256u << 10)

int64_t progress_now(const struct cli_progress *p)
{
	return p->o.now ? p->o.now() : clock_monotonic_ns();
}

/* ---- output lines ---- */

/* In halves, so that a line costs no move of all others. */
static void shorten_log(struct task *t)
{
	size_t n = 0;

	for (; n + 1 < t->log.n && t->log_bytes > LOG_BYTES; n++) {
		t->log_bytes -= strlen(t->log.items[n]);
		free(t->log.items[n]);
	}
	t->log.n -= n;
	/* with the NULL at the end */
	memmove(t->log.items, t->log.items + n, (t->log.n + 1) * sizeof(*t->log.items));
}

static void keep_log(struct task *t, const char *stamp, const char *text, size_t len)
{
	struct buf line = BUF_INIT;

	buf_printf(&line, "%s ", stamp);
	buf_add(&line, text, len);
	strlist_take(&t->log, buf_steal(&line));
	t->log_bytes += strlen(t->log.items[t->log.n - 1]);
	if (t->log_bytes > 2 * LOG_BYTES)
		shorten_log(t);
}

static void add_line(struct cli_progress *p, struct task *t, const char *text, size_t len,
		     int64_t since_ns)
{
	double sec = (double)since_ns / (double)NS;
	char stamp[32];

	if (len && text[len - 1] == '\r')
		len--;
	/* BuildKit's: four digits as far as they go */
	snprintf(stamp, sizeof(stamp), "%.*f", sec < 10 ? 3 : sec < 100 ? 2 : 1, sec);
	keep_log(t, stamp, text, len);
	p->renderer->line(p, t, stamp, text, len);
}

static void add_output(struct cli_progress *p, struct task *t, const struct progress_event *e)
{
	struct buf *partial = &t->partial[e->stream == 2];
	const char *at = e->text, *end = e->text + e->len;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));

		buf_add(partial, at, (size_t)((nl ? nl : end) - at));
		at = nl ? nl + 1 : end;
		if (nl || partial->len > PARTIAL_BYTES) {
			add_line(p, t, buf_str(partial), partial->len, e->duration_ns);
			buf_reset(partial);
		}
	}
}

static void flush_partial(struct cli_progress *p, struct task *t, int64_t since_ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(t->partial); i++)
		if (t->partial[i].len) {
			add_line(p, t, t->partial[i].data, t->partial[i].len, since_ns);
			buf_clear(&t->partial[i]);
		}
}

/* ---- tasks ---- */

static struct task *find_task(struct cli_progress *p, unsigned id)
{
	for (size_t i = p->tasks.n; i-- > 0;)
		if (p->tasks.items[i]->id == id)
			return p->tasks.items[i];
	return NULL;
}

/* Titles quote the Dockerfile: one line, nothing that moves the cursor. */
static char *one_line(const char *text)
{
	AUTO(free) char *copy = mem_strdup(text ? text : "");
	struct buf out = BUF_INIT;

	for (char *c = copy; *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	progress_clean(copy, strlen(copy), &out);
	return buf_steal(&out);
}

static struct task *begin_task(struct cli_progress *p, const struct progress_event *e)
{
	struct task *t = mem_new(struct task);

	t->id = e->task;
	t->vertex = e->vertex;
	t->title = one_line(e->text);
	t->total = e->total;
	t->started_ns = progress_now(p);
	*vec_push(&p->tasks) = t;
	return t;
}

static void end_task(struct cli_progress *p, struct task *t, const struct progress_event *e,
		     enum task_state state)
{
	flush_partial(p, t, e->duration_ns ? e->duration_ns : progress_now(p) - t->started_ns);
	t->state = state;
	t->duration_ns = e->duration_ns;
	t->result = e->result ? mem_strdup(e->result) : NULL;
	if (state == TASK_FAILED) {
		t->error = one_line(e->text);
	} else {
		strlist_clear(&t->log);
		t->log_bytes = 0;
	}
}

static void write_out(struct cli_progress *p)
{
	/* who closed our standard error does not want to read this */
	if (p->out.len)
		(void)io_write_full(p->o.fd, p->out.data, p->out.len);
	buf_reset(&p->out);
}

static void apply(struct cli_progress *p, struct task *t, const struct progress_event *e)
{
	switch (e->kind) {
	case PROGRESS_LOG:
		add_output(p, t, e);
		break;
	case PROGRESS_BYTES:
		t->current = e->current;
		t->total = e->total;
		break;
	case PROGRESS_STATUS:
		strlist_take(&t->statuses, one_line(e->text));
		break;
	case PROGRESS_DONE:
		end_task(p, t, e, TASK_DONE);
		break;
	case PROGRESS_CACHED:
		end_task(p, t, e, TASK_CACHED);
		break;
	case PROGRESS_FAILED:
		end_task(p, t, e, TASK_FAILED);
		break;
	case PROGRESS_CANCELLED:
		end_task(p, t, e, TASK_CANCELLED);
		break;
	case PROGRESS_NONE:
	case PROGRESS_BEGIN:
	case PROGRESS_WARNING:
	case PROGRESS_TOTAL:
	case PROGRESS_TICK:
	case PROGRESS_STEP:
		break;
	}
}

/* Often enough for a tenth of a second to look alive. */
#define TICK_NS 200000000u

static void on_event(void *data, const struct progress_event *e)
{
	struct cli_progress *p = data;
	struct task *t;

	if (!p->renderer)
		return;
	if (e->kind == PROGRESS_STEP) {
		if (p->renderer->step)
			p->renderer->step(p, e);
		return;
	}
	if (e->kind == PROGRESS_WARNING && p->renderer->warning) {
		p->renderer->warning(p, e);
		write_out(p);
		return;
	}
	if (e->kind == PROGRESS_WARNING) {
		strlist_add(&p->warnings, e->text);
		return;
	}
	if (e->kind == PROGRESS_TOTAL) {
		p->planned = e->total;
		return;
	}
	if (e->kind == PROGRESS_TICK) {
		if (p->tasks.n)
			p->renderer->event(p, NULL, e);
		write_out(p);
		return;
	}
	t = e->kind == PROGRESS_BEGIN ? begin_task(p, e) : find_task(p, e->task);
	if (!t)
		return;
	apply(p, t, e);
	p->renderer->event(p, t, e);
	write_out(p);
}

/* ---- the end ---- */

/* The time in front of a line is ours; only what follows it is cleaned. */
static void add_log_line(struct cli_progress *p, const char *line)
{
	size_t stamp = strcspn(line, " ") + 1;

	buf_add(&p->out, line, stamp);
	if (p->renderer->clean)
		progress_clean(line + stamp, strlen(line + stamp), &p->out);
	else
		buf_addstr(&p->out, line + stamp);
	buf_addch(&p->out, '\n');
}

static void add_failed(struct cli_progress *p, const struct task *t)
{
	size_t keep = p->renderer->failed_lines;
	size_t from = keep && t->log.n > keep ? t->log.n - keep : 0;

	buf_printf(&p->out, "------\n > %s:\n", t->title);
	for (size_t i = from; i < t->log.n; i++)
		add_log_line(p, t->log.items[i]);
	buf_addstr(&p->out, "------\n");
}

static void add_warnings(struct cli_progress *p)
{
	const char *on = p->color ? "\033[33m" : "", *off = p->color ? "\033[0m" : "";

	if (!p->warnings.n)
		return;
	buf_printf(&p->out, "\n %s%zu warning%s found (use stave build --check to expand):%s\n",
		   on, p->warnings.n, p->warnings.n == 1 ? "" : "s", off);
	for (size_t i = 0; i < p->warnings.n; i++)
		buf_printf(&p->out, " - %s\n", p->warnings.items[i]);
}

void cli_progress_finish(struct cli_progress *p)
{
	if (!p->renderer)
		return;
	for (size_t i = 0; i < p->tasks.n; i++)
		flush_partial(p, p->tasks.items[i], p->tasks.items[i]->duration_ns);
	p->renderer->finish(p);
	for (size_t i = 0; i < p->tasks.n && !p->renderer->silent_end; i++)
		if (p->tasks.items[i]->state == TASK_FAILED)
			add_failed(p, p->tasks.items[i]);
	add_warnings(p);
	write_out(p);
}

/* ---- choice ---- */

int cli_progress_parse(const char *text, enum cli_progress_mode *out, struct error *err)
{
	static const struct {
		const char *name;
		enum cli_progress_mode mode;
	} modes[] = {
		{"auto", CLI_PROGRESS_AUTO},	   {"plain", CLI_PROGRESS_PLAIN},
		{"tty", CLI_PROGRESS_TTY},	   {"quiet", CLI_PROGRESS_QUIET},
		{"none", CLI_PROGRESS_QUIET},	   {"classic", CLI_PROGRESS_CLASSIC},
		{"rawjson", CLI_PROGRESS_RAWJSON},
	};

	if (str_empty(text))
		text = getenv("BUILDKIT_PROGRESS");
	if (str_empty(text))
		text = str_eq(getenv("DOCKER_BUILDKIT"), "0") ? "classic" : "auto";
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (str_eq(text, modes[i].name)) {
			*out = modes[i].mode;
			return 0;
		}
	error_set(err, ERR_INVALID, "invalid progress mode %s", text);
	error_hint(err, "the modes are auto, plain, tty, classic, rawjson and quiet");
	return -ERR_INVALID;
}

static const struct renderer *renderer_of(enum cli_progress_mode mode)
{
	switch (mode) {
	case CLI_PROGRESS_TTY:
		return &progress_tty;
	case CLI_PROGRESS_CLASSIC:
		return &progress_classic;
	case CLI_PROGRESS_RAWJSON:
		return &progress_rawjson;
	case CLI_PROGRESS_QUIET:
		return NULL;
	case CLI_PROGRESS_AUTO:
	case CLI_PROGRESS_PLAIN:
		break;
	}
	return &progress_plain;
}

int cli_progress_new(const struct cli_progress_options *o, struct cli_progress **out,
		     struct error *err)
{
	const char *no_color = getenv("NO_COLOR");
	bool terminal = o->columns || isatty(o->fd);
	enum cli_progress_mode mode = o->mode;
	struct cli_progress *p;

	if (mode == CLI_PROGRESS_TTY && !terminal)
		return error_set(err, ERR_INVALID,
				 "failed to get console: standard error is not a terminal");
	if (mode == CLI_PROGRESS_AUTO)
		mode = terminal && !str_eq(getenv("TERM"), "dumb") ? CLI_PROGRESS_TTY
								   : CLI_PROGRESS_PLAIN;
	p = mem_new(struct cli_progress);
	p->o = *o;
	p->sink = (struct progress){.event = on_event, .data = p};
	p->color = terminal && str_empty(no_color) && !str_eq(getenv("TERM"), "dumb");
	p->started_ns = progress_now(p);
	p->started_at_ns = clock_now_ns();
	p->renderer = renderer_of(mode);
	if (p->renderer == &progress_tty)
		p->sink.tick_ns = TICK_NS;
	*out = p;
	return 0;
}

const struct progress *cli_progress_sink(struct cli_progress *p)
{
	return &p->sink;
}

static void task_free(struct task *t)
{
	free(t->title);
	free(t->error);
	free(t->result);
	buf_clear(&t->partial[0]);
	buf_clear(&t->partial[1]);
	buf_clear(&t->pending);
	strlist_clear(&t->log);
	strlist_clear(&t->tail);
	strlist_clear(&t->statuses);
	free(t);
}

void cli_progress_free(struct cli_progress *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->tasks.n; i++)
		task_free(p->tasks.items[i]);
	free(p->tasks.items);
	for (size_t i = 0; i < p->steps.n; i++)
		free(p->steps.items[i].text);
	free(p->steps.items);
	strlist_clear(&p->warnings);
	buf_clear(&p->out);
	free(p);
}
