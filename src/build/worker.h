/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - one execution in a child process, seen from the parent.
 */
#pragma once

#include "base/loop.h"
#include "build/step.h"

struct worker;

/* How a step's report begins: what follows is a layer, an error, or that it waits. */
enum worker_report {
	WORKER_DONE = 0,
	WORKER_FAILED,
	WORKER_HELD, /* length and error; a second report follows */
};

struct worker_events {
	/* Output of a RUN; @stream 1 or 2. */
	void (*output)(void *data, int stream, const char *text, size_t len);
	/* The end, once; @err is empty on success and may be moved from. @w is freed
	 * afterwards. */
	void (*done)(void *data, const struct layer_info *info, struct error *err);
	/*
	 * A RUN failed with @err (may be moved from) and would open a shell: .done
	 * follows after worker_answer().
	 */
	void (*held)(void *data, struct error *err);
	void *data;
};

/* @j is borrowed until .done. */
int worker_start(struct loop *loop, struct job *j, const struct worker_events *events,
		 struct worker **out, struct error *err);
/* May the held step open its shell now?  The terminal is its own then until .done. */
void worker_answer(struct worker *w, bool yes);
/* Asks it to end what it runs; .done follows. */
void worker_cancel(struct worker *w);
/* The same at once, for one that was held. */
void worker_kill(struct worker *w);
