/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_template - the part of Go's text/template that --format needs, over
 * JSON values.
 *
 * Actions: pipelines, if / else if / else, range, with, variables, break,
 * continue, comments, trim marks.  Functions: those of Go (and, or, not, eq,
 * ne, lt, le, gt, ge, index, len, slice, print, printf, println) and those of
 * Docker (json, join, split, lower, upper, title, pad, truncate).  Messages
 * are Go's.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct cli_template;

/*
 * A member of an object with members that fields find and nobody else sees: what Go's structs
 * have and their JSON omits.
 */
#define CLI_TEMPLATE_OMITTED "\001omitted"

/* "template parsing error: template: :1: unclosed action" */
int cli_template_parse(const char *text, struct cli_template **out, struct error *err);
void cli_template_free(struct cli_template *t);

/*
 * Runs over @value.  @type is NULL for a document (docker inspect): a key that an object lacks
 * is an error, except in maps of the user's keys (Labels …), which give "<no value>".
 * Otherwise it is the type's name in "can't evaluate field X in type T".
 */
int cli_template_execute(const struct cli_template *t, const json_t *value, const char *type,
			 struct buf *out, struct error *err);
/* The headers of a table: functions are transparent, @headers maps fields to their text. */
int cli_template_headers(const struct cli_template *t, const json_t *headers, const char *type,
			 struct buf *out, struct error *err);
/* Does any action read the field at the top? */
bool cli_template_uses(const struct cli_template *t, const char *field);

/* `\t` and `\n`, as the shell passed them, become what they mean. New string. */
char *cli_template_unescape(const char *format);

static inline void cli_template_auto(struct cli_template **t)
{
	cli_template_free(*t);
}
