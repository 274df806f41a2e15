/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_legacy - overlay mounts for kernels before 6.5. */
#pragma once

#include "snapshot/snapshot.h"

/* As mount_overlay() in snapshot.c: @upper NULL is a read-only view. */
int snapshot_mount_legacy(const struct snapshot_stack *s, const char *upper, const char *work,
			  unsigned flags, int *out_fd, struct error *err);
