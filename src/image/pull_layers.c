/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a pull: fetched, verified and unpacked at the same time, several at once. */
#include "image/image_pull.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "layer/layer.h"

#include "base/banned.h"

#define SHORT_ID    12
#define HASH_BYTES  (256u << 10)
#define FLUSH_BYTES (8u << 20) /* so much is sent to the disk at once, before fsync asks */
#define UNPACKS_MAX 4u
#define TICK_MS	    200

enum layer_state {
	LAYER_WAITS = 0, /* for a helper */
	LAYER_UNPACKS,
	LAYER_UNPACKED,
	LAYER_READY, /* has its row */
};

struct layer_pull {
	const struct descriptor *blob; /* borrowed */
	const struct digest *diff_id;  /* borrowed */
	struct partial partial;	       /* below cache/pull */
	unsigned task;

	struct hasher hasher; /* of the file's first @hashed bytes */
	uint64_t hashed, flushed;
	bool whole; /* it has its digest */

	enum layer_state state;
	int reading; /* owned: the helper's view of the file; its offset is how far it is */
	struct layer_unpacking *unpacking;
	struct store_layer layer; /* its .dir */
	struct layer_unpacked unpacked;
	int failed; /* the helper's complaint; perhaps the bytes were not the right ones */
	struct error why;
};

static void begin_task(const struct pull *p, unsigned task, const struct descriptor *d)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(&d->digest, hex);
	hex[SHORT_ID] = 0;
	progress_tell(p->how->progress, PROGRESS_BEGIN, task, hex, 0, d->size);
}

static void tell_state(const struct pull *p, const struct layer_pull *l, const char *text)
{
	progress_tell(p->how->progress, PROGRESS_STATUS, l->task, text, 0, 0);
}

/* ---- plan ---- */

static bool is_wanted(const struct pull *p, const struct digest *blob)
{
	for (size_t i = 0; i < p->n; i++)
		if (digest_eq(&p->layers[i].blob->digest, blob))
			return true;
	return false;
}

static int plan_layers(struct pull *p, struct error *err)
{
	const struct descriptor_list *all = &p->image.m.layers;

	p->layers = mem_resize(NULL, all->n ? all->n : 1, sizeof(*p->layers));
	p->files = mem_resize(NULL, all->n ? all->n : 1, sizeof(*p->files));
	for (size_t i = 0; i < all->n; i++) {
		const struct descriptor *d = &all->items[i];
		unsigned task = p->how->first_task + (unsigned)i;
		struct layer_pull *l = &p->layers[p->n];
		struct store_layer have;
		int r, fd = -1;

		*l = (struct layer_pull){.blob = d,
					 .diff_id = &p->image.cfg.diff_ids.items[i],
					 .task = task,
					 .reading = -1,
					 .why = ERROR_INIT};
		hasher_init(&l->hasher);
		/* a damaged one is dropped by the question */
		if (image_layer(p->store, l->diff_id, &have, NULL) == 0 ||
		    is_wanted(p, &d->digest)) {
			begin_task(p, task, d);
			progress_tell(p->how->progress, PROGRESS_CACHED, task, "Already exists",
				      0, 0);
			continue;
		}
		if ((r = partial_open(p->layout.dir, &d->digest, &l->partial, &fd, err)) < 0)
			return r;
		begin_task(p, task, d);
		progress_tell(p->how->progress, PROGRESS_STATUS, task, "Pulling fs layer", 0,
			      0);
		p->files[p->n++] = (struct registry_download){
			.digest = d->digest, .size = d->size, .fd = fd};
	}
	for (size_t i = REGISTRY_AT_ONCE; i < p->n; i++)
		tell_state(p, &p->layers[i], "Waiting");
	return 0;
}

/* ---- bytes ---- */

static int wrap(const struct pull *p, const struct layer_pull *l, struct error *err)
{
	char text[DIGEST_TEXT_SIZE];

	return error_wrap(err, "%s: layer %s", p->name, digest_text(&l->blob->digest, text));
}

/* The disk begins with what has come, so that there is less to wait for in the end. */
static void flush(struct layer_pull *l, int fd)
{
	if (l->hashed < l->flushed + FLUSH_BYTES)
		return;
	sync_file_range(fd, (off_t)l->flushed, (off_t)(l->hashed - l->flushed),
			SYNC_FILE_RANGE_WRITE);
	l->flushed = l->hashed;
}

static int hash_until(struct layer_pull *l, int fd, uint64_t end, struct error *err)
{
	AUTO(free) char *data = NULL;

	if (l->hashed < end)
		data = mem_alloc(HASH_BYTES);
	while (l->hashed < end) {
		uint64_t left = end - l->hashed;
		ssize_t n = pread(fd, data, left < HASH_BYTES ? (size_t)left : HASH_BYTES,
				  (off_t)l->hashed);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_sys(err, "cannot read a download");
		hasher_add(&l->hasher, data, (size_t)n);
		l->hashed += (uint64_t)n;
		flush(l, fd);
	}
	return 0;
}

/* ---- helpers ---- */

static unsigned helpers_max(void)
{
	cpu_set_t set;
	unsigned n =
		sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;

	return n < 2 ? 2 : n > UNPACKS_MAX ? UNPACKS_MAX : n;
}

/* What it has made is of no use. */
static void undo_unpack(struct pull *p, struct layer_pull *l)
{
	if (l->unpacking)
		layer_unpack_abort(l->unpacking);
	l->unpacking = NULL;
	close_fd(&l->reading);
	if (*l->layer.dir && l->state != LAYER_READY)
		store_layer_discard(p->store, l->layer.dir, NULL);
	*l->layer.dir = 0;
	error_clear(&l->why);
	l->failed = 0;
}

static int start_unpack(struct pull *p, struct layer_pull *l, struct error *err)
{
	struct layer_unpack how = {.mode = LAYER_UNPACK_LAYER, .below = "", .grows = true};
	AUTO(fd) int tree = -1;
	int r;

	if ((r = store_layer_new(p->store, p->in.lease, l->layer.dir, err)) < 0 ||
	    (r = store_layer_open(p->store, l->layer.dir, &tree, err)) < 0 ||
	    (r = root_open(p->layout.dir, ROOT_BENEATH, l->partial.file, O_RDONLY | O_NOFOLLOW,
			   0, &l->reading, err)) < 0)
		return r;
	how.tree = tree;
	how.input = l->reading;
	if ((r = layer_unpack_start(&how, &l->unpacking, err)) < 0)
		return r;
	l->state = LAYER_UNPACKS;
	if (l->whole)
		layer_unpack_whole(l->unpacking);
	else
		layer_unpack_more(l->unpacking, l->hashed);
	return 0;
}

/* Those that have bytes get a helper, as long as there are not too many. */
static int start_helpers(struct pull *p, struct error *err)
{
	size_t running = 0;
	int r = 0;

	for (size_t i = 0; i < p->n; i++)
		running += p->layers[i].state == LAYER_UNPACKS;
	for (size_t i = 0; r == 0 && i < p->n && running < helpers_max(); i++) {
		struct layer_pull *l = &p->layers[i];

		if (l->state != LAYER_WAITS || (!l->hashed && !l->whole))
			continue;
		if ((r = start_unpack(p, l, err)) < 0)
			undo_unpack(p, l);
		running++;
	}
	return r;
}

/* ---- the end of a layer ---- */

static int keep_layer(struct pull *p, size_t which, struct error *err)
{
	struct layer_pull *l = &p->layers[which];
	bool foreign = !digest_eq(&l->blob->digest, l->diff_id) ||
		       !digest_eq(&l->unpacked.tree.diff_id, l->diff_id);
	int r = incoming_check(&l->unpacked.stream, l->diff_id, err);

	if (r == 0 && foreign)
		r = store_blob_adopt(p->store, p->layout.dir, l->partial.file, &l->blob->digest,
				     err);
	if (r == 0)
		r = incoming_row(&p->in, &l->layer, l->diff_id, &l->unpacked.tree,
				 foreign ? l->blob : NULL, err);
	/* taken into the store, or of no use */
	unlinkat(p->layout.dir, l->partial.file, 0);
	close_fd(&p->files[which].fd);
	if (r < 0)
		return r;
	l->state = LAYER_READY;
	progress_tell(p->how->progress, PROGRESS_DONE, l->task, "Pull complete", 0, 0);
	return 0;
}

/* When both the bytes and what was made of them are there. */
static int settle(struct pull *p, size_t which, struct error *err)
{
	struct layer_pull *l = &p->layers[which];
	int r = l->failed;

	if (!l->whole || l->state != LAYER_UNPACKED)
		return 0;
	if (r < 0)
		error_move(err, &l->why);
	else
		r = keep_layer(p, which, err);
	if (r == 0)
		return 0;
	progress_tell(p->how->progress, PROGRESS_FAILED, l->task, NULL, 0, 0);
	return wrap(p, l, err);
}

/* ---- what the download tells ---- */

static void on_bytes(void *data, size_t which, uint64_t current)
{
	struct pull *p = data;
	struct layer_pull *l = &p->layers[which];

	progress_tell(p->how->progress, PROGRESS_BYTES, l->task, "Downloading", current,
		      p->files[which].size);
	/* what goes wrong here goes wrong again in the end, and is told there */
	if (hash_until(l, p->files[which].fd, current, NULL) < 0)
		return;
	if (l->state == LAYER_WAITS)
		start_helpers(p, NULL);
	else if (l->unpacking)
		layer_unpack_more(l->unpacking, current);
}

static void on_anew(void *data, size_t which)
{
	struct pull *p = data;
	struct layer_pull *l = &p->layers[which];

	undo_unpack(p, l);
	l->state = LAYER_WAITS;
	l->hashed = l->flushed = 0;
	hasher_init(&l->hasher);
}

static int on_check(void *data, size_t which, struct error *err)
{
	struct pull *p = data;
	struct layer_pull *l = &p->layers[which];
	char text[DIGEST_TEXT_SIZE];
	struct digest have;
	int r;

	tell_state(p, l, "Verifying Checksum");
	if ((r = hash_until(l, p->files[which].fd, l->blob->size, err)) < 0)
		return wrap(p, l, err);
	hasher_end(&l->hasher, &have);
	if (digest_eq(&have, &l->blob->digest))
		return 0;
	return error_set(err, ERR_CORRUPT,
			 "%s: filesystem layer verification failed for digest %s", p->name,
			 digest_text(&l->blob->digest, text));
}

static int on_done(void *data, size_t which, struct error *err)
{
	struct pull *p = data;
	struct layer_pull *l = &p->layers[which];
	int r;

	l->whole = true;
	tell_state(p, l, "Download complete");
	if (l->unpacking)
		layer_unpack_whole(l->unpacking);
	r = start_helpers(p, err);
	return r < 0 ? r : settle(p, which, err);
}

static size_t others(void *data, int *fds)
{
	struct pull *p = data;
	size_t n = 0;

	for (size_t i = 0; i < p->n && n < REGISTRY_OTHERS; i++) {
		const struct layer_pull *l = &p->layers[i];
		off_t at;

		if (!l->unpacking)
			continue;
		fds[n++] = layer_unpack_fd(l->unpacking);
		if (l->whole && (at = lseek(l->reading, 0, SEEK_CUR)) >= 0)
			progress_tell(p->how->progress, PROGRESS_BYTES, l->task, "Extracting",
				      (uint64_t)at, l->blob->size);
	}
	return n;
}

static int on_ready(void *data, int fd, struct error *err)
{
	struct pull *p = data;

	for (size_t i = 0; i < p->n; i++) {
		struct layer_pull *l = &p->layers[i];
		int r;

		if (!l->unpacking || layer_unpack_fd(l->unpacking) != fd)
			continue;
		l->failed = layer_unpack_finish(l->unpacking, LAYER_UNPACK_LAYER, &l->unpacked,
						&l->why);
		l->unpacking = NULL;
		l->state = LAYER_UNPACKED;
		if ((r = settle(p, i, err)) < 0)
			return r;
		return start_helpers(p, err);
	}
	return 0;
}

/* All has come; the last are still being unpacked. */
static int await_helpers(struct pull *p, struct error *err)
{
	int fds[REGISTRY_OTHERS], r = 0;
	size_t n;

	while (r == 0 && (n = others(p, fds)) > 0) {
		struct pollfd all[REGISTRY_OTHERS];

		for (size_t i = 0; i < n; i++)
			all[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
		if (poll(all, n, TICK_MS) <= 0)
			continue;
		for (size_t i = 0; r == 0 && i < n; i++)
			if (all[i].revents)
				r = on_ready(p, all[i].fd, err);
	}
	return r;
}

/* What has come stays for the next time, unless it is of no use. */
static void drop_files(struct pull *p, bool forget, bool *out_resumed)
{
	for (size_t i = 0; i < p->n; i++) {
		struct layer_pull *l = &p->layers[i];
		struct stat st;

		*out_resumed |= l->partial.resumed;
		undo_unpack(p, l);
		if (p->files[i].fd >= 0 &&
		    (forget || fstat(p->files[i].fd, &st) < 0 || !st.st_size))
			unlinkat(p->layout.dir, l->partial.file, 0);
		close_fd(&p->files[i].fd);
	}
	free(p->layers);
	free(p->files);
	p->layers = NULL;
	p->files = NULL;
	p->n = 0;
}

/* What an earlier pull left may be damaged: then once more from the beginning. */
int pull_layers(struct pull *p, struct error *err)
{
	const struct registry_watch watch = {.bytes = on_bytes,
					     .anew = on_anew,
					     .check = on_check,
					     .done = on_done,
					     .others = others,
					     .ready = on_ready,
					     .data = p};

	for (bool resumed = false;; resumed = false) {
		int r = plan_layers(p, err);

		if (r == 0)
			r = registry_download(p->registry, p->files, p->n, &watch, err);
		if (r == 0)
			r = await_helpers(p, err);
		drop_files(p, !partial_is_kept(r), &resumed);
		if (r != -ERR_CORRUPT || !resumed)
			return r;
		error_clear(err);
	}
}
