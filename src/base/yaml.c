/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml finds the nodes; here they become values, each alias as what it stands for. */
#include "base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

struct reader {
	yaml_document_t document;
	size_t left; /* nodes that may still come: an alias counts with all that is in it */
};

static json_t *fail(const yaml_node_t *n, const char *what, struct error *err)
{
	error_set(err, ERR_INVALID, "line %zu: %s", n->start_mark.line + 1, what);
	return NULL;
}

/* ---- scalars ---- */

static bool is_one_of(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(text, words[i]))
			return true;
	return false;
}

/* [-+]?[0-9]+, 0o[0-7]+, 0x[0-9a-fA-F]+ */
static bool read_integer(const char *text, json_int_t *out)
{
	const bool sign = *text == '-' || *text == '+';
	const char *digits = text + sign;
	int base = 10;
	char *end;

	if (!sign && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
		base = digits[1] == 'x' ? 16 : 8;
		digits += 2;
	}
	if (!isxdigit((unsigned char)*digits))
		return false;
	errno = 0;
	*out = strtoll(base == 10 ? text : digits, &end, base);
	return !*end && !errno;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool read_real(const char *text, double *out)
{
	char *end;

	if (strspn(text, "0123456789+-.eE") != strlen(text) || !strpbrk(text, "0123456789"))
		return false;
	errno = 0;
	*out = strtod(text, &end);
	return !*end && isfinite(*out);
}

static json_t *plain(const char *text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	static const char *const truths[] = {"true", "True", "TRUE"};
	static const char *const falsehoods[] = {"false", "False", "FALSE"};
	json_int_t integer;
	double real;

	if (is_one_of(text, nulls, ARRAY_SIZE(nulls)))
		return json_null();
	if (is_one_of(text, truths, ARRAY_SIZE(truths)))
		return json_true();
	if (is_one_of(text, falsehoods, ARRAY_SIZE(falsehoods)))
		return json_false();
	if (read_integer(text, &integer))
		return json_integer(integer);
	return read_real(text, &real) ? json_real(real) : json_string(text);
}

static bool has_tag(const yaml_node_t *n, const char *tag)
{
	return str_eq((const char *)n->tag, tag);
}

/* libyaml gives plain scalars and "!" ones the tag of a string; only the style tells. */
static json_t *scalar(const yaml_node_t *n, struct error *err)
{
	const char *text = (const char *)n->data.scalar.value;

	if (strlen(text) != n->data.scalar.length)
		return fail(n, "a zero byte in a value", err);
	if (!has_tag(n, YAML_STR_TAG) && !has_tag(n, YAML_INT_TAG) &&
	    !has_tag(n, YAML_BOOL_TAG) && !has_tag(n, YAML_NULL_TAG) &&
	    !has_tag(n, YAML_FLOAT_TAG))
		return fail(n, "an unknown tag", err);
	return n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(text)
							       : json_string(text);
}

/* ---- collections ---- */

static json_t *value(struct reader *r, int index, unsigned depth, struct error *err);

static json_t *sequence(struct reader *r, const yaml_node_t *n, unsigned depth,
			struct error *err)
{
	AUTO(json) json_t *array = json_array();

	for (const yaml_node_item_t *i = n->data.sequence.items.start;
	     i < n->data.sequence.items.top; i++) {
		json_t *one = value(r, *i, depth + 1, err);

		if (!one)
			return NULL;
		json_array_append_new(array, one);
	}
	return take_ptr(array);
}

static json_t *mapping(struct reader *r, const yaml_node_t *n, unsigned depth,
		       struct error *err)
{
	AUTO(json) json_t *object = json_object();

	for (const yaml_node_pair_t *p = n->data.mapping.pairs.start;
	     p < n->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->document, p->key);
		const char *name;
		json_t *one;

		if (!key || key->type != YAML_SCALAR_NODE)
			return fail(n, "a key is not text", err);
		name = (const char *)key->data.scalar.value;
		if (strlen(name) != key->data.scalar.length)
			return fail(key, "a zero byte in a key", err);
		if (str_eq(name, "<<") && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
			return fail(key, "merge keys (<<) are not known", err);
		if (json_object_get(object, name))
			return fail(key, "a key that is there already", err);
		one = value(r, p->value, depth + 1, err);
		if (!one)
			return NULL;
		json_object_set_new(object, name, one);
	}
	return take_ptr(object);
}

static json_t *value(struct reader *r, int index, unsigned depth, struct error *err)
{
	const yaml_node_t *n = yaml_document_get_node(&r->document, index);

	if (!n)
		return json_null();
	/* an anchor may be in itself, and few lines may stand for endless ones */
	if (depth > LIMIT_JSON_DEPTH || !r->left--) {
		error_set(err, ERR_LIMIT, "line %zu: more than %u values, or %u levels",
			  n->start_mark.line + 1, LIMIT_YAML_NODES, LIMIT_JSON_DEPTH);
		return NULL;
	}
	switch (n->type) {
	case YAML_SCALAR_NODE:
		return scalar(n, err);
	case YAML_SEQUENCE_NODE:
		return sequence(r, n, depth, err);
	case YAML_MAPPING_NODE:
		return mapping(r, n, depth, err);
	case YAML_NO_NODE:
		break;
	}
	return json_null();
}

/* ---- the document ---- */

int yaml_parse(const char *data, size_t len, json_t **out, struct error *err)
{
	struct reader r = {.left = LIMIT_YAML_NODES};
	yaml_parser_t parser;
	json_t *j = NULL;

	if (!yaml_parser_initialize(&parser))
		return error_set(err, ERR_SYSTEM, "cannot read YAML");
	yaml_parser_set_input_string(&parser, (const unsigned char *)data, len);
	if (yaml_parser_load(&parser, &r.document)) {
		const yaml_node_t *root = yaml_document_get_root_node(&r.document);

		j = root ? value(&r, 1, 0, err) : json_null();
		yaml_document_delete(&r.document);
	} else {
		error_set(err, ERR_INVALID, "line %zu: %s", parser.problem_mark.line + 1,
			  parser.problem ? parser.problem : "no YAML");
	}
	yaml_parser_delete(&parser);
	if (!j)
		return err ? -(int)err->code : -ERR_INVALID;
	*out = j;
	return 0;
}
