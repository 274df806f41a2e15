/* SPDX-License-Identifier: Apache-2.0 */
/* emulate - programs of another architecture, where the kernel has a handler for them. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "oci/oci.h"

/* Can RUN happen for @platform?  The error names what is missing. */
int emulate_check(const struct platform *platform, struct error *err);

/* Does the text of a file in binfmt_misc say that it takes programs of @architecture? */
bool emulate_handler_takes(const char *handler, const char *architecture);
