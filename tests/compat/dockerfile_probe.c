/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the Dockerfile reader answer, for comparisons:
 *
 *   dockerfile_probe tree                     the tree of the text on standard input
 *   dockerfile_probe expand WORD [NAME=VALUE…]  the value, then the names that were unset
 *   dockerfile_probe words WORD [NAME=VALUE…]   the words, each on a line
 *   dockerfile_probe heredoc WORD             the heredoc that the word asks for, if it does
 *   dockerfile_probe mount VALUE              nothing; status 0 if it is one
 *
 * Strings are printed as in JSON.  Status 1 and a message for what is refused.
 */
#include "dockerfile/dockerfile_parser.h"

#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

struct names {
	char **pairs;
	struct strlist unset;
};

static const char *look_up(void *data, const char *name, size_t len)
{
	const struct names *n = data;
	const char *value = NULL;

	/* the last one of a name counts */
	for (char **p = n->pairs; *p; p++)
		if (strncmp(*p, name, len) == 0 && ((*p)[len] == '=' || !(*p)[len]))
			value = (*p)[len] ? *p + len + 1 : "";
	return value;
}

static void note_unset(void *data, const char *name, size_t len)
{
	struct names *n = data;
	AUTO(free) char *text = mem_strndup(name, len);

	if (strlist_find(&n->unset, text) < 0)
		strlist_add(&n->unset, text);
}

static void print(const struct buf *out)
{
	fwrite(buf_str(out), 1, out->len, stdout);
}

static void print_list(const struct strlist *l)
{
	for (size_t k = 0; k < l->n; k++) {
		AUTO(buf) struct buf out = BUF_INIT;

		json_quote(l->items[k], false, &out);
		buf_addch(&out, '\n');
		print(&out);
	}
}

static int tree(struct error *err)
{
	AUTO(dockerfile) struct dockerfile *d = NULL;
	AUTO(buf) struct buf text = BUF_INIT, out = BUF_INIT;
	char block[4096];
	ssize_t n;
	int r;

	while ((n = read(STDIN_FILENO, block, sizeof(block))) > 0)
		buf_add(&text, block, (size_t)n);
	r = dockerfile_parse(buf_str(&text), text.len, "Dockerfile", &d, err);
	if (r < 0)
		return r;
	dockerfile_print(d, &out);
	print(&out);
	return 0;
}

static int expand(const char *word, char **pairs, bool split, struct error *err)
{
	struct names n = {.pairs = pairs};
	struct expansion x = {.lookup = look_up, .unset = note_unset, .data = &n};
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	AUTO(buf) struct buf value = BUF_INIT;
	int r = split ? dockerfile_expand_split(word, &x, &words, err)
		      : dockerfile_expand(word, EXPAND_WORD, &x, &value, err);

	if (r == 0 && !split) {
		strlist_add(&words, buf_str(&value));
		strlist_addall(&words, &n.unset);
	}
	strlist_clear(&n.unset);
	if (r == 0)
		print_list(&words);
	return r;
}

static int heredoc(const char *word, struct error *err)
{
	AUTO(arena) struct arena arena = ARENA_INIT;
	struct heredoc h;
	bool is;
	int r = heredoc_word(&arena, word, &h, &is, err);

	if (r == 0 && is) {
		AUTO(strlist) struct strlist l = STRLIST_INIT;

		strlist_add(&l, h.name);
		strlist_add(&l, h.expand ? "expand" : "");
		strlist_add(&l, h.chomp ? "chomp" : "");
		print_list(&l);
	}
	return r;
}

static int run(int argc, char **argv, struct error *err)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct names none = {.pairs = (char *[]){NULL}};
	struct expansion x = {.lookup = look_up, .data = &none};

	if (str_eq(what, "tree"))
		return tree(err);
	if (argc > 2 && str_eq(what, "expand"))
		return expand(argv[2], argv + 3, false, err);
	if (argc > 2 && str_eq(what, "words"))
		return expand(argv[2], argv + 3, true, err);
	if (argc > 2 && str_eq(what, "heredoc"))
		return heredoc(argv[2], err);
	if (argc > 2 && str_eq(what, "mount"))
		return dockerfile_parse_mount(argv[2], &x, NULL, err);
	return error_set(err, ERR_INVALID, "what to look at?");
}

int main(int argc, char **argv)
{
	AUTO(error) struct error err = ERROR_INIT;

	if (run(argc, argv, &err) == 0)
		return 0;
	fprintf(stderr, "%u:%u: %s\n", err.line, err.column,
		err.message ? err.message : "unknown error");
	return 1;
}
