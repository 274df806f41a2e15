/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry_call.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define TRIES	       5u
#define TRIES_OF_MANY  2u /* where another place may have it */
#define REDIRECTS      5u
#define PAUSE_FIRST_NS INT64_C(300000000)
#define PAUSE_MAX_S    60u
#define PROGRESS_BYTES (1u << 20) /* so much counts as getting on */
#define OTHERS_MS      200	  /* so often those who work beside are looked at */
#define REFUSAL_ERRORS 4u
#define REFUSAL_BYTES  400
#define INTERRUPT_MS   500 /* how long nobody looks for one */
#define GUESS_SECONDS  30u /* for the first answer, by the scheme that may be wrong */

void call_clear(struct call *c)
{
	free(c->url);
	free(c->at);
	strlist_clear(&c->headers);
	error_clear(&c->err);
	transfer_event_clear(&c->response);
	*c = CALL_INIT;
}

void call_add(struct registry *r, struct call *c)
{
	*vec_push(&r->calls) = c;
}

void call_remove(struct registry *r, struct call *c)
{
	for (size_t i = 0; i < r->calls.n; i++)
		if (r->calls.items[i] == c) {
			memmove(r->calls.items + i, r->calls.items + i + 1,
				(r->calls.n - i - 1) * sizeof(struct call *));
			r->calls.n--;
			return;
		}
}

const char *call_header(const struct call *c, const char *name)
{
	return map_get(&c->response.headers, name);
}

const char *call_place(const struct call *c)
{
	return c->at ? c->at : c->url;
}

/* ---- out ---- */

/* Where the next byte of a download goes; what is no whole answer begins anew. */
static int place(struct call *c, struct error *err)
{
	struct stat st;

	c->offset = 0;
	if (c->out < 0)
		return 0;
	if (!c->appends && ftruncate(c->out, 0) < 0)
		return error_sys(err, "cannot begin a download");
	if (fstat(c->out, &st) < 0)
		return error_sys(err, "cannot look at a download");
	c->offset = (uint64_t)st.st_size;
	if (lseek(c->out, st.st_size, SEEK_SET) < 0)
		return error_sys(err, "cannot begin a download");
	return 0;
}

static int send_call(struct registry *r, struct call *c, struct error *err)
{
	const char *url = call_place(c);
	bool ours = url_same_origin(url, r->origin);
	AUTO(strlist) struct strlist headers = STRLIST_INIT;
	static const struct transfer_tls plain;
	struct transfer_request q = {
		.method = c->method,
		.url = url,
		.headers = &headers,
		.out = c->out,
		.in = c->in,
		.in_bytes = c->in_bytes,
		.has_body = c->has_body,
		.seconds = r->guess ? GUESS_SECONDS : c->seconds,
		.tls = ours ? &r->tls : &plain,
	};
	int result = place(c, err);

	if (result < 0)
		return result;
	strlist_addall(&headers, &c->headers);
	if (c->offset)
		strlist_printf(&headers, "Range: bytes=%llu-", (unsigned long long)c->offset);
	/* a secret goes where it is for, and nowhere else */
	if (ours && r->authorization && !c->anonymous)
		strlist_printf(&headers, "Authorization: %s", r->authorization);
	c->id = q.id = ++r->last_id;
	q.out_status = c->offset ? 206 : c->out_status;
	q.limit = c->limit - (c->offset < c->limit ? c->offset : c->limit);
	c->state = CALL_RUNNING;
	c->grant = r->grant;
	log_debug("registry", "%lu %s %s from %llu", c->id, c->method, url,
		  (unsigned long long)c->offset);
	return transfer_send(r->transfer, &q, err);
}

/* Starts what may start; *out_ms: until the next one may. */
static int send_waiting(struct registry *r, int *out_ms, struct error *err)
{
	int64_t now = clock_monotonic_ns();
	size_t running = 0, most = r->guess ? 1 : REGISTRY_AT_ONCE;

	*out_ms = -1;
	for (size_t i = 0; i < r->calls.n; i++)
		running += r->calls.items[i]->state == CALL_RUNNING;
	for (size_t i = 0; i < r->calls.n && running < most; i++) {
		struct call *c = r->calls.items[i];
		int result;

		if (c->state != CALL_WAITING)
			continue;
		if (c->not_before_ns > now) {
			int ms = (int)((c->not_before_ns - now) / 1000000) + 1;

			*out_ms = *out_ms < 0 || ms < *out_ms ? ms : *out_ms;
			continue;
		}
		if ((result = send_call(r, c, err)) < 0)
			return result;
		running++;
	}
	return 0;
}

/* ---- in ---- */

static void fail(struct call *c, int result)
{
	c->result = result;
	c->state = CALL_DONE;
}

static void try_again(struct call *c, uint64_t after_s)
{
	int64_t pause = PAUSE_FIRST_NS << (c->tries < 6 ? c->tries : 6);

	if (after_s)
		pause = (int64_t)after_s * 1000000000;
	c->tries++;
	c->not_before_ns = clock_monotonic_ns() + pause;
	c->state = CALL_WAITING;
	log_debug("registry", "%lu again in %lld ms", c->id, (long long)(pause / 1000000));
}

/* What is there of a download is of no use. */
static bool begin_anew(struct call *c)
{
	if (c->tries >= TRIES || ftruncate(c->out, 0) < 0)
		return false;
	if (c->anew)
		c->anew(c->data);
	try_again(c, 0);
	return true;
}

static bool got_on(const struct call *c)
{
	struct stat st;

	return c->appends && c->out >= 0 && fstat(c->out, &st) == 0 &&
	       (uint64_t)st.st_size >= c->offset + PROGRESS_BYTES;
}

static bool may_try(const struct registry *r, const struct call *c)
{
	unsigned most = registry_has_next(r, -ERR_FAILED) ? TRIES_OF_MANY : TRIES;

	return !c->once && c->tries + 1 < most;
}

static void on_broken(struct registry *r, struct call *c)
{
	const struct transfer_event *e = &c->response;
	bool retry = e->kind == TRANSFER_AGAIN || (e->kind == TRANSFER_CONNECT && r->answered);

	/* the range was not listened to: what was there is given up */
	if (c->offset && e->status == 200 && begin_anew(c))
		return;
	if (got_on(c))
		c->tries = 0;
	c->broken = e->kind == TRANSFER_AGAIN || e->kind == TRANSFER_CONNECT;
	if (retry && may_try(r, c)) {
		c->at = (free(c->at), NULL);
		try_again(c, 0);
		return;
	}
	fail(c, error_set(&c->err, e->kind == TRANSFER_LIE ? ERR_CORRUPT : ERR_FAILED,
			  "%s \"%s\": %.300s", c->method, call_place(c), e->error));
	if (e->kind == TRANSFER_CONNECT && !r->answered && r->tls_alone)
		error_hint(&c->err,
			   "it is spoken to over HTTPS; only registries of this machine may "
			   "do without");
}

static void on_redirect(struct call *c)
{
	const char *from = call_place(c), *to = c->response.location;
	char *next;
	int result = url_check_next(from, to, &c->err);

	if (result == 0 && c->bound && !url_same_origin(from, to))
		result = error_set(&c->err, ERR_DENIED,
				   "%.200s was redirected to another server, which may "
				   "not have its credentials: %.200s",
				   c->url, to);
	if (result == 0 && ++c->redirects > REDIRECTS)
		result = error_set(&c->err, ERR_LIMIT, "%s: more than %u redirects", c->url,
				   REDIRECTS);
	if (result < 0) {
		fail(c, result);
		return;
	}
	next = mem_strdup(to);
	free(c->at);
	c->at = next;
	c->state = CALL_WAITING;
}

/* What waited for the answer goes on with it, or is refused with what it has. */
static void let_go(struct registry *r)
{
	for (size_t i = 0; i < r->calls.n; i++)
		if (r->calls.items[i]->state == CALL_HELD)
			r->calls.items[i]->state = CALL_WAITING;
}

static void on_challenge(struct registry *r, struct call *c)
{
	const char *text = call_header(c, "www-authenticate");
	int result;

	if (c->challenges++ || !text || c->anonymous ||
	    !url_same_origin(call_place(c), r->origin)) {
		c->state = CALL_DONE;
		return;
	}
	/* several at once may have come with a token that is over: one of them asks for all */
	c->state = c->grant == r->grant ? CALL_HELD : CALL_WAITING;
	if (c->state != CALL_HELD || r->asks)
		return;
	r->asks = true;
	result = registry_authorize(r, text, &c->err);
	r->asks = false;
	let_go(r);
	if (result < 0)
		fail(c, result);
}

static uint64_t retry_after(const struct call *c)
{
	const char *text = call_header(c, "retry-after");
	uint64_t s;

	return text && parse_u64(text, PAUSE_MAX_S, &s) ? s : 0;
}

bool call_is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 ||
	       status == 308;
}

static bool is_busy(long status)
{
	return status == 429 || status == 500 || (status >= 502 && status <= 504);
}

static void on_end(struct registry *r, struct call *c)
{
	long status = c->response.status;

	log_debug("registry", "%lu ended %ld %s", c->id, status,
		  c->response.error ? c->response.error : "");
	if (registry_guess_again(r, c)) {
		c->state = CALL_WAITING;
		return;
	}
	if (c->response.error) {
		on_broken(r, c);
		return;
	}
	r->answered = true;
	if (status == 401)
		on_challenge(r, c);
	else if (call_is_redirect(status))
		on_redirect(c);
	else if (is_busy(status) && may_try(r, c))
		try_again(c, retry_after(c));
	else if (!c->offset || status != 416 || !begin_anew(c))
		c->state = CALL_DONE;
}

static void dispatch(struct registry *r, struct transfer_event *e)
{
	for (size_t i = 0; i < r->calls.n; i++) {
		struct call *c = r->calls.items[i];

		if (c->state != CALL_RUNNING || c->id != e->id)
			continue;
		if (e->end) {
			transfer_event_clear(&c->response);
			c->response = *e;
			*e = (struct transfer_event){0};
			on_end(r, c);
		} else if (c->bytes) {
			c->bytes(c->data, c->offset + e->bytes);
		}
		return;
	}
}

static size_t find_others(const struct registry *r, struct pollfd *out)
{
	int fds[REGISTRY_OTHERS];
	size_t n = r->watch && r->watch->others ? r->watch->others(r->watch->data, fds) : 0;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	return n;
}

/* Each of them may begin another call. */
static void run_ended(struct registry *r)
{
	for (size_t i = 0; i < r->calls.n;) {
		struct call *c = r->calls.items[i];

		if (c->state != CALL_DONE || !c->ended) {
			i++;
			continue;
		}
		call_remove(r, c);
		c->ended(c);
		i = 0;
	}
}

static int shorter(int ms, int other)
{
	return ms < 0 || (other >= 0 && other < ms) ? other : ms;
}

/* Somebody who keeps signals for his own loop does not come to it while we wait. */
static int check_interrupt(struct error *err)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		if (sigismember(&pending, ends[i]) != 1)
			continue;
		error_set(err, ERR_CANCELLED, "interrupted");
		if (err)
			err->exit_code = 128 + ends[i];
		return -ERR_CANCELLED;
	}
	return 0;
}

int call_step(struct registry *r, int timeout_ms, struct error *err)
{
	AUTO(transfer_event) struct transfer_event e = {0};
	struct pollfd others[REGISTRY_OTHERS];
	size_t n = find_others(r, others);
	int ms, result = check_interrupt(err);

	if (result < 0 || (result = send_waiting(r, &ms, err)) < 0)
		return result;
	ms = shorter(shorter(ms, timeout_ms), n ? OTHERS_MS : INTERRUPT_MS);
	transfer_wait(r->transfer, others, n, ms);
	for (size_t i = 0; i < n; i++)
		if (others[i].revents &&
		    (result = r->watch->ready(r->watch->data, others[i].fd, err)) < 0)
			return result;
	while ((result = transfer_next(r->transfer, &e, err)) > 0) {
		dispatch(r, &e);
		transfer_event_clear(&e);
	}
	if (result < 0)
		return result;
	run_ended(r);
	/* what they have begun need not wait for the next step */
	return send_waiting(r, &ms, err);
}

int call_run(struct registry *r, struct call *c, struct error *err)
{
	while (c->state != CALL_DONE) {
		int result = call_step(r, -1, err);

		if (result < 0)
			return result;
	}
	if (c->result < 0)
		error_move(err, &c->err);
	return c->result;
}

int call_wait_any(struct registry *r, struct call **out, struct error *err)
{
	for (;;) {
		int result;

		for (size_t i = 0; i < r->calls.n; i++)
			if (r->calls.items[i]->state == CALL_DONE &&
			    !r->calls.items[i]->ended) {
				*out = r->calls.items[i];
				call_remove(r, *out);
				return 0;
			}
		if ((result = call_step(r, -1, err)) < 0)
			return result;
	}
}

int call_simple(struct registry *r, struct call *c, struct error *err)
{
	int result;

	call_add(r, c);
	result = call_run(r, c, err);
	call_remove(r, c);
	return result;
}

/* ---- refusals ---- */

static void add_plain(struct buf *out, const char *text)
{
	for (; *text && out->len < REFUSAL_BYTES; text++)
		buf_addch(out, (unsigned char)*text < 32 || *text == 127 ? ' ' : *text);
}

/* "denied: requested access to the resource is denied", of one or several. */
static void server_words(const struct call *c, struct buf *out)
{
	AUTO(json) json_t *doc = NULL;
	json_t *errors, *one;
	size_t i;

	if (json_parse(c->response.answer.data, c->response.answer.len, &doc, NULL) < 0)
		return;
	errors = json_object_get(doc, "errors");
	json_array_foreach (errors, i, one) {
		const char *code = json_string_value(json_object_get(one, "code"));
		const char *message = json_string_value(json_object_get(one, "message"));
		AUTO(free) char *lower = code ? str_lower(code) : NULL;

		if (i >= REFUSAL_ERRORS)
			break;
		for (char *p = lower; p && *p; p++)
			*p = *p == '_' ? ' ' : *p;
		if (out->len)
			buf_addstr(out, "; ");
		add_plain(out, lower ? lower : "");
		if (message) {
			buf_addstr(out, ": ");
			add_plain(out, message);
		}
	}
}

int call_refused(const struct call *c, const char *what, struct error *err)
{
	AUTO(buf) struct buf words = BUF_INIT;
	long status = c->response.status;
	enum error_code code = status == 404			? ERR_NOT_FOUND
			       : status == 401 || status == 403 ? ERR_DENIED
								: ERR_FAILED;

	server_words(c, &words);
	/* the answer to HEAD has no words */
	if (!words.len && code == ERR_DENIED)
		buf_addstr(&words,
			   status == 401
				   ? "unauthorized: authentication required"
				   : "denied: requested access to the resource is denied");
	else if (!words.len)
		buf_printf(&words, "the registry answers with status %ld", status);
	return error_set(err, code, "%s: %s", what, buf_str(&words));
}
