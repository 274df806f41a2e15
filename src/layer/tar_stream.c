/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

#include "base/banned.h"

#define STREAM_BYTES (256u << 10) /* stays in the second-level cache between read and hash */
#define SMALL_READ   (32u << 10)  /* below this much room a file waits for an empty buffer */

void tar_stream_init(struct tar_stream *s, const struct layer_sink *sink)
{
	*s = (struct tar_stream){
		.sink = sink, .data = mem_alloc(STREAM_BYTES), .hasher = hash_aside_new()};
}

void tar_stream_clear(struct tar_stream *s)
{
	/* first, because it may still read */
	hash_aside_free(s->hasher);
	free(s->data);
	free(s->other);
	buf_clear(&s->header);
	*s = (struct tar_stream){0};
}

static int flush(struct tar_stream *s, struct error *err)
{
	unsigned char *full = s->data;
	size_t len = s->len;

	hash_aside_add(s->hasher, full, len);
	s->info.tar_bytes += len;
	s->len = 0;
	s->data = s->other ? s->other : mem_alloc(STREAM_BYTES);
	s->other = full;
	if (s->sink && len)
		return s->sink->write(s->sink->data, full, len, err);
	return 0;
}

int tar_stream_bytes(struct tar_stream *s, const void *data, size_t len, struct error *err)
{
	while (len) {
		size_t n = STREAM_BYTES - s->len;
		int r;

		if (n > len)
			n = len;
		memcpy(s->data + s->len, data, n);
		s->len += n;
		data = (const char *)data + n;
		len -= n;
		if (s->len == STREAM_BYTES && (r = flush(s, err)) < 0)
			return r;
	}
	return 0;
}

int tar_stream_entry(struct tar_stream *s, const struct layer_entry *e, struct error *err)
{
	buf_reset(&s->header);
	tar_header_add(&s->header, e);
	s->info.entries++;
	if (S_ISREG(e->mode) && !e->link)
		s->info.content_bytes += e->size;
	return tar_stream_bytes(s, s->header.data, s->header.len, err);
}

/* What it was that went away is not told: owner, mode and times are all zero. */
int tar_stream_whiteout(struct tar_stream *s, const char *path, struct error *err)
{
	const char *base = strrchr(path, '/');
	size_t dir = base ? (size_t)(base - path) + 1 : 0;
	AUTO(buf) struct buf name = BUF_INIT;
	struct layer_entry e = {.mode = S_IFREG};

	buf_add(&name, path, dir);
	buf_addstr(&name, TAR_WHITEOUT);
	buf_addstr(&name, path + dir);
	e.path = buf_str(&name);
	return tar_stream_entry(s, &e, err);
}

int tar_stream_opaque(struct tar_stream *s, const char *path, struct error *err)
{
	AUTO(buf) struct buf name = BUF_INIT;
	struct layer_entry e = {.mode = S_IFREG};

	buf_printf(&name, "%s%s%s", path, *path ? "/" : "", TAR_OPAQUE);
	e.path = buf_str(&name);
	return tar_stream_entry(s, &e, err);
}

static int changed(const char *path, struct error *err)
{
	error_set(err, ERR_CONFLICT, "%s: changed its size while it was read", path);
	error_hint(err, "something else writes to it; try again when it is still");
	return -ERR_CONFLICT;
}

int tar_stream_file(struct tar_stream *s, int from, uint64_t size, int to, const char *path,
		    struct error *err)
{
	uint64_t left = size;
	int r;

	for (;;) {
		/* one byte more than there should be: the end is seen without another call */
		uint64_t want = left + 1;
		size_t room = STREAM_BYTES - s->len, asked;
		ssize_t n;

		if (room < want && room < SMALL_READ) {
			if ((r = flush(s, err)) < 0)
				return r;
			room = STREAM_BYTES;
		}
		asked = want < room ? (size_t)want : room;
		n = read(from, s->data + s->len, asked);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot read %s", path);
		if ((uint64_t)n > left || (n == 0 && left))
			return changed(path, err);
		if (to >= 0 && n > 0 && io_write_full(to, s->data + s->len, (size_t)n) < 0)
			return error_sys(err, "cannot write %s", path);
		if (s->also && n > 0)
			hasher_add(s->also, s->data + s->len, (size_t)n);
		s->len += (size_t)n;
		left -= (uint64_t)n;
		/* a short count on a regular file is its end */
		if (left == 0 && (size_t)n < asked)
			break;
	}
	return tar_stream_pad(s, size, err);
}

int tar_stream_pad(struct tar_stream *s, uint64_t size, struct error *err)
{
	static const char zeros[TAR_BLOCK];
	size_t tail = size % TAR_BLOCK;

	return tail ? tar_stream_bytes(s, zeros, TAR_BLOCK - tail, err) : 0;
}

int tar_stream_end(struct tar_stream *s, struct layer_info *out, struct error *err)
{
	static const char zeros[2 * TAR_BLOCK];
	int r = tar_stream_bytes(s, zeros, sizeof(zeros), err);

	if (r < 0 || (r = flush(s, err)) < 0)
		return r;
	hash_aside_end(s->hasher, &s->info.diff_id);
	*out = s->info;
	return 0;
}

int layer_reopen_parent(int child, dev_t dev, ino_t ino, int *out_fd, struct error *err)
{
	AUTO(fd) int fd = openat(child, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "cannot go back to the directory above");
	if (st.st_dev != dev || st.st_ino != ino)
		return error_set(err, ERR_CONFLICT, "a directory was moved while it was read");
	*out_fd = take_fd(&fd);
	return 0;
}
