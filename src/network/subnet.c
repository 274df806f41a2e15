/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "network/network_link.h"

#include "base/banned.h"

#define FIRST_SUBNET   UINT32_C(0x0a800000) /* 10.128.0.0 */
#define LAST_SUBNET    UINT32_C(0x0affe000)
#define SUBNET_STEP    UINT32_C(0x00001000)
#define SUBNET_LEN     20
#define LONGEST_PREFIX 29 /* room for two containers at least */

int network_subnet_parse(const char *text, struct network_subnet *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	AUTO(free) char *address = slash ? mem_strndup(text, (size_t)(slash - text)) : NULL;
	struct in_addr a;
	uint64_t len;

	if (!slash || inet_pton(AF_INET, address, &a) != 1 || !parse_u64(slash + 1, 32, &len))
		return error_set(err, ERR_INVALID,
				 "invalid subnet %s: invalid CIDR block notation", text);
	*out = (struct network_subnet){.network = ntohl(a.s_addr), .prefix_len = (unsigned)len};
	if (out->network & ~prefix_mask(out->prefix_len))
		return error_set(err, ERR_INVALID,
				 "invalid subnet %s: it should be a network's "
				 "first address",
				 text);
	if (len > LONGEST_PREFIX || len < 8)
		return error_set(err, ERR_INVALID, "invalid subnet %s: between /8 and /%d",
				 text, LONGEST_PREFIX);
	return 0;
}

bool network_subnets_overlap(const struct network_subnet *a, const struct network_subnet *b)
{
	const unsigned len = a->prefix_len < b->prefix_len ? a->prefix_len : b->prefix_len;

	return ((a->network ^ b->network) & prefix_mask(len)) == 0;
}

int network_subnet_free(const struct network_subnet *taken, size_t n,
			struct network_subnet *out, struct error *err)
{
	AUTO(netlink) struct netlink host = NETLINK_INIT;

	if (netlink_open(&host, NETLINK_ROUTE, err) < 0)
		return -ERR_SYSTEM;
	for (uint32_t net = FIRST_SUBNET; net <= LAST_SUBNET; net += SUBNET_STEP) {
		const struct network_subnet s = {.network = net, .prefix_len = SUBNET_LEN};
		bool used = false;

		for (size_t i = 0; i < n && !used; i++)
			used = network_subnets_overlap(&taken[i], &s);
		if (!used && link_overlaps(&host, net, SUBNET_LEN, &used, err) < 0)
			return -ERR_SYSTEM;
		if (used)
			continue;
		*out = s;
		return 0;
	}
	return error_set(err, ERR_LIMIT,
			 "all predefined address pools have been fully subnetted");
}
