/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_progress - how long work looks on a terminal or in a log.
 *
 * plain   lines that say all, for logs: "#5 [2/3] RUN make", "#5 0.213 output"
 * tty     a block that is drawn again and again; drawn on events only, so it
 *         rests while nothing happens
 * classic "Step 2/3 : RUN make" and what it did, in the order of the Dockerfile, as
 *         `docker build` said it before BuildKit
 * rawjson a line of JSON for each event, in the shape of BuildKit's SolveStatus
 * quiet   nothing
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/progress.h"

enum cli_progress_mode {
	CLI_PROGRESS_AUTO = 0, /* tty on a terminal, else plain */
	CLI_PROGRESS_PLAIN,
	CLI_PROGRESS_TTY,
	CLI_PROGRESS_QUIET,
	CLI_PROGRESS_CLASSIC,
	CLI_PROGRESS_RAWJSON,
};

/*
 * "auto", "plain", "tty", "classic", "rawjson", "quiet" (also "none"); NULL or "":
 * $BUILDKIT_PROGRESS, else classic if $DOCKER_BUILDKIT is 0, else auto.  -ERR_INVALID "invalid
 * progress mode x".
 */
int cli_progress_parse(const char *text, enum cli_progress_mode *out, struct error *err);

struct cli_progress_options {
	enum cli_progress_mode mode;
	int fd;		  /* standard error; borrowed */
	const char *verb; /* of the tty's first line: "Building" */
	/* for tests; 0 or NULL: what the terminal and the clock say */
	unsigned columns;
	unsigned rows;
	int64_t (*now)(void); /* monotonic, ns */
};

struct cli_progress;

/* AUTO is decided here: TERM=dumb and no terminal mean plain; NO_COLOR: no colours. */
int cli_progress_new(const struct cli_progress_options *o, struct cli_progress **out,
		     struct error *err);
/* Where the events go; lives as long as @p. */
const struct progress *cli_progress_sink(struct cli_progress *p);
/* The last drawing, the output of what failed, the warnings.  Once, after the last event. */
void cli_progress_finish(struct cli_progress *p);
void cli_progress_free(struct cli_progress *p);

static inline void cli_progress_auto(struct cli_progress **p)
{
	cli_progress_free(*p);
}
