/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports: a table of their own for all of the machine, made anew from the
 * entries whenever one changes.
 *
 * A packet for a port of the host is given the container's address before it is routed:
 * of what comes in (prerouting) and of what this machine's programs send (output).  What
 * they send to 127.0.0.1 keeps that as its source, which no other interface may have: the
 * bridge is allowed to (route_localnet), and the source is masqueraded.  Packets of
 * containers for 127.0.0.0/8, which that would let in, are dropped by the bridge's own table.
 *
 * IPv6 has nothing like route_localnet, and no packet of IPv6 can go to an address of
 * IPv4: what no rule takes there comes to the sockets, and is forwarded by a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "network/network_entry.h"
#include "network/network_rules.h"

#include "base/banned.h"

#define TABLE	    "stave_ports"
#define LINE_FIELDS 7 /* port tcp 0.0.0.0 8000 10.89.0.5 3000 stave0 */

/* ---- lines ---- */

const struct network_address *publish_target(const struct network_endpoint *e,
					     const struct network_port *p,
					     const struct network_attachment **out_through)
{
	enum network_family family = network_ip_family(&p->host_ip);
	const struct network_attachment *a = network_gateway(e, family);

	if (!a && family == NETWORK_IPV6) {
		family = NETWORK_IPV4;
		a = network_gateway(e, family);
	}
	*out_through = a;
	return a ? &a->addresses[family] : NULL;
}

void publish_describe(const struct network_endpoint *e, struct buf *out)
{
	char host[NETWORK_TEXT_BYTES], inside[NETWORK_TEXT_BYTES];

	for (size_t i = 0; i < e->ports.n; i++) {
		const struct network_port *p = &e->ports.items[i];
		const struct network_attachment *through;
		const struct network_address *to = publish_target(e, p, &through);

		if (to)
			buf_printf(out, "port %s %s %u %s %u %s\n",
				   network_protocol_name(p->protocol),
				   network_ip_text(&p->host_ip, host), p->host_port,
				   network_ip_text(&to->ip, inside), p->port, through->bridge);
	}
}

static bool split_line(const char *line, struct strlist *out)
{
	strlist_split(out, line, ' ');
	return out->n == LINE_FIELDS && str_eq(out->items[0], "port");
}

static bool parse_line(const char *line, struct network_port *out)
{
	AUTO(strlist) struct strlist f = STRLIST_INIT;
	struct network_ip ip;
	uint64_t host, inside;

	if (!split_line(line, &f) || !network_ip_parse(f.items[2], &ip) ||
	    !parse_u64(f.items[3], UINT16_MAX, &host) ||
	    !parse_u64(f.items[5], UINT16_MAX, &inside))
		return false;
	*out = (struct network_port){.protocol = str_eq(f.items[1], "udp") ? NETWORK_UDP
									   : NETWORK_TCP,
				     .host_ip = ip,
				     .host_port = (uint16_t)host,
				     .port = (uint16_t)inside};
	return true;
}

int network_published(const char *id, struct network_port_list *out, struct error *err)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	int r = entry_read(id, &lines, err);

	for (size_t i = 0; r == 0 && i < lines.n; i++) {
		struct network_port p;

		if (parse_line(lines.items[i], &p))
			*vec_push(out) = p;
	}
	return r;
}

/* ---- rules ---- */

/* One element of the map for one address, or for all of them. */
static void put_element(const struct strlist *f, struct buf *any, struct buf *one)
{
	const bool all = str_eq(f->items[2], "0.0.0.0") || str_eq(f->items[2], "::");
	struct buf *to = all ? any : one;

	buf_addstr(to, to->len ? ",\n" : "elements = {\n");
	if (!all)
		buf_printf(to, "%s . ", f->items[2]);
	buf_printf(to, "%s . %s : %s . %s", f->items[1], f->items[3], f->items[4], f->items[5]);
}

/* The words of nft that differ between the families. */
static const struct {
	const char *family, *type;
	const char *before; /* from outside nobody may mean our own loopback addresses */
	const char *not_us; /* what programs of this machine send there goes to the forwarder */
} words[NETWORK_FAMILIES] = {
	{"ip", "ipv4_addr", "ip daddr 127.0.0.0/8 return\n", ""},
	{"ip6", "ipv6_addr", "ip6 daddr ::1 return\n", "ip6 daddr ::1 return\n"},
};

static void put_map(size_t family, const char *name, const char *key, struct buf *elements,
		    struct buf *script)
{
	buf_printf(script, "map %s {\ntype %s : %s . inet_service\n%s%s}\n", name, key,
		   words[family].type, buf_str(elements), elements->len ? "\n}\n" : "");
}

static void put_dnat(size_t family, const char *hook, const char *first, struct buf *script)
{
	const char *f = words[family].family;

	buf_printf(script,
		   "chain %s {\ntype nat hook %s priority -101; policy accept;\n%s"
		   "fib daddr type local dnat %s to %s daddr . meta l4proto . th dport map "
		   "@one\n"
		   "fib daddr type local dnat %s to meta l4proto . th dport map @any\n}\n",
		   hook, hook, first, f, f, f);
}

/* Is it a port of this family on both sides, so that a rule leads there? */
static bool is_of(size_t family, const struct strlist *f)
{
	const bool outside = strchr(f->items[2], ':') != NULL,
		   inside = strchr(f->items[4], ':') != NULL;

	return outside == inside && outside == (family == NETWORK_IPV6);
}

static void put_table(size_t family, const struct strlist *lines, struct buf *script)
{
	AUTO(buf) struct buf any = BUF_INIT, one = BUF_INIT, loopback = BUF_INIT;
	AUTO(strlist) struct strlist bridges = STRLIST_INIT;
	AUTO(free)
	char *key = mem_printf("%s . inet_proto . inet_service", words[family].type);
	const char *f = words[family].family;

	buf_printf(script, "add table %s " TABLE "\ndelete table %s " TABLE "\n", f, f);
	for (size_t i = 0; i < lines->n; i++) {
		AUTO(strlist) struct strlist l = STRLIST_INIT;

		if (!split_line(lines->items[i], &l) || !is_of(family, &l))
			continue;
		put_element(&l, &any, &one);
		if (strlist_find(&bridges, l.items[6]) < 0)
			strlist_add(&bridges, l.items[6]);
	}
	if (!bridges.n)
		return;
	for (size_t i = 0; family == NETWORK_IPV4 && i < bridges.n; i++)
		buf_printf(&loopback, "ip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n",
			   bridges.items[i]);
	buf_printf(script, "table %s " TABLE " {\n", f);
	put_map(family, "any", "inet_proto . inet_service", &any, script);
	put_map(family, "one", key, &one, script);
	put_dnat(family, "prerouting", words[family].before, script);
	put_dnat(family, "output", words[family].not_us, script);
	buf_printf(script,
		   "chain postrouting {\ntype nat hook postrouting priority 99; policy "
		   "accept;\n%s}\n}\n",
		   buf_str(&loopback));
}

int publish_sync(const struct entries *s, struct error *err)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	AUTO(buf) struct buf script = BUF_INIT;
	bool dead = false;
	int r = entries_read(s, &lines, &dead, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < NETWORK_FAMILIES; i++)
		put_table(i, &lines, &script);
	return rules_run(buf_str(&script), err);
}

int publish_allow_loopback(const char *bridge, struct error *err)
{
	AUTO(free) char *path = mem_printf("/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
	AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || io_write_full(fd, "1", 1) < 0)
		return error_sys(err, "cannot switch on %s", path);
	return 0;
}
