/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry_headers.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

/* One NAME=VALUE or NAME="VALUE" behind any of @before; false at the end of the list. */
static bool read_parameter(const char **at, const char *before, char **out_name,
			   char **out_value)
{
	struct buf value = BUF_INIT;
	const char *p = *at;
	size_t n;

	p += strspn(p, before);
	n = strcspn(p, "=,; \t\n");
	/* a word alone is the next scheme, or its token */
	if (!n || p[n] != '=')
		return false;
	*out_name = mem_strndup(p, n);
	p += n + 1;
	if (*p == '"') {
		for (p++; *p && *p != '"'; p++) {
			if (*p == '\\' && p[1])
				p++;
			buf_addch(&value, *p);
		}
		p += *p == '"';
	} else {
		n = strcspn(p, ",; \t\n");
		buf_add(&value, p, n);
		p += n;
	}
	*out_value = buf_steal(&value);
	*at = p;
	return true;
}

/* ---- challenges ---- */

/* The parameters of one challenge; those of Bearer are wanted. */
static const char *read_parameters(const char *at, bool bearer, struct challenge *out)
{
	char *name, *value;

	while (read_parameter(&at, " ,\t", &name, &value)) {
		char **to = !bearer		       ? NULL
			    : str_ieq(name, "realm")   ? &out->realm
			    : str_ieq(name, "service") ? &out->service
						       : NULL;

		if (to && !*to)
			*to = take_ptr(value);
		free(name);
		free(value);
	}
	return at;
}

void challenge_read(const char *at, struct challenge *out)
{
	*out = (struct challenge){0};
	for (at += strspn(at, " ,\t\n"); *at; at += strspn(at, " ,\t\n")) {
		size_t n = strcspn(at, " ,\t\n");
		AUTO(free) char *scheme = mem_strndup(at, n);

		out->basic |= str_ieq(scheme, "basic");
		at = read_parameters(at + n, str_ieq(scheme, "bearer"), out);
	}
}

void challenge_clear(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	*c = (struct challenge){0};
}

/* ---- links ---- */

/* "next", or several words with that among them. */
static bool has_next(const char *words)
{
	while (*(words += strspn(words, " "))) {
		const size_t n = strcspn(words, " ");

		if (n == 4 && !strncasecmp(words, "next", n))
			return true;
		words += n;
	}
	return false;
}

bool link_next(const char *at, const char **out, size_t *out_len)
{
	for (const char *end; *(at += strspn(at, " ,\t\n")) == '<'; at += strcspn(at, ",\n")) {
		const char *target = at + 1;
		char *name, *value;
		bool found = false;

		if (!(end = strchr(target, '>')))
			return false;
		for (at = end + 1; read_parameter(&at, " ;\t", &name, &value);) {
			found |= str_ieq(name, "rel") && has_next(value);
			free(name);
			free(value);
		}
		if (!found)
			continue;
		*out = target;
		*out_len = (size_t)(end - target);
		return true;
	}
	return false;
}
