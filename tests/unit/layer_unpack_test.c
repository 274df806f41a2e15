/* SPDX-License-Identifier: Apache-2.0 */
/* layer: archives into trees, through the helper program. */
#include "layer_fixture.h"

#include <sys/wait.h>

#include "base/process.h"
#include "layer/layer_tar.h"

#include "base/banned.h"

struct place {
	char path[64];
	int fd;
	int tree;
};

static int set_up(void **state)
{
	struct place *p = mem_new(struct place);

	p->fd = scratch_open(p->path);
	p->tree = make_dir(p->fd, "tree");
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

static struct layer_info describe(int dir)
{
	AUTO(error) struct error err = ERROR_INIT;
	struct layer_info info;

	if (layer_describe(dir, NULL, &info, &err) < 0)
		fail_msg("%s", err.message);
	return info;
}

static void assert_refused(enum layer_unpack_mode mode, const struct buf *tar, int tree,
			   enum error_code code, const char *part)
{
	AUTO(error) struct error err = ERROR_INIT;
	int r = unpack_tar(mode, tar, tree, &err);

	if (r != -(int)code || !strstr(err.message, part))
		fail_msg("want %d \"%s\", got %d \"%s\"", -(int)code, part, r,
			 err.message ? err.message : "");
}

static int keep(void *data, const void *bytes, size_t len, struct error *err)
{
	(void)err;
	buf_add(data, bytes, len);
	return 0;
}

/* Every kind that our own writer makes comes back to the same digest. */
static void test_round_trip(void **state)
{
	static const char value[] = {0, '\n', (char)0xff, '='};
	static const unsigned char capability[20] = {1, 0, 0, 2, 0, 0x20};
	struct place *p = *state;
	AUTO(fd) int from = make_dir(p->fd, "from"), dir = make_dir(from, "dir"), file = -1;
	AUTO(buf) struct buf tar = BUF_INIT;
	struct layer_sink sink = {keep, &tar};
	struct layer_info before, after;
	AUTO(free) char *name = mem_zalloc(256);

	memset(name, 'n', 250);
	make_file(from, "a", "text");
	make_file(dir, "\xff\xfe-bytes", "no UTF-8");
	make_file(dir, "e\xcc\x81", "decomposed, and must stay so");
	make_file(dir, "\xc3\xa9", "composed");
	make_file(dir, name, "long");
	make_file(from, ".wh", "not a removal");
	assert_int_equal(linkat(from, "a", dir, "hard", 0), 0);
	assert_int_equal(symlinkat(name, dir, "long-link"), 0);
	assert_int_equal(mknodat(dir, "fifo", S_IFIFO | 0600, 0), 0);
	file = openat(from, "x", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(fsetxattr(file, "user.v", value, sizeof(value), 0), 0);
	assert_int_equal(ftruncate(file, 100000), 0);
	if (geteuid() == 0) {
		assert_int_equal(mknodat(dir, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
		assert_int_equal(mknodat(dir, "gone", S_IFCHR, 0), 0);
		assert_int_equal(fchownat(from, "a", 3000000, 70000, 0), 0);
		assert_int_equal(fchown(dir, 12, 34), 0);
		assert_int_equal(fsetxattr(file, "security.capability", capability, 20, 0), 0);
		assert_int_equal(fsetxattr(dir, "trusted.overlay.opaque", "y", 1, 0), 0);
	} else {
		assert_int_equal(fsetxattr(dir, "user.overlay.opaque", "y", 1, 0), 0);
	}
	assert_int_equal(fchmodat(from, "a", 06755, 0), 0);
	assert_int_equal(layer_describe(from, &sink, &before, NULL), 0);
	unpack_ok(LAYER_UNPACK_LAYER, &tar, p->tree);
	after = describe(p->tree);
	assert_int_equal(before.entries, after.entries);
	assert_true(digest_eq(&before.diff_id, &after.diff_id));
}

static void make_sample(struct buf *tar)
{
	ENTRY(tar, .name = "./", .type = '5', .mode = "0000750", .mtime = "00000000200");
	ENTRY(tar, .name = "etc/", .type = '5', .mode = "0000755");
	ENTRY(tar, .name = "etc/passwd", .data = "root\n");
	ENTRY(tar, .name = "etc/mtab", .type = '2', .link = "/proc/mounts");
	ENTRY(tar, .name = "/abs", .data = "absolute names are the tree's");
	ENTRY(tar, .name = "deep/er/file", .data = "parents that are not there");
	raw_end(tar);
}

static void test_tree(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;
	char link[32] = {0};
	struct stat st;

	make_sample(&tar);
	unpack_ok(LAYER_UNPACK_TREE, &tar, p->tree);
	assert_text(p->tree, "etc/passwd", "root\n");
	assert_text(p->tree, "abs", "absolute names are the tree's");
	assert_text(p->tree, "deep/er/file", "parents that are not there");
	assert_true(readlinkat(p->tree, "etc/mtab", link, sizeof(link) - 1) > 0);
	assert_string_equal(link, "/proc/mounts");
	st = look(p->tree, ".");
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(st.st_mtim.tv_sec, 0200);
	st = look(p->tree, "deep/er");
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_mtim.tv_sec, 0144);
	assert_int_equal(look(p->tree, "etc").st_mtim.tv_sec, 0144);
}

/* A whole root of two blocks of zeros is a tree without anything. */
static void test_empty(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;

	assert_refused(LAYER_UNPACK_TREE, &tar, p->tree, ERR_INVALID, "the archive is empty");
	raw_end(&tar);
	unpack_ok(LAYER_UNPACK_TREE, &tar, p->tree);
	assert_int_equal(describe(p->tree).entries, 0);
}

static void compress(const struct buf *tar, const char *program, struct buf *out)
{
	char text[] = "printf %s \"$1\" | base64 -d | $0 -c", *base;
	AUTO(buf) struct buf encoded = BUF_INIT;
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char shell[] = "sh", option[] = "-c";
	int status = -1;

	for (size_t i = 0; i < tar->len; i += 3) {
		unsigned v = 0;

		for (size_t j = 0; j < 3; j++)
			v = v << 8 | (i + j < tar->len ? (unsigned char)tar->data[i + j] : 0);
		for (int shift = 18; shift >= 0; shift -= 6)
			buf_addch(&encoded, digits[v >> shift & 63]);
	}
	base = encoded.data;
	AUTO(free) char *name = mem_strdup(program);
	char *argv[] = {shell, option, text, name, base, NULL};

	assert_int_equal(process_run(argv, NULL, 1 << 20, out, NULL, &status, NULL), 0);
	assert_int_equal(status, 0);
}

static bool asks(const void *data, size_t len)
{
	AUTO(fd) int fd = -1;
	bool is = false;

	assert_int_equal(io_memfd("archive", data, len, &fd, NULL), 0);
	lseek(fd, 5, SEEK_SET);
	assert_int_equal(layer_is_archive(fd, &is, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	return is;
}

static void test_compressions(void **state)
{
	static const char *const programs[] = {"gzip", "bzip2", "xz", "zstd"};
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT, text = BUF_INIT;

	make_sample(&tar);
	buf_addstr(&text, "no tar, but six hundred bytes: ");
	while (text.len < 600)
		buf_addch(&text, 'x');
	assert_true(asks(tar.data, tar.len));
	assert_false(asks(text.data, text.len));
	assert_false(asks("", 0));
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		AUTO(buf) struct buf packed = BUF_INIT, no_tar = BUF_INIT;
		AUTO(free) char *where = mem_printf("/usr/bin/%s", programs[i]);
		AUTO(fd) int tree = -1;

		if (access(where, X_OK) < 0 && access(where + strlen("/usr"), X_OK) < 0)
			continue;
		compress(&tar, programs[i], &packed);
		compress(&text, programs[i], &no_tar);
		assert_true(asks(packed.data, packed.len));
		assert_false(asks(no_tar.data, no_tar.len));
		assert_false(asks(packed.data, 10));
		tree = make_dir(p->fd, programs[i]);
		unpack_ok(LAYER_UNPACK_TREE, &packed, tree);
		assert_text(tree, "etc/passwd", "root\n");
		assert_refused(LAYER_UNPACK_TREE, &no_tar, p->tree, ERR_INVALID,
			       "not a tar archive");
		packed.len -= 5;
		assert_refused(LAYER_UNPACK_TREE, &packed, p->tree, ERR_CORRUPT, "");
	}
}

static void test_stream_digest(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT, packed = BUF_INIT;
	struct layer_unpacked done = {0};
	struct digest want;

	make_sample(&tar);
	buf_add(&tar, (char[3000]){0}, 3000); /* what is behind the end is part of it */
	digest_of(tar.data, tar.len, &want);
	assert_int_equal(
		unpack_bytes(LAYER_UNPACK_LAYER, tar.data, tar.len, p->tree, "", &done, NULL),
		0);
	assert_true(digest_eq(&done.stream, &want));
	assert_int_equal(done.entries, 6);
	assert_int_equal(done.content_bytes, 60);
	compress(&tar, "gzip", &packed);
	while (tar.len % 3) /* as the shell's detour has it */
		buf_addch(&tar, 0);
	digest_of(tar.data, tar.len, &want);
	assert_int_equal(unpack_bytes(LAYER_UNPACK_LAYER, packed.data, packed.len, p->tree, "",
				      &done, NULL),
			 0);
	assert_true(digest_eq(&done.stream, &want));
}

static void test_replacing(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;
	AUTO(fd) int dir = make_dir(p->tree, "dir-to-file"), kept = make_dir(p->tree, "kept");

	make_file(dir, "below", "");
	make_file(kept, "below", "stays");
	make_file(p->tree, "target", "untouched");
	make_file(p->tree, "file-to-dir", "");
	assert_int_equal(symlinkat("target", p->tree, "link-to-file"), 0);
	assert_int_equal(symlinkat("kept", p->tree, "link-to-dir"), 0);
	ENTRY(&tar, .name = "dir-to-file", .data = "now a file");
	ENTRY(&tar, .name = "file-to-dir", .type = '5', .mode = "0000755");
	ENTRY(&tar, .name = "kept", .type = '5', .mode = "0000711");
	ENTRY(&tar, .name = "link-to-file", .data = "a file of its own");
	ENTRY(&tar, .name = "link-to-dir", .type = '5', .mode = "0000755");
	ENTRY(&tar, .name = "twice", .data = "first");
	ENTRY(&tar, .name = "hard", .type = '1', .link = "twice");
	ENTRY(&tar, .name = "hard", .type = '1', .link = "hard");
	ENTRY(&tar, .name = "twice", .data = "second");
	raw_end(&tar);
	unpack_ok(LAYER_UNPACK_ADD, &tar, p->tree);
	assert_text(p->tree, "dir-to-file", "now a file");
	assert_text(p->tree, "link-to-file", "a file of its own");
	assert_text(p->tree, "target", "untouched");
	assert_text(p->tree, "kept/below", "stays");
	assert_text(p->tree, "twice", "second");
	assert_text(p->tree, "hard", "first");
	assert_int_equal(look(p->tree, "kept").st_mode & 07777, 0711);
	assert_true(S_ISDIR(look(p->tree, "file-to-dir").st_mode));
	assert_true(S_ISDIR(look(p->tree, "link-to-dir").st_mode));
}

/* Links of the tree are followed as in a chroot; times of what was there stay. */
static void test_add_below(void **state)
{
	struct place *p = *state;
	AUTO(fd) int opt = make_dir(p->tree, "opt"), usr = make_dir(p->tree, "usr");
	struct timespec then[2] = {{.tv_sec = 5, .tv_nsec = 7}, {.tv_sec = 5, .tv_nsec = 7}};
	struct layer_unpacked done;
	AUTO(buf) struct buf tar = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;

	assert_int_equal(symlinkat("/usr", opt, "link"), 0);
	assert_int_equal(futimens(opt, then), 0);
	assert_int_equal(futimens(usr, then), 0);
	ENTRY(&tar, .name = "./", .type = '5', .mode = "0000700");
	ENTRY(&tar, .name = "link/file", .data = "x", .uid = "0000017");
	ENTRY(&tar, .name = "new/file", .data = "x");
	raw_end(&tar);
	if (unpack_bytes(LAYER_UNPACK_ADD, tar.data, tar.len, p->tree, "/opt/", &done, &err) <
	    0)
		fail_msg("%s", err.message);
	assert_text(usr, "file", "x");
	assert_text(opt, "new/file", "x");
	assert_int_equal(look(opt, ".").st_mode & 07777, 0755);
	assert_int_equal(look(opt, ".").st_mtim.tv_sec, 5);
	assert_int_equal(look(opt, ".").st_mtim.tv_nsec, 7);
	assert_int_equal(look(usr, ".").st_mtim.tv_sec, 5);
	assert_int_equal(look(opt, "new").st_mtim.tv_sec, 0144);
	if (geteuid() == 0)
		assert_int_equal(look(usr, "file").st_uid, 15);
	assert_int_equal(unpack_bytes(LAYER_UNPACK_ADD, tar.data, tar.len, p->tree, "absent",
				      &done, &err),
			 -ERR_NOT_FOUND);
}

static void test_attributes(void **state)
{
	static const enum layer_unpack_mode modes[] = {LAYER_UNPACK_TREE, LAYER_UNPACK_LAYER,
						       LAYER_UNPACK_ADD, LAYER_UNPACK_CONTEXT};
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;

	raw_pax(&tar, "SCHILY.xattr.user.x", "value");
	ENTRY(&tar, .name = "f");
	raw_pax(&tar, "SCHILY.xattr.user.overlay.opaque", "y");
	ENTRY(&tar, .name = "d", .type = '5', .mode = "0000755");
	raw_pax(&tar, "SCHILY.xattr.trusted.overlay.redirect", "/");
	ENTRY(&tar, .name = "e", .type = '5', .mode = "0000755");
	raw_end(&tar);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		AUTO(fd) int fd = -1, d = -1, e = -1;
		bool kept = modes[i] == LAYER_UNPACK_TREE || modes[i] == LAYER_UNPACK_LAYER;
		char value[16];

		unpack_ok(modes[i], &tar, p->tree);
		fd = openat(p->tree, "f", O_RDONLY | O_CLOEXEC);
		d = openat(p->tree, "d", O_RDONLY | O_CLOEXEC);
		e = openat(p->tree, "e", O_RDONLY | O_CLOEXEC);
		assert_int_equal(fgetxattr(fd, "user.x", value, 16), kept ? 5 : -1);
		assert_int_equal(flistxattr(d, value, 16), 0);
		assert_int_equal(flistxattr(e, value, 16), 0);
	}
}

/* Of several names that do not say the same, the last one counts. */
static void test_names_of_one_file(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;
	struct stat st;

	ENTRY(&tar, .name = "a", .data = "text", .mode = "0000644", .uid = "0000001");
	ENTRY(&tar, .name = "b", .type = '1', .link = "a", .mode = "0004755", .uid = "0000007",
	      .mtime = "00000000100");
	ENTRY(&tar, .name = "back", .data = "text", .uid = "0000001");
	ENTRY(&tar, .name = "same", .type = '1', .link = "back");
	ENTRY(&tar, .name = "to", .type = '2', .link = "a");
	ENTRY(&tar, .name = "too", .type = '1', .link = "to", .mode = "0000600",
	      .uid = "0000003");
	raw_end(&tar);
	unpack_ok(LAYER_UNPACK_LAYER, &tar, p->tree);
	st = look(p->tree, "a");
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(st.st_mtim.tv_sec, 64);
	assert_int_equal(st.st_nlink, 2);
	assert_text(p->tree, "b", "text");
	assert_true(S_ISLNK(look(p->tree, "too").st_mode));
	if (geteuid() != 0)
		return;
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(look(p->tree, "back").st_uid, 0);
	assert_int_equal(look(p->tree, "to").st_uid, 3);
}

static void test_context_is_ours(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;

	ENTRY(&tar, .name = "f", .data = "x", .uid = "0000017", .mode = "0000755");
	ENTRY(&tar, .name = "d", .type = '5', .uid = "0000017", .mode = "0000055");
	ENTRY(&tar, .name = "d/f", .data = "x", .uid = "0000017");
	raw_end(&tar);
	unpack_ok(LAYER_UNPACK_CONTEXT, &tar, p->tree);
	assert_int_equal(look(p->tree, "f").st_uid, geteuid());
	assert_int_equal(look(p->tree, "f").st_mode & 07777, 0755);
	assert_int_equal(look(p->tree, "d").st_uid, geteuid());
	assert_int_equal(look(p->tree, "d").st_mode & 07777, 0755);
}

static bool is_opaque(int at, const char *name)
{
	AUTO(fd) int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char value[2];

	return fgetxattr(fd, "trusted.overlay.opaque", value, 2) == 1 ||
	       fgetxattr(fd, "user.overlay.opaque", value, 2) == 1;
}

static bool is_whiteout(int at, const char *name)
{
	struct stat st = look(at, name);

	return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

/* image-spec v1.1 layer.md, "Whiteouts": they hide lower layers, never this one. */
static void test_whiteouts(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;

	ENTRY(&tar, .name = "a/.wh.gone");
	ENTRY(&tar, .name = "b/.wh..wh..opq");
	ENTRY(&tar, .name = "c/", .type = '5', .mode = "0000711");
	ENTRY(&tar, .name = "c/.wh..wh..opq");
	ENTRY(&tar, .name = "c/file", .data = "in c");
	ENTRY(&tar, .name = ".wh.file-again");
	ENTRY(&tar, .name = "file-again", .data = "back");
	ENTRY(&tar, .name = ".wh.dir-again");
	ENTRY(&tar, .name = "dir-again/", .type = '5', .mode = "0000755");
	ENTRY(&tar, .name = "later/", .type = '5', .mode = "0000755");
	ENTRY(&tar, .name = ".wh.later");
	ENTRY(&tar, .name = "file-later", .data = "stays");
	ENTRY(&tar, .name = ".wh.file-later");
	ENTRY(&tar, .name = ".wh..wh.plnk/12.34", .data = "of aufs");
	ENTRY(&tar, .name = ".wh..wh.aufs", .data = "of aufs");
	raw_end(&tar);
	unpack_ok(LAYER_UNPACK_LAYER, &tar, p->tree);
	assert_true(is_whiteout(p->tree, "a/gone"));
	assert_false(exists(p->tree, "a/.wh.gone"));
	assert_true(is_opaque(p->tree, "b"));
	assert_true(is_opaque(p->tree, "c"));
	assert_int_equal(look(p->tree, "c").st_mode & 07777, 0711);
	assert_text(p->tree, "c/file", "in c");
	assert_text(p->tree, "file-again", "back");
	assert_true(is_opaque(p->tree, "dir-again"));
	assert_true(is_opaque(p->tree, "later"));
	assert_text(p->tree, "file-later", "stays");
	assert_false(exists(p->tree, ".wh..wh.plnk"));
	assert_false(exists(p->tree, ".wh..wh.aufs"));
	describe(p->tree);
}

/* Elsewhere they are names as any other. */
static void test_plain_names(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;

	ENTRY(&tar, .name = ".wh.x", .data = "a name");
	raw_end(&tar);
	unpack_ok(LAYER_UNPACK_TREE, &tar, p->tree);
	assert_text(p->tree, ".wh.x", "a name");
}

/* A path in a pax record is bytes as well, whatever POSIX says about UTF-8. */
static void test_pax_names(void **state)
{
	static const char *const names[] = {"\xff\xfe-bytes", "e\xcc\x81-decomposed",
					    "\xc3\xa9-composed", "\xed\xa0\x80-surrogate"};
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		raw_pax(&tar, "path", names[i]);
		ENTRY(&tar, .name = "short", .data = names[i]);
		raw_pax(&tar, "linkpath", names[i]);
		ENTRY(&tar, .name = "link", .type = '2', .link = "short");
	}
	raw_end(&tar);
	unpack_ok(LAYER_UNPACK_TREE, &tar, p->tree);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_text(p->tree, names[i], names[i]);
	assert_text(p->tree, "link", names[ARRAY_SIZE(names) - 1]);
}

static void test_limit(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	struct layer_unpacked done;
	struct layer_unpack how = {
		.mode = LAYER_UNPACK_TREE, .tree = p->tree, .below = "", .limit_bytes = 7};

	ENTRY(&tar, .name = "a", .data = "four");
	ENTRY(&tar, .name = "b", .data = "four");
	raw_end(&tar);
	assert_int_equal(io_memfd("tar", tar.data, tar.len, &how.input, NULL), 0);
	assert_int_equal(layer_unpack(&how, &done, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.message, "archive entry 2 (b)"));
	close(how.input);
}

/* From a pipe, which must be read to its end. */
static void test_pipe(void **state)
{
	struct place *p = *state;
	AUTO(buf) struct buf tar = BUF_INIT;
	struct layer_unpacked done;
	struct layer_unpack how = {.mode = LAYER_UNPACK_TREE, .tree = p->tree, .below = ""};
	int ends[2], status;
	pid_t pid;

	make_sample(&tar);
	buf_add(&tar, (char[300000]){0}, 300000);
	assert_int_equal(io_pipe(ends, NULL), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		_exit(io_write_full(ends[1], tar.data, tar.len) < 0);
	}
	close(ends[1]);
	how.input = ends[0];
	assert_int_equal(layer_unpack(&how, &done, NULL), 0);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_text(p->tree, "etc/passwd", "root\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compressions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream_digest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replacing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_add_below, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_attributes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_of_one_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_context_is_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_whiteouts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_plain_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pax_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pipe, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
