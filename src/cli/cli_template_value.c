/* SPDX-License-Identifier: Apache-2.0 */
/* Values of templates: how Go prints and judges them. */
#include <math.h>
#include <string.h>

#include "cli/cli_template.h"
#include "cli/cli_template_node.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/banned.h"

/* Objects whose keys are the user's; everything else has Docker's keys. */
static const char *const map_fields[] = {
	"Labels",      "Volumes",    "ExposedPorts", "Ports",	   "PortBindings",
	"Annotations", "Options",    "Sysctls",	     "Networks",   "LogOpts",
	"Tmpfs",       "StorageOpt", "DriverOpts",   "Containers", "Attributes",
};

bool template_field_is_map(const char *field)
{
	for (size_t i = 0; field && i < ARRAY_SIZE(map_fields); i++)
		if (str_eq(field, map_fields[i]))
			return true;
	return false;
}

bool template_value_true(const struct template_value *v)
{
	const json_t *j = v->json;

	if (!j || json_is_null(j) || json_is_false(j))
		return false;
	if (json_is_string(j))
		return json_string_length(j) > 0;
	if (json_is_integer(j))
		return json_integer_value(j) != 0;
	if (json_is_real(j))
		return fpclassify(json_real_value(j)) != FP_ZERO;
	if (json_is_array(j))
		return json_array_size(j) > 0;
	if (json_is_object(j))
		return json_object_size(j) > 0;
	return true;
}

/* The shortest text that reads back as the same number. */
static void print_real(double d, struct buf *out)
{
	char text[40];

	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (!islessgreater(strtod(text, NULL), d))
			break;
	}
	buf_addstr(out, text);
}

static void print_object(const json_t *j, struct buf *out)
{
	AUTO(strlist) struct strlist keys = STRLIST_INIT;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)j, key, value)
		if (!str_eq(key, CLI_TEMPLATE_OMITTED))
			strlist_add(&keys, key);
	strlist_sort(&keys);
	buf_addstr(out, "map[");
	for (size_t i = 0; i < keys.n; i++) {
		struct template_value member = {
			.json = json_object_get(j, keys.items[i]),
			.field = keys.items[i],
		};

		buf_printf(out, "%s%s:", i ? " " : "", keys.items[i]);
		/* a set: the values are Go's struct{} */
		if (json_is_object(member.json) && !json_object_size(member.json))
			buf_addstr(out, "{}");
		else
			template_value_print(&member, out);
	}
	buf_addch(out, ']');
}

static void strip(json_t *j)
{
	const char *key;
	json_t *value;
	size_t i;

	json_object_del(j, CLI_TEMPLATE_OMITTED);
	json_object_foreach (j, key, value)
		strip(value);
	json_array_foreach (j, i, value)
		strip(value);
}

void template_value_json(const json_t *j, struct buf *out)
{
	AUTO(json) json_t *copy = json_deep_copy(j);
	AUTO(buf) struct buf text = BUF_INIT;

	strip(copy);
	json_text(copy, &text);
	/* Go writes the two line ends that JavaScript knows as escapes */
	for (const char *at = buf_str(&text); *at; at++) {
		if (strncmp(at, "\u2028", 3) && strncmp(at, "\u2029", 3)) {
			buf_addch(out, *at);
		} else {
			buf_printf(out, "\\u202%c", at[2] & 1 ? '9' : '8');
			at += 2;
		}
	}
}

void template_value_print(const struct template_value *v, struct buf *out)
{
	const json_t *j = v->json;

	if (!j) {
		buf_addstr(out, "<no value>");
	} else if (json_is_null(j)) {
		/* In Go these are nil slices and nil maps, which print as empty ones. */
		buf_addstr(out, !v->field			  ? "<nil>"
				: template_field_is_map(v->field) ? "map[]"
								  : "[]");
	} else if (json_is_string(j)) {
		buf_add(out, json_string_value(j), json_string_length(j));
	} else if (json_is_integer(j)) {
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	} else if (json_is_real(j)) {
		print_real(json_real_value(j), out);
	} else if (json_is_boolean(j)) {
		buf_addstr(out, json_is_true(j) ? "true" : "false");
	} else if (json_is_array(j)) {
		buf_addch(out, '[');
		for (size_t i = 0; i < json_array_size(j); i++) {
			struct template_value element = {.json = json_array_get(j, i)};

			if (i)
				buf_addch(out, ' ');
			template_value_print(&element, out);
		}
		buf_addch(out, ']');
	} else {
		print_object(j, out);
	}
}
