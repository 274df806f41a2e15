/* SPDX-License-Identifier: Apache-2.0 */
/* Image config and options become a runtime spec. */
#include <string.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "runtime/runtime_device.h"
#include "runtime/runtime_resources.h"

#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"

#include "base/banned.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SHORT_ID     12

static const char *const tmpfs_flags[] = {
	"ro",	 "rw",	   "suid",    "nosuid",	  "exec",	"noexec",      "dev",
	"nodev", "sync",   "async",   "atime",	  "noatime",	"diratime",    "nodiratime",
	"mand",	 "nomand", "dirsync", "relatime", "norelatime", "strictatime", "nostrictatime",
};

static const char *const tmpfs_values[] = {
	"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "mpol="};

const char *runtime_user_spec(const struct image_config *cfg, const struct container_options *o)
{
	if (!str_empty(o->user))
		return o->user;
	return cfg && cfg->user ? cfg->user : "";
}

static bool is_empty_entrypoint(const struct strlist *l)
{
	return l->n == 0 || (l->n == 1 && l->items[0][0] == 0);
}

int runtime_make_args(const struct image_config *cfg, const struct container_options *o,
		      struct strlist *out, struct error *err)
{
	if (o->has_entrypoint) {
		if (!is_empty_entrypoint(&o->entrypoint))
			strlist_addall(out, &o->entrypoint);
	} else if (cfg && !is_empty_entrypoint(&cfg->entrypoint)) {
		strlist_addall(out, &cfg->entrypoint);
	}
	if (o->args.n)
		strlist_addall(out, &o->args);
	else if (cfg && !o->has_entrypoint)
		strlist_addall(out, &cfg->cmd);
	if (out->n)
		return 0;
	error_set(err, ERR_INVALID, "no command specified");
	error_hint(err,
		   "the image has neither CMD nor ENTRYPOINT: give a command behind its name");
	return -ERR_INVALID;
}

void runtime_hostname(const struct container_options *o, struct buf *out)
{
	char host[256] = "";

	if (!str_empty(o->hostname)) {
		buf_addstr(out, o->hostname);
	} else if (o->network == RUNTIME_NETWORK_HOST) {
		gethostname(host, sizeof(host) - 1);
		buf_addstr(out, host);
	} else if (o->id) {
		buf_add(out, o->id, strnlen(o->id, SHORT_ID));
	}
}

/* NAME=value sets, NAME alone takes away. */
static void apply_variable(struct strlist *env, const char *text)
{
	const char *eq = strchr(text, '=');
	AUTO(free) char *name = eq ? mem_strndup(text, (size_t)(eq - text)) : NULL;

	if (!eq)
		strlist_env_unset(env, text);
	else if (eq != text)
		strlist_env_set(env, name, eq + 1);
}

static bool names_variable(const struct strlist *list, const char *text)
{
	const size_t len = strcspn(text, "=");

	for (size_t i = 0; i < list->n; i++)
		if (strcspn(list->items[i], "=") == len &&
		    memcmp(list->items[i], text, len) == 0)
			return true;
	return false;
}

static void make_env(const struct image_config *cfg, const struct container_options *o,
		     const struct runtime_user *u, struct strlist *env)
{
	AUTO(buf) struct buf hostname = BUF_INIT;

	runtime_hostname(o, &hostname);
	strlist_env_set(env, "PATH", DEFAULT_PATH);
	strlist_env_set(env, "HOSTNAME", buf_str(&hostname));
	if (o->tty)
		strlist_env_set(env, "TERM", "xterm");
	for (size_t i = 0; i < o->env.n; i++)
		apply_variable(env, o->env.items[i]);
	for (size_t i = 0; cfg && i < cfg->env.n; i++)
		if (!names_variable(&o->env, cfg->env.items[i]))
			apply_variable(env, cfg->env.items[i]);
	if (str_empty(strlist_env_get(env, "HOME")))
		strlist_env_set(env, "HOME", str_empty(u->home) ? "/" : u->home);
}

static int make_cwd(const struct image_config *cfg, const struct container_options *o,
		    struct process_config *p, struct error *err)
{
	const char *dir = "/";

	if (!str_empty(o->workdir)) {
		dir = o->workdir;
		if (dir[0] != '/')
			return error_set(
				err, ERR_INVALID,
				"the working directory '%s' is invalid, it needs to be "
				"an absolute path",
				dir);
	} else if (cfg && !str_empty(cfg->working_dir)) {
		dir = cfg->working_dir;
	}
	AUTO(free) char *clean = root_clean_path(dir);

	free(p->cwd);
	p->cwd = mem_printf("/%s", clean);
	return 0;
}

static int make_process(const struct image_config *cfg, const struct container_options *o,
			const struct runtime_user *u, struct process_config *p,
			struct error *err)
{
	int r = runtime_make_args(cfg, o, &p->args, err);

	if (r == 0)
		r = make_cwd(cfg, o, p, err);
	if (r < 0)
		return r;
	make_env(cfg, o, u, &p->env);
	p->terminal = o->tty;
	p->uid = u->uid;
	p->gid = u->gid;
	for (size_t i = 0; i < u->groups.n; i++)
		process_config_add_gid(p, u->groups.items[i]);
	for (size_t i = 0; i < o->ulimits.n; i++)
		process_config_add_rlimit(p, o->ulimits.items[i].type, o->ulimits.items[i].soft,
					  o->ulimits.items[i].hard);
	p->no_new_privileges = o->no_new_privileges;
	p->oom_score_adj = o->oom_score_adj;
	p->has_oom_score_adj = o->oom_score_adj != 0;
	return 0;
}

static int make_privileges(const struct container_options *o, struct runtime_spec *spec,
			   struct error *err)
{
	const uint64_t base = o->privileged ? CAPABILITY_ALL : CAPABILITY_DEFAULT;
	struct process_config *p = &spec->process;
	uint64_t caps;
	int r;

	if (o->privileged)
		runtime_spec_privileged(spec);
	r = capability_apply(base, &o->cap_add, &o->cap_drop, &caps, err);
	if (r < 0)
		return r;
	p->bounding = p->effective = p->permitted = caps;
	p->apparmor_profile = o->apparmor ? mem_strdup(o->apparmor) : NULL;
	if (o->bare_paths) {
		strlist_clear(&spec->masked_paths);
		strlist_clear(&spec->readonly_paths);
	}
	if (o->writable_cgroups)
		runtime_spec_writable(spec, "/sys/fs/cgroup");
	if (!o->seccomp && !o->privileged)
		seccomp_profile_default(caps, &spec->seccomp);
	else if (o->seccomp && !str_eq(o->seccomp, "unconfined"))
		r = seccomp_profile_parse(o->seccomp, strlen(o->seccomp), caps, &spec->seccomp,
					  err);
	return r < 0 ? error_wrap(err, "seccomp profile") : 0;
}

static bool is_tmpfs_option(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(tmpfs_flags); i++)
		if (str_eq(word, tmpfs_flags[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(tmpfs_values); i++)
		if (str_starts(word, tmpfs_values[i]))
			return true;
	return false;
}

/* A mount of the user's takes the place of one of the first @defaults. */
static int put_mount(struct runtime_spec *spec, size_t *defaults, const char *destination,
		     const char *type, const char *source, struct mount_spec **out,
		     struct error *err)
{
	const struct mount_spec *old = runtime_spec_find_mount(spec, destination);

	if (old && old >= spec->mounts.items + *defaults)
		return error_set(err, ERR_INVALID, "Duplicate mount point: %s", destination);
	if (old) {
		runtime_spec_remove_mount(spec, destination);
		--*defaults;
	}
	*out = runtime_spec_add_mount(spec, destination, type, source, NULL);
	return 0;
}

static int add_tmpfs(const char *text, struct runtime_spec *spec, size_t *defaults,
		     struct error *err)
{
	const size_t len = strcspn(text, ":");
	AUTO(free) char *path = mem_strndup(text, len);
	AUTO(free) char *clean = root_clean_path(path);
	AUTO(free) char *destination = mem_printf("/%s", clean);
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	struct mount_spec *m;

	if (path[0] != '/')
		return error_set(err, ERR_INVALID,
				 "invalid mount path: '%s' mount path must be absolute", path);
	if (text[len])
		strlist_split(&words, text + len + 1, ',');
	for (size_t i = 0; i < words.n; i++)
		if (words.items[i][0] && !is_tmpfs_option(words.items[i]))
			return error_set(err, ERR_INVALID, "invalid tmpfs option \"%s\"",
					 words.items[i]);
	if (put_mount(spec, defaults, destination, "tmpfs", "tmpfs", &m, err) < 0)
		return -ERR_INVALID;
	strlist_split(&m->options, "noexec,nosuid,nodev", ',');
	for (size_t i = 0; i < words.n; i++)
		if (words.items[i][0])
			strlist_add(&m->options, words.items[i]);
	return 0;
}

static int add_bind(const struct container_mount *c, struct runtime_spec *spec,
		    size_t *defaults, struct error *err)
{
	const char *source = c->type == CONTAINER_MOUNT_VOLUME ? c->directory : c->source;
	struct mount_spec *m;

	if (str_empty(source))
		return error_set(err, ERR_INVALID, "the volume at %s has no directory",
				 c->destination);
	if (put_mount(spec, defaults, c->destination, "bind", source, &m, err) < 0)
		return -ERR_INVALID;
	strlist_add(&m->options, c->shallow ? "bind" : "rbind");
	if (c->readonly)
		strlist_add(&m->options, "ro");
	if (c->options.n)
		strlist_addall(&m->options, &c->options);
	else
		strlist_add(&m->options, "rprivate");
	return 0;
}

/* A tmpfs by --mount, or a volume that its driver's options describe. */
static int add_file_system(const struct container_mount *c, struct runtime_spec *spec,
			   size_t *defaults, struct error *err)
{
	const bool tmpfs = c->type == CONTAINER_MOUNT_TMPFS;
	struct mount_spec *m;

	if (put_mount(spec, defaults, c->destination, tmpfs ? "tmpfs" : c->fs_type,
		      tmpfs ? "tmpfs" : c->directory, &m, err) < 0)
		return -ERR_INVALID;
	if (tmpfs)
		strlist_split(&m->options, "noexec,nosuid,nodev", ',');
	if (c->readonly)
		strlist_add(&m->options, "ro");
	if (tmpfs)
		strlist_addall(&m->options, &c->options);
	else if (!str_empty(c->fs_options))
		strlist_split(&m->options, c->fs_options, ',');
	return 0;
}

static int add_mount(const struct container_mount *c, struct runtime_spec *spec,
		     size_t *defaults, struct error *err)
{
	if (c->type == CONTAINER_MOUNT_TMPFS || c->fs_type)
		return add_file_system(c, spec, defaults, err);
	return add_bind(c, spec, defaults, err);
}

static unsigned depth(const struct mount_spec *m)
{
	unsigned n = 0;

	for (const char *c = m->destination; *c; c++)
		n += *c == '/';
	return n;
}

/* /a before /a/b, whatever the order of the options; the defaults before both. */
static void sort_mounts(struct mount_list *l, size_t from)
{
	for (size_t i = from + 1; i < l->n; i++) {
		const struct mount_spec m = l->items[i];
		size_t at = i;

		for (; at > from && depth(&l->items[at - 1]) > depth(&m); at--)
			l->items[at] = l->items[at - 1];
		l->items[at] = m;
	}
}

static int make_mounts(const struct container_options *o, struct runtime_spec *spec,
		       struct error *err)
{
	AUTO(free) char *size = NULL;
	struct mount_spec *shm = runtime_spec_find_mount(spec, "/dev/shm");
	size_t defaults;

	/* another container's is attached by the caller */
	if (str_eq(o->ipc_mode, "none") ||
	    str_starts(o->ipc_mode ? o->ipc_mode : "", "container:")) {
		runtime_spec_remove_mount(spec, "/dev/shm");
	} else if (str_eq(o->ipc_mode, "host")) {
		runtime_spec_remove_mount(spec, "/dev/shm");
		runtime_spec_add_mount(spec, "/dev/shm", "bind", "/dev/shm", "rbind,rprivate");
	} else if (o->shm_size && shm) {
		size = mem_printf("size=%llu", (unsigned long long)o->shm_size);
		strlist_add(&shm->options, size); /* the last one counts */
	}
	defaults = spec->mounts.n;
	for (size_t i = 0; i < o->tmpfs.n; i++)
		if (add_tmpfs(o->tmpfs.items[i], spec, &defaults, err) < 0)
			return -ERR_INVALID;
	for (size_t i = 0; i < o->mounts.n; i++)
		if (add_mount(&o->mounts.items[i], spec, &defaults, err) < 0)
			return -ERR_INVALID;
	sort_mounts(&spec->mounts, defaults);
	return 0;
}

static void set_sysctl(struct runtime_spec *spec, const char *key, const char *value)
{
	map_set(&spec->sysctl, key, mem_strdup(value));
}

/* "host" shares ours; "container:…" has been given its path by the caller. */
static void share_namespace(struct runtime_spec *spec, enum namespace_type type,
			    const char *mode)
{
	if (str_eq(mode, "host"))
		spec->namespaces[type].present = false;
}

static void make_namespaces(const struct container_options *o, struct runtime_spec *spec)
{
	AUTO(buf) struct buf hostname = BUF_INIT;

	runtime_hostname(o, &hostname);
	free(spec->hostname);
	spec->hostname = hostname.len ? mem_strdup(buf_str(&hostname)) : NULL;
	free(spec->domainname);
	spec->domainname = str_empty(o->domainname) ? NULL : mem_strdup(o->domainname);
	if (o->network == RUNTIME_NETWORK_HOST) {
		spec->namespaces[NAMESPACE_NETWORK].present = false;
	} else {
		/* ping and ports below 1024 need no privilege where the network is one's own */
		set_sysctl(spec, "net.ipv4.ip_unprivileged_port_start", "0");
		set_sysctl(spec, "net.ipv4.ping_group_range", "0 2147483647");
	}
	map_each (&o->sysctl, e)
		set_sysctl(spec, e->key, e->value);
	map_each (&o->annotations, e)
		map_set(&spec->annotations, e->key, mem_strdup(e->value));
	share_namespace(spec, NAMESPACE_PID, o->pid_mode);
	share_namespace(spec, NAMESPACE_IPC, o->ipc_mode);
	share_namespace(spec, NAMESPACE_UTS, o->uts_mode);
	share_namespace(spec, NAMESPACE_CGROUP, o->cgroupns_mode);
	if (o->id)
		spec->cgroups_path = str_empty(o->cgroup_parent)
					     ? mem_printf("/stave/%s", o->id)
					     : mem_printf("/%s/%s", o->cgroup_parent, o->id);
}

int runtime_make_spec_running(const struct image_config *cfg, const struct container_options *o,
			      const struct runtime_user *u, bool devices,
			      struct runtime_spec *out, struct error *err)
{
	int r;

	runtime_spec_defaults(out);
	out->has_process = true;
	out->root_readonly = o->read_only;
	r = make_privileges(o, out, err);
	if (r == 0)
		r = make_process(cfg, o, u, &out->process, err);
	if (r == 0 && devices)
		r = runtime_add_devices(o, out, err);
	if (r == 0)
		r = runtime_resources(o, &out->resources, err);
	if (r < 0) {
		runtime_spec_clear(out);
		return r;
	}
	make_namespaces(o, out);
	return 0;
}

int runtime_make_spec(const struct image_config *cfg, const struct container_options *o,
		      const struct runtime_user *u, struct runtime_spec *out, struct error *err)
{
	int r = runtime_make_spec_running(cfg, o, u, true, out, err);

	if (r == 0 && (r = make_mounts(o, out, err)) < 0)
		runtime_spec_clear(out);
	return r;
}
