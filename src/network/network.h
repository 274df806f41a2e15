/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network - name spaces, bridges, and what a container needs to be
 * reached and to reach.
 *
 * A *bridge network* is a Linux bridge with a subnet of IPv4, one of IPv6, or
 * both, of which one address is the gateway.  An *endpoint* is a network name
 * space with its *attachments*: each a veth pair to a bridge (eth0, eth1 …
 * inside), with an address of each of its subnets.  The bridge and its nftables
 * rules are made once and stay (they are host configuration, as docker0 is); an
 * attachment dies with its name space, so a killed command leaves nothing.
 *
 * The *gateway attachment* of a family is the one that the default route goes
 * through, and to which published ports lead: that with the highest priority,
 * then the first by its network's name, of those that are not internal.
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
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strlist.h"

/* ---- addresses ---- */

enum network_family {
	NETWORK_IPV4 = 0,
	NETWORK_IPV6,
};

#define NETWORK_FAMILIES   2
#define NETWORK_TEXT_BYTES 46 /* INET6_ADDRSTRLEN */

/* In network byte order; length 4, 16, or 0: none. */
struct network_ip {
	unsigned char len;
	unsigned char bytes[16];
};

bool network_ip_parse(const char *text, struct network_ip *out);
/* Into @out, which is returned; "" for none. */
const char *network_ip_text(const struct network_ip *ip, char out[NETWORK_TEXT_BYTES]);
bool network_ip_equal(const struct network_ip *a, const struct network_ip *b);
/* The lowest 64 bits behind the prefix, and the address with them instead. */
uint64_t network_ip_host(const struct network_ip *ip, unsigned prefix_len);
struct network_ip network_ip_with_host(const struct network_ip *ip, unsigned prefix_len,
				       uint64_t host);
static inline enum network_family network_ip_family(const struct network_ip *ip)
{
	return ip->len == 16 ? NETWORK_IPV6 : NETWORK_IPV4;
}

struct network_subnet {
	struct network_ip network; /* the first address */
	unsigned prefix_len;
};

/* "10.1.2.0/24", "fd00:1::/64".  -ERR_INVALID with Docker's words. */
int network_subnet_parse(const char *text, struct network_subnet *out, struct error *err);
bool network_subnet_has(const struct network_subnet *s, const struct network_ip *ip);
bool network_subnets_overlap(const struct network_subnet *a, const struct network_subnet *b);
/*
 * One for a new bridge: no address, no route of the host and none of @taken overlaps.
 * That of IPv6 is made of @seed.
 */
int network_subnet_free(enum network_family family, const char *seed,
			const struct network_subnet *taken, size_t n,
			struct network_subnet *out, struct error *err);

/* ---- bridges and endpoints ---- */

#define LIMIT_NETWORK_RESERVED 64

/* The addresses of one family that a bridge has to give. */
struct network_pool {
	struct network_ip gateway; /* length 0: the bridge has none of this family */
	unsigned prefix_len;
	uint64_t first, last; /* host numbers to choose from; 0: all */
	uint64_t reserved[LIMIT_NETWORK_RESERVED];
	unsigned n_reserved;
};

struct network_bridge {
	const char *name;    /* interface, at most 15 bytes: "stave0" */
	const char *network; /* as people call it; NULL: it has no name */
	const char *prefix;  /* of interfaces inside; NULL: "eth" */
	struct network_pool pools[NETWORK_FAMILIES];
	unsigned mtu;		     /* 0: that of the interface to the world, at most 1500 */
	bool internal;		     /* no way out, and no way in */
	bool isolated;		     /* its containers do not reach each other */
	bool no_masquerade;	     /* their addresses are seen outside */
	bool open[NETWORK_FAMILIES]; /* who finds a way to their addresses reaches all ports */
};

/* What one attachment is to be like; all zero: as it comes. */
struct network_wish {
	struct network_ip addresses[NETWORK_FAMILIES];
	bool has_mac;
	uint8_t mac[6];
	const char *interface; /* NULL: the next eth0, eth1 … */
	int priority;
	struct network_ip link_local[4];
	unsigned n_link_local;
	const struct strlist *names; /* by which others of the bridge find it; NULL: by none */
	const struct strlist *links; /* "ALIAS NAME": what only it calls others */
};

struct network_address {
	int lock; /* owned: keeps the address ours; -1 without one */
	struct network_ip ip, gateway;
	unsigned prefix_len;
};

struct network_attachment {
	char bridge[16];
	char interface[16]; /* inside, as we made it */
	char outside[16];   /* its other end, which the container cannot rename; "": not made */
	char *network;	    /* owned; NULL: the bridge has no name for people */
	struct network_address addresses[NETWORK_FAMILIES];
	uint8_t mac[6];
	int priority;
	bool internal;
	struct strlist names, links;
};

enum network_protocol {
	NETWORK_TCP = 0,
	NETWORK_UDP,
};

struct network_port {
	enum network_protocol protocol;
	struct network_ip host_ip; /* length 0: all addresses, of both families */
	uint16_t host_port;	   /* 0: any that is free */
	uint16_t host_port_end;	   /* the last that may be taken; 0: @host_port alone */
	uint16_t port;		   /* in the container */
};

struct network_port_list {
	struct network_port *items;
	size_t n;
	size_t cap;
};

struct network_endpoint {
	int netns; /* owned: descriptor of the name space; -1: none, or none yet */
	struct network_attachment *items; /* owned */
	size_t n, cap;
	char *id;	  /* owned: whose entry it has; NULL: none */
	char *names_path; /* owned: the file that its names are kept in; NULL: none */
	int entry;	  /* owned: the locked entry; -1: none */
	struct network_port_list wanted; /* as network_publish() was asked */
	struct network_port_list ports;	 /* taken on the host */
	int *sockets;			 /* owned, with what they hold: these ports */
	unsigned n_sockets;
	pid_t server;	  /* that answers for names; 0: none */
	bool server_asks; /* others, outside */
	pid_t forwarder;  /* of ports that no rule leads to; 0: none */
	char *forwards;	  /* owned: where to */
};

#define NETWORK_ENDPOINT_INIT ((struct network_endpoint){.netns = -1, .entry = -1})

/* The gateway attachment of a family; NULL: there is none. */
const struct network_attachment *network_gateway(const struct network_endpoint *e,
						 enum network_family family);

/*
 * stave0 as it is; before it is there, with the first of 10.89.0.0/16, 10.90.0.0/16 … that no
 * address or route of the host overlaps.
 */
void network_default_bridge(struct network_bridge *out);

/* A new network name space with loopback up (--network=none stops here). */
int network_namespace_new(int *out_netns, struct error *err);

/*
 * One more attachment of @e, whose name space is made if it is not there.
 * Makes sure that bridge, forwarding and rules exist (cheap when they do),
 * takes free addresses (@state_dir holds the address files; -1 is the machine's own,
 * /run/stave, which all stores must share as they share the bridge), makes the veth
 * pair, sets addresses, routes and loopback inside.  Also works beside a Docker whose
 * FORWARD policy is DROP.  @wish may be NULL.  -ERR_DENIED when the process may not.
 * When it fails, @e is as it was.
 */
int network_attach(const struct network_bridge *b, const struct network_wish *wish,
		   int state_dir, struct network_endpoint *e, struct error *err);
/* Takes attachment @i away. */
int network_detach(struct network_endpoint *e, size_t i, struct error *err);

/*
 * Closes what it owns; the kernel does the rest, but for the rules of published ports,
 * which go here.
 */
void network_endpoint_close(struct network_endpoint *e);

/* Removes the rules, and the bridge unless it was there before us. */
int network_bridge_remove(const struct network_bridge *b, struct error *err);

/* ---- published ports ---- */

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

/* The ports that @e is to have on the host from network_announce() on.  TAKES @ports. */
void network_publish(struct network_endpoint *e, struct network_port_list *ports);

/*
 * Tells the machine what @e, of container @id, is like now; to be called after it was
 * attached, and after each change.  Takes its ports on the host, and lets what comes there
 * go to the gateway attachment until @e is closed: from other machines, from this one, and
 * through localhost.  A port is ours by a socket that listens on it, so that nobody
 * else takes it.  -ERR_EXISTS "Bind for 0.0.0.0:80 failed: port is already allocated".
 *
 * Keeps in the file e->names_path (absolute; NULL: nowhere) who can be found by names on
 * its bridges: a line "NETWORK ADDRESS NAME…" for each address.  Those of others on them
 * are brought up to date, too.
 */
int network_announce(struct network_endpoint *e, const char *id, struct error *err);

/* The ports that container @id has now; none when it does not run. */
int network_published(const char *id, struct network_port_list *out, struct error *err);

/* Removes what killed commands left: entries of theirs, and rules for them. */
int network_reap(struct error *err);

/* What --dns, --dns-search and --dns-option replace; NULL or empty lists keep the host's. */
struct network_dns {
	char *const *servers;
	char *const *search; /* {"."}: none */
	char *const *options;
	bool own; /* the server is network_serve()'s, which asks @servers */
};

#define NETWORK_DNS_ADDRESS "127.0.0.11"

/*
 * Starts what answers in @e's name space at NETWORK_DNS_ADDRESS, as Docker's does: from the
 * file of names that network_announce() keeps, and what is not there from @dns->servers, or
 * the host's; not at all where no attachment leads outside.  It ends with @e, and with the
 * process that called this.  Calling it again is fine.
 */
int network_serve(struct network_endpoint *e, const struct network_dns *dns, struct error *err);

/*
 * Text for /etc/resolv.conf: the host's without loopback and IPv6 servers
 * (systemd's real file is read where its stub is configured; public servers
 * when none is left); with @host as it is.  @dns may be NULL.
 */
int network_resolv_conf(bool host, const struct network_dns *dns, struct buf *out,
			struct error *err);

/*
 * Text for /etc/hosts: localhost lines, @extra ("name:ip", "name:host-gateway"; may be NULL),
 * and of each attachment of @e (which may be NULL) its addresses and @hostname.  Unknown
 * forms in @extra are passed over.
 */
void network_hosts(const struct network_endpoint *e, const char *hostname, char *const *extra,
		   struct buf *out);
/* The lines of one attachment. */
void network_hosts_own(const struct network_attachment *a, const char *hostname,
		       struct buf *out);
/* The lines of @extra alone, for behind a host's own file. */
void network_hosts_extra(const struct network_ip *gateway, char *const *extra, struct buf *out);

static inline void network_endpoint_auto(struct network_endpoint *e)
{
	network_endpoint_close(e);
}
