/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strlist - an ordered list of strings, NULL-terminated so that it can be
 * an argv, plus small string questions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct strlist {
	char **items; /* owned, as are the strings; items[n] is NULL once anything was added */
	size_t n;
	size_t cap;
};

#define STRLIST_INIT ((struct strlist){0})

void strlist_add(struct strlist *l, const char *s);
void strlist_addn(struct strlist *l, const char *s, size_t len);
/* TAKES @s. */
void strlist_take(struct strlist *l, char *s);
void strlist_printf(struct strlist *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void strlist_addall(struct strlist *l, const struct strlist *more);
void strlist_remove(struct strlist *l, size_t i);
/* Index or -1. */
long strlist_find(const struct strlist *l, const char *s);
void strlist_sort(struct strlist *l);
void strlist_clear(struct strlist *l);
/* Splits at each @sep; empty parts are kept. */
void strlist_split(struct strlist *l, const char *s, char sep);
/* New string, parts joined with @sep. */
char *strlist_join(const struct strlist *l, const char *sep);
/*
 * For lists of NAME=value: value of NAME or NULL (borrowed); set replaces in
 * place (order is kept) or appends.
 */
const char *strlist_env_get(const struct strlist *l, const char *name);
void strlist_env_set(struct strlist *l, const char *name, const char *value);
bool strlist_env_unset(struct strlist *l, const char *name);

static inline void strlist_auto(struct strlist *l)
{
	strlist_clear(l);
}

static inline bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* ASCII only, locale-free. */
bool str_ieq(const char *a, const char *b);
char *str_lower(const char *s);
char *str_upper(const char *s);
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}
