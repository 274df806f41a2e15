/* SPDX-License-Identifier: Apache-2.0 */
/* The foreground of a container: three streams, signals, the size of the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "runtime/runtime_copy.h"
#include "runtime/runtime_terminal.h"

#include "base/io.h"
#include "base/loop.h"
#include "base/mem.h"

#include "base/banned.h"

#define INTERRUPTS_MAX 3	    /* the last one of so many kills */
#define QUIET_NS       100000000ull /* after the end: for output whose writer is not ours */

/* Those that Docker passes on and that end or change a program. */
static const int forwarded[] = {SIGHUP,	 SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
				SIGALRM, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH};

enum {
	IN = 0,
	OUT,
	ERR
};

struct runtime_stdio {
	struct runtime_stdio_options o;
	int child[3]; /* what the container gets; owned */
	int ours[3];  /* the other ends; owned until they are copied */
	sigset_t old_mask;
	struct sigaction old_pipe;

	struct loop *loop;
	struct sandbox *sandbox; /* borrowed while running */
	struct loop_source *exit;
	struct copy *copies[3];
	unsigned outputs; /* copies of output that go on */
	unsigned interrupts;
	uint64_t moved; /* at the last look after the end */
	bool ended, detached;
};

static int make_pipe(struct runtime_stdio *s, int i, struct error *err)
{
	int p[2];

	if (io_pipe(p, err) < 0)
		return -ERR_SYSTEM;
	s->ours[i] = p[i == IN];
	s->child[i] = p[i != IN];
	io_nonblock(s->ours[i]);
	return 0;
}

static int make_streams(struct runtime_stdio *s, struct error *err)
{
	if (s->o.interactive) {
		if (make_pipe(s, IN, err) < 0)
			return -ERR_SYSTEM;
	} else {
		s->child[IN] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (s->child[IN] < 0)
			return error_sys(err, "cannot open /dev/null");
	}
	if (make_pipe(s, OUT, err) < 0 || make_pipe(s, ERR, err) < 0)
		return -ERR_SYSTEM;
	return 0;
}

static void signal_set(sigset_t *out)
{
	sigemptyset(out);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(out, forwarded[i]);
	for (int n = SIGRTMIN; n <= SIGRTMAX; n++)
		sigaddset(out, n);
}

int runtime_stdio_new(const struct runtime_stdio_options *o, struct runtime_stdio **out,
		      struct error *err)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct runtime_stdio *s;
	sigset_t set;

	if (o->tty && o->interactive && !isatty(o->in)) {
		error_set(err, ERR_INVALID, "the input device is not a TTY");
		error_hint(err, "leave out -t where there is no terminal");
		return -ERR_INVALID;
	}
	s = mem_new(struct runtime_stdio);
	*s = (struct runtime_stdio){.o = *o, .child = {-1, -1, -1}, .ours = {-1, -1, -1}};
	signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, &s->old_mask);
	sigaction(SIGPIPE, &ignore, &s->old_pipe);
	if (!o->tty && make_streams(s, err) < 0) {
		runtime_stdio_free(s);
		return -ERR_SYSTEM;
	}
	*out = s;
	return 0;
}

const int *runtime_stdio_child(const struct runtime_stdio *s)
{
	return s->o.tty ? NULL : s->child;
}

static bool our_size(const struct runtime_stdio *s, struct winsize *out)
{
	return terminal_size(s->o.in, out) || terminal_size(s->o.out, out);
}

void runtime_stdio_console(const struct runtime_stdio *s, struct process_config *p)
{
	struct winsize size;

	if (!s->o.tty || !our_size(s, &size))
		return;
	p->console_width = size.ws_col;
	p->console_height = size.ws_row;
}

static void resize(const struct runtime_stdio *s)
{
	struct winsize size;

	if (our_size(s, &size))
		sandbox_resize(s->sandbox, size.ws_row, size.ws_col);
}

static void send_signal(const struct runtime_stdio *s, int number)
{
	syscall(SYS_pidfd_send_signal, s->sandbox->pidfd, number, NULL, 0);
}

static void on_signal(void *data, int number)
{
	struct runtime_stdio *s = data;
	const bool interrupt = number == SIGINT || number == SIGTERM;

	if (number == SIGWINCH && s->o.tty) {
		resize(s);
		return;
	}
	if (interrupt && s->ended) {
		/* only our own reader is waited for, and the user does not want to */
		loop_stop(s->loop);
		return;
	}
	s->interrupts += interrupt;
	send_signal(s, s->interrupts >= INTERRUPTS_MAX ? SIGKILL : number);
}

static uint64_t output_moved(const struct runtime_stdio *s)
{
	uint64_t n = 0;

	for (int i = OUT; i <= ERR; i++)
		n += s->copies[i] ? copy_moved(s->copies[i]) : 0;
	return n;
}

static bool waits_for_reader(const struct runtime_stdio *s)
{
	for (int i = OUT; i <= ERR; i++)
		if (s->copies[i] && copy_waits_for_reader(s->copies[i]))
			return true;
	return false;
}

/* The container is gone, yet somebody outside holds its output open and writes nothing. */
static void on_quiet(void *data)
{
	struct runtime_stdio *s = data;
	const uint64_t moved = output_moved(s);

	if (moved == s->moved && !waits_for_reader(s))
		loop_stop(s->loop);
	s->moved = moved;
}

static void on_output_done(void *data)
{
	struct runtime_stdio *s = data;

	s->outputs--;
	if (s->ended && !s->outputs)
		loop_stop(s->loop);
}

static void on_exit_of_container(void *data, int fd, uint32_t events)
{
	struct runtime_stdio *s = data;

	(void)fd;
	(void)events;
	loop_remove(s->exit);
	s->exit = NULL;
	s->ended = true;
	copy_free(s->copies[IN]);
	s->copies[IN] = NULL;
	if (!s->outputs)
		loop_stop(s->loop);
	else
		loop_add_timer(s->loop, QUIET_NS, false, on_quiet, s);
}

static void start_output(struct runtime_stdio *s, int i, int from, int to, unsigned flags)
{
	const int target = copy_open_output(to);

	s->outputs++;
	/* a standard output that was never open is like one that does not care */
	s->copies[i] = copy_start(s->loop, from, target, target < 0 ? COPY_DRAIN : flags,
				  on_output_done, s);
}

static void on_keys(void *data)
{
	struct runtime_stdio *s = data;

	s->detached = true;
	loop_stop(s->loop);
}

static void start_terminal(struct runtime_stdio *s)
{
	const int master = s->sandbox->terminal;

	io_nonblock(master);
	/* two descriptors: one can be in the loop only once */
	start_output(s, OUT, fcntl(master, F_DUPFD_CLOEXEC, 3), s->o.out, COPY_DRAIN);
	resize(s);
	if (!s->o.interactive)
		return;
	terminal_raw(s->o.in);
	s->copies[IN] = copy_start(s->loop, fcntl(s->o.in, F_DUPFD_CLOEXEC, 3),
				   fcntl(master, F_DUPFD_CLOEXEC, 3), 0, NULL, NULL);
	if (s->o.keys.n)
		copy_set_keys(s->copies[IN], &s->o.keys, on_keys, s);
}

static void start_pipes(struct runtime_stdio *s)
{
	start_output(s, OUT, take_fd(&s->ours[OUT]), s->o.out, 0);
	start_output(s, ERR, take_fd(&s->ours[ERR]), s->o.err, 0);
	if (s->o.interactive)
		s->copies[IN] = copy_start(s->loop, fcntl(s->o.in, F_DUPFD_CLOEXEC, 3),
					   take_fd(&s->ours[IN]), 0, NULL, NULL);
}

static int run_loop(struct runtime_stdio *s, struct error *err)
{
	sigset_t set;

	signal_set(&set);
	loop_add_signals(s->loop, &set, on_signal, s);
	s->exit = loop_add_fd(s->loop, s->sandbox->pidfd, EPOLLIN, on_exit_of_container, s);
	if (s->o.tty)
		start_terminal(s);
	else
		start_pipes(s);
	return loop_run(s->loop, err);
}

static int check_writes(const struct runtime_stdio *s, struct error *err)
{
	for (int i = OUT; i <= ERR; i++) {
		if (!s->copies[i] || !copy_write_error(s->copies[i]))
			continue;
		errno = copy_write_error(s->copies[i]);
		return error_sys(err, "cannot write the container's output");
	}
	return 0;
}

int runtime_stdio_run(struct runtime_stdio *s, struct sandbox *sb,
		      const struct sandbox_options *so, int *out_exit_code, struct error *err)
{
	int r;

	for (int i = 0; i < 3; i++)
		close_fd(&s->child[i]);
	s->sandbox = sb;
	r = loop_new(&s->loop, err);
	if (r == 0)
		r = run_loop(s, err);
	terminal_restore();
	if (r == 0)
		r = check_writes(s, err);
	s->detached = s->detached && !s->ended && r == 0;
	if (!s->ended && !s->detached)
		send_signal(s, SIGKILL);
	for (int i = 0; i < 3; i++) {
		copy_free(s->copies[i]);
		s->copies[i] = NULL;
	}
	loop_free(s->loop);
	s->loop = NULL;
	s->sandbox = NULL;
	*out_exit_code = s->detached ? 0 : sandbox_wait(sb, so);
	return r;
}

bool runtime_stdio_detached(const struct runtime_stdio *s)
{
	return s->detached;
}

void runtime_stdio_free(struct runtime_stdio *s)
{
	if (!s)
		return;
	for (int i = 0; i < 3; i++) {
		close_fd(&s->child[i]);
		close_fd(&s->ours[i]);
	}
	sigaction(SIGPIPE, &s->old_pipe, NULL);
	sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
	free(s);
}
