/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and ADD: what their flags and words say. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"
#include "build/check.h"
#include "build/lower.h"
#include "build/plan.h"

#include "base/banned.h"

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

/* The last source is a URL. */
static int copy_remote(struct graph *g, const struct instruction *i, struct copy_spec *c,
		       struct error *err)
{
	size_t n = c->sources.n - 1;
	int r;

	if (!c->add)
		return error_set(err, ERR_INVALID, "source can't be a %s for COPY",
				 remote_is_git(c->sources.items[n]) ? "git ref" : "URL");
	if (!c->remotes)
		c->remotes = mem_zalloc(i->n_args * sizeof(struct vertex *));
	r = lower_remote(g, c->sources.items[n], c->checksum,
			 instruction_switch(i, "keep-git-dir"), &c->remotes[n], err);
	if (r == 0 && !c->remotes[n]->line)
		c->remotes[n]->line = i->line;
	return r;
}

static int check_checksum(const struct copy_spec *c, struct error *err)
{
	if (!c->checksum)
		return 0;
	if (!c->remotes)
		return error_set(err, ERR_INVALID, "checksum requires HTTP(S) or Git sources");
	return 0;
}

bool copy_needs_tree(const struct copy_spec *c)
{
	for (size_t i = 0; i < c->sources.n; i++)
		if (!c->remotes || !c->remotes[i])
			return true;
	return false;
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
		if (!c->has_from && (remote_is_http(word) || remote_is_git(word)) &&
		    (r = copy_remote(g, i, c, err)) < 0)
			return r;
	}
	return 0;
}

static int copy_exclude(const struct instruction *i, struct copy_spec *c, struct error *err)
{
	int r = 0;

	instruction_flag_all(i, "exclude", &c->exclude);
	for (size_t n = 0; r == 0 && n < c->exclude.n; n++) {
		AUTO(ignore) struct ignore *check = NULL;
		const char *pattern = c->exclude.items[n];

		if (!*pattern)
			continue;
		r = ignore_parse("", 0, "--exclude", &check, err);
		if (r == 0 && (r = ignore_add(check, pattern, err)) < 0)
			error_wrap(err, "--exclude=%s", pattern);
	}
	return r;
}

static int copy_flags(struct graph *g, struct stage_state *st, const struct instruction *i,
		      struct copy_spec *c, struct error *err)
{
	const char *chown = instruction_flag(i, "chown"), *chmod = instruction_flag(i, "chmod");
	const char *from = instruction_flag(i, "from");
	const char *checksum = instruction_flag(i, "checksum");
	int r = 0;

	if (chown)
		r = scope_expand_new(g, st, i, chown, &c->chown, err);
	if (r == 0 && chmod)
		r = scope_expand_new(g, st, i, chmod, &c->chmod, err);
	if (r == 0 && !str_empty(c->chmod) && (r = plan_check_chmod(c->chmod, err)) < 0)
		instruction_error_at(i, g->file->name, "--chmod", err);
	if (r < 0)
		return r;
	if (checksum && i->n_args != 2)
		return error_set(err, ERR_INVALID,
				 "checksum can't be specified for multiple sources");
	if (r == 0 && checksum)
		r = scope_expand_new(g, st, i, checksum, &c->checksum, err);
	if (r == 0 && from) {
		c->has_from = true;
		c->from_name = mem_strdup(from);
		r = lower_from(g, st, from, &c->from, err);
	}
	c->parents = instruction_switch(i, "parents");
	if (instruction_flag(i, "unpack"))
		c->unpack = instruction_switch(i, "unpack") ? COPY_UNPACK_ALWAYS
							    : COPY_UNPACK_NEVER;
	return r < 0 ? r : copy_exclude(i, c, err);
}

/* "COPY --chown=1 /a /b", after expansion: what the history row says. */
static char *copy_text(const struct instruction *i, const struct copy_spec *c, const char *dest)
{
	struct buf text = BUF_INIT;

	buf_addstr(&text, instruction_name(i->kind));
	if (c->parents)
		buf_addstr(&text, " --parents");
	if (c->chown)
		buf_printf(&text, " --chown=%s", c->chown);
	if (c->chmod)
		buf_printf(&text, " --chmod=%s", c->chmod);
	if (c->checksum)
		buf_printf(&text, " --checksum=%s", c->checksum);
	for (size_t n = 0; n < c->sources.n; n++) {
		AUTO(free) char *shown = remote_redact(c->sources.items[n]);

		buf_printf(&text, " %s", shown);
	}
	for (size_t n = 0; n < c->n_files; n++)
		buf_printf(&text, " <<%s", c->files[n].name);
	buf_printf(&text, " %s", dest);
	return buf_steal(&text);
}

void copy_spec_clear(struct copy_spec *c)
{
	strlist_clear(&c->sources);
	strlist_clear(&c->exclude);
	for (size_t i = 0; i < c->n_files; i++) {
		free(c->files[i].name);
		free(c->files[i].data);
	}
	free(c->files);
	free(c->dest);
	free(c->from_name);
	free(c->chown);
	free(c->chmod);
	free(c->checksum);
	free(c->remotes);
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
		r = check_checksum(&c, err);
	if (r == 0)
		r = scope_expand_new(g, st, i, i->args[i->n_args - 1], &dest, err);
	if (r == 0 && !c.has_from && copy_needs_tree(&c) && g->o->context < 0)
		r = error_set(err, ERR_INVALID,
			      "%s needs a build context, and the Dockerfile came without one",
			      instruction_name(i->kind));
	if (r < 0) {
		copy_spec_clear(&c);
		return r;
	}
	if (!c.has_from)
		check_sources(g, i, &c.sources);
	c.dest = imgconfig_path(st, dest);
	text = copy_text(i, &c, dest);
	v = lower_vertex(g, st, i, VERTEX_COPY, c.has_from ? i->text : text);
	v->copy = c;
	imgconfig_row(st, mem_printf("%s # buildkit", text), v);
	return 0;
}
