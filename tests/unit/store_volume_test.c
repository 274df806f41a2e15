/* SPDX-License-Identifier: Apache-2.0 */
/* volumes: rows and directories, who holds them, what the killed leave. */
#include "store_fixture.h"

static bool make(struct fixture *f, const char *name)
{
	AUTO(store_volume) struct store_volume v = STORE_VOLUME_INIT;
	AUTO(lease) struct lease *l = NULL;
	bool made = false;

	v.name = mem_strdup(name);
	map_set(&v.labels, "k", mem_strdup("v"));
	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	assert_int_equal(store_volume_make(f->s, l, &v, &made, NULL), 0);
	return made;
}

static void put_file(struct fixture *f, const char *name)
{
	AUTO(fd) int dir = -1;

	assert_int_equal(store_volume_open(f->s, name, &dir, NULL), 0);
	assert_int_equal(mkdirat(dir, "_data/d", 0755), 0);
}

static bool is_there(struct fixture *f, const char *path)
{
	return faccessat(store_dir(f->s, STORE_VOLUMES), path, F_OK, 0) == 0;
}

static void add_container(struct fixture *f, char id, const char *name, bool remove)
{
	AUTO(store_container) struct store_container c = {0};

	c.id = mem_printf("%064d", id);
	c.name = mem_strdup(name);
	c.image_name = mem_strdup("i");
	c.state = mem_strdup("running");
	c.auto_remove = remove;
	c.started_ns = 1;
	c.config = mem_strdup("{}");
	assert_int_equal(store_container_add(f->s, &c, NULL), 0);
}

static void hold(struct fixture *f, char id, const char *name, bool owned)
{
	AUTO(free) char *text = mem_printf("%064d", id);

	assert_int_equal(store_volume_hold(f->s, text, name, owned, NULL), 0);
}

static size_t count(struct fixture *f)
{
	AUTO(store_volume_list) struct store_volume_list list = {0};

	assert_int_equal(store_volume_list(f->s, false, &list, NULL), 0);
	return list.n;
}

static void test_one_is_made_once_and_found_again(void **state)
{
	AUTO(store_volume) struct store_volume v = STORE_VOLUME_INIT;
	struct fixture *f = *state;

	assert_true(make(f, "data"));
	put_file(f, "data");
	assert_false(make(f, "data"));
	reopen(f);
	assert_int_equal(store_volume_get(f->s, "data", &v, NULL), 0);
	assert_string_equal(map_get(&v.labels, "k"), "v");
	assert_true(is_there(f, "data/_data/d"));
}

static void test_names_are_dockers(void **state)
{
	static const char *const bad[] = {"",	 ".",  ".gone-x",  "a/b", "-a",
					  "a b", "..", "\xc3\xa9", "_a"};
	AUTO(free) char *longest = mem_zalloc(300);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(store_volume_check_name(bad[i], NULL), -ERR_INVALID);
	memset(longest, 'a', 299);
	assert_int_equal(store_volume_check_name(longest, NULL), -ERR_LIMIT);
	assert_int_equal(store_volume_check_name("a.B_c-9", NULL), 0);
}

static void test_one_that_is_held_stays(void **state)
{
	AUTO(error) struct error err = ERROR_INIT;
	struct fixture *f = *state;

	make(f, "data");
	add_container(f, 1, "one", false);
	hold(f, 1, "data", false);
	assert_int_equal(store_volume_remove(f->s, "data", NULL, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.message, "remove data: volume is in use - [0000"));
	assert_true(is_there(f, "data/_data"));
}

static void test_a_container_takes_along_what_it_owns(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *one = mem_printf("%064d", 1);
	AUTO(free) char *two = mem_printf("%064d", 2);

	make(f, "named");
	make(f, "own");
	make(f, "lent");
	add_container(f, 1, "one", false);
	add_container(f, 2, "two", false);
	hold(f, 1, "named", false);
	hold(f, 1, "own", true);
	hold(f, 1, "lent", true);
	hold(f, 2, "lent", true);
	put_file(f, "own");
	assert_int_equal(store_container_remove_with_volumes(f->s, one, NULL, NULL), 0);
	assert_false(is_there(f, "own"));
	assert_true(is_there(f, "named"));
	assert_true(is_there(f, "lent"));
	assert_int_equal(count(f), 2);
	assert_int_equal(store_container_remove_with_volumes(f->s, two, NULL, NULL), 0);
	assert_false(is_there(f, "lent"));
	assert_int_equal(store_volume_remove(f->s, "named", NULL, NULL), 0);
	assert_int_equal(count(f), 0);
}

/* As after kill -9: a lease whose owner does not live any more. */
static void leave_lease(struct fixture *f, const char *text)
{
	AUTO(fd)
	int fd = openat(store_dir(f->s, STORE_LEASES), "00000000000000aa",
			O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
}

static void test_what_was_being_made_goes(void **state)
{
	struct fixture *f = *state;
	int all = store_dir(f->s, STORE_VOLUMES);

	assert_int_equal(mkdirat(all, "half", 0700), 0);
	assert_int_equal(mkdirat(all, "half/_data", 0755), 0);
	assert_int_equal(mkdirat(all, "full", 0700), 0);
	assert_int_equal(mkdirat(all, "full/_data", 0755), 0);
	assert_int_equal(mkdirat(all, "full/_data/d", 0755), 0);
	make(f, "whole");
	leave_lease(f, "volume half\nvolume full\nvolume whole\n");
	reopen(f);
	assert_false(is_there(f, "half"));
	/* nobody who makes a volume puts anything into it before it has a row */
	assert_true(is_there(f, "full/_data/d"));
	assert_true(is_there(f, "whole/_data"));
}

static void test_what_was_being_removed_goes_or_comes_back(void **state)
{
	struct fixture *f = *state;
	int all = store_dir(f->s, STORE_VOLUMES);

	make(f, "kept");
	put_file(f, "kept");
	/* before the commit */
	assert_int_equal(renameat(all, "kept", all, ".gone-01234567-kept"), 0);
	/* after it */
	assert_int_equal(mkdirat(all, ".gone-89abcdef-old", 0700), 0);
	leave_lease(f, "volume .gone-01234567-kept\nvolume .gone-89abcdef-old\n");
	reopen(f);
	assert_true(is_there(f, "kept/_data/d"));
	assert_false(is_there(f, ".gone-01234567-kept"));
	assert_false(is_there(f, ".gone-89abcdef-old"));
}

static void test_a_killed_container_with_rm_takes_its_volumes_along(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *text = mem_printf("container %064d\ncontainer %064d\n", 1, 2);

	make(f, "own");
	make(f, "kept");
	add_container(f, 1, "one", true);
	add_container(f, 2, "two", false);
	hold(f, 1, "own", true);
	hold(f, 2, "kept", true);
	leave_lease(f, text);
	reopen(f);
	assert_false(is_there(f, "own"));
	assert_true(is_there(f, "kept"));
	assert_int_equal(count(f), 1);
}

static void count_problem(void *data, const char *text, bool fixed)
{
	unsigned *n = data;

	(void)text;
	*n += fixed ? 100 : 1;
}

static void test_check_gives_rows_and_directories_to_each_other(void **state)
{
	struct fixture *f = *state;
	int all = store_dir(f->s, STORE_VOLUMES);
	unsigned n = 0;
	const struct store_problem_sink sink = {.problem = count_problem, .data = &n};

	make(f, "lost");
	assert_int_equal(root_remove(all, "lost", NULL), 0);
	assert_int_equal(mkdirat(all, "found", 0700), 0);
	assert_int_equal(mkdirat(all, "found/_data", 0755), 0);
	assert_int_equal(mkdirat(all, ".gone-01234567-x", 0755), 0);
	assert_int_equal(store_check(f->s, false, &sink, NULL), 0);
	assert_int_equal(n, 3);
	n = 0;
	assert_int_equal(store_check(f->s, true, &sink, NULL), 0);
	assert_int_equal(n, 300);
	assert_int_equal(count(f), 2);
	assert_true(is_there(f, "lost/_data"));
	assert_true(is_there(f, "found/_data"));
	assert_false(is_there(f, ".gone-01234567-x"));
	n = 0;
	assert_int_equal(store_check(f->s, false, &sink, NULL), 0);
	assert_int_equal(n, 0);
}

int main(void)
{
#define VOLUME_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		VOLUME_TEST(test_one_is_made_once_and_found_again),
		VOLUME_TEST(test_names_are_dockers),
		VOLUME_TEST(test_one_that_is_held_stays),
		VOLUME_TEST(test_a_container_takes_along_what_it_owns),
		VOLUME_TEST(test_what_was_being_made_goes),
		VOLUME_TEST(test_what_was_being_removed_goes_or_comes_back),
		VOLUME_TEST(test_a_killed_container_with_rm_takes_its_volumes_along),
		VOLUME_TEST(test_check_gives_rows_and_directories_to_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
