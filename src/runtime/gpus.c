/* SPDX-License-Identifier: Apache-2.0 */
/* --gpus: Docker's request for devices, which is answered by the CDI devices of NVIDIA. */
#include "runtime/runtime_device.h"

#include <string.h>

#include "base/csv.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define KIND "nvidia.com/gpu"

void gpu_request_clear(struct gpu_request *g)
{
	free(g->driver);
	strlist_clear(&g->devices);
	strlist_clear(&g->capabilities);
	map_clear(&g->options);
	*g = (struct gpu_request){0};
}

static int parse_count(const char *text, int64_t *out, struct error *err)
{
	if (str_eq(text, "all")) {
		*out = -1;
		return 0;
	}
	if (!parse_i64(text, out))
		return error_set(err, ERR_INVALID,
				 "invalid count (%s): value must be either \"all\" or an "
				 "integer: invalid syntax",
				 text);
	return 0;
}

static int parse_options(const char *text, struct map *out, struct error *err)
{
	AUTO(strlist) struct strlist pairs = STRLIST_INIT;

	if (csv_split(text, &pairs, NULL, err) < 0)
		return error_wrap(err, "failed to read gpu options");
	for (size_t i = 0; i < pairs.n; i++) {
		char *eq = strchr(pairs.items[i], '=');

		if (eq)
			*eq++ = 0;
		map_set(out, pairs.items[i], mem_strdup(eq ? eq : ""));
	}
	return 0;
}

static int parse_field(const char *field, const char *key, const char *value,
		       struct gpu_request *out, struct error *err)
{
	if (str_eq(key, "driver")) {
		out->driver = mem_strdup(value);
		return 0;
	}
	if (str_eq(key, "count"))
		return parse_count(value, &out->count, err);
	if (str_eq(key, "device")) {
		strlist_split(&out->devices, value, ',');
		return 0;
	}
	if (str_eq(key, "capabilities")) {
		strlist_split(&out->capabilities, value, ',');
		return 0;
	}
	if (str_eq(key, "options"))
		return parse_options(value, &out->options, err);
	return error_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
}

int gpu_request_parse(const char *text, struct gpu_request *out, struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT, seen = STRLIST_INIT;
	int r = csv_split(text, &fields, NULL, err);

	*out = (struct gpu_request){.options = MAP_INIT_FREE(free)};
	for (size_t i = 0; r == 0 && i < fields.n; i++) {
		const char *field = fields.items[i], *eq = strchr(field, '=');
		AUTO(free)
		char *key = eq ? mem_strndup(field, (size_t)(eq - field)) : mem_strdup("count");

		if (strlist_find(&seen, key) >= 0)
			return error_set(err, ERR_INVALID,
					 "gpu request key '%s' can be specified only once",
					 key);
		strlist_add(&seen, key);
		r = parse_field(field, key, eq ? eq + 1 : field, out, err);
	}
	if (strlist_find(&seen, "count") < 0 && !out->devices.n)
		out->count = 1;
	strlist_add(&out->capabilities, "gpu");
	return r;
}

int container_options_add_gpus(struct container_options *o, const char *text, struct error *err)
{
	AUTO(gpu_request) struct gpu_request g = {0};
	int r = gpu_request_parse(text, &g, err);

	if (r == 0)
		strlist_add(&o->gpus, text);
	return r;
}

static json_t *request(const char *driver, int64_t count, json_t *devices, json_t *capabilities,
		       const struct map *options)
{
	json_t *j = json_object();

	json_object_set_new(j, "Driver", json_string(driver ? driver : ""));
	json_object_set_new(j, "Count", json_integer(count));
	json_object_set_new(j, "DeviceIDs", devices);
	json_object_set_new(j, "Capabilities", capabilities);
	json_object_set_new(j, "Options", options ? json_from_map(options) : json_null());
	return j;
}

json_t *container_options_requests(const struct container_options *o)
{
	json_t *list;

	if (!o->gpus.n && !o->cdi.n)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < o->gpus.n; i++) {
		AUTO(gpu_request) struct gpu_request g = {0};
		json_t *sets = json_array();

		gpu_request_parse(o->gpus.items[i], &g, NULL);
		json_array_append_new(sets, json_from_strings(&g.capabilities));
		json_array_append_new(
			list, request(g.driver, g.count,
				      g.devices.n ? json_from_strings(&g.devices) : json_null(),
				      sets, &g.options));
	}
	if (o->cdi.n)
		json_array_append_new(
			list, request("cdi", 0, json_from_strings(&o->cdi), json_null(), NULL));
	return list;
}

static int no_driver(const struct gpu_request *g, struct error *err)
{
	AUTO(free) char *capabilities = strlist_join(&g->capabilities, " ");

	error_set(err, ERR_NOT_FOUND,
		  "could not select device driver \"%s\" with capabilities: [[%s]]",
		  g->driver ? g->driver : "", capabilities);
	error_hint(err, "a specification of " KIND " is looked for in /etc/cdi and "
			"/var/run/cdi: nvidia-ctk cdi generate makes one");
	return -ERR_NOT_FOUND;
}

int gpu_request_names(const struct gpu_request *g, struct strlist *names, struct error *err)
{
	const bool ours =
		str_empty(g->driver) || str_eq(g->driver, "nvidia") || str_eq(g->driver, "cdi");

	if (str_eq(g->driver, "cdi")) {
		strlist_addall(names, &g->devices);
		return 0;
	}
	if (!ours || !cdi_has_kind(KIND))
		return no_driver(g, err);
	if (g->count > (int64_t)LIMIT_DEVICES)
		return error_set(err, ERR_LIMIT, "--gpus: more than %u devices", LIMIT_DEVICES);
	for (size_t i = 0; i < g->devices.n; i++)
		strlist_printf(names, KIND "=%s", g->devices.items[i]);
	if (g->count < 0)
		strlist_add(names, KIND "=all");
	for (int64_t i = 0; i < g->count; i++)
		strlist_printf(names, KIND "=%lld", (long long)i);
	return 0;
}
