/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network - name spaces, the bridge, and what a container needs to be
 * reached and to reach.
 *
 * A *bridge network* is a Linux bridge with one IPv4 subnet whose first
 * address is the gateway; an *endpoint* is a veth pair between the bridge and
 * a network name space, with one address.  The bridge and its nftables rules
 * are made once and stay (they are host configuration, as docker0 is); an
 * endpoint dies with its name space, so a killed command leaves nothing.
 *
 * Its state is remembered in a file beside the addresses together with the generation
 * number of the machine's ruleset and a fingerprint of the rules that matter: when
 * somebody flushes or adds rules, the next endpoint sees another number and compares
 * (other programs add rules with each container), or makes sure of ours again.
 *
 * An address is held by an open-file-description lock on one byte of the
 * network's address file: it is free again when the holder's descriptors are
 * closed, however the holder ended.
 *
 * Links and addresses are made with rtnetlink directly; the few rules are
 * loaded by nft(8) when the bridge is made.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct network_bridge {
	const char *name;    /* interface, at most 15 bytes: "stave0" */
	uint32_t gateway;    /* IPv4, host byte order */
	unsigned prefix_len; /* 16: 10.89.0.1/16 */
	unsigned mtu;	     /* 0: that of the interface to the world, at most 1500 */
};

struct network_endpoint {
	int netns;	  /* owned: descriptor of the name space */
	int address_lock; /* owned: keeps the address ours; -1 without a bridge */
	uint32_t address; /* host byte order, 0 without a bridge */
	uint32_t gateway; /* likewise */
	uint8_t mac[6];
};

#define NETWORK_ENDPOINT_INIT ((struct network_endpoint){.netns = -1, .address_lock = -1})

/*
 * stave0 as it is; before it is there, with the first of 10.89.0.0/16, 10.90.0.0/16 … that no
 * address or route of the host overlaps.
 */
void network_default_bridge(struct network_bridge *out);

/* A new network name space with loopback up (--network=none stops here). */
int network_namespace_new(int *out_netns, struct error *err);

/*
 * Makes sure that bridge, forwarding and rules exist (cheap when they do),
 * takes a free address (@state_dir holds the address file; -1 is the machine's own,
 * /run/stave, which all stores must share as they share the bridge), makes the veth
 * pair, moves one end into a new name space, sets address, route and
 * loopback there.  Also works beside a Docker whose FORWARD policy is DROP.
 * -ERR_DENIED when the process may not.
 */
int network_attach(const struct network_bridge *b, int state_dir, struct network_endpoint *out,
		   struct error *err);

/* Closes what it owns; the kernel does the rest. */
void network_endpoint_close(struct network_endpoint *e);

/* Removes the bridge and the rules. For tests and `system` commands. */
int network_bridge_remove(const char *name, struct error *err);

/* What --dns, --dns-search and --dns-option replace; NULL or empty lists keep the host's. */
struct network_dns {
	char *const *servers;
	char *const *search; /* {"."}: none */
	char *const *options;
};

/*
 * Text for /etc/resolv.conf: the host's without loopback and IPv6 servers
 * (systemd's real file is read where its stub is configured; public servers
 * when none is left); with @host as it is.  @dns may be NULL.
 */
int network_resolv_conf(bool host, const struct network_dns *dns, struct buf *out,
			struct error *err);

/*
 * Text for /etc/hosts: localhost lines, @extra ("name:ip", "name:host-gateway"; may be NULL),
 * and unless @e is NULL or has no address, its address and @hostname.  Unknown forms in
 * @extra are passed over.
 */
void network_hosts(const struct network_endpoint *e, const char *hostname, char *const *extra,
		   struct buf *out);

/* The lines of @extra alone, for behind a host's own file. */
void network_hosts_extra(const struct network_endpoint *e, char *const *extra, struct buf *out);

static inline void network_endpoint_auto(struct network_endpoint *e)
{
	network_endpoint_close(e);
}
