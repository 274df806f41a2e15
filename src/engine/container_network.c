/* SPDX-License-Identifier: Apache-2.0 */
/* A container's way into its networks: at its start, and while it runs. */
#include "engine/engine_network.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"

#include "base/banned.h"

#define LIMIT_ETC_BYTES (1u << 20)
#define INTERFACE_NAME	"com.docker.network.endpoint.ifname"
#define HOST_BINDING	"com.docker.network.bridge.host_binding_ipv4"

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

/* A bridge may say on which address ports are that name none. */
static void bind_ports(const struct engine_bridge *b, struct network_port_list *ports)
{
	const char *text = b->document ? network_option(b->document, HOST_BINDING) : NULL;

	for (size_t i = 0; text && i < ports->n; i++)
		if (!ports->items[i].host_ip.len)
			network_ip_parse(text, &ports->items[i].host_ip);
}

/* ---- what a network is asked for ---- */

static bool is_user_defined(const char *name)
{
	return !network_is_predefined(name);
}

/* Several are a list, as Docker has them. */
static int complain(const struct strlist *problems, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (!problems->n)
		return 0;
	for (size_t i = 0; i < problems->n; i++)
		buf_printf(&text, "\n%s%s", problems->n > 1 ? "* " : "", problems->items[i]);
	return error_set(err, ERR_INVALID, "invalid endpoint settings:%s", buf_str(&text));
}

static void check_range(const struct engine_bridge *b, const struct network_ip *ip,
			const char *text, struct strlist *problems)
{
	const enum network_family f = network_ip_family(ip);
	const struct network_pool *p = &b->bridge.pools[f];
	const struct network_subnet s = {p->gateway, p->prefix_len};

	if (p->gateway.len && !network_subnet_has(&s, ip))
		strlist_printf(problems,
			       "no configured subnet or ip-range contain the IP address %s",
			       text);
}

static void read_addresses(const struct engine_bridge *b, const struct container_network *n,
			   struct network_wish *w, struct strlist *problems)
{
	const char *const texts[NETWORK_FAMILIES] = {n->ip, n->ip6};
	const bool chosen =
		b->document && !json_is_true(json_object_get(b->document, NETWORK_AUTOMATIC));
	bool missing = false;

	if ((n->ip || n->ip6) && !is_user_defined(b->network))
		strlist_add(problems, "user specified IP address is supported on user defined "
				      "networks only");
	for (size_t i = 0; i < NETWORK_FAMILIES; i++) {
		struct network_ip *ip = &w->addresses[i];

		if (!texts[i])
			continue;
		missing |= !chosen || !b->bridge.pools[i].gateway.len;
		if (!network_ip_parse(texts[i], ip) || network_ip_family(ip) != i)
			strlist_printf(problems, "invalid IPv%c address: %s", i ? '6' : '4',
				       texts[i]);
		else
			check_range(b, ip, texts[i], problems);
	}
	for (size_t i = 0; i < n->link_local.n; i++) {
		struct network_ip ip;

		if (!network_ip_parse(n->link_local.items[i], &ip))
			strlist_printf(problems, "invalid link-local IP address: %s",
				       n->link_local.items[i]);
		else if (w->n_link_local < ARRAY_SIZE(w->link_local))
			w->link_local[w->n_link_local++] = ip;
		else
			strlist_printf(problems, "more than %zu link-local IP addresses: %s",
				       ARRAY_SIZE(w->link_local), n->link_local.items[i]);
	}
	if (missing)
		strlist_add(problems,
			    "user specified IP address is supported only when connecting to "
			    "networks with user configured subnets");
}

static void add_name(struct strlist *names, const char *name)
{
	if (strlist_find(names, name) < 0)
		strlist_add(names, name);
}

/* By which others find it, in Docker's order. */
static void make_names(const struct container_network *n, const struct container_options *o,
		       const char *name, struct strlist *out)
{
	AUTO(free) char *id = mem_strndup(o->id, 12);

	add_name(out, name);
	for (size_t i = 0; i < n->aliases.n; i++)
		add_name(out, n->aliases.items[i]);
	add_name(out, id);
	if (o->hostname)
		add_name(out, o->hostname);
}

int network_request_make(const struct engine_bridge *b, const struct container_network *n,
			 const struct container_options *o, const char *name,
			 struct network_request *out, struct error *err)
{
	AUTO(strlist) struct strlist problems = STRLIST_INIT;
	const char *interface = map_get(&n->driver_options, INTERFACE_NAME);
	int r;

	*out = (struct network_request){.wish = {.priority = (int)n->priority}};
	read_addresses(b, n, &out->wish, &problems);
	if ((r = complain(&problems, err)) < 0)
		return r;
	if (n->mac) {
		out->wish.has_mac = true;
		if ((r = container_network_mac(n->mac, out->wish.mac, err)) < 0)
			return r;
	}
	if (interface && (!*interface || strlen(interface) > 15 || strpbrk(interface, "/ \t")))
		return error_set(err, ERR_INVALID, "invalid interface name: %s", interface);
	out->interface = interface ? mem_strdup(interface) : NULL;
	out->wish.interface = out->interface;
	if (!is_user_defined(b->network))
		return 0;
	make_names(n, o, name, &out->names);
	for (size_t i = 0; i < n->links.n; i++) {
		const char *link = n->links.items[i];
		const size_t len = strcspn(link, ":");

		strlist_printf(&out->links, "%s %.*s", link + len + 1, (int)len, link);
	}
	return 0;
}

void network_request_clear(struct network_request *r)
{
	strlist_clear(&r->names);
	strlist_clear(&r->links);
	free(r->interface);
}

void container_network_resolve(struct engine *e, struct container_options *o)
{
	for (size_t i = 0; i < o->networks.n; i++) {
		struct container_network *n = &o->networks.items[i];
		AUTO(engine_bridge) struct engine_bridge b = {0};

		if (!is_user_defined(n->name) || engine_bridge_open(e, n->name, &b, NULL) < 0 ||
		    str_eq(n->name, b.network))
			continue;
		if (str_eq(n->name, o->network_name)) {
			free(o->network_name);
			o->network_name = mem_strdup(b.network);
		}
		free(n->name);
		n->name = mem_strdup(b.network);
	}
}

/* ---- at its start ---- */

static int join_container(struct container_box *b, struct error *err)
{
	AUTO(store_container) struct store_container c = {0};
	AUTO(free) char *path = NULL;
	pid_t pid;
	int r = engine_container(b->e, b->o->network_name, &c, err);

	if (r < 0)
		return r;
	if (!container_is_up(&c))
		return error_set(err, ERR_CONFLICT,
				 "cannot join network of a non running container: %s", c.id);
	if ((r = container_process(&c, &pid, err)) < 0)
		return error_wrap(err, "cannot join the network of %s", c.name);
	path = mem_printf("/proc/%d/ns/net", (int)pid);
	b->endpoint.netns = open(path, O_RDONLY | O_CLOEXEC);
	return b->endpoint.netns < 0 ? error_sys(err, "cannot join the network of %s", c.name)
				     : 0;
}

static int attach_one(struct container_box *b, const struct container_network *n,
		      struct network_port_list *ports, struct error *err)
{
	AUTO(engine_bridge) struct engine_bridge bridge = {0};
	AUTO(network_request) struct network_request request = {0};
	int r = engine_bridge_open(b->e, n->name, &bridge, err);

	if (r < 0)
		return r;
	r = network_request_make(&bridge, n, b->o, b->row.name, &request, err);
	if (r < 0)
		return error_wrap(err, "invalid config for network %s", n->name);
	request.wish.names = &request.names;
	request.wish.links = &request.links;
	if (ports)
		bind_ports(&bridge, ports);
	r = network_attach(&bridge.bridge, &request.wish, -1, &b->endpoint, err);
	if (r == 0)
		container_event_connect(b, bridge.id, bridge.network, "bridge");
	return r;
}

/* One that is a name and nothing to attach to. */
static void tell_predefined(struct container_box *b, const char *name, const char *driver)
{
	AUTO(engine_bridge) struct engine_bridge bridge = {0};

	if (engine_bridge_open(b->e, name, &bridge, NULL) == 0)
		container_event_connect(b, bridge.id, name, driver);
}

/* The order of its interfaces: by priority, then the one it was made for, then by name. */
static bool is_before(const struct container_options *o, const struct container_network *a,
		      const struct container_network *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (str_eq(a->name, o->network_name) || str_eq(b->name, o->network_name))
		return str_eq(a->name, o->network_name);
	return strcmp(a->name, b->name) < 0;
}

static void sort_networks(struct container_options *o)
{
	struct container_network *n = o->networks.items;

	for (size_t i = 1; i < o->networks.n; i++)
		for (size_t k = i; k > 0 && is_before(o, &n[k], &n[k - 1]); k--) {
			const struct container_network moved = n[k];

			n[k] = n[k - 1];
			n[k - 1] = moved;
		}
}

/* Where its names are kept: a path, as others write into the file. */
static int find_names(struct container_box *b, struct error *err)
{
	AUTO(free) char *where = io_fd_path(b->dir);

	if (!where)
		return error_sys(err, "cannot find the directory of %s", b->row.name);
	free(b->endpoint.names_path);
	b->endpoint.names_path = mem_printf("%s/names", where);
	return 0;
}

/* Of the names: the server that answers for them, or none any more. */
static int serve_names(struct container_box *b, struct error *err)
{
	const struct network_dns dns = {.servers = b->o->dns.items};

	if (!runtime_has_names(b->o))
		return 0;
	return network_serve(&b->endpoint, &dns, err);
}

static int announce(struct container_box *b, struct error *err)
{
	int r = 0;

	if (runtime_has_names(b->o) && (r = find_names(b, err)) < 0)
		return r;
	r = network_announce(&b->endpoint, b->row.id, err);
	return r < 0 ? r : serve_names(b, err);
}

/* One --link of the default bridge: "NAME:ALIAS" becomes a line of /etc/hosts. */
static int add_link(struct container_box *b, const char *link, struct error *err)
{
	const size_t len = strcspn(link, ":");
	AUTO(free) char *name = mem_strndup(link, len);
	AUTO(store_container) struct store_container c = {0};
	AUTO(json) json_t *state = NULL;
	AUTO(fd) int dir = -1;
	const char *address;
	int r = engine_container(b->e, name, &c, err);

	if (r < 0)
		return error_wrap(err, "could not get container for %s", name);
	if (!container_is_up(&c))
		return error_set(err, ERR_CONFLICT,
				 "Cannot link to a non running container: /%s AS /%s/%s",
				 c.name, b->row.name, link + len + 1);
	if ((r = container_open_dir(b->e, c.id, &dir, err)) < 0)
		return r;
	state = container_state_read(dir);
	address = json_string_value(json_object_get(
		json_object_get(json_object_get(state, "networks"), "bridge"), "IPAddress"));
	if (str_empty(address))
		return error_set(err, ERR_CONFLICT,
				 "container %s not attached to default bridge network", c.id);
	strlist_printf(&b->o->link_hosts, "%s\t%s %.12s %s", address, link + len + 1, c.id,
		       c.name);
	return 0;
}

static int add_links(struct container_box *b, struct error *err)
{
	const struct container_network *n = container_network_find(b->o, "bridge");
	int r = 0;

	strlist_clear(&b->o->link_hosts);
	for (size_t i = 0; n && r == 0 && i < n->links.n; i++)
		r = add_link(b, n->links.items[i], err);
	return r;
}

int container_network_attach(struct container_box *b, struct error *err)
{
	AUTO(network_port_list) struct network_port_list ports = {0};
	struct container_options *o = b->o;
	int r;

	if (o->network == RUNTIME_NETWORK_HOST) {
		tell_predefined(b, "host", "host");
		return 0;
	}
	if (o->network == RUNTIME_NETWORK_CONTAINER)
		return join_container(b, err);
	if ((r = collect_ports(o, &b->image.config, &ports, err)) < 0 ||
	    (r = add_links(b, err)) < 0)
		return r;
	if ((ports.n || runtime_has_names(o)) &&
	    (r = lease_note(b->lease, "endpoint", b->row.id, err)) < 0)
		return r;
	sort_networks(o);
	for (size_t i = 0; i < o->networks.n; i++)
		if (!str_eq(o->networks.items[i].name, "none") &&
		    (r = attach_one(b, &o->networks.items[i], &ports, err)) < 0)
			return r;
	if (!b->endpoint.n)
		tell_predefined(b, "none", "null");
	if (b->endpoint.netns < 0 && (r = network_namespace_new(&b->endpoint.netns, err)) < 0)
		return r;
	network_publish(&b->endpoint, &ports);
	return announce(b, err);
}

/* ---- while it runs ---- */

/* Takes @lines out of the text, or puts them at its end. */
static int edit_hosts(struct container_box *b, const struct buf *lines, bool add,
		      struct error *err)
{
	AUTO(fd) int fd = openat(b->dir, "hosts", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	AUTO(buf) struct buf text = BUF_INIT;
	char *at;

	/* somebody's own file is mounted there instead */
	if (fd < 0)
		return 0;
	if (io_read_regular(fd, LIMIT_ETC_BYTES, &text, err) < 0)
		return -ERR_SYSTEM;
	at = lines->len ? strstr(text.data ? text.data : "", buf_str(lines)) : NULL;
	if (add) {
		buf_add(&text, lines->data, lines->len);
	} else if (at) {
		memmove(at, at + lines->len, text.len - (size_t)(at - text.data) - lines->len);
		text.len -= lines->len;
	}
	/* in place: the file is mounted in the container, and another one would not be */
	if (lseek(fd, 0, SEEK_SET) < 0 || io_write_full(fd, buf_str(&text), text.len) < 0 ||
	    ftruncate(fd, (off_t)text.len) < 0)
		return error_sys(err, "cannot write the hosts of %s", b->row.name);
	return 0;
}

static int change_hosts(struct container_box *b, const struct network_attachment *a, bool add,
			struct error *err)
{
	AUTO(buf) struct buf names = BUF_INIT, lines = BUF_INIT;

	runtime_hosts_names(b->o, &names);
	network_hosts_own(a, buf_str(&names), &lines);
	return edit_hosts(b, &lines, add, err);
}

static int leave_network(struct container_box *b, size_t i, struct error *err)
{
	AUTO(free) char *name = mem_strdup(b->endpoint.items[i].network);
	int r = network_detach(&b->endpoint, i, err);

	if (r == 0)
		container_event_leave(b, store_dir(b->e->store, STORE_ROOT), name);
	return r;
}

static int leave_networks(struct container_box *b, const struct container_options *fresh,
			  struct error *err)
{
	for (size_t i = b->endpoint.n; i-- > 0;) {
		const struct network_attachment *a = &b->endpoint.items[i];
		int r;

		if (container_network_find(fresh, a->network))
			continue;
		if ((r = change_hosts(b, a, false, err)) < 0 ||
		    (r = leave_network(b, i, err)) < 0)
			return r;
	}
	return 0;
}

static bool is_attached(const struct network_endpoint *e, const char *network)
{
	for (size_t i = 0; i < e->n; i++)
		if (str_eq(e->items[i].network, network))
			return true;
	return false;
}

static int enter_networks(struct container_box *b, const struct container_options *fresh,
			  struct error *err)
{
	for (size_t i = 0; i < fresh->networks.n; i++) {
		const struct container_network *n = &fresh->networks.items[i];
		int r;

		if (str_eq(n->name, "none") || is_attached(&b->endpoint, n->name))
			continue;
		if ((r = attach_one(b, n, NULL, err)) < 0)
			return r;
		r = change_hosts(b, &b->endpoint.items[b->endpoint.n - 1], true, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A new name is its first one everywhere. */
static void rename_it(struct container_box *b)
{
	for (size_t i = 0; i < b->endpoint.n; i++) {
		struct network_attachment *a = &b->endpoint.items[i];
		const struct container_network *n = container_network_find(b->o, a->network);

		if (!a->names.n || !n)
			continue;
		strlist_clear(&a->names);
		make_names(n, b->o, b->row.name, &a->names);
	}
}

int container_network_change(struct container_box *b, const struct container_options *fresh,
			     struct error *err)
{
	const bool was_live = runtime_has_names(b->o);
	struct container_network_list before = b->o->networks;
	int r;

	if ((r = lease_note(b->lease, "endpoint", b->row.id, err)) < 0 ||
	    (r = leave_networks(b, fresh, err)) < 0)
		return r;
	r = enter_networks(b, fresh, err);
	if (r == 0) {
		b->o->networks = fresh->networks;
		rename_it(b);
		r = announce(b, err);
		if (r == 0 && runtime_has_names(b->o) && !was_live)
			r = runtime_etc_resolv(b->dir, b->o, err);
		b->o->networks = before;
	}
	/* what it could not have is not left half done */
	if (r < 0 && leave_networks(b, b->o, NULL) == 0)
		announce(b, NULL);
	return r;
}

/* ---- inspect ---- */

static void put_ip(json_t *j, const char *key, const struct network_ip *ip)
{
	char text[NETWORK_TEXT_BYTES];

	json_object_set_new(j, key, json_string(network_ip_text(ip, text)));
}

/* Docker's fields of one that is attached. */
static json_t *describe(struct container_box *b, const struct network_attachment *a)
{
	AUTO(engine_bridge) struct engine_bridge bridge = {0};
	AUTO(free) char *seed = mem_printf("%s %s", b->row.id, a->network);
	const struct network_address *v4 = &a->addresses[NETWORK_IPV4],
				     *v6 = &a->addresses[NETWORK_IPV6];
	const struct network_ip none = {0};
	char hex[DIGEST_HEX_SIZE];
	json_t *j = json_object();
	struct digest d;

	digest_of(seed, strlen(seed), &d);
	if (engine_bridge_open(b->e, a->network, &bridge, NULL) == 0)
		json_object_set_new(j, "NetworkID", json_string(bridge.id));
	json_object_set_new(j, "EndpointID", json_string(digest_hex(&d, hex)));
	put_ip(j, "Gateway", a->internal ? &none : &v4->gateway);
	put_ip(j, "IPAddress", &v4->ip);
	json_object_set_new(j, "IPPrefixLen", json_integer(v4->ip.len ? v4->prefix_len : 0));
	put_ip(j, "IPv6Gateway", a->internal || !v6->ip.len ? &none : &v6->gateway);
	put_ip(j, "GlobalIPv6Address", &v6->ip);
	json_object_set_new(j, "GlobalIPv6PrefixLen",
			    json_integer(v6->ip.len ? v6->prefix_len : 0));
	json_object_set_new(j, "MacAddress",
			    json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", a->mac[0], a->mac[1],
					 a->mac[2], a->mac[3], a->mac[4], a->mac[5]));
	if (a->names.n)
		json_object_set_new(j, "DNSNames", json_from_strings(&a->names));
	return j;
}

json_t *container_network_state(struct container_box *b)
{
	json_t *j = json_object();

	for (size_t i = 0; i < b->endpoint.n; i++)
		json_object_set_new(j, b->endpoint.items[i].network,
				    describe(b, &b->endpoint.items[i]));
	return j;
}
