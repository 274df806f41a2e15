/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heredoc reader: the text is what follows RUN, COPY or ONBUILD RUN.
 * Laws: the content is the lines between, <<- takes tabs only, a trigger says
 * again what was read.
 */
#include "fuzz.h"

#include "base/banned.h"

static void check(const struct instruction *i)
{
	AUTO(buf) struct buf script = BUF_INIT;

	for (size_t k = 0; k < i->n_heredocs; k++) {
		const struct heredoc *h = &i->heredocs[k];

		demand(*h->word && h->len == strlen(h->content));
		demand(h->len <= strlen(h->raw));
		demand(h->chomp || str_eq(h->raw, h->content));
		demand(!h->chomp || (*h->content != '\t' && !strstr(h->content, "\n\t")));
		demand(!h->len || h->content[h->len - 1] == '\n');
	}
	if (i->kind == INSTRUCTION_RUN)
		instruction_run_script(i, &script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const before[] = {"RUN ", "COPY ", "ADD --x "};

	for (size_t k = 0; k < ARRAY_SIZE(before); k++) {
		AUTO(arena) struct arena arena = ARENA_INIT;
		AUTO(buf) struct buf text = BUF_INIT;
		const struct instruction *i;

		buf_addstr(&text, before[k]);
		buf_add(&text, data, size);
		buf_addch(&text, 0);
		if (dockerfile_parse_instruction(text.data, "trigger", '\\', &arena, &i,
						 NULL) == 0)
			check(i);
	}
	return 0;
}
