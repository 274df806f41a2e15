/* SPDX-License-Identifier: Apache-2.0 */
/* cli_error - the only place that prints errors. */
#pragma once

#include <stdio.h>

#include "base/error.h"

/*
 * "stave: message" (with the user's file and line in front of the message, and the hint on a
 * line of its own) to @to.  @prefix is "stave", or "ERROR" in a build; NULL: no prefix.
 */
void cli_error_print(FILE *to, const char *prefix, const struct error *err);
