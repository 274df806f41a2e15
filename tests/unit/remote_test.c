/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken for a URL or a git repository, and what of it is meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "remote/remote.h"

static void test_file_name(void **state)
{
	static const char *const cases[][2] = {
		{"http://h/a/b.txt", "b.txt"},
		{"http://h/a/b.txt?c=/d#e/f", "b.txt"},
		{"https://h", ""},
		{"https://h/", ""},
		{"https://h?x/y", ""},
		{"http://h/a/b/", "b"},
		{"http://h/a%20b", "a b"},
		{"http://h/x%2fy", ""},
		{"http://h/%2e%2e", ""},
		{"http://h/..", ""},
		{"http://h/a%0", "a%0"},
		{"http://h/a%zz", "a%zz"},
		{"http://u:p@h:80/x.tar.gz", "x.tar.gz"},
		{"http://h/%00", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(free) char *name = remote_file_name(cases[i][0]);

		assert_string_equal(name, cases[i][1]);
	}
}

static void test_redact(void **state)
{
	static const char *const cases[][2] = {
		{"https://h/p@q", "https://h/p@q"},
		{"https://u:p@h/x", "https://xxxxx:xxxxx@h/x"},
		{"https://token@h/x", "https://xxxxx@h/x"},
		{"https://u:p@q@h/x", "https://xxxxx:xxxxx@h/x"},
		{"ssh://git@h/x", "ssh://git@h/x"},
		{"ssh://git:p@h/x", "ssh://xxxxx:xxxxx@h/x"},
		{"a/b@c", "a/b@c"},
		{"cannot reach 'https://u:p@h/'", "cannot reach 'https://xxxxx:xxxxx@h/'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(free) char *shown = remote_redact(cases[i][0]);

		assert_string_equal(shown, cases[i][1]);
	}
}

static void test_is_git(void **state)
{
	static const char *const yes[] = {
		"https://h/r.git",	   "http://h/r.git#main:d",
		"https://h/r.git?ref=x",   "git://h/r",
		"ssh://git@h/r",	   "git@h:r",
		"git@h.example:o/r.git#x", "file:///r",
		"github.com/o/r",
	};
	static const char *const no[] = {
		"https://h/r",
		"https://h/r.gitx",
		"https://h/x?y=r.git",
		"./git@h:r",
		"../r.git",
		"dir",
		"dir/r.git",
		"a@b",
		"a@b:/c",
		"@h:r",
		"host/a@b:c",

		"",
		"a@:b",
		"a@b:",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(remote_is_git(yes[i]) || (print_error("%s\n", yes[i]), 0));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(remote_is_git(no[i]) && (print_error("%s\n", no[i]), 1));
}

static void check(const char *text, const char *url, const char *ref, const char *subdir,
		  const char *commit)
{
	AUTO(remote_git) struct remote_git g = {0};
	AUTO(error) struct error err = ERROR_INIT;

	if (remote_git_parse(text, &g, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	assert_string_equal(g.url, url);
	assert_true(str_eq(g.ref, ref));
	assert_string_equal(g.subdir, subdir);
	assert_true(str_eq(g.commit, commit));
}

#define SHA "0123456789abcdef0123456789abcdef01234567"

static void test_parse(void **state)
{
	AUTO(remote_git) struct remote_git g = {0};

	(void)state;
	check("https://h/r.git", "https://h/r.git", NULL, "", NULL);
	check("https://h/r.git#", "https://h/r.git", NULL, "", NULL);
	check("https://h/r.git#main", "https://h/r.git", "main", "", NULL);
	check("https://h/r.git#main:a//b/./", "https://h/r.git", "main", "a/b", NULL);
	check("https://h/r.git#:sub", "https://h/r.git", NULL, "sub", NULL);
	check("github.com/o/r#v1", "https://github.com/o/r", "v1", "", NULL);
	check("git@h:o/r.git#x:y", "git@h:o/r.git", "x", "y", NULL);
	check("https://h/r.git?branch=a%2Fb&subdir=c", "https://h/r.git", "refs/heads/a/b", "c",
	      NULL);
	check("https://h/r.git?tag=v1", "https://h/r.git", "refs/tags/v1", "", NULL);
	check("https://h/r.git?ref=x&subdir=y#x:y", "https://h/r.git", "x", "y", NULL);
	check("https://h/r.git?commit=" SHA, "https://h/r.git", SHA, "", SHA);
	check("https://h/r.git?tag=v1&checksum=0123456", "https://h/r.git", "refs/tags/v1", "",
	      "0123456");
	assert_int_equal(
		remote_git_parse("https://h/r.git?submodules=false&keep-git-dir=1", &g, NULL),
		0);
	assert_true(g.no_submodules && g.keep_git_dir);
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
		"https://h/r.git?nosuch=1",
		"https://h/r.git?ref=",
		"https://h/r.git?ref=a#b",
		"https://h/r.git?branch=a&tag=b",
		"https://h/r.git#x:../y",
		"https://h/r.git#x:a/../../b",
		"https://h/r.git#--exec=x",
		"https://h/r.git#a b",
		"https://h/r.git#a\nb",
		"https://h/r.git?commit=xyz",
		"https://h/r.git?submodules=maybe",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct remote_git g = {0};
		AUTO(error) struct error err = ERROR_INIT;

		assert_true(remote_git_parse(cases[i], &g, &err) < 0 ||
			    (print_error("%s\n", cases[i]), 0));
		assert_non_null(err.message);
		assert_null(g.url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_name), cmocka_unit_test(test_redact),
		cmocka_unit_test(test_is_git),	  cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
