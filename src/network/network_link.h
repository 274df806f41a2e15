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
	uint8_t mac[6];
	bool is_bridge;
};

/* By name; an interface that is not there is no error. */
int link_find(struct netlink *n, const char *name, struct link *out, struct error *err);
/* The MTU of the interface that leads to the world; 0 if there is none. */
unsigned link_uplink_mtu(struct netlink *n);
/* The first IPv4 address of interface @index; *@out_address of length 0 if it has none. */
int link_address(struct netlink *n, int index, struct network_ip *out_address,
		 unsigned *out_prefix_len, struct error *err);
/*
 * A bridge with its addresses, up.  @l is what link_find() said of it: none, or one that has
 * no addresses; then what it is.
 */
int link_make_bridge(struct netlink *n, const struct network_bridge *b, struct link *l,
		     struct error *err);
/* Is it one that link_make_bridge() made?  By its MAC address. */
bool link_is_ours(const struct link *l, const struct network_bridge *b);
/* Absent is fine. */
int link_remove(struct netlink *n, const char *name, struct error *err);
/* A veth pair: one end enslaved to a bridge and up, the other in a name space, down. */
struct link_pair {
	int bridge_index, netns;
	const char *interface; /* of the end inside */
	const uint8_t *mac;    /* likewise */
	unsigned mtu;
	bool isolated; /* from the other isolated ports of the bridge */
};

/* @out is the name of the bridge's end, from when there is one: also where isolating fails. */
int link_make_veth(struct netlink *n, const struct link_pair *p, char out[16],
		   struct error *err);
/* A MAC address that is made of @ip, and so is nobody else's. */
void link_mac(const struct network_ip *ip, uint8_t out[6]);
int link_loopback_up(struct netlink *n, struct error *err);
/* Loopback and the interface up, addresses, and default routes for the families in @route. */
int link_configure(struct netlink *n, const struct network_attachment *a,
		   const struct network_wish *wish, const bool route[NETWORK_FAMILIES],
		   struct error *err);
/* The default route of @gateway's family, instead of what it was; none without @interface. */
int link_route(struct netlink *n, const char *interface, const struct network_ip *gateway,
	       struct error *err);
/* Does an address or a route of the host (but the default) overlap? */
int link_overlaps(struct netlink *n, const struct network_subnet *subnet, bool *out,
		  struct error *err);
