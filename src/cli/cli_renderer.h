/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_renderer - the model of tasks that both renderers draw from.  Private
 * to progress*.c.
 *
 * progress.c keeps the tasks, cuts output into whole lines and tells a
 * renderer what changed; the renderer appends bytes to p->out, which
 * progress.c writes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/cli_progress.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/strlist.h"

enum task_state {
	TASK_RUNNING = 0,
	TASK_DONE,
	TASK_CACHED,
	TASK_FAILED,
	TASK_CANCELLED,
};

#define TASK_TAIL 6 /* lines of a running task that the tty shows */

struct task {
	unsigned id;
	char *title; /* one line */
	enum task_state state;
	int64_t started_ns; /* by our clock */
	int64_t duration_ns;
	struct buf partial[2]; /* of each stream: what has no newline yet */
	struct strlist log;    /* "0.213 line", the last ones: for the section of what failed */
	size_t log_bytes;
	struct strlist tail;	 /* tty: clean lines, at most TASK_TAIL */
	struct strlist statuses; /* finished parts */
	char *error;
	uint64_t current, total; /* bytes */
	int64_t bytes_shown_ns;
	unsigned vertex;    /* of its BEGIN */
	char *result;	    /* of its end, or NULL */
	struct buf pending; /* plain, classic: lines that wait for another task's */
	int64_t pending_since_ns;
};

struct renderer {
	/* The task's state was changed by the event; for a log, each line comes by line(). */
	void (*event)(struct cli_progress *p, struct task *t, const struct progress_event *e);
	void (*line)(struct cli_progress *p, struct task *t, const char *stamp,
		     const char *text, size_t len);
	void (*finish)(struct cli_progress *p);
	/* May be NULL: who draws no instructions needs none. */
	void (*step)(struct cli_progress *p, const struct progress_event *e);
	void (*warning)(struct cli_progress *p,
			const struct progress_event *e); /* NULL: at the end */
	size_t failed_lines; /* how many lines of output are said again of what failed */
	bool silent_end;     /* the output of what failed is not said again */
	bool clean;	     /* control characters are taken out there */
};

extern const struct renderer progress_plain;
extern const struct renderer progress_tty;
extern const struct renderer progress_classic;
extern const struct renderer progress_rawjson;

/* classic: one instruction of the plan. */
struct step {
	char *text;
	unsigned vertex; /* 0: it changes the config only */
};

struct step_list {
	struct step *items;
	size_t n;
	size_t cap;
};

struct task_list {
	struct task **items;
	size_t n;
	size_t cap;
};

struct cli_progress {
	struct cli_progress_options o;
	const struct renderer *renderer; /* NULL: quiet */
	struct progress sink;
	struct task_list tasks; /* in the order in which they began */
	struct strlist warnings;
	bool color;
	int64_t started_ns;
	int64_t started_at_ns; /* the same moment on the clock of the day */
	uint64_t planned;
	struct buf out;

	/* plain */
	struct task *current; /* whose lines are being printed */
	int64_t printed_ns;   /* when a line of it was */
	bool not_first;

	/* classic */
	struct step_list steps;
	size_t next_step;	      /* the first whose end was not printed */
	bool announced;		      /* its first line was */
	char state[DIGEST_TEXT_SIZE]; /* id of what the steps so far have made; "" of nothing */

	/* tty */
	unsigned drawn; /* lines of the last drawing */
	unsigned drawn_columns;
	int64_t drawn_ns;
	double credit; /* drawings that may be made at once */
};

int64_t progress_now(const struct cli_progress *p);

/* ---- text on a terminal ------------------------------------------------------------------ */

/*
 * Appends @text without what would move the cursor: escape sequences and
 * control characters go, a carriage return starts the line anew, tabs become
 * spaces, bytes that are no UTF-8 become "?".
 */
void progress_clean(const char *text, size_t len, struct buf *out);
/* Columns that a clean text takes. */
unsigned progress_width(const char *text);
/* Appends at most @columns of a clean text; one that is cut ends in "…". Columns used. */
unsigned progress_fit(const char *text, unsigned columns, struct buf *out);
