/* SPDX-License-Identifier: Apache-2.0 */
/* Which step of an earlier build is the same as one of this build. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/explain.h"

#include "base/banned.h"

#define TABLE_MAX (4u << 20) /* cells; beyond, only what is at the same place is the same */

struct side {
	size_t n;
	const json_t **steps;
	char **stages;
};

struct matching {
	struct side now, then;
	long *like;  /* of now, into then */
	bool *taken; /* of then */
};

char *step_stage(const json_t *step)
{
	const char *label = field(step, "label");
	const char *space = strrchr(label, ' ');

	return space ? mem_strndup(label, (size_t)(space - label)) : mem_strdup("");
}

static void open_side(const json_t *record, struct side *out)
{
	const json_t *steps = json_object_get(record, "steps");

	out->n = json_array_size(steps);
	out->steps = mem_zalloc((out->n + 1) * sizeof(*out->steps));
	out->stages = mem_zalloc((out->n + 1) * sizeof(*out->stages));
	for (size_t i = 0; i < out->n; i++) {
		out->steps[i] = json_array_get(steps, i);
		out->stages[i] = step_stage(out->steps[i]);
	}
}

static void close_side(struct side *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->stages[i]);
	free(s->stages);
	free(s->steps);
}

/* A file with one stage does not name it in its labels. */
static bool same_stage(const struct matching *m, size_t i, size_t j)
{
	const char *a = m->now.stages[i], *b = m->then.stages[j];

	return !*a || !*b || str_eq(a, b);
}

static bool same_kind(const struct matching *m, size_t i, size_t j)
{
	return str_eq(field(m->now.steps[i], "kind"), field(m->then.steps[j], "kind")) &&
	       same_stage(m, i, j);
}

static bool same(const struct matching *m, size_t i, size_t j)
{
	return same_kind(m, i, j) &&
	       str_eq(field(m->now.steps[i], "text"), field(m->then.steps[j], "text"));
}

static void pair(struct matching *m, size_t i, size_t j)
{
	m->like[i] = (long)j;
	m->taken[j] = true;
}

/* The longest common subsequence of [i0, i1) and [j0, j1). */
static void align(struct matching *m, size_t i0, size_t i1, size_t j0, size_t j1)
{
	size_t rows = i1 - i0 + 1, columns = j1 - j0 + 1;
	uint16_t *best;

	if (rows * columns > TABLE_MAX)
		return;
	best = mem_zalloc(rows * columns * sizeof(*best));
#define BEST(i, j) best[((i)-i0) * columns + ((j)-j0)]
	for (size_t i = i1; i-- > i0;)
		for (size_t j = j1; j-- > j0;) {
			uint16_t down = BEST(i + 1, j), right = BEST(i, j + 1);

			BEST(i, j) = same(m, i, j)  ? (uint16_t)(BEST(i + 1, j + 1) + 1)
				     : down > right ? down
						    : right;
		}
	for (size_t i = i0, j = j0; i < i1 && j < j1;) {
		if (same(m, i, j) && BEST(i, j) == BEST(i + 1, j + 1) + 1)
			pair(m, i++, j++);
		else if (BEST(i + 1, j) >= BEST(i, j + 1))
			i++;
		else
			j++;
	}
#undef BEST
	free(best);
}

/* What both begin and end with needs no table. */
static void align_all(struct matching *m)
{
	size_t i0 = 0, i1 = m->now.n, j1 = m->then.n;

	while (i0 < i1 && i0 < j1 && same(m, i0, i0)) {
		pair(m, i0, i0);
		i0++;
	}
	while (i1 > i0 && j1 > i0 && same(m, i1 - 1, j1 - 1))
		pair(m, --i1, --j1);
	align(m, i0, i1, i0, j1);
}

/* How much of the shorter text both have at their ends, in 1/1000 of the longer. */
static unsigned likeness(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), shorter = na < nb ? na : nb, head = 0, tail = 0;

	while (head < shorter && a[head] == b[head])
		head++;
	while (tail < shorter - head && a[na - 1 - tail] == b[nb - 1 - tail])
		tail++;
	return (unsigned)((head + tail) * 1000 / ((na > nb ? na : nb) + 1));
}

/* The most similar pair of [i0, i1) and [j0, j1) first, until nothing fits. */
static void pair_gap(struct matching *m, size_t i0, size_t i1, size_t j0, size_t j1)
{
	for (;;) {
		size_t bi = 0, bj = 0;
		unsigned most = 0;

		for (size_t i = i0; i < i1; i++)
			for (size_t j = j0; m->like[i] < 0 && j < j1; j++) {
				unsigned l = 0;

				if (!m->taken[j] && same_kind(m, i, j))
					l = 1 + likeness(field(m->now.steps[i], "text"),
							 field(m->then.steps[j], "text"));
				if (l > most) {
					most = l;
					bi = i;
					bj = j;
				}
			}
		if (!most)
			return;
		pair(m, bi, bj);
	}
}

static void pair_gaps(struct matching *m)
{
	size_t i0 = 0, j0 = 0;

	for (size_t i = 0; i <= m->now.n; i++) {
		size_t j = i == m->now.n ? m->then.n : (size_t)m->like[i];

		if (i < m->now.n && m->like[i] < 0)
			continue;
		if ((i - i0) * (j - j0) <= TABLE_MAX / 64)
			pair_gap(m, i0, i, j0, j);
		i0 = i + 1;
		j0 = j + 1;
	}
}

long *match_steps(const json_t *now, const json_t *then)
{
	struct matching m = {0};

	open_side(now, &m.now);
	open_side(then, &m.then);
	m.like = mem_alloc((m.now.n + 1) * sizeof(*m.like));
	m.taken = mem_zalloc(m.then.n + 1);
	for (size_t i = 0; i < m.now.n; i++)
		m.like[i] = -1;
	align_all(&m);
	pair_gaps(&m);
	free(m.taken);
	close_side(&m.now);
	close_side(&m.then);
	return m.like;
}
