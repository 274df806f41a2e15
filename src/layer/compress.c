/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of layers on their way out: the same bytes for the same input
 * and level, however many processors there are.
 *
 * gzip (RFC 1952, 1951): the input is cut at fixed places; each piece is
 * deflated by itself with the 32 KiB before it as dictionary and ends at a
 * byte (a sync flush), so the pieces joined are one member.  zstd (RFC 8878)
 * does the like inside its library; what a job is, is fixed here.
 */
#include "layer/layer.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/auto.h"
#include "base/mem.h"

#include "base/banned.h"

#define PIECE_BYTES   (512u << 10) /* a part of the format: another number, other bytes */
#define DICT_BYTES    (32u << 10)
#define ZSTD_JOB      (4 << 20) /* a part of the format too */
#define THREADS_MAX   16
#define GZIP_LEVEL    6
#define ZSTD_LEVEL    3
#define SYNC_OVERHEAD 16 /* an empty stored block and a few bits */

enum piece_state {
	PIECE_EMPTY = 0,
	PIECE_READY,
	PIECE_BUSY,
	PIECE_DONE,
};

struct piece {
	enum piece_state state;
	bool last;
	unsigned char *in; /* owned: DICT_BYTES of what came before, then the piece */
	size_t dict_len, in_len;
	unsigned char *out; /* owned */
	size_t out_cap, out_len;
	uLong crc;
};

struct layer_compressor {
	enum layer_compression how;
	struct layer_sink to;
	int level;

	/* gzip: a ring of pieces, filled at @fill, written at @write */
	struct piece *pieces; /* owned */
	unsigned n_pieces, fill, write;
	unsigned used;			/* submitted and not written */
	unsigned char tail[DICT_BYTES]; /* of the piece before */
	size_t tail_len;
	uLong crc;
	uint64_t total;
	bool started, stop;
	z_stream own; /* of this thread, when there are no others */
	bool has_own;
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

static void init_deflate(z_stream *z, int level)
{
	*z = (z_stream){0};
	/* -15: no header of zlib's; it fails for want of memory only */
	if (deflateInit2(z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		mem_alloc(SIZE_MAX);
}

static void deflate_piece(z_stream *z, struct piece *p)
{
	unsigned char *data = p->in + DICT_BYTES;

	deflateReset(z);
	if (p->dict_len)
		deflateSetDictionary(z, data - p->dict_len, (uInt)p->dict_len);
	z->next_in = data;
	z->avail_in = (uInt)p->in_len;
	z->next_out = p->out;
	z->avail_out = (uInt)p->out_cap;
	deflate(z, p->last ? Z_FINISH : Z_SYNC_FLUSH);
	p->out_len = p->out_cap - z->avail_out;
	p->crc = crc32(0, data, (uInt)p->in_len);
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
	struct piece *p;
	z_stream z;

	init_deflate(&z, c->level);
	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		p = find_ready(c);
		if (!p) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		p->state = PIECE_BUSY;
		pthread_mutex_unlock(&c->lock);
		deflate_piece(&z, p);
		pthread_mutex_lock(&c->lock);
		p->state = PIECE_DONE;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	deflateEnd(&z);
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
		if (!c->has_own)
			init_deflate(&c->own, c->level);
		c->has_own = true;
		deflate_piece(&c->own, p);
	}
	c->crc = crc32_combine(c->crc, p->crc, (z_off_t)p->in_len);
	c->total += p->in_len;
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
		p->in = mem_alloc(DICT_BYTES + PIECE_BYTES);
		p->out_cap = compressBound(PIECE_BYTES) + SYNC_OVERHEAD;
		p->out = mem_alloc(p->out_cap);
	}
	p->last = false;
	p->in_len = 0;
	p->dict_len = c->tail_len;
	if (c->tail_len)
		memcpy(p->in + DICT_BYTES - c->tail_len, c->tail, c->tail_len);
}

static void submit(struct layer_compressor *c, bool last)
{
	struct piece *p = &c->pieces[c->fill];
	size_t tail = p->in_len < DICT_BYTES ? p->in_len : DICT_BYTES;

	memcpy(c->tail, p->in + DICT_BYTES + p->in_len - tail, tail);
	c->tail_len = tail;
	p->last = last;
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
		memcpy(p->in + DICT_BYTES + p->in_len, data, n);
		p->in_len += n;
		data += n;
		len -= n;
	}
	return 0;
}

static void put_le32(unsigned char *out, uint64_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char)(v >> 8 * i);
}

static int gzip_open(struct layer_compressor *c, struct error *err)
{
	/* no name, no time, unknown system: nothing that is not the content's */
	static const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

	c->n_pieces = 2 * processors();
	c->pieces = mem_zalloc(c->n_pieces * sizeof(*c->pieces));
	c->crc = crc32(0, NULL, 0);
	prepare_piece(c, &c->pieces[0]);
	return write_out(c, header, sizeof(header), err);
}

static int gzip_close(struct layer_compressor *c, struct error *err)
{
	unsigned char trailer[8];
	int r;

	submit(c, true);
	while (c->used)
		if ((r = write_oldest(c, err)) < 0)
			return r;
	put_le32(trailer, c->crc);
	put_le32(trailer + 4, c->total);
	return write_out(c, trailer, sizeof(trailer), err);
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
		r = gzip_open(c, err);
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
	if (c->has_own)
		deflateEnd(&c->own);
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
