/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer: archives that want out.  Beside the tree stands a canary; whatever an
 * archive does, refused or not, the canary must be as it was.
 */
#include "layer_fixture.h"

#include "base/limits.h"

#include "base/banned.h"

#define DEEP 5000

struct place {
	char path[64];
	int fd;
	int tree;
	struct layer_info canary;
};

static struct layer_info describe(int at, const char *name)
{
	AUTO(fd) int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct layer_info info;

	assert_int_equal(layer_describe(fd, NULL, &info, NULL), 0);
	return info;
}

static int set_up(void **state)
{
	struct place *p = mem_new(struct place);
	AUTO(fd) int canary = -1;

	p->fd = scratch_open(p->path);
	p->tree = make_dir(p->fd, "tree");
	canary = make_dir(p->fd, "canary");
	make_file(canary, "file", "untouched");
	make_file(canary, "secret", "hidden");
	p->canary = describe(p->fd, "canary");
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	close(p->tree);
	scratch_close(p->fd, p->path);
	free(p);
	return 0;
}

static const enum layer_unpack_mode modes[] = {LAYER_UNPACK_TREE, LAYER_UNPACK_LAYER,
					       LAYER_UNPACK_ADD, LAYER_UNPACK_CONTEXT};

/* Unpacks in each mode into an emptied tree; @want ERR_NONE: it is taken. */
static void attack(struct place *p, const struct buf *tar, enum error_code want)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		AUTO(error) struct error err = ERROR_INIT;
		struct layer_info canary;
		struct dir_list list = {0};
		int r;

		assert_int_equal(root_empty(p->tree, NULL), 0);
		r = unpack_tar(modes[i], tar, p->tree, &err);
		if (r != -(int)want)
			fail_msg("mode %d: want %d, got %d: %s", modes[i], -(int)want, r,
				 err.message ? err.message : "");
		canary = describe(p->fd, "canary");
		assert_true(digest_eq(&canary.diff_id, &p->canary.diff_id));
		assert_int_equal(look(p->fd, "canary/file").st_nlink, 1);
		assert_int_equal(dir_list_read(p->fd, &list, NULL), 0);
		assert_int_equal(list.n, 2); /* nothing new beside them */
		dir_list_clear(&list);
	}
}

static void attack_with(struct place *p, enum error_code want, const struct raw_entry *entries,
			size_t n)
{
	AUTO(buf) struct buf tar = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		raw_add(&tar, &entries[i]);
	raw_end(&tar);
	attack(p, &tar, want);
}

#define ATTACK(p, want, ...)                                              \
	attack_with((p), (want), (const struct raw_entry[]){__VA_ARGS__}, \
		    sizeof((const struct raw_entry[]){__VA_ARGS__}) /     \
			    sizeof(struct raw_entry))

static void test_names(void **state)
{
	static const char *const names[] = {"../canary/file",	"a/../../canary/file", "..",
					    "./../canary/file", "/../canary/file",     "a/..",
					    "canary/.."};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ATTACK(*state, ERR_ESCAPE, {.name = names[i], .data = "overwritten"});
		ATTACK(*state, ERR_ESCAPE, {.name = names[i], .type = '5'});
		ATTACK(*state, ERR_ESCAPE, {.name = names[i], .type = '2', .link = "x"});
	}
}

static void test_absolute_names(void **state)
{
	struct place *p = *state;
	AUTO(free) char *name = mem_printf("%s/canary/file", p->path);

	ATTACK(p, ERR_NONE, {.name = name, .data = "inside"});
	assert_text(p->tree, name, "inside");
}

/* The classic: a link first, then a file through it. */
static void test_through_links(void **state)
{
	struct place *p = *state;
	AUTO(free) char *absolute = mem_printf("%s/canary", p->path);
	AUTO(free) char *file = mem_printf("%s/canary/file", p->path);

	ATTACK(p, ERR_INVALID, {.name = "l", .type = '2', .link = absolute},
	       {.name = "l/file", .data = "overwritten"});
	ATTACK(p, ERR_INVALID, {.name = "l", .type = '2', .link = "../canary"},
	       {.name = "l/file", .data = "overwritten"});
	ATTACK(p, ERR_INVALID, {.name = "l", .type = '2', .link = "../canary"},
	       {.name = "l/new/dir/", .type = '5'});
	/* the link's own root has no such place until the archive makes one */
	ATTACK(p, ERR_NONE, {.name = "l", .type = '2', .link = "../canary"},
	       {.name = "canary/", .type = '5', .mode = "0000755"},
	       {.name = "l/file", .data = "inside"});
	assert_text(p->tree, "canary/file", "inside");
	/* a file in the place of a link is a file, not what the link leads to */
	ATTACK(p, ERR_NONE, {.name = "f", .type = '2', .link = file},
	       {.name = "f", .data = "overwritten"});
	assert_text(p->tree, "f", "overwritten");
	ATTACK(p, ERR_NONE, {.name = "f", .type = '2', .link = file},
	       {.name = "f", .type = '3', .major = "0000001", .minor = "0000003"});
	ATTACK(p, ERR_NONE, {.name = "d", .type = '2', .link = absolute},
	       {.name = "d", .type = '5', .mode = "0000777"});
	assert_int_equal(look(p->fd, "canary").st_mode & 07777, 0755);
}

/* A directory that was made, noted for its times, and then became a link. */
static void test_late_directories(void **state)
{
	struct place *p = *state;
	AUTO(free) char *absolute = mem_printf("%s/canary", p->path);
	struct stat before = look(p->fd, "canary"), after;

	ATTACK(p, ERR_NONE, {.name = "d/", .type = '5', .mode = "0000777", .uid = "0000777"},
	       {.name = "d", .type = '2', .link = absolute});
	ATTACK(p, ERR_NONE, {.name = "d/", .type = '5', .mode = "0000777", .uid = "0000777"},
	       {.name = "d", .type = '2', .link = "../canary"});
	after = look(p->fd, "canary");
	assert_int_equal(before.st_mode, after.st_mode);
	assert_int_equal(before.st_uid, after.st_uid);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
}

static void test_hard_links(void **state)
{
	struct place *p = *state;
	AUTO(free) char *file = mem_printf("%s/canary/file", p->path);
	AUTO(buf) struct buf tar = BUF_INIT;

	ATTACK(p, ERR_ESCAPE, {.name = "h", .type = '1', .link = "../canary/file"},
	       {.name = "h", .data = "overwritten"});
	ATTACK(p, ERR_NOT_FOUND, {.name = "h", .type = '1', .link = file});
	ATTACK(p, ERR_NOT_FOUND, {.name = "l", .type = '2', .link = "../canary"},
	       {.name = "h", .type = '1', .link = "l/file"});
	/* to the link itself, then a file in its place, then bytes with a hard link */
	ATTACK(p, ERR_NONE, {.name = "l", .type = '2', .link = file},
	       {.name = "h", .type = '1', .link = "l"}, {.name = "h", .data = "overwritten"});
	assert_true(S_ISLNK(look(p->tree, "l").st_mode));
	assert_text(p->tree, "h", "overwritten");
	/* ustar: a hard link has no bytes, so these are a header, and a bad one */
	ATTACK(p, ERR_CORRUPT, {.name = "l", .type = '2', .link = file},
	       {.name = "h", .type = '1', .link = "l", .data = "overwritten"});
	/* pax: they are there and are those of the target, which stays as it is */
	raw_pax(&tar, "comment", "pax");
	ENTRY(&tar, .name = "a", .data = "first");
	raw_pax(&tar, "comment", "pax");
	ENTRY(&tar, .name = "h", .type = '1', .link = "a", .data = "overwritten");
	raw_end(&tar);
	attack(p, &tar, ERR_NONE);
	assert_text(p->tree, "a", "first");
	ATTACK(p, ERR_SYSTEM, {.name = "d/", .type = '5'},
	       {.name = "h", .type = '1', .link = "d"});
	ATTACK(p, ERR_INVALID, {.name = "h", .type = '1', .link = "h"});
}

static void test_root_itself(void **state)
{
	ATTACK(*state, ERR_INVALID, {.name = ".", .type = '2', .link = "../canary"});
	ATTACK(*state, ERR_INVALID, {.name = "./", .type = '1', .link = "x"});
	ATTACK(*state, ERR_INVALID, {.name = "/", .type = '2', .link = "/"});
	ATTACK(*state, ERR_INVALID, {.name = ".", .data = "a file"});
}

/* Removals may name one component of their directory and nothing else. */
static void test_whiteouts(void **state)
{
	static const char *const names[] = {".wh..", ".wh...", "a/.wh...", ".wh."};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(buf) struct buf tar = BUF_INIT;

		ENTRY(&tar, .name = names[i]);
		raw_end(&tar);
		assert_int_equal(unpack_tar(LAYER_UNPACK_LAYER, &tar, p->tree, NULL),
				 -ERR_ESCAPE);
	}
	ATTACK(p, ERR_INVALID, {.name = "smuggled", .type = '3', .mode = "0000000"});
}

static void test_sizes(void **state)
{
	AUTO(buf) struct buf huge = BUF_INIT;

	ATTACK(*state, ERR_CORRUPT, {.name = "a"}, {.name = "f", .size = "-0000000001"});
	ATTACK(*state, ERR_CORRUPT, {.name = "a"},
	       {.name = "f", .size = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0"});
	ATTACK(*state, ERR_CORRUPT, {.name = "a"},
	       {.name = "f", .size = "\x80\1\1\1\1\1\1\1\1\1\1\1"});
	raw_pax(&huge, "size", "9000000000000000000");
	ENTRY(&huge, .name = "f", .data = "x");
	attack(*state, &huge, ERR_LIMIT);
	ATTACK(*state, ERR_CORRUPT, {.name = "a"}, {.name = "f", .size = "00007777777"});
	ATTACK(*state, ERR_CORRUPT, {.name = "f", .data = "x"},
	       {.name = "g", .data = "x", .broken = true});
	ATTACK(*state, ERR_INVALID, {.name = "f", .data = "x", .broken = true});
}

static void test_truncated(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;
	char text[3000];

	memset(text, 'x', sizeof(text));
	ENTRY(&tar, .name = "a", .data = "whole");
	raw_add_bytes(&tar, &(struct raw_entry){.name = "b"}, text, sizeof(text));
	tar.len -= 1000;
	attack(p, &tar, ERR_CORRUPT);
	tar.len = 512 + 512 + 100;
	attack(p, &tar, ERR_CORRUPT);
	for (size_t cut = 1; cut < 512; cut += 73) {
		AUTO(buf) struct buf part = BUF_INIT;

		buf_add(&part, tar.data, cut);
		attack(p, &part, ERR_INVALID);
	}
}

static void test_garbage(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;
	uint32_t x = 1;

	ENTRY(&tar, .name = "a", .data = "whole");
	for (int i = 0; i < 2048; i++) {
		x = x * 1664525 + 1013904223;
		buf_addch(&tar, (char)(x >> 24));
	}
	attack(p, &tar, ERR_CORRUPT);
}

static void long_name(struct buf *name, size_t component, size_t total)
{
	while (name->len < total) {
		if (name->len % (component + 1) == component)
			buf_addch(name, '/');
		else
			buf_addch(name, 'n');
	}
}

static void test_long_names(void **state)
{
	static const struct {
		size_t component, total;
		enum error_code want;
	} cases[] = {
		{100000, 100000, ERR_LIMIT},
		{200, 100000, ERR_LIMIT},
		{256, 256, ERR_LIMIT},
		{200, 60000, ERR_SYSTEM}, /* the kernel's PATH_MAX */
	};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf tar = BUF_INIT, link = BUF_INIT, name = BUF_INIT;

		long_name(&name, cases[i].component, cases[i].total);
		raw_pax(&tar, "path", buf_str(&name));
		ENTRY(&tar, .name = "short", .data = "x");
		raw_end(&tar);
		attack(p, &tar, cases[i].want);
		raw_pax(&link, "linkpath", buf_str(&name));
		ENTRY(&link, .name = "short", .type = '2', .link = "cut");
		raw_end(&link);
		attack(p, &link, cases[i].total > 4095 ? ERR_LIMIT : ERR_NONE);
	}
}

static void test_deep(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT, name = BUF_INIT;

	for (int i = 0; i < DEEP; i++)
		buf_addstr(&name, "d/");
	raw_pax(&tar, "path", buf_str(&name));
	ENTRY(&tar, .name = "short", .type = '5', .mode = "0000755");
	raw_end(&tar);
	attack(p, &tar, ERR_SYSTEM);
}

/* Headers that say they are huge: refused before there is memory for them. */
static void test_bombs(void **state)
{
	static const char types[] = {'x', 'g', 'L', 'K'};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(types); i++) {
		AUTO(buf) struct buf tar = BUF_INIT;

		ENTRY(&tar, .name = "bomb", .type = types[i], .size = "77777777777");
		ENTRY(&tar, .name = "f", .data = "x");
		raw_end(&tar);
		attack(p, &tar, ERR_CORRUPT);
	}
	AUTO(buf) struct buf tar = BUF_INIT;
	for (int i = 0; i < 20000; i++)
		raw_pax(&tar, "path", "again");
	ENTRY(&tar, .name = "f", .data = "x");
	raw_end(&tar);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		unpack_tar(modes[i], &tar, p->tree, NULL);
}

static void test_owners(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;

	raw_pax(&tar, "uid", "4294967295");
	ENTRY(&tar, .name = "f", .data = "x");
	raw_end(&tar);
	attack(p, &tar, ERR_INVALID);
	buf_reset(&tar);
	raw_pax(&tar, "gid", "-1");
	ENTRY(&tar, .name = "f", .data = "x");
	raw_end(&tar);
	attack(p, &tar, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absolute_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_through_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_directories, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hard_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_root_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_whiteouts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bombs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_owners, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
