/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dockerfile → graph: each directory below tests/golden/graph is a case of
 * its own, {Dockerfile, graph}; UPDATE_GOLDEN=1 writes the graphs.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/build.h"

static char root[] = "/tmp/stave-graph-XXXXXX";
static struct store *store;
static int golden = -1;

/* The machine that runs the test is not part of what is compared. */
static void neutral(struct buf *text)
{
	AUTO(platform) struct platform host = PLATFORM_INIT;
	AUTO(free) char *arch = NULL;
	struct buf out = BUF_INIT;
	const char *at = buf_str(text), *hit;

	platform_host(&host);
	arch = mem_printf("\"architecture\":\"%s\"", host.architecture);
	while ((hit = strstr(at, arch))) {
		buf_add(&out, at, (size_t)(hit - at));
		buf_addstr(&out, "\"architecture\":\"HERE\"");
		at = hit + strlen(arch);
	}
	buf_addstr(&out, at);
	buf_clear(text);
	*text = out;
}

static void test_case(void **state)
{
	const char *name = *state;
	AUTO(fd) int dir = openat(golden, name, O_RDONLY | O_DIRECTORY);
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(buf) struct buf want = BUF_INIT;
	AUTO(buf) struct buf have = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	struct build_options o = {.dockerfile_name = "Dockerfile"};

	assert_true(dir >= 0);
	assert_int_equal(io_read_file(dir, "Dockerfile", 65536, &text, NULL), 0);
	o.dockerfile = buf_str(&text);
	o.dockerfile_len = text.len;
	o.context = dir;
	if (build_print(store, &o, BUILD_DUMP_GRAPH, &have, &err) < 0)
		fail_msg("%s: line %u: %s", name, err.line, err.message);
	neutral(&have);
	if (getenv("UPDATE_GOLDEN")) {
		assert_int_equal(
			io_write_file(dir, "graph", have.data, have.len, 0644, 0, NULL), 0);
		return;
	}
	assert_int_equal(io_read_file(dir, "graph", 1 << 20, &want, NULL), 0);
	assert_string_equal(buf_str(&have), buf_str(&want));
}

static void test_changes(void **state)
{
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	AUTO(strlist) struct strlist good = STRLIST_INIT;
	AUTO(strlist) struct strlist bad = STRLIST_INIT;
	AUTO(error) struct error err = ERROR_INIT;

	(void)state;
	strlist_add(&good, "CMD [\"/bin/sh\"]");
	strlist_add(&good, "ENV A=1 B=2");
	strlist_add(&good, "WORKDIR /w");
	assert_int_equal(build_changes(store, &good, &cfg, &err), 0);
	assert_int_equal(cfg.cmd.n, 1);
	assert_int_equal(cfg.env.n, 2);
	assert_string_equal(cfg.working_dir, "/w");
	assert_int_equal(cfg.history.n, 0);
	strlist_add(&bad, "RUN rm -rf /");
	assert_int_equal(build_changes(store, &bad, &cfg, &err), -ERR_INVALID);
}

int main(void)
{
	AUTO(free)
	char *path = mem_printf("%s/tests/golden/graph",
				getenv("STAVE_SOURCE") ? getenv("STAVE_SOURCE") : ".");
	AUTO(dir_list) struct dir_list list = {0};
	struct CMUnitTest tests[256] = {{"build_changes", test_changes, NULL, NULL, NULL}};
	size_t n = 1;
	int r;

	golden = open(path, O_RDONLY | O_DIRECTORY);
	if (golden < 0 || !mkdtemp(root) || store_open(root, NULL, NULL, &store, NULL) < 0 ||
	    dir_list_read(golden, &list, NULL) < 0)
		return 1;
	for (size_t i = 0; i < list.n && n < ARRAY_SIZE(tests); i++) {
		union {
			const char *in;
			void *out;
		} name = {.in = list.items[i].name};

		tests[n++] = (struct CMUnitTest){list.items[i].name, test_case, NULL, NULL,
						 name.out};
	}
	r = _cmocka_run_group_tests("graph", tests, n, NULL, NULL);
	store_close(store);
	root_remove(AT_FDCWD, root, NULL);
	return r;
}
