/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount - RUN --mount, from the words to what the step's container sees.
 *
 *   lowered   values expanded, targets absolute, `from` a vertex (mount.c)
 *   content   of bind mounts, and of what a cache begins with: its digest
 *             counts for the key; of all others only the definition does
 *   taken     stacks and caches, by the main process, which has the database
 *   opened    trees, made in the step's process (mount_open.c): a private
 *             mount name space holds one directory in memory, below which
 *             each mount has a place; the container gets clones of them
 *
 * What is bound from the build context is a copy of the selected files, made
 * by a vertex of its own: so it is root's, without what .dockerignore hides,
 * and stays as it was when its digest was made.
 *
 * Secrets are read in the step's process and written into memory only.
 */
#pragma once

#include "build/graph.h"
#include "build/sources.h"
#include "build/step.h"
#include "sandbox/sandbox.h"

struct build_mount {
	struct run_mount m;
	char *target;		/* absolute, clean; NULL: a secret that is a variable only */
	char *id;		/* cache, secret, ssh */
	char *env;		/* secret: name of the variable, NULL: none */
	bool has_files;		/* bind; cache with from */
	struct copy_spec files; /* .from and .sources[0], a path without patterns */
	struct digest content;	/* of .files, before the step's key is made */
};

/* ---- mount.c: in the main process ---- */

/* Parses the --mount flags of @i into @run->mounts; may lower other stages. */
int mounts_lower(struct graph *g, struct stage_state *st, const struct instruction *i,
		 struct run_spec *run, struct error *err);
void mounts_clear(struct run_spec *run);
/* Where its files are in the tree that they come from.  New string. */
char *mount_source_path(const struct build_mount *b);
/* "type=cache,id=apt,sharing=locked": all that counts, but for target and content. */
void mount_describe(const struct build_mount *b, struct buf *out);
/* For --dump graph. */
void mounts_print(const struct run_spec *run, struct buf *out);
void mounts_hash(struct hasher *h, const struct run_spec *run);
void mounts_inputs(struct inputs *in, const struct run_spec *run);
/* What must be the same for two of type=cache to be one. */
void mount_cache_key(const struct build_mount *b, struct digest *out);
/* Are all vertices done that the mounts take files from? */
bool mounts_ready(const struct run_spec *run);

/* Finds the content of each, which needs the key of the step. */
int mounts_content(struct sources *s, struct run_spec *run, struct error *err);

/* What a step's process needs of the store for one mount. */
struct job_mount {
	struct snapshot_stack stack; /* of bind, and of cache with from */
	struct store_cache_use use;
	size_t turn; /* in which order caches are waited for */
};

/* Fills @j->mounts; @l is noted in. */
int mounts_take(const struct graph *g, struct lease *l, struct job *j, struct error *err);
/* The step's process runs and has the locks: ours would only keep them from others. */
void mounts_handed_over(struct job *j);
void mounts_release(struct job *j);

/* ---- mount_open.c: in the step's process ---- */

struct open_mount {
	const char *destination; /* borrowed */
	int tree; /* the file system that it comes from, detached and later attached; -1 */
	int what; /* O_PATH: what is bound */
	bool readonly;
	uint64_t attributes; /* MOUNT_ATTR_x */
};

struct mount_set {
	struct open_mount *items;
	size_t n;
	int memory;	    /* tmpfs with a directory for each mount */
	char *place;	    /* where it is attached; NULL: not yet */
	int root;	    /* of the step, attached, if a shell may follow; else -1 */
	struct strlist env; /* secrets that are variables: NAME=value */
};

#define MOUNT_SET_INIT ((struct mount_set){.memory = -1, .root = -1})

/*
 * Two phases: trees are made in the name space that the store's descriptors
 * belong to; then the process leaves it for a private one (@enter) where
 * they are attached, so that parts of them can be cloned.  (Since 6.15 parts
 * of detached trees can be.)
 */
int mounts_open(struct job *j, struct mount_set *set, struct error *err);
/* Where a shell may follow, *@root is kept in the set and replaced by a clone. */
int mounts_enter(struct job *j, struct mount_set *set, int *root, struct error *err);
/* One more clone of the step's root. */
int mounts_clone_root(const struct mount_set *set, int *out, struct error *err);
/* Clones for one container, sorted by destination, behind @binds[*n]. */
int mounts_bind(const struct mount_set *set, struct sandbox_bind *binds, size_t *n,
		struct error *err);
/* Lets go of all of it, so that the step's directories can be removed. */
void mount_set_clear(struct mount_set *set);

static inline void mount_set_auto(struct mount_set *set)
{
	mount_set_clear(set);
}

/* ---- mount_cache.c ---- */

/*
 * Waits for the turns of all caches of the step, in the order that all steps
 * keep (two that want the same two never wait for each other), and says so.
 */
int mount_cache_wait(struct job *j, struct error *err);
/* A clone of the cache's directory, which is made if need be. */
int mount_cache_open(struct job *j, size_t i, int *out_tree, struct error *err);

/* ---- mount_secret.c ---- */

/* -ERR_NOT_FOUND: no --secret has that id. */
int secret_read(const struct build_options *o, const char *id, struct buf *out,
		struct error *err);
/* The same for the log, which does not hold it: false if it can be read only once. */
bool secret_reread(const struct build_options *o, const char *id, struct buf *out);

/* ---- mount_ssh.c ---- */

/*
 * A socket "s" in the directory @dir behind which a process of ours hands on to
 * the agent called @id.  -ERR_NOT_FOUND: no --ssh has that id.
 */
int ssh_forward(const struct build_options *o, const char *id, int dir, struct error *err);

/* ---- mount_points.c ---- */

/*
 * Targets that are not there are made in the step's root, and go again when it
 * has ended if nothing was put into them, so that no layer shows that
 * something was mounted.
 */
struct mount_points {
	struct mount_parent *items; /* directories that were there */
	size_t n, cap;
	struct strlist made; /* paths from the root, parents first */
};

struct mount_parent {
	char *path;
	struct stat before; /* as the image has it */
	struct stat after;  /* in the upper directory, with the mount points in it */
};

#define MOUNT_POINTS_INIT ((struct mount_points){0})

/* In @root, the merged tree that begins with the empty @upper. */
int mount_points_make(struct mount_points *p, int root, int upper, const struct mount_set *set,
		      struct error *err);
int mount_points_remove(struct mount_points *p, int upper, struct error *err);
void mount_points_clear(struct mount_points *p);

static inline void mount_points_auto(struct mount_points *p)
{
	mount_points_clear(p);
}
