/* SPDX-License-Identifier: Apache-2.0 */
/* The words of -p, and the sockets that hold ports of the host. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/strlist.h"
#include "network/network_entry.h"

#include "base/banned.h"

static const char *const protocols[] = {[NETWORK_TCP] = "tcp", [NETWORK_UDP] = "udp"};

const char *network_protocol_name(enum network_protocol p)
{
	return protocols[p];
}

struct range {
	uint16_t first, last;
};

static bool parse_port(const char *text, uint16_t *out)
{
	uint64_t v;

	if (!parse_u64(text, UINT16_MAX, &v))
		return false;
	*out = (uint16_t)v;
	return true;
}

/* "80" or "80-90". */
static bool parse_range(const char *text, struct range *out)
{
	const char *dash = strchr(text, '-');
	AUTO(free) char *first = dash ? mem_strndup(text, (size_t)(dash - text)) : NULL;

	if (!dash) {
		out->last = 0;
		if (!parse_port(text, &out->first))
			return false;
		out->last = out->first;
		return true;
	}
	return parse_port(first, &out->first) && parse_port(dash + 1, &out->last) &&
	       out->first <= out->last;
}

static int parse_protocol(const char *text, enum network_protocol *out, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!str_ieq(text, protocols[i]))
			continue;
		*out = (enum network_protocol)i;
		return 0;
	}
	if (str_ieq(text, "sctp"))
		return error_set(err, ERR_UNSUPPORTED, "publishing sctp is not supported yet");
	return error_set(err, ERR_INVALID, "invalid proto: %s", text);
}

/* Cuts off what follows the last colon that is not inside of brackets. */
static char *cut_last(char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon || strchr(colon, ']'))
		return NULL;
	*colon = 0;
	return colon + 1;
}

/* "[::1]" without its brackets. */
static char *strip_brackets(char *text)
{
	const size_t len = strlen(text);

	if (len < 2 || text[0] != '[' || text[len - 1] != ']')
		return text;
	text[len - 1] = 0;
	return text + 1;
}

static int add_ports(const struct network_port *like, const struct range *host,
		     const struct range *inside, const char *host_text, const char *port_text,
		     struct network_port_list *out, struct error *err)
{
	const unsigned n_inside = inside->last - inside->first,
		       n_host = host->last - host->first;

	if (host_text && n_inside != n_host && n_inside)
		return error_set(
			err, ERR_INVALID,
			"invalid ranges specified for container and host Ports: %s and %s",
			port_text, host_text);
	for (unsigned i = 0; i <= n_inside; i++) {
		struct network_port *p = vec_push(out);

		*p = *like;
		p->port = (uint16_t)(inside->first + i);
		p->host_port = host_text ? (uint16_t)(host->first + i) : 0;
		/* one port and a range on the host: any of them */
		p->host_port_end = n_inside ? p->host_port : host_text ? host->last : 0;
	}
	return 0;
}

int network_ports_parse(const char *text, struct network_port_list *out, struct error *err)
{
	AUTO(free) char *whole = mem_strdup(text);
	char *slash = strchr(whole, '/'), *port = NULL, *host = NULL, *address = NULL;
	struct network_port p = {0};
	struct range inside = {0}, outside = {0};
	int r;

	if (slash) {
		*slash = 0;
		if ((r = parse_protocol(slash + 1, &p.protocol, err)) < 0)
			return r;
	}
	port = cut_last(whole);
	if (port && (host = cut_last(whole)))
		address = strip_brackets(whole);
	else if (port)
		host = whole;
	else
		port = whole;
	if (!*port)
		return error_set(err, ERR_INVALID, "no port specified: %s",
				 *text ? text : "<empty>");
	if (!parse_range(port, &inside) || !inside.first)
		return error_set(err, ERR_INVALID, "invalid containerPort: %s", port);
	if (host && !*host)
		host = NULL;
	if (host && !parse_range(host, &outside))
		return error_set(err, ERR_INVALID, "invalid hostPort: %s", host);
	if (address && *address && !network_ip_parse(address, &p.host_ip))
		return error_set(err, ERR_INVALID, "invalid IP address: %s", address);
	return add_ports(&p, &outside, &inside, host, port, out, err);
}

void network_publish(struct network_endpoint *e, struct network_port_list *ports)
{
	free(e->wanted.items);
	e->wanted = *ports;
	*ports = (struct network_port_list){0};
}

/* ---- sockets ---- */

#define ATTEMPTS 16 /* to find a number that is free for both families */

static int bind_socket(int fd, const struct network_ip *ip, uint16_t *number)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = {0};
	socklen_t len = ip->len == 16 ? sizeof(a.v6) : sizeof(a.v4);

	if (ip->len == 16) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(*number);
		memcpy(&a.v6.sin6_addr, ip->bytes, 16);
	} else {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(*number);
		memcpy(&a.v4.sin_addr, ip->bytes, 4);
	}
	if (bind(fd, &a.any, len) < 0 || getsockname(fd, &a.any, &len) < 0)
		return -1;
	*number = ntohs(ip->len == 16 ? a.v6.sin6_port : a.v4.sin_port);
	return 0;
}

/* *@number 0: any, which it is then. */
static int open_socket(enum network_protocol protocol, const struct network_ip *ip,
		       uint16_t *number)
{
	const int type = protocol == NETWORK_TCP ? SOCK_STREAM : SOCK_DGRAM, one = 1;
	AUTO(fd)
	int fd = socket(ip->len == 16 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);

	if (fd < 0)
		return -1;
	/* a connection that has just ended is no reason to refuse */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ip->len == 16)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind_socket(fd, ip, number) < 0 || (type == SOCK_STREAM && listen(fd, 128) < 0))
		return -1;
	return take_fd(&fd);
}

static int refuse(const struct network_port *p, struct error *err)
{
	const char *open = p->host_ip.len == 16 ? "[" : "", *close = *open ? "]" : "";
	char host[NETWORK_TEXT_BYTES];

	network_ip_text(&p->host_ip, host);
	if (errno == EADDRINUSE)
		return error_set(err, ERR_EXISTS,
				 "Bind for %s%s%s:%u failed: port is already allocated", open,
				 host, close, p->host_port);
	return error_sys(err, "Bind for %s%s%s:%u failed", open, host, close, p->host_port);
}

static void keep(struct network_endpoint *e, const struct network_port *p, int fd)
{
	*vec_push(&e->ports) = *p;
	e->sockets = mem_resize(e->sockets, e->n_sockets + 1, sizeof(*e->sockets));
	e->sockets[e->n_sockets++] = fd;
}

/* One number on all of the addresses, or on none: false, with errno, and the place in @where.
 */
static bool take_number(struct network_endpoint *e, const struct network_port *p,
			const struct network_ip *ips, size_t n, uint16_t number,
			struct network_port *where)
{
	int fds[NETWORK_FAMILIES] = {-1, -1};

	*where = *p;
	where->host_port_end = 0;
	for (size_t i = 0; i < n; i++) {
		where->host_ip = ips[i];
		fds[i] = open_socket(p->protocol, &ips[i], &number);
		where->host_port = number;
		/* this machine has no IPv6: nobody comes that way */
		if (fds[i] < 0 && i && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
			continue;
		if (fds[i] >= 0)
			continue;
		if (i)
			close(fds[0]);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		where->host_ip = ips[i];
		if (fds[i] >= 0)
			keep(e, where, fds[i]);
	}
	return true;
}

static int take_one(struct network_endpoint *e, const struct network_port *p, struct error *err)
{
	const struct network_ip any[NETWORK_FAMILIES] = {{.len = 4}, {.len = 16}};
	const bool v4 = network_gateway(e, NETWORK_IPV4), all = !p->host_ip.len;
	const struct network_ip *ips = !all ? &p->host_ip : v4 ? any : any + 1;
	const size_t n = all && v4 ? 2 : 1;
	unsigned last = p->host_port_end ? p->host_port_end : p->host_port, number;
	struct network_port where;

	/* any number: that which the first address gets has to be free for the second, too */
	if (!p->host_port)
		last = ATTEMPTS;
	/* nothing leads from IPv4 to a container that has none */
	if (ips->len == 4 && !v4)
		return 0;
	for (number = p->host_port; number <= last; number++) {
		if (take_number(e, p, ips, n, p->host_port ? (uint16_t)number : 0, &where))
			return 0;
		if (errno != EADDRINUSE)
			break;
	}
	return refuse(&where, err);
}

int ports_take(struct network_endpoint *e, struct error *err)
{
	int r = 0;

	if (!network_gateway(e, NETWORK_IPV4) && !network_gateway(e, NETWORK_IPV6)) {
		ports_release(e); /* nobody comes in */
		return 0;
	}
	if (e->n_sockets)
		return 0;
	for (size_t i = 0; r == 0 && i < e->wanted.n; i++)
		r = take_one(e, &e->wanted.items[i], err);
	if (r < 0)
		ports_release(e);
	return r;
}

void ports_release(struct network_endpoint *e)
{
	for (unsigned i = 0; i < e->n_sockets; i++)
		close_fd(&e->sockets[i]);
	free(take_ptr(e->sockets));
	e->n_sockets = 0;
	e->ports.n = 0;
}
