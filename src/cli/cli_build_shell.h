/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_build_shell - `build --on-error=shell`, seen from the terminal: checked
 * before the build, handed over when a step has failed, and given back.
 */
#pragma once

#include <stdio.h>
#include <termios.h>

#include "cli/cli_progress.h"
#include "engine/engine.h"

struct cli_build_shell {
	struct cli_progress *progress; /* finished when the shell opens; borrowed */
	FILE *to;
	struct build_on_error hook;
	struct termios saved;
	bool opened;
};

/*
 * @on_error: what the option says, NULL if it was not given.  *out_wanted tells
 * whether the hook is to be used.  -ERR_INVALID for another word, or without a
 * terminal.
 */
int cli_build_shell_check(const char *on_error, bool *out_wanted, struct error *err);
/* Fills @s, which must stay where it is until cli_build_shell_end(). */
void cli_build_shell_begin(struct cli_build_shell *s, struct cli_progress *p, FILE *to);
/* The terminal is as it was. */
void cli_build_shell_end(struct cli_build_shell *s);
