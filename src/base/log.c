/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#include "base/banned.h"

bool log_enabled(const char *module)
{
	static const char *wanted;
	static bool asked;
	size_t len = strlen(module);

	if (!asked) {
		wanted = secure_getenv("STAVE_DEBUG");
		asked = true;
	}
	if (!wanted)
		return false;
	if (strcmp(wanted, "all") == 0)
		return true;
	for (const char *p = wanted; (p = strstr(p, module)); p += len)
		if ((p == wanted || p[-1] == ',') && (p[len] == 0 || p[len] == ','))
			return true;
	return false;
}

void log_debug(const char *module, const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(module))
		return;
	va_start(ap, fmt);
	fprintf(stderr,
		"debug %lld %s: ", (long long)(clock_monotonic_ns() / 1000 % 1000000000),
		module);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}
