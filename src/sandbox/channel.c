/* SPDX-License-Identifier: Apache-2.0 */
/* The socket between the parent and the child that builds the container. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/banned.h"

int channel_send(int channel, enum channel_type type, const void *data, size_t len,
		 int passed_fd)
{
	char kind = (char)type;
	struct iovec parts[2] = {
		{.iov_base = &kind, .iov_len = 1},
		/* sendmsg() does not write */
		{.iov_base = (void *)(uintptr_t)data, .iov_len = len},
	};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = len ? 2 : 1};
	ssize_t n;

	if (passed_fd >= 0) {
		struct cmsghdr *head;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &passed_fd, sizeof(int));
	}
	do {
		n = sendmsg(channel, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

int channel_receive(int channel, struct channel_message *out)
{
	char kind = 0;
	struct iovec parts[2] = {
		{.iov_base = &kind, .iov_len = 1},
		{.iov_base = out->data, .iov_len = sizeof(out->data)},
	};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {.msg_iov = parts,
			     .msg_iovlen = 2,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t n;

	do {
		n = recvmsg(channel, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	out->fd = -1;
	out->len = 0;
	if (n <= 0)
		return (int)n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&out->fd, CMSG_DATA(c), sizeof(int));
	out->type = (enum channel_type)kind;
	out->len = (size_t)n - 1;
	return (int)n;
}
