/* SPDX-License-Identifier: Apache-2.0 */
/* remote_cache - things that are being made in the cache, under names "new-HEX". */
#pragma once

#include <stdbool.h>

#include "base/error.h"

#define REMOTE_NEW_SIZE 40

/* cache/@name, made if it is not there; leftovers of killed commands in it are removed. */
int remote_cache_open(int cache, const char *name, int *out_fd, struct error *err);
/*
 * A new file or directory below @dir, locked as long as *out_fd is open, so that
 * others know that somebody is at work on it.
 */
int remote_cache_new(int dir, bool directory, char name[REMOTE_NEW_SIZE], int *out_fd,
		     struct error *err);
