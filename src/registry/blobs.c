/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that are too large for memory, down and up. */
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

#define ANSWER_SECONDS 120u
#define MONOLITH_BYTES (8u << 20) /* larger ones can go on after a break */
#define UPLOAD_TRIES   6u
#define PROGRESS_BYTES (1u << 20) /* so much counts as getting on */

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
		struct call *c = call_wait_any(r, err);
		int result;

		if (!c)
			return -(int)ERR_FAILED;
		result = finish(c->data, err);
		if (result < 0)
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

/* ---- up ---- */

int registry_blob_exists(struct registry *r, const struct digest *digest, bool *out,
			 struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	char text[DIGEST_TEXT_SIZE];
	int result;

	c.method = "HEAD";
	c.seconds = ANSWER_SECONDS;
	c.url = mem_printf("%s/v2/%s/blobs/%s", r->origin, r->path, digest_text(digest, text));
	if ((result = call_simple(r, &c, err)) < 0)
		return result;
	*out = c.response.status == 200;
	if (*out || c.response.status == 404)
		return 0;
	return call_refused(&c, r->path, err);
}

struct upload {
	struct registry *registry;
	const struct digest *digest;
	uint64_t size, sent;
	int fd;
	char *session; /* where it goes on */
	void (*bytes)(void *data, uint64_t current);
	void *data;
};

static void tell_sent(void *data, uint64_t current)
{
	const struct upload *u = data;

	if (u->bytes)
		u->bytes(u->data, u->sent + current);
}

static int refused(const struct upload *u, const struct call *c, struct error *err)
{
	AUTO(buf) struct buf what = BUF_INIT;

	if (c->response.status == 401 || c->response.status == 403)
		buf_printf(&what, "push access to %s denied", u->registry->path);
	else
		buf_printf(&what, "%s: the upload of a blob", u->registry->path);
	return call_refused(c, buf_str(&what), err);
}

static int take_session(struct upload *u, struct call *c, struct error *err)
{
	if (!c->response.location || !url_is_http(c->response.location))
		return error_set(err, ERR_INVALID,
				 "registry %s: it does not say where an upload goes",
				 u->registry->domain);
	free(u->session);
	u->session = take_ptr(c->response.location);
	return 0;
}

/* Several of them differ in method and query only. */
static int post(struct upload *u, const char *query, bool *out_created, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	int result;

	c.method = "POST";
	c.has_body = true;
	c.seconds = ANSWER_SECONDS;
	c.url = mem_printf("%s/v2/%s/blobs/uploads/%s", u->registry->origin, u->registry->path,
			   query);
	if ((result = call_simple(u->registry, &c, err)) < 0)
		return result;
	*out_created = c.response.status == 201;
	if (*out_created)
		return 0;
	return c.response.status == 202 ? take_session(u, &c, err) : refused(u, &c, err);
}

int registry_mount(struct registry *r, const struct digest *digest, const char *from, bool *out,
		   struct error *err)
{
	struct upload u = {.registry = r, .digest = digest};
	char text[DIGEST_TEXT_SIZE];
	AUTO(free)
	char *query = mem_printf("?mount=%s&from=%s", digest_text(digest, text), from);
	int result = post(&u, query, out, err);

	/* a session that nobody needs: the registry forgets it by itself */
	free(u.session);
	return result;
}

static void closing_url(const struct upload *u, struct call *c)
{
	char text[DIGEST_TEXT_SIZE];

	c->url = mem_printf("%s%cdigest=%s", u->session, strchr(u->session, '?') ? '&' : '?',
			    digest_text(u->digest, text));
}

/*
 * Also when the registry has lost the session: what was cut may be of no use to
 * it, and its answer to what arrived of a cut request is that, too.
 */
static bool is_again(long status)
{
	return status == 404 || status == 416 || status == 429 || status >= 500;
}

static int send_rest(struct upload *u, struct call *c, bool *out_broken, struct error *err)
{
	int result;

	strlist_add(&c->headers, "Content-Type: application/octet-stream");
	c->has_body = true;
	c->once = true;
	if (c->in_bytes) {
		c->in = u->fd;
		if (lseek(u->fd, (off_t)u->sent, SEEK_SET) < 0)
			return error_sys(err, "cannot read a blob");
	}
	c->bytes = tell_sent;
	c->data = u;
	result = call_simple(u->registry, c, err);
	*out_broken = result < 0 ? c->broken : is_again(c->response.status);
	return result;
}

static int close_upload(struct upload *u, uint64_t bytes, bool *out_broken, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	int result;

	c.method = "PUT";
	c.in_bytes = bytes;
	closing_url(u, &c);
	if ((result = send_rest(u, &c, out_broken, err)) < 0)
		return result;
	return c.response.status == 201 || c.response.status == 204 ? 0 : refused(u, &c, err);
}

static int send_chunk(struct upload *u, bool *out_broken, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	int result;

	c.method = "PATCH";
	c.url = mem_strdup(u->session);
	c.in_bytes = u->size - u->sent;
	if (u->sent)
		strlist_printf(&c.headers, "Content-Range: %llu-%llu",
			       (unsigned long long)u->sent, (unsigned long long)u->size - 1);
	if ((result = send_rest(u, &c, out_broken, err)) < 0)
		return result;
	if (c.response.status != 202)
		return refused(u, &c, err);
	u->sent = u->size;
	return take_session(u, &c, err);
}

/* How much of a broken upload has arrived: "Range: 0-N". False: it begins anew. */
static bool ask_progress(struct upload *u)
{
	AUTO(call) struct call c = CALL_INIT;
	const char *range;
	char *end;

	if (!u->session)
		return false;
	c.url = mem_strdup(u->session);
	c.seconds = ANSWER_SECONDS;
	if (call_simple(u->registry, &c, NULL) < 0 || c.response.status != 204)
		return false;
	range = call_header(&c, "range");
	if (!range || !str_starts(range, "0-"))
		return false;
	u->sent = strtoull(range + 2, &end, 10);
	u->sent += u->sent > 0;
	if (*end || u->sent > u->size)
		return false;
	return !c.response.location || take_session(u, &c, NULL) == 0;
}

static int send_all(struct upload *u, bool *out_broken, struct error *err)
{
	bool created = false;
	int result = u->session ? 0 : post(u, "", &created, err);

	if (result < 0)
		return result;
	if (u->size <= MONOLITH_BYTES)
		return close_upload(u, u->size, out_broken, err);
	if (u->sent < u->size && (result = send_chunk(u, out_broken, err)) < 0)
		return result;
	return close_upload(u, 0, out_broken, err);
}

static void pause_before(unsigned tries)
{
	struct timespec t = {.tv_sec = (1 << tries) / 2, .tv_nsec = 300000000};

	nanosleep(&t, NULL);
}

int registry_upload(struct registry *r, const struct digest *digest, uint64_t size, int fd,
		    void (*bytes)(void *data, uint64_t current), void *data, struct error *err)
{
	struct upload u = {.registry = r,
			   .digest = digest,
			   .size = size,
			   .fd = fd,
			   .bytes = bytes,
			   .data = data};
	int result;

	for (unsigned tries = 0;; tries++) {
		bool broken = false, there = false;
		uint64_t before = u.sent;

		result = send_all(&u, &broken, err);
		if (result == 0 || !broken || tries + 1 >= UPLOAD_TRIES)
			break;
		pause_before(tries);
		error_clear(err);
		/* the break may have swallowed only the answer */
		if (registry_blob_exists(r, digest, &there, NULL) == 0 && there) {
			result = 0;
			break;
		}
		if (size <= MONOLITH_BYTES || !ask_progress(&u)) {
			u.session = (free(u.session), NULL);
			u.sent = 0;
		} else if (u.sent > before + PROGRESS_BYTES) {
			tries = 0;
		}
	}
	free(u.session);
	return result;
}
