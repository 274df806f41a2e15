/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_tar - the canonical tar stream, as bytes.
 *
 * A *stream* is a buffer through which headers and file bytes go in order;
 * when it is full it is hashed and given to the sink, while a second one is
 * filled.  File bytes are read straight into it.
 * Spec: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Header Block".
 */
#pragma once

#include "layer/layer.h"

#include "base/buf.h"
#include "base/map.h"

#define TAR_BLOCK    512u
#define TAR_WHITEOUT ".wh."
#define TAR_OPAQUE   ".wh..wh..opq"

/* Appends the header blocks of @e: a pax header only if ustar cannot say all of it. */
void tar_header_add(struct buf *out, const struct layer_entry *e);

/* Is this a block that a tar can begin with?  By its checksum, as all readers do. */
bool tar_is_header(const unsigned char block[TAR_BLOCK]);

/* Does an attribute belong to the content of a layer? */
bool layer_xattr_is_kept(const char *name);
/* One of the overlay file system's own, trusted.overlay.@what or user.overlay.@what. */
bool layer_xattr_is_overlay(const char *name, const char *what);

struct tar_stream {
	struct hash_aside *hasher;     /* owned */
	const struct layer_sink *sink; /* borrowed, may be NULL */
	struct hasher *also; /* borrowed: fed with the bytes of files as well, or NULL */
	unsigned char *data; /* owned: what is filled now */
	unsigned char
		*other; /* owned: what may still be hashed; NULL before the first change */
	size_t len;
	struct buf header;
	struct layer_info info;
};

void tar_stream_init(struct tar_stream *s, const struct layer_sink *sink);
void tar_stream_clear(struct tar_stream *s);

/* The header of @e, without its bytes. */
int tar_stream_entry(struct tar_stream *s, const struct layer_entry *e, struct error *err);
/* The entry that hides @path below. */
int tar_stream_whiteout(struct tar_stream *s, const char *path, struct error *err);
/* The entry that makes the directory @path opaque. */
int tar_stream_opaque(struct tar_stream *s, const char *path, struct error *err);
/*
 * Exactly @size bytes read from @from; @to >= 0 gets them too.  More or fewer
 * are -ERR_CONFLICT; @path is for messages.
 */
int tar_stream_file(struct tar_stream *s, int from, uint64_t size, int to, const char *path,
		    struct error *err);
int tar_stream_bytes(struct tar_stream *s, const void *data, size_t len, struct error *err);
/* Zeros to the next block after a file of @size bytes. */
int tar_stream_pad(struct tar_stream *s, uint64_t size, struct error *err);
int tar_stream_end(struct tar_stream *s, struct layer_info *out, struct error *err);

/*
 * Deep trees: only this many directories of the way down are held open, the
 * ones above are found again by "..", which must be the one that was left.
 */
#define LAYER_OPEN_LEVELS 256u
int layer_reopen_parent(int child, dev_t dev, ino_t ino, int *out_fd, struct error *err);
