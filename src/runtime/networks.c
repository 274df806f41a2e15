/* SPDX-License-Identifier: Apache-2.0 */
/* The networks of a container: --network and what belongs to it, and the record of them. */
#include "runtime/runtime_networks.h"

#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

void container_network_clear(struct container_network *n)
{
	char **const strings[] = {&n->name, &n->ip, &n->ip6, &n->mac};
	struct strlist *const lists[] = {&n->aliases, &n->links, &n->link_local};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		free(take_ptr(*strings[i]));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strlist_clear(lists[i]);
	map_clear(&n->driver_options);
}

struct container_network *container_network_find(const struct container_options *o,
						 const char *name)
{
	for (size_t i = 0; i < o->networks.n; i++)
		if (str_eq(o->networks.items[i].name, name))
			return &o->networks.items[i];
	return NULL;
}

static struct container_network *add(struct container_options *o, const char *name)
{
	struct container_network *n = vec_push(&o->networks);

	*n = CONTAINER_NETWORK_INIT;
	n->name = mem_strdup(str_eq(name, "default") || !*name ? "bridge" : name);
	return n;
}

static bool is_user_defined(const char *name)
{
	return !str_eq(name, "bridge") && !str_eq(name, "host") && !str_eq(name, "none") &&
	       !str_starts(name, "container:");
}

bool runtime_has_names(const struct container_options *o)
{
	for (size_t i = 0; i < o->networks.n; i++)
		if (is_user_defined(o->networks.items[i].name))
			return true;
	return false;
}

/* ---- small languages ---- */

int container_network_add_link(struct strlist *links, const char *text, struct error *err)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;

	strlist_split(&parts, text, ':');
	if (!*text || parts.n > 2)
		return error_set(err, ERR_INVALID, "bad format for links: %s", text);
	strlist_printf(links, "%s:%s", parts.items[0], parts.items[parts.n - 1]);
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

int container_network_mac(const char *text, uint8_t out[6], struct error *err)
{
	const char *at = text;

	for (int i = 0; i < 6; i++, at += 2) {
		int high, low;

		if (i && *at != ':' && *at != '-')
			break;
		at += i > 0;
		high = hex_digit(at[0]);
		low = high < 0 ? -1 : hex_digit(at[1]);
		if (low < 0)
			break;
		out[i] = (uint8_t)(high << 4 | low);
		if (i == 5 && !at[2])
			return 0;
	}
	return error_set(err, ERR_INVALID, "%s is not a valid mac address", text);
}

int container_network_add_option(struct container_network *n, const char *text,
				 struct error *err)
{
	const size_t len = strcspn(text, "=");
	AUTO(free) char *name = mem_strndup(text, len);

	if (!len || !text[len])
		return error_set(err, ERR_INVALID,
				 "invalid key value pair format in driver options");
	map_set(&n->driver_options, name, mem_strdup(text + len + 1));
	return 0;
}

static void replace(char **to, const char *value)
{
	free(*to);
	*to = mem_strdup(value);
}

static int set_field(struct container_network *n, const char *key, const char *value,
		     struct error *err)
{
	if (str_eq(key, "name")) {
		replace(&n->name, str_eq(value, "default") ? "bridge" : value);
	} else if (str_eq(key, "alias")) {
		strlist_add(&n->aliases, value);
	} else if (str_eq(key, "ip")) {
		replace(&n->ip, value);
	} else if (str_eq(key, "ip6")) {
		replace(&n->ip6, value);
	} else if (str_eq(key, "mac-address")) {
		replace(&n->mac, value);
	} else if (str_eq(key, "link-local-ip")) {
		strlist_add(&n->link_local, value);
	} else if (str_eq(key, "gw-priority")) {
		if (!parse_i64(value, &n->priority) || n->priority != (int)n->priority)
			return error_set(err, ERR_INVALID,
					 "invalid gw-priority (%s): invalid syntax", value);
	} else if (str_eq(key, "driver-opt")) {
		return container_network_add_option(n, value, err);
	} else {
		return error_set(err, ERR_INVALID, "invalid field key %s", key);
	}
	return 0;
}

static int parse_fields(struct container_network *n, const char *text, struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT;
	int r = csv_split(text, &fields, NULL, err);

	for (size_t i = 0; r == 0 && i < fields.n; i++) {
		const size_t len = strcspn(fields.items[i], "=");
		AUTO(free) char *raw = mem_strndup(fields.items[i], len);
		AUTO(free) char *key = str_lower(raw);

		if (!fields.items[i][len])
			return error_set(err, ERR_INVALID, "invalid field %s", fields.items[i]);
		r = set_field(n, key, fields.items[i] + len + 1, err);
	}
	if (r == 0 && !*n->name)
		return error_set(err, ERR_INVALID, "network name/id is not specified");
	return r;
}

int container_options_add_network(struct container_options *o, const char *text,
				  struct error *err)
{
	struct container_network *n;
	int r = 0;

	if (strchr(text, '=')) {
		n = add(o, "");
		*n->name = 0;
		r = parse_fields(n, text, err);
	} else {
		n = add(o, text);
	}
	if (r < 0)
		return r;
	if (str_eq(n->name, "container:"))
		return error_set(err, ERR_INVALID,
				 "invalid container format container:<name|id>");
	return 0;
}

/* ---- all of them together ---- */

static int conflict(struct error *err, const char *flag, const char *what)
{
	return error_set(err, ERR_INVALID,
			 "conflicting options: cannot specify both %s and per-network %s", flag,
			 what);
}

static int set_one(char **to, const char *value, const char *flag, const char *what,
		   struct error *err)
{
	if (str_empty(value))
		return 0;
	if (*to)
		return conflict(err, flag, what);
	*to = mem_strdup(value);
	return 0;
}

/* The flags are for the first. */
static int apply(struct container_network *n, const struct container_network_flags *f,
		 struct error *err)
{
	int r = 0;

	if (n->aliases.n && f->aliases->n)
		return conflict(err, "--network-alias", "alias");
	if (n->link_local.n && f->link_local->n)
		return conflict(err, "--link-local-ip", "link-local IP addresses");
	strlist_addall(&n->aliases, f->aliases);
	strlist_addall(&n->link_local, f->link_local);
	for (size_t i = 0; r == 0 && i < f->links->n; i++) {
		r = container_network_add_link(&n->links, f->links->items[i], err);
		if (r < 0)
			return error_wrap(err, "invalid argument \"%s\" for \"--link\" flag",
					  f->links->items[i]);
	}
	if (r < 0 || (r = set_one(&n->ip, f->ip, "--ip", "IPv4 address", err)) < 0 ||
	    (r = set_one(&n->ip6, f->ip6, "--ip6", "IPv6 address", err)) < 0)
		return r;
	return set_one(&n->mac, f->mac, "--mac-address", "MAC address", err);
}

static int check(const struct container_options *o, struct error *err)
{
	const bool user = is_user_defined(o->networks.items[0].name);
	uint8_t mac[6];
	int r = 0;

	for (size_t i = 0; i < o->networks.n; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(o->networks.items[i].name, o->networks.items[k].name))
				return error_set(err, ERR_INVALID,
						 "network \"%s\" is specified multiple times",
						 o->networks.items[i].name);
	for (size_t i = 0; r == 0 && i < o->networks.n; i++) {
		const struct container_network *n = &o->networks.items[i];

		if (is_user_defined(n->name) != user || (!user && o->networks.n > 1))
			return error_set(err, ERR_INVALID,
					 "conflicting options: cannot attach both "
					 "user-defined and non-user-defined network-modes");
		if (!user && n->aliases.n)
			return error_set(err, ERR_INVALID,
					 "network-scoped aliases are only supported for "
					 "user-defined networks");
		if (n->mac)
			r = container_network_mac(n->mac, mac, err);
	}
	return r;
}

static int check_links(const struct container_network *n, const char *kind, struct error *err)
{
	if (!n->links.n)
		return 0;
	return error_set(err, ERR_INVALID,
			 "conflicting options: %s can't be used with links. This would result "
			 "in undefined behavior",
			 kind);
}

/* What belongs to the network of the other container is said there. */
static int check_shared(const struct container_options *o, struct error *err)
{
	const struct {
		bool given;
		const char *what;
	} rules[] = {
		{o->hostname != NULL, "hostname and the network mode"},
		{o->dns.n > 0, "dns and the network mode"},
		{o->extra_hosts.n > 0, "custom host-to-IP mapping and the network mode"},
		{o->publish.n > 0 || o->publish_all,
		 "port publishing and the container type network mode"},
		{o->expose.n > 0, "port exposing and the container type network mode"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].given)
			return error_set(err, ERR_CONFLICT, "conflicting options: %s",
					 rules[i].what);
	return 0;
}

int container_options_set_networks(struct container_options *o,
				   const struct container_network_flags *flags,
				   struct error *err)
{
	struct container_network *first;
	int r;

	if (!o->networks.n)
		add(o, "bridge");
	first = &o->networks.items[0];
	if ((r = apply(first, flags, err)) < 0 || (r = check(o, err)) < 0)
		return r;
	if (str_starts(first->name, "container:")) {
		o->network = RUNTIME_NETWORK_CONTAINER;
		o->network_name = mem_strdup(first->name + strlen("container:"));
		if ((r = check_links(first, "container type network", err)) == 0)
			r = check_shared(o, err);
		container_network_clear(first);
		o->networks.n = 0;
		return r;
	}
	if (str_eq(first->name, "host")) {
		o->network = RUNTIME_NETWORK_HOST;
		return check_links(first, "host type networking", err);
	}
	if (is_user_defined(first->name)) {
		o->network = RUNTIME_NETWORK_NAMED;
		o->network_name = mem_strdup(first->name);
	} else {
		o->network = str_eq(first->name, "none") ? RUNTIME_NETWORK_NONE
							 : RUNTIME_NETWORK_DEFAULT;
	}
	return 0;
}

/* ---- record ---- */

static void put_text(json_t *j, const char *key, const char *value)
{
	if (value)
		json_put_text(j, key, value);
}

static void put_list(json_t *j, const char *key, const struct strlist *l)
{
	if (l->n)
		json_object_set_new(j, key, json_from_strings(l));
}

json_t *networks_encode(const struct container_network_list *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct container_network *n = &l->items[i];
		json_t *j = json_object();

		put_text(j, "name", n->name);
		put_list(j, "aliases", &n->aliases);
		put_list(j, "links", &n->links);
		put_list(j, "link_local", &n->link_local);
		put_text(j, "ip", n->ip);
		put_text(j, "ip6", n->ip6);
		put_text(j, "mac", n->mac);
		if (n->priority)
			json_object_set_new(j, "priority", json_integer(n->priority));
		if (n->driver_options.live)
			json_object_set_new(j, "driver_options",
					    json_from_map(&n->driver_options));
		json_array_append_new(list, j);
	}
	return list;
}

static int decode_one(const json_t *j, struct container_network *n, struct error *err)
{
	json_t *options = NULL, *value;
	const char *key;
	int r;

	*n = CONTAINER_NETWORK_INIT;
	if ((r = json_get_string(j, "name", &n->name, err)) < 0 ||
	    (r = json_get_strings(j, "aliases", &n->aliases, NULL, err)) < 0 ||
	    (r = json_get_strings(j, "links", &n->links, NULL, err)) < 0 ||
	    (r = json_get_strings(j, "link_local", &n->link_local, NULL, err)) < 0 ||
	    (r = json_get_string(j, "ip", &n->ip, err)) < 0 ||
	    (r = json_get_string(j, "ip6", &n->ip6, err)) < 0 ||
	    (r = json_get_string(j, "mac", &n->mac, err)) < 0 ||
	    (r = json_get_i64(j, "priority", &n->priority, err)) < 0 ||
	    (r = json_get_object(j, "driver_options", &options, err)) < 0)
		return r;
	json_object_foreach (options, key, value)
		if (json_is_string(value))
			map_set(&n->driver_options, key, mem_strdup(json_string_value(value)));
	return n->name ? 0 : error_set(err, ERR_INVALID, "a network has no name");
}

int networks_decode(const json_t *j, struct container_options *o, struct error *err)
{
	json_t *list = NULL, *one;
	size_t i;
	int r = json_get_array(j, "networks", &list, err);

	json_array_foreach (list, i, one)
		if (r < 0 || (r = decode_one(one, vec_push(&o->networks), err)) < 0)
			return r;
	if (r < 0 || list)
		return r;
	/* a record from before there were several */
	if (o->network == RUNTIME_NETWORK_DEFAULT)
		add(o, "bridge");
	else if (o->network == RUNTIME_NETWORK_NAMED && o->network_name)
		add(o, o->network_name);
	return 0;
}
