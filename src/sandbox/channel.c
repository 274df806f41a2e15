/* SPDX-License-Identifier: Apache-2.0 */
/* The socket between the parent and the child that builds the container. */
#include "sandbox/sandbox_child.h"

#include "base/io.h"

#include "base/banned.h"

int channel_send(int channel, enum channel_type type, const void *data, size_t len,
		 int passed_fd)
{
	char kind = (char)type;
	struct iovec parts[2] = {
		{.iov_base = &kind, .iov_len = 1},
		/* it is not written to */
		{.iov_base = (void *)(uintptr_t)data, .iov_len = len},
	};

	return io_send_fds(channel, parts, len ? 2 : 1, &passed_fd, passed_fd >= 0);
}

int channel_receive(int channel, struct channel_message *out)
{
	char kind = 0;
	struct iovec parts[2] = {
		{.iov_base = &kind, .iov_len = 1},
		{.iov_base = out->data, .iov_len = sizeof(out->data)},
	};
	ssize_t n = io_receive_fd(channel, parts, 2, &out->fd);

	out->len = 0;
	if (n <= 0)
		return (int)n;
	out->type = (enum channel_type)kind;
	out->len = (size_t)n - 1;
	return (int)n;
}
