/* SPDX-License-Identifier: Apache-2.0 */
/* A command that is attached to a container: our streams on one side, its monitor on the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define CHUNK	 (16u << 10)
#define OUT_FULL (64u << 10)

struct attachment {
	const struct engine_streams *s;
	bool tty;
	int socket, signals;
	bool in_open, done, detached;
	struct buf in;	/* from the monitor */
	struct buf out; /* to it */
	struct runtime_keys keys;
	int code;
};

/* ---- both directions ---- */

static void send_size(struct attachment *a)
{
	AUTO(buf) struct buf bytes = BUF_INIT;
	unsigned rows, columns;

	if (!a->tty || (!runtime_terminal_size(a->s->in, &rows, &columns) &&
			!runtime_terminal_size(a->s->out, &rows, &columns)))
		return;
	buf_put_u32(&bytes, rows);
	buf_put_u32(&bytes, columns);
	wire_put(&a->out, WIRE_SIZE, bytes.data, bytes.len);
}

static void on_signal(struct attachment *a)
{
	struct signalfd_siginfo info;

	if (read(a->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		send_size(a);
	else if (a->s->sig_proxy)
		wire_put_u32(&a->out, WIRE_SIGNAL, info.ssi_signo);
	else
		a->detached = a->done = true;
}

static void on_input(struct attachment *a)
{
	AUTO(buf) struct buf text = BUF_INIT;
	char chunk[CHUNK];
	ssize_t n = read(a->s->in, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		a->in_open = false;
		wire_put(&a->out, WIRE_END, NULL, 0);
		return;
	}
	if (a->tty)
		a->detached = a->done = runtime_keys_filter(&a->keys, chunk, (size_t)n, &text);
	else
		buf_add(&text, chunk, (size_t)n);
	if (text.len)
		wire_put(&a->out, WIRE_INPUT, text.data, text.len);
}

static int write_out(int fd, const struct wire_message *f, struct error *err)
{
	size_t at = 0;

	while (at < f->len) {
		ssize_t n = write(fd, f->data + at, f->len - at);

		if (n >= 0) {
			at += (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return error_sys(err, "cannot write the container's output");
		}
	}
	return 0;
}

static int on_message(struct attachment *a, const struct wire_message *f, struct error *err)
{
	switch (f->type) {
	case WIRE_OUT:
		return write_out(a->s->out, f, err);
	case WIRE_ERR:
		return write_out(a->s->err, f, err);
	case WIRE_EXIT:
	case WIRE_GONE:
		a->code = (int)wire_u32(f);
		a->done = true;
		return 0;
	case WIRE_ERROR:
		if (error_decode(f->data, f->len, err) < 0)
			error_set(err, ERR_FAILED, "the container cannot be started");
		return -(int)(err ? err->code : ERR_FAILED);
	case WIRE_RUNNING:
	case WIRE_DONE:
	case WIRE_ATTACH:
	case WIRE_INPUT:
	case WIRE_END:
	case WIRE_SIZE:
	case WIRE_SIGNAL:
	case WIRE_STOP:
	case WIRE_PAUSE:
	case WIRE_RELOAD:
	case WIRE_NETWORK:
		break;
	}
	return 0;
}

static int drain_messages(struct attachment *a, struct error *err)
{
	struct wire_message f;
	int r;

	while (!a->done && (r = wire_get(&a->in, &f)) != 0) {
		if (r < 0)
			return error_set(err, ERR_FAILED,
					 "the container's monitor is confused");
		r = on_message(a, &f, err);
		wire_drop(&a->in, &f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int on_monitor(struct attachment *a, struct error *err)
{
	ssize_t n = recv(a->socket, buf_reserve(&a->in, WIRE_MAX), WIRE_MAX, MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		/* killed: what became of the container the next command will find out */
		a->code = 137;
		a->done = true;
		return 0;
	}
	a->in.len += (size_t)n;
	a->in.data[a->in.len] = 0;
	return drain_messages(a, err);
}

static void send_some(struct attachment *a)
{
	ssize_t n = send(a->socket, a->out.data, a->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		buf_consume(&a->out, (size_t)n);
}

static int pump(struct attachment *a, struct error *err)
{
	int r = drain_messages(a, err);

	while (r == 0 && !a->done) {
		struct pollfd p[3] = {
			{.fd = a->socket,
			 .events = (short)(POLLIN | (a->out.len ? POLLOUT : 0))},
			{.fd = a->signals, .events = POLLIN},
			{.fd = a->in_open && a->out.len < OUT_FULL ? a->s->in : -1,
			 .events = POLLIN},
		};

		if (poll(p, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return error_sys(err, "poll");
		}
		if (p[1].revents)
			on_signal(a);
		if (p[2].revents)
			on_input(a);
		if (a->out.len)
			send_some(a);
		if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
			r = on_monitor(a, err);
	}
	return r;
}

/* ---- around it ---- */

static void signal_set(bool proxy, sigset_t *out)
{
	static const int passed[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
				     SIGUSR1, SIGUSR2, SIGALRM, SIGCONT};

	sigemptyset(out);
	sigaddset(out, SIGWINCH);
	for (size_t i = 0; proxy && i < ARRAY_SIZE(passed); i++)
		sigaddset(out, passed[i]);
}

int container_pump(int socket, struct buf *in, const struct container_options *o,
		   const struct engine_streams *s, struct engine_attached *out,
		   struct error *err)
{
	struct attachment a = {.s = s, .tty = o->tty, .socket = socket, .signals = -1};
	const char *keys = s->detach_keys ? s->detach_keys : o->detach_keys;
	sigset_t set, old;
	int r = runtime_keys_parse(keys, &a.keys, err);

	if (r < 0)
		return r;
	a.in = *in;
	*in = BUF_INIT;
	a.in_open = s->attach_in && o->interactive;
	signal_set(s->sig_proxy, &set);
	sigprocmask(SIG_BLOCK, &set, &old);
	a.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	send_size(&a);
	if (a.tty && a.in_open)
		runtime_terminal_raw(s->in);
	r = pump(&a, err);
	runtime_terminal_restore();
	close_fd(&a.signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	buf_clear(&a.in);
	buf_clear(&a.out);
	out->exit_code = a.detached ? 0 : a.code;
	out->detached = a.detached;
	return r;
}
