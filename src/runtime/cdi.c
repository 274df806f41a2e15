/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CDI: a vendor's file says what nodes, mounts, variables and hooks make a device work.
 *
 * /var/run/cdi wins over /etc/cdi.  The files are the host's own configuration, as are the
 * programs that they want run.
 */
#include "runtime/runtime_device.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/yaml.h"

#include "base/banned.h"

/* The one that wins comes first. */
static const char *const directories[] = {"/var/run/cdi", "/etc/cdi"};

/* ---- names ------------------------------------------------------------------------------ */

/* [A-Za-z] or, for a device, a digit too; then letters, digits and @more. */
static bool is_word(const char *s, size_t len, bool digit_first, const char *more)
{
	if (!len ||
	    !(isalpha((unsigned char)*s) || (digit_first && isdigit((unsigned char)*s))))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr(more, s[i]))
			return false;
	return isalnum((unsigned char)s[len - 1]) != 0;
}

bool cdi_is_name(const char *text)
{
	const char *slash = strchr(text, '/'), *eq = slash ? strchr(slash, '=') : NULL;

	return eq && is_word(text, (size_t)(slash - text), false, "_-.") &&
	       is_word(slash + 1, (size_t)(eq - slash - 1), false, "_-.") &&
	       is_word(eq + 1, strlen(eq + 1), true, "_-.:");
}

/* ---- files ------------------------------------------------------------------------------ */

/* By its name JSON or YAML, as the specification has it; NULL: neither, or unreadable. */
static json_t *read_specification(int dir, const char *name)
{
	const char *dot = strrchr(name, '.');
	const bool yaml = str_eq(dot, ".yaml") || str_eq(dot, ".yml");
	AUTO(buf) struct buf text = BUF_INIT;
	json_t *spec = NULL;

	if ((!yaml && !str_eq(dot, ".json")) ||
	    io_read_file(dir, name, LIMIT_CONFIG_BYTES, &text, NULL) < 0)
		return NULL;
	if (yaml)
		yaml_parse(buf_str(&text), text.len, &spec, NULL);
	else
		json_parse(buf_str(&text), text.len, &spec, NULL);
	return spec;
}

/* Calls @fn with each specification until it says true. */
static bool each_specification(bool (*fn)(const json_t *spec, void *data), void *data)
{
	for (size_t d = 0; d < ARRAY_SIZE(directories); d++) {
		AUTO(fd) int dir = open(directories[d], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		AUTO(dir_list) struct dir_list list = {0};

		if (dir < 0 || dir_list_read(dir, &list, NULL) < 0)
			continue;
		for (size_t i = 0; i < list.n; i++) {
			AUTO(json)
			json_t *spec = read_specification(dir, list.items[i].name);

			if (spec && fn(spec, data))
				return true;
		}
	}
	return false;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is_kind(const json_t *spec, void *data)
{
	return str_eq(text_of(spec, "kind"), data);
}

bool cdi_has_kind(const char *kind)
{
	return each_specification(is_kind, (void *)(uintptr_t)kind);
}

struct search {
	const char *kind, *device;
	json_t *spec;	     /* owned */
	const json_t *found; /* in @spec */
};

static void search_auto(struct search *s)
{
	json_decref(s->spec);
}

static bool has_device(const json_t *spec, void *data)
{
	struct search *s = data;
	const json_t *device;
	size_t i;

	if (!str_eq(text_of(spec, "kind"), s->kind))
		return false;
	json_array_foreach (json_object_get(spec, "devices"), i, device) {
		if (!str_eq(text_of(device, "name"), s->device))
			continue;
		s->spec = json_incref((json_t *)(uintptr_t)spec);
		s->found = device;
		return true;
	}
	return false;
}

/* ---- edits ------------------------------------------------------------------------------ */

/* What the file leaves out is what the host's node is. */
static int look_at(const char *path, struct stat *st, struct error *err)
{
	if (fstatat(AT_FDCWD, path, st, 0) < 0)
		return error_sys(err, "cannot look at the device %s", path);
	if (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode))
		return error_set(err, ERR_INVALID, "%s is not a device node", path);
	return 0;
}

static int add_node(const json_t *j, struct runtime_spec *spec, struct error *err)
{
	const char *path = text_of(j, "path"), *host = text_of(j, "hostPath");
	const char *type = text_of(j, "type"), *access = text_of(j, "permissions");
	const json_t *mode = json_object_get(j, "fileMode");
	struct device_spec d = {.path = (char *)(uintptr_t)path,
				.type = type ? type[0] : 0,
				.major = json_integer_value(json_object_get(j, "major")),
				.minor = json_integer_value(json_object_get(j, "minor")),
				.file_mode =
					mode ? (mode_t)json_integer_value(mode) & 07777 : 0666,
				.uid = (uid_t)json_integer_value(json_object_get(j, "uid")),
				.gid = (gid_t)json_integer_value(json_object_get(j, "gid"))};
	struct stat st;
	int r;

	if (str_empty(path))
		return error_set(err, ERR_INVALID, "a device node has no path");
	if (!d.type || !json_object_get(j, "major")) {
		if ((r = look_at(host ? host : path, &st, err)) < 0)
			return r;
		d.type = S_ISCHR(st.st_mode) ? 'c' : 'b';
		d.major = major(st.st_rdev);
		d.minor = minor(st.st_rdev);
		d.file_mode = mode ? d.file_mode : st.st_mode & 07777;
	}
	if (d.type == 'u')
		d.type = 'c';
	if (!strchr("bcp", d.type))
		return error_set(err, ERR_INVALID, "the device node %s has the type %s", path,
				 type);
	device_put(spec, &d, str_empty(access) ? "rwm" : access);
	return 0;
}

static int add_mount(const json_t *j, struct runtime_spec *spec, struct error *err)
{
	const char *from = text_of(j, "hostPath"), *to = text_of(j, "containerPath");
	const char *type = text_of(j, "type");
	struct mount_spec *m;
	int r;

	if (str_empty(from) || str_empty(to))
		return error_set(err, ERR_INVALID, "a mount has no path");
	m = runtime_spec_add_mount(spec, to, str_empty(type) ? "bind" : type, from, NULL);
	r = json_get_strings(j, "options", &m->options, NULL, err);
	if (r == 0 && str_empty(type) && strlist_find(&m->options, "bind") < 0 &&
	    strlist_find(&m->options, "rbind") < 0)
		strlist_add(&m->options, "rbind");
	return r;
}

static void add_env(const json_t *list, struct runtime_spec *spec)
{
	const json_t *word;
	size_t i;

	json_array_foreach (list, i, word) {
		const char *text = json_string_value(word),
			   *eq = text ? strchr(text, '=') : NULL;
		AUTO(free) char *name = eq ? mem_strndup(text, (size_t)(eq - text)) : NULL;

		if (name)
			strlist_env_set(&spec->process.env, name, eq + 1);
	}
}

static int add_hook(const json_t *j, struct runtime_spec *spec, struct error *err)
{
	const char *name = text_of(j, "hookName");
	const enum hook_kind kind = hook_parse(name ? name : "");

	if (kind == HOOK_COUNT)
		return error_set(err, ERR_INVALID, "invalid hook name \"%s\"",
				 name ? name : "");
	return runtime_spec_add_hook(spec, kind, j, err);
}

static int apply(const json_t *edits, struct runtime_spec *spec, struct error *err)
{
	const json_t *j;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(edits, "hooks"), i, j)
		if (r == 0)
			r = add_hook(j, spec, err);
	add_env(json_object_get(edits, "env"), spec);
	json_array_foreach (json_object_get(edits, "deviceNodes"), i, j)
		if (r == 0)
			r = add_node(j, spec, err);
	json_array_foreach (json_object_get(edits, "mounts"), i, j)
		if (r == 0)
			r = add_mount(j, spec, err);
	json_array_foreach (json_object_get(edits, "additionalGids"), i, j)
		if (json_integer_value(j) > 0)
			process_config_add_gid(&spec->process, (gid_t)json_integer_value(j));
	return r;
}

#define INJECTION "CDI device injection failed"

/* The edits that all devices of a file share are made once. */
static int apply_device(const struct search *s, struct strlist *done, struct runtime_spec *spec,
			struct error *err)
{
	AUTO(free) char *all = json_dumps(s->spec, JSON_COMPACT);
	int r = 0;

	if (strlist_find(done, all) < 0) {
		strlist_add(done, all);
		r = apply(json_object_get(s->spec, "containerEdits"), spec, err);
	}
	return r < 0 ? r : apply(json_object_get(s->found, "containerEdits"), spec, err);
}

int cdi_apply(const struct strlist *names, struct runtime_spec *spec, struct error *err)
{
	AUTO(strlist) struct strlist missing = STRLIST_INIT, done = STRLIST_INIT;
	AUTO(free) char *text = NULL;

	for (size_t i = 0; i < names->n; i++) {
		const size_t len = strcspn(names->items[i], "=");
		AUTO(free) char *kind = mem_strndup(names->items[i], len);
		AUTO(search)
		struct search s = {.kind = kind,
				   .device = names->items[i] + len +
					     (names->items[i][len] == '=')};

		if (!each_specification(has_device, &s))
			strlist_add(&missing, names->items[i]);
		else if (apply_device(&s, &done, spec, err) < 0)
			return error_wrap(err, INJECTION ": %s", names->items[i]);
	}
	if (!missing.n)
		return 0;
	text = strlist_join(&missing, ", ");
	error_set(err, ERR_NOT_FOUND, INJECTION ": unresolvable CDI devices %s", text);
	error_hint(err, "specifications are read from /etc/cdi and /var/run/cdi");
	return -ERR_NOT_FOUND;
}
