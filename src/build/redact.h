/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact - a stream in which some values are replaced by stars.
 *
 * A RUN that prints a secret shows it to whoever runs the build; the log that
 * is kept for later does not hold it.  Looked for is each line of a value, for a
 * program may print one of them; what is shorter than four bytes is found in
 * everything and left alone.  A value may come in pieces: the end of the
 * stream is held back until no value can begin in it.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/strlist.h"

struct redact {
	struct strlist values;
	bool begins[256]; /* with which bytes */
	size_t longest;
	struct buf held;
};

/* Beyond so many lines a stream is better not kept at all. */
#define REDACT_VALUES_MAX 1000u

/* Zero it to begin. @value may hold anything; a NUL byte ends a line. */
void redact_add(struct redact *r, const char *value, size_t len);
/* Appends to @out what can be told by now; all of it with @last. */
void redact_feed(struct redact *r, const char *text, size_t len, bool last, struct buf *out);
/* Overwrites the values and frees. */
void redact_clear(struct redact *r);
