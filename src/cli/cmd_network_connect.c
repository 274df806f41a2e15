/* SPDX-License-Identifier: Apache-2.0 */
/* network connect, disconnect. */
#include <stdlib.h>

#include "cli/cli_command.h"

#include "base/mem.h"

#include "base/banned.h"

struct connect_options {
	char *ip, *ip6;
	int64_t priority;
	bool force;
	struct strlist aliases, driver_options, links, link_local;
};

#define CONNECT(letter, name, kind, field, help, ...) \
	OPTION(letter, name, kind, connect_options, field, help, ##__VA_ARGS__)

static const struct option_def connect_options[] = {
	CONNECT(0, "alias", STRINGS, aliases, "Add network-scoped alias for the container"),
	CONNECT(0, "driver-opt", STRINGS, driver_options, "driver options for the network"),
	CONNECT(0, "gw-priority", INT, priority,
		"Highest gw-priority provides the default gateway. Accepts positive and "
		"negative values"),
	CONNECT(0, "ip", STRING, ip, "IPv4 address (e.g., \"172.30.100.104\")"),
	CONNECT(0, "ip6", STRING, ip6, "IPv6 address (e.g., \"2001:db8::33\")"),
	CONNECT(0, "link", LIST, links, "Add link to another container"),
	CONNECT(0, "link-local-ip", STRINGS, link_local,
		"Add a link-local address for the container"),
};

static int read_options(const struct connect_options *o, struct container_network *n,
			struct error *err)
{
	int r = 0;

	n->ip = str_empty(o->ip) ? NULL : mem_strdup(o->ip);
	n->ip6 = str_empty(o->ip6) ? NULL : mem_strdup(o->ip6);
	n->priority = o->priority;
	strlist_addall(&n->aliases, &o->aliases);
	strlist_addall(&n->link_local, &o->link_local);
	for (size_t i = 0; r == 0 && i < o->links.n; i++)
		r = container_network_add_link(&n->links, o->links.items[i], err);
	for (size_t i = 0; r == 0 && i < o->driver_options.n; i++)
		r = container_network_add_option(n, o->driver_options.items[i], err);
	return r;
}

static int connect(struct cli_invocation *inv)
{
	struct container_network n = CONTAINER_NETWORK_INIT;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	n.name = mem_strdup(inv->argv[0]);
	if (read_options(inv->options, &n, &err) < 0) {
		container_network_clear(&n);
		return cli_fail(inv, &err);
	}
	if (!cli_open_engine(inv, &e)) {
		container_network_clear(&n);
		return CLI_EXIT_ERROR;
	}
	return engine_network_connect(e, inv->argv[1], &n, &err) < 0 ? cli_fail(inv, &err) : 0;
}

const struct command cmd_network_connect = {
	.path = "network connect",
	.summary = "Connect a container to a network",
	.usage = "[OPTIONS] NETWORK CONTAINER",
	COMMAND_OPTIONS(connect_options, connect_options),
	.min_args = 2,
	.max_args = 2,
	.run = connect,
};

static const struct option_def disconnect_options[] = {
	CONNECT('f', "force", BOOL, force, "Force the container to disconnect from a network"),
};

static int disconnect(struct cli_invocation *inv)
{
	const struct connect_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	return engine_network_disconnect(e, inv->argv[1], inv->argv[0], o->force, &err) < 0
		       ? cli_fail(inv, &err)
		       : 0;
}

const struct command cmd_network_disconnect = {
	.path = "network disconnect",
	.summary = "Disconnect a container from a network",
	.usage = "[OPTIONS] NETWORK CONTAINER",
	COMMAND_OPTIONS(disconnect_options, connect_options),
	.min_args = 2,
	.max_args = 2,
	.run = disconnect,
};
