/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strlist.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

#include "base/banned.h"

void strlist_take(struct strlist *l, char *s)
{
	if (l->n + 1 >= l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->items = mem_resize(l->items, l->cap, sizeof(*l->items));
	}
	l->items[l->n++] = s;
	l->items[l->n] = NULL;
}

void strlist_add(struct strlist *l, const char *s)
{
	strlist_take(l, mem_strdup(s));
}

void strlist_addn(struct strlist *l, const char *s, size_t len)
{
	strlist_take(l, mem_strndup(s, len));
}

void strlist_printf(struct strlist *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strlist_take(l, mem_vprintf(fmt, ap));
	va_end(ap);
}

void strlist_addall(struct strlist *l, const struct strlist *more)
{
	for (size_t i = 0; i < more->n; i++)
		strlist_add(l, more->items[i]);
}

void strlist_remove(struct strlist *l, size_t i)
{
	free(l->items[i]);
	memmove(l->items + i, l->items + i + 1, (l->n - i) * sizeof(*l->items));
	l->n--;
}

long strlist_find(const struct strlist *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i], s) == 0)
			return (long)i;
	return -1;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *l)
{
	if (l->n > 1)
		qsort(l->items, l->n, sizeof(*l->items), compare);
}

void strlist_clear(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = STRLIST_INIT;
}

void strlist_split(struct strlist *l, const char *s, char sep)
{
	const char *end;

	while ((end = strchr(s, sep))) {
		strlist_addn(l, s, (size_t)(end - s));
		s = end + 1;
	}
	strlist_add(l, s);
}

char *strlist_join(const struct strlist *l, const char *sep)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_addstr(&b, sep);
		buf_addstr(&b, l->items[i]);
	}
	return buf_steal(&b);
}

static long env_index(const struct strlist *l, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < l->n; i++)
		if (strncmp(l->items[i], name, len) == 0 && l->items[i][len] == '=')
			return (long)i;
	return -1;
}

const char *strlist_env_get(const struct strlist *l, const char *name)
{
	long i = env_index(l, name);

	return i < 0 ? NULL : l->items[i] + strlen(name) + 1;
}

void strlist_env_set(struct strlist *l, const char *name, const char *value)
{
	long i = env_index(l, name);
	char *s = mem_printf("%s=%s", name, value);

	if (i < 0) {
		strlist_take(l, s);
		return;
	}
	free(l->items[i]);
	l->items[i] = s;
}

bool strlist_env_unset(struct strlist *l, const char *name)
{
	long i = env_index(l, name);

	if (i >= 0)
		strlist_remove(l, (size_t)i);
	return i >= 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_ieq(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b))
		a++, b++;
	return lower(*a) == lower(*b);
}

char *str_lower(const char *s)
{
	char *out = mem_strdup(s);

	for (char *p = out; *p; p++)
		*p = lower(*p);
	return out;
}

char *str_upper(const char *s)
{
	char *out = mem_strdup(s);

	for (char *p = out; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	return out;
}
