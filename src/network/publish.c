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
 */
#include <arpa/inet.h>
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

static const char *address_text(uint32_t address, char text[INET_ADDRSTRLEN])
{
	const struct in_addr a = {htonl(address)};

	return inet_ntop(AF_INET, &a, text, INET_ADDRSTRLEN);
}

/* ---- lines ---- */

static void put_line(const struct network_endpoint *e, const struct network_port *p,
		     struct buf *out)
{
	char host[INET_ADDRSTRLEN], inside[INET_ADDRSTRLEN];

	buf_printf(out, "port %s %s %u %s %u %s\n", network_protocol_name(p->protocol),
		   address_text(p->host_ip, host), p->host_port,
		   address_text(e->address, inside), p->port, e->bridge);
}

static bool split_line(const char *line, struct strlist *out)
{
	strlist_split(out, line, ' ');
	return out->n == LINE_FIELDS && str_eq(out->items[0], "port");
}

static bool parse_line(const char *line, struct network_port *out)
{
	AUTO(strlist) struct strlist f = STRLIST_INIT;
	struct in_addr a;
	uint64_t host, inside;

	if (!split_line(line, &f) || inet_pton(AF_INET, f.items[2], &a) != 1 ||
	    !parse_u64(f.items[3], UINT16_MAX, &host) ||
	    !parse_u64(f.items[5], UINT16_MAX, &inside))
		return false;
	*out = (struct network_port){.protocol = str_eq(f.items[1], "udp") ? NETWORK_UDP
									   : NETWORK_TCP,
				     .host_ip = ntohl(a.s_addr),
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
	const bool all = str_eq(f->items[2], "0.0.0.0");
	struct buf *to = all ? any : one;

	buf_addstr(to, to->len ? ",\n" : "elements = {\n");
	if (!all)
		buf_printf(to, "%s . ", f->items[2]);
	buf_printf(to, "%s . %s : %s . %s", f->items[1], f->items[3], f->items[4], f->items[5]);
}

static void put_map(const char *name, const char *key, struct buf *elements, struct buf *script)
{
	buf_printf(script, "map %s {\ntype %s : ipv4_addr . inet_service\n%s%s}\n", name, key,
		   buf_str(elements), elements->len ? "\n}\n" : "");
}

static void put_dnat(const char *hook, const char *first, struct buf *script)
{
	buf_printf(script,
		   "chain %s {\ntype nat hook %s priority -101; policy accept;\n%s"
		   "fib daddr type local dnat ip to ip daddr . meta l4proto . th dport map "
		   "@one\n"
		   "fib daddr type local dnat ip to meta l4proto . th dport map @any\n}\n",
		   hook, hook, first);
}

static void put_table(const struct strlist *lines, struct buf *script)
{
	AUTO(buf) struct buf any = BUF_INIT, one = BUF_INIT, loopback = BUF_INIT;
	AUTO(strlist) struct strlist bridges = STRLIST_INIT;

	for (size_t i = 0; i < lines->n; i++) {
		AUTO(strlist) struct strlist f = STRLIST_INIT;

		if (!split_line(lines->items[i], &f))
			continue;
		put_element(&f, &any, &one);
		if (strlist_find(&bridges, f.items[6]) < 0)
			strlist_add(&bridges, f.items[6]);
	}
	buf_addstr(script, "add table ip " TABLE "\ndelete table ip " TABLE "\n");
	if (!bridges.n)
		return;
	for (size_t i = 0; i < bridges.n; i++)
		buf_printf(&loopback, "ip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n",
			   bridges.items[i]);
	buf_addstr(script, "table ip " TABLE " {\n");
	put_map("any", "inet_proto . inet_service", &any, script);
	put_map("one", "ipv4_addr . inet_proto . inet_service", &one, script);
	/* from outside nobody may mean our own loopback addresses */
	put_dnat("prerouting", "ip daddr 127.0.0.0/8 return\n", script);
	put_dnat("output", "", script);
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
	put_table(&lines, &script);
	return rules_run(buf_str(&script), err);
}

static int allow_loopback(const char *bridge, struct error *err)
{
	AUTO(free) char *path = mem_printf("/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
	AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || io_write_full(fd, "1", 1) < 0)
		return error_sys(err, "cannot switch on %s", path);
	return 0;
}

int network_publish(struct network_endpoint *e, const char *id, struct network_port_list *ports,
		    struct error *err)
{
	AUTO(entries) struct entries s = ENTRIES_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	int r = ports_take(e, ports, err);

	if (r < 0 || !ports->n)
		return r;
	if ((r = entries_open(&s, err)) < 0 || (r = entry_make(&s, id, e, err)) < 0)
		return r;
	for (size_t i = 0; i < ports->n; i++)
		put_line(e, &ports->items[i], &text);
	if ((r = entry_write(e, &text, err)) < 0 || (r = publish_sync(&s, err)) < 0)
		return r;
	return allow_loopback(e->bridge, err);
}
