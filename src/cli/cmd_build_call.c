/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers are printed as buildx prints them, with our fix and the mark below
 * the text; in JSON they have "fix" and "mark" more, and no "url" and no
 * "definition", which is BuildKit's own.
 */
#include "cli/cmd_build_call.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"
#include "cli/cli_source.h"

#include "base/banned.h"

/* ---- what is asked ---- */

static int parse_field(const char *field, struct build_call *out, struct error *err)
{
	if (str_starts(field, "format=")) {
		out->json = str_eq(field + 7, "json");
		return 0;
	}
	if (str_starts(field, "ignorestatus=") && parse_bool(field + 13, &out->ignore_status))
		return 0;
	error_set(err, ERR_INVALID, "invalid print field: %s", field);
	error_hint(err, "the fields are format=json and ignorestatus=true");
	return -ERR_INVALID;
}

int build_call_parse(const char *text, struct build_call *out, struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT;
	const char *name;
	int r = 0;

	*out = (struct build_call){0};
	if (str_empty(text))
		return 0;
	strlist_split(&fields, text, ',');
	name = fields.items[0];
	if (str_eq(name, "check") || str_eq(name, "lint"))
		out->what = BUILD_CHECK;
	else if (str_eq(name, "outline"))
		out->what = BUILD_OUTLINE;
	else if (str_eq(name, "targets"))
		out->what = BUILD_TARGETS;
	else if (!str_eq(name, "build")) {
		error_set(err, ERR_UNSUPPORTED, "unsupported request frontend.%s", name);
		error_hint(err, "--call takes build, check, outline or targets");
		return -ERR_UNSUPPORTED;
	}
	for (size_t i = 1; r == 0 && i < fields.n; i++)
		r = parse_field(fields.items[i], out, err);
	return r;
}

/* ---- text ---- */

static bool wants_color(const struct cli_invocation *inv)
{
	return str_empty(getenv("NO_COLOR")) && isatty(fileno(inv->program->out)) &&
	       !str_eq(getenv("TERM"), "dumb");
}

static void add_warning(const struct engine_answer *a, const struct dockerfile_warning *w,
			bool color, struct buf *out)
{
	const char *on = color ? "\033[1;33m" : "", *off = color ? "\033[0m" : "";
	struct cli_source_place place = {.line = w->line,
					 .last = w->end_line,
					 .mark_line = w->mark_line,
					 .mark_column = w->mark_column,
					 .mark_len = w->mark ? strlen(w->mark) : 0,
					 .color = color};

	buf_printf(out, "\n%sWARNING: %s%s\n", on, w->rule, off);
	cli_source_clean(w->message, out);
	buf_addch(out, '\n');
	cli_source_place(a->name, buf_str(&a->dockerfile), a->dockerfile.len, &place, out);
	if (w->fix) {
		buf_addstr(out, "fix: ");
		cli_source_clean(w->fix, out);
		buf_addch(out, '\n');
	}
}

static void check_text(const struct engine_answer *a, bool failed, bool color, struct buf *out)
{
	size_t n = a->build.n_warnings;

	if (n)
		buf_printf(out, "Check complete, %zu warning%s been found!\n", n,
			   n == 1 ? " has" : "s have");
	else if (!failed)
		buf_addstr(out, "Check complete, no warnings found.\n");
	for (size_t i = 0; i < n; i++)
		add_warning(a, &a->build.warnings[i], color, out);
}

/* Rows of @columns cells, as wide as their widest, @gap apart. */
static void add_table(const struct strlist *cells, size_t columns, size_t gap, struct buf *out)
{
	for (size_t i = 0; i < cells->n; i++) {
		size_t width = 0, at = i % columns;

		for (size_t k = at; k < cells->n; k += columns)
			if (strlen(cells->items[k]) > width)
				width = strlen(cells->items[k]);
		if (at + 1 == columns)
			buf_printf(out, "%s\n", cells->items[i]);
		else
			buf_printf(out, "%-*s", (int)(width + gap), cells->items[i]);
	}
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void targets_text(const struct build_answer *a, struct buf *out)
{
	AUTO(strlist) struct strlist cells = STRLIST_INIT;

	strlist_add(&cells, "TARGET");
	strlist_add(&cells, "DESCRIPTION");
	for (size_t i = 0; i < a->targets.n; i++) {
		const struct build_item *t = &a->targets.items[i];

		strlist_printf(&cells, "%s%s%s", or_empty(t->name),
			       t->name && t->is_default ? " " : "",
			       t->is_default ? "(default)" : "");
		strlist_add(&cells, or_empty(t->description));
	}
	add_table(&cells, 2, 1, out);
}

static void add_required(const struct build_item_list *l, const char *title, struct buf *out)
{
	AUTO(strlist) struct strlist cells = STRLIST_INIT;

	if (!l->n)
		return;
	strlist_add(&cells, title);
	strlist_add(&cells, "REQUIRED");
	for (size_t i = 0; i < l->n; i++) {
		strlist_add(&cells, l->items[i].name);
		strlist_add(&cells, l->items[i].required ? "true" : "");
	}
	add_table(&cells, 2, 3, out);
	buf_addch(out, '\n');
}

static void add_args(const struct build_item_list *l, struct buf *out)
{
	AUTO(strlist) struct strlist cells = STRLIST_INIT;

	if (!l->n)
		return;
	strlist_add(&cells, "BUILD ARG");
	strlist_add(&cells, "VALUE");
	strlist_add(&cells, "DESCRIPTION");
	for (size_t i = 0; i < l->n; i++) {
		strlist_add(&cells, l->items[i].name);
		strlist_add(&cells, or_empty(l->items[i].value));
		strlist_add(&cells, or_empty(l->items[i].description));
	}
	add_table(&cells, 3, 3, out);
	buf_addch(out, '\n');
}

static void outline_text(const struct build_answer *a, struct buf *out)
{
	AUTO(strlist) struct strlist cells = STRLIST_INIT;

	if (a->target.name) {
		strlist_add(&cells, "TARGET:");
		strlist_add(&cells, a->target.name);
		if (a->target.description) {
			strlist_add(&cells, "DESCRIPTION:");
			strlist_add(&cells, a->target.description);
		}
		add_table(&cells, 2, 1, out);
		buf_addch(out, '\n');
	}
	add_args(&a->args, out);
	add_required(&a->secrets, "SECRET", out);
	add_required(&a->ssh, "SSH", out);
}

/* ---- JSON ---- */

static void set_string(json_t *o, const char *key, const char *value)
{
	if (!str_empty(value))
		json_object_set_new(o, key, json_string(value));
}

static json_t *position(unsigned line)
{
	return json_pack("{s:i}", "line", (int)line);
}

/* One range a line, as the parser of BuildKit tells them. */
static json_t *location(unsigned line, unsigned last)
{
	json_t *ranges = json_array();

	for (unsigned i = line; i <= last || i == line; i++)
		json_array_append_new(ranges, json_pack("{s:o, s:o}", "start", position(i),
							"end", position(i)));
	return json_pack("{s:o}", "ranges", ranges);
}

static char *base64(const struct buf *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < text->len; i += 3) {
		size_t left = text->len - i;
		uint32_t v = (uint32_t)(unsigned char)text->data[i] << 16;

		if (left > 1)
			v |= (uint32_t)(unsigned char)text->data[i + 1] << 8;
		if (left > 2)
			v |= (unsigned char)text->data[i + 2];
		buf_addch(&out, digits[v >> 18]);
		buf_addch(&out, digits[v >> 12 & 63]);
		buf_addch(&out, left > 1 ? digits[v >> 6 & 63] : '=');
		buf_addch(&out, left > 2 ? digits[v & 63] : '=');
	}
	return buf_steal(&out);
}

static json_t *warning_json(const struct dockerfile_warning *w)
{
	const struct check_rule *rule = check_rule(w->rule);
	json_t *j = json_object();

	set_string(j, "ruleName", w->rule);
	set_string(j, "description", rule ? rule->summary : NULL);
	set_string(j, "detail", w->message);
	set_string(j, "fix", w->fix);
	json_object_set_new(j, "location", location(w->line, w->end_line));
	if (w->mark_line)
		json_object_set_new(j, "mark",
				    json_pack("{s:i, s:i, s:i}", "line", (int)w->mark_line,
					      "column", (int)w->mark_column, "length",
					      (int)strlen(w->mark)));
	return j;
}

static json_t *check_json(const struct engine_answer *a, const struct error *err)
{
	json_t *list = a->build.n_warnings ? json_array() : json_null(), *j = json_object();
	AUTO(free) char *data = base64(&a->dockerfile);
	json_t *source = json_object();

	for (size_t i = 0; i < a->build.n_warnings; i++)
		json_array_append_new(list, warning_json(&a->build.warnings[i]));
	json_object_set_new(j, "warnings", list);
	set_string(source, "filename", a->name);
	set_string(source, "data", data);
	set_string(source, "language", "Dockerfile");
	json_object_set_new(j, "sources", json_pack("[o]", source));
	if (err->message) {
		json_t *error = json_object();

		set_string(error, "message", err->message);
		json_object_set_new(error, "location",
				    err->line ? location(err->line, err->line) : json_object());
		json_object_set_new(j, "buildError", error);
	}
	return j;
}

static json_t *items_json(const struct build_item_list *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct build_item *item = &l->items[i];
		json_t *j = json_object();

		set_string(j, "name", item->name);
		if (item->is_default)
			json_object_set_new(j, "default", json_true());
		if (item->required)
			json_object_set_new(j, "required", json_true());
		set_string(j, "description", item->description);
		set_string(j, "value", item->value);
		set_string(j, "base", item->base);
		set_string(j, "platform", item->platform);
		json_object_set_new(j, "location", location(item->line, item->end_line));
		json_array_append_new(list, j);
	}
	return list;
}

static void set_items(json_t *j, const char *key, const struct build_item_list *l)
{
	if (l->n)
		json_object_set_new(j, key, items_json(l));
}

static json_t *list_json(const struct engine_answer *a, enum build_question what)
{
	AUTO(free) char *data = base64(&a->dockerfile);
	json_t *j = json_object();

	if (what == BUILD_TARGETS) {
		set_items(j, "targets", &a->build.targets);
	} else {
		set_string(j, "name", a->build.target.name);
		set_string(j, "description", a->build.target.description);
		set_items(j, "args", &a->build.args);
		set_items(j, "secrets", &a->build.secrets);
		set_items(j, "ssh", &a->build.ssh);
	}
	json_object_set_new(j, "sources", json_pack("[s]", data));
	return j;
}

static void add_json(const struct engine_answer *a, const struct build_call *call,
		     const struct error *err, struct buf *out)
{
	AUTO(json)
	json_t *j = call->what == BUILD_CHECK ? check_json(a, err) : list_json(a, call->what);
	AUTO(free) char *text = json_dumps(j, JSON_INDENT(2));

	buf_printf(out, "%s\n", text ? text : "");
}

/* ---- the whole ---- */

static void report(const struct cli_invocation *inv, const struct engine_answer *a,
		   const struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	buf_addstr(&text, "ERROR: ");
	cli_source_clean(err->message ? err->message : "unknown error", &text);
	buf_addch(&text, '\n');
	if (err->line && a->name)
		cli_source_excerpt(a->name, buf_str(&a->dockerfile), a->dockerfile.len,
				   err->line, err->column, &text);
	if (!str_empty(err->hint))
		buf_printf(&text, "hint: %s\n", err->hint);
	fflush(inv->program->out);
	fwrite(buf_str(&text), 1, text.len, inv->program->err);
	fflush(inv->program->err);
}

int build_call_run(const struct cli_invocation *inv, const struct build_call *call,
		   const struct engine_build *req)
{
	AUTO(engine_answer) struct engine_answer a = {0};
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	int r = engine_ask(cli_root(inv), req, call->what, &a, &err);

	/* an answer is as good as what was found until the error */
	if (call->json && (r == 0 || (call->what == BUILD_CHECK && a.name)))
		add_json(&a, call, &err, &text);
	else if (!call->json && call->what == BUILD_CHECK)
		check_text(&a, r < 0, wants_color(inv), &text);
	else if (r == 0 && call->what == BUILD_TARGETS)
		targets_text(&a.build, &text);
	else if (r == 0)
		outline_text(&a.build, &text);
	cli_print(inv, &text);
	if (r < 0) {
		report(inv, &a, &err);
		return CLI_EXIT_ERROR;
	}
	return a.build.n_warnings && !call->ignore_status ? CLI_EXIT_ERROR : 0;
}
