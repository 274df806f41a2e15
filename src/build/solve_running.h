/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solve_running - a vertex at work, as the files of solve share it: solve.c has
 * the loop, solve_key.c what a vertex is known by, solve_record.c what is left
 * of it.
 */
#pragma once

#include "base/loop.h"
#include "build/mount.h"
#include "build/solve.h"
#include "build/sources.h"
#include "build/worker.h"

struct running {
	struct solve *s;
	struct vertex *v;
	struct job job;
	struct worker *worker;
	bool held;     /* it failed, and waits with a shell */
	bool answered; /* and has leave to open it */
	char dir[STORE_LAYER_DIR_SIZE];
	struct selection sources;
	struct tree *tree;
	struct digest definition, key, content;
	bool has_content;
	bool own_netns;		    /* of RUN --network=none */
	struct plan_hashed *hashed; /* shared mappings */
	size_t hashed_bytes;
	struct plan_count *count;
	struct fetched *fetched; /* shared mapping */
	unsigned task;
	int64_t started_ns;
	struct running *next;
};

struct solve {
	struct graph *g;
	struct store *store;
	struct lease **lease;
	struct loop *loop;
	struct sources sources;
	struct running *running;
	unsigned n_running;
	struct network_endpoint endpoint;
	bool has_endpoint;
	struct error error; /* the first */
	bool failed;
	bool asked_rest, rests; /* others may remove what nobody holds */
	struct solve_result result;
};

/* ---- solve_key.c ---- */

/* Loads the tree that a COPY takes from, if it needs one. */
int running_tree(struct running *r, struct error *err);
int running_make_key(struct running *r, struct error *err);
/* The key of a COPY whose content became known. */
void running_set_key(struct running *r);
/* 1: done from the cache, 0: must be executed. */
int running_try_cache(struct running *r, struct error *err);
int solve_get_lease(struct solve *s, struct error *err);

/* ---- solve_record.c ---- */

/* Memory that the worker fills: digests, and how far it is. */
int running_share(struct running *r, struct error *err);
void running_unshare(struct running *r);
/* What was executed becomes a layer and a step record. */
int running_record(struct running *r, const struct layer_info *info, int64_t duration,
		   struct error *err);
int running_record_memos(struct running *r, struct error *err);
void running_note_inputs(struct running *r);
void vertex_finish(struct vertex *v, const struct digest *diff_id, int64_t created_ns);
