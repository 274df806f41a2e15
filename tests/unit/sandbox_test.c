/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: real containers of a busybox root, each on an overlay mount that
 * nobody else sees.  Needs root and a static busybox; else the tests skip.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"

static const char *const applets[] = {
	"sh",	    "cat",  "ls",    "true",   "false",	 "id",	  "mount",  "ps",   "sleep",
	"touch",    "stat", "grep",  "mkdir",  "pwd",	 "mknod", "tty",    "stty", "hostname",
	"readlink", "rm",   "dd",    "kill",   "umount", "df",	  "test",   "env",  "seq",
	"head",	    "wc",   "chown", "setsid", "cp",	 "dmesg", "unshare"};

static char top[] = "/tmp/stave-sandbox-test-XXXXXX";
static int topfd = -1;

struct box {
	struct runtime_spec spec;
	struct sandbox_options o;
	struct error err;
	struct buf out;
	int pipe[2];
	int stdio[3];
	int code;
};

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = openat(topfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void make_root(void)
{
	int from = open("/bin/busybox", O_RDONLY | O_CLOEXEC), to;

	assert_int_equal(mkdirat(topfd, "lower", 0755), 0);
	assert_int_equal(mkdirat(topfd, "lower/bin", 0755), 0);
	assert_int_equal(mkdirat(topfd, "lower/etc", 0755), 0);
	assert_int_equal(mkdirat(topfd, "lower/tmp", 0755), 0);
	assert_int_equal(fchmodat(topfd, "lower/tmp", 01777, 0), 0);
	assert_int_equal(mkdirat(topfd, "cache", 0755), 0);
	to = openat(topfd, "lower/bin/busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(io_copy(from, to, UINT64_MAX, NULL), 0);
	close(from);
	close(to);
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		AUTO(free) char *name = mem_printf("lower/bin/%s", applets[i]);

		assert_int_equal(symlinkat("busybox", topfd, name), 0);
	}
	put("lower/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0644);
	put("lower/bin/noformat", "echo hello\n", 0755);
	put("lower/bin/nointerpreter", "#!/nowhere/sh\n", 0755);
	put("lower/bin/norights", "#!/bin/sh\n", 0644);
}

/* Root of the machine: in a user name space much of this is refused by right. */
static bool able(void)
{
	char map[64] = "";
	AUTO(fd) int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);

	return geteuid() == 0 && access("/bin/busybox", X_OK) == 0 &&
	       io_read_full(fd, map, sizeof(map) - 1) > 0 && strstr(map, "4294967295");
}

static int group_setup(void **state)
{
	(void)state;
	if (!able())
		return 0;
	if (!mkdtemp(top))
		return -1;
	topfd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_root();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	if (topfd >= 0) {
		root_empty(topfd, NULL);
		rmdir(top);
	}
	return 0;
}

/* An overlay of its own for each container; what it writes is thrown away. */
static int new_root(void)
{
	static int count;
	AUTO(free) char *upper = mem_printf("%s/upper-%d", top, ++count);
	AUTO(free) char *work = mem_printf("%s/work-%d", top, count);
	AUTO(free) char *lower = mem_printf("%s/lower", top);
	AUTO(fd) int context = fsopen("overlay", FSOPEN_CLOEXEC);
	int fd;

	assert_int_equal(mkdir(upper, 0755), 0);
	assert_int_equal(mkdir(work, 0755), 0);
	assert_int_equal(fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", lower, 0), 0);
	assert_int_equal(fsconfig(context, FSCONFIG_SET_STRING, "upperdir", upper, 0), 0);
	assert_int_equal(fsconfig(context, FSCONFIG_SET_STRING, "workdir", work, 0), 0);
	assert_int_equal(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	assert_true(fd >= 0);
	return fd;
}

static void add_args(struct box *b, va_list ap)
{
	const char *arg;

	while ((arg = va_arg(ap, const char *)))
		strlist_add(&b->spec.process.args, arg);
}

/* A container with Docker's defaults that executes the words up to NULL. */
static void box_open(struct box *b, ...)
{
	va_list ap;

	if (!able())
		skip();
	*b = (struct box){.err = ERROR_INIT};
	runtime_spec_defaults(&b->spec);
	seccomp_profile_default(CAPABILITY_DEFAULT, &b->spec.seccomp);
	strlist_add(&b->spec.process.env, "PATH=/usr/bin:/bin");
	va_start(ap, b);
	add_args(b, ap);
	va_end(ap);
	assert_int_equal(pipe2(b->pipe, O_CLOEXEC), 0);
	b->stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	b->stdio[1] = b->stdio[2] = b->pipe[1];
	b->o = (struct sandbox_options){
		.spec = &b->spec,
		.root_fd = new_root(),
		.netns_fd = -1,
		.stdio = b->stdio,
		.cache_dir = openat(topfd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.bundle_dir = -1,
		.id = "sandboxtest",
	};
}

static int box_start(struct box *b, struct sandbox *s)
{
	int r = sandbox_start(&b->o, s, &b->err);

	close_fd(&b->pipe[1]);
	return r;
}

/* Starts, reads all output, waits. 0, or the error of the start. */
static int box_run(struct box *b)
{
	struct sandbox s;
	int r = box_start(b, &s);

	if (r < 0)
		return r;
	io_read_all(b->pipe[0], 1u << 20, &b->out, NULL);
	b->code = sandbox_wait(&s, &b->o);
	return 0;
}

static void box_close(struct box *b)
{
	close_fd(&b->pipe[0]);
	close_fd(&b->pipe[1]);
	close(b->stdio[0]);
	close(b->o.cache_dir);
	buf_clear(&b->out);
	error_clear(&b->err);
	runtime_spec_clear(&b->spec);
}

static void expect_run(struct box *b, int code)
{
	int r = box_run(b);

	if (r < 0)
		print_error("%s\n", b->err.message);
	assert_int_equal(r, 0);
	if (b->code != code)
		print_error("output: %s\n", buf_str(&b->out));
	assert_int_equal(b->code, code);
}

static void expect_text(const struct box *b, const char *text)
{
	if (!strstr(buf_str(&b->out), text))
		print_error("no \"%s\" in: %s\n", text, buf_str(&b->out));
	assert_non_null(strstr(buf_str(&b->out), text));
}

static void expect_failure(struct box *b, int code, int exit_code, const char *message)
{
	assert_int_equal(box_run(b), -code);
	assert_string_equal(b->err.message, message);
	assert_int_equal(b->err.exit_code, exit_code);
}

#define SH(b, script) box_open((b), "sh", "-c", (script), NULL)

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

/* ---- cgroups -------------------------------------------------------------------------------
 */

static void test_memory_limit(void **state)
{
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
	assert_int_not_equal(access("/sys/fs/cgroup/memory/stave/sandboxtest", F_OK), 0);
	box_close(&b);
}

static void test_pids_limit(void **state)
{
	struct box b;

	(void)state;
	SH(&b, "for i in $(seq 40); do sleep 60 & done; wait");
	b.spec.resources.pids_limit = 10;
	free(b.spec.cgroups_path);
	b.spec.cgroups_path = mem_strdup("/stave-test/pids");
	assert_int_equal(box_run(&b), 0);
	expect_text(&b, "can't fork");
	assert_int_equal(sandbox_remove_cgroup("/stave-test/pids", &b.err), 0);
	assert_int_equal(sandbox_remove_cgroup("/stave-test", &b.err), 0);
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
	expect_text(&second, "1 root     sleep 60");
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

static void run_other(const char *runtime)
{
	struct box b;

	SH(&b, "echo inside; id -u; test -f /given/file && echo bound; exit 5");
	mkdirat(topfd, "bundle", 0700);
	b.o.bundle_dir = openat(topfd, "bundle", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b.o.runtime = runtime;
	expect_run(&b, 5);
	expect_text(&b, "inside\n0\n");
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

static void test_nothing_left(void **state)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(fd) int proc = open("/proc/self", O_PATH | O_CLOEXEC);

	(void)state;
	if (!able())
		skip();
	assert_int_equal(io_read_file(proc, "mountinfo", 16u << 20, &text, NULL), 0);
	assert_null(strstr(buf_str(&text), top));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
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
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_pids_limit),
		cmocka_unit_test(test_impossible_limit),
		cmocka_unit_test(test_cpu_limits),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_joins_pid_namespace),
		cmocka_unit_test(test_user_namespace),
		cmocka_unit_test(test_death_of_the_parent),
		cmocka_unit_test(test_seccomp_cache),
		cmocka_unit_test(test_seccomp_own_profile),
		cmocka_unit_test(test_crun),
		cmocka_unit_test(test_crun_terminal),
		cmocka_unit_test(test_unknown_runtime),
		cmocka_unit_test(test_nothing_left),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
