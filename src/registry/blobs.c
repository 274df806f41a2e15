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

static int finish(struct download *d, struct error *err)
{
	const struct call *c = &d->call;
	char text[DIGEST_TEXT_SIZE];
	AUTO(free) char *what = mem_printf("blob %s", digest_text(&d->what->digest, text));
	struct stat st;

	if (c->result < 0) {
		error_move(err, &d->call.err);
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
	tell_bytes(d, d->what->size);
	return d->watch && d->watch->done ? d->watch->done(d->watch->data, d->which, err) : 0;
}

static int download_all(struct registry *r, struct download *all, size_t n, struct error *err)
{
	for (size_t left = n; left; left--) {
		struct call *c;
		int result = call_wait_any(r, &c, err);

		if (result < 0 || (result = finish(c->data, err)) < 0)
			return result;
	}
	(void)all;
	return 0;
}

int registry_download(struct registry *r, const struct registry_download *items, size_t n,
		      const struct registry_watch *watch, struct error *err)
{
	struct download *all = mem_resize(NULL, n ? n : 1, sizeof(*all));
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		all[i] = (struct download){.what = &items[i], .watch = watch, .which = i};
		if (items[i].size > LIMIT_DOWNLOAD_BYTES && result == 0)
			result = error_set(err, ERR_LIMIT,
					   "a blob of %llu bytes is larger than the limit of "
					   "%llu",
					   (unsigned long long)items[i].size,
					   (unsigned long long)LIMIT_DOWNLOAD_BYTES);
		begin(r, &all[i]);
	}
	r->watch = watch;
	if (result == 0)
		result = download_all(r, all, n, err);
	r->watch = NULL;
	for (size_t i = 0; i < n; i++) {
		call_remove(r, &all[i].call);
		call_clear(&all[i].call);
	}
	free(all);
	return result;
}

int registry_blob_exists(struct registry *r, const struct digest *digest, bool *out,
			 struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	char text[DIGEST_TEXT_SIZE];
	int result;

	c.method = "HEAD";
	c.seconds = REGISTRY_ANSWER_SECONDS;
	c.url = mem_printf("%s/v2/%s/blobs/%s", r->origin, r->path, digest_text(digest, text));
	if ((result = call_simple(r, &c, err)) < 0)
		return result;
	*out = c.response.status == 200;
	if (*out || c.response.status == 404)
		return 0;
	return call_refused(&c, r->path, err);
}
