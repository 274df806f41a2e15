/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#include <string.h>

#include "oci/oci_json.h"
#include "oci/oci_seccomp.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/banned.h"

static int get_u32(const json_t *obj, const char *key, uint32_t *out, struct error *err)
{
	uint64_t v = *out;
	int rc = json_get_u64(obj, key, &v, err);

	if (rc < 0)
		return rc;
	if (v > UINT32_MAX)
		return error_set(err, ERR_INVALID, "\"%s\" is too large", key);
	*out = (uint32_t)v;
	return 0;
}

/* Calls @fn for each object of the array obj[key]; an absent one is empty. */
static int each(const json_t *obj, const char *key,
		int (*fn)(const json_t *element, void *data, struct error *err), void *data,
		struct error *err)
{
	json_t *array = NULL;
	int rc = json_get_array(obj, key, &array, err);

	for (size_t i = 0; rc == 0 && i < json_array_size(array); i++) {
		json_t *element = NULL;

		rc = json_read_element(array, i, key, &element, err);
		if (rc == 0)
			rc = fn(element, data, err);
	}
	return rc;
}

static int read_user(const json_t *process, struct process_config *p, struct error *err)
{
	json_t *user = NULL;
	json_t *gids = NULL;
	int rc = json_get_object(process, "user", &user, err);

	if (rc < 0 || !user)
		return rc;
	p->has_umask = json_is_integer(json_object_get(user, "umask"));
	if ((rc = get_u32(user, "uid", &p->uid, err)) < 0 ||
	    (rc = get_u32(user, "gid", &p->gid, err)) < 0 ||
	    (rc = get_u32(user, "umask", &p->umask, err)) < 0 ||
	    (rc = json_get_array(user, "additionalGids", &gids, err)) < 0)
		return rc;
	for (size_t i = 0; i < json_array_size(gids); i++) {
		json_t *gid = json_array_get(gids, i);
		json_int_t v = json_integer_value(gid);

		if (!json_is_integer(gid) || v < 0 || v > UINT32_MAX)
			return error_set(err, ERR_INVALID, "an additional gid is not a number");
		process_config_add_gid(p, (gid_t)v);
	}
	return 0;
}

static int read_capability_set(const json_t *obj, const char *key, uint64_t *out,
			       struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	int rc = json_get_strings(obj, key, &names, NULL, err);

	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		uint64_t mask = 0;

		rc = capability_parse(names.items[i], &mask, err);
		*out |= mask;
	}
	return rc;
}

static int read_capabilities(const json_t *process, struct process_config *p, struct error *err)
{
	json_t *caps = NULL;
	int rc = json_get_object(process, "capabilities", &caps, err);

	if (rc < 0 || !caps)
		return rc;
	if ((rc = read_capability_set(caps, "bounding", &p->bounding, err)) < 0 ||
	    (rc = read_capability_set(caps, "effective", &p->effective, err)) < 0)
		return rc;
	return read_capability_set(caps, "permitted", &p->permitted, err);
}

static int read_rlimit(const json_t *j, void *data, struct error *err)
{
	struct process_config *p = data;
	AUTO(free) char *type = NULL;
	uint64_t hard = 0, soft = 0;
	int rc;

	if ((rc = json_get_string(j, "type", &type, err)) < 0 ||
	    (rc = json_read_wide(j, "hard", &hard, err)) < 0 ||
	    (rc = json_read_wide(j, "soft", &soft, err)) < 0)
		return rc;
	if (str_empty(type))
		return error_set(err, ERR_INVALID, "an rlimit has no type");
	process_config_add_rlimit(p, type, soft, hard);
	return 0;
}

static int read_console(const json_t *process, struct process_config *p, struct error *err)
{
	json_t *size = NULL;
	int rc = json_get_object(process, "consoleSize", &size, err);

	if (rc < 0 || !size)
		return rc;
	if ((rc = get_u32(size, "width", &p->console_width, err)) < 0)
		return rc;
	return get_u32(size, "height", &p->console_height, err);
}

static int read_process(const json_t *j, struct process_config *p, struct error *err)
{
	int64_t oom = 0;
	int rc;

	if ((rc = json_get_bool(j, "terminal", &p->terminal, err)) < 0 ||
	    (rc = read_console(j, p, err)) < 0 || (rc = read_user(j, p, err)) < 0 ||
	    (rc = json_get_strings(j, "args", &p->args, NULL, err)) < 0 ||
	    (rc = json_get_strings(j, "env", &p->env, NULL, err)) < 0 ||
	    (rc = json_get_string(j, "cwd", &p->cwd, err)) < 0 ||
	    (rc = read_capabilities(j, p, err)) < 0 ||
	    (rc = each(j, "rlimits", read_rlimit, p, err)) < 0 ||
	    (rc = json_get_bool(j, "noNewPrivileges", &p->no_new_privileges, err)) < 0 ||
	    (rc = json_get_string(j, "apparmorProfile", &p->apparmor_profile, err)) < 0 ||
	    (rc = json_get_string(j, "selinuxLabel", &p->selinux_label, err)) < 0 ||
	    (rc = json_get_i64(j, "oomScoreAdj", &oom, err)) < 0)
		return rc;
	if (oom < -1000 || oom > 1000)
		return error_set(err, ERR_INVALID, "\"oomScoreAdj\" is not in -1000..1000");
	p->oom_score_adj = (int)oom;
	p->has_oom_score_adj = json_is_integer(json_object_get(j, "oomScoreAdj"));
	return 0;
}

static int read_mount(const json_t *j, void *data, struct error *err)
{
	struct runtime_spec *s = data;
	struct mount_spec *m = vec_push(&s->mounts);
	int rc;

	if ((rc = json_get_string(j, "destination", &m->destination, err)) < 0 ||
	    (rc = json_get_string(j, "type", &m->type, err)) < 0 ||
	    (rc = json_get_string(j, "source", &m->source, err)) < 0 ||
	    (rc = json_get_strings(j, "options", &m->options, NULL, err)) < 0)
		return rc;
	if (str_empty(m->destination))
		return error_set(err, ERR_INVALID, "a mount has no destination");
	return 0;
}

static int read_mapping(const json_t *j, void *data, struct error *err)
{
	struct id_mapping_list *l = data;
	struct id_mapping *m = vec_push(l);
	int rc;

	if ((rc = get_u32(j, "containerID", &m->container_id, err)) < 0 ||
	    (rc = get_u32(j, "hostID", &m->host_id, err)) < 0)
		return rc;
	return get_u32(j, "size", &m->size, err);
}

static int read_namespace(const json_t *j, void *data, struct error *err)
{
	struct runtime_spec *s = data;
	AUTO(free) char *type = NULL;
	int rc = json_get_string(j, "type", &type, err);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < NAMESPACE_COUNT; i++) {
		if (!str_eq(type, namespace_name(i)))
			continue;
		if (s->namespaces[i].present)
			return error_set(err, ERR_INVALID, "the name space %s is given twice",
					 type);
		s->namespaces[i].present = true;
		return json_get_string(j, "path", &s->namespaces[i].path, err);
	}
	return error_set(err, ERR_INVALID, "unknown name space \"%.40s\"", type ? type : "");
}

static int read_char(const json_t *j, const char *key, const char *allowed, char fallback,
		     char *out, struct error *err)
{
	AUTO(free) char *text = NULL;
	int rc = json_get_string(j, key, &text, err);

	*out = fallback;
	if (rc < 0 || str_empty(text))
		return rc;
	if (text[1] || !strchr(allowed, text[0]))
		return error_set(err, ERR_INVALID, "a device has the %s \"%.20s\"", key, text);
	*out = text[0];
	return 0;
}

static int read_device(const json_t *j, void *data, struct error *err)
{
	struct runtime_spec *s = data;
	struct device_spec *d = vec_push(&s->devices);
	int rc;

	if ((rc = json_get_string(j, "path", &d->path, err)) < 0 ||
	    (rc = read_char(j, "type", "cbup", 'c', &d->type, err)) < 0 ||
	    (rc = json_get_i64(j, "major", &d->major, err)) < 0 ||
	    (rc = json_get_i64(j, "minor", &d->minor, err)) < 0 ||
	    (rc = get_u32(j, "fileMode", &d->file_mode, err)) < 0 ||
	    (rc = get_u32(j, "uid", &d->uid, err)) < 0 ||
	    (rc = get_u32(j, "gid", &d->gid, err)) < 0)
		return rc;
	if (str_empty(d->path))
		return error_set(err, ERR_INVALID, "a device has no path");
	d->has_file_mode = json_is_integer(json_object_get(j, "fileMode"));
	return 0;
}

static int read_device_rule(const json_t *j, void *data, struct error *err)
{
	struct runtime_spec *s = data;
	AUTO(free) char *access = NULL;
	int64_t major = -1, minor = -1;
	bool allow = false;
	char type;
	int rc;

	if ((rc = json_get_bool(j, "allow", &allow, err)) < 0 ||
	    (rc = read_char(j, "type", "abc", 'a', &type, err)) < 0 ||
	    (rc = json_get_i64(j, "major", &major, err)) < 0 ||
	    (rc = json_get_i64(j, "minor", &minor, err)) < 0 ||
	    (rc = json_get_string(j, "access", &access, err)) < 0)
		return rc;
	runtime_spec_add_device_rule(s, allow, type, major, minor,
				     str_empty(access) ? "rwm" : access);
	return 0;
}

static int read_memory(const json_t *j, struct resources_spec *r, struct error *err)
{
	json_t *memory = NULL;
	int rc = json_get_object(j, "memory", &memory, err);

	if (rc < 0 || !memory)
		return rc;
	if ((rc = json_get_i64(memory, "limit", &r->memory_limit, err)) < 0 ||
	    (rc = json_get_i64(memory, "reservation", &r->memory_reservation, err)) < 0 ||
	    (rc = json_get_i64(memory, "swap", &r->memory_swap, err)) < 0 ||
	    (rc = json_get_u64(memory, "swappiness", &r->swappiness, err)) < 0)
		return rc;
	r->has_swappiness = json_is_integer(json_object_get(memory, "swappiness"));
	return json_get_bool(memory, "disableOOMKiller", &r->disable_oom_killer, err);
}

static int read_cpu(const json_t *j, struct resources_spec *r, struct error *err)
{
	json_t *cpu = NULL;
	int rc = json_get_object(j, "cpu", &cpu, err);

	if (rc < 0 || !cpu)
		return rc;
	if ((rc = json_get_u64(cpu, "shares", &r->cpu_shares, err)) < 0 ||
	    (rc = json_get_i64(cpu, "quota", &r->cpu_quota, err)) < 0 ||
	    (rc = json_get_u64(cpu, "period", &r->cpu_period, err)) < 0 ||
	    (rc = json_get_i64(cpu, "realtimeRuntime", &r->rt_runtime, err)) < 0 ||
	    (rc = json_get_u64(cpu, "realtimePeriod", &r->rt_period, err)) < 0 ||
	    (rc = json_get_string(cpu, "cpus", &r->cpuset_cpus, err)) < 0)
		return rc;
	return json_get_string(cpu, "mems", &r->cpuset_mems, err);
}

static int read_weight(const json_t *j, void *data, struct error *err)
{
	struct blkio_value *v = vec_push((struct blkio_list *)data);
	int rc;

	if ((rc = json_get_i64(j, "major", &v->major, err)) < 0 ||
	    (rc = json_get_i64(j, "minor", &v->minor, err)) < 0)
		return rc;
	return json_get_u64(j, "weight", &v->value, err);
}

static int read_rate(const json_t *j, void *data, struct error *err)
{
	struct blkio_list *l = data;
	int rc = read_weight(j, l, err);

	return rc < 0 ? rc : json_get_u64(j, "rate", &l->items[l->n - 1].value, err);
}

static int read_blkio(const json_t *resources, struct resources_spec *r, struct error *err)
{
	json_t *j = NULL;
	uint32_t weight = 0;
	int rc = json_get_object(resources, "blockIO", &j, err);

	if (rc < 0 || !j)
		return rc;
	if ((rc = get_u32(j, "weight", &weight, err)) < 0)
		return rc;
	if (weight > UINT16_MAX)
		return error_set(err, ERR_INVALID, "\"weight\" is too large");
	r->blkio_weight = (uint16_t)weight;
	for (size_t k = 0; rc == 0 && k < BLKIO_COUNT; k++)
		rc = each(j, blkio_name((enum blkio_kind)k),
			  k == BLKIO_WEIGHT ? read_weight : read_rate, &r->blkio[k], err);
	return rc;
}

static int read_resources(const json_t *linux_part, struct runtime_spec *s, struct error *err)
{
	struct resources_spec *r = &s->resources;
	json_t *j = NULL;
	json_t *pids = NULL;
	int rc = json_get_object(linux_part, "resources", &j, err);

	if (rc < 0 || !j)
		return rc;
	if ((rc = each(j, "devices", read_device_rule, s, err)) < 0 ||
	    (rc = read_memory(j, r, err)) < 0 || (rc = read_cpu(j, r, err)) < 0 ||
	    (rc = json_get_object(j, "pids", &pids, err)) < 0 ||
	    (rc = read_blkio(j, r, err)) < 0)
		return rc;
	return pids ? json_get_i64(pids, "limit", &r->pids_limit, err) : 0;
}

static int read_linux(const json_t *doc, struct runtime_spec *s, struct error *err)
{
	json_t *j = NULL;
	json_t *seccomp = NULL;
	int rc = json_get_object(doc, "linux", &j, err);

	if (rc < 0 || !j)
		return rc;
	if ((rc = each(j, "namespaces", read_namespace, s, err)) < 0 ||
	    (rc = each(j, "uidMappings", read_mapping, &s->uid_mappings, err)) < 0 ||
	    (rc = each(j, "gidMappings", read_mapping, &s->gid_mappings, err)) < 0 ||
	    (rc = each(j, "devices", read_device, s, err)) < 0 ||
	    (rc = read_resources(j, s, err)) < 0 ||
	    (rc = json_get_string(j, "cgroupsPath", &s->cgroups_path, err)) < 0 ||
	    (rc = json_get_strings(j, "maskedPaths", &s->masked_paths, NULL, err)) < 0 ||
	    (rc = json_get_strings(j, "readonlyPaths", &s->readonly_paths, NULL, err)) < 0 ||
	    (rc = json_get_string(j, "rootfsPropagation", &s->rootfs_propagation, err)) < 0 ||
	    (rc = json_read_map(j, "sysctl", &s->sysctl, err)) < 0 ||
	    (rc = json_get_object(j, "seccomp", &seccomp, err)) < 0)
		return rc;
	return seccomp ? seccomp_read(seccomp, s->process.bounding, &s->seccomp, err) : 0;
}

int runtime_spec_add_hook(struct runtime_spec *spec, enum hook_kind kind, const json_t *hook,
			  struct error *err)
{
	struct hook_list *l = &spec->hooks[kind];
	struct hook_spec *h;
	int rc;

	if (l->n >= LIMIT_HOOKS)
		return error_set(err, ERR_LIMIT, "more than %u hooks of %s", LIMIT_HOOKS,
				 hook_name(kind));
	h = vec_push(l);
	*h = (struct hook_spec){0};
	if ((rc = json_get_string(hook, "path", &h->path, err)) < 0 ||
	    (rc = json_get_strings(hook, "args", &h->args, NULL, err)) < 0 ||
	    (rc = json_get_strings(hook, "env", &h->env, NULL, err)) < 0 ||
	    (rc = get_u32(hook, "timeout", &h->timeout, err)) < 0)
		return rc;
	if (!h->path || h->path[0] != '/')
		return error_set(err, ERR_INVALID, "the path of a hook (%s) is not absolute",
				 h->path ? h->path : "");
	return 0;
}

struct hook_reader {
	struct runtime_spec *spec;
	enum hook_kind kind;
};

static int read_hook(const json_t *j, void *data, struct error *err)
{
	const struct hook_reader *r = data;

	return runtime_spec_add_hook(r->spec, r->kind, j, err);
}

static int read_hooks(const json_t *doc, struct runtime_spec *s, struct error *err)
{
	json_t *hooks = NULL;
	int rc = json_get_object(doc, "hooks", &hooks, err);

	for (size_t k = 0; hooks && rc == 0 && k < HOOK_COUNT; k++) {
		struct hook_reader r = {s, (enum hook_kind)k};

		rc = each(hooks, hook_name(r.kind), read_hook, &r, err);
	}
	return rc;
}

static int decode(const json_t *doc, struct runtime_spec *s, struct error *err)
{
	json_t *process = NULL;
	json_t *root = NULL;
	int rc;

	if ((rc = json_get_object(doc, "process", &process, err)) < 0 ||
	    (rc = json_get_object(doc, "root", &root, err)) < 0)
		return rc;
	s->has_process = process != NULL;
	if (process && (rc = read_process(process, &s->process, err)) < 0)
		return rc;
	if (!root)
		return error_set(err, ERR_INVALID, "has no \"root\"");
	if ((rc = json_get_string(root, "path", &s->root_path, err)) < 0 ||
	    (rc = json_get_bool(root, "readonly", &s->root_readonly, err)) < 0 ||
	    (rc = json_get_string(doc, "hostname", &s->hostname, err)) < 0 ||
	    (rc = json_get_string(doc, "domainname", &s->domainname, err)) < 0 ||
	    (rc = each(doc, "mounts", read_mount, s, err)) < 0 ||
	    (rc = json_read_map(doc, "annotations", &s->annotations, err)) < 0 ||
	    (rc = read_hooks(doc, s, err)) < 0)
		return rc;
	return read_linux(doc, s, err);
}

int runtime_spec_decode(const char *data, size_t len, struct runtime_spec *out,
			struct error *err)
{
	AUTO(json) json_t *doc = NULL;
	int rc;

	if (len > LIMIT_CONFIG_BYTES)
		return error_set(err, ERR_LIMIT, "runtime spec: larger than %u bytes",
				 LIMIT_CONFIG_BYTES);
	rc = json_read_wide_document(data, len, "runtime spec", &doc, err);
	if (rc < 0)
		return rc;
	rc = decode(doc, out, err);
	if (rc < 0) {
		error_wrap(err, "runtime spec");
		runtime_spec_clear(out);
	}
	return rc;
}
