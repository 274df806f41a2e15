/* SPDX-License-Identifier: Apache-2.0 */
/* A base image that is not in the store yet. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "build/graph.h"
#include "image/image.h"

#include "base/banned.h"

/* Many layers, one task of the build. */
struct pulling {
	const struct progress *progress;
	unsigned task;
	struct pulling_layers {
		struct {
			uint64_t current, total;
		} * items; /* by the pull's own number */
		size_t n, cap;
	} layers;
};

static void tell(const struct pulling *p, struct progress_event e)
{
	e.task = p->task;
	progress_emit(p->progress, &e);
}

static void tell_bytes(const struct pulling *p)
{
	struct progress_event e = {.kind = PROGRESS_BYTES};

	for (size_t i = 0; i < p->layers.n; i++) {
		e.current += p->layers.items[i].current;
		e.total += p->layers.items[i].total;
	}
	tell(p, e);
}

static void on_event(void *data, const struct progress_event *e)
{
	struct pulling *p = data;

	if (!e->task || (e->kind != PROGRESS_BEGIN && e->kind != PROGRESS_BYTES &&
			 e->kind != PROGRESS_CACHED))
		return;
	while (p->layers.n < e->task)
		vec_push(&p->layers);
	if (e->kind == PROGRESS_CACHED)
		p->layers.items[e->task - 1].total = 0;
	else
		p->layers.items[e->task - 1].total = e->total;
	if (e->kind == PROGRESS_BYTES) {
		p->layers.items[e->task - 1].current = e->current;
		tell_bytes(p);
	}
}

static int pull(struct graph *g, const struct reference *ref, const struct platform *platform,
		const char *normal, struct error *err)
{
	struct pulling p = {.progress = g->o->progress, .task = ++g->tasks};
	const struct progress sink = {.event = on_event, .data = &p};
	const struct image_pull how = {
		.ref = ref, .platform = platform, .progress = &sink, .first_task = 1};
	AUTO(free) char *title = mem_printf("[internal] pull %s", normal);
	AUTO(error) struct error why = ERROR_INIT;
	int64_t started = clock_monotonic_ns();
	struct image_pulled pulled;
	char text[DIGEST_TEXT_SIZE];
	int r;

	tell(&p, (struct progress_event){.kind = PROGRESS_BEGIN, .text = title});
	r = image_pull(g->store, &how, &pulled, &why);
	tell(&p,
	     (struct progress_event){.kind = r < 0 ? PROGRESS_FAILED : PROGRESS_DONE,
				     .text = why.message,
				     .result = r < 0 ? NULL : digest_text(&pulled.digest, text),
				     .duration_ns = clock_monotonic_ns() - started});
	free(p.layers.items);
	error_move(err, &why);
	return r;
}

int graph_pull(struct graph *g, const char *name, const struct platform *platform,
	       struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(buf) struct buf key = BUF_INIT;
	int r = reference_parse(name, &ref, err);

	if (r < 0)
		return error_wrap(err, "%s", name);
	reference_normal(&ref, &normal);
	buf_addstr(&key, buf_str(&normal));
	if (platform) {
		buf_addch(&key, ' ');
		platform_format(platform, &key);
	}
	if (strlist_find(&g->pulled, buf_str(&key)) >= 0)
		return 0;
	r = pull(g, &ref, platform, buf_str(&normal), err);
	if (r < 0)
		return error_wrap(err, "%s: failed to resolve source metadata for %s", name,
				  buf_str(&normal));
	strlist_add(&g->pulled, buf_str(&key));
	return 0;
}
