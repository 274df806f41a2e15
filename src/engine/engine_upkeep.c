/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping the disk in order: prune and df. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_network.h"
#include "engine/engine_private.h"

#include "base/banned.h"

/* Short commands are waited for; they end, and what they hold would stay on the disk. */
#define PATIENCE_MS 5000

/* ---- images ---- */

static bool has_label(const struct map *labels, const char *wanted)
{
	size_t len = strcspn(wanted, "=");
	AUTO(free) char *key = mem_strndup(wanted, len);

	return map_has(labels, key) &&
	       (!wanted[len] || str_eq(map_get(labels, key), wanted + len + 1));
}

bool engine_prune_labels(const struct map *labels, const struct engine_prune *how)
{
	for (size_t i = 0; how->labels && i < how->labels->n; i++)
		if (!has_label(labels, how->labels->items[i]))
			return false;
	for (size_t i = 0; how->not_labels && i < how->not_labels->n; i++)
		if (has_label(labels, how->not_labels->items[i]))
			return false;
	return true;
}

bool engine_prune_wants(const struct engine_prune *how, const json_t *labels)
{
	AUTO(map) struct map m = MAP_INIT_FREE(free);
	const json_t *value;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)labels, key, value)
		map_set(&m, key, mem_strdup(json_string_value(value)));
	return engine_prune_labels(&m, how);
}

static bool filters_labels(const struct engine_prune *how)
{
	return (how->labels && how->labels->n) || (how->not_labels && how->not_labels->n);
}

/* 1: it goes. */
static int image_goes(struct engine *e, const struct store_image *row,
		      const struct engine_prune *how, struct error *err)
{
	AUTO(image) struct image i = {.config = IMAGE_CONFIG_INIT};
	int r;

	if ((row->names.n && !how->all) ||
	    (how->before_ns && row->created_ns >= how->before_ns))
		return 0;
	if (!filters_labels(how))
		return 1;
	r = image_open(e->store, &row->id, &i, err);
	return r < 0 ? r : engine_prune_labels(&i.config.labels, how);
}

static int discard_images(struct engine *e, const struct engine_prune *how,
			  struct image_removed *out, struct error *err)
{
	AUTO(store_image_list) struct store_image_list list = {0};
	int r = store_image_list(e->store, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		r = image_goes(e, &list.items[i], how, err);
		if (r == 1)
			r = image_discard(e->store, &list.items[i].id, how->all, out, err);
		if (r == -ERR_CONFLICT || r == -ERR_NOT_FOUND) { /* in use, or gone by now */
			error_clear(err);
			r = 0;
		}
	}
	return r;
}

int engine_image_prune(struct engine *e, const struct engine_prune *how,
		       struct image_removed *out, uint64_t *out_bytes, bool *out_busy,
		       struct error *err)
{
	AUTO(store_collected) struct store_collected collected = {0};
	int r = discard_images(e, how, out, err);

	*out_bytes = 0;
	if (r == 0)
		r = store_collect_wait(e->store, PATIENCE_MS, NULL, &collected, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < collected.diff_ids.n; i++)
		*vec_push(&out->deleted) = collected.diff_ids.items[i];
	*out_bytes = collected.bytes;
	if (out_busy)
		*out_busy = collected.busy;
	return 0;
}

/* ---- containers ---- */

static void read_labels(const struct store_container *c, struct map *out)
{
	AUTO(json) json_t *options = NULL;
	const json_t *value;
	const char *key;

	if (json_parse(c->config, strlen(c->config), &options, NULL) < 0)
		return;
	json_object_foreach (json_object_get(options, "labels"), key, value)
		map_set(out, key,
			mem_strdup(json_string_value(value) ? json_string_value(value) : ""));
}

static bool container_goes(const struct store_container *c, const struct map *held,
			   const struct engine_prune *how)
{
	AUTO(map) struct map labels = MAP_INIT_FREE(free);

	/* one that is about to start is in the lease of whoever starts it */
	if (str_eq(c->state, "running") || str_eq(c->state, "paused") ||
	    str_eq(c->state, "restarting") || map_has(held, c->id) ||
	    (how->before_ns && c->created_ns >= how->before_ns))
		return false;
	read_labels(c, &labels);
	return engine_prune_labels(&labels, how);
}

static int remove_container(struct engine *e, const char *id, uint64_t *out_bytes,
			    struct error *err)
{
	uint64_t bytes;
	int r = store_disk(e->store, STORE_CONTAINERS, id, &bytes, err);

	if (r < 0 || (r = store_container_remove(e->store, id, err)) < 0)
		return r;
	*out_bytes += bytes;
	return root_remove(store_dir(e->store, STORE_CONTAINERS), id, err);
}

int engine_container_prune(struct engine *e, const struct engine_prune *how,
			   struct strlist *out_ids, uint64_t *out_bytes, struct error *err)
{
	AUTO(store_container_list) struct store_container_list list = {0};
	AUTO(map) struct map held = MAP_INIT;
	int r = store_container_list(e->store, &list, err);

	*out_bytes = 0;
	if (r == 0)
		r = store_leased(e->store, "container", &held, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (!container_goes(&list.items[i], &held, how))
			continue;
		r = remove_container(e, list.items[i].id, out_bytes, err);
		if (r == 0)
			strlist_add(out_ids, list.items[i].id);
	}
	return r;
}

/* ---- build cache ---- */

/* From options to one ceiling; false: there is none. */
static int get_ceiling(struct engine *e, const struct engine_cache_prune *how, uint64_t used,
		       struct store_prune *out, struct error *err)
{
	struct statvfs fs;
	uint64_t free_bytes;

	if (!how->max_used && !how->reserved && !how->min_free)
		return 0;
	out->has_ceiling = true;
	out->ceiling = how->max_used ? how->max_used : how->min_free ? UINT64_MAX : 0;
	if (how->min_free) {
		if (fstatvfs(store_dir(e->store, STORE_ROOT), &fs) < 0)
			return error_sys(err, "cannot ask for the free space of %s",
					 store_path(e->store));
		free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
		if (free_bytes < how->min_free) {
			uint64_t lack = how->min_free - free_bytes;
			uint64_t keep = used > lack ? used - lack : 0;

			if (keep < out->ceiling)
				out->ceiling = keep;
		}
	}
	if (out->ceiling < how->reserved)
		out->ceiling = how->reserved;
	return 0;
}

/* Digests of contents that steps had, and what past builds said: of no use without any step. */
static int forget_rest(struct engine *e, uint64_t *bytes, struct error *err)
{
	uint64_t freed = 0;
	int r = store_forget_memos(e->store, err);

	if (r == 0)
		r = build_forget(e->store, &freed, err);
	*bytes += freed;
	return r;
}

static int prune_entries(struct engine *e, const struct engine_cache_prune *how,
			 struct store_entry_list *list, bool *gone,
			 struct engine_cache_pruned *out, struct strlist *sources,
			 struct error *err)
{
	struct store_prune policy = {.all = how->all,
				     .used_before_ns = how->before_ns,
				     .wanted = how->wanted,
				     .data = how->data};
	int r = get_ceiling(e, how, store_entry_bytes(list), &policy, err);

	if (r < 0)
		return r;
	store_entry_choose(list, &policy, gone);
	if ((r = store_entry_forget(e->store, list, gone, &out->bytes, sources, err)) < 0)
		return r;
	if (!how->all || policy.has_ceiling || how->before_ns || how->wanted)
		return 0;
	return forget_rest(e, &out->bytes, err);
}

int engine_builder_prune(struct engine *e, const struct engine_cache_prune *how,
			 struct engine_cache_pruned *out, struct error *err)
{
	AUTO(store_entry_list) struct store_entry_list list = {0};
	AUTO(store_collected) struct store_collected collected = {0};
	AUTO(strlist) struct strlist sources = STRLIST_INIT;
	AUTO(free) bool *gone = NULL;
	int r = store_entry_list(e->store, &list, err);

	*out = (struct engine_cache_pruned){0};
	if (r < 0)
		return r;
	gone = mem_zalloc(list.n + 1);
	if ((r = prune_entries(e, how, &list, gone, out, &sources, err)) < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		if (!gone[i])
			continue;
		*vec_push(&out->entries) = list.items[i];
		list.items[i] = (struct store_entry){0};
	}
	r = store_collect_wait(e->store, PATIENCE_MS, &sources, &collected, err);
	out->bytes += collected.bytes;
	out->busy = collected.busy;
	return r;
}

void engine_cache_pruned_clear(struct engine_cache_pruned *p)
{
	store_entry_list_clear(&p->entries);
}

int engine_builder_entries(struct engine *e, struct store_entry_list *out, struct error *err)
{
	return store_entry_list(e->store, out, err);
}

int engine_usage(struct engine *e, struct store_usage *out, struct error *err)
{
	return store_usage(e->store, out, err);
}
