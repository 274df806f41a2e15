/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_build_why.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

#define REASONS_SHOWN 20

struct why_options {
	char *build, *format;
	bool all;
};

static const struct option_def options[] = {
	OPTION('a', "all", BOOL, why_options, all, "Show every reason, however many there are"),
	OPTION(0, "build", STRING, why_options, build,
	       "ID of the build, or its beginning (default: the last one)"),
	OPTION(0, "format", STRING, why_options, format, cli_help_format),
};

static const char *text(const json_t *obj, const char *key)
{
	const char *value = json_string_value(json_object_get(obj, key));

	return value ? value : "";
}

/* A title is one line, also when the instruction was not. */
static void add_title(const json_t *step, struct buf *out)
{
	const char *title = text(step, "instruction");

	if (*text(step, "step"))
		buf_printf(out, "[%s] ", text(step, "step"));
	for (; *title; title++)
		buf_addch(out, *title == '\n' ? ' ' : *title);
}

static const char *did(const char *state)
{
	if (!strcmp(state, "cached"))
		return "came from the cache";
	if (!strcmp(state, "failed"))
		return "ran and failed";
	if (!strcmp(state, "stopped"))
		return "ran and was stopped";
	return !strcmp(state, "ran") ? "ran" : "was not reached";
}

static void add_step(const json_t *step, size_t limit, struct buf *out)
{
	json_t *reasons = json_object_get(step, "reasons");
	const char *from = text(step, "cache");
	size_t n = json_array_size(reasons);

	add_title(step, out);
	buf_printf(out, " %s%s%s%s\n", did(text(step, "state")), *from ? " " : "", from,
		   n ? ", because" : "");
	for (size_t i = 0; i < n; i++) {
		if (limit && i == limit && n > limit + 1) {
			buf_printf(out, "    and %zu more\n", n - i);
			break;
		}
		buf_printf(out, "    %s\n", text(json_array_get(reasons, i), "text"));
	}
}

static bool is_about_all(const char *kind)
{
	static const char *const kinds[] = {"first",  "no-cache", "no-cache-filter",
					    "pruned", "version",  "fact"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i], kind))
			return true;
	return false;
}

/* The one reason that all that ran have: the first build, --no-cache.  NULL: none. */
static const char *common_reason(const json_t *steps, size_t *out_ran)
{
	const char *common = NULL;
	const json_t *step;
	bool same = true;
	size_t i;

	*out_ran = 0;
	json_array_foreach (steps, i, step) {
		json_t *reasons = json_object_get(step, "reasons");
		const char *why = text(json_array_get(reasons, 0), "text");

		if (!json_array_size(reasons))
			continue;
		++*out_ran;
		same &= json_array_size(reasons) == 1 &&
			is_about_all(text(json_array_get(reasons, 0), "kind")) &&
			(!common || !strcmp(common, why));
		common = why;
	}
	return same && *out_ran > 1 ? common : NULL;
}

static void add_asked(const json_t *steps, size_t limit, struct buf *out)
{
	/* the one that was asked for, then down its chain */
	for (size_t i = json_array_size(steps); i-- > 0;)
		if (json_object_get(json_array_get(steps, i), "asked"))
			add_step(json_array_get(steps, i), limit, out);
	for (size_t i = json_array_size(steps); i-- > 0;)
		if (!json_object_get(json_array_get(steps, i), "asked"))
			add_step(json_array_get(steps, i), limit, out);
}

void cli_explain_text(const json_t *document, size_t limit, struct buf *out)
{
	json_t *steps = json_object_get(document, "steps"), *step;
	const char *common;
	size_t i, ran;

	json_array_foreach (steps, i, step)
		if (json_object_get(step, "asked")) {
			add_asked(steps, limit, out);
			return;
		}
	common = common_reason(steps, &ran);
	if (!ran)
		buf_addstr(out, "every step came from the cache\n");
	else if (common)
		buf_printf(out, "%zu steps ran, because\n    %s\n", ran, common);
	json_array_foreach (steps, i, step)
		if (!common && json_array_size(json_object_get(step, "reasons")))
			add_step(step, limit, out);
}

static int run(struct cli_invocation *inv)
{
	const struct why_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(json) json_t *document = NULL;
	AUTO(buf) struct buf out = BUF_INIT;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_build_why(e, o->build, inv->argc ? inv->argv[0] : NULL, &document, &err) < 0)
		return cli_fail(inv, &err);
	if (o->format)
		return cli_print_format(inv, o->format, document);
	cli_explain_text(document, o->all ? 0 : REASONS_SHOWN, &out);
	cli_print(inv, &out);
	return 0;
}

const struct command cmd_build_why = {
	.path = "builder why",
	.aliases = "build why, buildx why",
	.summary = "Show why the steps of a build ran",
	.usage = "[OPTIONS] [STEP]",
	COMMAND_OPTIONS(options, why_options),
	.max_args = 1,
	.run = run,
};
