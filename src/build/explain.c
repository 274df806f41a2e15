/* SPDX-License-Identifier: Apache-2.0 */
/* Why the steps of a build ran: each compared with its like in an earlier build. */
#include "build/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

#define LOOK_BACK 16 /* builds of the same thing; a step that failed since then is older */

/* An earlier build of the same thing. */
struct earlier {
	json_t *record;
	long *like; /* match_steps() */
};

struct explaining {
	struct store *store;
	int history;
	json_t *now;
	struct earlier earlier[LOOK_BACK];
	size_t n;
};

/* What a step is compared with. */
struct like {
	const struct earlier *build; /* NULL: nothing like it was built before */
	const json_t *step;
};

static const json_t *step_at(const json_t *record, json_int_t i)
{
	return i < 0 ? NULL : json_array_get(json_object_get(record, "steps"), (size_t)i);
}

static json_int_t link_of(const json_t *step, const char *name)
{
	const json_t *j = json_object_get(step, name);

	return json_is_integer(j) ? json_integer_value(j) : -1;
}

static bool is_image(const json_t *step)
{
	return str_eq(field(step, "kind"), "image");
}

/* An image or a directory: it is there, nothing runs. */
static bool is_given(const json_t *step)
{
	return is_image(step) || str_eq(field(step, "kind"), "source");
}

/* ---- the builds before ---- */

static void load_earlier(struct explaining *x, const struct past *past)
{
	AUTO(past_list) struct past_list list = {0};

	past_list(x->history, &list, NULL);
	for (size_t i = 0; i < list.n && x->n < LOOK_BACK; i++) {
		const struct past *p = &list.items[i];
		struct earlier *e = &x->earlier[x->n];

		if (strcmp(p->id, past->id) >= 0 || !str_eq(p->identity, past->identity) ||
		    past_load(x->history, p, &e->record, NULL) < 0)
			continue;
		e->like = match_steps(x->now, e->record);
		x->n++;
	}
}

static void close_earlier(struct explaining *x)
{
	for (size_t i = 0; i < x->n; i++) {
		json_decref(x->earlier[i].record);
		free(x->earlier[i].like);
	}
}

/* The last build that knew the step's key. */
static struct like like_of(const struct explaining *x, size_t i)
{
	struct like found = {0};

	for (size_t n = 0; n < x->n; n++) {
		const json_t *step = step_at(x->earlier[n].record, x->earlier[n].like[i]);

		if (step && (is_given(step) || json_object_get(step, "key"))) {
			found.build = &x->earlier[n];
			found.step = step;
			break;
		}
	}
	return found;
}

/* The inputs of a step that came from the cache are in the record of the build that ran it. */
static json_t *inputs_of(const struct explaining *x, const json_t *step)
{
	const char *key = field(step, "key");
	json_t *own = json_object_get(step, "inputs"), *other;
	AUTO(free) char *text = NULL;
	struct digest d;

	if (own)
		return json_incref(own);
	if (digest_parse(key, &d) && store_step_inputs(x->store, &d, &text, NULL) == 0 &&
	    json_parse(text, strlen(text), &other, NULL) == 0) {
		if (json_object_get(other, "version"))
			return other;
		json_decref(other);
	}
	for (size_t n = 0; *key && n < x->n; n++) {
		size_t i;

		json_array_foreach (json_object_get(x->earlier[n].record, "steps"), i, other)
			if (str_eq(field(other, "key"), key) &&
			    json_object_get(other, "inputs"))
				return json_incref(json_object_get(other, "inputs"));
	}
	return NULL;
}

/* ---- what a step is built on ---- */

/* "step [2/5]", and in a field its label, so that the chain can be followed. */
static void add_step(const struct explaining *x, json_int_t i, const char *how, json_t *list)
{
	const json_t *step = step_at(x->now, i);
	const char *label = field(step, "label");

	for (size_t n = 0; n < json_array_size(list); n++)
		if (link_of(json_array_get(list, n), "index") == i)
			return;
	json_t *r = reason_add(list, "step", "step [%s] %s", label, how);

	json_object_set_new(r, "step", json_string(label));
	json_object_set_new(r, "index", json_integer(i));
}

static bool ran(const json_t *step)
{
	return str_eq(field(step, "state"), "ran") || str_eq(field(step, "state"), "failed");
}

static bool base_moved(const struct explaining *x, json_int_t i, const struct like *like,
		       json_int_t old, json_t *list)
{
	const json_t *now = step_at(x->now, i), *then = step_at(like->build->record, old);
	const char *name = field(now, "text"), *before = field(then, "text");
	json_t *r;

	if (!now || !then || !is_image(now) || !is_image(then) ||
	    str_eq(field(now, "image"), field(then, "image")))
		return false;
	if (str_eq(name, before))
		r = reason_add(list, "base", "the base moved: %s was %.19s and is %.19s now",
			       name, field(then, "image"), field(now, "image"));
	else
		r = reason_add(list, "base", "another base: %s → %s (%.19s → %.19s)", before,
			       name, field(then, "image"), field(now, "image"));
	json_object_set_new(r, "name", json_string(name));
	json_object_set_new(r, "old", json_string(field(then, "image")));
	json_object_set_new(r, "new", json_string(field(now, "image")));
	return true;
}

static bool is_matched(const struct explaining *x, const struct earlier *e, json_int_t old)
{
	size_t n = json_array_size(json_object_get(x->now, "steps"));

	for (size_t i = 0; i < n; i++)
		if (e->like[i] == old)
			return true;
	return false;
}

/* Instructions below the old step that no step of this build is like. */
static bool removed_below(const struct explaining *x, const struct like *like, json_int_t old,
			  json_t *list)
{
	const struct earlier *e = like->build;
	bool any = false;

	for (; old >= 0 && !is_matched(x, e, old); old = parent_of(e->record, old)) {
		const json_t *step = step_at(e->record, old);
		json_t *r = reason_add(list, "removed", "an instruction below it is gone: %s",
				       field(step, "text"));

		json_object_set_new(r, "old", json_string(field(step, "text")));
		any = true;
	}
	return any;
}

/* What the step takes its files from, @i now and @old last time, is not what it was. */
static void because_of(const struct explaining *x, json_int_t i, json_int_t old,
		       const struct like *like, json_t *list)
{
	const json_t *on = step_at(x->now, i);

	if (base_moved(x, i, like, old, list) || removed_below(x, like, old, list) ||
	    (on && is_given(on) && like->build->like[i] == old))
		return;
	if (!on)
		reason_add(list, "parent", "it begins with an empty file system now");
	else if (like->build->like[i] < 0)
		add_step(x, i, "is new", list);
	else if (ran(on))
		add_step(x, i, "ran again", list);
	else if (like->build->like[i] != old)
		add_step(x, i, "was not what it takes its files from", list);
	else
		add_step(x, i, "is another than last time (and was in the cache)", list);
}

static void because_of_parent(const struct explaining *x, const json_t *step,
			      const struct like *like, json_t *list)
{
	because_of(x, link_of(step, "parent"), link_of(like->step, "parent"), like, list);
}

static void because_of_from(const struct explaining *x, const json_t *step,
			    const struct like *like, json_t *list)
{
	json_int_t i = link_of(step, "from"), old = link_of(like->step, "from");

	if (i >= 0 && old >= 0)
		because_of(x, i, old, like, list);
}

/* Mounts of other stages whose content changed. */
static void because_of_mounts(const struct explaining *x, const json_t *step, const json_t *now,
			      const json_t *then, const struct like *like, json_t *list)
{
	json_t *mounts = json_object_get(now, "mounts"), *mount;
	const char *target;

	json_object_foreach (mounts, target, mount) {
		const json_t *before = json_object_get(json_object_get(then, "mounts"), target);
		json_int_t i = link_of(json_object_get(step, "uses"), target);
		json_int_t old = link_of(json_object_get(like->step, "uses"), target);

		if (before && i >= 0 && old >= 0 &&
		    !str_eq(field(mount, "content"), field(before, "content")))
			because_of(x, i, old, like, list);
	}
}

/* ENV, USER and WORKDIR may come with a base whose files are the same. */
static void mention_base(const struct explaining *x, const json_t *step,
			 const struct like *like, json_t *list)
{
	json_int_t i = -1, old = -1;

	for (json_int_t p = link_of(step, "parent"); p >= 0; p = parent_of(x->now, p))
		i = p;
	for (json_int_t p = link_of(like->step, "parent"); p >= 0;
	     p = parent_of(like->build->record, p))
		old = p;
	if (i >= 0 && old >= 0)
		base_moved(x, i, like, old, list);
}

static bool comes_from_config(const json_t *list)
{
	const json_t *r;
	size_t i;

	json_array_foreach (list, i, r)
		if (str_eq(field(r, "kind"), "env") || str_eq(field(r, "kind"), "fact"))
			return true;
	return false;
}

static bool same_base(const json_t *a, const json_t *b)
{
	return is_image(a) && is_image(b) &&
	       json_equal(json_object_get(a, "layers"), json_object_get(b, "layers"));
}

/* Did steps @i of @now and @j of @then, and all below them, make the same files? */
static bool same_files(const json_t *now, json_int_t i, const json_t *then, json_int_t j)
{
	for (;;) {
		const json_t *a = step_at(now, i), *b = step_at(then, j);

		if (!a || !b || is_image(a) || is_image(b))
			return (!a && !b) || (a && b && same_base(a, b));
		if (!str_eq(field(a, "layer"), field(b, "layer")))
			return false;
		i = parent_of(now, i);
		j = parent_of(then, j);
	}
}

/* The inputs of last time are not there any more; the records of both builds still are. */
static void compare_records(const struct explaining *x, const json_t *step,
			    const struct like *like, json_t *list)
{
	const char *now = field(step, "text"), *then = field(like->step, "text");

	if (!str_eq(now, then)) {
		json_t *r = reason_add(list, "instruction", "the instruction changed: %s → %s",
				       then, now);

		json_object_set_new(r, "old", json_string(then));
		json_object_set_new(r, "new", json_string(now));
	}
	if (!same_files(x->now, link_of(step, "parent"), like->build->record,
			link_of(like->step, "parent")))
		because_of_parent(x, step, like, list);
	if (!json_array_size(list))
		reason_add(list, "unknown",
			   "what it was made of last time is not recorded any more");
}

static void compare(const struct explaining *x, const json_t *step, const struct like *like,
		    json_t *list)
{
	AUTO(json) json_t *now = inputs_of(x, step);
	AUTO(json) json_t *then = inputs_of(x, like->step);
	bool on_other;

	if (!now || !then) {
		compare_records(x, step, like, list);
		return;
	}
	reasons_of_inputs(x->history, now, then, list);
	on_other = !str_eq(field(now, "parent"), field(then, "parent"));
	if (!on_other && comes_from_config(list))
		mention_base(x, step, like, list);
	if (on_other)
		because_of_parent(x, step, like, list);
	if (!json_equal(json_object_get(now, "sources"), json_object_get(then, "sources")) &&
	    str_eq(field(now, "text"), field(then, "text")))
		because_of_from(x, step, like, list);
	because_of_mounts(x, step, now, then, like, list);
	if (!json_array_size(list))
		reason_add(list, "unknown", "something changed that is not recorded");
}

/* ---- one step ---- */

static bool finished(const json_t *step)
{
	return str_eq(field(step, "state"), "ran") || str_eq(field(step, "state"), "cached");
}

static void explain_same_key(const json_t *step, const json_t *before, json_t *list)
{
	if (str_eq(field(step, "miss"), "damaged"))
		reason_add(list, "damaged", "its layer was damaged, and so was made again");
	else if (!finished(before))
		reason_add(list, "unfinished", "it did not come to its end last time");
	else
		reason_add(list, "pruned",
			   "nothing changed; its record was removed from the cache since then");
}

static void explain_step(const struct explaining *x, size_t i, json_t *list)
{
	const json_t *step = step_at(x->now, (json_int_t)i);
	struct like like = like_of(x, i);

	if (str_eq(field(step, "miss"), "asked")) {
		bool all = link_of(x->now, "no_cache") > 0;

		reason_add(list, all ? "no-cache" : "no-cache-filter", "%s asked for it",
			   all ? "--no-cache" : "--no-cache-filter");
	} else if (!x->n) {
		reason_add(list, "first", "there is no record of an earlier build of this");
	} else if (!like.build) {
		reason_add(list, "new", "no earlier build had this instruction");
	} else if (str_eq(field(step, "key"), field(like.step, "key"))) {
		explain_same_key(step, like.step, list);
	} else {
		compare(x, step, &like, list);
	}
}

static json_t *explained(const struct explaining *x, size_t i)
{
	const json_t *step = step_at(x->now, (json_int_t)i);
	const char *state = is_given(step) ? "cached" : field(step, "state");
	json_t *out = json_object(), *list = json_array();

	json_object_set_new(out, "step", json_string(field(step, "label")));
	json_object_set_new(out, "index", json_integer((json_int_t)i));
	json_object_set_new(out, "instruction", json_string(field(step, "title")));
	json_object_set(out, "line", json_object_get(step, "line"));
	json_object_set_new(out, "state", json_string(state));
	if (json_object_get(step, "cache"))
		json_object_set(out, "cache", json_object_get(step, "cache"));
	if (json_object_get(step, "key"))
		json_object_set(out, "key", json_object_get(step, "key"));
	if (json_object_get(step, "duration"))
		json_object_set(out, "duration_ns", json_object_get(step, "duration"));
	if (!is_given(step) && (ran(step) || str_eq(state, "stopped")))
		explain_step(x, i, list);
	json_object_set_new(out, "reasons", list);
	return out;
}

static json_t *document(const struct explaining *x, const struct past *past)
{
	json_t *out = json_object(), *steps = json_array();
	AUTO(buf) struct buf started = BUF_INIT;
	size_t n = json_array_size(json_object_get(x->now, "steps"));

	json_object_set_new(out, "build", json_string(past->id));
	json_object_set_new(out, "previous",
			    x->n ? json_string(field(x->earlier[0].record, "id"))
				 : json_null());
	clock_format(json_integer_value(json_object_get(x->now, "started")), &started);
	json_object_set_new(out, "started", json_string(buf_str(&started)));
	json_object_set_new(out, "dockerfile", json_string(field(x->now, "dockerfile")));
	json_object_set_new(out, "context", json_string(field(x->now, "context")));
	json_object_set_new(out, "target", json_string(field(x->now, "target")));
	json_object_set_new(out, "platform", json_string(field(x->now, "platform")));
	json_object_set_new(out, "status", json_string(field(x->now, "status")));
	for (size_t i = 0; i < n; i++)
		json_array_append_new(steps, explained(x, i));
	json_object_set_new(out, "steps", steps);
	return out;
}

/* The step itself, and whatever its reasons lead to, stay marked. */
static void mark_asked(json_t *steps, size_t i, bool *keep)
{
	const json_t *r;
	size_t n;

	if (keep[i])
		return;
	keep[i] = true;
	json_array_foreach (json_object_get(json_array_get(steps, i), "reasons"), n, r)
		if (link_of(r, "index") >= 0)
			mark_asked(steps, (size_t)link_of(r, "index"), keep);
}

static int keep_asked(const struct explaining *x, const char *step, json_t *doc,
		      struct error *err)
{
	json_t *steps = json_object_get(doc, "steps");
	AUTO(step_list) struct step_list list = {0};
	AUTO(free) bool *keep = mem_zalloc(json_array_size(steps) + 1);
	int r = find_steps(x->now, step, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		mark_asked(steps, list.items[i], keep);
		json_object_set_new(json_array_get(steps, list.items[i]), "asked", json_true());
	}
	for (size_t i = json_array_size(steps); i-- > 0;)
		if (!keep[i])
			json_array_remove(steps, i);
	return 0;
}

int build_explain(struct store *s, const char *id, const char *step, json_t **out,
		  struct error *err)
{
	struct explaining x = {.store = s, .history = store_dir(s, STORE_HISTORY)};
	AUTO(json) json_t *doc = NULL;
	struct past past;
	int r = build_record(s, id, &x.now, &past, err);

	if (r < 0)
		return r;
	load_earlier(&x, &past);
	doc = document(&x, &past);
	if (step)
		r = keep_asked(&x, step, doc, err);
	if (r == 0)
		*out = take_ptr(doc);
	close_earlier(&x);
	json_decref(x.now);
	return r;
}
