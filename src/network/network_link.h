/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - interfaces, addresses and routes: one function per deed, each one
 * exchange with the kernel on a socket of the name space concerned.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "network/network.h"
#include "network/network_netlink.h"

struct link {
	int index; /* 0: there is no such interface */
	unsigned mtu;
};

/* By name; an interface that is not there is no error. */
int link_find(struct netlink *n, const char *name, struct link *out, struct error *err);
/* The MTU of the interface that leads to the world; 0 if there is none. */
unsigned link_uplink_mtu(struct netlink *n);
/* The first IPv4 address of interface @index; *@out_address 0 if it has none. */
int link_address(struct netlink *n, int index, uint32_t *out_address, unsigned *out_prefix_len,
		 struct error *err);
/* A bridge with its address, up; a bridge of that name may be there (made half by another). */
int link_make_bridge(struct netlink *n, const struct network_bridge *b, struct link *out,
		     struct error *err);
int link_remove(struct netlink *n, int index, const char *name, struct error *err);
/*
 * A veth pair: one end enslaved to @bridge_index and up, the other called eth0 in @netns with
 * @mac, down.
 */
int link_make_veth(struct netlink *n, int bridge_index, int netns, const uint8_t mac[6],
		   unsigned mtu, struct error *err);
int link_loopback_up(struct netlink *n, struct error *err);
/* Loopback and eth0 up, address and default route: all that a name space needs. */
int link_configure(struct netlink *n, const struct network_endpoint *e, unsigned prefix_len,
		   struct error *err);
/* Does an address or a route of the host (but the default) overlap? */
int link_overlaps(struct netlink *n, uint32_t network, unsigned prefix_len, bool *out,
		  struct error *err);

/* The mask of a prefix length 0 … 32. */
static inline uint32_t prefix_mask(unsigned prefix_len)
{
	return prefix_len ? ~UINT32_C(0) << (32 - prefix_len) : 0;
}
