/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a template into its tree: the grammar of Go's text/template/parse. */
#include "cli/cli_template.h"

#include <string.h>

#include "cli/cli_template_node.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/strlist.h"
#include "base/banned.h"

#define NESTING_MAX 100u
#define TEXT_MAX    (1u << 20)

struct parser {
	struct cli_template *t;
	const char *text;
	size_t len;
	size_t at;
	struct strlist variables; /* in scope, innermost last */
	unsigned depth;
	unsigned loops;
	bool trim; /* the last action asked to drop the blanks after it */
	struct error *err;
};

enum ending {
	ENDING_EOF = 1,
	ENDING_END,
	ENDING_ELSE, /* the parser stands after the word */
	ENDING_ERROR,
};

void template_position(const char *text, size_t position, unsigned *line, unsigned *column)
{
	*line = 1;
	*column = (unsigned)position;
	for (size_t i = 0; i < position; i++) {
		if (text[i] != '\n')
			continue;
		(*line)++;
		*column = (unsigned)(position - i - 1);
	}
}

static int fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct parser *p, const char *fmt, ...)
{
	AUTO(free) char *why = NULL;
	unsigned line, column;
	va_list ap;

	va_start(ap, fmt);
	why = mem_vprintf(fmt, ap);
	va_end(ap);
	template_position(p->text, p->at, &line, &column);
	return error_set(p->err, ERR_INVALID, "template parsing error: template: :%u: %s", line,
			 why);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (c & 0x80);
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->len && is_blank(p->text[p->at]))
		p->at++;
}

static bool looking_at(const struct parser *p, const char *s)
{
	return p->len - p->at >= strlen(s) && memcmp(p->text + p->at, s, strlen(s)) == 0;
}

/* "}}" or " -}}" ahead, after blanks. */
static bool at_close(struct parser *p)
{
	skip_blanks(p);
	return looking_at(p, "}}") ||
	       (p->at && is_blank(p->text[p->at - 1]) && looking_at(p, "-}}"));
}

static int close_action(struct parser *p)
{
	if (!at_close(p)) {
		if (p->at >= p->len)
			return fail(p, "unclosed action");
		return fail(p, "unexpected \"%c\" in operand", p->text[p->at]);
	}
	p->trim = p->text[p->at] == '-';
	p->at += p->trim ? 3 : 2;
	return 0;
}

/* Takes the word if it is the next one. */
static bool take_word(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	skip_blanks(p);
	if (!looking_at(p, word) || (p->at + n < p->len && is_word(p->text[p->at + n])))
		return false;
	p->at += n;
	return true;
}

static const char *take_name(struct parser *p)
{
	size_t start = p->at;

	while (p->at < p->len && is_word(p->text[p->at]))
		p->at++;
	return arena_strndup(&p->t->arena, p->text + start, p->at - start);
}

/* Go's escapes in a double-quoted string. */
static int read_escape(struct parser *p, struct buf *out)
{
	static const char named[] = "a\ab\bf\fn\nr\rt\tv\v\\\\\"\"''";
	char c = p->text[p->at++];
	unsigned code = 0;

	for (const char *n = named; *n; n += 2)
		if (*n == c) {
			buf_addch(out, n[1]);
			return 0;
		}
	if (c != 'x')
		return fail(p, "invalid syntax");
	for (int i = 0; i < 2; i++) {
		const char digits[] = "0123456789abcdef";
		const char *d = p->at < p->len ? strchr(digits, p->text[p->at] | 0x20) : NULL;

		if (!d || !*d)
			return fail(p, "invalid syntax");
		code = code * 16 + (unsigned)(d - digits);
		p->at++;
	}
	if (!code)
		return fail(p, "invalid syntax");
	buf_addch(out, (char)code);
	return 0;
}

static int read_quoted(struct parser *p, struct operand *o)
{
	AUTO(buf) struct buf value = BUF_INIT;
	char quote = p->text[p->at++];

	while (p->at < p->len && p->text[p->at] != quote) {
		char c = p->text[p->at++];

		if (quote == '"' && (c == '\n' || (c == '\\' && p->at >= p->len)))
			return fail(p, "unterminated quoted string");
		if (quote == '"' && c == '\\') {
			int rc = read_escape(p, &value);

			if (rc < 0)
				return rc;
			continue;
		}
		buf_addch(&value, c);
	}
	if (p->at >= p->len)
		return fail(p, "unterminated %squoted string", quote == '`' ? "raw " : "");
	p->at++;
	o->kind = OPERAND_STRING;
	o->name = arena_strndup(&p->t->arena, buf_str(&value), value.len);
	return 0;
}

static int read_number(struct parser *p, struct operand *o)
{
	size_t start = p->at;
	AUTO(free) char *text = NULL;
	char *end;

	p->at += p->text[p->at] == '-' || p->text[p->at] == '+';
	while (p->at < p->len && (is_word(p->text[p->at]) || p->text[p->at] == '.'))
		p->at++;
	text = mem_strndup(p->text + start, p->at - start);
	o->kind = OPERAND_INTEGER;
	if (parse_i64(text, &o->integer))
		return 0;
	o->kind = OPERAND_REAL;
	o->real = strtod(text, &end);
	if (*end || end == text || !strpbrk(text, "0123456789"))
		return fail(p, "bad number syntax: \"%s\"", text);
	return 0;
}

static int read_pipeline(struct parser *p, char closer, struct pipeline **out);

static int read_word(struct parser *p, struct operand *o)
{
	const char *name = take_name(p);

	o->name = name;
	if (str_eq(name, "true") || str_eq(name, "false")) {
		o->kind = OPERAND_BOOL;
		o->integer = str_eq(name, "true");
		return 0;
	}
	if (str_eq(name, "nil")) {
		o->kind = OPERAND_NIL;
		return 0;
	}
	o->kind = OPERAND_FUNCTION;
	if (!template_function_find(name, strlen(name)))
		return fail(p, "function \"%s\" not defined", name);
	return 0;
}

static int read_variable(struct parser *p, struct operand *o)
{
	size_t start = p->at++;

	take_name(p);
	o->kind = OPERAND_VARIABLE;
	o->name = arena_strndup(&p->t->arena, p->text + start, p->at - start);
	if (o->name[1] && strlist_find(&p->variables, o->name) < 0)
		return fail(p, "undefined variable \"%s\"", o->name);
	return 0;
}

static int read_parentheses(struct parser *p, struct operand *o)
{
	int rc;

	o->kind = OPERAND_PIPELINE;
	p->at++;
	if (++p->depth > NESTING_MAX)
		return fail(p, "nested too deeply");
	rc = read_pipeline(p, ')', &o->pipeline);
	p->depth--;
	return rc;
}

/* ".A.B" behind a value.  Go calls the place of the second field the operand's place. */
static int read_fields(struct parser *p, struct operand *o)
{
	while (p->at < p->len && p->text[p->at] == '.') {
		const char **fields;

		if (p->at + 1 >= p->len || !is_word(p->text[p->at + 1])) {
			if (o->kind == OPERAND_DOT && !o->nfields)
				break;
			return fail(p, "unexpected <.> in operand");
		}
		if (o->nfields == 1)
			o->position = p->at;
		p->at++;
		fields = arena_alloc(&p->t->arena, (o->nfields + 1) * sizeof(*fields));
		if (o->nfields)
			memcpy(fields, o->fields, o->nfields * sizeof(*fields));
		fields[o->nfields++] = take_name(p);
		o->fields = fields;
	}
	return 0;
}

static int read_operand(struct parser *p, struct operand **out)
{
	struct operand *o = arena_new(&p->t->arena, struct operand);
	char c = p->text[p->at];
	char next = p->at + 1 < p->len ? p->text[p->at + 1] : '\0';
	int rc = 0;

	o->start = p->at;
	o->position = p->at;
	if (c == '.') {
		o->kind = OPERAND_DOT;
		p->at += !is_word(next);
	} else if (c == '"' || c == '`') {
		rc = read_quoted(p, o);
	} else if (c == '$') {
		rc = read_variable(p, o);
	} else if (c == '(') {
		rc = read_parentheses(p, o);
	} else if ((c >= '0' && c <= '9') || ((c == '-' || c == '+') && is_word(next))) {
		rc = read_number(p, o);
	} else if (is_word(c)) {
		rc = read_word(p, o);
	} else {
		return fail(p, "unexpected \"%c\" in operand", c);
	}
	if (rc == 0 && o->kind <= OPERAND_PIPELINE)
		rc = read_fields(p, o);
	if (rc < 0)
		return rc;
	o->end = p->at;
	*out = o;
	return 0;
}

/* "$i, $v :=" in front of a pipeline; nothing is taken when it is not there. */
static int read_declaration(struct parser *p, struct pipeline *pipe)
{
	size_t start = p->at;
	const char *names[PIPELINE_VARIABLES];
	unsigned n = 0;

	while (n < PIPELINE_VARIABLES && p->at < p->len && p->text[p->at] == '$') {
		size_t name = p->at++;

		take_name(p);
		names[n++] = arena_strndup(&p->t->arena, p->text + name, p->at - name);
		skip_blanks(p);
		if (!looking_at(p, ","))
			break;
		p->at++;
		skip_blanks(p);
	}
	if (!n || !(looking_at(p, ":=") || (looking_at(p, "=") && !looking_at(p, "==")))) {
		p->at = start;
		return 0;
	}
	pipe->assign = looking_at(p, "=");
	p->at += pipe->assign ? 1 : 2;
	for (unsigned i = 0; i < n; i++) {
		if (pipe->assign && strlist_find(&p->variables, names[i]) < 0)
			return fail(p, "undefined variable \"%s\"", names[i]);
		if (!pipe->assign)
			strlist_add(&p->variables, names[i]);
		pipe->variables[i] = names[i];
	}
	pipe->nvariables = n;
	return 0;
}

static bool at_closer(struct parser *p, char closer)
{
	if (closer == '}')
		return at_close(p);
	skip_blanks(p);
	return p->at < p->len && p->text[p->at] == closer;
}

static int read_call(struct parser *p, char closer, struct call *call)
{
	struct operand **tail = &call->operands;

	skip_blanks(p);
	call->start = p->at;
	while (!at_closer(p, closer) && !looking_at(p, "|")) {
		int rc;

		if (p->at >= p->len)
			return fail(p,
				    closer == ')' ? "unclosed left paren" : "unclosed action");
		rc = read_operand(p, tail);
		if (rc < 0)
			return rc;
		call->end = p->at;
		if (p->at < p->len && !is_blank(p->text[p->at]) && !looking_at(p, "|") &&
		    !looking_at(p, "}}") && p->text[p->at] != ')')
			return fail(p, "unexpected \"%c\" in operand", p->text[p->at]);
		tail = &(*tail)->next;
	}
	return 0;
}

static int read_pipeline(struct parser *p, char closer, struct pipeline **out)
{
	struct pipeline *pipe = arena_new(&p->t->arena, struct pipeline);
	struct call **tail = &pipe->calls;
	int rc;

	skip_blanks(p);
	rc = read_declaration(p, pipe);
	if (rc < 0)
		return rc;
	for (;;) {
		*tail = arena_new(&p->t->arena, struct call);
		rc = read_call(p, closer, *tail);
		if (rc < 0)
			return rc;
		if (!(*tail)->operands)
			return fail(p, "missing value for %s",
				    tail == &pipe->calls ? "command" : "pipeline");
		if (tail != &pipe->calls && (*tail)->operands->kind != OPERAND_FUNCTION &&
		    !(*tail)->operands->nfields)
			return fail(p, "non executable command in pipeline stage");
		tail = &(*tail)->next;
		if (!looking_at(p, "|"))
			break;
		p->at++;
	}
	*out = pipe;
	if (closer == ')') {
		p->at++;
		return 0;
	}
	return close_action(p);
}

static enum ending read_list(struct parser *p, struct node **out);

static void drop_variables(struct parser *p, size_t n)
{
	while (p->variables.n > n)
		strlist_remove(&p->variables, p->variables.n - 1);
}

static int read_control(struct parser *p, enum node_kind kind, const char *word,
			struct node *node);

/* After {{else: either the other list, or "if" and "with" again, which share our {{end}}. */
static int read_else(struct parser *p, struct node *node)
{
	static const struct {
		const char *word;
		enum node_kind kind;
	} again[] = {{"if", NODE_IF}, {"with", NODE_WITH}};

	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		if (node->kind != again[i].kind || !take_word(p, again[i].word))
			continue;
		node->otherwise = arena_new(&p->t->arena, struct node);
		return read_control(p, again[i].kind, again[i].word, node->otherwise);
	}
	if (close_action(p) < 0)
		return -ERR_INVALID;
	switch (read_list(p, &node->otherwise)) {
	case ENDING_END:
		return close_action(p);
	case ENDING_ELSE:
		return fail(p, "expected end; found {{else}}");
	case ENDING_EOF:
		return fail(p, "unexpected EOF");
	case ENDING_ERROR:
		break;
	}
	return -ERR_INVALID;
}

static int read_control(struct parser *p, enum node_kind kind, const char *word,
			struct node *node)
{
	size_t variables = p->variables.n;
	enum ending ending;
	int rc;

	node->kind = kind;
	if (at_close(p))
		return fail(p, "missing value for %s", word);
	if (++p->depth > NESTING_MAX)
		return fail(p, "nested too deeply");
	rc = read_pipeline(p, '}', &node->pipeline);
	if (rc < 0)
		return rc;
	p->loops += kind == NODE_RANGE;
	ending = read_list(p, &node->body);
	p->loops -= kind == NODE_RANGE;
	if (ending == ENDING_EOF)
		return fail(p, "unexpected EOF");
	if (ending == ENDING_ERROR)
		return -ERR_INVALID;
	rc = ending == ENDING_ELSE ? read_else(p, node) : close_action(p);
	p->depth--;
	drop_variables(p, variables);
	return rc;
}

static int read_loop_word(struct parser *p, enum node_kind kind, const char *word,
			  struct node *node)
{
	node->kind = kind;
	if (!p->loops)
		return fail(p, "{{%s}} outside {{range}}", word);
	return close_action(p);
}

/* The inside of one action, after "{{" and its trim mark. */
static int read_action(struct parser *p, struct node *node)
{
	if (take_word(p, "if"))
		return read_control(p, NODE_IF, "if", node);
	if (take_word(p, "with"))
		return read_control(p, NODE_WITH, "with", node);
	if (take_word(p, "range"))
		return read_control(p, NODE_RANGE, "range", node);
	if (take_word(p, "break"))
		return read_loop_word(p, NODE_BREAK, "break", node);
	if (take_word(p, "continue"))
		return read_loop_word(p, NODE_CONTINUE, "continue", node);
	node->kind = NODE_ACTION;
	return read_pipeline(p, '}', &node->pipeline);
}

/* Steps over a comment; false if there is none. */
static bool skip_comment(struct parser *p, int *out_rc)
{
	const char *end;

	skip_blanks(p);
	if (!looking_at(p, "/*"))
		return false;
	end = memmem(p->text + p->at + 2, p->len - p->at - 2, "*/", 2);
	if (!end) {
		*out_rc = fail(p, "unclosed comment");
		return true;
	}
	p->at = (size_t)(end - p->text) + 2;
	*out_rc = close_action(p);
	return true;
}

static struct node *add_text(struct parser *p, size_t end, bool trim_right)
{
	struct node *node;
	size_t start = p->at;

	if (p->trim)
		while (start < end && is_blank(p->text[start]))
			start++;
	if (trim_right)
		while (end > start && is_blank(p->text[end - 1]))
			end--;
	if (start == end)
		return NULL;
	node = arena_new(&p->t->arena, struct node);
	node->kind = NODE_TEXT;
	node->text = p->text + start;
	node->len = end - start;
	return node;
}

static enum ending read_list(struct parser *p, struct node **tail)
{
	for (;;) {
		const char *open = memmem(p->text + p->at, p->len - p->at, "{{", 2);
		size_t end = open ? (size_t)(open - p->text) : p->len;
		bool trim = open && end + 3 < p->len && open[2] == '-' && is_blank(open[3]);
		struct node *node = add_text(p, end, trim);
		int rc;

		if (node) {
			*tail = node;
			tail = &node->next;
		}
		p->at = end;
		p->trim = false;
		if (!open)
			return ENDING_EOF;
		p->at += trim ? 3 : 2;
		rc = 0;
		if (skip_comment(p, &rc)) {
			if (rc < 0)
				return ENDING_ERROR;
			continue;
		}
		if (take_word(p, "end"))
			return ENDING_END;
		if (take_word(p, "else"))
			return ENDING_ELSE;
		if (at_close(p)) {
			fail(p, "missing value for command");
			return ENDING_ERROR;
		}
		*tail = arena_new(&p->t->arena, struct node);
		if (read_action(p, *tail) < 0)
			return ENDING_ERROR;
		tail = &(*tail)->next;
	}
}

static int parse(struct parser *p)
{
	switch (read_list(p, &p->t->nodes)) {
	case ENDING_EOF:
		return 0;
	case ENDING_END:
		return fail(p, "unexpected {{end}}");
	case ENDING_ELSE:
		return fail(p, "unexpected {{else}}");
	case ENDING_ERROR:
		break;
	}
	return -ERR_INVALID;
}

int cli_template_parse(const char *text, struct cli_template **out, struct error *err)
{
	struct cli_template *t;
	struct parser p = {.err = err};
	int rc;

	if (strlen(text) > TEXT_MAX)
		return error_set(err, ERR_LIMIT, "template parsing error: larger than %u bytes",
				 TEXT_MAX);
	t = mem_new(struct cli_template);
	t->text = arena_strdup(&t->arena, text);
	p.t = t;
	p.text = t->text;
	p.len = strlen(text);
	rc = parse(&p);
	strlist_clear(&p.variables);
	if (rc < 0) {
		cli_template_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void cli_template_free(struct cli_template *t)
{
	if (!t)
		return;
	arena_clear(&t->arena);
	free(t);
}

char *cli_template_unescape(const char *format)
{
	AUTO(buf) struct buf out = BUF_INIT;

	for (; *format; format++) {
		if (format[0] == '\\' && (format[1] == 't' || format[1] == 'n'))
			buf_addch(&out, *++format == 't' ? '\t' : '\n');
		else
			buf_addch(&out, *format);
	}
	return buf_steal(&out);
}

static bool pipeline_uses(const struct pipeline *pipe, const char *field)
{
	for (const struct call *c = pipe->calls; c; c = c->next)
		for (const struct operand *o = c->operands; o; o = o->next) {
			if (o->nfields ? str_eq(o->fields[0], field) : o->kind == OPERAND_DOT)
				return true;
			if (o->pipeline && pipeline_uses(o->pipeline, field))
				return true;
		}
	return false;
}

static bool list_uses(const struct node *n, const char *field)
{
	for (; n; n = n->next)
		if ((n->pipeline && pipeline_uses(n->pipeline, field)) ||
		    list_uses(n->body, field) || list_uses(n->otherwise, field))
			return true;
	return false;
}

bool cli_template_uses(const struct cli_template *t, const char *field)
{
	return list_uses(t->nodes, field);
}
