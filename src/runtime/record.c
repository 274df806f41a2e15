/* SPDX-License-Identifier: Apache-2.0 */
/* Options as JSON, so that a container can be started again as it was made. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtime/runtime_mount.h"
#include "runtime/runtime_networks.h"

#include "base/banned.h"

enum field_kind {
	FIELD_STRING = 1, /* char *, NULL: not there */
	FIELD_LIST,	  /* struct strlist */
	FIELD_MAP,	  /* struct map of strings */
	FIELD_BOOL,
	FIELD_INT,
	FIELD_I64,
	FIELD_U64,
};

struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
};

#define NAMED(kind, text, field)                                                \
	{                                                                       \
		(text), FIELD_##kind, offsetof(struct container_options, field) \
	}
#define FIELD(kind, field) NAMED(kind, #field, field)

/* What is nothing or zero is left out. */
static const struct field fields[] = {
	FIELD(STRING, id),
	FIELD(STRING, name),
	FIELD(LIST, args),
	FIELD(BOOL, has_entrypoint),
	FIELD(LIST, entrypoint),
	FIELD(LIST, env),
	FIELD(STRING, workdir),
	FIELD(STRING, user),
	FIELD(STRING, hostname),
	FIELD(STRING, domainname),
	FIELD(MAP, labels),
	FIELD(STRING, stop_signal),
	FIELD(BOOL, has_stop_timeout),
	FIELD(I64, stop_timeout),
	FIELD(BOOL, remove),
	FIELD(I64, restart_max),
	FIELD(STRING, log_driver),
	FIELD(MAP, log_options),
	FIELD(LIST, attach),
	FIELD(LIST, expose),
	FIELD(MAP, annotations),
	FIELD(LIST, security),
	FIELD(STRING, runtime),
	FIELD(STRING, detach_keys),
	FIELD(STRING, pid_mode),
	FIELD(STRING, ipc_mode),
	FIELD(STRING, uts_mode),
	FIELD(STRING, userns_mode),
	FIELD(STRING, cgroupns_mode),
	FIELD(STRING, cgroup_parent),
	FIELD(LIST, devices),
	FIELD(BOOL, tty),
	FIELD(BOOL, interactive),
	FIELD(BOOL, init),
	FIELD(BOOL, privileged),
	FIELD(BOOL, read_only),
	FIELD(BOOL, no_new_privileges),
	FIELD(STRING, seccomp),
	FIELD(LIST, cap_add),
	FIELD(LIST, cap_drop),
	FIELD(LIST, group_add),
	FIELD(MAP, sysctl),
	FIELD(LIST, tmpfs),
	FIELD(LIST, volumes_from),
	FIELD(U64, shm_size),
	FIELD(U64, memory),
	FIELD(U64, memory_reservation),
	FIELD(I64, memory_swap),
	FIELD(I64, nano_cpus),
	FIELD(U64, cpu_shares),
	FIELD(I64, cpu_quota),
	FIELD(U64, cpu_period),
	FIELD(STRING, cpuset_cpus),
	FIELD(STRING, cpuset_mems),
	FIELD(I64, pids_limit),
	FIELD(INT, oom_score_adj),
	FIELD(STRING, apparmor),
	FIELD(BOOL, bare_paths),
	FIELD(BOOL, writable_cgroups),
	FIELD(BOOL, oom_kill_disable),
	FIELD(BOOL, has_swappiness),
	FIELD(I64, swappiness),
	FIELD(I64, cpu_rt_period),
	FIELD(I64, cpu_rt_runtime),
	FIELD(I64, blkio_weight),
	NAMED(LIST, "blkio_weight_device", blkio[BLKIO_WEIGHT]),
	NAMED(LIST, "device_read_bps", blkio[BLKIO_READ_BPS]),
	NAMED(LIST, "device_write_bps", blkio[BLKIO_WRITE_BPS]),
	NAMED(LIST, "device_read_iops", blkio[BLKIO_READ_IOPS]),
	NAMED(LIST, "device_write_iops", blkio[BLKIO_WRITE_IOPS]),
	FIELD(LIST, device_rules),
	FIELD(LIST, cdi),
	FIELD(LIST, gpus),
	FIELD(STRING, volume_driver),
	FIELD(STRING, network_name),
	FIELD(LIST, publish),
	FIELD(BOOL, publish_all),
	FIELD(LIST, extra_hosts),
	FIELD(LIST, dns),
	FIELD(LIST, dns_search),
	FIELD(LIST, dns_options),
};

static const char *const network_names[] = {
	[RUNTIME_NETWORK_DEFAULT] = "bridge",	   [RUNTIME_NETWORK_NONE] = "none",
	[RUNTIME_NETWORK_HOST] = "host",	   [RUNTIME_NETWORK_NAMED] = "named",
	[RUNTIME_NETWORK_CONTAINER] = "container",
};

/* ---- writing ---- */

static void put(json_t *j, const char *name, json_t *value, bool wanted)
{
	if (wanted)
		json_object_set_new(j, name, value);
	else
		json_decref(value);
}

static void put_map(json_t *j, const char *name, const struct map *m)
{
	put(j, name, json_from_map(m), m->live > 0);
}

static void put_field(json_t *j, const struct field *f, const char *at)
{
	switch (f->kind) {
	case FIELD_STRING:
		if (*(char *const *)(const void *)at)
			json_put_text(j, f->name, *(char *const *)(const void *)at);
		break;
	case FIELD_LIST:
		put(j, f->name, json_from_strings((const void *)at),
		    ((const struct strlist *)(const void *)at)->n > 0);
		break;
	case FIELD_MAP:
		put_map(j, f->name, (const void *)at);
		break;
	case FIELD_BOOL:
		put(j, f->name, json_true(), *(const bool *)at);
		break;
	case FIELD_INT:
		put(j, f->name, json_integer(*(const int *)(const void *)at),
		    *(const int *)(const void *)at != 0);
		break;
	case FIELD_I64:
	case FIELD_U64:
		put(j, f->name, json_integer(*(const int64_t *)(const void *)at),
		    *(const int64_t *)(const void *)at != 0);
		break;
	}
}

static json_t *encode_ulimits(const struct rlimit_list *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++) {
		json_t *u = json_object();

		json_object_set_new(u, "type", json_string(l->items[i].type));
		/* RLIM_INFINITY is all ones, which is -1 here and comes back */
		json_object_set_new(u, "hard", json_integer((json_int_t)l->items[i].hard));
		json_object_set_new(u, "soft", json_integer((json_int_t)l->items[i].soft));
		json_array_append_new(list, u);
	}
	return list;
}

static json_t *encode_health(const struct image_healthcheck *h)
{
	json_t *j = json_object();

	put(j, "test", json_from_strings(&h->test), h->test.n > 0);
	put(j, "interval", json_integer(h->interval), h->interval != 0);
	put(j, "timeout", json_integer(h->timeout), h->timeout != 0);
	put(j, "start_period", json_integer(h->start_period), h->start_period != 0);
	put(j, "start_interval", json_integer(h->start_interval), h->start_interval != 0);
	put(j, "retries", json_integer(h->retries), h->retries != 0);
	return j;
}

json_t *container_options_encode(const struct container_options *o)
{
	json_t *j = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		put_field(j, &fields[i], (const char *)o + fields[i].offset);
	put(j, "ulimits", encode_ulimits(&o->ulimits), o->ulimits.n > 0);
	put(j, "mounts", mounts_encode(&o->mounts), o->mounts.n > 0);
	json_object_set_new(j, "networks", networks_encode(&o->networks));
	put(j, "health", encode_health(&o->health), o->health.present);
	put(j, "restart", json_string(container_restart_name(o->restart)), o->restart != 0);
	json_object_set_new(j, "network", json_string(network_names[o->network]));
	return j;
}

/* ---- reading ---- */

static int get_map(const json_t *j, const char *name, struct map *out, struct error *err)
{
	json_t *o = NULL, *value;
	const char *key;
	int r = json_get_object(j, name, &o, err);

	if (r < 0)
		return r;
	json_object_foreach (o, key, value) {
		if (!json_is_string(value))
			return error_set(err, ERR_INVALID, "%s: %s is not a string", name, key);
		map_set(out, key, mem_strdup(json_string_value(value)));
	}
	return 0;
}

static int get_field(const json_t *j, const struct field *f, char *at, struct error *err)
{
	int64_t number = 0;
	int r = 0;

	switch (f->kind) {
	case FIELD_STRING:
		return json_get_string(j, f->name, (char **)(void *)at, err);
	case FIELD_LIST:
		return json_get_strings(j, f->name, (void *)at, NULL, err);
	case FIELD_MAP:
		return get_map(j, f->name, (void *)at, err);
	case FIELD_BOOL:
		return json_get_bool(j, f->name, (bool *)at, err);
	case FIELD_INT:
		r = json_get_i64(j, f->name, &number, err);
		*(int *)(void *)at = (int)number;
		return r;
	case FIELD_I64:
	case FIELD_U64:
		return json_get_i64(j, f->name, (int64_t *)(void *)at, err);
	}
	return r;
}

static int decode_ulimits(const json_t *j, struct rlimit_list *out, struct error *err)
{
	json_t *list = NULL, *u;
	size_t i;
	int r = json_get_array(j, "ulimits", &list, err);

	json_array_foreach (list, i, u) {
		struct rlimit_spec *l = vec_push(out);
		int64_t hard = 0, soft = 0;

		*l = (struct rlimit_spec){0};
		if (r < 0 || (r = json_get_string(u, "type", &l->type, err)) < 0 ||
		    (r = json_get_i64(u, "hard", &hard, err)) < 0 ||
		    (r = json_get_i64(u, "soft", &soft, err)) < 0)
			return r;
		l->hard = (uint64_t)hard;
		l->soft = (uint64_t)soft;
	}
	return r;
}

static int decode_health(const json_t *j, struct image_healthcheck *out, struct error *err)
{
	json_t *h = NULL;
	int64_t retries = 0;
	int r = json_get_object(j, "health", &h, err);

	if (r < 0 || !h)
		return r;
	out->present = true;
	if ((r = json_get_strings(h, "test", &out->test, NULL, err)) < 0 ||
	    (r = json_get_i64(h, "interval", &out->interval, err)) < 0 ||
	    (r = json_get_i64(h, "timeout", &out->timeout, err)) < 0 ||
	    (r = json_get_i64(h, "start_period", &out->start_period, err)) < 0 ||
	    (r = json_get_i64(h, "start_interval", &out->start_interval, err)) < 0)
		return r;
	r = json_get_i64(h, "retries", &retries, err);
	out->retries = (__typeof__(out->retries))retries;
	return r;
}

static int decode_restart(const json_t *j, struct container_options *out, struct error *err)
{
	AUTO(free) char *text = NULL;
	const int64_t max = out->restart_max;
	int r = json_get_string(j, "restart", &text, err);

	if (r < 0 || !text)
		return r;
	r = container_options_set_restart(out, text, err);
	out->restart_max = max;
	return r;
}

static int decode_network(const char *text, enum runtime_network *out, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(network_names); i++) {
		if (!str_eq(text, network_names[i]))
			continue;
		*out = (enum runtime_network)i;
		return 0;
	}
	return error_set(err, ERR_INVALID, "there is no kind of network %s", text);
}

int container_options_decode(const json_t *j, struct container_options *out, struct error *err)
{
	AUTO(free) char *network = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++)
		r = get_field(j, &fields[i], (char *)out + fields[i].offset, err);
	if (r < 0 || (r = decode_ulimits(j, &out->ulimits, err)) < 0 ||
	    (r = mounts_decode(j, &out->mounts, err)) < 0 ||
	    (r = decode_health(j, &out->health, err)) < 0 ||
	    (r = decode_restart(j, out, err)) < 0 ||
	    (r = json_get_string(j, "network", &network, err)) < 0)
		return r;
	if (network && (r = decode_network(network, &out->network, err)) < 0)
		return r;
	return networks_decode(j, out, err);
}

/* ---- what is inspected and committed ---- */

static void merge_words(const struct container_options *o, struct image_config *out)
{
	if (o->has_entrypoint) {
		strlist_clear(&out->entrypoint);
		strlist_clear(&out->cmd);
		out->has_cmd = false;
		out->has_entrypoint = o->entrypoint.n && *o->entrypoint.items[0];
		if (out->has_entrypoint)
			strlist_addall(&out->entrypoint, &o->entrypoint);
	}
	if (o->args.n) {
		strlist_clear(&out->cmd);
		strlist_addall(&out->cmd, &o->args);
		out->has_cmd = true;
	}
}

static void merge_env(const struct container_options *o, struct image_config *out)
{
	for (size_t i = 0; i < o->env.n; i++) {
		const char *text = o->env.items[i], *eq = strchr(text, '=');
		AUTO(free) char *name = eq ? mem_strndup(text, (size_t)(eq - text)) : NULL;

		if (eq)
			strlist_env_set(&out->env, name, eq + 1);
		else
			strlist_env_unset(&out->env, text);
	}
}

static void replace(char **to, const char *from)
{
	if (!from)
		return;
	free(*to);
	*to = mem_strdup(from);
}

static void merge_health(const struct image_healthcheck *from, struct image_healthcheck *to)
{
	if (!from->present)
		return;
	to->present = true;
	if (from->test.n) {
		strlist_clear(&to->test);
		strlist_addall(&to->test, &from->test);
	}
	if (from->interval)
		to->interval = from->interval;
	if (from->timeout)
		to->timeout = from->timeout;
	if (from->start_period)
		to->start_period = from->start_period;
	if (from->start_interval)
		to->start_interval = from->start_interval;
	if (from->retries)
		to->retries = from->retries;
}

void runtime_container_config(const struct image_config *image,
			      const struct container_options *o, struct image_config *out)
{
	AUTO(buf) struct buf hostname = BUF_INIT;

	image_config_copy(image, out);
	runtime_hostname(o, &hostname);
	replace(&out->hostname, buf_str(&hostname));
	replace(&out->domainname, o->domainname);
	replace(&out->user, o->user);
	replace(&out->working_dir, o->workdir);
	replace(&out->stop_signal, o->stop_signal);
	merge_words(o, out);
	merge_env(o, out);
	merge_health(&o->health, &out->healthcheck);
	for (size_t i = 0; i < o->expose.n; i++)
		image_config_add_set(&out->exposed_ports, o->expose.items[i]);
	map_each (&o->labels, l)
		image_config_label(out, l->key, l->value);
}
