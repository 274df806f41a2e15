/* SPDX-License-Identifier: Apache-2.0 */
#include "build/solve_running.h"

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
	running_unshare(r);
	selection_clear(&r->sources);
	snapshot_stack_clear(&r->job.parent);
	mounts_release(&r->job);
	free(r->job.cgroup);
	close_fd(&r->job.fs);
	if (r->own_netns)
		close_fd(&r->job.netns);
	free(r);
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
		running_record(r, info, duration, &why);
	r->v->record.ended = !s->failed;
	if (r->held) {
		running_note_inputs(r);
		store_layer_discard(s->store, r->dir, NULL);
		note_hint(s, &why);
	} else if (why.code) {
		if (r->v->kind != VERTEX_SOURCE)
			running_note_inputs(r);
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
		s->endpoint = NETWORK_ENDPOINT_INIT;
		e = network_attach(&bridge, NULL, -1, &s->endpoint, err);
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
	/* who may write to its cgroups gets one of its own in version 2: it would be ours */
	if (o->cgroup_parent || o->memory ||
	    (r->v->run.insecure && str_eq(sandbox_cgroup_version(), "v2"))) {
		r->job.cgroup = mem_printf("/%s/%s", parent, r->job.id);
		if ((e = lease_note(*r->s->lease, "cgroup", r->job.cgroup, err)) < 0)
			return e;
	}
	return mounts_take(r->s->g, *r->s->lease, &r->job, err);
}

/* A --from selection whose content was in the memo has not been looked at yet. */
static int prepare_copy(struct running *r, struct error *err)
{
	int e;

	if (!r->sources.n) {
		if ((e = running_tree(r, err)) < 0 ||
		    (e = select_sources(r->tree, &r->v->copy, &r->sources, err)) < 0)
			return e;
	}
	r->job.tree = r->tree;
	r->job.sources = &r->sources;
	if ((e = running_share(r, err)) < 0)
		return e;
	r->job.hashed = r->hashed;
	r->job.count = r->count;
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

	if ((e = solve_get_lease(s, err)) < 0 || (e = rest(s, err)) < 0 ||
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

	vertex_finish(v, NULL, v->created_ns);
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
	e = v->kind == VERTEX_SOURCE ? 0 : running_make_key(r, &err);
	if (e == 0 && v->kind != VERTEX_SOURCE)
		e = running_try_cache(r, &err);
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

/* Less is there before anybody has read it. */
#define BYTES_SHOWN (1u << 20)

static void on_tick(void *data)
{
	struct solve *s = data;

	if (s->running && s->running->answered)
		return;
	for (struct running *r = s->running; r; r = r->next)
		if (r->count && r->count->total >= BYTES_SHOWN)
			emit(s, &(struct progress_event){.kind = PROGRESS_BYTES,
							 .task = r->task,
							 .current = r->count->bytes,
							 .total = r->count->total});
	emit(s, &(struct progress_event){.kind = PROGRESS_TICK});
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
	int r;

	cache_imports_count(g->imports, &s.result.next_task);
	if ((r = prepare(&s, err)) == 0) {
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
