/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser on arbitrary bytes.  Laws: it gives a tree or an error with a
 * place; a tree can be printed; what it says about heredocs and lines holds;
 * triggers can be parsed again.
 */
#include "fuzz.h"

#include "base/banned.h"

static void visit(const struct dockerfile *d, const struct instruction *i)
{
	AUTO(buf) struct buf script = BUF_INIT;

	demand(i->kind > INSTRUCTION_NONE && i->kind < INSTRUCTION_KINDS);
	demand(i->line >= 1 && i->end_line >= i->line);
	for (size_t k = 0; k < i->n_pairs; k++)
		demand(i->pairs[k].key[0] != 0);
	for (size_t k = 0; k < i->n_heredocs; k++) {
		demand(strlen(i->heredocs[k].content) == i->heredocs[k].len);
		demand(instruction_heredoc(i, i->heredocs[k].word) != NULL);
	}
	if (i->kind == INSTRUCTION_RUN)
		instruction_run_script(i, &script);
	if (i->onbuild) {
		AUTO(arena) struct arena arena = ARENA_INIT;
		const struct instruction *again;

		visit(d, i->onbuild);
		dockerfile_parse_instruction(i->trigger, "trigger", d->escape, &arena, &again,
					     NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(dockerfile) struct dockerfile *d = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf out = BUF_INIT;

	if (dockerfile_parse((const char *)data, size, "Dockerfile", &d, &err) < 0) {
		demand(!d && err.message && err.code != ERR_NONE);
		return 0;
	}
	demand(d->n_stages > 0);
	for (size_t k = 0; k < d->globals.n; k++)
		demand(d->globals.items[k]->kind == INSTRUCTION_ARG);
	for (size_t s = 0; s < d->n_stages; s++) {
		visit(d, d->stages[s].from);
		for (size_t k = 0; k < d->stages[s].instructions.n; k++)
			visit(d, d->stages[s].instructions.items[k]);
	}
	dockerfile_print(d, &out);
	return 0;
}
