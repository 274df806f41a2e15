/* SPDX-License-Identifier: Apache-2.0 */
/* store_volume - volumes as leases and checks see them. */
#pragma once

#include "store/store_db.h"

/* A lease of a dead command has a line "volume @name". */
int volume_undo(struct store *s, const char *name, struct error *err);
/* Could a directory of volumes/ with this name be a volume? */
bool volume_is_name(const char *name);
/* A directory without a row gets one: it may hold what nobody has elsewhere. */
int volume_adopt(struct store *s, const char *name, struct error *err);
/* A row without a directory gets an empty one. */
int volume_restore_directory(struct store *s, const char *name, struct error *err);
