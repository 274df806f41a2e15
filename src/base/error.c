/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

static void set_message(struct error *err, enum error_code code, int sys, char *message)
{
	error_clear(err);
	err->code = code;
	err->sys = sys;
	err->message = message;
}

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -(int)code;
	va_start(ap, fmt);
	set_message(err, code, 0, mem_vprintf(fmt, ap));
	va_end(ap);
	return -(int)code;
}

const char *error_reason(int sys)
{
	static _Thread_local char text[64];

	snprintf(text, sizeof(text), "%s", strerror(sys));
	/* "RPC struct is bad" stays */
	if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
		text[0] = (char)(text[0] - 'A' + 'a');
	return text;
}

int error_sys(struct error *err, const char *fmt, ...)
{
	int sys = errno;
	AUTO(free) char *text = NULL;
	va_list ap;

	if (!err)
		return -ERR_SYSTEM;
	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	set_message(err, ERR_SYSTEM, sys, mem_printf("%s: %s", text, error_reason(sys)));
	if (sys == ENOSPC || sys == EDQUOT)
		error_hint(err, "free some space on that file system and run it again");
	return -ERR_SYSTEM;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	AUTO(free) char *text = NULL;
	char *whole;
	va_list ap;

	if (!err)
		return -ERR_SYSTEM;
	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	whole = mem_printf("%s: %s", text, err->message ? err->message : "failed");
	free(err->message);
	err->message = whole;
	if (err->code == ERR_NONE)
		err->code = ERR_SYSTEM;
	return -(int)err->code;
}

void error_hint(struct error *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	free(err->hint);
	va_start(ap, fmt);
	err->hint = mem_vprintf(fmt, ap);
	va_end(ap);
}

void error_at(struct error *err, const char *file, unsigned line, unsigned column)
{
	char *copy;

	if (!err)
		return;
	copy = file ? mem_strdup(file) : NULL;
	free(err->file);
	err->file = copy;
	err->line = line;
	err->column = column;
}

void error_clear(struct error *err)
{
	if (!err)
		return;
	free(err->message);
	free(err->hint);
	free(err->file);
	*err = ERROR_INIT;
}

void error_move(struct error *to, struct error *from)
{
	if (!to) {
		error_clear(from);
		return;
	}
	error_clear(to);
	*to = *from;
	*from = ERROR_INIT;
}

void error_encode(const struct error *err, struct buf *out)
{
	buf_put_u32(out, err->code);
	buf_put_u32(out, (uint32_t)err->sys);
	buf_put_u32(out, (uint32_t)err->exit_code);
	buf_put_u32(out, err->line);
	buf_put_u32(out, err->column);
	buf_put_string(out, err->message);
	buf_put_string(out, err->hint);
	buf_put_string(out, err->file);
}

int error_decode(const char *data, size_t len, struct error *out)
{
	struct cursor c = {.at = (const unsigned char *)data, .left = len};

	error_clear(out);
	out->code = cursor_u32(&c);
	out->sys = (int)cursor_u32(&c);
	out->exit_code = (int)cursor_u32(&c);
	out->line = cursor_u32(&c);
	out->column = cursor_u32(&c);
	out->message = cursor_string(&c);
	out->hint = cursor_string(&c);
	out->file = cursor_string(&c);
	if (c.failed || out->code > ERR_FAILED)
		return error_set(out, ERR_CORRUPT, "a helper process sent a broken report");
	return 0;
}
