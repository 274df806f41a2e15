/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
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

/* Runs the helper to its end; its message, which is not a failure, goes to @out. */
static int run_helper(const char **argv, int input, int tree, struct buf *out,
		      struct error *err)
{
	AUTO(buf) struct buf program = BUF_INIT;
	AUTO(fd) int from = -1, to = -1;
	struct process_fd fds[] = {
		{input, UNPACK_INPUT_FD}, {-1, UNPACK_STATUS_FD}, {tree, UNPACK_TREE_FD}};
	struct process_spec spec = {.fds = fds, .nfds = tree >= 0 ? 3 : 2};
	int ends[2], r, status;
	pid_t pid;

	if ((r = process_helper_path(UNPACK_HELPER, &program, err)) < 0)
		return r;
	if ((r = io_pipe(ends, err)) < 0)
		return r;
	from = ends[0];
	to = ends[1];
	fds[1].fd = to;
	spec.program = buf_str(&program);
	spec.argv = (char *const *)(uintptr_t)argv;
	if ((r = process_start(&spec, &pid, NULL, err)) < 0)
		return r;
	close_fd(&to);
	r = io_read_all(from, LIMIT_WIRE_BYTES, out, err);
	close_fd(&from);
	status = process_wait(pid);
	if (r < 0)
		return error_wrap(err, "what the program that reads archives says");
	return out->len ? 0 : died(status, err);
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

int layer_unpack(const struct layer_unpack *how, struct layer_unpacked *out, struct error *err)
{
	AUTO(free) char *below = root_clean_path(how->below ? how->below : "");
	AUTO(buf) struct buf report = BUF_INIT;
	const void *digest;
	char limit[24];
	const char *argv[] = {UNPACK_HELPER, mode_name(how->mode), limit, below, NULL};
	struct cursor c;
	int r;

	snprintf(limit, sizeof(limit), "%" PRIu64, how->limit_bytes);
	if ((r = run_helper(argv, how->input, how->tree, &report, err)) < 0)
		return r;
	c = (struct cursor){.at = (const unsigned char *)report.data, .left = report.len};
	switch (cursor_u32(&c)) {
	case UNPACK_FAILED:
		return decode_failure(&c, err);
	case UNPACK_DONE:
		out->entries = cursor_u64(&c);
		out->content_bytes = cursor_u64(&c);
		digest = cursor_bytes(&c, DIGEST_SIZE);
		if (c.failed || !digest)
			return broken_report(err);
		memcpy(out->stream.bytes, digest, DIGEST_SIZE);
		return 0;
	default:
		return broken_report(err);
	}
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
	struct cursor c;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot rewind a file");
	r = run_helper(argv, fd, -1, &report, err);
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
