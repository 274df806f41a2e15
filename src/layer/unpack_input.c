/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_unpack.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#include "base/banned.h"

#define INPUT_BYTES  (256u << 10)
#define OUTPUT_BYTES (256u << 10)

/* ---- bytes as they come ---- */

/* Waits until there is more than was read, or there is no more to come. */
static int wait_growth(struct unpack_input *in)
{
	uint64_t told[64];

	while (!in->whole && in->there <= in->at) {
		ssize_t n = read(in->counts, told, sizeof(told));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			in->whole = true;
		else if ((size_t)n >= sizeof(*told))
			in->there = told[(size_t)n / sizeof(*told) - 1];
	}
	return 0;
}

static ssize_t read_some(struct unpack_input *in)
{
	size_t want = INPUT_BYTES;
	ssize_t n;

	if (in->counts < 0)
		return read(in->fd, in->data, want);
	if (wait_growth(in) < 0)
		return -1;
	if (!in->whole && in->there - in->at < want)
		want = (size_t)(in->there - in->at);
	/* read, not pread: who has the descriptor too can see how far we are */
	n = read(in->fd, in->data, want);
	if (n > 0)
		in->at += (uint64_t)n;
	return n;
}

ssize_t unpack_input_next(struct unpack_input *in, const void **out)
{
	ssize_t n;

	if (!in->data)
		in->data = mem_alloc(INPUT_BYTES);
	*out = in->data;
	if (in->ahead) {
		n = (ssize_t)in->ahead;
		in->ahead = 0;
		return n;
	}
	do
		n = read_some(in);
	while (n < 0 && errno == EINTR);
	return n;
}

/* The first block, which stays the next one. A pipe may give it in drops. */
static ssize_t look_ahead(struct unpack_input *in, const unsigned char **out)
{
	const void *data;
	ssize_t n = unpack_input_next(in, &data);

	*out = data;
	if (n > 0)
		in->ahead = (size_t)n;
	return n;
}

void unpack_input_clear(struct unpack_input *in)
{
	free(in->data);
	in->data = NULL;
}

/* ---- gzip ---- */

struct unpack_gzip {
	struct inflate_state state;
	struct unpack_input *in; /* borrowed */
	bool between;		 /* two members */
	bool ended;
	const char *why; /* of a failure */
	unsigned char out[OUTPUT_BYTES];
};

bool unpack_gzip_open(struct unpack_input *in, struct unpack_gzip **out)
{
	const unsigned char *data;
	ssize_t n = look_ahead(in, &data);

	*out = NULL;
	/* the method is deflate always; less than a header is for others to complain of */
	if (n < 10 || data[0] != 0x1f || data[1] != 0x8b || data[2] != 8)
		return false;
	*out = mem_new(struct unpack_gzip);
	(*out)->in = in;
	isal_inflate_init(&(*out)->state);
	(*out)->state.crc_flag = ISAL_GZIP;
	return true;
}

/* RFC 1952, 2.2: members follow each other; what is no member is not looked at. */
static bool begin_member(struct unpack_gzip *g)
{
	if (g->state.avail_in && *g->state.next_in != 0x1f) {
		g->ended = true;
		return false;
	}
	isal_inflate_reset(&g->state);
	g->state.crc_flag = ISAL_GZIP;
	g->between = false;
	return true;
}

static bool refill(struct unpack_gzip *g)
{
	const void *data;
	ssize_t n = unpack_input_next(g->in, &data);

	if (n > 0) {
		/* it does not write there */
		g->state.next_in = (unsigned char *)(uintptr_t)data;
		g->state.avail_in = (uint32_t)n;
		return true;
	}
	if (n < 0)
		g->why = error_reason(errno);
	else if (!g->between)
		g->why = "truncated gzip input";
	g->ended = true;
	return false;
}

static const char *reason_of(int code)
{
	switch (code) {
	case ISAL_INCORRECT_CHECKSUM:
		return "the checksum of the gzip data is wrong";
	case ISAL_INVALID_WRAPPER:
	case ISAL_UNSUPPORTED_METHOD:
		return "a gzip header that is none";
	default:
		return "gzip decompression failed";
	}
}

/* One call of the library; false when there is no more to be had. */
static bool inflate_some(struct unpack_gzip *g)
{
	struct inflate_state *s = &g->state;
	uint32_t in = s->avail_in, out = s->avail_out;
	int code = isal_inflate(s);

	if (code < 0)
		g->why = reason_of(code);
	else if (s->block_state == ISAL_BLOCK_FINISH)
		g->between = true;
	else if (s->avail_in == in && s->avail_out == out)
		g->why = reason_of(ISAL_INVALID_BLOCK);
	g->ended |= g->why != NULL;
	return !g->ended;
}

ssize_t unpack_gzip_next(struct unpack_gzip *g, const void **out)
{
	struct inflate_state *s = &g->state;

	s->next_out = g->out;
	s->avail_out = OUTPUT_BYTES;
	while (!g->ended && s->avail_out) {
		if (!s->avail_in && !refill(g))
			break;
		if (g->between && !begin_member(g))
			break;
		if (!inflate_some(g))
			break;
	}
	*out = g->out;
	return g->why ? -1 : (ssize_t)(OUTPUT_BYTES - s->avail_out);
}

const char *unpack_gzip_reason(const struct unpack_gzip *g)
{
	return g->why;
}
