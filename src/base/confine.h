/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine - what a helper program that reads hostile bytes gives up before it does.
 *
 * All of it is for good, and for its children.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/error.h"

/* No program that it executes has more rights, and nobody like it may look into it. */
int confine_privileges(struct error *err);
/* At most so much of a resource, or less if that is the limit already. */
void confine_limit(int what, rlim_t most);
/* Of what we have only the capabilities in @keep (bits); without any, this changes nothing. */
int confine_capabilities(uint32_t keep, struct error *err);
/*
 * The system calls @calls and no others: they fail with EPERM, but those of another
 * architecture end the process.  0, or -1 with errno (ENOSYS where it is not known how).
 */
int confine_calls(const int *calls, size_t n);
