/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toml - configuration files of other programs, as JSON trees (toml.io, version 1.0).
 *
 * Tables and inline tables are objects, arrays of tables are arrays of objects.  Of values it
 * knows strings, integers in decimal, booleans, arrays and inline tables; floats, dates and
 * other bases are refused, as is all that TOML does not allow: keys or tables that are there
 * already, text behind a value, control characters, bad UTF-8.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

/* -ERR_INVALID names the line.  *out: an object, new reference. */
int toml_parse(const char *data, size_t len, json_t **out, struct error *err);
