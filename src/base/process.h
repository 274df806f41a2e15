/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process - child programs with nothing inherited.
 *
 * A child gets exactly the descriptors it is given (0, 1, 2 and what is
 * listed), the environment it is given, default signals, and dies with us.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct process_fd {
	int fd;	    /* ours, borrowed */
	int target; /* number in the child */
};

struct process_spec {
	const char *program;	      /* path, or a name searched in PATH; NULL: argv[0] */
	char *const *argv;	      /* NULL-terminated */
	char *const *envp;	      /* NULL: PATH, HOME, LANG=C.UTF-8 only */
	const struct process_fd *fds; /* 0, 1, 2 not listed are /dev/null */
	size_t nfds;
	bool survive; /* do not die with the parent */
};

/* @out_pidfd may be NULL. -ERR_NOT_FOUND when the program does not exist. */
int process_start(const struct process_spec *spec, pid_t *out_pid, int *out_pidfd,
		  struct error *err);

/* Exit status, or 128 + signal; waits. */
int process_wait(pid_t pid);

/*
 * Runs to the end; stdout (and stderr if @out_err) up to @limit bytes.
 * Failure to start is an error, a non-zero exit is not: see @out_status.
 */
int process_run(char *const *argv, const char *input, size_t limit, struct buf *out,
		struct buf *out_err, int *out_status, struct error *err);

/* Directory of helper programs: $STAVE_LIBEXEC, beside our binary, or the installed place. */
int process_helper_path(const char *name, struct buf *out, struct error *err);

/*
 * Executes this program again, with the same words, so that no process of a
 * container can ever write to its file through /proc/PID/exe.  Returns when it
 * is so already, and where it cannot be done.  For all that becomes a
 * container's process, or starts one; early, as everything is lost.
 */
void process_shield(char *const *argv);

/* The path of our program, shielded or not; its length, -1 if that is not known. */
ssize_t process_program(char *out, size_t size);

/* In a fresh child: closes all descriptors from @first on. */
void process_close_from(int first);
