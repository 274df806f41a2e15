/* SPDX-License-Identifier: Apache-2.0 */
/* cli_source - the lines of a Dockerfile around an error. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/*
 * Appends BuildKit's excerpt: "NAME:3", a rule, the numbered lines with ">>>"
 * at those of the instruction that begins at @line (it may go on over
 * escaped ends of lines), a rule.  Nothing when there is no such line.
 */
void cli_source_excerpt(const char *name, const char *text, size_t len, unsigned line,
			struct buf *out);
