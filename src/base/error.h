/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error - what went wrong, for programs and for people.
 *
 * Every function that can fail for a reason the user may care about ends in
 * `struct error *err` and returns 0 or -ERR_x.  Programs look at the code,
 * people read the message: it names the user's object, says what is wrong
 * and, in the hint, the way out.  A function returns an error or reports it,
 * never both; only cli/ prints.
 *
 * @err may be NULL everywhere: then only the code travels.  An error is set
 * once; whoever passes it on may add context in front with error_wrap().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/buf.h"

enum error_code {
	ERR_NONE = 0,
	ERR_SYSTEM,	 /* the kernel refused; see .sys for errno */
	ERR_INVALID,	 /* malformed input or impossible request */
	ERR_NOT_FOUND,	 /* a named thing does not exist */
	ERR_EXISTS,	 /* a name is taken */
	ERR_CONFLICT,	 /* the thing is in use, or states contradict */
	ERR_DENIED,	 /* permission or policy */
	ERR_UNSUPPORTED, /* legal, but not here or not yet */
	ERR_LIMIT,	 /* a named limit was met */
	ERR_CORRUPT,	 /* bytes do not match their digest or their format */
	ERR_ESCAPE,	 /* a path would have left its tree */
	ERR_CANCELLED,	 /* the user interrupted */
	ERR_FAILED,	 /* a command that was run ended with failure */
};

struct error {
	enum error_code code;
	int sys;	 /* errno, 0 if none */
	int exit_code;	 /* of a command that failed, else 0 */
	char *message;	 /* owned; one line, may be followed by detail lines */
	char *hint;	 /* owned; NULL when there is no way out to offer */
	char *file;	 /* owned; the user's file, NULL if none */
	unsigned line;	 /* 1-based, 0 if none */
	unsigned column; /* 1-based, 0 if none */
};

#define ERROR_INIT ((struct error){0})

/* Sets code and message; returns -code so that `return error_set(...)` reads well. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* strerror() in small letters, as Go and so Docker writes them; good until the next call. */
const char *error_reason(int sys);
/* As error_set(ERR_SYSTEM) with ": error_reason(errno)" appended; keeps errno in .sys. */
int error_sys(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Puts "text: " in front of the message; returns -err->code (-ERR_SYSTEM if err is NULL:
 * where somebody may look at the code only, return your own).
 */
int error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sets the hint, replacing an earlier one. */
void error_hint(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says where in the user's text the error is. */
void error_at(struct error *err, const char *file, unsigned line, unsigned column);

/* Frees what it owns; @err is as new afterwards. */
void error_clear(struct error *err);

/* Moves @from into @to (which is cleared first); @to may be NULL. */
void error_move(struct error *to, struct error *from);

/* Wire form for a status pipe between our own processes: append, and read back. */
void error_encode(const struct error *err, struct buf *out);
int error_decode(const char *data, size_t len, struct error *out);

static inline void error_auto(struct error *err)
{
	error_clear(err);
}
