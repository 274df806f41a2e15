/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warn - remarks on legal text, by the rules that need the text only.
 */
#include "dockerfile/dockerfile_parser.h"

#include <ctype.h>

#include "base/mem.h"

#include "base/banned.h"

#define ABOUT(rule_, line_, ...) \
	(&(struct dockerfile_warning){.rule = (rule_), .line = (line_), ##__VA_ARGS__})

void warn(struct parser *p, const struct dockerfile_warning *about, const char *fmt, ...)
{
	AUTO(buf) struct buf text = BUF_INIT;
	struct dockerfile_warning *w;
	va_list ap;

	if (!p->warnings)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	w = vec_push(p->warnings);
	*w = *about;
	w->message = arena_strdup(p->arena, buf_str(&text));
	if (about->mark)
		w->mark = arena_strdup(p->arena, about->mark);
	if (about->fix)
		w->fix = arena_strdup(p->arena, about->fix);
}

/* ------------------------------------------------------------------------ one instruction */

/* Is one of @names a word of @key, between underscores? */
static bool has_part(const char *key, const char *const *names)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;

	strlist_split(&parts, key, '_');
	for (size_t k = 0; k < parts.n; k++)
		for (const char *const *n = names; *n; n++)
			if (str_ieq(parts.items[k], *n))
				return true;
	return false;
}

static bool names_secret(const char *key)
{
	static const char *const secret[] = {"apikey", "auth",	   "credential", "credentials",
					     "key",    "password", "pword",	 "passwd",
					     "secret", "token",	   NULL};
	static const char *const harmless[] = {"public", "file", "version", NULL};

	return has_part(key, secret) && !has_part(key, harmless);
}

static void warn_secrets(struct parser *p, const struct instruction *i)
{
	for (size_t k = 0; k < i->n_pairs; k++)
		if (names_secret(i->pairs[k].key))
			warn(p,
			     ABOUT("SecretsUsedInArgOrEnv", i->line, .mark = i->pairs[k].key,
				   .fix = "use RUN --mount=type=secret"),
			     "%s \"%s\" looks like a secret, and everybody with the image can "
			     "read it",
			     instruction_name(i->kind), i->pairs[k].key);
}

static void warn_user(struct parser *p, const struct instruction *i)
{
	const char *s = i->args[0];

	while (*s && !word_space(*s))
		s++;
	if (*s && *s != '#' && *word_skip_space(s) != '#' && !strpbrk(i->args[0], "\"'$"))
		warn(p,
		     ABOUT("UserExtraWords", i->line, .mark = i->args[0],
			   .fix = "write USER user or USER user:group"),
		     "the user is \"%s\", blanks and all, which nobody is called", i->args[0]);
}

static void warn_description(struct parser *p, const struct instruction *i,
			     const char *const *names, size_t n)
{
	AUTO(free) char *fix = NULL;
	const char *last = NULL;
	size_t len;

	for (size_t k = 0; i->comments && i->comments[k]; k++)
		last = i->comments[k];
	if (!last || !n)
		return;
	len = strcspn(last, " ");
	for (size_t k = 0; k < n; k++)
		if (strlen(names[k]) == len && strncmp(names[k], last, len) == 0)
			return;
	fix = mem_printf("begin it with \"# %s \", or put a line with nothing but # between",
			 n == 1 ? names[0] : "NAME");
	warn(p, ABOUT("InvalidDefinitionDescription", i->line, .mark = names[0], .fix = fix),
	     "the comment above does not begin with the name that %s defines",
	     instruction_name(i->kind));
}

static void warn_arg_description(struct parser *p, const struct instruction *i)
{
	AUTO(free) const char **keys = mem_zalloc((i->n_pairs + 1) * sizeof(*keys));

	for (size_t k = 0; k < i->n_pairs; k++)
		keys[k] = i->pairs[k].key;
	warn_description(p, i, keys, i->n_pairs);
}

void warn_instruction(struct parser *p, const struct instruction *i)
{
	if (i->kind == INSTRUCTION_USER)
		warn_user(p, i);
	else if (i->kind == INSTRUCTION_ARG)
		warn_arg_description(p, i);
	else if (i->kind == INSTRUCTION_MAINTAINER)
		warn(p,
		     ABOUT("MaintainerDeprecated", i->line,
			   .fix = "write LABEL org.opencontainers.image.authors=…"),
		     "MAINTAINER is out of use");
}

/* ------------------------------------------------------------------------ FROM */

static void warn_stage_name(struct parser *p, const struct dockerfile *d, const struct stage *s,
			    const char *written)
{
	if (!str_eq(written, s->name))
		warn(p,
		     ABOUT("StageNameCasing", s->line, .mark = written,
			   .fix = "write it in lower case"),
		     "the stage name \"%s\" has upper case letters", written);
	if (str_eq(s->name, "scratch") || str_eq(s->name, "context"))
		warn(p,
		     ABOUT("ReservedStageName", s->line, .mark = written,
			   .fix = "choose another stage name"),
		     "\"%s\" has a meaning of its own", s->name);
	for (const struct stage *o = d->stages; o < s; o++)
		if (str_eq(o->name, s->name)) {
			warn(p,
			     ABOUT("DuplicateStageName", s->line, .mark = written,
				   .fix = "choose another stage name"),
			     "the stage of line %u is called \"%s\" as well", o->line, s->name);
			break;
		}
}

/* The case of the first @n characters: 'U', 'l' or, mixed, 0. */
static char case_of(const char *s, size_t n)
{
	bool upper = false, lower = false;

	for (size_t k = 0; k < n; k++) {
		upper |= isupper((unsigned char)s[k]) != 0;
		lower |= islower((unsigned char)s[k]) != 0;
	}
	return upper && lower ? 0 : upper ? 'U' : 'l';
}

void warn_from(struct parser *p, const struct dockerfile *d, const struct stage *s)
{
	const struct instruction *i = s->from;
	char from = case_of(i->text, 4);

	if (!s->name)
		return;
	if (from && case_of(i->args[1], 2) != from)
		warn(p,
		     ABOUT("FromAsCasing", s->line, .mark = i->args[1],
			   .fix = from == 'U' ? "write AS" : "write as"),
		     "\"%.4s\" and \"%s\" are not in the same case", i->text, i->args[1]);
	warn_stage_name(p, d, s, i->args[2]);
	warn_description(p, i, &s->name, 1);
}

/* ------------------------------------------------------------------------ stages */

/* What was seen on the way down one stage. */
struct stage_seen {
	const struct instruction *last[INSTRUCTION_KINDS];
};

static void warn_repeated(struct parser *p, const struct instruction *i, struct stage_seen *s)
{
	const struct instruction *earlier = s->last[i->kind];

	if (earlier)
		warn(p,
		     ABOUT("MultipleInstructionsDisallowed", earlier->line,
			   .end_line = earlier->end_line, .fix = "remove one of them"),
		     "%s of line %u replaces this one", instruction_name(i->kind), i->line);
	s->last[i->kind] = i;
}

static void warn_shell_form(struct parser *p, const struct instruction *i)
{
	AUTO(free) char *fix = NULL;

	if (i->form != FORM_SHELL)
		return;
	fix = mem_printf("write %s [\"program\", \"argument\"]", instruction_name(i->kind));
	warn(p, ABOUT("JSONArgsRecommended", i->line, .end_line = i->end_line, .fix = fix),
	     "a shell stands between %s and signals", instruction_name(i->kind));
}

/* @shell: a SHELL was chosen on purpose, here or in the stage that this one is made from. */
static bool warn_stage(struct parser *p, const struct stage *stage, bool shell)
{
	struct stage_seen s = {0};

	for (size_t k = 0; k < stage->instructions.n; k++) {
		const struct instruction *i = stage->instructions.items[k];
		bool command = i->kind == INSTRUCTION_CMD || i->kind == INSTRUCTION_ENTRYPOINT;

		if (command || i->kind == INSTRUCTION_HEALTHCHECK)
			warn_repeated(p, i, &s);
		if (command && !shell)
			warn_shell_form(p, i);
		else if (i->kind == INSTRUCTION_SHELL)
			shell = true;
		else if (i->kind == INSTRUCTION_ENV || i->kind == INSTRUCTION_ARG)
			warn_secrets(p, i);
	}
	return shell;
}

/* ------------------------------------------------------------------------ case */

static void count_case(const struct instruction *i, size_t *upper, size_t *lower)
{
	char c = case_of(i->text, strlen(instruction_name(i->kind)));

	*upper += c == 'U';
	*lower += c == 'l';
}

static void warn_case(struct parser *p, const struct instruction *i, bool upper)
{
	const char *name = instruction_name(i->kind);
	AUTO(free) char *low = str_lower(name);
	AUTO(free) char *written = mem_strndup(i->text, strlen(name));
	AUTO(free) char *fix = mem_printf("write %s", upper ? name : low);

	if (!str_eq(written, upper ? name : low))
		warn(p,
		     ABOUT("ConsistentInstructionCasing", i->line, .end_line = i->end_line,
			   .mark = written, .fix = fix),
		     "most instructions are in %s case, %s is not", upper ? "upper" : "lower",
		     written);
}

static void warn_casing(struct parser *p, const struct dockerfile *d)
{
	size_t up = 0, low = 0;

	for (size_t s = 0; s < d->n_stages; s++) {
		count_case(d->stages[s].from, &up, &low);
		for (size_t k = 0; k < d->stages[s].instructions.n; k++)
			count_case(d->stages[s].instructions.items[k], &up, &low);
	}
	for (size_t s = 0; s < d->n_stages; s++) {
		warn_case(p, d->stages[s].from, up >= low);
		for (size_t k = 0; k < d->stages[s].instructions.n; k++)
			warn_case(p, d->stages[s].instructions.items[k], up >= low);
	}
}

/* ------------------------------------------------------------------------ the whole tree */

static void warn_stages(struct parser *p, const struct dockerfile *d)
{
	AUTO(free) bool *shell = mem_zalloc(d->n_stages * sizeof(*shell));

	for (size_t s = 0; s < d->n_stages; s++) {
		for (size_t o = 0; o < s; o++)
			if (d->stages[o].name && str_ieq(d->stages[o].name, d->stages[s].base))
				shell[s] = shell[o];
		shell[s] = warn_stage(p, &d->stages[s], shell[s]);
		warn_commands(p, &d->stages[s]);
	}
}

struct lines {
	const struct instruction **items; /* in the order of the text */
	size_t n;
	size_t cap;
};

static void add_lines(struct lines *out, const struct instruction_list *l)
{
	for (size_t k = 0; k < l->n; k++)
		*vec_push(out) = l->items[k];
}

static int compare_line(const void *line, const void *item)
{
	const struct instruction *i = *(const struct instruction *const *)item;
	unsigned n = *(const unsigned *)line;

	return (n > i->line) - (n < i->line);
}

static void add_ends(const struct dockerfile *d, struct dockerfile_warning *items, size_t n)
{
	struct lines all = {0};

	add_lines(&all, &d->globals);
	for (size_t s = 0; s < d->n_stages; s++) {
		*vec_push(&all) = d->stages[s].from;
		add_lines(&all, &d->stages[s].instructions);
	}
	for (size_t k = 0; k < n; k++) {
		const struct instruction **i = all.n ? bsearch(&items[k].line, all.items, all.n,
							       sizeof(*all.items), compare_line)
						     : NULL;

		if (!items[k].end_line)
			items[k].end_line = i ? (*i)->end_line : items[k].line;
	}
	free(all.items);
}

void warn_tree(struct parser *p, struct dockerfile *d)
{
	warn_stages(p, d);
	warn_casing(p, d);
}

void warn_end(struct parser *p, struct dockerfile *d)
{
	struct warning_list *l = p->warnings;
	struct dockerfile_warning *kept;

	kept = arena_alloc(p->arena, (l->n + 1) * sizeof(*kept));
	if (l->n)
		memcpy(kept, l->items, l->n * sizeof(*kept));
	add_ends(d, kept, l->n);
	check_arrange(p->begin, (size_t)(p->end - p->begin), kept, l->n);
	d->warnings = kept;
	d->n_warnings = l->n;
}
