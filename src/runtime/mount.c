/* SPDX-License-Identifier: Apache-2.0 */
/* -v and --mount, and mounts as JSON. */
#include "runtime/runtime_mount.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"

#include "base/banned.h"

#define FLAG_ERROR "invalid argument \"%s\" for \"--mount\" flag: "

static const char *const type_names[] = {
	[CONTAINER_MOUNT_BIND] = "bind",
	[CONTAINER_MOUNT_VOLUME] = "volume",
	[CONTAINER_MOUNT_TMPFS] = "tmpfs",
};

static const char *const propagations[] = {"shared", "rshared", "slave",
					   "rslave", "private", "rprivate"};

const char *container_mount_type_name(enum container_mount_type type)
{
	return type_names[type];
}

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(word, list[i]))
			return true;
	return false;
}

void container_mount_clear(struct container_mount *m)
{
	free(m->source);
	free(m->destination);
	free(m->mode);
	free(m->directory);
	free(m->fs_type);
	free(m->fs_options);
	strlist_clear(&m->options);
	map_clear(&m->labels);
	map_clear(&m->driver_options);
	*m = CONTAINER_MOUNT_INIT;
}

static void copy_map(const struct map *from, struct map *to)
{
	map_each (from, e)
		map_set(to, e->key, mem_strdup(e->value));
}

static char *copy(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

void container_mount_copy(const struct container_mount *from, struct container_mount *to)
{
	*to = CONTAINER_MOUNT_INIT;
	to->type = from->type;
	to->source = copy(from->source);
	to->destination = copy(from->destination);
	to->mode = copy(from->mode);
	to->readonly = from->readonly;
	to->must_exist = from->must_exist;
	to->no_copy = from->no_copy;
	to->owned = from->owned;
	to->inherited = from->inherited;
	to->shallow = from->shallow;
	strlist_addall(&to->options, &from->options);
	copy_map(&from->labels, &to->labels);
	copy_map(&from->driver_options, &to->driver_options);
}

static char *absolute(const char *path)
{
	AUTO(free) char *clean = root_clean_path(path);

	return mem_printf("/%s", clean);
}

/* "./data" and ".." are the user's current directory, as the docker command has it. */
static int absolute_here(const char *text, char **out, struct error *err)
{
	AUTO(free) char *here = getcwd(NULL, 0);
	AUTO(free) char *joined = NULL;

	if (!here)
		return error_sys(err, "cannot tell the current directory");
	joined = mem_printf("%s/%s", here, text);
	*out = absolute(joined);
	return 0;
}

/* ---- -v ---------------------------------------------------------------------------------- */

enum mode_kind {
	MODE_ACCESS = 1,
	MODE_LABEL,
	MODE_PROPAGATION,
	MODE_COPY,
	MODE_CONSISTENCY,
	MODE_KINDS,
};

static enum mode_kind kind_of(const char *word)
{
	static const char *const labels[] = {"z", "Z"};
	static const char *const consistency[] = {"consistent", "cached", "delegated",
						  "default"};

	if (str_eq(word, "ro") || str_eq(word, "rw"))
		return MODE_ACCESS;
	if (str_eq(word, "nocopy"))
		return MODE_COPY;
	if (is_one_of(word, labels, ARRAY_SIZE(labels)))
		return MODE_LABEL;
	if (is_one_of(word, propagations, ARRAY_SIZE(propagations)))
		return MODE_PROPAGATION;
	return is_one_of(word, consistency, ARRAY_SIZE(consistency)) ? MODE_CONSISTENCY : 0;
}

/* One word of each kind at most. */
static int parse_modes(const char *spec, const char *text, struct container_mount *m,
		       struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	bool seen[MODE_KINDS] = {false};
	const char *type = type_names[m->type];

	strlist_split(&words, text, ',');
	for (size_t i = 0; i < words.n; i++) {
		const char *w = words.items[i];
		enum mode_kind kind = kind_of(w);

		if (!kind || seen[kind])
			return error_set(err, ERR_INVALID, "invalid mode: %s", text);
		seen[kind] = true;
		m->readonly |= str_eq(w, "ro");
		m->no_copy |= kind == MODE_COPY;
		if (kind == MODE_PROPAGATION)
			strlist_add(&m->options, w);
	}
	if (m->type == CONTAINER_MOUNT_BIND && m->no_copy)
		return error_set(err, ERR_INVALID,
				 "invalid volume specification: '%s': invalid mount config for "
				 "type \"%s\": field VolumeOptions must not be specified",
				 spec, type);
	if (m->type == CONTAINER_MOUNT_VOLUME && m->options.n)
		return error_set(err, ERR_INVALID,
				 "invalid volume specification: '%s': invalid mount config for "
				 "type \"%s\": field BindOptions must not be specified",
				 spec, type);
	m->mode = mem_strdup(text);
	return 0;
}

static int split_volume(const char *text, struct strlist *parts, struct error *err)
{
	if (!text[0])
		return error_set(err, ERR_INVALID, "invalid empty volume spec");
	strlist_split(parts, text, ':');
	for (size_t i = 0; i < parts->n; i++)
		if (!parts->items[i][0])
			return error_set(err, ERR_INVALID,
					 "invalid spec: %s: empty section between colons",
					 text);
	if (parts->n > 3)
		return error_set(err, ERR_INVALID, "invalid volume specification: '%s'", text);
	return 0;
}

static int check_destination(const char *text, const char *written,
			     const struct container_mount *m, struct error *err)
{
	const char *type = type_names[m->type];

	if (written[0] != '/')
		return error_set(err, ERR_INVALID,
				 "invalid volume specification: '%s': invalid mount config for "
				 "type \"%s\": invalid mount path: '%s' mount path must be "
				 "absolute",
				 text, type, written);
	if (str_eq(m->destination, "/"))
		return error_set(err, ERR_INVALID,
				 "invalid volume specification: '%s': invalid mount config for "
				 "type \"%s\": invalid specification: destination can't be '/'",
				 text, type);
	return 0;
}

static int parse_volume(const char *text, struct container_mount *m, struct error *err)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;
	int r = split_volume(text, &parts, err);
	const char *source, *destination;

	if (r < 0)
		return r;
	source = parts.n == 1 ? NULL : parts.items[0];
	destination = parts.items[parts.n == 1 ? 0 : 1];
	m->destination = absolute(destination);
	if (source && source[0] == '/')
		m->source = absolute(source);
	else if (source && source[0] == '.')
		r = absolute_here(source, &m->source, err);
	else
		m->type = CONTAINER_MOUNT_VOLUME;
	if (source && m->type == CONTAINER_MOUNT_VOLUME)
		m->source = mem_strdup(source);
	if (r < 0 || (r = check_destination(text, destination, m, err)) < 0)
		return r;
	return parts.n == 3 ? parse_modes(text, parts.items[2], m, err) : 0;
}

static int add(struct container_options *o, struct container_mount *m, int r)
{
	if (r < 0)
		container_mount_clear(m);
	else
		*vec_push(&o->mounts) = *m;
	return r;
}

int container_options_add_volume(struct container_options *o, const char *text,
				 struct error *err)
{
	struct container_mount m = CONTAINER_MOUNT_INIT;

	return add(o, &m, parse_volume(text, &m, err));
}

/* ---- --mount ----------------------------------------------------------------------------- */

/* One --mount while it is read. */
struct reader {
	const char *text;
	char *type, *source, *target;
	bool bind_options, volume_options, tmpfs_options;
	char *driver;
	struct container_mount m;
};

static bool read_flag(const char *value, bool *out)
{
	if (!value) {
		*out = true;
		return true;
	}
	return parse_bool(value, out);
}

static void set(char **to, const char *value)
{
	free(*to);
	*to = mem_strdup(value);
}

static void add_pair(struct map *m, const char *value)
{
	size_t len = strcspn(value, "=");
	AUTO(free) char *key = mem_strndup(value, len);

	map_set(m, key, mem_strdup(value[len] ? value + len + 1 : ""));
}

static bool read_bind(struct reader *r, const char *key, const char *value, bool *valid)
{
	bool flag = false;

	if (str_eq(key, "bind-propagation")) {
		AUTO(free) char *lower = str_lower(value);

		strlist_add(&r->m.options, lower);
	} else if (str_eq(key, "bind-nonrecursive")) {
		*valid = read_flag(value, &r->m.shallow);
	} else if (str_eq(key, "bind-recursive")) {
		/* writable and readonly say how what lies below a read-only bind is mounted */
		*valid = str_eq(value, "enabled") || str_eq(value, "disabled") ||
			 str_eq(value, "writable") || str_eq(value, "readonly");
		r->m.shallow = str_eq(value, "disabled");
	} else if (str_eq(key, "bind-create-src")) {
		*valid = read_flag(value, &flag);
		r->m.must_exist = !flag;
	} else {
		return false;
	}
	r->bind_options = true;
	return true;
}

static bool read_volume(struct reader *r, const char *key, const char *value, bool *valid)
{
	if (str_eq(key, "volume-nocopy"))
		*valid = read_flag(value, &r->m.no_copy);
	else if (str_eq(key, "volume-label"))
		add_pair(&r->m.labels, value);
	else if (str_eq(key, "volume-opt"))
		add_pair(&r->m.driver_options, value);
	else if (str_eq(key, "volume-driver"))
		set(&r->driver, value);
	else
		return false;
	r->volume_options = true;
	return true;
}

static bool read_tmpfs(struct reader *r, const char *key, const char *value, bool *valid)
{
	uint64_t number = 0;

	if (str_eq(key, "tmpfs-size")) {
		*valid = parse_bytes(value, &number);
		strlist_printf(&r->m.options, "size=%llu", (unsigned long long)number);
	} else if (str_eq(key, "tmpfs-mode")) {
		*valid = parse_octal(value, 07777, &number);
		strlist_printf(&r->m.options, "mode=%llo", (unsigned long long)number);
	} else {
		return false;
	}
	r->tmpfs_options = true;
	return true;
}

static bool read_common(struct reader *r, const char *key, const char *value, bool *valid)
{
	if (str_eq(key, "type")) {
		free(r->type);
		r->type = str_lower(value);
	} else if (str_eq(key, "source") || str_eq(key, "src")) {
		set(&r->source, value);
	} else if (str_eq(key, "target") || str_eq(key, "dst") || str_eq(key, "destination")) {
		set(&r->target, value);
	} else if (str_eq(key, "readonly") || str_eq(key, "ro")) {
		*valid = read_flag(value, &r->m.readonly);
	} else {
		return str_eq(key, "consistency");
	}
	return true;
}

static bool may_stand_alone(const char *key)
{
	static const char *const flags[] = {"readonly", "ro", "volume-nocopy",
					    "bind-nonrecursive", "bind-create-src"};

	return is_one_of(key, flags, ARRAY_SIZE(flags));
}

static int read_field(struct reader *r, const char *field, struct error *err)
{
	size_t len = strcspn(field, "=");
	AUTO(free) char *written = mem_strndup(field, len);
	AUTO(free) char *key = str_lower(written);
	const char *value = field[len] ? field + len + 1 : NULL;
	bool valid = true;

	if (!value && !may_stand_alone(key))
		return error_set(err, ERR_INVALID,
				 FLAG_ERROR "invalid field '%s' must be a key=value pair",
				 r->text, field);
	if (str_eq(key, "volume-subpath"))
		return error_set(err, ERR_UNSUPPORTED, "volume-subpath is not supported: %s",
				 r->text);
	if (!read_common(r, key, value, &valid) && !read_bind(r, key, value, &valid) &&
	    !read_volume(r, key, value, &valid) && !read_tmpfs(r, key, value, &valid))
		return error_set(err, ERR_INVALID, FLAG_ERROR "unexpected key '%s' in '%s'",
				 r->text, key, field);
	if (!valid)
		return error_set(err, ERR_INVALID, FLAG_ERROR "invalid value for %s: %s",
				 r->text, key, value);
	return 0;
}

static int check_mixture(const struct reader *r, struct error *err)
{
	const struct {
		bool given;
		const char *type;
	} groups[] = {{r->volume_options, "volume"},
		      {r->bind_options, "bind"},
		      {r->tmpfs_options, "tmpfs"}};

	if (str_empty(r->type))
		return error_set(err, ERR_INVALID, FLAG_ERROR "type is required", r->text);
	if (str_empty(r->target))
		return error_set(err, ERR_INVALID, FLAG_ERROR "target is required", r->text);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (groups[i].given && !str_eq(r->type, groups[i].type))
			return error_set(err, ERR_INVALID,
					 FLAG_ERROR "cannot mix '%s-*' options with mount type "
						    "'%s'",
					 r->text, groups[i].type, r->type);
	return 0;
}

#define CONFIG_ERROR "invalid mount config for type \"%s\": "

static int find_type(struct reader *r, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_names); i++)
		if (str_eq(type_names[i], r->type)) {
			r->m.type = (enum container_mount_type)i;
			return 0;
		}
	return error_set(err, ERR_INVALID, CONFIG_ERROR "mount type unknown", r->type);
}

static int check_source(struct reader *r, struct error *err)
{
	const bool bind = r->m.type == CONTAINER_MOUNT_BIND;

	if (r->m.type == CONTAINER_MOUNT_TMPFS && !str_empty(r->source))
		return error_set(err, ERR_INVALID,
				 CONFIG_ERROR "field Source must not be specified", r->type);
	if (bind && str_empty(r->source))
		return error_set(err, ERR_INVALID,
				 CONFIG_ERROR "field Source must not be empty", r->type);
	if (str_empty(r->source))
		return 0;
	if (bind && (str_eq(r->source, ".") || str_starts(r->source, "./") ||
		     str_starts(r->source, "../") || str_eq(r->source, "..")))
		return absolute_here(r->source, &r->m.source, err);
	if (bind && r->source[0] != '/')
		return error_set(err, ERR_INVALID,
				 CONFIG_ERROR "invalid mount path: '%s' mount path must be "
					      "absolute",
				 r->type, r->source);
	r->m.source = bind ? absolute(r->source) : mem_strdup(r->source);
	return 0;
}

static int finish(struct reader *r, struct error *err)
{
	int e;

	if ((e = check_mixture(r, err)) < 0 || (e = find_type(r, err)) < 0)
		return e;
	if (r->target[0] != '/')
		return error_set(err, ERR_INVALID,
				 CONFIG_ERROR "invalid mount path: '%s' mount path must be "
					      "absolute",
				 r->type, r->target);
	r->m.destination = absolute(r->target);
	if (str_eq(r->m.destination, "/"))
		return error_set(err, ERR_INVALID,
				 CONFIG_ERROR "invalid specification: destination can't be '/'",
				 r->type);
	if (r->m.type == CONTAINER_MOUNT_BIND && r->m.options.n &&
	    !is_one_of(r->m.options.items[0], propagations, ARRAY_SIZE(propagations)))
		return error_set(err, ERR_INVALID, CONFIG_ERROR "invalid propagation mode: %s",
				 r->type, r->m.options.items[0]);
	if (!str_empty(r->driver) && !str_eq(r->driver, "local"))
		return error_set(err, ERR_NOT_FOUND,
				 "error looking up volume plugin %s: plugin \"%s\" not found",
				 r->driver, r->driver);
	return check_source(r, err);
}

static int read_mount(struct reader *r, struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT;
	int e;

	if (!*r->text)
		return error_set(err, ERR_INVALID, FLAG_ERROR "EOF", r->text);
	if ((e = csv_split(r->text, &fields, NULL, err)) < 0)
		return error_wrap(err, "invalid argument \"%s\" for \"--mount\" flag", r->text);
	for (size_t i = 0; i < fields.n; i++)
		if ((e = read_field(r, fields.items[i], err)) < 0)
			return e;
	return finish(r, err);
}

int container_options_add_mount(struct container_options *o, const char *text,
				struct error *err)
{
	struct reader r = {
		.text = text, .type = mem_strdup("volume"), .m = CONTAINER_MOUNT_INIT};
	int e;

	r.m.must_exist = true;
	e = add(o, &r.m, read_mount(&r, err));
	free(r.type);
	free(r.source);
	free(r.target);
	free(r.driver);
	return e;
}

/* ---- as JSON ----------------------------------------------------------------------------- */

static void put_flag(json_t *o, const char *name, bool value)
{
	if (value)
		json_object_set_new(o, name, json_true());
}

static void put_text(json_t *o, const char *name, const char *value)
{
	if (value)
		json_put_text(o, name, value);
}

static void put_map(json_t *o, const char *name, const struct map *m)
{
	if (m->live)
		json_object_set_new(o, name, json_from_map(m));
}

json_t *mounts_encode(const struct container_mount_list *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct container_mount *m = &l->items[i];
		json_t *o = json_object();

		put_text(o, "type", type_names[m->type]);
		put_text(o, "source", m->source);
		put_text(o, "destination", m->destination);
		put_text(o, "mode", m->mode);
		put_flag(o, "readonly", m->readonly);
		put_flag(o, "must_exist", m->must_exist);
		put_flag(o, "no_copy", m->no_copy);
		put_flag(o, "owned", m->owned);
		put_flag(o, "inherited", m->inherited);
		put_flag(o, "shallow", m->shallow);
		if (m->options.n)
			json_object_set_new(o, "options", json_from_strings(&m->options));
		put_map(o, "labels", &m->labels);
		put_map(o, "driver_options", &m->driver_options);
		json_array_append_new(list, o);
	}
	return list;
}

static int get_map(const json_t *j, const char *name, struct map *out, struct error *err)
{
	json_t *o = NULL, *value;
	const char *key;
	int r = json_get_object(j, name, &o, err);

	json_object_foreach (o, key, value)
		map_set(out, key, copy(json_string_value(value)));
	return r;
}

static int decode_one(const json_t *o, struct container_mount *m, struct error *err)
{
	AUTO(free) char *type = NULL;
	int r;

	if ((r = json_get_string(o, "type", &type, err)) < 0 ||
	    (r = json_get_string(o, "source", &m->source, err)) < 0 ||
	    (r = json_get_string(o, "destination", &m->destination, err)) < 0 ||
	    (r = json_get_string(o, "mode", &m->mode, err)) < 0 ||
	    (r = json_get_bool(o, "readonly", &m->readonly, err)) < 0 ||
	    (r = json_get_bool(o, "must_exist", &m->must_exist, err)) < 0 ||
	    (r = json_get_bool(o, "no_copy", &m->no_copy, err)) < 0 ||
	    (r = json_get_bool(o, "owned", &m->owned, err)) < 0 ||
	    (r = json_get_bool(o, "inherited", &m->inherited, err)) < 0 ||
	    (r = json_get_bool(o, "shallow", &m->shallow, err)) < 0 ||
	    (r = json_get_strings(o, "options", &m->options, NULL, err)) < 0 ||
	    (r = get_map(o, "labels", &m->labels, err)) < 0 ||
	    (r = get_map(o, "driver_options", &m->driver_options, err)) < 0)
		return r;
	for (size_t i = 0; type && i < ARRAY_SIZE(type_names); i++)
		if (str_eq(type_names[i], type))
			m->type = (enum container_mount_type)i;
	if (!m->destination)
		return error_set(err, ERR_INVALID, "a mount has no destination");
	return 0;
}

int mounts_decode(const json_t *j, struct container_mount_list *out, struct error *err)
{
	json_t *list = NULL, *o;
	size_t i;
	int r = json_get_array(j, "mounts", &list, err);

	json_array_foreach (list, i, o) {
		struct container_mount *m = vec_push(out);

		*m = CONTAINER_MOUNT_INIT;
		if (r < 0 || (r = decode_one(o, m, err)) < 0)
			return r;
	}
	return r;
}
