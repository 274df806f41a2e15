/* SPDX-License-Identifier: Apache-2.0 */
/* The record of what a key was made of: see step.h. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "build/history.h"
#include "build/mount.h"
#include "build/step.h"

#include "base/banned.h"

#define TAG_DIGITS 24 /* of a tag: enough to tell values apart */

struct inputs {
	json_t *json;
	const struct digest *salt;
};

static json_t *group(struct inputs *in, const char *name)
{
	json_t *j = json_object_get(in->json, name);

	if (!j) {
		j = json_object();
		json_object_set_new(in->json, name, j);
	}
	return j;
}

/* Text of other people may be long, or no UTF-8 at all: then its digest stands for it. */
static json_t *text(const char *value)
{
	char hex[DIGEST_TEXT_SIZE];
	struct digest d;
	json_t *j = NULL;

	if (strlen(value) < LIMIT_HISTORY_TEXT)
		j = json_string(value);
	if (j)
		return j;
	digest_of(value, strlen(value), &d);
	return json_string(digest_text(&d, hex));
}

static json_t *digest(const struct digest *d)
{
	char hex[DIGEST_TEXT_SIZE];

	return json_string(digest_text(d, hex));
}

void inputs_fact(struct inputs *in, const char *name, const char *value)
{
	if (value)
		json_object_set_new(group(in, "facts"), name, text(value));
}

/* The name goes into the tag: equal values of two variables are nobody's business. */
static void add_tag(struct inputs *in, const char *where, const char *name, const char *value)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	struct hasher h;

	hasher_init(&h);
	hasher_add(&h, in->salt->bytes, sizeof(in->salt->bytes));
	hasher_add_string(&h, name);
	hasher_add_string(&h, value);
	hasher_end(&h, &d);
	digest_hex(&d, hex);
	hex[TAG_DIGITS] = 0;
	json_object_set_new(group(in, where), name, json_string(hex));
}

void inputs_env(struct inputs *in, const char *name, const char *value)
{
	add_tag(in, "env", name, value);
}

void inputs_arg(struct inputs *in, const char *name, const char *value)
{
	add_tag(in, "arg", name, value);
}

void inputs_source(struct inputs *in, const char *name, const struct digest *content)
{
	json_object_set_new(group(in, "sources"), name, digest(content));
}

void inputs_mount(struct inputs *in, const char *target, const char *options,
		  const struct digest *content)
{
	json_t *j = json_object();

	json_object_set_new(j, "options", text(options));
	if (content)
		json_object_set_new(j, "content", digest(content));
	json_object_set_new(group(in, "mounts"), target, j);
}

static void add_values(struct inputs *in, const struct strlist *l, size_t from, size_t to,
		       void (*add)(struct inputs *, const char *, const char *))
{
	for (size_t i = from; i < to && i < l->n; i++) {
		const char *eq = strchr(l->items[i], '=');
		AUTO(free) char *name = NULL;

		if (!eq)
			continue;
		name = mem_strndup(l->items[i], (size_t)(eq - l->items[i]));
		add(in, name, eq + 1);
	}
}

static void add_common(struct inputs *in, const struct graph *g, const struct vertex *v)
{
	AUTO(buf) struct buf platform = BUF_INIT;
	const char *raw = v->instruction && v->step ? v->instruction->text : v->text;

	json_object_set_new(in->json, "version", json_string(STEP_KEY_VERSION));
	json_object_set_new(in->json, "text", text(raw));
	if (v->parent)
		json_object_set_new(in->json, "parent", digest(&v->parent->chain_id));
	platform_format(v->platform, &platform);
	inputs_fact(in, "platform", buf_str(&platform));
	if (g->o->has_epoch) {
		AUTO(free) char *epoch = mem_printf("%lld", (long long)g->o->epoch_sec);

		inputs_fact(in, "SOURCE_DATE_EPOCH", epoch);
	}
	add_values(in, &v->used.envs, 0, v->used.envs.n, inputs_env);
	add_values(in, &v->used.args, 0, v->used.args.n, inputs_arg);
}

/* What the shell gets; the text of a heredoc is not in the instruction's own. */
static void add_command(struct inputs *in, const struct vertex *v)
{
	AUTO(free) char *shell = NULL;
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	char hex[DIGEST_TEXT_SIZE];
	struct digest d;
	struct hasher h;

	hasher_init(&h);
	for (size_t i = 0; i < v->run.args.n; i++) {
		hasher_add_string(&h, v->run.args.items[i]);
		if (i + 1 < v->run.args.n)
			strlist_add(&words, v->run.args.items[i]);
	}
	if (v->run.script.name)
		hasher_add(&h, v->run.script.data, v->run.script.len);
	hasher_end(&h, &d);
	json_object_set_new(in->json, "command", json_string(digest_text(&d, hex)));
	if (v->instruction && v->instruction->form == FORM_EXEC)
		return;
	shell = strlist_join(&words, " ");
	inputs_fact(in, "shell", shell);
}

static void add_number(struct inputs *in, const char *name, uint64_t n)
{
	AUTO(free) char *value = mem_printf("%llu", (unsigned long long)n);

	inputs_fact(in, name, n ? value : NULL);
}

/* Options of the build that hold for every RUN. */
static void add_limits(struct inputs *in, const struct build_options *o)
{
	AUTO(buf) struct buf limits = BUF_INIT;

	add_number(in, "shm size", o->shm_size);
	add_number(in, "memory", o->memory);
	inputs_fact(in, "cgroup parent", o->cgroup_parent);
	for (size_t i = 0; o->ulimits && i < o->ulimits->n; i++)
		buf_printf(&limits, "%s%s=%llu:%llu", limits.len ? " " : "",
			   o->ulimits->items[i].type,
			   (unsigned long long)o->ulimits->items[i].soft,
			   (unsigned long long)o->ulimits->items[i].hard);
	if (limits.len)
		inputs_fact(in, "ulimits", buf_str(&limits));
}

static void add_run(struct inputs *in, const struct graph *g, const struct vertex *v)
{
	static const char *const networks[] = {[RUNTIME_NETWORK_DEFAULT] = "default",
					       [RUNTIME_NETWORK_NONE] = "none",
					       [RUNTIME_NETWORK_HOST] =
						       "host"}; /* a build knows no others */
	const struct run_spec *r = &v->run;

	add_command(in, v);
	inputs_fact(in, "user", r->user);
	inputs_fact(in, "working directory", r->workdir);
	inputs_fact(in, "network", networks[r->network]);
	if (g->o->extra_hosts && g->o->extra_hosts->n) {
		AUTO(free) char *hosts = strlist_join(g->o->extra_hosts, " ");

		inputs_fact(in, "added hosts", hosts);
	}
	add_limits(in, g->o);
	mounts_inputs(in, r);
	add_values(in, &r->env, 0, r->n_env, inputs_env);
	add_values(in, &r->env, r->n_env, r->env.n, inputs_arg);
}

static void add_copy(struct inputs *in, const struct vertex *v, const struct digest *content)
{
	const struct copy_spec *c = &v->copy;
	AUTO(strlist) struct strlist shown = STRLIST_INIT;
	AUTO(free) char *sources = NULL;
	AUTO(free) char *from = c->from_name ? mem_printf("--from=%s", c->from_name) : NULL;

	for (size_t i = 0; i < c->sources.n; i++)
		strlist_take(&shown, remote_redact(c->sources.items[i]));
	sources = strlist_join(&shown, " ");
	inputs_fact(in, "sources", sources);
	inputs_fact(in, "destination", c->dest);
	inputs_fact(in, "--chown", c->chown);
	inputs_fact(in, "--chmod", c->chmod);
	if (c->exclude.n) {
		AUTO(free) char *exclude = strlist_join(&c->exclude, " ");

		inputs_fact(in, "--exclude", exclude);
	}
	if (content)
		inputs_source(in, from ? from : "the build context", content);
}

char *step_inputs(const struct graph *g, const struct vertex *v, const struct digest *content)
{
	static const struct digest unsalted;
	const struct digest *salt = g->history ? history_salt(g->history) : NULL;
	struct inputs in = {.json = json_object(), .salt = salt ? salt : &unsalted};
	struct buf out = BUF_INIT;

	add_common(&in, g, v);
	if (v->kind == VERTEX_RUN) {
		add_run(&in, g, v);
	} else if (v->kind == VERTEX_COPY) {
		add_copy(&in, v, content);
	} else {
		inputs_fact(&in, "path", v->workdir);
		inputs_fact(&in, "user", v->user);
	}
	json_text(in.json, &out);
	json_decref(in.json);
	return buf_steal(&out);
}
