/* SPDX-License-Identifier: Apache-2.0 */
/* What can be told of a Dockerfile without building it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/build.h"
#include "build/check.h"
#include "build/lower.h"

#include "base/banned.h"

static struct build_item *add_item(struct build_item_list *l, const char *name,
				   const struct instruction *i)
{
	struct build_item *item = vec_push(l);

	item->name = name;
	item->line = i->line;
	item->end_line = i->end_line;
	return item;
}

static bool has_item(const struct build_item_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->items[i].name, name))
			return true;
	return false;
}

static int compare_lines(const void *a, const void *b)
{
	const struct build_item *x = a, *y = b;

	if (x->line != y->line)
		return x->line > y->line ? 1 : -1;
	return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

static void sort_items(struct build_item_list *l)
{
	if (l->n)
		qsort(l->items, l->n, sizeof(*l->items), compare_lines);
}

/* ---- targets ---- */

static void list_targets(const struct dockerfile *f, struct build_answer *out)
{
	for (size_t i = 0; i < f->n_stages; i++) {
		const struct stage *s = &f->stages[i];
		struct build_item *item = add_item(&out->targets, s->name, s->from);

		item->description = instruction_description(s->from, s->name);
		item->base = s->base;
		item->platform = s->platform;
		item->is_default = i + 1 == f->n_stages;
	}
}

/* ---- the outline ---- */

static const struct instruction_pair *global_arg(const struct graph *g, const char *name,
						 const struct instruction **out)
{
	const struct instruction_pair *found = NULL;

	for (size_t i = 0; i < g->file->globals.n; i++)
		for (size_t p = 0; p < g->file->globals.items[i]->n_pairs; p++)
			if (str_eq(g->file->globals.items[i]->pairs[p].key, name)) {
				*out = g->file->globals.items[i];
				found = &(*out)->pairs[p];
			}
	return found;
}

static const char *keep(struct graph *g, const char *text)
{
	return text ? arena_strdup(&g->arena, text) : NULL;
}

/* A global ARG that somebody uses, and those that its default is made of. */
static void add_global(struct graph *g, const char *name, struct build_item_list *out)
{
	AUTO(strlist) struct strlist used = STRLIST_INIT;
	const struct instruction *at;
	const struct instruction_pair *pair = global_arg(g, name, &at);
	struct build_item *item;

	if (!pair || has_item(out, name))
		return;
	item = add_item(out, pair->key, at);
	item->value = keep(g, strlist_env_get(&g->globals, name));
	item->description = instruction_description(at, name);
	if (pair->value)
		check_names_used(g, pair->value, &used);
	for (size_t i = 0; i < used.n; i++)
		add_global(g, used.items[i], out);
}

static bool is_given(const struct graph *g, const char *name)
{
	return g->o->build_args && strlist_env_get(g->o->build_args, name);
}

/* The last ARG of a name counts; one without a default may mean the global one. */
static void add_stage_args(struct graph *g, const struct stage_state *st,
			   struct build_item_list *out)
{
	const struct instruction_list *l = &st->stage->instructions;

	for (size_t k = l->n; k-- > 0;) {
		const struct instruction *i = l->items[k];

		for (size_t p = 0; i->kind == INSTRUCTION_ARG && p < i->n_pairs; p++) {
			const char *name = i->pairs[p].key;
			struct build_item *item;

			if (has_item(out, name))
				continue;
			if (!i->pairs[p].value && !is_given(g, name) &&
			    strlist_env_get(&g->globals, name)) {
				add_global(g, name, out);
				continue;
			}
			item = add_item(out, name, i);
			item->value = keep(g, strlist_env_get(&st->args, name));
			item->description = instruction_description(i, name);
		}
	}
}

static void add_from_args(struct graph *g, const struct stage *s, struct build_item_list *out)
{
	AUTO(strlist) struct strlist used = STRLIST_INIT;

	check_names_used(g, s->base, &used);
	if (s->platform)
		check_names_used(g, s->platform, &used);
	for (size_t i = 0; i < used.n; i++)
		add_global(g, used.items[i], out);
}

/* A secret without an id is called as its file is, an agent "default". */
static const char *mount_id(const struct run_mount *m)
{
	const char *slash = m->target ? strrchr(m->target, '/') : NULL;

	if (!str_empty(m->id))
		return m->id;
	if (m->type == RUN_MOUNT_SSH)
		return "default";
	if (!str_empty(m->source))
		return m->source;
	return slash ? slash + 1 : m->target ? m->target : "";
}

static void add_mount(struct graph *g, const struct run_mount *m, const struct instruction *i,
		      struct build_answer *out)
{
	struct build_item_list *l = m->type == RUN_MOUNT_SECRET ? &out->secrets : &out->ssh;
	const char *id = mount_id(m);

	if ((m->type != RUN_MOUNT_SECRET && m->type != RUN_MOUNT_SSH) || has_item(l, id))
		return;
	add_item(l, keep(g, id), i)->required = m->required;
}

static void add_mounts(struct graph *g, const struct stage_state *st, struct build_answer *out)
{
	for (size_t k = 0; k < st->stage->instructions.n; k++) {
		const struct instruction *i = st->stage->instructions.items[k];
		AUTO(strlist) struct strlist values = STRLIST_INIT;

		if (i->kind == INSTRUCTION_RUN)
			instruction_flag_all(i, "mount", &values);
		for (size_t n = 0; n < values.n; n++) {
			AUTO(run_mount) struct run_mount m = RUN_MOUNT_INIT;

			if (scope_mount(g, st, i, values.items[n], &m, NULL) == 0)
				add_mount(g, &m, i, out);
		}
	}
}

static void add_stage(struct graph *g, const struct stage_state *st, struct build_answer *out)
{
	add_from_args(g, st->stage, &out->args);
	add_stage_args(g, st, &out->args);
	add_mounts(g, st, out);
}

/* The target first: of two ARGs with one name its own is meant. */
static void make_outline(struct graph *g, struct build_answer *out)
{
	const struct stage *s = g->target->stage;

	out->target.name = s->name;
	out->target.description = instruction_description(s->from, s->name);
	add_stage(g, g->target, out);
	for (size_t i = g->file->n_stages; i-- > 0;)
		if (g->stages[i].lowered && &g->stages[i] != g->target)
			add_stage(g, &g->stages[i], out);
	sort_items(&out->args);
	sort_items(&out->secrets);
	sort_items(&out->ssh);
}

/* ---- asking ---- */

static int check(struct graph *g, struct build_answer *out, struct error *err)
{
	struct warning_list l = {0};
	int r;

	check_gather(g, &l);
	out->warnings = l.items;
	for (size_t i = 0; i < l.n; i++)
		if (l.items[i].line) /* what has no line is not about the file */
			out->warnings[out->n_warnings++] = l.items[i];
	r = check_fatal(g, &l, err);
	if (r < 0 && err)
		err->line = 0;
	return r;
}

int build_ask(struct store *s, const struct build_options *o, enum build_question what,
	      struct build_answer *out, struct error *err)
{
	struct graph *g = graph_start(s, o);
	int r;

	*out = (struct build_answer){.graph = g};
	g->checking = true;
	g->all_stages = what == BUILD_CHECK && str_empty(o->target);
	if (what == BUILD_TARGETS) {
		r = dockerfile_parse(o->dockerfile, o->dockerfile_len, o->dockerfile_name,
				     &g->file, err);
		if (r == 0)
			list_targets(g->file, out);
		return r;
	}
	r = graph_fill(g, err);
	if (what == BUILD_CHECK && r < 0)
		check(g, out, NULL);
	else if (what == BUILD_CHECK)
		r = check(g, out, err);
	else if (r == 0)
		make_outline(g, out);
	return r;
}

void build_answer_clear(struct build_answer *a)
{
	graph_free(a->graph);
	free(a->warnings);
	free(a->args.items);
	free(a->secrets.items);
	free(a->ssh.items);
	free(a->targets.items);
	*a = (struct build_answer){0};
}
