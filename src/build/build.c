/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "build/check.h"
#include "build/cache.h"
#include "build/graph.h"
#include "build/history.h"
#include "build/lower.h"
#include "build/solve.h"
#include "image/image.h"

#include "base/banned.h"

#define HISTORY_COMMENT "buildkit.dockerfile.v0"

static void emit(const struct build_options *o, struct progress_event e)
{
	progress_emit(o->progress, &e);
}

/* check=error=true makes an error of them. */
static int tell_warnings(const struct graph *g, struct error *err)
{
	AUTO(warning_list) struct warning_list l = {0};
	AUTO(free) char *stranger = cache_filter_stranger(g);

	if (stranger)
		emit(g->o, (struct progress_event){.kind = PROGRESS_WARNING, .text = stranger});
	check_gather(g, &l);
	for (size_t i = 0; i < l.n; i++) {
		const struct dockerfile_warning *w = &l.items[i];
		AUTO(free) char *text = NULL;

		text = w->line ? mem_printf("%s: %s (line %u)", w->rule, w->message, w->line)
			       : mem_printf("%s: %s", w->rule, w->message);
		emit(g->o, (struct progress_event){.kind = PROGRESS_WARNING, .text = text});
	}
	return check_fatal(g, &l, err);
}

static void add_history(struct image_config *cfg, const struct made_row *row, int64_t created,
			bool has_created)
{
	struct history *h = image_config_add_history(cfg);

	h->created = created;
	h->has_created = has_created;
	h->created_by = mem_strdup(row->created_by);
	h->comment = mem_strdup(HISTORY_COMMENT);
	h->empty_layer = !row->vertex;
}

/*
 * The config of the target.  A row that made no layer has the time of the one
 * before it, so a build that was all cache gives the very same image.
 */
static void complete_config(struct graph *g)
{
	struct stage_state *st = g->target;
	struct image_config *cfg = &st->config;
	bool has = cfg->has_created;
	int64_t at = cfg->created;

	if (g->o->has_epoch) {
		at = g->o->epoch_sec * 1000000000;
		has = true;
	}
	for (size_t i = 0; i < st->n_rows; i++) {
		const struct vertex *v = st->rows[i].vertex;

		if (v && !g->o->has_epoch) {
			at = v->created_ns;
			has = true;
		}
		add_history(cfg, &st->rows[i], at, has);
	}
	cfg->created = at;
	cfg->has_created = has;
	for (size_t i = 0; st->last && i < st->last->diff_ids.n; i++)
		image_config_add_diff_id(cfg, &st->last->diff_ids.items[i]);
}

static void name_result(const struct build_options *o, struct build_result *out, unsigned task)
{
	for (size_t i = 0; o->names && i < o->names->n; i++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		AUTO(buf) struct buf familiar = BUF_INIT;
		AUTO(free) char *text = mem_printf("naming to %s", o->names->items[i]);

		if (reference_parse(o->names->items[i], &ref, NULL) == 0)
			reference_familiar(&ref, &familiar);
		strlist_add(&out->names, buf_str(&familiar));
		emit(o, (struct progress_event){
				.kind = PROGRESS_STATUS, .task = task, .text = text});
	}
}

/* The image as it will be, whether it is recorded or not. */
static int describe_image(struct graph *g, struct build_result *out, struct error *err)
{
	struct image_config *cfg = &g->target->config;
	int r = 0;

	complete_config(g);
	if (g->o->flatten)
		r = image_flatten(g->store, cfg, err);
	/* the layers of one that is flattened are those of no step */
	else if (cache_inline_wanted(g->o))
		r = cache_inline(g, cfg, err);
	if (r < 0)
		return r;
	image_config_encode(cfg, &out->config);
	digest_of(out->config.data, out->config.len, &out->image);
	return 0;
}

static int commit(struct graph *g, unsigned task, struct build_result *out, struct error *err)
{
	int64_t started = clock_monotonic_ns();
	char id[DIGEST_TEXT_SIZE];
	AUTO(free) char *text = NULL;
	int r;

	emit(g->o, (struct progress_event){
			   .kind = PROGRESS_BEGIN, .task = task, .text = "exporting to image"});
	r = describe_image(g, out, err);
	if (r == 0)
		r = image_commit(g->store, &g->target->config, g->o->names, &out->image, err);
	if (r < 0) {
		emit(g->o, (struct progress_event){.kind = PROGRESS_FAILED,
						   .task = task,
						   .text = err ? err->message : NULL});
		return r;
	}
	text = mem_printf("writing image %s", digest_text(&out->image, id));
	emit(g->o,
	     (struct progress_event){.kind = PROGRESS_STATUS, .task = task, .text = text});
	name_result(g->o, out, task);
	emit(g->o, (struct progress_event){.kind = PROGRESS_DONE,
					   .task = task,
					   .duration_ns = clock_monotonic_ns() - started,
					   .result = id});
	return 0;
}

static const struct vertex *vertex_of(const struct graph *g, const struct instruction *i)
{
	for (size_t n = 0; n < g->n; n++)
		if (g->items[n]->instruction == i)
			return g->items[n];
	return NULL;
}

static void emit_step(const struct graph *g, const struct instruction *i,
		      const struct vertex *v)
{
	emit(g->o, (struct progress_event){.kind = PROGRESS_STEP,
					   .text = i->text,
					   .vertex = v ? v->number + 1 : 0});
}

static void emit_list(const struct graph *g, const struct instruction_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		emit_step(g, l->items[i], vertex_of(g, l->items[i]));
}

/* The instructions of all stages that take part, in the order of the file. */
static void emit_steps(const struct graph *g)
{
	emit_list(g, &g->file->globals);
	for (size_t i = 0; i < g->file->n_stages; i++) {
		const struct stage_state *st = &g->stages[i];

		if (!st->lowered)
			continue;
		emit_step(g, st->stage->from, st->base);
		emit_list(g, &st->extra);
		emit_list(g, &st->stage->instructions);
	}
}

/* ---- caches that travel ---- */

static int check_places(const struct build_options *o, struct error *err)
{
	for (size_t i = 0; o->cache_to && i < o->cache_to->n; i++) {
		AUTO(cache_place) struct cache_place p = {0};
		int r = cache_place_parse(o->cache_to->items[i], true, &p, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int export_one(const struct graph *g, const char *text, unsigned *task,
		      struct error *err)
{
	AUTO(cache_place) struct cache_place p = {0};
	int64_t started = clock_monotonic_ns();
	int r = cache_place_parse(text, true, &p, err);

	/* in the image already */
	if (r < 0 || p.type == CACHE_INLINE)
		return r;
	emit(g->o, (struct progress_event){.kind = PROGRESS_BEGIN,
					   .task = *task,
					   .text = p.type == CACHE_REGISTRY
							   ? "exporting cache to registry"
							   : "exporting cache to client "
							     "directory"});
	r = cache_export(g, &p, *task, err);
	emit(g->o, (struct progress_event){.kind = r < 0 ? PROGRESS_FAILED : PROGRESS_DONE,
					   .task = (*task)++,
					   .text = r < 0 && err ? err->message : NULL,
					   .duration_ns = clock_monotonic_ns() - started});
	if (r < 0 && r != -ERR_CANCELLED && p.ignore_error) {
		error_clear(err);
		r = 0;
	}
	return r;
}

static int export_caches(const struct graph *g, unsigned *task, struct error *err)
{
	const struct strlist *to = g->o->cache_to;
	int r = 0;

	for (size_t i = 0; r == 0 && to && i < to->n; i++)
		r = export_one(g, to->items[i], task, err);
	return r;
}

/* ---- all of it ---- */

struct attempt {
	struct graph *g;
	struct lease *lease;
	struct build_history *history; /* borrowed */
	struct cache_imports *imports; /* borrowed */
	struct solve_result solved;
};

static void attempt_end(struct attempt *a)
{
	graph_free(take_ptr(a->g));
	lease_end(take_ptr(a->lease));
}

static int attempt(struct store *s, const struct build_options *o, struct attempt *a,
		   struct build_result *out, struct error *err)
{
	unsigned tasks = a->solved.next_task;
	int r = graph_new(s, o, &a->g, err);

	if (r < 0 || (r = tell_warnings(a->g, err)) < 0)
		return r;
	if (tasks < a->g->tasks)
		tasks = a->g->tasks;
	emit_steps(a->g);
	emit(o, (struct progress_event){.kind = PROGRESS_TOTAL,
					.total = tasks + a->g->n + !o->discard + o->outputs +
						 (o->cache_to ? o->cache_to->n : 0)});
	a->g->history = a->history;
	a->g->imports = a->imports;
	memcpy(out->id, history_id(a->history), HISTORY_ID_SIZE);
	a->solved = (struct solve_result){.next_task = tasks};
	if ((r = solve_graph(a->g, &a->lease, &a->solved, err)) < 0)
		return r;
	out->cached = a->solved.cached;
	out->executed = a->solved.executed;
	out->next_task = a->solved.next_task + 1 + !o->discard;
	r = o->discard ? describe_image(a->g, out, err)
		       : commit(a->g, a->solved.next_task + 1, out, err);
	return r < 0 ? r : export_caches(a->g, &out->next_task, err);
}

int build_run(struct store *s, const struct build_options *asked, struct build_result *out,
	      struct error *err)
{
	AUTO(build_history) struct build_history *history = history_new(s, asked);
	AUTO(cache_imports) struct cache_imports *imports = NULL;
	AUTO(error) struct error why = ERROR_INIT;
	struct build_options own = *asked, *o = &own;
	struct attempt a = {.history = history};
	int r = check_places(o, err);

	if (r < 0 || (r = cache_imports_open(o, &own.tasks, &imports, err)) < 0)
		return r;
	a.imports = imports;
	a.solved.next_task = own.tasks;
	/* a step of --cache-from whose files then could not be had is made after all */
	while ((r = attempt(s, o, &a, out, &why)) < 0 && cache_imports_lost(imports)) {
		attempt_end(&a);
		error_clear(&why);
	}
	if (a.g && a.g->history)
		history_save(history, a.g, r == 0 ? &out->image : NULL, &why);
	attempt_end(&a);
	error_move(err, &why);
	return r;
}

void build_result_clear(struct build_result *r)
{
	strlist_clear(&r->names);
	buf_clear(&r->config);
}

int build_print(struct store *s, const struct build_options *o, enum build_dump what,
		struct buf *out, struct error *err)
{
	AUTO(graph) struct graph *g = NULL;
	struct dockerfile *file = NULL;
	int r;

	if (what == BUILD_DUMP_AST) {
		r = dockerfile_parse(o->dockerfile, o->dockerfile_len, o->dockerfile_name,
				     &file, err);
		if (r == 0)
			dockerfile_print(file, out);
		dockerfile_free(file);
		return r;
	}
	if ((r = graph_new(s, o, &g, err)) == 0)
		graph_print(g, out);
	return r;
}
