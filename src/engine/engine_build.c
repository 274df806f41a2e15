/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "engine/engine_private.h"

#include "base/banned.h"

int engine_normal_name(const char *name, const char *no_digest, struct strlist *out,
		       struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	struct buf normal = BUF_INIT;
	int r = name ? reference_parse(name, &ref, err) : 0;

	if (r < 0 || !name)
		return r;
	if (ref.has_digest)
		return error_set(err, ERR_INVALID, "%s", no_digest);
	reference_normal(&ref, &normal);
	if (strlist_find(out, buf_str(&normal)) < 0)
		strlist_take(out, buf_steal(&normal));
	else
		buf_clear(&normal);
	return 0;
}

int engine_normal_names(const struct strlist *names, struct strlist *out, struct error *err)
{
	for (size_t i = 0; i < names->n; i++) {
		int r = engine_normal_name(names->items[i], "a tag has no digest", out, err);

		if (r < 0)
			return error_wrap(err, "invalid tag \"%s\"", names->items[i]);
	}
	return 0;
}

void engine_build_args(const struct strlist *args, struct strlist *out)
{
	for (size_t i = 0; i < args->n; i++) {
		const char *value;

		if (strchr(args->items[i], '=')) {
			strlist_add(out, args->items[i]);
			continue;
		}
		value = getenv(args->items[i]);
		if (value)
			strlist_printf(out, "%s=%s", args->items[i], value);
	}
}

int engine_epoch(const struct strlist *args, bool *out_has, int64_t *out_sec, struct error *err)
{
	const char *text = args ? strlist_env_get(args, "SOURCE_DATE_EPOCH") : NULL;

	*out_has = false;
	if (!text)
		text = getenv("SOURCE_DATE_EPOCH");
	if (str_empty(text))
		return 0;
	*out_has =
		parse_i64(text, out_sec) && *out_sec >= 0 && *out_sec < INT64_MAX / 1000000000;
	if (!*out_has)
		return error_set(err, ERR_INVALID,
				 "SOURCE_DATE_EPOCH=%s is not a number of seconds since 1970",
				 text);
	return 0;
}

/* What concerns RUN steps only; the lists live as long as the build. */
struct run_request {
	struct build_secret_list secrets;
	struct build_ssh_list ssh;
	struct container_options container; /* for its ulimits */
};

static void run_request_auto(struct run_request *r)
{
	build_secrets_clear(&r->secrets);
	build_ssh_clear(&r->ssh);
	container_options_clear(&r->container);
}

static int take_run_request(const struct engine_build *req, struct run_request *run,
			    struct build_options *o, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < req->secrets.n; i++)
		r = build_secret_parse(req->secrets.items[i], &run->secrets, err);
	for (size_t i = 0; r == 0 && i < req->ssh.n; i++)
		r = build_ssh_parse(req->ssh.items[i], &run->ssh, err);
	for (size_t i = 0; r == 0 && i < req->allow.n; i++)
		r = build_allow_parse(req->allow.items[i], &o->allow, err);
	for (size_t i = 0; r == 0 && i < req->ulimits.n; i++)
		r = container_options_add_ulimit(&run->container, req->ulimits.items[i], err);
	o->secrets = &run->secrets;
	o->ssh = &run->ssh;
	o->ulimits = &run->container.ulimits;
	o->shm_size = req->shm_size;
	o->memory = req->memory;
	o->cgroup_parent = req->cgroup_parent;
	o->on_error = req->on_error;
	return r;
}

/* For one platform; its named contexts are those of that platform. */
static int build_one(struct engine *e, const struct engine_build *req, struct build_options *o,
		     struct build_result *out, struct error *err)
{
	AUTO(engine_contexts) struct engine_contexts contexts = {0};
	int r = engine_contexts_open(e, req, &contexts, err);

	if (r < 0)
		return r;
	o->contexts = contexts.contexts;
	o->n_contexts = contexts.n;
	o->tasks = e->tasks;
	o->platform = req->platform;
	if (req->dump)
		return build_print(e->store, o, req->dump, req->dump_out, err);
	return build_run(e->store, o, out, err);
}

/* One after the other: what they share comes out of the cache. */
static int build_several(struct engine *e, const struct engine_build *req,
			 const struct strlist *platforms, struct build_options *o,
			 struct build_result *out, struct error *err)
{
	AUTO(free) struct build_result *all = NULL;
	size_t done = 0;
	int r = 0;

	if (!o->discard) {
		error_set(err, ERR_UNSUPPORTED,
			  "an image of several platforms cannot be kept in the store");
		error_hint(err, "write it with -o type=oci,dest=FILE, or build one platform at "
				"a time");
		return -ERR_UNSUPPORTED;
	}
	all = mem_zalloc(platforms->n * sizeof(*all));
	o->several = true;
	for (; r == 0 && done < platforms->n; done++) {
		struct engine_build one = *req;

		one.platform = platforms->items[done];
		o->adds = done > 0;
		r = build_one(e, &one, o, &all[done], err);
		if (all[done].next_task)
			e->tasks = all[done].next_task - 1;
	}
	if (r == 0)
		r = engine_outputs_write(e, req, all, done, o->names, err);
	/* the last one stands for the whole: explanations, task numbers */
	for (size_t i = 0; i + 1 < done; i++)
		build_result_clear(&all[i]);
	if (done)
		*out = all[done - 1];
	return r;
}

static int split_platforms(const char *text, struct strlist *out, struct error *err)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;

	if (str_empty(text))
		return 0;
	strlist_split(&parts, text, ',');
	for (size_t i = 0; i < parts.n; i++) {
		AUTO(platform) struct platform p = PLATFORM_INIT;
		AUTO(buf) struct buf normal = BUF_INIT;
		int r = platform_parse(parts.items[i], &p, err);

		if (r < 0)
			return r;
		platform_format(&p, &normal);
		if (strlist_find(out, buf_str(&normal)) < 0)
			strlist_add(out, buf_str(&normal));
	}
	return 0;
}

static int build_platforms(struct engine *e, const struct engine_build *req,
			   struct build_options *o, struct strlist *names,
			   struct build_result *out, struct error *err)
{
	AUTO(strlist) struct strlist platforms = STRLIST_INIT;
	struct engine_build one = *req;
	int r = split_platforms(req->platform, &platforms, err);

	if (r < 0 || (r = engine_check_attestations(req, err)) < 0 ||
	    (r = engine_outputs_plan(req, o, names, err)) < 0)
		return r;
	if (platforms.n > 1)
		return build_several(e, req, &platforms, o, out, err);
	one.platform = platforms.n ? platforms.items[0] : NULL;
	if ((r = build_one(e, &one, o, out, err)) < 0 || req->dump)
		return r;
	return engine_outputs_write(e, req, out, 1, names, err);
}

static int run(struct engine *e, const struct engine_build *req, struct build_options *o,
	       struct build_result *out, struct error *err)
{
	AUTO(run_request)
	struct run_request more = {.container = CONTAINER_OPTIONS_INIT};
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	AUTO(strlist) struct strlist args = STRLIST_INIT;
	int r = take_run_request(req, &more, o, err);

	if (r == 0)
		r = engine_normal_names(&req->names, &names, err);

	engine_build_args(&req->build_args, &args);
	if (r < 0 || (r = engine_epoch(&args, &o->has_epoch, &o->epoch_sec, err)) < 0)
		return r;
	if (req->network && (r = runtime_network_parse(req->network, &o->network, err)) < 0)
		return r;
	o->build_args = &args;
	o->names = &names;
	o->labels = &req->labels;
	o->extra_hosts = &req->extra_hosts;
	o->target = req->target;
	o->runtime = req->runtime;
	o->pull = req->pull;
	o->no_cache = req->no_cache;
	o->no_cache_stages = &req->no_cache_stages;
	o->cache_from = &req->cache_from;
	o->cache_to = &req->cache_to;
	o->progress = req->progress;
	return build_platforms(e, req, o, &names, out, err);
}

int engine_build(struct engine *e, const struct engine_build *req, struct build_result *out,
		 struct buf *out_dockerfile, struct error *err)
{
	struct engine_context context;
	struct build_options o = {0};
	int r = engine_context_open(e, req, &context, err);

	if (r < 0)
		return r;
	engine_context_lend(&context, &o);
	r = run(e, req, &o, out, err);
	if (r < 0 && out_dockerfile)
		buf_add(out_dockerfile, context.dockerfile.data, context.dockerfile.len);
	engine_context_close(e, &context);
	return r;
}
