/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_table - lists of things as Docker prints them.
 *
 * A row is a JSON object with a string for each field.  The same row serves
 * the aligned table with upper-case headers, `--format 'table {{.ID}}\t…'`,
 * `--format '{{.ID}}'`, `--format json` (one object a line) and -q.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct cli_column {
	const char *field;  /* ".ID" is "ID" here */
	const char *header; /* "CONTAINER ID" */
};

struct cli_table_def {
	const char *type;     /* in messages: "*formatter.imageContext" */
	const char *fallback; /* the default: "table {{.Repository}}\t{{.Tag}}" */
	const char *quiet;    /* with -q: "{{.ID}}" */
	const struct cli_column *columns;
	size_t ncolumns;
};

struct cli_table;

/*
 * @format is what --format said, NULL if nothing; @quiet is -q, which gives
 * way to a format other than "table".  -ERR_INVALID: Docker's words about the template.
 */
int cli_table_new(const struct cli_table_def *def, const char *format, bool quiet,
		  struct cli_table **out, struct error *err);
/* TAKES @row. */
int cli_table_add(struct cli_table *t, json_t *row, struct error *err);
/* Does the template take such a row?  TAKES @row. */
int cli_table_try(const struct cli_table *t, json_t *row, struct error *err);
/* The whole text, aligned; each row ends with a newline. */
void cli_table_text(const struct cli_table *t, struct buf *out);
void cli_table_free(struct cli_table *t);
/* Does the format ask for this field?  For what is dear to find out (sizes). */
bool cli_table_uses(const struct cli_table *t, const char *field);

static inline void cli_table_auto(struct cli_table **t)
{
	cli_table_free(*t);
}

/* Cells ended by tabs become columns of at least ten, three apart (Go's tabwriter). */
void cli_align(const char *text, struct buf *out);

/* ---- words in cells ---------------------------------------------------------------------- */

/* At most @width characters; a longer text ends in "…". New string. */
char *cli_truncate(const char *text, size_t width);
/* Without "sha256:", twelve characters. New string. */
char *cli_short_id(const char *id);
/* "3 weeks ago"; "N/A" for 0. New string. */
char *cli_time_ago(int64_t then_ns, int64_t now_ns);
/* "2026-11-21 06:10:43 +0000 UTC", in local time as Docker prints CreatedAt. New string. */
char *cli_time_text(int64_t ns);
/* A row's setters. TAKES nothing. */
void cli_row_string(json_t *row, const char *field, const char *value);
void cli_row_size(json_t *row, const char *field, uint64_t bytes);
