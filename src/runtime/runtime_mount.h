/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_mount - the mounts of a container's record. */
#pragma once

#include "runtime/runtime.h"

json_t *mounts_encode(const struct container_mount_list *l);
/* The member "mounts" of @j; nothing if it has none. */
int mounts_decode(const json_t *j, struct container_mount_list *out, struct error *err);
