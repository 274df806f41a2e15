/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parser, expander and ignore patterns on arbitrary bytes: nothing may crash,
 * and a few laws hold.  Linked with libFuzzer it fuzzes; built with
 * FUZZ_REPLAY it runs each file of the directories named on the command line.
 */
#include "dockerfile/dockerfile.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool truth)
{
	if (!truth)
		__builtin_trap();
}

static const char *look_up(void *data, const char *name, size_t len)
{
	(void)data;
	return len && name[0] == 'U' ? NULL : len % 2 ? "" : "some value/with.parts*";
}

static void expand(const struct dockerfile *d, const char *word)
{
	AUTO(buf) struct buf out = BUF_INIT;
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	struct expansion x = {.escape = d->escape, .lookup = look_up};

	dockerfile_expand(word, EXPAND_WORD, &x, &out, NULL);
	dockerfile_expand(word, EXPAND_HEREDOC, &x, &out, NULL);
	dockerfile_expand_split(word, &x, &words, NULL);
	glob_match(word, buf_str(&out));
}

static void visit(const struct dockerfile *d, const struct instruction *i)
{
	AUTO(buf) struct buf script = BUF_INIT;

	demand(i->kind > INSTRUCTION_NONE && i->kind < INSTRUCTION_KINDS);
	demand(i->line >= 1 && i->end_line >= i->line);
	for (size_t k = 0; k < i->n_args; k++)
		expand(d, i->args[k]);
	for (size_t k = 0; k < i->n_pairs; k++) {
		demand(i->pairs[k].key[0] != 0);
		expand(d, i->pairs[k].key);
		if (i->pairs[k].value)
			expand(d, i->pairs[k].value);
	}
	for (size_t k = 0; k < i->n_heredocs; k++) {
		demand(strlen(i->heredocs[k].content) == i->heredocs[k].len);
		demand(instruction_heredoc(i, i->heredocs[k].word) != NULL);
		expand(d, i->heredocs[k].content);
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

static void fuzz_dockerfile(const char *text, size_t len)
{
	AUTO(dockerfile) struct dockerfile *d = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf out = BUF_INIT;

	if (dockerfile_parse(text, len, "Dockerfile", &d, &err) < 0) {
		demand(!d && err.message && err.code != ERR_NONE);
		return;
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
}

/* Patterns are the text; the paths are its lines as well. */
static void fuzz_ignore(const char *text, size_t len)
{
	AUTO(ignore) struct ignore *ig = NULL;
	AUTO(strlist) struct strlist paths = STRLIST_INIT;
	AUTO(free) char *copy = mem_strndup(text, len);

	if (len > 2000 || ignore_parse(text, len, "ignore", &ig, NULL) < 0)
		return;
	strlist_split(&paths, copy, '\n');
	for (size_t k = 0; k < paths.n && k < 20; k++) {
		const char *path = paths.items[k];
		struct ignore_rule r = ignore_rule(ig, path);

		demand(ignore_match(ig, path) == (r.pattern && !r.negated));
		ignore_may_contain(ig, path);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_dockerfile((const char *)data, size);
	fuzz_ignore((const char *)data, size);
	return 0;
}

#ifdef FUZZ_REPLAY
static int replay(const char *path)
{
	AUTO(dir_list) struct dir_list l = {0};
	AUTO(fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || dir_list_read(dir, &l, NULL) < 0) {
		perror(path);
		return 1;
	}
	for (size_t k = 0; k < l.n; k++) {
		AUTO(buf) struct buf text = BUF_INIT;

		if (io_read_file(dir, l.items[k].name, 64u << 20, &text, NULL) == 0)
			LLVMFuzzerTestOneInput((const uint8_t *)buf_str(&text), text.len);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int status = 0;

	for (int k = 1; k < argc; k++)
		status |= replay(argv[k]);
	return status;
}
#endif
