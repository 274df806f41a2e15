/* SPDX-License-Identifier: Apache-2.0 */
/* What FROM lines say: their variables, their platforms. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/check.h"
#include "build/lower.h"

#include "base/banned.h"

/* One word of a FROM line, expanded, with the names that it used. */
struct word {
	const struct strlist *values;
	struct strlist set;
	struct strlist unset;
	struct buf text;
};

static void word_auto(struct word *w)
{
	strlist_clear(&w->set);
	strlist_clear(&w->unset);
	buf_clear(&w->text);
}

static const char *find(void *data, const char *name, size_t len)
{
	struct word *w = data;
	AUTO(free) char *key = mem_strndup(name, len);
	const char *value = strlist_env_get(w->values, key);

	if (value && strlist_find(&w->set, key) < 0)
		strlist_add(&w->set, key);
	return value;
}

static void note_unset(void *data, const char *name, size_t len)
{
	struct word *w = data;
	AUTO(free) char *key = mem_strndup(name, len);

	if (strlist_find(&w->unset, key) < 0)
		strlist_add(&w->unset, key);
}

static int expand(const struct graph *g, const char *text, struct word *w)
{
	struct expansion x = {
		.escape = g->file->escape, .lookup = find, .data = w, .unset = note_unset};

	return dockerfile_expand(text, EXPAND_WORD, &x, &w->text, NULL);
}

void check_names_used(const struct graph *g, const char *text, struct strlist *out)
{
	AUTO(word) struct word w = {.values = &g->globals};

	if (expand(g, text, &w) == 0)
		strlist_addall(out, &w.set);
}

/* ---- UndefinedArgInFrom ---- */

static void declared_names(const struct graph *g, struct strlist *out)
{
	for (size_t i = 0; i < g->globals.n; i++)
		strlist_addn(out, g->globals.items[i], strcspn(g->globals.items[i], "="));
	for (size_t i = 0; i < g->file->globals.n; i++)
		for (size_t p = 0; p < g->file->globals.items[i]->n_pairs; p++)
			strlist_add(out, g->file->globals.items[i]->pairs[p].key);
}

static void warn_undeclared(struct graph *g, const struct stage *s, const struct word *w)
{
	AUTO(strlist) struct strlist declared = STRLIST_INIT;

	if (!w->unset.n)
		return;
	declared_names(g, &declared);
	for (size_t i = 0; i < w->unset.n; i++) {
		const char *name = w->unset.items[i];
		AUTO(free) char *fix = NULL;
		const char *near;

		if (strlist_find(&declared, name) >= 0)
			continue;
		near = check_nearest(name, &declared);
		fix = near ? mem_printf("write $%s, or put ARG %s before the first FROM", near,
					name)
			   : mem_printf("put ARG %s before the first FROM", name);
		graph_warn(g,
			   &(struct dockerfile_warning){.rule = "UndefinedArgInFrom",
							.line = s->line,
							.end_line = s->from->end_line,
							.mark = name,
							.fix = fix},
			   "FROM argument '%s' is not declared", name);
	}
}

/* ---- platforms ---- */

static void warn_redundant(struct graph *g, const struct stage *s, const struct word *w)
{
	const char *target = strlist_env_get(&g->globals, "TARGETPLATFORM");

	if (w->set.n != 1 || w->unset.n || !str_eq(w->set.items[0], "TARGETPLATFORM") ||
	    !str_eq(buf_str(&w->text), target))
		return;
	graph_warn(g,
		   &(struct dockerfile_warning){.rule = "RedundantTargetPlatform",
						.line = s->line,
						.end_line = s->from->end_line,
						.mark = s->platform,
						.fix = "leave --platform out"},
		   "--platform=%s is what FROM does anyway", s->platform);
}

static void warn_constant(struct graph *g, const struct stage *s, const struct word *w)
{
	AUTO(platform) struct platform p = PLATFORM_INIT;

	if (w->set.n || w->unset.n || platform_parse(buf_str(&w->text), &p, NULL) < 0)
		return;
	/* a stage that is named after its platform is meant to be for that one only */
	if (s->name && ((p.os && strstr(s->name, p.os)) ||
			(p.architecture && strstr(s->name, p.architecture))))
		return;
	graph_warn(g,
		   &(struct dockerfile_warning){
			   .rule = "FromPlatformFlagConstDisallowed",
			   .line = s->line,
			   .end_line = s->from->end_line,
			   .mark = s->platform,
			   .fix = "use $BUILDPLATFORM or a global ARG, or leave it out"},
		   "--platform=%s fixes the platform", s->platform);
}

void check_base(struct graph *g, const struct stage_state *st, const char *name)
{
	const struct platform *have = &st->config.platform;
	const struct stage *s = st->stage;

	/* who writes --platform has said which one it is to be */
	if (s->platform || !have->os || !have->architecture ||
	    (str_eq(have->os, g->platform.os) &&
	     str_eq(have->architecture, g->platform.architecture)))
		return;
	graph_warn(g,
		   &(struct dockerfile_warning){
			   .rule = "InvalidBaseImagePlatform",
			   .line = s->line,
			   .end_line = s->from->end_line,
			   .mark = s->base,
			   .fix = "make or take the base image for that platform, or say "
				  "FROM --platform"},
		   "%s is an image for %s/%s, and %s/%s is built", name, have->os,
		   have->architecture, g->platform.os, g->platform.architecture);
}

/* ---- InvalidDefaultArgInFrom ---- */

static void check_default(struct graph *g, const struct stage *s, const struct strlist *values)
{
	AUTO(word) struct word w = {.values = values};
	AUTO(reference) struct reference ref = REFERENCE_INIT;

	if (expand(g, s->base, &w) < 0 || str_eq(buf_str(&w.text), REFERENCE_SCRATCH) ||
	    reference_parse(buf_str(&w.text), &ref, NULL) == 0)
		return;
	graph_warn(g,
		   &(struct dockerfile_warning){
			   .rule = "InvalidDefaultArgInFrom",
			   .line = s->line,
			   .end_line = s->from->end_line,
			   .mark = s->base,
			   .fix = "give the ARG a default, as in ARG TAG=latest"},
		   "without --build-arg the base image %s is \"%s\", which is no name", s->base,
		   buf_str(&w.text));
}

void check_stages(struct graph *g)
{
	AUTO(strlist) struct strlist defaults = STRLIST_INIT;
	bool has_defaults = scope_default_globals(g, &defaults, NULL) == 0;

	for (size_t i = 0; i < g->file->n_stages; i++) {
		const struct stage *s = &g->file->stages[i];
		AUTO(word) struct word base = {.values = &g->globals};
		AUTO(word) struct word platform = {.values = &g->globals};

		if (expand(g, s->base, &base) == 0)
			warn_undeclared(g, s, &base);
		if (has_defaults)
			check_default(g, s, &defaults);
		if (!s->platform || expand(g, s->platform, &platform) < 0)
			continue;
		warn_undeclared(g, s, &platform);
		warn_redundant(g, s, &platform);
		warn_constant(g, s, &platform);
	}
}
