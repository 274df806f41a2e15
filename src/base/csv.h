/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv - one record of comma-separated fields, as in "type=bind,src=a": RFC
 * 4180 quotes, so that "\"src=a,b\"" is one field and "" inside is a quote.
 */
#pragma once

#include "base/error.h"
#include "base/strlist.h"

/*
 * Appends the fields of @line.  One line end at its end is not a part of it;
 * an empty line is an error, as are quotes in the middle of a field.  *out_at
 * (may be NULL) becomes the offset of the error.
 */
int csv_split(const char *line, struct strlist *out, size_t *out_at, struct error *err);
