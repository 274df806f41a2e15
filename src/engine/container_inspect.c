/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's document about a container: its row, what it was made with, and how it is. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_container.h"
#include "engine/engine_mounts.h"
#include "engine/engine_network.h"

#include "base/banned.h"

static json_t *time_text(int64_t ns)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (ns)
		clock_format(ns, &text);
	else
		buf_addstr(&text, "0001-01-01T00:00:00Z");
	return json_string(buf_str(&text));
}

static json_t *text_or(const char *text, const char *otherwise)
{
	return json_lossy_string(text ? text : otherwise);
}

static json_t *strings_or_null(const struct strlist *l)
{
	return l->n ? json_from_strings(l) : json_null();
}

static json_t *state_of(const struct store_container *c, pid_t pid, const json_t *state)
{
	const bool paused = str_eq(c->state, "paused"), up = container_is_up(c);
	const bool restarting = str_eq(c->state, "restarting");
	json_t *j = json_object();

	json_object_set_new(j, "Status", json_string(c->state));
	json_object_set_new(j, "Running", json_boolean(up || restarting));
	json_object_set_new(j, "Paused", json_boolean(paused));
	json_object_set_new(j, "Restarting", json_boolean(restarting));
	json_object_set_new(j, "OOMKilled",
			    json_boolean(json_is_true(json_object_get(state, "oom"))));
	json_object_set_new(j, "Dead", json_false());
	json_object_set_new(j, "Pid", json_integer(up ? pid : 0));
	json_object_set_new(j, "ExitCode", json_integer(up ? 0 : c->exit_code));
	json_object_set_new(j, "Error",
			    text_or(json_string_value(json_object_get(state, "error")), ""));
	json_object_set_new(j, "StartedAt", time_text(c->started_ns));
	json_object_set_new(j, "FinishedAt", time_text(c->finished_ns));
	if (json_object_get(state, "health"))
		json_object_set(j, "Health", json_object_get(state, "health"));
	return j;
}

/* ---- HostConfig ---- */

static json_t *tmpfs_of(const struct container_options *o)
{
	json_t *j = json_object();

	for (size_t i = 0; i < o->tmpfs.n; i++) {
		const size_t len = strcspn(o->tmpfs.items[i], ":");
		AUTO(free) char *path = mem_strndup(o->tmpfs.items[i], len);

		json_object_set_new(
			j, path,
			json_string(o->tmpfs.items[i][len] ? o->tmpfs.items[i] + len + 1 : ""));
	}
	return j;
}

static json_t *ulimits_of(const struct container_options *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->ulimits.n; i++) {
		const struct rlimit_spec *u = &o->ulimits.items[i];
		AUTO(free)
		char *name = str_lower(u->type + (str_starts(u->type, "RLIMIT_") ? 7 : 0));
		json_t *j = json_object();

		json_object_set_new(j, "Name", json_string(name));
		json_object_set_new(j, "Hard", json_integer((json_int_t)u->hard));
		json_object_set_new(j, "Soft", json_integer((json_int_t)u->soft));
		json_array_append_new(list, j);
	}
	return list;
}

static void add_blkio(const struct container_options *o, json_t *j)
{
	static const char *const keys[BLKIO_COUNT] = {
		[BLKIO_WEIGHT] = "BlkioWeightDevice",
		[BLKIO_READ_BPS] = "BlkioDeviceReadBps",
		[BLKIO_WRITE_BPS] = "BlkioDeviceWriteBps",
		[BLKIO_READ_IOPS] = "BlkioDeviceReadIOps",
		[BLKIO_WRITE_IOPS] = "BlkioDeviceWriteIOps",
	};

	for (size_t k = 0; k < BLKIO_COUNT; k++) {
		json_t *list = json_array();

		for (size_t i = 0; i < o->blkio[k].n; i++) {
			const char *text = o->blkio[k].items[i], *colon = strrchr(text, ':');
			json_t *d = json_object();

			json_object_set_new(d, "Path",
					    json_stringn(text, (size_t)(colon - text)));
			json_object_set_new(d, k == BLKIO_WEIGHT ? "Weight" : "Rate",
					    json_integer(strtoll(colon + 1, NULL, 10)));
			json_array_append_new(list, d);
		}
		json_object_set_new(j, keys[k], list);
	}
}

static void add_limits(const struct container_options *o, json_t *j)
{
	json_object_set_new(j, "CpuShares", json_integer((json_int_t)o->cpu_shares));
	json_object_set_new(j, "Memory", json_integer((json_int_t)o->memory));
	json_object_set_new(j, "NanoCpus", json_integer(o->nano_cpus));
	json_object_set_new(j, "CgroupParent", text_or(o->cgroup_parent, ""));
	json_object_set_new(j, "BlkioWeight", json_integer(o->blkio_weight));
	add_blkio(o, j);
	json_object_set_new(j, "CpuPeriod", json_integer((json_int_t)o->cpu_period));
	json_object_set_new(j, "CpuQuota", json_integer(o->cpu_quota));
	json_object_set_new(j, "CpusetCpus", text_or(o->cpuset_cpus, ""));
	json_object_set_new(j, "CpusetMems", text_or(o->cpuset_mems, ""));
	json_object_set_new(j, "CpuRealtimePeriod", json_integer(o->cpu_rt_period));
	json_object_set_new(j, "CpuRealtimeRuntime", json_integer(o->cpu_rt_runtime));
	json_object_set_new(j, "Devices", container_options_devices(o));
	json_object_set_new(j, "DeviceCgroupRules", strings_or_null(&o->device_rules));
	json_object_set_new(j, "DeviceRequests", container_options_requests(o));
	json_object_set_new(j, "MemoryReservation",
			    json_integer((json_int_t)o->memory_reservation));
	json_object_set_new(j, "MemorySwap",
			    json_integer(o->memory && !o->memory_swap
						 ? (json_int_t)o->memory * 2
						 : o->memory_swap));
	json_object_set_new(j, "MemorySwappiness",
			    o->has_swappiness ? json_integer(o->swappiness) : json_null());
	json_object_set_new(j, "OomKillDisable", json_boolean(o->oom_kill_disable));
	/* "update" has taken it away: Docker says 0 then */
	json_object_set_new(j, "PidsLimit",
			    o->pids_limit ? json_integer(o->pids_limit < 0 ? 0 : o->pids_limit)
					  : json_null());
	json_object_set_new(j, "Ulimits", ulimits_of(o));
	if (o->sysctl.live)
		json_object_set_new(j, "Sysctls", json_from_map(&o->sysctl));
}

static json_t *restart_of(const struct container_options *o)
{
	json_t *j = json_object();

	json_object_set_new(j, "Name", json_string(container_restart_name(o->restart)));
	json_object_set_new(j, "MaximumRetryCount", json_integer(o->restart_max));
	return j;
}

static json_t *log_of(const struct container_options *o)
{
	json_t *j = json_object();

	json_object_set_new(j, "Type", text_or(o->log_driver, "json-file"));
	json_object_set_new(j, "Config", json_from_map(&o->log_options));
	return j;
}

/* What the container must not see or change, unless it was allowed to. */
static void add_paths(const struct container_options *o, json_t *j)
{
	AUTO(runtime_spec) struct runtime_spec spec = RUNTIME_SPEC_INIT;
	const bool bare = o->privileged || o->bare_paths;

	runtime_spec_defaults(&spec);
	json_object_set_new(j, "MaskedPaths",
			    bare ? json_null() : json_from_strings(&spec.masked_paths));
	json_object_set_new(j, "ReadonlyPaths",
			    bare ? json_null() : json_from_strings(&spec.readonly_paths));
}

/* Members of Docker's that mean something on Windows only, or not any more. */
static void add_constants(json_t *j)
{
	static const char *const numbers[] = {"CpuCount", "CpuPercent", "IOMaximumIOps",
					      "IOMaximumBandwidth"};

	json_object_set_new(j, "Cgroup", json_string(""));
	json_object_set_new(j, "Isolation", json_string(""));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(j, numbers[i], json_integer(0));
	if (!json_object_get(j, "Links"))
		json_object_set_new(j, "Links", json_null());
}

static json_t *host_config(const struct container_options *o)
{
	json_t *j = json_object();
	json_t *console = json_array();

	json_object_set_new(j, "Binds", mounts_as_binds(o));
	json_object_set_new(j, "VolumesFrom",
			    o->volumes_from.n ? json_from_strings(&o->volumes_from)
					      : json_null());
	json_object_set_new(j, "ContainerIDFile", json_string(""));
	json_object_set_new(j, "LogConfig", log_of(o));
	json_object_set_new(j, "NetworkMode", json_string(container_network_mode(o)));
	json_object_set_new(j, "PortBindings", container_network_bindings(o));
	json_object_set_new(j, "RestartPolicy", restart_of(o));
	json_object_set_new(j, "AutoRemove", json_boolean(o->remove));
	json_object_set_new(j, "VolumeDriver", text_or(o->volume_driver, ""));
	json_array_append_new(console, json_integer(0));
	json_array_append_new(console, json_integer(0));
	json_object_set_new(j, "ConsoleSize", console);
	json_object_set_new(j, "Annotations", json_from_map(&o->annotations));
	json_object_set_new(j, "CapAdd", strings_or_null(&o->cap_add));
	json_object_set_new(j, "CapDrop", strings_or_null(&o->cap_drop));
	json_object_set_new(j, "CgroupnsMode", text_or(o->cgroupns_mode, "private"));
	json_object_set_new(j, "Dns", json_from_strings(&o->dns));
	json_object_set_new(j, "DnsOptions", json_from_strings(&o->dns_options));
	json_object_set_new(j, "DnsSearch", json_from_strings(&o->dns_search));
	json_object_set_new(j, "ExtraHosts", strings_or_null(&o->extra_hosts));
	json_object_set_new(j, "GroupAdd", strings_or_null(&o->group_add));
	json_object_set_new(j, "IpcMode", text_or(o->ipc_mode, "private"));
	json_object_set_new(j, "OomScoreAdj", json_integer(o->oom_score_adj));
	json_object_set_new(j, "PidMode", text_or(o->pid_mode, ""));
	json_object_set_new(j, "Privileged", json_boolean(o->privileged));
	json_object_set_new(j, "PublishAllPorts", json_boolean(o->publish_all));
	json_object_set_new(j, "ReadonlyRootfs", json_boolean(o->read_only));
	json_object_set_new(j, "SecurityOpt", strings_or_null(&o->security));
	if (o->tmpfs.n)
		json_object_set_new(j, "Tmpfs", tmpfs_of(o));
	json_object_set_new(j, "UTSMode", text_or(o->uts_mode, ""));
	json_object_set_new(j, "UsernsMode", text_or(o->userns_mode, ""));
	json_object_set_new(j, "ShmSize",
			    json_integer(o->shm_size ? (json_int_t)o->shm_size : 64 << 20));
	json_object_set_new(j, "Runtime", text_or(o->runtime, "stave"));
	add_limits(o, j);
	add_paths(o, j);
	add_constants(j);
	if (o->init)
		json_object_set_new(j, "Init", json_true());
	return j;
}

/* ---- the rest ---- */

static json_t *graph_driver(struct engine *e, const struct store_container *c)
{
	json_t *j = json_object(), *data = json_object();
	const char *store = store_path(e->store);

	json_object_set_new(data, "UpperDir",
			    json_sprintf("%s/containers/%s/fs", store, c->id));
	json_object_set_new(data, "WorkDir",
			    json_sprintf("%s/containers/%s/work", store, c->id));
	json_object_set_new(j, "Data", data);
	json_object_set_new(j, "Name", json_string("overlayfs"));
	return j;
}

/* Files of the container that are mounted in it; none before it has run. */
static void add_files(struct engine *e, const struct store_container *c, int dir, json_t *j)
{
	static const struct {
		const char *key, *file;
	} files[] = {{"ResolvConfPath", "resolv.conf"},
		     {"HostnamePath", "hostname"},
		     {"HostsPath", "hosts"}};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		json_object_set_new(j, files[i].key,
				    dir >= 0 && faccessat(dir, files[i].file, F_OK, 0) == 0
					    ? json_sprintf("%s/containers/%s/%s",
							   store_path(e->store), c->id,
							   files[i].file)
					    : json_string(""));
}

/* The same members in the order in which Docker has them. */
static json_t *in_order(json_t *from)
{
	static const char *const order[] = {
		"Hostname",	"Domainname",	"User",	       "AttachStdin", "AttachStdout",
		"AttachStderr", "ExposedPorts", "Tty",	       "OpenStdin",   "StdinOnce",
		"Env",		"Cmd",		"Healthcheck", "ArgsEscaped", "Image",
		"Volumes",	"WorkingDir",	"Entrypoint",  "OnBuild",     "Labels",
		"StopSignal",	"StopTimeout",	"Shell"};
	json_t *to = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (json_object_get(from, order[i]))
			json_object_set(to, order[i], json_object_get(from, order[i]));
	json_object_update_missing(to, from);
	json_decref(from);
	return to;
}

static json_t *config_of(struct engine *e, const struct store_container *c,
			 const struct container_options *o)
{
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	const bool in = strlist_find(&o->attach, "stdin") >= 0;
	json_t *j = engine_container_config(e, c, &cfg, NULL) == 0 ? image_config_inspect(&cfg)
								   : json_object();

	json_object_set_new(j, "Image", json_string(c->image_name));
	json_object_set_new(j, "AttachStdin", json_boolean(in));
	json_object_set_new(j, "AttachStdout",
			    json_boolean(strlist_find(&o->attach, "stdout") >= 0));
	json_object_set_new(j, "AttachStderr",
			    json_boolean(strlist_find(&o->attach, "stderr") >= 0));
	json_object_set_new(j, "Tty", json_boolean(o->tty));
	json_object_set_new(j, "OpenStdin", json_boolean(o->interactive));
	json_object_set_new(j, "StdinOnce", json_boolean(in && o->interactive));
	if (!json_is_object(json_object_get(j, "Labels")))
		json_object_set_new(j, "Labels", json_object());
	if (o->has_stop_timeout)
		json_object_set_new(j, "StopTimeout", json_integer(o->stop_timeout));
	if (!json_object_get(j, "Domainname"))
		json_object_set_new(j, "Domainname", text_or(cfg.domainname, ""));
	return in_order(j);
}

static void add_words(const struct store_container *c, json_t *j)
{
	AUTO(json) json_t *config = NULL;
	json_t *args, *rest = json_array();

	if (json_parse(c->config, strlen(c->config), &config, NULL) < 0)
		config = json_object();
	args = json_object_get(config, "args");
	for (size_t i = 1; i < json_array_size(args); i++)
		json_array_append(rest, json_array_get(args, i));
	json_object_set_new(j, "Path",
			    json_array_size(args) ? json_incref(json_array_get(args, 0))
						  : json_string(""));
	json_object_set_new(j, "Args", rest);
}

static json_t *log_path(struct engine *e, const struct store_container *c,
			const struct container_options *o)
{
	return str_eq(o->log_driver, "none")
		       ? json_string("")
		       : json_sprintf("%s/containers/%s/log.json", store_path(e->store), c->id);
}

json_t *engine_inspect_container(struct engine *e, const struct store_container *c)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(json) json_t *state = NULL;
	char text[DIGEST_TEXT_SIZE];
	json_t *j = json_object();
	AUTO(fd) int dir = -1;
	pid_t pid = (pid_t)c->pid;

	container_options_of(c, &o, NULL);
	if (o.runtime)
		pid = sandbox_inside(pid);
	if (container_open_dir(e, c->id, &dir, NULL) == 0)
		state = container_state_read(dir);
	json_object_set_new(j, "Id", json_string(c->id));
	json_object_set_new(j, "Created", time_text(c->created_ns));
	add_words(c, j);
	json_object_set_new(j, "State", state_of(c, pid, state));
	json_object_set_new(j, "Image", json_string(digest_text(&c->image, text)));
	add_files(e, c, dir, j);
	json_object_set_new(j, "LogPath", log_path(e, c, &o));
	json_object_set_new(j, "Name", json_sprintf("/%s", c->name));
	json_object_set_new(
		j, "RestartCount",
		json_integer(json_integer_value(json_object_get(state, "restarts"))));
	json_object_set_new(j, "Driver", json_string("overlayfs"));
	json_object_set_new(j, "Platform", json_string("linux"));
	json_object_set_new(j, "MountLabel", json_string(""));
	json_object_set_new(j, "ProcessLabel", json_string(""));
	json_object_set_new(j, "AppArmorProfile", text_or(o.apparmor, ""));
	json_object_set_new(j, "ExecIDs", json_null());
	json_object_set_new(j, "HostConfig", host_config(&o));
	json_object_set_new(j, "GraphDriver", graph_driver(e, c));
	json_object_set_new(j, "Mounts", engine_mounts_of(e, c));
	json_object_set_new(j, "Config", config_of(e, c, &o));
	json_object_set_new(j, "NetworkSettings", container_network_settings(e, c, &o, state));
	return j;
}

json_t *engine_outline_container(struct engine *e, const struct store_container *c)
{
	AUTO(json) json_t *state = NULL;
	AUTO(fd) int dir = -1;
	json_t *j = json_object();

	add_words(c, j);
	if (!container_is_up(c))
		return j;
	if (container_open_dir(e, c->id, &dir, NULL) == 0)
		state = container_state_read(dir);
	json_object_set_new(j, "State", state_of(c, (pid_t)c->pid, state));
	json_object_set_new(j, "NetworkSettings",
			    json_pack("{s:o}", "Ports", container_ports_document(c)));
	return j;
}
