/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step - the two faces of a vertex: its key, and its execution.
 *
 * Keys are made in the main process.  Execution happens in a forked child
 * that has descriptors and directory names only: it never touches the
 * database, and whatever it mounts dies with it.
 */
#pragma once

#include "build/graph.h"
#include "build/plan.h"
#include "build/select.h"
#include "build/tree.h"
#include "layer/layer.h"
#include "snapshot/snapshot.h"

/* Bump when the meaning of a step changes: old records then no longer match. */
#define STEP_KEY_VERSION "stave step 1"

/* ---- key.c ---- */

/* All that the result depends on, but the content of a COPY's sources. */
void step_definition(const struct graph *g, const struct vertex *v, struct digest *out);
/* @content NULL for steps without sources. */
void step_key(const struct digest *definition, const struct digest *content,
	      struct digest *out);
/* The record's "inputs": the same as JSON; secrets are not in it. New string. */
char *step_inputs(const struct graph *g, const struct vertex *v, const struct digest *content);
/* Names the selection of a COPY --from for the memo of its content. */
void step_memo_key(const struct vertex *v, struct digest *out);

/* ---- execution, in the child ---- */

struct job {
	const struct graph *g;
	struct vertex *v;
	int layers;	 /* borrowed: store's layers/ */
	int cache;	 /* borrowed: store's cache/ */
	const char *dir; /* layers/DIR of the new layer */
	int fs;		 /* DIR/fs, readable */
	int stub;	 /* borrowed: mount points below everything */
	struct snapshot_stack parent;
	int netns;				 /* of the build, -1: none */
	const struct network_endpoint *endpoint; /* NULL without one */
	int out, err;				 /* where a RUN's output goes */
	const struct tree *tree;		 /* of a COPY */
	const struct selection *sources;
	struct plan_hashed *hashed; /* shared with the parent process, may be NULL */
};

int step_run(struct job *j, struct layer_info *out, struct error *err);
int step_copy(struct job *j, struct layer_info *out, struct error *err);
int step_workdir(struct job *j, struct layer_info *out, struct error *err);

/* --chown against the passwd and group files of @view (-1: none are there). */
int step_owner(int view, const char *chown, struct plan_look *look, struct error *err);
