/* SPDX-License-Identifier: Apache-2.0 */
/* The use cases of volumes. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_container.h"
#include "engine/engine_mounts.h"

#include "base/banned.h"

#define ANONYMOUS_NAME_SIZE 65

/* ---- making ---- */

int engine_volume_check_options(const char *name, const struct map *options, struct error *err)
{
	static const struct {
		const char *option, *needs;
	} pairs[] = {{"type", "device"}, {"o", "device"}, {"o", "type"}, {"device", "type"}};

	map_each (options, e) {
		if (str_eq(e->key, "size"))
			return error_set(err, ERR_UNSUPPORTED,
					 "create %s: quota size requested but no quota support",
					 name);
		if (!str_eq(e->key, "type") && !str_eq(e->key, "o") &&
		    !str_eq(e->key, "device"))
			return error_set(err, ERR_INVALID, "create %s: invalid option: \"%s\"",
					 name, e->key);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (map_has(options, pairs[i].option) && !map_has(options, pairs[i].needs))
			return error_set(err, ERR_INVALID,
					 "create %s: missing required option: \"%s\"", name,
					 pairs[i].needs);
	return 0;
}

static void copy_map(const struct map *from, struct map *to)
{
	map_each (from, e)
		map_set(to, e->key, mem_strdup(e->value));
}

static int check_request(const char *name, const struct engine_volume *req, struct error *err)
{
	int r = store_volume_check_name(name, err);

	if (r < 0)
		return r;
	if (!name[1])
		return error_set(err, ERR_INVALID,
				 "create %s: volume name is too short, names should be at "
				 "least two alphanumeric characters",
				 name);
	if (!str_empty(req->driver) && !str_eq(req->driver, "local"))
		return error_set(err, ERR_NOT_FOUND,
				 "create %s: error looking up volume plugin %s: plugin \"%s\" "
				 "not found",
				 name, req->driver, req->driver);
	return engine_volume_check_options(name, req->options, err);
}

int engine_volume_create(struct engine *e, const struct engine_volume *req, char **out_name,
			 struct error *err)
{
	AUTO(store_volume) struct store_volume v = STORE_VOLUME_INIT;
	AUTO(lease) struct lease *l = NULL;
	char random[ANONYMOUS_NAME_SIZE] = "";
	bool made;
	int r;

	v.anonymous = str_empty(req->name);
	if (v.anonymous)
		random_hex(random, sizeof(random) - 1);
	v.name = mem_strdup(v.anonymous ? random : req->name);
	if ((r = check_request(v.name, req, err)) < 0 || (r = engine_need_store(e, err)) < 0)
		return r;
	copy_map(req->labels, &v.labels);
	copy_map(req->options, &v.options);
	if (v.anonymous)
		map_set(&v.labels, VOLUME_ANONYMOUS_LABEL, mem_strdup(""));
	if ((r = lease_new(e->store, &l, err)) < 0 ||
	    (r = store_volume_make(e->store, l, &v, &made, err)) < 0)
		return r;
	if (made)
		volume_event(e, "create", v.name);
	*out_name = take_ptr(v.name);
	return 0;
}

/* ---- looking ---- */

int engine_volumes(struct engine *e, struct store_volume_list *out, struct error *err)
{
	int r = engine_need_store(e, err);

	return r < 0 ? r : store_volume_list(e->store, false, out, err);
}

int engine_volume(struct engine *e, const char *name, struct store_volume *out,
		  struct error *err)
{
	int r = engine_need_store(e, err);

	return r < 0 ? r : store_volume_get(e->store, name, out, err);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, as Go writes maps; null if there is nothing. */
static json_t *map_document(const struct map *m)
{
	AUTO(free) const char **keys = mem_resize(NULL, m->live + 1, sizeof(*keys));
	json_t *j;
	size_t n = 0;

	if (!m->live)
		return json_null();
	map_each (m, e)
		keys[n++] = e->key;
	qsort(keys, n, sizeof(*keys), by_key);
	j = json_object();
	for (size_t i = 0; i < n; i++)
		json_put_text(j, keys[i], map_get(m, keys[i]));
	return j;
}

json_t *engine_inspect_volume(struct engine *e, const struct store_volume *v)
{
	AUTO(free) char *path = store_volume_path(e->store, v->name);
	AUTO(buf) struct buf at = BUF_INIT;
	json_t *j = json_object();

	clock_format(v->created_ns / 1000000000 * 1000000000, &at);
	json_object_set_new(j, "CreatedAt", json_string(buf_str(&at)));
	json_object_set_new(j, "Driver", json_string("local"));
	json_object_set_new(j, "Labels", map_document(&v->labels));
	json_object_set_new(j, "Mountpoint", json_string(path));
	json_object_set_new(j, "Name", json_string(v->name));
	json_object_set_new(j, "Options", map_document(&v->options));
	json_object_set_new(j, "Scope", json_string("local"));
	return j;
}

/* ---- removing ---- */

int engine_volume_rm(struct engine *e, const char *name, bool force, struct error *err)
{
	int r = engine_need_store(e, err);

	if (r < 0)
		return r;
	r = store_volume_remove(e->store, name, NULL, err);
	if (r == 0)
		volume_event(e, "destroy", name);
	if (r == -ERR_NOT_FOUND && force) {
		error_clear(err);
		return 0;
	}
	return r;
}

int engine_volume_prune(struct engine *e, const struct engine_prune *how,
			struct strlist *out_names, uint64_t *out_bytes, struct error *err)
{
	AUTO(store_volume_list) struct store_volume_list list = {0};
	int r = engine_need_store(e, err);

	*out_bytes = 0;
	if (r == 0)
		r = store_volume_list(e->store, false, &list, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct store_volume *v = &list.items[i];

		if (v->containers.n || (!v->anonymous && !how->all) ||
		    !engine_prune_labels(&v->labels, how))
			continue;
		r = store_volume_remove(e->store, v->name, out_bytes, err);
		if (r == 0) {
			strlist_add(out_names, v->name);
			volume_event(e, "destroy", v->name);
		} else if (r == -ERR_CONFLICT || r == -ERR_NOT_FOUND) { /* taken, or gone */
			error_clear(err);
			r = 0;
		}
	}
	return r;
}
