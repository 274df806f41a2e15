/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about registries: nothing here is needed to use an image. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store_db.h"

#include "base/banned.h"

#define PLACED_ASKED 8 /* repositories that are tried for a mount */

int store_repo_digest_add(struct store *s, const char *name, const struct digest *id,
			  struct error *err)
{
	return db_exec(s, err, "INSERT OR REPLACE INTO repo_digest(name, image) VALUES (?, ?)",
		       "td", name, id);
}

int store_repo_digest_find(struct store *s, const char *name, struct digest *out_id,
			   struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT image FROM repo_digest WHERE name = ?", "t",
			   name);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0 || !db_digest(stmt, 0, out_id))
		return error_set(err, ERR_NOT_FOUND, "No such image: %s", name);
	return 0;
}

int store_repo_digests(struct store *s, const struct digest *id, struct strlist *out,
		       struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT name FROM repo_digest WHERE image = ? ORDER BY name", "d",
			   id);

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		strlist_take(out, db_text(stmt, 0));
	return r;
}

int store_packed_find(struct store *s, const struct digest *diff_id, const char *form,
		      struct digest *out_blob, uint64_t *out_size, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT blob, size FROM packed WHERE diff_id = ? AND form = ?", "dt",
			   diff_id, form);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0 || !db_digest(stmt, 0, out_blob))
		return error_set(err, ERR_NOT_FOUND, "the layer was never packed");
	*out_size = (uint64_t)db_i64(stmt, 1);
	return 0;
}

int store_packed_add(struct store *s, const struct digest *diff_id, const char *form,
		     const struct digest *blob, uint64_t size, struct error *err)
{
	return db_exec(s, err,
		       "INSERT OR REPLACE INTO packed(diff_id, form, blob, size)"
		       " VALUES (?, ?, ?, ?)",
		       "dtdi", diff_id, form, blob, (int64_t)size);
}

int store_placed_add(struct store *s, const struct digest *diff_id, const struct digest *blob,
		     const char *repository, struct error *err)
{
	return db_exec(s, err,
		       "INSERT OR REPLACE INTO placed(diff_id, blob, repository, used)"
		       " VALUES (?, ?, ?, ?)",
		       "ddti", diff_id, blob, repository, clock_now_ns());
}

int store_placed(struct store *s, const struct digest *blob, const char *registry,
		 struct strlist *out, struct error *err)
{
	AUTO(free) char *from = mem_printf("%s/", registry);
	AUTO(free) char *to = mem_printf("%s0", registry); /* '0' follows '/' */
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err,
			   "SELECT repository FROM placed WHERE blob = ?"
			   " AND repository >= ? AND repository < ? ORDER BY used DESC LIMIT ?",
			   "dtti", blob, from, to, (int64_t)PLACED_ASKED);

	while (r >= 0 && (r = db_step(s, stmt, err)) == 1)
		strlist_take(out, db_text(stmt, 0));
	return r;
}
