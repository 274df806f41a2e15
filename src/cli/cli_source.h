/* SPDX-License-Identifier: Apache-2.0 */
/* cli_source - the lines of a Dockerfile around an error. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Appends BuildKit's excerpt: "NAME:3", a rule, the numbered lines with ">>>"
 * at those of the instruction that begins at @line (it may go on over
 * escaped ends of lines), a rule.  With @column, a byte of the line from 1 on,
 * @line may be any of the instruction, the name has the place behind it
 * ("NAME:3:7"), and the word there is marked.  Nothing when there is no such line.
 */
void cli_source_excerpt(const char *name, const char *text, size_t len, unsigned line,
			unsigned column, struct buf *out);

struct cli_source_place {
	unsigned line;	      /* the first of the instruction, 1-based */
	unsigned last;	      /* 0: as far as the instruction goes */
	unsigned mark_line;   /* 0: no text is marked */
	unsigned mark_column; /* 1-based, in bytes, as is the length */
	size_t mark_len;
	bool color;
	bool name_mark; /* the name has the mark's place behind it, not the line */
};

/* The same with a line of "^^^" below the marked text. */
void cli_source_place(const char *name, const char *text, size_t len,
		      const struct cli_source_place *p, struct buf *out);
/* Text of others for a terminal: control characters but tabs become "?". */
void cli_source_clean(const char *s, struct buf *out);
