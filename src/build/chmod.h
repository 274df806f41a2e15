/* SPDX-License-Identifier: Apache-2.0 */
/* chmod - the grammar of --chmod. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Changes the permission bits of @mode (its type bits matter for X). False: malformed. */
bool chmod_apply(const char *text, mode_t *mode);
