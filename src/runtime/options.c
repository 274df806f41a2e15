/* SPDX-License-Identifier: Apache-2.0 */
/* The small languages inside of options: --ulimit, --network. */
#include <string.h>
#include <sys/resource.h>

#include "runtime/runtime.h"

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

static const char *const ulimit_names[] = {
	"core",	  "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
	"nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
};

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(word, list[i]))
			return true;
	return false;
}

void container_options_clear(struct container_options *o)
{
	char **const strings[] = {
		&o->id,		 &o->name,	    &o->workdir,       &o->user,
		&o->hostname,	 &o->domainname,    &o->stop_signal,   &o->seccomp,
		&o->cpuset_cpus, &o->cpuset_mems,   &o->log_driver,    &o->runtime,
		&o->detach_keys, &o->pid_mode,	    &o->ipc_mode,      &o->uts_mode,
		&o->userns_mode, &o->cgroupns_mode, &o->cgroup_parent, &o->network_name,
		&o->apparmor,	 &o->volume_driver};
	struct strlist *const lists[] = {
		&o->args,	  &o->entrypoint, &o->env,	   &o->cap_add,
		&o->cap_drop,	  &o->group_add,  &o->tmpfs,	   &o->extra_hosts,
		&o->dns,	  &o->dns_search, &o->dns_options, &o->attach,
		&o->expose,	  &o->security,	  &o->devices,	   &o->health.test,
		&o->volumes_from, &o->publish,	  &o->link_hosts,  &o->device_rules,
		&o->cdi,	  &o->gpus};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		free(*strings[i]);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strlist_clear(lists[i]);
	for (size_t i = 0; i < BLKIO_COUNT; i++)
		strlist_clear(&o->blkio[i]);
	for (size_t i = 0; i < o->mounts.n; i++)
		container_mount_clear(&o->mounts.items[i]);
	for (size_t i = 0; i < o->ulimits.n; i++)
		free(o->ulimits.items[i].type);
	for (size_t i = 0; i < o->networks.n; i++)
		container_network_clear(&o->networks.items[i]);
	free(o->networks.items);
	free(o->mounts.items);
	free(o->ulimits.items);
	map_clear(&o->labels);
	map_clear(&o->sysctl);
	map_clear(&o->log_options);
	map_clear(&o->annotations);
	*o = CONTAINER_OPTIONS_INIT;
}

static bool parse_limit(const char *text, uint64_t *out)
{
	if (str_eq(text, "-1")) {
		*out = UINT64_MAX; /* RLIM_INFINITY */
		return true;
	}
	return parse_u64(text, INT64_MAX, out);
}

int container_options_add_ulimit(struct container_options *o, const char *text,
				 struct error *err)
{
	AUTO(strlist) struct strlist values = STRLIST_INIT;
	const char *eq = strchr(text, '=');
	AUTO(free) char *name = NULL;
	AUTO(free) char *upper = NULL;
	struct rlimit_spec *limit;
	uint64_t soft, hard;

	if (!eq)
		return error_set(err, ERR_INVALID, "invalid ulimit argument: %s", text);
	name = mem_strndup(text, (size_t)(eq - text));
	if (!is_one_of(name, ulimit_names, ARRAY_SIZE(ulimit_names)))
		return error_set(err, ERR_INVALID, "invalid ulimit type: %s", name);
	strlist_split(&values, eq + 1, ':');
	if (values.n > 2)
		return error_set(
			err, ERR_INVALID,
			"too many limit value arguments - %s, can only have up to two, "
			"`soft[:hard]`",
			eq + 1);
	if (!parse_limit(values.items[0], &soft) ||
	    !parse_limit(values.items[values.n - 1], &hard))
		return error_set(err, ERR_INVALID, "invalid ulimit argument: %s", text);
	if (soft > hard)
		return error_set(err, ERR_INVALID,
				 "ulimit soft limit must be less than or equal to hard limit: "
				 "%s > %s",
				 values.items[0], values.items[1]);
	upper = str_upper(name);
	limit = vec_push(&o->ulimits);
	*limit = (struct rlimit_spec){
		.type = mem_printf("RLIMIT_%s", upper), .hard = hard, .soft = soft};
	return 0;
}

int runtime_network_parse(const char *text, enum runtime_network *out, struct error *err)
{
	if (!text[0] || str_eq(text, "default") || str_eq(text, "bridge")) {
		*out = RUNTIME_NETWORK_DEFAULT;
	} else if (str_eq(text, "none")) {
		*out = RUNTIME_NETWORK_NONE;
	} else if (str_eq(text, "host")) {
		*out = RUNTIME_NETWORK_HOST;
	} else {
		error_set(err, ERR_NOT_FOUND, "network %s not found", text);
		error_hint(err, "networks are default, none and host");
		return -ERR_NOT_FOUND;
	}
	return 0;
}
