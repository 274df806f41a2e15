/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container says, as Docker's json-file driver writes it: an object a
 * line, {"log":"text\n","stream":"stdout","time":"…"}.  A line of more than 16
 * KiB becomes several, the last of which has the newline.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define LINE_MAX_BYTES (16u << 10)
#define LOG_NAME       "log.json"

struct container_log {
	int dir; /* borrowed */
	int fd;
	uint64_t size, max_size; /* 0: no limit */
	uint64_t files;
	struct buf lines[2]; /* of stdout and stderr, not ended yet */
};

struct container_log *container_log_new(int dir, const struct container_options *o)
{
	const char *size = map_get(&o->log_options, "max-size");
	const char *files = map_get(&o->log_options, "max-file");
	struct container_log *l;
	struct stat st;

	if (str_eq(o->log_driver, "none"))
		return NULL;
	l = mem_new(struct container_log);
	l->dir = dir;
	l->files = 1;
	if (size && !str_eq(size, "-1"))
		parse_bytes(size, &l->max_size);
	if (files)
		parse_u64(files, 1000, &l->files);
	l->fd = openat(dir, LOG_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (l->fd >= 0 && fstat(l->fd, &st) == 0)
		l->size = (uint64_t)st.st_size;
	return l;
}

static char *name_of(uint64_t number)
{
	return number ? mem_printf(LOG_NAME ".%llu", (unsigned long long)number)
		      : mem_strdup(LOG_NAME);
}

static void rotate(struct container_log *l)
{
	close_fd(&l->fd);
	for (uint64_t i = l->files; i-- > 0;) {
		AUTO(free) char *from = name_of(i);
		AUTO(free) char *to = name_of(i + 1);

		if (i + 1 >= l->files)
			unlinkat(l->dir, from, 0);
		else
			renameat(l->dir, from, l->dir, to);
	}
	l->fd = openat(l->dir, LOG_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	l->size = 0;
}

/* Bytes that are no UTF-8 become U+FFFD, as Docker's encoder has it. */
static void quote(const char *data, size_t len, struct buf *out)
{
	AUTO(buf) struct buf clean = BUF_INIT;
	size_t at = 0;

	while (at < len) {
		size_t n = 1, left = len - at;
		unsigned char c = (unsigned char)data[at];
		json_t *probe;

		if (c >= 0xc2)
			n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		probe = c < 0x80 || n > left ? NULL : json_stringn(data + at, n);
		if (!c)
			buf_addstr(&clean, "\xef\xbf\xbd");
		else if (c < 0x80 || (n > 1 && probe))
			buf_add(&clean, data + at, n);
		else {
			buf_addstr(&clean, "\xef\xbf\xbd");
			n = 1;
		}
		json_decref(probe);
		at += n;
	}
	json_quote(buf_str(&clean), true, out);
}

static void write_line(struct container_log *l, int stream, const char *data, size_t len)
{
	AUTO(buf) struct buf line = BUF_INIT;

	buf_addstr(&line, "{\"log\":");
	quote(data, len, &line);
	buf_printf(&line, ",\"stream\":\"%s\",\"time\":\"", stream ? "stderr" : "stdout");
	clock_format(clock_now_ns(), &line);
	buf_addstr(&line, "\"}\n");
	if (l->max_size && l->size && l->size + line.len > l->max_size)
		rotate(l);
	/* a full disk costs lines of the log, never the container */
	if (l->fd >= 0 && io_write_full(l->fd, line.data, line.len) == 0)
		l->size += line.len;
}

void container_log_add(struct container_log *l, const char *stream, const char *data,
		       size_t len)
{
	const int which = str_eq(stream, "stderr");
	struct buf *b;

	if (!l)
		return;
	b = &l->lines[which];
	while (len) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) + 1 : len;

		if (b->len + n > LINE_MAX_BYTES && b->len < LINE_MAX_BYTES) {
			n = LINE_MAX_BYTES - b->len;
			end = NULL;
		}
		buf_add(b, data, n);
		data += n;
		len -= n;
		if (end || b->len >= LINE_MAX_BYTES) {
			write_line(l, which, b->data, b->len);
			buf_reset(b);
		}
	}
	if (!b->len)
		buf_clear(b);
}

void container_log_free(struct container_log *l)
{
	if (!l)
		return;
	for (int i = 0; i < 2; i++) {
		if (l->lines[i].len)
			write_line(l, i, l->lines[i].data, l->lines[i].len);
		buf_clear(&l->lines[i]);
	}
	close_fd(&l->fd);
	free(l);
}
