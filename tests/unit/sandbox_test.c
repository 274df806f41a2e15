/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox: commands, confinement, mounts, hostile roots. */
#include "sandbox_box.h"

/* ---- exit codes and messages ---------------------------------------------------------------
 */

static void test_exit_codes(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "exit 7");
	expect_run(&b, 7);
	box_close(&b);
	SH(&b, "kill -9 $$; kill -TERM 1; sh -c 'kill -9 $$'; echo $?");
	expect_run(&b, 0);
	expect_text(&b, "137");
	box_close(&b);
}

static void test_command_not_found(void **state)
{
	struct box b;

	(void)state;
	box_open(&b, "nosuch", NULL);
	expect_failure(&b, ERR_NOT_FOUND, 127,
		       "exec: \"nosuch\": executable file not found in $PATH");
	box_close(&b);
	box_open(&b, "/nosuch", NULL);
	expect_failure(&b, ERR_NOT_FOUND, 127,
		       "exec: \"/nosuch\": stat /nosuch: no such file or directory");
	box_close(&b);
	box_open(&b, "/etc/passwd", NULL);
	expect_failure(&b, ERR_DENIED, 126, "exec: \"/etc/passwd\": permission denied");
	box_close(&b);
	box_open(&b, "/bin", NULL);
	expect_failure(&b, ERR_DENIED, 126,
		       "exec: \"/bin\": is a directory: permission denied");
	box_close(&b);
	box_open(&b, "norights", NULL);
	expect_failure(&b, ERR_NOT_FOUND, 127,
		       "exec: \"norights\": executable file not found in $PATH");
	box_close(&b);
	box_open(&b, "/etc/passwd/x", NULL);
	expect_failure(&b, ERR_FAILED, 125,
		       "exec: \"/etc/passwd/x\": stat /etc/passwd/x: not a directory");
	box_close(&b);
}

static void test_command_not_executed(void **state)
{
	struct box b;

	(void)state;
	box_open(&b, "noformat", NULL);
	expect_failure(&b, ERR_FAILED, 255, "exec /bin/noformat: exec format error");
	box_close(&b);
	box_open(&b, "nointerpreter", NULL);
	expect_failure(&b, ERR_FAILED, 255,
		       "exec /bin/nointerpreter: no such file or directory");
	box_close(&b);
}

/* ---- confinement ---------------------------------------------------------------------------
 */

static void test_status(void **state)
{
	struct box b;

	(void)state;
	box_open(&b, "cat", "/proc/self/status", NULL);
	expect_run(&b, 0);
	expect_text(&b, "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\n"
			"CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n"
			"CapAmb:\t0000000000000000\n");
	expect_text(&b, "\nSeccomp:\t2\n");
	expect_text(&b, "\nNoNewPrivs:\t0\n");
	expect_text(&b, "\nPid:\t1\n");
	expect_text(&b, "\nUmask:\t0022\n");
	expect_text(&b, "\nSigBlk:\t0000000000000000\n");
	box_close(&b);
	box_open(&b, "cat", "/proc/self/status", NULL);
	b.spec.process.no_new_privileges = true;
	expect_run(&b, 0);
	expect_text(&b, "\nNoNewPrivs:\t1\nSeccomp:\t2\n");
	box_close(&b);
}

static void test_user(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "id; cat /proc/self/status; echo again > /dev/stdout");
	b.spec.process.uid = 1000;
	b.spec.process.gid = 1001;
	process_config_add_gid(&b.spec.process, 1001);
	process_config_add_gid(&b.spec.process, 7);
	expect_run(&b, 0);
	expect_text(&b, "uid=1000 gid=1001");
	expect_text(&b, "\nGroups:\t7 1001 \n");
	expect_text(&b, "\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
			"CapBnd:\t00000000a80425fb\n");
	expect_text(&b, "again");
	box_close(&b);
	/* what only root could read is not found by an ordinary user either */
	box_open(&b, "/root/x", NULL);
	b.spec.process.uid = 1000;
	assert_true(box_run(&b) < 0);
	box_close(&b);
}

static void test_masks(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "test -c /proc/keys && test -c /proc/timer_list && cat /proc/keys | wc -c;"
	       "ls /sys/firmware | wc -l; ls /proc/acpi 2>/dev/null | wc -l;"
	       "echo 0 > /proc/sys/kernel/panic && echo WRITTEN;"
	       "echo b > /proc/sysrq-trigger && echo WRITTEN;"
	       "touch /sys/x && echo WRITTEN; mount -t tmpfs x /tmp && echo MOUNTED;"
	       "umount /proc/keys && echo MOUNTED; unshare -m true && echo UNSHARED; true");
	expect_run(&b, 0);
	assert_int_equal(strncmp(buf_str(&b.out), "0\n0\n0\n", 6), 0);
	assert_null(strstr(buf_str(&b.out), "WRITTEN"));
	assert_null(strstr(buf_str(&b.out), "MOUNTED"));
	assert_null(strstr(buf_str(&b.out), "UNSHARED"));
	box_close(&b);
}

static void test_devices(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "echo x > /dev/null && head -c 3 /dev/zero | wc -c;"
	       "readlink /dev/fd; readlink /dev/ptmx; stat -c %t:%T:%a /dev/null /dev/tty;"
	       "mknod /tmp/null c 1 3 && echo x > /tmp/null && echo ALLOWED;"
	       "mknod /tmp/disk b 254 0 && echo MADE; head -c 1 /tmp/disk && echo OPENED;"
	       "mknod /dev/mem c 1 1 && echo MADE; head -c 1 /dev/mem && echo OPENED; true");
	expect_run(&b, 0);
	expect_text(&b, "3\n/proc/self/fd\npts/ptmx\n1:3:666\n5:0:666\n");
	expect_text(&b, "ALLOWED");
	expect_text(&b, "MADE");
	assert_null(strstr(buf_str(&b.out), "OPENED"));
	box_close(&b);
	SH(&b, "ls -l /dev/fuse /dev/net/tun");
	runtime_spec_add_device(&b.spec, "/dev/fuse", 'c', 10, 229, 0660);
	runtime_spec_add_device(&b.spec, "/dev/net/tun", 'c', 10, 200, 0600);
	expect_run(&b, 0);
	expect_text(&b, "crw-rw----");
	box_close(&b);
}

static void test_descriptors(void **state)
{
	struct box b;
	int leak = open("/", O_RDONLY); /* not close-on-exec, by intention */

	(void)state;
	SH(&b, "for f in /proc/self/fd/*; do readlink $f; done | grep -v -e pipe: -e null -e "
	       "/proc/; true");
	expect_run(&b, 0);
	assert_string_equal(buf_str(&b.out), "");
	box_close(&b);
	close(leak);
}

static void test_names_and_limits(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "hostname; cat /proc/sys/kernel/domainname; ulimit -n; ulimit -Hn; ulimit -c;"
	       "umask; cat /proc/self/oom_score_adj; cat /proc/sys/net/ipv4/ip_forward");
	b.spec.hostname = mem_strdup("vat");
	b.spec.domainname = mem_strdup("cellar");
	process_config_add_rlimit(&b.spec.process, "RLIMIT_NOFILE", 64, 100);
	process_config_add_rlimit(&b.spec.process, "RLIMIT_CORE", UINT64_MAX, UINT64_MAX);
	b.spec.process.has_umask = true;
	b.spec.process.umask = 027;
	b.spec.process.has_oom_score_adj = true;
	b.spec.process.oom_score_adj = 500;
	map_set(&b.spec.sysctl, "net.ipv4.ip_forward", mem_strdup("1"));
	expect_run(&b, 0);
	expect_text(&b, "vat\ncellar\n64\n100\n");
	expect_text(&b, "\n0027\n500\n1\n");
	box_close(&b);
	box_open(&b, "true", NULL);
	map_set(&b.spec.sysctl, "kernel.panic", mem_strdup("1"));
	expect_failure(&b, ERR_INVALID, 125,
		       "sysctl \"kernel.panic\" is not in a separate kernel namespace");
	box_close(&b);
}

/* ---- mounts --------------------------------------------------------------------------------
 */

static void test_mounts(void **state)
{
	struct box b;
	AUTO(free) char *host = mem_printf("%s/host", top);
	AUTO(free) char *file = mem_printf("%s/host/file", top);

	(void)state;
	SH(&b, "cat /mnt/a/file /etc/one/two; touch /mnt/a/x; touch /mnt/b/y && echo written;"
	       "grep ' /scratch ' /proc/self/mountinfo; stat -c %a /tmp /scratch;"
	       "cat /proc/self/mountinfo | grep ' / / '");
	mkdirat(topfd, "host", 0755);
	put("host/file", "from the host\n", 0644);
	runtime_spec_add_mount(&b.spec, "/mnt/a", "bind", host, "rbind,ro,rprivate");
	runtime_spec_add_mount(&b.spec, "/mnt/b", "bind", host, "rbind,rprivate");
	runtime_spec_add_mount(&b.spec, "/etc/one/two", NULL, file, "bind,ro");
	runtime_spec_add_mount(&b.spec, "/scratch", "tmpfs", "tmpfs",
			       "nosuid,noexec,size=1m,mode=1700");
	runtime_spec_add_mount(&b.spec, "/tmp", "tmpfs", "tmpfs", "nosuid");
	b.spec.root_readonly = true;
	b.o.made = mem_new(struct strlist);
	expect_run(&b, 0);
	expect_text(&b, "from the host\nfrom the host\n");
	expect_text(&b, "touch: /mnt/a/x: Read-only file system\nwritten\n");
	expect_text(&b, "noexec");
	expect_text(&b, "1777\n1700\n");
	expect_text(&b, " / / ro,");
	assert_int_equal(faccessat(topfd, "host/y", F_OK, 0), 0);
	assert_true(strlist_find(b.o.made, "mnt") >= 0);
	assert_true(strlist_find(b.o.made, "etc/one") >= 0);
	assert_true(strlist_find(b.o.made, "proc") >= 0);
	assert_true(strlist_find(b.o.made, "tmp") < 0);
	strlist_clear(b.o.made);
	free(b.o.made);
	box_close(&b);
}

static void test_mount_errors(void **state)
{
	struct box b;

	(void)state;
	box_open(&b, "true", NULL);
	runtime_spec_add_mount(&b.spec, "/x", "bind", "/nowhere", "rbind");
	expect_failure(&b, ERR_NOT_FOUND, 125, "bind source path does not exist: /nowhere");
	box_close(&b);
	box_open(&b, "true", NULL);
	runtime_spec_add_mount(&b.spec, "/etc/passwd", "bind", "/tmp", "rbind");
	assert_int_equal(box_run(&b), -ERR_INVALID);
	assert_non_null(strstr(b.err.message, "onto a file"));
	box_close(&b);
	box_open(&b, "true", NULL);
	runtime_spec_add_mount(&b.spec, "/x", "tmpfs", "tmpfs", "sizee=3");
	assert_true(box_run(&b) < 0);
	assert_non_null(strstr(b.err.message, "sizee"));
	box_close(&b);
}

static void test_given_binds(void **state)
{
	struct box b;
	AUTO(free) char *host = mem_printf("%s/given", top);
	struct sandbox_bind binds[2];

	(void)state;
	SH(&b, "cat /run/a/file; touch /run/a/x; touch /run/b/y && echo written");
	mkdirat(topfd, "given", 0755);
	put("given/file", "given\n", 0644);
	for (int i = 0; i < 2; i++)
		binds[i] = (struct sandbox_bind){
			.fd = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
			.destination = i ? "/run/b" : "/run/a",
			.readonly = !i};
	b.o.binds = binds;
	b.o.nbinds = 2;
	expect_run(&b, 0);
	expect_text(&b, "given\ntouch: /run/a/x: Read-only file system\nwritten\n");
	box_close(&b);
}

static void test_working_directory(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "pwd; stat -c '%a %u' . ..");
	free(b.spec.process.cwd);
	b.spec.process.cwd = mem_strdup("/made/for/me");
	b.spec.process.uid = 1000;
	b.spec.root_readonly = true;
	expect_run(&b, 0);
	assert_string_equal(buf_str(&b.out), "/made/for/me\n755 0\n755 0\n");
	box_close(&b);
	for (int fd = 3; fd < 20; fd++) {
		SH(&b, "cat ../../../etc/shadow");
		free(b.spec.process.cwd);
		b.spec.process.cwd = mem_printf("/proc/self/fd/%d", fd);
		assert_true(box_run(&b) < 0);
		box_close(&b);
	}
	box_open(&b, "true", NULL);
	free(b.spec.process.cwd);
	b.spec.process.cwd = mem_strdup("/etc/passwd");
	assert_true(box_run(&b) < 0);
	assert_non_null(strstr(b.err.message, "Cannot mkdir: /etc/passwd is not a directory"));
	box_close(&b);
}

/* ---- hostile roots -------------------------------------------------------------------------
 */

/* Swaps a directory of the root for a link, for the time of one test. */
static void swap_in_link(const char *name, const char *target)
{
	AUTO(free) char *path = mem_printf("lower/%s", name);

	assert_int_equal(symlinkat(target, topfd, path), 0);
}

static void swap_out_link(const char *name)
{
	AUTO(free) char *path = mem_printf("lower/%s", name);

	assert_int_equal(unlinkat(topfd, path, 0), 0);
}

static void test_hostile_dev(void **state)
{
	struct box b;
	AUTO(free) char *canary = mem_printf("%s/canary", top);
	struct dir_list list = {0};
	int fd;

	(void)state;
	if (!able())
		skip();
	mkdirat(topfd, "canary", 0755);
	swap_in_link("dev", canary);
	swap_in_link("work", canary);
	SH(&b, "echo run");
	free(b.spec.process.cwd);
	b.spec.process.cwd = mem_strdup("/work/x");
	/* whether it runs does not matter; what it touches does */
	box_run(&b);
	box_close(&b);
	fd = openat(topfd, "canary", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(dir_list_read(fd, &list, NULL), 0);
	assert_int_equal(list.n, 0);
	dir_list_clear(&list);
	close(fd);
	swap_out_link("dev");
	swap_out_link("work");
}

static void test_hostile_proc(void **state)
{
	struct box b;

	(void)state;
	if (!able())
		skip();
	swap_in_link("proc", "/tmp");
	box_open(&b, "true", NULL);
	assert_true(box_run(&b) < 0);
	assert_non_null(strstr(b.err.message, "/proc"));
	box_close(&b);
	swap_out_link("proc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_command_not_found),
		cmocka_unit_test(test_command_not_executed),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_names_and_limits),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_mount_errors),
		cmocka_unit_test(test_given_binds),
		cmocka_unit_test(test_working_directory),
		cmocka_unit_test(test_hostile_dev),
		cmocka_unit_test(test_hostile_proc),
		cmocka_unit_test(test_nothing_left),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
