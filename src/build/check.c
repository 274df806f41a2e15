/* SPDX-License-Identifier: Apache-2.0 */
#include "build/check.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/root.h"
#include "build/lower.h"

#include "base/banned.h"

/* Whoever has more of them reads these first. */
#define LIMIT_WARNINGS 1000
/* Names that a misspelt one is compared with. */
#define LIMIT_NAMES 1000

#define OVERRIDE "BUILDKIT_DOCKERFILE_CHECK"

void graph_warn(struct graph *g, const struct dockerfile_warning *about, const char *fmt, ...)
{
	AUTO(free) char *text = NULL;
	struct dockerfile_warning *w;
	va_list ap;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	/* two uses of a variable in one instruction are one thing to mend */
	for (size_t i = g->warnings.n; i-- > 0;)
		if (g->warnings.items[i].line == about->line &&
		    str_eq(g->warnings.items[i].message, text))
			return;
	if (g->warnings.n == LIMIT_WARNINGS)
		return;
	w = vec_push(&g->warnings);
	*w = *about;
	w->message = arena_strdup(&g->arena, text);
	if (about->fix)
		w->fix = arena_strdup(&g->arena, about->fix);
	if (about->mark)
		w->mark = arena_strdup(&g->arena, about->mark);
}

/* ---- what is wanted ---- */

int check_options(struct graph *g, struct error *err)
{
	const char *given =
		g->o->build_args ? strlist_env_get(g->o->build_args, OVERRIDE) : NULL;
	int r = check_config_parse(given ? given : g->file->check, &g->checks, err);

	if (r < 0)
		return error_wrap(err, "failed to parse %s",
				  given ? "build-arg:" OVERRIDE : "check options");
	return 0;
}

static const struct stage_state *stage_of_line(const struct graph *g, unsigned line)
{
	const struct stage_state *found = NULL;

	for (size_t i = 0; g->stages && i < g->file->n_stages; i++)
		if (g->stages[i].stage->line <= line)
			found = &g->stages[i];
	return found;
}

/* The last instruction that begins at @line or before it. */
static const struct instruction *instruction_at(const struct graph *g, unsigned line)
{
	const struct stage_state *st = stage_of_line(g, line);
	const struct instruction_list *l = st ? &st->stage->instructions : &g->file->globals;
	size_t from = 0, to = l->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (l->items[middle]->line <= line)
			from = middle + 1;
		else
			to = middle;
	}
	if (from)
		return l->items[from - 1];
	return st ? st->stage->from : NULL;
}

/* What the whole file asks for, and then a comment above the instruction. */
static bool is_asked_for(const struct graph *g, const struct dockerfile_warning *w)
{
	const struct check_rule *rule = check_rule(w->rule);
	const struct instruction *i = instruction_at(g, w->line);
	bool wanted = check_wants(&g->checks, w->rule);
	struct check_config here = {0};

	if (i && check_comment(i, &here)) {
		bool wants = check_wants(&here, w->rule);

		wanted = rule && rule->experimental ? wanted || wants : wanted && wants;
	}
	check_config_clear(&here);
	return wanted;
}

/* Are the stage's layers a part of the image that is built? */
static bool is_in_image(const struct graph *g, const struct stage_state *st)
{
	const struct stage_state *at = g->target;

	while (at && at != st)
		at = at->made_from;
	return at;
}

static bool is_wanted(const struct graph *g, const struct dockerfile_warning *w)
{
	const struct check_rule *rule = check_rule(w->rule);
	const struct stage_state *st;

	if (!is_asked_for(g, w))
		return false;
	if (!rule || !(rule->stage_only || rule->layer_only))
		return true;
	st = stage_of_line(g, w->line);
	if (rule->layer_only)
		return st && is_in_image(g, st);
	/* who has chosen the shell knows that there is one */
	if (st && st->base_shell && str_eq(w->rule, "JSONArgsRecommended"))
		return false;
	return st && st->lowered;
}

void check_gather(const struct graph *g, struct warning_list *out)
{
	const struct dockerfile *f = g->file;

	for (size_t i = 0; f && i < f->n_warnings; i++)
		if (is_wanted(g, &f->warnings[i]))
			*vec_push(out) = f->warnings[i];
	for (size_t i = 0; i < g->warnings.n; i++)
		if (is_wanted(g, &g->warnings.items[i]))
			*vec_push(out) = g->warnings.items[i];
	check_arrange(g->o->dockerfile, g->o->dockerfile_len, out->items, out->n);
}

int check_fatal(const struct graph *g, const struct warning_list *l, struct error *err)
{
	AUTO(strlist) struct strlist rules = STRLIST_INIT;
	AUTO(free) char *names = NULL;
	unsigned line = 0;

	for (size_t i = 0; g->checks.error && i < l->n; i++) {
		/* without a line it is about the command, not about the file */
		if (!l->items[i].line || strlist_find(&rules, l->items[i].rule) >= 0)
			continue;
		strlist_add(&rules, l->items[i].rule);
		line = line ? line : l->items[i].line;
	}
	if (!rules.n)
		return 0;
	strlist_sort(&rules);
	names = strlist_join(&rules, ", ");
	error_set(err, ERR_INVALID, "lint violation found for rules: %s", names);
	error_at(err, g->file->name, line, 0);
	error_hint(err, "`stave build --check` shows each with its fix");
	return -ERR_INVALID;
}

/* ---- variables ---- */

const char *check_nearest(const char *name, const struct strlist *known)
{
	/* one letter is near to every other */
	if (!known->n || known->n > LIMIT_NAMES || strlen(name) < 3)
		return NULL;
	return nearest_name(name, (const char *const *)known->items);
}

static void add_names(const struct strlist *env, struct strlist *out)
{
	for (size_t i = 0; i < env->n; i++)
		strlist_addn(out, env->items[i], strcspn(env->items[i], "="));
}

void check_unset(struct graph *g, const struct stage_state *st, const struct instruction *i,
		 const char *name)
{
	AUTO(strlist) struct strlist known = STRLIST_INIT;
	AUTO(free) char *mark = NULL;
	AUTO(free) char *braced = NULL;
	AUTO(free) char *closed = NULL;
	AUTO(free) char *fix = NULL;
	const char *near;

	if (st->base_missing) {
		g->guessed = true;
		return;
	}
	/* ports are split after expansion, where Docker does not look for names */
	if (i->kind == INSTRUCTION_EXPOSE || strlist_find(&st->unset_args, name) >= 0)
		return;
	if (g->warnings.n == LIMIT_WARNINGS)
		return;
	mark = mem_printf("$%s", name);
	braced = mem_printf("${%s", name);
	closed = mem_printf("${%s}", name);
	add_names(&st->config.env, &known);
	add_names(&st->args, &known);
	near = check_nearest(name, &known);
	fix = near ? mem_printf("write $%s, or set %s with ENV or ARG before", near, name)
		   : mem_printf("set %s with ENV or ARG before", name);
	graph_warn(g,
		   &(struct dockerfile_warning){.rule = "UndefinedVar",
						.line = i->line,
						.end_line = i->end_line,
						.mark = strstr(i->text, closed)	  ? closed
							: strstr(i->text, braced) ? braced
										  : mark,
						.fix = fix},
		   "Usage of undefined variable '$%s'", name);
}

/* ---- instructions ---- */

void check_workdir(struct graph *g, struct stage_state *st, const struct instruction *i,
		   const char *value)
{
	bool was_set = st->workdir_set;

	st->workdir_set = true;
	if (was_set || *value == '/')
		return;
	graph_warn(g,
		   &(struct dockerfile_warning){.rule = "WorkdirRelativePath",
						.line = i->line,
						.end_line = i->end_line,
						.mark = i->args[0],
						.fix = "write an absolute path"},
		   "\"%s\" is relative to the base image's directory, which may change", value);
}

void check_port(struct graph *g, const struct instruction *i, const char *port)
{
	const char *proto = strrchr(port, '/');
	struct dockerfile_warning about = {
		.line = i->line, .end_line = i->end_line, .mark = port};

	/* ":80" has neither */
	if (strchr(port, ':') && strrchr(port, ':') != port) {
		about.rule = "ExposeInvalidFormat";
		about.fix = "write the container's port only; publish it with run -p";
		graph_warn(g, &about, "an address or host port means nothing in EXPOSE %s",
			   port);
	}
	for (const char *s = proto ? proto : ""; *s; s++)
		if (isupper((unsigned char)*s)) {
			about.rule = "ExposeProtoCasing";
			about.fix = "write the protocol in lower case";
			graph_warn(g, &about,
				   "the protocol of EXPOSE %s has upper case letters", port);
			return;
		}
}

static const struct ignore *ignore_of(struct graph *g)
{
	if (!g->ignore && g->o->ignore &&
	    ignore_parse(g->o->ignore, g->o->ignore_len, g->o->ignore_name, &g->ignore, NULL) <
		    0)
		return NULL; /* the build will say what is wrong with it */
	return g->ignore;
}

static bool is_remote(const char *source)
{
	return strstr(source, "://") || str_starts(source, "git@");
}

void check_sources(struct graph *g, const struct instruction *i, const struct strlist *sources)
{
	const struct ignore *ig = ignore_of(g);

	for (size_t n = 0; ig && n < sources->n; n++) {
		AUTO(free) char *clean = NULL;
		bool hidden;

		if (i->kind == INSTRUCTION_ADD && is_remote(sources->items[n]))
			continue;
		clean = root_clean_path(sources->items[n]);
		hidden = *clean && !str_eq(clean, ".")
				 ? ignore_match(ig, clean) && !ignore_may_contain(ig, clean)
				 : ignore_hides_all(ig) && !ignore_takes_back(ig);
		if (!hidden)
			continue;
		graph_warn(g,
			   &(struct dockerfile_warning){
				   .rule = "CopyIgnoredFile",
				   .line = i->line,
				   .end_line = i->end_line,
				   .mark = sources->items[n],
				   .fix = "copy something else, or take it out of the ignore "
					  "file"},
			   "%s hides \"%s\", so %s cannot find it", g->o->ignore_name,
			   sources->items[n], instruction_name(i->kind));
	}
}
