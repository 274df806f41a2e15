/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - the rules that need values: called while the graph is made, where
 * the value is known; and what is told of all warnings in the end.
 */
#pragma once

#include "build/graph.h"

/* @about gives rule, line, and what of fix and mark there is; its strings are copied. */
void graph_warn(struct graph *g, const struct dockerfile_warning *about, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* check= of the file, or of --build-arg BUILDKIT_DOCKERFILE_CHECK, which replaces it. */
int check_options(struct graph *g, struct error *err);

/*
 * Those of the file and of the graph that are wanted and that concern a stage
 * which was lowered, in the order of the text.
 */
void check_gather(const struct graph *g, struct warning_list *out);
/* check=error=true: -ERR_INVALID if there is one about the file. */
int check_fatal(const struct graph *g, const struct warning_list *l, struct error *err);

static inline void warning_list_auto(struct warning_list *l)
{
	free(l->items);
}

/* The name that @name may be a slip of; NULL if none is near enough to say so. */
const char *check_nearest(const char *name, const struct strlist *known);

/* ---- rules ---- */

/* The global ARGs that have a value and are used by a word of a FROM or global ARG line. */
void check_names_used(const struct graph *g, const char *text, struct strlist *out);
/* All FROM lines, also of stages that are not needed. */
void check_stages(struct graph *g);
/* The stage has just got the config of the base image @name, if it was there. */
void check_base(struct graph *g, const struct stage_state *st, const char *name);
/* @name was used and has no value. */
void check_unset(struct graph *g, const struct stage_state *st, const struct instruction *i,
		 const char *name);
/* @value: after expansion. */
void check_workdir(struct graph *g, struct stage_state *st, const struct instruction *i,
		   const char *value);
void check_port(struct graph *g, const struct instruction *i, const char *port);
/* Sources from the context. */
void check_sources(struct graph *g, const struct instruction *i, const struct strlist *sources);
