/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runtime_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"

#include "base/banned.h"

#define COPY_BYTES 65536

enum target_kind {
	TARGET_PLAIN = 1, /* non-blocking, or never blocks for long (a file) */
	TARGET_SOCKET,	  /* asks not to block at each call */
	TARGET_SHARED,	  /* blocking, and not ours to change: small writes when it polls */
};

struct copy {
	struct loop *loop;
	int from; /* -1 when it has ended */
	int to;	  /* -1 when it is gone */
	unsigned flags;
	bool from_polls;
	bool to_polls;
	bool writable; /* TARGET_SHARED: polled, and not used yet */
	enum target_kind kind;
	struct loop_source *in;	 /* NULL while not watched, as a hang-up is reported always */
	struct loop_source *out; /* likewise */
	char *bytes;
	size_t at;
	size_t len;
	uint64_t moved;
	int write_error;
	copy_fn done;
	void *data;
	struct runtime_keys *keys; /* borrowed; NULL: none are looked for */
	copy_fn pressed;
	void *pressed_data;
};

static bool polls(int fd)
{
	struct epoll_event e = {.events = 0};
	AUTO(fd) int probe = epoll_create1(EPOLL_CLOEXEC);

	return probe >= 0 && epoll_ctl(probe, EPOLL_CTL_ADD, fd, &e) == 0;
}

int copy_open_output(int fd)
{
	char path[64];
	struct stat st;
	int own = -1;

	if (fstat(fd, &st) < 0)
		return -1;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static enum target_kind kind_of(int fd)
{
	const int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return TARGET_PLAIN;
	if (S_ISSOCK(st.st_mode))
		return TARGET_SOCKET;
	return S_ISREG(st.st_mode) || (flags & O_NONBLOCK) ? TARGET_PLAIN : TARGET_SHARED;
}

static void unwatch(struct loop_source **s)
{
	loop_remove(*s);
	*s = NULL;
}

static void end_source(struct copy *c)
{
	unwatch(&c->in);
	close_fd(&c->from);
}

static void end_target(struct copy *c)
{
	unwatch(&c->out);
	close_fd(&c->to);
	c->len = 0;
	if (!(c->flags & COPY_DRAIN))
		end_source(c);
}

static ssize_t write_some(struct copy *c)
{
	const char *data = c->bytes + c->at;

	if (c->kind == TARGET_SOCKET)
		return send(c->to, data, c->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (c->kind == TARGET_PLAIN || !c->to_polls)
		return write(c->to, data, c->len);
	if (!c->writable) {
		errno = EAGAIN;
		return -1;
	}
	/* a pipe that polls as writable takes this much without blocking (pipe(7)) */
	c->writable = false;
	return write(c->to, data, c->len < PIPE_BUF ? c->len : PIPE_BUF);
}

/* True when nothing is left to write. */
static bool flush(struct copy *c)
{
	while (c->len && c->to >= 0) {
		ssize_t n = write_some(c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			if (errno != EPIPE && errno != ECONNRESET)
				c->write_error = errno;
			end_target(c);
			return true;
		}
		c->at += (size_t)n;
		c->len -= (size_t)n;
		c->moved += (uint64_t)n;
	}
	c->len = 0;
	return true;
}

/* At most what was read, and the keys that were held back before. */
static void look_for_keys(struct copy *c)
{
	AUTO(buf) struct buf rest = BUF_INIT;
	const bool all = runtime_keys_filter(c->keys, c->bytes, c->len, &rest);

	memcpy(c->bytes, buf_str(&rest), rest.len);
	c->len = rest.len;
	if (!all)
		return;
	c->keys = NULL;
	c->pressed(c->pressed_data);
}

static void fill(struct copy *c)
{
	ssize_t n;

	do
		n = read(c->from, c->bytes, COPY_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	/* a pty whose other side is closed gives EIO: its end of file */
	if (n <= 0) {
		end_source(c);
		return;
	}
	c->at = 0;
	c->len = (size_t)n;
	c->moved += (uint64_t)n;
	if (c->keys)
		look_for_keys(c);
}

static void on_readable(void *data, int fd, uint32_t events);
static void on_writable(void *data, int fd, uint32_t events);

static void finish(struct copy *c)
{
	copy_fn done = c->done;

	unwatch(&c->out);
	close_fd(&c->to);
	c->done = NULL;
	if (done)
		done(c->data);
}

/* Goes on until something must be waited for; then exactly that is watched. */
static void pump(struct copy *c)
{
	for (;;) {
		if (!flush(c)) {
			unwatch(&c->in);
			if (!c->out)
				c->out = loop_add_fd(c->loop, c->to, EPOLLOUT, on_writable, c);
			return;
		}
		unwatch(&c->out);
		if (c->from < 0) {
			finish(c);
			return;
		}
		if (c->from_polls) {
			if (!c->in)
				c->in = loop_add_fd(c->loop, c->from, EPOLLIN, on_readable, c);
			return;
		}
		fill(c);
	}
}

static void on_readable(void *data, int fd, uint32_t events)
{
	struct copy *c = data;

	(void)fd;
	(void)events;
	fill(c);
	pump(c);
}

static void on_writable(void *data, int fd, uint32_t events)
{
	struct copy *c = data;

	(void)fd;
	(void)events;
	c->writable = true;
	pump(c);
}

struct copy *copy_start(struct loop *l, int from, int to, unsigned flags, copy_fn done,
			void *data)
{
	struct copy *c = mem_new(struct copy);

	*c = (struct copy){.loop = l,
			   .from = from,
			   .to = to,
			   .flags = flags,
			   .from_polls = from >= 0 && polls(from),
			   .to_polls = to >= 0 && polls(to),
			   .kind = kind_of(to),
			   .bytes = mem_alloc(COPY_BYTES + RUNTIME_KEYS_MAX),
			   .done = done,
			   .data = data};
	/* the first round belongs to the loop, so that @done never comes before our return */
	if (c->from_polls)
		c->in = loop_add_fd(l, from, EPOLLIN, on_readable, c);
	else if (c->to_polls)
		c->out = loop_add_fd(l, to, EPOLLOUT, on_writable, c);
	else
		pump(c);
	return c;
}

void copy_set_keys(struct copy *c, struct runtime_keys *k, copy_fn pressed, void *data)
{
	c->keys = k;
	c->pressed = pressed;
	c->pressed_data = data;
}

uint64_t copy_moved(const struct copy *c)
{
	return c->moved;
}

bool copy_waits_for_reader(const struct copy *c)
{
	return c->out != NULL && c->len;
}

int copy_write_error(const struct copy *c)
{
	return c->write_error;
}

void copy_free(struct copy *c)
{
	if (!c)
		return;
	unwatch(&c->in);
	unwatch(&c->out);
	close_fd(&c->from);
	close_fd(&c->to);
	free(c->bytes);
	free(c);
}
