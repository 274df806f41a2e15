/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/store_db.h"

#include "base/banned.h"

/* How often a use is written down: often enough for pruning by age. */
#define USED_GRAIN_NS (60ll * 1000000000ll)

int store_step_find(struct store *s, const struct digest *key, struct store_step *out,
		    struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int64_t now = clock_now_ns();
	int r = db_prepare(s, &stmt, err,
			   "SELECT diff_id, created, duration, used FROM step WHERE key = ?",
			   "d", key);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "no such step record");
	*out = (struct store_step){.key = *key};
	db_digest(stmt, 0, &out->diff_id);
	out->created_ns = db_i64(stmt, 1);
	out->duration_ns = db_i64(stmt, 2);
	if (now - db_i64(stmt, 3) < USED_GRAIN_NS)
		return 0;
	db_reset(stmt);
	return db_exec(s, err, "UPDATE step SET used = ? WHERE key = ?", "id", now, key);
}

int store_step_inputs(struct store *s, const struct digest *key, char **out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "SELECT inputs FROM step WHERE key = ?", "d", key);

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "no such step record");
	*out = db_text(stmt, 0);
	return 0;
}

int store_step_add(struct store *s, const struct store_step *step, struct error *err)
{
	return db_exec(s, err,
		       "INSERT INTO step(key, diff_id, created, duration, used, title, inputs)"
		       " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET"
		       " diff_id = excluded.diff_id, created = excluded.created,"
		       " duration = excluded.duration, used = excluded.used,"
		       " inputs = excluded.inputs",
		       "ddiiitt", &step->key, &step->diff_id, step->created_ns,
		       step->duration_ns, clock_now_ns(), step->title ? step->title : "",
		       step->inputs ? step->inputs : "{}");
}

void store_step_clear(struct store_step *step)
{
	free(step->title);
	free(step->inputs);
	*step = (struct store_step){0};
}

bool store_memo_find(struct store *s, const struct digest *key, struct digest *out)
{
	AUTO(stmt) struct stmt *stmt = NULL;

	return db_prepare(s, &stmt, NULL, "SELECT value FROM memo WHERE key = ?", "d", key) ==
		       0 &&
	       db_step(s, stmt, NULL) == 1 && db_digest(stmt, 0, out);
}

int store_memo_add(struct store *s, const struct digest *key, const struct digest *value,
		   struct error *err)
{
	return db_exec(s, err,
		       "INSERT OR REPLACE INTO memo(key, value, added) VALUES (?, ?, ?)", "ddi",
		       key, value, clock_now_ns());
}

int store_forget_memos(struct store *s, struct error *err)
{
	return db_exec(s, err, "DELETE FROM memo", "");
}

int store_forget_steps(struct store *s, struct error *err)
{
	int r = db_exec(s, err, "DELETE FROM step", "");

	return r < 0 ? r : store_forget_memos(s, err);
}
