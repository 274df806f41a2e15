/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a template over a value: the rules and messages of Go's text/template. */
#include "cli/cli_template.h"

#include <string.h>

#include "cli/cli_template_node.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/banned.h"

#define ARGUMENTS_MAX 64
#define OUTPUT_MAX    (64u << 20)

struct variable {
	const char *name;
	struct template_value value;
};

struct variables {
	struct variable *items;
	size_t n;
	size_t cap;
};

enum flow {
	FLOW_NEXT = 0,
	FLOW_BREAK,
	FLOW_CONTINUE,
};

struct run {
	const struct cli_template *t;
	const char *type; /* NULL: a document */
	bool headers;
	struct template_value root;
	struct variables variables;
	enum flow flow;
	struct buf *out;
	struct error *err;
};

static struct template_value value_ref(const struct template_value *v)
{
	return (struct template_value){.json = json_incref(v->json), .field = v->field};
}

static void value_clear(struct template_value *v)
{
	json_decref(v->json);
	*v = NO_VALUE;
}

static void template_value_auto(struct template_value *v)
{
	value_clear(v);
}

static int fail_at(struct run *r, size_t position, size_t start, size_t end, const char *why)
{
	unsigned line, column;

	template_position(r->t->text, position, &line, &column);
	return error_set(r->err, ERR_INVALID,
			 "template parsing error: template: :%u:%u: executing \"\" at "
			 "<%.*s>: %s",
			 line, column, (int)(end - start), r->t->text + start, why);
}

static int fail_operand(struct run *r, const struct operand *o, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail_operand(struct run *r, const struct operand *o, const char *fmt, ...)
{
	AUTO(free) char *why = NULL;
	va_list ap;

	va_start(ap, fmt);
	why = mem_vprintf(fmt, ap);
	va_end(ap);
	return fail_at(r, o->position, o->start, o->end, why);
}

/* {{.Label "key"}} of a row: out of the text "a=1,b=2" in its field Labels. */
static json_t *find_label(const json_t *row, const char *key)
{
	const char *at = json_string_value(json_object_get(row, "Labels"));
	size_t len = strlen(key);

	while (at && *at) {
		size_t n = strcspn(at, ",");

		if (n > len && strncmp(at, key, len) == 0 && at[len] == '=')
			return json_stringn(at + len + 1, n - len - 1);
		at += n + (at[n] == ',');
	}
	return json_string("");
}

/* The header for a label is the last part of its key: "com.docker.my-thing" is "my thing". */
static json_t *label_header(const char *key)
{
	const char *dot = strrchr(key, '.');
	AUTO(free) char *text = mem_strdup(dot ? dot + 1 : key);

	for (char *c = text; *c; c++)
		if (*c == '-' || *c == '_')
			*c = ' ';
	return json_string(text);
}

static int take_field(struct run *r, const struct operand *o, const char *name, bool top,
		      struct template_value *v)
{
	json_t *found;

	if (!json_is_object(v->json)) {
		if (!v->json || json_is_null(v->json))
			return fail_operand(r, o, "nil pointer evaluating interface {}.%s",
					    name);
		return fail_operand(r, o, "can't evaluate field %s in type %s", name,
				    r->type && json_is_string(v->json) ? "string"
								       : "interface {}");
	}
	found = json_object_get(v->json, name);
	if (!found)
		found = json_object_get(json_object_get(v->json, CLI_TEMPLATE_OMITTED), name);
	if (!found && !template_field_is_map(v->field) && !r->headers) {
		if (r->type && top)
			return fail_operand(r, o, "can't evaluate field %s in type %s", name,
					    r->type);
		return fail_operand(r, o, "map has no entry for key \"%s\"", name);
	}
	json_incref(found);
	value_clear(v);
	v->json = found;
	v->field = name;
	return 0;
}

static int eval_pipeline(struct run *r, const struct pipeline *pipe,
			 const struct template_value *dot, struct template_value *out);

static int find_variable(struct run *r, const struct operand *o, struct template_value *out)
{
	if (!o->name[1]) {
		*out = value_ref(&r->root);
		return 0;
	}
	for (size_t i = r->variables.n; i-- > 0;) {
		if (!str_eq(r->variables.items[i].name, o->name))
			continue;
		*out = value_ref(&r->variables.items[i].value);
		return 0;
	}
	return fail_operand(r, o, "undefined variable: %s", o->name);
}

static int eval_operand(struct run *r, const struct operand *o,
			const struct template_value *dot, struct template_value *out)
{
	bool top = false;
	int rc = 0;

	*out = NO_VALUE;
	switch (o->kind) {
	case OPERAND_DOT:
		*out = value_ref(dot);
		top = dot->json == r->root.json;
		break;
	case OPERAND_NIL:
		out->json = json_null();
		break;
	case OPERAND_BOOL:
		out->json = json_boolean(o->integer);
		break;
	case OPERAND_INTEGER:
		out->json = json_integer(o->integer);
		break;
	case OPERAND_REAL:
		out->json = json_real(o->real);
		break;
	case OPERAND_STRING:
		out->json = json_string(o->name);
		break;
	case OPERAND_VARIABLE:
		rc = find_variable(r, o, out);
		top = rc == 0 && out->json == r->root.json;
		break;
	case OPERAND_FUNCTION:
		return fail_operand(r, o, "%s is a function without its arguments", o->name);
	case OPERAND_PIPELINE:
		rc = eval_pipeline(r, o->pipeline, dot, out);
		break;
	}
	for (size_t i = 0; rc == 0 && i < o->nfields; i++)
		rc = take_field(r, o, o->fields[i], top && i == 0, out);
	if (rc < 0)
		value_clear(out);
	return rc;
}

struct arguments {
	struct template_value items[ARGUMENTS_MAX];
	size_t n;
};

static void clear_arguments(struct arguments *a)
{
	while (a->n)
		value_clear(&a->items[--a->n]);
}

static int eval_arguments(struct run *r, const struct call *call,
			  const struct template_value *dot, const struct template_value *last,
			  struct arguments *out)
{
	for (const struct operand *o = call->operands->next; o; o = o->next) {
		int rc;

		if (out->n + 1 >= ARGUMENTS_MAX)
			return fail_operand(r, o, "too many arguments");
		if (o->kind == OPERAND_FUNCTION) {
			/* A function among arguments is called without any. */
			struct operand alone = *o;
			struct call inner = {o->start, o->end, &alone, NULL};
			struct pipeline pipe = {.calls = &inner};

			alone.next = NULL;
			rc = eval_pipeline(r, &pipe, dot, &out->items[out->n]);
		} else {
			rc = eval_operand(r, o, dot, &out->items[out->n]);
		}
		if (rc < 0)
			return rc;
		out->n++;
	}
	if (last)
		out->items[out->n++] = value_ref(last);
	return 0;
}

/* and, or: the first operand that decides. */
static int eval_lazy(struct run *r, const struct call *call, bool stop_at,
		     const struct template_value *dot, const struct template_value *last,
		     struct template_value *out)
{
	for (const struct operand *o = call->operands->next; o; o = o->next) {
		int rc;

		value_clear(out);
		rc = eval_operand(r, o, dot, out);
		if (rc < 0 || template_value_true(out) == stop_at)
			return rc;
	}
	if (last) {
		value_clear(out);
		*out = value_ref(last);
	}
	return 0;
}

/* Docker's `json` of a whole row escapes < > &, as its own encoder for rows does. */
static bool is_row_json(const struct run *r, const struct template_function *f,
			const struct arguments *args)
{
	return r->type && str_eq(f->name, "json") && args->n == 1 &&
	       args->items[0].json == r->root.json && json_is_object(r->root.json);
}

static json_t *row_json(const json_t *row)
{
	AUTO(strlist) struct strlist keys = STRLIST_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)row, key, value)
		strlist_add(&keys, key);
	strlist_sort(&keys);
	buf_addch(&text, '{');
	for (size_t i = 0; i < keys.n; i++) {
		value = json_object_get(row, keys.items[i]);
		if (i)
			buf_addch(&text, ',');
		json_quote(keys.items[i], true, &text);
		buf_addch(&text, ':');
		if (json_is_string(value))
			json_quote(json_string_value(value), true, &text);
		else
			json_text(value, &text);
	}
	buf_addch(&text, '}');
	return json_stringn(buf_str(&text), text.len);
}

static int eval_function(struct run *r, const struct call *call,
			 const struct template_value *dot, const struct template_value *last,
			 struct template_value *out)
{
	const char *name = call->operands->name;
	const struct template_function *f = template_function_find(name, strlen(name));
	struct arguments args = {.n = 0};
	AUTO(buf) struct buf why = BUF_INIT;
	int rc;

	if (template_function_is_lazy(f))
		return eval_lazy(r, call, str_eq(name, "or"), dot, last, out);
	rc = eval_arguments(r, call, dot, last, &args);
	if (rc < 0) {
		clear_arguments(&args);
		return rc;
	}
	if (args.n < f->min || args.n > f->max) {
		buf_printf(&why, "wrong number of args for %s: want %s%zu got %zu", name,
			   f->max > f->min ? "at least " : "", f->min, args.n);
		rc = fail_at(r, call->start, call->start, call->end, buf_str(&why));
	} else if (r->headers && f->docker) {
		*out = value_ref(&args.items[0]);
	} else if (is_row_json(r, f, &args)) {
		out->json = row_json(r->root.json);
	} else if (!f->run(args.items, args.n, out, &why)) {
		rc = fail_at(r, call->start, call->start, call->end, buf_str(&why));
	}
	clear_arguments(&args);
	return rc;
}

/* A field with arguments: only rows have one method. */
static int eval_method(struct run *r, const struct call *call, const struct template_value *dot,
		       struct template_value *out)
{
	const struct operand *o = call->operands;
	AUTO(template_value) struct template_value key = NO_VALUE;
	const char *text;
	int rc;

	if (!r->type || o->nfields != 1 || !str_eq(o->fields[0], "Label") || o->next->next)
		return fail_operand(r, o, "%s is not a method but has arguments",
				    o->nfields ? o->fields[o->nfields - 1] : "value");
	rc = eval_operand(r, o->next, dot, &key);
	if (rc < 0)
		return rc;
	text = json_string_value(key.json);
	if (!text)
		return fail_operand(r, o->next, "expected string");
	out->json = r->headers ? label_header(text) : find_label(r->root.json, text);
	return 0;
}

static int eval_call(struct run *r, const struct call *call, const struct template_value *dot,
		     const struct template_value *last, struct template_value *out)
{
	const struct operand *o = call->operands;

	if (o->kind == OPERAND_FUNCTION)
		return eval_function(r, call, dot, last, out);
	if (o->next && o->nfields)
		return eval_method(r, call, dot, out);
	if (o->next || last)
		return fail_operand(r, o, "can't give argument to non-function %.*s",
				    (int)(o->end - o->start), r->t->text + o->start);
	return eval_operand(r, o, dot, out);
}

static void set_variable(struct run *r, const struct pipeline *pipe, const char *name,
			 const struct template_value *v)
{
	struct variable *slot = NULL;

	for (size_t i = r->variables.n; pipe->assign && !slot && i-- > 0;)
		if (str_eq(r->variables.items[i].name, name))
			slot = &r->variables.items[i];
	if (slot) {
		struct template_value old = slot->value;

		slot->value = value_ref(v);
		value_clear(&old);
		return;
	}
	slot = vec_push(&r->variables);
	slot->name = name;
	slot->value = value_ref(v);
}

static void drop_variables(struct run *r, size_t n)
{
	while (r->variables.n > n)
		value_clear(&r->variables.items[--r->variables.n].value);
}

/* The calls alone; the variables are the caller's to set. */
static int eval_calls(struct run *r, const struct pipeline *pipe,
		      const struct template_value *dot, struct template_value *out)
{
	AUTO(template_value) struct template_value last = NO_VALUE;

	for (const struct call *c = pipe->calls; c; c = c->next) {
		struct template_value next = NO_VALUE;
		int rc = eval_call(r, c, dot, c == pipe->calls ? NULL : &last, &next);

		if (rc < 0) {
			value_clear(&next);
			return rc;
		}
		value_clear(&last);
		last = next;
	}
	*out = last;
	last = NO_VALUE;
	return 0;
}

static int eval_pipeline(struct run *r, const struct pipeline *pipe,
			 const struct template_value *dot, struct template_value *out)
{
	int rc = eval_calls(r, pipe, dot, out);

	for (unsigned i = 0; rc == 0 && i < pipe->nvariables; i++)
		set_variable(r, pipe, pipe->variables[i], out);
	return rc;
}

static int run_list(struct run *r, const struct node *n, const struct template_value *dot);

/* One turn of a range: $value, or $key and $value. */
static int run_turn(struct run *r, const struct node *n, json_t *key, json_t *value)
{
	const struct pipeline *pipe = n->pipeline;
	struct template_value index = {.json = key};
	struct template_value element = {.json = value};
	size_t variables = r->variables.n;
	int rc;

	if (pipe->nvariables == 2)
		set_variable(r, pipe, pipe->variables[0], &index);
	if (pipe->nvariables)
		set_variable(r, pipe, pipe->variables[pipe->nvariables - 1], &element);
	rc = run_list(r, n->body, &element);
	drop_variables(r, variables);
	if (r->flow == FLOW_CONTINUE)
		r->flow = FLOW_NEXT;
	return rc;
}

static int range_object(struct run *r, const struct node *n, json_t *object)
{
	AUTO(strlist) struct strlist keys = STRLIST_INIT;
	const char *name;
	json_t *value;
	int rc = 0;

	json_object_foreach (object, name, value)
		if (!str_eq(name, CLI_TEMPLATE_OMITTED))
			strlist_add(&keys, name);
	strlist_sort(&keys);
	for (size_t i = 0; rc == 0 && r->flow == FLOW_NEXT && i < keys.n; i++) {
		json_t *key = json_string(keys.items[i]);

		rc = run_turn(r, n, key, json_object_get(object, keys.items[i]));
		json_decref(key);
	}
	return rc;
}

static int range_counted(struct run *r, const struct node *n, json_t *array, json_int_t count)
{
	int rc = 0;

	for (json_int_t i = 0; rc == 0 && r->flow == FLOW_NEXT && i < count; i++) {
		json_t *key = json_integer(i);

		rc = run_turn(r, n, key, array ? json_array_get(array, (size_t)i) : key);
		json_decref(key);
		if (r->out->len > OUTPUT_MAX)
			return error_set(r->err, ERR_LIMIT,
					 "the template's output is too large");
	}
	return rc;
}

static int run_range(struct run *r, const struct node *n, const struct template_value *dot)
{
	AUTO(template_value) struct template_value over = NO_VALUE;
	AUTO(buf) struct buf shown = BUF_INIT;
	int rc = eval_calls(r, n->pipeline, dot, &over);

	if (rc < 0)
		return rc;
	if (!template_value_true(&over))
		return run_list(r, n->otherwise, dot);
	if (json_is_array(over.json)) {
		rc = range_counted(r, n, over.json, (json_int_t)json_array_size(over.json));
	} else if (json_is_object(over.json)) {
		rc = range_object(r, n, over.json);
	} else if (json_is_integer(over.json)) {
		rc = range_counted(r, n, NULL, json_integer_value(over.json));
	} else {
		const struct operand *o = n->pipeline->calls->operands;

		template_value_print(&over, &shown);
		return fail_operand(r, o, "range can't iterate over %.200s", buf_str(&shown));
	}
	if (r->flow == FLOW_BREAK)
		r->flow = FLOW_NEXT;
	return rc;
}

static int run_branch(struct run *r, const struct node *n, const struct template_value *dot)
{
	AUTO(template_value) struct template_value v = NO_VALUE;
	size_t variables = r->variables.n;
	int rc = eval_pipeline(r, n->pipeline, dot, &v);

	if (rc == 0) {
		if (!template_value_true(&v))
			rc = run_list(r, n->otherwise, dot);
		else
			rc = run_list(r, n->body, n->kind == NODE_WITH ? &v : dot);
	}
	drop_variables(r, variables);
	return rc;
}

static int run_action(struct run *r, const struct node *n, const struct template_value *dot)
{
	AUTO(template_value) struct template_value v = NO_VALUE;
	int rc = eval_pipeline(r, n->pipeline, dot, &v);

	if (rc == 0 && !n->pipeline->nvariables)
		template_value_print(&v, r->out);
	return rc;
}

static int run_list(struct run *r, const struct node *n, const struct template_value *dot)
{
	int rc = 0;

	for (; n && rc == 0 && r->flow == FLOW_NEXT; n = n->next) {
		switch (n->kind) {
		case NODE_TEXT:
			buf_add(r->out, n->text, n->len);
			break;
		case NODE_ACTION:
			rc = run_action(r, n, dot);
			break;
		case NODE_IF:
		case NODE_WITH:
			rc = run_branch(r, n, dot);
			break;
		case NODE_RANGE:
			rc = run_range(r, n, dot);
			break;
		case NODE_BREAK:
			r->flow = FLOW_BREAK;
			break;
		case NODE_CONTINUE:
			r->flow = FLOW_CONTINUE;
			break;
		}
	}
	return rc;
}

static int execute(const struct cli_template *t, const json_t *value, const char *type,
		   bool headers, struct buf *out, struct error *err)
{
	/* Values are reference-counted, never changed. */
	struct template_value root = {.json = json_incref((json_t *)(uintptr_t)value)};
	struct run r = {
		.t = t, .type = type, .headers = headers, .root = root, .out = out, .err = err};
	int rc = run_list(&r, t->nodes, &root);

	drop_variables(&r, 0);
	free(r.variables.items);
	value_clear(&root);
	return rc;
}

int cli_template_execute(const struct cli_template *t, const json_t *value, const char *type,
			 struct buf *out, struct error *err)
{
	return execute(t, value, type, false, out, err);
}

int cli_template_headers(const struct cli_template *t, const json_t *headers, const char *type,
			 struct buf *out, struct error *err)
{
	return execute(t, headers, type, true, out, err);
}
