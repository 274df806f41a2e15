/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

#ifndef STAVE_LIBEXECDIR
#define STAVE_LIBEXECDIR "/usr/local/libexec/stave"
#endif

#define EXIT_NOT_STARTED 127

void process_close_from(int first)
{
	if (syscall(SYS_close_range, first, ~0u, 0) < 0)
		for (int fd = first; fd < 65536; fd++)
			close(fd);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < _NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moves the given descriptors to their numbers without treading on each other. */
static int arrange_descriptors(const struct process_spec *spec)
{
	int top = 2, null;

	for (size_t i = 0; i < spec->nfds; i++)
		if (spec->fds[i].target > top)
			top = spec->fds[i].target;
	int moved[16];
	if (spec->nfds > ARRAY_SIZE(moved))
		return -1;
	for (size_t i = 0; i < spec->nfds; i++) {
		moved[i] = fcntl(spec->fds[i].fd, F_DUPFD_CLOEXEC, top + 1);
		if (moved[i] < 0)
			return -1;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -1;
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null, fd) < 0)
			return -1;
	for (size_t i = 0; i < spec->nfds; i++)
		if (dup2(moved[i], spec->fds[i].target) < 0)
			return -1;
	return top;
}

static _Noreturn void child_main(const struct process_spec *spec, pid_t parent, int report)
{
	static char path[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char home[] = "HOME=/", lang[] = "LANG=C.UTF-8";
	char *const small_env[] = {path, home, lang, NULL};
	const char *program = spec->program ? spec->program : spec->argv[0];
	char *const *envp = spec->envp ? spec->envp : small_env;
	int code, kept;

	if (!spec->survive) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_NOT_STARTED);
	}
	reset_signals();
	kept = fcntl(report, F_DUPFD_CLOEXEC, 100);
	if (kept < 0 || arrange_descriptors(spec) < 0)
		_exit(EXIT_NOT_STARTED);
	/* all else is close-on-exec from birth; this is the wall behind that rule */
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < spec->nfds; i++)
		if (spec->fds[i].target > 2)
			fcntl(spec->fds[i].target, F_SETFD, 0);
	execvpe(program, spec->argv, envp);
	code = errno;
	(void)!write(kept, &code, sizeof(code));
	_exit(EXIT_NOT_STARTED);
}

int process_start(const struct process_spec *spec, pid_t *out_pid, int *out_pidfd,
		  struct error *err)
{
	const char *name = spec->program ? spec->program : spec->argv[0];
	int pipe_fds[2], code = 0, pidfd = -1;
	pid_t parent = getpid(), pid;

	if (io_pipe(pipe_fds, err) < 0)
		return -ERR_SYSTEM;
	pid = fork();
	if (pid == 0)
		child_main(spec, parent, pipe_fds[1]);
	close(pipe_fds[1]);
	if (pid < 0) {
		close(pipe_fds[0]);
		return error_sys(err, "cannot start %s", name);
	}
	if (io_read_full(pipe_fds[0], &code, sizeof(code)) == (ssize_t)sizeof(code)) {
		close(pipe_fds[0]);
		waitpid(pid, NULL, 0);
		errno = code;
		if (code == ENOENT)
			return error_set(err, ERR_NOT_FOUND, "%s: command not found", name);
		return error_sys(err, "cannot start %s", name);
	}
	close(pipe_fds[0]);
	if (out_pidfd) {
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd < 0)
			return error_sys(err, "pidfd_open");
		*out_pidfd = pidfd;
	}
	*out_pid = pid;
	return 0;
}

static int exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int process_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 255;
	return exit_code(status);
}

/* Reads both pipes until their ends, so that neither can block the child. */
static int drain(int out_fd, struct buf *out, int err_fd, struct buf *out_err, size_t limit,
		 struct error *err)
{
	struct pollfd p[2] = {{.fd = out_fd, .events = POLLIN},
			      {.fd = err_fd, .events = POLLIN}};
	struct buf *to[2] = {out, out_err};

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return error_sys(err, "poll");
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, buf_reserve(to[i], 16384), 16384);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				p[i].fd = -1;
				continue;
			}
			to[i]->len += (size_t)n;
			to[i]->data[to[i]->len] = 0;
			if (to[i]->len > limit)
				return error_set(err, ERR_LIMIT, "printed more than %zu bytes",
						 limit);
		}
	}
	return 0;
}

int process_run(char *const *argv, const char *input, size_t limit, struct buf *out,
		struct buf *out_err, int *out_status, struct error *err)
{
	AUTO(buf) struct buf scratch = BUF_INIT;
	AUTO(fd) int in = -1;
	int out_pipe[2], err_pipe[2], r;
	pid_t pid;

	if (io_memfd("input", input ? input : "", input ? strlen(input) : 0, &in, err) < 0 ||
	    io_pipe(out_pipe, err) < 0)
		return -ERR_SYSTEM;
	if (io_pipe(err_pipe, err) < 0) {
		close(out_pipe[0]);
		close(out_pipe[1]);
		return -ERR_SYSTEM;
	}
	struct process_fd fds[] = {{in, 0}, {out_pipe[1], 1}, {err_pipe[1], 2}};
	struct process_spec spec = {.argv = argv, .fds = fds, .nfds = 3};

	r = process_start(&spec, &pid, NULL, err);
	close(out_pipe[1]);
	close(err_pipe[1]);
	if (r == 0) {
		r = drain(out_pipe[0], out, err_pipe[0], out_err ? out_err : &scratch, limit,
			  err);
		if (r < 0)
			kill(pid, SIGKILL);
		*out_status = process_wait(pid);
	}
	close(out_pipe[0]);
	close(err_pipe[0]);
	if (r < 0)
		error_wrap(err, "%s", argv[0]);
	return r;
}

int process_helper_path(const char *name, struct buf *out, struct error *err)
{
	const char *dir = secure_getenv("STAVE_LIBEXEC");
	char self[4096];
	ssize_t n;

	buf_reset(out);
	if (dir) {
		buf_printf(out, "%s/%s", dir, name);
		return 0;
	}
	n = process_program(self, sizeof(self));
	if (n > 0) {
		*strrchr(self, '/') = 0;
		buf_printf(out, "%s/%s", self, name);
		if (access(buf_str(out), X_OK) == 0)
			return 0;
		buf_reset(out);
		buf_printf(out, "%s/../libexec/stave/%s", self, name);
		if (access(buf_str(out), X_OK) == 0)
			return 0;
		buf_reset(out);
	}
	buf_printf(out, "%s/%s", STAVE_LIBEXECDIR, name);
	if (access(buf_str(out), X_OK) < 0) {
		error_set(err, ERR_NOT_FOUND, "the helper program %s is not installed", name);
		error_hint(err, "run `make install`, or set STAVE_LIBEXEC to its directory");
		return -ERR_NOT_FOUND;
	}
	return 0;
}
