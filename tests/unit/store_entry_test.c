/* SPDX-License-Identifier: Apache-2.0 */
/* store: which things of the build cache go first; what is held stays; bytes are counted. */
#include "store_fixture.h"

#define MB     1000000ull
#define SECOND 1000000000ll

/* ---- the order, on lists alone ---- */

static struct store_entry *add(struct store_entry_list *l, const char *layer, uint64_t disk,
			       int64_t duration_ns, int64_t used_ns)
{
	struct store_entry *e = vec_push(l);

	e->kind = STORE_ENTRY_STEP;
	digest_of(layer, strlen(layer), &e->diff_id);
	e->disk = disk;
	e->duration_ns = duration_ns;
	e->used_ns = used_ns;
	return e;
}

/* The indexes that go, as letters: "bd". */
static const char *chosen(const struct store_entry_list *l, const struct store_prune *how)
{
	static char text[32];
	AUTO(free) bool *gone = mem_zalloc(l->n);
	char *at = text;

	store_entry_choose(l, how, gone);
	for (size_t i = 0; i < l->n; i++)
		if (gone[i])
			*at++ = (char)('a' + i);
	*at = 0;
	return text;
}

static const char *under(const struct store_entry_list *l, uint64_t ceiling)
{
	struct store_prune how = {.has_ceiling = true, .ceiling = ceiling};

	return chosen(l, &how);
}

static void test_cheapest_for_its_bytes_goes_first(void **state)
{
	struct store_entry_list l = {0};

	(void)state;
	add(&l, "compile", 10 * MB, 600 * SECOND, 1); /* a: dear */
	add(&l, "copy", 100 * MB, SECOND / 10, 9);    /* b: cheap, though used last */
	add(&l, "install", 200 * MB, 30 * SECOND, 5); /* c */
	add(&l, "nothing", 0, 60 * SECOND, 0);	      /* d: frees nothing */
	assert_int_equal(store_entry_bytes(&l), 310 * MB);
	assert_string_equal(under(&l, 310 * MB), "");
	assert_string_equal(under(&l, 309 * MB), "b");
	assert_string_equal(under(&l, 210 * MB), "b");
	assert_string_equal(under(&l, 209 * MB), "bc");
	assert_string_equal(under(&l, 10 * MB), "bc");
	assert_string_equal(under(&l, 0), "abc");
	free(l.items);
}

static void test_equal_worth_least_recently_used_first(void **state)
{
	struct store_entry_list l = {0};

	(void)state;
	add(&l, "one", 10 * MB, SECOND, 30);
	add(&l, "two", 10 * MB, SECOND, 10);
	/* within a power of two it counts as the same */
	add(&l, "three", 10 * MB, SECOND + SECOND / 10, 20);
	assert_string_equal(under(&l, 20 * MB), "b");
	assert_string_equal(under(&l, 10 * MB), "bc");
	assert_string_equal(under(&l, 0), "abc");
	free(l.items);
}

static void test_layer_with_two_records_counts_once_and_goes_whole(void **state)
{
	struct store_entry_list l = {0};

	(void)state;
	add(&l, "same", 10 * MB, SECOND, 10);
	add(&l, "other", 10 * MB, 100 * SECOND, 10);
	add(&l, "same", 10 * MB, SECOND, 90);
	assert_int_equal(store_entry_bytes(&l), 20 * MB);
	assert_string_equal(under(&l, 10 * MB), "ac");
	l.items[2].busy =
		true; /* one that stays keeps the bytes: no use in the other's going */
	assert_string_equal(under(&l, 10 * MB), "b");
	free(l.items);
}

static void test_what_frees_nothing_stays_under_a_ceiling(void **state)
{
	struct store_entry_list l = {0};
	struct store_prune all = {.all = true};
	struct store_prune dangling = {0};
	struct store_prune old = {.all = true, .used_before_ns = 50};

	(void)state;
	add(&l, "image's", 100 * MB, 0, 10)->shared = true;
	add(&l, "mine", 10 * MB, SECOND, 60);
	add(&l, "held", 10 * MB, 0, 10)->busy = true;
	assert_int_equal(store_entry_bytes(&l), 20 * MB);
	assert_string_equal(under(&l, 0), "b");
	assert_string_equal(chosen(&l, &dangling), "b");
	assert_string_equal(chosen(&l, &all), "ab");
	assert_string_equal(chosen(&l, &old), "a");
	free(l.items);
}

static void test_internal_files_need_all_or_a_ceiling(void **state)
{
	struct store_entry_list l = {0};
	struct store_prune all = {.all = true};
	struct store_prune dangling = {0};

	(void)state;
	add(&l, "index", MB, 0, 10)->kind = STORE_ENTRY_FILE;
	add(&l, "mount", MB, SECOND, 10)->kind = STORE_ENTRY_MOUNT;
	assert_string_equal(chosen(&l, &dangling), "b");
	assert_string_equal(chosen(&l, &all), "ab");
	assert_string_equal(under(&l, MB), "a");
	free(l.items);
}

/* ---- in a store ---- */

/* A layer with one file of @bytes and a record, under a lease of its own. */
static void add_step(struct fixture *f, const char *name, size_t bytes, struct store_layer *out)
{
	AUTO(lease) struct lease *l = NULL;
	AUTO(free) char *data = mem_zalloc(bytes + 1);
	AUTO(fd) int fd = -1;
	struct store_step step = {.created_ns = 1, .duration_ns = 1000};

	*out = (struct store_layer){.entries = 1};
	memset(data, 'x', bytes);
	assert_int_equal(lease_new(f->s, &l, NULL), 0);
	assert_int_equal(store_layer_new(f->s, l, out->dir, NULL), 0);
	assert_int_equal(store_layer_open(f->s, out->dir, &fd, NULL), 0);
	assert_int_equal(io_write_file(fd, name, data, bytes, 0644, 0, NULL), 0);
	digest_of(name, strlen(name), &out->diff_id);
	assert_int_equal(store_layer_commit(f->s, out, NULL), 0);
	step.diff_id = out->diff_id;
	digest_of(name, strlen(name) + 1, &step.key);
	assert_int_equal(store_step_add(f->s, &step, NULL), 0);
}

static size_t collect(struct fixture *f)
{
	AUTO(store_collected) struct store_collected c = {0};

	assert_int_equal(store_collect(f->s, &c, NULL), 0);
	return c.busy ? 99 : c.layers;
}

static void test_usage_adds_up(void **state)
{
	struct fixture *f = *state;
	AUTO(store_usage) struct store_usage u = {0};
	AUTO(free) char *command = mem_printf("du -s --block-size=1 %s", f->path);
	struct store_layer a, b;
	unsigned long long said = 0;
	FILE *du;

	add_step(f, "layer a", 300000, &a);
	add_step(f, "layer b", 10, &b);
	assert_int_equal(store_usage(f->s, &u, NULL), 0);
	assert_true(u.cache_layers > 300000);
	store_usage_clear(&u);
	assert_int_equal(store_forget_steps(f->s, NULL), 0);
	assert_int_equal(store_usage(f->s, &u, NULL), 0);
	assert_int_equal(u.cache_layers, 0);
	assert_true(u.leftovers > 300000);
	du = popen(command, "re");
	assert_non_null(du);
	assert_int_equal(fscanf(du, "%llu", &said), 1);
	pclose(du);
	assert_int_equal(u.image_bytes + u.cache_layers + u.cache_mounts + u.cache_files +
				 u.container_bytes + u.leftovers + u.database + u.history +
				 u.other,
			 said);
}

static void test_sizes_are_those_of_the_disk(void **state)
{
	struct fixture *f = *state;
	AUTO(store_entry_list) struct store_entry_list l = {0};
	struct store_layer a;
	uint64_t disk;

	add_step(f, "layer a", 300000, &a);
	assert_int_equal(store_entry_list(f->s, &l, NULL), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(store_disk(f->s, STORE_LAYERS, a.dir, &disk, NULL), 0);
	assert_int_equal(l.items[0].disk, disk);
	assert_true(disk >= 300000 && disk < 400000);
}

static void test_hard_links_count_once(void **state)
{
	struct fixture *f = *state;
	AUTO(fd) int fd = -1;
	struct store_layer a;
	uint64_t before, after;

	add_step(f, "layer a", 300000, &a);
	assert_int_equal(store_disk(f->s, STORE_LAYERS, a.dir, &before, NULL), 0);
	assert_int_equal(store_layer_open(f->s, a.dir, &fd, NULL), 0);
	assert_int_equal(linkat(fd, "layer a", fd, "again", 0), 0);
	assert_int_equal(store_disk(f->s, STORE_LAYERS, a.dir, &after, NULL), 0);
	assert_int_equal(before, after);
}

static void test_pinned_layer_is_not_collected(void **state)
{
	struct fixture *f = *state;
	AUTO(store) struct store *build = NULL;
	AUTO(lease) struct lease *l = NULL;
	struct store_layer a, b, pinned;

	add_step(f, "layer a", 10, &a);
	add_step(f, "layer b", 10, &b);
	assert_int_equal(store_open(f->path, NULL, NULL, &build, NULL), 0);
	assert_int_equal(lease_new(build, &l, NULL), 0);
	assert_int_equal(store_layer_pin(build, l, &a.diff_id, &pinned, NULL), 0);
	assert_string_equal(pinned.dir, a.dir);
	assert_int_equal(store_forget_steps(f->s, NULL), 0);
	assert_int_equal(collect(f), 99); /* it is awake: nothing is done */
	store_rest(build);
	assert_int_equal(collect(f), 1);
	assert_int_equal(store_layer_find(f->s, &a.diff_id, &a, NULL), 0);
	assert_int_equal(store_layer_find(f->s, &b.diff_id, &b, NULL), -ERR_NOT_FOUND);
	assert_int_equal(store_layer_pin(build, l, &b.diff_id, &pinned, NULL), -ERR_NOT_FOUND);
	assert_int_equal(store_wake(build, NULL), 0);
	assert_int_equal(collect(f), 99);
	lease_end(take_ptr(l));
	store_close(take_ptr(build));
	assert_int_equal(collect(f), 1);
}

static void test_entry_of_a_command_at_work_is_busy(void **state)
{
	struct fixture *f = *state;
	AUTO(store_entry_list) struct store_entry_list l = {0};
	AUTO(lease) struct lease *lease = NULL;
	struct store_layer a, b;

	add_step(f, "layer a", 10, &a);
	add_step(f, "layer b", 10, &b);
	assert_int_equal(lease_new(f->s, &lease, NULL), 0);
	assert_int_equal(store_layer_pin(f->s, lease, &a.diff_id, &a, NULL), 0);
	assert_int_equal(store_entry_list(f->s, &l, NULL), 0);
	assert_int_equal(l.n, 2);
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(l.items[i].busy, digest_eq(&l.items[i].diff_id, &a.diff_id));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cheapest_for_its_bytes_goes_first),
		cmocka_unit_test(test_equal_worth_least_recently_used_first),
		cmocka_unit_test(test_layer_with_two_records_counts_once_and_goes_whole),
		cmocka_unit_test(test_what_frees_nothing_stays_under_a_ceiling),
		cmocka_unit_test(test_internal_files_need_all_or_a_ceiling),
		TEST(test_usage_adds_up),
		TEST(test_sizes_are_those_of_the_disk),
		TEST(test_hard_links_count_once),
		TEST(test_pinned_layer_is_not_collected),
		TEST(test_entry_of_a_command_at_work_is_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
