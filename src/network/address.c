/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/banned.h"

#define LOCKS	  4096		      /* offset of the first lock; nothing is stored there */
#define LOCK_MASK (UINT64_MAX >> 2)   /* an offset has 63 bits; two hosts may meet, and wait */
#define MOST	  (UINT64_C(1) << 31) /* that are tried of a subnet, however large */

const char *const address_files[NETWORK_FAMILIES] = {"addresses", "addresses6"};

int address_open(int state_dir, const char *bridge, enum network_family family, int *out_fd,
		 struct error *err)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s.%s", bridge, address_files[family]);
	fd = openat(state_dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(err, "cannot open the address file of network %s", bridge);
	*out_fd = fd;
	return 0;
}

/* 1: ours now, 0: somebody's. */
static int lock_host(int fd, uint64_t host, struct error *err)
{
	struct flock lock = {.l_type = F_WRLCK,
			     .l_whence = SEEK_SET,
			     .l_start = (off_t)(LOCKS + (host & LOCK_MASK)),
			     .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 1;
	if (errno == EAGAIN || errno == EACCES)
		return 0;
	return error_sys(err, "cannot lock an address");
}

static int take_wanted(int fd, const struct network_pool *p, const struct network_ip *wanted,
		       struct network_ip *out, struct error *err)
{
	const struct network_subnet s = {p->gateway, p->prefix_len};
	const uint64_t host = network_ip_host(wanted, p->prefix_len);
	char text[NETWORK_TEXT_BYTES];
	int r;

	if (!network_subnet_has(&s, wanted) || !host)
		return error_set(err, ERR_INVALID,
				 "no configured subnet contains IP address %s",
				 network_ip_text(wanted, text));
	r = network_ip_equal(wanted, &p->gateway) ? 0 : lock_host(fd, host, err);
	if (r == 0)
		return error_set(err, ERR_CONFLICT, "Address already in use");
	*out = *wanted;
	return r < 0 ? r : 0;
}

/* The host numbers that may be given. */
static void bounds(const struct network_pool *p, uint64_t *first, uint64_t *last)
{
	const unsigned bits = p->gateway.len * 8u - p->prefix_len;
	const uint64_t all = bits > 31 ? MOST : (UINT64_C(1) << bits) - 1;

	/* 0 is the network (of IPv6 all its routers); the last one of IPv4 is for broadcast */
	*first = p->last ? p->first : 1;
	*last = p->last ? p->last : all;
	if (!*first)
		*first = 1;
	if (p->gateway.len == 4 && *last >= all && all > 1)
		*last = all - 1;
	if (*last > *first && *last - *first > MOST)
		*last = *first + MOST;
}

static bool is_reserved(const struct network_pool *p, uint64_t host)
{
	if (host == network_ip_host(&p->gateway, p->prefix_len))
		return true;
	for (unsigned i = 0; i < p->n_reserved; i++)
		if (p->reserved[i] == host)
			return true;
	return false;
}

int address_take(int fd, const struct network_bridge *b, enum network_family family,
		 const struct network_ip *wanted, struct network_ip *out, struct error *err)
{
	const struct network_pool *p = &b->pools[family];
	uint64_t first, last, next = 0;

	if (wanted && wanted->len)
		return take_wanted(fd, p, wanted, out, err);
	bounds(p, &first, &last);
	/* a hint: two who read the same one meet at the lock, a torn one is out of range */
	if (pread(fd, &next, sizeof(next), 0) != (ssize_t)sizeof(next))
		next = first;
	for (uint64_t tried = 0; first <= last && tried <= last - first; tried++) {
		uint64_t host = next < first || next > last ? first : next;
		int r = is_reserved(p, host) ? 0 : lock_host(fd, host, err);

		next = host + 1;
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		*out = network_ip_with_host(&p->gateway, p->prefix_len, host);
		if (pwrite(fd, &next, sizeof(next), 0) != (ssize_t)sizeof(next))
			return error_sys(err, "cannot write the address file");
		return 0;
	}
	error_set(err, ERR_LIMIT, "network %s: all addresses are taken", b->name);
	error_hint(err, "stop some containers, or use --network=host");
	return -ERR_LIMIT;
}
