/* SPDX-License-Identifier: Apache-2.0 */
/* store_disk - allocated bytes, as du(1) counts them; private to upkeep. */
#pragma once

#include "store/store_db.h"

/*
 * Of a file, or of a directory and all below it; files with several names
 * there count once.  What is not there takes up nothing.
 */
int disk_usage(int dirfd, const char *name, uint64_t *out, struct error *err);
/* Of one file or directory alone; "" is @dirfd itself. */
uint64_t disk_of_file(int dirfd, const char *name);
/* Fills layer.disk where it is not known yet: a layer never changes, so once is enough. */
int store_measure(struct store *s, struct error *err);
