/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - where each selected file lands: the new layer's entries, in
 * canonical order, before the first byte is copied.
 *
 * The destination is resolved in the parent's merged tree as chroot would
 * (a link to a file is written through, a link to a directory is entered).
 * Directories on the way that exist are repeated in the layer as they are,
 * time included, so that the layer depends on its inputs alone; missing ones
 * are made with mode 0755.  Inside a copied directory nothing is followed:
 * a directory merges with a directory, a file takes the place of a file or a
 * link, and a directory against a file is an error.
 */
#pragma once

#include "build/select.h"
#include "layer/layer.h"

enum plan_kind {
	PLAN_EXISTING = 1, /* a directory of the parent, repeated */
	PLAN_MADE,	   /* a directory that the step makes */
	PLAN_NODE,	   /* a file or directory of the source tree */
	PLAN_FILE,	   /* a heredoc */
};

struct plan_entry {
	char *path; /* real, clean, relative */
	enum plan_kind kind;
	bool fresh;	   /* nothing of the parent is here or below */
	int64_t mtime_sec; /* of PLAN_MADE */
	struct tree_node *node;
	const struct copy_file *file;
};

/* How far plan_write() is, for whoever shares the memory. */
struct plan_count {
	volatile uint64_t bytes, total; /* of regular files */
};

struct plan {
	struct map by_path;	   /* path -> struct plan_entry *, owned */
	struct plan_entry **items; /* sorted by plan_sort() */
	size_t n;
	int view;		  /* the parent's tree, borrowed; -1: empty */
	int64_t made_sec;	  /* time of directories that the step makes */
	struct plan_count *count; /* may be NULL */
	bool keep_top;		  /* a directory that is copied keeps its own mode */
};

#define PLAN_INIT ((struct plan){.by_path = MAP_INIT_FREE(plan_entry_free), .view = -1})

void plan_entry_free(void *entry);
/* A directory and all above it. @path: absolute or relative, resolved here. */
int plan_directory(struct plan *p, const char *path, struct error *err);
/* A whole COPY. @several: more than one source, or a pattern. */
int plan_copy(struct plan *p, const struct selection *sel, const char *dest, struct error *err);
void plan_sort(struct plan *p);
void plan_clear(struct plan *p);

struct plan_look {
	bool has_owner;
	uid_t uid;
	gid_t gid;
	bool keep_owner;   /* --from: the source's, unless has_owner */
	const char *chmod; /* NULL: none */
	bool has_latest;
	int64_t latest_sec; /* times after this become this (SOURCE_DATE_EPOCH) */
};

/* Is the text a mode that --chmod takes? */
int plan_check_chmod(const char *text, struct error *err);

struct plan_hashed {
	struct digest digest;
	int64_t hashed_at_ns; /* 0: not hashed */
};

/*
 * Writes the layer.  @hashed (may be NULL), indexed by tree_node.number, gets
 * the digests of files that have none yet.
 */
int plan_write(const struct plan *p, const struct tree *t, const struct plan_look *look,
	       int layer_dir, struct plan_hashed *hashed, struct layer_info *out,
	       struct error *err);

static inline void plan_auto(struct plan *p)
{
	plan_clear(p);
}
