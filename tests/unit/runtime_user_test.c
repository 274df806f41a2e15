/* SPDX-License-Identifier: Apache-2.0 */
/* runtime: USER against passwd and group files of friends and of others. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "runtime/runtime.h"

#include "base/banned.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "bob:x:1000:1000::/home/bob:/bin/sh\n"
			     "1001:x:7:8::/seven:/bin/sh\n"
			     "bad:x:nine:9::/bad:\n"
			     "huge:x:4294967295:1::/huge:\n"
			     "short:x:12:13\n"
			     "nl:x:20:20::/nl:/bin/sh";
static const char group[] = "root:x:0:\n"
			    "wheel:x:10:root,bob\n"
			    "bob:x:1000:\n"
			    "bobby:x:77:bobb,bo\n"
			    "audio:x:29:x,bob,y\n"
			    "30:x:31:\n"
			    "broken\n";

static char path[] = "/tmp/stave-user-XXXXXX";
static int root = -1;

static void put(const char *name, const void *data, size_t len)
{
	assert_int_equal(io_write_file(root, name, data, len, 0644, 0, NULL), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(path))
		return -1;
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 || mkdirat(root, "etc", 0755);
}

static int tear_down(void **state)
{
	(void)state;
	root_empty(root, NULL);
	rmdir(path);
	close(root);
	return 0;
}

static void fresh(void)
{
	AUTO(fd) int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	root_empty(etc, NULL);
	assert_int_equal(
		io_write_file(etc, "passwd", passwd, sizeof(passwd) - 1, 0644, 0, NULL), 0);
	assert_int_equal(io_write_file(etc, "group", group, sizeof(group) - 1, 0644, 0, NULL),
			 0);
}

/* "uid gid home group,group…" or the error message. */
static void resolve(const char *spec, struct buf *out)
{
	AUTO(runtime_user) struct runtime_user u = RUNTIME_USER_INIT;
	AUTO(error) struct error err = ERROR_INIT;

	buf_reset(out);
	if (runtime_resolve_user(root, spec, &u, &err) < 0) {
		buf_addstr(out, err.message);
		return;
	}
	buf_printf(out, "%u %u %s ", u.uid, u.gid, u.home);
	for (size_t i = 0; i < u.groups.n; i++)
		buf_printf(out, "%s%u", i ? "," : "", u.groups.items[i]);
}

static void expect(const char *spec, const char *want)
{
	AUTO(buf) struct buf got = BUF_INIT;

	resolve(spec, &got);
	assert_string_equal(buf_str(&got), want);
}

#define RANGE "uids and gids must be in range 0-2147483647"

static void test_table(void **state)
{
	(void)state;
	fresh();
	expect("", "0 0 /root 0,10");
	expect(NULL, "0 0 /root 0,10");
	expect("root", "0 0 /root 0,10");
	expect("0", "0 0 /root 0,10");
	expect("bob", "1000 1000 /home/bob 1000,10,29");
	expect("1000", "1000 1000 /home/bob 1000,10,29");
	expect("bob:", "1000 1000 /home/bob 1000,10,29");
	expect("bob:audio", "1000 29 /home/bob 29");
	expect("bob:29", "1000 29 /home/bob 29");
	expect("bob:12345", "1000 12345 /home/bob 12345");
	expect(":audio", "0 29 /root 29");
	expect("4711", "4711 0 / 0");
	expect("4711:4712", "4711 4712 / 4712");
	expect("1001", "7 8 /seven 8"); /* a name wins over a number */
	expect("0:30", "0 31 /root 31");
	expect("nl", "20 20 /nl 20");
	expect("short", "12 13 / 13");
	expect("2147483647", "2147483647 0 / 0");
	expect("2147483648", RANGE);
	expect("-1", RANGE);
	expect("0:4294967295", RANGE);
	expect("foo", "unable to find user foo: no matching entries in passwd file");
	expect("bad", "unable to find user bad: no matching entries in passwd file");
	expect("huge", "unable to find user huge: no matching entries in passwd file");
	expect("bob:nog", "unable to find group nog: no matching entries in group file");
}

static void test_without_files(void **state)
{
	AUTO(fd) int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	root_empty(etc, NULL);
	expect("", "0 0 / 0");
	expect("5:6", "5 6 / 6");
	expect("bob", "unable to find user bob: no matching entries in passwd file");
	expect("0:bob", "unable to find group bob: no matching entries in group file");
}

static void test_links_stay_inside(void **state)
{
	char outside[] = "/tmp/stave-outside-XXXXXX", target[128];
	AUTO(fd) int fd = mkstemp(outside);
	AUTO(fd) int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	fresh();
	assert_int_equal(io_write_full(fd, "evil:x:666:666::/evil:\n", 23), 0);
	snprintf(target, sizeof(target), "../../../../../../../..%s", outside);
	unlinkat(etc, "passwd", 0);
	assert_int_equal(symlinkat(target, etc, "passwd"), 0);
	expect("evil", "unable to find user evil: no matching entries in passwd file");
	expect("0", "0 0 / 0");
	/* one that leads to a file of the root is followed */
	unlinkat(etc, "passwd", 0);
	put("users", "in:x:5:5::/in:\n", 15);
	assert_int_equal(symlinkat("/users", etc, "passwd"), 0);
	expect("in", "5 5 /in 5");
	unlink(outside);
}

static void test_hostile_files(void **state)
{
	AUTO(fd) int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(buf) struct buf big = BUF_INIT, got = BUF_INIT;
	static const char binary[] = "\0\xff:\0:0:0\nbob\0:x:0:0::/z:\nbob:x:5:6::/b:\n";

	(void)state;
	fresh();
	assert_int_equal(
		io_write_file(etc, "passwd", binary, sizeof(binary) - 1, 0644, 0, NULL), 0);
	expect("bob", "5 6 /b 6,10,29");
	while (big.len <= LIMIT_PASSWD_BYTES)
		buf_addstr(&big, "a:x:1:1::/:\n");
	assert_int_equal(io_write_file(etc, "passwd", big.data, big.len, 0644, 0, NULL), 0);
	resolve("zed", &got);
	assert_non_null(strstr(buf_str(&got), "cannot read etc/passwd of the image"));
	expect("5", "5 0 / 0"); /* a number does not need the file */
	unlinkat(etc, "passwd", 0);
	assert_int_equal(mkfifoat(etc, "passwd", 0644), 0); /* does not hang */
	expect("5", "5 0 / 0");
	resolve("bob", &got);
	assert_non_null(strstr(buf_str(&got), "not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_without_files),
		cmocka_unit_test(test_links_stay_inside),
		cmocka_unit_test(test_hostile_files),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
