/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy - one direction of a container's stdio: reads here, writes there.
 *
 * Nothing is read while something waits to be written, so a slow reader slows
 * the writer down and no byte is dropped.  What cannot be polled (a regular file, /dev/null)
 * is always ready.  Descriptors that others share are never made non-blocking.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "runtime/runtime.h"

struct copy;
typedef void (*copy_fn)(void *data);

enum copy_flags {
	/* when the target is gone, go on reading and throw it away; else the source is closed
	 */
	COPY_DRAIN = 1 << 0,
};

/*
 * Starts copying; TAKES both descriptors (-1 for @to: thrown away, with COPY_DRAIN).  @done is
 * called once, when the source has ended and all is written, or when the target is gone; both
 * are closed then.  @from is read without blocking if it is non-blocking or polls as readable.
 */
struct copy *copy_start(struct loop *l, int from, int to, unsigned flags, copy_fn done,
			void *data);
/*
 * The keys are looked for in what is read and go no further; @pressed is called, once, when all
 * were.  @k is borrowed.
 */
void copy_set_keys(struct copy *c, struct runtime_keys *k, copy_fn pressed, void *data);
/* Bytes moved so far: whether anything happens. */
uint64_t copy_moved(const struct copy *c);
/* Does it wait for the reader of its target? */
bool copy_waits_for_reader(const struct copy *c);
/* errno of a write that failed for another reason than a reader that left; 0 if none. */
int copy_write_error(const struct copy *c);
/* Stops, closes, frees; NULL is fine. */
void copy_free(struct copy *c);

/*
 * A descriptor of our own for writing to @fd, whose description others
 * share: non-blocking where that can be had without changing theirs.
 */
int copy_open_output(int fd);
