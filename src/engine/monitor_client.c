/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that talk to a monitor: orders, and the streams of those that are attached. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "engine/engine_monitor.h"

#include "base/banned.h"

#define CLOGGED	    (256u << 10) /* a reader that is so far behind holds the container up */
#define INPUT_LIMIT (256u << 10)
#define CHUNK	    (16u << 10)

static void leave(struct monitor_client *c)
{
	struct monitor *m = c->m;

	for (struct monitor_client **at = &m->clients; *at; at = &(*at)->next) {
		if (*at != c)
			continue;
		*at = c->next;
		break;
	}
	if (c->source)
		loop_remove(c->source);
	close(c->fd);
	buf_clear(&c->in);
	buf_clear(&c->out);
	free(c);
	monitor_read_again(m);
}

static void watch(struct monitor_client *c)
{
	uint32_t events = c->m->pending.len < INPUT_LIMIT ? EPOLLIN : 0;

	if (c->source)
		loop_set_events(c->source, events | (c->out.len ? EPOLLOUT : 0));
}

/* False when the other side is gone. */
static bool flush(struct monitor_client *c)
{
	while (c->out.len) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		buf_consume(&c->out, (size_t)n);
	}
	if (!c->out.len)
		buf_clear(&c->out);
	watch(c);
	return true;
}

void monitor_tell(struct monitor *m, unsigned attach, enum wire_type type, const void *data,
		  size_t len)
{
	struct monitor_client *next;

	for (struct monitor_client *c = m->clients; c; c = next) {
		next = c->next;
		if (c->closing || (attach && !(c->attach & attach)))
			continue;
		wire_put(&c->out, type, data, len);
		/* not freed here: the caller may be its own handler */
		if (!flush(c))
			c->closing = true;
	}
}

void monitor_tell_u32(struct monitor *m, enum wire_type type, uint32_t value)
{
	AUTO(buf) struct buf bytes = BUF_INIT;

	buf_put_u32(&bytes, value);
	monitor_tell(m, 0, type, bytes.data, bytes.len);
}

bool monitor_is_clogged(const struct monitor *m)
{
	for (const struct monitor_client *c = m->clients; c; c = c->next)
		if (!c->closing && c->out.len > CLOGGED)
			return true;
	return false;
}

void monitor_dismiss(struct monitor *m)
{
	while (m->clients) {
		struct monitor_client *c = m->clients;
		const struct timeval patience = {.tv_sec = 10};
		size_t at = 0;

		/* a blocking send, with an end: nobody else waits for us any more */
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		while (!c->closing && at < c->out.len) {
			ssize_t n =
				send(c->fd, c->out.data + at, c->out.len - at, MSG_NOSIGNAL);

			if (n <= 0)
				break;
			at += (size_t)n;
		}
		leave(c);
	}
}

/* ---- orders ---- */

/* WIRE_DONE, or why not. */
static void answer(struct monitor_client *c, int r, const struct error *err)
{
	AUTO(buf) struct buf wire = BUF_INIT;

	if (r == 0) {
		wire_put(&c->out, WIRE_DONE, NULL, 0);
		return;
	}
	error_encode(err, &wire);
	wire_put(&c->out, WIRE_ERROR, wire.data, wire.len);
}

static void network_order(struct monitor_client *c)
{
	AUTO(error) struct error err = ERROR_INIT;

	answer(c, monitor_change_networks(c->m, &err), &err);
}

static void pause_order(struct monitor_client *c, bool freeze)
{
	struct monitor *m = c->m;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *path = mem_printf("/stave/%s", m->box.row.id);
	pid_t pid;
	int r = container_process(&m->box.row, &pid, &err);

	if (r == 0 && freeze && !m->frozen)
		r = lease_note(m->box.lease, "cgroup", path, &err);
	m->frozen = m->frozen || (r == 0 && freeze);
	if (r == 0)
		r = sandbox_freeze(pid, m->box.row.id, freeze, &err);
	answer(c, r, &err);
}

static void resize(struct monitor *m, const struct wire_message *f)
{
	struct cursor at = {.at = (const void *)f->data, .left = f->len};

	m->rows = cursor_u32(&at);
	m->columns = cursor_u32(&at);
	if (m->up)
		sandbox_resize(&m->sb, (unsigned short)m->rows, (unsigned short)m->columns);
}

static void obey(struct monitor_client *c, const struct wire_message *f)
{
	struct monitor *m = c->m;

	/* other frames are of no meaning here */
	if (f->type == WIRE_ATTACH)
		c->attach = wire_u32(f);
	else if (f->type == WIRE_INPUT)
		monitor_input(m, f->data, f->len);
	else if (f->type == WIRE_END)
		monitor_end_input(m);
	else if (f->type == WIRE_SIZE)
		resize(m, f);
	else if (f->type == WIRE_SIGNAL && m->up)
		syscall(SYS_pidfd_send_signal, m->pidfd, (int)wire_u32(f), NULL, 0);
	else if (f->type == WIRE_STOP)
		monitor_no_more(m);
	else if (f->type == WIRE_PAUSE && m->up)
		pause_order(c, wire_u32(f) != 0);
	else if (f->type == WIRE_NETWORK)
		network_order(c);
	else if (f->type == WIRE_RELOAD)
		monitor_reload(m, NULL);
}

static bool take(struct monitor_client *c)
{
	ssize_t n = recv(c->fd, buf_reserve(&c->in, CHUNK), CHUNK, MSG_DONTWAIT);
	struct wire_message f;
	int r;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = 0;
	while ((r = wire_get(&c->in, &f)) > 0) {
		obey(c, &f);
		wire_drop(&c->in, &f);
	}
	if (!c->in.len)
		buf_clear(&c->in);
	return r == 0;
}

static void on_client(void *data, int fd, uint32_t events)
{
	struct monitor_client *c = data;
	bool stays = !c->closing;

	(void)fd;
	if (stays && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		stays = take(c);
	if (!stays || c->closing || !flush(c))
		leave(c);
	else
		monitor_read_again(c->m);
}

void monitor_adopt(struct monitor *m, int fd, unsigned attach)
{
	struct monitor_client *c = mem_new(struct monitor_client);

	io_nonblock(fd);
	c->m = m;
	c->fd = fd;
	c->attach = attach;
	c->next = m->clients;
	m->clients = c;
	c->source = loop_add_fd(m->loop, fd, EPOLLIN, on_client, c);
}

void monitor_accept(void *data, int fd, uint32_t events)
{
	struct monitor *m = data;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (client >= 0)
		monitor_adopt(m, client, 0);
}

/* ---- the container's input ---- */

static void on_input_ready(void *data, int fd, uint32_t events);

static void write_input(struct monitor *m)
{
	while (m->input >= 0 && m->pending.len) {
		ssize_t n = write(m->input, m->pending.data, m->pending.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			buf_clear(&m->pending);
			break;
		}
		buf_consume(&m->pending, (size_t)n);
	}
	if (m->pending.len && !m->input_source && m->input >= 0)
		m->input_source = loop_add_fd(m->loop, m->input, EPOLLOUT, on_input_ready, m);
	if (m->pending.len)
		return;
	buf_clear(&m->pending);
	if (m->input_source)
		loop_remove(m->input_source);
	m->input_source = NULL;
	if (m->input_ends)
		close_fd(&m->input);
	for (struct monitor_client *c = m->clients; c; c = c->next)
		watch(c);
}

static void on_input_ready(void *data, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	write_input(data);
}

void monitor_input(struct monitor *m, const char *data, size_t len)
{
	if (m->input < 0)
		return;
	buf_add(&m->pending, data, len);
	write_input(m);
}

void monitor_end_input(struct monitor *m)
{
	/* a terminal has no end of input; and what was not attached at its start stays open */
	if (m->o.tty || strlist_find(&m->o.attach, "stdin") < 0)
		return;
	m->input_ends = true;
	write_input(m);
}
