/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot: views and active mounts, by both ways to mount. Needs root. */
#include "snapshot/snapshot.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "snapshot/snapshot_legacy.h"

struct fixture {
	char path[64];
	int store, layers, stub;
};

static void put(int dir, const char *name, const char *text)
{
	assert_int_equal(io_write_file(dir, name, text, strlen(text), 0644, 0, NULL), 0);
}

/* layers/a has one, two; layers/b hides two and has three. */
static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	static const char *const dirs[] = {
		"layers",   "stub",	   "stub/proc", "layers/a",    "layers/a/fs",
		"layers/b", "layers/b/fs", "layers/c",	"layers/c/fs", "layers/c/work"};
	int a, b;

	snprintf(f->path, sizeof(f->path), "/tmp/stave-snap-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->store = open(f->path, O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		mkdirat(f->store, dirs[i], 0755);
	f->layers = openat(f->store, "layers", O_RDONLY | O_DIRECTORY);
	f->stub = openat(f->store, "stub", O_RDONLY | O_DIRECTORY);
	a = openat(f->layers, "a/fs", O_RDONLY | O_DIRECTORY);
	b = openat(f->layers, "b/fs", O_RDONLY | O_DIRECTORY);
	put(a, "one", "1");
	put(a, "two", "2");
	put(b, "three", "3");
	if (geteuid() == 0)
		mknodat(b, "two", S_IFCHR, makedev(0, 0));
	close(a);
	close(b);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->layers);
	close(f->stub);
	close(f->store);
	assert_int_equal(root_remove(AT_FDCWD, f->path, NULL), 0);
	free(f);
	return 0;
}

static bool has(int tree, const char *name)
{
	AUTO(fd) int fd = -1;

	return root_open(tree, ROOT_INSIDE, name, O_PATH, 0, &fd, NULL) == 0;
}

static void check_merged(int tree)
{
	assert_true(has(tree, "one"));
	assert_false(has(tree, "two"));
	assert_true(has(tree, "three"));
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void test_view(void **state)
{
	struct fixture *f = *state;
	AUTO(snapshot_stack) struct snapshot_stack s = {.layers_dir = f->layers, .bottom = -1};
	AUTO(fd) int one = -1;
	AUTO(fd) int both = -1;
	AUTO(fd) int legacy = -1;

	need_root();
	snapshot_stack_add(&s, "a");
	assert_int_equal(snapshot_view(&s, &one, NULL), 0);
	assert_true(has(one, "two"));
	snapshot_stack_add(&s, "b");
	assert_int_equal(snapshot_view(&s, &both, NULL), 0);
	check_merged(both);
	assert_true(openat(both, "new", O_WRONLY | O_CREAT, 0644) < 0);
	assert_int_equal(snapshot_mount_legacy(&s, NULL, NULL, 0, &legacy, NULL), 0);
	check_merged(legacy);
}

static void test_active(void **state)
{
	struct fixture *f = *state;
	AUTO(snapshot_stack)
	struct snapshot_stack s = {.layers_dir = f->layers, .bottom = f->stub};

	need_root();
	snapshot_stack_add(&s, "a");
	snapshot_stack_add(&s, "b");
	for (int i = 0; i < 2; i++) {
		AUTO(fd) int tree = -1;
		AUTO(fd) int upper = -1;
		int r = i ? snapshot_mount_legacy(&s, "c/fs", "c/work", 0, &tree, NULL)
			  : snapshot_mount(&s, "c/fs", "c/work", 0, &tree, NULL);

		assert_int_equal(r, 0);
		check_merged(tree);
		assert_true(has(tree, "proc"));
		put(tree, "written", "w");
		assert_int_equal(unlinkat(tree, "one", 0), 0);
		upper = openat(f->layers, "c/fs", O_RDONLY | O_DIRECTORY);
		assert_true(has(upper, "written"));
		assert_false(has(upper, "proc"));
		close_fd(&tree);
		assert_int_equal(root_empty(upper, NULL), 0);
	}
}

static void test_same_layer_twice(void **state)
{
	struct fixture *f = *state;
	AUTO(snapshot_stack) struct snapshot_stack s = {.layers_dir = f->layers, .bottom = -1};
	AUTO(fd) int tree = -1;

	need_root();
	snapshot_stack_add(&s, "a");
	snapshot_stack_add(&s, "b");
	snapshot_stack_add(&s, "a");
	assert_int_equal(s.dirs.n, 2);
	assert_int_equal(snapshot_view(&s, &tree, NULL), 0);
	assert_true(has(tree, "two"));
}

static void test_nothing_stays_mounted(void **state)
{
	struct fixture *f = *state;
	AUTO(buf) struct buf mounts = BUF_INIT;
	AUTO(snapshot_stack) struct snapshot_stack s = {.layers_dir = f->layers, .bottom = -1};
	AUTO(fd) int tree = -1;

	need_root();
	snapshot_stack_add(&s, "a");
	snapshot_stack_add(&s, "b");
	assert_int_equal(snapshot_view(&s, &tree, NULL), 0);
	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/mounts", 1 << 20, &mounts, NULL),
			 0);
	assert_null(strstr(buf_str(&mounts), f->path));
}

static void test_empty(void **state)
{
	AUTO(snapshot_stack) struct snapshot_stack s = {.layers_dir = -1, .bottom = -1};
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(fd) int tree = -1;
	AUTO(fd) int dir = -1;

	(void)state;
	need_root();
	assert_int_equal(snapshot_view(&s, &tree, NULL), 0);
	assert_int_equal(
		root_open(tree, ROOT_INSIDE, "", O_RDONLY | O_DIRECTORY, 0, &dir, NULL), 0);
	assert_int_equal(dir_list_read(dir, &list, NULL), 0);
	assert_int_equal(list.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_view),
		TEST(test_active),
		TEST(test_same_layer_twice),
		TEST(test_nothing_stays_mounted),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
