/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namespace - a visit to another network name space without a process: this thread
 * (name spaces belong to threads) steps into it, does what is to be done, and steps back.
 * Cheaper than a child, and nothing to wait for.  Sockets stay in the name space where
 * they were opened, and children begin where their parent is.
 */
#pragma once

#include "base/error.h"

typedef int (*namespace_fn)(void *data, struct error *err);

/* Calls @fn inside of @netns; -1: of a new one. */
int namespace_visit(int netns, namespace_fn fn, void *data, struct error *err);
