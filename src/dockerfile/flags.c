/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flags - "--name=value" between an instruction's word and its arguments.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/mem.h"

#include "base/banned.h"

enum flag_type {
	FLAG_TEXT,
	FLAG_SWITCH,
	FLAG_LIST, /* may be given several times */
};

struct flag_rule {
	const char *name;
	enum flag_type type;
};

#define MAX_FLAGS 9

static const struct flag_rule rules[INSTRUCTION_KINDS][MAX_FLAGS] = {
	[INSTRUCTION_FROM] = {{"platform", FLAG_TEXT}},
	[INSTRUCTION_RUN] = {{"mount", FLAG_LIST},
			     {"network", FLAG_TEXT},
			     {"security", FLAG_TEXT}},
	[INSTRUCTION_COPY] = {{"from", FLAG_TEXT},
			      {"chown", FLAG_TEXT},
			      {"chmod", FLAG_TEXT},
			      {"link", FLAG_SWITCH},
			      {"parents", FLAG_SWITCH},
			      {"exclude", FLAG_LIST}},
	[INSTRUCTION_ADD] = {{"chown", FLAG_TEXT},
			     {"chmod", FLAG_TEXT},
			     {"link", FLAG_SWITCH},
			     {"checksum", FLAG_TEXT},
			     {"keep-git-dir", FLAG_SWITCH},
			     {"unpack", FLAG_SWITCH},
			     {"exclude", FLAG_LIST}},
	[INSTRUCTION_HEALTHCHECK] = {{"interval", FLAG_TEXT},
				     {"timeout", FLAG_TEXT},
				     {"start-period", FLAG_TEXT},
				     {"start-interval", FLAG_TEXT},
				     {"retries", FLAG_TEXT}},
};

struct flag_list {
	struct instruction_flag *items; /* strings belong to the arena */
	size_t n;
	size_t cap;
};

static void flag_list_auto(struct flag_list *l)
{
	free(l->items);
}

static const struct flag_rule *find_rule(enum instruction_kind kind, const char *name)
{
	for (const struct flag_rule *r = rules[kind]; r < rules[kind] + MAX_FLAGS; r++)
		if (r->name && str_eq(r->name, name))
			return r;
	return NULL;
}

static int unknown_flag(struct parser *p, enum instruction_kind kind, unsigned line,
			const char *name, struct error *err)
{
	const char *known[MAX_FLAGS + 1] = {NULL};
	const char *near;

	for (size_t k = 0; k < MAX_FLAGS && rules[kind][k].name; k++)
		known[k] = rules[kind][k].name;
	near = nearest_name(name, known);
	if (near)
		return parser_fail(p, line, err, "unknown flag: --%s (did you mean --%s?)",
				   name, near);
	return parser_fail(
		p, line, err, "unknown flag: --%s (%s has %s%s)", name, instruction_name(kind),
		known[0] ? "other flags, e.g. --" : "no flags", known[0] ? known[0] : "");
}

static int check_switch(struct parser *p, unsigned line, struct instruction_flag *f,
			struct error *err)
{
	if (!f->value || str_ieq(f->value, "true"))
		f->value = "true";
	else if (str_ieq(f->value, "false"))
		f->value = "false";
	else if (!*f->value)
		return parser_fail(p, line, err, "missing a value on flag: --%s", f->name);
	else
		return parser_fail(p, line, err,
				   "expecting true or false for flag --%s, not: %s", f->name,
				   f->value);
	return 0;
}

/* @word is "--name" or "--name=value". */
static int add_flag(struct parser *p, enum instruction_kind kind, unsigned line, char *word,
		    struct flag_list *l, struct error *err)
{
	char *eq = strchr(word, '=');
	const struct flag_rule *r;
	struct instruction_flag f;

	if (eq)
		*eq = 0;
	r = find_rule(kind, word + 2);
	if (!r)
		return unknown_flag(p, kind, line, word + 2, err);
	for (size_t k = 0; k < l->n; k++)
		if (r->type != FLAG_LIST && str_eq(l->items[k].name, r->name))
			return parser_fail(p, line, err, "duplicate flag specified: --%s",
					   r->name);
	f.name = r->name;
	f.value = eq ? arena_strdup(p->arena, eq + 1) : NULL;
	if (r->type == FLAG_SWITCH) {
		if (check_switch(p, line, &f, err) < 0)
			return -ERR_INVALID;
	} else if (!eq) {
		return parser_fail(p, line, err, "missing a value on flag: --%s (write --%s=…)",
				   r->name, r->name);
	}
	*vec_push(l) = f;
	return 0;
}

/* Takes one word off *at with its quotes and escapes; false when it is not a flag. */
static bool next_flag(char escape, char **at, struct buf *word)
{
	char *s = word_skip_space(*at);
	char quote = 0;

	*at = s;
	buf_reset(word);
	if (s[0] != '-' || s[1] != '-')
		return false;
	for (; *s && (quote || !word_space(*s)); s++) {
		if (!quote && (*s == '\'' || *s == '"')) {
			quote = *s;
		} else if (quote && *s == quote) {
			quote = 0;
		} else if (*s == escape) {
			if (!s[1])
				continue;
			buf_addch(word, *++s);
		} else {
			buf_addch(word, *s);
		}
	}
	*at = s;
	return true;
}

/* The value is one of @known (NULL-terminated), none of which is ever expanded. */
static int check_choice(struct parser *p, unsigned line, const struct instruction_flag *f,
			const char *const *known, struct error *err)
{
	AUTO(buf) struct buf list = BUF_INIT;

	for (size_t k = 0; known[k]; k++) {
		if (str_eq(known[k], f->value))
			return 0;
		buf_printf(&list, "%s%s", k ? ", " : "", known[k]);
	}
	parser_fail(p, line, err, "invalid value for --%s: \"%s\"", f->name, f->value);
	error_hint(err, "it is one of %s", buf_str(&list));
	return -ERR_INVALID;
}

/* What RUN's flags say, as far as that can be known before expansion. */
static int check_run_flag(struct parser *p, unsigned line, const struct instruction_flag *f,
			  struct error *err)
{
	static const char *const networks[] = {"default", "none", "host", NULL};
	static const char *const securities[] = {"sandbox", "insecure", NULL};
	int r = 0;

	if (str_eq(f->name, "network"))
		return check_choice(p, line, f, networks, err);
	if (str_eq(f->name, "security"))
		return check_choice(p, line, f, securities, err);
	if (str_eq(f->name, "mount") &&
	    (r = dockerfile_parse_mount(f->value, NULL, NULL, err)) < 0)
		error_at(err, p->name, line, 0);
	return r;
}

/* Docker drops whatever looks like a flag here, without a look at it. */
static bool ignores_flags(enum instruction_kind kind, const char *rest)
{
	return kind == INSTRUCTION_STOPSIGNAL || kind == INSTRUCTION_ARG ||
	       (kind == INSTRUCTION_HEALTHCHECK && strncasecmp(rest, "NONE", 4) == 0 &&
		(!rest[4] || word_space(rest[4])));
}

static int add_flags(struct parser *p, enum instruction_kind kind, unsigned line,
		     const struct strlist *words, struct flag_list *l, struct error *err)
{
	for (size_t k = 0; k < words->n; k++)
		if (add_flag(p, kind, line, words->items[k], l, err) < 0)
			return -ERR_INVALID;
	for (size_t k = 0; kind == INSTRUCTION_RUN && k < l->n; k++)
		if (check_run_flag(p, line, &l->items[k], err) < 0)
			return -ERR_INVALID;
	return 0;
}

char *flags_skip(char escape, char *rest)
{
	AUTO(buf) struct buf word = BUF_INIT;

	while (next_flag(escape, &rest, &word) && !str_eq(word.data, "--"))
		;
	return word_skip_space(rest);
}

int flags_parse(struct parser *p, enum instruction_kind kind, unsigned line, char **rest,
		struct instruction *i, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	AUTO(flag_list) struct flag_list l = {0};
	AUTO(buf) struct buf word = BUF_INIT;
	struct instruction_flag *kept;

	while (next_flag(p->escape, rest, &word) && !str_eq(word.data, "--"))
		strlist_addn(&words, buf_str(&word), word.len);
	*rest = word_skip_space(*rest);
	if (!ignores_flags(kind, *rest) && add_flags(p, kind, line, &words, &l, err) < 0)
		return -ERR_INVALID;
	kept = arena_alloc(p->arena, (l.n + 1) * sizeof(*kept));
	if (l.n)
		memcpy(kept, l.items, l.n * sizeof(*kept));
	i->flags = kept;
	i->n_flags = l.n;
	return 0;
}

const char *instruction_flag(const struct instruction *i, const char *name)
{
	const char *value = NULL;

	for (size_t k = 0; k < i->n_flags; k++)
		if (str_eq(i->flags[k].name, name))
			value = i->flags[k].value;
	return value;
}

bool instruction_switch(const struct instruction *i, const char *name)
{
	return str_eq(instruction_flag(i, name), "true");
}

void instruction_flag_all(const struct instruction *i, const char *name, struct strlist *out)
{
	for (size_t k = 0; k < i->n_flags; k++)
		if (str_eq(i->flags[k].name, name))
			strlist_add(out, i->flags[k].value);
}
