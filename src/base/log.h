/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - debug lines to stderr, off unless STAVE_DEBUG names the module
 * ("build,store") or "all".  Never for errors, never for secrets.
 */
#pragma once

#include <stdbool.h>

bool log_enabled(const char *module);
void log_debug(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
