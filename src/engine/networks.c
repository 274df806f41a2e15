/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks that users make: a row whose config is what Docker's inspect object says of
 * them.  Bridge and rules come with the first container, and go with the network.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/parse.h"
#include "engine/engine_network.h"

#include "base/banned.h"

#define BRIDGE_ID_LETTERS 8
#define OPTION		  "com.docker.network."

static const struct {
	const char *name, *driver;
} predefined[] = {{"bridge", "bridge"}, {"host", "host"}, {"none", "null"}};

bool network_is_predefined(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(predefined); i++)
		if (str_eq(name, predefined[i].name))
			return true;
	return false;
}

static const char *text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text ? text : "";
}

/* ---- documents ---- */

json_t *network_document(const char *name, const char *id, int64_t created_ns,
			 const char *driver)
{
	AUTO(buf) struct buf created = BUF_INIT;
	json_t *j = json_object(), *ipam = json_object(), *from = json_object();

	clock_format(created_ns, &created);
	json_object_set_new(ipam, "Driver", json_string("default"));
	json_object_set_new(ipam, "Options", json_object());
	json_object_set_new(ipam, "Config", json_array());
	json_object_set_new(from, "Network", json_string(""));
	json_object_set_new(j, "Name", json_string(name));
	json_object_set_new(j, "Id", json_string(id));
	json_object_set_new(j, "Created", json_string(buf_str(&created)));
	json_object_set_new(j, "Scope", json_string("local"));
	json_object_set_new(j, "Driver", json_string(driver));
	json_object_set_new(j, "EnableIPv4", json_true());
	json_object_set_new(j, "EnableIPv6", json_false());
	json_object_set_new(j, "IPAM", ipam);
	json_object_set_new(j, "Internal", json_false());
	json_object_set_new(j, "Attachable", json_false());
	json_object_set_new(j, "Ingress", json_false());
	json_object_set_new(j, "ConfigFrom", from);
	json_object_set_new(j, "ConfigOnly", json_false());
	json_object_set_new(j, "Containers", json_object());
	json_object_set_new(j, "Options", json_object());
	json_object_set_new(j, "Labels", json_object());
	return j;
}

/* Those that are always there have ids that follow from their names. */
static const char *predefined_id(size_t i, char hex[DIGEST_HEX_SIZE])
{
	struct digest d;

	digest_of(predefined[i].name, strlen(predefined[i].name), &d);
	return digest_hex(&d, hex);
}

static json_t *predefined_document(size_t i)
{
	struct network_bridge b;
	const struct network_pool *p = &b.pools[NETWORK_IPV4];
	char hex[DIGEST_HEX_SIZE], text[NETWORK_TEXT_BYTES];
	struct network_ip first;
	json_t *j, *one;

	j = network_document(predefined[i].name, predefined_id(i, hex), 0,
			     predefined[i].driver);
	if (i)
		return j;
	network_default_bridge(&b);
	first = network_ip_with_host(&p->gateway, p->prefix_len, 0);
	one = json_object();
	json_object_set_new(
		one, "Subnet",
		json_sprintf("%s/%u", network_ip_text(&first, text), p->prefix_len));
	json_object_set_new(one, "Gateway", json_string(network_ip_text(&p->gateway, text)));
	json_array_append_new(json_object_get(json_object_get(j, "IPAM"), "Config"), one);
	return j;
}

static const json_t *config_of(const json_t *document, size_t i)
{
	const json_t *list = json_object_get(json_object_get(document, "IPAM"), "Config");

	return json_array_get(list, i);
}

int network_subnet_of(const json_t *document, size_t i, struct network_subnet *out,
		      struct error *err)
{
	return network_subnet_parse(text_of(config_of(document, i), "Subnet"), out, err);
}

const char *network_option(const json_t *document, const char *key)
{
	return json_string_value(json_object_get(json_object_get(document, "Options"), key));
}

char *network_bridge_name(const json_t *document)
{
	const char *given = network_option(document, OPTION "bridge.name");

	return given ? mem_strdup(given)
		     : mem_printf("stave-%.*s", BRIDGE_ID_LETTERS, text_of(document, "Id"));
}

int networks_read(struct engine *e, json_t **out, struct error *err)
{
	AUTO(store_network_list) struct store_network_list rows = {0};
	AUTO(json) json_t *list = json_array();
	int r = engine_need_store(e, err);

	if (r < 0 || (r = store_network_list(e->store, &rows, err)) < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(predefined); i++)
		json_array_append_new(list, predefined_document(i));
	for (size_t i = 0; i < rows.n; i++) {
		json_t *j = NULL;

		r = json_parse(rows.items[i].config, strlen(rows.items[i].config), &j, err);
		if (r < 0)
			return error_wrap(err, "network %s", rows.items[i].name);
		json_array_append_new(list, j);
	}
	*out = take_ptr(list);
	return 0;
}

/* By name, id or its beginning; borrowed from @list. */
static int find(const json_t *list, const char *text, json_t **out, struct error *err)
{
	json_t *j, *found = NULL;
	unsigned n = 0;
	size_t i;

	json_array_foreach (list, i, j) {
		if (str_eq(text_of(j, "Name"), text) || str_eq(text_of(j, "Id"), text)) {
			*out = j;
			return 0;
		}
		if (*text && str_starts(text_of(j, "Id"), text)) {
			found = j;
			n++;
		}
	}
	if (n > 1)
		return error_set(err, ERR_CONFLICT,
				 "network %s is ambiguous (%u matches found)", text, n);
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "network %s not found", text);
	*out = found;
	return 0;
}

/* ---- who is on it ---- */

static json_t *with_length(const json_t *endpoint, const char *address, const char *length)
{
	const char *text = text_of(endpoint, address);

	return *text ? json_sprintf(
			       "%s/%lld", text,
			       (long long)json_integer_value(json_object_get(endpoint, length)))
		     : json_string("");
}

static void add_member(struct engine *e, const struct store_container *c, const char *network,
		       json_t *all)
{
	AUTO(json) json_t *state = NULL;
	AUTO(fd) int dir = -1;
	const json_t *endpoint;
	json_t *one;

	if (!container_is_up(c) || container_open_dir(e, c->id, &dir, NULL) < 0)
		return;
	state = container_state_read(dir);
	endpoint = json_object_get(json_object_get(state, "networks"), network);
	if (!endpoint)
		return;
	one = json_object();
	json_object_set_new(one, "Name", json_string(c->name));
	json_object_set_new(one, "EndpointID", json_string(text_of(endpoint, "EndpointID")));
	json_object_set_new(one, "MacAddress", json_string(text_of(endpoint, "MacAddress")));
	json_object_set_new(one, "IPv4Address",
			    with_length(endpoint, "IPAddress", "IPPrefixLen"));
	json_object_set_new(one, "IPv6Address",
			    with_length(endpoint, "GlobalIPv6Address", "GlobalIPv6PrefixLen"));
	json_object_set_new(all, c->id, one);
}

static int add_members(struct engine *e, json_t *document, struct error *err)
{
	AUTO(store_container_list) struct store_container_list list = {0};
	int r = engine_containers(e, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		add_member(e, &list.items[i], text_of(document, "Name"),
			   json_object_get(document, "Containers"));
	return r;
}

int engine_networks(struct engine *e, json_t **out, struct error *err)
{
	json_t *j;
	size_t i;
	int r = networks_read(e, out, err);

	if (r < 0)
		return r;
	json_array_foreach (*out, i, j)
		json_object_del(j, NETWORK_AUTOMATIC);
	return 0;
}

int engine_network(struct engine *e, const char *text, json_t **out, struct error *err)
{
	AUTO(json) json_t *list = NULL;
	json_t *j;
	int r = engine_networks(e, &list, err);

	if (r < 0 || (r = find(list, text, &j, err)) < 0 || (r = add_members(e, j, err)) < 0)
		return r;
	*out = json_incref(j);
	return 0;
}

/* ---- removing ---- */

static int remove_network(struct engine *e, const json_t *j, struct error *err)
{
	const char *name = text_of(j, "Name"), *member;
	AUTO(engine_bridge) struct engine_bridge b = {0};
	AUTO(buf) struct buf members = BUF_INIT;
	json_t *one;
	int r;

	if (network_is_predefined(name))
		return error_set(err, ERR_CONFLICT,
				 "%s is a pre-defined network and cannot be removed", name);
	json_object_foreach (json_object_get(j, "Containers"), member, one)
		buf_printf(&members, "%sname:\"%s\" id:\"%.12s\"", members.len ? ", " : "",
			   text_of(one, "Name"), member);
	if (members.len)
		return error_set(
			err, ERR_CONFLICT,
			"error while removing network: network %s has active endpoints "
			"(%s)",
			name, buf_str(&members));
	/* the bridge first: a row without one is a network whose containers do not run */
	if ((r = engine_bridge_open(e, text_of(j, "Id"), &b, err)) < 0 ||
	    (r = network_bridge_remove(&b.bridge, err)) < 0)
		return r;
	r = store_network_remove(e->store, text_of(j, "Id"), err);
	if (r == 0)
		network_event(e, "destroy", text_of(j, "Id"), name, text_of(j, "Driver"));
	return r;
}

int engine_network_rm(struct engine *e, const char *text, struct error *err)
{
	AUTO(json) json_t *j = NULL;
	int r = engine_network(e, text, &j, err);

	return r < 0 ? r : remove_network(e, j, err);
}

int engine_network_prune(struct engine *e, const struct engine_prune *how,
			 struct strlist *out_names, struct error *err)
{
	AUTO(store_network_list) struct store_network_list rows = {0};
	int r = engine_need_store(e, err);

	if (r < 0 || (r = store_network_list(e->store, &rows, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		AUTO(json) json_t *j = NULL;

		if (how->before_ns && rows.items[i].created_ns >= how->before_ns)
			continue;
		r = engine_network(e, rows.items[i].id, &j, err);
		if (r == -ERR_NOT_FOUND) { /* somebody else was faster */
			error_clear(err);
			r = 0;
			continue;
		}
		if (r < 0 || json_object_size(json_object_get(j, "Containers")) ||
		    !engine_prune_wants(how, json_object_get(j, "Labels")))
			continue;
		if ((r = remove_network(e, j, err)) == 0)
			strlist_add(out_names, rows.items[i].name);
	}
	return r;
}

/* ---- for containers ---- */

/* The host numbers of --ip-range, of which a pool gives. */
static int set_range(const char *text, struct network_pool *p, struct error *err)
{
	struct network_subnet s;
	unsigned bits;
	int r;

	if (!*text)
		return 0;
	if ((r = network_subnet_parse(text, &s, err)) < 0)
		return r;
	bits = s.network.len * 8u - s.prefix_len;
	p->first = network_ip_host(&s.network, p->prefix_len);
	p->last = p->first + (bits > 62 ? UINT64_MAX >> 2 : (UINT64_C(1) << bits) - 1);
	return 0;
}

static int set_pool(const json_t *config, const json_t *document, struct network_bridge *b,
		    struct error *err)
{
	static const char *const enabled[NETWORK_FAMILIES] = {"EnableIPv4", "EnableIPv6"};
	struct network_subnet s;
	struct network_pool *p;
	const char *key;
	json_t *address;
	int r = network_subnet_parse(text_of(config, "Subnet"), &s, err);

	if (r < 0)
		return r;
	if (!json_is_true(json_object_get(document, enabled[network_ip_family(&s.network)])))
		return 0;
	p = &b->pools[network_ip_family(&s.network)];
	network_ip_parse(text_of(config, "Gateway"), &p->gateway);
	p->prefix_len = s.prefix_len;
	json_object_foreach (json_object_get((json_t *)(uintptr_t)config, "AuxiliaryAddresses"),
			     key, address) {
		struct network_ip ip;

		if (network_ip_parse(json_string_value(address), &ip) &&
		    p->n_reserved < LIMIT_NETWORK_RESERVED)
			p->reserved[p->n_reserved++] = network_ip_host(&ip, p->prefix_len);
	}
	return set_range(text_of(config, "IPRange"), p, err);
}

static bool option_is(const json_t *document, const char *key, bool wanted)
{
	const char *text = network_option(document, key);
	bool value;

	return text && parse_bool(text, &value) && value == wanted;
}

static int describe_bridge(const json_t *j, struct engine_bridge *out, struct error *err)
{
	const char *mtu = network_option(j, OPTION "driver.mtu"),
		   *prefix = network_option(j, OPTION "container_iface_prefix");
	struct network_bridge *b = &out->bridge;
	uint64_t number = 0;
	static const char *const modes[NETWORK_FAMILIES] = {OPTION "bridge.gateway_mode_ipv4",
							    OPTION "bridge.gateway_mode_ipv6"};
	int r = 0;

	out->name = network_bridge_name(j);
	out->prefix = prefix ? mem_strdup(prefix) : NULL;
	if (mtu && !parse_u64(mtu, 65535, &number))
		number = 0;
	*b = (struct network_bridge){
		.name = out->name,
		.prefix = out->prefix,
		.mtu = (unsigned)number,
		.internal = json_is_true(json_object_get(j, "Internal")),
		.isolated = option_is(j, OPTION "bridge.enable_icc", false),
		.no_masquerade = option_is(j, OPTION "bridge.enable_ip_masquerade", false)};
	for (size_t i = 0; i < NETWORK_FAMILIES; i++)
		b->open[i] = str_eq(network_option(j, modes[i]), "nat-unprotected");
	for (size_t i = 0; r == 0 && config_of(j, i); i++)
		r = set_pool(config_of(j, i), j, b, err);
	return r;
}

int engine_bridge_open(struct engine *e, const char *text, struct engine_bridge *out,
		       struct error *err)
{
	AUTO(json) json_t *list = NULL;
	json_t *j;
	int r;

	*out = (struct engine_bridge){0};
	if (str_eq(text, "bridge")) { /* without a look at the store */
		char hex[DIGEST_HEX_SIZE];

		network_default_bridge(&out->bridge);
		out->network = mem_strdup(text);
		out->id = mem_strdup(predefined_id(0, hex));
		return 0;
	}
	if ((r = networks_read(e, &list, err)) < 0 || (r = find(list, text, &j, err)) < 0)
		return r;
	out->document = json_incref(j);
	out->network = mem_strdup(text_of(j, "Name"));
	out->id = mem_strdup(text_of(j, "Id"));
	if (str_eq(out->network, "bridge"))
		network_default_bridge(&out->bridge);
	else
		r = describe_bridge(j, out, err);
	out->bridge.network = out->network;
	return r;
}

void engine_bridge_close(struct engine_bridge *b)
{
	free(b->name);
	free(b->network);
	free(b->prefix);
	free(b->id);
	json_decref(b->document);
	*b = (struct engine_bridge){0};
}
