/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - one execution in a child process, seen from the parent.
 */
#pragma once

#include "base/loop.h"
#include "build/step.h"

struct worker;

struct worker_events {
	/* Output of a RUN; @stream 1 or 2. */
	void (*output)(void *data, int stream, const char *text, size_t len);
	/* The end, once; @err is empty on success and may be moved from. @w is freed
	 * afterwards. */
	void (*done)(void *data, const struct layer_info *info, struct error *err);
	void *data;
};

/* @j is borrowed until .done. */
int worker_start(struct loop *loop, struct job *j, const struct worker_events *events,
		 struct worker **out, struct error *err);
/* Asks it to end what it runs; .done follows. */
void worker_cancel(struct worker *w);
