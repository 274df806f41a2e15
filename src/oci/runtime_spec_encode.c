/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime spec as text: runtime-spec config.md and config-linux.md, v1.1. */
#include "oci/oci.h"

#include <string.h>

#include "oci/oci_json.h"
#include "oci/oci_seccomp.h"

#include "base/mem.h"
#include "base/banned.h"

static void write_capabilities(struct json_writer *w, const struct process_config *p)
{
	const struct {
		const char *key;
		uint64_t mask;
	} sets[] = {
		{"bounding", p->bounding},
		{"effective", p->effective},
		{"permitted", p->permitted},
	};

	json_write_key(w, "capabilities");
	json_write_open(w, '{');
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		json_write_key(w, sets[i].key);
		json_write_open(w, '[');
		for (unsigned bit = 0; bit < CAPABILITY_COUNT; bit++)
			if (sets[i].mask & (UINT64_C(1) << bit))
				json_write_string(w, capability_name(bit));
		json_write_close(w, ']');
	}
	json_write_close(w, '}');
}

static void write_user(struct json_writer *w, const struct process_config *p)
{
	json_write_key(w, "user");
	json_write_open(w, '{');
	json_member_u64(w, "uid", p->uid);
	json_member_u64(w, "gid", p->gid);
	if (p->has_umask)
		json_member_u64(w, "umask", p->umask);
	if (p->additional_gids.n) {
		json_write_key(w, "additionalGids");
		json_write_open(w, '[');
		for (size_t i = 0; i < p->additional_gids.n; i++)
			json_write_u64(w, p->additional_gids.items[i]);
		json_write_close(w, ']');
	}
	json_write_close(w, '}');
}

static void write_process(struct json_writer *w, const struct process_config *p)
{
	json_write_open(w, '{');
	json_member_true_opt(w, "terminal", p->terminal);
	if (p->console_width || p->console_height) {
		json_write_key(w, "consoleSize");
		json_write_open(w, '{');
		json_member_u64(w, "height", p->console_height);
		json_member_u64(w, "width", p->console_width);
		json_write_close(w, '}');
	}
	write_user(w, p);
	json_member_strings(w, "args", &p->args);
	json_member_strings_opt(w, "env", &p->env);
	json_member_string(w, "cwd", p->cwd ? p->cwd : "/");
	write_capabilities(w, p);
	if (p->rlimits.n) {
		json_write_key(w, "rlimits");
		json_write_open(w, '[');
		for (size_t i = 0; i < p->rlimits.n; i++) {
			json_write_open(w, '{');
			json_member_string(w, "type", p->rlimits.items[i].type);
			json_member_u64(w, "hard", p->rlimits.items[i].hard);
			json_member_u64(w, "soft", p->rlimits.items[i].soft);
			json_write_close(w, '}');
		}
		json_write_close(w, ']');
	}
	json_member_true_opt(w, "noNewPrivileges", p->no_new_privileges);
	json_member_opt(w, "apparmorProfile", p->apparmor_profile);
	if (p->has_oom_score_adj)
		json_member_i64(w, "oomScoreAdj", p->oom_score_adj);
	json_member_opt(w, "selinuxLabel", p->selinux_label);
	json_write_close(w, '}');
}

static void write_mounts(struct json_writer *w, const struct mount_list *l)
{
	if (!l->n)
		return;
	json_write_key(w, "mounts");
	json_write_open(w, '[');
	for (size_t i = 0; i < l->n; i++) {
		const struct mount_spec *m = &l->items[i];

		json_write_open(w, '{');
		json_member_string(w, "destination", m->destination);
		json_member_opt(w, "type", m->type);
		json_member_opt(w, "source", m->source);
		json_member_strings_opt(w, "options", &m->options);
		json_write_close(w, '}');
	}
	json_write_close(w, ']');
}

static void write_mappings(struct json_writer *w, const char *key,
			   const struct id_mapping_list *l)
{
	if (!l->n)
		return;
	json_write_key(w, key);
	json_write_open(w, '[');
	for (size_t i = 0; i < l->n; i++) {
		json_write_open(w, '{');
		json_member_u64(w, "containerID", l->items[i].container_id);
		json_member_u64(w, "hostID", l->items[i].host_id);
		json_member_u64(w, "size", l->items[i].size);
		json_write_close(w, '}');
	}
	json_write_close(w, ']');
}

static void write_namespaces(struct json_writer *w, const struct runtime_spec *s)
{
	json_write_key(w, "namespaces");
	json_write_open(w, '[');
	for (unsigned i = 0; i < NAMESPACE_COUNT; i++) {
		if (!s->namespaces[i].present)
			continue;
		json_write_open(w, '{');
		json_member_string(w, "type", namespace_name(i));
		json_member_opt(w, "path", s->namespaces[i].path);
		json_write_close(w, '}');
	}
	json_write_close(w, ']');
}

static void write_devices(struct json_writer *w, const struct device_list *l)
{
	if (!l->n)
		return;
	json_write_key(w, "devices");
	json_write_open(w, '[');
	for (size_t i = 0; i < l->n; i++) {
		const struct device_spec *d = &l->items[i];

		json_write_open(w, '{');
		json_member_string(w, "path", d->path);
		json_member_string(w, "type", (char[]){d->type, '\0'});
		json_member_i64(w, "major", d->major);
		json_member_i64(w, "minor", d->minor);
		if (d->has_file_mode)
			json_member_u64(w, "fileMode", d->file_mode);
		json_member_u64(w, "uid", d->uid);
		json_member_u64(w, "gid", d->gid);
		json_write_close(w, '}');
	}
	json_write_close(w, ']');
}

static void write_device_rules(struct json_writer *w, const struct device_rule_list *l)
{
	if (!l->n)
		return;
	json_write_key(w, "devices");
	json_write_open(w, '[');
	for (size_t i = 0; i < l->n; i++) {
		const struct device_rule *r = &l->items[i];

		json_write_open(w, '{');
		json_member_bool(w, "allow", r->allow);
		if (r->type != 'a')
			json_member_string(w, "type", (char[]){r->type, '\0'});
		if (r->major >= 0)
			json_member_i64(w, "major", r->major);
		if (r->minor >= 0)
			json_member_i64(w, "minor", r->minor);
		json_member_string(w, "access", r->access[0] ? r->access : "rwm");
		json_write_close(w, '}');
	}
	json_write_close(w, ']');
}

static void write_cpu(struct json_writer *w, const struct resources_spec *r)
{
	if (!r->cpu_shares && !r->cpu_quota && !r->cpu_period && !r->rt_runtime &&
	    !r->rt_period && str_empty(r->cpuset_cpus) && str_empty(r->cpuset_mems))
		return;
	json_write_key(w, "cpu");
	json_write_open(w, '{');
	if (r->cpu_shares)
		json_member_u64(w, "shares", r->cpu_shares);
	json_member_i64_opt(w, "quota", r->cpu_quota);
	if (r->cpu_period)
		json_member_u64(w, "period", r->cpu_period);
	json_member_i64_opt(w, "realtimeRuntime", r->rt_runtime);
	if (r->rt_period)
		json_member_u64(w, "realtimePeriod", r->rt_period);
	json_member_opt(w, "cpus", r->cpuset_cpus);
	json_member_opt(w, "mems", r->cpuset_mems);
	json_write_close(w, '}');
}

static void write_memory(struct json_writer *w, const struct resources_spec *r)
{
	if (!r->memory_limit && !r->memory_reservation && !r->memory_swap &&
	    !r->has_swappiness && !r->disable_oom_killer)
		return;
	json_write_key(w, "memory");
	json_write_open(w, '{');
	json_member_i64_opt(w, "limit", r->memory_limit);
	json_member_i64_opt(w, "reservation", r->memory_reservation);
	json_member_i64_opt(w, "swap", r->memory_swap);
	if (r->has_swappiness)
		json_member_u64(w, "swappiness", r->swappiness);
	json_member_true_opt(w, "disableOOMKiller", r->disable_oom_killer);
	json_write_close(w, '}');
}

static void write_blkio(struct json_writer *w, const struct resources_spec *r)
{
	if (!resources_spec_limit_blkio(r))
		return;
	json_write_key(w, "blockIO");
	json_write_open(w, '{');
	if (r->blkio_weight)
		json_member_u64(w, "weight", r->blkio_weight);
	for (size_t k = 0; k < BLKIO_COUNT; k++) {
		if (!r->blkio[k].n)
			continue;
		json_write_key(w, blkio_name((enum blkio_kind)k));
		json_write_open(w, '[');
		for (size_t i = 0; i < r->blkio[k].n; i++) {
			json_write_open(w, '{');
			json_member_i64(w, "major", r->blkio[k].items[i].major);
			json_member_i64(w, "minor", r->blkio[k].items[i].minor);
			json_member_u64(w, k == BLKIO_WEIGHT ? "weight" : "rate",
					r->blkio[k].items[i].value);
			json_write_close(w, '}');
		}
		json_write_close(w, ']');
	}
	json_write_close(w, '}');
}

static void write_resources(struct json_writer *w, const struct resources_spec *r)
{
	json_write_key(w, "resources");
	json_write_open(w, '{');
	write_device_rules(w, &r->devices);
	write_memory(w, r);
	write_cpu(w, r);
	if (r->pids_limit) {
		json_write_key(w, "pids");
		json_write_open(w, '{');
		json_member_i64(w, "limit", r->pids_limit);
		json_write_close(w, '}');
	}
	write_blkio(w, r);
	json_write_close(w, '}');
}

static void write_linux(struct json_writer *w, const struct runtime_spec *s)
{
	json_write_open(w, '{');
	write_mappings(w, "uidMappings", &s->uid_mappings);
	write_mappings(w, "gidMappings", &s->gid_mappings);
	json_member_map_opt(w, "sysctl", &s->sysctl);
	write_resources(w, &s->resources);
	json_member_opt(w, "cgroupsPath", s->cgroups_path);
	write_namespaces(w, s);
	write_devices(w, &s->devices);
	if (s->seccomp.present) {
		json_write_key(w, "seccomp");
		seccomp_write(w, &s->seccomp);
	}
	json_member_opt(w, "rootfsPropagation", s->rootfs_propagation);
	json_member_strings_opt(w, "maskedPaths", &s->masked_paths);
	json_member_strings_opt(w, "readonlyPaths", &s->readonly_paths);
	json_write_close(w, '}');
}

static void write_hooks(struct json_writer *w, const struct hook_list lists[HOOK_COUNT])
{
	bool any = false;

	for (size_t k = 0; k < HOOK_COUNT; k++)
		any |= lists[k].n > 0;
	if (!any)
		return;
	json_write_key(w, "hooks");
	json_write_open(w, '{');
	for (size_t k = 0; k < HOOK_COUNT; k++) {
		if (!lists[k].n)
			continue;
		json_write_key(w, hook_name((enum hook_kind)k));
		json_write_open(w, '[');
		for (size_t i = 0; i < lists[k].n; i++) {
			const struct hook_spec *h = &lists[k].items[i];

			json_write_open(w, '{');
			json_member_string(w, "path", h->path);
			json_member_strings_opt(w, "args", &h->args);
			json_member_strings_opt(w, "env", &h->env);
			if (h->timeout)
				json_member_u64(w, "timeout", h->timeout);
			json_write_close(w, '}');
		}
		json_write_close(w, ']');
	}
	json_write_close(w, '}');
}

void runtime_spec_encode(const struct runtime_spec *spec, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out);

	json_write_open(&w, '{');
	json_member_string(&w, "ociVersion", RUNTIME_SPEC_VERSION);
	if (spec->has_process) {
		json_write_key(&w, "process");
		write_process(&w, &spec->process);
	}
	json_write_key(&w, "root");
	json_write_open(&w, '{');
	json_member_string(&w, "path", spec->root_path ? spec->root_path : "rootfs");
	json_member_true_opt(&w, "readonly", spec->root_readonly);
	json_write_close(&w, '}');
	json_member_opt(&w, "hostname", spec->hostname);
	json_member_opt(&w, "domainname", spec->domainname);
	write_mounts(&w, &spec->mounts);
	write_hooks(&w, spec->hooks);
	json_member_map_opt(&w, "annotations", &spec->annotations);
	json_write_key(&w, "linux");
	write_linux(&w, spec);
	json_write_close(&w, '}');
}
