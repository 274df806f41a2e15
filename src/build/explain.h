/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain - two records of builds side by side: what differs, and so why a step ran.
 *
 * Steps of records are JSON objects as history.c writes them.  A step of this
 * build is compared with the *same* step of the last build of the same thing
 * that got as far: the same instruction where the two lists can be aligned, else
 * the most similar one between the aligned ones.
 *
 * A *reason* is an object with "kind", "text" (for people) and the fields of
 * its kind; docs/explain.md lists them.
 */
#pragma once

#include "base/json.h"
#include "build/history.h"

/* ---- explain_match.c ---- */

/* For each step of @now the index of its like in @then, or -1.  New array. */
long *match_steps(const json_t *now, const json_t *then);
/* "builder" of "builder 2/4", "" of "2/4"; new string. */
char *step_stage(const json_t *step);

/* ---- explain_inputs.c ---- */

/* Appends a reason to @list; the text is printed, kind borrowed.  Borrowed result. */
json_t *reason_add(json_t *list, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What two records of inputs differ in, the parent left out. */
void reasons_of_inputs(int history, const json_t *now, const json_t *then, json_t *list);

/* ---- explain_files.c ---- */

/* The files that differ; false if one of the lists is not there. */
bool reasons_of_files(int history, const char *source, const char *now, const char *then,
		      json_t *list);

/* ---- explain_find.c ---- */

/* The record of build @id (its beginning is enough; NULL: the last). */
int build_record(struct store *s, const char *id, json_t **out, struct past *out_past,
		 struct error *err);
/*
 * The steps that @text names: "3", "builder 2", "[builder 2/4]", ":12" (a line).
 * Appends indexes; -ERR_NOT_FOUND if there is none.
 */
struct step_list {
	size_t *items;
	size_t n, cap;
};
int find_steps(const json_t *record, const char *text, struct step_list *out,
	       struct error *err);
/* Exactly one of them. */
int find_step(const json_t *record, const char *text, size_t *out, struct error *err);

/* The step that step @i of the record begins with, -1: none.  Always before it. */
static inline json_int_t parent_of(const json_t *record, json_int_t i)
{
	const json_t *step = json_array_get(json_object_get(record, "steps"), (size_t)i);
	const json_t *j = json_object_get(step, "parent");

	return json_is_integer(j) && json_integer_value(j) < i ? json_integer_value(j) : -1;
}

static inline const char *field(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text ? text : "";
}

static inline void step_list_auto(struct step_list *l)
{
	free(l->items);
}
