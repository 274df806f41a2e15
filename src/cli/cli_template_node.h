/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_template_node - the tree of a template, and the values that run through
 * it.  Private to cli_template*.c.  Nodes live in the template's arena.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum operand_kind {
	OPERAND_DOT = 1,
	OPERAND_NIL,
	OPERAND_BOOL,
	OPERAND_INTEGER,
	OPERAND_REAL,
	OPERAND_STRING,
	OPERAND_VARIABLE, /* .name with the "$"; "$" alone is the root */
	OPERAND_FUNCTION, /* .name */
	OPERAND_PIPELINE, /* .pipeline, in parentheses */
};

/* A value with the fields that are taken from it: .A.B is DOT with two. */
struct operand {
	enum operand_kind kind;
	size_t start; /* in the text, for messages */
	size_t end;
	size_t position; /* where Go says that it is */
	const char *name;
	int64_t integer;
	double real;
	struct pipeline *pipeline;
	const char **fields;
	size_t nfields;
	struct operand *next;
};

struct call {
	size_t start;
	size_t end;
	struct operand *operands;
	struct call *next;
};

#define PIPELINE_VARIABLES 2

struct pipeline {
	const char *variables[PIPELINE_VARIABLES];
	unsigned nvariables;
	bool assign; /* "=" instead of ":=" */
	struct call *calls;
};

enum node_kind {
	NODE_TEXT = 1,
	NODE_ACTION,
	NODE_IF,
	NODE_WITH,
	NODE_RANGE,
	NODE_BREAK,
	NODE_CONTINUE,
};

struct node {
	enum node_kind kind;
	const char *text;
	size_t len;
	struct pipeline *pipeline;
	struct node *body;
	struct node *otherwise;
	struct node *next;
};

struct cli_template {
	struct arena arena;
	const char *text;
	struct node *nodes;
};

/* A value; .json is owned, NULL is what Go prints as "<no value>". */
struct template_value {
	json_t *json;
	const char *field; /* under which name it was found, NULL if none; borrowed */
};

#define NO_VALUE ((struct template_value){0})

/* One function; @args are borrowed, the result is the caller's.  @why is set on failure. */
struct template_function {
	const char *name;
	size_t min;
	size_t max;
	bool docker; /* not Go's own: transparent in the header of a table */
	bool (*run)(const struct template_value *args, size_t n, struct template_value *out,
		    struct buf *why);
};

const struct template_function *template_function_find(const char *name, size_t len);
/* and, or: their operands are evaluated one by one by the interpreter. */
bool template_function_is_lazy(const struct template_function *f);

/* As `json` writes it. */
void template_value_json(const json_t *j, struct buf *out);
void template_value_print(const struct template_value *v, struct buf *out);
bool template_value_true(const struct template_value *v);
/* Is it a map of the user's keys, where a missing key is not an error? */
bool template_field_is_map(const char *field);
/* "line:column" of a position. */
void template_position(const char *text, size_t position, unsigned *line, unsigned *column);
