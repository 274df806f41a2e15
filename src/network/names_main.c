/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stave-names [SERVER…] - the name server of one container.
 *
 *   3  its file of names, read at each question under a lock
 *   4  a UDP socket, 5 a listening TCP socket, of the container's name space
 *
 * What the file does not have is asked of the servers, in their order, with the container's
 * own words; without any, it cannot be found.  One question of a TCP connection is answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "network/network_dns.h"
#include "network/network_server.h"

#include "base/banned.h"

#define NAMES_FD      3 /* as in network_serve.h */
#define UDP_FD	      4
#define TCP_FD	      5
#define MOST_QUERIES  256
#define MOST_SERVERS  8
#define MOST_FILES    (2 * MOST_QUERIES + 16)
#define MESSAGE_BYTES 65535
#define NAMES_BYTES   (1u << 20)
#define PATIENCE_NS   3000000000ll /* for one server */
#define DNS_PORT      53

/* One question on its way; @client -1: by UDP, from @from. */
struct query {
	int client, upstream;
	struct sockaddr_in from;
	struct buf in, out; /* of a TCP client: what has come; what is still to be sent */
	struct buf reply;   /* of a server by TCP */
	struct buf message; /* the question; while a server is asked, with a number of ours */
	struct dns_question question;
	unsigned server;
	int64_t deadline;
	bool answered; /* and to be closed once @out is sent */
};

struct names {
	struct query queries[MOST_QUERIES];
	size_t n;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} servers[MOST_SERVERS];
	unsigned n_servers;
	unsigned turn;
};

static struct names all;

static void drop(size_t i)
{
	struct query *q = &all.queries[i];

	close_fd(&q->client);
	close_fd(&q->upstream);
	buf_clear(&q->in);
	buf_clear(&q->out);
	buf_clear(&q->reply);
	buf_clear(&q->message);
	*q = all.queries[--all.n];
}

static struct query *add(int client)
{
	struct query *q;

	if (all.n == MOST_QUERIES)
		return NULL;
	q = &all.queries[all.n++];
	*q = (struct query){.client = client,
			    .upstream = -1,
			    .deadline = clock_monotonic_ns() + PATIENCE_NS};
	return q;
}

/* ---- answers ---- */

static void put_length(struct buf *out, size_t len)
{
	buf_addch(out, (char)(len >> 8));
	buf_addch(out, (char)len);
}

static void finish(struct query *q, const struct buf *answer)
{
	q->answered = true;
	close_fd(&q->upstream);
	if (q->client < 0) {
		sendto(UDP_FD, answer->data, answer->len, MSG_DONTWAIT, (const void *)&q->from,
		       sizeof(q->from));
		return;
	}
	put_length(&q->out, answer->len);
	buf_add(&q->out, answer->data, answer->len);
	q->deadline = clock_monotonic_ns() + PATIENCE_NS;
}

static void fail(struct query *q, enum dns_code code)
{
	AUTO(buf) struct buf answer = BUF_INIT;

	dns_refuse(q->message.data, &q->question, code, &answer);
	finish(q, &answer);
}

static void read_names(struct buf *out)
{
	if (flock(NAMES_FD, LOCK_SH) < 0)
		return;
	if (lseek(NAMES_FD, 0, SEEK_SET) == 0)
		io_read_all(NAMES_FD, NAMES_BYTES, out, NULL);
	flock(NAMES_FD, LOCK_UN);
}

/* ---- servers ---- */

static socklen_t address_bytes(const struct sockaddr *a)
{
	return a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					: sizeof(struct sockaddr_in);
}

/* With a number of our own, so that nobody else can guess what to answer. */
static bool ask(struct query *q, const struct sockaddr *server)
{
	const int type = q->client < 0 ? SOCK_DGRAM : SOCK_STREAM;

	q->upstream = socket(server->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->upstream < 0 ||
	    (connect(q->upstream, server, address_bytes(server)) < 0 && errno != EINPROGRESS))
		return false;
	if (getrandom(q->message.data, 2, 0) != 2)
		return false;
	buf_reset(&q->reply);
	buf_reset(&q->out);
	q->deadline = clock_monotonic_ns() + PATIENCE_NS;
	if (type == SOCK_DGRAM)
		return send(q->upstream, q->message.data, q->message.len, MSG_DONTWAIT) >= 0;
	put_length(&q->out, q->message.len);
	buf_add(&q->out, q->message.data, q->message.len);
	return true;
}

/* The next one; it cannot be answered when there is none left. */
static void ask_next(struct query *q, const uint8_t id[2])
{
	close_fd(&q->upstream);
	while (q->server < all.n_servers) {
		if (ask(q, &all.servers[q->server++].any))
			return;
		close_fd(&q->upstream);
	}
	memcpy(q->message.data, id, 2);
	buf_reset(&q->out);
	fail(q, DNS_SERVER_FAILURE);
}

/* The container's own number stands behind the question meanwhile. */
static const uint8_t *own_id(const struct query *q)
{
	return (const uint8_t *)q->in.data;
}

static void on_reply(struct query *q, char *data, size_t len)
{
	struct buf answer = {.data = data, .len = len};

	if (!dns_answers(data, len, q->message.data, &q->question))
		return;
	if ((dns_code_of(data) == DNS_SERVER_FAILURE || dns_code_of(data) == DNS_REFUSED) &&
	    q->server < all.n_servers) {
		ask_next(q, own_id(q));
		return;
	}
	memcpy(data, own_id(q), 2);
	buf_reset(&q->out);
	finish(q, &answer);
}

/* ---- questions ---- */

static void on_question(struct query *q)
{
	AUTO(buf) struct buf table = BUF_INIT, answer = BUF_INIT;
	const size_t limit = q->client < 0 ? DNS_UDP_BYTES : MESSAGE_BYTES;

	if (!dns_asks(q->message.data, q->message.len)) {
		q->answered = true;
		return;
	}
	buf_reset(&q->in);
	buf_add(&q->in, q->message.data, 2);
	if (!dns_parse(q->message.data, q->message.len, &q->question)) {
		dns_refuse(q->message.data, NULL, DNS_NOT_IMPLEMENTED, &answer);
		finish(q, &answer);
		return;
	}
	read_names(&table);
	if (dns_answer(buf_str(&table), q->message.data, &q->question, limit, all.turn++,
		       &answer))
		finish(q, &answer);
	else
		ask_next(q, own_id(q));
}

static void on_datagram(void)
{
	static char message[MESSAGE_BYTES];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n =
		recvfrom(UDP_FD, message, sizeof(message), MSG_DONTWAIT, (void *)&from, &len);
	struct query *q;

	/* one that finds no place comes again: who asks by UDP does so */
	if (n <= 0 || !(q = add(-1)))
		return;
	q->from = from;
	buf_add(&q->message, message, (size_t)n);
	on_question(q);
	if (q->answered)
		drop((size_t)(q - all.queries));
}

static void on_connection(void)
{
	int fd = accept4(TCP_FD, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && !add(fd))
		close(fd);
}

/* What the length before a message says. */
static size_t length_of(const struct buf *in)
{
	const uint8_t *b = (const uint8_t *)in->data;

	return (size_t)b[0] << 8 | b[1];
}

/* A whole message behind its length?  More of it is read; false: the end, or too much. */
static bool receive(int fd, struct buf *in, bool *out_whole)
{
	ssize_t n = recv(fd, buf_reserve(in, 4096), 4096, MSG_DONTWAIT);

	*out_whole = false;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	in->len += (size_t)n;
	in->data[in->len] = 0;
	*out_whole = in->len >= 2 && in->len >= 2 + length_of(in);
	return in->len <= MESSAGE_BYTES + 2;
}

static bool send_out(int fd, struct buf *out)
{
	ssize_t n = send(fd, out->data, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_consume(out, (size_t)n);
	return true;
}

/* ---- the loop ---- */

/* What each waits for: a server's answer, room to send, or the rest of a question. */
static struct pollfd wanted(const struct query *q)
{
	struct pollfd p = {.fd = q->upstream >= 0 ? q->upstream : q->client};

	p.events = q->out.len ? POLLOUT : POLLIN;
	return p;
}

static bool serve_upstream(struct query *q)
{
	static char message[MESSAGE_BYTES];
	bool whole;
	ssize_t n;

	if (q->client < 0) {
		n = recv(q->upstream, message, sizeof(message), MSG_DONTWAIT);
		if (n > 0)
			on_reply(q, message, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			ask_next(q, own_id(q));
		return true;
	}
	if (q->out.len) {
		if (!send_out(q->upstream, &q->out))
			ask_next(q, own_id(q));
		return true;
	}
	if (!receive(q->upstream, &q->reply, &whole))
		ask_next(q, own_id(q));
	else if (whole)
		on_reply(q, q->reply.data + 2, length_of(&q->reply));
	return true;
}

/* False: it is over. */
static bool serve(struct query *q)
{
	bool whole;

	if (q->upstream >= 0)
		return serve_upstream(q);
	if (q->client < 0)
		return false;
	if (q->out.len)
		return send_out(q->client, &q->out);
	if (!receive(q->client, &q->in, &whole))
		return false;
	if (!whole)
		return true;
	buf_add(&q->message, q->in.data + 2, length_of(&q->in));
	on_question(q);
	return true;
}

static void turn(void)
{
	struct pollfd fds[MOST_QUERIES + 2] = {{.fd = UDP_FD, .events = POLLIN},
					       {.fd = TCP_FD, .events = POLLIN}};
	const size_t n = all.n;
	int64_t now;

	for (size_t i = 0; i < n; i++)
		fds[i + 2] = wanted(&all.queries[i]);
	if (poll(fds, n + 2, n ? 500 : -1) < 0)
		return;
	now = clock_monotonic_ns();
	/* from the end: who is dropped has its place taken by one that was looked at */
	for (size_t i = n; i-- > 0;) {
		struct query *q = &all.queries[i];
		bool stays = !fds[i + 2].revents || serve(q);

		if (stays && now > q->deadline && q->upstream >= 0)
			ask_next(q, own_id(q));
		else if (now > q->deadline)
			stays = false;
		if (!stays || (q->answered && !(q->client >= 0 && q->out.len)))
			drop(i);
	}
	if (fds[0].revents)
		on_datagram();
	if (fds[1].revents)
		on_connection();
}

static void add_server(const char *text)
{
	__typeof__(all.servers[0]) *s = &all.servers[all.n_servers];

	if (all.n_servers == MOST_SERVERS)
		return;
	if (inet_pton(AF_INET, text, &s->v4.sin_addr) == 1) {
		s->v4.sin_family = AF_INET;
		s->v4.sin_port = htons(DNS_PORT);
		all.n_servers++;
	} else if (inet_pton(AF_INET6, text, &s->v6.sin6_addr) == 1) {
		s->v6.sin6_family = AF_INET6;
		s->v6.sin6_port = htons(DNS_PORT);
		all.n_servers++;
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		add_server(argv[i]);
	if (server_confine(MOST_FILES, NULL) < 0)
		return 1;
	while (true)
		turn();
}
