/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of an image on another base, merged three ways. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/image_rebase.h"

#include "base/banned.h"

struct merge {
	const struct rebase_configs *c;
	struct image_config *out; /* the image's to begin with */
	struct image_config base; /* the new one's: values are moved out of it */
	struct strlist *reasons;
};

#define SWAP(a, b)                     \
	do {                           \
		typeof(a) swap_ = (a); \
		(a) = (b);             \
		(b) = swap_;           \
	} while (0)

/* Is it the base's?  Only then if the image left it alone. */
static bool is_taken(struct merge *m, bool image_changed, bool base_changed, bool same,
		     const char *what, const char *name)
{
	if (image_changed && base_changed && !same)
		strlist_printf(m->reasons, "%s%s%s: the image and the new base both changed it",
			       what, *name ? " " : "", name);
	return !image_changed;
}

static bool same_text(const char *a, const char *b)
{
	return str_eq(a ? a : "", b ? b : "");
}

static void merge_text(struct merge *m, const char *what, size_t field)
{
	const char *old = *(char *const *)((const char *)m->c->old + field);
	const char *now = *(char *const *)((const char *)m->c->now + field);
	const char *new = *(char *const *)((const char *)m->c->new + field);
	char **out = (char **)((char *)m->out + field);
	char **base = (char **)((char *)&m->base + field);

	if (is_taken(m, !same_text(old, now), !same_text(old, new), same_text(now, new), what,
		     ""))
		SWAP(*out, *base);
}

static bool same_list(const struct strlist *a, const struct strlist *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(a->items[i], b->items[i]))
			return false;
	return true;
}

static bool same_entrypoint(const struct image_config *a, const struct image_config *b)
{
	return a->has_entrypoint == b->has_entrypoint &&
	       same_list(&a->entrypoint, &b->entrypoint);
}

static bool same_cmd(const struct image_config *a, const struct image_config *b)
{
	return a->has_cmd == b->has_cmd && same_list(&a->cmd, &b->cmd);
}

/* ENTRYPOINT takes the base's CMD away, whatever that is: then there is nothing to merge. */
static void merge_command(struct merge *m)
{
	const struct image_config *old = m->c->old, *now = m->c->now, *new = m->c->new;
	bool own_entrypoint = !same_entrypoint(old, now);

	if (is_taken(m, own_entrypoint, !same_entrypoint(old, new), same_entrypoint(now, new),
		     "ENTRYPOINT", "")) {
		SWAP(m->out->entrypoint, m->base.entrypoint);
		SWAP(m->out->has_entrypoint, m->base.has_entrypoint);
	}
	if (own_entrypoint)
		return;
	if (is_taken(m, !same_cmd(old, now), !same_cmd(old, new), same_cmd(now, new), "CMD",
		     "")) {
		SWAP(m->out->cmd, m->base.cmd);
		SWAP(m->out->has_cmd, m->base.has_cmd);
		SWAP(m->out->args_escaped, m->base.args_escaped);
	}
}

static bool same_healthcheck(const struct image_healthcheck *a,
			     const struct image_healthcheck *b)
{
	return a->present == b->present && same_list(&a->test, &b->test) &&
	       a->interval == b->interval && a->timeout == b->timeout &&
	       a->start_period == b->start_period && a->start_interval == b->start_interval &&
	       a->retries == b->retries;
}

static void merge_others(struct merge *m)
{
	const struct image_config *old = m->c->old, *now = m->c->now, *new = m->c->new;

	if (is_taken(m, !same_list(&old->shell, &now->shell),
		     !same_list(&old->shell, &new->shell), same_list(&now->shell, &new->shell),
		     "SHELL", ""))
		SWAP(m->out->shell, m->base.shell);
	if (is_taken(m, !same_healthcheck(&old->healthcheck, &now->healthcheck),
		     !same_healthcheck(&old->healthcheck, &new->healthcheck),
		     same_healthcheck(&now->healthcheck, &new->healthcheck), "HEALTHCHECK", ""))
		SWAP(m->out->healthcheck, m->base.healthcheck);
	if (new->on_build.n && !same_list(&old->on_build, &new->on_build))
		strlist_add(m->reasons,
			    "ONBUILD: the new base has instructions that only a build runs");
}

/* ---- environment and labels: each name by itself ---- */

static char *env_name(const char *entry)
{
	return mem_strndup(entry, strcspn(entry, "="));
}

/* The image has @name, or the old base had it. */
static void merge_env_name(struct merge *m, const char *name, struct strlist *env)
{
	const char *old = strlist_env_get(&m->c->old->env, name);
	const char *now = strlist_env_get(&m->c->now->env, name);
	const char *new = strlist_env_get(&m->c->new->env, name);

	if (is_taken(m, !str_eq(old, now), !str_eq(old, new), str_eq(now, new), "ENV", name))
		return;
	if (now)
		strlist_env_set(env, name, now);
	else
		strlist_env_unset(env, name);
}

/* In the order of a build: the base's, then what came on top. */
static void merge_env(struct merge *m)
{
	struct strlist env = STRLIST_INIT;

	strlist_addall(&env, &m->c->new->env);
	for (size_t i = 0; i < m->c->now->env.n; i++) {
		AUTO(free) char *name = env_name(m->c->now->env.items[i]);

		merge_env_name(m, name, &env);
	}
	for (size_t i = 0; i < m->c->old->env.n; i++) {
		AUTO(free) char *name = env_name(m->c->old->env.items[i]);

		if (!strlist_env_get(&m->c->now->env, name))
			merge_env_name(m, name, &env);
	}
	SWAP(m->out->env, env);
	strlist_clear(&env);
}

static void merge_label(struct merge *m, const char *key)
{
	const char *old = map_get(&m->c->old->labels, key);
	const char *now = map_get(&m->c->now->labels, key);
	const char *new = map_get(&m->c->new->labels, key);

	if (!is_taken(m, !str_eq(old, now), !str_eq(old, new), str_eq(now, new), "LABEL", key))
		return;
	if (new)
		image_config_label(m->out, key, new);
	else
		map_remove(&m->out->labels, key);
}

static void merge_labels(struct merge *m)
{
	map_each (&m->c->old->labels, e)
		merge_label(m, e->key);
	map_each (&m->c->now->labels, e)
		if (!map_has(&m->c->old->labels, e->key))
			merge_label(m, e->key);
	map_each (&m->c->new->labels, e)
		if (!map_has(&m->c->old->labels, e->key) &&
		    !map_has(&m->c->now->labels, e->key))
			merge_label(m, e->key);
}

/* What the image added to a set, and what it took away. */
static void merge_set(const struct strlist *old, const struct strlist *now,
		      const struct strlist *new, struct strlist *out)
{
	struct strlist set = STRLIST_INIT;

	for (size_t i = 0; i < new->n; i++)
		if (strlist_find(now, new->items[i]) >= 0 ||
		    strlist_find(old, new->items[i]) < 0)
			strlist_add(&set, new->items[i]);
	for (size_t i = 0; i < now->n; i++)
		if (strlist_find(old, now->items[i]) < 0)
			image_config_add_set(&set, now->items[i]);
	SWAP(*out, set);
	strlist_clear(&set);
}

void rebase_merge(const struct rebase_configs *c, struct image_config *out,
		  struct strlist *reasons)
{
	struct merge m = {.c = c, .out = out, .reasons = reasons};

	image_config_copy(c->now, out);
	image_config_copy(c->new, &m.base);
	merge_text(&m, "USER", offsetof(struct image_config, user));
	merge_text(&m, "WORKDIR", offsetof(struct image_config, working_dir));
	merge_text(&m, "STOPSIGNAL", offsetof(struct image_config, stop_signal));
	merge_text(&m, "MAINTAINER", offsetof(struct image_config, author));
	merge_command(&m);
	merge_others(&m);
	merge_env(&m);
	merge_labels(&m);
	merge_set(&c->old->exposed_ports, &c->now->exposed_ports, &c->new->exposed_ports,
		  &out->exposed_ports);
	merge_set(&c->old->volumes, &c->now->volumes, &c->new->volumes, &out->volumes);
	image_config_clear(&m.base);
}
