/* SPDX-License-Identifier: Apache-2.0 */
/* layer: the canonical stream, and that what is written is what is described. */
#include "layer_fixture.h"

#include <sys/resource.h>

#include "base/process.h"
#include "layer/layer_tar.h"

#include "base/banned.h"

struct place {
	char path[64];
	int fd;
	int layer;
};

static int set_up(void **state)
{
	struct place *p = mem_new(struct place);

	p->fd = scratch_open(p->path);
	p->layer = make_dir(p->fd, "layer");
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	close(p->layer);
	scratch_close(p->fd, p->path);
	free(p);
	return 0;
}

/* Ours, so that an ordinary user can run the test. */
static struct layer_entry entry(const char *path, mode_t mode)
{
	return (struct layer_entry){.path = path,
				    .mode = mode,
				    .uid = geteuid(),
				    .gid = getegid(),
				    .mtime_sec = 1700000000};
}

static void add(struct layer_writer *w, const struct layer_entry *e, const char *text)
{
	AUTO(error) struct error err = ERROR_INIT;
	int r = text ? layer_writer_add_bytes(w, e, text, &err)
		     : layer_writer_add(w, e, -1, &err);

	if (r < 0)
		fail_msg("%s", err.message);
}

static void add_text(struct layer_writer *w, const char *path, const char *text)
{
	struct layer_entry e = entry(path, S_IFREG | 0644);

	e.size = strlen(text);
	add(w, &e, text);
}

static void add_dir(struct layer_writer *w, const char *path)
{
	struct layer_entry e = entry(path, S_IFDIR | 0755);

	add(w, &e, NULL);
}

static void assert_same(const struct layer_info *a, const struct layer_info *b)
{
	char x[DIGEST_TEXT_SIZE], y[DIGEST_TEXT_SIZE];

	assert_int_equal(a->entries, b->entries);
	assert_int_equal(a->tar_bytes, b->tar_bytes);
	assert_int_equal(a->content_bytes, b->content_bytes);
	assert_string_equal(digest_text(&a->diff_id, x), digest_text(&b->diff_id, y));
}

static struct layer_info close_and_compare(struct layer_writer *w, int layer)
{
	AUTO(error) struct error err = ERROR_INIT;
	struct layer_info written, described;

	if (layer_writer_close(w, &written, &err) < 0)
		fail_msg("%s", err.message);
	if (layer_describe(layer, NULL, &described, &err) < 0)
		fail_msg("%s", err.message);
	assert_same(&written, &described);
	return written;
}

static struct layer_writer *open_writer(int layer)
{
	struct layer_writer *w = NULL;

	assert_int_equal(layer_writer_open(layer, &w, NULL), 0);
	return w;
}

static void test_order(void **state)
{
	static const char *const sorted[] = {"a",   "a/b", "a/b/c", "a/b\x01", "a\x01",
					     "a-b", "a.b", "aa",    "b",       "\xc3\xa9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			int c = layer_path_compare(sorted[i], sorted[j]);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
}

static size_t header_blocks(const struct layer_entry *e)
{
	AUTO(buf) struct buf out = BUF_INIT;

	tar_header_add(&out, e);
	assert_int_equal(out.len % TAR_BLOCK, 0);
	assert_true(tar_is_header((const unsigned char *)out.data));
	return out.len / TAR_BLOCK;
}

/* One block where ustar can say it, a pax header and its records where it cannot. */
static void test_header_sizes(void **state)
{
	struct layer_entry e = {.path = "x", .mode = S_IFREG | 0644};
	char path[400];

	(void)state;
	memset(path, 'x', sizeof(path));
	e.path = path;
	path[100] = 0;
	assert_int_equal(header_blocks(&e), 1);
	path[100] = 'x';
	path[101] = 0;
	assert_int_equal(header_blocks(&e), 3);
	path[101] = 'x';
	path[155] = '/'; /* prefix of 155, name of 100 */
	path[256] = 0;
	assert_int_equal(header_blocks(&e), 1);
	path[256] = 'x';
	path[257] = 0;
	assert_int_equal(header_blocks(&e), 3);
	e = (struct layer_entry){.path = "x", .mode = S_IFREG | 0644, .uid = 2097151};
	assert_int_equal(header_blocks(&e), 1);
	e.uid++;
	assert_int_equal(header_blocks(&e), 3);
	e = (struct layer_entry){.path = "x", .mode = S_IFREG, .mtime_sec = -1};
	assert_int_equal(header_blocks(&e), 3);
	e = (struct layer_entry){.path = "x", .mode = S_IFREG, .size = (8ull << 30) - 1};
	assert_int_equal(header_blocks(&e), 1);
	e.size++;
	assert_int_equal(header_blocks(&e), 3);
	path[100] = 0;
	e = (struct layer_entry){.path = "x", .mode = S_IFLNK | 0777, .link = path};
	assert_int_equal(header_blocks(&e), 1);
}

/* The record's length counts itself, also where its own digits make it longer. */
static void test_record_lengths(void **state)
{
	(void)state;
	for (size_t n = 80; n < 1100; n++) {
		AUTO(buf) struct buf out = BUF_INIT;
		AUTO(free) char *value = mem_zalloc(n + 1);
		struct layer_xattr x = {.name = "user.x", .value = value, .size = n};
		struct layer_entry e = {
			.path = "f", .mode = S_IFREG, .xattrs = &x, .nxattrs = 1};
		size_t len, said;

		memset(value, 'v', n);
		tar_header_add(&out, &e);
		len = strtoul(out.data + 124, NULL, 8);
		said = strtoul(out.data + TAR_BLOCK, NULL, 10);
		assert_int_equal(len, said);
		assert_int_equal(out.data[TAR_BLOCK + len - 1], '\n');
	}
}

/* The format itself: a change of this digest is a change of every diff_id ever made. */
static void test_golden(void **state)
{
	static const struct layer_xattr xattrs[] = {{"user.b", "2", 1},
						    {"user.a", "1", 1},
						    {"user.overlay.origin", "no", 2},
						    {"security.selinux", "no", 2}};
	static const struct layer_entry entries[] = {
		{.path = "bin", .mode = S_IFDIR | 0755, .mtime_sec = 1},
		{.path = "bin/sh", .mode = S_IFLNK | 0777, .link = "busybox", .mtime_sec = 2},
		{.path = "dev/null", .mode = S_IFCHR | 0666, .rdev = 0x103, .mtime_sec = 3},
		{.path = "etc/big", .mode = S_IFREG | 04755, .uid = 3000000, .gid = 70000},
		{.path = "etc/hard", .mode = S_IFREG | 0644, .link = "etc/big"},
		{.path = "run/fifo", .mode = S_IFIFO | 0600, .mtime_sec = -5},
		{.path = "x", .mode = S_IFREG | 0600, .xattrs = xattrs, .nxattrs = 4},
	};
	AUTO(buf) struct buf out = BUF_INIT;
	char text[DIGEST_TEXT_SIZE];
	struct digest d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		tar_header_add(&out, &entries[i]);
	digest_of(out.data, out.len, &d);
	assert_string_equal(
		digest_text(&d, text),
		"sha256:d6736650eb6a1d646ba987a510c69728ad3404e91f1887e2ecde145c472addf8");
}

static void add_everything(struct layer_writer *w)
{
	static const char value[] = {0, '\n', (char)0xff, '='};
	struct layer_xattr xattrs[] = {{"user.z", value, sizeof(value)}, {"user.a", "", 0}};
	AUTO(free) char *name = mem_zalloc(256), *path = NULL, *link = NULL;
	struct layer_entry e;

	add_text(w, "a", "text\n");
	add_text(w, "a b", "");
	add_dir(w, "dir");
	e = entry("dir/exact", S_IFREG | 0600);
	e.size = 512;
	AUTO(free) char *block = mem_zalloc(512);
	add(w, &e, block);
	e = entry("dir/link", S_IFLNK | 0777);
	e.link = "../a";
	add(w, &e, NULL);
	add_text(w, "dir/\xff\xfe", "no UTF-8");
	e = entry("dir-x", S_IFDIR | 02711);
	e.mtime_sec = -100;
	add(w, &e, NULL);
	e = entry("fifo", S_IFIFO | 0640);
	add(w, &e, NULL);
	e = entry("hard", S_IFREG | 0123); /* the facts are those of the first name */
	e.link = "a";
	add(w, &e, NULL);
	e = entry("hard2", S_IFREG);
	e.link = "dir/link";
	add(w, &e, NULL);
	memset(name, 'n', 255);
	path = mem_printf("%s", name);
	add_dir(w, path);
	link = mem_printf("%s/%s", name, name);
	e = entry(link, S_IFLNK | 0777);
	e.link = name;
	add(w, &e, NULL);
	e = entry("setuid", S_IFREG | 04755);
	e.size = 3;
	add(w, &e, "abc");
	e = entry("xattr", S_IFREG | 0644);
	e.xattrs = xattrs;
	e.nxattrs = 2;
	add(w, &e, NULL);
}

static void test_all_kinds(void **state)
{
	struct place *p = *state;
	struct layer_writer *w = open_writer(p->layer);
	struct stat st;

	add_everything(w);
	close_and_compare(w, p->layer);
	st = look(p->layer, "dir-x");
	assert_int_equal(st.st_mode & 07777, 02711);
	assert_int_equal(st.st_mtim.tv_sec, -100);
	assert_int_equal(st.st_mtim.tv_nsec, 0);
	assert_int_equal(look(p->layer, "dir").st_mtim.tv_sec, 1700000000);
	assert_int_equal(look(p->layer, "setuid").st_mode & 07777, 04755);
	assert_int_equal(look(p->layer, "hard").st_ino, look(p->layer, "a").st_ino);
	assert_int_equal(look(p->layer, "fifo").st_mode & 07777, 0640);
	assert_text(p->layer, "a", "text\n");
}

/* The same under a narrow mask: modes do not depend on it. */
static void test_mask(void **state)
{
	struct place *p = *state;
	mode_t old = umask(077);
	struct layer_writer *w = open_writer(p->layer);

	add_everything(w);
	umask(old);
	close_and_compare(w, p->layer);
	assert_int_equal(look(p->layer, "a").st_mode & 07777, 0644);
}

/* In a set-group-id directory with a default ACL what is new gets group and mode of it. */
static void test_inherited(void **state)
{
	struct place *p = *state;
	struct layer_writer *w;

	assert_int_equal(fchmod(p->layer, 02755), 0);
	w = open_writer(p->layer);
	add_everything(w);
	close_and_compare(w, p->layer);
	assert_int_equal(look(p->layer, "dir").st_mode & 07777, 0755);
}

static void check_root_kinds(struct place *p)
{
	/* VFS_CAP_REVISION_2, effective: cap_net_raw */
	static const unsigned char capability[20] = {1, 0, 0, 2, 0, 0x20};
	struct layer_xattr cap = {"security.capability", capability, sizeof(capability)};
	struct layer_xattr opaque = {"trusted.overlay.opaque", "y", 1};
	struct layer_entry e;
	struct layer_writer *w;
	char value[64];

	w = open_writer(p->layer);
	e = entry("big", S_IFREG | 06755);
	e.uid = 4000000000u;
	e.gid = 3000000;
	e.xattrs = &cap;
	e.nxattrs = 1;
	e.size = 1;
	add(w, &e, "x");
	e = entry("blk", S_IFBLK | 0660);
	e.rdev = makedev(259, 70000);
	e.gid = 6;
	add(w, &e, NULL);
	e = entry("chr", S_IFCHR | 0666);
	e.rdev = makedev(1, 3);
	add(w, &e, NULL);
	e = entry("gone", S_IFCHR);
	add(w, &e, NULL);
	e = entry("opaque", S_IFDIR | 0700);
	e.uid = 12;
	e.xattrs = &opaque;
	e.nxattrs = 1;
	add(w, &e, NULL);
	add_text(w, "opaque/file", "in it");
	close_and_compare(w, p->layer);
	assert_int_equal(look(p->layer, "big").st_uid, 4000000000u);
	assert_int_equal(look(p->layer, "big").st_mode & 07777, 06755);
	assert_int_equal(look(p->layer, "gone").st_rdev, 0);
	int fd = openat(p->layer, "big", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, cap.name, value, sizeof(value)), 20);
	close(fd);
}

/* A skipped test is not torn down, so this one sets up after the question. */
static void test_root_kinds(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(set_up(state), 0);
	check_root_kinds(*state);
	tear_down(state);
}

struct tar_bytes {
	struct buf data;
};

static int keep(void *data, const void *bytes, size_t len, struct error *err)
{
	(void)err;
	buf_add(data, bytes, len);
	return 0;
}

/* What GNU tar reads in it, each entry a line of its own listing. */
static void list_with_tar(const char *path, const struct buf *tar, struct buf *out)
{
	AUTO(free) char *file = mem_printf("%s/list.tar", path);
	char tar_name[] = "tar", owner[] = "--numeric-owner", utc[] = "--utc", list[] = "-tvf";
	char *argv[] = {tar_name, owner, utc, list, file, NULL};
	AUTO(fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status = -1;

	assert_int_equal(io_write_file(dir, "list.tar", tar->data, tar->len, 0600, 0, NULL), 0);
	assert_int_equal(process_run(argv, NULL, 1 << 20, out, NULL, &status, NULL), 0);
	assert_int_equal(status, 0);
}

static void test_tar_lists_it(void **state)
{
	struct layer_xattr opaque = {"user.overlay.opaque", "y", 1};
	struct place *p = *state;
	struct layer_writer *w = open_writer(p->layer);
	AUTO(buf) struct buf tar = BUF_INIT, listing = BUF_INIT, want = BUF_INIT;
	struct layer_sink sink = {keep, &tar};
	struct layer_info info;
	struct layer_entry e;
	struct digest d;

	add_text(w, "a", "text\n");
	e = entry("dir", S_IFDIR | 0755);
	e.xattrs = &opaque;
	e.nxattrs = 1;
	add(w, &e, NULL);
	e = entry("dir/link", S_IFLNK | 0777);
	e.link = "../a";
	add(w, &e, NULL);
	e = entry("gone", S_IFCHR);
	add(w, &e, NULL);
	e = entry("hard", S_IFREG | 0644);
	e.link = "a";
	add(w, &e, NULL);
	close_and_compare(w, p->layer);
	assert_int_equal(layer_describe(p->layer, &sink, &info, NULL), 0);
	assert_int_equal(info.tar_bytes, tar.len);
	digest_of(tar.data, tar.len, &d);
	assert_true(digest_eq(&d, &info.diff_id));
	list_with_tar(p->path, &tar, &listing);
	for (char *s = listing.data; (s = strstr(s, "  "));)
		memmove(s, s + 1, strlen(s)); /* columns are padded */
	listing.len = strlen(listing.data);
	buf_printf(&want,
		   "-rw-r--r-- %u/%u 5 2023-11-14 22:13 a\n"
		   "drwxr-xr-x %u/%u 0 2023-11-14 22:13 dir/\n"
		   "---------- 0/0 0 1970-01-01 00:00 dir/.wh..wh..opq\n"
		   "lrwxrwxrwx %u/%u 0 2023-11-14 22:13 dir/link -> ../a\n"
		   "---------- 0/0 0 1970-01-01 00:00 .wh.gone\n"
		   "hrw-r--r-- %u/%u 0 2023-11-14 22:13 hard link to a\n",
		   geteuid(), getegid(), geteuid(), getegid(), geteuid(), getegid(), geteuid(),
		   getegid());
	assert_string_equal(buf_str(&listing), buf_str(&want));
}

/* Sockets have no place in a tar; .wh. names would be removals. */
static void test_left_out(void **state)
{
	struct place *p = *state;
	AUTO(error) struct error err = ERROR_INIT;
	struct layer_info before, after;

	make_file(p->layer, "a", "a");
	assert_int_equal(layer_describe(p->layer, NULL, &before, NULL), 0);
	assert_int_equal(mknodat(p->layer, "socket", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(layer_describe(p->layer, NULL, &after, NULL), 0);
	assert_same(&before, &after);
	make_file(p->layer, ".wh.x", "");
	assert_int_equal(layer_describe(p->layer, NULL, &after, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.message, ".wh.x"));
	assert_int_equal(layer_describe_tree(p->layer, NULL, &after, NULL), 0);
	assert_int_equal(after.entries, 2);
}

static void assert_refused(struct layer_writer *w, const struct layer_entry *e, int from,
			   enum error_code code)
{
	AUTO(error) struct error err = ERROR_INIT;

	assert_int_equal(layer_writer_add(w, e, from, &err), -(int)code);
	assert_non_null(strstr(err.message, e->path));
}

static void test_refusals(void **state)
{
	struct place *p = *state;
	struct layer_writer *w = open_writer(p->layer);
	AUTO(fd) int from = -1;
	struct layer_entry e;

	make_file(p->layer, "there", "");
	make_file(p->fd, "source", "12345");
	add_text(w, "m", "");
	e = entry("a", S_IFDIR | 0755);
	assert_refused(w, &e, -1, ERR_INVALID);
	e = entry("n/x", S_IFDIR | 0755);
	assert_refused(w, &e, -1, ERR_INVALID);
	e = entry("n/..", S_IFDIR | 0755);
	assert_refused(w, &e, -1, ERR_INVALID);
	e = entry("..", S_IFDIR | 0755);
	assert_refused(w, &e, -1, ERR_INVALID);
	e = entry("p", S_IFSOCK | 0755);
	assert_refused(w, &e, -1, ERR_INVALID);
	for (uint64_t size = 4; size <= 6; size += 2) {
		from = openat(p->fd, "source", O_RDONLY | O_CLOEXEC);
		e = entry(size == 4 ? "q" : "r", S_IFREG | 0644);
		e.size = size;
		assert_refused(w, &e, from, ERR_CONFLICT);
		close_fd(&from);
	}
	e = entry("there", S_IFREG | 0644);
	assert_refused(w, &e, -1, ERR_EXISTS);
	layer_writer_abort(w);
}

/* Bytes that come in pieces: the buffer of the stream ends inside files. */
static void test_large(void **state)
{
	struct place *p = *state;
	struct layer_writer *w = open_writer(p->layer);
	size_t size = (1u << 20) + 4321;
	AUTO(free) char *data = mem_alloc(size);
	AUTO(fd) int from = -1;
	struct layer_entry e;
	char name[16];

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	assert_int_equal(io_write_file(p->fd, "source", data, size, 0600, 0, NULL), 0);
	from = openat(p->fd, "source", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%02d", i);
		e = entry(name, S_IFREG | 0644);
		e.size = size - (size_t)i * 77;
		assert_int_equal(
			ftruncate(openat(p->fd, "source", O_WRONLY | O_CLOEXEC), (off_t)e.size),
			0);
		lseek(from, 0, SEEK_SET);
		if (i % 3 == 2) {
			add(w, &e, data);
			continue;
		}
		assert_int_equal(layer_writer_add(w, &e, from, NULL), 0);
	}
	close_and_compare(w, p->layer);
}

/* Deeper than the number of descriptors: they are given back on the way down. */
static void test_deep(void **state)
{
	struct place *p = *state;
	struct rlimit old, few = {400, 400};
	struct layer_writer *w;
	AUTO(buf) struct buf path = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	struct layer_info written, described;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	w = open_writer(p->layer);
	for (int i = 0; i < 1000; i++) {
		buf_addstr(&path, i ? "/d" : "d");
		add_dir(w, buf_str(&path));
	}
	buf_addstr(&path, "/e");
	add_text(w, buf_str(&path), "deep");
	path.len -= 101 * 2;
	path.data[path.len] = 0;
	buf_addstr(&path, "/f");
	add_text(w, buf_str(&path), "half");
	if (layer_writer_close(w, &written, &err) < 0)
		fail_msg("%s", err.message);
	if (layer_describe(p->layer, NULL, &described, &err) < 0)
		fail_msg("%s", err.message);
	assert_same(&written, &described);
	setrlimit(RLIMIT_NOFILE, &old);
	few.rlim_cur = old.rlim_max < 2048 ? old.rlim_max : 2048; /* for who removes it */
	setrlimit(RLIMIT_NOFILE, &few);
}

/* Overlay's own marks, as the kernel leaves them in an upper directory. */
static void test_overlay_marks(void **state)
{
	struct place *p = *state;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(fd) int dir = make_dir(p->layer, "dir");
	struct layer_info before, after;

	assert_int_equal(layer_describe(p->layer, NULL, &before, NULL), 0);
	assert_int_equal(fsetxattr(dir, "user.overlay.origin", "x", 1, 0), 0);
	assert_int_equal(fsetxattr(dir, "user.overlay.opaque", "x", 1, 0), 0);
	assert_int_equal(layer_describe(p->layer, NULL, &after, NULL), 0);
	assert_same(&before, &after);
	assert_int_equal(fsetxattr(dir, "user.overlay.opaque", "y", 1, 0), 0);
	assert_int_equal(layer_describe(p->layer, NULL, &after, NULL), 0);
	assert_int_equal(after.entries, before.entries + 1);
	assert_int_equal(layer_describe_tree(p->layer, NULL, &after, NULL), 0);
	assert_same(&before, &after);
	assert_int_equal(fsetxattr(dir, "user.overlay.redirect", "/x", 2, 0), 0);
	assert_int_equal(layer_describe(p->layer, NULL, &after, &err), -ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_header_sizes),
		cmocka_unit_test(test_record_lengths),
		cmocka_unit_test(test_golden),
		cmocka_unit_test_setup_teardown(test_all_kinds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mask, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_inherited, set_up, tear_down),
		cmocka_unit_test(test_root_kinds),
		cmocka_unit_test_setup_teardown(test_tar_lists_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_overlay_marks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
