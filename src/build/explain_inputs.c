/* SPDX-License-Identifier: Apache-2.0 */
/* Two records of a step's inputs: what differs. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/explain.h"

#include "base/banned.h"

json_t *reason_add(json_t *list, const char *kind, const char *fmt, ...)
{
	AUTO(free) char *text = NULL;
	json_t *r = json_object(), *shown;
	va_list ap;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	shown = json_string(text);
	json_object_set_new(r, "kind", json_string(kind));
	/* names of files need not be UTF-8 */
	json_object_set_new(r, "text", shown ? shown : json_string(kind));
	json_array_append_new(list, r);
	return r;
}

static void set_both(json_t *r, const char *name, const char *then, const char *now)
{
	if (name)
		json_object_set_new(r, "name", json_string(name));
	if (then)
		json_object_set_new(r, "old", json_string(then));
	if (now)
		json_object_set_new(r, "new", json_string(now));
}

struct two {
	int history;
	const json_t *now, *then;
	json_t *list;
	bool text_changed;
	bool value_changed; /* of a variable in the instruction's words */
};

static const json_t *group(const json_t *inputs, const char *name)
{
	return json_object_get(inputs, name);
}

static const char *fact(const json_t *inputs, const char *name)
{
	return json_string_value(json_object_get(group(inputs, "facts"), name));
}

static bool is_run(const json_t *inputs)
{
	return json_object_get(inputs, "command") != NULL;
}

static void compare_text(struct two *t)
{
	const char *now = field(t->now, "text"), *then = field(t->then, "text");

	t->text_changed = !str_eq(now, then);
	if (t->text_changed)
		set_both(reason_add(t->list, "instruction", "the instruction changed: %s → %s",
				    then, now),
			 NULL, then, now);
}

/* ---- variables ---- */

static void add_variable(struct two *t, const char *group_name, const char *name,
			 const char *change)
{
	json_t *r = reason_add(t->list, group_name, "%s %s %s",
			       str_eq(group_name, "arg") ? "ARG" : "ENV", name,
			       str_eq(change, "changed") ? "has another value"
			       : str_eq(change, "added") ? "was added"
							 : "was removed");

	json_object_set_new(r, "name", json_string(name));
	json_object_set_new(r, "change", json_string(change));
	t->value_changed = true;
}

static bool same_order(json_t *now, json_t *then)
{
	void *a = json_object_iter(now), *b = json_object_iter(then);

	for (; a && b; a = json_object_iter_next(now, a), b = json_object_iter_next(then, b))
		if (!str_eq(json_object_iter_key(a), json_object_iter_key(b)))
			return false;
	return true;
}

static void compare_variables(struct two *t, const char *name)
{
	json_t *now = json_object_get(t->now, name), *then = json_object_get(t->then, name);
	/* which variables the words of another instruction name is not the point */
	bool both_only = t->text_changed && !is_run(t->now);
	size_t before = json_array_size(t->list);
	const char *key;
	json_t *value;

	json_object_foreach (now, key, value) {
		const json_t *old = json_object_get(then, key);

		if (old ? !json_equal(old, value) : !both_only)
			add_variable(t, name, key, old ? "changed" : "added");
	}
	json_object_foreach (then, key, value)
		if (!json_object_get(now, key) && !both_only)
			add_variable(t, name, key, "removed");
	if (is_run(t->now) && before == json_array_size(t->list) && !same_order(now, then))
		reason_add(t->list, "order", "the %ss are in another order",
			   str_eq(name, "arg") ? "ARG" : "ENV");
}

/* ---- facts ---- */

/* Does the fact follow from the words of the instruction, which are named already? */
static bool follows(const struct two *t, const char *name, bool in_both)
{
	static const char *const words[] = {"sources", "destination", "--chown", "--chmod",
					    "path"};

	if (!t->text_changed && !t->value_changed)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(words[i], name))
			return true;
	if (!t->text_changed)
		return false;
	return str_starts(name, "--") || !in_both ||
	       (str_eq(name, "network") && (strstr(field(t->now, "text"), "--network") ||
					    strstr(field(t->then, "text"), "--network")));
}

static const char *shown(const char *value)
{
	return !value ? "none" : *value ? value : "\"\"";
}

static void compare_fact(struct two *t, const char *name)
{
	const char *now = fact(t->now, name), *then = fact(t->then, name);

	if (str_eq(now, then) || follows(t, name, now && then))
		return;
	set_both(reason_add(t->list, "fact", "%s changed: %s → %s", name, shown(then),
			    shown(now)),
		 name, then, now);
}

static void compare_facts(struct two *t)
{
	json_t *now = json_object_get(t->now, "facts"),
	       *then = json_object_get(t->then, "facts");
	const char *key;
	json_t *value;

	json_object_foreach (now, key, value)
		compare_fact(t, key);
	json_object_foreach (then, key, value)
		if (!json_object_get(now, key))
			compare_fact(t, key);
}

static void compare_command(struct two *t)
{
	if (!t->text_changed && str_eq(fact(t->now, "shell"), fact(t->then, "shell")) &&
	    !str_eq(field(t->now, "command"), field(t->then, "command")))
		reason_add(t->list, "heredoc", "the text of its heredoc changed");
}

/* ---- contents ---- */

static void compare_content(struct two *t, const char *kind, const char *name, const char *now,
			    const char *then)
{
	if (str_eq(now, then) || reasons_of_files(t->history, name, now, then, t->list))
		return;
	json_object_set_new(reason_add(t->list, kind, "what it takes from %s changed", name),
			    "name", json_string(name));
}

static void compare_sources(struct two *t)
{
	json_t *now = json_object_get(t->now, "sources"),
	       *then = json_object_get(t->then, "sources");
	/* other sources hold other files: the instruction says so */
	bool comparable = str_eq(fact(t->now, "sources"), fact(t->then, "sources"));
	const char *key;
	json_t *value;

	if (comparable)
		json_object_foreach (now, key, value)
			if (json_object_get(then, key))
				compare_content(t, "source", key, field(now, key),
						field(then, key));
}

static void compare_mount(struct two *t, const char *target, const json_t *now,
			  const json_t *then)
{
	const char *change = !then ? "was added" : !now ? "was removed" : NULL;
	AUTO(free) char *name = mem_printf("the mount %s", target);

	if (change || !str_eq(field(now, "options"), field(then, "options"))) {
		if (!t->text_changed)
			set_both(reason_add(t->list, "mount", "%s %s", name,
					    change ? change : "has other options"),
				 target, then ? field(then, "options") : NULL,
				 now ? field(now, "options") : NULL);
		return;
	}
	if (!str_eq(field(now, "content"), field(then, "content")))
		compare_content(t, "mount", name, field(now, "content"),
				field(then, "content"));
}

static void compare_mounts(struct two *t)
{
	json_t *now = json_object_get(t->now, "mounts"),
	       *then = json_object_get(t->then, "mounts");
	const char *key;
	json_t *value;

	json_object_foreach (now, key, value)
		compare_mount(t, key, value, json_object_get(then, key));
	json_object_foreach (then, key, value)
		if (!json_object_get(now, key))
			compare_mount(t, key, NULL, value);
}

void reasons_of_inputs(int history, const json_t *now, const json_t *then, json_t *list)
{
	struct two t = {.history = history, .now = now, .then = then, .list = list};

	if (!str_eq(field(now, "version"), field(then, "version")))
		set_both(reason_add(list, "version",
				    "this version of stave makes keys in another way"),
			 NULL, field(then, "version"), field(now, "version"));
	compare_text(&t);
	compare_variables(&t, "arg");
	compare_variables(&t, "env");
	compare_facts(&t);
	compare_command(&t);
	compare_sources(&t);
	compare_mounts(&t);
}
