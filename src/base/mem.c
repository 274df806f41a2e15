/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define EXIT_ENGINE 125

static _Noreturn void out_of_memory(void)
{
	static const char text[] = "stave: out of memory\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)n;
	_exit(EXIT_ENGINE);
}

static void *demand(void *p)
{
	if (!p)
		out_of_memory();
	return p;
}

void *mem_alloc(size_t size)
{
	return demand(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
	return demand(calloc(1, size ? size : 1));
}

void *mem_resize(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	return demand(realloc(p, bytes ? bytes : 1));
}

char *mem_strdup(const char *s)
{
	return demand(strdup(s));
}

char *mem_strndup(const char *s, size_t len)
{
	return demand(strndup(s, len));
}

char *mem_vprintf(const char *fmt, va_list ap)
{
	char *out = NULL;

	if (vasprintf(&out, fmt, ap) < 0)
		out_of_memory();
	return demand(out);
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = mem_vprintf(fmt, ap);
	va_end(ap);
	return out;
}
