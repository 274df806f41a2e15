/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages that need each other.  All of the file's are looked at, also those
 * that the target does not need: such a file can never be meant.
 */
#include "build/lower.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

/* One stage needs another: a COPY, a mount, or FROM. */
struct edge {
	unsigned to;
	const struct instruction *at;
	char *word; /* owned: the name as it is written there */
};

struct edges {
	struct edge *items;
	size_t n;
	size_t cap;
};

struct search {
	const struct dockerfile *file;
	struct edges *of;	  /* for each stage */
	unsigned char *state;	  /* for each stage: 0 new, 1 on the path, 2 done */
	const struct edge **path; /* the edge that leads on from the stages on the path */
	unsigned *stages;
	size_t depth;
};

static void search_auto(struct search *s)
{
	for (size_t k = 0; k < s->file->n_stages; k++) {
		for (size_t e = 0; e < s->of[k].n; e++)
			free(s->of[k].items[e].word);
		free(s->of[k].items);
	}
	free(s->of);
	free(s->state);
	free(s->path);
	free(s->stages);
}

static void add(struct search *s, unsigned from, const char *name, const struct instruction *i)
{
	const struct stage *to = name ? dockerfile_stage(s->file, name) : NULL;

	if (to)
		*vec_push(&s->of[from]) = (struct edge){to->index, i, mem_strdup(name)};
}

static void add_instruction(struct search *s, unsigned from, const struct instruction *i)
{
	AUTO(strlist) struct strlist mounts = STRLIST_INIT;

	if (i->kind == INSTRUCTION_COPY)
		add(s, from, instruction_flag(i, "from"), i);
	instruction_flag_all(i, "mount", &mounts);
	for (size_t k = 0; k < mounts.n; k++) {
		AUTO(strlist) struct strlist fields = STRLIST_INIT;

		strlist_split(&fields, mounts.items[k], ',');
		for (size_t f = 0; f < fields.n; f++)
			if (str_starts(fields.items[f], "from="))
				add(s, from, fields.items[f] + 5, i);
	}
}

static void add_stage(struct search *s, const struct stage *stage)
{
	const struct stage *base = dockerfile_stage_above(s->file, stage->base, stage->index);

	if (base)
		*vec_push(&s->of[stage->index]) =
			(struct edge){base->index, stage->from, mem_strdup(stage->base)};
	for (size_t k = 0; k < stage->instructions.n; k++)
		add_instruction(s, stage->index, stage->instructions.items[k]);
}

static void put_stage(const struct dockerfile *file, unsigned index, struct buf *out)
{
	if (file->stages[index].name)
		buf_addstr(out, file->stages[index].name);
	else
		buf_printf(out, "%u", index);
}

/* The path from where @again first stands on it leads back to it. */
static int report(const struct search *s, unsigned again, struct error *err)
{
	AUTO(buf) struct buf name = BUF_INIT, way = BUF_INIT;
	size_t first = s->depth;

	while (first > 0 && s->stages[first] != again)
		first--;
	for (size_t k = first; k <= s->depth; k++) {
		put_stage(s->file, s->stages[k], &way);
		buf_printf(&way, " needs (line %u) ", s->path[k]->at->line);
	}
	put_stage(s->file, again, &way);
	put_stage(s->file, again, &name);
	error_set(err, ERR_INVALID, "circular dependency detected on stage: %s",
		  buf_str(&name));
	error_hint(err, "%s", buf_str(&way));
	instruction_error_at(s->path[first]->at, s->file->name, s->path[first]->word, err);
	return -ERR_INVALID;
}

/* Depth first, on a stack of its own: .path[k] is the edge taken from .stages[k]. */
static int visit(struct search *s, unsigned root, struct error *err)
{
	AUTO(free) size_t *next = mem_zalloc(s->file->n_stages * sizeof(*next));

	s->depth = 0;
	s->stages[0] = root;
	s->state[root] = 1;
	for (;;) {
		unsigned at = s->stages[s->depth];
		const struct edge *e;

		if (next[at] == s->of[at].n) {
			s->state[at] = 2;
			if (!s->depth)
				return 0;
			s->depth--;
			continue;
		}
		e = &s->of[at].items[next[at]++];
		s->path[s->depth] = e;
		if (s->state[e->to] == 1)
			return report(s, e->to, err);
		if (s->state[e->to])
			continue;
		s->state[e->to] = 1;
		s->stages[++s->depth] = e->to;
	}
}

int check_cycles(const struct graph *g, struct error *err)
{
	size_t n = g->file->n_stages;
	AUTO(search)
	struct search s = {
		.file = g->file,
		.of = mem_zalloc(n * sizeof(*s.of)),
		.state = mem_zalloc(n),
		.path = mem_zalloc(n * sizeof(struct edge *)),
		.stages = mem_zalloc(n * sizeof(*s.stages)),
	};
	int r = 0;

	for (size_t k = 0; k < n; k++)
		add_stage(&s, &g->file->stages[k]);
	for (unsigned k = 0; r == 0 && k < n; k++)
		if (!s.state[k])
			r = visit(&s, k, err);
	return r;
}
