/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - bytes to lines, lines to stages.
 *
 * A logical line is a physical one with its continuations: the escape
 * character before the end of the line, blanks allowed between.  Comments
 * and empty lines between continuations vanish.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

bool parser_read_line(struct parser *p, const char **out, size_t *out_len)
{
	const char *nl;

	if (p->at == p->end)
		return false;
	nl = memchr(p->at, '\n', (size_t)(p->end - p->at));
	*out = p->at;
	*out_len = (size_t)((nl ? nl : p->end) - p->at);
	p->at = nl ? nl + 1 : p->end;
	while (*out_len && (*out)[*out_len - 1] == '\r')
		--*out_len;
	p->line++;
	return true;
}

int parser_fail(const struct parser *p, unsigned line, struct error *err, const char *fmt, ...)
{
	AUTO(buf) struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	error_set(err, ERR_INVALID, "%s", buf_str(&text));
	error_at(err, p->name, line, 0);
	return -ERR_INVALID;
}

int parser_fail_in(const struct parser *p, const struct instruction *i, const char *at,
		   struct error *err, const char *fmt, ...)
{
	AUTO(buf) struct buf text = BUF_INIT;
	unsigned line, column;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	error_set(err, ERR_INVALID, "%s", buf_str(&text));
	instruction_place(i, (size_t)(at - i->text), &line, &column);
	error_at(err, p->name, line, column);
	return -ERR_INVALID;
}

static int limit_fail(const struct parser *p, struct error *err, const char *what, unsigned max)
{
	error_set(err, ERR_LIMIT, "more than %u %s", max, what);
	error_at(err, p->name, p->line, 0);
	return -ERR_LIMIT;
}

const char *const *parser_keep(struct parser *p, const struct strlist *l)
{
	const char **kept = arena_alloc(p->arena, (l->n + 1) * sizeof(*kept));

	for (size_t k = 0; k < l->n; k++)
		kept[k] = arena_strdup(p->arena, l->items[k]);
	return kept;
}

/* ------------------------------------------------------------------------ directives */

/* "# name = value": lower-cased name and value, new; false if the line is something else. */
static bool split_directive(const char *s, size_t len, char **out_name, char **out_value)
{
	AUTO(free) char *text = mem_strndup(s, len);
	char *at = word_skip_space(text);
	char *name, *value;
	size_t n;

	if (*at++ != '#')
		return false;
	name = word_skip_space(at);
	n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	if (!n || (*name >= '0' && *name <= '9'))
		return false;
	value = word_skip_space(name + n);
	if (*value++ != '=')
		return false;
	value = word_skip_space(value);
	word_trim_end(value);
	if (!*value)
		return false;
	name[n] = 0;
	*out_name = str_lower(name);
	*out_value = mem_strdup(value);
	return true;
}

static int set_escape(struct parser *p, struct dockerfile *d, const char *value,
		      struct error *err)
{
	if (!str_eq(value, "\\") && !str_eq(value, "`"))
		return parser_fail(p, p->line, err,
				   "invalid escape '%s': it must be ` (a backtick) or \\ "
				   "(a backslash)",
				   value);
	d->escape = p->escape = *value;
	return 0;
}

static int set_once(struct parser *p, const char **slot, const char *name, const char *value,
		    struct error *err)
{
	if (*slot)
		return parser_fail(p, p->line, err, "only one %s parser directive can be used",
				   name);
	*slot = arena_strdup(p->arena, value);
	return 0;
}

/* Takes the directive @name, if it is one; *out_is tells. */
static int take_directive(struct parser *p, struct dockerfile *d, const char *name,
			  const char *value, bool *out_is, struct error *err)
{
	const char *escape = p->escape_given ? "" : NULL;
	const char **slot = str_eq(name, "syntax")   ? &d->syntax
			    : str_eq(name, "escape") ? &escape
			    : str_eq(name, "check")  ? &d->check
						     : NULL;
	int r;

	*out_is = slot != NULL;
	if (!slot)
		return 0;
	r = set_once(p, slot, name, value, err);
	if (r == 0 && slot == &escape && !p->shebang) {
		p->escape_given = true;
		r = set_escape(p, d, value, err);
	}
	return r;
}

/*
 * The first line that is no directive ends them; it is left unread.  Behind a
 * "#!" line syntax and check count and escape does not, as in Docker.
 */
static int read_directives(struct parser *p, struct dockerfile *d, struct error *err)
{
	const char *s;
	size_t len;

	for (;;) {
		AUTO(free) char *name = NULL;
		AUTO(free) char *value = NULL;
		struct parser before = *p;
		bool is = false;

		if (!parser_read_line(p, &s, &len))
			return 0;
		if (p->line == 1 && len >= 2 && s[0] == '#' && s[1] == '!') {
			p->shebang = true;
			continue;
		}
		if (split_directive(s, len, &name, &value) &&
		    take_directive(p, d, name, value, &is, err) < 0)
			return -ERR_INVALID;
		if (!is) {
			*p = before;
			return 0;
		}
	}
}

/* ------------------------------------------------------------------------ lines */

/* Bytes of white space at the beginning of a line, which need not have an end after @len. */
static size_t indent(const char *s, size_t len)
{
	size_t n = 0, more;

	do {
		char next[4] = {0};

		memcpy(next, s + n, len - n < 3 ? len - n : 3);
		more = rune_space(next);
		n += more;
	} while (more);
	return n;
}

static bool is_comment(const char *s, size_t len)
{
	size_t n = indent(s, len);

	return n < len && s[n] == '#';
}

static bool is_blank(const char *s, size_t len)
{
	return indent(s, len) == len;
}

/* Takes an escape before the end of the line away; an escaped escape is none. */
static bool take_continuation(char escape, const char *s, size_t *len)
{
	size_t n = *len;

	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (!n || s[n - 1] != escape || (n > 1 && s[n - 2] == escape))
		return false;
	*len = n - 1;
	return true;
}

/* What is added to the logical line next stands at @s in the file. */
static void note_piece(struct parser *p, const struct buf *text, const char *s)
{
	const char *line = s;

	while (line > p->begin && line[-1] != '\n')
		line--;
	*vec_push(&p->pieces) =
		(struct text_piece){text->len, p->line, (unsigned)(s - line) + 1};
}

/* Adds what continues the line in @out. */
static int read_continuation(struct parser *p, struct buf *out, struct error *err)
{
	bool more = true;
	const char *s;
	size_t len;

	while (more && parser_read_line(p, &s, &len)) {
		if (is_comment(s, len))
			continue;
		if (is_blank(s, len)) {
			warn(p,
			     &(struct dockerfile_warning){
				     .rule = "NoEmptyContinuation",
				     .line = p->line,
				     .end_line = p->line,
				     .fix = "remove the line, or make it a comment"},
			     "an empty line inside an instruction");
			continue;
		}
		more = take_continuation(p->escape, s, &len);
		note_piece(p, out, s);
		buf_add(out, s, len);
		if (out->len > LIMIT_LINE_BYTES)
			return limit_fail(p, err, "bytes in one instruction", LIMIT_LINE_BYTES);
	}
	return 0;
}

/* An empty comment parts those above from the instruction; an empty line does not. */
static void note_comment(struct parser *p, const char *s, size_t len)
{
	AUTO(free) char *text = mem_strndup(s, len);
	char *at = word_skip_space(text) + 1;

	at = word_skip_space(at);
	word_trim_end(at);
	if (*at)
		strlist_add(&p->comments, at);
	else
		strlist_clear(&p->comments);
}

/* Reads a logical line that is not blank; *out_line is 0 at the end of the text. */
static int read_logical(struct parser *p, struct buf *out, unsigned *out_line,
			struct error *err)
{
	const char *s;
	size_t len;

	*out_line = 0;
	buf_reset(out);
	while (parser_read_line(p, &s, &len)) {
		unsigned line = p->line;
		bool more;
		size_t n;

		if (is_comment(s, len))
			note_comment(p, s, len);
		if (is_comment(s, len) || is_blank(s, len))
			continue;
		n = indent(s, len);
		s += n;
		len -= n;
		more = take_continuation(p->escape, s, &len);
		p->pieces.n = 0;
		note_piece(p, out, s);
		buf_add(out, s, len);
		if (more && read_continuation(p, out, err) < 0)
			return -ERR_LIMIT;
		if (out->len > LIMIT_LINE_BYTES)
			return limit_fail(p, err, "bytes in one instruction", LIMIT_LINE_BYTES);
		if (is_blank(buf_str(out), out->len)) {
			parser_fail(p, line, err, "a continuation that begins no instruction");
			error_hint(err, "remove the line that is just %c", p->escape);
			return -ERR_INVALID;
		}
		*out_line = line;
		return 0;
	}
	return 0;
}

/* ------------------------------------------------------------------------ stages */

struct tree {
	struct instruction **items; /* of the open stage, or the globals */
	size_t n;
	size_t cap;
};

static void tree_auto(struct tree *t)
{
	free(t->items);
}

struct stage_list {
	struct stage *items;
	size_t n;
	size_t cap;
};

static void stage_list_auto(struct stage_list *l)
{
	free(l->items);
}

/* Moves what was gathered to where it belongs. */
static void close_stage(struct parser *p, struct tree *t, struct instruction_list *out)
{
	out->n = t->n;
	out->items = arena_alloc(p->arena, (t->n + 1) * sizeof(*out->items));
	if (t->n)
		memcpy(out->items, t->items, t->n * sizeof(*out->items));
	t->n = 0;
}

/* ^[a-z][a-z0-9-_.]*$ */
static bool valid_stage_name(const char *s)
{
	return *s >= 'a' && *s <= 'z' &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.")];
}

static int open_stage(struct parser *p, struct dockerfile *d, struct instruction *i,
		      struct stage_list *l, struct error *err)
{
	struct stage *s;

	if (l->n == LIMIT_STAGES)
		return limit_fail(p, err, "stages", LIMIT_STAGES);
	s = vec_push(l);
	s->index = (unsigned)(l->n - 1);
	s->base = i->args[0];
	s->platform = instruction_flag(i, "platform");
	s->line = i->line;
	s->from = i;
	if (i->n_args == 3) {
		AUTO(free) char *lower = str_lower(i->args[2]);

		if (!valid_stage_name(lower)) {
			parser_fail_in(p, i, i->text + strlen(i->text) - strlen(i->args[2]),
				       err, "invalid name for build stage: \"%s\"", i->args[2]);
			error_hint(err, "begin with a letter and use letters, digits, "
					"'-', '_' and '.'");
			return -ERR_INVALID;
		}
		s->name = arena_strdup(p->arena, lower);
	}
	d->stages = l->items;
	d->n_stages = l->n;
	warn_from(p, d, s);
	return 0;
}

static int add_instruction(struct parser *p, struct dockerfile *d, struct instruction *i,
			   struct stage_list *l, struct tree *t, struct error *err)
{
	if (i->kind == INSTRUCTION_FROM) {
		close_stage(p, t, l->n ? &l->items[l->n - 1].instructions : &d->globals);
		return open_stage(p, d, i, l, err);
	}
	if (!l->n && i->kind != INSTRUCTION_ARG) {
		parser_fail_in(p, i, i->text, err, "no build stage in current context");
		error_hint(err, "begin with FROM; only ARG may stand before it, not %s",
			   instruction_name(i->kind));
		return -ERR_INVALID;
	}
	*vec_push(t) = i;
	return 0;
}

static int read_stages(struct parser *p, struct dockerfile *d, struct stage_list *l,
		       struct error *err)
{
	AUTO(tree) struct tree t = {0};
	AUTO(buf) struct buf text = BUF_INIT;
	struct instruction *i;
	unsigned line, count;

	for (count = 0;; count++) {
		int r = read_logical(p, &text, &line, err);

		if (r < 0)
			return r;
		if (!line)
			break;
		if (count == LIMIT_INSTRUCTIONS)
			return limit_fail(p, err, "instructions", LIMIT_INSTRUCTIONS);
		r = instruction_parse(p, text.data, line, false, &i, err);
		if (r == 0)
			r = add_instruction(p, d, i, l, &t, err);
		if (r < 0)
			return r;
	}
	close_stage(p, &t, l->n ? &l->items[l->n - 1].instructions : &d->globals);
	if (l->n)
		return 0;
	if (!count)
		parser_fail(p, 0, err, "the %s cannot be empty", p->name);
	else
		parser_fail(p, p->line, err, "there is no stage to build, only ARG");
	error_hint(err, "begin with FROM image, or FROM scratch");
	return -ERR_INVALID;
}

static int parse_all(struct parser *p, struct dockerfile *d, struct error *err)
{
	AUTO(stage_list) struct stage_list l = {0};
	struct stage *kept;
	int r;

	r = read_directives(p, d, err);
	if (r == 0)
		r = read_stages(p, d, &l, err);
	if (r < 0)
		return r;
	kept = arena_alloc(p->arena, l.n * sizeof(*kept));
	memcpy(kept, l.items, l.n * sizeof(*kept));
	d->stages = kept;
	d->n_stages = l.n;
	warn_tree(p, d);
	return 0;
}

/* ------------------------------------------------------------------------ entries */

static int check_text(const char *data, size_t len, const char *name, struct error *err)
{
	const char *nul;
	unsigned line = 1;

	if (len > LIMIT_DOCKERFILE_BYTES)
		return error_set(err, ERR_LIMIT, "%s is longer than %u bytes", name,
				 LIMIT_DOCKERFILE_BYTES);
	nul = len ? memchr(data, 0, len) : NULL;
	if (!nul)
		return 0;
	for (const char *s = data; s < nul; s++)
		line += *s == '\n';
	error_set(err, ERR_INVALID, "the text has a zero byte: is it a text file in UTF-8?");
	error_at(err, name, line, 0);
	return -ERR_INVALID;
}

int dockerfile_read(const char *data, size_t len, const char *name, struct dockerfile **out,
		    struct error *err)
{
	AUTO(dockerfile) struct dockerfile *d = mem_new(struct dockerfile);
	struct warning_list warnings = {0};
	struct parser p;
	int r;

	r = check_text(data, len, name, err);
	if (r < 0)
		return r;
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		data += 3, len -= 3;
	d->name = arena_strdup(&d->arena, name);
	d->escape = '\\';
	p = (struct parser){
		.arena = &d->arena,
		.name = d->name,
		.escape = '\\',
		.begin = data,
		.at = data,
		.end = data + len,
		.warnings = &warnings,
	};
	r = parse_all(&p, d, err);
	if (r < 0) {
		d->stages = NULL;
		d->n_stages = 0;
	}
	warn_end(&p, d);
	free(warnings.items);
	free(p.pieces.items);
	strlist_clear(&p.comments);
	*out = take_ptr(d);
	return r;
}

int dockerfile_parse(const char *data, size_t len, const char *name, struct dockerfile **out,
		     struct error *err)
{
	AUTO(dockerfile) struct dockerfile *d = NULL;
	int r = dockerfile_read(data, len, name, &d, err);

	if (r == 0)
		*out = take_ptr(d);
	return r;
}

void dockerfile_free(struct dockerfile *d)
{
	if (!d)
		return;
	arena_clear(&d->arena);
	free(d);
}

static int parse_lone(struct parser *p, struct buf *text, struct instruction **out,
		      struct error *err)
{
	unsigned line;
	int r = read_logical(p, text, &line, err);

	if (r < 0)
		return r;
	if (!line)
		return error_set(err, ERR_INVALID, "%s: there is no instruction", p->name);
	r = instruction_parse(p, text->data, line, true, out, err);
	if (r == 0)
		r = read_logical(p, text, &line, err);
	if (r == 0 && line)
		r = parser_fail(p, line, err, "there is more than one instruction");
	return r;
}

int dockerfile_parse_instruction(const char *text, const char *name, char escape,
				 struct arena *arena, const struct instruction **out,
				 struct error *err)
{
	AUTO(buf) struct buf line_text = BUF_INIT;
	struct instruction *i = NULL;
	struct parser p = {
		.arena = arena,
		.name = name,
		.escape = escape ? escape : '\\',
		.begin = text,
		.at = text,
		.end = text + strlen(text),
	};
	int r = check_text(text, strlen(text), name, err);

	if (r == 0)
		r = parse_lone(&p, &line_text, &i, err);
	strlist_clear(&p.comments);
	free(p.pieces.items);
	if (r == 0)
		*out = i;
	return r;
}

const struct stage *dockerfile_stage(const struct dockerfile *d, const char *name_or_index)
{
	AUTO(buf) struct buf number = BUF_INIT;

	/* The last of two stages with one name is meant. */
	for (size_t k = d->n_stages; k-- > 0;)
		if (d->stages[k].name && str_ieq(d->stages[k].name, name_or_index))
			return &d->stages[k];
	for (size_t k = 0; k < d->n_stages; k++) {
		buf_reset(&number);
		buf_printf(&number, "%zu", k);
		if (str_eq(buf_str(&number), name_or_index))
			return &d->stages[k];
	}
	return NULL;
}

const struct stage *dockerfile_stage_above(const struct dockerfile *d, const char *name,
					   unsigned before)
{
	for (size_t k = before; k-- > 0;)
		if (d->stages[k].name && str_ieq(d->stages[k].name, name))
			return &d->stages[k];
	return NULL;
}
