/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount - the value of RUN --mount.
 *
 * A list of key=value: split first, then each value is expanded by itself,
 * so that a comma in a variable's value is no separator.  Keys are taken in
 * their order: "required" and "size" look at the type that came before them.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/csv.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

struct mount_parser {
	const struct expansion *x; /* NULL: before expansion, only what shows already */
	struct run_mount *m;
	bool access_given; /* readonly or readwrite */
	bool sharing_given;
	const char *field; /* at work, as written */
};

static const char *const types[] = {
	[RUN_MOUNT_BIND] = "bind",     [RUN_MOUNT_CACHE] = "cache", [RUN_MOUNT_TMPFS] = "tmpfs",
	[RUN_MOUNT_SECRET] = "secret", [RUN_MOUNT_SSH] = "ssh",	    NULL};

static const char *const sharings[] = {
	[RUN_MOUNT_SHARED] = "shared",
	[RUN_MOUNT_PRIVATE] = "private",
	[RUN_MOUNT_LOCKED] = "locked",
	NULL,
};

const char *run_mount_type_name(enum run_mount_type type)
{
	return types[type];
}

void run_mount_clear(struct run_mount *m)
{
	free(m->from);
	free(m->source);
	free(m->target);
	free(m->id);
	free(m->env);
	*m = RUN_MOUNT_INIT;
}

static int invalid(const char *text, const char *const *known, struct error *err,
		   const char *what)
{
	AUTO(buf) struct buf list = BUF_INIT;
	const char *near = nearest_name(text, known);

	if (near)
		return error_set(err, ERR_INVALID, "unsupported %s \"%s\" (did you mean %s?)",
				 what, text, near);
	for (; *known; known++)
		buf_printf(&list, "%s%s", list.len ? ", " : "", *known);
	error_set(err, ERR_INVALID, "unsupported %s \"%s\"", what, text);
	error_hint(err, "it is one of %s", buf_str(&list));
	return -ERR_INVALID;
}

/* Index in @known, any case. */
static int choose(const char *text, const char *const *known, const char *what, int *out,
		  struct error *err)
{
	for (int k = 0; known[k]; k++)
		if (str_ieq(known[k], text)) {
			*out = k;
			return 0;
		}
	return invalid(text, known, err, what);
}

typedef int take_fn(struct mount_parser *p, const char *key, char *value, struct error *err);

static int bad_value(const char *key, const char *value, const char *wanted, struct error *err)
{
	error_set(err, ERR_INVALID, "invalid value for %s: %s", key, value);
	error_hint(err, "it takes %s", wanted);
	return -ERR_INVALID;
}

static int wrong_type(struct mount_parser *p, const char *key, const char *wanted,
		      struct error *err)
{
	error_set(err, ERR_INVALID, "unexpected key '%s' for mount type '%s'", key,
		  types[p->m->type]);
	error_hint(err, "%s belongs to %s, and stands behind type=", key, wanted);
	return -ERR_INVALID;
}

static int take_type(struct mount_parser *p, const char *key, char *value, struct error *err)
{
	int type, r = choose(value, types, "mount type", &type, err);

	(void)key;
	if (r == 0)
		p->m->type = (enum run_mount_type)type;
	return r;
}

static void replace(char **slot, const char *value)
{
	free(*slot);
	*slot = mem_strdup(value);
}

static int take_text(struct mount_parser *p, const char *key, char *value, struct error *err)
{
	struct run_mount *m = p->m;

	(void)err;
	replace(str_eq(key, "from")			      ? &m->from
		: str_eq(key, "id")			      ? &m->id
		: str_eq(key, "env")			      ? &m->env
		: str_eq(key, "source") || str_eq(key, "src") ? &m->source
							      : &m->target,
		value);
	return 0;
}

static int take_access(struct mount_parser *p, const char *key, char *value, struct error *err)
{
	bool on;

	if (!parse_bool(value, &on))
		return bad_value(key, value, "true or false", err);
	p->m->readonly = str_eq(key, "readonly") || str_eq(key, "ro") ? on : !on;
	p->access_given = true;
	return 0;
}

static int take_required(struct mount_parser *p, const char *key, char *value,
			 struct error *err)
{
	if (p->m->type != RUN_MOUNT_SECRET && p->m->type != RUN_MOUNT_SSH)
		return wrong_type(p, key, "type=secret and type=ssh", err);
	if (!parse_bool(value, &p->m->required))
		return bad_value(key, value, "true or false", err);
	return 0;
}

static int take_size(struct mount_parser *p, const char *key, char *value, struct error *err)
{
	if (p->m->type != RUN_MOUNT_TMPFS)
		return wrong_type(p, key, "type=tmpfs", err);
	if (!parse_bytes(value, &p->m->size) || p->m->size > INT64_MAX)
		return bad_value(key, value, "bytes, or a size such as 64m", err);
	return 0;
}

static int take_sharing(struct mount_parser *p, const char *key, char *value, struct error *err)
{
	int sharing, r = choose(value, sharings, "sharing value", &sharing, err);

	(void)key;
	if (r < 0)
		return r;
	p->m->sharing = (enum run_mount_sharing)sharing;
	p->sharing_given = true;
	return 0;
}

static int take_number(struct mount_parser *p, const char *key, char *value, struct error *err)
{
	struct run_mount *m = p->m;
	bool is_mode = str_eq(key, "mode");
	uint64_t n;

	if (is_mode ? !parse_octal(value, UINT32_MAX, &n) : !parse_u64(value, UINT32_MAX, &n)) {
		error_set(err, ERR_INVALID, "invalid value %s for %s", value, key);
		error_hint(err, "it takes %s",
			   is_mode ? "an octal number such as 0400" : "a number from 0 on");
		return -ERR_INVALID;
	}
	if (is_mode) {
		m->has_mode = true;
		m->mode = (uint32_t)n;
	} else if (str_eq(key, "uid")) {
		m->has_uid = true;
		m->uid = (uint32_t)n;
	} else {
		m->has_gid = true;
		m->gid = (uint32_t)n;
	}
	return 0;
}

static const struct {
	const char *key;
	take_fn *take;
	const char *alone; /* what the key without "=" means, NULL: it needs a value */
} keys[] = {
	{"type", take_type, NULL},	   {"from", take_text, NULL},
	{"source", take_text, NULL},	   {"target", take_text, NULL},
	{"readonly", take_access, "true"}, {"id", take_text, NULL},
	{"sharing", take_sharing, NULL},   {"required", take_required, "true"},
	{"size", take_size, NULL},	   {"mode", take_number, NULL},
	{"uid", take_number, NULL},	   {"gid", take_number, NULL},
	{"src", take_text, NULL},	   {"dst", take_text, NULL},
	{"destination", take_text, NULL},  {"ro", take_access, "true"},
	{"rw", take_access, "true"},	   {"readwrite", take_access, "true"},
	{"env", take_text, NULL},
};

static int unknown_key(const char *key, const char *field, struct error *err)
{
	const char *known[ARRAY_SIZE(keys) + 1] = {NULL};
	const char *near;

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		known[k] = keys[k].key;
	near = nearest_name(key, known);
	if (near)
		return error_set(err, ERR_INVALID,
				 "unexpected key '%s' in '%s' (did you mean %s?)", key, field,
				 near);
	return error_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
}

/* Before expansion all that can be said is that no variable may choose a stage. */
static int check_from(const char *key, const char *value, struct error *err)
{
	const char *dollar = value ? strchr(value, '$') : NULL;

	if (!str_eq(key, "from") || !dollar || !dollar[1])
		return 0;
	error_set(err, ERR_INVALID, "'from' doesn't support variable expansion");
	error_hint(err, "name a stage instead: FROM %s AS name, then from=name", value);
	return -ERR_INVALID;
}

static int take_field(struct mount_parser *p, const char *field, struct error *err)
{
	const char *eq = strchr(field, '=');
	AUTO(free)
	char *written = mem_strndup(field, eq ? (size_t)(eq - field) : strlen(field));
	AUTO(free) char *key = str_lower(written);
	AUTO(buf) struct buf value = BUF_INIT;
	int r;

	if (!p->x)
		return check_from(key, eq ? eq + 1 : NULL, err);
	if (eq && (r = dockerfile_expand(eq + 1, EXPAND_WORD, p->x, &value, err)) < 0)
		return r;
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		if (!str_eq(keys[k].key, key))
			continue;
		if (!eq && keys[k].alone)
			buf_addstr(&value, keys[k].alone);
		else if (!eq)
			break;
		buf_addch(&value, 0);
		return keys[k].take(p, key, value.data, err);
	}
	if (!eq)
		return error_set(err, ERR_INVALID,
				 "invalid field '%s' must be a key=value pair", field);
	return unknown_key(key, field, err);
}

static int check_secret(const struct mount_parser *p, struct error *err)
{
	const struct run_mount *m = p->m;

	if (!str_empty(m->from))
		return error_set(err, ERR_INVALID, "secret mount should not have a from");
	if (p->sharing_given)
		return error_set(err, ERR_INVALID, "secret mount should not define sharing");
	if (str_empty(m->source) && str_empty(m->target) && str_empty(m->id)) {
		error_set(err, ERR_INVALID,
			  "invalid secret mount. one of source, target required");
		error_hint(err, "write for example --mount=type=secret,id=NAME");
		return -ERR_INVALID;
	}
	if (!str_empty(m->source) && !str_empty(m->id))
		return error_set(err, ERR_INVALID, "both source and id can't be set");
	return 0;
}

static int check_whole(const struct mount_parser *p, struct error *err)
{
	const struct run_mount *m = p->m;
	bool owned = m->type == RUN_MOUNT_SECRET || m->type == RUN_MOUNT_SSH ||
		     m->type == RUN_MOUNT_CACHE;
	const char *given = m->has_mode	 ? "mode"
			    : m->has_uid ? "uid"
			    : m->has_gid ? "gid"
					 : NULL;
	int r;

	if (!owned && given)
		return error_set(err, ERR_INVALID, "%s not allowed for \"%s\" type mounts",
				 given, types[m->type]);
	if (m->type == RUN_MOUNT_SECRET && (r = check_secret(p, err)) < 0)
		return r;
	if (p->sharing_given && m->type != RUN_MOUNT_CACHE)
		return error_set(err, ERR_INVALID, "invalid cache sharing set for %s mount",
				 types[m->type]);
	if (m->type == RUN_MOUNT_SSH && !str_empty(m->source))
		return error_set(err, ERR_INVALID, "ssh does not support source");
	return 0;
}

int dockerfile_parse_mount(const char *value, const struct expansion *x, struct run_mount *out,
			   struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT;
	AUTO(run_mount) struct run_mount m = RUN_MOUNT_INIT;
	struct mount_parser p = {.x = x, .m = &m};
	int r = csv_split(value, &fields, NULL, err);

	for (size_t k = 0; r == 0 && k < fields.n; k++)
		r = take_field(&p, fields.items[k], err);
	if (r == 0 && x) {
		if (!p.access_given)
			m.readonly = m.type != RUN_MOUNT_CACHE && m.type != RUN_MOUNT_TMPFS;
		r = check_whole(&p, err);
	}
	if (r < 0) {
		error_wrap(err, "--mount=%.200s", value);
		return r;
	}
	if (x && out) {
		*out = m;
		m = RUN_MOUNT_INIT;
	}
	return 0;
}
