/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heredoc - "<<EOF" words and the lines that they ask for.
 *
 * Dockerfile reference, "Here-Documents".  The words are found before the
 * shell sees the command, so only a word of its own counts: "<<EOF", "<<-EOF",
 * "3<<EOF"; "a<<EOF" and "<<<" do not.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/mem.h"

#include "base/banned.h"

/*
 * Takes quotes and escapes off @s.  False if a quote is open or white space
 * outside quotes makes it more than one word.
 */
static bool unquote(const char *s, struct buf *out)
{
	char quote = 0;

	for (; *s; s++) {
		if (quote == '\'') {
			if (*s == '\'')
				quote = 0;
			else
				buf_addch(out, *s);
		} else if (*s == '"' || (!quote && *s == '\'')) {
			quote = quote ? 0 : *s;
		} else if (*s == '\\' && (!quote || s[1] == '"' || s[1] == '\\')) {
			if (!s[1])
				break;
			buf_addch(out, *++s);
		} else if (!quote && word_space(*s)) {
			return false;
		} else {
			buf_addch(out, *s);
		}
	}
	return !quote;
}

bool heredoc_word(struct arena *a, const char *word, struct heredoc *out)
{
	AUTO(buf) struct buf name = BUF_INIT;
	const char *s = word + strspn(word, "0123456789");
	bool chomp;

	if (s[0] != '<' || s[1] != '<')
		return false;
	s += 2;
	chomp = *s == '-';
	s += chomp;
	if (strchr(s, '<') || !unquote(s, &name) || !name.len)
		return false;
	*out = (struct heredoc){
		.name = arena_strdup(a, buf_str(&name)),
		.word = arena_strdup(a, word),
		.expand = str_eq(buf_str(&name), s),
		.chomp = chomp,
	};
	return true;
}

/* Finds the next word from *at on; quotes and escapes stay in.  False if a quote stays open. */
static bool next_raw_word(const char **at, struct buf *out)
{
	const char *s = word_skip_space(*at);
	char quote = 0;

	buf_reset(out);
	for (; *s && (quote || !word_space(*s)); s++) {
		if (quote && *s == quote) {
			quote = 0;
		} else if (!quote && (*s == '"' || *s == '\'')) {
			quote = *s;
		} else if (*s == '\\' && quote != '\'' && s[1]) {
			buf_addch(out, *s++);
		}
		buf_addch(out, *s);
	}
	*at = s;
	return !quote;
}

struct heredoc_list {
	struct heredoc *items;
	size_t n;
	size_t cap;
};

static void heredoc_list_auto(struct heredoc_list *l)
{
	free(l->items);
}

/* An open quote anywhere means that no word is trusted to be a heredoc. */
static void find_words(struct arena *a, const char *text, struct heredoc_list *out)
{
	AUTO(buf) struct buf word = BUF_INIT;
	struct heredoc h;

	while (*word_skip_space(text)) {
		if (!next_raw_word(&text, &word)) {
			out->n = 0;
			return;
		}
		if (heredoc_word(a, buf_str(&word), &h))
			*vec_push(out) = h;
	}
}

/* Reads lines up to the terminator.  @raw gets them as they are, @out without the tabs. */
static int read_content(struct parser *p, const struct heredoc *h, unsigned line,
			struct buf *out, struct buf *raw, struct error *err)
{
	const char *s;
	size_t len, tabs;

	for (;;) {
		const char *begin = p->at;

		if (!parser_read_line(p, &s, &len)) {
			p->fatal = true;
			parser_fail(p, line, err, "the heredoc %s has no end", h->word);
			error_hint(err, "end it with a line that is just %s", h->name);
			return -ERR_INVALID;
		}
		for (tabs = 0; h->chomp && tabs < len && s[tabs] == '\t';)
			tabs++;
		if (len - tabs == strlen(h->name) && !memcmp(s + tabs, h->name, len - tabs))
			return 0;
		buf_add(raw, begin, (size_t)(p->at - begin));
		buf_add(out, begin + tabs, (size_t)(p->at - begin) - tabs);
	}
}

int heredocs_read(struct parser *p, const char *text, unsigned line, struct instruction *i,
		  struct buf *trigger, struct error *err)
{
	AUTO(heredoc_list) struct heredoc_list l = {0};
	struct heredoc *kept;

	if (!strstr(text, "<<"))
		return 0;
	find_words(p->arena, text, &l);
	kept = arena_alloc(p->arena, (l.n + 1) * sizeof(*kept));
	for (size_t k = 0; k < l.n; k++) {
		AUTO(buf) struct buf content = BUF_INIT, raw = BUF_INIT;

		if (read_content(p, &l.items[k], line, &content, &raw, err) < 0)
			return -ERR_INVALID;
		kept[k] = l.items[k];
		kept[k].content = arena_strndup(p->arena, buf_str(&content), content.len);
		kept[k].len = content.len;
		if (trigger)
			buf_printf(trigger, "\n%s%s", buf_str(&raw), kept[k].name);
	}
	i->heredocs = kept;
	i->n_heredocs = l.n;
	return 0;
}
