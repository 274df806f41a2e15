/* SPDX-License-Identifier: Apache-2.0 */
/* logs: reads what container_log.c has written, also while it is written. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* To the present end of the file. */
static int read_file(struct reading *r, int fd, struct error *err)
{
	for (;;) {
		ssize_t n = read(fd, buf_reserve(&r->text, CHUNK), CHUNK);
		size_t used = 0;
		char *end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot read the log");
		if (n == 0 || r->done)
			return 0;
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

/* The old ones first; @out_fd is the one that is written to, read to its end. */
static int read_all(struct reading *r, int dir, int *out_fd, struct error *err)
{
	int n = 0, e = 0;

	while (n < FILES_MAX) {
		AUTO(free) char *name = mem_printf("log.json.%d", n + 1);

		if (faccessat(dir, name, F_OK, 0) < 0)
			break;
		n++;
	}
	for (; e == 0 && n >= 0; n--) {
		AUTO(free)
		char *name = n ? mem_printf("log.json.%d", n) : mem_strdup("log.json");
		AUTO(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0)
			continue;
		e = read_file(r, fd, err);
		if (n == 0 && out_fd)
			*out_fd = take_fd(&fd);
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
			e = read_file(r, *fd, err);
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
	if (req->tail >= 0) {
		r.count_only = true;
		code = read_all(&r, dir, NULL, err);
		r.skip = r.lines > (uint64_t)req->tail ? r.lines - (uint64_t)req->tail : 0;
		r.count_only = false;
		r.lines = 0;
		buf_reset(&r.text);
	}
	if (code == 0)
		code = read_all(&r, dir, &fd, err);
	if (code == 0 && socket >= 0)
		code = follow(&r, dir, socket, &fd, err);
	buf_clear(&r.text);
	return code;
}
