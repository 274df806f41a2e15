/* SPDX-License-Identifier: Apache-2.0 */
/* .dockerignore and globs; doubtful rows were tried with Docker 28. */
#include "dockerfile/dockerfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

static struct ignore *parse(const char *text)
{
	AUTO(error) struct error err = ERROR_INIT;
	struct ignore *ig = NULL;

	if (ignore_parse(text, strlen(text), ".dockerignore", &ig, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	return ig;
}

/* @hidden and @kept are paths with blanks between. */
static const struct {
	const char *text;
	const char *hidden;
	const char *kept;
} lists[] = {
	{"", "", "a a/b"},
	{"foo\n", "foo foo/f foo/g/h", "bar/foo foo.tmp barfoo fo f"},
	{"/foo\n", "foo foo/f", "bar/foo"},
	{"foo/\n", "foo foo/f", "bar/foo"},
	{"./a/../foo\n", "foo foo/f", "a a/foo"},
	{"//foo//bar/.\n", "foo/bar foo/bar/x", "foo"},
	{"../a\n", "", "a b/a"},
	{"/../a\n", "a a/b", "b/a"},
	{".\n/\n", "", "a a/b"},
	{"foo\r\n", "foo", "fo"},
	{"\xef\xbb\xbf# x\nfoo\n", "foo", "x #"},
	{"#hash\n", "", "#hash hash"},
	{" #hash\n", "#hash", "hash"},
	{"\\#hash\n", "#hash", "\\#hash"},
	{"\\!bang\n", "!bang", "bang"},
	{"  foo\t \n", "foo", "x"},
	{"*\n", "a a/b .txt a.b", ""},
	{"*.txt\n", "root.txt .txt", "a/n.txt root.txt2"},
	{"*/README.md\n", "a/README.md", "README.md a/b/README.md"},
	{"a/*/c\n", "a/b/c a/b/c/3", "a/c a/b/d a/b/x/c"},
	{"a?b\n", "axb a.b a#b aüb", "ab a/b axxb"},
	{"a[^x]b\n", "a.b a/b a/b/2", "axb ab"},
	{"[a-b]*\n", "a b a/1 ab barfoo", "c c++"},
	{"[a-c\\-]x\n", "ax -x", "dx"},
	{"c++\n", "c++", "c cc"},
	{"c+*\n", "c++ c+", "cc c"},
	{"a.b\n", "a.b", "axb"},
	{"a^(|)${}b\n", "a^(|)${}b", "ab"},
	{"ü?\n", "üö", "ü"},
	{"**\n", "a a/b .x", ""},
	{"**/\n", "a a/b", ""},
	{"**/foo\n", "foo bar/foo a/b/foo/f", "barfoo foo.tmp"},
	{"**foo\n", "foo bar/foo barfoo a/xfoo", "foo.tmp"},
	{"**foo*\n", "foo foo.tmp bar/foo", "barfoo"},
	{"**.txt\n", "a.txt a/n.txt .txt", "a.txt2"},
	{"**/*.tmp\n", "foo.tmp a/x.tmp a/b/.tmp", "a/tmp"},
	{"foo/**\n", "foo/f foo/g/h", "foo bar/foo/f"},
	{"foo**\n", "foo foobar foo/f", "bar/foo"},
	{"a/**/c\n", "a/c a/b/c a/b/b/c/3", "ac c a/bc"},
	{"a**c\n", "ac a/b/c ab/c axx/c", "abc a/bc"},
	{"a/**/**/c\n", "a/c a/b/c a/b/b/c", "a/b"},
	{"**/b/**\n", "a/b/2 b/x a/b/c/3", "a/b b a/1"},
	{"**/**\n", "a a/b", ""},
	{"****\n", "a a/b", ""},
	{"*a**b\n", "xaab/b xab a/b a/c/b", "b"},
	{"*/**/x\n", "a/x a/b/x a/b/c/x", "x"},
	{"a\n!a/b\n", "a a/1", "a/b a/b/2"},
	{"a\n!a/b\na/b/2\n", "a a/b/2", "a/b a/b/3"},
	{"!a\na\n", "a a/b", "b"},
	{"*\n! a/1\n", "a a/2 b", "a/1"},
	{"**\n!**/*.md\n", "a a/b a/x.txt", "a.md a/b/c.md"},
	{"*\n!a/**/3\n", "a a/b b/3", "a/3 a/b/c/3"},
	{"**/*.tmp\n!foo.tmp\n", "a/foo.tmp x.tmp", "foo.tmp"},
	{"a\n!!x\n", "a", "!x x"},
	{"*\n!src\n!src/**\nsrc/*.o\n", "a src/x.o", "src src/x.c src/d/y.o"},
};

static void check_paths(const struct ignore *ig, const char *text, const char *paths,
			bool hidden)
{
	AUTO(strlist) struct strlist l = STRLIST_INIT;

	strlist_split(&l, paths, ' ');
	for (size_t k = 0; k < l.n; k++)
		if (*l.items[k] && ignore_match(ig, l.items[k]) != hidden)
			fail_msg("%s: %s should be %s", text, l.items[k],
				 hidden ? "hidden" : "kept");
}

static void test_lists(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		AUTO(ignore) struct ignore *ig = parse(lists[k].text);

		check_paths(ig, lists[k].text, lists[k].hidden, true);
		check_paths(ig, lists[k].text, lists[k].kept, false);
	}
}

static void test_errors(void **state)
{
	static const char *const bad[] = {"a\n!\n",  "a\n! \n",	  "a\nx[\n", "a\na\\\n",
					  "a\n[]\n", "a\n[a-]\n", "a\n[z"};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		AUTO(error) struct error err = ERROR_INIT;
		struct ignore *ig = NULL;

		assert_int_equal(ignore_parse(bad[k], strlen(bad[k]), "i", &ig, &err),
				 -ERR_INVALID);
		assert_null(ig);
		assert_string_equal(err.file, "i");
		assert_int_equal(err.line, 2);
	}
}

static void test_rule(void **state)
{
	AUTO(ignore) struct ignore *ig = parse("# c\n\n *.o \n!keep.o\n");
	struct ignore_rule r = ignore_rule(ig, "x.o");

	(void)state;
	assert_string_equal(r.pattern, "*.o");
	assert_int_equal(r.line, 3);
	assert_false(r.negated);
	r = ignore_rule(ig, "keep.o");
	assert_string_equal(r.pattern, "!keep.o");
	assert_int_equal(r.line, 4);
	assert_true(r.negated);
	assert_null(ignore_rule(ig, "x.c").pattern);
	assert_int_equal(ignore_add(ig, "x.c", NULL), 0);
	assert_int_equal(ignore_rule(ig, "x.c").line, 0);
	assert_true(ignore_match(ig, "x.c"));
	assert_int_equal(ignore_add(ig, "[", NULL), -ERR_INVALID);
	assert_int_equal(ignore_add(ig, "!", NULL), -ERR_INVALID);
	assert_true(ignore_match(ig, "x.c"));
	assert_false(ignore_match(NULL, "x.c"));
}

static void test_may_contain(void **state)
{
	static const struct {
		const char *text;
		const char *dir;
		bool may;
	} rows[] = {
		{"a\n", "a", false},
		{"a\n!a/b/c\n", "a", true},
		{"a\n!a/b/c\n", "a/b", true},
		{"a\n!a/b/c\n", "a/x", false},
		{"a\n!a/b/c\n", "ab", false},
		{"a\n!b\n", "a", false},
		{"*\n!**/*.md\n", "a/b/c", true},
		{"*\n!*.md\n", "a", false},
		{"*\n!*/x\n", "a", true},
		{"*\n!*/x\n", "a/b", false},
		{"*\n!src/**\n", "src/a/b", true},
		{"*\n!src/**\n", "lib", false},
		{"*\n!src\n", "", true},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		AUTO(ignore) struct ignore *ig = parse(rows[k].text);

		if (ignore_may_contain(ig, rows[k].dir) != rows[k].may)
			fail_msg("%s: %s", rows[k].text, rows[k].dir);
	}
}

/* Every byte of a path against every element of a pattern, and no more. */
static void test_hostile(void **state)
{
	AUTO(buf) struct buf text = BUF_INIT, path = BUF_INIT;
	AUTO(ignore) struct ignore *ig = NULL;
	int64_t begin;

	(void)state;
	for (int k = 0; k < 300; k++)
		buf_addstr(&text, "*a**/");
	buf_addstr(&text, "b\n");
	for (int k = 0; k < 1000; k++)
		buf_addstr(&path, k % 10 ? "a" : "a/");
	ig = parse(buf_str(&text));
	begin = clock_monotonic_ns();
	assert_false(ignore_match(ig, buf_str(&path)));
	assert_true(clock_monotonic_ns() - begin < 1000000000);
	assert_false(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void test_speed(void **state)
{
	AUTO(buf) struct buf text = BUF_INIT, path = BUF_INIT;
	AUTO(ignore) struct ignore *ig = NULL;
	int64_t begin, ms;
	size_t hidden = 0;

	(void)state;
	for (int k = 0; k < 15; k++)
		buf_printf(&text, "dir%d\n**/*.ext%d\n/build%d/**/cache\n", k, k, k);
	buf_addstr(&text, "!**/keep\n");
	ig = parse(buf_str(&text));
	begin = clock_monotonic_ns();
	for (int k = 0; k < 20000; k++) {
		buf_reset(&path);
		buf_printf(&path, "src/module%d/package%d/file%d.ext%d", k % 10, k % 100, k,
			   k % 30);
		hidden += ignore_match(ig, buf_str(&path));
	}
	ms = (clock_monotonic_ns() - begin) / 1000000;
	print_message("# 20000 paths, 46 patterns: %lld ms\n", (long long)ms);
	assert_int_equal(hidden, 10005);
}

static void test_globs(void **state)
{
	static const struct {
		const char *pattern;
		const char *name;
		bool match;
	} rows[] = {
		{"", "", true},
		{"", "a", false},
		{"abc", "abc", true},
		{"abc", "abcd", false},
		{"*", "", true},
		{"*", "abc", true},
		{"*", ".x", true},
		{"*", "a/b", false},
		{"*c", "abc", true},
		{"a*", "a", true},
		{"a*", "ab/c", false},
		{"a*/b", "abc/b", true},
		{"a*/b", "a/c/b", false},
		{"a*b*c*d*e*/f", "axbxcxdxe/f", true},
		{"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},
		{"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false},
		{"a*b?c*x", "abxbbxdbxebxczzx", true},
		{"a*b?c*x", "abxbbxdbxebxczzy", false},
		{"ab[c]", "abc", true},
		{"ab[b-d]", "abc", true},
		{"ab[e-g]", "abc", false},
		{"ab[^c]", "abc", false},
		{"ab[^e-g]", "abc", true},
		{"ab[!c]", "abd", false},
		{"a\\*b", "a*b", true},
		{"a\\*b", "ab", false},
		{"a?b", "a☺b", true},
		{"a[^a]b", "a☺b", true},
		{"a???b", "a☺b", false},
		{"[a-ζ]*", "α", true},
		{"*[a-ζ]", "A", false},
		{"a?b", "a/b", false},
		{"a*b", "a/b", false},
		{"[\\]a]", "]", true},
		{"[\\-]", "-", true},
		{"[x\\-]", "-", true},
		{"[x\\-]", "z", false},
		{"[\\-x]", "x", true},
		{"*x", "xxx", true},
		{"**", "ab", true},
		{"[a", "a", false},
		{"[]a]", "]", false},
		{"[-]", "-", false},
		{"[x-]", "x", false},
		{"a[", "a", false},
		{"a\\", "a", false},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
		if (glob_match(rows[k].pattern, rows[k].name) != rows[k].match)
			fail_msg("%s %s", rows[k].pattern, rows[k].name);
	assert_true(glob_is_pattern("a*"));
	assert_true(glob_is_pattern("a\\b"));
	assert_false(glob_is_pattern("a b!{}"));
	assert_false(glob_valid("[a"));
	assert_true(glob_valid("[a]*\\*"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),	cmocka_unit_test(test_errors),
		cmocka_unit_test(test_rule),	cmocka_unit_test(test_may_contain),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_speed),
		cmocka_unit_test(test_globs),
	};

	return cmocka_run_group_tests_name("dockerfile_ignore", tests, NULL, NULL);
}
