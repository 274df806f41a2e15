/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks that users make: a row whose config is what Docker's inspect object says of
 * them.  Bridge and rules come with the first container, and go with the network.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine/engine_network.h"

#include "base/banned.h"

#define BRIDGE_ID_LETTERS 8

static const struct {
	const char *name, *driver;
} predefined[] = {{"bridge", "bridge"}, {"host", "host"}, {"none", "null"}};

static bool is_predefined(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(predefined); i++)
		if (str_eq(name, predefined[i].name))
			return true;
	return false;
}

static char *bridge_name(const char *id)
{
	return mem_printf("stave-%.*s", BRIDGE_ID_LETTERS, id);
}

static const char *address_text(uint32_t address, char text[INET_ADDRSTRLEN])
{
	const struct in_addr a = {htonl(address)};

	return inet_ntop(AF_INET, &a, text, INET_ADDRSTRLEN);
}

static uint32_t mask(unsigned prefix_len)
{
	return prefix_len ? ~UINT32_C(0) << (32 - prefix_len) : 0;
}

/* ---- documents ---- */

static json_t *ipam(const struct network_subnet *s, uint32_t gateway)
{
	char network[INET_ADDRSTRLEN], first[INET_ADDRSTRLEN];
	json_t *j = json_object(), *list = json_array(), *one = json_object();
	AUTO(free)
	char *subnet = s ? mem_printf("%s/%u", address_text(s->network, network), s->prefix_len)
			 : NULL;

	json_object_set_new(j, "Driver", json_string("default"));
	json_object_set_new(j, "Options", json_object());
	if (s) {
		json_object_set_new(one, "Subnet", json_string(subnet));
		json_object_set_new(one, "Gateway", json_string(address_text(gateway, first)));
		json_array_append(list, one);
	}
	json_decref(one);
	json_object_set_new(j, "Config", list);
	return j;
}

static json_t *map_of(const struct strlist *words)
{
	json_t *j = json_object();

	for (size_t i = 0; i < words->n; i++) {
		const size_t len = strcspn(words->items[i], "=");
		AUTO(free) char *key = mem_strndup(words->items[i], len);

		json_object_set_new(
			j, key, json_string(words->items[i] + len + !!words->items[i][len]));
	}
	return j;
}

static json_t *document(const char *name, const char *id, int64_t created_ns,
			const char *driver)
{
	AUTO(buf) struct buf created = BUF_INIT;
	json_t *j = json_object();

	clock_format(created_ns, &created);
	json_object_set_new(j, "Name", json_string(name));
	json_object_set_new(j, "Id", json_string(id));
	json_object_set_new(j, "Created", json_string(buf_str(&created)));
	json_object_set_new(j, "Scope", json_string("local"));
	json_object_set_new(j, "Driver", json_string(driver));
	json_object_set_new(j, "EnableIPv4", json_true());
	json_object_set_new(j, "EnableIPv6", json_false());
	json_object_set_new(j, "IPAM", ipam(NULL, 0));
	json_object_set_new(j, "Internal", json_false());
	json_object_set_new(j, "Attachable", json_false());
	json_object_set_new(j, "Ingress", json_false());
	json_object_set_new(j, "Containers", json_object());
	json_object_set_new(j, "Options", json_object());
	json_object_set_new(j, "Labels", json_object());
	return j;
}

/* Those that are always there have ids that follow from their names. */
static json_t *predefined_document(size_t i)
{
	struct network_bridge b;
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	json_t *j;

	digest_of(predefined[i].name, strlen(predefined[i].name), &d);
	j = document(predefined[i].name, digest_hex(&d, hex), 0, predefined[i].driver);
	if (i == 0) {
		struct network_subnet s;

		network_default_bridge(&b);
		s = (struct network_subnet){.network = b.gateway & mask(b.prefix_len),
					    .prefix_len = b.prefix_len};
		json_object_set_new(j, "IPAM", ipam(&s, b.gateway));
	}
	return j;
}

static void add_members(json_t *j, const char *id, unsigned prefix_len)
{
	AUTO(network_member_list) struct network_member_list list = {0};
	AUTO(free) char *bridge = bridge_name(id);
	json_t *all = json_object_get(j, "Containers");

	if (network_members(bridge, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.n; i++) {
		char text[INET_ADDRSTRLEN];
		AUTO(free)
		char *address = mem_printf("%s/%u", address_text(list.items[i].address, text),
					   prefix_len);
		json_t *one = json_object();

		json_object_set_new(one, "Name", json_string(list.items[i].name));
		json_object_set_new(one, "IPv4Address", json_string(address));
		json_object_set_new(one, "IPv6Address", json_string(""));
		json_object_set_new(all, list.items[i].id, one);
	}
}

static const char *subnet_text(const json_t *j, const char *key)
{
	const json_t *config = json_object_get(json_object_get(j, "IPAM"), "Config");

	return json_string_value(json_object_get(json_array_get(config, 0), key));
}

static int subnet_of(const json_t *j, struct network_subnet *out, struct error *err)
{
	const char *text = subnet_text(j, "Subnet");

	return network_subnet_parse(text ? text : "", out, err);
}

static int append_rows(struct engine *e, json_t *out, struct error *err)
{
	AUTO(store_network_list) struct store_network_list list = {0};
	int r = store_network_list(e->store, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct network_subnet s;
		json_t *j = NULL;

		r = json_parse(list.items[i].config, strlen(list.items[i].config), &j, err);
		if (r < 0)
			return error_wrap(err, "network %s", list.items[i].name);
		if (subnet_of(j, &s, NULL) == 0)
			add_members(j, list.items[i].id, s.prefix_len);
		json_array_append_new(out, j);
	}
	return r;
}

int engine_networks(struct engine *e, json_t **out, struct error *err)
{
	AUTO(json) json_t *list = json_array();
	int r = engine_need_store(e, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(predefined); i++)
		json_array_append_new(list, predefined_document(i));
	if ((r = append_rows(e, list, err)) < 0)
		return r;
	*out = take_ptr(list);
	return 0;
}

int engine_network(struct engine *e, const char *text, json_t **out, struct error *err)
{
	AUTO(json) json_t *list = NULL;
	json_t *j, *found = NULL;
	unsigned n = 0;
	size_t i;
	int r = engine_networks(e, &list, err);

	if (r < 0)
		return r;
	json_array_foreach (list, i, j) {
		const char *id = json_string_value(json_object_get(j, "Id"));

		if (str_eq(json_string_value(json_object_get(j, "Name")), text) ||
		    str_eq(id, text)) {
			found = j;
			n = 1;
			break;
		}
		if (*text && str_starts(id, text)) {
			found = j;
			n++;
		}
	}
	if (n > 1)
		return error_set(err, ERR_CONFLICT,
				 "network %s is ambiguous (%u matches found)", text, n);
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "network %s not found", text);
	*out = json_incref(found);
	return 0;
}

/* ---- making ---- */

static int check_request(const struct engine_network_create *req, struct error *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	const char *name = req->name;

	if (str_empty(name) || strchr("_.-", name[0]) || strspn(name, letters) != strlen(name))
		return error_set(err, ERR_INVALID,
				 "invalid network name: must match the regular expression "
				 "\"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$\": %s",
				 name);
	if (is_predefined(name) || str_eq(name, "default"))
		return error_set(err, ERR_CONFLICT,
				 "operation is not permitted on predefined %s network", name);
	if (req->driver && !str_eq(req->driver, "bridge"))
		return error_set(
			err, ERR_UNSUPPORTED,
			"could not find a network driver named \"%s\": there is bridge",
			req->driver);
	if (req->gateway && !req->subnet)
		return error_set(err, ERR_INVALID,
				 "gateway %s needs a subnet: give --subnet as well",
				 req->gateway);
	return 0;
}

static int choose_subnet(struct engine *e, const struct engine_network_create *req,
			 struct network_subnet *out, struct error *err)
{
	AUTO(json) json_t *list = json_array();
	struct network_subnet *taken;
	size_t i, n = 0;
	json_t *j;
	int r = append_rows(e, list, err);

	if (r < 0 || (req->subnet && (r = network_subnet_parse(req->subnet, out, err)) < 0))
		return r;
	taken = mem_zalloc((json_array_size(list) + 1) * sizeof(*taken));
	json_array_foreach (list, i, j)
		n += subnet_of(j, &taken[n], NULL) == 0;
	if (!req->subnet)
		r = network_subnet_free(taken, n, out, err);
	for (i = 0; r == 0 && i < n; i++)
		if (network_subnets_overlap(&taken[i], out))
			r = error_set(err, ERR_CONFLICT,
				      "invalid pool request: Pool overlaps with other one on "
				      "this address space");
	free(taken);
	return r;
}

static int choose_gateway(const char *text, const struct network_subnet *s, uint32_t *out,
			  struct error *err)
{
	struct in_addr a;

	*out = s->network + 1;
	if (!text)
		return 0;
	if (inet_pton(AF_INET, text, &a) != 1)
		return error_set(err, ERR_INVALID, "invalid gateway %s", text);
	*out = ntohl(a.s_addr);
	if ((*out ^ s->network) & mask(s->prefix_len))
		return error_set(err, ERR_INVALID, "no matching subnet for gateway %s", text);
	return 0;
}

int engine_network_create(struct engine *e, const struct engine_network_create *req,
			  char **out_id, struct error *err)
{
	AUTO(store_network) struct store_network row = {0};
	AUTO(json) json_t *j = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	struct network_subnet s;
	uint32_t gateway;
	char id[65];
	int r;

	if ((r = check_request(req, err)) < 0 || (r = engine_need_store(e, err)) < 0 ||
	    (r = choose_subnet(e, req, &s, err)) < 0 ||
	    (r = choose_gateway(req->gateway, &s, &gateway, err)) < 0)
		return r;
	random_hex(id, 64);
	row = (struct store_network){.id = mem_strdup(id),
				     .name = mem_strdup(req->name),
				     .created_ns = clock_now_ns()};
	j = document(req->name, id, row.created_ns, "bridge");
	json_object_set_new(j, "IPAM", ipam(&s, gateway));
	json_object_set_new(j, "Internal", json_boolean(req->internal));
	json_object_set_new(j, "Attachable", json_boolean(req->attachable));
	json_object_set_new(j, "Labels", map_of(&req->labels));
	json_object_set_new(j, "Options", map_of(&req->options));
	json_text(j, &text);
	row.config = buf_steal(&text);
	if ((r = store_network_add(e->store, &row, err)) < 0)
		return r;
	*out_id = mem_strdup(id);
	return 0;
}

/* ---- removing ---- */

static int remove_network(struct engine *e, const json_t *j, struct error *err)
{
	const char *name = json_string_value(json_object_get(j, "Name")),
		   *id = json_string_value(json_object_get(j, "Id")), *member;
	AUTO(buf) struct buf members = BUF_INIT;
	AUTO(free) char *bridge = bridge_name(id);
	json_t *one;
	int r;

	if (is_predefined(name))
		return error_set(err, ERR_CONFLICT,
				 "%s is a pre-defined network and cannot be removed", name);
	json_object_foreach (json_object_get(j, "Containers"), member, one)
		buf_printf(&members, "%sname:\"%s\" id:\"%.12s\"", members.len ? ", " : "",
			   json_string_value(json_object_get(one, "Name")), member);
	if (members.len)
		return error_set(
			err, ERR_CONFLICT,
			"error while removing network: network %s has active endpoints "
			"(%s)",
			name, buf_str(&members));
	/* the bridge first: a row without one is a network whose containers do not run */
	r = network_bridge_remove(bridge, err);
	return r < 0 ? r : store_network_remove(e->store, id, err);
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
		if ((r = engine_network(e, rows.items[i].id, &j, err)) < 0 ||
		    json_object_size(json_object_get(j, "Containers")) ||
		    !engine_prune_wants(how, json_object_get(j, "Labels")))
			continue;
		if ((r = remove_network(e, j, err)) == 0)
			strlist_add(out_names, rows.items[i].name);
	}
	return r;
}

/* ---- for containers ---- */

int network_bridge_of(struct engine *e, const char *name, char out_name[16],
		      struct network_bridge *out, struct error *err)
{
	AUTO(json) json_t *j = NULL;
	AUTO(free) char *bridge = NULL;
	struct network_subnet s;
	struct in_addr a = {0};
	int r = engine_network(e, name, &j, err);

	if (r < 0 || (r = subnet_of(j, &s, err)) < 0)
		return r;
	bridge = bridge_name(json_string_value(json_object_get(j, "Id")));
	memcpy(out_name, bridge, strlen(bridge) + 1);
	inet_pton(AF_INET, subnet_text(j, "Gateway"), &a);
	*out = (struct network_bridge){.name = out_name,
				       .gateway = ntohl(a.s_addr),
				       .prefix_len = s.prefix_len,
				       .internal =
					       json_is_true(json_object_get(j, "Internal"))};
	return 0;
}
