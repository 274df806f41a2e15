/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stave-transfer READABLE…: HTTP requests for a program that holds no sockets.
 * The certificates and keys of its requests are among the READABLE files.
 *
 * Descriptor 3 is a socket of packets.  A request is a packet of lines, with the
 * descriptors that bytes go to and come from:
 *
 *	id N            its number in all that is said of it
 *	method GET      url URL         header NAME: VALUE
 *	out STATUS      the first descriptor takes the body of a response with that status
 *	in BYTES        the next descriptor gives that many bytes, from its position on
 *	limit BYTES     no body is longer
 *	stall SECONDS   so long may nothing to speak of arrive
 *	time SECONDS    so long may it take; 0: as long as it comes
 *	ca FILE         cert FILE       key FILE        insecure        direct
 *
 * What is said of it: packets "id N\nbytes COUNT\n" while bytes move, and one that
 * begins "id N\nstatus S\n" and ends it: "error TEXT", "kind again|connect|lie|final",
 * "header NAME: VALUE" of the few that matter, "location URL" (absolute), and behind
 * an empty line the beginning of a body that "out" does not want.
 *
 * No redirect is followed and no header added: who asks decides about both.
 * The program ends with its socket.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/fetch_confine.h"

#define CONTROL_FD	3
#define PACKET_BYTES	(128u << 10)
#define HEADERS_BYTES	(256u << 10) /* of one response; what matters of it: */
#define KEPT_BYTES	(48u << 10)
#define ANSWER_BYTES	(16u << 10)
#define CERT_BYTES	(4u << 20)
#define CONNECT_SECONDS 15L
#define TELL_BYTES	(128u << 10)
#define AGAIN_BYTES	(64u << 10) /* a body that fits is sent again by curl itself */
#define SLOWEST		512L	    /* bytes in a second */

struct transfer {
	CURL *curl;
	unsigned long id;
	int out, in;
	long out_status;
	uint64_t limit, got, told, sent, in_bytes;
	off_t in_start;
	size_t header_bytes, kept, answer_len;
	struct curl_slist *headers;
	char *certificates;
	const char *why; /* of a refusal by us */
	int lie;	 /* that was the server's fault */
	char reason[CURL_ERROR_SIZE];
	char header[KEPT_BYTES];
	char answer[ANSWER_BYTES];
};

static CURLM *multi;

/* ---- what is said ---- */

static void say(const char *data, size_t len, int flags)
{
	while (send(CONTROL_FD, data, len, MSG_NOSIGNAL | flags) < 0)
		if (errno != EINTR)
			break;
}

/* Dropped when nobody listens: the next one says more. */
static void tell_bytes(struct transfer *t, uint64_t count)
{
	char line[80];
	int n;

	if (count < t->told + TELL_BYTES)
		return;
	t->told = count;
	n = snprintf(line, sizeof(line), "id %lu\nbytes %llu\n", t->id,
		     (unsigned long long)count);
	say(line, (size_t)n, MSG_DONTWAIT);
}

static const char *kind_of(const struct transfer *t, CURLcode r)
{
	static const CURLcode broken[] = {CURLE_PARTIAL_FILE, CURLE_RECV_ERROR,
					  CURLE_SEND_ERROR,   CURLE_GOT_NOTHING,
					  CURLE_HTTP2,	      CURLE_OPERATION_TIMEDOUT,
					  CURLE_HTTP2_STREAM, CURLE_SEND_FAIL_REWIND};

	if (t->why)
		return t->lie ? "lie" : "final";
	if (r == CURLE_COULDNT_CONNECT || r == CURLE_SSL_CONNECT_ERROR)
		return "connect";
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		if (r == broken[i])
			return "again";
	return "final";
}

static void tell_location(const struct transfer *t, FILE *to)
{
	const char *at = strstr(t->header, "header location: ");
	char *base = NULL, *full = NULL, *text;
	CURLU *u = curl_url();

	if (at && u) {
		at += strlen("header location: ");
		text = strndup(at, strcspn(at, "\n"));
		curl_easy_getinfo(t->curl, CURLINFO_EFFECTIVE_URL, &base);
		if (text && base && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
		    curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) ==
			    CURLUE_OK &&
		    curl_url_get(u, CURLUPART_URL, &full, 0) == CURLUE_OK)
			fprintf(to, "location %s\n", full);
		curl_free(full);
		free(text);
	}
	curl_url_cleanup(u);
}

static void tell_end(struct transfer *t, CURLcode r)
{
	const char *why = t->why ? t->why : *t->reason ? t->reason : curl_easy_strerror(r);
	char *packet = NULL;
	size_t len = 0;
	long status = 0;
	FILE *to = open_memstream(&packet, &len);

	if (!to)
		exit(1);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	fprintf(to, "id %lu\nstatus %ld\n", t->id, status);
	if (r != CURLE_OK) {
		fprintf(to, "error ");
		for (const char *p = why; *p; p++)
			fputc(*p < 32 ? ' ' : *p, to);
		fprintf(to, "\nkind %s\n", kind_of(t, r));
	}
	t->header[t->kept] = 0;
	fputs(t->header, to);
	tell_location(t, to);
	fputc('\n', to);
	fwrite(t->answer, 1, t->answer_len, to);
	fclose(to);
	say(packet, len, 0);
	free(packet);
}

/* ---- what curl asks ---- */

static long status_of(const struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_body(char *data, size_t size, size_t count, void *to)
{
	struct transfer *t = to;
	size_t len = size * count, left = len;

	if (t->out < 0 || status_of(t) != t->out_status) {
		/* the page of an error: a little of it is read */
		size_t room = sizeof(t->answer) - t->answer_len;

		if (t->out >= 0 && status_of(t) < 300) {
			t->why = "another status than was asked for";
			return 0;
		}
		memcpy(t->answer + t->answer_len, data, len < room ? len : room);
		t->answer_len += len < room ? len : room;
		t->got += len;
		if (t->got <= HEADERS_BYTES)
			return len;
		t->why = "an error page without end";
		t->lie = 1;
		return 0;
	}
	if (t->got + len > t->limit) {
		t->why = "the body is longer than announced";
		t->lie = 1;
		return 0;
	}
	while (left) {
		ssize_t n = write(t->out, data, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			t->why = strerror(errno);
			return 0;
		}
		data += n;
		left -= (size_t)n;
	}
	t->got += len;
	tell_bytes(t, t->got);
	return len;
}

static size_t on_read(char *data, size_t size, size_t count, void *from)
{
	struct transfer *t = from;
	size_t want = size * count;
	ssize_t n;

	if (want > t->in_bytes - t->sent)
		want = (size_t)(t->in_bytes - t->sent);
	if (!want)
		return 0;
	do
		n = pread(t->in, data, want, t->in_start + (off_t)t->sent);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		t->why = n < 0 ? strerror(errno) : "the file became shorter";
		return CURL_READFUNC_ABORT;
	}
	t->sent += (uint64_t)n;
	tell_bytes(t, t->sent);
	return (size_t)n;
}

static int on_seek(void *from, curl_off_t offset, int origin)
{
	struct transfer *t = from;

	/* once more all that went into a broken connection? Who asks knows better what has
	 * arrived */
	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->in_bytes ||
	    t->sent > (uint64_t)offset + AGAIN_BYTES)
		return CURL_SEEKFUNC_FAIL;
	t->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* Printable text only: it becomes a line. */
static int is_plain(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)data[i] < 32 || (unsigned char)data[i] > 126)
			return 0;
	return 1;
}

static void keep_header(struct transfer *t, const char *data, size_t len)
{
	static const char *const wanted[] = {"content-type",
					     "content-length",
					     "docker-content-digest",
					     "location",
					     "www-authenticate",
					     "retry-after",
					     "range",
					     "link",
					     "oci-subject",
					     "oci-filters-applied"};
	const char *colon = memchr(data, ':', len);
	size_t name = colon ? (size_t)(colon - data) : 0, room = sizeof(t->header) - t->kept;
	const char *value;

	while (len && isspace((unsigned char)data[len - 1]))
		len--;
	if (!colon || name >= len || !is_plain(data, len))
		return;
	for (value = colon + 1; value < data + len && *value == ' ';)
		value++;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		if (strlen(wanted[i]) != name || strncasecmp(wanted[i], data, name) != 0)
			continue;
		if (len + 16 < room)
			t->kept +=
				(size_t)snprintf(t->header + t->kept, room, "header %s: %.*s\n",
						 wanted[i], (int)(data + len - value), value);
	}
}

static size_t on_header(char *data, size_t size, size_t count, void *to)
{
	struct transfer *t = to;
	size_t len = size * count;

	t->header_bytes += len;
	if (t->header_bytes > HEADERS_BYTES) {
		t->why = "headers without end";
		t->lie = 1;
		return 0;
	}
	if (len > 5 && !strncmp(data, "HTTP/", 5))
		t->kept = 0; /* after "100 Continue", or a proxy's */
	else
		keep_header(t, data, len);
	return len;
}

/* ---- a request ---- */

static void add_certificates(struct transfer *t, const char *file)
{
	size_t have = t->certificates ? strlen(t->certificates) : 0, n;
	FILE *from = fopen(file, "re");
	char *more;

	if (!from)
		return;
	more = realloc(t->certificates, have + CERT_BYTES + 2);
	if (!more)
		exit(1);
	t->certificates = more;
	n = fread(more + have, 1, CERT_BYTES, from);
	more[have + n] = '\n';
	more[have + n + 1] = 0;
	fclose(from);
}

static void set_upload(struct transfer *t, int fd, const char *value)
{
	t->in = fd;
	t->in_bytes = strtoull(value, NULL, 10);
	t->in_start = fd >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
	curl_easy_setopt(t->curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(t->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->in_bytes);
	curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(t->curl, CURLOPT_READDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(t->curl, CURLOPT_SEEKDATA, t);
}

static int take(int *fds)
{
	int fd = fds[0];

	fds[0] = fds[1];
	fds[1] = -1;
	return fd;
}

static void set_method(struct transfer *t, const char *method)
{
	if (!strcmp(method, "HEAD"))
		curl_easy_setopt(t->curl, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "GET"))
		curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, method);
}

static void set_line(struct transfer *t, const char *key, const char *value, int *fds)
{
	if (!strcmp(key, "id"))
		t->id = strtoul(value, NULL, 10);
	else if (!strcmp(key, "method"))
		set_method(t, value);
	else if (!strcmp(key, "url"))
		curl_easy_setopt(t->curl, CURLOPT_URL, value);
	else if (!strcmp(key, "header"))
		t->headers = curl_slist_append(t->headers, value);
	else if (!strcmp(key, "limit"))
		t->limit = strtoull(value, NULL, 10);
	else if (!strcmp(key, "stall"))
		curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, strtol(value, NULL, 10));
	else if (!strcmp(key, "time"))
		curl_easy_setopt(t->curl, CURLOPT_TIMEOUT, strtol(value, NULL, 10));
	else if (!strcmp(key, "ca"))
		add_certificates(t, value);
	else if (!strcmp(key, "cert"))
		curl_easy_setopt(t->curl, CURLOPT_SSLCERT, value);
	else if (!strcmp(key, "key"))
		curl_easy_setopt(t->curl, CURLOPT_SSLKEY, value);
	else if (!strcmp(key, "direct"))
		curl_easy_setopt(t->curl, CURLOPT_PROXY, "");
	else if (!strcmp(key, "in"))
		set_upload(t, take(fds), value);
	else if (!strcmp(key, "out")) {
		t->out_status = strtol(value, NULL, 10);
		t->out = take(fds);
	} else if (!strcmp(key, "insecure")) {
		curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_fixed(struct transfer *t)
{
	CURL *c = t->curl;

	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_SOCKS5_AUTH, CURLAUTH_BASIC); /* no Kerberos is there */
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOWEST);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "stave/" STAVE_VERSION);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->reason);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	/* what is sent is what the caller wrote */
	t->headers = curl_slist_append(NULL, "Expect:");
}

static void start(char *packet, int *fds)
{
	struct transfer *t = calloc(1, sizeof(*t));
	struct curl_blob blob = {.flags = CURL_BLOB_COPY};
	char *save = NULL;

	if (!t || !(t->curl = curl_easy_init()))
		exit(1);
	t->out = t->in = -1;
	set_fixed(t);
	for (char *line = strtok_r(packet, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ' ');

		if (value)
			*value++ = 0;
		set_line(t, line, value ? value : "", fds);
	}
	if (t->certificates) {
		blob.data = t->certificates;
		blob.len = strlen(t->certificates);
		curl_easy_setopt(t->curl, CURLOPT_CAINFO_BLOB, &blob);
	}
	curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
	curl_multi_add_handle(multi, t->curl);
}

static void finish(CURL *c, CURLcode r)
{
	struct transfer *t = NULL;

	curl_easy_getinfo(c, CURLINFO_PRIVATE, &t);
	tell_end(t, r);
	curl_multi_remove_handle(multi, c);
	curl_easy_cleanup(c);
	curl_slist_free_all(t->headers);
	free(t->certificates);
	if (t->out >= 0)
		close(t->out);
	if (t->in >= 0)
		close(t->in);
	free(t);
}

/* 0: the other side is gone. */
static int receive(void)
{
	static char packet[PACKET_BYTES];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = packet, .iov_len = sizeof(packet) - 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	int fds[2] = {-1, -1};
	struct cmsghdr *c;
	ssize_t n = recvmsg(CONTROL_FD, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return 0;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c),
		       c->cmsg_len - CMSG_LEN(0) < sizeof(fds) ? c->cmsg_len - CMSG_LEN(0)
							       : sizeof(fds));
	packet[n] = 0;
	start(packet, fds);
	return 1;
}

static void serve(void)
{
	struct curl_waitfd control = {.fd = CONTROL_FD, .events = CURL_WAIT_POLLIN};
	CURLMsg *m;
	int left;

	for (;;) {
		control.revents = 0;
		if (curl_multi_perform(multi, &left) != CURLM_OK)
			return;
		while ((m = curl_multi_info_read(multi, &left)))
			if (m->msg == CURLMSG_DONE)
				finish(m->easy_handle, m->data.result);
		if (curl_multi_poll(multi, &control, 1, 1000, NULL) != CURLM_OK)
			return;
		if (control.revents && !receive())
			return;
	}
}

/* Go's programs, and so the users' settings, know the upper case too. */
static void adopt_proxy(void)
{
	const char *upper = getenv("HTTP_PROXY");

	if (upper && !getenv("http_proxy"))
		setenv("http_proxy", upper, 1);
}

int main(int argc, char **argv)
{
	(void)argc;
	adopt_proxy();
	if (fcntl(CONTROL_FD, F_GETFD) < 0) {
		fprintf(stderr, "stave-transfer is a part of stave and has no use alone\n");
		return 2;
	}
	fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
	if (fetch_confine(argv + 1) < 0) {
		fprintf(stderr, "stave-transfer: cannot confine itself: %s\n", strerror(errno));
		return 1;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(multi = curl_multi_init()))
		return 1;
	serve();
	return 0;
}
