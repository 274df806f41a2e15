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

static int parse_host_address(const char *text, uint32_t *out, struct error *err)
{
	struct in_addr a;
	struct in6_addr six;

	*out = 0;
	if (!*text)
		return 0;
	if (inet_pton(AF_INET, text, &a) == 1) {
		*out = ntohl(a.s_addr);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &six) == 1) {
		error_set(err, ERR_UNSUPPORTED,
			  "publishing on IPv6 addresses is not supported yet: %s", text);
		error_hint(err, "publish on 0.0.0.0 or on an IPv4 address");
		return -ERR_UNSUPPORTED;
	}
	return error_set(err, ERR_INVALID, "invalid IP address: %s", text);
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
	if (address && (r = parse_host_address(address, &p.host_ip, err)) < 0)
		return r;
	return add_ports(&p, &outside, &inside, host, port, out, err);
}

/* ---- sockets ---- */

static int open_socket(const struct network_port *p, uint16_t number, uint16_t *out_number)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(p->host_ip),
				.sin_port = htons(number)};
	socklen_t len = sizeof(a);
	const int type = p->protocol == NETWORK_TCP ? SOCK_STREAM : SOCK_DGRAM, one = 1;
	AUTO(fd) int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* a connection that has just ended is no reason to refuse */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const void *)&a, sizeof(a)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 1) < 0) || getsockname(fd, (void *)&a, &len) < 0)
		return -1;
	*out_number = ntohs(a.sin_port);
	return take_fd(&fd);
}

static int refuse(const struct network_port *p, uint16_t number, struct error *err)
{
	const struct in_addr a = {htonl(p->host_ip)};
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &a, text, sizeof(text));
	if (errno == EADDRINUSE)
		return error_set(err, ERR_EXISTS,
				 "Bind for %s:%u failed: port is already allocated", text,
				 number);
	return error_sys(err, "Bind for %s:%u failed", text, number);
}

static int take_one(struct network_endpoint *e, struct network_port *p, struct error *err)
{
	const uint16_t last = p->host_port_end ? p->host_port_end : p->host_port;
	int fd = -1;

	for (unsigned number = p->host_port; fd < 0 && number <= last; number++) {
		fd = open_socket(p, (uint16_t)number, &p->host_port);
		if (fd < 0 && errno != EADDRINUSE)
			break;
	}
	if (fd < 0)
		return refuse(p, p->host_port, err);
	p->host_port_end = 0;
	e->sockets = mem_resize(e->sockets, e->n_sockets + 1, sizeof(*e->sockets));
	e->sockets[e->n_sockets++] = fd;
	return 0;
}

int ports_take(struct network_endpoint *e, struct network_port_list *ports, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ports->n; i++)
		r = take_one(e, &ports->items[i], err);
	return r;
}
