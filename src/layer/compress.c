/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of layers on their way out: the same bytes for the same input
 * and level, however many processors there are.
 *
 * gzip (RFC 1952): the input is cut at fixed places, and each piece is a member
 * of its own, as 2.2 allows and every reader of layers understands.  zstd
 * (RFC 8878) does the like inside its library; what a job is, is fixed here.
 *
 * libdeflate's first level packs layers a few per cent less well than zlib's sixth
 * and five times as fast; what it makes depends on no processor's extras.
 */
#include "layer/layer.h"

#include <libdeflate.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/auto.h"
#include "base/mem.h"

#include "base/banned.h"

#define PIECE_BYTES (512u << 10) /* a part of the format: another number, other bytes */
#define ZSTD_JOB    (4 << 20)	 /* a part of the format too */
#define THREADS_MAX 16
#define GZIP_LEVEL  1
#define ZSTD_LEVEL  3

enum piece_state {
	PIECE_EMPTY = 0,
	PIECE_READY,
	PIECE_BUSY,
	PIECE_DONE,
};

struct piece {
	enum piece_state state;
	unsigned char *in; /* owned */
	size_t in_len;
	unsigned char *out; /* owned */
	size_t out_cap, out_len;
};

struct layer_compressor {
	enum layer_compression how;
	struct layer_sink to;
	int level;

	/* gzip: a ring of pieces, filled at @fill, written at @write */
	struct piece *pieces; /* owned */
	unsigned n_pieces, fill, write;
	size_t piece_bound; /* of what a packed one may take */
	unsigned used;	    /* submitted and not written */
	bool started, stop;
	struct libdeflate_compressor *own; /* of this thread, when there are no others */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t threads[THREADS_MAX];
	unsigned n_threads;

	ZSTD_CCtx *zstd;
	unsigned char *zstd_out; /* owned */
	size_t zstd_cap;
};

static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

static int write_out(struct layer_compressor *c, const void *data, size_t len,
		     struct error *err)
{
	return len ? c->to.write(c->to.data, data, len, err) : 0;
}

/* ---- gzip: calculation, in any thread ---- */

static struct libdeflate_compressor *new_deflate(int level)
{
	struct libdeflate_compressor *d = libdeflate_alloc_compressor(level);

	/* the level was looked at: it fails for want of memory only */
	if (!d)
		mem_alloc(SIZE_MAX);
	return d;
}

static void deflate_piece(struct libdeflate_compressor *d, struct piece *p)
{
	p->out_len = libdeflate_gzip_compress(d, p->in, p->in_len, p->out, p->out_cap);
	/* no name, no time, unknown system: nothing that is not the content's */
	memset(p->out + 4, 0, 5);
	p->out[9] = 255;
}

static struct piece *find_ready(struct layer_compressor *c)
{
	for (unsigned i = 0; i < c->n_pieces; i++) {
		struct piece *p = &c->pieces[(c->write + i) % c->n_pieces];

		if (p->state == PIECE_READY)
			return p;
	}
	return NULL;
}

static void *work(void *data)
{
	struct layer_compressor *c = data;
	struct libdeflate_compressor *d = new_deflate(c->level);
	struct piece *p;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		p = find_ready(c);
		if (!p) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		p->state = PIECE_BUSY;
		pthread_mutex_unlock(&c->lock);
		deflate_piece(d, p);
		pthread_mutex_lock(&c->lock);
		p->state = PIECE_DONE;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	libdeflate_free_compressor(d);
	return NULL;
}

/* ---- gzip: order, in the thread of the caller ---- */

/* Small layers are not worth a thread: they begin with the second piece. */
static void start_threads(struct layer_compressor *c)
{
	unsigned n = processors();

	c->started = true;
	while (n > 1 && c->n_threads < n &&
	       pthread_create(&c->threads[c->n_threads], NULL, work, c) == 0)
		c->n_threads++;
}

/* Waits for the oldest piece and writes it. */
static int write_oldest(struct layer_compressor *c, struct error *err)
{
	struct piece *p = &c->pieces[c->write];
	int r;

	if (c->n_threads) {
		pthread_mutex_lock(&c->lock);
		while (p->state != PIECE_DONE)
			pthread_cond_wait(&c->changed, &c->lock);
		pthread_mutex_unlock(&c->lock);
	} else {
		if (!c->own)
			c->own = new_deflate(c->level);
		deflate_piece(c->own, p);
	}
	r = write_out(c, p->out, p->out_len, err);
	pthread_mutex_lock(&c->lock);
	p->state = PIECE_EMPTY;
	c->write = (c->write + 1) % c->n_pieces;
	pthread_mutex_unlock(&c->lock);
	c->used--;
	return r;
}

static void prepare_piece(struct layer_compressor *c, struct piece *p)
{
	if (!p->in) {
		p->in = mem_alloc(PIECE_BYTES);
		p->out_cap = c->piece_bound;
		p->out = mem_alloc(p->out_cap);
	}
	p->in_len = 0;
}

static void submit(struct layer_compressor *c, bool last)
{
	struct piece *p = &c->pieces[c->fill];

	if (!c->started && !last)
		start_threads(c);
	pthread_mutex_lock(&c->lock);
	p->state = PIECE_READY;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	c->fill = (c->fill + 1) % c->n_pieces;
	c->used++;
}

static int gzip_write(struct layer_compressor *c, const unsigned char *data, size_t len,
		      struct error *err)
{
	int r;

	while (len) {
		struct piece *p = &c->pieces[c->fill];
		size_t n;

		/* full and more to come: so it is not the last */
		if (p->in_len == PIECE_BYTES) {
			submit(c, false);
			p = &c->pieces[c->fill];
			if ((c->used == c->n_pieces || c->n_threads == 0) &&
			    (r = write_oldest(c, err)) < 0)
				return r;
			prepare_piece(c, p);
		}
		n = PIECE_BYTES - p->in_len < len ? PIECE_BYTES - p->in_len : len;
		memcpy(p->in + p->in_len, data, n);
		p->in_len += n;
		data += n;
		len -= n;
	}
	return 0;
}

static void gzip_open(struct layer_compressor *c)
{
	c->piece_bound = libdeflate_gzip_compress_bound(NULL, PIECE_BYTES);
	c->n_pieces = 2 * processors();
	c->pieces = mem_zalloc(c->n_pieces * sizeof(*c->pieces));
	prepare_piece(c, &c->pieces[0]);
}

static int gzip_close(struct layer_compressor *c, struct error *err)
{
	int r;

	submit(c, true);
	while (c->used)
		if ((r = write_oldest(c, err)) < 0)
			return r;
	return 0;
}

/* ---- zstd ---- */

static int zstd_error(size_t code, struct error *err)
{
	return error_set(err, ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(code));
}

static int zstd_run(struct layer_compressor *c, const void *data, size_t len,
		    ZSTD_EndDirective end, struct error *err)
{
	ZSTD_inBuffer in = {.src = data, .size = len};

	for (;;) {
		ZSTD_outBuffer out = {.dst = c->zstd_out, .size = c->zstd_cap};
		size_t left = ZSTD_compressStream2(c->zstd, &out, &in, end);
		int r;

		if (ZSTD_isError(left))
			return zstd_error(left, err);
		if ((r = write_out(c, c->zstd_out, out.pos, err)) < 0)
			return r;
		if (end == ZSTD_e_end ? left == 0 : in.pos == in.size)
			return 0;
	}
}

static int zstd_open(struct layer_compressor *c, struct error *err)
{
	size_t code;

	c->zstd = ZSTD_createCCtx();
	c->zstd_cap = ZSTD_CStreamOutSize();
	c->zstd_out = mem_alloc(c->zstd_cap);
	if (!c->zstd)
		return error_set(err, ERR_SYSTEM, "zstd: no memory");
	code = ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, c->level);
	if (!ZSTD_isError(code))
		code = ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1);
	if (ZSTD_isError(code))
		return zstd_error(code, err);
	/* one worker and many give the same; a library without threads gives its own */
	if (!ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_nbWorkers, (int)processors())))
		ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_jobSize, ZSTD_JOB);
	return 0;
}

/* ---- both ---- */

static int sink_write(void *data, const void *bytes, size_t len, struct error *err)
{
	struct layer_compressor *c = data;

	switch (c->how) {
	case LAYER_GZIP:
		return gzip_write(c, bytes, len, err);
	case LAYER_ZSTD:
		return zstd_run(c, bytes, len, ZSTD_e_continue, err);
	case LAYER_PLAIN:
		break;
	}
	return write_out(c, bytes, len, err);
}

bool layer_compression_level_valid(enum layer_compression how, int64_t level)
{
	switch (how) {
	case LAYER_GZIP:
		return level >= 0 && level <= 9;
	case LAYER_ZSTD:
		return level >= 1 && level <= ZSTD_maxCLevel();
	case LAYER_PLAIN:
		break;
	}
	return false;
}

int layer_compressor_open(enum layer_compression how, int level, const struct layer_sink *to,
			  struct layer_compressor **out, struct error *err)
{
	struct layer_compressor *c = mem_new(struct layer_compressor);
	int r = 0;

	c->how = how;
	c->to = *to;
	c->level = level >= 0 ? level : how == LAYER_ZSTD ? ZSTD_LEVEL : GZIP_LEVEL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	if (how == LAYER_GZIP)
		gzip_open(c);
	else if (how == LAYER_ZSTD)
		r = zstd_open(c, err);
	if (r < 0) {
		layer_compressor_abort(c);
		return r;
	}
	*out = c;
	return 0;
}

struct layer_sink layer_compressor_sink(struct layer_compressor *c)
{
	return (struct layer_sink){.write = sink_write, .data = c};
}

void layer_compressor_abort(struct layer_compressor *c)
{
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n_threads; i++)
		pthread_join(c->threads[i], NULL);
	libdeflate_free_compressor(c->own);
	for (unsigned i = 0; i < c->n_pieces; i++) {
		free(c->pieces[i].in);
		free(c->pieces[i].out);
	}
	free(c->pieces);
	ZSTD_freeCCtx(c->zstd);
	free(c->zstd_out);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int layer_compressor_close(struct layer_compressor *c, struct error *err)
{
	int r = 0;

	if (c->how == LAYER_GZIP)
		r = gzip_close(c, err);
	else if (c->how == LAYER_ZSTD)
		r = zstd_run(c, NULL, 0, ZSTD_e_end, err);
	layer_compressor_abort(c);
	return r;
}
