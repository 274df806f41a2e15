/* SPDX-License-Identifier: Apache-2.0 */
/* base: YAML as JSON trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"

#include "base/banned.h"

static void test_documents(void **state)
{
	static const struct {
		const char *text, *wanted; /* or, behind "!", the error */
	} cases[] = {
		{"", "null"},
		{"# only this\n", "null"},
		{"a: 1\nb:\n  - x\n  - y: [1, {z: 2}]\n",
		 "{\"a\":1,\"b\":[\"x\",{\"y\":[1,{\"z\":2}]}]}"},
		{"a: ~\nb: null\nc:\nd: Null", "{\"a\":null,\"b\":null,\"c\":null,\"d\":null}"},
		{"[true, False, yes, on]", "[true,false,\"yes\",\"on\"]"},
		{"[0x1F, 0o17, -5, +3, 007, 1_000, 0xG, 0o, -0x1]",
		 "[31,15,-5,3,7,\"1_000\",\"0xG\",\"0o\",\"-0x1\"]"},
		{"[1.5, 1e3, ., -.5, 1.2.3, .inf, 99999999999999999999]",
		 "[1.5,1000.0,\".\",-0.5,\"1.2.3\",\".inf\",1e20]"},
		{"[\"1\", '2', !!int 3]", "[\"1\",\"2\",3]"},
		{"a: |\n  one\n  two\nb: >-\n  x\n  y\n",
		 "{\"a\":\"one\\ntwo\\n\",\"b\":\"x y\"}"},
		{"a: &x {b: 1}\nc: *x", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}"},
		{"--- {a: \"\\u00e9\\t\"}\n...\n", "{\"a\":\"\303\251\\t\"}"},
		{"1: a", "{\"1\":\"a\"}"},
		{"a: 1\nb: 2\na: 3", "!line 3: a key that is there already"},
		{"a: 1\n<<: {b: 1}", "!line 2: merge keys (<<) are not known"},
		{"{[a]: 1}", "!line 1: a key is not text"},
		{"a: !ruby/object x", "!line 1: an unknown tag"},
		{"a: \"x\\0y\"", "!line 1: a zero byte in a value"},
		{"a: &x [*x]", "!line 1: more than"},
		{"a: *nosuch", "!line 1: found undefined alias"},
		{"a: [1", "!line 2: did not find expected ',' or ']'"},
		{"\ta: 1", "!line 1: found character that cannot start any token"},
		{"a: \377", "!line 1: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(error) struct error err = ERROR_INIT;
		AUTO(json) json_t *tree = NULL;
		AUTO(buf) struct buf text = BUF_INIT;
		const int r = yaml_parse(cases[i].text, strlen(cases[i].text), &tree, &err);

		if (cases[i].wanted[0] == '!') {
			assert_true(r < 0 && !tree);
			if (!str_starts(err.message, cases[i].wanted + 1))
				fail_msg("%s: %s", cases[i].text, err.message);
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", cases[i].text, err.message);
		json_text(tree, &text);
		assert_string_equal(buf_str(&text), cases[i].wanted);
	}
}

/* Nine lines that stand for a thousand million values, and brackets without end. */
static void test_bombs(void **state)
{
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf laughs = BUF_INIT, deep = BUF_INIT;
	json_t *tree = NULL;

	(void)state;
	buf_addstr(&laughs, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 9; i++) {
		buf_printf(&laughs, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_printf(&laughs, "*a%d,", i - 1);
		buf_addstr(&laughs, "]\n");
	}
	assert_int_equal(yaml_parse(laughs.data, laughs.len, &tree, &err), -ERR_LIMIT);
	for (int i = 0; i < 100000; i++)
		buf_addch(&deep, '[');
	assert_true(yaml_parse(deep.data, deep.len, &tree, NULL) < 0);
	assert_null(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_bombs),
	};

	return cmocka_run_group_tests_name("base_yaml", tests, NULL, NULL);
}
