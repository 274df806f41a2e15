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

static size_t count_quotes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\'' || *s == '"';
	return n;
}

/*
 * The text behind "<<": it must be one word.  *out_expand is whether nothing
 * of it is quoted, which shows in the number of quotes that are left.
 */
static int read_name(const char *s, char **out, bool *out_expand, struct error *err)
{
	AUTO(strlist) struct strlist plain = STRLIST_INIT, quoted = STRLIST_INIT;
	int r = expand_raw_words(s, 0, &plain, err);

	*out = NULL;
	if (r < 0 || plain.n != 1)
		return r;
	r = expand_raw_words(s, RAW_QUOTES, &quoted, err);
	if (r < 0 || quoted.n != 1)
		return r;
	*out = mem_strdup(plain.items[0]);
	*out_expand = count_quotes(plain.items[0]) == count_quotes(quoted.items[0]);
	return 0;
}

int heredoc_word(struct arena *a, const char *word, struct heredoc *out, bool *out_is,
		 struct error *err)
{
	const char *s = word + strspn(word, "0123456789");
	AUTO(free) char *name = NULL;
	bool chomp, expand;
	int r;

	*out_is = false;
	if (s[0] != '<' || s[1] != '<')
		return 0;
	s += 2;
	chomp = *s == '-';
	s += chomp;
	s += strspn(s, "\t\f\r ");
	if (!*s || strchr(s, '<'))
		return 0;
	r = read_name(s, &name, &expand, err);
	if (r < 0 || !name)
		return r;
	*out = (struct heredoc){
		.name = arena_strdup(a, name),
		.word = arena_strdup(a, word),
		.content = "",
		.raw = "",
		.expand = expand,
		.chomp = chomp,
	};
	*out_is = true;
	return 0;
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

/* A text that is no shell words (an open quote, "${}") asks for no heredoc at all. */
static int find_words(struct parser *p, const char *text, const struct instruction *i,
		      struct heredoc_list *out, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;

	if (expand_raw_words(text, RAW_QUOTES | RAW_ESCAPES, &words, NULL) < 0)
		return 0;
	for (size_t k = 0; k < words.n; k++) {
		struct heredoc h;
		bool is;

		if (heredoc_word(p->arena, words.items[k], &h, &is, err) < 0) {
			p->fatal = true;
			instruction_error_at(i, p->name, words.items[k], err);
			return -ERR_INVALID;
		}
		if (is)
			*vec_push(out) = h;
	}
	return 0;
}

/* Reads lines up to the terminator.  @raw gets them as they are, @out without the tabs. */
static int read_content(struct parser *p, const struct heredoc *h, const struct instruction *i,
			struct buf *out, struct buf *raw, struct error *err)
{
	const char *s;
	size_t len, tabs;

	for (;;) {
		const char *begin = p->at;

		if (!parser_read_line(p, &s, &len)) {
			p->fatal = true;
			error_set(err, ERR_INVALID, "the heredoc %s has no end", h->word);
			instruction_error_at(i, p->name, h->word, err);
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

static const char *h_raw(struct parser *p, const struct heredoc *h, const struct buf *raw)
{
	return h->chomp ? arena_strndup(p->arena, buf_str(raw), raw->len) : h->content;
}

int heredocs_read(struct parser *p, const char *text, struct instruction *i,
		  struct buf *trigger, struct error *err)
{
	AUTO(heredoc_list) struct heredoc_list l = {0};
	struct heredoc *kept;

	if (!strstr(text, "<<"))
		return 0;
	if (find_words(p, text, i, &l, err) < 0)
		return -ERR_INVALID;
	kept = arena_alloc(p->arena, (l.n + 1) * sizeof(*kept));
	for (size_t k = 0; k < l.n; k++) {
		AUTO(buf) struct buf content = BUF_INIT, raw = BUF_INIT;

		if (read_content(p, &l.items[k], i, &content, &raw, err) < 0)
			return -ERR_INVALID;
		kept[k] = l.items[k];
		kept[k].content = arena_strndup(p->arena, buf_str(&content), content.len);
		kept[k].len = content.len;
		kept[k].raw = h_raw(p, &kept[k], &raw);
		if (trigger)
			buf_printf(trigger, "\n%s%s", buf_str(&raw), kept[k].name);
	}
	i->heredocs = kept;
	i->n_heredocs = l.n;
	return 0;
}
