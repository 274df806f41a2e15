/* SPDX-License-Identifier: Apache-2.0 */
#include "build/lower.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/check.h"
#include "image/image.h"

#include "base/banned.h"

static bool makes_files(enum instruction_kind kind)
{
	return kind == INSTRUCTION_RUN || kind == INSTRUCTION_COPY || kind == INSTRUCTION_ADD ||
	       kind == INSTRUCTION_WORKDIR;
}

static bool starts_from_image(const struct stage_state *st)
{
	return st->base && st->base->kind == VERTEX_IMAGE && !st->n_rows;
}

static unsigned count_steps(const struct stage_state *st)
{
	/* FROM an image is a step, FROM scratch or a stage is none */
	unsigned n = starts_from_image(st);

	for (size_t i = 0; i < st->extra.n; i++)
		n += makes_files(st->extra.items[i]->kind);
	for (size_t i = 0; i < st->stage->instructions.n; i++)
		n += makes_files(st->stage->instructions.items[i]->kind);
	return n;
}

/* Triggers that the base image's author left for whoever builds on it. */
static int take_triggers(struct graph *g, struct stage_state *st, struct error *err)
{
	struct strlist *list = &st->config.on_build;

	for (size_t i = 0; i < list->n; i++) {
		const struct instruction *parsed;
		struct instruction *copy;
		int r = dockerfile_parse_instruction(list->items[i], g->file->name,
						     g->file->escape, &g->arena, &parsed, err);

		if (r < 0)
			return error_wrap(err, "ONBUILD trigger \"%s\" of the base image",
					  list->items[i]);
		copy = arena_new(&g->arena, struct instruction);
		*copy = *parsed;
		copy->line = st->stage->line;
		copy->n_pieces = 0; /* it stands in no file */
		st->extra.items =
			mem_resize(st->extra.items, st->extra.n + 1, sizeof(*st->extra.items));
		st->extra.items[st->extra.n++] = copy;
	}
	strlist_clear(list);
	return 0;
}

static void add_default_path(struct stage_state *st)
{
	if (!strlist_env_get(&st->config.env, "PATH"))
		strlist_add(&st->config.env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
					     "/usr/bin:/sbin:/bin");
}

void start_from_scratch(struct stage_state *st)
{
	platform_copy(&st->platform, &st->config.platform);
	st->config.working_dir = mem_strdup("/");
	add_default_path(st);
}

/* FROM another stage: its config, its files and its history so far. */
int start_from_stage(struct graph *g, struct stage_state *st, unsigned index, struct error *err)
{
	struct stage_state *from = &g->stages[index];
	int r = lower_stage(g, index, err);

	if (r < 0)
		return r;
	image_config_copy(&from->config, &st->config);
	/* "A build stage automatically inherits build arguments from a parent stage" */
	strlist_addall(&st->args, &from->args);
	strlist_addall(&st->unset_args, &from->unset_args);
	strlist_addall(&st->arg_names, &from->arg_names);
	st->last = from->last;
	if (str_empty(st->stage->platform)) {
		platform_clear(&st->platform);
		platform_copy(&from->platform, &st->platform);
	}
	st->made_from = from;
	st->base_missing = from->base_missing;
	st->base_shell = from->config.shell.n || from->base_shell;
	st->workdir_set = from->workdir_set;
	for (size_t i = 0; i < from->n_rows; i++)
		imgconfig_row(st, mem_strdup(from->rows[i].created_by), from->rows[i].vertex);
	return 0;
}

int start_from_image(struct graph *g, struct stage_state *st, const char *name,
		     struct error *err)
{
	struct vertex *v;
	int r = graph_image(g, name, &v, &st->config, err);

	if (r < 0)
		return r;
	st->last = v;
	st->base_missing = v->missing;
	st->base_shell = st->config.shell.n;
	check_base(g, st, name);
	add_default_path(st);
	return 0;
}

static int choose_platform(struct graph *g, struct stage_state *st, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int r;

	if (str_empty(st->stage->platform)) {
		platform_copy(&g->platform, &st->platform);
		return 0;
	}
	r = scope_expand_global(g, st->stage->platform, &text, err);
	if (r == 0)
		r = platform_parse(buf_str(&text), &st->platform, err);
	if (r < 0)
		instruction_error_at(st->stage->from, g->file->name, st->stage->platform, err);
	return r;
}

static int start_stage(struct graph *g, struct stage_state *st, struct error *err)
{
	AUTO(buf) struct buf base = BUF_INIT;
	const struct build_context *context;
	const struct stage *named;
	int r = scope_expand_global(g, st->stage->base, &base, err);

	if (r < 0)
		return r;
	if (!base.len) {
		error_set(err, ERR_INVALID, "base name (%s) should not be blank",
			  st->stage->base);
		error_hint(err, "give its ARG a default before FROM, or pass --build-arg");
		return -ERR_INVALID;
	}
	named = dockerfile_stage_above(g->file, buf_str(&base), st->stage->index);
	context = from_context(g, buf_str(&base));
	if (str_eq(buf_str(&base), REFERENCE_SCRATCH))
		start_from_scratch(st);
	else if (named)
		r = start_from_stage(g, st, named->index, err);
	else if (context)
		r = from_start(g, st, context, err);
	else
		r = start_from_image(g, st, buf_str(&base), err);
	st->base = st->last;
	return r < 0 ? r : take_triggers(g, st, err);
}

int lower_instruction(struct graph *g, struct stage_state *st, const struct instruction *i,
		      struct error *err)
{
	struct used_names outer = g->used; /* --from lowers a stage in the midst of its own */
	int r;

	g->used = (struct used_names){0};
	g->guessed = false;
	if (i->kind == INSTRUCTION_ARG)
		r = scope_arg(g, st, i, err);
	else if (i->kind == INSTRUCTION_RUN)
		r = lower_run(g, st, i, err);
	else if (i->kind == INSTRUCTION_COPY || i->kind == INSTRUCTION_ADD)
		r = lower_copy(g, st, i, err);
	else if (i->kind == INSTRUCTION_WORKDIR)
		r = lower_workdir(g, st, i, err);
	else
		r = imgconfig_apply(g, st, i, err);
	strlist_clear(&g->used.envs);
	strlist_clear(&g->used.args);
	g->used = outer;
	if (r < 0 && g->guessed) { /* with the base's value it may well be right */
		error_clear(err);
		r = 0;
	}
	if (r < 0 && err && !err->line)
		instruction_error_at(i, g->file->name, instruction_flag(i, "from"), err);
	return r;
}

static int lower_whole_stage(struct graph *g, unsigned index, struct error *err)
{
	struct stage_state *st = &g->stages[index];
	const struct build_context *context;
	int r;

	if (st->lowered)
		return 0;
	st->lowered = true; /* references go to earlier stages only: no cycle is possible */
	/* a context of the stage's own name stands for all of it */
	context = st->stage->name ? from_context(g, st->stage->name) : NULL;
	if (context) {
		if ((r = from_start(g, st, context, err)) < 0 && err && !err->line)
			error_at(err, g->file->name, st->stage->line, 0);
		st->base = st->last;
		return r;
	}
	r = start_stage(g, st, err);
	if (r < 0) {
		if (err && !err->line)
			instruction_error_at(st->stage->from, g->file->name, st->stage->base,
					     err);
		return r;
	}
	st->steps = count_steps(st);
	st->step = starts_from_image(st);
	if (st->step && !st->last->title)
		st->last->title = stage_title(g, st, st->last->text);
	for (size_t i = 0; i < st->extra.n; i++)
		if ((r = lower_instruction(g, st, st->extra.items[i], err)) < 0)
			return r;
	for (size_t i = 0; i < st->stage->instructions.n; i++)
		if ((r = lower_instruction(g, st, st->stage->instructions.items[i], err)) < 0)
			return r;
	return 0;
}

int lower_stage(struct graph *g, unsigned index, struct error *err)
{
	struct stage_state *st = &g->stages[index];
	const struct platform *outer = g->stage; /* of the stage that needs this one */
	bool wanted = g->wants_platform;
	int r = 0;

	if (!st->lowered)
		r = choose_platform(g, st, err);
	if (r < 0) {
		if (err && !err->line)
			error_at(err, g->file->name, st->stage->line, 0);
		return r;
	}
	g->stage = &st->platform;
	g->wants_platform = st->stage->platform || g->o->platform;
	r = lower_whole_stage(g, index, err);
	g->stage = outer;
	g->wants_platform = wanted;
	return r;
}
