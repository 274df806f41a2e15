/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions that change files: one vertex each. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/root.h"
#include "build/check.h"
#include "build/lower.h"
#include "build/mount.h"

#include "base/banned.h"

char *stage_title(const struct graph *g, const struct stage_state *st, const char *text)
{
	struct buf line = BUF_INIT;

	buf_addch(&line, '[');
	if (g->o->several) {
		platform_format(&st->platform, &line);
		buf_addch(&line, ' ');
	}
	if (g->file->n_stages > 1 && st->stage->name)
		buf_printf(&line, "%s ", st->stage->name);
	else if (g->file->n_stages > 1)
		buf_printf(&line, "stage-%u ", st->stage->index);
	buf_printf(&line, "%u/%u] %s", st->step, st->steps, text);
	return buf_steal(&line);
}

struct vertex *lower_vertex(struct graph *g, struct stage_state *st,
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

static void run_command(struct stage_state *st, const struct instruction *i,
			struct run_spec *run)
{
	struct strlist *out = &run->args;
	AUTO(buf) struct buf script = BUF_INIT;

	if (i->form == FORM_EXEC) {
		for (size_t n = 0; n < i->n_args; n++)
			strlist_add(out, i->args[n]);
		return;
	}
	imgconfig_shell(st, out);
	if (i->n_heredocs && instruction_run_script(i, &script) == SCRIPT_FILE) {
		strlist_printf(out, "/dev/pipes/%s", i->heredocs[0].name);
		run->script.name = mem_strdup(i->heredocs[0].name);
		run->script.len = script.len;
		run->script.data = buf_steal(&script);
		return;
	}
	if (i->n_heredocs)
		strlist_add(out, buf_str(&script));
	else
		strlist_add(out, i->n_args ? i->args[0] : "");
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
	if (r < 0 || *out != RUNTIME_NETWORK_HOST || g->o->network == RUNTIME_NETWORK_HOST ||
	    g->checking || g->o->allow & BUILD_ALLOW_NETWORK_HOST)
		return r;
	/* a Dockerfile does not help itself to the host's network */
	error_set(err, ERR_DENIED, "network.host is not allowed");
	error_hint(err, "`stave build --allow network.host` allows it");
	return -ERR_DENIED;
}

static int run_security(struct graph *g, const struct instruction *i, bool *out,
			struct error *err)
{
	*out = str_eq(instruction_flag(i, "security"), "insecure");
	if (!*out || g->checking || g->o->allow & BUILD_ALLOW_INSECURE)
		return 0;
	error_set(err, ERR_DENIED, "security.insecure is not allowed");
	error_hint(err, "`stave build --allow security.insecure` allows it");
	return -ERR_DENIED;
}

int lower_run(struct graph *g, struct stage_state *st, const struct instruction *i,
	      struct error *err)
{
	AUTO(strlist) struct strlist shell = STRLIST_INIT;
	struct run_spec run = {0};
	struct vertex *v;
	int r;

	run_command(st, i, &run);
	imgconfig_shell(st, &shell);
	run.shell = mem_strdup(shell.n ? shell.items[0] : "/bin/sh");
	scope_run_env(g, st, &run.env);
	run.n_env = st->config.env.n;
	if ((r = run_network(g, i, &run.network, err)) < 0 ||
	    (r = run_security(g, i, &run.insecure, err)) < 0 ||
	    (r = refuse_flag(i, "device", err)) < 0 ||
	    (r = mounts_lower(g, st, i, &run, err)) < 0) {
		run_spec_clear(&run);
		return r;
	}
	v = lower_vertex(g, st, i, VERTEX_RUN, i->text);
	v->run = run;
	v->run.user = mem_strdup(st->config.user ? st->config.user : "");
	v->run.workdir = mem_strdup(st->config.working_dir ? st->config.working_dir : "/");
	imgconfig_row(st, run_row(st, &v->run.args), v);
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
	check_workdir(g, st, i, value);
	joined = imgconfig_path(st, value);
	clean = root_clean_path(joined);
	free(st->config.working_dir);
	st->config.working_dir = mem_printf("/%s", clean);
	text = mem_printf("WORKDIR %s", value);
	if (!*clean) { /* "/" is always there */
		imgconfig_row(st, mem_printf("WORKDIR %s", st->config.working_dir), NULL);
		return 0;
	}
	v = lower_vertex(g, st, i, VERTEX_WORKDIR, text);
	v->workdir = mem_strdup(st->config.working_dir);
	v->user = mem_strdup(st->config.user ? st->config.user : "");
	imgconfig_row(st, mem_printf("WORKDIR %s", st->config.working_dir), v);
	return 0;
}
