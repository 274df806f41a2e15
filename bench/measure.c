/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure OUT COMMAND... - runs COMMAND, writes "wall_ns cpu_ns maxrss_kb status" to OUT
 *
 * A small program and not the harness itself, because ru_maxrss of a child
 * starts at the size of the process that it was forked from, and because what
 * a client leaves behind (a monitor, a clean-up) counts as its work: this is
 * their sub-reaper, and waits for them up to two seconds after the clock stops.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long nanoseconds(struct timeval t)
{
	return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL;
}

/* Waits for what was left behind; what stays longer is a daemon and not counted. */
static void reap_the_rest(void)
{
	long long end = now() + 2000000000LL;
	struct timespec pause = {.tv_nsec = 1000000};

	while (now() < end) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid == 0)
			nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int status = 0;

	if (argc < 3)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);

	long long start = now();
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;

	long long wall = now() - start;

	reap_the_rest();
	getrusage(RUSAGE_CHILDREN, &usage);

	FILE *out = fopen(argv[1], "we");

	if (out == NULL)
		return 2;
	fprintf(out, "%lld %lld %ld %d\n", wall,
		nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime), usage.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return fclose(out) ? 2 : 0;
}
