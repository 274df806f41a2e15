/* SPDX-License-Identifier: Apache-2.0 */
/* The build cache as a whole: what each thing in it keeps, and which ones go. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_disk.h"

#include "base/banned.h"

/*
 * How long it takes to fill a cache mount again is not known.  Most hold
 * downloads: taken to come at 10 MB/s, as sources are.
 */
#define FETCH_NS_A_BYTE 100

static int add_mounts(struct store *s, struct store_entry_list *out, struct error *err)
{
	AUTO(store_cache_list) struct store_cache_list list = {0};
	int r = store_cache_list(s, false, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct store_cache *mount = &list.items[i];
		struct store_entry *e = vec_push(out);

		e->kind = STORE_ENTRY_MOUNT;
		e->name = mem_strdup(mount->dir);
		digest_of(e->name, strlen(e->name), &e->diff_id);
		e->key = e->diff_id;
		e->created_ns = mount->created_ns;
		e->used_ns = mount->used_ns;
		e->busy = mount->in_use;
		e->title = mem_printf("cached mount %s", mount->id);
		r = disk_usage(s->dirs[STORE_CACHE_MOUNTS], e->name, &e->disk, err);
		e->duration_ns = (int64_t)(e->disk * FETCH_NS_A_BYTE);
	}
	return r;
}

/* @name TAKEN; what is below cache/ is known by the time of its last change only. */
static int add_file(struct store *s, enum store_entry_kind kind, char *name,
		    const struct stat *st, struct store_entry_list *out, struct error *err)
{
	struct store_entry *e = vec_push(out);
	AUTO(free) char *place = mem_strdup(name);
	char *slash = strchr(place, '/');
	AUTO(fd) int dir = -1;
	int r;

	e->kind = kind;
	e->name = name;
	digest_of(name, strlen(name), &e->diff_id);
	e->key = e->diff_id;
	e->used_ns = st->st_mtim.tv_sec * 1000000000ll + st->st_mtim.tv_nsec;
	e->created_ns = e->used_ns;
	e->title = mem_printf("%s%s", slash ? "" : "[internal] ", name);
	if (!slash) {
		e->disk = disk_of_file(s->dirs[STORE_CACHE], name);
		return 0;
	}
	*slash = 0;
	dir = openat(s->dirs[STORE_CACHE], place,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return error_sys(err, "cannot open cache/%s", place);
	r = disk_usage(dir, slash + 1, &e->disk, err);
	e->duration_ns = (int64_t)(e->disk * FETCH_NS_A_BYTE);
	return r;
}

/* What was brought from elsewhere: one entry for each thing below cache/http, cache/git. */
static int add_sources(struct store *s, const char *place, struct store_entry_list *out,
		       struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(fd)
	int dir = openat(s->dirs[STORE_CACHE], place,
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = dir < 0 ? 0 : dir_list_read(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct stat st;

		if (fstatat(dir, list.items[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		r = add_file(s, STORE_ENTRY_SOURCE,
			     mem_printf("%s/%s", place, list.items[i].name), &st, out, err);
	}
	return r;
}

/* Files that were made for speed alone, and sources. */
static int add_files(struct store *s, struct store_entry_list *out, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int dir = s->dirs[STORE_CACHE], r = dir_list_read(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;
		struct stat st;

		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			r = add_sources(s, name, out, err);
		else if (S_ISREG(st.st_mode))
			r = add_file(s, STORE_ENTRY_FILE, mem_strdup(name), &st, out, err);
	}
	return r;
}

static int read_items(struct store *s, const struct map *held, struct store_entry_list *out,
		      struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(
		s, &stmt, err,
		"SELECT key, diff_id, created, step.used, duration, title, disk, dir,"
		" EXISTS (SELECT 1 FROM image_layer WHERE"
		" image_layer.diff_id = step.diff_id)"
		" FROM step JOIN layer USING (diff_id) ORDER BY created, key",
		"");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		struct store_entry *item = vec_push(out);
		AUTO(free) char *dir = db_text(stmt, 7);

		item->kind = STORE_ENTRY_STEP;
		db_digest(stmt, 0, &item->key);
		db_digest(stmt, 1, &item->diff_id);
		item->created_ns = db_i64(stmt, 2);
		item->used_ns = db_i64(stmt, 3);
		item->duration_ns = db_i64(stmt, 4);
		item->title = db_text(stmt, 5);
		item->disk = (uint64_t)db_i64(stmt, 6);
		item->shared = db_i64(stmt, 8) != 0;
		item->busy = map_has(held, dir);
	}
	return r;
}

int store_entry_list(struct store *s, struct store_entry_list *out, struct error *err)
{
	AUTO(map) struct map held = MAP_INIT;
	int r = store_measure(s, err);

	if (r == 0)
		r = store_leased(s, "layer", &held, err);
	if (r == 0)
		r = read_items(s, &held, out, err);
	if (r == 0)
		r = add_mounts(s, out, err);
	return r == 0 ? add_files(s, out, err) : r;
}

void store_entry_list_clear(struct store_entry_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].title);
		free(l->items[i].name);
	}
	free(l->items);
	*l = (struct store_entry_list){0};
}

/* ---- what goes ---- */

/* All records that give one layer: they go together or the layer stays. */
struct group {
	const struct store_entry *first;
	uint64_t cost_ns; /* to make it again, by each of its records */
	int64_t used_ns;
	bool stays;
	unsigned class;
};

static int by_layer(const void *a, const void *b)
{
	const struct store_entry *const *x = a, *const *y = b;

	return memcmp((*x)->diff_id.bytes, (*y)->diff_id.bytes, DIGEST_SIZE);
}

/* Nanoseconds a byte, as a power of two: what costs about the same is told apart by use. */
static unsigned class_of(uint64_t cost_ns, uint64_t bytes)
{
	unsigned class = 0;

	for (uint64_t rate = bytes ? cost_ns / bytes : cost_ns; rate; rate >>= 1)
		class ++;
	return class;
}

static int by_worth(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	if (x->used_ns != y->used_ns)
		return x->used_ns < y->used_ns ? -1 : 1;
	return memcmp(x->first->diff_id.bytes, y->first->diff_id.bytes, DIGEST_SIZE);
}

static bool may_go(const struct store_entry *i, const struct store_prune *how)
{
	bool kept = i->shared || (i->kind == STORE_ENTRY_FILE && !how->has_ceiling);

	return !i->busy && (how->all || !kept) &&
	       (!how->used_before_ns || i->used_ns < how->used_before_ns) &&
	       (!how->wanted || how->wanted(how->data, i));
}

/* One group for each layer; returns how many. */
static size_t make_groups(const struct store_entry_list *l, const struct store_prune *how,
			  struct group *groups)
{
	AUTO(free)
	const struct store_entry **sorted = mem_resize(NULL, l->n + 1, sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		sorted[i] = &l->items[i];
	qsort(sorted, l->n, sizeof(*sorted), by_layer);
	for (size_t i = 0; i < l->n; i++) {
		const struct store_entry *item = sorted[i];
		struct group *g = n ? &groups[n - 1] : NULL;

		if (!g || !digest_eq(&g->first->diff_id, &item->diff_id)) {
			g = &groups[n++];
			*g = (struct group){.first = item};
		}
		g->cost_ns += item->duration_ns > 0 ? (uint64_t)item->duration_ns : 0;
		g->used_ns = g->used_ns > item->used_ns ? g->used_ns : item->used_ns;
		g->stays |= !how || !may_go(item, how);
		g->class = class_of(g->cost_ns, item->disk);
	}
	return n;
}

uint64_t store_entry_bytes(const struct store_entry_list *l)
{
	AUTO(free) struct group *groups = mem_resize(NULL, l->n + 1, sizeof(*groups));
	size_t n = make_groups(l, NULL, groups);
	uint64_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += groups[i].first->shared ? 0 : groups[i].first->disk;
	return bytes;
}

static void mark(const struct store_entry_list *l, const struct digest *diff_id, bool *gone)
{
	for (size_t i = 0; i < l->n; i++)
		gone[i] |= digest_eq(&l->items[i].diff_id, diff_id);
}

static void choose_under(const struct store_entry_list *l, const struct store_prune *how,
			 bool *gone)
{
	AUTO(free) struct group *groups = mem_resize(NULL, l->n + 1, sizeof(*groups));
	size_t n = make_groups(l, how, groups);
	uint64_t bytes = store_entry_bytes(l);

	qsort(groups, n, sizeof(*groups), by_worth);
	for (size_t i = 0; i < n && bytes > how->ceiling; i++) {
		const struct store_entry *first = groups[i].first;

		if (groups[i].stays || first->shared || !first->disk)
			continue;
		mark(l, &first->diff_id, gone);
		bytes -= first->disk;
	}
}

void store_entry_choose(const struct store_entry_list *l, const struct store_prune *how,
			bool *gone)
{
	for (size_t i = 0; i < l->n; i++)
		gone[i] = !how->has_ceiling && may_go(&l->items[i], how);
	if (how->has_ceiling)
		choose_under(l, how, gone);
}

static int remove_bytes(struct store *s, const struct store_entry *e, uint64_t *out_bytes,
			struct error *err)
{
	int r = 0;

	if (e->kind == STORE_ENTRY_MOUNT)
		r = store_cache_remove(s, e->name, err);
	else if (unlinkat(s->dirs[STORE_CACHE], e->name, 0) < 0 && errno != ENOENT)
		r = error_sys(err, "cannot remove cache/%s", e->name);
	if (r == 0)
		*out_bytes += e->disk;
	if (r == -ERR_CONFLICT) { /* a build has taken it by now: it stays */
		error_clear(err);
		r = 0;
	}
	return r;
}

static int forget_steps(struct store *s, const struct store_entry_list *l, const bool *gone,
			struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n; i++)
		if (gone[i] && l->items[i].kind == STORE_ENTRY_STEP)
			r = db_exec(s, err, "DELETE FROM step WHERE key = ?", "d",
				    &l->items[i].key);
	return r;
}

int store_entry_forget(struct store *s, const struct store_entry_list *l, const bool *gone,
		       uint64_t *out_bytes, struct strlist *out_sources, struct error *err)
{
	int r = store_begin(s, false, err);

	if (r < 0)
		return r;
	if ((r = forget_steps(s, l, gone, err)) < 0) {
		store_abort(s);
		return r;
	}
	r = store_commit(s, err);
	for (size_t i = 0; r == 0 && i < l->n; i++)
		if (gone[i] && l->items[i].kind == STORE_ENTRY_SOURCE)
			strlist_add(out_sources, l->items[i].name);
		else if (gone[i] && l->items[i].kind != STORE_ENTRY_STEP)
			r = remove_bytes(s, &l->items[i], out_bytes, err);
	return r;
}
