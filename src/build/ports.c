/* SPDX-License-Identifier: Apache-2.0 */
/* The words of EXPOSE. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "build/lower.h"

#include "base/banned.h"

struct port_range {
	uint64_t from, to;
};

/* "80", "7000-7010" */
static bool parse_range(const char *text, struct port_range *out)
{
	const char *dash = strchr(text, '-');
	AUTO(free) char *first = mem_strndup(text, strcspn(text, "-"));

	if (!parse_u64(first, 65535, &out->from))
		return false;
	out->to = out->from;
	return !dash || (parse_u64(dash + 1, 65535, &out->to) && out->to >= out->from);
}

static bool is_address(const char *text)
{
	size_t len = strlen(text);
	AUTO(free)
	char *bare = *text == '[' && text[len - 1] == ']' ? mem_strndup(text + 1, len - 2)
							  : mem_strdup(text);
	struct in6_addr a;

	return inet_pton(AF_INET, bare, &a) == 1 || inet_pton(AF_INET6, bare, &a) == 1;
}

/* What is before the container's port means nothing in an image; Docker checks it all the same.
 */
static int check_host(char *host, const struct port_range *ports, struct error *err)
{
	char *colon = strrchr(host, ':');
	const char *port = colon ? colon + 1 : host;
	struct port_range range;

	if (*port && !parse_range(port, &range))
		return error_set(err, ERR_INVALID, "invalid hostPort: %s", port);
	if (*port && ports->to != ports->from &&
	    range.to - range.from != ports->to - ports->from)
		return error_set(err, ERR_INVALID,
				 "invalid ranges specified for container and host Ports: %s",
				 port);
	if (!colon)
		return 0;
	*colon = 0;
	if (*host && !is_address(host))
		return error_set(err, ERR_INVALID, "invalid IP address: %s", host);
	return 0;
}

int ports_add(struct strlist *out, const char *word, struct error *err)
{
	AUTO(free) char *text = mem_strdup(word);
	char *colon = strrchr(text, ':');
	char *port = colon ? colon + 1 : text;
	char *proto = strchr(port, '/');
	AUTO(free) char *low = str_lower(proto && proto[1] ? proto + 1 : "tcp");
	struct port_range range;
	int r;

	if (proto)
		*proto = 0;
	if (!parse_range(port, &range))
		return error_set(err, ERR_INVALID, "invalid containerPort: %s", port);
	if (!str_eq(low, "tcp") && !str_eq(low, "udp") && !str_eq(low, "sctp"))
		return error_set(err, ERR_INVALID, "invalid proto: %s", low);
	if (colon) {
		*colon = 0;
		if ((r = check_host(text, &range, err)) < 0)
			return r;
	}
	for (uint64_t p = range.from; p <= range.to; p++)
		strlist_printf(out, "%llu/%s", (unsigned long long)p, low);
	return 0;
}
