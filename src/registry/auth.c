/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registry demands (RFC 7235; Docker's token authentication): a Basic
 * header at once, or a Bearer token that another server gives for it.
 */
#include <ctype.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/registry_call.h"
#include "registry/registry_headers.h"

#include "base/banned.h"

#define LIMIT_TOKEN_BYTES     (1u << 20) /* the answer that it is in */
#define LIMIT_TOKEN	      (32u << 10)
#define LIMIT_CHALLENGE_BYTES (16u << 10)
#define TOKEN_SECONDS	      60u

/* ---- tokens ---- */

void registry_basic(const struct registry_credential *c, struct buf *out)
{
	AUTO(free) char *pair = mem_printf("%s:%s", c->user, c->secret ? c->secret : "");
	size_t len = strlen(pair);

	buf_addstr(out, "Basic ");
	base64_encode_raw(buf_reserve(out, BASE64_ENCODE_RAW_LENGTH(len)), len,
			  (const uint8_t *)pair);
	out->len += BASE64_ENCODE_RAW_LENGTH(len);
	out->data[out->len] = 0;
	explicit_bzero(pair, len);
}

static void set_authorization(struct registry *r, struct buf *value)
{
	if (r->authorization)
		explicit_bzero(r->authorization, strlen(r->authorization));
	free(r->authorization);
	r->authorization = buf_steal(value);
	r->grant++;
}

static void add_encoded(struct buf *out, const char *text)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			buf_addch(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
}

static void add_query(struct buf *out, char between, const char *key, const char *value)
{
	if (between)
		buf_addch(out, between);
	buf_printf(out, "%s=", key);
	add_encoded(out, value);
}

/* Secrets go to a realm over TLS, or to one on the same unprotected machine. */
static int check_realm(const struct registry *r, const char *realm, struct error *err)
{
	if (!url_is_http(realm))
		return error_set(err, ERR_DENIED,
				 "registry %s: its token server is no http(s) address: %.200s",
				 r->domain, realm);
	if (url_may_be_here(realm) && !url_is_local(r->origin))
		return error_set(err, ERR_DENIED,
				 "registry %s wants a token from this machine itself: %.200s",
				 r->domain, realm);
	if (str_starts(realm, "https:") ||
	    (str_starts(r->origin, "http:") && url_is_local(realm)))
		return 0;
	return error_set(err, ERR_DENIED,
			 "registry %s wants a token from %.200s, which is plain HTTP",
			 r->domain, realm);
}

/* With an identity token: OAuth2's refresh_token, in a body. */
static int token_body(struct registry *r, const struct challenge *ch, int *out_fd,
		      struct call *c, struct error *err)
{
	AUTO(free) char *scopes = strlist_join(&r->scopes, " ");
	AUTO(buf) struct buf body = BUF_INIT;
	int result;

	add_query(&body, 0, "grant_type", "refresh_token");
	add_query(&body, '&', "service", ch->service ? ch->service : r->domain);
	add_query(&body, '&', "client_id", "stave");
	add_query(&body, '&', "refresh_token", r->credential.identity_token);
	add_query(&body, '&', "scope", scopes);
	result = io_memfd("token", body.data, body.len, out_fd, err);
	c->method = "POST";
	c->url = mem_strdup(ch->realm);
	c->has_body = true;
	c->in = *out_fd;
	c->in_bytes = body.len;
	strlist_add(&c->headers, "Content-Type: application/x-www-form-urlencoded");
	explicit_bzero(body.data, body.len);
	return result;
}

static void token_query(struct registry *r, const struct challenge *ch, struct call *c)
{
	AUTO(buf) struct buf url = BUF_INIT;
	AUTO(buf) struct buf basic = BUF_INIT;
	char between = strchr(ch->realm, '?') ? '&' : '?';

	buf_addstr(&url, ch->realm);
	if (r->credential.user) {
		add_query(&url, between, "account", r->credential.user);
		between = '&';
	}
	for (size_t i = 0; i < r->scopes.n; i++, between = '&')
		add_query(&url, between, "scope", r->scopes.items[i]);
	if (ch->service)
		add_query(&url, between, "service", ch->service);
	c->url = buf_steal(&url);
	if (!r->credential.user)
		return;
	registry_basic(&r->credential, &basic);
	strlist_printf(&c->headers, "Authorization: %s", buf_str(&basic));
}

static bool is_token(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (text[i] <= 32 || text[i] > 126)
			return false;
	return n && n <= LIMIT_TOKEN;
}

static int read_token(struct registry *r, int fd, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	struct buf value = BUF_INIT;
	AUTO(json) json_t *doc = NULL;
	const char *token;
	int result;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot read a token");
	if ((result = io_read_all(fd, LIMIT_TOKEN_BYTES, &text, err)) < 0 ||
	    (result = json_parse(text.data, text.len, &doc, err)) < 0)
		return error_wrap(err, "the token server of %s", r->domain);
	token = json_string_value(json_object_get(doc, "token"));
	if (!token)
		token = json_string_value(json_object_get(doc, "access_token"));
	if (!token || !is_token(token))
		return error_set(err, ERR_INVALID, "the token server of %s sent no token",
				 r->domain);
	buf_printf(&value, "Bearer %s", token);
	set_authorization(r, &value);
	return 0;
}

static int fetch_token(struct registry *r, const struct challenge *ch, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	AUTO(fd) int body = -1, out = -1;
	AUTO(buf) struct buf what = BUF_INIT;
	int result = check_realm(r, ch->realm, err);

	if (result < 0)
		return result;
	if (r->credential.identity_token) {
		if ((result = token_body(r, ch, &body, &c, err)) < 0)
			return result;
	} else {
		token_query(r, ch, &c);
	}
	if ((result = registry_scratch(&out, err)) < 0)
		return result;
	c.out = out;
	c.out_status = 200;
	c.limit = LIMIT_TOKEN_BYTES;
	c.seconds = TOKEN_SECONDS;
	c.anonymous = true; /* it has its own */
	c.bound = r->credential.identity_token || r->credential.user;
	if ((result = call_simple(r, &c, err)) < 0)
		return error_wrap(err, "the token server of %s", r->domain);
	if (c.response.status != 200) {
		buf_printf(&what, "%s: unauthorized by its token server", r->domain);
		result = call_refused(&c, buf_str(&what), err);
		return result;
	}
	return read_token(r, out, err);
}

int registry_authorize(struct registry *r, const char *challenges, struct error *err)
{
	AUTO(challenge) struct challenge ch = {0};
	struct buf value = BUF_INIT;

	if (strlen(challenges) > LIMIT_CHALLENGE_BYTES)
		return error_set(err, ERR_LIMIT, "registry %s: a challenge of over %u bytes",
				 r->domain, LIMIT_CHALLENGE_BYTES);
	challenge_read(challenges, &ch);
	if (ch.realm)
		return fetch_token(r, &ch, err);
	if (!ch.basic)
		return error_set(err, ERR_UNSUPPORTED,
				 "registry %s wants a kind of authentication that is not known",
				 r->domain);
	if (!r->credential.user)
		return error_set(err, ERR_DENIED, "%s: no basic auth credentials", r->domain);
	registry_basic(&r->credential, &value);
	set_authorization(r, &value);
	return 0;
}
