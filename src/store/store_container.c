/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_db.h"

#include "base/banned.h"

static int name_taken(struct store *s, const char *name, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	AUTO(free) char *id = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT id FROM container WHERE name = ?", "t", name);

	if (r < 0 || (r = db_step(s, stmt, err)) <= 0)
		return r;
	id = db_text(stmt, 0);
	error_set(
		err, ERR_EXISTS,
		"Conflict. The container name \"/%s\" is already in use by container \"%s\"."
		" You have to remove (or rename) that container to be able to reuse that name.",
		name, id);
	return -ERR_EXISTS;
}

int store_container_add(struct store *s, const struct store_container *c, struct error *err)
{
	int r = store_begin(s, false, err);

	if (r < 0)
		return r;
	r = name_taken(s, c->name, err);
	if (r == 0)
		r = db_exec(
			s, err,
			"INSERT INTO container(id, name, image, image_name, state, boot, pid,"
			" created, started, finished, exit_code, auto_remove, config)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			"ttdtttiiiiiit", c->id, c->name, &c->image, c->image_name, c->state,
			s->boot, c->pid, c->created_ns, c->started_ns, c->finished_ns,
			c->exit_code, (int64_t)c->auto_remove, c->config ? c->config : "{}");
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

int store_container_update(struct store *s, const struct store_container *c, struct error *err)
{
	return db_exec(s, err,
		       "UPDATE container SET state = ?, boot = ?, pid = ?, started = ?,"
		       " finished = ?, exit_code = ? WHERE id = ?",
		       "ttiiiit", c->state, s->boot, c->pid, c->started_ns, c->finished_ns,
		       c->exit_code, c->id);
}

int store_container_rename(struct store *s, const char *id, const char *name, struct error *err)
{
	int r = store_begin(s, false, err);

	if (r < 0)
		return r;
	r = name_taken(s, name, err);
	if (r == 0)
		r = db_exec(s, err, "UPDATE container SET name = ? WHERE id = ?", "tt", name,
			    id);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

int store_container_configure(struct store *s, const char *id, const char *config,
			      struct error *err)
{
	return db_exec(s, err, "UPDATE container SET config = ? WHERE id = ?", "tt", config,
		       id);
}

int store_container_move(struct store *s, const char *id, const char *from, const char *to,
			 bool *out_changed, struct error *err)
{
	int r = db_exec(s, err, "UPDATE container SET state = ? WHERE id = ? AND state = ?",
			"ttt", to, id, from);

	*out_changed = r == 0 && sqlite3_changes(s->db) > 0;
	return r;
}

int store_container_remove(struct store *s, const char *id, struct error *err)
{
	return db_exec(s, err, "DELETE FROM container WHERE id = ?", "t", id);
}

#define CONTAINER_COLUMNS                                        \
	"id, name, image, image_name, state, boot, pid, created" \
	", started, finished, exit_code, auto_remove, config "

static int read_rows(struct store *s, struct stmt *stmt, struct store_container_list *out,
		     struct error *err)
{
	int r = 0;

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		struct store_container *c = vec_push(out);

		c->id = db_text(stmt, 0);
		c->name = db_text(stmt, 1);
		db_digest(stmt, 2, &c->image);
		c->image_name = db_text(stmt, 3);
		c->state = db_text(stmt, 4);
		c->boot = db_text(stmt, 5);
		c->pid = db_i64(stmt, 6);
		c->created_ns = db_i64(stmt, 7);
		c->started_ns = db_i64(stmt, 8);
		c->finished_ns = db_i64(stmt, 9);
		c->exit_code = db_i64(stmt, 10);
		c->auto_remove = db_i64(stmt, 11) != 0;
		c->config = db_text(stmt, 12);
	}
	return r;
}

int store_container_list(struct store *s, struct store_container_list *out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT " CONTAINER_COLUMNS "FROM container ORDER BY created DESC",
			   "");

	return r < 0 ? r : read_rows(s, stmt, out, err);
}

/* Two questions: for one with OR in it the database makes a table. */
int store_container_named(struct store *s, const char *text, struct store_container_list *out,
			  struct error *err)
{
	AUTO(stmt) struct stmt *by_id = NULL;
	AUTO(stmt) struct stmt *by_name = NULL;
	/* 'g' follows 'f': every id that begins with the text lies between */
	AUTO(free) char *end = mem_printf("%sg", text);
	int r = db_prepare(s, &by_id, err,
			   "SELECT " CONTAINER_COLUMNS
			   "FROM container WHERE id >= ? AND id < ?",
			   "tt", text, end);

	if (r < 0 || (r = read_rows(s, by_id, out, err)) < 0)
		return r;
	r = db_prepare(s, &by_name, err,
		       "SELECT " CONTAINER_COLUMNS "FROM container WHERE name = ?", "t",
		       *text == '/' ? text + 1 : text);
	return r < 0 ? r : read_rows(s, by_name, out, err);
}

void store_container_clear(struct store_container *c)
{
	free(c->id);
	free(c->name);
	free(c->image_name);
	free(c->state);
	free(c->boot);
	free(c->config);
	*c = (struct store_container){0};
}

void store_container_list_clear(struct store_container_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		store_container_clear(&l->items[i]);
	free(l->items);
	*l = (struct store_container_list){0};
}
