/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_call - one request of ours, which may become several on the wire:
 * after a challenge, a redirect, a broken connection, a server that is busy.
 */
#pragma once

#include "registry/registry.h"
#include "registry/registry_conf.h"
#include "registry/registry_transfer.h"

enum call_state {
	CALL_WAITING = 0,
	CALL_RUNNING,
	CALL_HELD, /* until there is the right to go on */
	CALL_DONE,
};

struct call {
	/* what is asked */
	const char *method;
	char *url;
	struct strlist headers;
	int out; /* borrowed; -1: none */
	long out_status;
	bool appends; /* to @out: goes on behind what is there */
	bool has_body, anonymous, once;
	bool bound; /* has a secret of its own: is not led to another origin */
	int in;	    /* borrowed */
	uint64_t in_bytes, limit;
	unsigned seconds;
	void (*bytes)(void *data, uint64_t current);
	void (*anew)(void *data);      /* @out is empty again; may be NULL */
	void (*ended)(struct call *c); /* it is no longer among the calls; may be NULL */
	void *data;
	/* how it goes */
	enum call_state state;
	unsigned long id;
	unsigned tries, redirects, challenges;
	unsigned grant; /* of the registry, when it was sent */
	int64_t not_before_ns;
	uint64_t offset; /* where this try of a download begins */
	char *at;	 /* where redirects have led; NULL: url */
	/* what came of it */
	int result;  /* with @err: no response */
	bool broken; /* that was the connection's fault */
	struct error err;
	struct transfer_event response;
};

#define CALL_INIT                         \
	((struct call){.method = "GET",   \
		       .out = -1,         \
		       .in = -1,          \
		       .err = ERROR_INIT, \
		       .response = {.headers = MAP_INIT_FREE(free)}})

/* What the scheme of .origin is taken for, until the first answer. */
enum registry_guess {
	GUESS_NONE = 0, /* it is known */
	GUESS_PLAIN,
	GUESS_TLS,
};

struct registry {
	struct transfer *transfer;
	char *domain; /* as in references */
	char *origin; /* "https://registry-1.docker.io" */
	char *path;   /* of the repository; NULL: none */
	struct strlist scopes;
	struct transfer_tls tls;
	struct registry_credential credential;
	char *authorization; /* the header's value; NULL: none asked for yet */
	unsigned grant;	     /* how many there have been */
	bool asks;	     /* for the next one, now */
	bool tls_alone;	     /* plain HTTP was not agreed to */
	enum registry_guess guess;
	bool answered;
	unsigned access; /* as it was opened */
	/* Where it may be: the one of .at is spoken to. */
	struct registry_routes routes;
	size_t at;
	bool settled;			    /* which digest a tag means, somebody has said */
	const struct registry_watch *watch; /* of a download that goes on; NULL */
	unsigned long last_id;
	struct call_list {
		struct call **items; /* borrowed */
		size_t n, cap;
	} calls;
};

#define REGISTRY_DOCKER_HUB "registry-1.docker.io"

/* endpoint.c */
int registry_connect(const char *domain, bool insecure, struct registry **out,
		     struct error *err);
/* @result is what came of asking this place: is there another one to ask? */
bool registry_has_next(const struct registry *r, int result);
/* Goes there, or behind it, if that cannot be spoken to. */
int registry_next(struct registry *r, struct error *err);
/* To the registry itself, past its mirrors. */
int registry_go_home(struct registry *r, struct error *err);
/*
 * The first answers, of @c: true: by the other scheme it is to be asked again, and all that
 * wait have its URL.
 */
bool registry_guess_again(struct registry *r, const struct call *c);
bool url_is_http(const char *url);
/* Same scheme, host and port? */
bool url_same_origin(const char *a, const char *b);
/* "https://host:port" of a URL; NULL if it is none that we would open. */
char *url_origin(const char *url);
/* By a name that means this machine to everybody: is it so? */
bool url_is_local(const char *url);
/* By any form of an address that a resolver could take for this machine: could it be? */
bool url_may_be_here(const char *url);
/*
 * May what @from began go on at @to (NULL: nowhere), as the server there says?  Not with
 * other than http(s), not from TLS to plain text, not from outside to this machine.
 */
int url_check_next(const char *from, const char *to, struct error *err);

#define REGISTRY_ANSWER_SECONDS 120u

/* call.c */
void call_clear(struct call *c);
/* Takes part in call_run() from now on. */
void call_add(struct registry *r, struct call *c);
void call_remove(struct registry *r, struct call *c);
/* Until @c is done, serving the others as well.  Its result. */
int call_run(struct registry *r, struct call *c, struct error *err);
/* Serves all calls, after waiting for something to happen at most so long (-1: until then). */
int call_step(struct registry *r, int timeout_ms, struct error *err);
/* Until one of the calls is done: that one, no longer among them. */
int call_wait_any(struct registry *r, struct call **out, struct error *err);
const char *call_header(const struct call *c, const char *name);
bool call_is_redirect(long status);
/* The server's own words about a status that is not what was hoped for. */
int call_refused(const struct call *c, const char *what, struct error *err);
/* Where it was asked last, after redirects. */
const char *call_place(const struct call *c);
/* As one: adds, runs, removes. */
int call_simple(struct registry *r, struct call *c, struct error *err);

/* documents.c */
/* A GET whose body is wanted in memory; any status, the caller looks at it. */
int registry_fetch(struct registry *r, struct call *c, size_t limit, struct buf *out,
		   struct error *err);
/* `Link: </v2/x/tags/list?last=b&n=50>; rel="next"`; *out NULL: that was the last page. */
int registry_next_page(const struct registry *r, const struct call *c, char **out,
		       struct error *err);

/* referrers.c */
/* If the manifest, which was just put, has a subject: lists it under that one's tag. */
int registry_note_referrer(struct registry *r, const char *media_type, const struct buf *bytes,
			   struct error *err);

/* auth.c */
int registry_authorize(struct registry *r, const char *challenges, struct error *err);
void registry_basic(const struct registry_credential *c, struct buf *out);
/* A file in memory, for a body. */
int registry_scratch(int *out_fd, struct error *err);

static inline void call_auto(struct call *c)
{
	call_clear(c);
}
