/* SPDX-License-Identifier: Apache-2.0 */
/* logs: reads what container_log.c has written, also while it is written. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define CHUNK	      (64u << 10)
#define LINE_MAX_JSON (256u << 10)
#define WAIT_MS	      50
#define FILES_MAX     1000

struct reading {
	const struct engine_logs *req;
	struct buf text; /* read and not yet used */
	uint64_t lines;	 /* in all files, for --tail */
	uint64_t skip;	 /* of them, the first so many */
	bool count_only, done;
};

static int put(const struct reading *r, json_t *line, int64_t when, struct error *err)
{
	const json_t *log = json_object_get(line, "log");
	const bool is_err =
		str_eq(json_string_value(json_object_get(line, "stream")), "stderr");
	const int fd = is_err ? r->req->err : r->req->out;
	AUTO(buf) struct buf out = BUF_INIT;

	if (r->req->timestamps) {
		clock_format(when - when % 1000000000, &out);
		out.len--; /* the Z */
		buf_printf(&out, ".%09dZ ", (int)(when % 1000000000));
	}
	buf_add(&out, json_string_value(log), json_string_length(log));
	if (io_write_full(fd, out.data, out.len) < 0)
		return error_sys(err, "cannot write the log");
	return 0;
}

static int use_line(struct reading *r, const char *data, size_t len, struct error *err)
{
	AUTO(json) json_t *line = NULL;
	int64_t when = 0;

	r->lines++;
	if (r->count_only || r->lines <= r->skip)
		return 0;
	/* a line that was torn by the end of the machine is no reason to stop */
	if (json_parse(data, len, &line, NULL) < 0 ||
	    !json_is_string(json_object_get(line, "log")))
		return 0;
	clock_parse(json_string_value(json_object_get(line, "time")), &when);
	if (r->req->since_ns && when < r->req->since_ns)
		return 0;
	if (r->req->until_ns && when > r->req->until_ns) {
		r->done = true;
		return 0;
	}
	return put(r, line, when, err);
}

/* Up to @left bytes, or to the present end of the file. */
static int read_file(struct reading *r, int fd, uint64_t left, struct error *err)
{
	for (;;) {
		size_t want = left < CHUNK ? left : CHUNK;
		ssize_t n = read(fd, buf_reserve(&r->text, CHUNK), want);
		size_t used = 0;
		char *end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot read the log");
		if (n == 0 || r->done)
			return 0;
		left -= (uint64_t)n;
		r->text.len += (size_t)n;
		r->text.data[r->text.len] = 0;
		while ((end = memchr(r->text.data + used, '\n', r->text.len - used))) {
			const char *line = r->text.data + used;
			int e = use_line(r, line, (size_t)(end - line), err);

			if (e < 0)
				return e;
			used = (size_t)(end - r->text.data) + 1;
		}
		buf_consume(&r->text, used);
		if (r->text.len > LINE_MAX_JSON)
			buf_reset(&r->text);
	}
}

/* The files as they are now, the newest first: they may be renamed while we read. */
struct files {
	struct {
		int fd;
		struct stat st;
	} items[FILES_MAX];
	int n;
};

static void open_files(int dir, struct files *f)
{
	char name[32] = "log.json";

	for (int i = 1; f->n < FILES_MAX; i++) {
		const int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		struct stat *st = &f->items[f->n].st;

		if ((fd < 0 || fstat(fd, st) < 0) && i > 1)
			return;
		snprintf(name, sizeof(name), "log.json.%d", i);
		if (fd < 0)
			continue;
		/* the one before was renamed to this name meanwhile */
		if (f->n && f->items[f->n - 1].st.st_ino == st->st_ino)
			close(fd);
		else
			f->items[f->n++].fd = fd;
	}
}

static void close_files(struct files *f)
{
	while (f->n)
		close(f->items[--f->n].fd);
}

static int read_files(struct reading *r, const struct files *f, struct error *err)
{
	int e = 0;

	for (int i = f->n - 1; e == 0 && i >= 0; i--) {
		lseek(f->items[i].fd, 0, SEEK_SET);
		e = read_file(r, f->items[i].fd, (uint64_t)f->items[i].st.st_size, err);
	}
	return e;
}

static bool was_rotated(int dir, int fd)
{
	struct stat now, open_one;

	return fstatat(dir, "log.json", &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (fd < 0 || (fstat(fd, &open_one) == 0 && open_one.st_ino != now.st_ino));
}

/* Until the monitor is gone. */
static int follow(struct reading *r, int dir, int socket, int *fd, struct error *err)
{
	bool alive = true;
	int e = 0;

	while (e == 0 && !r->done) {
		struct pollfd p = {.fd = socket, .events = POLLIN};
		char chunk[4096];

		if (alive && poll(&p, 1, WAIT_MS) > 0)
			alive = recv(socket, chunk, sizeof(chunk), 0) > 0;
		if (*fd >= 0)
			e = read_file(r, *fd, UINT64_MAX, err);
		if (was_rotated(dir, *fd)) {
			close_fd(fd);
			*fd = openat(dir, "log.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
			continue;
		}
		if (!alive)
			break;
		if (r->req->until_ns && clock_now_ns() > r->req->until_ns)
			break;
	}
	return e;
}

int engine_logs(struct engine *e, const struct engine_logs *req, struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(store_container) struct store_container c = {0};
	struct reading r = {.req = req};
	AUTO(free) struct files *files = NULL;
	AUTO(fd) int dir = -1, fd = -1, socket = -1;
	int code;

	if ((code = engine_need_store(e, err)) < 0 ||
	    (code = engine_container(e, req->container, &c, err)) < 0 ||
	    (code = container_options_of(&c, &o, err)) < 0 ||
	    (code = container_open_dir(e, c.id, &dir, err)) < 0)
		return code;
	if (str_eq(o.log_driver, "none"))
		return error_set(err, ERR_UNSUPPORTED,
				 "configured logging driver does not support reading");
	if (req->follow && (container_is_up(&c) || str_eq(c.state, "restarting")))
		wire_connect(dir, &socket, NULL);
	store_rest(e->store);
	files = mem_new(struct files);
	open_files(dir, files);
	if (req->tail >= 0) {
		r.count_only = true;
		code = read_files(&r, files, err);
		r.skip = r.lines > (uint64_t)req->tail ? r.lines - (uint64_t)req->tail : 0;
		r.count_only = false;
		r.lines = 0;
		buf_reset(&r.text);
	}
	if (code == 0)
		code = read_files(&r, files, err);
	if (code == 0 && socket >= 0) {
		fd = files->n ? fcntl(files->items[0].fd, F_DUPFD_CLOEXEC, 3) : -1;
		code = follow(&r, dir, socket, &fd, err);
	}
	close_files(files);
	buf_clear(&r.text);
	return code;
}
