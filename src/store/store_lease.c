/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: a file of lines "kind name", locked by its owner for as long as it
 * lives.  An unlocked one belongs to a dead command; what it lists and the
 * database does not know is undone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_disk.h"
#include "store/store_volume.h"

#include "base/banned.h"

#define LIMIT_LEASE_BYTES (1u << 20)

struct lease {
	int dir; /* owned: a lease may outlive the handle it was made with */
	int fd;
	char name[17];
	struct map noted; /* lines: what restarts every minute for a year has a lease, too */
};

/* 1: made and locked; 0: somebody reaped it in the moment before it was locked. */
static int make_file(struct store *s, struct lease *l, struct error *err)
{
	struct stat st;
	int r;

	random_hex(l->name, 16);
	l->fd = openat(l->dir, l->name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (l->fd < 0)
		return error_sys(err, "cannot create a lease in %s/leases", s->path);
	if ((r = io_lock(l->fd, true, true, err)) < 0)
		return r;
	return fstat(l->fd, &st) == 0 && st.st_nlink > 0;
}

int lease_new(struct store *s, struct lease **out, struct error *err)
{
	struct lease *l = mem_new(struct lease);
	int r;

	l->noted = MAP_INIT;
	l->dir = fcntl(s->dirs[STORE_LEASES], F_DUPFD_CLOEXEC, 3);
	l->fd = -1;
	/* without a lock it is empty: whoever reaps it then undoes nothing */
	while ((r = make_file(s, l, err)) == 0)
		close_fd(&l->fd);
	if (r < 0) {
		lease_end(l);
		return r;
	}
	*out = l;
	return 0;
}

int lease_note(struct lease *l, const char *kind, const char *name, struct error *err)
{
	AUTO(free) char *line = mem_printf("%s %s\n", kind, name);

	if (map_has(&l->noted, line))
		return 0;
	if (io_write_full(l->fd, line, strlen(line)) < 0)
		return error_sys(err, "cannot write a lease");
	map_set(&l->noted, line, NULL);
	return 0;
}

void lease_end(struct lease *l)
{
	if (!l)
		return;
	unlinkat(l->dir, l->name, 0);
	close_fd(&l->fd);
	close(l->dir);
	map_clear(&l->noted);
	free(l);
}

static int undo_layer(struct store *s, const char *dir, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT 1 FROM layer WHERE dir = ?", "t", dir);

	if (r < 0 || (r = db_step(s, stmt, err)) != 0)
		return r < 0 ? r : 0;
	return store_layer_discard(s, dir, err);
}

static int undo_cache_mount(struct store *s, const char *dir, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT 1 FROM cache_mount WHERE dir = ?", "t", dir);

	if (r < 0 || (r = db_step(s, stmt, err)) != 0)
		return r < 0 ? r : 0;
	return root_is_component(dir) ? root_remove(s->dirs[STORE_CACHE_MOUNTS], dir, err) : 0;
}

/* One that nobody could look at any more, with the volumes that were made for it. */
static int forget_container(struct store *s, const char *id, const char *which,
			    struct error *err)
{
	AUTO(free)
	char *query = mem_printf("SELECT 1 FROM container WHERE id = ? AND %s", which);
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, query, "t", id);

	if (r < 0 || (r = db_step(s, stmt, err)) != 1)
		return r;
	db_reset(stmt);
	return store_container_remove_with_volumes(s, id, NULL, err);
}

static int undo_container(struct store *s, const char *id, struct error *err)
{
	int r = db_exec(s, err,
			"UPDATE container SET state = 'exited', exit_code = 137, finished = ?"
			" WHERE id = ? AND state <> 'exited'",
			"it", clock_now_ns(), id);
	AUTO(stmt) struct stmt *stmt = NULL;

	if (r == 0)
		r = forget_container(s, id, "(auto_remove OR started = 0)", err);
	if (r < 0 || (r = db_prepare(s, &stmt, err, "SELECT 1 FROM container WHERE id = ?", "t",
				     id)) < 0)
		return r;
	if ((r = db_step(s, stmt, err)) != 0)
		return r < 0 ? r : 0;
	return root_is_component(id) ? root_remove(s->dirs[STORE_CONTAINERS], id, err) : 0;
}

/* Its monitor, or the command in whose foreground it ran, is gone, and it with them. */
static int undo_running(struct store *s, const char *id, struct error *err)
{
	int r = db_exec(s, err,
			"UPDATE container SET state = 'exited', exit_code = 137, finished = ?"
			" WHERE id = ? AND state NOT IN ('exited', 'created')",
			"it", clock_now_ns(), id);
	AUTO(stmt) struct stmt *stmt = NULL;

	if (r == 0)
		r = forget_container(s, id, "auto_remove AND started <> 0", err);
	if (r < 0 || (r = db_prepare(s, &stmt, err, "SELECT 1 FROM container WHERE id = ?", "t",
				     id)) < 0)
		return r;
	if ((r = db_step(s, stmt, err)) != 0)
		return r < 0 ? r : 0;
	return root_is_component(id) ? root_remove(s->dirs[STORE_CONTAINERS], id, err) : 0;
}

/* "ID …": paused for a moment, by a command that is gone; who made it lets it go on. */
static int undo_held(struct store *s, const char *name, struct error *err)
{
	AUTO(free) char *id = mem_strndup(name, strcspn(name, " "));

	return db_exec(
		s, err,
		"UPDATE container SET state = 'running' WHERE id = ? AND state = 'paused'", "t",
		id);
}

static int undo_line(struct store *s, char *line, struct error *err)
{
	char *name = strchr(line, ' ');

	if (!name)
		return 0; /* torn: the thing was not made yet */
	*name++ = 0;
	log_debug("store", "undo %s %s", line, name);
	if (str_eq(line, "layer"))
		return undo_layer(s, name, err);
	if (str_eq(line, "container"))
		return undo_container(s, name, err);
	if (str_eq(line, "volume"))
		return volume_undo(s, name, err);
	if (str_eq(line, "running"))
		return undo_running(s, name, err);
	if (str_eq(line, "held") && undo_held(s, name, err) < 0)
		return -ERR_SYSTEM;
	if (str_eq(line, "cachemount"))
		return undo_cache_mount(s, name, err);
	return s->undo ? s->undo(s->undo_data, line, name, err) : 0;
}

static int undo_lease(struct store *s, int fd, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	char *line, *end;
	int r = io_read_all(fd, LIMIT_LEASE_BYTES, &text, err);

	if (r < 0 || !text.len)
		return r;
	/* last made, first undone does not matter: the things are independent */
	for (line = text.data; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		if ((r = undo_line(s, line, err)) < 0)
			return r;
	}
	return 0;
}

#define UNDO_TRIES 50
#define UNDO_WAIT  (10 * 1000 * 1000) /* ns */

/*
 * The processes of a command that was killed just now may still be on their
 * way out and hold a directory.  What cannot be undone even so stays in its
 * lease for the next command: no reason to refuse this one.
 */
static int undo_patiently(struct store *s, int fd)
{
	int r = -ERR_SYSTEM;

	for (int tries = 0; r < 0 && tries < UNDO_TRIES; tries++) {
		AUTO(error) struct error why = ERROR_INIT;
		struct timespec wait = {.tv_nsec = UNDO_WAIT};

		if (tries)
			nanosleep(&wait, NULL);
		if (lseek(fd, 0, SEEK_SET) == 0)
			r = undo_lease(s, fd, &why);
		if (r < 0)
			log_debug("store", "cannot undo yet: %s", why.message);
	}
	return r;
}

int store_reap(struct store *s, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int dir = s->dirs[STORE_LEASES], r = dir_list_read(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		AUTO(fd)
		int fd = openat(dir, list.items[i].name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0 || io_lock(fd, true, false, NULL) < 0)
			continue; /* its owner ended just now, or lives */
		if (undo_patiently(s, fd) == 0)
			unlinkat(dir, list.items[i].name, 0);
	}
	return r;
}

/* ---- what commands at work hold ---- */

static void add_names(const char *text, const char *kind, struct map *out)
{
	size_t len = strlen(kind);

	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		AUTO(free) char *name = NULL;

		if (strncmp(line, kind, len) != 0 || line[len] != ' ')
			continue;
		name = mem_strndup(line + len + 1, (size_t)(end - line) - len - 1);
		map_set(out, name, NULL);
	}
}

int store_leased(struct store *s, const char *kind, struct map *out, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int dir = s->dirs[STORE_LEASES], r = dir_list_read(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		AUTO(buf) struct buf text = BUF_INIT;

		r = io_read_file(dir, list.items[i].name, LIMIT_LEASE_BYTES, &text, err);
		if (r == -ERR_NOT_FOUND) { /* ended just now */
			error_clear(err);
			r = 0;
		}
		add_names(buf_str(&text), kind, out);
	}
	return r;
}

int store_layer_pin(struct store *s, struct lease *l, const struct digest *diff_id,
		    struct store_layer *out, struct error *err)
{
	int r = store_begin(s, false, err);

	if (r < 0)
		return r;
	r = store_layer_find(s, diff_id, out, err);
	if (r == 0)
		r = lease_note(l, "layer", out->dir, err);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

void store_rest(struct store *s)
{
	flock(s->lock, LOCK_UN);
}

int store_wake(struct store *s, struct error *err)
{
	return io_lock(s->lock, false, true, err);
}
