/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says about the ruleset: nfnetlink(7)'s nf_tables messages,
 * read only.  linux/netfilter/nf_tables.h has the attributes.
 */
#include "network/network_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "network/network_netlink.h"

#include "base/banned.h"

#define COUNTER "counter"

static void begin(struct netlink *n, unsigned message, unsigned flags, uint8_t family)
{
	const struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};

	netlink_begin(n, NFNL_SUBSYS_NFTABLES << 8 | message, flags, &g, sizeof(g));
}

static int note_generation(void *data, const struct nlmsghdr *h)
{
	const void *v = netlink_attribute(h, sizeof(struct nfgenmsg), NFTA_GEN_ID, 4);
	uint32_t id;

	if (v) {
		memcpy(&id, v, sizeof(id));
		*(uint32_t *)data = ntohl(id);
	}
	return 0;
}

static int ask_generation(struct netlink *n, uint32_t *out, struct error *err)
{
	*out = 0;
	begin(n, NFT_MSG_GETGEN, 0, AF_UNSPEC);
	return netlink_query(n, "cannot ask for the state of nftables", note_generation, out,
			     err);
}

int rules_generation(uint32_t *out, struct error *err)
{
	AUTO(netlink) struct netlink n = NETLINK_INIT;

	if (netlink_open(&n, NETLINK_NETFILTER, err) < 0)
		return -ERR_SYSTEM;
	return ask_generation(&n, out, err);
}

static void hash_attribute(struct hasher *h, const struct netlink_walk *w)
{
	hasher_add_u64(h, w->type);
	hasher_add_u64(h, w->len);
	hasher_add(h, w->data, w->len);
}

static int note_chain(void *data, const struct nlmsghdr *h)
{
	struct netlink_walk w = netlink_attributes(h, sizeof(struct nfgenmsg));

	/* how many use it and what passed through it is no part of what it does */
	while (netlink_next(&w))
		if (w.type != NFTA_CHAIN_USE && w.type != NFTA_CHAIN_COUNTERS)
			hash_attribute(data, &w);
	return 0;
}

/* One NFTA_LIST_ELEM: a name, and data in that expression's own attributes. */
static void hash_expression(struct hasher *h, const char *at, size_t len)
{
	struct netlink_walk w = {.at = at, .left = len};
	bool counts = false;

	while (netlink_next(&w)) {
		if (w.type == NFTA_EXPR_NAME)
			counts = w.len == sizeof(COUNTER) && !memcmp(w.data, COUNTER, w.len);
		if (w.type != NFTA_EXPR_DATA || !counts)
			hash_attribute(h, &w);
	}
}

static int note_rule(void *data, const struct nlmsghdr *h)
{
	struct netlink_walk w = netlink_attributes(h, sizeof(struct nfgenmsg));

	hasher_add_string(data, "rule");
	while (netlink_next(&w)) {
		struct netlink_walk each = {.at = w.data, .left = w.len};

		if (w.type != NFTA_RULE_EXPRESSIONS) {
			hash_attribute(data, &w);
			continue;
		}
		while (netlink_next(&each))
			hash_expression(data, each.data, each.len);
	}
	return 0;
}

/* The chain itself, and its rules in their order. That it is not there is a state, too. */
static int hash_chain(struct netlink *n, uint8_t family, const char *table, const char *chain,
		      struct hasher *h, struct error *err)
{
	AUTO(error) struct error local = ERROR_INIT;
	int r;

	hasher_add_string(h, table);
	hasher_add_string(h, chain);
	begin(n, NFT_MSG_GETCHAIN, 0, family);
	netlink_put_string(n, NFTA_CHAIN_TABLE, table);
	netlink_put_string(n, NFTA_CHAIN_NAME, chain);
	r = netlink_query(n, "cannot ask for a chain", note_chain, h, &local);
	if (r < 0 && n->sys == ENOENT)
		return 0;
	if (r < 0) {
		error_move(err, &local);
		return r;
	}
	begin(n, NFT_MSG_GETRULE, NLM_F_DUMP, family);
	netlink_put_string(n, NFTA_RULE_TABLE, table);
	netlink_put_string(n, NFTA_RULE_CHAIN, chain);
	return netlink_query(n, "cannot ask for the rules", note_rule, h, err);
}

/* All of one family that is ours or that stands in our way. */
static int hash_family(struct netlink *n, const char *bridge, uint8_t family, struct hasher *h,
		       struct error *err)
{
	static const char *const own[] = {"postrouting", "guard", "forward"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(own); i++)
		r = hash_chain(n, family, bridge, own[i], h, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rules_foreign_chains); i++)
		r = hash_chain(n, family, RULES_FOREIGN_TABLE, rules_foreign_chains[i], h, err);
	return r;
}

int rules_fingerprint(const struct network_bridge *b, struct digest *out,
		      uint32_t *out_generation, struct error *err)
{
	AUTO(netlink) struct netlink n = NETLINK_INIT;
	uint32_t after;
	struct hasher h;
	int r;

	if (netlink_open(&n, NETLINK_NETFILTER, err) < 0)
		return -ERR_SYSTEM;
	hasher_init(&h);
	r = ask_generation(&n, out_generation, err);
	for (size_t i = 0; r == 0 && i < NETWORK_FAMILIES; i++)
		if (b->pools[i].gateway.len)
			r = hash_family(&n, b->name, i ? NFPROTO_IPV6 : NFPROTO_IPV4, &h, err);
	if (r == 0)
		r = ask_generation(&n, &after, err);
	if (r < 0)
		return r;
	/* a dump is taken piece by piece: this may be half of one ruleset and half of another
	 */
	if (*out_generation != after)
		return error_set(err, ERR_CONFLICT, "the ruleset changes");
	hasher_end(&h, out);
	return 0;
}
