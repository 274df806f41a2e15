/* SPDX-License-Identifier: Apache-2.0 */
/* Layers whose tar was written by somebody else. */
#include <stdlib.h>

#include "store/store_db.h"

#include "base/banned.h"

int store_origin_add(struct store *s, const struct digest *diff_id,
		     const struct store_origin *origin, struct error *err)
{
	return db_exec(s, err,
		       "INSERT OR IGNORE INTO origin(diff_id, tree, blob, size, media_type)"
		       " VALUES (?, ?, ?, ?, ?)",
		       "dddit", diff_id, &origin->tree, &origin->blob, (int64_t)origin->size,
		       origin->media_type);
}

int store_origin_find(struct store *s, const struct digest *diff_id, struct store_origin *out,
		      struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	char text[DIGEST_TEXT_SIZE];
	int r = db_prepare(s, &stmt, err,
			   "SELECT tree, blob, size, media_type FROM origin WHERE diff_id = ?",
			   "d", diff_id);

	*out = (struct store_origin){0};
	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "layer %s was made here",
				 digest_text(diff_id, text));
	db_digest(stmt, 0, &out->tree);
	db_digest(stmt, 1, &out->blob);
	out->size = (uint64_t)db_i64(stmt, 2);
	out->media_type = db_text(stmt, 3);
	return 0;
}

int store_layer_tree(struct store *s, const struct digest *diff_id, struct digest *out,
		     struct error *err)
{
	AUTO(store_origin) struct store_origin origin = {0};
	int r = store_origin_find(s, diff_id, &origin, NULL);

	if (r < 0 && r != -ERR_NOT_FOUND)
		return error_set(err, ERR_SYSTEM, "cannot look up the origin of a layer");
	*out = r == 0 ? origin.tree : *diff_id;
	return 0;
}

int store_manifest_find(struct store *s, const struct digest *manifest, struct digest *out_id,
			struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	char text[DIGEST_TEXT_SIZE];
	int r = db_prepare(s, &stmt, err, "SELECT id FROM image WHERE manifest = ?", "d",
			   manifest);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0 || !db_digest(stmt, 0, out_id))
		return error_set(err, ERR_NOT_FOUND, "no image has the manifest %s",
				 digest_text(manifest, text));
	return 0;
}

void store_origin_clear(struct store_origin *o)
{
	free(o->media_type);
	*o = (struct store_origin){0};
}
