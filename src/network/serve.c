/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_serve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"
#include "network/network_namespace.h"
#include "network/network_rules.h"

#include "base/banned.h"

#define TABLE "stave_names"

struct sockets {
	int udp, tcp;
	unsigned udp_port, tcp_port;
};

static void sockets_auto(struct sockets *s)
{
	close_fd(&s->udp);
	close_fd(&s->tcp);
}

static int open_one(int type, int *out, unsigned *out_port, struct error *err)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	AUTO(fd) int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(a);

	inet_pton(AF_INET, NETWORK_DNS_ADDRESS, &a.sin_addr);
	if (fd < 0 || bind(fd, (const void *)&a, sizeof(a)) < 0 ||
	    getsockname(fd, (void *)&a, &len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 16) < 0))
		return error_sys(err, "cannot listen at " NETWORK_DNS_ADDRESS);
	*out_port = ntohs(a.sin_port);
	*out = take_fd(&fd);
	return 0;
}

/* In the container's name space. */
static int open_sockets(void *data, struct error *err)
{
	AUTO(buf) struct buf script = BUF_INIT;
	struct sockets *s = data;
	int r;

	if ((r = open_one(SOCK_DGRAM, &s->udp, &s->udp_port, err)) < 0 ||
	    (r = open_one(SOCK_STREAM, &s->tcp, &s->tcp_port, err)) < 0)
		return r;
	buf_addstr(&script, "add table ip " TABLE "\ndelete table ip " TABLE "\n");
	buf_printf(&script,
		   "table ip " TABLE " {\nchain output {\n"
		   "type nat hook output priority -100; policy accept;\n"
		   "ip daddr " NETWORK_DNS_ADDRESS " udp dport 53 dnat to " NETWORK_DNS_ADDRESS
		   ":%u\n"
		   "ip daddr " NETWORK_DNS_ADDRESS " tcp dport 53 dnat to " NETWORK_DNS_ADDRESS
		   ":%u\n}\n}\n",
		   s->udp_port, s->tcp_port);
	return rules_run(buf_str(&script), err);
}

static int start(struct network_endpoint *e, const struct sockets *s,
		 const struct strlist *servers, struct error *err)
{
	AUTO(buf) struct buf program = BUF_INIT;
	AUTO(strlist) struct strlist argv = STRLIST_INIT;
	AUTO(fd) int names = open(e->names_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const struct process_fd fds[] = {
		{names, NAMES_FILE_FD}, {s->udp, NAMES_UDP_FD}, {s->tcp, NAMES_TCP_FD}};
	struct process_spec spec = {.fds = fds, .nfds = ARRAY_SIZE(fds)};
	int r;

	if (names < 0)
		return error_sys(err, "cannot open %s", e->names_path);
	if ((r = process_helper_path(NAMES_HELPER, &program, err)) < 0)
		return r;
	strlist_add(&argv, NAMES_HELPER);
	strlist_addall(&argv, servers);
	spec.program = buf_str(&program);
	spec.argv = argv.items;
	return process_start(&spec, &e->server, NULL, err);
}

int network_serve(struct network_endpoint *e, const struct network_dns *dns, struct error *err)
{
	AUTO(sockets) struct sockets s = {.udp = -1, .tcp = -1};
	AUTO(strlist) struct strlist servers = STRLIST_INIT;
	const bool asks = network_gateway(e, NETWORK_IPV4) || network_gateway(e, NETWORK_IPV6);
	int r;

	if (e->server && asks == e->server_asks)
		return 0;
	server_stop(e);
	if ((asks && (r = network_servers(dns, &servers, err)) < 0) ||
	    (r = namespace_visit(e->netns, open_sockets, &s, err)) < 0 ||
	    (r = start(e, &s, &servers, err)) < 0)
		return error_wrap(err, "cannot start the container's name server");
	e->server_asks = asks;
	return 0;
}

void server_stop(struct network_endpoint *e)
{
	if (!e->server)
		return;
	kill(e->server, SIGKILL);
	process_wait(e->server);
	e->server = 0;
}
