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

/* A word that looks like a flag, without its quotes, and where it stands. */
struct flag_word {
	char *text;
	const char *at;
};

struct flag_words {
	struct flag_word *items;
	size_t n;
	size_t cap;
};

static void flag_words_auto(struct flag_words *l)
{
	for (size_t k = 0; k < l->n; k++)
		free(l->items[k].text);
	free(l->items);
}

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

static int unknown_flag(struct parser *p, const struct instruction *i, const char *at,
			const char *name, struct error *err)
{
	const char *known[MAX_FLAGS + 1] = {NULL};
	enum instruction_kind kind = i->kind;
	const char *near;

	for (size_t k = 0; k < MAX_FLAGS && rules[kind][k].name; k++)
		known[k] = rules[kind][k].name;
	near = nearest_name(name, known);
	if (near)
		return parser_fail_in(p, i, at, err, "unknown flag: --%s (did you mean --%s?)",
				      name, near);
	return parser_fail_in(
		p, i, at, err, "unknown flag: --%s (%s has %s%s)", name, instruction_name(kind),
		known[0] ? "other flags, e.g. --" : "no flags", known[0] ? known[0] : "");
}

static int check_switch(struct parser *p, const struct instruction *i, const char *at,
			struct instruction_flag *f, struct error *err)
{
	if (!f->value || str_ieq(f->value, "true"))
		f->value = "true";
	else if (str_ieq(f->value, "false"))
		f->value = "false";
	else if (!*f->value)
		return parser_fail_in(p, i, at, err, "missing a value on flag: --%s", f->name);
	else
		return parser_fail_in(p, i, at, err,
				      "expecting true or false for flag --%s, not: %s", f->name,
				      f->value);
	return 0;
}

/* @word is "--name" or "--name=value". */
static int add_flag(struct parser *p, const struct instruction *i, struct flag_word *w,
		    struct flag_list *l, struct error *err)
{
	char *word = w->text, *eq = strchr(word, '=');
	const char *at = w->at;
	const struct flag_rule *r;
	struct instruction_flag f;

	if (eq)
		*eq = 0;
	r = find_rule(i->kind, word + 2);
	if (!r)
		return unknown_flag(p, i, at, word + 2, err);
	for (size_t k = 0; k < l->n; k++)
		if (r->type != FLAG_LIST && str_eq(l->items[k].name, r->name))
			return parser_fail_in(p, i, at, err, "duplicate flag specified: --%s",
					      r->name);
	f.name = r->name;
	f.value = eq ? arena_strdup(p->arena, eq + 1) : NULL;
	if (r->type == FLAG_SWITCH) {
		if (check_switch(p, i, at, &f, err) < 0)
			return -ERR_INVALID;
	} else if (!eq) {
		return parser_fail_in(p, i, at, err,
				      "missing a value on flag: --%s (write --%s=…)", r->name,
				      r->name);
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
static int check_choice(struct parser *p, const struct instruction *i, const char *at,
			const struct instruction_flag *f, const char *const *known,
			struct error *err)
{
	AUTO(buf) struct buf list = BUF_INIT;

	for (size_t k = 0; known[k]; k++) {
		if (str_eq(known[k], f->value))
			return 0;
		buf_printf(&list, "%s%s", k ? ", " : "", known[k]);
	}
	parser_fail_in(p, i, at, err, "invalid value for --%s: \"%s\"", f->name, f->value);
	error_hint(err, "it is one of %s", buf_str(&list));
	return -ERR_INVALID;
}

/* What RUN's flags say, as far as that can be known before expansion. */
static int check_run_flag(struct parser *p, const struct instruction *i, const char *at,
			  const struct instruction_flag *f, struct error *err)
{
	static const char *const networks[] = {"default", "none", "host", NULL};
	static const char *const securities[] = {"sandbox", "insecure", NULL};
	int r = 0;

	if (str_eq(f->name, "network"))
		return check_choice(p, i, at, f, networks, err);
	if (str_eq(f->name, "security"))
		return check_choice(p, i, at, f, securities, err);
	if (str_eq(f->name, "mount") &&
	    (r = dockerfile_parse_mount(f->value, NULL, NULL, err)) < 0) {
		unsigned line, column;

		instruction_place(i, (size_t)(at - i->text), &line, &column);
		error_at(err, p->name, line, column);
	}
	return r;
}

/* Docker drops whatever looks like a flag here, without a look at it. */
static bool ignores_flags(enum instruction_kind kind, const char *rest)
{
	return kind == INSTRUCTION_STOPSIGNAL || kind == INSTRUCTION_ARG ||
	       (kind == INSTRUCTION_HEALTHCHECK && strncasecmp(rest, "NONE", 4) == 0 &&
		(!rest[4] || word_space(rest[4])));
}

/* --from is no word: what would change by expansion is refused. */
static int check_from(struct parser *p, const struct instruction *i, const char *at,
		      const struct instruction_flag *f, struct error *err)
{
	AUTO(buf) struct buf value = BUF_INIT;

	if (!str_eq(f->name, "from") ||
	    (expand_nothing(f->value, p->escape, &value) && str_eq(buf_str(&value), f->value)))
		return 0;
	parser_fail_in(p, i, at, err, "variable expansion is not supported for --from");
	error_hint(err, "define a new stage with FROM, which takes ARGs from above the first "
			"stage, and copy from that");
	return -ERR_INVALID;
}

static int add_flags(struct parser *p, const struct instruction *i,
		     const struct flag_words *words, struct flag_list *l, struct error *err)
{
	for (size_t k = 0; k < words->n; k++) {
		struct flag_word *w = &words->items[k];

		if (add_flag(p, i, w, l, err) < 0 ||
		    (i->kind == INSTRUCTION_RUN &&
		     check_run_flag(p, i, w->at, &l->items[l->n - 1], err) < 0) ||
		    (i->kind == INSTRUCTION_COPY &&
		     check_from(p, i, w->at, &l->items[l->n - 1], err) < 0))
			return -ERR_INVALID;
	}
	return 0;
}

char *flags_skip(char escape, char *rest)
{
	AUTO(buf) struct buf word = BUF_INIT;

	while (next_flag(escape, &rest, &word) && !str_eq(word.data, "--"))
		;
	return word_skip_space(rest);
}

int flags_parse(struct parser *p, char **rest, struct instruction *i, struct error *err)
{
	AUTO(flag_words) struct flag_words words = {0};
	AUTO(flag_list) struct flag_list l = {0};
	AUTO(buf) struct buf word = BUF_INIT;
	struct instruction_flag *kept;

	for (;;) {
		const char *at = word_skip_space(*rest);

		if (!next_flag(p->escape, rest, &word) || str_eq(word.data, "--"))
			break;
		*vec_push(&words) = (struct flag_word){mem_strdup(buf_str(&word)), at};
	}
	*rest = word_skip_space(*rest);
	if (!ignores_flags(i->kind, *rest) && add_flags(p, i, &words, &l, err) < 0)
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
