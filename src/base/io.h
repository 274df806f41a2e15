/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io - whole reads and writes on descriptors, atomic files, locks.
 *
 * EINTR is retried, short counts are continued.  Names are single components
 * under a directory descriptor of ours (the store); paths out of images or
 * contexts belong to root.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/error.h"

/* Bytes read (less than @len only at end of file), or -1 with errno. */
ssize_t io_read_full(int fd, void *data, size_t len);
/* 0, or -1 with errno. */
int io_write_full(int fd, const void *data, size_t len);
/* Reads to the end of file; more than @limit bytes is -ERR_LIMIT. */
int io_read_all(int fd, size_t limit, struct buf *out, struct error *err);
/* The same, and what is not a regular file is -ERR_INVALID. Messages do not name it. */
int io_read_regular(int fd, size_t limit, struct buf *out, struct error *err);
/* Opens read-only, demands a regular file, reads it whole.  -ERR_NOT_FOUND when absent. */
int io_read_file(int dirfd, const char *name, size_t limit, struct buf *out, struct error *err);

enum io_write_flags {
	IO_SYNC = 1 << 0,    /* fsync file and directory: it survives a power cut */
	IO_EXCLUDE = 1 << 1, /* an existing file is -ERR_EXISTS */
};

/* Temporary name, checked write, rename into place. */
int io_write_file(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		  unsigned flags, struct error *err);

/* Copies @len bytes (or to end of file with UINT64_MAX): reflink or copy_file_range if it can.
 */
int io_copy(int from, int to, uint64_t len, struct error *err);

/* flock; @wait false gives -ERR_CONFLICT when somebody holds it. */
int io_lock(int fd, bool exclusive, bool wait, struct error *err);

/* Sets O_NONBLOCK. */
void io_nonblock(int fd);
int io_pipe(int out[2], struct error *err); /* O_CLOEXEC */
/* Where an open file is now, as /proc/self/fd says; new.  NULL with errno. */
char *io_fd_path(int fd);
/* memfd holding @data, position 0, sealed; for handing text to a child. */
int io_memfd(const char *name, const void *data, size_t len, int *out, struct error *err);

#define IO_FDS_MAX 2
/*
 * One message on a socket, with descriptors beside it.  0, or -1 with errno; a reader that is
 * gone is EPIPE and no signal.  @parts are not written to.
 */
int io_send_fds(int socket, struct iovec *parts, size_t n_parts, const int *fds, size_t n);
/*
 * One message: its bytes, 0 at the end, or -1 with errno.  @out_fd is the descriptor that came
 * beside it (O_CLOEXEC, the caller's), or -1.  No sender can make us hold a second one.
 */
ssize_t io_receive_fd(int socket, struct iovec *parts, size_t n_parts, int *out_fd);
