/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stave-forward (tcp|udp ADDRESS PORT)… - carries what comes to sockets to a container.
 *
 * Socket 3 belongs to the first three words, 4 to the next, and so on.  A connection ends
 * when both sides have said all, a UDP peer when it was silent for as long as the kernel
 * would remember it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "network/network_server.h"

#include "base/banned.h"

#define FIRST_FD    3 /* as in network_serve.h */
#define MOST_LINKS  1024
#define CHUNK	    (16u << 10)
#define HIGH_WATER  (32u << 10) /* of one direction: then its sender waits */
#define MESSAGE_MAX 65535
#define SILENCE_NS  90000000000ll

/* A buffer has up to twice the room of what is in it, and a quarter is left for all else. */
_Static_assert(MOST_LINKS * 2ull * 2 * (HIGH_WATER + CHUNK) <= SERVER_MEMORY_BYTES * 3ull / 4,
	       "who stops reading everywhere ends the program");

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct port {
	int fd;
	bool udp;
	union address to;
};

/* Side 0 is who came, side 1 the container. */
struct link {
	const struct port *udp; /* NULL: a connection */
	struct sockaddr_in6 from;
	int fd[2];	    /* of UDP the second one only */
	struct buf data[2]; /* that is still to be sent to that side */
	bool ended[2];	    /* it has said all */
	bool shut[2];	    /* it was told that there is no more */
	bool connecting;
	int64_t used_ns;
};

static struct port *ports;
static size_t n_ports;
static struct link links[MOST_LINKS];
static size_t n_links;
static struct pollfd *fds; /* of the ports, then two for each link */

static socklen_t address_bytes(const union address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

static void drop(size_t i)
{
	for (int side = 0; side < 2; side++) {
		close_fd(&links[i].fd[side]);
		buf_clear(&links[i].data[side]);
	}
	links[i] = links[--n_links];
}

/*
 * The UDP peer that was silent for longest gives way: nothing says when one is done, and a
 * neighbour with a new address for each datagram would have all places at once.
 */
static bool make_room(void)
{
	size_t oldest = n_links;

	if (n_links < MOST_LINKS)
		return true;
	for (size_t i = 0; i < n_links; i++)
		if (links[i].udp &&
		    (oldest == n_links || links[i].used_ns < links[oldest].used_ns))
			oldest = i;
	if (oldest == n_links)
		return false;
	drop(oldest);
	return true;
}

/* A link to the container; NULL: it cannot be reached, or there are too many. */
static struct link *add(const struct port *p)
{
	const int type = p->udp ? SOCK_DGRAM : SOCK_STREAM;
	AUTO(fd)
	int fd = make_room()
			 ? socket(p->to.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
			 : -1;
	struct link *l;

	if (fd < 0 ||
	    (connect(fd, &p->to.any, address_bytes(&p->to)) < 0 && errno != EINPROGRESS))
		return NULL;
	l = &links[n_links++];
	*l = (struct link){.udp = p->udp ? p : NULL,
			   .fd = {-1, take_fd(&fd)},
			   .connecting = !p->udp,
			   .used_ns = clock_monotonic_ns()};
	return l;
}

/* ---- connections ---- */

static void on_connection(const struct port *p)
{
	int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct link *l = fd >= 0 ? add(p) : NULL;

	if (l)
		l->fd[0] = fd;
	else if (fd >= 0)
		close(fd);
}

/* What side @i says; false: it is gone. */
static bool take(struct link *l, int i)
{
	struct buf *to = &l->data[!i];
	ssize_t n = recv(l->fd[i], buf_reserve(to, CHUNK), CHUNK, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		l->ended[i] = true;
	to->len += (size_t)n;
	return true;
}

static bool give(struct link *l, int i)
{
	ssize_t n =
		send(l->fd[i], l->data[i].data, l->data[i].len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_consume(&l->data[i], (size_t)n);
	if (!l->data[i].len)
		buf_clear(&l->data[i]);
	return true;
}

static bool finish_connecting(struct link *l)
{
	int error = 0;
	socklen_t len = sizeof(error);

	l->connecting = false;
	return getsockopt(l->fd[1], SOL_SOCKET, SO_ERROR, &error, &len) == 0 && !error;
}

/* False: it is over. */
static bool serve(struct link *l, const struct pollfd *p)
{
	if (l->connecting && p[1].revents && !finish_connecting(l))
		return false;
	for (int i = 0; i < 2; i++) {
		const bool readable = p[i].revents & (POLLIN | POLLHUP | POLLERR);

		if (readable && !l->ended[i] && !l->connecting && !take(l, i))
			return false;
	}
	for (int i = 0; i < 2; i++) {
		if (l->connecting)
			break;
		if (l->data[i].len && !give(l, i))
			return false;
		if (!l->ended[!i] || l->data[i].len || l->shut[i])
			continue;
		shutdown(l->fd[i], SHUT_WR);
		l->shut[i] = true;
	}
	return !(l->shut[0] && l->shut[1]);
}

static void want(const struct link *l, struct pollfd *p)
{
	for (int i = 0; i < 2; i++) {
		short events = 0;

		if (!l->ended[i] && !l->connecting && l->data[!i].len < HIGH_WATER)
			events |= POLLIN;
		if (l->data[i].len || (i == 1 && l->connecting))
			events |= POLLOUT;
		/* who waits for nothing is not asked: its hang-up would be told again and again
		 */
		p[i] = (struct pollfd){.fd = events ? l->fd[i] : -1, .events = events};
	}
}

/* ---- datagrams ---- */

static struct link *peer_of(const struct port *p, const struct sockaddr_in6 *from)
{
	for (size_t i = 0; i < n_links; i++)
		if (links[i].udp == p && links[i].from.sin6_port == from->sin6_port &&
		    links[i].from.sin6_scope_id == from->sin6_scope_id &&
		    !memcmp(&links[i].from.sin6_addr, &from->sin6_addr, 16))
			return &links[i];
	return NULL;
}

static char message[MESSAGE_MAX];

static void on_datagram(const struct port *p)
{
	struct sockaddr_in6 from = {0};
	socklen_t len = sizeof(from);
	ssize_t n =
		recvfrom(p->fd, message, sizeof(message), MSG_DONTWAIT, (void *)&from, &len);
	struct link *l = n >= 0 ? peer_of(p, &from) : NULL;

	if (n < 0 || (!l && !(l = add(p))))
		return;
	l->from = from;
	l->used_ns = clock_monotonic_ns();
	send(l->fd[1], message, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_answer(struct link *l)
{
	ssize_t n = recv(l->fd[1], message, sizeof(message), MSG_DONTWAIT);

	/* that nobody listens there is not the end: who asks again may be heard */
	if (n < 0)
		return;
	l->used_ns = clock_monotonic_ns();
	sendto(l->udp->fd, message, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL,
	       (const void *)&l->from, sizeof(l->from));
}

/* ---- the loop ---- */

static void turn(void)
{
	const size_t n = n_links;
	int64_t now;
	bool udp = false;

	for (size_t i = 0; i < n_ports; i++)
		fds[i] = (struct pollfd){.fd = ports[i].fd, .events = POLLIN};
	for (size_t i = 0; i < n; i++) {
		struct pollfd *p = &fds[n_ports + 2 * i];

		udp |= links[i].udp != NULL;
		if (!links[i].udp) {
			want(&links[i], p);
			continue;
		}
		p[0] = (struct pollfd){.fd = -1};
		p[1] = (struct pollfd){.fd = links[i].fd[1], .events = POLLIN};
	}
	if (poll(fds, n_ports + 2 * n, udp ? 10000 : -1) < 0)
		return;
	now = clock_monotonic_ns();
	/* from the end: who is dropped has its place taken by one that was looked at */
	for (size_t i = n; i-- > 0;) {
		const struct pollfd *p = &fds[n_ports + 2 * i];
		struct link *l = &links[i];

		if (!l->udp ? !serve(l, p) : now - l->used_ns > SILENCE_NS)
			drop(i);
		else if (l->udp && p[1].revents)
			on_answer(l);
	}
	for (size_t i = 0; i < n_ports; i++) {
		if (!fds[i].revents)
			continue;
		if (ports[i].udp)
			on_datagram(&ports[i]);
		else
			on_connection(&ports[i]);
	}
}

static bool read_port(char **words, size_t i)
{
	struct port *p = &ports[i];
	const uint16_t number = htons((uint16_t)strtoul(words[2], NULL, 10));

	p->fd = FIRST_FD + (int)i;
	p->udp = str_eq(words[0], "udp");
	if (inet_pton(AF_INET, words[1], &p->to.v4.sin_addr) == 1) {
		p->to.v4.sin_family = AF_INET;
		p->to.v4.sin_port = number;
		return true;
	}
	p->to.v6.sin6_family = AF_INET6;
	p->to.v6.sin6_port = number;
	return inet_pton(AF_INET6, words[1], &p->to.v6.sin6_addr) == 1;
}

int main(int argc, char **argv)
{
	n_ports = (size_t)(argc - 1) / 3;
	ports = mem_zalloc((n_ports + 1) * sizeof(*ports));
	fds = mem_zalloc((n_ports + 2 * MOST_LINKS) * sizeof(*fds));
	for (size_t i = 0; i < n_ports; i++)
		if (!read_port(argv + 1 + 3 * i, i))
			return 1;
	if (server_confine((unsigned)n_ports + 2 * MOST_LINKS + 16, NULL) < 0)
		return 1;
	while (true)
		turn();
}
