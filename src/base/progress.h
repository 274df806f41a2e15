/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress - typed events about long work, for whoever draws them.
 *
 * Work consists of *tasks* with a number that is unique within one run and
 * never reused; a task begins, may tell log lines and byte counts, and ends
 * once (done, cached, failed or cancelled).  Events arrive in order, from
 * one thread.  Sinks draw; nobody below cli/ knows what a terminal is.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum progress_kind {
	PROGRESS_NONE = 0,
	PROGRESS_BEGIN,	 /* .text: title; .total */
	PROGRESS_LOG,	 /* .text, .len: raw output bytes; .stream 1 or 2 */
	PROGRESS_BYTES,	 /* .current, .total (0: not known); .text: what is done with them, may
			    be NULL */
	PROGRESS_STATUS, /* .text: a finished part of the task, e.g. "exporting layers" */
	PROGRESS_DONE,
	PROGRESS_CACHED,
	PROGRESS_FAILED, /* .text: one line */
	PROGRESS_CANCELLED,
	PROGRESS_WARNING, /* no task: .text, maybe several lines */
	PROGRESS_TOTAL,	  /* no task: .total tasks are planned */
	PROGRESS_TICK,	  /* no task: time has passed; only for sinks with .tick_ns */
	PROGRESS_STEP, /* no task: an instruction of the plan, told in order before all work */
};

struct progress_event {
	enum progress_kind kind;
	unsigned task; /* 1-based */
	const char *text;
	size_t len;
	int stream;
	uint64_t current;
	uint64_t total;
	int64_t duration_ns; /* of DONE, FAILED, CANCELLED, STATUS */
	const char *result;  /* of DONE and CACHED: a digest or id, or NULL */
	/* of BEGIN and STEP: which piece of work, so that a STEP finds its task; 0: none */
	unsigned vertex;
};

struct progress {
	void (*event)(void *data, const struct progress_event *e);
	void *data;
	uint64_t tick_ns; /* how often it wants PROGRESS_TICK while work goes on; 0: never */
};

/* @p may be NULL. */
static inline void progress_emit(const struct progress *p, const struct progress_event *e)
{
	if (p && p->event)
		p->event(p->data, e);
}

/* One of the usual ones, to be told as it is; @text may be NULL. */
static inline void progress_tell(const struct progress *p, enum progress_kind kind,
				 unsigned task, const char *text, uint64_t current,
				 uint64_t total)
{
	struct progress_event e = {.kind = kind,
				   .task = task,
				   .text = text,
				   .len = text ? strlen(text) : 0,
				   .current = current,
				   .total = total};

	progress_emit(p, &e);
}
