/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime: the foreground, with an ordinary child in place of a container:
 * what the pump sees of one is a process, its pipes or the master of its pty.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "runtime/runtime.h"

#include "base/banned.h"

#define BIG 3000000

static int make_pty(int *out_slave)
{
	const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	*out_slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*out_slave >= 0);
	return master;
}

/* Starts `sh -c script` as sandbox_start() would: with a mask and streams of its own. */
static void start(const char *script, const struct runtime_stdio *s, struct sandbox *sb)
{
	const int *streams = runtime_stdio_child(s);
	int slave = -1;
	sigset_t none;

	*sb = (struct sandbox){.terminal = -1};
	if (!streams)
		sb->terminal = make_pty(&slave);
	sb->pid = fork();
	if (sb->pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < 3; i++)
			dup2(streams ? streams[i] : slave, i);
		if (slave >= 0)
			ioctl(0, TIOCSCTTY, 0);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	if (slave >= 0)
		close(slave);
	sb->pidfd = (int)syscall(SYS_pidfd_open, sb->pid, 0);
}

static int run(const struct runtime_stdio_options *o, const char *script, int *code,
	       struct error *err)
{
	AUTO(runtime_spec) struct runtime_spec spec = RUNTIME_SPEC_INIT;
	const struct sandbox_options so = {.spec = &spec,
					   .root_fd = -1,
					   .netns_fd = -1,
					   .cache_dir = -1,
					   .bundle_dir = -1};
	AUTO(runtime_stdio) struct runtime_stdio *s = NULL;
	struct sandbox sb;
	int r = runtime_stdio_new(o, &s, err);

	if (r < 0)
		return r;
	start(script, s, &sb);
	return runtime_stdio_run(s, &sb, &so, code, err);
}

static int temporary(void)
{
	const int fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void expect_file(int fd, const char *want)
{
	AUTO(buf) struct buf got = BUF_INIT;

	lseek(fd, 0, SEEK_SET);
	assert_int_equal(io_read_all(fd, BIG, &got, NULL), 0);
	assert_string_equal(buf_str(&got), want);
}

static void test_output_and_exit_code(void **state)
{
	AUTO(fd) int out = temporary();
	AUTO(fd) int err = temporary();
	const struct runtime_stdio_options o = {.in = 0, .out = out, .err = err};
	int code = -1;

	(void)state;
	assert_int_equal(run(&o, "cat; echo one; echo two >&2; exit 7", &code, NULL), 0);
	assert_int_equal(code, 7);
	expect_file(out, "one\n");
	expect_file(err, "two\n");
	assert_int_equal(run(&o, "kill -9 $$", &code, NULL), 0);
	assert_int_equal(code, 137);
}

static void fill(int fd)
{
	AUTO(free) char *data = mem_alloc(BIG);

	for (size_t i = 0; i < BIG; i++)
		data[i] = (char)(i * 7 + i / 251);
	assert_int_equal(io_write_full(fd, data, BIG), 0);
	lseek(fd, 0, SEEK_SET);
}

static void expect_same(int a, int b)
{
	AUTO(buf) struct buf x = BUF_INIT, y = BUF_INIT;

	lseek(a, 0, SEEK_SET);
	lseek(b, 0, SEEK_SET);
	assert_int_equal(io_read_all(a, 2 * BIG, &x, NULL), 0);
	assert_int_equal(io_read_all(b, 2 * BIG, &y, NULL), 0);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
}

static void test_input_from_a_file(void **state)
{
	AUTO(fd) int in = temporary();
	AUTO(fd) int out = temporary();
	const struct runtime_stdio_options o = {
		.interactive = true, .in = in, .out = out, .err = 2};
	int code = -1;

	(void)state;
	fill(in);
	assert_int_equal(run(&o, "cat", &code, NULL), 0);
	assert_int_equal(code, 0);
	expect_same(in, out);
	/* a command that leaves its input unread ends all the same */
	lseek(in, 0, SEEK_SET);
	assert_int_equal(run(&o, "exec <&-; sleep 0.1; exit 3", &code, NULL), 0);
	assert_int_equal(code, 3);
}

/* A child that copies @from to @to, a little at a time. */
static pid_t start_slow_copy(int from, int to, useconds_t pause)
{
	const pid_t pid = fork();
	static char some[20000];
	ssize_t n;

	if (pid)
		return pid;
	while ((n = read(from, some, sizeof(some))) > 0) {
		io_write_full(to, some, (size_t)n);
		usleep(pause);
	}
	_exit(0);
}

static void test_slow_pipes_lose_nothing(void **state)
{
	AUTO(fd) int source = temporary();
	AUTO(fd) int result = temporary();
	int in[2], out[2], code = -1;
	pid_t writer, reader;

	(void)state;
	fill(source);
	assert_int_equal(io_pipe(in, NULL), 0);
	writer = start_slow_copy(source, in[1], 500);
	close(in[1]);
	assert_int_equal(io_pipe(out, NULL), 0);
	reader = fork();
	if (reader == 0) {
		close(out[1]);
		pid_t inner = start_slow_copy(out[0], result, 2000);
		waitpid(inner, NULL, 0);
		_exit(0);
	}
	close(out[0]);

	const struct runtime_stdio_options o = {
		.interactive = true, .in = in[0], .out = out[1], .err = 2};

	assert_int_equal(run(&o, "cat", &code, NULL), 0);
	assert_int_equal(code, 0);
	/* ours is as we gave it */
	assert_int_equal(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
	close(out[1]);
	close(in[0]);
	waitpid(writer, NULL, 0);
	waitpid(reader, NULL, 0);
	expect_same(source, result);
}

static void test_reader_that_leaves(void **state)
{
	int out[2], code = -1;

	(void)state;
	assert_int_equal(io_pipe(out, NULL), 0);
	close(out[0]);

	const struct runtime_stdio_options o = {.in = 0, .out = out[1], .err = 2};

	assert_int_equal(run(&o, "exec yes", &code, NULL), 0);
	assert_int_equal(code, 128 + SIGPIPE);
	close(out[1]);
}

static void test_full_disk_is_an_error(void **state)
{
	AUTO(fd) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	const struct runtime_stdio_options o = {.in = 0, .out = full, .err = 2};
	AUTO(error) struct error err = ERROR_INIT;
	int code = -1;

	(void)state;
	assert_int_equal(run(&o, "echo x; exit 4", &code, &err), -ERR_SYSTEM);
	assert_string_equal(err.message,
			    "cannot write the container's output: no space left on device");
	assert_int_equal(code, 4);
}

static void test_streams_that_are_closed(void **state)
{
	const struct runtime_stdio_options o = {.in = 0, .out = 900, .err = 901};
	int code = -1;

	(void)state;
	assert_int_equal(run(&o, "head -c 1000000 /dev/zero; exit 5", &code, NULL), 0);
	assert_int_equal(code, 5);
}

/* A child that sends us @number every 100 ms, @times times, when a word came on @ready. */
static pid_t start_sender(int ready, int number, int times)
{
	const pid_t us = getpid(), pid = fork();
	char c;

	if (pid)
		return pid;
	if (read(ready, &c, 1) != 1)
		_exit(1);
	for (int i = 0; i < times; i++) {
		usleep(100000);
		kill(us, number);
	}
	_exit(0);
}

static void expect_signal(const char *script, int number, int times, int want)
{
	struct runtime_stdio_options o = {.in = 0, .err = 2};
	int code = -1, ready[2];
	pid_t sender;
	sigset_t set;

	/* as in the program, where the mask is there before anything starts */
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	assert_int_equal(io_pipe(ready, NULL), 0);
	o.out = ready[1];
	sender = start_sender(ready[0], number, times);
	assert_int_equal(run(&o, script, &code, NULL), 0);
	assert_int_equal(code, want);
	waitpid(sender, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	signal(number, SIG_IGN); /* what came after the end */
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(number, SIG_DFL);
}

#define LOOP		 "echo; while :; do sleep 0.02; done"
#define TRAP(name, code) "trap 'exit " #code "' " name "; " LOOP

static void test_signals_are_passed_on(void **state)
{
	(void)state;
	expect_signal(TRAP("TERM", 42), SIGTERM, 1, 42);
	expect_signal(TRAP("HUP", 43), SIGHUP, 1, 43);
	expect_signal(TRAP("USR1", 44), SIGUSR1, 1, 44);
	expect_signal(TRAP("INT", 45), SIGINT, 1, 45);
	expect_signal(LOOP, SIGTERM, 1, 143);
}

static void test_third_interrupt_kills(void **state)
{
	(void)state;
	expect_signal("trap '' INT; " LOOP, SIGINT, 3, 137);
}

static void test_no_terminal_is_refused(void **state)
{
	AUTO(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct runtime_stdio_options o = {
		.tty = true, .interactive = true, .in = null, .out = 1, .err = 2};
	AUTO(error) struct error err = ERROR_INIT;
	struct runtime_stdio *s = NULL;

	(void)state;
	assert_int_equal(runtime_stdio_new(&o, &s, &err), -ERR_INVALID);
	assert_string_equal(err.message, "the input device is not a TTY");
	assert_null(s);
}

static void test_pty_without_input(void **state)
{
	AUTO(fd) int out = temporary();
	const struct runtime_stdio_options o = {.tty = true, .in = 0, .out = out, .err = 2};
	AUTO(buf) struct buf got = BUF_INIT;
	int code = -1;

	(void)state;
	assert_int_equal(run(&o, "test -t 0 && seq 1 20000; exit 6", &code, NULL), 0);
	assert_int_equal(code, 6);
	lseek(out, 0, SEEK_SET);
	assert_int_equal(io_read_all(out, BIG, &got, NULL), 0);
	/* all of it, with the carriage returns of a terminal */
	assert_int_equal(got.len, 108894 + 20000);
	assert_memory_equal(got.data + got.len - 7, "20000\r\n", 7);
}

/* Reads the terminal's master until @text has come. */
static bool await(int master, const char *text)
{
	AUTO(buf) struct buf got = BUF_INIT;

	while (!strstr(buf_str(&got), text)) {
		ssize_t n = read(master, buf_reserve(&got, 4096), 4096);

		if (n <= 0)
			return false;
		got.len += (size_t)n;
		got.data[got.len] = 0;
	}
	return true;
}

/* The person before the terminal: exit status 0 if all went as it should. */
static _Noreturn void sit_at_terminal(int master, int slave)
{
	const struct winsize bigger = {.ws_row = 40, .ws_col = 120};
	struct termios t;

	if (!await(master, "ready 24 80"))
		_exit(1);
	tcgetattr(slave, &t);
	if (t.c_lflag & (ICANON | ECHO | ISIG))
		_exit(2);
	ioctl(master, TIOCSWINSZ, &bigger);
	kill(getppid(), SIGWINCH);
	if (!await(master, "now 40 120"))
		_exit(3);
	(void)!write(master, "hello\r", 6);
	if (!await(master, "got hello"))
		_exit(4);
	(void)!write(master, "\003", 1); /* Ctrl-C goes through as a byte */
	_exit(await(master, "interrupted") ? 0 : 5);
}

static void test_terminal(void **state)
{
	static const char script[] = "trap 'echo interrupted; exit 9' INT\n"
				     "trap 'echo now $(stty size)' WINCH\n"
				     "echo ready $(stty size)\n"
				     "while ! read -r line; do :; done; echo got $line\n"
				     "while :; do sleep 0.05; done";
	const struct winsize size = {.ws_row = 24, .ws_col = 80};
	int slave, code = -1, status = -1;
	AUTO(fd) int master = make_pty(&slave);
	AUTO(fd) int own_slave __attribute__((unused)) = slave;
	struct termios before = {0}, after = {0};
	pid_t person;

	(void)state;
	ioctl(master, TIOCSWINSZ, &size);
	tcgetattr(slave, &before);
	person = fork();
	if (person == 0)
		sit_at_terminal(master, slave);

	const struct runtime_stdio_options o = {
		.tty = true, .interactive = true, .in = slave, .out = slave, .err = slave};

	assert_int_equal(run(&o, script, &code, NULL), 0);
	assert_int_equal(code, 9);
	waitpid(person, &status, 0);
	assert_int_equal(status, 0);
	tcgetattr(slave, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_exit_code),
		cmocka_unit_test(test_input_from_a_file),
		cmocka_unit_test(test_slow_pipes_lose_nothing),
		cmocka_unit_test(test_reader_that_leaves),
		cmocka_unit_test(test_full_disk_is_an_error),
		cmocka_unit_test(test_streams_that_are_closed),
		cmocka_unit_test(test_signals_are_passed_on),
		cmocka_unit_test(test_third_interrupt_kills),
		cmocka_unit_test(test_no_terminal_is_refused),
		cmocka_unit_test(test_pty_without_input),
		cmocka_unit_test(test_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
