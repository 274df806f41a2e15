/* SPDX-License-Identifier: Apache-2.0 */
/* base: parsing, formats, containers, and above all the one door to file systems. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/process.h"
#include "base/root.h"
#include "base/toml.h"

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} rows[] = {
		{"0", true, 0},
		{"512", true, 512},
		{"1b", true, 1},
		{"1k", true, 1024},
		{"1KB", true, 1024},
		{"1kib", true, 1024},
		{"512m", true, 512ull << 20},
		{"1.5g", true, 3ull << 29},
		{"2T", true, 2ull << 40},
		{"", false, 0},
		{"k", false, 0},
		{"1x", false, 0},
		{"1kk", false, 0},
		{"-1", false, 0},
		{"99999999999999999999", false, 0},
		{"20000000000g", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t v = 0;
		bool ok = parse_bytes(rows[i].text, &v);

		if (ok != rows[i].ok || (ok && v != rows[i].value))
			fail_msg("parse_bytes(%s) gave %d %llu", rows[i].text, ok,
				 (unsigned long long)v);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t ns;
		const char *back;
	} rows[] = {
		{"0", true, 0, "0s"},
		{"30s", true, 30000000000, "30s"},
		{"1h30m", true, 5400000000000, "1h30m0s"},
		{"1.5s", true, 1500000000, "1.5s"},
		{"300ms", true, 300000000, "300ms"},
		{"-2m", true, -120000000000, "-2m0s"},
		{"", false, 0, NULL},
		{"5", false, 0, NULL},
		{"5x", false, 0, NULL},
		{".5s", true, 500000000, "500ms"},
		{"1.s", true, 1000000000, "1s"},
		{".s", false, 0, NULL},
		{"2\xce\xbcs", true, 2000, "2\xc2\xb5s"},
		{"s", false, 0, NULL},
		{"9999999999h", false, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf) struct buf back = BUF_INIT;
		int64_t ns = 0;
		bool ok = parse_duration(rows[i].text, &ns);

		assert_int_equal(ok, rows[i].ok);
		if (!ok)
			continue;
		assert_int_equal(ns, rows[i].ns);
		format_duration(ns, &back);
		assert_string_equal(buf_str(&back), rows[i].back);
	}
}

static void test_numbers(void **state)
{
	uint64_t u;
	int64_t i;
	bool b;

	(void)state;
	assert_true(parse_u64("18446744073709551615", UINT64_MAX, &u) && u == UINT64_MAX);
	assert_false(parse_u64("18446744073709551616", UINT64_MAX, &u));
	assert_false(parse_u64("", 10, &u));
	assert_false(parse_u64("1 ", 10, &u));
	assert_true(parse_i64("-9223372036854775808", &i) && i == INT64_MIN);
	assert_false(parse_i64("9223372036854775808", &i));
	assert_true(parse_octal("755", 07777, &u) && u == 0755);
	assert_false(parse_octal("788", 07777, &u));
	assert_true(parse_bool("T", &b) && b);
	assert_false(parse_bool("yes", &b));
	assert_true(parse_nano("1.5", &i) && i == 1500000000);
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {{0, "0B"},
		    {999, "999B"},
		    {1000, "1kB"},
		    {5610000, "5.61MB"},
		    {49200000, "49.2MB"},
		    {2250000, "2.25MB"},
		    {1234567890, "1.23GB"},
		    {117000000, "117MB"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf) struct buf out = BUF_INIT;

		format_size(rows[i].bytes, &out);
		assert_string_equal(buf_str(&out), rows[i].text);
	}
}

static void test_clock(void **state)
{
	static const char *const good[] = {"2026-11-21T06:01:25.123456789Z",
					   "1970-01-01T00:00:00Z", "2001-02-03T04:05:06.5Z"};
	static const char *const bad[] = {"", "2026-11-21", "2026-13-01T00:00:00Z",
					  "2026-11-21T06:01:25.Z", "2026-11-21T06:01:25Zx"};
	AUTO(buf) struct buf span = BUF_INIT;
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO(buf) struct buf back = BUF_INIT;

		assert_true(clock_parse(good[i], &ns));
		clock_format(ns, &back);
		assert_string_equal(buf_str(&back), good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(clock_parse(bad[i], &ns));
	assert_true(clock_parse("1970-01-01T02:00:00+02:00", &ns) && ns == 0);
	clock_format_span(3 * 7 * 86400 * 1000000000ll, &span);
	assert_string_equal(buf_str(&span), "3 weeks");
}

static void test_map_keeps_order(void **state)
{
	AUTO(map) struct map m = MAP_INIT;
	AUTO(buf) struct buf order = BUF_INIT;
	char key[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		map_set(&m, key, key);
	}
	for (int i = 0; i < 1000; i += 2) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_true(map_remove(&m, key));
	}
	assert_int_equal(m.live, 500);
	assert_false(map_has(&m, "k2"));
	assert_true(map_has(&m, "k3"));
	map_set(&m, "k2", NULL);
	assert_true(map_has(&m, "k2"));
	map_each (&m, e)
		if (order.len < 12)
			buf_addstr(&order, e->key);
	assert_string_equal(buf_str(&order), "k1k3k5k7k9k11");
}

static void test_arena(void **state)
{
	AUTO(arena) struct arena a = ARENA_INIT;
	char *large = arena_alloc(&a, 100000);

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_int_equal(large[i], 0);
	for (int i = 1; i < 2000; i++) {
		char *p = arena_alloc(&a, (size_t)i);

		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, 1, (size_t)i);
	}
	assert_string_equal(arena_strndup(&a, "x-7y", 3), "x-7");
}

static void test_error_crosses_a_pipe(void **state)
{
	AUTO(error) struct error a = ERROR_INIT;
	AUTO(error) struct error b = ERROR_INIT;
	AUTO(buf) struct buf wire = BUF_INIT;

	(void)state;
	error_set(&a, ERR_FAILED, "it broke: %d", 3);
	error_wrap(&a, "step");
	error_hint(&a, "mend it");
	error_at(&a, "Dockerfile", 7, 2);
	a.exit_code = 9;
	error_encode(&a, &wire);
	assert_int_equal(error_decode(wire.data, wire.len, &b), 0);
	assert_string_equal(b.message, "step: it broke: 3");
	assert_string_equal(b.hint, "mend it");
	assert_string_equal(b.file, "Dockerfile");
	assert_int_equal(b.line, 7);
	assert_int_equal(b.exit_code, 9);
	for (size_t len = 0; len < wire.len; len++)
		assert_int_equal(error_decode(wire.data, len, &b), -ERR_CORRUPT);
}

static size_t open_descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_descriptors_travel(void **state)
{
	char out[] = "word", in[8] = {0};
	struct iovec sent = {.iov_base = out, .iov_len = 4},
		     got = {.iov_base = in, .iov_len = 8};
	int ends[2], pair[2], fd = -1;
	size_t before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(io_send_fds(ends[0], &sent, 1, &pair[1], 1), 0);
	assert_int_equal(io_receive_fd(ends[1], &got, 1, &fd), 4);
	assert_string_equal(in, "word");
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(pair[0], in, sizeof(in)), 1);
	close(fd);
	assert_int_equal(io_send_fds(ends[0], &sent, 1, NULL, 0), 0);
	assert_int_equal(io_receive_fd(ends[1], &got, 1, &fd), 4);
	assert_int_equal(fd, -1);
	/* of two the second is not taken: nobody would close it */
	before = open_descriptors();
	assert_int_equal(io_send_fds(ends[0], &sent, 1, pair, 2), 0);
	assert_int_equal(io_receive_fd(ends[1], &got, 1, &fd), 4);
	assert_true(fd >= 0);
	assert_int_equal(open_descriptors(), before + 1);
	close(fd);
	assert_int_equal(io_send_fds(ends[0], &sent, 1, (int[3]){0}, 3), -1);
	assert_int_equal(errno, EINVAL);
	close(ends[0]);
	assert_int_equal(io_receive_fd(ends[1], &got, 1, &fd), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(io_send_fds(ends[1], &sent, 1, pair, 1), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
	close(pair[0]);
	close(pair[1]);
}

static void test_json(void **state)
{
	static const char *const refused[] = {"{\"a\":1,\"a\":2}", "{} x", "[1,]", "",
					      "\"\xff\""};
	AUTO(buf) struct buf deep = BUF_INIT;
	json_t *j = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_true(json_parse(refused[i], strlen(refused[i]), &j, NULL) < 0);
	for (int i = 0; i < 100; i++)
		buf_addch(&deep, '[');
	assert_int_equal(json_parse(deep.data, deep.len, &j, NULL), -ERR_LIMIT);
	assert_int_equal(json_parse("{\"a\":9223372036854775807}", 25, &j, NULL), 0);
	assert_true(json_integer_value(json_object_get(j, "a")) == INT64_MAX);
	json_decref(j);
}

static void test_json_plain(void **state)
{
	/* left to the careful reader, whatever that says */
	static const char *const left[] = {"[1.5]",
					   "[01]",
					   "[-0]",
					   "[\"\\u0000\"]",
					   "[\"\\u00e9\"]",
					   "[\"é\"]",
					   "{\"a\":1,\"a\":2}",
					   "[1,]",
					   "7",
					   "[\"\\u00\x10\x11\"]"};
	static const char text[] = " {\"a\" : [1, -2,true,null] ,\"b\":\"\\u003cx\\n\\\"\"}\n";
	AUTO(buf) struct buf out = BUF_INIT;
	AUTO(json) json_t *j = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		assert_null(json_read_plain(left[i], strlen(left[i])));
	j = json_read_plain(text, strlen(text));
	assert_non_null(j);
	json_text(j, &out);
	assert_string_equal(buf_str(&out), "{\"a\":[1,-2,true,null],\"b\":\"<x\\n\\\"\"}");
}

/* As Go's json.Indent. */
static void test_json_indent(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{"{}", "{}"},
		{" [ ] ", "[]"},
		{"[1,\"a\"]", "[\n.1,\n.\"a\"\n]"},
		{"{ \"a\" : { } , \"b\":[{}]}", "{\n.\"a\": {},\n.\"b\": [\n..{}\n.]\n}"},
		{"{\"{,:\\\"]\":\"\\\\\"}", "{\n.\"{,:\\\"]\": \"\\\\\"\n}"},
		{"\"\\u003c\"", "\"\\u003c\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf out = BUF_INIT;

		json_indent(cases[i].text, strlen(cases[i].text), ".", &out);
		assert_string_equal(buf_str(&out), cases[i].wanted);
	}
}

static void test_toml(void **state)
{
	static const struct {
		const char *text, *wanted; /* NULL: refused */
	} cases[] = {
		{"", "{}"},
		{"# c\n\n a = 1 # d\r\nb=\"x\"", "{\"a\":1,\"b\":\"x\"}"},
		{"a.b.\"c d\" = true\na.e = -5", "{\"a\":{\"b\":{\"c d\":true},\"e\":-5}}"},
		{"[a.b]\nc='\\'\n[a]\nd=[1,[ ],\n 'x', # y\n]",
		 "{\"a\":{\"b\":{\"c\":\"\\\\\"},\"d\":[1,[],\"x\"]}}"},
		{"[[a]]\nb=1\n[[a.c]]\nd={e=1, f.g = {}}\n[[a.c]]\n[[a]]",
		 "{\"a\":[{\"b\":1,\"c\":[{\"d\":{\"e\":1,\"f\":{\"g\":{}}}},{}]},{}]}"},
		{"a = \"\"\"\nx\ty \\\n\n  z\"\"\"\"", "{\"a\":\"x\\ty z\\\"\"}"},
		{"a = '''\n\\\n'''", "{\"a\":\"\\\\\\n\"}"},
		{"a = \"\\u00e9\\U0001F600\\t\"", "{\"a\":\"\303\251\360\237\230\200\\t\"}"},
		{"'' = 1", "{\"\":1}"},
		{"a = 1\na = 2", NULL},
		{"[a]\n[a]", NULL},
		{"a = {}\n[a.b]", NULL},
		{"a = {b=1}\na.c = 2", NULL},
		{"a = []\n[[a]]", NULL},
		{"[[a]]\n[a]", NULL},
		{"[a]\n[[a]]", NULL},
		{"a.b = 1\na.c.d = 2\n[a.c.e]\n[[a.f]]",
		 "{\"a\":{\"b\":1,\"c\":{\"d\":2,\"e\":{}},\"f\":[{}]}}"},
		{"a.b = 1\n[a]", NULL},
		{"[a]\nb.c.d = 1\n[a.b.c]", NULL},
		{"[[a]]\nb.c = 1\n[a.b]", NULL},
		{"# \1", NULL},
		{"# \177", NULL},
		{"# \r", NULL},
		{"# \r\n", "{}"},
		{"# \377\n", NULL},
		{"# \303\251\n", "{}"},
		{"a = 1 b = 2", NULL},
		{"a = 1.5", NULL},
		{"a = 1979-05-27", NULL},
		{"a = 007", NULL},
		{"a = nan", NULL},
		{"a =", NULL},
		{"= 1", NULL},
		{"a", NULL},
		{"[a", NULL},
		{"[]", NULL},
		{"a = \"x", NULL},
		{"a = \"x\n\"", NULL},
		{"a = \"\\x\"", NULL},
		{"a = \"\\ud800\"", NULL},
		{"a = \"\377\"", NULL},
		{"a = [1 2]", NULL},
		{"a = {b=1,}", NULL},
		{"a = {b=1\n}", NULL},
	};
	AUTO(buf) struct buf deep = BUF_INIT;
	json_t *j = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(error) struct error err = ERROR_INIT;
		AUTO(json) json_t *tree = NULL;
		AUTO(buf) struct buf text = BUF_INIT;
		int r = toml_parse(cases[i].text, strlen(cases[i].text), &tree, &err);

		if (r == 0)
			json_text(tree, &text);
		assert_string_equal(r == 0 ? buf_str(&text) : "",
				    cases[i].wanted ? cases[i].wanted : "");
		assert_true(r == 0 || str_starts(err.message, "line "));
	}
	buf_addstr(&deep, "a = ");
	for (int i = 0; i < 1000; i++)
		buf_addch(&deep, '[');
	assert_int_equal(toml_parse(deep.data, deep.len, &j, NULL), -ERR_INVALID);
}

static void test_digest(void **state)
{
	struct digest d, e;
	char text[DIGEST_TEXT_SIZE];

	(void)state;
	digest_of("abc", 3, &d);
	assert_string_equal(digest_text(&d, text), "sha256:ba7816bf8f01cfea414140de5dae2223"
						   "b00361a396177a9cb410ff61f20015ad");
	assert_true(digest_parse(text, &e) && digest_eq(&d, &e));
	text[10] = 'G';
	assert_false(digest_parse(text, &e));
	assert_false(digest_parse("sha256:ba78", &e));
	assert_false(digest_parse("md5:ba78", &e));
}

/* Pieces through two buffers in turn: each is changed as soon as it may be. */
static void hash_in_pieces(unsigned pieces, size_t size, struct digest *out)
{
	AUTO(free) char *data = mem_alloc(2 * size);
	AUTO(hash_aside) struct hash_aside *h = hash_aside_new();

	for (unsigned i = 0; i < pieces; i++) {
		char *piece = data + (i & 1) * size;

		memset(piece, (int)i, size);
		hash_aside_add(h, piece, size);
	}
	hash_aside_end(h, out);
}

static void test_hash_aside(void **state)
{
	enum {
		SIZE = 10000
	};
	char piece[SIZE];

	(void)state;
	for (unsigned pieces = 0; pieces < 200; pieces += pieces < 5 ? 1 : 97) {
		struct digest beside, plain;
		struct hasher h;

		hasher_init(&h);
		for (unsigned i = 0; i < pieces; i++) {
			memset(piece, (int)i, SIZE);
			hasher_add(&h, piece, SIZE);
		}
		hasher_end(&h, &plain);
		hash_in_pieces(pieces, SIZE, &beside);
		assert_true(digest_eq(&beside, &plain));
	}
}

/* ---- trees ---- */

struct fixture {
	char path[64];
	int tree; /* PATH/tree; a canary lies beside it */
};

static int setup_tree(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	int dir, fd;

	snprintf(f->path, sizeof(f->path), "/tmp/stave-base-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	dir = open(f->path, O_RDONLY | O_DIRECTORY);
	mkdirat(dir, "tree", 0755);
	fd = openat(dir, "canary", O_WRONLY | O_CREAT, 0600);
	(void)!write(fd, "secret", 6);
	close(fd);
	f->tree = openat(dir, "tree", O_RDONLY | O_DIRECTORY);
	mkdirat(f->tree, "usr", 0755);
	mkdirat(f->tree, "usr/bin", 0755);
	symlinkat("usr/bin", f->tree, "bin");
	symlinkat("/usr", f->tree, "abs");
	symlinkat("../../../../canary", f->tree, "out");
	symlinkat("/", f->tree, "top");
	symlinkat("loop", f->tree, "loop");
	symlinkat("nowhere/x", f->tree, "dangling");
	close(openat(f->tree, "usr/bin/tool", O_WRONLY | O_CREAT, 0644));
	close(dir);
	*state = f;
	return 0;
}

static int remove_tree(void **state)
{
	struct fixture *f = *state;

	close(f->tree);
	assert_int_equal(root_remove(AT_FDCWD, f->path, NULL), 0);
	free(f);
	return 0;
}

static void test_root_scopes(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *path;
		int inside, beneath;
	} rows[] = {
		{"usr/bin/tool", 0, 0},
		{"/usr/bin/tool", 0, -ERR_ESCAPE},
		{"bin/tool", 0, 0},
		{"abs/bin/tool", 0, -ERR_ESCAPE},
		{"top/top/usr", 0, -ERR_ESCAPE},
		{"../canary", -ERR_NOT_FOUND, -ERR_ESCAPE},
		{"out", -ERR_NOT_FOUND, -ERR_ESCAPE},
		{"usr/../../../usr", 0, -ERR_ESCAPE},
		{"loop", -ERR_INVALID, -ERR_INVALID},
		{"dangling", -ERR_NOT_FOUND, -ERR_NOT_FOUND},
		{"usr/bin/tool/x", -ERR_INVALID, -ERR_INVALID},
		{"", 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int scope = ROOT_INSIDE; scope <= ROOT_BENEATH; scope++) {
			int want = scope == ROOT_INSIDE ? rows[i].inside : rows[i].beneath;
			AUTO(fd) int fd = -1;
			int r = root_open(f->tree, scope, rows[i].path, O_PATH, 0, &fd, NULL);

			if (r != want)
				fail_msg("%s in scope %d: %d, not %d", rows[i].path, scope, r,
					 want);
		}
	}
}

static void test_root_resolve(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *path, *real;
		mode_t type;
	} rows[] = {
		{"/bin/tool", "usr/bin/tool", S_IFREG},
		{"bin/new/file", "usr/bin/new/file", 0},
		{"/abs/bin", "usr/bin", S_IFDIR},
		{"top/../../usr/./bin//", "usr/bin", S_IFDIR},
		{"out", "canary", 0},
		{"dangling", "nowhere/x", 0},
		{"/", "", S_IFDIR},
		{"..", "", S_IFDIR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf) struct buf real = BUF_INIT;
		struct stat st;

		assert_int_equal(root_resolve(f->tree, rows[i].path, &real, &st, NULL), 0);
		assert_string_equal(buf_str(&real), rows[i].real);
		assert_int_equal(st.st_mode & S_IFMT, rows[i].type);
	}
	AUTO(buf) struct buf real = BUF_INIT;
	assert_true(root_resolve(f->tree, "loop", &real, NULL, NULL) < 0);
}

static void test_root_parent(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1];
	AUTO(fd) int fd = -1;
	AUTO(fd) int top = -1;

	assert_int_equal(root_parent(f->tree, ROOT_INSIDE, "/bin/tool", &fd, name, NULL), 0);
	assert_string_equal(name, "tool");
	assert_int_equal(faccessat(fd, name, F_OK, 0), 0);
	assert_int_equal(root_parent(f->tree, ROOT_INSIDE, "usr/..", &top, name, NULL), 0);
	assert_string_equal(name, ".");
}

static void test_root_mkdirs(void **state)
{
	struct fixture *f = *state;
	struct root_made how = {
		.mode = 0750, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = 7};
	AUTO(fd) int fd = -1;
	struct stat st;
	bool created;

	assert_int_equal(
		root_mkdirs(f->tree, ROOT_INSIDE, "/bin/a/b", &how, &fd, &created, NULL), 0);
	assert_true(created);
	assert_int_equal(fstatat(f->tree, "usr/bin/a/b", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_mtim.tv_sec, 7);
	assert_int_equal(
		root_mkdirs(f->tree, ROOT_INSIDE, "bin/a/b", &how, NULL, &created, NULL), 0);
	assert_false(created);
	assert_true(root_mkdirs(f->tree, ROOT_INSIDE, "usr/bin/tool/x", &how, NULL, NULL,
				NULL) < 0);
	/* ".." stops at the top: nothing is made beside the tree */
	assert_int_equal(
		root_mkdirs(f->tree, ROOT_INSIDE, "../../made", &how, NULL, NULL, NULL), 0);
	assert_int_equal(faccessat(f->tree, "made", F_OK, 0), 0);
	assert_int_equal(root_mkdirs(f->tree, ROOT_BENEATH, "../made2", &how, NULL, NULL, NULL),
			 -ERR_ESCAPE);
}

static void test_root_remove_follows_nothing(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *canary = mem_printf("%s/canary", f->path);

	mkdirat(f->tree, "gone", 0755);
	assert_int_equal(symlinkat(f->path, f->tree, "gone/up"), 0);
	mkdirat(f->tree, "gone/deep", 0);
	assert_int_equal(root_remove(f->tree, "gone", NULL), 0);
	assert_int_equal(faccessat(f->tree, "gone", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(access(canary, F_OK), 0);
	assert_int_equal(root_remove(f->tree, "gone", NULL), 0);
}

static void test_clean_path(void **state)
{
	static const char *const rows[][2] = {
		{"/a//b/./c/", "a/b/c"}, {"../../x", "x"}, {"a/../..", ""},
		{"a/b/..", "a"},	 {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(free) char *clean = root_clean_path(rows[i][0]);

		assert_string_equal(clean, rows[i][1]);
	}
}

static void test_write_file_is_atomic(void **state)
{
	struct fixture *f = *state;
	AUTO(buf) struct buf back = BUF_INIT;
	AUTO(dir_list) struct dir_list list = {0};

	assert_int_equal(io_write_file(f->tree, "x", "one", 3, 0600, 0, NULL), 0);
	assert_int_equal(io_write_file(f->tree, "x", "two", 3, 0600, IO_EXCLUDE, NULL),
			 -ERR_EXISTS);
	assert_int_equal(io_write_file(f->tree, "x", "two", 3, 0600, IO_SYNC, NULL), 0);
	assert_int_equal(io_read_file(f->tree, "x", 3, &back, NULL), 0);
	assert_string_equal(buf_str(&back), "two");
	buf_reset(&back);
	assert_true(io_read_file(f->tree, "x", 2, &back, NULL) < 0);
	assert_int_equal(io_read_file(f->tree, "usr", 100, &back, NULL), -ERR_INVALID);
	assert_int_equal(io_read_file(f->tree, "none", 100, &back, NULL), -ERR_NOT_FOUND);
	assert_int_equal(dir_list_read(f->tree, &list, NULL), 0);
	for (size_t i = 0; i < list.n; i++)
		assert_false(str_starts(list.items[i].name, ".tmp"));
	for (size_t i = 1; i < list.n; i++)
		assert_true(strcmp(list.items[i - 1].name, list.items[i].name) < 0);
}

/* ---- processes and the loop ---- */

static void test_process_inherits_nothing(void **state)
{
	char sh[] = "/bin/sh", c[] = "-c",
	     script[] = "env | sort | tr '\\n' ' '; ls /proc/self/fd | tr '\\n' ' '; exit 5";
	char *argv[] = {sh, c, script, NULL};
	AUTO(buf) struct buf out = BUF_INIT;
	int status = 0, leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC on purpose */

	(void)state;
	setenv("STAVE_TEST_LEAK", "1", 1);
	assert_int_equal(process_run(argv, "", 10000, &out, NULL, &status, NULL), 0);
	close(leak);
	assert_int_equal(status, 5);
	assert_null(strstr(buf_str(&out), "STAVE_TEST_LEAK"));
	/* 3 is the directory that ls itself reads */
	assert_non_null(strstr(buf_str(&out), "0 1 2 3 "));
	assert_null(strstr(buf_str(&out), " 4 "));
}

static void test_process_not_found(void **state)
{
	char name[] = "stave-no-such-program";
	char *argv[] = {name, NULL};
	AUTO(buf) struct buf out = BUF_INIT;
	int status;

	(void)state;
	assert_int_equal(process_run(argv, NULL, 10, &out, NULL, &status, NULL),
			 -ERR_NOT_FOUND);
}

static void stop_loop(void *data)
{
	loop_stop(data);
}

static void on_child(void *data, pid_t pid, int status)
{
	(void)pid;
	*(int *)data = status;
}

static void test_loop_reaps(void **state)
{
	AUTO(loop) struct loop *l = NULL;
	char sh[] = "/bin/sh", c[] = "-c", script[] = "exit 9";
	char *argv[] = {sh, c, script, NULL};
	struct process_spec spec = {.argv = argv};
	int pidfd = -1, status = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(process_start(&spec, &pid, &pidfd, NULL), 0);
	loop_add_child(l, pid, pidfd, on_child, &status);
	loop_add_timer(l, 20000000000, true, stop_loop, l);
	assert_int_equal(loop_run(l, NULL), 0);
	assert_int_equal(status, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_map_keeps_order),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_error_crosses_a_pipe),
		cmocka_unit_test(test_descriptors_travel),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_plain),
		cmocka_unit_test(test_json_indent),
		cmocka_unit_test(test_toml),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_hash_aside),
		cmocka_unit_test(test_clean_path),
		cmocka_unit_test_setup_teardown(test_root_scopes, setup_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_root_resolve, setup_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_root_parent, setup_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_root_mkdirs, setup_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_root_remove_follows_nothing, setup_tree,
						remove_tree),
		cmocka_unit_test_setup_teardown(test_write_file_is_atomic, setup_tree,
						remove_tree),
		cmocka_unit_test(test_process_inherits_nothing),
		cmocka_unit_test(test_process_not_found),
		cmocka_unit_test(test_loop_reaps),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
