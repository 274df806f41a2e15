/* SPDX-License-Identifier: Apache-2.0 */
/* registry_transfer - the other end of stave-transfer: requests out, events in. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"
#include "base/strlist.h"

struct transfer;

/* How one server is spoken to; all may be empty. */
struct transfer_tls {
	struct strlist authorities; /* files */
	char *certificate, *key;
	bool insecure; /* any certificate */
	bool direct;   /* no proxy */
};

struct transfer_request {
	unsigned long id;
	const char *method, *url;
	const struct strlist *headers; /* "Name: value" */
	int out;		       /* -1: none */
	long out_status;
	int in; /* -1: none */
	uint64_t in_bytes;
	bool has_body; /* even one of no bytes */
	uint64_t limit;
	unsigned seconds; /* 0: as long as it comes */
	const struct transfer_tls *tls;
};

enum transfer_kind {
	TRANSFER_FINAL = 0,
	TRANSFER_AGAIN,	  /* the connection broke */
	TRANSFER_CONNECT, /* there was none */
	TRANSFER_LIE,	  /* more than was agreed to */
};

struct transfer_event {
	unsigned long id;
	bool end;
	uint64_t bytes; /* not at the end */
	long status;	/* 0: nothing was answered */
	char *error;	/* NULL: a whole response */
	enum transfer_kind kind;
	struct map headers; /* by name in lower case; several are joined with a newline */
	char *location;
	struct buf answer;
};

/* For requests with @tls, or with none of it. */
int transfer_start(const struct transfer_tls *tls, struct transfer **out, struct error *err);
void transfer_stop(struct transfer *t);
int transfer_send(struct transfer *t, const struct transfer_request *q, struct error *err);
/* Waits until there is an event, or one of @others can be read (its .revents), at most so long.
 */
void transfer_wait(const struct transfer *t, struct pollfd *others, size_t n, int timeout_ms);
/* 1: *out; 0: there is none now. */
int transfer_next(struct transfer *t, struct transfer_event *out, struct error *err);
void transfer_event_clear(struct transfer_event *e);

static inline void transfer_event_auto(struct transfer_event *e)
{
	transfer_event_clear(e);
}
