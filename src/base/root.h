/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root - the one door to file systems that others have written.
 *
 * A *tree* is a directory descriptor (O_PATH or not) and every name below it
 * is relative to that tree.  How links and ".." behave is the *scope*:
 *
 *   ROOT_INSIDE   an image or a container: "/" means the tree, ".." stops at
 *                 the tree, absolute links point into the tree (chroot rules)
 *   ROOT_BENEATH  a build context or the store: what would leave is refused
 *                 with -ERR_ESCAPE
 *
 * Resolution is openat2(2), always without magic links.  Nothing is checked
 * by name and then used by name: open first, look with fstat, act by
 * descriptor.  Calls that take no resolve flags (mkdirat, linkat, renameat,
 * unlinkat …) get an opened parent and one component; root_parent() gives
 * both.  No other file of the program resolves a path inside a tree.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"

enum root_scope {
	ROOT_INSIDE = 1,
	ROOT_BENEATH,
};

/* Opens @path below @tree. @flags as open(2); O_CLOEXEC is implied. "" and "/" mean the tree.
 */
int root_open(int tree, enum root_scope scope, const char *path, int flags, mode_t mode,
	      int *out_fd, struct error *err);

/*
 * Opens the directory that holds the last component of @path and copies that
 * component to @name.  A path that ends in "." or ".." or is the tree itself
 * gives "." for a name.
 */
int root_parent(int tree, enum root_scope scope, const char *path, int *out_fd,
		char name[NAME_MAX + 1], struct error *err);

/*
 * mkdir -p: opens @path as a directory, making what is missing with @mode and,
 * if @uid or @gid is not (uid_t)-1, that owner, and @mtime_sec unless negative.
 * @out_created (may be NULL) tells whether the last one was made.
 */
struct root_made {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t mtime_sec;
};
int root_mkdirs(int tree, enum root_scope scope, const char *path, const struct root_made *how,
		int *out_fd, bool *out_created, struct error *err);

/* Is this one component that is neither empty, ".", ".." nor contains '/'? */
bool root_is_component(const char *name);

/*
 * Where @path really is in the tree, as chroot would resolve it: the links of
 * all components are followed, the last one's too; what does not exist is
 * kept as it is written.  Appends the clean path without slashes at the ends
 * ("" is the tree).  @out_st (may be NULL) gets the type of what is there, or
 * st_mode 0 if nothing is.
 */
int root_resolve(int tree, const char *path, struct buf *out, struct stat *out_st,
		 struct error *err);

/*
 * Cleans a path by text alone: no "//", no ".", ".." taken back and stopped at
 * the top; no slash at either end.  New string, "" for the top.
 */
char *root_clean_path(const char *path);

/* Reads a regular file inside a tree; -ERR_NOT_FOUND, -ERR_LIMIT, -ERR_INVALID if not regular.
 */
int root_read_file(int tree, enum root_scope scope, const char *path, size_t limit,
		   struct buf *out, struct error *err);

/* The target of the link @name under @dirfd, appended to @out. */
int root_read_link(int dirfd, const char *name, struct buf *out, struct error *err);

/* Removes @name under @dirfd and all below it; follows nothing; absent is fine. */
int root_remove(int dirfd, const char *name, struct error *err);
/* Removes everything below the directory, not the directory. */
int root_empty(int dirfd, struct error *err);

struct dir_entry {
	const char *name;
	ino_t ino;
	unsigned char type; /* DT_x, DT_UNKNOWN possible */
};

/* The names of one directory, without "." and "..", sorted by bytes. */
struct dir_list {
	struct dir_entry *items;
	size_t n;
	size_t cap;
	struct buf names;
};

/* @fd is a readable directory descriptor, borrowed. At most LIMIT_DIR_ENTRIES. */
int dir_list_read(int fd, struct dir_list *out, struct error *err);
void dir_list_clear(struct dir_list *l);

static inline void dir_list_auto(struct dir_list *l)
{
	dir_list_clear(l);
}
