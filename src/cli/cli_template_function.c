/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of templates: Go's own and those that Docker adds. */
#include <math.h>
#include <string.h>

#include "cli/cli_template_node.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/banned.h"

#define PAD_MAX	  4096
#define WIDTH_MAX 4096
#define ANY	  SIZE_MAX

typedef const struct template_value *args_t;

static const char *type_name(const struct template_value *v)
{
	const json_t *j = v->json;

	if (!j || json_is_null(j))
		return "nil";
	if (json_is_string(j))
		return "string";
	if (json_is_integer(j))
		return "int";
	if (json_is_real(j))
		return "float64";
	if (json_is_boolean(j))
		return "bool";
	return json_is_array(j) ? "[]interface {}" : "map[string]interface {}";
}

static bool give(struct template_value *out, json_t *j)
{
	*out = (struct template_value){.json = j};
	return true;
}

static bool give_buf(struct template_value *out, const struct buf *text)
{
	return give(out, json_stringn(buf_str(text), text->len));
}

static bool want_string(const struct template_value *v, const char **out, struct buf *why)
{
	if (json_is_string(v->json)) {
		*out = json_string_value(v->json);
		return true;
	}
	buf_printf(why, "wrong type for value; expected string; got %s", type_name(v));
	return false;
}

static bool want_int(const struct template_value *v, json_int_t *out, struct buf *why)
{
	if (json_is_integer(v->json)) {
		*out = json_integer_value(v->json);
		return true;
	}
	buf_printf(why, "wrong type for value; expected int; got %s", type_name(v));
	return false;
}

static bool run_json(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	AUTO(buf) struct buf text = BUF_INIT;

	(void)n;
	(void)why;
	if (args[0].json)
		template_value_json(args[0].json, &text);
	else
		buf_addstr(&text, "null");
	return give_buf(out, &text);
}

static bool run_join(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	AUTO(buf) struct buf text = BUF_INIT;
	const char *separator;

	(void)n;
	if (!want_string(&args[1], &separator, why))
		return false;
	if (args[0].json && !json_is_array(args[0].json) && !json_is_null(args[0].json)) {
		buf_printf(why, "wrong type for value; expected []string; got %s",
			   type_name(&args[0]));
		return false;
	}
	for (size_t i = 0; i < json_array_size(args[0].json); i++) {
		struct template_value v = {.json = json_array_get(args[0].json, i)};

		if (i)
			buf_addstr(&text, separator);
		template_value_print(&v, &text);
	}
	return give_buf(out, &text);
}

static bool run_split(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	const char *text, *separator, *next;
	json_t *parts;

	(void)n;
	if (!want_string(&args[0], &text, why) || !want_string(&args[1], &separator, why))
		return false;
	parts = json_array();
	while (*separator && (next = strstr(text, separator))) {
		json_array_append_new(parts, json_stringn(text, (size_t)(next - text)));
		text = next + strlen(separator);
	}
	json_array_append_new(parts, json_string(text));
	return give(out, parts);
}

static bool run_lower(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	AUTO(free) char *result = NULL;
	const char *text;

	(void)n;
	if (!want_string(&args[0], &text, why))
		return false;
	result = str_lower(text);
	return give(out, json_string(result));
}

static bool run_upper(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	AUTO(free) char *result = NULL;
	const char *text;

	(void)n;
	if (!want_string(&args[0], &text, why))
		return false;
	result = str_upper(text);
	return give(out, json_string(result));
}

static bool run_title(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	AUTO(free) char *result = NULL;
	const char *text;
	bool start = true;

	(void)n;
	if (!want_string(&args[0], &text, why))
		return false;
	result = mem_strdup(text);
	for (char *c = result; *c; c++) {
		if (start && *c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
		start = strchr(" \t\n-/.,:;()", *c) != NULL;
	}
	return give(out, json_string(result));
}

static bool run_pad(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	const char *text;
	json_int_t before, after;

	(void)n;
	if (!want_string(&args[0], &text, why) || !want_int(&args[1], &before, why) ||
	    !want_int(&args[2], &after, why))
		return false;
	if (before < 0 || after < 0 || before > PAD_MAX || after > PAD_MAX) {
		buf_printf(why, "padding is not in 0..%d", PAD_MAX);
		return false;
	}
	if (!*text)
		return give(out, json_string(""));
	return give(out, json_sprintf("%*s%s%*s", (int)before, "", text, (int)after, ""));
}

static bool run_truncate(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	const char *text;
	json_int_t limit;
	size_t len;

	(void)n;
	if (!want_string(&args[0], &text, why) || !want_int(&args[1], &limit, why))
		return false;
	len = strlen(text);
	if (limit >= 0 && (size_t)limit < len)
		len = (size_t)limit;
	/* Not in the middle of a character. */
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return give(out, json_stringn(text, len));
}

static bool run_len(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	const json_t *j = args[0].json;

	(void)n;
	if (json_is_string(j))
		return give(out, json_integer((json_int_t)json_string_length(j)));
	if (json_is_array(j))
		return give(out, json_integer((json_int_t)json_array_size(j)));
	if (json_is_object(j))
		return give(out, json_integer((json_int_t)json_object_size(j)));
	if (json_is_null(j) && args[0].field)
		return give(out, json_integer(0));
	buf_printf(why, "error calling len: len of type %s", type_name(&args[0]));
	return false;
}

static bool index_one(const struct template_value *from, const struct template_value *key,
		      struct template_value *out, struct buf *why)
{
	json_t *j = from->json;

	if (json_is_object(j)) {
		if (!json_is_string(key->json)) {
			buf_printf(why,
				   "error calling index: value has type %s; should be string",
				   type_name(key));
			return false;
		}
		out->json = json_incref(json_object_get(j, json_string_value(key->json)));
		out->field = json_string_value(key->json);
		if (!out->json && template_field_is_map(from->field))
			out->json = json_string("");
		return true;
	}
	if (json_is_array(j)) {
		json_int_t i = json_integer_value(key->json);

		if (!json_is_integer(key->json)) {
			buf_printf(why,
				   "error calling index: cannot index slice/array with type %s",
				   type_name(key));
			return false;
		}
		if (i < 0 || (size_t)i >= json_array_size(j)) {
			buf_printf(why, "error calling index: index out of range: %lld",
				   (long long)i);
			return false;
		}
		return give(out, json_incref(json_array_get(j, (size_t)i)));
	}
	if (!j || json_is_null(j))
		buf_addstr(why, "error calling index: index of untyped nil");
	else
		buf_printf(why, "error calling index: can't index item of type %s",
			   type_name(from));
	return false;
}

static bool run_index(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	struct template_value at = {.json = json_incref(args[0].json), .field = args[0].field};

	for (size_t i = 1; i < n; i++) {
		struct template_value next = NO_VALUE;
		bool ok = index_one(&at, &args[i], &next, why);

		json_decref(at.json);
		if (!ok)
			return false;
		at = next;
	}
	/* The key lives in an argument that ends before the result does. */
	at.field = template_field_is_map(at.field) ? "Labels" : NULL;
	*out = at;
	return true;
}

static bool run_slice(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	const json_t *j = args[0].json;
	json_int_t from = 0, to;
	json_t *part;

	if (!json_is_string(j) && !json_is_array(j)) {
		buf_printf(why, "error calling slice: can't slice item of type %s",
			   type_name(&args[0]));
		return false;
	}
	to = (json_int_t)(json_is_string(j) ? json_string_length(j) : json_array_size(j));
	for (size_t i = 1; i < n; i++) {
		json_int_t v;

		if (!want_int(&args[i], &v, why))
			return false;
		if (v < (i == 1 ? 0 : from) || v > to) {
			buf_printf(why, "error calling slice: index out of range: %lld",
				   (long long)v);
			return false;
		}
		*(i == 1 ? &from : &to) = v;
	}
	if (json_is_string(j))
		return give(out,
			    json_stringn(json_string_value(j) + from, (size_t)(to - from)));
	part = json_array();
	for (; from < to; from++)
		json_array_append(part, json_array_get(j, (size_t)from));
	return give(out, part);
}

static bool run_print(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	AUTO(buf) struct buf text = BUF_INIT;

	(void)why;
	for (size_t i = 0; i < n; i++) {
		if (i && !json_is_string(args[i].json) && !json_is_string(args[i - 1].json))
			buf_addch(&text, ' ');
		template_value_print(&args[i], &text);
	}
	return give_buf(out, &text);
}

static bool run_println(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	AUTO(buf) struct buf text = BUF_INIT;

	(void)why;
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addch(&text, ' ');
		template_value_print(&args[i], &text);
	}
	buf_addch(&text, '\n');
	return give_buf(out, &text);
}

struct directive {
	bool minus;
	bool zero;
	bool plus;
	int width;     /* -1: none */
	int precision; /* -1: none */
};

static const char *read_directive(const char *at, struct directive *d)
{
	*d = (struct directive){.width = -1, .precision = -1};
	for (; *at && strchr("-0+ #", *at); at++) {
		d->minus |= *at == '-';
		d->zero |= *at == '0';
		d->plus |= *at == '+';
	}
	for (; *at >= '0' && *at <= '9' && d->width < WIDTH_MAX; at++)
		d->width = (d->width < 0 ? 0 : d->width * 10) + (*at - '0');
	if (*at == '.') {
		d->precision = 0;
		for (at++; *at >= '0' && *at <= '9' && d->precision < WIDTH_MAX; at++)
			d->precision = d->precision * 10 + (*at - '0');
	}
	return at;
}

static void add_number(const struct template_value *v, char verb, const struct directive *d,
		       struct buf *out)
{
	const char *sign = d->plus ? "+" : "";
	long long i = json_integer_value(v->json);
	double r = json_number_value(v->json);
	int precision = d->precision < 0 ? 6 : d->precision;

	if (verb == 'd')
		buf_printf(out, "%s%lld", i >= 0 ? sign : "", i);
	else if (verb == 'x')
		buf_printf(out, "%s%llx", i < 0 ? "-" : "",
			   i < 0 ? 0 - (unsigned long long)i : (unsigned long long)i);
	else if (verb == 'X')
		buf_printf(out, "%s%llX", i < 0 ? "-" : "",
			   i < 0 ? 0 - (unsigned long long)i : (unsigned long long)i);
	else if (verb == 'o')
		buf_printf(out, "%s%llo", i < 0 ? "-" : "",
			   i < 0 ? 0 - (unsigned long long)i : (unsigned long long)i);
	else if (verb == 'c')
		buf_addch(out, i > 0 && i < 128 ? (char)i : '?');
	else if (verb == 'e')
		buf_printf(out, "%.*e", precision, r);
	else if (verb == 'g')
		template_value_print(v, out);
	else
		buf_printf(out, "%.*f", precision, r);
}

/* False when the verb does not fit the value: Go prints "%!d(string=x)". */
static bool add_verb(const struct template_value *v, char verb, const struct directive *d,
		     struct buf *out)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (strchr("dxXoc", verb) && json_is_integer(v->json)) {
		add_number(v, verb, d, out);
		return true;
	}
	if (strchr("feg", verb) && json_is_real(v->json)) {
		add_number(v, verb, d, out);
		return true;
	}
	template_value_print(v, &text);
	if (verb == 'T') {
		buf_addstr(out, type_name(v));
	} else if (verb == 'q' && json_is_string(v->json)) {
		json_quote(buf_str(&text), false, out);
	} else if (verb == 'x' && json_is_string(v->json)) {
		for (size_t i = 0; i < text.len; i++)
			buf_printf(out, "%02x", (unsigned char)text.data[i]);
	} else if (verb == 'v' ||
		   (verb == 's' && !json_is_number(v->json) && !json_is_boolean(v->json)) ||
		   (verb == 't' && json_is_boolean(v->json))) {
		size_t len = text.len;

		if (d->precision >= 0 && (size_t)d->precision < len && verb == 's')
			len = (size_t)d->precision;
		buf_add(out, buf_str(&text), len);
	} else {
		return false;
	}
	return true;
}

static void add_padded(const struct buf *text, const struct directive *d, bool number,
		       struct buf *out)
{
	size_t characters = 0;
	size_t fill;
	const char *at = buf_str(text);

	for (size_t i = 0; i < text->len; i++)
		characters += ((unsigned char)at[i] & 0xc0) != 0x80;
	fill = d->width > 0 && (size_t)d->width > characters ? (size_t)d->width - characters
							     : 0;
	if (fill && d->zero && number && !d->minus) {
		if (*at == '-' || *at == '+')
			buf_addch(out, *at++);
		while (fill--)
			buf_addch(out, '0');
		buf_addstr(out, at);
		return;
	}
	for (size_t i = 0; !d->minus && i < fill; i++)
		buf_addch(out, ' ');
	buf_add(out, at, text->len);
	for (size_t i = 0; d->minus && i < fill; i++)
		buf_addch(out, ' ');
}

static bool run_printf(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	AUTO(buf) struct buf text = BUF_INIT;
	const char *format;
	size_t next = 1;

	if (!want_string(&args[0], &format, why))
		return false;
	for (const char *at = format; *at; at++) {
		AUTO(buf) struct buf piece = BUF_INIT;
		struct directive d;

		if (*at != '%') {
			buf_addch(&text, *at);
			continue;
		}
		at = read_directive(at + 1, &d);
		if (*at == '%') {
			buf_addch(&text, '%');
		} else if (!*at) {
			buf_addstr(&text, "%!(NOVERB)");
			break;
		} else if (next >= n) {
			buf_printf(&text, "%%!%c(MISSING)", *at);
		} else {
			const struct template_value *v = &args[next++];

			if (!add_verb(v, *at, &d, &piece)) {
				buf_printf(&piece, "%%!%c(%s=", *at, type_name(v));
				template_value_print(v, &piece);
				buf_addch(&piece, ')');
			}
			add_padded(&piece, &d, json_is_number(v->json), &text);
		}
	}
	for (size_t i = next; i < n; i++) {
		buf_printf(&text, "%s%s=", i == next ? "%!(EXTRA " : ", ", type_name(&args[i]));
		template_value_print(&args[i], &text);
	}
	if (next < n)
		buf_addch(&text, ')');
	return give_buf(out, &text);
}

static bool run_not(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	(void)n;
	(void)why;
	return give(out, json_boolean(!template_value_true(&args[0])));
}

/* -1, 0, 1; false when the two cannot be compared. */
static bool compare(const struct template_value *a, const struct template_value *b, int *out)
{
	const json_t *x = a->json;
	const json_t *y = b->json;

	if (json_is_string(x) && json_is_string(y)) {
		int c = strcmp(json_string_value(x), json_string_value(y));

		*out = (c > 0) - (c < 0);
	} else if (json_is_integer(x) && json_is_integer(y)) {
		*out = (json_integer_value(x) > json_integer_value(y)) -
		       (json_integer_value(x) < json_integer_value(y));
	} else if (json_is_real(x) && json_is_real(y)) {
		*out = (json_real_value(x) > json_real_value(y)) -
		       (json_real_value(x) < json_real_value(y));
	} else if (json_is_boolean(x) && json_is_boolean(y)) {
		*out = json_is_true(x) - json_is_true(y);
	} else if ((!x || json_is_null(x)) && (!y || json_is_null(y))) {
		*out = 0;
	} else {
		return false;
	}
	return true;
}

static bool incomparable(const char *name, struct buf *why)
{
	buf_printf(why, "error calling %s: incompatible types for comparison", name);
	return false;
}

static bool run_eq(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	bool equal = false;

	for (size_t i = 1; i < n; i++) {
		int order;

		if (!compare(&args[0], &args[i], &order))
			return incomparable("eq", why);
		equal |= order == 0;
	}
	return give(out, json_boolean(equal));
}

static bool run_ne(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	int order;

	(void)n;
	if (!compare(&args[0], &args[1], &order))
		return incomparable("ne", why);
	return give(out, json_boolean(order != 0));
}

static bool ordered(args_t args, const char *name, int *order, struct buf *why)
{
	if (json_is_boolean(args[0].json) || !args[0].json || json_is_null(args[0].json)) {
		buf_printf(why, "error calling %s: invalid type for comparison", name);
		return false;
	}
	return compare(&args[0], &args[1], order) || incomparable(name, why);
}

static bool run_lt(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	int order;

	(void)n;
	return ordered(args, "lt", &order, why) && give(out, json_boolean(order < 0));
}

static bool run_le(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	int order;

	(void)n;
	return ordered(args, "le", &order, why) && give(out, json_boolean(order <= 0));
}

static bool run_gt(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	int order;

	(void)n;
	return ordered(args, "gt", &order, why) && give(out, json_boolean(order > 0));
}

static bool run_ge(args_t args, size_t n, struct template_value *out, struct buf *why)
{
	int order;

	(void)n;
	return ordered(args, "ge", &order, why) && give(out, json_boolean(order >= 0));
}

static const struct template_function functions[] = {
	{"and", 1, ANY, false, NULL},
	{"or", 1, ANY, false, NULL},
	{"not", 1, 1, false, run_not},
	{"eq", 2, ANY, false, run_eq},
	{"ne", 2, 2, false, run_ne},
	{"lt", 2, 2, false, run_lt},
	{"le", 2, 2, false, run_le},
	{"gt", 2, 2, false, run_gt},
	{"ge", 2, 2, false, run_ge},
	{"index", 1, ANY, false, run_index},
	{"len", 1, 1, false, run_len},
	{"slice", 1, 3, false, run_slice},
	{"print", 0, ANY, false, run_print},
	{"printf", 1, ANY, false, run_printf},
	{"println", 0, ANY, false, run_println},
	{"json", 1, 1, true, run_json},
	{"join", 2, 2, true, run_join},
	{"split", 2, 2, true, run_split},
	{"lower", 1, 1, true, run_lower},
	{"upper", 1, 1, true, run_upper},
	{"title", 1, 1, true, run_title},
	{"pad", 3, 3, true, run_pad},
	{"truncate", 2, 2, true, run_truncate},
};

const struct template_function *template_function_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (strncmp(functions[i].name, name, len) == 0 && !functions[i].name[len])
			return &functions[i];
	return NULL;
}

bool template_function_is_lazy(const struct template_function *f)
{
	return !f->run;
}
