/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_error.h"

#include "base/strlist.h"
#include "base/banned.h"

void cli_error_print(FILE *to, const char *prefix, const struct error *err)
{
	if (prefix)
		fprintf(to, "%s: ", prefix);
	if (!str_empty(err->file)) {
		fputs(err->file, to);
		if (err->line)
			fprintf(to, ":%u", err->line);
		if (err->line && err->column)
			fprintf(to, ":%u", err->column);
		fputs(": ", to);
	}
	fprintf(to, "%s\n", err->message ? err->message : "unknown error");
	if (!str_empty(err->hint))
		fprintf(to, "hint: %s\n", err->hint);
	fflush(to);
}
