/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_filebar.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli_upkeep.h"

#include "base/buf.h"
#include "base/mem.h"

#include "base/banned.h"

#define BAR_WIDTH    50
#define PERIOD_NS    100000000
#define QUIET_ROUNDS 3 /* a short command draws nothing */

static void add_bar(uint64_t now, uint64_t total, struct buf *out)
{
	unsigned done = total ? (unsigned)(now * BAR_WIDTH / total) : 0;

	buf_addch(out, '[');
	for (unsigned i = 0; i < BAR_WIDTH; i++)
		buf_addch(out, i < done ? '=' : i == done ? '>' : ' ');
	buf_addstr(out, "]  ");
}

static void draw(int fd, const char *label, bool reading)
{
	AUTO(buf) struct buf line = BUF_INIT;
	off_t at = lseek(fd, 0, SEEK_CUR);
	uint64_t now = at > 0 ? (uint64_t)at : 0;
	AUTO(free) char *size = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	if (reading && now > (uint64_t)st.st_size)
		now = (uint64_t)st.st_size;
	size = cli_size4(now);
	buf_printf(&line, "\r\033[K%s", label ? label : "");
	if (reading) {
		AUTO(free) char *total = cli_size4((uint64_t)st.st_size);

		add_bar(now, (uint64_t)st.st_size, &line);
		buf_printf(&line, "%s/%s", size, total);
		/* what it held is unpacked now, of which nothing is to be seen from here */
		if (now >= (uint64_t)st.st_size)
			buf_addstr(&line, "  unpacking");
	} else {
		buf_addstr(&line, size);
	}
	(void)!write(STDERR_FILENO, buf_str(&line), line.len);
}

__attribute__((noreturn)) static void watch(int fd, const char *label, bool reading,
					    pid_t parent)
{
	const struct timespec period = {.tv_nsec = PERIOD_NS};
	const int last = fd > STDERR_FILENO ? fd : STDERR_FILENO;

	/* Ctrl-C is the parent's business, and its end is ours */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);
	/* locks of the store's files are the parent's alone */
	if (fd > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	close_range((unsigned)last + 1, ~0u, 0);
	for (unsigned round = 0; getppid() == parent; round++) {
		if (round >= QUIET_ROUNDS)
			draw(fd, label, reading);
		nanosleep(&period, NULL);
	}
	_exit(0);
}

void cli_filebar_start(struct cli_filebar *t, int fd, const char *label, bool reading,
		       bool quiet)
{
	const char *term = getenv("TERM");
	const pid_t self = getpid();
	struct stat st;

	*t = (struct cli_filebar){0};
	if (quiet || !isatty(STDERR_FILENO) || str_empty(term) || str_eq(term, "dumb") ||
	    fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	fflush(NULL);
	t->pid = fork();
	if (t->pid == 0)
		watch(fd, label, reading, self);
	if (t->pid < 0)
		t->pid = 0; /* nobody needs it */
}

void cli_filebar_stop(struct cli_filebar *t)
{
	if (!t->pid)
		return;
	kill(t->pid, SIGKILL);
	while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR)
		;
	t->pid = 0;
	(void)!write(STDERR_FILENO, "\r\033[K", 4);
}
