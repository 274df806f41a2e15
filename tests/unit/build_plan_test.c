/* SPDX-License-Identifier: Apache-2.0 */
/* COPY without a container: modes, the context index, selection, plan and layer. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/chmod.h"
#include "build/plan.h"
#include "build/select.h"
#include "build/tree.h"

static void test_chmod(void **state)
{
	static const struct {
		const char *text;
		mode_t from, to;
		bool ok;
	} rows[] = {
		{"755", S_IFREG | 0644, S_IFREG | 0755, true},
		{"04711", S_IFREG | 0644, S_IFREG | 04711, true},
		{"u=rwx,g=rx,o=", S_IFREG | 0644, S_IFREG | 0750, true},
		{"+x", S_IFREG | 0644, S_IFREG | 0755, true},
		{"a+X", S_IFREG | 0644, S_IFREG | 0644, true},
		{"a+X", S_IFDIR | 0700, S_IFDIR | 0711, true},
		{"go-rwx", S_IFREG | 0777, S_IFREG | 0700, true},
		{"u+s,o+t", S_IFREG | 0755, S_IFREG | 05755, true},
		{"", S_IFREG | 0644, 0, false},
		{"999", S_IFREG | 0644, 0, false},
		{"u+q", S_IFREG | 0644, 0, false},
		{"777777", S_IFREG | 0644, 0, false},
		{"u+x,", S_IFREG | 0644, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		mode_t mode = rows[i].from;

		if (chmod_apply(rows[i].text, &mode) != rows[i].ok ||
		    (rows[i].ok && mode != rows[i].to))
			fail_msg("%s: %o", rows[i].text, mode);
	}
}

struct fixture {
	char path[64];
	int dir, context, layer;
};

static void write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	snprintf(f->path, sizeof(f->path), "/tmp/stave-plan-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	mkdirat(f->dir, "context", 0755);
	mkdirat(f->dir, "layer", 0755);
	f->context = openat(f->dir, "context", O_RDONLY | O_DIRECTORY);
	f->layer = openat(f->dir, "layer", O_RDONLY | O_DIRECTORY);
	mkdirat(f->context, "d", 0711);
	mkdirat(f->context, "d/sub", 0750);
	write_file(f->context, "a", "one");
	write_file(f->context, "b", "two");
	write_file(f->context, "d/f", "three");
	write_file(f->context, "d/sub/g", "four");
	symlinkat("a", f->context, "link");
	symlinkat("../../../../etc/passwd", f->context, "out");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->dir);
	close(f->context);
	close(f->layer);
	root_remove(AT_FDCWD, f->path, NULL);
	free(f);
	return 0;
}

/* COPY of @sources (up to the NULL) to @dest into the fixture's empty layer. */
static int copy(struct fixture *f, const char *ignore, const char *dest,
		const char *const *sources, struct layer_info *info, struct error *err)
{
	struct copy_spec c = {0};
	/* our own, so that it needs no root */
	struct plan_look look = {.has_owner = true, .uid = geteuid(), .gid = getegid()};
	AUTO(selection) struct selection sel = {0};
	AUTO(plan) struct plan plan = PLAN_INIT;
	struct ignore *ig = NULL;
	struct tree *t = NULL;
	int r;

	for (; *sources; sources++)
		strlist_add(&c.sources, *sources);
	assert_int_equal(ignore_parse(ignore, strlen(ignore), ".dockerignore", &ig, NULL), 0);
	assert_int_equal(tree_open(f->context, "the context", ig, NULL, &t, NULL), 0);
	r = select_sources(t, &c, &sel, err);
	if (r == 0)
		r = plan_copy(&plan, &sel, dest, err);
	plan_sort(&plan);
	if (r == 0)
		r = plan_write(&plan, t, &look, f->layer, NULL, info, err);
	tree_free(t);
	ignore_free(ig);
	strlist_clear(&c.sources);
	return r;
}

static mode_t mode_of(struct fixture *f, const char *path)
{
	struct stat st;

	return fstatat(f->layer, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode;
}

#define SOURCES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_directory(void **state)
{
	struct fixture *f = *state;
	struct layer_info info, again;

	assert_int_equal(copy(f, "", "/x", SOURCES("d"), &info, NULL), 0);
	assert_int_equal(mode_of(f, "x"), S_IFDIR | 0755); /* as Docker: not the source's */
	assert_int_equal(mode_of(f, "x/sub"), S_IFDIR | 0750);
	assert_int_equal(mode_of(f, "x/sub/g"), S_IFREG | 0644);
	assert_int_equal(info.content_bytes, 9);
	/* what was hashed while it was written is what lies there */
	assert_int_equal(layer_describe(f->layer, NULL, &again, NULL), 0);
	assert_true(digest_eq(&info.diff_id, &again.diff_id));
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	struct layer_info info;

	assert_int_equal(copy(f, "", "/p/q/", SOURCES("a", "link", "d/*"), &info, NULL), 0);
	assert_int_equal(mode_of(f, "p/q/a"), S_IFREG | 0644);
	assert_int_equal(mode_of(f, "p/q/link"), S_IFREG | 0644); /* followed */
	assert_int_equal(mode_of(f, "p/q/f"), S_IFREG | 0644);
	assert_int_equal(mode_of(f, "p/q/g"), S_IFREG | 0644);
}

static void test_last_source_wins(void **state)
{
	struct fixture *f = *state;
	AUTO(buf) struct buf text = BUF_INIT;
	struct layer_info info;

	assert_int_equal(copy(f, "", "/file", SOURCES("a", "b"), &info, NULL), 0);
	assert_int_equal(io_read_file(f->layer, "file", 10, &text, NULL), 0);
	assert_string_equal(buf_str(&text), "two");
}

static void test_nothing_matches(void **state)
{
	struct fixture *f = *state;
	AUTO(error) struct error err = ERROR_INIT;
	struct layer_info info;

	assert_int_equal(copy(f, "", "/x/", SOURCES("*.none"), &info, NULL), 0);
	assert_int_equal(info.entries, 0);
	assert_int_equal(copy(f, "", "/x/", SOURCES("none"), &info, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "/none"));
}

static void test_links_stay_in_the_context(void **state)
{
	struct fixture *f = *state;
	struct layer_info info;

	/* "out" climbs: inside the context there is no etc/passwd */
	assert_int_equal(copy(f, "", "/x", SOURCES("out"), &info, NULL), -ERR_NOT_FOUND);
	assert_int_equal(copy(f, "", "/x", SOURCES("../../a"), &info, NULL), 0);
}

static void test_ignore(void **state)
{
	struct fixture *f = *state;
	AUTO(error) struct error err = ERROR_INIT;
	struct layer_info info;

	assert_int_equal(copy(f, "*\n!d/sub/g\n", "/x/", SOURCES("."), &info, NULL), 0);
	assert_int_equal(mode_of(f, "x/d/sub/g"), S_IFREG | 0644);
	assert_int_equal(mode_of(f, "x/d/f"), 0);
	assert_int_equal(mode_of(f, "x/a"), 0);
	assert_int_equal(copy(f, "# first\nd\n", "/y", SOURCES("d/f"), &info, &err),
			 -ERR_NOT_FOUND);
	assert_non_null(err.hint);
	assert_non_null(strstr(err.hint, ".dockerignore:2"));
}

static void test_conflicts(void **state)
{
	struct fixture *f = *state;
	AUTO(error) struct error err = ERROR_INIT;
	struct layer_info info;

	/* the file "x" and then a directory of that name */
	assert_true(copy(f, "", "/x", SOURCES("a", "d"), &info, &err) < 0);
	assert_non_null(strstr(err.message, "non-directory"));
}

static void test_changed_file_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct tree_node *n;
	struct tree *t;
	AUTO(fd) int fd = -1;

	assert_int_equal(tree_open(f->context, "c", NULL, NULL, &t, NULL), 0);
	assert_int_equal(tree_find(t, "a", &n, NULL, NULL), 0);
	assert_non_null(n);
	unlinkat(f->context, "a", 0);
	symlinkat("/etc/passwd", f->context, "a");
	assert_true(tree_open_file(n, &fd, NULL) < 0);
	unlinkat(f->context, "a", 0);
	write_file(f->context, "a", "eno");
	assert_int_equal(tree_open_file(n, &fd, NULL), -ERR_CONFLICT);
	tree_free(t);
}

static void test_hard_links(void **state)
{
	struct fixture *f = *state;
	struct layer_info info;
	struct stat a, b;

	assert_int_equal(linkat(f->context, "d/f", f->context, "d/twin", 0), 0);
	assert_int_equal(copy(f, "", "/x", SOURCES("d"), &info, NULL), 0);
	assert_int_equal(fstatat(f->layer, "x/f", &a, 0), 0);
	assert_int_equal(fstatat(f->layer, "x/twin", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

static void test_index(void **state)
{
	struct fixture *f = *state;
	struct tree_index *x;
	struct tree_node *n;
	struct tree *t;
	struct digest d, back;
	struct stat st;
	struct timespec old[2] = {{.tv_sec = 1000000, .tv_nsec = 5},
				  {.tv_sec = 1000000, .tv_nsec = 5}};

	fstat(f->context, &st);
	utimensat(f->context, "a", old, 0);
	assert_int_equal(tree_open(f->context, "c", NULL, NULL, &t, NULL), 0);
	assert_int_equal(tree_find(t, "a", &n, NULL, NULL), 0);
	digest_of("one", 3, &d);
	x = index_load(f->dir, &st);
	assert_false(index_find(x, n, &back));
	/* hashed in the moment of its last change: not to be trusted */
	index_add(x, n, &d, n->ctime_ns + 1000);
	index_save(x, f->dir);
	index_free(x);
	x = index_load(f->dir, &st);
	assert_false(index_find(x, n, &back));
	index_add(x, n, &d, n->ctime_ns + 5000000000);
	index_save(x, f->dir);
	index_free(x);
	x = index_load(f->dir, &st);
	assert_true(index_find(x, n, &back));
	assert_true(digest_eq(&d, &back));
	/* the same name, size and mtime, but changed: only ctime tells */
	n->ctime_ns += 1;
	assert_false(index_find(x, n, &back));
	index_free(x);
	tree_free(t);
}

static void test_broken_index_is_empty(void **state)
{
	struct fixture *f = *state;
	struct tree_index *x;
	struct stat st;
	char name[64];

	fstat(f->context, &st);
	snprintf(name, sizeof(name), "context-%llx-%llx", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	write_file(f->dir, name, "stavectx1 and then nonsense of some length");
	x = index_load(f->dir, &st);
	assert_non_null(x);
	index_free(x);
}

static void test_hash_ignores_times_only(void **state)
{
	struct fixture *f = *state;
	struct timespec old[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
	struct digest seen[4];

	for (int i = 0; i < 4; i++) {
		struct copy_spec c = {0};
		AUTO(selection) struct selection sel = {0};
		struct tree *t;

		if (i == 1)
			utimensat(f->context, "d/f", old, 0);
		else if (i == 2)
			fchmodat(f->context, "d/f", 0600, 0);
		else if (i == 3)
			write_file(f->context, "d/f", "THREE");
		strlist_add(&c.sources, "d");
		assert_int_equal(tree_open(f->context, "c", NULL, NULL, &t, NULL), 0);
		assert_int_equal(select_sources(t, &c, &sel, NULL), 0);
		assert_int_equal(selection_digest_all(t, &sel, NULL), 0);
		selection_hash(&sel, false, &seen[i]);
		tree_free(t);
		strlist_clear(&c.sources);
	}
	assert_true(digest_eq(&seen[0], &seen[1]));
	assert_false(digest_eq(&seen[1], &seen[2]));
	assert_false(digest_eq(&seen[2], &seen[3]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chmod),
		TEST(test_directory),
		TEST(test_files),
		TEST(test_last_source_wins),
		TEST(test_nothing_matches),
		TEST(test_links_stay_in_the_context),
		TEST(test_ignore),
		TEST(test_conflicts),
		TEST(test_changed_file_is_noticed),
		TEST(test_hard_links),
		TEST(test_index),
		TEST(test_broken_index_is_empty),
		TEST(test_hash_ignores_times_only),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
