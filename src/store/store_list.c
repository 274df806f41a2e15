/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_db.h"

#include "base/banned.h"

int store_list_put(struct store *s, const char *name, const char *document, struct error *err)
{
	return db_exec(s, err,
		       "INSERT INTO manifest_list(name, document) VALUES (?, ?)"
		       " ON CONFLICT(name) DO UPDATE SET document = excluded.document",
		       "tt", name, document);
}

int store_list_get(struct store *s, const char *name, char **out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT document FROM manifest_list WHERE name = ?",
			   "t", name);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "No such manifest: %s", name);
	*out = db_text(stmt, 0);
	return 0;
}

int store_list_remove(struct store *s, const char *name, struct error *err)
{
	return db_exec(s, err, "DELETE FROM manifest_list WHERE name = ?", "t", name);
}
