/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_unpack - what the helper program stave-unpack is made of.
 *
 * Called as `stave-unpack MODE LIMIT BELOW [grows]` or `stave-unpack probe` with the
 * archive as descriptor 0, the tree as 3 and the status pipe as 4.  It writes
 * one message to the pipe: a u32 that is one of the words below, then what
 * belongs to it.  With "grows" the archive is a file that is still written, and
 * descriptor 5 says how far (struct unpack_input).
 *
 * Order of trust: confine() comes before the first byte of the archive is
 * read; what is then parsed can at worst write what the tree may hold.
 */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"
#include "layer/layer.h"

#define UNPACK_HELPER	 "stave-unpack"
#define UNPACK_INPUT_FD	 0
#define UNPACK_TREE_FD	 3
#define UNPACK_STATUS_FD 4
#define UNPACK_COUNTS_FD 5
#define UNPACK_MEMORY	 (512u << 20) /* a window of xz -9 is 64 MiB, one of zstd 128 MiB */

enum unpack_word {
	UNPACK_FAILED = 1, /* an encoded struct error */
	UNPACK_DONE, /* u64 entries, u64 bytes, digest; of a layer: its struct layer_info */
	UNPACK_IS_TAR,
	UNPACK_IS_NOT_TAR,
};

/*
 * Gives up everything but what unpacking needs: capabilities, system calls,
 * memory, and (Landlock) files outside of @tree.  @tree -1: only reading.
 * What the kernel does not have is left out, but one of seccomp or a network
 * name space of our own must work.
 */
int unpack_confine(int tree, enum layer_unpack_mode mode, struct error *err);

/* What is to be made: one entry of the archive, names cleaned and checked. */
struct unpack_entry {
	char *path; /* owned; relative to the tree; "" for the tree itself */
	char *link; /* owned; target of a symbolic link, or cleaned path of a hard link */
	bool hard;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	dev_t rdev;
	uint64_t size;
	struct unpack_xattrs {
		struct layer_xattr *items; /* owned; names and values borrowed */
		size_t n;
		size_t cap;
	} xattrs;
};

void unpack_entry_clear(struct unpack_entry *e);

static inline void unpack_entry_auto(struct unpack_entry *e)
{
	unpack_entry_clear(e);
}

/* A directory whose mode and times are set when all is done. */
struct unpack_dir {
	char *path; /* owned */
	dev_t dev;
	ino_t ino;
	bool only_times; /* it was there before and is not in the archive */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
};

struct unpack_tree {
	int fd; /* borrowed */
	enum layer_unpack_mode mode;
	const char *below; /* borrowed, cleaned */
	uid_t uid; /* ours; if it is root, what the archive says about owners must hold */
	gid_t gid;
	struct unpack_dirs {
		struct unpack_dir *items;
		size_t n;
		size_t cap;
	} dirs;
	struct map dir_index; /* "dev:ino" to index + 1 in dirs */
	char *parent_path;    /* owned; the directory that was used last */
	int parent;	      /* owned O_PATH descriptor of it, -1 for none */
	bool parent_gives_group;
	uint64_t bytes;
	uint64_t limit_bytes;
};

/* Bytes of a regular file come through this; 0, 1 at the end, or -ERR_x. */
struct unpack_source {
	int (*read)(void *data, const void **out_bytes, size_t *out_len, int64_t *out_offset,
		    struct error *err);
	void *data;
};

int unpack_tree_open(struct unpack_tree *t, int fd, enum layer_unpack_mode mode,
		     const char *below, uint64_t limit_bytes, struct error *err);
int unpack_tree_add(struct unpack_tree *t, const struct unpack_entry *e,
		    const struct unpack_source *from, struct error *err);
/* Makes the removal of @path below (LAYER mode). */
int unpack_tree_whiteout(struct unpack_tree *t, const struct unpack_entry *e,
			 struct error *err);
int unpack_tree_opaque(struct unpack_tree *t, const struct unpack_entry *dir,
		       struct error *err);
/* Directories get what was put off, innermost first. */
int unpack_tree_finish(struct unpack_tree *t, struct error *err);
void unpack_tree_clear(struct unpack_tree *t);

/* Remembers what the directory @path must have in the end; @dir's own path is not used. */
void unpack_dirs_put(struct unpack_tree *t, const char *path, const struct unpack_dir *dir);
bool unpack_dirs_has(const struct unpack_tree *t, dev_t dev, ino_t ino);
int unpack_dirs_apply(struct unpack_tree *t, struct error *err);

int unpack_set_xattrs(const struct unpack_tree *t, int fd, const struct unpack_entry *e,
		      struct error *err);
int unpack_owner_error(const char *path, uid_t uid, gid_t gid, struct error *err);

/*
 * Where the archive's bytes come from: a descriptor that is read to its end; or, with
 * @counts, a file that somebody still writes, and a pipe of u64s that say how long
 * it is by now, whose end says that all is there.
 */
struct unpack_input {
	int fd;	    /* borrowed */
	int counts; /* borrowed; -1: none */
	uint64_t at, there;
	bool whole;
	unsigned char *data; /* owned: the last block */
	size_t ahead;	     /* so much of it is to be given once more */
};

/* The next block, good until the next call; 0 at the end, -1 with errno. */
ssize_t unpack_input_next(struct unpack_input *in, const void **out);
void unpack_input_clear(struct unpack_input *in);

/* gzip, by far the most frequent packing, is inflated by a faster library than libarchive's. */
struct unpack_gzip;
/* False: @in is something else, and nothing of it is gone. */
bool unpack_gzip_open(struct unpack_input *in, struct unpack_gzip **out);
/* The next block; 0 at the end, -1: see unpack_gzip_reason(). */
ssize_t unpack_gzip_next(struct unpack_gzip *g, const void **out);
const char *unpack_gzip_reason(const struct unpack_gzip *g);

/* Reads the archive @in into @t. */
int unpack_read(struct unpack_tree *t, struct unpack_input *in, struct layer_unpacked *out,
		struct error *err);
/* Does @in, decompressed, begin as a tar? */
int unpack_probe(struct unpack_input *in, bool *out, struct error *err);

static inline void unpack_input_auto(struct unpack_input *in)
{
	unpack_input_clear(in);
}
