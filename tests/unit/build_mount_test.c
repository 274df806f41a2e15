/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of secrets, agents and entitlements on the command line. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/mount.h"

static char dir[] = "/tmp/stave-mount-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	root_remove(AT_FDCWD, dir, NULL);
	return 0;
}

static int secret(const char *text, struct build_secret_list *l, struct error *err)
{
	error_clear(err);
	return build_secret_parse(text, l, err);
}

static void check_secret(const char *text, const char *id, const char *file, const char *env)
{
	struct build_secret_list l = {0};
	AUTO(error) struct error err = ERROR_INIT;

	assert_int_equal(secret(text, &l, &err), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.items[0].id, id);
	assert_true(str_eq(l.items[0].file, file));
	assert_true(str_eq(l.items[0].env, env));
	build_secrets_clear(&l);
}

static void test_secret_forms(void **state)
{
	(void)state;
	unsetenv("tok");
	assert_int_equal(io_write_file(AT_FDCWD, "tok", "x", 1, 0600, 0, NULL), 0);
	assert_int_equal(io_write_file(AT_FDCWD, "a,b", "x", 1, 0600, 0, NULL), 0);
	check_secret("id=x,src=tok", "x", "tok", NULL);
	check_secret("source=tok,ID=x", "x", "tok", NULL);
	check_secret("type=file,id=x,src=tok", "x", "tok", NULL);
	check_secret("id=x,\"src=a,b\"", "x", "a,b", NULL);
	check_secret("id=x,env=E", "x", NULL, "E");
	check_secret("type=env,id=x,src=E", "x", NULL, "E");
	check_secret("type=env,id=tok", "tok", "tok", NULL);
	check_secret("id=tok", "tok", "tok", NULL);
	setenv("tok", "value", 1);
	check_secret("id=tok", "tok", NULL, "tok");
	check_secret("type=file,id=tok", "tok", "tok", NULL);
}

static void test_secret_errors(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"", "the list is empty"},
		{"src=tok", "secret missing ID"},
		{"id=,src=tok", "secret missing ID"},
		{"id", "invalid field 'id' must be a key=value pair"},
		{"id=x,colour=red", "unexpected key 'colour' in 'colour=red'"},
		{"id=x,type=vault", "unsupported secret type \"vault\""},
		{"id=x,src=nope", "failed to stat nope"},
		{"id=x,src=/", "/ is not a file"},
	};
	AUTO(error) struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct build_secret_list l = {0};

		assert_true(secret(bad[i].text, &l, &err) < 0);
		if (!strstr(err.message, bad[i].message))
			fail_msg("%s: %s", bad[i].text, err.message);
		build_secrets_clear(&l);
	}
}

static void test_secret_values(void **state)
{
	struct build_secret_list l = {0};
	struct build_options o = {.secrets = &l};
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf value = BUF_INIT;

	(void)state;
	setenv("E", "from the environment", 1);
	assert_int_equal(io_write_file(AT_FDCWD, "bytes", "a\0b", 3, 0600, 0, NULL), 0);
	assert_int_equal(build_secret_parse("id=e,env=E", &l, NULL), 0);
	assert_int_equal(build_secret_parse("id=f,src=bytes", &l, NULL), 0);
	assert_int_equal(build_secret_parse("id=n,env=NOT_THERE", &l, NULL), 0);
	assert_int_equal(secret_read(&o, "e", &value, NULL), 0);
	assert_string_equal(buf_str(&value), "from the environment");
	buf_clear(&value);
	assert_int_equal(secret_read(&o, "f", &value, NULL), 0);
	assert_int_equal(value.len, 3);
	assert_memory_equal(value.data, "a\0b", 3);
	assert_int_equal(secret_read(&o, "n", &value, NULL), -ERR_NOT_FOUND);
	assert_int_equal(secret_read(&o, "other", &value, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.message, "secret other: not found");
	assert_non_null(err.hint);
	/* the last one of an id counts */
	assert_int_equal(build_secret_parse("id=f,env=E", &l, NULL), 0);
	buf_clear(&value);
	assert_int_equal(secret_read(&o, "f", &value, NULL), 0);
	assert_string_equal(buf_str(&value), "from the environment");
	build_secrets_clear(&l);
}

static void test_ssh(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "agent"};
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct build_ssh_list l = {0};
	AUTO(error) struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(io_write_file(AT_FDCWD, "k1", "x", 1, 0600, 0, NULL), 0);
	unsetenv("SSH_AUTH_SOCK");
	assert_true(build_ssh_parse("default", &l, &err) < 0);
	assert_true(str_starts(err.message, "invalid empty ssh agent socket"));
	build_ssh_clear(&l);
	setenv("SSH_AUTH_SOCK", "agent", 1);
	assert_int_equal(build_ssh_parse("default", &l, NULL), 0);
	assert_int_equal(build_ssh_parse("two=k1,k1", &l, NULL), 0);
	assert_int_equal(build_ssh_parse("=agent", &l, NULL), 0);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.items[0].paths.items[0], "agent");
	assert_string_equal(l.items[1].id, "two");
	assert_int_equal(l.items[1].paths.n, 2);
	assert_string_equal(l.items[2].id, "default");
	error_clear(&err);
	assert_true(build_ssh_parse("x=agent,k1", &l, &err) < 0);
	assert_true(strstr(err.message, "only single socket allowed") != NULL);
	error_clear(&err);
	assert_true(build_ssh_parse("x=nope", &l, &err) < 0);
	assert_true(strstr(err.message, "stat nope") != NULL);
	error_clear(&err);
	assert_true(build_ssh_parse("x=/", &l, &err) < 0);
	assert_true(strstr(err.message, "neither a socket nor a key file") != NULL);
	build_ssh_clear(&l);
}

static void test_allow(void **state)
{
	unsigned allowed = 0;
	AUTO(error) struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(build_allow_parse("network.host", &allowed, NULL), 0);
	assert_int_equal(allowed, BUILD_ALLOW_NETWORK_HOST);
	assert_int_equal(build_allow_parse("security.insecure", &allowed, NULL), 0);
	assert_int_equal(allowed, BUILD_ALLOW_NETWORK_HOST | BUILD_ALLOW_INSECURE);
	assert_int_equal(build_allow_parse("security", &allowed, &err), -ERR_INVALID);
	assert_string_equal(err.message, "unknown entitlement security");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_forms),  cmocka_unit_test(test_secret_errors),
		cmocka_unit_test(test_secret_values), cmocka_unit_test(test_ssh),
		cmocka_unit_test(test_allow),
	};

	return cmocka_run_group_tests_name("build mounts", tests, setup, teardown);
}
