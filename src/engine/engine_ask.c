/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/engine_private.h"

#include "base/banned.h"

static int ask(struct engine *e, const struct engine_build *req, enum build_question what,
	       struct engine_answer *out, struct error *err)
{
	AUTO(store) struct store *store = NULL;
	AUTO(engine_contexts) struct engine_contexts contexts = {0};
	struct build_options *o = &out->options;
	int r;

	engine_build_args(&req->build_args, &out->args);
	o->build_args = &out->args;
	o->target = req->target;
	o->platform = req->platform;
	if (req->network && (r = runtime_network_parse(req->network, &o->network, err)) < 0)
		return r;
	if ((r = engine_contexts_open(e, req, &contexts, err)) < 0)
		return r;
	o->contexts = contexts.contexts;
	o->n_contexts = contexts.n;
	/* no store, or none that may be read: base images are unknown then */
	store_look(e->root, &store, NULL);
	return build_ask(store, o, what, &out->build, err);
}

int engine_ask(const char *root, const struct engine_build *req, enum build_question what,
	       struct engine_answer *out, struct error *err)
{
	struct engine e = {.root = root};
	struct engine_context context;
	int r;

	*out = (struct engine_answer){.options = {.context = -1}};
	if ((r = engine_context_open(&e, req, &context, err)) == 0) {
		engine_context_lend(&context, &out->options);
		r = ask(&e, req, what, out, err);
		/* the text outlives the context that it came with */
		out->dockerfile = context.dockerfile;
		context.dockerfile = BUF_INIT;
		out->name = mem_strdup(context.dockerfile_name);
		engine_context_close(&e, &context);
	}
	store_close(e.store);
	return r;
}

void engine_answer_clear(struct engine_answer *a)
{
	build_answer_clear(&a->build);
	buf_clear(&a->dockerfile);
	strlist_clear(&a->args);
	free(a->name);
	*a = (struct engine_answer){0};
}
