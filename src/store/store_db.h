/* SPDX-License-Identifier: Apache-2.0 */
/* store_db - the database handle and short ways to ask it. */
#pragma once

#include <sqlite3.h>
#include <stdarg.h>

#include "store/store.h"

struct store {
	sqlite3 *db;
	char *path;
	int dirs[STORE_PLACES];
	int lock;	    /* held shared for as long as the store is open */
	unsigned depth;	    /* nested transactions */
	bool broken;	    /* an inner one was aborted */
	bool durable;	    /* something was committed durably since it was opened */
	store_undo_fn undo; /* may be NULL */
	void *undo_data;
	char boot[40]; /* /proc/sys/kernel/random/boot_id */
};

/*
 * Arguments after @types, one a letter: t const char * (NULL is NULL),
 * i int64_t, d const struct digest * (as hex).
 */
int db_prepare(struct store *s, sqlite3_stmt **out, struct error *err, const char *sql,
	       const char *types, ...);
/* 1: a row, 0: no more, -ERR_x. */
int db_step(struct store *s, sqlite3_stmt *stmt, struct error *err);
int db_exec(struct store *s, struct error *err, const char *sql, const char *types, ...);
int db_error(struct store *s, struct error *err);

/* Column @i as a new string, NULL stays NULL; as a digest (false if it is none). */
char *db_text(sqlite3_stmt *stmt, int i);
bool db_digest(sqlite3_stmt *stmt, int i, struct digest *out);

int db_open(struct store *s, struct error *err);
/* For reading only.  -ERR_NOT_FOUND if there is none, or one of another version. */
int db_look(struct store *s, struct error *err);

/* Undoes what dead commands left. */
int store_reap(struct store *s, struct error *err);

static inline void stmt_auto(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}
