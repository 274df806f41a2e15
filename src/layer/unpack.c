/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/root.h"
#include "layer/layer_tar.h"

#include "base/banned.h"

static const char *mode_name(enum layer_unpack_mode mode)
{
	switch (mode) {
	case LAYER_UNPACK_TREE:
		return "tree";
	case LAYER_UNPACK_LAYER:
		return "layer";
	case LAYER_UNPACK_ADD:
		return "add";
	case LAYER_UNPACK_CONTEXT:
		return "context";
	}
	return "";
}

static int died(int status, struct error *err)
{
	if (status > 128)
		return error_set(err, ERR_FAILED,
				 "the program that reads archives was killed by signal %d",
				 status - 128);
	error_set(err, ERR_FAILED, "the program that reads archives ended with status %d",
		  status);
	error_hint(err, "it may use %u MiB of memory: an archive that needs more is refused",
		   UNPACK_MEMORY >> 20);
	return -ERR_FAILED;
}

struct layer_unpacking {
	pid_t pid;
	int from;   /* owned: its message */
	int counts; /* owned: to it; -1: none */
	uint64_t told;
};

static void set_unblocking(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int start_helper(const char **argv, int input, int tree, bool grows,
			struct layer_unpacking **out, struct error *err)
{
	AUTO(buf) struct buf program = BUF_INIT;
	AUTO(fd) int from = -1, to = -1, counts = -1, told = -1;
	struct process_fd fds[4] = {{input, UNPACK_INPUT_FD}, {-1, UNPACK_STATUS_FD}};
	struct process_spec spec = {.fds = fds, .nfds = 2};
	int ends[2], r;
	pid_t pid;

	if ((r = process_helper_path(UNPACK_HELPER, &program, err)) < 0)
		return r;
	if ((r = io_pipe(ends, err)) < 0)
		return r;
	from = ends[0];
	to = fds[1].fd = ends[1];
	if (grows && (r = io_pipe(ends, err)) < 0)
		return r;
	if (grows) {
		counts = ends[1];
		told = ends[0];
		set_unblocking(counts);
		fds[spec.nfds++] = (struct process_fd){told, UNPACK_COUNTS_FD};
	}
	if (tree >= 0)
		fds[spec.nfds++] = (struct process_fd){tree, UNPACK_TREE_FD};
	spec.program = buf_str(&program);
	spec.argv = (char *const *)(uintptr_t)argv;
	if ((r = process_start(&spec, &pid, NULL, err)) < 0)
		return r;
	*out = mem_new(struct layer_unpacking);
	**out = (struct layer_unpacking){
		.pid = pid, .from = take_fd(&from), .counts = take_fd(&counts)};
	return 0;
}

/* Waits for its message, which is not a failure, goes to @out; frees @u. */
static int await_helper(struct layer_unpacking *u, struct buf *out, struct error *err)
{
	int r, status;

	close_fd(&u->counts);
	r = io_read_all(u->from, LIMIT_WIRE_BYTES, out, err);
	close_fd(&u->from);
	status = process_wait(u->pid);
	free(u);
	if (r < 0)
		return error_wrap(err, "what the program that reads archives says");
	return out->len ? 0 : died(status, err);
}

void layer_unpack_more(struct layer_unpacking *u, uint64_t bytes)
{
	/* dropped when it has not read the last ones: the next one says more */
	if (bytes > u->told && write(u->counts, &bytes, sizeof(bytes)) == sizeof(bytes))
		u->told = bytes;
}

void layer_unpack_whole(struct layer_unpacking *u)
{
	close_fd(&u->counts);
}

int layer_unpack_fd(const struct layer_unpacking *u)
{
	return u->from;
}

void layer_unpack_abort(struct layer_unpacking *u)
{
	kill(u->pid, SIGKILL);
	process_wait(u->pid);
	close_fd(&u->from);
	close_fd(&u->counts);
	free(u);
}

static int broken_report(struct error *err)
{
	return error_set(err, ERR_CORRUPT, "the program that reads archives sent no sense");
}

static int decode_failure(const struct cursor *c, struct error *err)
{
	AUTO(error) struct error sent = ERROR_INIT;
	int code;

	error_decode((const char *)c->at, c->left, &sent);
	if (sent.code == ERR_NONE)
		return broken_report(err);
	code = -(int)sent.code;
	error_move(err, &sent);
	return code;
}

static int decode_done(struct cursor *c, bool layer, struct layer_unpacked *out,
		       struct error *err)
{
	const void *stream, *tree;

	*out = (struct layer_unpacked){0};
	out->entries = cursor_u64(c);
	out->content_bytes = cursor_u64(c);
	stream = cursor_bytes(c, DIGEST_SIZE);
	tree = layer ? cursor_bytes(c, DIGEST_SIZE) : stream;
	if (layer) {
		out->tree.tar_bytes = cursor_u64(c);
		out->tree.content_bytes = cursor_u64(c);
		out->tree.entries = cursor_u64(c);
	}
	if (c->failed || !stream || !tree)
		return broken_report(err);
	memcpy(out->stream.bytes, stream, DIGEST_SIZE);
	if (layer)
		memcpy(out->tree.diff_id.bytes, tree, DIGEST_SIZE);
	return 0;
}

int layer_unpack_start(const struct layer_unpack *how, struct layer_unpacking **out,
		       struct error *err)
{
	AUTO(free) char *below = root_clean_path(how->below ? how->below : "");
	char limit[24];
	const char *argv[] = {UNPACK_HELPER, mode_name(how->mode),	  limit,
			      below,	     how->grows ? "grows" : NULL, NULL};

	snprintf(limit, sizeof(limit), "%" PRIu64, how->limit_bytes);
	return start_helper(argv, how->input, how->tree, how->grows, out, err);
}

int layer_unpack_finish(struct layer_unpacking *u, enum layer_unpack_mode mode,
			struct layer_unpacked *out, struct error *err)
{
	AUTO(buf) struct buf report = BUF_INIT;
	struct cursor c;
	int r = await_helper(u, &report, err);

	if (r < 0)
		return r;
	c = (struct cursor){.at = (const unsigned char *)report.data, .left = report.len};
	switch (cursor_u32(&c)) {
	case UNPACK_FAILED:
		return decode_failure(&c, err);
	case UNPACK_DONE:
		return decode_done(&c, mode == LAYER_UNPACK_LAYER, out, err);
	default:
		return broken_report(err);
	}
}

int layer_unpack(const struct layer_unpack *how, struct layer_unpacked *out, struct error *err)
{
	struct layer_unpacking *u;
	int r = layer_unpack_start(how, &u, err);

	return r < 0 ? r : layer_unpack_finish(u, how->mode, out, err);
}

static bool is_compressed(const unsigned char *data, size_t len)
{
	static const struct {
		unsigned char bytes[6];
		size_t len;
	} magic[] = {
		{{0x1f, 0x8b}, 2},
		{{'B', 'Z', 'h'}, 3},
		{{0xfd, '7', 'z', 'X', 'Z', 0}, 6},
		{{0x28, 0xb5, 0x2f, 0xfd}, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(magic); i++)
		if (len >= magic[i].len && !memcmp(data, magic[i].bytes, magic[i].len))
			return true;
	return false;
}

static int ask_helper(int fd, bool *out, struct error *err)
{
	const char *argv[] = {UNPACK_HELPER, "probe", NULL};
	AUTO(buf) struct buf report = BUF_INIT;
	struct layer_unpacking *u;
	struct cursor c;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot rewind a file");
	if ((r = start_helper(argv, fd, -1, false, &u, err)) == 0)
		r = await_helper(u, &report, err);
	if (lseek(fd, 0, SEEK_SET) < 0 && r == 0)
		r = error_sys(err, "cannot rewind a file");
	if (r < 0)
		return r;
	c = (struct cursor){.at = (const unsigned char *)report.data, .left = report.len};
	switch (cursor_u32(&c)) {
	case UNPACK_FAILED:
		return decode_failure(&c, err);
	case UNPACK_IS_TAR:
		*out = true;
		return 0;
	case UNPACK_IS_NOT_TAR:
		*out = false;
		return 0;
	default:
		return broken_report(err);
	}
}

int layer_is_archive(int fd, bool *out, struct error *err)
{
	unsigned char block[TAR_BLOCK];
	ssize_t n = pread(fd, block, sizeof(block), 0);

	if (n < 0)
		return error_sys(err, "cannot read a file");
	*out = false;
	if (is_compressed(block, (size_t)n))
		return ask_helper(fd, out, err);
	*out = n == (ssize_t)sizeof(block) && tar_is_header(block);
	return lseek(fd, 0, SEEK_SET) < 0 ? error_sys(err, "cannot rewind a file") : 0;
}
