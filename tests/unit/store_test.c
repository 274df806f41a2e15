/* SPDX-License-Identifier: Apache-2.0 */
/* store: rows and bytes, leases of the dead, collection, check. */
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/limits.h"
#include "store_fixture.h"

/* Where the file system knows the hint at all: other directories of the store do not have it.
 */
static void test_layers_are_spread(void **state)
{
	struct fixture *f = *state;
	int layers = 0, cache = FS_TOPDIR_FL, probe = FS_TOPDIR_FL;
	AUTO(fd) int fd = -1;

	assert_int_equal(mkdirat(store_dir(f->s, STORE_CACHE), "probe", 0700), 0);
	fd = openat(store_dir(f->s, STORE_CACHE), "probe", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ioctl(fd, FS_IOC_SETFLAGS, &probe) < 0)
		skip();
	assert_int_equal(ioctl(store_dir(f->s, STORE_LAYERS), FS_IOC_GETFLAGS, &layers), 0);
	assert_int_equal(ioctl(store_dir(f->s, STORE_CACHE), FS_IOC_GETFLAGS, &cache), 0);
	assert_true(layers & FS_TOPDIR_FL);
	assert_false(cache & FS_TOPDIR_FL);
}

/* A layer with one file, whose name makes its digest. */
static void add_layer(struct fixture *f, struct lease *l, const char *name,
		      struct store_layer *out)
{
	AUTO(fd) int fd = -1;

	*out = (struct store_layer){.content_bytes = 4, .tar_bytes = 2048, .entries = 1};
	digest_of(name, strlen(name), &out->diff_id);
	assert_int_equal(store_layer_new(f->s, l, out->dir, NULL), 0);
	assert_int_equal(store_layer_open(f->s, out->dir, &fd, NULL), 0);
	assert_int_equal(io_write_file(fd, name, "data", 4, 0644, 0, NULL), 0);
	assert_int_equal(store_layer_commit(f->s, out, NULL), 0);
}

static void add_image(struct fixture *f, const char *text, const struct store_layer *layer,
		      const char *name, struct digest *out)
{
	AUTO(free) char *manifest = mem_printf("manifest of %s", text);
	struct store_image row = {.size = 4};
	struct digest id = layer->diff_id;
	struct digest_list ids = {.items = &id, .n = 1};

	assert_int_equal(store_blob_write(f->s, text, strlen(text), &row.id, NULL), 0);
	assert_int_equal(
		store_blob_write(f->s, manifest, strlen(manifest), &row.manifest, NULL), 0);
	assert_int_equal(store_image_add(f->s, &row, &ids, NULL), 0);
	assert_int_equal(store_image_add(f->s, &row, &ids, NULL), 0);
	if (name)
		assert_int_equal(store_name_set(f->s, name, &row.id, NULL, NULL), 0);
	*out = row.id;
}

struct problems {
	unsigned n, fixed;
};

static void on_problem(void *data, const char *text, bool fixed)
{
	struct problems *p = data;

	(void)text;
	p->n++;
	p->fixed += fixed;
}

static struct problems check(struct fixture *f, bool repair)
{
	struct problems p = {0};
	struct store_problem_sink sink = {.problem = on_problem, .data = &p};

	assert_int_equal(store_check(f->s, repair, &sink, NULL), 0);
	return p;
}

static unsigned count_entries(struct fixture *f, enum store_place place)
{
	AUTO(dir_list) struct dir_list list = {0};

	assert_int_equal(dir_list_read(store_dir(f->s, place), &list, NULL), 0);
	return (unsigned)list.n;
}

static void test_images_and_names(void **state)
{
	struct fixture *f = *state;
	AUTO(store_image_list) struct store_image_list list = {0};
	struct digest_list found = {0};
	AUTO(lease) struct lease *l = NULL;
	struct store_layer layer;
	struct digest a, b, id;
	char hex[DIGEST_HEX_SIZE];
	bool changed;

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	add_layer(f, l, "one", &layer);
	add_image(f, "config a", &layer, "docker.io/library/x:1", &a);
	add_image(f, "config b", &layer, NULL, &b);
	assert_int_equal(store_name_find(f->s, "docker.io/library/x:1", &id, NULL), 0);
	assert_true(digest_eq(&id, &a));
	assert_int_equal(store_name_set(f->s, "docker.io/library/x:1", &b, &changed, NULL), 0);
	assert_true(changed);
	assert_int_equal(store_name_set(f->s, "docker.io/library/x:1", &b, &changed, NULL), 0);
	assert_false(changed);
	assert_int_equal(store_repo_digest_add(f->s, "r/x@sha256:1", &a, NULL), 0);
	assert_int_equal(store_repo_digest_add(f->s, "q/x@sha256:1", &a, NULL), 0);
	assert_int_equal(store_image_list(f->s, &list, NULL), 0);
	assert_int_equal(list.n, 2);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(list.items[i].digests.n,
				 digest_eq(&list.items[i].id, &a) ? 2 : 0);
	digest_hex(&a, hex);
	hex[7] = 0;
	assert_int_equal(store_image_prefix(f->s, hex, 2, &found, NULL), 0);
	assert_int_equal(found.n, 1);
	free(found.items);
	lease_end(take_ptr(l));
	reopen(f);
	assert_int_equal(store_name_find(f->s, "docker.io/library/x:1", &id, NULL), 0);
	assert_int_equal(check(f, false).n, 0);
}

static void test_blob_is_verified(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	AUTO(buf) struct buf out = BUF_INIT;
	struct digest d;
	char hex[DIGEST_HEX_SIZE];

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	assert_int_equal(store_blob_write(f->s, "hello", 5, &d, NULL), 0);
	assert_int_equal(store_blob_read(f->s, &d, 10, &out, NULL), 0);
	assert_int_equal(store_blob_read(f->s, &d, 4, &out, NULL), -ERR_LIMIT);
	buf_reset(&out);
	assert_int_equal(io_write_file(store_dir(f->s, STORE_BLOBS), digest_hex(&d, hex),
				       "hellO", 5, 0600, 0, NULL),
			 0);
	buf_reset(&out);
	assert_int_equal(store_blob_read(f->s, &d, 10, &out, NULL), -ERR_CORRUPT);
}

static void test_same_layer_twice(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	struct store_layer a, b;

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	add_layer(f, l, "one", &a);
	add_layer(f, l, "one", &b);
	assert_string_equal(a.dir, b.dir);
	assert_int_equal(count_entries(f, STORE_LAYERS), 1);
}

/* Whatever a killed command left is gone after the next one has opened the store. */
static void test_dead_lease_is_undone(void **state)
{
	struct fixture *f = *state;
	pid_t pid;
	int status;

	store_close(f->s);
	f->s = NULL;
	pid = fork();
	if (pid == 0) {
		struct store *s = NULL;
		struct lease *l = NULL;
		struct digest d;
		char dir[STORE_LAYER_DIR_SIZE];

		if (store_open(f->path, NULL, NULL, &s, NULL) < 0 ||
		    lease_new(s, &l, NULL) < 0 || store_layer_new(s, l, dir, NULL) < 0 ||
		    store_blob_write(s, "orphan", 6, &d, NULL) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(store_open(f->path, NULL, NULL, &f->s, NULL), 0);
	assert_int_equal(count_entries(f, STORE_LAYERS), 0);
	assert_int_equal(count_entries(f, STORE_LEASES), 0);
	assert_int_equal(check(f, false).n, 0);
}

static _Noreturn void open_again_and_again(const char *path)
{
	for (;;) {
		struct store *s = NULL;

		if (store_open(path, NULL, NULL, &s, NULL) < 0)
			_exit(1);
		store_close(s);
	}
}

/* Others reap what is not locked yet; a lease that was given out is there. */
static void test_new_lease_stays(void **state)
{
	struct fixture *f = *state;
	pid_t others[2];

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if ((others[i] = fork()) == 0)
			open_again_and_again(f->path);
	for (int i = 0; i < 3000; i++) {
		struct lease *l = NULL;

		assert_int_equal(lease_new(f->s, &l, NULL), 0);
		assert_int_equal(count_entries(f, STORE_LEASES), 1);
		lease_end(l);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		kill(others[i], SIGKILL);
		waitpid(others[i], NULL, 0);
	}
}

/* A living command's lease is nobody else's business. */
static void test_living_lease_stays(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	AUTO(store) struct store *other = NULL;
	char dir[STORE_LAYER_DIR_SIZE];

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	assert_int_equal(store_layer_new(f->s, l, dir, NULL), 0);
	assert_int_equal(store_open(f->path, NULL, NULL, &other, NULL), 0);
	assert_int_equal(count_entries(f, STORE_LAYERS), 1);
}

/* A container that is started again for ever notes the same with each start. */
static void test_lease_does_not_grow(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	AUTO(map) struct map held = MAP_INIT;

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(lease_note(l, "endpoint", "a container", NULL), 0);
		assert_int_equal(lease_note(l, "cgroup", "its group", NULL), 0);
	}
	assert_int_equal(store_leased(f->s, "cgroup", &held, NULL), 0);
	assert_true(map_has(&held, "its group"));
	assert_int_equal(held.live, 1);
}

static void test_collect(void **state)
{
	struct fixture *f = *state;
	struct store_collected c;
	AUTO(lease) struct lease *l = NULL;
	AUTO(store) struct store *other = NULL;
	struct store_layer keep, drop, step_layer;
	struct store_step step = {.created_ns = 1};
	struct digest kept, gone;

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	add_layer(f, l, "keep", &keep);
	add_layer(f, l, "drop", &drop);
	add_layer(f, l, "step", &step_layer);
	add_image(f, "kept", &keep, NULL, &kept);
	add_image(f, "gone", &drop, NULL, &gone);
	digest_of("key", 3, &step.key);
	step.diff_id = step_layer.diff_id;
	assert_int_equal(store_step_add(f->s, &step, NULL), 0);
	lease_end(take_ptr(l));
	assert_int_equal(store_image_remove(f->s, &gone, NULL), 0);

	/* another command is at work: nothing happens */
	assert_int_equal(store_open(f->path, NULL, NULL, &other, NULL), 0);
	assert_int_equal(store_collect(f->s, &c, NULL), 0);
	assert_int_equal(c.layers, 0);
	store_collected_clear(&c);
	store_close(take_ptr(other));

	assert_int_equal(store_collect(f->s, &c, NULL), 0);
	assert_int_equal(c.layers, 1);
	assert_int_equal(c.blobs, 2);
	store_collected_clear(&c);
	assert_int_equal(count_entries(f, STORE_LAYERS), 2);
	assert_int_equal(store_forget_steps(f->s, NULL), 0);
	assert_int_equal(store_collect(f->s, &c, NULL), 0);
	assert_int_equal(c.layers, 1);
	store_collected_clear(&c);
	assert_int_equal(check(f, false).n, 0);
}

static void test_check_finds_and_mends(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	struct store_layer a, b;
	struct digest ia, ib;
	struct problems p;
	char hex[DIGEST_HEX_SIZE];

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	add_layer(f, l, "a", &a);
	add_layer(f, l, "b", &b);
	add_image(f, "image a", &a, NULL, &ia);
	add_image(f, "image b", &b, NULL, &ib);
	lease_end(take_ptr(l));
	unlinkat(store_dir(f->s, STORE_BLOBS), digest_hex(&ia, hex), 0);
	root_remove(store_dir(f->s, STORE_LAYERS), b.dir, NULL);
	mkdirat(store_dir(f->s, STORE_LAYERS), "stranger", 0700);
	p = check(f, false);
	assert_int_equal(p.n, 3);
	assert_int_equal(p.fixed, 0);
	p = check(f, true);
	assert_true(p.n >= 3);
	assert_int_equal(p.fixed, p.n);
	assert_int_equal(check(f, false).n, 0);
}

static void test_sync_and_drop(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	struct store_layer layer, found;

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	add_layer(f, l, "x", &layer);
	assert_int_equal(store_layer_find(f->s, &layer.diff_id, &found, NULL), 0);
	assert_false(found.doubtful);
	assert_int_equal(store_layers_sync(f->s, NULL), 0);
	assert_int_equal(store_layer_find(f->s, &layer.diff_id, &found, NULL), 0);
	assert_false(found.doubtful);
	assert_int_equal(store_layer_drop(f->s, &layer.diff_id, NULL), 0);
	assert_int_equal(store_layer_find(f->s, &layer.diff_id, &found, NULL), -ERR_NOT_FOUND);
}

static void test_container_names(void **state)
{
	struct fixture *f = *state;
	char id[] = "aaaa", id2[] = "bbbb", name[] = "web", image[] = "x",
	     created[] = "created";
	struct store_container c = {
		.id = id, .name = name, .image_name = image, .state = created};
	AUTO(store_container_list) struct store_container_list list = {0};

	assert_int_equal(store_container_add(f->s, &c, NULL), 0);
	c.id = id2;
	assert_int_equal(store_container_add(f->s, &c, NULL), -ERR_EXISTS);
	assert_int_equal(store_container_list(f->s, &list, NULL), 0);
	assert_int_equal(list.n, 1);
	assert_int_equal(store_container_remove(f->s, id, NULL), 0);
	assert_int_equal(store_container_add(f->s, &c, NULL), 0);
}

static size_t count_named(struct fixture *f, const char *text, char *out_name)
{
	AUTO(store_container_list) struct store_container_list list = {0};

	assert_int_equal(store_container_named(f->s, text, &list, NULL), 0);
	if (list.n)
		snprintf(out_name, 16, "%s", list.items[0].name);
	return list.n;
}

static void test_containers_are_found(void **state)
{
	struct fixture *f = *state;
	const char *const rows[][2] = {{"aabb", "web"}, {"aacc", "db"}, {"ab00", "aa"}};
	char name[16] = "";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(store_container)
		struct store_container c = {.id = mem_strdup(rows[i][0]),
					    .name = mem_strdup(rows[i][1]),
					    .image_name = mem_strdup("x"),
					    .state = mem_strdup("created")};

		assert_int_equal(store_container_add(f->s, &c, NULL), 0);
	}
	assert_int_equal(count_named(f, "aabb", name), 1);
	assert_string_equal(name, "web");
	assert_int_equal(count_named(f, "/db", name), 1);
	assert_string_equal(name, "db");
	/* two by the id, one by the name: whoever asks has to choose */
	assert_int_equal(count_named(f, "aa", name), 3);
	assert_int_equal(count_named(f, "ab0", name), 1);
	assert_int_equal(count_named(f, "aabbc", name), 0);
	assert_int_equal(count_named(f, "we", name), 0);
}

static void take(struct fixture *f, struct lease *l, const char *id, enum store_sharing how,
		 struct store_cache_use *out)
{
	struct digest key;

	digest_of(id, strlen(id), &key);
	assert_int_equal(store_cache_take(f->s, l, &key, id, how, out, NULL), 0);
}

static void test_cache_mounts_are_shared(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	AUTO(store_cache_use) struct store_cache_use a = STORE_CACHE_USE_INIT;
	AUTO(store_cache_use) struct store_cache_use b = STORE_CACHE_USE_INIT;
	AUTO(store_cache_use) struct store_cache_use c = STORE_CACHE_USE_INIT;
	AUTO(store_cache_use) struct store_cache_use d = STORE_CACHE_USE_INIT;

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	take(f, l, "/root", STORE_SHARING_SHARED, &a);
	take(f, l, "/root", STORE_SHARING_SHARED, &b);
	assert_string_equal(a.dir, b.dir);
	/* private: not the one that others have; shared: not the one that is private now */
	take(f, l, "/root", STORE_SHARING_PRIVATE, &c);
	assert_string_not_equal(a.dir, c.dir);
	store_cache_release(&a);
	store_cache_release(&b);
	take(f, l, "/root", STORE_SHARING_PRIVATE, &d);
	assert_string_equal(a.dir, d.dir);
	take(f, l, "/root", STORE_SHARING_SHARED, &a);
	assert_string_not_equal(a.dir, c.dir);
	assert_string_not_equal(a.dir, d.dir);
	assert_false(a.waits);
}

static void test_locked_cache_mount_waits(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	AUTO(store_cache_use) struct store_cache_use a = STORE_CACHE_USE_INIT;
	AUTO(store_cache_use) struct store_cache_use b = STORE_CACHE_USE_INIT;

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	take(f, l, "apt", STORE_SHARING_LOCKED, &a);
	assert_false(a.waits);
	take(f, l, "apt", STORE_SHARING_LOCKED, &b);
	assert_true(b.waits);
	assert_string_equal(a.dir, b.dir);
	assert_int_equal(io_lock(b.turn, true, false, NULL), -ERR_CONFLICT);
	store_cache_release(&a);
	assert_int_equal(io_lock(b.turn, true, false, NULL), 0);
}

static void test_cache_mount_upkeep(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	AUTO(store_cache_use) struct store_cache_use a = STORE_CACHE_USE_INIT;
	AUTO(store_cache_list) struct store_cache_list list = {0};
	AUTO(fd) int dir = -1;
	static char data[100000];

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	take(f, l, "npm", STORE_SHARING_SHARED, &a);
	dir = openat(store_dir(f->s, STORE_CACHE_MOUNTS), a.dir, O_RDONLY | O_DIRECTORY);
	memset(data, 'x', sizeof(data));
	assert_int_equal(io_write_file(dir, "file", data, sizeof(data), 0644, 0, NULL), 0);
	assert_int_equal(linkat(dir, "file", dir, "link", 0), 0);
	assert_int_equal(store_cache_list(f->s, true, &list, NULL), 0);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.items[0].id, "npm");
	assert_true(list.items[0].in_use);
	assert_in_range(list.items[0].bytes, sizeof(data), 3 * sizeof(data) / 2);
	assert_int_equal(list.items[0].uses, 1);
	assert_int_equal(store_cache_remove(f->s, a.dir, NULL), -ERR_CONFLICT);
	store_cache_release(&a);
	assert_int_equal(store_cache_remove(f->s, a.dir, NULL), 0);
	assert_int_equal(count_entries(f, STORE_CACHE_MOUNTS), 0);
	store_cache_list_clear(&list);
	assert_int_equal(store_cache_list(f->s, false, &list, NULL), 0);
	assert_int_equal(list.n, 0);
	assert_int_equal(store_cache_remove(f->s, a.dir, NULL), 0);
}

static void test_cache_mounts_are_checked(void **state)
{
	struct fixture *f = *state;
	AUTO(lease) struct lease *l = NULL;
	AUTO(store_cache_use) struct store_cache_use a = STORE_CACHE_USE_INIT;
	struct problems p;

	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	take(f, l, "go", STORE_SHARING_SHARED, &a);
	store_cache_release(&a);
	lease_end(take_ptr(l));
	reopen(f);
	assert_int_equal(count_entries(f, STORE_CACHE_MOUNTS), 1);
	root_remove(store_dir(f->s, STORE_CACHE_MOUNTS), a.dir, NULL);
	mkdirat(store_dir(f->s, STORE_CACHE_MOUNTS), "stranger", 0700);
	p = check(f, false);
	assert_int_equal(p.n, 2);
	p = check(f, true);
	assert_int_equal(p.fixed, p.n);
	assert_int_equal(check(f, false).n, 0);
}

static void test_newer_store_is_refused(void **state)
{
	struct fixture *f = *state;
	AUTO(error) struct error err = ERROR_INIT;
	struct store *again = NULL;
	static const unsigned char version[4] = {0, 0, 0, 99};
	AUTO(free) char *fresh = mem_printf("%s/newer", f->path);
	AUTO(free) char *fresh_db = mem_printf("%s/newer/stave.db", f->path);
	AUTO(fd) int fd = -1;

	/* a database file that has nothing but a version of its own */
	assert_int_equal(store_open(fresh, NULL, NULL, &again, NULL), 0);
	store_close(again);
	AUTO(free) char *fresh_wal = mem_printf("%s-wal", fresh_db);
	unlink(fresh_wal);
	fd = open(fresh_db, O_WRONLY);
	assert_true(fd >= 0);
	/* sqlite.org/fileformat: the user version is at offset 60, big-endian */
	assert_int_equal(pwrite(fd, version, 4, 60), 4);
	assert_int_equal(store_open(fresh, NULL, NULL, &again, &err), -ERR_UNSUPPORTED);
	assert_non_null(err.hint);
}

/* Each command is a process that writes little and opens the log anew. */
static void test_log_stays_short(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 300; i++) {
		struct digest key;
		struct stat st;

		digest_of(&i, sizeof(i), &key);
		assert_int_equal(store_memo_add(f->s, &key, &key, NULL), 0);
		reopen(f);
		assert_int_equal(fstatat(store_dir(f->s, STORE_ROOT), "stave.db-wal", &st, 0),
				 0);
		assert_in_range(st.st_size, 0, 300 * 4120);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_layers_are_spread),
		TEST(test_images_and_names),
		TEST(test_blob_is_verified),
		TEST(test_same_layer_twice),
		TEST(test_dead_lease_is_undone),
		TEST(test_new_lease_stays),
		TEST(test_living_lease_stays),
		TEST(test_lease_does_not_grow),
		TEST(test_collect),
		TEST(test_check_finds_and_mends),
		TEST(test_sync_and_drop),
		TEST(test_container_names),
		TEST(test_containers_are_found),
		TEST(test_newer_store_is_refused),
		TEST(test_log_stays_short),
		TEST(test_cache_mounts_are_shared),
		TEST(test_locked_cache_mount_waits),
		TEST(test_cache_mount_upkeep),
		TEST(test_cache_mounts_are_checked),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
