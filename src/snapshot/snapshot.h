/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot - file-system states as detached mounts.
 *
 * A *stack* is an ordered list of layer directories, lowest first, as names
 * below one directory (the store's layers/).  A *view* is the merged tree of
 * a stack, read-only.  An *active* snapshot is a stack plus a new upper
 * directory that takes what is written.
 *
 * Both come as a descriptor of a detached mount: it hangs in no name space,
 * can be walked with openat2, can be moved into a container, and is gone
 * when the last descriptor is closed, however the process ended.
 *
 * Driver: overlayfs through fsopen/fsconfig (kernel 6.5 has "lowerdir+");
 * before that mount(2) in a private mount name space of a child and
 * open_tree(2).
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/strlist.h"

struct snapshot_stack {
	int layers_dir;	     /* borrowed: names below are relative to it */
	struct strlist dirs; /* "DIR/fs", lowest first; no duplicates, no empty layers */
	int bottom; /* borrowed: a directory below all others (mount points), -1: none */
};

/*
 * Adds "DIR/fs".  A directory that is in the stack already moves to the top:
 * overlayfs refuses the same one twice, and its upper occurrence hides all of
 * the lower one.
 */
void snapshot_stack_add(struct snapshot_stack *s, const char *dir);
void snapshot_stack_clear(struct snapshot_stack *s);

/*
 * The merged tree, read-only.  A stack of one layer is that directory itself
 * (whose whiteouts mean nothing at the bottom and are not expected there); an
 * empty one is an empty directory.
 */
int snapshot_view(const struct snapshot_stack *s, int *out_fd, struct error *err);

enum snapshot_flags {
	/* fsync inside does nothing: for build steps, whose durability is the store's affair */
	SNAPSHOT_VOLATILE = 1 << 0,
};

/*
 * @upper, @work: names below layers_dir, on the same file system, both empty
 * for a new snapshot.  The mount is attached nowhere.
 */
int snapshot_mount(const struct snapshot_stack *s, const char *upper, const char *work,
		   unsigned flags, int *out_fd, struct error *err);

/*
 * A writable directory in memory that is gone with its descriptor: for what a
 * container needs beside its root (resolv.conf and the like).
 */
int snapshot_scratch(int *out_fd, struct error *err);

static inline void snapshot_stack_auto(struct snapshot_stack *s)
{
	snapshot_stack_clear(s);
}
