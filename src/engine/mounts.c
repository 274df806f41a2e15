/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define VOLUME_NAME_SIZE 65 /* of one without a name */

/* ---- plan -------------------------------------------------------------------------------- */

static const struct container_mount *find(const struct container_mount_list *l,
					  const char *destination)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->items[i].destination, destination))
			return &l->items[i];
	return NULL;
}

static bool is_tmpfs(const struct container_options *o, const char *destination)
{
	for (size_t i = 0; i < o->tmpfs.n; i++) {
		const char *text = o->tmpfs.items[i];
		AUTO(free) char *path = mem_strndup(text, strcspn(text, ":"));
		AUTO(free) char *clean = root_clean_path(path);

		if (str_eq(clean, destination + 1))
			return true;
	}
	return false;
}

static int check_own(const struct container_options *o, struct error *err)
{
	for (size_t i = 0; i < o->mounts.n; i++) {
		const struct container_mount *m = &o->mounts.items[i];
		int r = 0;

		if (find(&o->mounts, m->destination) != m || is_tmpfs(o, m->destination))
			return error_set(err, ERR_INVALID, "Duplicate mount point: %s",
					 m->destination);
		if (m->type == CONTAINER_MOUNT_VOLUME && !str_empty(o->volume_driver) &&
		    !str_eq(o->volume_driver, "local"))
			r = error_set(
				err, ERR_NOT_FOUND,
				"error looking up volume plugin %s: plugin \"%s\" not found",
				o->volume_driver, o->volume_driver);
		else if (m->type == CONTAINER_MOUNT_VOLUME && m->source)
			r = store_volume_check_name(m->source, err);
		else if (m->type == CONTAINER_MOUNT_BIND && m->must_exist &&
			 access(m->source, F_OK) < 0)
			r = error_set(err, ERR_NOT_FOUND,
				      "invalid mount config for type \"bind\": bind source "
				      "path does not exist: %s",
				      m->source);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --volumes-from says how to mount, and nothing that belongs to one mount alone. */
static int check_mode(const char *mode, bool *out_readonly, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;

	*out_readonly = false;
	if (!mode)
		return 0;
	strlist_split(&words, mode, ',');
	for (size_t i = 0; i < words.n; i++) {
		const char *w = words.items[i];

		if (str_eq(w, "ro"))
			*out_readonly = true;
		else if (!str_eq(w, "rw") && !str_eq(w, "z") && !str_eq(w, "Z"))
			return error_set(err, ERR_INVALID, "invalid mode: %s", mode);
	}
	return 0;
}

/* One's own mounts are instead of these, and the later of two containers wins. */
static int add_from(struct engine *e, const char *text, struct container_options *o, size_t own,
		    struct error *err)
{
	AUTO(container_options) struct container_options other = CONTAINER_OPTIONS_INIT;
	AUTO(store_container) struct store_container c = {0};
	const char *colon = strchr(text, ':'), *mode = colon ? colon + 1 : NULL;
	AUTO(free) char *name = mem_strndup(text, strcspn(text, ":"));
	bool readonly;
	int r = check_mode(mode, &readonly, err);

	if (r < 0 || (r = engine_container(e, name, &c, err)) < 0 ||
	    (r = container_options_of(&c, &other, err)) < 0)
		return r;
	for (size_t i = 0; i < other.mounts.n; i++) {
		const struct container_mount *m = &other.mounts.items[i];
		const struct container_mount *old = find(&o->mounts, m->destination);
		struct container_mount *to;

		if (is_tmpfs(o, m->destination) || (old && old < o->mounts.items + own))
			continue;
		to = old ? &o->mounts.items[old - o->mounts.items] : vec_push(&o->mounts);
		if (old)
			container_mount_clear(to);
		container_mount_copy(m, to);
		free(to->mode);
		to->mode = mem_strdup(mode ? mode : "");
		to->readonly |= readonly;
		to->no_copy = to->inherited = true;
	}
	return 0;
}

static void add_image_volumes(const struct image_config *cfg, struct container_options *o)
{
	for (size_t i = 0; i < cfg->volumes.n; i++) {
		AUTO(free) char *clean = root_clean_path(cfg->volumes.items[i]);
		AUTO(free) char *destination = mem_printf("/%s", clean);
		struct container_mount *m;

		if (!*clean || find(&o->mounts, destination) || is_tmpfs(o, destination))
			continue;
		m = vec_push(&o->mounts);
		*m = CONTAINER_MOUNT_INIT;
		m->type = CONTAINER_MOUNT_VOLUME;
		m->destination = take_ptr(destination);
	}
}

static void name_volumes(struct container_options *o)
{
	for (size_t i = 0; i < o->mounts.n; i++) {
		struct container_mount *m = &o->mounts.items[i];
		char name[VOLUME_NAME_SIZE] = "";

		if (m->type != CONTAINER_MOUNT_VOLUME || m->source)
			continue;
		random_hex(name, sizeof(name) - 1);
		m->source = mem_strdup(name);
		m->owned = true;
	}
}

int engine_mounts_plan(struct engine *e, const struct image_config *cfg,
		       struct container_options *o, struct error *err)
{
	const size_t own = o->mounts.n;
	int r = check_own(o, err);

	for (size_t i = 0; r == 0 && i < o->volumes_from.n; i++)
		r = add_from(e, o->volumes_from.items[i], o, own, err);
	if (r < 0)
		return r;
	add_image_volumes(cfg, o);
	name_volumes(o);
	return 0;
}

/* ---- hold -------------------------------------------------------------------------------- */

static void copy_map(const struct map *from, struct map *to)
{
	map_each (from, e)
		map_set(to, e->key, mem_strdup(e->value));
}

static int hold_one(struct engine *e, struct lease *l, const char *container,
		    const struct container_mount *m, struct strlist *made, struct error *err)
{
	AUTO(store_volume) struct store_volume v = STORE_VOLUME_INIT;
	bool is_new;
	int r = engine_volume_check_options(m->source, &m->driver_options, err);

	if (r < 0)
		return r;
	v.name = mem_strdup(m->source);
	v.anonymous = m->owned;
	copy_map(&m->labels, &v.labels);
	copy_map(&m->driver_options, &v.options);
	if (m->owned)
		map_set(&v.labels, VOLUME_ANONYMOUS_LABEL, mem_strdup(""));
	if ((r = store_volume_make(e->store, l, &v, &is_new, err)) < 0)
		return r;
	if (is_new)
		strlist_add(made, m->source);
	return store_volume_hold(e->store, container, m->source, m->owned, err);
}

static bool has_volumes(const struct container_options *o)
{
	for (size_t i = 0; i < o->mounts.n; i++)
		if (o->mounts.items[i].type == CONTAINER_MOUNT_VOLUME)
			return true;
	return false;
}

/* One transaction: nobody prunes a volume between its making and its use. */
int engine_mounts_hold(struct engine *e, struct lease *l, const char *container,
		       const struct container_options *o, struct error *err)
{
	AUTO(strlist) struct strlist made = STRLIST_INIT;
	int r;

	if (!has_volumes(o))
		return 0;
	if ((r = store_begin(e->store, false, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < o->mounts.n; i++)
		if (o->mounts.items[i].type == CONTAINER_MOUNT_VOLUME)
			r = hold_one(e, l, container, &o->mounts.items[i], &made, err);
	if (r < 0) {
		store_abort(e->store);
		return r;
	}
	r = store_commit(e->store, err);
	for (size_t i = 0; r == 0 && i < made.n; i++)
		volume_event(e, "create", made.items[i]);
	return r;
}

/* ---- open -------------------------------------------------------------------------------- */

/* As Docker: a missing source of -v becomes a directory, parents too. The user's own path. */
static int make_source(const char *path)
{
	AUTO(free) char *copy = mem_strdup(path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	return mkdir(copy, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

static void set(char **to, const char *text)
{
	free(*to);
	*to = text ? mem_strdup(text) : NULL;
}

/* A volume that its options describe: some other directory, or a file system. */
static int open_described(const struct store_volume *v, struct container_mount *m,
			  struct error *err)
{
	const char *o = map_get(&v->options, "o"), *type = map_get(&v->options, "type");
	const char *device = map_get(&v->options, "device");
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	bool bind, recursive;

	strlist_split(&words, o ? o : "", ',');
	recursive = strlist_find(&words, "rbind") >= 0;
	bind = recursive || strlist_find(&words, "bind") >= 0;
	set(&m->directory, device);
	if (!bind) {
		set(&m->fs_type, type);
		set(&m->fs_options, o);
		return 0;
	}
	m->shallow = !recursive;
	m->readonly |= strlist_find(&words, "ro") >= 0;
	if (device[0] != '/' || access(device, F_OK) < 0)
		return error_set(err, ERR_NOT_FOUND,
				 "failed to mount local volume %s: %s: no such file or "
				 "directory",
				 v->name, device);
	return 0;
}

static int open_volume(struct engine *e, int root, struct container_mount *m, bool durable,
		       struct error *err)
{
	AUTO(store_volume) struct store_volume v = STORE_VOLUME_INIT;
	int r = store_volume_get(e->store, m->source, &v, err);

	if (r < 0)
		return r;
	if (v.options.live)
		return open_described(&v, m, err);
	if (!m->no_copy &&
	    (r = engine_volume_fill(e, v.name, root, m->destination, durable, err)) < 0)
		return r;
	free(m->directory);
	m->directory = store_volume_path(e->store, v.name);
	return 0;
}

int engine_mounts_open(struct engine *e, int root, struct container_options *o,
		       struct error *err)
{
	for (size_t i = 0; i < o->mounts.n; i++) {
		struct container_mount *m = &o->mounts.items[i];
		int r = 0;

		if (m->type == CONTAINER_MOUNT_VOLUME)
			r = open_volume(e, root, m, !m->owned, err);
		else if (m->type == CONTAINER_MOUNT_BIND && !m->must_exist &&
			 make_source(m->source) < 0)
			r = error_sys(err, "cannot use %s", m->source);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- inspect ----------------------------------------------------------------------------- */

/* Docker says "z" where nobody said anything, but for -v /path and VOLUME. */
static const char *mode_of(const struct container_mount *m)
{
	if (m->mode)
		return m->mode;
	return m->type == CONTAINER_MOUNT_VOLUME && (!m->owned || m->must_exist) ? "z" : "";
}

static json_t *mount_document(struct engine *e, const struct container_mount *m)
{
	const bool volume = m->type == CONTAINER_MOUNT_VOLUME;
	const bool bind = m->type == CONTAINER_MOUNT_BIND;
	AUTO(free) char *path = volume ? store_volume_path(e->store, m->source) : NULL;
	json_t *j = json_object();

	json_object_set_new(j, "Type", json_string(container_mount_type_name(m->type)));
	if (volume)
		json_object_set_new(j, "Name", json_string(m->source));
	json_object_set_new(j, "Source", json_string(volume ? path : bind ? m->source : ""));
	json_object_set_new(j, "Destination", json_string(m->destination));
	if (volume)
		json_object_set_new(j, "Driver", json_string("local"));
	json_object_set_new(j, "Mode", json_string(mode_of(m)));
	json_object_set_new(j, "RW", json_boolean(!m->readonly));
	json_object_set_new(j, "Propagation",
			    json_string(!bind	       ? ""
					: m->options.n ? m->options.items[0]
						       : "rprivate"));
	return j;
}

json_t *engine_mounts_of(struct engine *e, const struct store_container *c)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	json_t *list = json_array();

	if (container_options_of(c, &o, NULL) < 0)
		return list;
	for (size_t i = 0; i < o.mounts.n; i++)
		json_array_append_new(list, mount_document(e, &o.mounts.items[i]));
	return list;
}

/* -v with a source, as one could write it. */
json_t *mounts_as_binds(const struct container_options *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->mounts.n; i++) {
		const struct container_mount *m = &o->mounts.items[i];

		if (m->type == CONTAINER_MOUNT_TMPFS || m->must_exist || m->owned ||
		    m->inherited)
			continue;
		json_array_append_new(list,
				      json_sprintf("%s:%s%s%s", m->source, m->destination,
						   m->mode ? ":" : "", m->mode ? m->mode : ""));
	}
	if (json_array_size(list))
		return list;
	json_decref(list);
	return json_null();
}
