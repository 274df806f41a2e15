/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes.  A directory is made inside the transaction that makes its row, and
 * leaves its name inside the one that removes it: whoever has the transaction
 * sees both or none.  What a killed command was about is in its lease:
 *
 *   NAME            was being made; without a row it is empty
 *   .gone-HEX-NAME  was being removed; with a row it was not
 */
#include "store/store_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_disk.h"

#include "base/banned.h"

#define DATA	   "_data"
#define GONE	   ".gone-"
#define GONE_BYTES (strlen(GONE) + 8 + strlen("-"))
#define COLUMNS	   "name, created, anonymous, labels, options "

/* ---- names ---- */

/* Docker's [a-zA-Z0-9][a-zA-Z0-9_.-] */
static bool is_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return !str_empty(name) && !strchr("_.-", name[0]) &&
	       strspn(name, letters) == strlen(name);
}

int store_volume_check_name(const char *name, struct error *err)
{
	if (!is_name(name))
		return error_set(err, ERR_INVALID,
				 "create %s: \"%s\" includes invalid characters for a local "
				 "volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
				 "If you intended to pass a host directory, use absolute path",
				 name, name);
	if (strlen(name) > LIMIT_VOLUME_NAME)
		return error_set(err, ERR_LIMIT,
				 "create %.32s…: a volume's name has at most %u letters", name,
				 LIMIT_VOLUME_NAME);
	return 0;
}

/* ---- rows ---- */

static char *map_text(const struct map *m)
{
	struct buf out = BUF_INIT;
	json_t *j = json_from_map(m);

	json_text(j, &out);
	json_decref(j);
	return buf_steal(&out);
}

static void read_map(const char *text, struct map *out)
{
	AUTO(json) json_t *j = NULL;
	const json_t *value;
	const char *key;

	*out = MAP_INIT_FREE(free);
	if (!text || json_parse(text, strlen(text), &j, NULL) < 0)
		return;
	json_object_foreach (j, key, value)
		map_set(out, key, mem_strdup(json_string_value(value) ?: ""));
}

static void read_row(struct stmt *stmt, struct store_volume *out)
{
	AUTO(free) char *labels = db_text(stmt, 3);
	AUTO(free) char *options = db_text(stmt, 4);

	*out = STORE_VOLUME_INIT;
	out->name = db_text(stmt, 0);
	out->created_ns = db_i64(stmt, 1);
	out->anonymous = db_i64(stmt, 2) != 0;
	read_map(labels, &out->labels);
	read_map(options, &out->options);
}

static int read_users(struct store *s, struct store_volume *v, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT container FROM container_volume WHERE volume = ?"
			   " ORDER BY container",
			   "t", v->name);

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		strlist_take(&v->containers, db_text(stmt, 0));
	return r;
}

/* 1: there is one. */
static int find_row(struct store *s, const char *name, struct store_volume *out,
		    struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT " COLUMNS "FROM volume WHERE name = ?", "t",
			   name);

	if (r < 0 || (r = db_step(s, stmt, err)) != 1)
		return r;
	read_row(stmt, out);
	r = read_users(s, out, err);
	return r < 0 ? r : 1;
}

int store_volume_get(struct store *s, const char *name, struct store_volume *out,
		     struct error *err)
{
	int r = find_row(s, name, out, err);

	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	return r < 0 ? r : 0;
}

int store_volume_list(struct store *s, bool measure, struct store_volume_list *out,
		      struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT " COLUMNS "FROM volume ORDER BY name", "");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		struct store_volume *v = vec_push(out);

		read_row(stmt, v);
		if ((r = read_users(s, v, err)) < 0 ||
		    (measure &&
		     (r = disk_usage(s->dirs[STORE_VOLUMES], v->name, &v->disk, err)) < 0))
			return r;
	}
	return r;
}

/* ---- making ---- */

static int make_directory(struct store *s, const char *name, struct error *err)
{
	int all = s->dirs[STORE_VOLUMES];
	AUTO(fd) int dir = -1;

	/* without a row it is what a killed command made, or what a lost database had: kept */
	if (mkdirat(all, name, 0700) < 0 && errno != EEXIST)
		return error_sys(err, "cannot create volumes/%s", name);
	dir = openat(all, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return error_sys(err, "volumes/%s", name);
	if (mkdirat(dir, DATA, 0755) < 0)
		return errno == EEXIST ? 0
				       : error_sys(err, "cannot create volumes/%s/" DATA, name);
	return fchmodat(dir, DATA, 0755, 0) < 0 ? error_sys(err, "volumes/%s/" DATA, name) : 0;
}

static int insert(struct store *s, const struct store_volume *v, int64_t created_ns,
		  struct error *err)
{
	AUTO(free) char *labels = map_text(&v->labels);
	AUTO(free) char *options = map_text(&v->options);

	return db_exec(s, err, "INSERT INTO volume(" COLUMNS ") VALUES (?, ?, ?, ?, ?)",
		       "tiitt", v->name, created_ns, (int64_t)v->anonymous, labels, options);
}

static int make(struct store *s, struct lease *l, const struct store_volume *v, bool *out_made,
		struct error *err)
{
	AUTO(store_volume) struct store_volume old = STORE_VOLUME_INIT;
	int r = find_row(s, v->name, &old, err);

	*out_made = r == 0;
	if (r != 0)
		return r < 0 ? r : 0;
	if ((r = lease_note(l, "volume", v->name, err)) < 0 ||
	    (r = make_directory(s, v->name, err)) < 0)
		return r;
	return insert(s, v, v->created_ns ? v->created_ns : clock_now_ns(), err);
}

int store_volume_make(struct store *s, struct lease *l, const struct store_volume *v,
		      bool *out_made, struct error *err)
{
	bool made = false;
	int r = store_volume_check_name(v->name, err);

	if (r < 0 || (r = store_begin(s, !v->anonymous, err)) < 0)
		return r;
	if ((r = make(s, l, v, &made, err)) < 0) {
		store_abort(s);
		return r;
	}
	if (out_made)
		*out_made = made;
	return store_commit(s, err);
}

int store_volume_hold(struct store *s, const char *container, const char *name, bool owned,
		      struct error *err)
{
	return db_exec(s, err,
		       "INSERT INTO container_volume(container, volume, owned) VALUES (?, ?, ?)"
		       " ON CONFLICT DO UPDATE SET owned = owned AND excluded.owned",
		       "tti", container, name, (int64_t)owned);
}

int store_volume_open(struct store *s, const char *name, int *out_fd, struct error *err)
{
	if (!is_name(name))
		return error_set(err, ERR_INVALID, "%s is no volume", name);
	*out_fd = openat(s->dirs[STORE_VOLUMES], name,
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*out_fd < 0 && errno == ENOENT) {
		error_set(err, ERR_CORRUPT, "the directory of the volume %s is gone", name);
		error_hint(err, "run `stave system check --repair`");
		return -ERR_CORRUPT;
	}
	return *out_fd < 0 ? error_sys(err, "volumes/%s", name) : 0;
}

char *store_volume_path(const struct store *s, const char *name)
{
	return mem_printf("%s/volumes/%s/" DATA, s->path, name);
}

/* ---- removing ---- */

/* Inside a transaction.  @gone becomes the directory's new name. */
static int forget(struct store *s, struct lease *l, const char *name, char **out_gone,
		  struct error *err)
{
	AUTO(store_volume) struct store_volume v = STORE_VOLUME_INIT;
	AUTO(free) char *users = NULL;
	int all = s->dirs[STORE_VOLUMES], r = store_volume_get(s, name, &v, err);
	char hex[9] = "";

	if (r < 0)
		return r;
	users = strlist_join(&v.containers, ", ");
	if (v.containers.n)
		return error_set(err, ERR_CONFLICT, "remove %s: volume is in use - [%s]", name,
				 users);
	random_hex(hex, 8);
	*out_gone = mem_printf(GONE "%s-%s", hex, name);
	if ((r = lease_note(l, "volume", *out_gone, err)) < 0 ||
	    (r = db_exec(s, err, "DELETE FROM volume WHERE name = ?", "t", name)) < 0)
		return r;
	if (renameat(all, name, all, *out_gone) < 0 && errno != ENOENT)
		return error_sys(err, "cannot remove volumes/%s", name);
	return 0;
}

int store_volume_remove(struct store *s, const char *name, uint64_t *out_bytes,
			struct error *err)
{
	AUTO(lease) struct lease *l = NULL;
	AUTO(free) char *gone = NULL;
	int all = s->dirs[STORE_VOLUMES], r;
	uint64_t bytes = 0;

	if ((r = lease_new(s, &l, err)) < 0 || (r = store_begin(s, true, err)) < 0)
		return r;
	if ((r = forget(s, l, name, &gone, err)) < 0) {
		store_abort(s);
		return r;
	}
	if ((r = store_commit(s, err)) < 0) {
		renameat(all, gone, all, name);
		return r;
	}
	if (out_bytes && disk_usage(all, gone, &bytes, NULL) == 0)
		*out_bytes += bytes;
	return root_remove(all, gone, err);
}

static int owned_by(struct store *s, const char *container, struct strlist *out,
		    struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT volume FROM container_volume WHERE container = ? AND owned"
			   " ORDER BY volume",
			   "t", container);

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		strlist_take(out, db_text(stmt, 0));
	return r;
}

/*
 * One transaction for the rows, so that no kill leaves volumes that nobody
 * would remove any more.
 */
static int forget_container(struct store *s, struct lease *l, const char *id,
			    struct strlist *gone, struct error *err)
{
	AUTO(strlist) struct strlist owned = STRLIST_INIT;
	int r = owned_by(s, id, &owned, err);

	if (r == 0)
		r = store_container_remove(s, id, err);
	for (size_t i = 0; r == 0 && i < owned.n; i++) {
		char *name = NULL;

		r = forget(s, l, owned.items[i], &name, err);
		if (name)
			strlist_take(gone, name);
		if (r == -ERR_CONFLICT) { /* another has it by --volumes-from */
			error_clear(err);
			r = 0;
		}
	}
	return r;
}

/* What a transaction that failed had moved. */
static void put_back(struct store *s, const struct strlist *gone)
{
	int all = s->dirs[STORE_VOLUMES];

	for (size_t i = 0; i < gone->n; i++)
		renameat(all, gone->items[i], all, gone->items[i] + GONE_BYTES);
}

int store_container_remove_with_volumes(struct store *s, const char *id,
					struct strlist *out_gone, struct error *err)
{
	AUTO(strlist) struct strlist gone = STRLIST_INIT;
	AUTO(lease) struct lease *l = NULL;
	int r = lease_new(s, &l, err);

	if (r < 0 || (r = store_begin(s, false, err)) < 0)
		return r;
	if ((r = forget_container(s, l, id, &gone, err)) < 0)
		store_abort(s);
	else
		r = store_commit(s, err);
	if (r < 0) {
		put_back(s, &gone);
		return r;
	}
	for (size_t i = 0; r == 0 && i < gone.n; i++) {
		r = root_remove(s->dirs[STORE_VOLUMES], gone.items[i], err);
		if (out_gone)
			strlist_add(out_gone, gone.items[i] + GONE_BYTES);
	}
	return r;
}

/* ---- what a killed command left, and upkeep ---- */

static bool has_row(struct store *s, const char *name)
{
	AUTO(store_volume) struct store_volume v = STORE_VOLUME_INIT;

	/* in doubt it has one */
	return find_row(s, name, &v, NULL) != 0;
}

int volume_undo(struct store *s, const char *name, struct error *err)
{
	int all = s->dirs[STORE_VOLUMES], dir;

	if (str_starts(name, GONE) && strlen(name) > GONE_BYTES && root_is_component(name)) {
		const char *was = name + GONE_BYTES;

		if (!has_row(s, was))
			return root_remove(all, name, err);
		if (renameat2(all, name, all, was, RENAME_NOREPLACE) < 0 && errno != ENOENT)
			return error_sys(err, "volumes/%s", was);
		return 0;
	}
	if (!is_name(name) || has_row(s, name))
		return 0;
	/* whatever is in it was there before */
	dir = openat(all, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0) {
		unlinkat(dir, DATA, AT_REMOVEDIR);
		close(dir);
		unlinkat(all, name, AT_REMOVEDIR);
	}
	return 0;
}

int volume_adopt(struct store *s, const char *name, struct error *err)
{
	struct store_volume v = STORE_VOLUME_INIT;
	struct stat st;
	int r;

	if (fstatat(s->dirs[STORE_VOLUMES], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "volumes/%s", name);
	if ((r = make_directory(s, name, err)) < 0)
		return r;
	v.name = mem_strdup(name);
	r = insert(s, &v, (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, err);
	store_volume_clear(&v);
	return r;
}

int volume_restore_directory(struct store *s, const char *name, struct error *err)
{
	return make_directory(s, name, err);
}

bool volume_is_name(const char *name)
{
	return is_name(name);
}

void store_volume_clear(struct store_volume *v)
{
	free(v->name);
	map_clear(&v->labels);
	map_clear(&v->options);
	strlist_clear(&v->containers);
	*v = STORE_VOLUME_INIT;
}

void store_volume_list_clear(struct store_volume_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		store_volume_clear(&l->items[i]);
	free(l->items);
	*l = (struct store_volume_list){0};
}
