/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that are too large for memory, down. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "registry/registry_call.h"

#include "base/banned.h"

/* ---- down ---- */

struct download {
	struct call call;
	const struct registry_download *what;
	const struct registry_watch *watch;
	size_t which;
	bool done;
};

static void tell_bytes(void *data, uint64_t current)
{
	const struct download *d = data;

	if (d->watch && d->watch->bytes)
		d->watch->bytes(d->watch->data, d->which, current);
}

static void tell_anew(void *data)
{
	const struct download *d = data;

	if (d->watch && d->watch->anew)
		d->watch->anew(d->watch->data, d->which);
}

static void begin(struct registry *r, struct download *d)
{
	char text[DIGEST_TEXT_SIZE];
	struct stat st;

	d->call = CALL_INIT;
	d->call.url = mem_printf("%s/v2/%s/blobs/%s", r->origin, r->path,
				 digest_text(&d->what->digest, text));
	d->call.out = d->what->fd;
	d->call.out_status = 200;
	d->call.appends = true;
	d->call.limit = d->what->size;
	d->call.bytes = tell_bytes;
	d->call.anew = tell_anew;
	d->call.data = d;
	/* an earlier one may have come to its end */
	if (fstat(d->what->fd, &st) == 0 && (uint64_t)st.st_size >= d->what->size) {
		if ((uint64_t)st.st_size == d->what->size)
			d->call.state = CALL_DONE;
		else
			(void)!ftruncate(d->what->fd, 0);
	}
	call_add(r, &d->call);
}

/* Has the place given the right bytes? */
static int check(const struct download *d, struct call *c, struct error *err)
{
	char text[DIGEST_TEXT_SIZE];
	AUTO(free) char *what = mem_printf("blob %s", digest_text(&d->what->digest, text));
	struct stat st;

	if (c->result < 0) {
		error_move(err, &c->err);
		return error_wrap(err, "%s", what);
	}
	if (c->response.status && c->response.status != 200 && c->response.status != 206)
		return call_refused(c, what, err);
	if (fstat(d->what->fd, &st) < 0)
		return error_sys(err, "%s", what);
	if ((uint64_t)st.st_size != d->what->size)
		return error_set(err, ERR_CORRUPT,
				 "%s: the registry sent %llu bytes of the %llu announced", what,
				 (unsigned long long)st.st_size,
				 (unsigned long long)d->what->size);
	tell_bytes(c->data, d->what->size);
	return d->watch && d->watch->check ? d->watch->check(d->watch->data, d->which, err) : 0;
}

/* For what another place may send. */
static bool empty(struct download *d)
{
	if (ftruncate(d->what->fd, 0) < 0)
		return false;
	tell_anew(d);
	return true;
}

/* @out_left: with an error, whether that is the place's. */
static int download_here(struct registry *r, struct download *all, size_t n, bool *out_left,
			 struct error *err)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		if (!all[i].done) {
			begin(r, &all[i]);
			left++;
		}
	for (; left; left--) {
		struct download *d;
		struct call *c;
		int result = call_wait_any(r, &c, err);

		if (result < 0)
			return result;
		d = c->data;
		if ((result = check(d, c, err)) < 0) {
			*out_left = registry_has_next(r, result) &&
				    (result != -ERR_CORRUPT || empty(d));
			return result;
		}
		d->done = true;
		if (d->watch && d->watch->done &&
		    (result = d->watch->done(d->watch->data, d->which, err)) < 0)
			return result;
	}
	return 0;
}

static void end_calls(struct registry *r, struct download *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		call_remove(r, &all[i].call);
		call_clear(&all[i].call);
	}
}

/* A place that breaks in the middle is left for the next one. */
static int download_all(struct registry *r, struct download *all, size_t n,
			const struct registry_watch *watch, struct error *err)
{
	for (;;) {
		bool leaves = false;
		int result;

		r->watch = watch;
		result = download_here(r, all, n, &leaves, err);
		/* what is said to a place that we only look for is nobody else's */
		r->watch = NULL;
		end_calls(r, all, n);
		if (!leaves || (result = registry_next(r, err)) < 0)
			return result;
	}
}

int registry_download(struct registry *r, const struct registry_download *items, size_t n,
		      const struct registry_watch *watch, struct error *err)
{
	struct download *all = mem_resize(NULL, n ? n : 1, sizeof(*all));
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		all[i] = (struct download){
			.call = CALL_INIT, .what = &items[i], .watch = watch, .which = i};
		if (items[i].size > LIMIT_DOWNLOAD_BYTES && result == 0)
			result = error_set(err, ERR_LIMIT,
					   "a blob of %llu bytes is larger than the limit of "
					   "%llu",
					   (unsigned long long)items[i].size,
					   (unsigned long long)LIMIT_DOWNLOAD_BYTES);
	}
	if (result == 0)
		result = download_all(r, all, n, watch, err);
	free(all);
	return result;
}

int registry_blobs_exist(struct registry *r, const struct digest *const *digests, size_t n,
			 bool *out, struct error *err)
{
	struct call *all = mem_resize(NULL, n ? n : 1, sizeof(*all));
	char text[DIGEST_TEXT_SIZE];
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		all[i] = CALL_INIT;
		all[i].method = "HEAD";
		all[i].seconds = REGISTRY_ANSWER_SECONDS;
		all[i].url = mem_printf("%s/v2/%s/blobs/%s", r->origin, r->path,
					digest_text(digests[i], text));
		call_add(r, &all[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (result == 0)
			result = call_run(r, &all[i], err);
		out[i] = all[i].response.status == 200;
		if (result == 0 && !out[i] && all[i].response.status != 404)
			result = call_refused(&all[i], r->path, err);
		call_remove(r, &all[i]);
		call_clear(&all[i]);
	}
	free(all);
	return result;
}

int registry_blob_exists(struct registry *r, const struct digest *digest, bool *out,
			 struct error *err)
{
	return registry_blobs_exist(r, &digest, 1, out, err);
}
