/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime spec as a value, and Docker's defaults for it. */
#include "oci/oci.h"

#include <sched.h>
#include <string.h>

#include "oci/oci_json.h"

#include "base/mem.h"
#include "base/banned.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct {
	const char *name;
	int flag;
} namespaces[NAMESPACE_COUNT] = {
	[NAMESPACE_MOUNT] = {"mount", CLONE_NEWNS},
	[NAMESPACE_PID] = {"pid", CLONE_NEWPID},
	[NAMESPACE_UTS] = {"uts", CLONE_NEWUTS},
	[NAMESPACE_IPC] = {"ipc", CLONE_NEWIPC},
	[NAMESPACE_NETWORK] = {"network", CLONE_NEWNET},
	[NAMESPACE_USER] = {"user", CLONE_NEWUSER},
	[NAMESPACE_CGROUP] = {"cgroup", CLONE_NEWCGROUP},
	[NAMESPACE_TIME] = {"time", CLONE_NEWTIME},
};

/* What Docker mounts into every container, in this order. */
static const struct {
	const char *destination;
	const char *type;
	const char *source;
	const char *options;
} default_mounts[] = {
	{"/proc", "proc", "proc", "nosuid,noexec,nodev"},
	{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
	{"/dev/pts", "devpts", "devpts",
	 "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
	{"/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev"},
	{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
	{"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=67108864"},
};

static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* The runtime makes null, zero, full, random, urandom and tty; these are the rules for them. */
static const struct {
	bool allow;
	char type;
	int64_t major;
	int64_t minor;
	const char *access;
} default_device_rules[] = {
	{false, 'a', -1, -1, "rwm"}, /* all */
	{true, 'c', 1, 5, "rwm"},    /* zero */
	{true, 'c', 1, 3, "rwm"},    /* null */
	{true, 'c', 1, 9, "rwm"},    /* urandom */
	{true, 'c', 1, 8, "rwm"},    /* random */
	{true, 'c', 1, 7, "rwm"},    /* full */
	{true, 'c', 5, 0, "rwm"},    /* tty */
	{true, 'c', 5, 1, "rwm"},    /* console */
	{true, 'c', 5, 2, "rwm"},    /* ptmx */
	{true, 'c', 136, -1, "rwm"}, /* pts/N */
	{true, 'c', -1, -1, "m"},    /* mknod opens nothing */
};

const char *blkio_name(enum blkio_kind kind)
{
	static const char *const names[BLKIO_COUNT] = {
		[BLKIO_WEIGHT] = "weightDevice",
		[BLKIO_READ_BPS] = "throttleReadBpsDevice",
		[BLKIO_WRITE_BPS] = "throttleWriteBpsDevice",
		[BLKIO_READ_IOPS] = "throttleReadIOPSDevice",
		[BLKIO_WRITE_IOPS] = "throttleWriteIOPSDevice",
	};

	return names[kind];
}

const char *namespace_name(enum namespace_type type)
{
	return namespaces[type].name;
}

int namespace_clone_flag(enum namespace_type type)
{
	return namespaces[type].flag;
}

struct mount_spec *runtime_spec_add_mount(struct runtime_spec *spec, const char *destination,
					  const char *type, const char *source,
					  const char *options)
{
	struct mount_spec *m = vec_push(&spec->mounts);

	m->destination = mem_strdup(destination);
	m->type = dup_or_null(type);
	m->source = dup_or_null(source);
	if (!str_empty(options))
		strlist_split(&m->options, options, ',');
	return m;
}

struct mount_spec *runtime_spec_find_mount(struct runtime_spec *spec, const char *destination)
{
	for (size_t i = 0; i < spec->mounts.n; i++)
		if (str_eq(spec->mounts.items[i].destination, destination))
			return &spec->mounts.items[i];
	return NULL;
}

static void clear_mount(struct mount_spec *m)
{
	free(m->destination);
	free(m->type);
	free(m->source);
	strlist_clear(&m->options);
}

void runtime_spec_remove_mount(struct runtime_spec *spec, const char *destination)
{
	struct mount_spec *m = runtime_spec_find_mount(spec, destination);
	size_t after;

	if (!m)
		return;
	clear_mount(m);
	after = spec->mounts.n - (size_t)(m - spec->mounts.items) - 1;
	memmove(m, m + 1, after * sizeof(*m));
	spec->mounts.n--;
}

void runtime_spec_add_device(struct runtime_spec *spec, const char *path, char type,
			     int64_t major, int64_t minor, mode_t mode)
{
	struct device_spec *d = vec_push(&spec->devices);

	d->path = mem_strdup(path);
	d->type = type;
	d->major = major;
	d->minor = minor;
	d->file_mode = mode & 07777;
	d->has_file_mode = true;
}

void runtime_spec_add_device_rule(struct runtime_spec *spec, bool allow, char type,
				  int64_t major, int64_t minor, const char *access)
{
	struct device_rule *r = vec_push(&spec->resources.devices);
	size_t n = 0;

	r->allow = allow;
	r->type = type;
	r->major = major;
	r->minor = minor;
	for (const char *c = "rwm"; *c; c++)
		if (strchr(access, *c))
			r->access[n++] = *c;
}

void resources_spec_add_blkio(struct resources_spec *r, enum blkio_kind kind, int64_t major,
			      int64_t minor, uint64_t value)
{
	*vec_push(&r->blkio[kind]) =
		(struct blkio_value){.major = major, .minor = minor, .value = value};
}

bool resources_spec_limit_blkio(const struct resources_spec *r)
{
	bool any = r->blkio_weight > 0;

	for (size_t i = 0; i < BLKIO_COUNT; i++)
		any |= r->blkio[i].n > 0;
	return any;
}

bool resources_spec_limit(const struct resources_spec *r)
{
	return r->memory_limit || r->memory_reservation || r->memory_swap ||
	       r->has_swappiness || r->disable_oom_killer || r->cpu_shares || r->cpu_quota ||
	       r->cpu_period || r->rt_runtime || r->rt_period || r->cpuset_cpus ||
	       r->cpuset_mems || r->pids_limit > 0 || resources_spec_limit_blkio(r);
}

void process_config_add_rlimit(struct process_config *p, const char *type, uint64_t soft,
			       uint64_t hard)
{
	struct rlimit_spec *r = vec_push(&p->rlimits);

	r->type = mem_strdup(type);
	r->soft = soft;
	r->hard = hard;
}

void process_config_add_gid(struct process_config *p, gid_t gid)
{
	*vec_push(&p->additional_gids) = gid;
}

void runtime_spec_defaults(struct runtime_spec *spec)
{
	static const enum namespace_type own[] = {NAMESPACE_MOUNT,   NAMESPACE_PID,
						  NAMESPACE_UTS,     NAMESPACE_IPC,
						  NAMESPACE_NETWORK, NAMESPACE_CGROUP};

	*spec = RUNTIME_SPEC_INIT;
	spec->has_process = true;
	spec->process.cwd = mem_strdup("/");
	spec->process.bounding = CAPABILITY_DEFAULT;
	spec->process.effective = CAPABILITY_DEFAULT;
	spec->process.permitted = CAPABILITY_DEFAULT;
	spec->root_path = mem_strdup("rootfs");
	for (size_t i = 0; i < ARRAY_SIZE(default_mounts); i++)
		runtime_spec_add_mount(spec, default_mounts[i].destination,
				       default_mounts[i].type, default_mounts[i].source,
				       default_mounts[i].options);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		spec->namespaces[own[i]].present = true;
	for (size_t i = 0; i < ARRAY_SIZE(masked_paths); i++)
		strlist_add(&spec->masked_paths, masked_paths[i]);
	for (size_t i = 0; i < ARRAY_SIZE(readonly_paths); i++)
		strlist_add(&spec->readonly_paths, readonly_paths[i]);
	for (size_t i = 0; i < ARRAY_SIZE(default_device_rules); i++)
		runtime_spec_add_device_rule(
			spec, default_device_rules[i].allow, default_device_rules[i].type,
			default_device_rules[i].major, default_device_rules[i].minor,
			default_device_rules[i].access);
}

void runtime_spec_writable(struct runtime_spec *spec, const char *destination)
{
	struct mount_spec *m = runtime_spec_find_mount(spec, destination);
	long ro = m ? strlist_find(&m->options, "ro") : -1;

	if (ro < 0)
		return;
	strlist_remove(&m->options, (size_t)ro);
	strlist_add(&m->options, "rw");
}

void runtime_spec_privileged(struct runtime_spec *spec)
{
	spec->process.bounding = CAPABILITY_ALL;
	spec->process.effective = CAPABILITY_ALL;
	spec->process.permitted = CAPABILITY_ALL;
	strlist_clear(&spec->masked_paths);
	strlist_clear(&spec->readonly_paths);
	seccomp_profile_clear(&spec->seccomp);
	runtime_spec_writable(spec, "/sys");
	runtime_spec_writable(spec, "/sys/fs/cgroup");
	free(spec->resources.devices.items);
	spec->resources.devices = (struct device_rule_list){0};
	runtime_spec_add_device_rule(spec, true, 'a', -1, -1, "rwm");
}

static void process_config_clear(struct process_config *p)
{
	free(p->additional_gids.items);
	strlist_clear(&p->args);
	strlist_clear(&p->env);
	free(p->cwd);
	for (size_t i = 0; i < p->rlimits.n; i++)
		free(p->rlimits.items[i].type);
	free(p->rlimits.items);
	free(p->apparmor_profile);
	free(p->selinux_label);
	*p = (struct process_config){0};
}

static const char *const hook_names[HOOK_COUNT] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

const char *hook_name(enum hook_kind kind)
{
	return hook_names[kind];
}

enum hook_kind hook_parse(const char *name)
{
	size_t i = 0;

	while (i < HOOK_COUNT && !str_eq(name, hook_names[i]))
		i++;
	return (enum hook_kind)i;
}

void hook_lists_clear(struct hook_list lists[HOOK_COUNT])
{
	for (size_t k = 0; k < HOOK_COUNT; k++) {
		for (size_t i = 0; i < lists[k].n; i++) {
			free(lists[k].items[i].path);
			strlist_clear(&lists[k].items[i].args);
			strlist_clear(&lists[k].items[i].env);
		}
		free(lists[k].items);
		lists[k] = (struct hook_list){0};
	}
}

void runtime_spec_clear(struct runtime_spec *spec)
{
	process_config_clear(&spec->process);
	free(spec->root_path);
	free(spec->hostname);
	free(spec->domainname);
	for (size_t i = 0; i < spec->mounts.n; i++)
		clear_mount(&spec->mounts.items[i]);
	free(spec->mounts.items);
	map_clear(&spec->annotations);
	hook_lists_clear(spec->hooks);
	for (size_t i = 0; i < NAMESPACE_COUNT; i++)
		free(spec->namespaces[i].path);
	free(spec->uid_mappings.items);
	free(spec->gid_mappings.items);
	for (size_t i = 0; i < spec->devices.n; i++)
		free(spec->devices.items[i].path);
	free(spec->devices.items);
	free(spec->resources.devices.items);
	free(spec->resources.cpuset_cpus);
	free(spec->resources.cpuset_mems);
	for (size_t i = 0; i < BLKIO_COUNT; i++)
		free(spec->resources.blkio[i].items);
	free(spec->cgroups_path);
	strlist_clear(&spec->masked_paths);
	strlist_clear(&spec->readonly_paths);
	free(spec->rootfs_propagation);
	map_clear(&spec->sysctl);
	seccomp_profile_clear(&spec->seccomp);
	*spec = RUNTIME_SPEC_INIT;
}
