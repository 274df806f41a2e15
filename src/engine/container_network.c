/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

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

int container_network_attach(struct engine *e, const struct container_options *o,
			     const struct image_config *cfg, const char *id,
			     struct lease *lease, struct network_endpoint *out,
			     struct error *err)
{
	AUTO(network_port_list) struct network_port_list ports = {0};
	struct network_bridge bridge;
	int r;

	(void)e;
	if (o->network == RUNTIME_NETWORK_NONE)
		return network_namespace_new(&out->netns, err);
	if (o->network == RUNTIME_NETWORK_HOST)
		return 0;
	if ((r = collect_ports(o, cfg, &ports, err)) < 0)
		return r;
	if (ports.n && (r = lease_note(lease, "endpoint", id, err)) < 0)
		return r;
	network_default_bridge(&bridge);
	if ((r = network_attach(&bridge, -1, out, err)) < 0)
		return r;
	return ports.n ? network_publish(out, id, &ports, err) : 0;
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
