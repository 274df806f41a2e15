/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox: limits, terminal, init, life and death, filters, other runtimes. */
#include "sandbox_box.h"

#include "sandbox/sandbox_child.h"

/* ---- cgroups -------------------------------------------------------------------------------
 */

static void test_memory_limit(void **state)
{
	AUTO(free) char *group = mem_printf("/sys/fs/cgroup/memory/stave/%s", box_id());
	struct box b;

	(void)state;
	box_open(&b, "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1", NULL);
	b.spec.resources.memory_limit = 20 << 20;
	b.spec.resources.memory_swap = 20 << 20;
	if (box_run(&b) < 0 && b.err.code == ERR_UNSUPPORTED) {
		box_close(&b);
		skip();
	}
	assert_int_equal(b.code, 137);
	assert_int_not_equal(access(group, F_OK), 0);
	box_close(&b);
}

static void test_pids_limit(void **state)
{
	AUTO(free) char *parent = mem_printf("/stave-test-%s", box_id());
	AUTO(free) char *group = mem_printf("%s/pids", parent);
	struct box b;

	(void)state;
	SH(&b, "for i in $(seq 40); do sleep 60 & done; wait");
	b.spec.resources.pids_limit = 10;
	free(b.spec.cgroups_path);
	b.spec.cgroups_path = mem_strdup(group);
	assert_int_equal(box_run(&b), 0);
	expect_text(&b, "can't fork");
	assert_int_equal(sandbox_remove_cgroup(group, &b.err), 0);
	assert_int_equal(sandbox_remove_cgroup(parent, &b.err), 0);
	box_close(&b);
}

static void test_impossible_limit(void **state)
{
	struct box b;

	(void)state;
	box_open(&b, "true", NULL);
	b.spec.resources.cpuset_cpus = mem_strdup("9999");
	assert_true(box_run(&b) < 0);
	assert_non_null(strstr(b.err.message, "set of CPUs"));
	assert_int_equal(b.err.exit_code, 125);
	box_close(&b);
}

static void test_cpu_limits(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "cat /sys/fs/cgroup/cpu*/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null;"
	       "cat /sys/fs/cgroup/cpuset/cpuset.cpus /sys/fs/cgroup/cpuset.cpus 2>/dev/null;"
	       "cat /proc/self/cgroup");
	b.spec.resources.cpu_quota = 50000;
	b.spec.resources.cpu_period = 100000;
	b.spec.resources.cpu_shares = 512;
	b.spec.resources.cpuset_cpus = mem_strdup("0");
	expect_run(&b, 0);
	expect_text(&b, "50000");
	expect_text(&b, "\n0\n");
	assert_null(strstr(buf_str(&b.out), "sandboxtest"));
	box_close(&b);
}

/* What runc 1.3.6 and crun 1.28 make of them. */
static void test_cpu_weights(void **state)
{
	static const uint64_t pairs[][2] = {{1, 1},	    {2, 1},	     {3, 2},
					    {10, 4},	    {100, 17},	     {512, 59},
					    {1024, 100},    {2048, 174},     {10000, 627},
					    {100000, 4340}, {262144, 10000}, {1u << 30, 10000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_int_equal(cgroup_v2_weight(pairs[i][0]), pairs[i][1]);
}

/* ---- terminal, init, life and death
 * ---------------------------------------------------------- */

static void test_terminal(void **state)
{
	struct box b;
	struct sandbox s;
	char text[512] = "";
	size_t len = 0;
	ssize_t n;

	(void)state;
	SH(&b, "tty; stty size; test -c /dev/console && echo console; read x; echo got $x;"
	       "stty size; cat /proc/self/stat");
	b.spec.process.terminal = true;
	b.spec.process.console_width = 132;
	b.spec.process.console_height = 40;
	b.o.stdio = NULL;
	assert_int_equal(box_start(&b, &s), 0);
	assert_true(s.terminal >= 0);
	while (!strstr(text, "console\r\n") &&
	       (n = read(s.terminal, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	sandbox_resize(&s, 50, 100);
	assert_int_equal(write(s.terminal, "word\n", 5), 5);
	while ((n = read(s.terminal, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	assert_int_equal(sandbox_wait(&s, &b.o), 0);
	assert_non_null(strstr(text, "/dev/pts/0\r\n40 132\r\nconsole\r\n"));
	assert_non_null(strstr(text, "got word\r\n50 100\r\n"));
	box_close(&b);
}

static void test_init(void **state)
{
	struct box b;
	struct sandbox s;
	char ready;

	(void)state;
	SH(&b, "cat /proc/1/comm; grep -c sandbox_test /proc/1/cmdline; echo me $$; readlink "
	       "/proc/1/exe;"
	       "(sleep 0.1 & ) ; sleep 0.3; ps | grep -c '[s]leep'; exit 9");
	b.o.init = true;
	expect_run(&b, 9);
	expect_text(&b, "stave-init\n0\n");
	assert_null(strstr(buf_str(&b.out), "sandbox_test"));
	expect_text(&b, "me 2\n");
	expect_text(&b, "\n0\n");
	box_close(&b);
	/* a signal to process 1 reaches the command */
	SH(&b, "trap 'exit 33' TERM; echo ready; while :; do sleep 0.05; done");
	b.o.init = true;
	assert_int_equal(box_start(&b, &s), 0);
	assert_int_equal(read(b.pipe[0], &ready, 1), 1);
	kill(s.pid, SIGTERM);
	assert_int_equal(sandbox_wait(&s, &b.o), 33);
	box_close(&b);
}

static void test_joins_pid_namespace(void **state)
{
	struct box first, second;
	struct sandbox s;
	char ready;

	(void)state;
	SH(&first, "echo ready; sleep 60");
	assert_int_equal(box_start(&first, &s), 0);
	assert_int_equal(read(first.pipe[0], &ready, 1), 1);
	box_open(&second, "ps", NULL);
	second.spec.namespaces[NAMESPACE_PID].path = mem_printf("/proc/%d/ns/pid", s.pid);
	second.spec.namespaces[NAMESPACE_IPC].path = mem_printf("/proc/%d/ns/ipc", s.pid);
	expect_run(&second, 0);
	/* it is the second process there, whatever the first is by now */
	expect_text(&second, "2 root     ps");
	box_close(&second);
	kill(s.pid, SIGKILL);
	assert_int_equal(sandbox_wait(&s, &first.o), 137);
	box_close(&first);
}

static void test_user_namespace(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "id -u; cat /proc/self/uid_map; echo x > /dev/null && echo null; touch /tmp/x;"
	       "stat -c %u /tmp/x; grep -c . /sys/class/net/lo/ifindex");
	b.spec.namespaces[NAMESPACE_USER].present = true;
	*vec_push(&b.spec.uid_mappings) = (struct id_mapping){0, 0, 65536};
	*vec_push(&b.spec.gid_mappings) = (struct id_mapping){0, 0, 65536};
	expect_run(&b, 0);
	expect_text(&b, "0\n         0          0      65536\nnull\n0\n1\n");
	box_close(&b);
}

static void test_death_of_the_parent(void **state)
{
	struct box b;
	struct sandbox s;
	char text[32] = "";
	int report[2];
	pid_t parent, inner;
	int status;

	(void)state;
	SH(&b, "sleep 60 & echo up; wait");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	parent = fork();
	if (parent == 0) {
		if (box_start(&b, &s) == 0)
			(void)!write(report[1], &s.pid, sizeof(s.pid));
		pause();
	}
	assert_int_equal(read(report[0], &inner, sizeof(inner)), sizeof(inner));
	close(b.o.root_fd);
	close_fd(&b.pipe[1]);
	assert_int_equal(read(b.pipe[0], text, 3), 3);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	/* the last holder of the pipe is gone when the read ends */
	assert_int_equal(read(b.pipe[0], text, 1), 0);
	assert_int_equal(waitpid(inner, &status, 0), inner);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(report[0]);
	close(report[1]);
	box_close(&b);
}

/* ---- seccomp -------------------------------------------------------------------------------
 */

static void test_seccomp_cache(void **state)
{
	struct box b;
	struct dir_list list = {0};

	(void)state;
	for (int round = 0; round < 3; round++) {
		SH(&b, "grep Seccomp: /proc/self/status; unshare -m true");
		if (round == 0)
			root_empty(b.o.cache_dir, NULL);
		expect_run(&b, 1);
		expect_text(&b, "\t2\n");
		assert_int_equal(dir_list_read(b.o.cache_dir, &list, NULL), 0);
		assert_int_equal(list.n, 1);
		/* a torn file is seen */
		if (round == 1) {
			AUTO(fd)
			int fd =
				openat(b.o.cache_dir, list.items[0].name, O_WRONLY | O_CLOEXEC);

			assert_int_equal(ftruncate(fd, 200), 0);
		}
		dir_list_clear(&list);
		box_close(&b);
	}
}

static void test_seccomp_own_profile(void **state)
{
	static const char profile[] =
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\","
		"\"mkdirat\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":28}]}";
	struct box b;

	(void)state;
	SH(&b, "mkdir /tmp/x; echo $?");
	seccomp_profile_clear(&b.spec.seccomp);
	assert_int_equal(seccomp_profile_parse(profile, strlen(profile), CAPABILITY_DEFAULT,
					       &b.spec.seccomp, &b.err),
			 0);
	expect_run(&b, 0);
	expect_text(&b, "No space left on device\n1\n");
	box_close(&b);
}

/* ---- other runtimes
 * -------------------------------------------------------------------------- */

/* A network name space that nobody is in. */
static int new_network(void)
{
	AUTO(fd) int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(ours, CLONE_NEWNET), 0);
	return fd;
}

static void test_given_network(void **state)
{
	struct box b;
	struct stat st;
	AUTO(fd) int net = -1;
	AUTO(free) char *name = NULL;

	(void)state;
	SH(&b, "readlink /proc/self/ns/net; ls /sys/class/net");
	net = new_network();
	assert_int_equal(fstat(net, &st), 0);
	name = mem_printf("net:[%lu]", (unsigned long)st.st_ino);
	b.o.netns_fd = net;
	expect_run(&b, 0);
	expect_text(&b, name);
	expect_text(&b, "\nlo\n");
	box_close(&b);
}

/* A caller without standard streams: ours must not end up in their places. */
static void test_closed_streams(void **state)
{
	struct box b;
	pid_t pid;
	int status;

	(void)state;
	SH(&b, "ls -l /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2");
	pid = fork();
	if (pid == 0) {
		struct sandbox s;

		for (int fd = 0; fd <= 2; fd++)
			close(fd);
		b.o.stdio = NULL;
		_exit(sandbox_start(&b.o, &s, &b.err) < 0 ? 99 : sandbox_wait(&s, &b.o));
	}
	waitpid(pid, &status, 0);
	assert_int_equal(WEXITSTATUS(status), 0);
	close(b.o.root_fd);
	box_close(&b);
}

static void run_other(const char *runtime)
{
	struct box b;

	AUTO(free) char *host = mem_printf("%s/etc", top);
	AUTO(fd) int net = new_network();
	AUTO(free) char *name = NULL;
	struct sandbox_bind bind = {.destination = "/given", .readonly = true};
	struct stat st;

	SH(&b, "echo inside; id -u; test -f /given/hosts && echo bound; readlink "
	       "/proc/self/ns/net; exit 5");
	mkdirat(topfd, "etc", 0755);
	put("etc/hosts", "127.0.0.1 localhost\n", 0644);
	bind.fd = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	b.o.binds = &bind;
	b.o.nbinds = 1;
	b.o.netns_fd = net;
	mkdirat(topfd, "bundle", 0700);
	b.o.bundle_dir = openat(topfd, "bundle", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b.o.runtime = runtime;
	expect_run(&b, 5);
	expect_text(&b, "inside\n0\nbound\n");
	assert_int_equal(fstat(net, &st), 0);
	name = mem_printf("net:[%lu]", (unsigned long)st.st_ino);
	expect_text(&b, name);
	root_empty(b.o.bundle_dir, NULL);
	close(b.o.bundle_dir);
	box_close(&b);
}

static void test_crun(void **state)
{
	(void)state;
	if (!able() || access("/usr/bin/crun", X_OK) != 0)
		skip();
	run_other("crun");
	run_other("/usr/bin/crun");
}

static void test_crun_terminal(void **state)
{
	struct box b;
	struct sandbox s;
	char text[256] = "";
	size_t len = 0;
	ssize_t n;

	(void)state;
	if (access("/usr/bin/crun", X_OK) != 0)
		skip();
	SH(&b, "tty; exit 3");
	b.spec.process.terminal = true;
	mkdirat(topfd, "bundle", 0700);
	b.o.bundle_dir = openat(topfd, "bundle", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b.o.runtime = "crun";
	b.o.stdio = NULL;
	assert_int_equal(box_start(&b, &s), 0);
	while ((n = read(s.terminal, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	assert_int_equal(sandbox_wait(&s, &b.o), 3);
	assert_non_null(strstr(text, "/dev/pts/0"));
	root_empty(b.o.bundle_dir, NULL);
	close(b.o.bundle_dir);
	box_close(&b);
}

static void test_unknown_runtime(void **state)
{
	struct box b;

	(void)state;
	box_open(&b, "true", NULL);
	mkdirat(topfd, "bundle", 0700);
	b.o.bundle_dir = openat(topfd, "bundle", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b.o.runtime = "nosuchruntime";
	expect_failure(&b, ERR_NOT_FOUND, 125,
		       "unknown or invalid runtime name: nosuchruntime");
	root_empty(b.o.bundle_dir, NULL);
	close(b.o.bundle_dir);
	box_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_pids_limit),
		cmocka_unit_test(test_impossible_limit),
		cmocka_unit_test(test_cpu_limits),
		cmocka_unit_test(test_cpu_weights),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_joins_pid_namespace),
		cmocka_unit_test(test_user_namespace),
		cmocka_unit_test(test_death_of_the_parent),
		cmocka_unit_test(test_seccomp_cache),
		cmocka_unit_test(test_seccomp_own_profile),
		cmocka_unit_test(test_given_network),
		cmocka_unit_test(test_closed_streams),
		cmocka_unit_test(test_crun),
		cmocka_unit_test(test_crun_terminal),
		cmocka_unit_test(test_unknown_runtime),
		cmocka_unit_test(test_nothing_left),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
