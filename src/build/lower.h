/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lower - from the AST to the graph: expansion, ARG and ENV, the config, and
 * one vertex for each instruction that changes files.
 */
#pragma once

#include "build/graph.h"

/* Lowers a stage and, through it, all that it needs; twice is once. */
int lower_stage(struct graph *g, unsigned index, struct error *err);
/* One instruction of a stage. */
int lower_instruction(struct graph *g, struct stage_state *st, const struct instruction *i,
		      struct error *err);

/* How a stage begins. */
void start_from_scratch(struct stage_state *st);
int start_from_stage(struct graph *g, struct stage_state *st, unsigned index,
		     struct error *err);
int start_from_image(struct graph *g, struct stage_state *st, const char *name,
		     struct error *err);

/* ---- from.c: named contexts ---- */

/*
 * What the word of COPY --from= or RUN --mount=from= means to stage @st: an
 * earlier stage (which is lowered), a named context, or an image of the store.
 * *out is a vertex to wait for: layers, or with VERTEX_SOURCE a directory (see
 * sources.h); NULL for a stage without files.
 */
/* cycle.c: no stage may need itself, over however many others. */
int check_cycles(const struct graph *g, struct error *err);
int lower_from(struct graph *g, struct stage_state *st, const char *name, struct vertex **out,
	       struct error *err);
/* The named context of that name, or NULL. */
const struct build_context *from_context(const struct graph *g, const char *name);
/* FROM a named context. */
int from_start(struct graph *g, struct stage_state *st, const struct build_context *c,
	       struct error *err);

/* ---- step_source.c: what ADD fetches ---- */

/* The vertex that fetches a URL or git repository, one for each. @checksum may be NULL. */
int lower_remote(struct graph *g, const char *text, const char *checksum, bool keep_git_dir,
		 struct vertex **out, struct error *err);

/* ---- scope.c: variables ---- */

/* Global ARGs, for FROM. */
int scope_globals(struct graph *g, struct error *err);
/* What they would be without --build-arg. */
int scope_default_globals(struct graph *g, struct strlist *out, struct error *err);
int scope_expand_global(struct graph *g, const char *word, struct buf *out, struct error *err);
/* With the stage's ENV and ARGs. */
int scope_expand(struct graph *g, const struct stage_state *st, const struct instruction *i,
		 const char *word, enum expand_mode mode, struct buf *out, struct error *err);
int scope_expand_new(struct graph *g, const struct stage_state *st, const struct instruction *i,
		     const char *word, char **out_new, struct error *err);
/* One value of RUN --mount. */
int scope_mount(struct graph *g, const struct stage_state *st, const struct instruction *i,
		const char *value, struct run_mount *out, struct error *err);
int scope_arg(struct graph *g, struct stage_state *st, const struct instruction *i,
	      struct error *err);
/* Environment of a RUN: ENV and the ARGs that it sees. */
void scope_run_env(const struct graph *g, const struct stage_state *st, struct strlist *out);
/* "K=V" of the ARGs that show in a RUN's history row. */
void scope_history_args(const struct stage_state *st, struct strlist *out);

/* ---- imgconfig.c: what instructions do to the config ---- */

int imgconfig_apply(struct graph *g, struct stage_state *st, const struct instruction *i,
		    struct error *err);
/* A history row; TAKES @created_by. */
void imgconfig_row(struct stage_state *st, char *created_by, struct vertex *v);
/* The stage's shell, or Docker's default. */
void imgconfig_shell(const struct stage_state *st, struct strlist *out);
/* Absolute: @path below the stage's WORKDIR; a slash at the end is kept. */
char *imgconfig_path(const struct stage_state *st, const char *path);

/*
 * ports.c: "[[address:]host:]port[-port][/proto]" of EXPOSE: one entry for each
 * port of the container; the rest is checked and means nothing.
 */
int ports_add(struct strlist *out, const char *word, struct error *err);

/* ---- lower_files.c: RUN, WORKDIR; lower_copy.c: COPY, ADD ---- */

/* The next step of a stage: a vertex on top of its last one. */
struct vertex *lower_vertex(struct graph *g, struct stage_state *st,
			    const struct instruction *i, enum vertex_kind kind,
			    const char *text);
/* "[builder 2/4] TEXT" for the stage's current step.  New string. */
char *stage_title(const struct graph *g, const struct stage_state *st, const char *text);

int lower_run(struct graph *g, struct stage_state *st, const struct instruction *i,
	      struct error *err);
int lower_copy(struct graph *g, struct stage_state *st, const struct instruction *i,
	       struct error *err);
int lower_workdir(struct graph *g, struct stage_state *st, const struct instruction *i,
		  struct error *err);

/* ---- cache_filter.c ---- */

/* Must the steps of this stage run, whatever is recorded? */
bool cache_is_off(const struct graph *g, const struct stage *stage);
/* A remark on the first name of --no-cache-filter that no stage has, or NULL.  New string. */
char *cache_filter_stranger(const struct graph *g);
