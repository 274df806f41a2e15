/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stave-fetch URL: the body of a http(s) resource to standard output.
 *
 * A program of its own, so that TLS is loaded only by who downloads, and so
 * that bytes from the network are handled where there is neither store nor
 * credential.  Only http and https exist, at most REDIRECTS_MAX redirects,
 * and no response is endless: a stall ends it, and so does LIMIT_BODY_BYTES.
 * An error is one line on standard error and status 1.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define REDIRECTS_MAX	 5L
#define CONNECT_SECONDS	 10L
#define STALL_SECONDS	 30L
#define LIMIT_BODY_BYTES (16ull << 30)

struct body {
	uint64_t bytes;
	const char *why; /* of a refusal by us */
};

static size_t on_bytes(char *data, size_t size, size_t count, void *to)
{
	struct body *body = to;
	size_t left = size * count;

	body->bytes += left;
	if (body->bytes > LIMIT_BODY_BYTES) {
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

static int fetch(CURL *c, const char *url)
{
	char reason[CURL_ERROR_SIZE] = "";
	struct body body = {0};
	CURLcode r;

	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "stave/" STAVE_VERSION);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reason);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &body);
	r = curl_easy_perform(c);
	if (r == CURLE_OK)
		return 0;
	if (!body.why)
		body.why = *reason ? reason : curl_easy_strerror(r);
	fprintf(stderr, "%s", body.why);
	return 1;
}

int main(int argc, char **argv)
{
	struct rlimit none = {0};
	CURL *c;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: stave-fetch URL");
		return 2;
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(c = curl_easy_init())) {
		fprintf(stderr, "libcurl does not start");
		return 1;
	}
	r = fetch(c, argv[1]);
	curl_easy_cleanup(c);
	curl_global_cleanup();
	return r;
}
