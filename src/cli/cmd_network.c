/* SPDX-License-Identifier: Apache-2.0 */
/* network create, inspect, ls, prune, rm. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_command.h"
#include "cli/cli_table.h"
#include "cli/cli_template.h"
#include "cli/cli_upkeep.h"

#include "base/mem.h"

#include "base/banned.h"

struct network_options {
	char *driver, *ipam_driver, *scope, *format;
	bool attachable, internal, ingress, ipv4, ipv6, force, quiet, no_trunc;
	struct strlist subnets, gateways, ranges, auxiliary, labels, options, ipam_options,
		filters;
};

#define NETWORK(letter, name, kind, field, help, ...) \
	OPTION(letter, name, kind, network_options, field, help, ##__VA_ARGS__)

/* ---- create ---- */

static const struct option_def create_options[] = {
	NETWORK(0, "attachable", BOOL, attachable, "Enable manual container attachment"),
	NETWORK(0, "aux-address", LIST, auxiliary,
		"Auxiliary IPv4 or IPv6 addresses used by Network driver", .type = "map"),
	NETWORK('d', "driver", STRING, driver, "Driver to manage the Network",
		.fallback = "bridge"),
	NETWORK(0, "gateway", STRINGS, gateways, "IPv4 or IPv6 Gateway for the master subnet"),
	NETWORK(0, "ingress", BOOL, ingress, "Create swarm routing-mesh network",
		.hidden = true),
	NETWORK(0, "internal", BOOL, internal, "Restrict external access to the network"),
	NETWORK(0, "ip-range", STRINGS, ranges, "Allocate container ip from a sub-range"),
	NETWORK(0, "ipam-driver", STRING, ipam_driver, "IP Address Management Driver",
		.fallback = "default"),
	NETWORK(0, "ipam-opt", LIST, ipam_options, "Set IPAM driver specific options",
		.type = "map"),
	NETWORK(0, "ipv4", BOOL, ipv4, "Enable or disable IPv4 address assignment",
		.fallback = "true"),
	NETWORK(0, "ipv6", BOOL, ipv6, "Enable or disable IPv6 address assignment"),
	NETWORK(0, "label", LIST, labels, "Set metadata on a network"),
	NETWORK('o', "opt", LIST, options, "Set driver specific options", .type = "map"),
	NETWORK(0, "scope", STRING, scope, "Control the network's scope"),
	NETWORK(0, "subnet", STRINGS, subnets,
		"Subnet in CIDR format that represents a network segment"),
};

static int create(struct cli_invocation *inv)
{
	const struct network_options *o = inv->options;
	const struct engine_network_create req = {.name = inv->argv[0],
						  .driver = o->driver,
						  .ipam_driver = o->ipam_driver,
						  .scope = o->scope,
						  .internal = o->internal,
						  .attachable = o->attachable,
						  .ingress = o->ingress,
						  .ipv6 = o->ipv6,
						  .no_ipv4 = !o->ipv4,
						  .subnets = o->subnets,
						  .gateways = o->gateways,
						  .ranges = o->ranges,
						  .auxiliary = o->auxiliary,
						  .labels = o->labels,
						  .options = o->options,
						  .ipam_options = o->ipam_options};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *id = NULL;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_network_create(e, &req, &id, &err) < 0)
		return cli_fail(inv, &err);
	fprintf(inv->program->out, "%s\n", id);
	return 0;
}

const struct command cmd_network_create = {
	.path = "network create",
	.summary = "Create a network",
	.usage = "[OPTIONS] NETWORK",
	COMMAND_OPTIONS(create_options, network_options),
	.min_args = 1,
	.max_args = 1,
	.run = create,
};

/* ---- ls ---- */

static const struct option_def ls_options[] = {
	NETWORK('f', "filter", LIST, filters,
		"Provide filter values: driver, id, label, name, type", .type = "filter"),
	NETWORK(0, "format", STRING, format, cli_help_list_format),
	NETWORK(0, "no-trunc", BOOL, no_trunc, "Do not truncate the output"),
	NETWORK('q', "quiet", BOOL, quiet, "Only display network IDs"),
};

static const struct cli_column columns[] = {
	{"ID", "NETWORK ID"},	  {"Name", "NAME"},	{"Driver", "DRIVER"},
	{"Scope", "SCOPE"},	  {"IPv4", "IPV4"},	{"IPv6", "IPV6"},
	{"Internal", "INTERNAL"}, {"Labels", "LABELS"}, {"CreatedAt", "CREATED AT"},
};

static const struct cli_table_def table = {
	.type = "*network.networkContext",
	.fallback = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
	.quiet = "{{.ID}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

static const char *text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text ? text : "";
}

static bool has_label(const json_t *j, const char *wanted)
{
	const size_t len = strcspn(wanted, "=");
	AUTO(free) char *key = mem_strndup(wanted, len);
	const json_t *value = json_object_get(json_object_get(j, "Labels"), key);

	return value && (!wanted[len] || str_eq(json_string_value(value), wanted + len + 1));
}

static int filter_one(const json_t *j, const char *text, bool *out, struct error *err)
{
	static const char *const ours[] = {"bridge", "host", "none"};
	AUTO(free) char *key = NULL;
	const char *value, *name = text_of(j, "Name");
	bool predefined = false;
	int r = cli_parse_filter(text, &key, &value, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		predefined |= str_eq(name, ours[i]);
	if (str_eq(key, "name"))
		*out = strstr(name, value) != NULL;
	else if (str_eq(key, "id"))
		*out = str_starts(text_of(j, "Id"), value);
	else if (str_eq(key, "driver"))
		*out = str_eq(text_of(j, "Driver"), value);
	else if (str_eq(key, "label"))
		*out = has_label(j, value);
	else if (str_eq(key, "type"))
		*out = str_eq(value, predefined ? "builtin" : "custom");
	else
		return error_set(err, ERR_INVALID, "invalid filter '%s'", key);
	return 0;
}

static json_t *row_of(const json_t *j, bool no_trunc)
{
	AUTO(free)
	char *id = no_trunc ? mem_strdup(text_of(j, "Id")) : cli_short_id(text_of(j, "Id"));
	AUTO(strlist) struct strlist labels = STRLIST_INIT;
	AUTO(free) char *words = NULL;
	const json_t *value;
	const char *key;
	json_t *row = json_object();

	json_object_foreach (json_object_get(j, "Labels"), key, value)
		strlist_printf(&labels, "%s=%s", key, json_string_value(value));
	strlist_sort(&labels);
	words = strlist_join(&labels, ",");
	cli_row_string(row, "CreatedAt", text_of(j, "Created"));
	cli_row_string(row, "Driver", text_of(j, "Driver"));
	cli_row_string(row, "ID", id);
	cli_row_string(row, "IPv4",
		       json_is_true(json_object_get(j, "EnableIPv4")) ? "true" : "false");
	cli_row_string(row, "IPv6",
		       json_is_true(json_object_get(j, "EnableIPv6")) ? "true" : "false");
	cli_row_string(row, "Internal",
		       json_is_true(json_object_get(j, "Internal")) ? "true" : "false");
	cli_row_string(row, "Labels", words);
	cli_row_string(row, "Name", text_of(j, "Name"));
	cli_row_string(row, "Scope", text_of(j, "Scope"));
	return row;
}

static int fill(const struct network_options *o, const json_t *list, struct cli_table *t,
		struct error *err)
{
	const json_t *j;
	size_t i;
	int r = 0;

	json_array_foreach (list, i, j) {
		bool wanted = true;

		for (size_t k = 0; r == 0 && wanted && k < o->filters.n; k++)
			r = filter_one(j, o->filters.items[k], &wanted, err);
		if (r == 0 && wanted)
			r = cli_table_add(t, row_of(j, o->no_trunc), err);
	}
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(text_of(*(json_t *const *)a, "Name"),
		      text_of(*(json_t *const *)b, "Name"));
}

/* By name, as Docker lists them. */
static json_t *sorted(const json_t *list)
{
	const size_t n = json_array_size(list);
	json_t **items = mem_zalloc((n + 1) * sizeof(*items)), *out = json_array();

	for (size_t i = 0; i < n; i++)
		items[i] = json_array_get(list, i);
	qsort(items, n, sizeof(*items), compare_names);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, items[i]);
	free(items);
	return out;
}

static int ls(struct cli_invocation *inv)
{
	const struct network_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(json) json_t *list = NULL;
	AUTO(json) json_t *in_order = NULL;
	AUTO(buf) struct buf text = BUF_INIT;

	if (cli_table_new(&table, o->format, o->quiet, &t, &err) < 0)
		return cli_fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_networks(e, &list, &err) < 0)
		return cli_fail(inv, &err);
	in_order = sorted(list);
	if (fill(o, in_order, t, &err) < 0)
		return cli_fail(inv, &err);
	cli_table_text(t, &text);
	cli_print(inv, &text);
	return 0;
}

const struct command cmd_network_ls = {
	.path = "network ls",
	.aliases = "network list",
	.summary = "List networks",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(ls_options, network_options),
	.max_args = 0,
	.run = ls,
};

/* ---- inspect ---- */

static const struct option_def inspect_options[] = {
	NETWORK('f', "format", STRING, format, cli_help_format),
};

static int inspect(struct cli_invocation *inv)
{
	const struct network_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(json) json_t *found = json_array();
	AUTO(buf) struct buf text = BUF_INIT;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;
		json_t *j = NULL;

		if (engine_network(e, inv->argv[i], &j, &err) == 0)
			json_array_append_new(found, j);
		else
			status = cli_fail(inv, &err);
	}
	if (!str_empty(o->format) && !str_eq(o->format, "json")) {
		json_t *j;
		size_t i;

		json_array_foreach (found, i, j) {
			int r = cli_print_format(inv, o->format, j);

			status = r ? r : status;
		}
		return status;
	}
	if (str_eq(o->format, "json") || !json_array_size(found))
		json_text(found, &text);
	else
		json_pretty(found, &text);
	buf_addch(&text, '\n');
	cli_print(inv, &text);
	return status;
}

const struct command cmd_network_inspect = {
	.path = "network inspect",
	.summary = "Display detailed information on one or more networks",
	.usage = "[OPTIONS] NETWORK [NETWORK...]",
	COMMAND_OPTIONS(inspect_options, network_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = inspect,
};

/* ---- rm, prune ---- */

static const struct option_def rm_options[] = {
	NETWORK('f', "force", BOOL, force, "Do not error if the network does not exist"),
};

static int rm(struct cli_invocation *inv)
{
	const struct network_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;
		int r = engine_network_rm(e, inv->argv[i], &err);

		if (r == 0)
			fprintf(inv->program->out, "%s\n", inv->argv[i]);
		else if (!o->force || r != -ERR_NOT_FOUND)
			status = cli_fail(inv, &err);
	}
	return status;
}

const struct command cmd_network_rm = {
	.path = "network rm",
	.aliases = "network remove",
	.summary = "Remove one or more networks",
	.usage = "[OPTIONS] NETWORK [NETWORK...]",
	COMMAND_OPTIONS(rm_options, network_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = rm,
};

static const struct option_def prune_options[] = {
	NETWORK(0, "filter", LIST, filters,
		"Provide filter values (e.g. \"until=<timestamp>\")", .type = "filter"),
	NETWORK('f', "force", BOOL, force, "Do not prompt for confirmation"),
};

int cli_prune_networks(const struct cli_invocation *inv, struct engine *e,
		       const struct engine_prune *how, struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	int r = engine_network_prune(e, how, &names, err);

	if (names.n)
		fprintf(inv->program->out, "Deleted Networks:\n");
	for (size_t i = 0; i < names.n; i++)
		fprintf(inv->program->out, "%s\n", names.items[i]);
	if (names.n)
		fprintf(inv->program->out, "\n");
	return r;
}

static int prune(struct cli_invocation *inv)
{
	const struct network_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct cli_prune_filters filters = {0};
	struct engine_prune how = {0};
	int status = cli_check_filters(inv, "--filter", &o->filters);

	if (status)
		return status;
	if (cli_prune_filters_parse(&o->filters, &filters, &err) < 0) {
		status = cli_fail(inv, &err);
		goto out;
	}
	how = (struct engine_prune){.before_ns = filters.before_ns,
				    .labels = &filters.labels,
				    .not_labels = &filters.not_labels};
	if (!o->force &&
	    !cli_confirm(inv, "WARNING! This will remove all custom networks not used by at "
			      "least one container.\nAre you sure you want to continue?"))
		goto out;
	if (!cli_open_engine(inv, &e))
		status = CLI_EXIT_ERROR;
	else if (cli_prune_networks(inv, e, &how, &err) < 0)
		status = cli_fail(inv, &err);
out:
	cli_prune_filters_clear(&filters);
	return status;
}

const struct command cmd_network_prune = {
	.path = "network prune",
	.summary = "Remove all unused networks",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(prune_options, network_options),
	.max_args = 0,
	.run = prune,
};
