/* SPDX-License-Identifier: Apache-2.0 */
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

static int apply(struct graph *g, struct image_config *cfg, struct error *err)
{
	struct stage_state st = {.stage = &g->file->stages[0], .config = IMAGE_CONFIG_INIT};
	const struct instruction_list *all = &st.stage->instructions;
	int r = 0;

	image_config_copy(cfg, &st.config);
	for (size_t i = 0; r == 0 && i < all->n; i++) {
		if (!is_allowed(all->items[i]->kind))
			r = error_set(err, ERR_INVALID, "%s is not a valid change command",
				      instruction_name(all->items[i]->kind));
		else
			r = lower_instruction(g, &st, all->items[i], err);
	}
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
	if ((r = graph_new(s, &o, &g, err)) == 0)
		r = apply(g, cfg, err);
	if (err)
		err->line = 0; /* a line of this text means nothing to the user */
	return r;
}
