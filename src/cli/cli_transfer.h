/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_transfer - layers on their way to and from registries, as Docker shows
 * them: a line for each change of state, or on a terminal one line for each
 * layer, with a bar, that is written over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/progress.h"

struct cli_transfer {
	struct progress progress; /* to be given to the engine */
	FILE *to;
	bool quiet, redraws;
	struct cli_transfer_line {
		char *id, *state;
		uint64_t current, total;
		bool bar;
	} * items; /* by task */
	size_t n, cap;
	int64_t drawn_ns;
	size_t lines; /* on the screen */
};

/* @to: standard output. */
void cli_transfer_start(struct cli_transfer *t, FILE *to, bool quiet);
void cli_transfer_clear(struct cli_transfer *t);

static inline void cli_transfer_auto(struct cli_transfer *t)
{
	cli_transfer_clear(t);
}
