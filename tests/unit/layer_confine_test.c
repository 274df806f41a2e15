/* SPDX-License-Identifier: Apache-2.0 */
/* layer: what the program that reads archives can no longer do. */
#include "layer_fixture.h"

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "layer/layer_unpack.h"

#include "base/banned.h"

/* Runs @act in a child that has confined itself to @tree; its answer is a bit for each sin. */
static int confined(int tree, int (*act)(int tree))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (unpack_confine(tree, LAYER_UNPACK_TREE, NULL) < 0)
			_exit(100);
		_exit(act(tree));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int start_things(int tree)
{
	char *argv[] = {NULL}, path[] = "/bin/true";
	int done = 0;

	(void)tree;
	done |= socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 1 : 0;
	done |= socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 2 : 0;
	done |= syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0 ? 4 : 0;
	done |= unshare(CLONE_NEWUSER) == 0 ? 8 : 0;
	done |= ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 16 : 0;
	done |= mount("/", "/", NULL, MS_BIND, NULL) == 0 ? 32 : 0;
	done |= kill(getppid(), 0) == 0 ? 64 : 0;
	execv(path, argv);
	return done;
}

static void test_starts_nothing(void **state)
{
	(void)state;
	assert_int_equal(confined(-1, start_things), 0);
}

static int touch_things(int tree)
{
	int done = 0, fd;

	fd = openat(tree, "inside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	done |= fd < 0 ? 1 : 0;
	done |= symlinkat("x", tree, "link") < 0 ? 2 : 0;
	done |= mkdirat(tree, "dir", 0700) < 0 ? 4 : 0;
	done |= linkat(tree, "inside", tree, "dir/hard", 0) < 0 ? 8 : 0;
	done |= open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 16 : 0;
	done |= openat(tree, "../outside", O_RDONLY | O_CLOEXEC) >= 0 ? 32 : 0;
	return done;
}

static void test_files(void **state)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	char path[64];
	int fd = scratch_open(path), tree, done;

	(void)state;
	make_file(fd, "outside", "");
	tree = make_dir(fd, "tree");
	done = confined(tree, touch_things);
	close(tree);
	scratch_close(fd, path);
	assert_int_equal(done & 15, 0);
	if (abi < 2)
		skip(); /* no Landlock: openat2 alone keeps it in the tree */
	assert_int_equal(done, 0);
}

static int look_at_powers(int tree)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {0};
	struct rlimit core, memory;
	int done = 0;

	(void)tree;
	done |= syscall(SYS_capget, &head, caps) == 0 ? 1 : 0;
	done |= getrlimit(RLIMIT_CORE, &core) == 0 || getrlimit(RLIMIT_AS, &memory) == 0 ? 2
											 : 0;
#ifndef SANITIZED
	done |= mmap(NULL, 2ul << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
				MAP_FAILED
			? 4
			: 0;
#endif
	done |= setuid(0) == 0 || chroot("/") == 0 ? 8 : 0;
	return done;
}

static void test_powers(void **state)
{
	(void)state;
	assert_int_equal(confined(-1, look_at_powers), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts_nothing),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_powers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
