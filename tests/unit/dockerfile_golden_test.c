/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each directory of tests/golden/dockerfile is one test: Dockerfile gives the
 * tree in `ast`, or the error in `err`.  UPDATE_GOLDEN=1 writes them anew.
 */
#include "dockerfile/dockerfile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

static int golden = -1;

static void describe(const struct error *e, struct buf *out)
{
	if (e->file)
		buf_printf(out, "%s:", e->file);
	if (e->line)
		buf_printf(out, "%u:", e->line);
	if (e->column)
		buf_printf(out, "%u:", e->column);
	buf_printf(out, "%s%s\n", e->file ? " " : "", e->message);
	if (e->hint)
		buf_printf(out, "hint: %s\n", e->hint);
}

static void compare(int dir, const char *name, const struct buf *have)
{
	AUTO(buf) struct buf want = BUF_INIT;

	if (getenv("UPDATE_GOLDEN")) {
		assert_int_equal(
			io_write_file(dir, name, buf_str(have), have->len, 0644, 0, NULL), 0);
		return;
	}
	if (io_read_file(dir, name, LIMIT_DOCKERFILE_BYTES, &want, NULL) < 0)
		fail_msg("no file %s; the result is: %s", name, buf_str(have));
	assert_string_equal(buf_str(have), buf_str(&want));
}

static void test_case(void **state)
{
	AUTO(dockerfile) struct dockerfile *d = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT, have = BUF_INIT;
	AUTO(fd) int dir = openat(golden, (const char *)*state, O_RDONLY | O_DIRECTORY);

	assert_true(dir >= 0);
	assert_int_equal(
		io_read_file(dir, "Dockerfile", 2 * LIMIT_DOCKERFILE_BYTES, &text, NULL), 0);
	if (dockerfile_parse(buf_str(&text), text.len, "Dockerfile", &d, &err) < 0) {
		assert_null(d);
		assert_non_null(err.message);
		describe(&err, &have);
		compare(dir, "err", &have);
	} else {
		assert_int_equal(err.code, ERR_NONE);
		dockerfile_print(d, &have);
		compare(dir, "ast", &have);
	}
}

int main(void)
{
	AUTO(buf) struct buf path = BUF_INIT;
	AUTO(dir_list) struct dir_list l = {0};
	AUTO(free) struct CMUnitTest *tests = NULL;
	const char *source = getenv("STAVE_SOURCE");
	size_t n = 0;

	buf_printf(&path, "%s/tests/golden/dockerfile", source ? source : ".");
	golden = open(buf_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (golden < 0 || dir_list_read(golden, &l, NULL) < 0)
		return 1;
	tests = mem_zalloc((l.n + 1) * sizeof(*tests));
	for (size_t k = 0; k < l.n; k++)
		if (l.items[k].name[0] != '.')
			tests[n++] = (struct CMUnitTest){
				.name = l.items[k].name,
				.test_func = test_case,
				.initial_state = (void *)(uintptr_t)l.items[k].name};
	return _cmocka_run_group_tests("dockerfile_golden", tests, n, NULL, NULL);
}
