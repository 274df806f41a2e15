/* SPDX-License-Identifier: Apache-2.0 */
/* stave-unpack: the only process that parses archives (layer_unpack.h). */
#include "layer/layer_unpack.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/process.h"
#include "base/strlist.h"

#include "base/banned.h"

static const char *const mode_names[] = {
	[LAYER_UNPACK_TREE] = "tree",
	[LAYER_UNPACK_LAYER] = "layer",
	[LAYER_UNPACK_ADD] = "add",
	[LAYER_UNPACK_CONTEXT] = "context",
};

static enum layer_unpack_mode parse_mode(const char *name)
{
	for (size_t i = LAYER_UNPACK_TREE; i < ARRAY_SIZE(mode_names); i++)
		if (str_eq(mode_names[i], name))
			return (enum layer_unpack_mode)i;
	return 0;
}

static void report(const struct layer_unpacked *done, bool layer, struct buf *status)
{
	buf_put_u32(status, UNPACK_DONE);
	buf_put_u64(status, done->entries);
	buf_put_u64(status, done->content_bytes);
	buf_add(status, done->stream.bytes, sizeof(done->stream.bytes));
	if (!layer)
		return;
	buf_add(status, done->tree.diff_id.bytes, sizeof(done->tree.diff_id.bytes));
	buf_put_u64(status, done->tree.tar_bytes);
	buf_put_u64(status, done->tree.content_bytes);
	buf_put_u64(status, done->tree.entries);
}

static int unpack(char **argv, bool grows, struct buf *status, struct error *err)
{
	AUTO(unpack_input)
	struct unpack_input in = {.fd = UNPACK_INPUT_FD,
				  .counts = grows ? UNPACK_COUNTS_FD : -1};
	enum layer_unpack_mode mode = parse_mode(argv[1]);
	struct layer_unpacked done = {0};
	struct unpack_tree tree;
	uint64_t limit;
	int r;

	if (!mode || !parse_u64(argv[2], UINT64_MAX, &limit))
		return error_set(err, ERR_INVALID, UNPACK_HELPER ": bad arguments");
	if ((r = unpack_confine(UNPACK_TREE_FD, mode, err)) < 0)
		return r;
	r = unpack_tree_open(&tree, UNPACK_TREE_FD, mode, argv[3], limit, err);
	if (r == 0)
		r = unpack_read(&tree, &in, &done, err);
	unpack_tree_clear(&tree);
	if (r == 0 && mode == LAYER_UNPACK_LAYER)
		r = layer_describe(UNPACK_TREE_FD, NULL, &done.tree, err);
	if (r == 0)
		report(&done, mode == LAYER_UNPACK_LAYER, status);
	return r;
}

static int probe(struct buf *status, struct error *err)
{
	AUTO(unpack_input) struct unpack_input in = {.fd = UNPACK_INPUT_FD, .counts = -1};
	bool is_tar;
	int r = unpack_confine(-1, LAYER_UNPACK_TREE, err);

	if (r < 0 || (r = unpack_probe(&in, &is_tar, err)) < 0)
		return r;
	buf_put_u32(status, is_tar ? UNPACK_IS_TAR : UNPACK_IS_NOT_TAR);
	return 0;
}

int main(int argc, char **argv)
{
	AUTO(buf) struct buf status = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	const bool grows = argc == 5 && str_eq(argv[4], "grows");
	int r;

	process_close_from(grows ? UNPACK_COUNTS_FD + 1 : UNPACK_STATUS_FD + 1);
	umask(0);
	/*
	 * No setlocale(3): in the C locale libarchive finds that the names of pax
	 * records cannot be converted and hands on their bytes; in a UTF-8 one
	 * it would normalise them.
	 */
	if (argc == 4 || grows)
		r = unpack(argv, grows, &status, &err);
	else if (argc == 2 && str_eq(argv[1], "probe"))
		r = probe(&status, &err);
	else
		r = error_set(&err, ERR_INVALID, UNPACK_HELPER ": not to be called by hand");
	if (r < 0) {
		buf_reset(&status);
		buf_put_u32(&status, UNPACK_FAILED);
		error_encode(&err, &status);
	}
	if (io_write_full(UNPACK_STATUS_FD, status.data, status.len) < 0)
		return 125;
	return r < 0 ? 1 : 0;
}
