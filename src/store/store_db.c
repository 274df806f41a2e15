/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#include "base/banned.h"

#define SCHEMA_VERSION	8
#define BUSY_TIMEOUT_MS 60000
#define LOG_PAGE_BYTES	4120
#define LOG_LONG_BYTES	(256 * LOG_PAGE_BYTES)
#define LOG_SHORT_BYTES (64 * LOG_PAGE_BYTES)

/* One statement list a version; user_version counts how many have run. */
static const char *const migrations[SCHEMA_VERSION] = {
	"CREATE TABLE image ("
	" id TEXT PRIMARY KEY, manifest TEXT NOT NULL, created INTEGER NOT NULL,"
	" added INTEGER NOT NULL, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE layer ("
	" diff_id TEXT PRIMARY KEY, dir TEXT NOT NULL UNIQUE, content_bytes INTEGER NOT NULL,"
	" tar_bytes INTEGER NOT NULL, entries INTEGER NOT NULL, boot TEXT NOT NULL,"
	" synced INTEGER NOT NULL DEFAULT 0, added INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE image_layer ("
	" image TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE,"
	" position INTEGER NOT NULL, diff_id TEXT NOT NULL REFERENCES layer(diff_id),"
	" PRIMARY KEY (image, position)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX image_layer_diff_id ON image_layer(diff_id);"
	"CREATE TABLE name ("
	" name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX name_image ON name(image);"
	"CREATE TABLE step ("
	" key TEXT PRIMARY KEY, diff_id TEXT NOT NULL REFERENCES layer(diff_id)"
	" ON DELETE CASCADE, created INTEGER NOT NULL, duration INTEGER NOT NULL,"
	" used INTEGER NOT NULL, title TEXT NOT NULL, inputs TEXT NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX step_diff_id ON step(diff_id);"
	"CREATE TABLE memo ("
	" key TEXT PRIMARY KEY, value TEXT NOT NULL, added INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE container ("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT NOT NULL,"
	" image_name TEXT NOT NULL, state TEXT NOT NULL, boot TEXT NOT NULL,"
	" pid INTEGER NOT NULL, created INTEGER NOT NULL, started INTEGER NOT NULL,"
	" finished INTEGER NOT NULL, exit_code INTEGER NOT NULL,"
	" auto_remove INTEGER NOT NULL, config TEXT NOT NULL) STRICT, WITHOUT ROWID;",
	/* 2: layers whose tar was written by somebody else */
	"CREATE TABLE origin ("
	" diff_id TEXT PRIMARY KEY REFERENCES layer(diff_id) ON DELETE CASCADE,"
	" tree TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,"
	" media_type TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX origin_blob ON origin(blob);",
	/* 3: what RUN --mount=type=cache keeps */
	"CREATE TABLE cache_mount ("
	" dir TEXT PRIMARY KEY, key TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL,"
	" used INTEGER NOT NULL, uses INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX cache_mount_key ON cache_mount(key);",
	/* 4: allocated bytes of the directory, -1 until somebody asks */
	"ALTER TABLE layer ADD COLUMN disk INTEGER NOT NULL DEFAULT -1;",
	/* 5: what registries have: digests that images have there, layers as blobs */
	"CREATE TABLE repo_digest ("
	" name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX repo_digest_image ON repo_digest(image);"
	"CREATE TABLE packed ("
	" diff_id TEXT NOT NULL REFERENCES layer(diff_id) ON DELETE CASCADE,"
	" form TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,"
	" PRIMARY KEY (diff_id, form)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE placed ("
	" diff_id TEXT NOT NULL REFERENCES layer(diff_id) ON DELETE CASCADE,"
	" blob TEXT NOT NULL, repository TEXT NOT NULL, used INTEGER NOT NULL,"
	" PRIMARY KEY (diff_id, blob, repository)) STRICT, WITHOUT ROWID;",
	/* 6: volumes, and who holds them */
	"CREATE TABLE volume ("
	" name TEXT PRIMARY KEY, created INTEGER NOT NULL, anonymous INTEGER NOT NULL,"
	" labels TEXT NOT NULL, options TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE container_volume ("
	" container TEXT NOT NULL REFERENCES container(id) ON DELETE CASCADE,"
	" volume TEXT NOT NULL REFERENCES volume(name), owned INTEGER NOT NULL,"
	" PRIMARY KEY (container, volume)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX container_volume_volume ON container_volume(volume);",
	/* 7: networks that users made */
	"CREATE TABLE network ("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,"
	" config TEXT NOT NULL) STRICT, WITHOUT ROWID;",
	/* 8: manifest lists that are not in a registry yet */
	("CREATE TABLE manifest_list ("
	 " name TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT, WITHOUT ROWID;"),
};

int db_error(struct store *s, struct error *err)
{
	int code = sqlite3_errcode(s->db);

	switch (code & 0xff) {
	case SQLITE_FULL:
		errno = ENOSPC;
		return error_sys(err, "cannot write %s/stave.db", s->path);
	case SQLITE_BUSY:
		return error_set(err, ERR_CONFLICT, "%s/stave.db is busy for too long",
				 s->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		error_set(err, ERR_CORRUPT, "%s/stave.db is damaged: %s", s->path,
			  sqlite3_errmsg(s->db));
		error_hint(err, "run `stave system check --repair`");
		return -ERR_CORRUPT;
	default:
		return error_set(err, ERR_SYSTEM, "%s/stave.db: %s", s->path,
				 sqlite3_errmsg(s->db));
	}
}

static void bind(sqlite3_stmt *stmt, const char *types, va_list ap)
{
	for (int i = 1; *types; types++, i++) {
		char hex[DIGEST_HEX_SIZE];

		switch (*types) {
		case 'i':
			sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
			break;
		case 'd':
			digest_hex(va_arg(ap, const struct digest *), hex);
			sqlite3_bind_text(stmt, i, hex, -1, SQLITE_TRANSIENT);
			break;
		default:
			sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1,
					  SQLITE_TRANSIENT);
		}
	}
}

static struct stmt *find_idle(struct store *s, const char *sql)
{
	for (size_t i = 0; i < s->stmts.n; i++) {
		struct stmt *stmt = s->stmts.items[i];

		if (!stmt->taken && str_eq(sqlite3_sql(stmt->handle), sql))
			return stmt;
	}
	return NULL;
}

static int prepare(struct store *s, struct stmt **out, struct error *err, const char *sql,
		   const char *types, va_list ap)
{
	struct stmt *stmt = find_idle(s, sql);

	*out = NULL;
	if (!stmt) {
		sqlite3_stmt *handle = NULL;

		if (sqlite3_prepare_v2(s->db, sql, -1, &handle, NULL) != SQLITE_OK)
			return db_error(s, err);
		stmt = mem_new(struct stmt);
		stmt->handle = handle;
		*vec_push(&s->stmts) = stmt;
	}
	stmt->taken = true;
	bind(stmt->handle, types, ap);
	*out = stmt;
	return 0;
}

void stmt_auto(struct stmt **stmt)
{
	if (!*stmt)
		return;
	sqlite3_reset((*stmt)->handle);
	sqlite3_clear_bindings((*stmt)->handle);
	(*stmt)->taken = false;
}

int db_prepare(struct store *s, struct stmt **out, struct error *err, const char *sql,
	       const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = prepare(s, out, err, sql, types, ap);
	va_end(ap);
	return r;
}

int db_step(struct store *s, struct stmt *stmt, struct error *err)
{
	switch (sqlite3_step(stmt->handle)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return db_error(s, err);
	}
}

int db_exec(struct store *s, struct error *err, const char *sql, const char *types, ...)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	va_list ap;
	int r;

	if (s->depth == 0)
		spare_use(s);
	va_start(ap, types);
	r = prepare(s, &stmt, err, sql, types, ap);
	va_end(ap);
	while (r == 0 && (r = db_step(s, stmt, err)) == 1)
		r = 0;
	return r;
}

void db_reset(struct stmt *stmt)
{
	sqlite3_reset(stmt->handle);
}

static const char *column(const struct stmt *stmt, int i)
{
	return (const char *)sqlite3_column_text(stmt->handle, i);
}

char *db_text(const struct stmt *stmt, int i)
{
	const char *text = column(stmt, i);

	return text ? mem_strdup(text) : NULL;
}

bool db_digest(const struct stmt *stmt, int i, struct digest *out)
{
	const char *text = column(stmt, i);

	return text && digest_parse_hex(text, out);
}

int64_t db_i64(const struct stmt *stmt, int i)
{
	return sqlite3_column_int64(stmt->handle, i);
}

static int run_script(struct store *s, const char *sql, struct error *err)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_error(s, err);
	return 0;
}

static int get_version(struct store *s, int *out, struct error *err)
{
	AUTO(stmt) struct stmt *stmt = NULL;
	int r = db_prepare(s, &stmt, err, "PRAGMA user_version", "");

	if (r < 0 || (r = db_step(s, stmt, err)) < 0)
		return r;
	*out = (int)db_i64(stmt, 0);
	return 0;
}

static int migrate(struct store *s, struct error *err)
{
	int version, r = get_version(s, &version, err);

	if (r < 0 || version == SCHEMA_VERSION)
		return r;
	if (version > SCHEMA_VERSION) {
		error_set(
			err, ERR_UNSUPPORTED,
			"%s was made by a newer stave (database version %d, this one knows %d)",
			s->path, version, SCHEMA_VERSION);
		error_hint(err, "use that version, or another --root");
		return -ERR_UNSUPPORTED;
	}
	if ((r = run_script(s, "PRAGMA journal_mode=WAL", err)) < 0 ||
	    (r = run_script(s, "BEGIN IMMEDIATE", err)) < 0)
		return r;
	/* somebody else may have been faster */
	r = get_version(s, &version, err);
	for (; r == 0 && version < SCHEMA_VERSION; version++) {
		char pragma[48];

		snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", version + 1);
		r = run_script(s, migrations[version], err);
		if (r == 0)
			r = run_script(s, pragma, err);
	}
	if (r < 0) {
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		return r;
	}
	return run_script(s, "COMMIT", err);
}

int db_open(struct store *s, struct error *err)
{
	AUTO(free) char *file = mem_printf("%s/stave.db", s->path);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_PRIVATECACHE;

	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	/* pages as they are needed; twenty at once are touched even if none is */
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
	if (sqlite3_open_v2(file, &s->db, flags, NULL) != SQLITE_OK)
		return db_error(s, err);
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	/* the write-ahead log stays: ending a command must not cost two syncs */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	if (run_script(s, "PRAGMA synchronous=NORMAL", err) < 0)
		return -(int)ERR_SYSTEM;
	return migrate(s, err);
}

/*
 * The first command to open the database reads all of the log, which takes a tenth of a
 * millisecond for 64 pages.  Shortening it takes two syncs now and two when the next command
 * writes: who has paid for syncs already does that early, the others when it is long.  SQLite's
 * own checkpoints do not shorten it, as the next process does not know of them.
 */
static bool has_long_log(const struct store *s)
{
	struct stat st;

	return sqlite3_total_changes(s->db) > 0 &&
	       fstatat(s->dirs[STORE_ROOT], "stave.db-wal", &st, 0) == 0 &&
	       st.st_size > (s->durable ? LOG_SHORT_BYTES : LOG_LONG_BYTES);
}

/* Not if that means to wait for somebody: there will be another who has written. */
static void shorten_log(struct store *s)
{
	sqlite3_busy_timeout(s->db, 0);
	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void db_close(struct store *s)
{
	if (!s->db)
		return;
	store_view_end(s);
	for (size_t i = 0; i < s->stmts.n; i++) {
		sqlite3_finalize(s->stmts.items[i]->handle);
		free(s->stmts.items[i]);
	}
	free(s->stmts.items);
	if (has_long_log(s))
		shorten_log(s);
	sqlite3_close(s->db);
}

static void add_uri_path(const char *path, struct buf *out)
{
	for (; *path; path++) {
		if (strchr("%?#", *path))
			buf_printf(out, "%%%02X", (unsigned)*path);
		else
			buf_addch(out, *path);
	}
}

int db_look(struct store *s, struct error *err)
{
	AUTO(free) char *log = mem_printf("%s/stave.db-wal", s->path);
	AUTO(buf) struct buf uri = BUF_INIT;
	int version = 0, flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;

	buf_addstr(&uri, "file:");
	add_uri_path(s->path, &uri);
	/* without a log nobody is at work, and none has to be made to be read */
	buf_printf(&uri, "/stave.db?mode=ro%s",
		   access(log, F_OK) < 0 ? "&immutable=1" : "&readonly_shm=1");
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	if (sqlite3_open_v2(buf_str(&uri), &s->db, flags, NULL) != SQLITE_OK ||
	    get_version(s, &version, NULL) < 0 || version != SCHEMA_VERSION)
		return error_set(err, ERR_NOT_FOUND, "there is no store in %s", s->path);
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	return 0;
}

/* SQLite takes no change of this inside a transaction. */
static int set_durable(struct store *s, bool durable, struct error *err)
{
	return run_script(s, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
			  err);
}

int store_view_begin(struct store *s, struct error *err)
{
	int r = s->depth || s->viewing ? 0 : run_script(s, "BEGIN", err);

	s->viewing |= r == 0 && !s->depth;
	return r;
}

void store_view_end(struct store *s)
{
	if (s->viewing)
		sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	s->viewing = false;
}

int store_begin(struct store *s, bool durable, struct error *err)
{
	store_view_end(s);
	if (s->depth == 0) {
		int r = set_durable(s, durable, err);

		spare_use(s);
		if (r < 0 || (r = run_script(s, "BEGIN IMMEDIATE", err)) < 0)
			return r;
		s->broken = false;
		s->durable |= durable;
	}
	s->depth++;
	return 0;
}

int store_commit(struct store *s, struct error *err)
{
	int r;

	if (--s->depth)
		return 0;
	if (s->broken) {
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		return error_set(err, ERR_CANCELLED, "the transaction was given up");
	}
	r = run_script(s, "COMMIT", err);
	if (r < 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

void store_abort(struct store *s)
{
	s->broken = true;
	if (s->depth && --s->depth == 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}
