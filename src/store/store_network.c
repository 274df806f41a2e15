/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/mem.h"
#include "store/store_db.h"

#include "base/banned.h"

static int name_taken(struct store *s, const char *name, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT 1 FROM network WHERE name = ?", "t", name);

	if (r < 0 || (r = db_step(s, stmt, err)) <= 0)
		return r;
	return error_set(err, ERR_EXISTS, "network with name %s already exists", name);
}

int store_network_add(struct store *s, const struct store_network *n, struct error *err)
{
	int r = store_begin(s, false, err);

	if (r < 0)
		return r;
	r = name_taken(s, n->name, err);
	if (r == 0)
		r = db_exec(
			s, err,
			"INSERT INTO network(id, name, created, config) VALUES (?, ?, ?, ?)",
			"ttit", n->id, n->name, n->created_ns, n->config);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

int store_network_list(struct store *s, struct store_network_list *out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT id, name, created, config FROM network ORDER BY created",
			   "");

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1) {
		struct store_network *n = vec_push(out);

		n->id = db_text(stmt, 0);
		n->name = db_text(stmt, 1);
		n->created_ns = db_i64(stmt, 2);
		n->config = db_text(stmt, 3);
	}
	return r;
}

int store_network_remove(struct store *s, const char *id, struct error *err)
{
	return db_exec(s, err, "DELETE FROM network WHERE id = ?", "t", id);
}

void store_network_clear(struct store_network *n)
{
	free(n->id);
	free(n->name);
	free(n->config);
	*n = (struct store_network){0};
}

void store_network_list_clear(struct store_network_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		store_network_clear(&l->items[i]);
	free(l->items);
	*l = (struct store_network_list){0};
}
