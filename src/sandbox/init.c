/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --init: process 1 reaps what its children leave, forwards signals to the
 * command, and ends with the command's code.
 *
 * It is a fork of ours without descriptors.  The container cannot look into
 * it (not dumpable: no ptrace, no /proc/1/exe, mem or environ), and its
 * command line, which might show what ours was, is blanked.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

#include "base/banned.h"

static const char init_name[] = "stave-init";

/* The words of a command line lie one behind the other, argv[0] first. */
static void hide_command_line(size_t len)
{
	char *start = program_invocation_name;

	if (!len)
		return;
	memset(start, 0, len);
	memcpy(start, init_name, len < sizeof(init_name) ? len - 1 : sizeof(init_name));
}

/* How long the command line is; 0 if it is not where it was at the start. */
static size_t command_line_length(void)
{
	char text[4096];
	AUTO(fd) int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	struct statfs fs;
	ssize_t n;

	/* an image's own file of that name tells nothing about us */
	if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	n = read(fd, text, sizeof(text));
	if (n <= 0 || strncmp(text, program_invocation_name, (size_t)n) != 0)
		return 0;
	return (size_t)n;
}

static _Noreturn void end_as(int status)
{
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void reap_all(pid_t command)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command)
			end_as(status);
}

static _Noreturn void reap_and_forward(pid_t command, const sigset_t *all)
{
	for (;;) {
		int sig = sigwaitinfo(all, NULL);

		if (sig == SIGCHLD)
			reap_all(command);
		else if (sig > 0)
			kill(command, sig);
	}
}

int child_start_init(struct child *c, struct error *err)
{
	size_t len;
	sigset_t all;
	pid_t pid;

	if (!c->o->init)
		return 0;
	/* a blocked signal waits even for a process 1 that has no handler */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	len = command_line_length();
	prctl(PR_SET_DUMPABLE, 0);
	/* in a shared pid name space we are not process 1, but orphans still are ours */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid < 0)
		return error_sys(err, "cannot start the command below the init process");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		return 0;
	}
	if (child_final_capabilities(c, err) < 0)
		return -ERR_SYSTEM;
	hide_command_line(len);
	prctl(PR_SET_NAME, init_name);
	process_close_from(0);
	reap_and_forward(pid, &all);
}
