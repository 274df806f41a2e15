/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_filebar - a bar on the terminal while a large file is read or written.
 *
 * The work is done by whoever has the descriptor; a child process that shares it, and
 * nothing else, looks at its offset ten times a second.  It shows nothing for pipes.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct cli_filebar {
	pid_t pid; /* 0: nothing is shown */
};

/*
 * @label (NULL: none) stands before the bar.  @reading: the file's size is the end; else it
 * grows.  Nothing is shown when @quiet, when standard error is no terminal, and in the first
 * moments.
 */
void cli_filebar_start(struct cli_filebar *t, int fd, const char *label, bool reading,
		       bool quiet);
/* Takes the bar away. */
void cli_filebar_stop(struct cli_filebar *t);

static inline void cli_filebar_auto(struct cli_filebar *t)
{
	cli_filebar_stop(t);
}
