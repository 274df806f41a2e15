/* SPDX-License-Identifier: Apache-2.0 */
/* What inspect says of a container's networks and ports. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/engine_network.h"

#include "base/banned.h"

static int compare_ports(const void *a, const void *b)
{
	const struct network_port *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	if (x->host_ip.len != y->host_ip.len)
		return x->host_ip.len < y->host_ip.len ? -1 : 1;
	return (x->host_port > y->host_port) - (x->host_port < y->host_port);
}

/* What was asked for has "" where something is left open. */
static json_t *port_binding(const struct network_port *p)
{
	AUTO(free) char *number = mem_printf("%u", p->host_port);
	char text[NETWORK_TEXT_BYTES];
	json_t *j = json_object();

	json_object_set_new(j, "HostIp", json_string(network_ip_text(&p->host_ip, text)));
	json_object_set_new(j, "HostPort", json_string(p->host_port ? number : ""));
	return j;
}

static json_t *bindings_of(const struct network_port_list *list)
{
	json_t *j = json_object();

	for (size_t i = 0; i < list->n; i++) {
		const struct network_port *p = &list->items[i];
		AUTO(free)
		char *key = mem_printf("%u/%s", p->port, network_protocol_name(p->protocol));

		if (!json_object_get(j, key))
			json_object_set_new(j, key, json_array());
		json_array_append_new(json_object_get(j, key), port_binding(p));
	}
	return j;
}

json_t *container_network_bindings(const struct container_options *o)
{
	AUTO(network_port_list) struct network_port_list list = {0};

	for (size_t i = 0; i < o->publish.n; i++)
		network_ports_parse(o->publish.items[i], &list, NULL);
	return bindings_of(&list);
}

const char *container_network_mode(const struct container_options *o)
{
	return o->network == RUNTIME_NETWORK_HOST   ? "host"
	       : o->network == RUNTIME_NETWORK_NONE ? "none"
	       : o->network_name		    ? o->network_name
						    : "bridge";
}

static json_t *list_or_null(const struct strlist *l)
{
	return l->n ? json_from_strings(l) : json_null();
}

/* IPAMConfig: the addresses that were asked for. */
static json_t *wished(const struct container_network *n)
{
	json_t *j = json_object();

	if (n->ip)
		json_object_set_new(j, "IPv4Address", json_string(n->ip));
	if (n->ip6)
		json_object_set_new(j, "IPv6Address", json_string(n->ip6));
	if (n->link_local.n)
		json_object_set_new(j, "LinkLocalIPs", json_from_strings(&n->link_local));
	if (json_object_size(j))
		return j;
	json_decref(j);
	return json_null();
}

static json_t *driver_options(const struct container_network *n)
{
	return n->driver_options.live ? json_from_map(&n->driver_options) : json_null();
}

/* A field of the state, or what stands for none. */
static void put_state(json_t *j, const json_t *state, const char *key, json_t *otherwise)
{
	json_t *value = json_object_get(state, key);

	if (!value) {
		json_object_set_new(j, key, otherwise);
		return;
	}
	json_decref(otherwise);
	json_object_set(j, key, value);
}

static json_t *endpoint(const struct container_options *o, const struct container_network *n,
			const json_t *state)
{
	const bool linked = o->network != RUNTIME_NETWORK_DEFAULT;
	json_t *j = json_object();

	json_object_set_new(j, "IPAMConfig", wished(n));
	json_object_set_new(j, "Links", linked ? list_or_null(&n->links) : json_null());
	json_object_set_new(j, "Aliases", list_or_null(&n->aliases));
	put_state(j, state, "MacAddress", json_string(""));
	json_object_set_new(j, "DriverOpts", driver_options(n));
	json_object_set_new(j, "GwPriority", json_integer(n->priority));
	put_state(j, state, "NetworkID", json_string(""));
	put_state(j, state, "EndpointID", json_string(""));
	put_state(j, state, "Gateway", json_string(""));
	put_state(j, state, "IPAddress", json_string(""));
	put_state(j, state, "IPPrefixLen", json_integer(0));
	put_state(j, state, "IPv6Gateway", json_string(""));
	put_state(j, state, "GlobalIPv6Address", json_string(""));
	put_state(j, state, "GlobalIPv6PrefixLen", json_integer(0));
	put_state(j, state, "DNSNames", json_null());
	return j;
}

json_t *container_ports_document(const struct store_container *c)
{
	AUTO(network_port_list) struct network_port_list list = {0};

	if (network_published(c->id, &list, NULL) < 0)
		return json_object();
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), compare_ports);
	return bindings_of(&list);
}

json_t *container_network_settings(struct engine *e, const struct store_container *c,
				   const struct container_options *o, const json_t *state)
{
	const json_t *all = container_is_up(c) ? json_object_get(state, "networks") : NULL;
	const json_t *bridge = json_object_get(all, "bridge");
	json_t *j = json_object(), *networks = json_object();

	(void)e;
	json_object_set_new(j, "Bridge", json_string(""));
	json_object_set_new(j, "SandboxID", json_string(""));
	json_object_set_new(j, "SandboxKey", json_string(""));
	json_object_set_new(j, "Ports", container_ports_document(c));
	json_object_set_new(j, "HairpinMode", json_false());
	json_object_set_new(j, "LinkLocalIPv6Address", json_string(""));
	json_object_set_new(j, "LinkLocalIPv6PrefixLen", json_integer(0));
	json_object_set_new(j, "SecondaryIPAddresses", json_null());
	json_object_set_new(j, "SecondaryIPv6Addresses", json_null());
	put_state(j, bridge, "EndpointID", json_string(""));
	put_state(j, bridge, "Gateway", json_string(""));
	put_state(j, bridge, "GlobalIPv6Address", json_string(""));
	put_state(j, bridge, "GlobalIPv6PrefixLen", json_integer(0));
	put_state(j, bridge, "IPAddress", json_string(""));
	put_state(j, bridge, "IPPrefixLen", json_integer(0));
	put_state(j, bridge, "IPv6Gateway", json_string(""));
	put_state(j, bridge, "MacAddress", json_string(""));
	for (size_t i = 0; i < o->networks.n; i++) {
		const struct container_network *n = &o->networks.items[i];

		json_object_set_new(networks, n->name,
				    endpoint(o, n, json_object_get(all, n->name)));
	}
	json_object_set_new(j, "Networks", networks);
	return j;
}
