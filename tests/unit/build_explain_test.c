/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the explanation that need no store: what is hidden, and what is the same step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "build/explain.h"
#include "build/redact.h"

#include "base/banned.h"

/* ---- redact ---- */

static void check_redact(const char *text, size_t piece, const char *expected)
{
	struct redact r = {0};
	struct buf out = BUF_INIT;
	static const char values[] = "secret\nsecretary\nabc\nline two  \n";

	redact_add(&r, values, strlen(values));
	for (size_t at = 0; at < strlen(text); at += piece) {
		size_t left = strlen(text) - at;

		redact_feed(&r, text + at, left < piece ? left : piece, false, &out);
	}
	redact_feed(&r, "", 0, true, &out);
	assert_string_equal(buf_str(&out), expected);
	redact_clear(&r);
	buf_clear(&out);
}

static void test_redact(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"", ""},
		{"nothing to hide", "nothing to hide"},
		{"secret", "***"},
		{"a secret b", "a *** b"},
		{"secretsecret!", "******!"},
		{"the secretary", "the ***"},
		{"secretar", "***ar"},
		{"secre secret secr", "secre *** secr"},
		{"abc is too short", "abc is too short"},
		{"line two", "***"},
		{"ssecret", "s***"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t piece = 1; piece < 20; piece++)
			check_redact(cases[i].text, piece, cases[i].expected);
}

/* ---- match ---- */

/* Each letter is a step; "x:RUN a" the instruction behind it. */
static json_t *record_of(const char *const *texts)
{
	json_t *record = json_object(), *steps = json_array();

	for (; *texts; texts++) {
		json_t *step = json_object();
		const char *bar = strchr(*texts, '|');

		json_object_set_new(step, "label",
				    json_stringn(*texts, (size_t)(bar - *texts)));
		json_object_set_new(step, "kind",
				    json_string(str_starts(bar + 1, "COPY") ? "copy" : "run"));
		json_object_set_new(step, "text", json_string(bar + 1));
		json_array_append_new(steps, step);
	}
	json_object_set_new(record, "steps", steps);
	return record;
}

static void check_match(const char *const *now, const char *const *then, const long *expected)
{
	AUTO(json) json_t *a = record_of(now);
	AUTO(json) json_t *b = record_of(then);
	AUTO(free) long *like = match_steps(a, b);

	for (size_t i = 0; now[i]; i++)
		assert_int_equal(like[i], expected[i]);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LIKE(...) ((const long[]){__VA_ARGS__})

static void test_match(void **state)
{
	(void)state;
	check_match(LIST("1/2|RUN a", "2/2|RUN b"), LIST("1/2|RUN a", "2/2|RUN b"), LIKE(0, 1));
	/* inserted, removed, edited */
	check_match(LIST("1/3|RUN a", "2/3|RUN x", "3/3|RUN b"), LIST("1/2|RUN a", "2/2|RUN b"),
		    LIKE(0, -1, 1));
	check_match(LIST("1/1|RUN b"), LIST("1/2|RUN a", "2/2|RUN b"), LIKE(1));
	check_match(LIST("1/2|RUN make all", "2/2|RUN b"), LIST("1/2|RUN make", "2/2|RUN b"),
		    LIKE(0, 1));
	/* one new and one edited between the same two: the more similar one is the edited one
	 */
	check_match(
		LIST("1/4|RUN a", "2/4|RUN apt-get update", "3/4|RUN make -j8", "4/4|RUN z"),
		LIST("1/3|RUN a", "2/3|RUN make -j4", "3/3|RUN z"), LIKE(0, -1, 1, 2));
	/* another kind is never the same */
	check_match(LIST("1/1|COPY a b"), LIST("1/1|RUN a b"), LIKE(-1));
	/* the same instruction in two stages */
	check_match(LIST("a 1/1|RUN x", "b 1/1|RUN x"), LIST("b 1/1|RUN x"), LIKE(-1, 0));
	/* a stage more: what had no name before has one now */
	check_match(LIST("base 1/1|RUN x", "stage-1 1/1|RUN y"), LIST("1/1|RUN y"),
		    LIKE(-1, 0));
	check_match(LIST("1/1|RUN a"), LIST("1/1|RUN b"), LIKE(0));
}

/* ---- steps by name ---- */

static void check_find(const json_t *record, const char *name, long expected)
{
	struct step_list list = {0};
	int r = find_steps(record, name, &list, NULL);

	assert_int_equal(r < 0 ? -1 : (long)list.items[0], expected);
	free(list.items);
}

static void test_find(void **state)
{
	AUTO(json)
	json_t *record = record_of(LIST("builder 1/2|RUN a", "builder 2/2|RUN b",
					"x 1/12|RUN c", "x 12/12|RUN d"));
	size_t at;

	(void)state;
	check_find(record, "[builder 2/2]", 1);
	check_find(record, "builder 2/2", 1);
	check_find(record, "builder 2", 1);
	check_find(record, "2", 1);
	check_find(record, "12", 3);
	check_find(record, "1", 0);
	check_find(record, "3", -1);
	check_find(record, "", -1);
	check_find(record, "[", -1);
	check_find(record, "[]", -1);
	check_find(record, ":", -1);
	check_find(record, ":7", -1);
	assert_int_equal(find_step(record, "1", &at, NULL), -ERR_INVALID);
	assert_int_equal(find_step(record, "12", &at, NULL), 0);
}

/* ---- places ---- */

static void test_place(void **state)
{
	static const char *const cases[][2] = {
		{"/home/me/src", "/home/me/src"},
		{"/home/a@b:c/src", "/home/a@b:c/src"},
		{"https://example.com/a@b.git#main", "https://example.com/a@b.git#main"},
		{"https://me:word@example.com/a.git", "https://example.com/a.git"},
		{"https://token@example.com", "https://example.com"},
		{"https://me:w@rd@example.com?x=1", "https://example.com?x=1"},
		{"git@example.com:a/b.git", "git@example.com:a/b.git"},
		{"://", "://"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free) char *place = history_place(cases[i][0]);

		assert_string_equal(place, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redact),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
