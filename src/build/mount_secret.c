/* SPDX-License-Identifier: Apache-2.0 */
/* --secret: what was said about one, and its value, which no other file touches. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "build/mount.h"

#include "base/banned.h"

static int take_field(const char *field, struct build_secret *s, char **type, struct error *err)
{
	const char *eq = strchr(field, '=');
	AUTO(free) char *written = eq ? mem_strndup(field, (size_t)(eq - field)) : NULL;
	AUTO(free) char *key = eq ? str_lower(written) : NULL;
	char **to = NULL;

	if (!eq)
		return error_set(err, ERR_INVALID,
				 "invalid field '%s' must be a key=value pair", field);
	if (str_eq(key, "type"))
		to = type;
	else if (str_eq(key, "id"))
		to = &s->id;
	else if (str_eq(key, "src") || str_eq(key, "source"))
		to = &s->file;
	else if (str_eq(key, "env"))
		to = &s->env;
	if (!to)
		return error_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
	if (to == type && !str_eq(eq + 1, "file") && !str_eq(eq + 1, "env"))
		return error_set(err, ERR_INVALID, "unsupported secret type \"%s\"", eq + 1);
	free(*to);
	*to = mem_strdup(eq + 1);
	return 0;
}

/* buildx's ways to leave things out: type=env,src=NAME; and only an id. */
static void complete(struct build_secret *s, const char *type)
{
	if (str_eq(type, "env") && !s->env && s->file) {
		s->env = take_ptr(s->file);
		return;
	}
	if (s->file || s->env)
		return;
	if (!str_eq(type, "file") && getenv(s->id))
		s->env = mem_strdup(s->id);
	else
		s->file = mem_strdup(s->id);
}

static int check_file(const struct build_secret *s, struct error *err)
{
	struct stat st;

	if (s->env)
		return 0;
	if (stat(s->file, &st) < 0)
		return error_sys(err, "failed to stat %s", s->file);
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return error_set(err, ERR_INVALID, "secret %s: %s is not a file", s->id,
				 s->file);
	if (st.st_size > (off_t)LIMIT_SECRET_BYTES)
		return error_set(err, ERR_LIMIT,
				 "invalid secret %s: it is larger than %u bytes", s->id,
				 LIMIT_SECRET_BYTES);
	return 0;
}

int build_secret_parse(const char *text, struct build_secret_list *l, struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT;
	AUTO(free) char *type = NULL;
	struct build_secret *s = vec_push(l);
	int r = csv_split(text, &fields, NULL, err);

	for (size_t i = 0; r == 0 && i < fields.n; i++)
		r = take_field(fields.items[i], s, &type, err);
	if (r < 0)
		return r;
	if (str_empty(s->id))
		return error_set(err, ERR_INVALID, "secret missing ID");
	complete(s, type);
	return check_file(s, err);
}

void build_secrets_clear(struct build_secret_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].id);
		free(l->items[i].file);
		free(l->items[i].env);
	}
	free(l->items);
	*l = (struct build_secret_list){0};
}

static int read_secret(const struct build_secret *s, struct buf *out, struct error *err)
{
	const char *value = s->env ? getenv(s->env) : NULL;
	AUTO(fd) int fd = -1;
	int r;

	if (s->env && !value)
		return error_set(err, ERR_NOT_FOUND, "secret %s: not found", s->id);
	if (value) {
		if (strlen(value) > LIMIT_SECRET_BYTES)
			return error_set(err, ERR_LIMIT, "secret %s is larger than %u bytes",
					 s->id, LIMIT_SECRET_BYTES);
		buf_addstr(out, value);
		return 0;
	}
	fd = open(s->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "secret %s: %s", s->id, s->file);
	r = io_read_all(fd, LIMIT_SECRET_BYTES, out, err);
	return r < 0 ? error_wrap(err, "secret %s", s->id) : 0;
}

int secret_read(const struct build_options *o, const char *id, struct buf *out,
		struct error *err)
{
	/* the last one of that id counts */
	for (size_t i = o->secrets ? o->secrets->n : 0; i-- > 0;)
		if (str_eq(o->secrets->items[i].id, id))
			return read_secret(&o->secrets->items[i], out, err);
	error_set(err, ERR_NOT_FOUND, "secret %s: not found", id);
	error_hint(err, "give it with --secret id=%s,src=FILE or --secret id=%s,env=NAME", id,
		   id);
	return -ERR_NOT_FOUND;
}

bool secret_reread(const struct build_options *o, const char *id, struct buf *out)
{
	for (size_t i = o->secrets ? o->secrets->n : 0; i-- > 0;) {
		const struct build_secret *s = &o->secrets->items[i];
		struct stat st;

		if (!str_eq(s->id, id))
			continue;
		if (!s->env && (stat(s->file, &st) < 0 || !S_ISREG(st.st_mode)))
			return false;
		return read_secret(s, out, NULL) == 0;
	}
	return true; /* it was not required, and there is none */
}
