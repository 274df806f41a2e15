/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for logs, as BuildKit prints them.  One task is the current one and
 * prints at once; what the others say waits until it ends, rests, or has been
 * at it for long, so that the lines of parallel tasks stay together.
 */
#include "cli/cli_renderer.h"

#include <stdarg.h>

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define NS 1000000000ll
/* Others may take over when the current task said nothing for this long … */
#define REST_NS NS
/* … or when they waited for this long, or have this much to say. */
#define WAIT_NS	   (3 * NS)
#define WAIT_BYTES (64u << 10)
/* Between two lines about bytes of a task. */
#define BYTES_NS NS

static void switch_to(struct cli_progress *p, struct task *t)
{
	if (p->current)
		buf_printf(&p->out, "#%u ...\n", p->current->id);
	if (p->not_first)
		buf_addch(&p->out, '\n');
	p->not_first = true;
	buf_printf(&p->out, "#%u %s\n", t->id, t->title);
	buf_add(&p->out, buf_str(&t->pending), t->pending.len);
	buf_clear(&t->pending);
	t->pending_since_ns = 0;
	p->printed_ns = progress_now(p);
	p->current = t->state == TASK_RUNNING ? t : NULL;
}

static struct task *longest_waiting(struct cli_progress *p)
{
	struct task *found = NULL;

	for (size_t i = 0; i < p->tasks.n; i++) {
		struct task *t = p->tasks.items[i];

		if (t->pending_since_ns &&
		    (!found || t->pending_since_ns < found->pending_since_ns))
			found = t;
	}
	return found;
}

/* Those that are done say all at once; then one that goes on may have the turn. */
static void next_turn(struct cli_progress *p)
{
	struct task *t;

	for (size_t i = 0; i < p->tasks.n; i++) {
		t = p->tasks.items[i];
		if (t->pending_since_ns && t->state != TASK_RUNNING)
			switch_to(p, t);
	}
	if (!p->current && (t = longest_waiting(p)))
		switch_to(p, t);
}

static void take_turns(struct cli_progress *p)
{
	struct task *t = longest_waiting(p);
	int64_t now = progress_now(p);

	if (!p->current) {
		next_turn(p);
		return;
	}
	if (t && (now - p->printed_ns > REST_NS || now - t->pending_since_ns > WAIT_NS ||
		  t->pending.len > WAIT_BYTES))
		switch_to(p, t);
}

/* Where @t may write: out if it has the turn or nobody has, else what waits. */
static struct buf *speak(struct cli_progress *p, struct task *t)
{
	if (p->current && p->current != t) {
		if (!t->pending_since_ns)
			t->pending_since_ns = progress_now(p);
		return &t->pending;
	}
	if (!p->current)
		switch_to(p, t);
	p->printed_ns = progress_now(p);
	return &p->out;
}

static void plain_line(struct cli_progress *p, struct task *t, const char *stamp,
		       const char *text, size_t len)
{
	struct buf *out = speak(p, t);

	buf_printf(out, "#%u %s ", t->id, stamp);
	buf_add(out, text, len);
	buf_addch(out, '\n');
}

static void say(struct cli_progress *p, struct task *t, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct cli_progress *p, struct task *t, const char *fmt, ...)
{
	struct buf *out = speak(p, t);
	va_list ap;

	buf_printf(out, "#%u ", t->id);
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_addch(out, '\n');
}

static void say_bytes(struct cli_progress *p, struct task *t)
{
	AUTO(buf) struct buf current = BUF_INIT;
	AUTO(buf) struct buf total = BUF_INIT;
	int64_t now = progress_now(p);

	if (now - t->bytes_shown_ns < BYTES_NS)
		return;
	t->bytes_shown_ns = now;
	format_size(t->current, &current);
	format_size(t->total, &total);
	if (t->total)
		say(p, t, "%s / %s", buf_str(&current), buf_str(&total));
	else
		say(p, t, "%s", buf_str(&current));
}

static void say_end(struct cli_progress *p, struct task *t)
{
	switch (t->state) {
	case TASK_DONE:
		say(p, t, "DONE %.1fs", (double)t->duration_ns / (double)NS);
		break;
	case TASK_CACHED:
		say(p, t, "CACHED");
		break;
	case TASK_FAILED:
		say(p, t, "ERROR: %s", t->error);
		break;
	case TASK_CANCELLED:
		say(p, t, "CANCELED");
		break;
	case TASK_RUNNING:
		break;
	}
	if (p->current == t)
		p->current = NULL;
}

static void plain_event(struct cli_progress *p, struct task *t, const struct progress_event *e)
{
	switch (e->kind) {
	case PROGRESS_BEGIN:
		if (!p->current)
			switch_to(p, t);
		else
			t->pending_since_ns = progress_now(p);
		break;
	case PROGRESS_BYTES:
		say_bytes(p, t);
		break;
	case PROGRESS_STATUS:
		if (e->duration_ns)
			say(p, t, "%s %.1fs done", t->statuses.items[t->statuses.n - 1],
			    (double)e->duration_ns / (double)NS);
		else
			say(p, t, "%s done", t->statuses.items[t->statuses.n - 1]);
		break;
	case PROGRESS_DONE:
	case PROGRESS_CACHED:
	case PROGRESS_FAILED:
	case PROGRESS_CANCELLED:
		say_end(p, t);
		break;
	case PROGRESS_NONE:
	case PROGRESS_LOG:
	case PROGRESS_WARNING:
	case PROGRESS_TOTAL:
	case PROGRESS_TICK:
	case PROGRESS_STEP:
		break;
	}
	take_turns(p);
}

static void plain_finish(struct cli_progress *p)
{
	struct task *t;

	while ((t = longest_waiting(p)))
		switch_to(p, t);
}

const struct renderer progress_plain = {
	.event = plain_event,
	.line = plain_line,
	.finish = plain_finish,
	.failed_lines = 10,
};
