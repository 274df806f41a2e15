/* SPDX-License-Identifier: Apache-2.0 */
#include "build/solve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/cache.h"
#include "build/emulate.h"
#include "build/history.h"
#include "build/mount.h"
#include "build/sources.h"
#include "build/worker.h"
#include "image/image.h"

#include "base/banned.h"

#define WORKERS_MAX 8 /* RUN steps mostly wait for networks and disks */

struct running {
	struct solve *s;
	struct vertex *v;
	struct job job;
	struct worker *worker;
	bool held;     /* it failed, and waits with a shell */
	bool answered; /* and has leave to open it */
	char dir[STORE_LAYER_DIR_SIZE];
	struct selection sources;
	struct tree *tree;
	struct digest definition, key, content;
	bool has_content;
	bool own_netns;		    /* of RUN --network=none */
	struct plan_hashed *hashed; /* shared mapping */
	size_t hashed_bytes;
	struct fetched *fetched; /* shared mapping */
	unsigned task;
	int64_t started_ns;
	struct running *next;
};

struct solve {
	struct graph *g;
	struct store *store;
	struct lease **lease;
	struct loop *loop;
	struct sources sources;
	struct running *running;
	unsigned n_running;
	struct network_endpoint endpoint;
	bool has_endpoint;
	struct error error; /* the first */
	bool failed;
	bool asked_rest, rests; /* others may remove what nobody holds */
	struct solve_result result;
};

/* ---- progress ---- */

static void emit(struct solve *s, const struct progress_event *e)
{
	progress_emit(s->g->o->progress, e);
}

static unsigned begin_task(struct solve *s, const struct vertex *v)
{
	struct progress_event e = {.kind = PROGRESS_BEGIN,
				   .task = ++s->result.next_task,
				   .text = v->title ? v->title : v->text,
				   .vertex = v->number + 1};

	emit(s, &e);
	return e.task;
}

static void end_task(struct solve *s, unsigned task, enum progress_kind kind,
		     int64_t duration_ns, const char *text)
{
	struct progress_event e = {
		.kind = kind, .task = task, .duration_ns = duration_ns, .text = text};

	emit(s, &e);
}

/* It succeeded; the result is what it made, or the image that it is. */
static void end_vertex(struct solve *s, unsigned task, enum progress_kind kind,
		       int64_t duration_ns, const struct vertex *v)
{
	char id[DIGEST_TEXT_SIZE];
	struct progress_event e = {
		.kind = kind,
		.task = task,
		.duration_ns = duration_ns,
		.result = digest_text(v->kind == VERTEX_IMAGE ? &v->image : &v->chain_id, id)};

	emit(s, &e);
}

/* ---- errors ---- */

static void fail(struct solve *s, const struct vertex *v, struct error *err)
{
	if (s->failed) {
		error_clear(err);
		return;
	}
	s->failed = true;
	if (v && !err->line)
		error_at(err, s->g->file->name, v->line, 0);
	error_move(&s->error, err);
	for (struct running *r = s->running; r; r = r->next)
		if (r->worker && !r->held)
			worker_cancel(r->worker);
}

/* ---- results ---- */

static void finish_vertex(struct vertex *v, const struct digest *diff_id, int64_t created_ns)
{
	if (v->parent)
		for (size_t i = 0; i < v->parent->diff_ids.n; i++)
			*vec_push(&v->diff_ids) = v->parent->diff_ids.items[i];
	if (diff_id)
		*vec_push(&v->diff_ids) = *diff_id;
	if (v->diff_ids.n)
		chain_id_of(v->diff_ids.items, v->diff_ids.n, &v->chain_id);
	v->created_ns = created_ns;
	v->state = VERTEX_DONE;
}

static int64_t stamp(const struct solve *s)
{
	return s->g->o->has_epoch ? s->g->o->epoch_sec * 1000000000 : clock_now_ns();
}

/* ---- keys ---- */

static int open_tree(struct running *r, struct error *err)
{
	const struct copy_spec *c = &r->v->copy;

	return copy_needs_tree(c) ? sources_tree(&r->s->sources, c, &r->tree, err) : 0;
}

static bool find_memo(const struct solve *s, const struct digest *key, struct digest *out)
{
	return store_memo_find(s->store, key, out) ||
	       cache_imports_memo(s->g->imports, key, out);
}

static int get_lease(struct solve *s, struct error *err)
{
	return *s->lease ? 0 : lease_new(s->store, s->lease, err);
}

/*
 * Finds the content digest of a COPY, if that is known or worth knowing before
 * the copy is made: reading everything twice pays only when an earlier build
 * did the same step.
 */
static int find_content(struct running *r, struct error *err)
{
	struct solve *s = r->s;
	const struct copy_spec *c = &r->v->copy;
	struct digest memo, ignored;
	int e;

	if (copy_from_layers(c)) {
		step_memo_key(c, &memo);
		r->has_content =
			c->n_files == 0 && !r->v->no_cache && find_memo(s, &memo, &r->content);
		if (r->has_content)
			return 0;
	}
	if ((e = cache_need(s->g, s->lease, c->from, err)) < 0 || (e = open_tree(r, err)) < 0 ||
	    (e = select_sources(r->tree, c, &r->sources, err)) < 0)
		return e;
	if (!selection_has_digests(&r->sources)) {
		if (r->v->no_cache || !find_memo(s, &r->definition, &ignored))
			return 0;
		if ((e = selection_digest_all(r->tree, &r->sources, err)) < 0)
			return e;
	}
	selection_hash(&r->sources, copy_keeps_owners(c), &r->content);
	r->has_content = true;
	return 0;
}

static void set_key(struct running *r)
{
	step_key(&r->definition, r->v->kind == VERTEX_COPY ? &r->content : NULL, &r->key);
	r->v->record.key = r->key;
	r->v->record.has_key = true;
	r->v->record.definition = r->definition;
	r->v->record.content = r->content;
	r->v->record.has_content = r->has_content;
}

static int make_key(struct running *r, struct error *err)
{
	struct solve *s = r->s;
	int e = cache_need_contents(s->g, s->lease, &r->v->run, err);

	if (e < 0 || (e = mounts_content(&s->sources, &r->v->run, err)) < 0)
		return e;
	step_definition(r->s->g, r->v, &r->definition);
	if (r->v->kind == VERTEX_COPY && (e = find_content(r, err)) < 0)
		return e;
	if (r->v->kind != VERTEX_COPY || r->has_content)
		set_key(r);
	return 0;
}

static int record_memos(struct running *r, struct error *err);

/* The same from --cache-from. */
static int try_imports(struct running *r, struct error *err)
{
	struct cache_hit hit;
	int e;

	if (!cache_imports_find(r->s->g->imports, r->s->store, &r->key, &hit))
		return 0;
	if ((e = record_memos(r, err)) < 0)
		return e;
	r->v->record.miss = MISS_NONE;
	r->v->cached = true;
	finish_vertex(r->v, &hit.diff_id, hit.created_ns);
	return 1;
}

/* 1: done from the cache, 0: must be executed. */
static int try_cache(struct running *r, struct error *err)
{
	AUTO(store_step) struct store_step step = {0};
	struct store_layer layer;
	int e;

	r->v->record.miss = r->v->no_cache ? MISS_ASKED : MISS_UNKNOWN;
	if (r->v->no_cache || (r->v->kind == VERTEX_COPY && !r->has_content))
		return 0;
	e = store_step_find(r->s->store, &r->key, &step, NULL);
	if (e == -ERR_NOT_FOUND)
		return try_imports(r, err);
	if (e < 0)
		return error_set(err, ERR_SYSTEM, "the build cache cannot be read");
	/* gone with its record just now, perhaps */
	if (r->s->rests &&
	    store_layer_pin(r->s->store, *r->s->lease, &step.diff_id, &layer, NULL) < 0)
		return 0;
	/* a layer that a power cut damaged is dropped with its record: then run the step */
	e = image_layer(r->s->store, &step.diff_id, &layer, NULL);
	if (e < 0) {
		r->v->record.miss = MISS_DAMAGED;
		return 0;
	}
	r->v->record.miss = MISS_NONE;
	r->v->cached = true;
	r->v->content = r->content;
	finish_vertex(r->v, &step.diff_id, step.created_ns);
	return 1;
}

/* ---- execution ---- */

static void free_running(struct running *r)
{
	struct solve *s = r->s;

	for (struct running **at = &s->running; *at; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			s->n_running--;
			break;
		}
	if (r->fetched)
		munmap(r->fetched, sizeof(*r->fetched));
	if (r->hashed)
		munmap(r->hashed, r->hashed_bytes);
	selection_clear(&r->sources);
	snapshot_stack_clear(&r->job.parent);
	mounts_release(&r->job);
	free(r->job.cgroup);
	close_fd(&r->job.fs);
	if (r->own_netns)
		close_fd(&r->job.netns);
	free(r);
}

/* The child computed digests of files while it copied them. */
static void take_hashes(struct running *r)
{
	for (size_t i = 0; r->tree && r->hashed && i < r->tree->n_files; i++) {
		struct tree_node *n = r->tree->files[i];

		if (r->hashed[i].hashed_at_ns && !n->has_digest)
			tree_set_digest(r->tree, n, &r->hashed[i].digest,
					r->hashed[i].hashed_at_ns);
	}
}

static int record_memos(struct running *r, struct error *err)
{
	struct store *store = r->s->store;
	struct digest memo;
	int e;

	if (r->v->kind != VERTEX_COPY)
		return 0;
	if ((e = store_memo_add(store, &r->definition, &r->content, err)) < 0 ||
	    !copy_from_layers(&r->v->copy) || r->v->copy.n_files)
		return e;
	step_memo_key(&r->v->copy, &memo);
	return store_memo_add(store, &memo, &r->content, err);
}

static void note_inputs(struct running *r)
{
	if (!r->v->record.inputs)
		r->v->record.inputs =
			step_inputs(r->s->g, r->v, r->has_content ? &r->content : NULL);
}

static int record_rows(struct running *r, const struct store_layer *layer, int64_t created,
		       int64_t duration, struct error *err)
{
	struct store_step step = {.key = r->key,
				  .diff_id = layer->diff_id,
				  .created_ns = created,
				  .duration_ns = duration,
				  .title = r->v->text};
	int e;

	note_inputs(r);
	step.inputs = r->v->record.inputs;
	e = store_step_add(r->s->store, &step, err);
	return e < 0 ? e : record_memos(r, err);
}

static int record(struct running *r, const struct layer_info *info, int64_t duration,
		  struct error *err)
{
	struct store *store = r->s->store;
	struct store_layer layer = {.diff_id = info->diff_id,
				    .content_bytes = info->content_bytes,
				    .tar_bytes = info->tar_bytes,
				    .entries = info->entries};
	int64_t created = stamp(r->s);
	int e;

	memcpy(layer.dir, r->dir, sizeof(layer.dir));
	if (r->v->kind == VERTEX_COPY && !r->has_content) {
		take_hashes(r);
		/* files of 0 names (replaced by a later source) were not copied: read them */
		if ((e = selection_digest_all(r->tree, &r->sources, err)) < 0)
			return e;
		selection_hash(&r->sources, copy_keeps_owners(&r->v->copy), &r->content);
		r->has_content = true;
		set_key(r);
	}
	if (r->v->kind == VERTEX_COPY)
		files_save(store_dir(store, STORE_HISTORY), &r->content, &r->sources,
			   copy_keeps_owners(&r->v->copy));
	if ((e = store_begin(store, false, err)) < 0)
		return e;
	e = store_layer_commit(store, &layer, err);
	/* somebody had made the same: hold his */
	if (e == 0 && !str_eq(layer.dir, r->dir))
		e = lease_note(*r->s->lease, "layer", layer.dir, err);
	if (e == 0)
		e = record_rows(r, &layer, created, duration, err);
	if (e < 0) {
		store_abort(store);
		return e;
	}
	if ((e = store_commit(store, err)) < 0)
		return e;
	r->v->content = r->content;
	finish_vertex(r->v, &layer.diff_id, created);
	return 0;
}

static void advance(struct solve *s);

static void on_output(void *data, int stream, const char *text, size_t len)
{
	struct running *r = data;
	struct progress_event e = {.kind = PROGRESS_LOG,
				   .task = r->task,
				   .text = text,
				   .len = len,
				   .stream = stream,
				   .duration_ns = clock_monotonic_ns() - r->started_ns};

	history_log(r->s->g->history, r->v, text, len);
	emit(r->s, &e);
}

/* The child brought it into the cache: here is what. */
static int take_fetched(struct running *r, struct error *err)
{
	struct source_spec *s = &r->v->source;
	int cache = store_dir(r->s->store, STORE_CACHE), e = 0;

	s->file.body = r->fetched->file;
	s->file.cache = cache;
	s->checkout = r->fetched->checkout;
	if (s->kind == SOURCE_GIT)
		e = sources_checkout(&r->s->sources, r->v, &s->tree, err);
	r->v->state = VERTEX_DONE;
	return e;
}

/* When all others have come to their end, the terminal is free for the one that is held. */
static void offer_shell(struct solve *s)
{
	const struct build_on_error *e = s->g->o->on_error;
	struct running *r = s->running;

	if (!r || r->next || !r->held || r->answered)
		return;
	r->answered = true;
	e->shell(e->data, r->v->title);
	worker_answer(r->worker, true);
}

/* A RUN failed, and its process stays: for the first of them a shell is opened. */
static void on_held(void *data, struct error *err)
{
	struct running *r = data;
	struct solve *s = r->s;
	struct error why = ERROR_INIT;

	if (s->failed) {
		worker_answer(r->worker, false);
		return;
	}
	r->held = true;
	error_move(&why, err);
	end_task(s, r->task, PROGRESS_FAILED, clock_monotonic_ns() - r->started_ns,
		 why.message);
	fail(s, r->v, &why);
	offer_shell(s);
}

/* A shell that could not be opened has left a word about it. */
static void note_hint(struct solve *s, struct error *err)
{
	if (!str_empty(err->hint))
		error_hint(&s->error, "%s", err->hint);
	error_clear(err);
}

static void on_done(void *data, const struct layer_info *info, struct error *err)
{
	struct running *r = data;
	struct solve *s = r->s;
	int64_t duration = clock_monotonic_ns() - r->started_ns;
	struct error why = ERROR_INIT;

	error_move(&why, err);
	history_log_end(r->v);
	r->v->record.duration_ns = duration;
	if (!why.code && r->v->kind == VERTEX_SOURCE)
		take_fetched(r, &why);
	else if (!why.code)
		record(r, info, duration, &why);
	r->v->record.ended = !s->failed;
	if (r->held) {
		note_inputs(r);
		store_layer_discard(s->store, r->dir, NULL);
		note_hint(s, &why);
	} else if (why.code) {
		if (r->v->kind != VERTEX_SOURCE)
			note_inputs(r);
		if (*r->dir)
			store_layer_discard(s->store, r->dir, NULL);
		end_task(s, r->task, s->failed ? PROGRESS_CANCELLED : PROGRESS_FAILED, duration,
			 why.message);
		fail(s, r->v, &why);
	} else {
		s->result.executed += r->v->kind != VERTEX_SOURCE;
		end_vertex(s, r->task, PROGRESS_DONE, duration, r->v);
	}
	free_running(r);
	offer_shell(s);
	advance(s);
}

/* One name space and address for all RUN steps of the build, made when first needed. */
static int get_network(struct running *r, struct error *err)
{
	struct solve *s = r->s;
	struct network_bridge bridge;
	int e;

	r->job.netns = -1;
	if (r->v->kind != VERTEX_RUN || r->v->run.network == RUNTIME_NETWORK_HOST)
		return 0;
	if (r->v->run.network == RUNTIME_NETWORK_NONE) {
		r->own_netns = true;
		return network_namespace_new(&r->job.netns, err);
	}
	if (!s->has_endpoint) {
		network_default_bridge(&bridge);
		e = network_attach(&bridge, -1, &s->endpoint, err);
		if (e < 0)
			return e;
		s->has_endpoint = true;
	}
	r->job.netns = s->endpoint.netns;
	r->job.endpoint = &s->endpoint;
	return 0;
}

/* The container's name; and a cgroup, if that is wanted or a limit needs one. */
static int prepare_run(struct running *r, struct error *err)
{
	const struct build_options *o = r->s->g->o;
	AUTO(free)
	char *parent = root_clean_path(o->cgroup_parent ? o->cgroup_parent : "stave");
	int e;

	random_hex(r->job.id, 64);
	r->job.shell = o->on_error != NULL;
	if (o->cgroup_parent || o->memory) {
		r->job.cgroup = mem_printf("/%s/%s", parent, r->job.id);
		if ((e = lease_note(*r->s->lease, "cgroup", r->job.cgroup, err)) < 0)
			return e;
	}
	return mounts_take(r->s->g, *r->s->lease, &r->job, err);
}

static int share_hashes(struct running *r, struct error *err)
{
	void *map;

	r->hashed_bytes = r->tree ? r->tree->n_files * sizeof(*r->hashed) : 0;
	if (!r->hashed_bytes)
		return 0;
	map = mmap(NULL, r->hashed_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		   -1, 0);
	if (map == MAP_FAILED)
		return error_sys(err, "no memory for %zu digests", r->tree->n_files);
	r->hashed = map;
	return 0;
}

/* A --from selection whose content was in the memo has not been looked at yet. */
static int prepare_copy(struct running *r, struct error *err)
{
	int e;

	if (!r->sources.n) {
		if ((e = open_tree(r, err)) < 0 ||
		    (e = select_sources(r->tree, &r->v->copy, &r->sources, err)) < 0)
			return e;
	}
	r->job.tree = r->tree;
	r->job.sources = &r->sources;
	if (!r->has_content && (e = share_hashes(r, err)) < 0)
		return e;
	r->job.hashed = r->hashed;
	return 0;
}

/* Once, when it is clear that this build is going to take its time. */
static int rest(struct solve *s, struct error *err)
{
	int e = 0;

	if (!s->asked_rest && (e = solve_rest(s->g, *s->lease, err)) > 0)
		s->rests = true;
	s->asked_rest = true;
	return e < 0 ? e : 0;
}

static int execute(struct running *r, struct error *err)
{
	struct solve *s = r->s;
	struct worker_events events = {
		.output = on_output, .done = on_done, .held = on_held, .data = r};
	const struct vertex *parent = r->v->parent;
	int e;

	if ((e = get_lease(s, err)) < 0 || (e = rest(s, err)) < 0 ||
	    (e = cache_need_inputs(s->g, s->lease, r->v, err)) < 0 ||
	    (e = store_layer_new(s->store, *s->lease, r->dir, err)) < 0 ||
	    (e = store_layer_open(s->store, r->dir, &r->job.fs, err)) < 0 ||
	    (e = image_stack(s->store, parent ? parent->diff_ids.items : NULL,
			     parent ? parent->diff_ids.n : 0, &r->job.parent, err)) < 0 ||
	    (e = get_network(r, err)) < 0)
		return e;
	r->job.layers = store_dir(s->store, STORE_LAYERS);
	r->job.cache = store_dir(s->store, STORE_CACHE);
	r->job.cache_mounts = store_dir(s->store, STORE_CACHE_MOUNTS);
	r->job.stub = store_dir(s->store, STORE_STUB);
	r->job.dir = r->dir;
	if (r->v->kind == VERTEX_COPY && (e = prepare_copy(r, err)) < 0)
		return e;
	if (r->v->kind == VERTEX_RUN &&
	    ((e = emulate_check(r->v->platform, err)) < 0 || (e = prepare_run(r, err)) < 0))
		return e;
	e = worker_start(s->loop, &r->job, &events, &r->worker, err);
	/* or the processes of later steps would inherit its locks */
	mounts_handed_over(&r->job);
	return e;
}

static int fetch(struct running *r, struct error *err)
{
	struct worker_events events = {.output = on_output, .done = on_done, .data = r};
	void *map = mmap(NULL, sizeof(*r->fetched), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return error_sys(err, "no memory for a source");
	r->fetched = r->job.fetched = map;
	r->job.netns = -1;
	r->job.cache = store_dir(r->s->store, STORE_CACHE);
	r->job.layers = store_dir(r->s->store, STORE_LAYERS);
	return worker_start(r->s->loop, &r->job, &events, &r->worker, err);
}

static void start_image(struct solve *s, struct vertex *v)
{
	unsigned task = begin_task(s, v);

	finish_vertex(v, NULL, v->created_ns);
	end_vertex(s, task, PROGRESS_CACHED, 0, v);
}

static void start_vertex(struct solve *s, struct vertex *v)
{
	struct error err = ERROR_INIT;
	struct running *r;
	int e;

	if (v->kind == VERTEX_IMAGE) {
		start_image(s, v);
		return;
	}
	if (v->kind == VERTEX_SOURCE &&
	    v->source.kind ==
		    SOURCE_DIRECTORY) { /* it is there: nothing is copied anywhere first */
		v->state = VERTEX_DONE;
		return;
	}
	r = mem_new(struct running);
	*r = (struct running){.s = s, .v = v, .next = s->running};
	r->job = (struct job){.g = s->g, .v = v, .fs = -1, .parent = {.bottom = -1}};
	s->running = r;
	s->n_running++;
	r->started_ns = clock_monotonic_ns();
	v->record.began = true;
	r->task = begin_task(s, v);
	v->state = VERTEX_RUNNING;
	e = v->kind == VERTEX_SOURCE ? 0 : make_key(r, &err);
	if (e == 0 && v->kind != VERTEX_SOURCE)
		e = try_cache(r, &err);
	if (e == 1) {
		s->result.cached++;
		end_vertex(s, r->task, PROGRESS_CACHED, 0, v);
		free_running(r);
		return;
	}
	if (e == 0)
		e = v->kind == VERTEX_SOURCE ? fetch(r, &err) : execute(r, &err);
	if (e < 0) {
		if (*r->dir)
			store_layer_discard(s->store, r->dir, NULL);
		end_task(s, r->task, PROGRESS_FAILED, clock_monotonic_ns() - r->started_ns,
			 err.message);
		fail(s, v, &err);
		free_running(r);
	}
}

static bool is_fetched(const struct copy_spec *c)
{
	for (size_t i = 0; c->remotes && i < c->sources.n; i++)
		if (c->remotes[i] && c->remotes[i]->state != VERTEX_DONE)
			return false;
	return true;
}

static bool is_ready(const struct vertex *v)
{
	return v->state == VERTEX_WAITING && (!v->parent || v->parent->state == VERTEX_DONE) &&
	       (!v->copy.from || v->copy.from->state == VERTEX_DONE) && is_fetched(&v->copy) &&
	       mounts_ready(&v->run);
}

/* Starts what can start; a vertex out of the cache makes others ready, which come later. */
static void advance(struct solve *s)
{
	for (size_t i = 0; i < s->g->n && !s->failed && s->n_running < WORKERS_MAX; i++)
		if (is_ready(s->g->items[i]))
			start_vertex(s, s->g->items[i]);
}

static void on_signal(void *data, int signal)
{
	struct solve *s = data;
	struct error err = ERROR_INIT;

	error_set(&err, ERR_CANCELLED, "interrupted");
	err.exit_code = 128 + signal;
	fail(s, NULL, &err);
	/* a shell that somebody looks at: they, or what ends the terminal, want it gone */
	for (struct running *r = s->running; r; r = r->next)
		if (r->held)
			worker_kill(r->worker);
}

static void on_tick(void *data)
{
	const struct solve *s = data;

	if (!s->running || !s->running->answered)
		emit(data, &(struct progress_event){.kind = PROGRESS_TICK});
}

static int prepare(struct solve *s, struct error *err)
{
	const struct build_options *o = s->g->o;
	sigset_t set;
	int r;

	if ((r = loop_new(&s->loop, err)) < 0)
		return r;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	loop_add_signals(s->loop, &set, on_signal, s);
	if (o->progress && o->progress->tick_ns)
		loop_add_timer(s->loop, o->progress->tick_ns, false, on_tick, s);
	return sources_open(&s->sources, s->store, o, err);
}

static void finish(struct solve *s)
{
	sources_close(&s->sources);
	if (s->has_endpoint)
		network_endpoint_close(&s->endpoint);
	loop_free(s->loop);
}

int solve_graph(struct graph *g, struct lease **lease, struct solve_result *out,
		struct error *err)
{
	struct solve s = {.g = g,
			  .store = g->store,
			  .lease = lease,
			  .endpoint = NETWORK_ENDPOINT_INIT,
			  .result = *out};
	int r = prepare(&s, err);

	if (r == 0) {
		advance(&s);
		r = loop_run(s.loop, err);
	}
	if (s.rests && store_wake(s.store, r < 0 || s.failed ? NULL : err) < 0 && r == 0)
		r = -ERR_SYSTEM;
	if (r == 0 && !s.failed)
		r = cache_need(g, lease, g->target->last, err);
	finish(&s);
	*out = s.result;
	if (r == 0 && s.failed) {
		r = -(int)s.error.code;
		error_move(err, &s.error);
	}
	return r;
}
