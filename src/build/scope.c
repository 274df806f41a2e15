/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/check.h"
#include "build/lower.h"

#include "base/banned.h"

/* Known without ARG, reach RUN, are neither in the key's text nor in the history. */
static const char *const proxy_args[] = {
	"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
	"ftp_proxy",  "NO_PROXY",   "no_proxy",	   "ALL_PROXY",	  "all_proxy"};

static bool is_proxy(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(proxy_args); i++)
		if (str_eq(proxy_args[i], name))
			return true;
	return false;
}

static const char *build_arg(const struct graph *g, const char *name)
{
	return g->o->build_args ? strlist_env_get(g->o->build_args, name) : NULL;
}

/* Dockerfile reference, "Automatic platform ARGs in the global scope". */
static void add_platform_args(const struct graph *g, struct strlist *out)
{
	static const char *const sides[] = {"TARGET", "BUILD"};
	AUTO(platform) struct platform host = PLATFORM_INIT;

	platform_host(&host);
	for (size_t i = 0; i < 2; i++) {
		const struct platform *p = i == 0 ? &g->platform : &host;
		AUTO(buf) struct buf text = BUF_INIT;

		platform_format(p, &text);
		strlist_printf(out, "%sPLATFORM=%s", sides[i], buf_str(&text));
		strlist_printf(out, "%sOS=%s", sides[i], p->os);
		strlist_printf(out, "%sARCH=%s", sides[i], p->architecture);
		strlist_printf(out, "%sVARIANT=%s", sides[i], p->variant ? p->variant : "");
	}
	strlist_printf(out, "TARGETSTAGE=%s", g->o->target ? g->o->target : "default");
}

struct lookup {
	struct graph *g;
	const struct stage_state *st;  /* NULL: global scope, */
	const struct strlist *globals; /* and its values */
	const struct instruction *at;
	char *value; /* of the last answer */
};

static const char *find(void *data, const char *name, size_t len)
{
	struct lookup *l = data;
	AUTO(free) char *key = mem_strndup(name, len);
	const char *v;

	if (!l->st)
		return strlist_env_get(l->globals, key);
	/* the later one counts: an ENV takes the ARGs of its name away */
	v = strlist_env_get(&l->st->args, key);
	if (v) {
		strlist_env_set(&l->g->used.args, key, v);
		return v;
	}
	v = strlist_env_get(&l->st->config.env, key);
	if (v)
		strlist_env_set(&l->g->used.envs, key, v);
	return v;
}

static void warn_unset(void *data, const char *name, size_t len)
{
	struct lookup *l = data;
	AUTO(free) char *key = mem_strndup(name, len);

	if (l->st && l->at)
		check_unset(l->g, l->st, l->at, key);
}

static int expand(struct lookup *l, const char *word, enum expand_mode mode, struct buf *out,
		  struct error *err)
{
	struct expansion x = {
		.escape = l->g->file->escape, .lookup = find, .data = l, .unset = warn_unset};
	int r = dockerfile_expand(word, mode, &x, out, err);

	if (r < 0 && l->at)
		instruction_error_at(l->at, l->g->file->name, word, err);
	return r;
}

int scope_expand_global(struct graph *g, const char *word, struct buf *out, struct error *err)
{
	struct lookup l = {.g = g, .globals = &g->globals};

	return expand(&l, word, EXPAND_WORD, out, err);
}

int scope_expand(struct graph *g, const struct stage_state *st, const struct instruction *i,
		 const char *word, enum expand_mode mode, struct buf *out, struct error *err)
{
	struct lookup l = {.g = g, .st = st, .at = i};

	return expand(&l, word, mode, out, err);
}

int scope_mount(struct graph *g, const struct stage_state *st, const struct instruction *i,
		const char *value, struct run_mount *out, struct error *err)
{
	struct lookup l = {.g = g, .st = st, .at = i};
	struct expansion x = {
		.escape = g->file->escape, .lookup = find, .data = &l, .unset = warn_unset};
	int r = dockerfile_parse_mount(value, &x, out, err);

	if (r < 0)
		instruction_error_at(i, g->file->name, value, err);
	return r;
}

int scope_expand_new(struct graph *g, const struct stage_state *st, const struct instruction *i,
		     const char *word, char **out_new, struct error *err)
{
	AUTO(buf) struct buf value = BUF_INIT;
	int r = scope_expand(g, st, i, word, EXPAND_WORD, &value, err);

	if (r == 0)
		*out_new = buf_steal(&value);
	return r;
}

static void note_used(struct graph *g, const char *name)
{
	if (strlist_find(&g->used_args, name) < 0)
		strlist_add(&g->used_args, name);
}

/* @given: --build-arg counts. */
static int add_globals(struct graph *g, bool given, struct strlist *out, struct error *err)
{
	struct lookup l = {.g = g, .globals = out};

	add_platform_args(g, out);
	for (size_t n = 0; n < g->file->globals.n; n++) {
		l.at = g->file->globals.items[n];
		for (size_t p = 0; p < l.at->n_pairs; p++) {
			const char *name = l.at->pairs[p].key;
			const char *arg = given ? build_arg(g, name) : NULL;
			AUTO(buf) struct buf value = BUF_INIT;
			int r;

			note_used(g, name);
			if (arg) {
				strlist_env_set(out, name, arg);
				continue;
			}
			if (!l.at->pairs[p].value)
				continue;
			r = expand(&l, l.at->pairs[p].value, EXPAND_WORD, &value, err);
			if (r < 0)
				return r;
			strlist_env_set(out, name, buf_str(&value));
		}
	}
	return 0;
}

int scope_globals(struct graph *g, struct error *err)
{
	return add_globals(g, true, &g->globals, err);
}

int scope_default_globals(struct graph *g, struct strlist *out, struct error *err)
{
	return add_globals(g, false, out, err);
}

static int declare(struct graph *g, struct stage_state *st, const struct instruction *i,
		   const struct instruction_pair *pair, struct error *err)
{
	AUTO(free) char *name = NULL;
	AUTO(free) char *value = NULL;
	const char *v;
	int r = scope_expand_new(g, st, i, pair->key, &name, err);

	if (r < 0)
		return r;
	note_used(g, name);
	v = build_arg(g, name);
	if (!v && pair->value) {
		if ((r = scope_expand_new(g, st, i, pair->value, &value, err)) < 0)
			return r;
		v = value;
	}
	if (!v)
		v = strlist_env_get(&g->globals, name);
	if (strlist_find(&st->arg_names, name) < 0)
		strlist_add(&st->arg_names, name);
	strlist_env_unset(&st->args, name);
	if (v)
		strlist_env_set(&st->args, name, v);
	else
		strlist_add(&st->unset_args, name);
	return 0;
}

int scope_arg(struct graph *g, struct stage_state *st, const struct instruction *i,
	      struct error *err)
{
	struct buf row = BUF_INIT;

	buf_addstr(&row, "ARG");
	for (size_t p = 0; p < i->n_pairs; p++) {
		int r = declare(g, st, i, &i->pairs[p], err);

		if (r < 0) {
			buf_clear(&row);
			return r;
		}
		buf_printf(&row, " %s", i->pairs[p].key);
		const char *v = strlist_env_get(&st->args, i->pairs[p].key);
		if (v)
			buf_printf(&row, "=%s", v);
	}
	imgconfig_row(st, buf_steal(&row), NULL);
	return 0;
}

void scope_run_env(const struct graph *g, const struct stage_state *st, struct strlist *out)
{
	strlist_addall(out, &st->config.env);
	for (size_t i = 0; i < st->args.n; i++) {
		const char *eq = strchr(st->args.items[i], '=');
		AUTO(free)
		char *name = mem_strndup(st->args.items[i], (size_t)(eq - st->args.items[i]));

		strlist_env_set(out, name, eq + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(proxy_args); i++) {
		const char *v = build_arg(g, proxy_args[i]);

		if (v && !strlist_env_get(out, proxy_args[i]))
			strlist_env_set(out, proxy_args[i], v);
	}
}

/* As BuildKit: what a RUN sees by that name; "" if nothing. */
void scope_history_args(const struct stage_state *st, struct strlist *out)
{
	for (size_t i = 0; i < st->arg_names.n; i++) {
		const char *name = st->arg_names.items[i];
		const char *value = strlist_env_get(&st->args, name);

		if (is_proxy(name))
			continue;
		if (!value)
			value = strlist_env_get(&st->config.env, name);
		strlist_take(out, mem_printf("%s=%s", name, value ? value : ""));
	}
}
