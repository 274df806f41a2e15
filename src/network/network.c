/* SPDX-License-Identifier: Apache-2.0 */
/* Name spaces, and the attachments of one. */
#include "network/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "network/network_address.h"
#include "network/network_bridge.h"
#include "network/network_entry.h"
#include "network/network_namespace.h"
#include "network/network_serve.h"

#include "base/banned.h"

#define OWN_NAMESPACE "/proc/thread-self/ns/net"

int network_denied(struct error *err, const char *what)
{
	if (errno != EPERM && errno != EACCES)
		return error_sys(err, "%s", what);
	error_set(err, ERR_DENIED, "%s: %s", what, error_reason(errno));
	error_hint(err, "run as root, or use --network=host");
	return -ERR_DENIED;
}

int namespace_visit(int netns, namespace_fn fn, void *data, struct error *err)
{
	AUTO(fd) int home = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
	int r;

	if (home < 0)
		return error_sys(err, "cannot open " OWN_NAMESPACE);
	if (netns < 0 ? unshare(CLONE_NEWNET) < 0 : setns(netns, CLONE_NEWNET) < 0)
		return network_denied(err, netns < 0 ? "cannot create a network name space"
						     : "cannot enter a network name space");
	r = fn(data, err);
	/* our own descriptor and our own privileges: should it fail all the same, going on
	 * would put the whole program into the wrong network */
	if (setns(home, CLONE_NEWNET) < 0)
		return error_sys(err, "cannot return to the network name space");
	return r;
}

struct place {
	int netns;
	struct netlink *inside;
};

static int look_around(void *data, struct error *err)
{
	struct place *p = data;

	if (p->netns < 0)
		p->netns = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
	return p->netns < 0 ? error_sys(err, "cannot open " OWN_NAMESPACE)
			    : netlink_open(p->inside, NETLINK_ROUTE, err);
}

/* A socket in the name space *@netns, which is made if it is -1. */
static int open_namespace(int *netns, struct netlink *inside, struct error *err)
{
	struct place p = {*netns, inside};
	const bool fresh = *netns < 0;
	int r = namespace_visit(*netns, look_around, &p, err);

	if (r == 0)
		*netns = p.netns;
	else if (fresh)
		close_fd(&p.netns);
	return r;
}

int network_namespace_new(int *out_netns, struct error *err)
{
	AUTO(netlink) struct netlink inside = NETLINK_INIT;
	AUTO(fd) int ns = -1;
	int r = open_namespace(&ns, &inside, err);

	if (r == 0)
		r = link_loopback_up(&inside, err);
	if (r == 0)
		*out_netns = take_fd(&ns);
	return r;
}

/* ---- attachments ---- */

static bool is_before(const struct network_attachment *a, const struct network_attachment *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return strcmp(a->network ? a->network : "", b->network ? b->network : "") < 0;
}

const struct network_attachment *network_gateway(const struct network_endpoint *e,
						 enum network_family family)
{
	const struct network_attachment *best = NULL;

	for (size_t i = 0; i < e->n; i++) {
		const struct network_attachment *a = &e->items[i];

		if (!a->internal && a->addresses[family].ip.len &&
		    (!best || is_before(a, best)))
			best = a;
	}
	return best;
}

static void drop_attachment(struct network_endpoint *e, size_t i)
{
	struct network_attachment *a = &e->items[i];

	for (size_t k = 0; k < NETWORK_FAMILIES; k++)
		close_fd(&a->addresses[k].lock);
	strlist_clear(&a->names);
	strlist_clear(&a->links);
	free(a->network);
	memmove(a, a + 1, (--e->n - i) * sizeof(*a));
}

static bool has_interface(const struct network_endpoint *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (str_eq(e->items[i].interface, name))
			return true;
	return false;
}

/* A new element, which is not attached yet. */
static struct network_attachment *add_attachment(struct network_endpoint *e,
						 const struct network_bridge *b,
						 const struct network_wish *wish)
{
	const char *prefix = b->prefix ? b->prefix : "eth";
	char name[sizeof(e->items->interface)] = "";
	struct network_attachment *a;

	if (wish->interface)
		snprintf(name, sizeof(name), "%s", wish->interface);
	for (unsigned i = 0; !name[0] || (!wish->interface && has_interface(e, name)); i++)
		snprintf(name, sizeof(name), "%.9s%u", prefix, i);
	a = vec_push(e);
	*a = (struct network_attachment){.network = b->network ? mem_strdup(b->network) : NULL,
					 .priority = wish->priority,
					 .internal = b->internal};
	snprintf(a->bridge, sizeof(a->bridge), "%s", b->name);
	memcpy(a->interface, name, sizeof(name));
	if (wish->names)
		strlist_addall(&a->names, wish->names);
	if (wish->links)
		strlist_addall(&a->links, wish->links);
	for (size_t i = 0; i < NETWORK_FAMILIES; i++)
		a->addresses[i].lock = -1;
	return a;
}

static enum network_family main_family(const struct network_bridge *b)
{
	return b->pools[NETWORK_IPV4].gateway.len ? NETWORK_IPV4 : NETWORK_IPV6;
}

static int open_addresses(const struct network_bridge *b, int state_dir,
			  struct network_attachment *a, struct error *err)
{
	for (size_t i = 0; i < NETWORK_FAMILIES; i++)
		if (b->pools[i].gateway.len &&
		    address_open(state_dir, b->name, (enum network_family)i,
				 &a->addresses[i].lock, err) < 0)
			return -ERR_SYSTEM;
	return 0;
}

static int take_addresses(const struct network_bridge *b, const struct network_wish *wish,
			  struct network_attachment *a, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < NETWORK_FAMILIES; i++) {
		const struct network_pool *p = &b->pools[i];
		struct network_address *x = &a->addresses[i];

		if (!p->gateway.len && wish->addresses[i].len)
			return error_set(err, ERR_INVALID,
					 "network %s has no addresses of this family",
					 b->network ? b->network : b->name);
		if (!p->gateway.len)
			continue;
		r = address_take(x->lock, b, (enum network_family)i, &wish->addresses[i],
				 &x->ip, err);
		x->prefix_len = p->prefix_len;
		x->gateway = p->gateway;
	}
	if (wish->has_mac)
		memcpy(a->mac, wish->mac, sizeof(a->mac));
	else if (r == 0)
		link_mac(&a->addresses[main_family(b)].ip, a->mac);
	return r;
}

/* The interfaces: the last step, which leaves nothing when it fails. */
static int plug_in(struct netlink *host, const struct link *bridge,
		   const struct network_bridge *b, const struct network_wish *wish,
		   struct network_endpoint *e, struct network_attachment *a, struct error *err)
{
	AUTO(netlink) struct netlink inside = NETLINK_INIT;
	bool route[NETWORK_FAMILIES];
	struct link_pair pair = {.bridge_index = bridge->index,
				 .interface = a->interface,
				 .mac = a->mac,
				 .mtu = bridge->mtu,
				 .isolated = b->isolated};
	int r = open_namespace(&e->netns, &inside, err);

	if (r < 0)
		return r;
	pair.netns = e->netns;
	for (size_t i = 0; i < NETWORK_FAMILIES; i++)
		route[i] = network_gateway(e, (enum network_family)i) == a;
	r = link_make_veth(host, &pair, a->outside, err);
	if (r == 0)
		r = link_configure(&inside, a, wish, route, err);
	if (r < 0 && a->outside[0])
		link_remove(host, a->outside, NULL);
	return r;
}

static int attach(const struct network_bridge *b, const struct network_wish *wish,
		  int state_dir, struct network_endpoint *e, struct network_attachment *a,
		  struct error *err)
{
	AUTO(netlink) struct netlink host = NETLINK_INIT;
	struct link l;
	int r;

	if (netlink_open(&host, NETLINK_ROUTE, err) < 0 ||
	    open_addresses(b, state_dir, a, err) < 0)
		return -ERR_SYSTEM;
	r = bridge_ensure(&host, b, state_dir, a->addresses[main_family(b)].lock, &l, err);
	if (r == 0)
		r = take_addresses(b, wish, a, err);
	return r < 0 ? r : plug_in(&host, &l, b, wish, e, a, err);
}

int network_attach(const struct network_bridge *b, const struct network_wish *wish,
		   int state_dir, struct network_endpoint *e, struct error *err)
{
	static const struct network_wish any;
	const struct network_wish *w = wish ? wish : &any;
	const bool fresh = e->netns < 0;
	AUTO(fd) int own = -1;
	int r = 0;

	if (w->interface && has_interface(e, w->interface))
		return error_set(err, ERR_CONFLICT, "the interface %s is there already",
				 w->interface);
	if (state_dir < 0)
		r = network_state_dir(&own, err);
	if (r == 0) {
		struct network_attachment *a = add_attachment(e, b, w);

		r = attach(b, w, state_dir < 0 ? own : state_dir, e, a, err);
		if (r < 0)
			drop_attachment(e, e->n - 1);
	}
	if (r == 0)
		return 0;
	if (fresh)
		close_fd(&e->netns);
	if (!e->n) {
		free(e->items);
		e->items = NULL;
		e->cap = 0;
	}
	if (r == -ERR_DENIED && !(err && err->hint))
		error_hint(err, "run as root, or use --network=host");
	return r;
}

int network_detach(struct network_endpoint *e, size_t i, struct error *err)
{
	AUTO(netlink) struct netlink inside = NETLINK_INIT, host = NETLINK_INIT;
	int r = open_namespace(&e->netns, &inside, err);

	if (r < 0 || (r = netlink_open(&host, NETLINK_ROUTE, err)) < 0 ||
	    (r = link_remove(&host, e->items[i].outside, err)) < 0)
		return r;
	drop_attachment(e, i);
	/* its routes went with it */
	for (size_t k = 0; r == 0 && k < NETWORK_FAMILIES; k++) {
		const struct network_attachment *a = network_gateway(e, (enum network_family)k);

		if (a)
			r = link_route(&inside, a->interface, &a->addresses[k].gateway, err);
	}
	return r;
}

void network_endpoint_close(struct network_endpoint *e)
{
	server_stop(e);
	/* the rules first: nobody else may have the addresses as long as they lead there */
	entry_close(e);
	close_fd(&e->netns);
	while (e->n)
		drop_attachment(e, e->n - 1);
	free(e->items);
	free(e->id);
	free(e->names_path);
	free(e->wanted.items);
	free(e->ports.items);
	*e = NETWORK_ENDPOINT_INIT;
}
