/* SPDX-License-Identifier: Apache-2.0 */
/* network create: subnets, gateways, ranges and options become a document. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/parse.h"
#include "engine/engine_network.h"

#include "base/banned.h"

#define INTERFACE_LETTERS 15
#define PREFIX_LETTERS	  9

/* ---- what is asked ---- */

static int check_name(const char *name, struct error *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (str_empty(name) || strchr("_.-", name[0]) || strspn(name, letters) != strlen(name))
		return error_set(err, ERR_INVALID,
				 "invalid network name: must match the regular expression "
				 "\"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$\": %s",
				 name);
	if (network_is_predefined(name) || str_eq(name, "default"))
		return error_set(err, ERR_CONFLICT,
				 "operation is not permitted on predefined %s network", name);
	return 0;
}

static int check_drivers(const struct engine_network_create *req, struct error *err)
{
	if (req->driver && !str_eq(req->driver, "bridge"))
		return error_set(
			err, ERR_UNSUPPORTED,
			"could not find a network driver named \"%s\": there is bridge",
			req->driver);
	if (!str_empty(req->ipam_driver) && !str_eq(req->ipam_driver, "default"))
		return error_set(err, ERR_UNSUPPORTED, "plugin \"%s\" not found",
				 req->ipam_driver);
	if (!str_empty(req->scope) && !str_eq(req->scope, "local"))
		return error_set(err, ERR_UNSUPPORTED,
				 "cannot create a %s scoped network when swarm is not active",
				 req->scope);
	if (req->ingress)
		return error_set(err, ERR_UNSUPPORTED,
				 "Ingress network can only be global scope network");
	if (req->no_ipv4 && !req->ipv6)
		return error_set(err, ERR_INVALID, "IPv4 or IPv6 must be enabled");
	return 0;
}

enum option_kind {
	OPTION_BOOLEAN = 1,
	OPTION_NUMBER,
	OPTION_INTERFACE,
	OPTION_PREFIX,
	OPTION_ADDRESS,
	OPTION_MODE,
};

static const struct {
	const char *name;
	enum option_kind kind;
} known_options[] = {
	{"com.docker.network.bridge.name", OPTION_INTERFACE},
	{"com.docker.network.bridge.enable_icc", OPTION_BOOLEAN},
	{"com.docker.network.bridge.enable_ip_masquerade", OPTION_BOOLEAN},
	{"com.docker.network.bridge.host_binding_ipv4", OPTION_ADDRESS},
	{"com.docker.network.bridge.gateway_mode_ipv4", OPTION_MODE},
	{"com.docker.network.bridge.gateway_mode_ipv6", OPTION_MODE},
	{"com.docker.network.container_iface_prefix", OPTION_PREFIX},
	{"com.docker.network.driver.mtu", OPTION_NUMBER},
};

/* A name for an interface that nothing else could be meant by, in nft's text neither. */
static bool is_interface(const char *text, size_t most)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return *text && strlen(text) <= most && strspn(text, letters) == strlen(text) &&
	       text[0] != '.' && text[0] != '-';
}

static int check_option(enum option_kind kind, const char *name, const char *value,
			struct error *err)
{
	struct network_ip ip;
	uint64_t number;
	bool flag;

	switch (kind) {
	case OPTION_BOOLEAN:
		if (parse_bool(value, &flag))
			return 0;
		return error_set(err, ERR_INVALID,
				 "failed to parse %s value: %s (strconv.ParseBool: parsing "
				 "\"%s\": invalid syntax)",
				 name, value, value);
	case OPTION_NUMBER:
		if (parse_u64(value, 65535, &number))
			return 0;
		return error_set(err, ERR_INVALID,
				 "failed to parse %s value: %s (strconv.Atoi: parsing \"%s\": "
				 "invalid syntax)",
				 name, value, value);
	case OPTION_INTERFACE:
		if (is_interface(value, INTERFACE_LETTERS) && !str_eq(value, "stave0"))
			return 0;
		break;
	case OPTION_PREFIX:
		if (is_interface(value, PREFIX_LETTERS))
			return 0;
		break;
	case OPTION_ADDRESS:
		if (network_ip_parse(value, &ip) && ip.len == 4)
			return 0;
		break;
	case OPTION_MODE:
		if (str_eq(value, "nat") || str_eq(value, "nat-unprotected"))
			return 0;
		if (!str_eq(value, "routed") && !str_eq(value, "isolated"))
			return error_set(
				err, ERR_INVALID,
				"failed to parse %s value: %s (unknown gateway mode %s)", name,
				value, value);
		return error_set(err, ERR_UNSUPPORTED,
				 "%s: nat and nat-unprotected are supported, not %s", name,
				 value);
	}
	return error_set(err, ERR_INVALID, "invalid value for %s: %s", name, value);
}

static int check_options(const json_t *options, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(known_options); i++) {
		const char *value =
			json_string_value(json_object_get(options, known_options[i].name));

		if (value)
			r = check_option(known_options[i].kind, known_options[i].name, value,
					 err);
	}
	return r;
}

/* ---- subnets ---- */

struct subnet_list {
	struct network_subnet *items;
	size_t n;
	size_t cap;
};

static void subnet_list_auto(struct subnet_list *l)
{
	free(l->items);
}

static json_t *add_subnet(json_t *config, const struct network_subnet *s)
{
	char text[NETWORK_TEXT_BYTES];
	json_t *one = json_object();

	json_object_set_new(
		one, "Subnet",
		json_sprintf("%s/%u", network_ip_text(&s->network, text), s->prefix_len));
	json_array_append_new(config, one);
	return one;
}

/* Those of networks that exist, of both families. */
static void find_taken(const json_t *networks, struct subnet_list *out)
{
	struct network_subnet s;
	json_t *j;
	size_t i;

	json_array_foreach (networks, i, j)
		for (size_t k = 0; network_subnet_of(j, k, &s, NULL) == 0; k++)
			*vec_push(out) = s;
}

/* Of the given subnets that which @ip belongs to. */
static json_t *subnet_with(json_t *config, const struct network_ip *ip)
{
	json_t *one;
	size_t i;

	json_array_foreach (config, i, one) {
		const char *text = json_string_value(json_object_get(one, "Subnet"));
		struct network_subnet s;

		if (network_subnet_parse(text, &s, NULL) == 0 && network_subnet_has(&s, ip))
			return one;
	}
	return NULL;
}

static int read_subnets(const struct engine_network_create *req, json_t *config, bool given[],
			struct error *err)
{
	for (size_t i = 0; i < req->subnets.n; i++) {
		struct network_subnet s;
		enum network_family f;
		int r = network_subnet_parse(req->subnets.items[i], &s, err);

		if (r < 0)
			return r;
		f = network_ip_family(&s.network);
		if (given[f])
			return error_set(err, ERR_UNSUPPORTED,
					 "bridge driver doesn't support multiple subnets");
		given[f] = true;
		add_subnet(config, &s);
	}
	return 0;
}

static int read_addresses(const struct strlist *texts, const char *what, const char *key,
			  json_t *config, struct error *err)
{
	if (texts->n && !json_array_size(config))
		return error_set(err, ERR_INVALID,
				 "every ip-range or gateway must have a corresponding subnet");
	for (size_t i = 0; i < texts->n; i++) {
		const char *text = texts->items[i];
		const size_t len = strcspn(text, "/");
		AUTO(free) char *address = mem_strndup(text, len);
		struct network_ip ip;
		json_t *one;

		if (str_eq(key, "IPRange") && !text[len])
			return error_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
		one = network_ip_parse(address, &ip) ? subnet_with(config, &ip) : NULL;
		if (!one)
			return error_set(err, ERR_INVALID, "no matching subnet for %s %s", what,
					 text);
		if (json_object_get(one, key))
			return error_set(err, ERR_INVALID,
					 "cannot configure multiple %ss (%s, %s) on the same "
					 "subnet",
					 what, text,
					 json_string_value(json_object_get(one, key)));
		json_object_set_new(one, key, json_string(text));
	}
	return 0;
}

static int read_auxiliary(const struct strlist *texts, json_t *config, struct error *err)
{
	if (texts->n > LIMIT_NETWORK_RESERVED)
		return error_set(err, ERR_LIMIT, "at most %d auxiliary addresses",
				 LIMIT_NETWORK_RESERVED);
	for (size_t i = 0; i < texts->n; i++) {
		const size_t len = strcspn(texts->items[i], "=");
		const char *text = texts->items[i] + len + !!texts->items[i][len];
		AUTO(free) char *name = mem_strndup(texts->items[i], len);
		struct network_ip ip;
		json_t *one = network_ip_parse(text, &ip) ? subnet_with(config, &ip) : NULL;

		if (!one)
			return error_set(err, ERR_INVALID,
					 "no matching subnet for aux-address %s", text);
		if (!json_object_get(one, "AuxiliaryAddresses"))
			json_object_set_new(one, "AuxiliaryAddresses", json_object());
		json_object_set_new(json_object_get(one, "AuxiliaryAddresses"), name,
				    json_string(text));
	}
	return 0;
}

static const char *member(const json_t *one, const char *key)
{
	return json_string_value(json_object_get(one, key));
}

static int check_range(const json_t *one, const struct network_subnet *s,
		       struct network_subnet *out, struct error *err)
{
	const char *text = member(one, "IPRange");
	char first[NETWORK_TEXT_BYTES];
	const char *slash = strchr(text, '/');
	AUTO(free) char *address = mem_strndup(text, (size_t)(slash - text));
	struct network_ip start;
	uint64_t len;

	if (!parse_u64(slash + 1, s->network.len * 8u, &len))
		return error_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
	if (len < s->prefix_len)
		return error_set(err, ERR_INVALID,
				 "invalid ip-range %s: CIDR block is bigger than its parent "
				 "subnet %s",
				 text, member(one, "Subnet"));
	if (network_subnet_parse(text, out, NULL) == 0)
		return 0;
	network_ip_parse(address, &start);
	start = network_ip_with_host(&start, (unsigned)len, 0);
	return error_set(err, ERR_INVALID, "invalid ip-range %s: it should be %s/%u", text,
			 network_ip_text(&start, first), (unsigned)len);
}

/* Not the subnet's own: of IPv4 the first and the last, of IPv6 that of all its routers. */
static bool is_usable(const struct network_subnet *s, const struct network_ip *ip)
{
	const unsigned bits = s->network.len * 8u - s->prefix_len;
	const uint64_t host = network_ip_host(ip, s->prefix_len);

	if (bits < 2)
		return true;
	return host && (ip->len == 16 || host != (UINT64_C(1) << bits) - 1);
}

/* The first address, of the range if there is one, unless it was given. */
static int choose_gateway(json_t *one, const struct network_subnet *s, struct network_ip *out,
			  struct error *err)
{
	const char *given = member(one, "Gateway");
	char text[NETWORK_TEXT_BYTES];
	struct network_subnet part = {.prefix_len = 0};
	uint64_t host = 0;
	int r;

	if (member(one, "IPRange")) {
		if ((r = check_range(one, s, &part, err)) < 0)
			return r;
		host = network_ip_host(&part.network, s->prefix_len);
	}
	if (given && !network_ip_parse(given, out))
		return error_set(err, ERR_INVALID, "invalid gateway %s: invalid address",
				 given);
	if (given && !is_usable(s, out))
		return error_set(err, ERR_CONFLICT,
				 "failed to allocate gateway (%s): Address already in use",
				 given);
	if (given)
		return 0;
	*out = network_ip_with_host(&s->network, s->prefix_len, host ? host : 1);
	json_object_set_new(one, "Gateway", json_string(network_ip_text(out, text)));
	return 0;
}

static int settle_subnet(json_t *one, struct error *err)
{
	json_t *all = json_object_get(one, "AuxiliaryAddresses"), *address;
	struct network_ip gateway, ip;
	struct network_subnet s;
	const char *name;
	int r = network_subnet_parse(member(one, "Subnet"), &s, err);

	if (r < 0 || (r = choose_gateway(one, &s, &gateway, err)) < 0)
		return r;
	json_object_foreach (all, name, address) {
		const char *text = json_string_value(address);

		if (network_ip_parse(text, &ip) &&
		    (!is_usable(&s, &ip) || network_ip_equal(&ip, &gateway)))
			return error_set(err, ERR_CONFLICT,
					 "failed to allocate secondary ip address (%s:%s): "
					 "Address already in use",
					 name, text);
	}
	return 0;
}

/* The fields as Docker has them. */
static void put_in_order(json_t *one)
{
	static const char *const keys[] = {"Subnet", "IPRange", "Gateway",
					   "AuxiliaryAddresses"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_incref(json_object_get(one, keys[i]));

		if (!value)
			continue;
		json_object_del(one, keys[i]);
		json_object_set_new(one, keys[i], value);
	}
}

static int check_overlaps(const json_t *config, const struct subnet_list *taken,
			  struct error *err)
{
	const json_t *one;
	size_t i;

	json_array_foreach (config, i, one) {
		struct network_subnet s;

		network_subnet_parse(json_string_value(json_object_get(one, "Subnet")), &s,
				     NULL);
		for (size_t k = 0; k < taken->n; k++)
			if (network_subnets_overlap(&taken->items[k], &s))
				return error_set(err, ERR_CONFLICT,
						 "invalid pool request: Pool overlaps with "
						 "other one on this address space");
	}
	return 0;
}

/* The array IPAM.Config; *@out_automatic: was nothing given? */
static int make_config(const json_t *networks, const struct engine_network_create *req,
		       const char *id, json_t *config, bool *out_automatic, struct error *err)
{
	const bool wanted[NETWORK_FAMILIES] = {!req->no_ipv4, req->ipv6};
	AUTO(subnet_list) struct subnet_list taken = {0};
	bool given[NETWORK_FAMILIES] = {false, false};
	json_t *one;
	size_t i;
	int r;

	find_taken(networks, &taken);
	if ((r = read_subnets(req, config, given, err)) < 0 ||
	    (r = read_addresses(&req->gateways, "gateway", "Gateway", config, err)) < 0 ||
	    (r = read_addresses(&req->ranges, "range", "IPRange", config, err)) < 0 ||
	    (r = read_auxiliary(&req->auxiliary, config, err)) < 0 ||
	    (r = check_overlaps(config, &taken, err)) < 0)
		return r;
	*out_automatic = !json_array_size(config);
	for (i = 0; i < NETWORK_FAMILIES; i++) {
		struct network_subnet s;

		if (!wanted[i] || given[i])
			continue;
		r = network_subnet_free((enum network_family)i, id, taken.items, taken.n, &s,
					err);
		if (r < 0)
			return r;
		add_subnet(config, &s);
	}
	json_array_foreach (config, i, one) {
		if ((r = settle_subnet(one, err)) < 0)
			return r;
		put_in_order(one);
	}
	return 0;
}

static int check_bridge(const json_t *networks, const json_t *own, struct error *err)
{
	AUTO(free) char *name = network_bridge_name(own);
	const json_t *j;
	size_t i;

	json_array_foreach (networks, i, j) {
		AUTO(free) char *other = network_bridge_name(j);

		if (str_eq(name, other))
			return error_set(err, ERR_CONFLICT,
					 "cannot create network %s (%s): conflicts with "
					 "network %s (%s): networks have same bridge name",
					 member(own, "Id"), name, member(j, "Id"), name);
	}
	return 0;
}

static json_t *map_of(const struct strlist *words)
{
	json_t *j = json_object();

	for (size_t i = 0; i < words->n; i++) {
		const size_t len = strcspn(words->items[i], "=");
		AUTO(free) char *key = mem_strndup(words->items[i], len);

		json_put_text(j, key, words->items[i] + len + !!words->items[i][len]);
	}
	return j;
}

/* Between a look at the others and its row nobody else may make one. */
static int add_row(struct engine *e, const struct engine_network_create *req, json_t *j,
		   struct store_network *row, struct error *err)
{
	json_t *config = json_object_get(json_object_get(j, "IPAM"), "Config");
	AUTO(json) json_t *networks = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	bool automatic = false;
	int r;

	if ((r = networks_read(e, &networks, err)) < 0 ||
	    (r = make_config(networks, req, row->id, config, &automatic, err)) < 0 ||
	    (r = check_bridge(networks, j, err)) < 0)
		return r;
	json_object_set_new(j, NETWORK_AUTOMATIC, json_boolean(automatic));
	json_text(j, &text);
	row->config = buf_steal(&text);
	return store_network_add(e->store, row, err);
}

int engine_network_create(struct engine *e, const struct engine_network_create *req,
			  char **out_id, struct error *err)
{
	AUTO(store_network) struct store_network row = {0};
	AUTO(json) json_t *j = NULL;
	char id[65];
	int r;

	if ((r = check_name(req->name, err)) < 0 || (r = check_drivers(req, err)) < 0 ||
	    (r = engine_need_store(e, err)) < 0)
		return r;
	random_hex(id, 64);
	row = (struct store_network){.id = mem_strdup(id),
				     .name = mem_strdup(req->name),
				     .created_ns = clock_now_ns()};
	j = network_document(req->name, id, row.created_ns, "bridge");
	json_object_set_new(json_object_get(j, "IPAM"), "Options", map_of(&req->ipam_options));
	json_object_set_new(j, "EnableIPv4", json_boolean(!req->no_ipv4));
	json_object_set_new(j, "EnableIPv6", json_boolean(req->ipv6));
	json_object_set_new(j, "Internal", json_boolean(req->internal));
	json_object_set_new(j, "Attachable", json_boolean(req->attachable));
	json_object_set_new(j, "Labels", map_of(&req->labels));
	json_object_set_new(j, "Options", map_of(&req->options));
	if ((r = check_options(json_object_get(j, "Options"), err)) < 0 ||
	    (r = store_begin(e->store, false, err)) < 0)
		return r;
	if ((r = add_row(e, req, j, &row, err)) < 0) {
		store_abort(e->store);
		return r;
	}
	if ((r = store_commit(e->store, err)) < 0)
		return r;
	network_event(e, "create", id, req->name, "bridge");
	*out_id = mem_strdup(id);
	return 0;
}
