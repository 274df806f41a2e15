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

/* @lease: of the caller; made when the first step has to run. */
int solve_graph(struct graph *g, struct lease **lease, struct solve_result *out,
		struct error *err);
