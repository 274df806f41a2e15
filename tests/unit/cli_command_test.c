/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and what can be known of their options without a store. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_command.h"
#include "cli/cli_source.h"
#include "cli/cmd_run.h"

#include "base/auto.h"
#include "base/io.h"
#include "base/mem.h"

/* ---- the table ---- */

static void check_options(const struct command *c)
{
	for (size_t i = 0; i < c->noptions; i++) {
		const struct option_def *o = &c->options[i];

		assert_true(o->help && *o->help);
		/* the end of a sentence is not part of a help text */
		assert_false(str_ends(o->help, "."));
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(o->name, c->options[k].name);
			assert_true(!o->letter || o->letter != c->options[k].letter);
			/* --help lists them as they stand */
			assert_true(strcmp(c->options[k].name, o->name) < 0);
		}
	}
}

static void test_table(void **state)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	size_t n;
	const struct command *const *commands = cli_commands(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct command *c = commands[i];

		cli_command_names(c, &names);
		assert_true(c->summary && *c->summary);
		assert_true((c->flags & COMMAND_GROUP) != 0 || c->run);
		check_options(c);
	}
	for (size_t i = 0; i < names.n; i++)
		assert_int_equal(strlist_find(&names, names.items[i]), (long)i);
	assert_true(strlist_find(&names, "buildx build") >= 0);
	assert_true(strlist_find(&names, "container list") >= 0);
}

/* ---- --env-file ---- */

static const char *write_file(const char *text, size_t len)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/cli-command-test-%d", (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, len), 0);
	close(fd);
	return path;
}

static void test_env_file(void **state)
{
	static const char text[] = "\xef\xbb\xbf"
				   "# comment\n  A=1\r\n\nB= two words \n  # another\n"
				   "STAVE_TEST_HAS\nSTAVE_TEST_HAS_NOT\nEMPTY=\nLAST=x";
	static const struct {
		const char *text;
		const char *message;
	} bad[] = {
		{"a b=1\n", "variable 'a b' contains whitespaces"},
		{"A=1\n=1\n", "no variable name on line '=1'"},
		{"A=1\nB=\xff\n", "invalid utf8 bytes at line 2"},
	};
	AUTO(strlist) struct strlist env = STRLIST_INIT;
	AUTO(free) char *joined = NULL;
	const char *path = write_file(text, sizeof(text) - 1);

	(void)state;
	setenv("STAVE_TEST_HAS", "ours", 1);
	assert_int_equal(run_read_env_file(path, &env, NULL), 0);
	joined = strlist_join(&env, "|");
	assert_string_equal(joined, "A=1|B= two words |STAVE_TEST_HAS=ours|EMPTY=|LAST=x");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(error) struct error err = ERROR_INIT;
		AUTO(free)
		char *message = mem_printf("invalid env file (%s): %s", path, bad[i].message);

		write_file(bad[i].text, strlen(bad[i].text));
		assert_int_equal(run_read_env_file(path, &env, &err), -ERR_INVALID);
		assert_string_equal(err.message, message);
	}
	unlink(path);
}

static void test_env(void **state)
{
	AUTO(strlist) struct strlist env = STRLIST_INIT;
	AUTO(free) char *joined = NULL;

	(void)state;
	setenv("STAVE_TEST_HAS", "ours", 1);
	assert_int_equal(run_add_env("A=b=c", &env, NULL), 0);
	assert_int_equal(run_add_env("STAVE_TEST_HAS", &env, NULL), 0);
	assert_int_equal(run_add_env("STAVE_TEST_HAS_NOT", &env, NULL), 0);
	assert_int_equal(run_add_env("=x", &env, NULL), -ERR_INVALID);
	joined = strlist_join(&env, "|");
	assert_string_equal(joined, "A=b=c|STAVE_TEST_HAS=ours|STAVE_TEST_HAS_NOT");
}

/* ---- other options of run ---- */

static void test_security(void **state)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;

	(void)state;
	assert_int_equal(run_add_security("no-new-privileges", &o, NULL), 0);
	assert_true(o.no_new_privileges);
	assert_int_equal(run_add_security("no-new-privileges:false", &o, NULL), 0);
	assert_false(o.no_new_privileges);
	assert_int_equal(run_add_security("no-new-privileges=x", &o, NULL), -ERR_INVALID);
	assert_int_equal(run_add_security("seccomp=unconfined", &o, NULL), 0);
	assert_string_equal(o.seccomp, "unconfined");
	assert_int_equal(run_add_security("seccomp=builtin", &o, NULL), 0);
	assert_null(o.seccomp);
	assert_int_equal(run_add_security("label=disable", &o, NULL), 0);
	assert_int_equal(run_add_security("apparmor=x", &o, NULL), 0);
	assert_string_equal(o.apparmor, "x");
	assert_int_equal(run_add_security("systempaths=unconfined", &o, NULL), 0);
	assert_true(o.bare_paths);
	assert_int_equal(run_add_security("systempaths=x", &o, NULL), -ERR_INVALID);
	assert_int_equal(run_add_security("writable-cgroups=1", &o, NULL), 0);
	assert_true(o.writable_cgroups);
	assert_int_equal(run_add_security("foo", &o, NULL), -ERR_INVALID);
}

static void test_hosts(void **state)
{
	AUTO(strlist) struct strlist hosts = STRLIST_INIT;
	AUTO(free) char *joined = NULL;

	(void)state;
	assert_int_equal(cli_add_host("a:10.0.0.1", &hosts, NULL), 0);
	assert_int_equal(cli_add_host("b=::1", &hosts, NULL), 0);
	assert_int_equal(cli_add_host("c:[fe80::1]", &hosts, NULL), 0);
	assert_int_equal(cli_add_host("d:host-gateway", &hosts, NULL), 0);
	assert_int_equal(cli_add_host("e", &hosts, NULL), -ERR_INVALID);
	assert_int_equal(cli_add_host(":1.1.1.1", &hosts, NULL), -ERR_INVALID);
	assert_int_equal(cli_add_host("e:1.1.1", &hosts, NULL), -ERR_INVALID);
	assert_int_equal(cli_add_host("e:[", &hosts, NULL), -ERR_INVALID);
	joined = strlist_join(&hosts, "|");
	assert_string_equal(joined, "a:10.0.0.1|b:::1|c:fe80::1|d:host-gateway");
}

/* ---- the excerpt ---- */

static const struct {
	const char *text;
	unsigned line;
	const char *excerpt;
	unsigned column;
} excerpts[] = {
	{"FROM a\nRUN b\nRUN c\nRUN d\nRUN e\nRUN f\n", 3,
	 "D:3\n--------------------\n   1 |     FROM a\n   2 |     RUN b\n   3 | >>> RUN c\n"
	 "   4 |     RUN d\n   5 |     RUN e\n--------------------\n"},
	{"FROM a\nRUN b\n", 1,
	 "D:1\n--------------------\n   1 | >>> FROM a\n   2 |     RUN b\n   3 |     \n"
	 "--------------------\n"},
	{"FROM a\nX y\nRUN b \\\n  # c\n  && d\nRUN e\nRUN f\n", 3,
	 "D:3\n--------------------\n   2 |     X y\n   3 | >>> RUN b \\\n   4 | >>>   # c\n"
	 "   5 | >>>   && d\n   6 |     RUN e\n--------------------\n"},
	{"# escape=`\nFROM a\nRUN b `\n c\n", 3,
	 "D:3\n--------------------\n   2 |     FROM a\n   3 | >>> RUN b `\n   4 | >>>  c\n"
	 "   5 |     \n--------------------\n"},
	{"FROM a", 1, "D:1\n--------------------\n   1 | >>> FROM a\n--------------------\n"},
	{"FROM a\\", 1,
	 "D:1\n--------------------\n   1 | >>> FROM a\\\n--------------------\n"},
	{"FROM a\nRUN --muont=x b\n", 2,
	 "D:2:5\n--------------------\n   1 |     FROM a\n   2 | >>> RUN --muont=x b\n"
	 "     |         ^^^^^^^^^\n   3 |     \n--------------------\n",
	 5},
	{"FROM a\nENV \xc3\xa4=1 \\\n\tB\n", 3,
	 "D:3:2\n--------------------\n   1 |     FROM a\n   2 | >>> ENV \xc3\xa4=1 \\\n"
	 "   3 | >>> \tB\n     |     \t^\n   4 |     \n--------------------\n",
	 2},
	{"FROM a\nENV \xc3\xa4=1 B\n", 2,
	 "D:2:10\n--------------------\n   1 |     FROM a\n   2 | >>> ENV \xc3\xa4=1 B\n"
	 "     |             ^\n   3 |     \n--------------------\n",
	 10},
	{"COPY a\n", 1,
	 "D:1:7\n--------------------\n   1 | >>> COPY a\n     |           ^\n   2 |     \n"
	 "--------------------\n",
	 7},
	{"FROM a\n", 9, ""},
	{"FROM a\n", 0, ""},
};

static void test_excerpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(excerpts); i++) {
		AUTO(buf) struct buf out = BUF_INIT;

		cli_source_excerpt("D", excerpts[i].text, strlen(excerpts[i].text),
				   excerpts[i].line, excerpts[i].column, &out);
		assert_string_equal(buf_str(&out), excerpts[i].excerpt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_env_file),
		cmocka_unit_test(test_env),   cmocka_unit_test(test_security),
		cmocka_unit_test(test_hosts), cmocka_unit_test(test_excerpt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
