/* SPDX-License-Identifier: Apache-2.0 */
/* --device and --device-cgroup-rule, as words and in the runtime spec. */
#include "runtime/runtime_device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"

#include "base/banned.h"

/* ---- words ------------------------------------------------------------------------------ */

struct mapping {
	struct strlist parts;
	const char *outside, *inside, *access; /* in @parts, or static */
};

static void mapping_auto(struct mapping *m)
{
	strlist_clear(&m->parts);
}

static bool is_access(const char *text)
{
	return *text && !text[strspn(text, "rwm")];
}

/* "host[:container][:rwm]" */
static void split(const char *text, struct mapping *m)
{
	strlist_split(&m->parts, text, ':');
	m->outside = m->inside = m->parts.items[0];
	m->access = "rwm";
	if (m->parts.n > 1 && is_access(m->parts.items[1]))
		m->access = m->parts.items[1];
	else if (m->parts.n > 1)
		m->inside = m->parts.items[1];
	if (m->parts.n > 2)
		m->access = m->parts.items[2];
}

int container_options_add_device(struct container_options *o, const char *text,
				 struct error *err)
{
	AUTO(mapping) struct mapping m = {0};

	if (cdi_is_name(text)) {
		strlist_add(&o->cdi, text);
		return 0;
	}
	split(text, &m);
	if (m.parts.n > 3)
		return error_set(err, ERR_INVALID, "bad format for path: %s", text);
	if (!is_access(m.access))
		return error_set(err, ERR_INVALID, "bad mode specified: %s", m.access);
	strlist_add(&o->devices, text);
	return 0;
}

/* A number, or "*"; the character behind it. */
static const char *rule_number(const char *at, int64_t *out)
{
	const size_t len = strspn(at, "0123456789");
	AUTO(free) char *digits = mem_strndup(at, len);
	uint64_t number = 0;

	*out = -1;
	if (*at == '*')
		return at + 1;
	if (!parse_u64(digits, UINT32_MAX, &number))
		return NULL;
	*out = (int64_t)number;
	return at + len;
}

/* "c 13:* rwm" */
static bool parse_rule(const char *text, struct device_rule *out)
{
	const char *at = text;

	*out = (struct device_rule){.allow = true};
	if (!*at || !strchr("acb", *at) || at[1] != ' ')
		return false;
	out->type = *at;
	at = rule_number(at + 2, &out->major);
	if (!at || *at != ':' || !(at = rule_number(at + 1, &out->minor)) || *at != ' ')
		return false;
	at++;
	if (!is_access(at) || strlen(at) > 3)
		return false;
	memcpy(out->access, at, strlen(at));
	return true;
}

int container_options_add_device_rule(struct container_options *o, const char *text,
				      struct error *err)
{
	struct device_rule rule;

	if (!parse_rule(text, &rule))
		return error_set(err, ERR_INVALID, "invalid device cgroup format '%s'", text);
	strlist_add(&o->device_rules, text);
	return 0;
}

json_t *container_options_devices(const struct container_options *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->devices.n; i++) {
		AUTO(mapping) struct mapping m = {0};
		json_t *d = json_object();

		split(o->devices.items[i], &m);
		json_object_set_new(d, "PathOnHost", json_string(m.outside));
		json_object_set_new(d, "PathInContainer", json_string(m.inside));
		json_object_set_new(d, "CgroupPermissions", json_string(m.access));
		json_array_append_new(list, d);
	}
	return list;
}

/* ---- the spec --------------------------------------------------------------------------- */

static bool is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

/* Docker's containers may make any node: without that, one that may be read could not be there.
 */
static void allow(struct runtime_spec *spec, char type, int64_t major_number,
		  int64_t minor_number, const char *access)
{
	AUTO(free) char *with_mknod = mem_printf("%sm", access);

	runtime_spec_add_device_rule(spec, true, type, major_number, minor_number, with_mknod);
}

void device_put(struct runtime_spec *spec, const struct device_spec *d, const char *access)
{
	const struct device_rule_list *rules = &spec->resources.devices;
	const struct device_rule *last = rules->n ? &rules->items[rules->n - 1] : NULL;

	if (last && (last->type != 'a' || !last->allow))
		allow(spec, d->type, d->major, d->minor, access);
	runtime_spec_add_device(spec, d->path, d->type, d->major, d->minor, d->file_mode);
	spec->devices.items[spec->devices.n - 1].uid = d->uid;
	spec->devices.items[spec->devices.n - 1].gid = d->gid;
}

static void add_node(struct runtime_spec *spec, const struct stat *st, const char *inside,
		     const char *access)
{
	const struct device_spec d = {.path = (char *)(uintptr_t)inside,
				      .type = S_ISCHR(st->st_mode) ? 'c' : 'b',
				      .major = major(st->st_rdev),
				      .minor = minor(st->st_rdev),
				      .file_mode = st->st_mode & 07777};

	device_put(spec, &d, access);
}

/* What is no device of the host's, but somebody's session: runc leaves these out, too. */
static bool is_private(const char *name)
{
	static const char *const names[] = {"pts",  "shm",	   "fd",    "mqueue",
					    ".lxc", ".lxd-mounts", ".udev", "console"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(name, names[i]))
			return true;
	return false;
}

/* All nodes in a directory such as /dev/snd.  True if there was one. */
static bool add_directory(struct runtime_spec *spec, int parent, const char *name,
			  const char *inside, const char *access, unsigned depth)
{
	AUTO(fd) int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir_list) struct dir_list list = {0};
	bool any = false;

	if (dir < 0 || depth > LIMIT_DEVICE_DEPTH || dir_list_read(dir, &list, NULL) < 0)
		return false;
	for (size_t i = 0; i < list.n; i++) {
		const char *entry = list.items[i].name;
		AUTO(free) char *path = mem_printf("%s/%s", inside, entry);
		struct stat st;

		if (is_private(entry) || fstatat(dir, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			any |= add_directory(spec, dir, entry, path, access, depth + 1);
		if (!is_device(&st))
			continue;
		add_node(spec, &st, path, access);
		any = true;
	}
	return any;
}

#define GATHERING "error gathering device information while adding custom device \"%s\""

static int add_device(const char *text, struct runtime_spec *spec, struct error *err)
{
	AUTO(mapping) struct mapping m = {0};
	struct stat st;

	split(text, &m);
	if (fstatat(AT_FDCWD, m.outside, &st, 0) < 0) {
		if (errno == ENOENT)
			return error_set(err, ERR_NOT_FOUND,
					 GATHERING ": no such file or directory", m.outside);
		return error_sys(err, GATHERING, m.outside);
	}
	if (is_device(&st))
		add_node(spec, &st, m.inside, m.access);
	else if (!S_ISDIR(st.st_mode) ||
		 !add_directory(spec, AT_FDCWD, m.outside, m.inside, m.access, 0))
		return error_set(err, ERR_INVALID, GATHERING ": not a device node", m.outside);
	return 0;
}

static int add_gpus(const struct container_options *o, struct strlist *names, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->gpus.n; i++) {
		AUTO(gpu_request) struct gpu_request g = {0};

		r = gpu_request_parse(o->gpus.items[i], &g, err);
		if (r == 0)
			r = gpu_request_names(&g, names, err);
	}
	return r;
}

int runtime_add_devices(const struct container_options *o, struct runtime_spec *spec,
			struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	int r = 0;

	if (o->privileged)
		add_directory(spec, AT_FDCWD, "/dev", "/dev", "rwm", 0);
	for (size_t i = 0; r == 0 && i < o->devices.n; i++)
		r = add_device(o->devices.items[i], spec, err);
	for (size_t i = 0; !o->privileged && i < o->device_rules.n; i++) {
		struct device_rule rule;

		if (!parse_rule(o->device_rules.items[i], &rule))
			continue;
		/* to the kernel an 'a' is all that there is, whatever numbers stand behind it
		 */
		if (rule.type != 'c')
			allow(spec, 'b', rule.major, rule.minor, rule.access);
		if (rule.type != 'b')
			allow(spec, 'c', rule.major, rule.minor, rule.access);
	}
	strlist_addall(&names, &o->cdi);
	if (r == 0)
		r = add_gpus(o, &names, err);
	return r < 0 || !names.n ? r : cdi_apply(&names, spec, err);
}
