/* SPDX-License-Identifier: Apache-2.0 */
#include "build/step.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/mount.h"

#include "base/banned.h"

static void add_list(struct hasher *h, const struct strlist *l)
{
	hasher_add_u64(h, l->n);
	for (size_t i = 0; i < l->n; i++)
		hasher_add_string(h, l->items[i]);
}

static void add_number(struct hasher *h, const char *name, uint64_t value)
{
	hasher_add_string(h, name);
	hasher_add_u64(h, value);
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
	mounts_hash(h, r);
	/* what nobody asks for is in no key */
	if (g->o->shm_size)
		add_number(h, "shm-size", g->o->shm_size);
	if (g->o->memory)
		add_number(h, "memory", g->o->memory);
	if (g->o->cgroup_parent) {
		hasher_add_string(h, "cgroup-parent");
		hasher_add_string(h, g->o->cgroup_parent);
	}
	for (size_t i = 0; g->o->ulimits && i < g->o->ulimits->n; i++) {
		add_number(h, g->o->ulimits->items[i].type, g->o->ulimits->items[i].soft);
		hasher_add_u64(h, g->o->ulimits->items[i].hard);
	}
}

/* What of the sources is taken. */
static void add_choice(struct hasher *h, const struct copy_spec *c)
{
	hasher_add_u64(h, c->parents | (uint64_t)c->keep_top << 1);
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
	hasher_add_string(&h, v->platform->os);
	hasher_add_string(&h, v->platform->architecture);
	hasher_add_string(&h, v->platform->variant);
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

void step_memo_key(const struct copy_spec *c, struct digest *out)
{
	struct hasher h;

	hasher_init(&h);
	hasher_add_string(&h, "selection");
	if (c->from)
		hasher_add(&h, c->from->chain_id.bytes, DIGEST_SIZE);
	add_list(&h, &c->sources);
	add_choice(&h, c);
	hasher_end(&h, out);
}
