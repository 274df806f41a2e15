/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry_transfer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/process.h"
#include "registry/registry.h"

#include "base/banned.h"

#define HELPER	      "stave-transfer"
#define CONTROL_FD    3
#define PACKET_BYTES  (128u << 10)
#define STALL_SECONDS 60u

struct transfer {
	int fd;
	pid_t pid;
	char *packet;
	uint64_t stall;
};

/* A user behind a bad line may have more patience, and a test less. */
static uint64_t stall_seconds(void)
{
	const char *text = getenv("STAVE_STALL_SECONDS");
	uint64_t n;

	return text && parse_u64(text, 86400, &n) && n ? n : STALL_SECONDS;
}

/* The files that its requests name: it can read no others. */
static char helper[] = HELPER;

static char **words_of(const struct transfer_tls *tls)
{
	char **argv = mem_zalloc((tls->authorities.n + 4) * sizeof(*argv));
	size_t n = 0;

	argv[n++] = helper;
	for (size_t i = 0; i < tls->authorities.n; i++)
		argv[n++] = tls->authorities.items[i];
	if (tls->certificate)
		argv[n++] = tls->certificate;
	if (tls->key)
		argv[n++] = tls->key;
	return argv;
}

int transfer_start(const struct transfer_tls *tls, struct transfer **out, struct error *err)
{
	AUTO(buf) struct buf program = BUF_INIT;
	AUTO(fd) int ours = -1, theirs = -1;
	struct process_fd fds[] = {{-1, CONTROL_FD}, {STDERR_FILENO, STDERR_FILENO}};
	AUTO(free) char **argv = words_of(tls);
	/* the user's proxies and certificates count */
	struct process_spec spec = {.argv = argv, .envp = environ, .fds = fds, .nfds = 2};
	int ends[2], r = process_helper_path(HELPER, &program, err);
	pid_t pid;

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_sys(err, "cannot make a socket");
	ours = ends[0];
	theirs = ends[1];
	fds[0].fd = theirs;
	spec.program = buf_str(&program);
	if ((r = process_start(&spec, &pid, NULL, err)) < 0)
		return r;
	*out = mem_new(struct transfer);
	(*out)->fd = take_fd(&ours);
	(*out)->pid = pid;
	(*out)->packet = mem_alloc(PACKET_BYTES + 1);
	(*out)->stall = stall_seconds();
	return 0;
}

void transfer_stop(struct transfer *t)
{
	if (!t)
		return;
	close(t->fd);
	/* it would end by itself, but perhaps not out of a name server's silence */
	kill(t->pid, SIGKILL);
	process_wait(t->pid);
	free(t->packet);
	free(t);
}

/* ---- out ---- */

static void add_tls(const struct transfer_tls *tls, struct buf *out)
{
	for (size_t i = 0; i < tls->authorities.n; i++)
		buf_printf(out, "ca %s\n", tls->authorities.items[i]);
	if (tls->certificate)
		buf_printf(out, "cert %s\n", tls->certificate);
	if (tls->key)
		buf_printf(out, "key %s\n", tls->key);
	if (tls->insecure)
		buf_addstr(out, "insecure\n");
	if (tls->direct)
		buf_addstr(out, "direct\n");
}

static bool is_line(const char *text)
{
	return !strpbrk(text, "\r\n");
}

static int write_request(const struct transfer *t, const struct transfer_request *q,
			 struct buf *out, struct error *err)
{
	if (!is_line(q->url))
		return error_set(err, ERR_INVALID, "an address with a line break");
	buf_printf(out, "id %lu\nmethod %s\nurl %s\nlimit %llu\nstall %llu\ntime %u\n", q->id,
		   q->method, q->url, (unsigned long long)q->limit,
		   (unsigned long long)t->stall, q->seconds);
	for (size_t i = 0; q->headers && i < q->headers->n; i++) {
		if (!is_line(q->headers->items[i]))
			return error_set(err, ERR_INVALID, "a header with a line break");
		buf_printf(out, "header %s\n", q->headers->items[i]);
	}
	if (q->tls)
		add_tls(q->tls, out);
	/* in the order of the descriptors */
	if (q->out >= 0)
		buf_printf(out, "out %ld\n", q->out_status);
	if (q->has_body)
		buf_printf(out, "in %llu\n", (unsigned long long)q->in_bytes);
	return out->len < PACKET_BYTES ? 0
				       : error_set(err, ERR_LIMIT,
						   "a request is too long: its address or "
						   "credentials are over %u bytes",
						   PACKET_BYTES);
}

int transfer_send(struct transfer *t, const struct transfer_request *q, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	struct iovec iov;
	int fds[2], r = write_request(t, q, &text, err);
	size_t n = 0;

	if (r < 0)
		return r;
	iov = (struct iovec){.iov_base = text.data, .iov_len = text.len};
	if (q->out >= 0)
		fds[n++] = q->out;
	if (q->has_body && q->in >= 0)
		fds[n++] = q->in;
	if (io_send_fds(t->fd, &iov, 1, fds, n) < 0)
		return error_set(err, ERR_FAILED,
				 "the program that speaks to registries has ended");
	return 0;
}

/* ---- in ---- */

static void read_header(struct transfer_event *e, const char *line)
{
	const char *colon = strstr(line, ": ");
	AUTO(free) char *name = NULL;
	const char *before;

	if (!colon)
		return;
	name = mem_strndup(line, (size_t)(colon - line));
	before = map_get(&e->headers, name);
	map_set(&e->headers, name,
		before ? mem_printf("%s\n%s", before, colon + 2) : mem_strdup(colon + 2));
}

static enum transfer_kind read_kind(const char *text)
{
	if (str_eq(text, "again"))
		return TRANSFER_AGAIN;
	if (str_eq(text, "connect"))
		return TRANSFER_CONNECT;
	return str_eq(text, "lie") ? TRANSFER_LIE : TRANSFER_FINAL;
}

static void read_line(struct transfer_event *e, const char *line)
{
	uint64_t n = 0;

	if (str_starts(line, "id ") && parse_u64(line + 3, UINT32_MAX, &n)) {
		e->id = (unsigned long)n;
	} else if (str_starts(line, "bytes ")) {
		parse_u64(line + 6, INT64_MAX, &e->bytes);
	} else if (str_starts(line, "status ") && parse_u64(line + 7, 999, &n)) {
		e->status = (long)n;
		e->end = true;
	} else if (str_starts(line, "error ")) {
		free(e->error);
		e->error = mem_strdup(line + 6);
	} else if (str_starts(line, "kind ")) {
		e->kind = read_kind(line + 5);
	} else if (str_starts(line, "header ")) {
		read_header(e, line + 7);
	} else if (str_starts(line, "location ")) {
		free(e->location);
		e->location = mem_strdup(line + 9);
	}
}

static void read_packet(struct transfer_event *e, char *packet, size_t len)
{
	char *at = packet, *end = packet + len, *stop;

	*end = 0;
	while (at < end && (stop = memchr(at, '\n', (size_t)(end - at)))) {
		*stop = 0;
		if (stop == at) {
			buf_add(&e->answer, stop + 1, (size_t)(end - stop - 1));
			return;
		}
		read_line(e, at);
		at = stop + 1;
	}
}

void transfer_wait(const struct transfer *t, struct pollfd *others, size_t n, int timeout_ms)
{
	struct pollfd all[REGISTRY_OTHERS + 1] = {{.fd = t->fd, .events = POLLIN}};

	memcpy(all + 1, others, n * sizeof(*others));
	if (poll(all, n + 1, timeout_ms) < 0)
		n = 0;
	memcpy(others, all + 1, n * sizeof(*others));
}

int transfer_next(struct transfer *t, struct transfer_event *out, struct error *err)
{
	ssize_t n;

	*out = (struct transfer_event){.headers = MAP_INIT_FREE(free)};
	n = recv(t->fd, t->packet, PACKET_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return error_set(err, ERR_FAILED,
				 "the program that speaks to registries has ended");
	read_packet(out, t->packet, (size_t)n);
	return 1;
}

void transfer_event_clear(struct transfer_event *e)
{
	free(e->error);
	free(e->location);
	map_clear(&e->headers);
	buf_clear(&e->answer);
	*e = (struct transfer_event){0};
}
