/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stave-fetch URL LIMIT ETAG TIME: the body of a http(s) resource, at most LIMIT
 * bytes, to standard output.
 *
 * A program of its own, so that TLS is loaded only by who downloads, and so
 * that bytes from the network are handled where there is neither store nor
 * credential.  Only http and https exist, at most REDIRECTS_MAX redirects,
 * and no response is endless: a stall ends it, and so does LIMIT.
 *
 * ETAG (may be empty) and TIME (0: none) are those of a copy that the caller has.
 * Descriptor 3 gets what the server said, one fact a line: "unchanged" if that
 * copy is current (then there is no body), "etag TEXT", "modified SECONDS".  An
 * error is one line on standard error and status 1.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fetch/fetch_confine.h"

#define REDIRECTS_MAX	 10L
#define CONNECT_SECONDS	 10L
#define STALL_SECONDS	 30L
#define LIMIT_ETAG_BYTES 1024
#define FACTS_FD	 3

struct body {
	CURL *curl;
	uint64_t bytes, limit;
	const char *why; /* of a refusal by us */
};

struct request {
	const char *url, *etag;
	uint64_t limit;
	long long time;
};

static long status_of(CURL *c)
{
	long status = 0;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_bytes(char *data, size_t size, size_t count, void *to)
{
	struct body *body = to;
	size_t left = size * count;

	if (status_of(body->curl) >= 300)
		return left; /* the page that goes with an error */
	body->bytes += left;
	if (body->bytes > body->limit) {
		body->why = "the response is too large";
		return 0;
	}
	while (left) {
		ssize_t n = write(STDOUT_FILENO, data, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			body->why = strerror(errno);
			return 0;
		}
		data += n;
		left -= (size_t)n;
	}
	return size * count;
}

/* Text that can be a line of ours, and a header again. */
static int is_plain(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (text[i] < 32 || text[i] > 126)
			return 0;
	return n && n < LIMIT_ETAG_BYTES;
}

static void tell_facts(CURL *c)
{
	struct curl_header *etag;
	curl_off_t modified = -1;
	long unmet = 0;
	FILE *out = fdopen(FACTS_FD, "w");

	if (!out)
		return;
	curl_easy_getinfo(c, CURLINFO_FILETIME_T, &modified);
	curl_easy_getinfo(c, CURLINFO_CONDITION_UNMET, &unmet);
	if (status_of(c) == 304 || unmet)
		fprintf(out, "unchanged\n");
	if (curl_easy_header(c, "ETag", 0, CURLH_HEADER, -1, &etag) == CURLHE_OK &&
	    is_plain(etag->value))
		fprintf(out, "etag %s\n", etag->value);
	if (modified > 0)
		fprintf(out, "modified %lld\n", (long long)modified);
	fclose(out);
}

/* The question whether what the caller has is current. */
static struct curl_slist *ask(CURL *c, const struct request *q)
{
	char line[LIMIT_ETAG_BYTES + 32];

	if (is_plain(q->etag)) {
		snprintf(line, sizeof(line), "If-None-Match: %s", q->etag);
		return curl_slist_append(NULL, line);
	}
	if (q->time > 0) {
		curl_easy_setopt(c, CURLOPT_TIMECONDITION, (long)CURL_TIMECOND_IFMODSINCE);
		curl_easy_setopt(c, CURLOPT_TIMEVALUE_LARGE, (curl_off_t)q->time);
	}
	return NULL;
}

static void set_limits(CURL *c)
{
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_SOCKS5_AUTH, CURLAUTH_BASIC); /* no Kerberos is there */
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "stave/" STAVE_VERSION);
}

static int fetch(CURL *c, const struct request *q)
{
	char reason[CURL_ERROR_SIZE] = "";
	struct body body = {.curl = c, .limit = q->limit};
	struct curl_slist *headers;
	CURLcode r;

	set_limits(c);
	curl_easy_setopt(c, CURLOPT_URL, q->url);
	curl_easy_setopt(c, CURLOPT_FILETIME, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reason);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &body);
	headers = ask(c, q);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	r = curl_easy_perform(c);
	curl_slist_free_all(headers);
	if (r == CURLE_OK && status_of(c) >= 300 && status_of(c) != 304) {
		fprintf(stderr, "invalid response status %ld", status_of(c));
		return 1;
	}
	if (r == CURLE_OK) {
		tell_facts(c);
		return 0;
	}
	if (!body.why)
		body.why = *reason ? reason : curl_easy_strerror(r);
	fprintf(stderr, "%s", body.why);
	return 1;
}

int main(int argc, char **argv)
{
	char *const no_more[] = {NULL};
	struct request q;
	CURL *c;
	int r;

	if (argc != 5) {
		fprintf(stderr, "usage: stave-fetch URL LIMIT ETAG TIME");
		return 2;
	}
	q = (struct request){.url = argv[1],
			     .limit = strtoull(argv[2], NULL, 10),
			     .etag = argv[3],
			     .time = strtoll(argv[4], NULL, 10)};
	if (fetch_confine(no_more) < 0) {
		fprintf(stderr, "cannot confine itself: %s", strerror(errno));
		return 1;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(c = curl_easy_init())) {
		fprintf(stderr, "libcurl does not start");
		return 1;
	}
	r = fetch(c, &q);
	curl_easy_cleanup(c);
	curl_global_cleanup();
	return r;
}
