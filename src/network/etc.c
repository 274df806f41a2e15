/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of /etc/resolv.conf (resolv.conf(5)) and /etc/hosts (hosts(5)). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/strlist.h"
#include "network/network_serve.h"

#include "base/banned.h"

#define RESOLV_CONF	    "/etc/resolv.conf"
#define RESOLV_CONF_SYSTEMD "/run/systemd/resolve/resolv.conf"
#define SYSTEMD_STUB	    "127.0.0.53"
#define HOST_GATEWAY	    "host-gateway"

struct resolv_conf {
	struct strlist servers;
	struct strlist search;
	struct strlist options;
};

static void resolv_conf_auto(struct resolv_conf *c)
{
	strlist_clear(&c->servers);
	strlist_clear(&c->search);
	strlist_clear(&c->options);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void add_words(struct strlist *to, const char *at, const char *end)
{
	while (at < end) {
		const char *start;

		while (at < end && is_blank(*at))
			at++;
		start = at;
		while (at < end && !is_blank(*at))
			at++;
		if (at > start)
			strlist_addn(to, start, (size_t)(at - start));
	}
}

/* The last of several search lines counts, name servers and options add up. */
static void parse_line(struct resolv_conf *c, const char *line, size_t len)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	struct strlist *to = NULL;

	add_words(&words, line, line + len);
	if (words.n < 2 || words.items[0][0] == '#' || words.items[0][0] == ';')
		return;
	if (str_eq(words.items[0], "nameserver")) {
		strlist_add(&c->servers, words.items[1]);
	} else if (str_eq(words.items[0], "options")) {
		to = &c->options;
	} else if (str_eq(words.items[0], "search") || str_eq(words.items[0], "domain")) {
		to = &c->search;
		strlist_clear(to);
	}
	for (size_t i = 1; to && i < words.n; i++)
		strlist_add(to, words.items[i]);
}

static void parse_resolv_conf(struct resolv_conf *c, const struct buf *text)
{
	const char *at = buf_str(text), *end = at + text->len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			stop = end;
		parse_line(c, at, (size_t)(stop - at));
		at = stop + 1;
	}
}

/* A server that a name space of its own, without IPv6, can reach. */
static bool is_reachable(const char *server)
{
	struct in_addr a;

	return inet_pton(AF_INET, server, &a) == 1 && ntohl(a.s_addr) >> 24 != 127;
}

static void drop_unreachable(struct strlist *servers)
{
	for (size_t i = servers->n; i-- > 0;)
		if (!is_reachable(servers->items[i]))
			strlist_remove(servers, i);
}

static int read_text(const char *path, struct buf *out, struct error *err)
{
	int r = io_read_file(AT_FDCWD, path, LIMIT_PASSWD_BYTES, out, err);

	if (r != -ERR_NOT_FOUND)
		return r;
	error_clear(err);
	buf_reset(out);
	return 0;
}

static void replace(struct strlist *list, char *const *with)
{
	if (!with || !with[0])
		return;
	strlist_clear(list);
	for (; *with; with++)
		strlist_add(list, *with);
}

static void put_list(struct buf *out, const char *key, const struct strlist *l)
{
	if (!l->n)
		return;
	buf_addstr(out, key);
	for (size_t i = 0; i < l->n; i++)
		buf_printf(out, " %s", l->items[i]);
	buf_addch(out, '\n');
}

static void print(const struct resolv_conf *c, struct buf *out)
{
	for (size_t i = 0; i < c->servers.n; i++)
		buf_printf(out, "nameserver %s\n", c->servers.items[i]);
	if (!(c->search.n == 1 && str_eq(c->search.items[0], ".")))
		put_list(out, "search", &c->search);
	put_list(out, "options", &c->options);
}

static void add_public(struct strlist *servers)
{
	strlist_add(servers, "8.8.8.8");
	strlist_add(servers, "8.8.4.4");
}

/* Our own server knows names without dots: they are asked for as they are. */
static void set_own(struct resolv_conf *c)
{
	strlist_clear(&c->servers);
	strlist_add(&c->servers, NETWORK_DNS_ADDRESS);
	for (size_t i = 0; i < c->options.n; i++)
		if (str_starts(c->options.items[i], "ndots:"))
			return;
	strlist_add(&c->options, "ndots:0");
}

int network_servers(const struct network_dns *dns, struct strlist *out, struct error *err)
{
	AUTO(resolv_conf) struct resolv_conf c = {0};
	AUTO(buf) struct buf text = BUF_INIT;

	if (read_text(RESOLV_CONF, &text, err) < 0)
		return -ERR_SYSTEM;
	parse_resolv_conf(&c, &text);
	replace(&c.servers, dns->servers);
	if (!c.servers.n)
		add_public(&c.servers);
	strlist_addall(out, &c.servers);
	return 0;
}

int network_resolv_conf(bool host, const struct network_dns *dns, struct buf *out,
			struct error *err)
{
	static const struct network_dns none;
	const struct network_dns *d = dns ? dns : &none;
	AUTO(resolv_conf) struct resolv_conf c = {0};
	AUTO(buf) struct buf text = BUF_INIT;
	bool changed = (d->servers && *d->servers) || (d->search && *d->search) ||
		       (d->options && *d->options);

	if (read_text(RESOLV_CONF, &text, err) < 0)
		return -ERR_SYSTEM;
	if (host && !changed) {
		buf_add(out, text.data, text.len);
		return 0;
	}
	parse_resolv_conf(&c, &text);
	if (!host && c.servers.n == 1 && str_eq(c.servers.items[0], SYSTEMD_STUB)) {
		resolv_conf_auto(&c);
		buf_reset(&text);
		if (read_text(RESOLV_CONF_SYSTEMD, &text, err) < 0)
			return -ERR_SYSTEM;
		parse_resolv_conf(&c, &text);
	}
	if (!host)
		drop_unreachable(&c.servers);
	if (!host && !c.servers.n)
		add_public(&c.servers);
	replace(&c.servers, d->servers);
	replace(&c.search, d->search);
	replace(&c.options, d->options);
	if (d->own)
		set_own(&c);
	print(&c, out);
	return 0;
}

static void put_address(struct buf *out, const struct network_ip *ip)
{
	char text[NETWORK_TEXT_BYTES];

	buf_addstr(out, network_ip_text(ip, text));
}

/* "name:ip", where the IP may be IPv6 with colons of its own, or in brackets. */
static void put_extra(const struct network_ip *gateway, const char *extra, struct buf *out)
{
	const char *sep = strpbrk(extra, ":=");
	const char *ip = sep ? sep + 1 : NULL;
	size_t len = ip ? strlen(ip) : 0;

	if (!len || sep == extra || strpbrk(extra, "\n\t "))
		return;
	if (str_eq(ip, HOST_GATEWAY)) {
		if (!gateway || !gateway->len)
			return;
		put_address(out, gateway);
	} else if (ip[0] == '[' && ip[len - 1] == ']') {
		buf_add(out, ip + 1, len - 2);
	} else {
		buf_add(out, ip, len);
	}
	buf_printf(out, "\t%.*s\n", (int)(sep - extra), extra);
}

void network_hosts_extra(const struct network_ip *gateway, char *const *extra, struct buf *out)
{
	for (; extra && *extra; extra++)
		put_extra(gateway, *extra, out);
}

void network_hosts_own(const struct network_attachment *a, const char *hostname,
		       struct buf *out)
{
	for (size_t i = 0; i < NETWORK_FAMILIES; i++) {
		if (!a->addresses[i].ip.len)
			continue;
		put_address(out, &a->addresses[i].ip);
		buf_printf(out, "\t%s\n", hostname);
	}
}

void network_hosts(const struct network_endpoint *e, const char *hostname, char *const *extra,
		   struct buf *out)
{
	const struct network_attachment *a = e ? network_gateway(e, NETWORK_IPV4) : NULL;

	buf_addstr(out, "127.0.0.1\tlocalhost\n"
			"::1\tlocalhost ip6-localhost ip6-loopback\n"
			"fe00::\tip6-localnet\n"
			"ff00::\tip6-mcastprefix\n"
			"ff02::1\tip6-allnodes\n"
			"ff02::2\tip6-allrouters\n");
	network_hosts_extra(a ? &a->addresses[NETWORK_IPV4].gateway : NULL, extra, out);
	for (size_t i = 0; e && i < e->n; i++)
		network_hosts_own(&e->items[i], hostname, out);
}
