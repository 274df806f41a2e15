/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"
#include "cli/cli_template.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

#define EXIT_TEMPLATE 64

struct events_options {
	struct strlist filters;
	char *format, *since, *until;
};

static const struct option_def options[] = {
	OPTION('f', "filter", LIST, events_options, filters,
	       "Filter output based on conditions provided: container, event, image, label, "
	       "network, scope, type, volume",
	       .type = "filter"),
	OPTION(0, "format", STRING, events_options, format, cli_help_format),
	OPTION(0, "since", STRING, events_options, since,
	       "Show all events created since timestamp"),
	OPTION(0, "until", STRING, events_options, until, "Stream events until this timestamp"),
};

struct showing {
	struct cli_invocation *inv;
	const struct strlist *filters;
	struct cli_template *template; /* NULL: Docker's line */
	bool json;
};

static const char *attribute(const json_t *event, const char *key)
{
	const json_t *actor = json_object_get(event, "Actor");

	return json_string_value(json_object_get(json_object_get(actor, "Attributes"), key));
}

static const char *actor_id(const json_t *event)
{
	const char *id =
		json_string_value(json_object_get(json_object_get(event, "Actor"), "ID"));

	return id ? id : "";
}

/* An event of @type whose actor's id or name begins so: Docker's way of finding it. */
static bool is_of(const json_t *event, const char *type, const char *value)
{
	const char *name = attribute(event, "name");

	return str_eq(json_string_value(json_object_get(event, "Type")), type) &&
	       (str_starts(actor_id(event), value) || (name && str_starts(name, value)));
}

static bool meets(const json_t *event, const char *key, const char *value)
{
	const char *action = json_string_value(json_object_get(event, "Action"));

	if (str_eq(key, "container") || str_eq(key, "network"))
		return is_of(event, key, value);
	if (str_eq(key, "volume"))
		return is_of(event, key, value) && str_eq(actor_id(event), value);
	if (str_eq(key, "scope"))
		return str_eq(json_string_value(json_object_get(event, "scope")), value);
	if (str_eq(key, "event"))
		return str_eq(action, value) ||
		       (action && str_starts(action, value) && action[strlen(value)] == ':');
	if (str_eq(key, "image"))
		return str_eq(attribute(event, "image"), value);
	if (str_eq(key, "type"))
		return str_eq(json_string_value(json_object_get(event, "Type")), value);
	if (str_eq(key, "label")) {
		AUTO(free) char *name = mem_strndup(value, strcspn(value, "="));
		const char *is = attribute(event, name);

		return is && (!strchr(value, '=') || str_eq(is, strchr(value, '=') + 1));
	}
	return false;
}

/* Values of one key are alternatives, keys are all met. */
static bool is_wanted(const json_t *event, const struct strlist *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		AUTO(free) char *key = NULL;
		const char *value;
		bool met = false;

		cli_parse_filter(filters->items[i], &key, &value, NULL);
		for (size_t k = 0; k < filters->n; k++) {
			AUTO(free) char *other = NULL;

			cli_parse_filter(filters->items[k], &other, &value, NULL);
			met |= str_eq(key, other) && meets(event, key, value);
		}
		if (!met)
			return false;
	}
	return true;
}

/* "2026-11-21T12:00:00.000000000+01:00 container start ID (image=x, name=y)" */
static void plain_line(const json_t *event, struct buf *out)
{
	const json_t *actor = json_object_get(event, "Actor");
	const json_t *all = json_object_get(actor, "Attributes"), *value;
	const int64_t ns = json_integer_value(json_object_get(event, "timeNano"));
	const time_t at = (time_t)(ns / 1000000000);
	AUTO(strlist) struct strlist list = STRLIST_INIT;
	AUTO(free) char *joined = NULL;
	char text[64], zone[16];
	const char *key;
	struct tm tm;

	localtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	json_object_foreach ((json_t *)(uintptr_t)all, key, value)
		strlist_printf(&list, "%s=%s", key, json_string_value(value));
	strlist_sort(&list);
	joined = strlist_join(&list, ", ");
	buf_printf(out, "%s.%09d", text, (int)(ns % 1000000000));
	if (strncmp(zone, "+0000", 5) == 0)
		buf_addch(out, 'Z');
	else
		buf_printf(out, "%.3s:%s", zone, zone + 3);
	buf_printf(out, " %s %s %s (%s)", json_string_value(json_object_get(event, "Type")),
		   json_string_value(json_object_get(event, "Action")), actor_id(event),
		   joined);
}

static int on_event(void *data, const json_t *event, struct error *err)
{
	struct showing *s = data;
	AUTO(buf) struct buf line = BUF_INIT;
	int r = 0;

	if (!is_wanted(event, s->filters))
		return 0;
	if (s->template)
		r = cli_template_execute(s->template, event, NULL, &line, err);
	else if (s->json)
		json_text(event, &line);
	else
		plain_line(event, &line);
	if (r < 0)
		return r;
	buf_addch(&line, '\n');
	cli_print(s->inv, &line);
	return fflush(s->inv->program->out) < 0 ? error_sys(err, "cannot write") : 0;
}

static int check_filters(const struct strlist *filters, struct error *err)
{
	static const char *const known[] = {"container", "event", "image", "label",
					    "network",	 "scope", "type",  "volume"};

	for (size_t i = 0; i < filters->n; i++) {
		AUTO(free) char *key = NULL;
		const char *value;
		bool found = false;
		int r = cli_parse_filter(filters->items[i], &key, &value, err);

		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(known); k++)
			found |= str_eq(key, known[k]);
		if (r < 0 || !found)
			return r < 0 ? r
				     : error_set(err, ERR_INVALID, "invalid filter '%s'", key);
	}
	return 0;
}

static int run(struct cli_invocation *inv)
{
	const struct events_options *o = inv->options;
	AUTO(cli_template) struct cli_template *t = NULL;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *plain = NULL;
	struct showing s = {
		.inv = inv, .filters = &o->filters, .json = str_eq(o->format, "json")};
	struct engine_events req = {.event = on_event, .data = &s};

	if (check_filters(&o->filters, &err) < 0 ||
	    cli_parse_moment("since", o->since, &req.since_ns, &err) < 0 ||
	    cli_parse_moment("until", o->until, &req.until_ns, &err) < 0)
		return cli_fail(inv, &err);
	if (!str_empty(o->format) && !s.json) {
		plain = cli_template_unescape(o->format);
		if (cli_template_parse(plain, &t, &err) < 0) {
			fprintf(inv->program->err, "%s\n", err.message);
			return EXIT_TEMPLATE;
		}
		s.template = t;
	}
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	return engine_events(e, &req, &err) < 0 ? cli_fail(inv, &err) : 0;
}

const struct command cmd_events = {
	.path = "system events",
	.aliases = "events",
	.summary = "Get real time events",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(options, events_options),
	.max_args = 0,
	.run = run,
};
