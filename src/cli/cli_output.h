/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_output - a file that the user named for a result.
 *
 * A regular file appears whole or not at all: it is written beside its place
 * and renamed.  Pipes and devices are written as they are; a directory and
 * a terminal are refused.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct cli_output {
	int fd; /* to write to; owned unless it is standard output */
	char *path;
	char *temporary; /* the name until it is whole; NULL: written in place */
	bool nameless;	 /* not even that yet */
};

#define CLI_OUTPUT_INIT ((struct cli_output){.fd = -1})

/* @path NULL or "-": standard output. */
int cli_output_open(const char *path, struct cli_output *out, struct error *err);
/* The bytes are all there. */
int cli_output_finish(struct cli_output *o, struct error *err);
/* Forgets what was not finished. */
void cli_output_clear(struct cli_output *o);

static inline void cli_output_auto(struct cli_output *o)
{
	cli_output_clear(o);
}
