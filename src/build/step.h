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
#define STEP_KEY_VERSION "stave step 2"

/* ---- key.c ---- */

/* All that the result depends on, but the content of a COPY's sources. */
void step_definition(const struct graph *g, const struct vertex *v, struct digest *out);
/* @content NULL for steps without sources. */
void step_key(const struct digest *definition, const struct digest *content,
	      struct digest *out);
/* Names the selection of a COPY --from for the memo of its content. */
void step_memo_key(const struct copy_spec *c, struct digest *out);

/* ---- inputs.c: the record of what a key was made of ---- */

/*
 * A step that ran leaves a record of its *inputs*, so that the next build that
 * misses the cache can say what changed.  It is JSON, and holds only what the key
 * depends on, each under its own name; whoever adds something to the key
 * adds it here as well, with one call:
 *
 *   facts    short text that may be shown, old and new: "chmod", "user", "network"
 *   env,     names with a *tag* of the value, a digest that is keyed by a secret
 *    arg     of this store, so that a guess of the value cannot be tried elsewhere
 *   sources  where files come from ("the build context", "stage builder", a URL)
 *            and the digest of all that was selected there
 *   mounts   the target of a RUN --mount, its options, and the digest of
 *            the content that counts for the key (NULL: none does)
 *
 * Nothing of a secret or of an ssh key goes in here, and no password of a URL.
 * If there is a list of files under a content digest (files_save()), then the
 * explanation names the files; without one it names the source.
 *
 * It is made when a step has run (never by a build that is all cache).
 */
struct inputs;

void inputs_fact(struct inputs *in, const char *name, const char *value); /* NULL: absent */
void inputs_env(struct inputs *in, const char *name, const char *value);
void inputs_arg(struct inputs *in, const char *name, const char *value);
void inputs_source(struct inputs *in, const char *name, const struct digest *content);
void inputs_mount(struct inputs *in, const char *target, const char *options,
		  const struct digest *content);

/* The whole record of @v. @content as for step_key(); new string. */
char *step_inputs(const struct graph *g, const struct vertex *v, const struct digest *content);

/* ---- files.c: the list of files behind a content digest ---- */

/*
 * Keeps the list of what @sel holds as history/files-HEX, unless it is there: one
 * list for each content, whoever used it.  @owners as for selection_hash(). A list that
 * would be too long, or that cannot be written, is left out: it only explains.
 */
void files_save(int history, const struct digest *content, const struct selection *sel,
		bool owners);

/* ---- execution, in the child ---- */

struct job {
	const struct graph *g;
	struct vertex *v;
	int layers;		  /* borrowed: store's layers/ */
	int cache;		  /* borrowed: store's cache/ */
	const char *dir;	  /* layers/DIR of the new layer */
	char id[65];		  /* of the container of a RUN */
	char *cgroup;		  /* its path, NULL: none of its own; noted in the lease */
	int fs;			  /* DIR/fs, readable */
	int stub;		  /* borrowed: mount points below everything */
	int cache_mounts;	  /* borrowed: store's cachemounts/ */
	struct job_mount *mounts; /* as many as v->run.mounts; see mount.h */
	struct snapshot_stack parent;
	int netns;				 /* of the build, -1: none */
	const struct network_endpoint *endpoint; /* NULL without one */
	int out, err;				 /* where a RUN's output goes */
	bool shell;				 /* a failed RUN waits for leave to open one */
	int report;				 /* in the child: where it says so */
	int leave;				 /* in the child: a byte, or the end for no */
	const struct tree *tree;		 /* of a COPY */
	const struct selection *sources;
	struct plan_hashed *hashed; /* shared with the parent process, may be NULL */
	struct plan_count *count;   /* the same */
	struct fetched *fetched;    /* the same, of a VERTEX_SOURCE */
};

/* What a VERTEX_SOURCE brought into the cache. */
struct fetched {
	struct remote_file file;
	struct remote_checkout checkout;
};

/* Downloads, clones. */
int step_source(struct job *j, struct error *err);
int step_run(struct job *j, struct layer_info *out, struct error *err);
int step_copy(struct job *j, struct layer_info *out, struct error *err);
int step_workdir(struct job *j, struct layer_info *out, struct error *err);

/* --chown against the passwd and group files of @view (-1: none are there). */
int step_owner(int view, const char *chown, struct plan_look *look, struct error *err);
