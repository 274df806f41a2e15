/* SPDX-License-Identifier: Apache-2.0 */
#include "build/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/check.h"
#include "build/history.h"
#include "build/lower.h"
#include "build/mount.h"
#include "image/image.h"

#include "base/banned.h"

struct vertex *graph_add(struct graph *g, enum vertex_kind kind, struct vertex *parent)
{
	struct vertex *v = mem_new(struct vertex);

	v->kind = kind;
	v->parent = parent;
	v->platform = g->stage ? g->stage : &g->platform;
	v->number = (unsigned)g->n;
	v->record.log = -1;
	*vec_push(g) = v;
	return v;
}

static struct vertex *find_image(struct graph *g, const struct digest *id)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->items[i]->kind == VERTEX_IMAGE && digest_eq(&g->items[i]->image, id))
			return g->items[i];
	return NULL;
}

static struct vertex *add_missing(struct graph *g, const char *name)
{
	struct vertex *v = graph_add(g, VERTEX_IMAGE, NULL);

	v->missing = true;
	v->text = mem_printf("FROM %s", name);
	return v;
}

/* A store has one image by a name, which may be for another machine. */
static bool is_for(const struct image_config *cfg, const struct platform *want)
{
	return !want || !cfg->platform.architecture || platform_match(want, &cfg->platform);
}

/* Why it was not enough: pulling it for the other machine has failed. */
static int wrong_platform(const char *name, const struct platform *have,
			  const struct platform *want, struct error *err)
{
	AUTO(buf) struct buf wanted = BUF_INIT;
	AUTO(buf) struct buf had = BUF_INIT;

	platform_format(want, &wanted);
	platform_format(have, &had);
	error_hint(err, "an OCI layout can have several: --build-context %s=oci-layout://DIR",
		   name);
	return error_wrap(err, "%s: the image in the store is for %s, not for %s", name,
			  buf_str(&had), buf_str(&wanted));
}

/* From the store, or else from its registry. */
static int get_image(struct graph *g, const char *name, struct image *out, struct error *err)
{
	const struct platform *want =
		g->wants_platform ? g->stage ? g->stage : &g->platform : NULL;
	AUTO(platform) struct platform other = PLATFORM_INIT;
	int r = -ERR_NOT_FOUND;

	if (g->checking)
		return g->store ? image_find(g->store, name, out, err) : r;
	if (!g->o->pull)
		r = image_find(g->store, name, out, err);
	if (r == 0 && is_for(&out->config, want))
		return 0;
	if (r == 0) {
		platform_copy(&out->config.platform, &other);
		image_clear(out);
	} else if (r != -ERR_NOT_FOUND) {
		return r;
	}
	error_clear(err);
	r = graph_pull(g, name, want, err);
	if (r < 0)
		return other.os ? wrong_platform(name, &other, want, err) : r;
	return image_find(g->store, name, out, err);
}

int graph_image(struct graph *g, const char *name, struct vertex **out,
		struct image_config *cfg, struct error *err)
{
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	struct vertex *v;
	int r = get_image(g, name, &image, err);

	if (r == -ERR_NOT_FOUND && g->checking) {
		error_clear(err);
		*out = add_missing(g, name);
		return 0;
	}
	if (r < 0)
		return r;
	v = find_image(g, &image.row.id);
	if (!v) {
		v = graph_add(g, VERTEX_IMAGE, NULL);
		v->image = image.row.id;
		v->text = mem_printf("FROM %s", name);
		v->created_ns = image.config.has_created ? image.config.created : 0;
		for (size_t i = 0; i < image.config.diff_ids.n; i++)
			*vec_push(&v->diff_ids) = image.config.diff_ids.items[i];
	}
	if (cfg) {
		image_config_copy(&image.config, cfg);
		cfg->diff_ids.n = 0;
	}
	*out = v;
	return 0;
}

static int choose_platform(struct graph *g, struct error *err)
{
	if (!g->o->platform) {
		platform_host(&g->platform);
		return 0;
	}
	return platform_parse(g->o->platform, &g->platform, err);
}

static int choose_target(struct graph *g, struct error *err)
{
	const struct stage *stage = &g->file->stages[g->file->n_stages - 1];

	if (g->o->target && *g->o->target)
		stage = dockerfile_stage(g->file, g->o->target);
	if (!stage)
		return error_set(err, ERR_NOT_FOUND, "target stage \"%s\" could not be found",
				 g->o->target);
	g->target = &g->stages[stage->index];
	return 0;
}

static void check_build_args(struct graph *g)
{
	AUTO(strlist) struct strlist unused = STRLIST_INIT;

	for (size_t i = 0; g->o->build_args && i < g->o->build_args->n; i++) {
		const char *arg = g->o->build_args->items[i];
		AUTO(free) char *name = mem_strndup(arg, strcspn(arg, "="));

		if (strlist_find(&g->used_args, name) < 0 && !str_ends(name, "_PROXY") &&
		    !str_ends(name, "_proxy") && !str_eq(name, "SOURCE_DATE_EPOCH") &&
		    !str_starts(name, "BUILDKIT_"))
			strlist_add(&unused, name);
	}
	if (unused.n) {
		AUTO(free) char *names = strlist_join(&unused, " ");

		graph_warn(g, &(struct dockerfile_warning){.rule = "UnusedBuildArg"},
			   "One or more build-args [%s] were not consumed", names);
	}
}

static int add_labels(struct graph *g)
{
	for (size_t i = 0; g->o->labels && i < g->o->labels->n; i++) {
		AUTO(free) char *key = mem_strdup(g->o->labels->items[i]);
		char *value = strchr(key, '=');

		if (value)
			*value++ = 0;
		image_config_label(&g->target->config, key, value ? value : "");
	}
	return 0;
}

static int lower_all(struct graph *g, struct error *err)
{
	int r = 0;

	if (!g->all_stages)
		return lower_stage(g, g->target->stage->index, err);
	for (unsigned i = 0; r == 0 && i < g->file->n_stages; i++)
		r = lower_stage(g, i, err);
	return r;
}

int graph_fill(struct graph *g, struct error *err)
{
	int r = dockerfile_read(g->o->dockerfile, g->o->dockerfile_len, g->o->dockerfile_name,
				&g->file, err);

	if (r < 0) {
		if (g->file)
			check_options(g, NULL);
		if (err && err->line)
			error_wrap(err, "dockerfile parse error on line %u", err->line);
		return r;
	}
	if ((r = check_options(g, err)) < 0 || (r = choose_platform(g, err)) < 0)
		return r;
	g->stages = mem_zalloc(g->file->n_stages * sizeof(*g->stages));
	for (size_t i = 0; i < g->file->n_stages; i++) {
		g->stages[i].stage = &g->file->stages[i];
		g->stages[i].config = IMAGE_CONFIG_INIT;
	}
	if ((r = choose_target(g, err)) < 0 || (r = scope_globals(g, err)) < 0)
		return r;
	check_stages(g);
	if ((r = check_cycles(g, err)) < 0 || (r = lower_all(g, err)) < 0)
		return r;
	check_build_args(g);
	return add_labels(g);
}

struct graph *graph_start(struct store *s, const struct build_options *o)
{
	struct graph *g = mem_new(struct graph);

	g->store = s;
	g->o = o;
	g->tasks = o->tasks;
	return g;
}

int graph_new(struct store *s, const struct build_options *o, struct graph **out,
	      struct error *err)
{
	AUTO(graph) struct graph *g = graph_start(s, o);
	int r = graph_fill(g, err);

	if (r < 0)
		return r;
	*out = take_ptr(g);
	return 0;
}

void stage_state_clear(struct stage_state *st)
{
	image_config_clear(&st->config);
	platform_clear(&st->platform);
	strlist_clear(&st->args);
	strlist_clear(&st->unset_args);
	strlist_clear(&st->arg_names);
	free(st->extra.items);
	for (size_t i = 0; i < st->n_rows; i++)
		free(st->rows[i].created_by);
	free(st->rows);
}

void run_spec_clear(struct run_spec *r)
{
	strlist_clear(&r->args);
	strlist_clear(&r->env);
	free(r->user);
	free(r->workdir);
	free(r->shell);
	free(r->script.name);
	free(r->script.data);
	mounts_clear(r);
	*r = (struct run_spec){0};
}

static void free_vertex(struct vertex *v)
{
	run_spec_clear(&v->run);
	copy_spec_clear(&v->copy);
	source_spec_clear(&v->source);
	strlist_clear(&v->used.args);
	strlist_clear(&v->used.envs);
	free(v->record.inputs);
	free(v->record.cache);
	history_log_end(v);
	free(v->workdir);
	free(v->user);
	free(v->title);
	free(v->text);
	free(v->diff_ids.items);
	free(v);
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	for (size_t i = 0; g->stages && i < g->file->n_stages; i++)
		stage_state_clear(&g->stages[i]);
	free(g->stages);
	for (size_t i = 0; i < g->n; i++)
		free_vertex(g->items[i]);
	free(g->items);
	strlist_clear(&g->pulled);
	strlist_clear(&g->globals);
	strlist_clear(&g->used_args);
	strlist_clear(&g->used.args);
	strlist_clear(&g->used.envs);
	free(g->warnings.items);
	check_config_clear(&g->checks);
	ignore_free(g->ignore);
	platform_clear(&g->platform);
	dockerfile_free(g->file);
	arena_clear(&g->arena);
	free(g);
}

/* ---- printing ---- */

static void print_list(struct buf *out, const char *name, const struct strlist *l)
{
	buf_printf(out, "  %s:", name);
	for (size_t i = 0; i < l->n; i++) {
		buf_addch(out, ' ');
		json_quote(l->items[i], false, out);
	}
	buf_addch(out, '\n');
}

static void print_copy(const struct copy_spec *c, struct buf *out)
{
	print_list(out, "sources", &c->sources);
	for (size_t i = 0; i < c->n_files; i++)
		buf_printf(out, "  file: %s %zu bytes\n", c->files[i].name, c->files[i].len);
	if (c->from)
		buf_printf(out, "  from: v%u\n", c->from->number);
	else
		buf_printf(out, "  from: %s\n", c->has_from ? "empty" : "context");
	buf_printf(out, "  dest: %s\n", c->dest);
	if (c->chown)
		buf_printf(out, "  chown: %s\n", c->chown);
	if (c->chmod)
		buf_printf(out, "  chmod: %s\n", c->chmod);
	if (c->exclude.n)
		print_list(out, "exclude", &c->exclude);
	if (c->parents)
		buf_addstr(out, "  parents\n");
	if (c->unpack)
		buf_printf(out, "  unpack: %s\n",
			   c->unpack == COPY_UNPACK_ALWAYS ? "always" : "never");
}

static void print_vertex(const struct vertex *v, struct buf *out)
{
	static const char *const kinds[] = {[VERTEX_IMAGE] = "image",
					    [VERTEX_RUN] = "run",
					    [VERTEX_COPY] = "copy",
					    [VERTEX_WORKDIR] = "workdir",
					    [VERTEX_SOURCE] = "source"};

	buf_printf(out, "v%u %s", v->number, kinds[v->kind]);
	if (v->parent)
		buf_printf(out, " on v%u", v->parent->number);
	buf_printf(out, "\n  title: %s\n", v->title ? v->title : v->text);
	if (v->kind == VERTEX_RUN) {
		print_list(out, "args", &v->run.args);
		print_list(out, "env", &v->run.env);
		buf_printf(out, "  user: %s\n  workdir: %s\n  network: %d\n", v->run.user,
			   v->run.workdir, (int)v->run.network);
		mounts_print(&v->run, out);
	} else if (v->kind == VERTEX_COPY) {
		print_copy(&v->copy, out);
	} else if (v->kind == VERTEX_SOURCE) {
		buf_printf(out, "  %s: %s\n", v->source.context ? "directory" : "fetch",
			   v->source.context ? v->source.context->label : v->text);
	} else if (v->kind == VERTEX_WORKDIR) {
		buf_printf(out, "  path: %s\n  user: %s\n", v->workdir, v->user);
	}
}

void graph_print(const struct graph *g, struct buf *out)
{
	AUTO(buf) struct buf config = BUF_INIT;

	for (size_t i = 0; i < g->n; i++)
		print_vertex(g->items[i], out);
	buf_printf(out, "target stage %u", g->target->stage->index);
	if (g->target->last)
		buf_printf(out, " at v%u", g->target->last->number);
	buf_addch(out, '\n');
	for (size_t i = 0; i < g->target->n_rows; i++) {
		const struct made_row *row = &g->target->rows[i];

		buf_printf(out, "  row %s: %s\n", row->vertex ? "layer" : "empty",
			   row->created_by);
	}
	image_config_encode(&g->target->config, &config);
	buf_printf(out, "config %s\n", buf_str(&config));
	for (size_t i = 0; i < g->warnings.n; i++)
		if (check_wants(&g->checks, g->warnings.items[i].rule))
			buf_printf(out, "warning %s line %u: %s\n", g->warnings.items[i].rule,
				   g->warnings.items[i].line, g->warnings.items[i].message);
}
