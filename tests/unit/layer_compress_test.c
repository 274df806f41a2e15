/* SPDX-License-Identifier: Apache-2.0 */
/* layer: what is packed comes out again, and is the same on every machine. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "layer/layer.h"

#include "base/banned.h"

#define PIECE (512u << 10)

static int collect(void *data, const void *bytes, size_t len, struct error *err)
{
	(void)err;
	buf_add(data, bytes, len);
	return 0;
}

/* Half noise, half words: both kinds of blocks. */
static void make_input(struct buf *out, size_t len)
{
	uint32_t state = 1;

	while (out->len < len) {
		state = state * 1664525u + 1013904223u;
		if (state & 0x40000)
			buf_addstr(out, "some words that come again ");
		else
			buf_add(out, &state, sizeof(state));
	}
	out->len = len;
}

/* Written in pieces of @step bytes. */
static void pack(enum layer_compression how, int level, const struct buf *in, size_t step,
		 struct buf *out)
{
	const struct layer_sink to = {.write = collect, .data = out};
	struct layer_compressor *c = NULL;
	struct layer_sink sink;

	assert_int_equal(layer_compressor_open(how, level, &to, &c, NULL), 0);
	sink = layer_compressor_sink(c);
	for (size_t at = 0; at < in->len; at += step) {
		size_t n = in->len - at < step ? in->len - at : step;

		assert_int_equal(sink.write(sink.data, in->data + at, n, NULL), 0);
	}
	assert_int_equal(layer_compressor_close(c, NULL), 0);
}

static void unpack_gzip(const struct buf *in, struct buf *out)
{
	z_stream z = {0};
	int r = Z_OK;

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)in->data;
	z.avail_in = (uInt)in->len;
	/* a member for each piece */
	while (r == Z_OK || (r == Z_STREAM_END && z.avail_in && inflateReset(&z) == Z_OK)) {
		unsigned char *room = (unsigned char *)buf_reserve(out, 1 << 16);

		z.next_out = room;
		z.avail_out = 1 << 16;
		r = inflate(&z, Z_NO_FLUSH);
		out->len += (size_t)(z.next_out - room);
	}
	assert_int_equal(r, Z_STREAM_END); /* length and checksum are right */
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
}

static void unpack_zstd(const struct buf *in, struct buf *out)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();
	ZSTD_inBuffer from = {in->data, in->len, 0};
	size_t left = 1;

	while (left) {
		ZSTD_outBuffer to = {buf_reserve(out, 1 << 16), 1 << 16, 0};

		left = ZSTD_decompressStream(d, &to, &from);
		assert_false(ZSTD_isError(left));
		out->len += to.pos;
	}
	assert_int_equal(from.pos, from.size);
	ZSTD_freeDCtx(d);
}

static const size_t sizes[] = {0,     1,	 511,	    PIECE - 1,
			       PIECE, PIECE + 1, 2 * PIECE, 11 * PIECE + 7};

static void check_round_trip(enum layer_compression how,
			     void (*unpack)(const struct buf *, struct buf *))
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO(buf) struct buf in = BUF_INIT;
		AUTO(buf) struct buf packed = BUF_INIT;
		AUTO(buf) struct buf again = BUF_INIT;
		AUTO(buf) struct buf out = BUF_INIT;

		make_input(&in, sizes[i]);
		pack(how, -1, &in, 300000, &packed);
		pack(how, -1, &in, PIECE, &again);
		unpack(&packed, &out);
		assert_int_equal(out.len, in.len);
		if (in.len)
			assert_memory_equal(out.data, in.data, in.len);
		/* how it was written does not matter */
		assert_int_equal(packed.len, again.len);
		assert_memory_equal(packed.data, again.data, packed.len);
		if (in.len > PIECE)
			assert_true(packed.len < in.len * 3 / 4);
	}
}

static void test_gzip(void **state)
{
	(void)state;
	check_round_trip(LAYER_GZIP, unpack_gzip);
}

static void test_zstd(void **state)
{
	(void)state;
	check_round_trip(LAYER_ZSTD, unpack_zstd);
}

static void check_processors(enum layer_compression how)
{
	AUTO(buf) struct buf in = BUF_INIT;
	AUTO(buf) struct buf many = BUF_INIT;
	AUTO(buf) struct buf one = BUF_INIT;
	cpu_set_t all, first;
	int cpu = 0;

	make_input(&in, 40 * PIECE);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	pack(how, -1, &in, 1 << 18, &many);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&first);
	CPU_SET(cpu, &first);
	assert_int_equal(sched_setaffinity(0, sizeof(first), &first), 0);
	pack(how, -1, &in, 1 << 18, &one);
	sched_setaffinity(0, sizeof(all), &all);
	assert_int_equal(one.len, many.len);
	assert_memory_equal(one.data, many.data, one.len);
}

static void test_any_number_of_processors(void **state)
{
	(void)state;
	check_processors(LAYER_GZIP);
	check_processors(LAYER_ZSTD);
}

static void test_gzip_header_has_no_time(void **state)
{
	static const unsigned char want[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
	AUTO(buf) struct buf in = BUF_INIT;
	AUTO(buf) struct buf packed = BUF_INIT;

	(void)state;
	buf_addstr(&in, "text");
	pack(LAYER_GZIP, 9, &in, 4, &packed);
	assert_memory_equal(packed.data, want, sizeof(want));
}

static void test_levels(void **state)
{
	AUTO(buf) struct buf in = BUF_INIT;
	AUTO(buf) struct buf fast = BUF_INIT;
	AUTO(buf) struct buf best = BUF_INIT;

	(void)state;
	assert_true(layer_compression_level_valid(LAYER_GZIP, 0));
	assert_true(layer_compression_level_valid(LAYER_GZIP, 9));
	assert_false(layer_compression_level_valid(LAYER_GZIP, 10));
	assert_false(layer_compression_level_valid(LAYER_GZIP, -1));
	assert_true(layer_compression_level_valid(LAYER_ZSTD, 19));
	assert_false(layer_compression_level_valid(LAYER_ZSTD, 99));
	make_input(&in, PIECE);
	pack(LAYER_GZIP, 1, &in, PIECE, &fast);
	pack(LAYER_GZIP, 9, &in, PIECE, &best);
	assert_true(best.len <= fast.len);
	buf_reset(&fast);
	pack(LAYER_GZIP, 0, &in, PIECE, &fast);
	assert_true(fast.len > in.len);
}

/* Where the bytes go ends with an error: no thread is left, nothing hangs. */
static int refuse(void *data, const void *bytes, size_t len, struct error *err)
{
	size_t *left = data;

	(void)bytes;
	if (len > *left)
		return error_set(err, ERR_LIMIT, "full");
	*left -= len;
	return 0;
}

static void test_error_of_the_sink(void **state)
{
	AUTO(buf) struct buf in = BUF_INIT;

	(void)state;
	make_input(&in, 20 * PIECE);
	for (size_t room = 10; room < 4 * PIECE; room = room * 7 + 1) {
		size_t left = room;
		const struct layer_sink to = {.write = refuse, .data = &left};
		struct layer_compressor *c = NULL;
		struct layer_sink sink;
		int r;

		assert_int_equal(layer_compressor_open(LAYER_GZIP, 6, &to, &c, NULL), 0);
		sink = layer_compressor_sink(c);
		r = sink.write(sink.data, in.data, in.len, NULL);
		if (r < 0) {
			layer_compressor_abort(c);
			continue;
		}
		assert_int_equal(layer_compressor_close(c, NULL), -ERR_LIMIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_zstd),
		cmocka_unit_test(test_any_number_of_processors),
		cmocka_unit_test(test_gzip_header_has_no_time),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_error_of_the_sink),
	};

	return cmocka_run_group_tests_name("layer_compress", tests, NULL, NULL);
}
