/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

#include "base/hash.h"

#include "base/banned.h"

#define LOOPBACK_INDEX 1 /* the first interface of every name space */
#define NAME_ATTEMPTS  8

static int note_link(void *data, const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = netlink_payload(h);
	struct link *out = data;
	const void *mtu;
	uint32_t v;

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return 0;
	out->index = i->ifi_index;
	mtu = netlink_attribute(h, sizeof(*i), IFLA_MTU, sizeof(v));
	if (mtu) {
		memcpy(&v, mtu, sizeof(v));
		out->mtu = v;
	}
	return 0;
}

int link_find(struct netlink *n, const char *name, struct link *out, struct error *err)
{
	const struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	AUTO(error) struct error local = ERROR_INIT;
	int r;

	*out = (struct link){0};
	netlink_begin(n, RTM_GETLINK, 0, &i, sizeof(i));
	netlink_put_string(n, IFLA_IFNAME, name);
	r = netlink_query(n, name, note_link, out, &local);
	if (r == 0 || n->sys == ENODEV)
		return 0;
	error_move(err, &local);
	return r;
}

static int note_uplink(void *data, const struct nlmsghdr *h)
{
	const void *oif = netlink_attribute(h, sizeof(struct rtmsg), RTA_OIF, sizeof(int));

	if (h->nlmsg_type == RTM_NEWROUTE && oif)
		memcpy(data, oif, sizeof(int));
	return 0;
}

unsigned link_uplink_mtu(struct netlink *n)
{
	const struct rtmsg route = {.rtm_family = AF_INET, .rtm_dst_len = 32};
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	struct link l = {0};

	/* any address of the world: the kernel only looks the route up */
	netlink_begin(n, RTM_GETROUTE, 0, &route, sizeof(route));
	netlink_put_u32(n, RTA_DST, htonl(UINT32_C(0x08080808)));
	if (netlink_query(n, "route", note_uplink, &i.ifi_index, NULL) < 0 || !i.ifi_index)
		return 0;
	netlink_begin(n, RTM_GETLINK, 0, &i, sizeof(i));
	if (netlink_query(n, "uplink", note_link, &l, NULL) < 0)
		return 0;
	return l.mtu;
}

struct address_search {
	int index;
	uint32_t address;
	unsigned prefix_len;
};

static int note_address(void *data, const struct nlmsghdr *h)
{
	struct address_search *s = data;
	const struct ifaddrmsg *a = netlink_payload(h);
	const void *local;
	uint32_t v;

	if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*a)) ||
	    a->ifa_family != AF_INET || (int)a->ifa_index != s->index)
		return 0;
	local = netlink_attribute(h, sizeof(*a), IFA_LOCAL, sizeof(v));
	if (!local)
		return 0;
	memcpy(&v, local, sizeof(v));
	s->address = ntohl(v);
	s->prefix_len = a->ifa_prefixlen;
	return 1;
}

int link_address(struct netlink *n, int index, uint32_t *out_address, unsigned *out_prefix_len,
		 struct error *err)
{
	const struct ifaddrmsg a = {.ifa_family = AF_INET, .ifa_index = (unsigned)index};
	struct address_search s = {.index = index};
	int r;

	netlink_begin(n, RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
	r = netlink_query(n, "cannot list addresses", note_address, &s, err);
	*out_address = s.address;
	*out_prefix_len = s.prefix_len;
	return r;
}

static void put_address_message(struct netlink *n, int index, uint32_t address,
				unsigned prefix_len, unsigned flags)
{
	const struct ifaddrmsg a = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = (uint8_t)prefix_len,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (unsigned)index,
	};

	netlink_begin(n, RTM_NEWADDR, NLM_F_CREATE | flags, &a, sizeof(a));
	netlink_put_u32(n, IFA_LOCAL, htonl(address));
	netlink_put_u32(n, IFA_ADDRESS, htonl(address));
	netlink_put_u32(n, IFA_BROADCAST, htonl(address | ~prefix_mask(prefix_len)));
}

static void put_bridge_message(struct netlink *n, const struct network_bridge *b)
{
	const struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	const uint8_t mac[6] = {0x02,
				0x42,
				(uint8_t)(b->gateway >> 24),
				(uint8_t)(b->gateway >> 16),
				(uint8_t)(b->gateway >> 8),
				(uint8_t)b->gateway};
	size_t info;

	netlink_begin(n, RTM_NEWLINK, NLM_F_CREATE, &up, sizeof(up));
	netlink_put_string(n, IFLA_IFNAME, b->name);
	/* without one of its own, a bridge takes and loses the addresses of its ports */
	netlink_put(n, IFLA_ADDRESS, mac, sizeof(mac));
	info = netlink_nest(n, IFLA_LINKINFO);
	netlink_put_string(n, IFLA_INFO_KIND, "bridge");
	netlink_end(n, info);
}

int link_make_bridge(struct netlink *n, const struct network_bridge *b, struct link *out,
		     struct error *err)
{
	const unsigned mtu = b->mtu ? b->mtu : link_uplink_mtu(n);
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	int r;

	put_bridge_message(n, b);
	r = netlink_commit(n, "cannot create the bridge", err);
	if (r == 0)
		r = link_find(n, b->name, out, err);
	if (r < 0)
		return error_wrap(err, "network %s", b->name);
	put_address_message(n, out->index, b->gateway, b->prefix_len, NLM_F_REPLACE);
	/* a tunnel's or a cloud's smaller packets; in a message of its own, as only then the
	 * bridge does not follow its ports.  Loopback's 65536 is no example. */
	if (b->mtu || (mtu && mtu < out->mtu)) {
		i.ifi_index = out->index;
		netlink_begin(n, RTM_NEWLINK, 0, &i, sizeof(i));
		netlink_put_u32(n, IFLA_MTU, mtu);
		out->mtu = mtu;
	}
	r = netlink_commit(n, "cannot configure the bridge", err);
	return r < 0 ? error_wrap(err, "network %s", b->name) : 0;
}

int link_remove(struct netlink *n, int index, const char *name, struct error *err)
{
	const struct ifinfomsg i = {.ifi_index = index};

	netlink_begin(n, RTM_DELLINK, 0, &i, sizeof(i));
	if (netlink_commit(n, "cannot remove the interface", err) < 0)
		return error_wrap(err, "network %s", name);
	return 0;
}

static void put_veth_message(struct netlink *n, int bridge_index, int netns,
			     const uint8_t mac[6], unsigned mtu, const char *name)
{
	const struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	const struct ifinfomsg down = {.ifi_family = AF_UNSPEC};
	size_t info, data, peer;

	netlink_begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up, sizeof(up));
	netlink_put_string(n, IFLA_IFNAME, name);
	netlink_put_u32(n, IFLA_MASTER, (uint32_t)bridge_index);
	if (mtu)
		netlink_put_u32(n, IFLA_MTU, mtu);
	info = netlink_nest(n, IFLA_LINKINFO);
	netlink_put_string(n, IFLA_INFO_KIND, "veth");
	data = netlink_nest(n, IFLA_INFO_DATA);
	peer = netlink_nest(n, VETH_INFO_PEER);
	netlink_raw(n, &down, sizeof(down));
	netlink_put_string(n, IFLA_IFNAME, "eth0");
	netlink_put(n, IFLA_ADDRESS, mac, 6);
	netlink_put_u32(n, IFLA_NET_NS_FD, (uint32_t)netns);
	if (mtu)
		netlink_put_u32(n, IFLA_MTU, mtu);
	netlink_end(n, peer);
	netlink_end(n, data);
	netlink_end(n, info);
}

int link_make_veth(struct netlink *n, int bridge_index, int netns, const uint8_t mac[6],
		   unsigned mtu, struct error *err)
{
	char tag[9], name[IFNAMSIZ] = "veth";
	int r = 0;

	for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
		random_hex(tag, 8);
		memcpy(name + 4, tag, sizeof(tag));
		put_veth_message(n, bridge_index, netns, mac, mtu, name);
		r = netlink_commit(n, "cannot create a veth pair", err);
		if (r == 0 || n->sys != EEXIST)
			return r;
	}
	return r;
}

static void put_loopback_message(struct netlink *n)
{
	const struct ifinfomsg lo = {
		.ifi_index = LOOPBACK_INDEX, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

	netlink_begin(n, RTM_NEWLINK, 0, &lo, sizeof(lo));
}

int link_loopback_up(struct netlink *n, struct error *err)
{
	put_loopback_message(n);
	return netlink_commit(n, "cannot bring up the loopback interface", err);
}

int link_configure(struct netlink *n, const struct network_endpoint *e, unsigned prefix_len,
		   struct error *err)
{
	struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	const struct rtmsg route = {
		.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	size_t spec, inet6;
	struct link eth0;

	if (link_find(n, "eth0", &eth0, err) < 0)
		return -ERR_SYSTEM;
	put_loopback_message(n);
	up.ifi_index = eth0.index;
	netlink_begin(n, RTM_NEWLINK, 0, &up, sizeof(up));
	/* the network has no IPv6: no link-local address, hence no duplicate detection */
	spec = netlink_nest(n, IFLA_AF_SPEC);
	inet6 = netlink_nest(n, AF_INET6);
	netlink_put_u8(n, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	netlink_end(n, inet6);
	netlink_end(n, spec);
	put_address_message(n, eth0.index, e->address, prefix_len, NLM_F_EXCL);
	if (e->gateway) {
		netlink_begin(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route,
			      sizeof(route));
		netlink_put_u32(n, RTA_GATEWAY, htonl(e->gateway));
		netlink_put_u32(n, RTA_OIF, (uint32_t)eth0.index);
	}
	return netlink_commit(n, "cannot configure eth0", err);
}

struct overlap_search {
	uint32_t network;
	unsigned prefix_len;
	bool found;
};

static bool overlap(const struct overlap_search *s, const void *attribute, unsigned prefix_len)
{
	const unsigned shorter = prefix_len < s->prefix_len ? prefix_len : s->prefix_len;
	uint32_t v;

	memcpy(&v, attribute, sizeof(v));
	return ((ntohl(v) ^ s->network) & prefix_mask(shorter)) == 0;
}

static int note_overlap(void *data, const struct nlmsghdr *h)
{
	struct overlap_search *s = data;
	const void *v = NULL;
	unsigned prefix_len = 0;

	if (h->nlmsg_type == RTM_NEWADDR &&
	    h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg))) {
		const struct ifaddrmsg *a = netlink_payload(h);

		prefix_len = a->ifa_prefixlen;
		v = netlink_attribute(h, sizeof(*a), IFA_ADDRESS, sizeof(uint32_t));
	} else if (h->nlmsg_type == RTM_NEWROUTE &&
		   h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg))) {
		const struct rtmsg *r = netlink_payload(h);

		prefix_len = r->rtm_dst_len;
		v = netlink_attribute(h, sizeof(*r), RTA_DST, sizeof(uint32_t));
	}
	/* a default route has no destination, and wider ones than /8 are no local networks */
	if (v && prefix_len >= 8 && overlap(s, v, prefix_len))
		s->found = true;
	return s->found;
}

int link_overlaps(struct netlink *n, uint32_t network, unsigned prefix_len, bool *out,
		  struct error *err)
{
	const struct ifaddrmsg a = {.ifa_family = AF_INET};
	const struct rtmsg route = {.rtm_family = AF_INET};
	struct overlap_search s = {.network = network, .prefix_len = prefix_len};
	int r;

	netlink_begin(n, RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
	r = netlink_query(n, "cannot list addresses", note_overlap, &s, err);
	if (r == 0 && !s.found) {
		netlink_begin(n, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof(route));
		r = netlink_query(n, "cannot list routes", note_overlap, &s, err);
	}
	*out = s.found;
	return r;
}
