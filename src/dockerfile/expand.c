/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand - variables, quotes and escapes of one word.
 *
 * A recursive descent over the text: stretches of plain text, quotes, and
 * "$…", whose words are stretches again.  Its oddities are those of Docker's
 * builder and tested against it: "$$", "$@" and the like are empty variables,
 * "$1a" is the variable 1 and an "a", a backslash before any character outside
 * quotes vanishes, and in the words of '#', '%' and '/' it stays.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

struct lexer {
	const char *at;
	const struct expansion *x;
	char escape;
	bool quotes;	  /* quotes mean something */
	bool keep_escape; /* escapes stay in the result: patterns */
	bool keep_quotes; /* so do quotes */
	bool keep_unset;  /* a variable that is not set stays as it is written */
	unsigned depth;
	uint64_t steps; /* work that is left */
	struct error *err;
};

/* Splits what is added at white space, except where it is raw. */
struct splitter {
	struct strlist *words;
	struct buf word;
};

static void splitter_auto(struct splitter *s)
{
	buf_clear(&s->word);
}

static int read_stretch(struct lexer *l, char stop, struct buf *out, struct splitter *split);

static void split_end(struct splitter *s)
{
	if (s->word.len)
		strlist_addn(s->words, s->word.data, s->word.len);
	buf_reset(&s->word);
}

static void split_add(struct splitter *s, const char *text, size_t len, bool raw)
{
	const char *end = text + len;

	if (!s)
		return;
	if (raw)
		buf_add(&s->word, text, len);
	while (!raw && text < end) {
		const char *from = text;
		size_t n = 0;

		while (text < end && !(n = rune_space(text)))
			text++;
		buf_add(&s->word, from, (size_t)(text - from));
		if (n)
			split_end(s);
		text += n;
	}
}

static int check_length(struct lexer *l, const struct buf *out)
{
	if (out->len <= LIMIT_EXPANSION_BYTES)
		return 0;
	return error_set(l->err, ERR_LIMIT, "the value grows beyond %u bytes",
			 LIMIT_EXPANSION_BYTES);
}

static int add_text(struct lexer *l, struct buf *out, const char *s)
{
	size_t len = strlen(s);

	if (len > l->steps)
		return error_set(l->err, ERR_LIMIT, "the expansion takes too much work");
	l->steps -= len;
	buf_add(out, s, len);
	return check_length(l, out);
}

/* ------------------------------------------------------------------------ $ */

struct variable {
	const char *name; /* not terminated */
	size_t len;
	bool found;
	char *value; /* owned; "" when not found */
};

static void variable_auto(struct variable *v)
{
	free(v->value);
}

/* Letters, digits and '_'; digits only if it begins with one; or one of "@*#?-$!". */
static size_t name_length(const char *s)
{
	const char *begin = s;
	uint32_t c;
	size_t n;

	if (*s >= '0' && *s <= '9')
		return strspn(s, "0123456789");
	if (*s && strchr("@*#?-$!", *s))
		return 1;
	while (*s) {
		n = rune_at(s, &c);
		if (c != '_' && !(c >= '0' && c <= '9') && !rune_is_letter(c))
			break;
		s += n;
	}
	return (size_t)(s - begin);
}

static int look_up(struct lexer *l, struct variable *v)
{
	const char *value = l->x->lookup(l->x->data, v->name, v->len);
	size_t len = value ? strlen(value) : 0;

	if (len > l->steps)
		return error_set(l->err, ERR_LIMIT, "the expansion takes too much work");
	l->steps -= len;
	v->found = value != NULL;
	v->value = mem_strdup(value ? value : "");
	if (!value && l->x->unset)
		l->x->unset(l->x->data, v->name, v->len);
	return 0;
}

static int bad_syntax(const struct lexer *l, const char *what)
{
	return error_set(l->err, ERR_INVALID, "syntax error: %s", what);
}

/* Reads the word inside ${…} up to @stop, which is taken. */
static int read_operand(struct lexer *l, char stop, bool keep_escape, struct buf *out)
{
	bool before = l->keep_escape;
	int r;

	if (l->depth == LIMIT_EXPANSION_DEPTH)
		return error_set(l->err, ERR_LIMIT, "${} nested deeper than %u",
				 LIMIT_EXPANSION_DEPTH);
	l->depth++;
	l->keep_escape = keep_escape;
	r = read_stretch(l, stop, out, NULL);
	l->keep_escape = before;
	l->depth--;
	return r;
}

/* Is the variable to stay as it is written? */
static bool stays(const struct lexer *l, const struct variable *v)
{
	return l->keep_unset && !v->found;
}

/* ${V-w} ${V+w} ${V?w}, with ":" (@empty_too) or without. */
static int expand_default(struct lexer *l, struct variable *v, char op, bool empty_too,
			  struct buf *out)
{
	AUTO(buf) struct buf word = BUF_INIT;
	bool set;
	int r = read_operand(l, '}', false, &word);

	if (r == 0)
		r = look_up(l, v);
	if (r < 0)
		return r;
	if (stays(l, v)) {
		buf_printf(out, "${%.*s%s%c%s}", (int)v->len, v->name, empty_too ? ":" : "", op,
			   buf_str(&word));
		return check_length(l, out);
	}
	set = v->found && !(empty_too && !*v->value);
	if (op == '-')
		return add_text(l, out, set ? v->value : buf_str(&word));
	if (op == '+')
		return set ? add_text(l, out, buf_str(&word)) : 0;
	if (set)
		return add_text(l, out, v->value);
	return error_set(l->err, ERR_INVALID, "%.*s: %s", (int)v->len, v->name,
			 word.len   ? word.data
			 : v->found ? "must not be empty"
				    : "must be set");
}

/* ${V#p} ${V##p} ${V%p} ${V%%p} */
static int expand_trim(struct lexer *l, struct variable *v, char op, struct buf *out)
{
	AUTO(buf) struct buf word = BUF_INIT;
	const char *pattern;
	int r = read_operand(l, '}', true, &word);

	if (r == 0)
		r = look_up(l, v);
	if (r < 0)
		return r;
	pattern = buf_str(&word);
	if (stays(l, v)) {
		buf_printf(out, "${%.*s%c%s}", (int)v->len, v->name, op, pattern);
		return check_length(l, out);
	}
	r = pattern_trim(pattern + (*pattern == op), v->value,
			 op == '#' ? PATTERN_PREFIX : PATTERN_SUFFIX, *pattern == op, &l->steps,
			 out, l->err);
	return r < 0 ? r : check_length(l, out);
}

/* ${V/p/r} ${V//p/r} */
static int expand_replace(struct lexer *l, struct variable *v, struct buf *out)
{
	AUTO(buf) struct buf pattern = BUF_INIT, replacement = BUF_INIT;
	bool all = *l->at == '/';
	int r;

	l->at += all;
	r = read_operand(l, '/', true, &pattern);
	if (r == 0)
		r = read_operand(l, '}', true, &replacement);
	if (r == 0)
		r = look_up(l, v);
	if (r < 0)
		return r;
	if (stays(l, v)) {
		buf_printf(out, "${%.*s/%s/%s}", (int)v->len, v->name, buf_str(&pattern),
			   buf_str(&replacement));
		return check_length(l, out);
	}
	r = pattern_replace(buf_str(&pattern), buf_str(&replacement), v->value, all, &l->steps,
			    out, l->err);
	return r < 0 ? r : check_length(l, out);
}

static int bad_modifier(const struct lexer *l, const char *from)
{
	return error_set(l->err, ERR_INVALID, "unsupported modifier (%.*s) in ${}",
			 (int)(l->at - from), from);
}

/* Behind "${". */
static int expand_braces(struct lexer *l, struct buf *out)
{
	AUTO(variable) struct variable v = {.name = l->at};
	const char *operator;
	bool colon;
	uint32_t c;

	if (*l->at == '{' || *l->at == '}' || *l->at == ':')
		return bad_syntax(l, "bad substitution");
	v.len = name_length(l->at);
	l->at += v.len;
	operator= l->at;
	colon = *l->at == ':';
	l->at += colon;
	if (!*l->at)
		return bad_syntax(l, "missing '}'");
	l->at += rune_at(l->at, &c);
	/* Nobody asks for the meaning of "${V:=w}" where it only has to stay. */
	if (c == '-' || c == '+' || c == '?' ||
	    (l->keep_unset && colon && c < 128 && c != '#' && c != '%'))
		return expand_default(l, &v, (char)c, colon, out);
	if (colon || !strchr("}#%/", c < 128 ? (int)c : 'x'))
		return bad_modifier(l, operator);
	if (c == '/')
		return expand_replace(l, &v, out);
	if (c != '}')
		return expand_trim(l, &v, (char)c, out);
	if (look_up(l, &v) < 0)
		return -ERR_LIMIT;
	if (stays(l, &v))
		buf_printf(out, "${%.*s}", (int)v.len, v.name);
	return add_text(l, out, v.value);
}

static int expand_dollar(struct lexer *l, struct buf *out)
{
	AUTO(variable) struct variable v = {0};

	l->at++;
	if (*l->at == '{') {
		l->at++;
		return expand_braces(l, out);
	}
	v.name = l->at;
	v.len = name_length(l->at);
	l->at += v.len;
	if (!v.len) {
		buf_addch(out, '$');
		return 0;
	}
	if (look_up(l, &v) < 0)
		return -ERR_LIMIT;
	if (stays(l, &v))
		buf_printf(out, "$%.*s", (int)v.len, v.name);
	return add_text(l, out, v.value);
}

/* ------------------------------------------------------------------------ quotes and text */

static int read_single_quotes(struct lexer *l, struct buf *out)
{
	const char *end = strchr(l->at + 1, '\'');

	if (!end)
		return error_set(l->err, ERR_INVALID, "a single quote has no end");
	buf_add(out, l->at + !l->keep_quotes, (size_t)(end - l->at) - 1 + 2 * l->keep_quotes);
	l->at = end + 1;
	return check_length(l, out);
}

static int read_double_quotes(struct lexer *l, struct buf *out)
{
	if (l->keep_quotes)
		buf_addch(out, '"');
	for (l->at++; *l->at != '"';) {
		if (!*l->at)
			return error_set(l->err, ERR_INVALID, "a double quote has no end");
		if (*l->at == '$') {
			int r = expand_dollar(l, out);

			if (r < 0)
				return r;
			continue;
		}
		if (*l->at == l->escape) {
			char next = l->at[1];

			if (l->keep_escape)
				buf_addch(out, l->escape);
			if (!next || next == '"' || next == '$' || next == l->escape)
				l->at++;
		}
		if (*l->at)
			buf_addch(out, *l->at++);
	}
	if (l->keep_quotes)
		buf_addch(out, '"');
	l->at++;
	return check_length(l, out);
}

/* '$' or a quote at l->at; its value goes to @out and, quoted ones whole, to @split. */
static int read_special(struct lexer *l, struct buf *out, struct splitter *split)
{
	size_t before = out->len;
	char c = *l->at;
	int r = c == '$'    ? expand_dollar(l, out)
		: c == '\'' ? read_single_quotes(l, out)
			    : read_double_quotes(l, out);

	if (r == 0)
		split_add(split, buf_str(out) + before, out->len - before, c != '$');
	return r;
}

/*
 * "<<" keeps the blanks behind it in its word, so that "<< EOF" is found as
 * one.  Returns the length, 0 if it is not there.
 */
static size_t heredoc_mark(const char *s)
{
	return s[0] == '<' && s[1] == '<' ? 2 + strspn(s + 2, "\t\r ") : 0;
}

static void read_plain(struct lexer *l, struct buf *out, struct splitter *split)
{
	bool escaped = *l->at == l->escape;
	size_t mark = escaped ? 0 : heredoc_mark(l->at);
	uint32_t c;
	size_t n;

	if (escaped) {
		if (l->keep_escape) {
			buf_addch(out, *l->at);
			split_add(split, l->at, 1, true);
		}
		/* An escape at the very end vanishes. */
		if (!*++l->at)
			return;
	}
	n = mark ? mark : rune_at(l->at, &c);
	buf_add(out, l->at, n);
	split_add(split, l->at, n, escaped || mark);
	l->at += n;
}

/* Reads to @stop, or to the end if that is 0. */
static int read_stretch(struct lexer *l, char stop, struct buf *out, struct splitter *split)
{
	while (*l->at) {
		char c = *l->at;

		if (stop && c == stop) {
			l->at++;
			return 0;
		}
		if (c == '$' || (l->quotes && (c == '\'' || c == '"'))) {
			int r = read_special(l, out, split);

			if (r < 0)
				return r;
		} else {
			read_plain(l, out, split);
		}
	}
	if (stop)
		return bad_syntax(l, stop == '/' ? "missing '/' in ${}" : "missing '}'");
	return check_length(l, out);
}

/* ------------------------------------------------------------------------ entries */

static int expand(struct lexer *l, struct buf *out, struct splitter *split)
{
	AUTO(buf) struct buf value = BUF_INIT;
	const char *word = l->at;
	int r;

	l->steps = LIMIT_PATTERN_STEPS;
	r = read_stretch(l, 0, &value, split);
	if (r < 0) {
		error_wrap(l->err, "in \"%.200s\"", word);
		return r;
	}
	if (out)
		buf_add(out, buf_str(&value), value.len);
	if (split)
		split_end(split);
	return 0;
}

static struct lexer lexer_for(const char *word, enum expand_mode mode,
			      const struct expansion *x, struct error *err)
{
	return (struct lexer){
		.at = word,
		.x = x,
		.escape = x->escape && mode != EXPAND_HEREDOC ? x->escape : '\\',
		.quotes = mode != EXPAND_HEREDOC,
		.err = err,
	};
}

int dockerfile_expand(const char *word, enum expand_mode mode, const struct expansion *x,
		      struct buf *out, struct error *err)
{
	struct lexer l = lexer_for(word, mode, x, err);

	return expand(&l, out, NULL);
}

int dockerfile_expand_split(const char *word, const struct expansion *x, struct strlist *out,
			    struct error *err)
{
	struct lexer l = lexer_for(word, EXPAND_SPLIT, x, err);
	AUTO(splitter) struct splitter split = {.words = out};

	return expand(&l, NULL, &split);
}

static const char *find_nothing(void *data, const char *name, size_t len)
{
	(void)data;
	(void)name;
	(void)len;
	return NULL;
}

bool expand_nothing(const char *word, char escape, struct buf *out)
{
	const struct expansion x = {.escape = escape, .lookup = find_nothing};

	return dockerfile_expand(word, EXPAND_WORD, &x, out, NULL) == 0;
}

int expand_raw_words(const char *text, unsigned keep, struct strlist *out, struct error *err)
{
	static const struct expansion x = {.lookup = find_nothing};
	struct lexer l = lexer_for(text, EXPAND_SPLIT, &x, err);
	AUTO(splitter) struct splitter split = {.words = out};

	l.keep_unset = true;
	l.keep_quotes = keep & RAW_QUOTES;
	l.keep_escape = keep & RAW_ESCAPES;
	return expand(&l, NULL, &split);
}
