/* SPDX-License-Identifier: Apache-2.0 */
/* store_db - the database handle and short ways to ask it. */
#pragma once

#include <sqlite3.h>
#include <stdarg.h>

#include "store/store.h"

/*
 * A question to the database.  The store owns it: what is prepared anew for each of a hundred
 * images is compiled once.  AUTO(stmt) hands it back.
 */
struct stmt {
	sqlite3_stmt *handle;
	bool taken; /* between db_prepare() and the end of its AUTO */
};

struct stmts {
	struct stmt **items;
	size_t n;
	size_t cap;
};

struct store {
	sqlite3 *db;
	struct stmts stmts;
	char *path;
	int dirs[STORE_PLACES];
	int lock;	    /* held shared for as long as the store is open */
	unsigned depth;	    /* nested transactions */
	bool viewing;	    /* between store_view_begin() and its end */
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
int db_prepare(struct store *s, struct stmt **out, struct error *err, const char *sql,
	       const char *types, ...);
/* 1: a row, 0: no more, -ERR_x. */
int db_step(struct store *s, struct stmt *stmt, struct error *err);
int db_exec(struct store *s, struct error *err, const char *sql, const char *types, ...);
int db_error(struct store *s, struct error *err);

/* store_spare.c: room for what is written when the disk is full. Made, and given up. */
void spare_keep(const struct store *s);
void spare_use(const struct store *s);

/* Ready to be stepped through again. */
void db_reset(struct stmt *stmt);

/* Column @i as a new string, NULL stays NULL; as a digest (false if it is none); as a number.
 */
char *db_text(const struct stmt *stmt, int i);
bool db_digest(const struct stmt *stmt, int i, struct digest *out);
int64_t db_i64(const struct stmt *stmt, int i);

int db_open(struct store *s, struct error *err);
/* For reading only.  -ERR_NOT_FOUND if there is none, or one of another version. */
int db_look(struct store *s, struct error *err);

/* Undoes what dead commands left. */
int store_reap(struct store *s, struct error *err);

void db_close(struct store *s);

void stmt_auto(struct stmt **stmt);
