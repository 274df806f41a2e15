/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions that change files: one vertex each. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/root.h"
#include "build/lower.h"

#include "base/banned.h"

char *stage_title(const struct graph *g, const struct stage_state *st, const char *text)
{
	struct buf line = BUF_INIT;

	buf_addch(&line, '[');
	if (g->file->n_stages > 1 && st->stage->name)
		buf_printf(&line, "%s ", st->stage->name);
	else if (g->file->n_stages > 1)
		buf_printf(&line, "stage-%u ", st->stage->index);
	buf_printf(&line, "%u/%u] %s", st->step, st->steps, text);
	return buf_steal(&line);
}

static struct vertex *new_vertex(struct graph *g, struct stage_state *st,
				 const struct instruction *i, enum vertex_kind kind,
				 const char *text)
{
	struct vertex *v = graph_add(g, kind, st->last);

	v->instruction = i;
	v->line = i->line;
	v->text = mem_strdup(text);
	v->no_cache = cache_is_off(g, st->stage);
	v->used = g->used;
	g->used = (struct used_names){0};
	st->step++;
	v->step = st->step;
	v->steps = st->steps;
	v->title = stage_title(g, st, text);
	st->last = v;
	return v;
}

static int refuse_flag(const struct instruction *i, const char *flag, struct error *err)
{
	if (!instruction_flag(i, flag))
		return 0;
	return error_set(err, ERR_UNSUPPORTED, "%s --%s is not supported yet",
			 instruction_name(i->kind), flag);
}

/* ---- RUN ---- */

static int run_command(struct stage_state *st, const struct instruction *i, struct strlist *out,
		       struct error *err)
{
	AUTO(buf) struct buf script = BUF_INIT;

	if (i->form == FORM_EXEC) {
		for (size_t n = 0; n < i->n_args; n++)
			strlist_add(out, i->args[n]);
		return 0;
	}
	imgconfig_shell(st, out);
	if (!i->n_heredocs) {
		strlist_add(out, i->n_args ? i->args[0] : "");
		return 0;
	}
	if (instruction_run_script(i, &script) == SCRIPT_FILE)
		return error_set(
			err, ERR_UNSUPPORTED,
			"RUN with a heredoc that has its own #! line is not supported yet");
	strlist_add(out, buf_str(&script));
	return 0;
}

/* "RUN |1 K=V /bin/sh -c make # buildkit" */
static char *run_row(const struct stage_state *st, const struct strlist *args)
{
	AUTO(strlist) struct strlist seen = STRLIST_INIT;
	AUTO(free) char *command = strlist_join(args, " ");
	struct buf row = BUF_INIT;

	scope_history_args(st, &seen);
	buf_addstr(&row, "RUN ");
	if (seen.n) {
		AUTO(free) char *joined = strlist_join(&seen, " ");

		buf_printf(&row, "|%zu %s ", seen.n, joined);
	}
	buf_printf(&row, "%s # buildkit", command);
	return buf_steal(&row);
}

static int run_network(struct graph *g, const struct instruction *i, enum runtime_network *out,
		       struct error *err)
{
	const char *text = instruction_flag(i, "network");

	int r = 0;

	*out = g->o->network;
	if (text)
		r = runtime_network_parse(text, out, err);
	if (r < 0 || *out != RUNTIME_NETWORK_HOST || g->o->network == RUNTIME_NETWORK_HOST)
		return r;
	/* a Dockerfile does not help itself to the host's network */
	error_set(err, ERR_DENIED, "network.host is not allowed");
	error_hint(err, "`stave build --network=host` allows it");
	return -ERR_DENIED;
}

int lower_run(struct graph *g, struct stage_state *st, const struct instruction *i,
	      struct error *err)
{
	AUTO(strlist) struct strlist args = STRLIST_INIT;
	const char *security = instruction_flag(i, "security");
	enum runtime_network network;
	struct vertex *v;
	int r = run_command(st, i, &args, err);

	if (r < 0 || (r = run_network(g, i, &network, err)) < 0 ||
	    (r = refuse_flag(i, "mount", err)) < 0 || (r = refuse_flag(i, "device", err)) < 0)
		return r;
	if (security && !str_eq(security, "sandbox"))
		return error_set(err, ERR_DENIED, "security.insecure is not allowed");
	v = new_vertex(g, st, i, VERTEX_RUN, i->text);
	v->run.args = args;
	args = STRLIST_INIT;
	scope_run_env(g, st, &v->run.env);
	v->run.n_env = st->config.env.n;
	v->run.user = mem_strdup(st->config.user ? st->config.user : "");
	v->run.workdir = mem_strdup(st->config.working_dir ? st->config.working_dir : "/");
	v->run.network = network;
	imgconfig_row(st, run_row(st, &v->run.args), v);
	return 0;
}

/* ---- COPY and ADD ---- */

/* The vertex behind --from: an earlier stage (name or number), else an image. */
static int copy_from(struct graph *g, struct stage_state *st, const char *name,
		     struct copy_spec *c, struct error *err)
{
	const struct stage *stage = dockerfile_stage(g->file, name);
	int r;

	c->has_from = true;
	c->from_name = mem_strdup(name);
	if (stage && stage->index < st->stage->index) {
		if ((r = lower_stage(g, stage->index, err)) < 0)
			return r;
		c->from = g->stages[stage->index].last;
		return 0;
	}
	if (stage)
		return error_set(err, ERR_INVALID,
				 "--from=%s: that stage comes later (stages can only copy from "
				 "earlier ones)",
				 name);
	return graph_image(g, name, &c->from, NULL, err);
}

static int copy_heredoc(struct graph *g, struct stage_state *st, const struct instruction *i,
			const struct heredoc *h, struct copy_file *out, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int r = 0;

	if (h->expand)
		r = scope_expand(g, st, i, h->content, EXPAND_HEREDOC, &text, err);
	else
		buf_add(&text, h->content, h->len);
	if (r < 0)
		return r;
	out->name = mem_strdup(h->name);
	out->len = text.len;
	out->data = buf_steal(&text);
	return 0;
}

static int copy_sources(struct graph *g, struct stage_state *st, const struct instruction *i,
			struct copy_spec *c, struct error *err)
{
	int r;

	for (size_t n = 0; n + 1 < i->n_args; n++) {
		const struct heredoc *h = instruction_heredoc(i, i->args[n]);
		char *word = NULL;

		if (h) {
			c->files = mem_resize(c->files, c->n_files + 1, sizeof(*c->files));
			c->files[c->n_files] = (struct copy_file){0};
			r = copy_heredoc(g, st, i, h, &c->files[c->n_files++], err);
			if (r < 0)
				return r;
			continue;
		}
		if ((r = scope_expand_new(g, st, i, i->args[n], &word, err)) < 0)
			return r;
		strlist_take(&c->sources, word);
		if (c->add && !c->has_from &&
		    (str_starts(word, "http://") || str_starts(word, "https://") ||
		     str_starts(word, "git@") || str_starts(word, "git://")))
			return error_set(err, ERR_UNSUPPORTED,
					 "ADD from a URL is not supported yet: %s", word);
		if (!*word)
			return error_set(err, ERR_INVALID, "a source of %s is empty",
					 instruction_name(i->kind));
	}
	return 0;
}

static int copy_flags(struct graph *g, struct stage_state *st, const struct instruction *i,
		      struct copy_spec *c, struct error *err)
{
	static const char *const later[] = {"parents", "exclude", "checksum", "keep-git-dir",
					    "unpack"};
	const char *chown = instruction_flag(i, "chown"), *chmod = instruction_flag(i, "chmod");
	const char *from = instruction_flag(i, "from");
	int r = 0;

	for (size_t n = 0; r == 0 && n < ARRAY_SIZE(later); n++)
		r = refuse_flag(i, later[n], err);
	if (r == 0 && chown)
		r = scope_expand_new(g, st, i, chown, &c->chown, err);
	if (r == 0 && chmod)
		r = scope_expand_new(g, st, i, chmod, &c->chmod, err);
	if (r == 0 && from)
		r = copy_from(g, st, from, c, err);
	return r;
}

/* "COPY --chown=1 /a /b", after expansion: what the history row says. */
static char *copy_text(const struct instruction *i, const struct copy_spec *c, const char *dest)
{
	struct buf text = BUF_INIT;

	buf_addstr(&text, instruction_name(i->kind));
	if (c->chown)
		buf_printf(&text, " --chown=%s", c->chown);
	if (c->chmod)
		buf_printf(&text, " --chmod=%s", c->chmod);
	for (size_t n = 0; n < c->sources.n; n++)
		buf_printf(&text, " %s", c->sources.items[n]);
	for (size_t n = 0; n < c->n_files; n++)
		buf_printf(&text, " <<%s", c->files[n].name);
	buf_printf(&text, " %s", dest);
	return buf_steal(&text);
}

void copy_spec_clear(struct copy_spec *c)
{
	strlist_clear(&c->sources);
	for (size_t i = 0; i < c->n_files; i++) {
		free(c->files[i].name);
		free(c->files[i].data);
	}
	free(c->files);
	free(c->dest);
	free(c->from_name);
	free(c->chown);
	free(c->chmod);
	*c = (struct copy_spec){0};
}

int lower_copy(struct graph *g, struct stage_state *st, const struct instruction *i,
	       struct error *err)
{
	struct copy_spec c = {.add = i->kind == INSTRUCTION_ADD};
	AUTO(free) char *dest = NULL;
	AUTO(free) char *text = NULL;
	struct vertex *v;
	int r = copy_flags(g, st, i, &c, err);

	if (r == 0)
		r = copy_sources(g, st, i, &c, err);
	if (r == 0)
		r = scope_expand_new(g, st, i, i->args[i->n_args - 1], &dest, err);
	if (r == 0 && !c.has_from && c.sources.n && g->o->context < 0)
		r = error_set(err, ERR_INVALID,
			      "%s needs a build context, and the Dockerfile came without one",
			      instruction_name(i->kind));
	if (r < 0) {
		copy_spec_clear(&c);
		return r;
	}
	c.dest = imgconfig_path(st, dest);
	text = copy_text(i, &c, dest);
	v = new_vertex(g, st, i, VERTEX_COPY, c.has_from ? i->text : text);
	v->copy = c;
	imgconfig_row(st, mem_printf("%s # buildkit", text), v);
	return 0;
}

/* ---- WORKDIR ---- */

int lower_workdir(struct graph *g, struct stage_state *st, const struct instruction *i,
		  struct error *err)
{
	AUTO(free) char *value = NULL;
	AUTO(free) char *text = NULL;
	AUTO(free) char *joined = NULL;
	AUTO(free) char *clean = NULL;
	struct vertex *v;
	int r = scope_expand_new(g, st, i, i->args[0], &value, err);

	if (r < 0)
		return r;
	if (*value != '/' && !st->config.working_dir)
		graph_warn(
			g, "WorkdirRelativePath", i->line,
			"Relative workdir \"%s\" can have unexpected results if the base image "
			"changes",
			value);
	joined = imgconfig_path(st, value);
	clean = root_clean_path(joined);
	free(st->config.working_dir);
	st->config.working_dir = mem_printf("/%s", clean);
	text = mem_printf("WORKDIR %s", value);
	if (!*clean) { /* "/" is always there */
		imgconfig_row(st, mem_printf("WORKDIR %s", st->config.working_dir), NULL);
		return 0;
	}
	v = new_vertex(g, st, i, VERTEX_WORKDIR, text);
	v->workdir = mem_strdup(st->config.working_dir);
	v->user = mem_strdup(st->config.user ? st->config.user : "");
	imgconfig_row(st, mem_printf("WORKDIR %s", st->config.working_dir), v);
	return 0;
}
