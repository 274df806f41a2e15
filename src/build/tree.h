/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - the files that COPY may take from: a build context, a stage or an
 * image, read as far as somebody asks.
 *
 * A node is what lstat said when it was first looked at, plus, once known,
 * the digest of its content.  Hidden nodes (.dockerignore) are kept so that
 * an error can say what hid them.  Digests of a context's files come from the
 * *index* of an earlier build when (device, inode, size, mtime, ctime) are
 * the same: an unchanged context costs only the stat calls.  A file that was
 * changed in the moment it was hashed is never put into the index (git calls
 * such entries racy).
 *
 * The digest of a file covers its bytes and, if it has any, the extended
 * attributes that COPY keeps.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "dockerfile/dockerfile.h"

struct tree_node {
	const char *name;
	struct tree *tree;
	struct tree_node *parent;    /* NULL: the top */
	struct tree_node **children; /* sorted by name */
	size_t n_children;
	bool loaded;
	bool hidden;
	bool has_digest;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	nlink_t nlink;
	dev_t dev, rdev;
	ino_t ino;
	uint64_t size;
	int64_t mtime_ns, ctime_ns;
	const char *link;     /* target of a symbolic link */
	uint32_t number;      /* of regular files: index into tree.files */
	struct digest digest; /* valid if has_digest */
};

struct tree_index;

struct tree {
	int fd;		  /* borrowed */
	const char *name; /* for messages */
	struct arena arena;
	const struct ignore *ignore; /* borrowed, may be NULL */
	const char *ignore_name;     /* of its file, for messages; borrowed */
	struct tree_index *index;    /* borrowed, may be NULL */
	struct tree_node *top;
	struct tree_node **files; /* regular files by number */
	size_t n_files, cap_files;
};

int tree_open(int fd, const char *name, const struct ignore *ignore, struct tree_index *index,
	      struct tree **out, struct error *err);
void tree_free(struct tree *t);

/* Reads the directory's entries, once. */
int tree_load(struct tree *t, struct tree_node *dir, struct error *err);
/* And all below it. */
int tree_load_all(struct tree *t, struct tree_node *dir, struct error *err);

/*
 * The node at @path, links in it followed as in a chroot (the last one's too).
 * *out is NULL when there is none; *out_hidden (may be NULL) then is the
 * hidden node on the way, if that is why.
 */
int tree_find(struct tree *t, const char *path, struct tree_node **out,
	      struct tree_node **out_hidden, struct error *err);
/*
 * What of a directory a COPY wants; paths are relative to the directory.  Each
 * may be NULL.
 */
struct tree_filter {
	const struct ignore *only;    /* hides all but what --parents asked for */
	const struct ignore *exclude; /* --exclude */
};
/*
 * A copy of @dir, all loaded, with only what @f keeps and the directories on the
 * way there.  The copies of files have numbers of their own.
 */
int tree_filter(struct tree *t, struct tree_node *dir, const struct tree_filter *f,
		struct tree_node **out, struct error *err);
/* Gives a regular file its number. */
void tree_add_file(struct tree *t, struct tree_node *n);
/* "a/b/c", appended. */
void tree_path(const struct tree_node *n, struct buf *out);

/*
 * Opens a regular file for reading and checks that it is what was looked at
 * (-ERR_CONFLICT: it changed during the build).
 */
int tree_open_file(const struct tree_node *n, int *out_fd, struct error *err);
/* Does the open file still look as it did? */
bool tree_same(const struct tree_node *n, const struct stat *st);

/* Computes what is missing below @n by reading. */
int tree_digest_all(struct tree *t, struct tree_node *n, struct error *err);
/* Is every regular file below @n known? */
bool tree_has_digests(const struct tree_node *n);
/* The digest of a file from that of its bytes and of its attributes. */
void tree_file_digest(const struct digest *bytes, int fd, struct digest *out);
/* Notes a file's digest, in the index as well; @hashed_at_ns: before it was read. */
void tree_set_digest(struct tree *t, struct tree_node *n, const struct digest *d,
		     int64_t hashed_at_ns);

/*
 * Adds all that matters of @n and what is below it (visible) to the key:
 * names, types, modes, owners if @owners, links, digests; not the times.
 */
void tree_hash(struct hasher *h, const struct tree_node *n, bool owners);

/* ---- index.c ---- */

/* Loads the index of the context @context from the directory @cache; never fails: a bad one is
 * empty. */
struct tree_index *index_load(int cache, const struct stat *context);
bool index_find(const struct tree_index *x, const struct tree_node *n, struct digest *out);
/* Remembers a digest that was computed now. */
void index_add(struct tree_index *x, const struct tree_node *n, const struct digest *d,
	       int64_t hashed_at_ns);
/* Writes it if anything was added. */
void index_save(struct tree_index *x, int cache);
void index_free(struct tree_index *x);
