/* SPDX-License-Identifier: Apache-2.0 */
#include "build/step.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

static void add_list(struct hasher *h, const struct strlist *l)
{
	hasher_add_u64(h, l->n);
	for (size_t i = 0; i < l->n; i++)
		hasher_add_string(h, l->items[i]);
}

static void add_run(struct hasher *h, const struct graph *g, const struct run_spec *r)
{
	static const struct strlist none;

	add_list(h, &r->args);
	add_list(h, &r->env);
	hasher_add_string(h, r->user);
	hasher_add_string(h, r->workdir);
	hasher_add_u64(h, (uint64_t)r->network);
	add_list(h, g->o->extra_hosts ? g->o->extra_hosts : &none);
}

/* What of the sources is taken. */
static void add_choice(struct hasher *h, const struct copy_spec *c)
{
	hasher_add_u64(h, c->parents);
	add_list(h, &c->exclude);
}

static void add_copy(struct hasher *h, const struct copy_spec *c)
{
	/* the sources' names decide how they land: a directory's contents, a file's name */
	add_list(h, &c->sources);
	hasher_add_u64(h, c->add);
	hasher_add_u64(h, c->has_from);
	hasher_add_string(h, c->dest);
	hasher_add_string(h, c->chown);
	hasher_add_string(h, c->chmod);
	hasher_add_u64(h, (uint64_t)c->unpack);
	add_choice(h, c);
}

void step_definition(const struct graph *g, const struct vertex *v, struct digest *out)
{
	static const struct digest empty;
	const struct digest *parent = v->parent ? &v->parent->chain_id : &empty;
	struct hasher h;

	hasher_init(&h);
	hasher_add_string(&h, STEP_KEY_VERSION);
	hasher_add_u64(&h, (uint64_t)v->kind);
	hasher_add(&h, parent->bytes, sizeof(parent->bytes));
	hasher_add_string(&h, g->platform.os);
	hasher_add_string(&h, g->platform.architecture);
	hasher_add_string(&h, g->platform.variant);
	hasher_add_u64(&h, g->o->has_epoch);
	hasher_add_u64(&h, (uint64_t)(g->o->has_epoch ? g->o->epoch_sec : 0));
	if (v->kind == VERTEX_RUN) {
		add_run(&h, g, &v->run);
	} else if (v->kind == VERTEX_COPY) {
		add_copy(&h, &v->copy);
	} else {
		hasher_add_string(&h, v->workdir);
		hasher_add_string(&h, v->user);
	}
	hasher_end(&h, out);
}

void step_key(const struct digest *definition, const struct digest *content, struct digest *out)
{
	struct hasher h;

	hasher_init(&h);
	hasher_add_string(&h, "key");
	hasher_add(&h, definition->bytes, sizeof(definition->bytes));
	hasher_add_u64(&h, content != NULL);
	if (content)
		hasher_add(&h, content->bytes, sizeof(content->bytes));
	hasher_end(&h, out);
}

void step_memo_key(const struct vertex *v, struct digest *out)
{
	struct hasher h;

	hasher_init(&h);
	hasher_add_string(&h, "selection");
	if (v->copy.from)
		hasher_add(&h, v->copy.from->chain_id.bytes, DIGEST_SIZE);
	add_list(&h, &v->copy.sources);
	add_choice(&h, &v->copy);
	hasher_end(&h, out);
}
