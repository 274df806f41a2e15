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
 * What a container has beyond that (ports on the host) is an *entry*, a file
 * /run/stave/endpoints/ID that its owner keeps locked.  The entries are the truth, the
 * rules are made of all of them: those of a killed owner are left out and removed.
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
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strlist.h"

struct network_bridge {
	const char *name;    /* interface, at most 15 bytes: "stave0" */
	uint32_t gateway;    /* IPv4, host byte order */
	unsigned prefix_len; /* 16: 10.89.0.1/16 */
	unsigned mtu;	     /* 0: that of the interface to the world, at most 1500 */
	bool internal;	     /* no way out, and no way in */
	uint32_t wanted;     /* the address that the next endpoint is to have; 0: any */
};

struct network_endpoint {
	int netns;	  /* owned: descriptor of the name space */
	int address_lock; /* owned: keeps the address ours; -1 without a bridge */
	uint32_t address; /* host byte order, 0 without a bridge */
	uint32_t gateway; /* likewise */
	uint8_t mac[6];
	char bridge[16]; /* name of the interface */
	char *id;	 /* owned: whose entry it has; NULL: none */
	int entry;	 /* owned: the locked entry; -1: none */
	int *sockets;	 /* owned, with what they hold: the ports on the host */
	unsigned n_sockets;
	bool named; /* others find it by name: see network_join() */
};

#define NETWORK_ENDPOINT_INIT \
	((struct network_endpoint){.netns = -1, .address_lock = -1, .entry = -1})

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

/*
 * Closes what it owns; the kernel does the rest, but for the rules of published ports,
 * which go here.
 */
void network_endpoint_close(struct network_endpoint *e);

/* Removes the bridge and the rules. For tests and `system` commands. */
int network_bridge_remove(const char *name, struct error *err);

/* ---- published ports ---- */

enum network_protocol {
	NETWORK_TCP = 0,
	NETWORK_UDP,
};

struct network_port {
	enum network_protocol protocol;
	uint32_t host_ip;	/* 0: all addresses */
	uint16_t host_port;	/* 0: any that is free */
	uint16_t host_port_end; /* the last that may be taken; 0: @host_port alone */
	uint16_t port;		/* in the container */
};

struct network_port_list {
	struct network_port *items;
	size_t n;
	size_t cap;
};

/*
 * "[ip:][port[-port]:]port[-port][/tcp|udp]": one -p, with ranges one element for each
 * port of the container.  -ERR_INVALID with Docker's words.
 */
int network_ports_parse(const char *text, struct network_port_list *out, struct error *err);

/* "tcp", "udp". */
const char *network_protocol_name(enum network_protocol p);

static inline void network_port_list_auto(struct network_port_list *l)
{
	free(l->items);
}

/*
 * Takes @ports on the host and lets what comes there go to @e, until it is closed:
 * from other machines, from this one, and through 127.0.0.1.  Ports that were left
 * open are filled in.  A port is ours by a socket that listens on it, so that nobody
 * else takes it; no packet comes that far.  @id names the container in /run/stave.
 * -ERR_EXISTS "Bind for 0.0.0.0:80 failed: port is already allocated".
 */
int network_publish(struct network_endpoint *e, const char *id, struct network_port_list *ports,
		    struct error *err);

/*
 * Makes the containers of one bridge find each other by @names (the first is the
 * container's own): each has a file of hosts, which has the others as long as they run.
 * @hosts is the absolute path of this one's, complete but for that.  Others have their
 * files changed in place.
 */
int network_join(struct network_endpoint *e, const char *id, const struct strlist *names,
		 const char *hosts, struct error *err);

/* Who is on a bridge by network_join(). */
struct network_member {
	char *id;
	char *name;
	uint32_t address;
};

struct network_member_list {
	struct network_member *items;
	size_t n;
	size_t cap;
};

int network_members(const char *bridge, struct network_member_list *out, struct error *err);
void network_member_list_clear(struct network_member_list *l);

static inline void network_member_list_auto(struct network_member_list *l)
{
	network_member_list_clear(l);
}

struct network_subnet {
	uint32_t network; /* host byte order */
	unsigned prefix_len;
};

/* "10.1.2.0/24".  -ERR_INVALID. */
int network_subnet_parse(const char *text, struct network_subnet *out, struct error *err);
bool network_subnets_overlap(const struct network_subnet *a, const struct network_subnet *b);
/* One for a new bridge: no address, no route of the host and none of @taken overlaps. */
int network_subnet_free(const struct network_subnet *taken, size_t n,
			struct network_subnet *out, struct error *err);

/* The ports that container @id has now; none when it does not run. */
int network_published(const char *id, struct network_port_list *out, struct error *err);

/* Removes what killed commands left: entries of theirs, and rules for them. */
int network_reap(struct error *err);

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
