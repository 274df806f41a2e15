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
#define BRIDGE	       "bridge"

static bool is_bridge(const struct netlink_walk *info)
{
	struct netlink_walk w = {.at = info->data, .left = info->len};

	while (netlink_next(&w))
		if (w.type == IFLA_INFO_KIND)
			return w.len == sizeof(BRIDGE) && !memcmp(w.data, BRIDGE, w.len);
	return false;
}

static int note_link(void *data, const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = netlink_payload(h);
	struct link *out = data;
	struct netlink_walk w;

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return 0;
	out->index = i->ifi_index;
	w = netlink_attributes(h, sizeof(*i));
	while (netlink_next(&w)) {
		if (w.type == IFLA_MTU && w.len == sizeof(uint32_t))
			memcpy(&out->mtu, w.data, w.len);
		else if (w.type == IFLA_ADDRESS && w.len == sizeof(out->mac))
			memcpy(out->mac, w.data, w.len);
		else if (w.type == IFLA_LINKINFO)
			out->is_bridge = is_bridge(&w);
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

static int family_of(const struct network_ip *ip)
{
	return ip->len == 16 ? AF_INET6 : AF_INET;
}

struct address_search {
	int index;
	struct network_ip address;
	unsigned prefix_len;
};

static int note_address(void *data, const struct nlmsghdr *h)
{
	struct address_search *s = data;
	const struct ifaddrmsg *a = netlink_payload(h);
	const void *local;

	if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*a)) ||
	    a->ifa_family != AF_INET || (int)a->ifa_index != s->index)
		return 0;
	local = netlink_attribute(h, sizeof(*a), IFA_LOCAL, 4);
	if (!local)
		return 0;
	s->address.len = 4;
	memcpy(s->address.bytes, local, 4);
	s->prefix_len = a->ifa_prefixlen;
	return 1;
}

int link_address(struct netlink *n, int index, struct network_ip *out_address,
		 unsigned *out_prefix_len, struct error *err)
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

static void put_address_message(struct netlink *n, int index, const struct network_ip *ip,
				unsigned prefix_len, unsigned flags)
{
	const struct network_ip broadcast = network_ip_with_host(ip, prefix_len, UINT64_MAX);
	const struct ifaddrmsg a = {
		.ifa_family = (uint8_t)family_of(ip),
		.ifa_prefixlen = (uint8_t)prefix_len,
		/* nobody else has it: no waiting until that has been asked of the others */
		.ifa_flags = ip->len == 16 ? IFA_F_NODAD : 0,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (unsigned)index,
	};

	netlink_begin(n, RTM_NEWADDR, NLM_F_CREATE | flags, &a, sizeof(a));
	netlink_put(n, IFA_LOCAL, ip->bytes, ip->len);
	netlink_put(n, IFA_ADDRESS, ip->bytes, ip->len);
	if (ip->len == 4)
		netlink_put(n, IFA_BROADCAST, broadcast.bytes, 4);
}

void link_mac(const struct network_ip *ip, uint8_t out[6])
{
	out[0] = 0x02;
	out[1] = 0x42;
	memcpy(out + 2, ip->bytes + ip->len - 4, 4);
}

static void bridge_mac(const struct network_bridge *b, uint8_t out[6])
{
	link_mac(b->pools[NETWORK_IPV4].gateway.len ? &b->pools[NETWORK_IPV4].gateway
						    : &b->pools[NETWORK_IPV6].gateway,
		 out);
}

bool link_is_ours(const struct link *l, const struct network_bridge *b)
{
	uint8_t mac[6];

	bridge_mac(b, mac);
	return l->is_bridge && !memcmp(l->mac, mac, sizeof(mac));
}

static void put_bridge_message(struct netlink *n, const struct network_bridge *b)
{
	const struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	uint8_t mac[6];
	size_t info;

	bridge_mac(b, mac);
	netlink_begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up, sizeof(up));
	netlink_put_string(n, IFLA_IFNAME, b->name);
	/* without one of its own, a bridge takes and loses the addresses of its ports */
	netlink_put(n, IFLA_ADDRESS, mac, sizeof(mac));
	info = netlink_nest(n, IFLA_LINKINFO);
	netlink_put_string(n, IFLA_INFO_KIND, BRIDGE);
	netlink_end(n, info);
}

int link_make_bridge(struct netlink *n, const struct network_bridge *b, struct link *l,
		     struct error *err)
{
	const unsigned mtu = b->mtu ? b->mtu : link_uplink_mtu(n);
	struct ifinfomsg i = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	int r = 0;

	if (!l->index) {
		put_bridge_message(n, b);
		r = netlink_commit(n, "cannot create the bridge", err);
		if (r == 0)
			r = link_find(n, b->name, l, err);
	}
	if (r < 0)
		return error_wrap(err, "network %s", b->name);
	for (size_t k = 0; k < NETWORK_FAMILIES; k++)
		if (b->pools[k].gateway.len)
			put_address_message(n, l->index, &b->pools[k].gateway,
					    b->pools[k].prefix_len, NLM_F_REPLACE);
	i.ifi_index = l->index;
	netlink_begin(n, RTM_NEWLINK, 0, &i, sizeof(i));
	/* a tunnel's or a cloud's smaller packets; in a message of its own, as only then the
	 * bridge does not follow its ports.  Loopback's 65536 is no example. */
	if (b->mtu || (mtu && mtu < l->mtu)) {
		netlink_put_u32(n, IFLA_MTU, mtu);
		l->mtu = mtu;
	}
	r = netlink_commit(n, "cannot configure the bridge", err);
	return r < 0 ? error_wrap(err, "network %s", b->name) : 0;
}

int link_remove(struct netlink *n, const char *name, struct error *err)
{
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	struct link l;

	if (link_find(n, name, &l, err) < 0)
		return -ERR_SYSTEM;
	if (!l.index)
		return 0;
	i.ifi_index = l.index;
	netlink_begin(n, RTM_DELLINK, 0, &i, sizeof(i));
	if (netlink_commit(n, "cannot remove the interface", err) < 0)
		return error_wrap(err, "network %s", name);
	return 0;
}

static void put_veth_message(struct netlink *n, const struct link_pair *p, const char *name)
{
	const struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	const struct ifinfomsg down = {.ifi_family = AF_UNSPEC};
	size_t info, data, peer;

	netlink_begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up, sizeof(up));
	netlink_put_string(n, IFLA_IFNAME, name);
	netlink_put_u32(n, IFLA_MASTER, (uint32_t)p->bridge_index);
	if (p->mtu)
		netlink_put_u32(n, IFLA_MTU, p->mtu);
	info = netlink_nest(n, IFLA_LINKINFO);
	netlink_put_string(n, IFLA_INFO_KIND, "veth");
	data = netlink_nest(n, IFLA_INFO_DATA);
	peer = netlink_nest(n, VETH_INFO_PEER);
	netlink_raw(n, &down, sizeof(down));
	netlink_put_string(n, IFLA_IFNAME, p->interface);
	netlink_put(n, IFLA_ADDRESS, p->mac, 6);
	netlink_put_u32(n, IFLA_NET_NS_FD, (uint32_t)p->netns);
	if (p->mtu)
		netlink_put_u32(n, IFLA_MTU, p->mtu);
	netlink_end(n, peer);
	netlink_end(n, data);
	netlink_end(n, info);
}

/* What comes from an isolated port of a bridge reaches no other such port. */
static int isolate(struct netlink *n, const char *name, struct error *err)
{
	struct ifinfomsg i = {.ifi_family = AF_BRIDGE};
	struct link l;
	size_t port;

	if (link_find(n, name, &l, err) < 0)
		return -ERR_SYSTEM;
	i.ifi_index = l.index;
	netlink_begin(n, RTM_SETLINK, 0, &i, sizeof(i));
	port = netlink_nest(n, IFLA_PROTINFO | NLA_F_NESTED);
	netlink_put_u8(n, IFLA_BRPORT_ISOLATED, 1);
	netlink_end(n, port);
	return netlink_commit(n, "cannot isolate a port of the bridge", err);
}

int link_make_veth(struct netlink *n, const struct link_pair *p, char out[16],
		   struct error *err)
{
	char tag[9], name[IFNAMSIZ] = "veth";
	int r = 0;

	for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
		random_hex(tag, 8);
		memcpy(name + 4, tag, sizeof(tag));
		put_veth_message(n, p, name);
		r = netlink_commit(n, "cannot create a veth pair", err);
		if (r == 0 || n->sys != EEXIST)
			break;
	}
	if (r == 0)
		memcpy(out, name, sizeof(name));
	return r == 0 && p->isolated ? isolate(n, name, err) : r;
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

static void put_route_message(struct netlink *n, int index, const struct network_ip *gateway)
{
	const struct rtmsg route = {
		.rtm_family = (uint8_t)family_of(gateway),
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};

	netlink_begin(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof(route));
	netlink_put(n, RTA_GATEWAY, gateway->bytes, gateway->len);
	netlink_put_u32(n, RTA_OIF, (uint32_t)index);
}

int link_route(struct netlink *n, const char *interface, const struct network_ip *gateway,
	       struct error *err)
{
	struct link l;

	if (link_find(n, interface, &l, err) < 0)
		return -ERR_SYSTEM;
	if (!l.index) /* the container has made something else of it */
		return 0;
	put_route_message(n, l.index, gateway);
	return netlink_commit(n, "cannot set the default route", err);
}

static void put_up_message(struct netlink *n, int index, bool ipv6)
{
	const struct ifinfomsg up = {
		.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	size_t spec, inet6;

	netlink_begin(n, RTM_NEWLINK, 0, &up, sizeof(up));
	if (ipv6)
		return;
	/* the network has no IPv6: no link-local address, hence no duplicate detection */
	spec = netlink_nest(n, IFLA_AF_SPEC);
	inet6 = netlink_nest(n, AF_INET6);
	netlink_put_u8(n, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	netlink_end(n, inet6);
	netlink_end(n, spec);
}

int link_configure(struct netlink *n, const struct network_attachment *a,
		   const struct network_wish *wish, const bool route[NETWORK_FAMILIES],
		   struct error *err)
{
	struct link l;

	if (link_find(n, a->interface, &l, err) < 0)
		return -ERR_SYSTEM;
	put_loopback_message(n);
	put_up_message(n, l.index, a->addresses[NETWORK_IPV6].ip.len);
	for (size_t i = 0; i < NETWORK_FAMILIES; i++) {
		const struct network_address *x = &a->addresses[i];

		if (x->ip.len)
			put_address_message(n, l.index, &x->ip, x->prefix_len, NLM_F_EXCL);
		if (x->ip.len && route[i])
			put_route_message(n, l.index, &x->gateway);
	}
	for (unsigned i = 0; i < wish->n_link_local; i++)
		put_address_message(n, l.index, &wish->link_local[i],
				    wish->link_local[i].len == 4 ? 16 : 64, NLM_F_EXCL);
	return netlink_commit(n, "cannot configure the container's interface", err);
}

struct overlap_search {
	struct network_subnet subnet;
	bool found;
};

static int note_overlap(void *data, const struct nlmsghdr *h)
{
	struct overlap_search *s = data;
	struct network_subnet other = {.network.len = s->subnet.network.len};
	const void *v = NULL;

	if (h->nlmsg_type == RTM_NEWADDR &&
	    h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg))) {
		const struct ifaddrmsg *a = netlink_payload(h);

		other.prefix_len = a->ifa_prefixlen;
		v = netlink_attribute(h, sizeof(*a), IFA_ADDRESS, other.network.len);
	} else if (h->nlmsg_type == RTM_NEWROUTE &&
		   h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg))) {
		const struct rtmsg *r = netlink_payload(h);

		other.prefix_len = r->rtm_dst_len;
		v = netlink_attribute(h, sizeof(*r), RTA_DST, other.network.len);
	}
	if (v)
		memcpy(other.network.bytes, v, other.network.len);
	/* a default route has no destination, and wider ones than /8 are no local networks */
	if (v && other.prefix_len >= 8 && network_subnets_overlap(&s->subnet, &other))
		s->found = true;
	return s->found;
}

int link_overlaps(struct netlink *n, const struct network_subnet *subnet, bool *out,
		  struct error *err)
{
	const uint8_t family = (uint8_t)family_of(&subnet->network);
	const struct ifaddrmsg a = {.ifa_family = family};
	const struct rtmsg route = {.rtm_family = family};
	struct overlap_search s = {.subnet = *subnet};
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
