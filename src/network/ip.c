/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of both families, and subnets of them. */
#include <arpa/inet.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/parse.h"
#include "network/network_link.h"

#include "base/banned.h"

#define FIRST_SUBNET UINT32_C(0x0a800000) /* 10.128.0.0 */
#define LAST_SUBNET  UINT32_C(0x0affe000)
#define SUBNET_STEP  UINT32_C(0x00001000)
#define SUBNET_LEN   20
#define SUBNET_LEN_6 64
#define TRIES	     64

bool network_ip_parse(const char *text, struct network_ip *out)
{
	struct network_ip ip = {0};

	if (inet_pton(AF_INET, text, ip.bytes) == 1)
		ip.len = 4;
	else if (inet_pton(AF_INET6, text, ip.bytes) == 1)
		ip.len = 16;
	else
		return false;
	*out = ip;
	return true;
}

const char *network_ip_text(const struct network_ip *ip, char out[NETWORK_TEXT_BYTES])
{
	out[0] = 0;
	if (ip->len)
		inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, out,
			  NETWORK_TEXT_BYTES);
	return out;
}

bool network_ip_equal(const struct network_ip *a, const struct network_ip *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

/* Are the first @bits the same? */
static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	const unsigned whole = bits / 8, rest = bits % 8;

	return !memcmp(a, b, whole) && (!rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

uint64_t network_ip_host(const struct network_ip *ip, unsigned prefix_len)
{
	uint64_t host = 0;

	for (unsigned i = prefix_len; i < ip->len * 8u; i++)
		host = host << 1 | (ip->bytes[i / 8] >> (7 - i % 8) & 1);
	return host;
}

struct network_ip network_ip_with_host(const struct network_ip *ip, unsigned prefix_len,
				       uint64_t host)
{
	struct network_ip out = *ip;

	for (unsigned i = ip->len * 8u; i-- > prefix_len; host >>= 1) {
		const unsigned char bit = (unsigned char)(1 << (7 - i % 8));

		out.bytes[i / 8] = (unsigned char)(host & 1 ? out.bytes[i / 8] | bit
							    : out.bytes[i / 8] & ~bit);
	}
	return out;
}

int network_subnet_parse(const char *text, struct network_subnet *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	AUTO(free) char *address = slash ? mem_strndup(text, (size_t)(slash - text)) : NULL;
	struct network_subnet s = {0};
	char first[NETWORK_TEXT_BYTES];
	struct network_ip network;
	uint64_t len;

	if (!slash || !network_ip_parse(address, &s.network) ||
	    !parse_u64(slash + 1, s.network.len * 8u, &len))
		return error_set(err, ERR_INVALID,
				 "invalid subnet %s: invalid CIDR block notation", text);
	s.prefix_len = (unsigned)len;
	network = network_ip_with_host(&s.network, s.prefix_len, 0);
	if (!network_ip_equal(&network, &s.network))
		return error_set(err, ERR_INVALID, "invalid subnet %s: it should be %s/%u",
				 text, network_ip_text(&network, first), s.prefix_len);
	*out = s;
	return 0;
}

bool network_subnet_has(const struct network_subnet *s, const struct network_ip *ip)
{
	return s->network.len && s->network.len == ip->len &&
	       same_bits(s->network.bytes, ip->bytes, s->prefix_len);
}

bool network_subnets_overlap(const struct network_subnet *a, const struct network_subnet *b)
{
	const unsigned len = a->prefix_len < b->prefix_len ? a->prefix_len : b->prefix_len;

	return a->network.len && a->network.len == b->network.len &&
	       same_bits(a->network.bytes, b->network.bytes, len);
}

/* The @i-th to try; false: there are no more. */
static bool candidate(enum network_family family, const char *seed, unsigned i,
		      struct network_subnet *out)
{
	const uint32_t v4 = htonl(FIRST_SUBNET + i * SUBNET_STEP);
	AUTO(free) char *text = mem_printf("%s %u", seed, i);
	struct digest d;

	*out = (struct network_subnet){0};
	if (family == NETWORK_IPV4) {
		out->network.len = 4;
		memcpy(out->network.bytes, &v4, 4);
		out->prefix_len = SUBNET_LEN;
		return ntohl(v4) <= LAST_SUBNET;
	}
	/* RFC 4193, 3.2: fd, and forty bits that nobody else is likely to have */
	digest_of(text, strlen(text), &d);
	out->network.len = 16;
	out->network.bytes[0] = 0xfd;
	memcpy(out->network.bytes + 1, d.bytes, 5);
	out->prefix_len = SUBNET_LEN_6;
	return i < TRIES;
}

int network_subnet_free(enum network_family family, const char *seed,
			const struct network_subnet *taken, size_t n,
			struct network_subnet *out, struct error *err)
{
	AUTO(netlink) struct netlink host = NETLINK_INIT;
	struct network_subnet s;

	if (netlink_open(&host, NETLINK_ROUTE, err) < 0)
		return -ERR_SYSTEM;
	for (unsigned i = 0; candidate(family, seed, i, &s); i++) {
		bool used = false;

		for (size_t k = 0; k < n && !used; k++)
			used = network_subnets_overlap(&taken[k], &s);
		if (!used && link_overlaps(&host, &s, &used, err) < 0)
			return -ERR_SYSTEM;
		if (used)
			continue;
		*out = s;
		return 0;
	}
	return error_set(err, ERR_LIMIT,
			 "all predefined address pools have been fully subnetted");
}
