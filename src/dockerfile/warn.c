/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warn - remarks on legal text, by the rules of Docker's build checks
 * (https://docs.docker.com/reference/build-checks/) that need the text only.
 */
#include "dockerfile/dockerfile_parser.h"

#include <ctype.h>

#include "base/mem.h"

#include "base/banned.h"

void warn(struct parser *p, const char *rule, unsigned line, const char *fmt, ...)
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
	w->rule = rule;
	w->line = line;
	w->message = arena_strdup(p->arena, buf_str(&text));
}

/* ------------------------------------------------------------------------ one instruction */

/* Does @key have, between underscores, a word that secrets are called by? */
static bool names_secret(const char *key)
{
	static const char *const secret[] = {
		"apikey",   "auth",  "credential", "credentials", "key",
		"password", "pword", "passwd",	   "secret",	  "token",
	};
	AUTO(strlist) struct strlist parts = STRLIST_INIT;
	bool found = false;

	strlist_split(&parts, key, '_');
	for (size_t k = 0; k < parts.n; k++) {
		if (str_ieq(parts.items[k], "public"))
			return false;
		for (size_t s = 0; s < ARRAY_SIZE(secret); s++)
			found |= str_ieq(parts.items[k], secret[s]);
	}
	return found;
}

static void warn_secrets(struct parser *p, const struct instruction *i)
{
	for (size_t k = 0; k < i->n_pairs; k++)
		if (names_secret(i->pairs[k].key))
			warn(p, "SecretsUsedInArgOrEnv", i->line,
			     "%s \"%s\" looks like a secret, and everybody with the image "
			     "can read it; use RUN --mount=type=secret",
			     instruction_name(i->kind), i->pairs[k].key);
}

static void warn_user(struct parser *p, const struct instruction *i)
{
	const char *s = i->args[0];

	while (*s && !word_space(*s))
		s++;
	if (*s && *s != '#' && *word_skip_space(s) != '#' && !strpbrk(i->args[0], "\"'$"))
		warn(p, "UserExtraWords", i->line,
		     "the user is \"%s\", blanks and all, which nobody is called; "
		     "write USER user or USER user:group",
		     i->args[0]);
}

static void warn_expose(struct parser *p, const struct instruction *i)
{
	for (size_t k = 0; k < i->n_args; k++) {
		const char *word = i->args[k];
		const char *slash = strchr(word, '/');

		if (strchr(word, '$'))
			continue;
		if (strchr(word, ':'))
			warn(p, "ExposeInvalidFormat", i->line,
			     "EXPOSE %s: an address or a host port means nothing here; "
			     "write the container's port only",
			     word);
		for (; slash && *slash; slash++)
			if (isupper((unsigned char)*slash)) {
				warn(p, "ExposeProtoCasing", i->line,
				     "EXPOSE %s: write the protocol in lower case", word);
				break;
			}
	}
}

void warn_instruction(struct parser *p, const struct instruction *i, const char *keyword)
{
	bool upper = false, lower = false;

	for (const char *s = keyword; *s; s++) {
		upper |= isupper((unsigned char)*s) != 0;
		lower |= islower((unsigned char)*s) != 0;
	}
	if (upper && lower)
		warn(p, "ConsistentInstructionCasing", i->line,
		     "%s mixes upper and lower case; write %s", keyword,
		     instruction_name(i->kind));
	if (i->kind == INSTRUCTION_ENV || i->kind == INSTRUCTION_ARG)
		warn_secrets(p, i);
	else if (i->kind == INSTRUCTION_USER)
		warn_user(p, i);
	else if (i->kind == INSTRUCTION_EXPOSE)
		warn_expose(p, i);
	else if (i->kind == INSTRUCTION_MAINTAINER)
		warn(p, "MaintainerDeprecated", i->line,
		     "MAINTAINER is out of use; write LABEL "
		     "org.opencontainers.image.authors=…");
}

/* ------------------------------------------------------------------------ FROM */

static void warn_platform(struct parser *p, const struct stage *s)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;

	if (!s->platform)
		return;
	if (str_eq(s->platform, "$TARGETPLATFORM") || str_eq(s->platform, "${TARGETPLATFORM}"))
		warn(p, "RedundantTargetPlatform", s->line,
		     "--platform=%s is what FROM does anyway; leave it out", s->platform);
	if (strchr(s->platform, '$'))
		return;
	/* A stage that is named after its platform is meant to be for that one only. */
	strlist_split(&parts, s->platform, '/');
	for (size_t k = 0; k < parts.n && s->name; k++)
		if (*parts.items[k] && strstr(s->name, parts.items[k]))
			return;
	warn(p, "FromPlatformFlagConstDisallowed", s->line,
	     "--platform=%s fixes the platform; use $BUILDPLATFORM or $TARGETPLATFORM",
	     s->platform);
}

static void warn_stage_name(struct parser *p, const struct dockerfile *d, const struct stage *s,
			    const char *written)
{
	if (!str_eq(written, s->name))
		warn(p, "StageNameCasing", s->line, "write the stage name \"%s\" in lower case",
		     written);
	if (str_eq(s->name, "scratch") || str_eq(s->name, "context"))
		warn(p, "ReservedStageName", s->line,
		     "\"%s\" has a meaning of its own; choose another stage name", s->name);
	for (const struct stage *o = d->stages; o < s; o++)
		if (str_eq(o->name, s->name)) {
			warn(p, "DuplicateStageName", s->line,
			     "the stage of line %u is called \"%s\" as well; choose another "
			     "name",
			     o->line, s->name);
			break;
		}
}

void warn_from(struct parser *p, const struct dockerfile *d, const struct stage *s)
{
	const struct instruction *i = s->from;

	warn_platform(p, s);
	if (!s->name)
		return;
	if ((isupper((unsigned char)i->text[0]) != 0) !=
	    (isupper((unsigned char)*i->args[1]) != 0))
		warn(p, "FromAsCasing", s->line, "write \"%.4s\" and \"%s\" in the same case",
		     i->text, i->args[1]);
	warn_stage_name(p, d, s, i->args[2]);
}

/* ------------------------------------------------------------------------ the whole tree */

/* What was seen on the way down one stage. */
struct stage_state {
	const struct instruction *last[INSTRUCTION_KINDS];
	bool shell;
};

static void warn_repeated(struct parser *p, const struct instruction *i, struct stage_state *s)
{
	const struct instruction *earlier = s->last[i->kind];

	if (earlier)
		warn(p, "MultipleInstructionsDisallowed", earlier->line,
		     "%s of line %u replaces this one; remove one of them",
		     instruction_name(i->kind), i->line);
	s->last[i->kind] = i;
}

static void warn_shell_form(struct parser *p, const struct instruction *i,
			    const struct stage_state *s)
{
	if (i->form == FORM_SHELL && i->n_args && !s->shell)
		warn(p, "JSONArgsRecommended", i->line,
		     "a shell stands between %s and signals; write %s [\"program\", "
		     "\"argument\"]",
		     instruction_name(i->kind), instruction_name(i->kind));
}

/* @known: the working directory is absolute whatever the base is. */
static void warn_workdir(struct parser *p, const struct instruction *i, bool *known)
{
	const char *path = i->args[0];

	while (*path == '"' || *path == '\'')
		path++;
	if (*path == '/') {
		*known = true;
		return;
	}
	if (!*known && *path != '$')
		warn(p, "WorkdirRelativePath", i->line,
		     "WORKDIR %s depends on the base image's directory; write an absolute path",
		     i->args[0]);
	*known = true;
}

static bool warn_stage(struct parser *p, const struct stage *stage, bool workdir_known)
{
	struct stage_state s = {0};

	for (size_t k = 0; k < stage->instructions.n; k++) {
		const struct instruction *i = stage->instructions.items[k];
		bool command = i->kind == INSTRUCTION_CMD || i->kind == INSTRUCTION_ENTRYPOINT;

		if (command || i->kind == INSTRUCTION_HEALTHCHECK)
			warn_repeated(p, i, &s);
		if (command)
			warn_shell_form(p, i, &s);
		else if (i->kind == INSTRUCTION_SHELL)
			s.shell = true;
		else if (i->kind == INSTRUCTION_WORKDIR)
			warn_workdir(p, i, &workdir_known);
	}
	return workdir_known;
}

static void count_case(const struct instruction *i, size_t *upper, size_t *lower)
{
	size_t n = strlen(instruction_name(i->kind));

	for (size_t k = 0; k < n; k++)
		if ((isupper((unsigned char)i->text[k]) != 0) !=
		    (isupper((unsigned char)i->text[0]) != 0))
			return;
	*(isupper((unsigned char)i->text[0]) ? upper : lower) += 1;
}

static void warn_case(struct parser *p, const struct instruction *i, bool upper)
{
	size_t up = 0, low = 0;

	count_case(i, &up, &low);
	if (upper ? low : up)
		warn(p, "ConsistentInstructionCasing", i->line,
		     "%.*s is in another case than most instructions; write %s in %s case",
		     (int)strlen(instruction_name(i->kind)), i->text, instruction_name(i->kind),
		     upper ? "upper" : "lower");
}

static void warn_casing(struct parser *p, const struct dockerfile *d)
{
	size_t up = 0, low = 0;

	for (size_t s = 0; s < d->n_stages; s++) {
		count_case(d->stages[s].from, &up, &low);
		for (size_t k = 0; k < d->stages[s].instructions.n; k++)
			count_case(d->stages[s].instructions.items[k], &up, &low);
	}
	for (size_t k = 0; k < d->globals.n; k++)
		count_case(d->globals.items[k], &up, &low);
	if (!up || !low)
		return;
	for (size_t k = 0; k < d->globals.n; k++)
		warn_case(p, d->globals.items[k], up >= low);
	for (size_t s = 0; s < d->n_stages; s++) {
		warn_case(p, d->stages[s].from, up >= low);
		for (size_t k = 0; k < d->stages[s].instructions.n; k++)
			warn_case(p, d->stages[s].instructions.items[k], up >= low);
	}
}

/* "skip=A,B;error=true" */
static void read_check(struct dockerfile *d, struct strlist *skip)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;

	strlist_split(&parts, d->check, ';');
	for (size_t k = 0; k < parts.n; k++) {
		char *part = word_skip_space(parts.items[k]);

		word_trim_end(part);
		if (str_starts(part, "skip="))
			strlist_split(skip, part + 5, ',');
		else if (str_starts(part, "error="))
			d->warnings_are_fatal = str_ieq(part + 6, "true");
	}
	for (size_t k = 0; k < skip->n; k++) {
		word_trim_end(skip->items[k]);
		memmove(skip->items[k], word_skip_space(skip->items[k]),
			strlen(word_skip_space(skip->items[k])) + 1);
	}
}

static bool is_skipped(const struct strlist *skip, const char *rule)
{
	for (size_t k = 0; k < skip->n; k++)
		if (str_ieq(skip->items[k], "all") || str_ieq(skip->items[k], rule))
			return true;
	return false;
}

static int compare_lines(const void *a, const void *b)
{
	const struct dockerfile_warning *x = a, *y = b;
	int r = (x->line > y->line) - (x->line < y->line);

	if (r == 0)
		r = strcmp(x->rule, y->rule);
	return r ? r : strcmp(x->message, y->message);
}

void warn_tree(struct parser *p, struct dockerfile *d)
{
	AUTO(strlist) struct strlist skip = STRLIST_INIT;
	AUTO(free) bool *workdir = mem_zalloc(d->n_stages * sizeof(*workdir));
	struct warning_list *l = p->warnings;
	struct dockerfile_warning *kept;

	for (size_t s = 0; s < d->n_stages; s++) {
		for (size_t o = 0; o < s; o++)
			if (d->stages[o].name && str_ieq(d->stages[o].name, d->stages[s].base))
				workdir[s] = workdir[o];
		workdir[s] = warn_stage(p, &d->stages[s], workdir[s]);
	}
	warn_casing(p, d);
	if (d->check)
		read_check(d, &skip);
	kept = arena_alloc(p->arena, (l->n + 1) * sizeof(*kept));
	for (size_t k = 0; k < l->n; k++)
		if (!is_skipped(&skip, l->items[k].rule))
			kept[d->n_warnings++] = l->items[k];
	if (d->n_warnings)
		qsort(kept, d->n_warnings, sizeof(*kept), compare_lines);
	d->warnings = kept;
}
