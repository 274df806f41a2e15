/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between commands and monitors: one byte of type, four of length, bytes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define HEAD 5

void wire_put(struct buf *out, enum wire_type type, const void *data, size_t len)
{
	buf_addch(out, (char)type);
	buf_put_u32(out, (uint32_t)len);
	if (len)
		buf_add(out, data, len);
}

void wire_put_u32(struct buf *out, enum wire_type type, uint32_t value)
{
	AUTO(buf) struct buf bytes = BUF_INIT;

	buf_put_u32(&bytes, value);
	wire_put(out, type, bytes.data, bytes.len);
}

int wire_get(const struct buf *in, struct wire_message *out)
{
	struct cursor c = {.at = (const void *)buf_str(in), .left = in->len};
	uint32_t len;

	if (in->len < HEAD)
		return 0;
	out->type = (enum wire_type)(unsigned char)in->data[0];
	cursor_bytes(&c, 1);
	len = cursor_u32(&c);
	if (len > WIRE_MAX)
		return -1;
	if (in->len < HEAD + len)
		return 0;
	out->len = len;
	out->data = in->data + HEAD;
	return 1;
}

void wire_drop(struct buf *in, const struct wire_message *m)
{
	buf_consume(in, HEAD + m->len);
}

uint32_t wire_u32(const struct wire_message *m)
{
	struct cursor c = {.at = (const void *)m->data, .left = m->len};

	return cursor_u32(&c);
}

int wire_send(int fd, enum wire_type type, const void *data, size_t len)
{
	AUTO(buf) struct buf out = BUF_INIT;
	size_t at = 0;

	wire_put(&out, type, data, len);
	while (at < out.len) {
		ssize_t n = send(fd, out.data + at, out.len - at, MSG_NOSIGNAL);

		if (n > 0) {
			at += (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

int wire_send_u32(int fd, enum wire_type type, uint32_t value)
{
	AUTO(buf) struct buf bytes = BUF_INIT;

	buf_put_u32(&bytes, value);
	return wire_send(fd, type, bytes.data, bytes.len);
}

int wire_receive(int fd, struct buf *in, struct wire_message *out, int timeout_ms)
{
	const int64_t end = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = (end - clock_monotonic_ns() + 999999) / 1000000;
		int r = wire_get(in, out);
		ssize_t n;

		if (r)
			return r;
		r = poll(&p, 1, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -1;
		n = recv(fd, buf_reserve(in, WIRE_MAX), WIRE_MAX, 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return 0;
		in->len += (size_t)n;
		in->data[in->len] = 0;
	}
}

/* The store's path may be longer than an address can be; a descriptor's name is not. */
static void address_of(int dir, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/" WIRE_SOCKET, dir);
}

int wire_connect(int dir, int *out, struct error *err)
{
	struct sockaddr_un address;
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address_of(dir, &address);
	if (fd < 0)
		return error_sys(err, "socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return error_set(err, ERR_NOT_FOUND, "the container has no monitor");
		return error_sys(err, "cannot reach the container's monitor");
	}
	*out = take_fd(&fd);
	return 0;
}

int wire_listen(int dir, int *out, struct error *err)
{
	struct sockaddr_un address;
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address_of(dir, &address);
	unlinkat(dir, WIRE_SOCKET, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 64) < 0)
		return error_sys(err, "cannot listen for orders");
	*out = take_fd(&fd);
	return 0;
}
