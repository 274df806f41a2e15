/* SPDX-License-Identifier: Apache-2.0 */
/* fetch: what the programs that speak to servers can no longer do. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch/fetch_confine.h"

static char given[] = "/tmp/fetch_confine.XXXXXX";

/* Runs @act in a child that has confined itself; its answer is a bit for each sin. */
static int confined(int (*act)(void))
{
	char *readable[] = {given, NULL};
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (fetch_confine(readable) < 0)
			_exit(255);
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int start_things(void)
{
	char *argv[] = {NULL}, path[] = "/bin/true";
	int done = 0;

	done |= socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 1 : 0;
	done |= socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 ? 2 : 0;
	done |= unshare(CLONE_NEWUSER) == 0 ? 4 : 0;
	done |= mount("/", "/", NULL, MS_BIND, NULL) == 0 ? 8 : 0;
	done |= kill(getppid(), 0) == 0 ? 16 : 0;
	done |= syscall(SYS_io_uring_setup, 1, NULL) >= 0 || setuid(getuid()) == 0 ? 32 : 0;
#ifndef SANITIZED
	done |= ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 64 : 0;
#endif
	execv(path, argv);
	return done;
}

static void test_starts_nothing(void **state)
{
	(void)state;
	assert_int_equal(confined(start_things), 0);
}

static int use_network(void)
{
	int done = 0;

	done |= socket(AF_INET, SOCK_STREAM, 0) < 0 ? 1 : 0;
	done |= socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? 2 : 0;
	done |= socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? 4 : 0;
	return done;
}

static void test_has_a_network(void **state)
{
	(void)state;
	assert_int_equal(confined(use_network), 0);
}

static int touch_files(void)
{
	int done = 0;

	done |= open("/etc/passwd", O_RDONLY) >= 0 ? 1 : 0;
	done |= open("/root", O_RDONLY) >= 0 ? 2 : 0;
	done |= open("/tmp/fetch_confine.new", O_WRONLY | O_CREAT, 0600) >= 0 ? 4 : 0;
	done |= unlink(given) == 0 ? 8 : 0;
	done |= open(given, O_RDWR) >= 0 ? 16 : 0;
	done |= open(given, O_RDONLY) < 0 ? 32 : 0;
	done |= open("/etc/nsswitch.conf", O_RDONLY) < 0 &&
				access("/etc/nsswitch.conf", F_OK) == 0
			? 64
			: 0;
	return done;
}

static void test_reads_what_it_needs(void **state)
{
	int fd = mkstemp(given);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1) {
		unlink(given);
		skip();
	}
	assert_int_equal(confined(touch_files), 0);
	assert_int_equal(unlink(given), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_what_it_needs),
		cmocka_unit_test(test_starts_nothing),
		cmocka_unit_test(test_has_a_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
