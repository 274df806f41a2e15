/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/engine_container.h"

#include "base/banned.h"

/* ---- ports ---- */

static bool is_published(const struct network_port_list *l, const struct network_port *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].port == p->port && l->items[i].protocol == p->protocol)
			return true;
	return false;
}

/* -P: what the image exposes and -p did not name. */
static int add_exposed(const struct strlist *exposed, struct network_port_list *out,
		       struct error *err)
{
	for (size_t i = 0; i < exposed->n; i++) {
		AUTO(network_port_list) struct network_port_list one = {0};
		int r = network_ports_parse(exposed->items[i], &one, err);

		if (r < 0)
			return r;
		for (size_t k = 0; k < one.n; k++)
			if (!is_published(out, &one.items[k]))
				*vec_push(out) = one.items[k];
	}
	return 0;
}

static int collect_ports(const struct container_options *o, const struct image_config *cfg,
			 struct network_port_list *out, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->publish.n; i++)
		r = network_ports_parse(o->publish.items[i], out, err);
	if (r == 0 && o->publish_all)
		r = add_exposed(&cfg->exposed_ports, out, err);
	return r == 0 && o->publish_all ? add_exposed(&o->expose, out, err) : r;
}

static int join_container(struct engine *e, const char *name, struct network_endpoint *out,
			  struct error *err)
{
	AUTO(store_container) struct store_container c = {0};
	AUTO(free) char *path = NULL;
	int r = engine_container(e, name, &c, err);

	if (r < 0)
		return r;
	if (!container_is_up(&c))
		return error_set(err, ERR_CONFLICT,
				 "cannot join network of a non running container: %s", c.id);
	path = mem_printf("/proc/%lld/ns/net", (long long)c.pid);
	out->netns = open(path, O_RDONLY | O_CLOEXEC);
	return out->netns < 0 ? error_sys(err, "cannot join the network of %s", c.name) : 0;
}

static int find_bridge(struct engine *e, const struct container_options *o, char name[16],
		       struct network_bridge *out, struct error *err)
{
	struct in_addr a;
	int r;

	if (o->network != RUNTIME_NETWORK_NAMED && (o->ip || o->network_aliases.n))
		return error_set(err, ERR_INVALID,
				 o->ip ? "invalid config for network bridge: invalid endpoint "
					 "settings:\nuser specified IP address is supported on "
					 "user defined networks only"
				       : "network-scoped alias is supported only for "
					 "containers in user defined networks");
	if (o->network != RUNTIME_NETWORK_NAMED) {
		network_default_bridge(out);
		return 0;
	}
	if ((r = network_bridge_of(e, o->network_name, name, out, err)) < 0)
		return r;
	if (o->ip && inet_pton(AF_INET, o->ip, &a) != 1)
		return error_set(err, ERR_INVALID, "invalid IPv4 address: %s", o->ip);
	out->wanted = o->ip ? ntohl(a.s_addr) : 0;
	return 0;
}

int container_network_attach(struct engine *e, const struct container_options *o,
			     const struct image_config *cfg, const char *id,
			     struct lease *lease, struct network_endpoint *out,
			     struct error *err)
{
	AUTO(network_port_list) struct network_port_list ports = {0};
	const bool named = o->network == RUNTIME_NETWORK_NAMED;
	struct network_bridge bridge;
	char name[16];
	int r;

	if (o->network == RUNTIME_NETWORK_NONE)
		return network_namespace_new(&out->netns, err);
	if (o->network == RUNTIME_NETWORK_HOST)
		return 0;
	if (o->network == RUNTIME_NETWORK_CONTAINER)
		return join_container(e, o->network_name, out, err);
	if ((r = collect_ports(o, cfg, &ports, err)) < 0 ||
	    (r = find_bridge(e, o, name, &bridge, err)) < 0)
		return r;
	if ((ports.n || named) && (r = lease_note(lease, "endpoint", id, err)) < 0)
		return r;
	if ((r = network_attach(&bridge, -1, out, err)) < 0)
		return r;
	/* nobody comes in there */
	return ports.n && !bridge.internal ? network_publish(out, id, &ports, err) : 0;
}

int container_network_join(const struct container_options *o, const char *name, int dir,
			   struct network_endpoint *e, struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	AUTO(free) char *link = mem_printf("/proc/self/fd/%d", dir), *path = NULL;
	char where[PATH_MAX];
	ssize_t len;
	AUTO(buf) struct buf hostname = BUF_INIT;

	if (o->network != RUNTIME_NETWORK_NAMED)
		return 0;
	len = readlink(link, where, sizeof(where));
	if (len < 0 || (size_t)len >= sizeof(where))
		return error_sys(err, "cannot find the hosts of %s", name);
	path = mem_printf("%.*s/hosts", (int)len, where);
	runtime_hostname(o, &hostname);
	strlist_add(&names, name);
	strlist_addn(&names, o->id, 12);
	strlist_addall(&names, &o->network_aliases);
	if (strlist_find(&names, buf_str(&hostname)) < 0)
		strlist_add(&names, buf_str(&hostname));
	return network_join(e, o->id, &names, path, err);
}

static int compare_ports(const void *a, const void *b)
{
	const struct network_port *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	return (x->host_port > y->host_port) - (x->host_port < y->host_port);
}

int engine_container_ports(struct engine *e, const struct store_container *c,
			   struct network_port_list *out, struct error *err)
{
	int r = network_published(c->id, out, err);

	(void)e;
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), compare_ports);
	return r;
}

/* ---- inspect ---- */

/* What was asked for has "" where something is left open. */
static json_t *port_binding(const struct network_port *p, bool asked)
{
	const struct in_addr a = {htonl(p->host_ip)};
	AUTO(free) char *number = mem_printf("%u", p->host_port);
	char text[INET_ADDRSTRLEN];
	json_t *j = json_object();

	inet_ntop(AF_INET, &a, text, sizeof(text));
	json_object_set_new(j, "HostIp", json_string(asked && !p->host_ip ? "" : text));
	json_object_set_new(j, "HostPort", json_string(p->host_port ? number : ""));
	return j;
}

static json_t *bindings_of(const struct network_port_list *list, bool asked)
{
	json_t *j = json_object();

	for (size_t i = 0; i < list->n; i++) {
		const struct network_port *p = &list->items[i];
		AUTO(free)
		char *key = mem_printf("%u/%s", p->port, network_protocol_name(p->protocol));

		if (!json_object_get(j, key))
			json_object_set_new(j, key, json_array());
		json_array_append_new(json_object_get(j, key), port_binding(p, asked));
	}
	return j;
}

json_t *container_network_ports(const struct store_container *c)
{
	AUTO(network_port_list) struct network_port_list list = {0};

	return engine_container_ports(NULL, c, &list, NULL) < 0 ? json_object()
								: bindings_of(&list, false);
}

json_t *container_network_bindings(const struct container_options *o)
{
	AUTO(network_port_list) struct network_port_list list = {0};

	for (size_t i = 0; i < o->publish.n; i++)
		network_ports_parse(o->publish.items[i], &list, NULL);
	return bindings_of(&list, true);
}
