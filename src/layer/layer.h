/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer - a directory difference and the one tar stream that it means.
 *
 * A *layer directory* is what overlayfs calls an upper directory: files that
 * were added or changed, a character device 0:0 for each name that was
 * removed (a *whiteout*), and the attribute trusted.overlay.opaque (or
 * user.overlay.opaque) on a directory that hides what is below it.
 *
 * Its *canonical tar* is a pure function of the directory (image-spec v1.1
 * layer.md): entries depth first, the names of a directory sorted by bytes;
 * ustar headers with pax records only where a value does not fit (path and
 * link longer than the fields, sizes and ids out of range, xattrs as
 * SCHILY.xattr.NAME sorted); whole seconds of mtime; no user or group names;
 * the first of several hard links in that order carries the bytes; a
 * whiteout is an empty file ".wh.NAME" in the place of NAME, an opaque
 * directory holds ".wh..wh..opq" first (both with mode, owner and time 0);
 * names that really begin with ".wh." are -ERR_UNSUPPORTED; sockets are left out; attributes
 * trusted.overlay.*, user.overlay.* and system ones are never written, security.capability and
 * user.* are; the root directory itself has no entry.  Two zero blocks end it.
 *
 * The *diff_id* is the SHA-256 of that stream.  So the tar need not be kept:
 * it can be written again, byte for byte, at any time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"

/* Where stream bytes go. */
struct layer_sink {
	int (*write)(void *data, const void *bytes, size_t len, struct error *err);
	void *data;
};

struct layer_info {
	struct digest diff_id;
	uint64_t tar_bytes;
	uint64_t
		content_bytes; /* sum of the regular files' sizes: what Docker calls the size */
	uint64_t entries;
};

/*
 * layer_describe - serialise the layer directory @dirfd
 *
 * @sink may be NULL: then only the digest is wanted.  A file that changes its
 * size while it is read is -ERR_CONFLICT.  Memory does not grow with file
 * sizes; hard links cost a little each.
 */
int layer_describe(int dirfd, const struct layer_sink *sink, struct layer_info *out,
		   struct error *err);

struct layer_change {
	char kind;  /* 'A' added, 'C' changed, 'D' deleted */
	char *path; /* absolute */
	bool is_directory;
	uint64_t bytes, old_bytes; /* of regular files */
};

struct layer_change_list {
	struct layer_change *items;
	size_t n, cap;
};

/*
 * What the layer directory @layer changes in the tree @before (-1: nothing),
 * sorted as its directories are.  A directory that is there only for what is in
 * it is not listed; with @times a new time of it counts (Docker's diff).
 */
int layer_changes(int layer, int before, bool times, struct layer_change_list *out,
		  struct error *err);
void layer_change_list_clear(struct layer_change_list *l);

/*
 * layer_copy - the layer directory @from once more, into the empty directory @to
 *
 * For `commit`: the container goes on writing to its own.  Bytes are read
 * once; @out is what layer_describe() says of both.
 */
int layer_copy(int from, int to, struct layer_info *out, struct error *err);

/*
 * The same stream from a merged tree (a read-only view of a whole image or
 * container) for `export`: nothing is a whiteout there.
 */
int layer_describe_tree(int dirfd, const struct layer_sink *sink, struct layer_info *out,
			struct error *err);

/*
 * A merged tree (or a directory in it) once more, into the empty directory
 * @to: owners, modes, times in whole seconds, attributes, links, devices; but
 * for what the top itself has.
 */
int layer_copy_tree(int tree, int to, struct error *err);

struct layer_entry;

/*
 * For archives that are no layers, in the same form: the header blocks of @e,
 * after which its e->size bytes come, filled up with zeros to whole blocks.
 * LAYER_TAR_END zero bytes end an archive.
 */
#define LAYER_TAR_BLOCK 512u
#define LAYER_TAR_END	1024u
void layer_tar_header(const struct layer_entry *e, struct buf *out);

/*
 * layer_compressor - a layer's tar packed on its way out
 *
 * A pure function of input and level: no time, no name, and the same bytes
 * whatever the number of processors, all of which it uses for large layers.
 * Level -1: gzip 1, zstd 3.
 */
enum layer_compression {
	LAYER_PLAIN = 0,
	LAYER_GZIP,
	LAYER_ZSTD,
};
struct layer_compressor;
bool layer_compression_level_valid(enum layer_compression how, int64_t level);
/* @to is copied. */
int layer_compressor_open(enum layer_compression how, int level, const struct layer_sink *to,
			  struct layer_compressor **out, struct error *err);
/* Where the plain bytes go. */
struct layer_sink layer_compressor_sink(struct layer_compressor *c);
/* Writes what is left; frees @c in every case. */
int layer_compressor_close(struct layer_compressor *c, struct error *err);
/* Frees without finishing. */
void layer_compressor_abort(struct layer_compressor *c);

/*
 * A merged tree, entry by entry, in canonical order; @fd has the bytes of a
 * regular file at its start, else it is -1.  Both are borrowed for the call.
 */
struct layer_visitor {
	int (*entry)(void *data, const struct layer_entry *e, int fd, struct error *err);
	void *data;
};
int layer_visit_tree(int dirfd, const struct layer_visitor *visitor, struct error *err);
/* A layer directory alike; whiteouts and opaque directories are told as layer_writer takes
 * them. */
int layer_visit(int dirfd, const struct layer_visitor *visitor, struct error *err);

/*
 * The files of a merged tree (a view) in the directory @to of the user's: what
 * is there and not in the tree stays, what has a name of the tree is replaced,
 * directories are merged.  No link below @to is followed.  All belongs to us;
 * modes, times and hard links are kept, attributes where that is possible.
 */
int layer_copy_out(int tree, int to, struct error *err);

struct layer_xattr {
	const char *name;
	const void *value;
	size_t size;
};

struct layer_entry {
	const char *path; /* relative, clean, without trailing slash */
	mode_t mode;	  /* type and permissions: S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFCHR,
			     S_IFBLK */
	uid_t uid;
	gid_t gid;
	int64_t mtime_sec;
	uint64_t size;	  /* of a regular file */
	const char *link; /* target of a symbolic link; or, with S_IFREG, the path of an
			     earlier entry that this one is a hard link to */
	dev_t rdev;
	const struct layer_xattr *xattrs;
	size_t nxattrs;
	struct hasher
		*content; /* a writer feeds it with the file's bytes as well; may be NULL */
};

/*
 * layer_writer - make a layer directory and hash its stream in one pass
 *
 * Entries must come in canonical order (layer_path_compare), each parent
 * before its children.  Every entry is created as "opened parent + one
 * component"; nothing that exists is followed or replaced (-ERR_EXISTS).
 * Bytes are read once: they go to the new file and to the hash together.
 * A whiteout is S_IFCHR with rdev 0 under the name that it hides; an opaque
 * directory has trusted.overlay.opaque or user.overlay.opaque "y" among its
 * xattrs.  A hard link has the facts of its first name, whatever @e says.
 * After an error only abort may follow.
 * Directories get their final times when they are left.
 */
struct layer_writer;
int layer_writer_open(int dirfd, struct layer_writer **out, struct error *err);
/* @from: the bytes of a regular file (exactly @e->size of them), else -1; borrowed. */
int layer_writer_add(struct layer_writer *w, const struct layer_entry *e, int from,
		     struct error *err);
/* A regular file whose bytes are in memory. */
int layer_writer_add_bytes(struct layer_writer *w, const struct layer_entry *e,
			   const void *data, struct error *err);
/* Finishes times, hash and @out; frees @w in every case. */
int layer_writer_close(struct layer_writer *w, struct layer_info *out, struct error *err);
/* Frees without finishing. */
void layer_writer_abort(struct layer_writer *w);

/* Canonical order of two relative paths: '/' sorts before every other byte. */
int layer_path_compare(const char *a, const char *b);

/*
 * layer_unpack - read an archive, write a tree
 *
 * The bytes are hostile: the helper program stave-unpack reads them with
 * libarchive under limits, in a process with three descriptors, no network,
 * few capabilities, and writes through openat2 below @tree only.  Names with
 * ".." are -ERR_ESCAPE, absolute ones begin at @below; the device 0:0 is
 * refused.  Directories that the archive needs and leaves out are root's,
 * 0755, as old as what needed them.  As root owners must hold; an ordinary
 * user owns all.  Devices that may not be made are left out.  After an error
 * the tree holds what came before.
 */
enum layer_unpack_mode {
	LAYER_UNPACK_TREE = 1, /* a whole root file system (import): names are plain */
	LAYER_UNPACK_LAYER,    /* an image layer: ".wh." names become whiteouts */
	LAYER_UNPACK_ADD,      /* ADD of a local archive: onto what exists, links inside the
				  tree are followed as in a chroot, "../" is -ERR_ESCAPE,
				  user.* and trusted.* attributes are dropped; directories
				  that were there and are not in the archive keep their mtime */
	LAYER_UNPACK_CONTEXT,  /* a build context from standard input: files belong to us, no
				  attributes, directories are at least 0700 */
};

struct layer_unpack {
	enum layer_unpack_mode mode;
	int input;	   /* archive: tar, plain or gzip, bzip2, xz, zstd; borrowed */
	int tree;	   /* directory descriptor of the root that may not be left; borrowed */
	const char *below; /* where in the tree names begin ("" for the top); must exist */
	uint64_t limit_bytes; /* of unpacked content, 0: LIMIT_ARCHIVE_BYTES */
	bool grows;	      /* @input is a file that is still written (layer_unpack_start) */
};

struct layer_unpacked {
	uint64_t entries;
	uint64_t content_bytes;
	struct digest stream; /* of the decompressed tar stream as it came: a layer's diff_id */
	struct layer_info tree; /* LAYER mode: what layer_describe() says of it now */
};

int layer_unpack(const struct layer_unpack *how, struct layer_unpacked *out, struct error *err);

/*
 * The same beside other work.  With .grows the archive is read while it comes: say
 * how long the file is by now, and when it is whole (else it is taken for cut off).
 */
struct layer_unpacking;
int layer_unpack_start(const struct layer_unpack *how, struct layer_unpacking **out,
		       struct error *err);
void layer_unpack_more(struct layer_unpacking *u, uint64_t bytes);
void layer_unpack_whole(struct layer_unpacking *u);
/* Borrowed; can be read when it has ended. */
int layer_unpack_fd(const struct layer_unpacking *u);
/* Waits for the end; frees @u in every case. */
int layer_unpack_finish(struct layer_unpacking *u, enum layer_unpack_mode mode,
			struct layer_unpacked *out, struct error *err);
/* Ends it at once; frees @u. */
void layer_unpack_abort(struct layer_unpacking *u);

/*
 * Is the regular file @fd an archive that ADD unpacks (a tar, by content, plain
 * or compressed)?  Asked of the same helper; position is restored to 0.
 */
int layer_is_archive(int fd, bool *out, struct error *err);

static inline void layer_writer_auto(struct layer_writer **w)
{
	if (*w)
		layer_writer_abort(*w);
}

static inline void layer_change_list_auto(struct layer_change_list *l)
{
	layer_change_list_clear(l);
}
