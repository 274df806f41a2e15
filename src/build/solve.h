/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solve - runs the graph: keys, cache, workers, records.
 *
 * One loop.  A vertex starts when its inputs are done; several run at once.
 * The first error stops the rest; what was finished before stays recorded.
 */
#pragma once

#include "build/graph.h"

struct solve_result {
	unsigned cached, executed;
	unsigned next_task; /* for progress events that follow */
};

/*
 * Before the first step runs: holds what is there of the graph's layers and lets
 * go of the store.  1: it rests, 0: this build cannot.
 */
int solve_rest(struct graph *g, struct lease *lease, struct error *err);

/* @lease: of the caller; made when the first step has to run. */
int solve_graph(struct graph *g, struct lease **lease, struct solve_result *out,
		struct error *err);
