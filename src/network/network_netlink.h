/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink - batches of requests to the kernel, and their answers.
 *
 * A batch is built with netlink_begin() and attributes, several messages one
 * after another, and goes out in one system call; every message is
 * acknowledged, and the first refusal is the error of the batch (the kernel
 * tries the rest all the same).  The kernel's own words (NETLINK_EXT_ACK) are
 * part of the error.  Formats: netlink(7), rtnetlink(7).
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct netlink {
	int fd;
	uint32_t seq; /* of the last message */
	struct buf out;
	size_t message; /* offset of the message being built */
	unsigned pending;
	int sys; /* errno of the last refusal, for callers that expect one */
};

#define NETLINK_INIT ((struct netlink){.fd = -1})

/* A socket in the network name space of this thread. */
int netlink_open(struct netlink *n, int protocol, struct error *err);
void netlink_close(struct netlink *n);

/* Starts a message: NLM_F_REQUEST is implied; @header is what the family puts first. */
void netlink_begin(struct netlink *n, unsigned type, unsigned flags, const void *header,
		   size_t len);
void netlink_put(struct netlink *n, unsigned attribute, const void *data, size_t len);
void netlink_put_u8(struct netlink *n, unsigned attribute, uint8_t v);
void netlink_put_u32(struct netlink *n, unsigned attribute, uint32_t v);
void netlink_put_string(struct netlink *n, unsigned attribute, const char *s);
/* Opens an attribute that holds attributes; the value is for netlink_end(). */
size_t netlink_nest(struct netlink *n, unsigned attribute);
void netlink_end(struct netlink *n, size_t nest);
/* Raw bytes inside a nest (VETH_INFO_PEER starts with a header). */
void netlink_raw(struct netlink *n, const void *data, size_t len);

/* Sends the batch and waits for all acknowledgements. @what names the deed in messages. */
int netlink_commit(struct netlink *n, const char *what, struct error *err);

/* Return not 0 to be called no more (the rest is read and dropped). */
typedef int (*netlink_fn)(void *data, const struct nlmsghdr *h);

/* Sends one question and hands each answer to @fn. */
int netlink_query(struct netlink *n, const char *what, netlink_fn fn, void *data,
		  struct error *err);

/* What follows the netlink header (NLMSG_DATA() without its cast). */
static inline const void *netlink_payload(const struct nlmsghdr *h)
{
	return (const char *)h + NLMSG_HDRLEN;
}

/*
 * The payload of attribute @type in the attributes behind a header of
 * @header_len bytes; NULL if absent or shorter than @min_len.
 */
const void *netlink_attribute(const struct nlmsghdr *h, size_t header_len, unsigned type,
			      size_t min_len);

/* Attributes one by one: set @at and @left, then as long as netlink_next() says true. */
struct netlink_walk {
	const char *at;
	size_t left;
	unsigned type; /* of the attribute that netlink_next() has found, without flags */
	const char *data;
	size_t len; /* of @data */
};

/* The attributes behind a header of @header_len bytes. */
struct netlink_walk netlink_attributes(const struct nlmsghdr *h, size_t header_len);
/* False at the end, and at an attribute that is longer than what is left. */
bool netlink_next(struct netlink_walk *w);

static inline void netlink_auto(struct netlink *n)
{
	netlink_close(n);
}
