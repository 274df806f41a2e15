/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs up, several at once (OCI distribution-spec v1.1, "Pushing blobs").
 *
 * Each is in one state, and has one call at most; the end of the call decides what
 * comes next:
 *
 *   LOOK ── is there ────────────────────────────────────────────────→ END
 *    └→ MOUNT (each of .from) ── mounted ────────────────────────────→ END
 *        └→ NEED (until the bytes are given) → POST → SEND [→ CLOSE] → END
 *
 * What breaks off is looked for again: the break may have swallowed only the
 * answer. Then ASK how much has arrived, and go on there; or begin with POST.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "registry/registry_call.h"

#include "base/banned.h"

#define MONOLITH_BYTES (8u << 20) /* larger ones can go on after a break */
#define UPLOAD_TRIES   6u
#define PROGRESS_BYTES (1u << 20) /* so much counts as getting on */
#define PAUSE_NS       INT64_C(300000000)

enum upload_state {
	UPLOAD_LOOK = 0,
	UPLOAD_MOUNT,
	UPLOAD_NEED,
	UPLOAD_POST,
	UPLOAD_SEND,
	UPLOAD_CLOSE,
	UPLOAD_ASK,
	UPLOAD_END,
};

struct upload {
	struct registry_uploads *all;
	size_t which;
	struct digest digest;
	uint64_t size, sent;
	uint64_t before; /* the most .sent at the beginning of a try */
	int fd;		 /* owned; -1: not given yet */
	struct strlist from;
	size_t mount;	/* the next of them */
	char *session;	/* where it goes on; NULL: nowhere yet */
	unsigned tries; /* > 0: something has been sent */
	enum upload_state state;
	struct call call;
};

struct registry_uploads {
	struct registry *registry;
	struct registry_uploads_watch watch;
	struct upload **items; /* owned */
	size_t n, cap;
	int result;
	struct error err;
};

static void on_ended(struct call *c);

/* TAKES @url. */
static void start(struct upload *u, enum upload_state state, const char *method, char *url)
{
	call_clear(&u->call);
	u->call.method = method;
	u->call.url = url;
	u->call.ended = on_ended;
	u->call.data = u;
	u->call.seconds = REGISTRY_ANSWER_SECONDS;
	u->call.has_body = str_eq(method, "POST");
	u->state = state;
	call_add(u->all->registry, &u->call);
}

/* The first error is the one that is told. */
static void fail(struct upload *u, int result, struct error *why)
{
	u->state = UPLOAD_END;
	if (u->all->result == 0) {
		u->all->result = result;
		error_move(&u->all->err, why);
	}
	error_clear(why);
}

static void end(struct upload *u, enum registry_uploaded how, const char *from)
{
	const struct registry_uploads_watch *w = &u->all->watch;
	AUTO(error) struct error err = ERROR_INIT;
	int result;

	u->state = UPLOAD_END;
	close_fd(&u->fd);
	if (w->done && (result = w->done(w->data, u->which, how, from, &err)) < 0)
		fail(u, result, &err);
}

static void fail_refused(struct upload *u)
{
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf what = BUF_INIT;
	const struct call *c = &u->call;
	const char *path = u->all->registry->path;

	if (c->response.status == 401 || c->response.status == 403)
		buf_printf(&what, "push access to %s denied", path);
	else
		buf_printf(&what, "%s: the upload of a blob", path);
	fail(u, call_refused(c, buf_str(&what), &err), &err);
}

/* ---- what is asked ---- */

static void look(struct upload *u)
{
	const struct registry *r = u->all->registry;
	char text[DIGEST_TEXT_SIZE];

	start(u, UPLOAD_LOOK, "HEAD",
	      mem_printf("%s/v2/%s/blobs/%s", r->origin, r->path,
			 digest_text(&u->digest, text)));
}

static char *uploads_url(const struct registry *r)
{
	return mem_printf("%s/v2/%s/blobs/uploads/", r->origin, r->path);
}

static char *mount_url(const struct registry *r, const struct digest *d, const char *from)
{
	AUTO(free) char *url = uploads_url(r);
	char text[DIGEST_TEXT_SIZE];

	return mem_printf("%s?mount=%s&from=%s", url, digest_text(d, text), from);
}

static void tell_sent(void *data, uint64_t current)
{
	const struct upload *u = data;
	const struct registry_uploads_watch *w = &u->all->watch;

	if (w->bytes)
		w->bytes(w->data, u->which, u->sent + current);
}

static char *closing_url(const struct upload *u)
{
	char text[DIGEST_TEXT_SIZE];

	return mem_printf("%s%cdigest=%s", u->session, strchr(u->session, '?') ? '&' : '?',
			  digest_text(&u->digest, text));
}

static void send_bytes(struct upload *u, enum upload_state state, const char *method, char *url,
		       uint64_t bytes)
{
	start(u, state, method, url);
	strlist_add(&u->call.headers, "Content-Type: application/octet-stream");
	u->call.has_body = u->call.once = true;
	u->call.seconds = 0;
	u->call.in_bytes = bytes;
	u->call.bytes = tell_sent;
	if (!bytes)
		return;
	/* a position that is not there is found by who reads */
	lseek(u->fd, (off_t)u->sent, SEEK_SET);
	u->call.in = u->fd;
}

static void send_rest(struct upload *u)
{
	uint64_t left = u->size - u->sent;

	if (u->sent > u->before)
		u->before = u->sent;
	if (u->size <= MONOLITH_BYTES || !left) {
		send_bytes(u, UPLOAD_CLOSE, "PUT", closing_url(u), left);
		return;
	}
	send_bytes(u, UPLOAD_SEND, "PATCH", mem_strdup(u->session), left);
	if (u->sent)
		strlist_printf(&u->call.headers, "Content-Range: %llu-%llu",
			       (unsigned long long)u->sent, (unsigned long long)u->size - 1);
}

static void send_all(struct upload *u)
{
	if (u->session)
		send_rest(u);
	else
		start(u, UPLOAD_POST, "POST", uploads_url(u->all->registry));
}

static void mount_or_need(struct upload *u)
{
	if (u->mount < u->from.n)
		start(u, UPLOAD_MOUNT, "POST",
		      mount_url(u->all->registry, &u->digest, u->from.items[u->mount]));
	else if (u->fd >= 0)
		send_all(u);
	else
		u->state = UPLOAD_NEED;
}

/* ---- what comes of it ---- */

/*
 * Also when the registry has lost the session: what was cut may be of no use to
 * it, and its answer to what arrived of a cut request is that, too.
 */
static bool is_again(long status)
{
	return status == 404 || status == 416 || status == 429 || status >= 500;
}

static bool take_session(struct upload *u)
{
	const char *to = u->call.response.location;

	if (url_check_next(call_place(&u->call), to, NULL) < 0)
		return false;
	free(u->session);
	u->session = mem_strdup(to);
	return true;
}

static void fail_lost(struct upload *u)
{
	const char *to = u->call.response.location;
	AUTO(error) struct error err = ERROR_INIT;

	fail(u,
	     to ? url_check_next(call_place(&u->call), to, &err)
		: error_set(&err, ERR_INVALID,
			    "registry %s: it does not say where an upload goes",
			    u->all->registry->domain),
	     &err);
}

/* From the beginning, or from where it broke off if the registry keeps such things. */
static void on_looked_again(struct upload *u)
{
	if (u->session && u->size > MONOLITH_BYTES) {
		start(u, UPLOAD_ASK, "GET", mem_strdup(u->session));
		return;
	}
	u->session = (free(u->session), NULL);
	u->sent = 0;
	send_all(u);
}

static void on_looked(struct upload *u)
{
	long status = u->call.response.status;

	if (status == 200)
		end(u, u->tries ? REGISTRY_SENT : REGISTRY_THERE, NULL);
	else if (u->tries)
		on_looked_again(u);
	else if (u->call.result < 0)
		fail(u, u->call.result, &u->call.err);
	else if (status == 404)
		mount_or_need(u);
	else
		fail_refused(u);
}

/* One that cannot mount has begun an upload, or says something else: then it gets the bytes. */
static void on_mounted(struct upload *u)
{
	long status = u->call.response.status;
	const char *from = u->from.items[u->mount];

	u->mount++;
	if (status == 201) {
		end(u, REGISTRY_MOUNTED, from);
		return;
	}
	if (status == 202)
		take_session(u);
	mount_or_need(u);
}

/* "Range: 0-N". */
static void on_asked(struct upload *u)
{
	const char *range = call_header(&u->call, "range");
	char *stop = NULL;
	uint64_t sent = 0;

	if (u->call.response.status == 204 && range && str_starts(range, "0-")) {
		sent = strtoull(range + 2, &stop, 10);
		sent += sent > 0;
	}
	if (!stop || *stop || sent > u->size) {
		u->session = (free(u->session), NULL);
		sent = 0;
	} else {
		take_session(u);
		/* as long as it gets on, it may break; what was lost does not count twice */
		if (sent > u->before + PROGRESS_BYTES)
			u->tries = 1;
	}
	u->sent = sent;
	send_all(u);
}

static void on_sent(struct upload *u)
{
	const struct call *c = &u->call;
	long status = c->response.status;
	bool broken = c->result < 0 ? c->broken : is_again(status);

	if (c->result == 0 && u->state == UPLOAD_CLOSE && (status == 201 || status == 204)) {
		end(u, REGISTRY_SENT, NULL);
	} else if (c->result == 0 && u->state == UPLOAD_SEND && status == 202) {
		u->sent = u->size;
		if (take_session(u))
			send_rest(u);
		else
			fail_lost(u);
	} else if (broken && u->tries < UPLOAD_TRIES) {
		int64_t pause = PAUSE_NS << u->tries++;

		look(u);
		u->call.not_before_ns = clock_monotonic_ns() + pause;
	} else if (c->result < 0) {
		fail(u, c->result, &u->call.err);
	} else {
		fail_refused(u);
	}
}

static void on_posted(struct upload *u)
{
	long status = u->call.response.status;

	if (u->call.result < 0)
		fail(u, u->call.result, &u->call.err);
	else if (status == 201)
		end(u, REGISTRY_SENT, NULL);
	else if (status != 202)
		fail_refused(u);
	else if (!take_session(u))
		fail_lost(u);
	else
		send_rest(u);
}

static void on_ended(struct call *c)
{
	struct upload *u = c->data;

	switch (u->state) {
	case UPLOAD_LOOK:
		on_looked(u);
		break;
	case UPLOAD_MOUNT:
		on_mounted(u);
		break;
	case UPLOAD_POST:
		on_posted(u);
		break;
	case UPLOAD_SEND:
	case UPLOAD_CLOSE:
		on_sent(u);
		break;
	case UPLOAD_ASK:
		on_asked(u);
		break;
	case UPLOAD_NEED:
	case UPLOAD_END:
		break;
	}
}

/* ---- all of them ---- */

struct registry_uploads *registry_uploads_open(struct registry *r,
					       const struct registry_uploads_watch *watch)
{
	struct registry_uploads *u = mem_new(struct registry_uploads);

	u->registry = r;
	u->watch = *watch;
	u->err = ERROR_INIT;
	return u;
}

void registry_uploads_close(struct registry_uploads *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct upload *u = all->items[i];

		call_remove(all->registry, &u->call);
		call_clear(&u->call);
		close_fd(&u->fd);
		strlist_clear(&u->from);
		free(u->session);
		free(u);
	}
	free(all->items);
	error_clear(&all->err);
	free(all);
}

size_t registry_uploads_add(struct registry_uploads *all, const struct registry_upload *what)
{
	struct upload *u = mem_new(struct upload);

	*u = (struct upload){.all = all,
			     .which = all->n,
			     .digest = what->digest,
			     .size = what->size,
			     .fd = what->fd,
			     .call = CALL_INIT};
	if (what->from)
		strlist_addall(&u->from, what->from);
	*vec_push(all) = u;
	if (what->is_missing)
		mount_or_need(u);
	else
		look(u);
	return u->which;
}

void registry_uploads_give(struct registry_uploads *all, size_t which, int fd)
{
	struct upload *u = all->items[which];

	u->fd = fd;
	send_all(u);
}

int registry_uploads_serve(struct registry_uploads *all, struct error *err)
{
	int result = call_step(all->registry, 0, err);

	if (result == 0 && all->result < 0) {
		error_move(err, &all->err);
		return all->result;
	}
	return result;
}

int registry_uploads_next(struct registry_uploads *all, size_t most, size_t *out_which,
			  struct error *err)
{
	for (;;) {
		size_t busy = 0;
		int result;

		if (all->result < 0) {
			error_move(err, &all->err);
			return all->result;
		}
		for (size_t i = 0; i < all->n; i++) {
			if (all->items[i]->state == UPLOAD_NEED) {
				*out_which = i;
				return 1;
			}
			busy += all->items[i]->state != UPLOAD_END;
		}
		if (busy <= most)
			return 0;
		if ((result = call_step(all->registry, -1, err)) < 0)
			return result;
	}
}

/* ---- one ---- */

struct single {
	void (*bytes)(void *data, uint64_t current);
	void *data;
};

static void on_single_bytes(void *data, size_t which, uint64_t current)
{
	const struct single *s = data;

	(void)which;
	if (s->bytes)
		s->bytes(s->data, current);
}

int registry_upload(struct registry *r, const struct digest *digest, uint64_t size, int fd,
		    void (*bytes)(void *data, uint64_t current), void *data, struct error *err)
{
	struct single single = {.bytes = bytes, .data = data};
	const struct registry_uploads_watch watch = {.bytes = on_single_bytes, .data = &single};
	struct registry_upload what = {.digest = *digest, .size = size, .is_missing = true};
	struct registry_uploads *all;
	size_t which;
	int result;

	what.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (what.fd < 0)
		return error_sys(err, "cannot read a blob");
	all = registry_uploads_open(r, &watch);
	registry_uploads_add(all, &what);
	result = registry_uploads_next(all, 0, &which, err);
	registry_uploads_close(all);
	return result;
}

int registry_mount(struct registry *r, const struct digest *digest, const char *from, bool *out,
		   struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	int result;

	c.method = "POST";
	c.has_body = true;
	c.seconds = REGISTRY_ANSWER_SECONDS;
	c.url = mount_url(r, digest, from);
	if ((result = call_simple(r, &c, err)) < 0)
		return result;
	/* 202: a session that nobody needs, and the registry forgets by itself */
	*out = c.response.status == 201;
	return *out || c.response.status == 202 ? 0 : call_refused(&c, r->path, err);
}
