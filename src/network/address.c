/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "network/network_link.h"

#include "base/banned.h"

#define LOCKS	   4096 /* offset of the first lock; nothing is stored there */
#define FIRST_HOST 2	/* 0 is the network, 1 the gateway */

int address_open(int state_dir, const char *bridge, int *out_fd, struct error *err)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s.addresses", bridge);
	fd = openat(state_dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(err, "cannot open the address file of network %s", bridge);
	*out_fd = fd;
	return 0;
}

/* The one that was asked for. */
static int take_wanted(int fd, const struct network_bridge *b, uint32_t *out, struct error *err)
{
	const uint32_t host = b->wanted & ~prefix_mask(b->prefix_len);
	struct flock lock = {.l_type = F_WRLCK,
			     .l_whence = SEEK_SET,
			     .l_start = (off_t)LOCKS + host,
			     .l_len = 1};

	if (((b->wanted ^ b->gateway) & prefix_mask(b->prefix_len)) || !host ||
	    host >= ~prefix_mask(b->prefix_len))
		return error_set(err, ERR_INVALID,
				 "no configured subnet contains IP address %u.%u.%u.%u",
				 b->wanted >> 24, b->wanted >> 16 & 255, b->wanted >> 8 & 255,
				 b->wanted & 255);
	if (b->wanted == b->gateway || fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return error_set(err, ERR_CONFLICT, "Address already in use");
	*out = b->wanted;
	return 0;
}

int address_take(int fd, const struct network_bridge *b, uint32_t *out, struct error *err)
{
	const uint32_t size = ~prefix_mask(b->prefix_len); /* the last one is for broadcast */
	uint32_t next = 0;

	if (b->wanted)
		return take_wanted(fd, b, out, err);
	/* a hint: two who read the same one meet at the lock, a torn one is out of range */
	if (pread(fd, &next, sizeof(next), 0) != (ssize_t)sizeof(next))
		next = FIRST_HOST;
	for (uint32_t tried = 0; tried + FIRST_HOST < size; tried++) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

		if (next < FIRST_HOST || next >= size)
			next = FIRST_HOST;
		if (((b->gateway & prefix_mask(b->prefix_len)) | next) == b->gateway) {
			next++;
			continue;
		}
		lock.l_start = (off_t)LOCKS + next;
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
			*out = (b->gateway & prefix_mask(b->prefix_len)) | next;
			next++;
			if (pwrite(fd, &next, sizeof(next), 0) != (ssize_t)sizeof(next))
				return error_sys(err, "cannot write the address file");
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES)
			return error_sys(err, "cannot lock an address");
		next++;
	}
	error_set(err, ERR_LIMIT, "network %s: all addresses are taken", b->name);
	error_hint(err, "stop some containers, or use --network=host");
	return -ERR_LIMIT;
}
