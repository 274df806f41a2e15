/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "build/build.h"
#include "build/graph.h"
#include "build/lower.h"

#include "base/banned.h"

static bool is_allowed(enum instruction_kind kind)
{
	return kind == INSTRUCTION_CMD || kind == INSTRUCTION_ENTRYPOINT ||
	       kind == INSTRUCTION_ENV || kind == INSTRUCTION_EXPOSE ||
	       kind == INSTRUCTION_HEALTHCHECK || kind == INSTRUCTION_LABEL ||
	       kind == INSTRUCTION_ONBUILD || kind == INSTRUCTION_STOPSIGNAL ||
	       kind == INSTRUCTION_USER || kind == INSTRUCTION_VOLUME ||
	       kind == INSTRUCTION_WORKDIR;
}

static int refuse(const char *text, struct error *err)
{
	return error_set(err, ERR_INVALID, "%.*s is not a valid change command",
			 (int)strcspn(text, " \t\n"), text);
}

static bool is_allowed_word(const char *word)
{
	for (int kind = 0; kind < INSTRUCTION_KINDS; kind++)
		if (is_allowed(kind) && str_ieq(instruction_name(kind), word))
			return true;
	return false;
}

/* Before the text is read as a Dockerfile, in which other words have a meaning. */
static int check_words(const struct strlist *changes, struct error *err)
{
	for (size_t i = 0; i < changes->n; i++) {
		const char *text = changes->items[i] + strspn(changes->items[i], " \t\n");
		AUTO(free) char *word = mem_strndup(text, strcspn(text, " \t\n"));

		if (*word && *word != '#' && !is_allowed_word(word))
			return refuse(text, err);
	}
	return 0;
}

/* A change may have several lines; a FROM among them would fetch an image. */
static int check_tree(const struct build_options *o, struct error *err)
{
	AUTO(dockerfile) struct dockerfile *d = NULL;
	int r = dockerfile_parse(o->dockerfile, o->dockerfile_len, o->dockerfile_name, &d, err);

	if (r == 0 && d->n_stages > 1)
		r = refuse("FROM", err);
	else if (r == 0 && !d->stages[0].instructions.n)
		r = error_set(err, ERR_INVALID, "file with no instructions");
	for (size_t i = 0; r == 0 && i < d->stages[0].instructions.n; i++)
		if (!is_allowed(d->stages[0].instructions.items[i]->kind))
			r = refuse(d->stages[0].instructions.items[i]->text, err);
	return r;
}

static int apply(struct graph *g, struct image_config *cfg, struct error *err)
{
	struct stage_state st = {.stage = &g->file->stages[0], .config = IMAGE_CONFIG_INIT};
	const struct instruction_list *all = &st.stage->instructions;
	int r = 0;

	image_config_copy(cfg, &st.config);
	for (size_t i = 0; r == 0 && i < all->n; i++)
		r = lower_instruction(g, &st, all->items[i], err);
	if (r == 0) {
		bool escaped = cfg->args_escaped;

		image_config_clear(cfg);
		image_config_copy(&st.config, cfg);
		cfg->args_escaped = escaped; /* a mark of builds */
	}
	stage_state_clear(&st);
	return r;
}

int build_changes(struct store *s, const struct strlist *changes, struct image_config *cfg,
		  struct error *err)
{
	AUTO(free) char *joined = strlist_join(changes, "\n");
	AUTO(free) char *text = mem_printf("FROM scratch\n%s\n", joined);
	struct build_options o = {.dockerfile = text,
				  .dockerfile_len = strlen(text),
				  .dockerfile_name = "--change",
				  .context = -1};
	AUTO(graph) struct graph *g = NULL;
	int r;

	if (!changes->n)
		return 0;
	if ((r = check_words(changes, err)) == 0 && (r = check_tree(&o, err)) == 0 &&
	    (r = graph_new(s, &o, &g, err)) == 0)
		r = apply(g, cfg, err);
	error_at(err, NULL, 0, 0); /* a line of this text means nothing to the user */
	return r;
}
