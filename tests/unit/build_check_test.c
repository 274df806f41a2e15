/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dockerfile → warnings, without a store: each directory below
 * tests/golden/check is a case of its own, {Dockerfile, want} and, where it
 * matters, `args` (one --build-arg a line), `ignore` (the ignore file) and
 * `target`.  UPDATE_GOLDEN=1 writes `want`.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/build.h"

#include "base/banned.h"

static int golden = -1;

static bool read_file(int dir, const char *name, struct buf *out)
{
	return io_read_file(dir, name, 1 << 20, out, NULL) == 0;
}

static void print_warning(const struct dockerfile_warning *w, struct buf *out)
{
	buf_printf(out, "%u", w->line);
	if (w->end_line != w->line)
		buf_printf(out, "-%u", w->end_line);
	if (w->mark_line)
		buf_printf(out, " [%u:%u %s]", w->mark_line, w->mark_column, w->mark);
	buf_printf(out, " %s: %s\n", w->rule, w->message);
	if (w->fix)
		buf_printf(out, "\tfix: %s\n", w->fix);
}

static void ask(const struct build_options *o, struct buf *out)
{
	AUTO(build_answer) struct build_answer a = {0};
	AUTO(error) struct error err = ERROR_INIT;
	int r = build_ask(NULL, o, BUILD_CHECK, &a, &err);

	for (size_t i = 0; i < a.n_warnings; i++) {
		assert_non_null(check_rule(a.warnings[i].rule));
		print_warning(&a.warnings[i], out);
	}
	if (r < 0)
		buf_printf(out, "error at line %u: %s\n", err.line, err.message);
}

static void compare(int dir, const struct buf *have)
{
	AUTO(buf) struct buf want = BUF_INIT;

	if (getenv("UPDATE_GOLDEN")) {
		assert_int_equal(
			io_write_file(dir, "want", buf_str(have), have->len, 0644, 0, NULL), 0);
		return;
	}
	assert_true(read_file(dir, "want", &want));
	assert_string_equal(buf_str(have), buf_str(&want));
}

static void test_case(void **state)
{
	AUTO(fd) int dir = openat(golden, (const char *)*state, O_RDONLY | O_DIRECTORY);
	AUTO(buf) struct buf text = BUF_INIT, ignore = BUF_INIT, list = BUF_INIT;
	AUTO(buf) struct buf target = BUF_INIT, have = BUF_INIT;
	AUTO(strlist) struct strlist args = STRLIST_INIT;
	struct build_options o = {.dockerfile_name = "Dockerfile", .context = dir};

	assert_true(dir >= 0);
	assert_true(read_file(dir, "Dockerfile", &text));
	o.dockerfile = buf_str(&text);
	o.dockerfile_len = text.len;
	if (read_file(dir, "ignore", &ignore)) {
		o.ignore = buf_str(&ignore);
		o.ignore_len = ignore.len;
		o.ignore_name = ".dockerignore";
	}
	if (read_file(dir, "args", &list))
		strlist_split(&args, buf_str(&list), '\n');
	if (args.n && !*args.items[args.n - 1])
		strlist_remove(&args, args.n - 1);
	o.build_args = &args;
	if (read_file(dir, "target", &target)) {
		target.data[strcspn(target.data, "\n")] = 0;
		o.target = target.data;
	}
	ask(&o, &have);
	compare(dir, &have);
}

/* Every documented rule is shown by some case: its name stands in a `want`. */
static void test_all_rules_shown(void **state)
{
	AUTO(dir_list) struct dir_list l = {0};
	AUTO(buf) struct buf all = BUF_INIT;

	(void)state;
	assert_int_equal(dir_list_read(golden, &l, NULL), 0);
	for (size_t k = 0; k < l.n; k++) {
		AUTO(fd) int dir = openat(golden, l.items[k].name, O_RDONLY | O_DIRECTORY);

		read_file(dir, "want", &all);
	}
	for (const struct check_rule *r = check_rules(); r->name; r++) {
		AUTO(free) char *text = mem_printf(" %s: ", r->name);

		/* these need a command line, or a store: tests/cli has them */
		if (!str_eq(r->name, "UnusedBuildArg") &&
		    !str_eq(r->name, "InvalidBaseImagePlatform") &&
		    !strstr(buf_str(&all), text))
			fail_msg("no case shows %s", r->name);
	}
}

static void test_all_rules_documented(void **state)
{
	AUTO(buf) struct buf text = BUF_INIT;

	(void)state;
	assert_true(read_file(golden, "../../../docs/checks.md", &text));
	for (const struct check_rule *r = check_rules(); r->name; r++) {
		AUTO(free) char *title = mem_printf("\n## %s\n", r->name);

		if (!strstr(buf_str(&text), title))
			fail_msg("docs/checks.md has no section %s", r->name);
	}
}

int main(void)
{
	AUTO(buf) struct buf path = BUF_INIT;
	AUTO(dir_list) struct dir_list l = {0};
	AUTO(free) struct CMUnitTest *tests = NULL;
	const char *source = getenv("STAVE_SOURCE");
	size_t n = 0;

	buf_printf(&path, "%s/tests/golden/check", source ? source : ".");
	golden = open(buf_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (golden < 0 || dir_list_read(golden, &l, NULL) < 0)
		return 1;
	tests = mem_zalloc((l.n + 2) * sizeof(*tests));
	for (size_t k = 0; k < l.n; k++)
		tests[n++] = (struct CMUnitTest){.name = l.items[k].name,
						 .test_func = test_case,
						 .initial_state =
							 (void *)(uintptr_t)l.items[k].name};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_all_rules_shown);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_all_rules_documented);
	return _cmocka_run_group_tests("build_check", tests, n, NULL, NULL);
}
