/* SPDX-License-Identifier: Apache-2.0 */
/* What a name behind FROM, --from= or from= means. */
#include "build/lower.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

/* "docker.io/library/alpine:latest", "alpine:latest" and "alpine" are one name. */
char *build_context_name(const char *text)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	struct buf name = BUF_INIT;

	if (reference_parse(text, &ref, NULL) < 0)
		return str_lower(text);
	reference_familiar(&ref, &name);
	if (str_ends(buf_str(&name), ":latest"))
		name.data[name.len -= strlen(":latest")] = 0;
	return buf_steal(&name);
}

const struct build_context *from_context(const struct graph *g, const char *name)
{
	AUTO(free) char *normal = NULL;

	if (!g->o->n_contexts)
		return NULL;
	normal = build_context_name(name);
	for (size_t i = 0; i < g->o->n_contexts; i++)
		if (str_eq(g->o->contexts[i].name, normal))
			return &g->o->contexts[i];
	return NULL;
}

static struct vertex *directory_vertex(struct graph *g, const struct build_context *c)
{
	struct vertex *v;

	for (size_t i = 0; i < g->n; i++)
		if (g->items[i]->kind == VERTEX_SOURCE && g->items[i]->source.context == c)
			return g->items[i];
	v = graph_add(g, VERTEX_SOURCE, NULL);
	v->source.kind = SOURCE_DIRECTORY;
	v->source.context = c;
	v->text = mem_printf("context %s", c->name);
	return v;
}

/* A whole stage stands for a name. */
static int from_stage(struct graph *g, unsigned index, struct vertex **out, struct error *err)
{
	int r = lower_stage(g, index, err);

	*out = g->stages[index].last;
	return r;
}

static int context_stage(struct graph *g, const struct build_context *c, unsigned before,
			 unsigned *out, struct error *err)
{
	const struct stage *stage = dockerfile_stage(g->file, c->image);

	if (!stage)
		return error_set(err, ERR_NOT_FOUND, "--build-context %s=%s: no such stage",
				 c->name, c->label);
	if (stage->index >= before)
		return error_set(err, ERR_INVALID,
				 "--build-context %s=%s: that stage does not come earlier",
				 c->name, c->label);
	*out = stage->index;
	return 0;
}

static int from_named(struct graph *g, const struct build_context *c, unsigned before,
		      struct vertex **out, struct error *err)
{
	unsigned index;
	int r;

	switch (c->kind) {
	case BUILD_CONTEXT_DIRECTORY:
		*out = directory_vertex(g, c);
		return 0;
	case BUILD_CONTEXT_STAGE:
		r = context_stage(g, c, before, &index, err);
		return r < 0 ? r : from_stage(g, index, out, err);
	case BUILD_CONTEXT_IMAGE:
	default:
		return graph_image(g, c->image, out, NULL, err);
	}
}

static int no_such_number(const struct graph *g, const struct stage_state *st, const char *name,
			  struct error *err)
{
	error_set(err, ERR_INVALID, "invalid stage index %s", name);
	if (st->stage->index)
		error_hint(err, "the stages above this one are 0 to %u", st->stage->index - 1);
	else
		error_hint(err, "this is the first stage of %zu", g->file->n_stages);
	return -ERR_INVALID;
}

int lower_from(struct graph *g, struct stage_state *st, const char *name, struct vertex **out,
	       struct error *err)
{
	const struct stage *stage = dockerfile_stage(g->file, name);
	const struct build_context *c;
	int64_t number;

	*out = NULL;
	if (!stage && parse_i64(name, &number))
		return no_such_number(g, st, name, err);
	if (stage && stage->index < st->stage->index)
		return from_stage(g, stage->index, out, err);
	c = from_context(g, name);
	if (c)
		return from_named(g, c, st->stage->index, out, err);
	if (stage)
		return error_set(err, ERR_INVALID,
				 "cannot copy from stage \"%s\", it needs to be defined before "
				 "the current stage",
				 name);
	return graph_image(g, name, out, NULL, err);
}

/* The files of a directory as the first layer of a stage. */
static void start_from_directory(struct graph *g, struct stage_state *st,
				 const struct build_context *c)
{
	struct vertex *from = directory_vertex(g, c);
	struct vertex *v = graph_add(g, VERTEX_COPY, NULL);

	v->line = st->stage->line;
	v->text = mem_printf("FROM %s", c->name);
	v->title = mem_printf("[context %s] %s", c->name, c->label);
	v->no_cache = cache_is_off(g, st->stage);
	v->copy.has_from = true;
	v->copy.from = from;
	v->copy.from_name = mem_strdup(c->label);
	v->copy.dest = mem_strdup("/");
	strlist_add(&v->copy.sources, "/");
	st->last = v;
	imgconfig_row(st, mem_printf("FROM %s", c->name), v);
}

int from_start(struct graph *g, struct stage_state *st, const struct build_context *c,
	       struct error *err)
{
	unsigned index;
	int r;

	switch (c->kind) {
	case BUILD_CONTEXT_DIRECTORY:
		start_from_scratch(st);
		start_from_directory(g, st, c);
		return 0;
	case BUILD_CONTEXT_STAGE:
		r = context_stage(g, c, st->stage->index, &index, err);
		return r < 0 ? r : start_from_stage(g, st, index, err);
	case BUILD_CONTEXT_IMAGE:
	default:
		return start_from_image(g, st, c->image, err);
	}
}
