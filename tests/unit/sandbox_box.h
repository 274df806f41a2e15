/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_box - what the tests of the sandbox share: containers of a busybox
 * root, each on an overlay mount that nobody else sees.  Needs root and a
 * static busybox; else the tests skip.
 */
#pragma once

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

static inline void put(const char *path, const char *text, mode_t mode)
{
	int fd = openat(topfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static inline void make_root(void)
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
static inline bool able(void)
{
	char map[64] = "";
	AUTO(fd) int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);

	return geteuid() == 0 && access("/bin/busybox", X_OK) == 0 &&
	       io_read_full(fd, map, sizeof(map) - 1) > 0 && strstr(map, "4294967295");
}

static inline int group_setup(void **state)
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

static inline int group_teardown(void **state)
{
	(void)state;
	if (topfd >= 0) {
		root_empty(topfd, NULL);
		rmdir(top);
	}
	return 0;
}

/* An overlay of its own for each container; what it writes is thrown away. */
static inline int new_root(void)
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

static inline void add_args(struct box *b, va_list ap)
{
	const char *arg;

	while ((arg = va_arg(ap, const char *)))
		strlist_add(&b->spec.process.args, arg);
}

/* Of this process: another suite may run on the machine. */
static inline const char *box_id(void)
{
	static char id[32];

	snprintf(id, sizeof(id), "sandboxtest%d", (int)getpid());
	return id;
}

/* A container with Docker's defaults that executes the words up to NULL. */
static inline void box_open(struct box *b, ...)
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
		.id = box_id(),
	};
}

static inline int box_start(struct box *b, struct sandbox *s)
{
	int r = sandbox_start(&b->o, s, &b->err);

	close_fd(&b->pipe[1]);
	return r;
}

/* Starts, reads all output, waits. 0, or the error of the start. */
static inline int box_run(struct box *b)
{
	struct sandbox s;
	int r = box_start(b, &s);

	if (r < 0)
		return r;
	io_read_all(b->pipe[0], 1u << 20, &b->out, NULL);
	b->code = sandbox_wait(&s, &b->o);
	return 0;
}

static inline void box_close(struct box *b)
{
	close_fd(&b->pipe[0]);
	close_fd(&b->pipe[1]);
	close(b->stdio[0]);
	close(b->o.cache_dir);
	buf_clear(&b->out);
	error_clear(&b->err);
	runtime_spec_clear(&b->spec);
}

static inline void expect_run(struct box *b, int code)
{
	int r = box_run(b);

	if (r < 0)
		print_error("%s\n", b->err.message);
	assert_int_equal(r, 0);
	if (b->code != code)
		print_error("output: %s\n", buf_str(&b->out));
	assert_int_equal(b->code, code);
}

static inline void expect_text(const struct box *b, const char *text)
{
	if (!strstr(buf_str(&b->out), text))
		print_error("no \"%s\" in: %s\n", text, buf_str(&b->out));
	assert_non_null(strstr(buf_str(&b->out), text));
}

static inline void expect_failure(struct box *b, int code, int exit_code, const char *message)
{
	assert_int_equal(box_run(b), -code);
	assert_string_equal(b->err.message, message);
	assert_int_equal(b->err.exit_code, exit_code);
}

#define SH(b, script) box_open((b), "sh", "-c", (script), NULL)

static inline void test_nothing_left(void **state)
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
