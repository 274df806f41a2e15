/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two forms that Docker gives an image: the document that `inspect` prints, where Config is
 * the last with its keys sorted and nulls in it, and the one that templates see, where Config
 * has an order of its own and what is empty is not written.
 */
#include <string.h>

#include "cli/cli_template.h"
#include "cli/cmd_inspect.h"

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

static const char *const image_keys[] = {
	"Id",	     "RepoTags",     "RepoDigests",   "Parent",
	"Comment",   "Created",	     "DockerVersion", "Author",
	"Config",    "Architecture", "Variant",	      "Os",
	"OsVersion", "Size",	     "GraphDriver",   "RootFS",
	"Metadata",
};
static const char *const config_keys[] = {
	"Hostname",   "Domainname",  "User",	    "ExposedPorts", "Env",
	"Entrypoint", "Cmd",	     "Volumes",	    "WorkingDir",   "Labels",
	"StopSignal", "ArgsEscaped", "Healthcheck", "OnBuild",	    "Shell",
};
static const char *const healthcheck_keys[] = {
	"Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries",
};

static bool is_empty(const json_t *j)
{
	return json_is_null(j) || json_is_false(j) ||
	       (json_is_string(j) && !json_string_length(j)) ||
	       (json_is_array(j) && !json_array_size(j)) ||
	       (json_is_object(j) && !json_object_size(j)) ||
	       (json_is_integer(j) && !json_integer_value(j));
}

/* The members of @from in the order of @keys; the empty ones go where only templates look. */
static json_t *in_order(const json_t *from, const char *const *keys, size_t n, bool omit)
{
	json_t *out = json_object(), *omitted = json_object();

	for (size_t i = 0; i < n; i++) {
		json_t *member = json_object_get(from, keys[i]);

		if (member)
			json_object_set(omit && is_empty(member) ? omitted : out, keys[i],
					member);
	}
	if (json_object_size(omitted))
		json_object_set(out, CLI_TEMPLATE_OMITTED, omitted);
	json_decref(omitted);
	return out;
}

bool inspect_is_image(const json_t *object)
{
	return json_object_get(object, "RepoTags") != NULL;
}

json_t *inspect_image_typed(const json_t *image)
{
	json_t *out = in_order(image, image_keys, ARRAY_SIZE(image_keys), false);
	json_t *none;
	json_t *config = in_order(json_object_get(image, "Config"), config_keys,
				  ARRAY_SIZE(config_keys), true);
	json_t *health = json_object_get(config, "Healthcheck");

	if (health)
		json_object_set_new(
			config, "Healthcheck",
			in_order(health, healthcheck_keys, ARRAY_SIZE(healthcheck_keys), true));
	json_object_set_new(out, "Config", config);
	if (!json_object_get(out, "Created")) {
		none = json_object();
		json_object_set_new(none, "Created", json_string(""));
		json_object_set_new(out, CLI_TEMPLATE_OMITTED, none);
	}
	return out;
}

/* Go writes these as \uXXXX; outside of strings JSON has none of them. */
static void escape(const struct buf *text, struct buf *out)
{
	const char *at = buf_str(text);

	for (;;) {
		/* 0xe2 begins the two line ends that JavaScript knows */
		size_t plain = strcspn(at, "<>&\xe2");

		buf_add(out, at, plain);
		at += plain;
		if (!*at)
			return;
		if (strncmp(at, "\u2028", 3) == 0 || strncmp(at, "\u2029", 3) == 0) {
			buf_printf(out, "\\u202%c", at[2] & 1 ? '9' : '8');
			at += 3;
		} else if (*at == '\xe2') {
			buf_addch(out, *at++);
		} else {
			buf_printf(out, "\\u%04x", (unsigned)*at++);
		}
	}
}

static void element_text(const json_t *object, bool pretty, struct buf *out)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (pretty)
		json_pretty(object, &text);
	else
		json_text(object, &text);
	if (inspect_is_image(object))
		escape(&text, out);
	else
		buf_add(out, buf_str(&text), text.len);
}

/* A newline is between two tokens, never in a string. */
static void indent(const struct buf *text, struct buf *out)
{
	const char *at = buf_str(text);

	for (;;) {
		size_t line = strcspn(at, "\n");

		buf_add(out, at, line);
		if (!at[line])
			return;
		buf_addstr(out, "\n    ");
		at += line + 1;
	}
}

void inspect_array_text(const json_t *array, bool pretty, struct buf *out)
{
	size_t n = json_array_size(array);

	buf_addch(out, '[');
	for (size_t i = 0; i < n; i++) {
		AUTO(buf) struct buf text = BUF_INIT;

		element_text(json_array_get(array, i), pretty, &text);
		buf_addstr(out, i ? "," : "");
		buf_addstr(out, pretty ? "\n    " : "");
		indent(&text, out);
	}
	buf_addstr(out, n && pretty ? "\n]" : "]");
}
