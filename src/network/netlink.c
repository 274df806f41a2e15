/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

#define RECEIVE_BYTES 32768 /* what the kernel packs a dump into at most */

int netlink_open(struct netlink *n, int protocol, struct error *err)
{
	const int one = 1;

	*n = NETLINK_INIT;
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (n->fd < 0)
		return error_sys(err, "cannot open a netlink socket");
	/* all three are conveniences: an old kernel without them still works */
	setsockopt(n->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(n->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(n->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	return 0;
}

void netlink_close(struct netlink *n)
{
	if (n->fd >= 0)
		close(n->fd);
	buf_clear(&n->out);
	*n = NETLINK_INIT;
}

static void pad(struct buf *b)
{
	static const char zeros[NLMSG_ALIGNTO];

	buf_add(b, zeros, NLMSG_ALIGN(b->len) - b->len);
}

/* The length fields are patched as the message grows, so that nothing needs an end call. */
static void update_length(struct netlink *n)
{
	const uint32_t len = (uint32_t)(n->out.len - n->message);

	memcpy(n->out.data + n->message, &len, sizeof(len));
}

void netlink_raw(struct netlink *n, const void *data, size_t len)
{
	buf_add(&n->out, data, len);
	pad(&n->out);
	update_length(n);
}

void netlink_begin(struct netlink *n, unsigned type, unsigned flags, const void *header,
		   size_t len)
{
	struct nlmsghdr h = {
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = ++n->seq,
	};

	n->message = n->out.len;
	n->pending++;
	buf_add(&n->out, &h, sizeof(h));
	netlink_raw(n, header, len);
}

void netlink_put(struct netlink *n, unsigned attribute, const void *data, size_t len)
{
	struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + len),
			   .nla_type = (uint16_t)attribute};

	buf_add(&n->out, &a, sizeof(a));
	netlink_raw(n, data, len);
}

void netlink_put_u8(struct netlink *n, unsigned attribute, uint8_t v)
{
	netlink_put(n, attribute, &v, sizeof(v));
}

void netlink_put_u32(struct netlink *n, unsigned attribute, uint32_t v)
{
	netlink_put(n, attribute, &v, sizeof(v));
}

void netlink_put_string(struct netlink *n, unsigned attribute, const char *s)
{
	netlink_put(n, attribute, s, strlen(s) + 1);
}

size_t netlink_nest(struct netlink *n, unsigned attribute)
{
	const size_t at = n->out.len;

	netlink_put(n, attribute, "", 0);
	return at;
}

void netlink_end(struct netlink *n, size_t nest)
{
	const uint16_t len = (uint16_t)(n->out.len - nest);

	memcpy(n->out.data + nest, &len, sizeof(len));
}

bool netlink_next(struct netlink_walk *w)
{
	struct nlattr a;
	size_t step;

	if (w->left < NLA_HDRLEN)
		return false;
	memcpy(&a, w->at, sizeof(a));
	if (a.nla_len < NLA_HDRLEN || a.nla_len > w->left)
		return false;
	w->type = a.nla_type & NLA_TYPE_MASK;
	w->data = w->at + NLA_HDRLEN;
	w->len = a.nla_len - NLA_HDRLEN;
	/* the last one may lack its padding */
	step = (size_t)NLA_ALIGN(a.nla_len);
	if (step > w->left)
		step = w->left;
	w->at += step;
	w->left -= step;
	return true;
}

struct netlink_walk netlink_attributes(const struct nlmsghdr *h, size_t header_len)
{
	const size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(header_len);

	if (h->nlmsg_len < skip)
		return (struct netlink_walk){0};
	return (struct netlink_walk){.at = (const char *)h + skip, .left = h->nlmsg_len - skip};
}

const void *netlink_attribute(const struct nlmsghdr *h, size_t header_len, unsigned type,
			      size_t min_len)
{
	struct netlink_walk w = netlink_attributes(h, header_len);

	while (netlink_next(&w))
		if (w.type == type)
			return w.len >= min_len ? w.data : NULL;
	return NULL;
}

/* The refusal in an NLMSG_ERROR with a non-zero code. */
static int refusal(struct netlink *n, const struct nlmsghdr *h, const char *what,
		   struct error *err)
{
	const struct nlmsgerr *e = netlink_payload(h);
	const char *text = NULL;
	int r;

	n->sys = -e->error;
	/* without NETLINK_CAP_ACK the whole request would stand before the text */
	if ((h->nlmsg_flags & (NLM_F_ACK_TLVS | NLM_F_CAPPED)) ==
	    (NLM_F_ACK_TLVS | NLM_F_CAPPED))
		text = netlink_attribute(h, sizeof(*e), NLMSGERR_ATTR_MSG, 1);
	if (n->sys == EPERM || n->sys == EACCES)
		r = error_set(err, ERR_DENIED, "%s: %s", what, error_reason(n->sys));
	else
		r = error_set(err, ERR_SYSTEM, "%s: %s%s%s%s", what, error_reason(n->sys),
			      text ? " (" : "", text ? text : "", text ? ")" : "");
	if (err)
		err->sys = n->sys;
	return r;
}

struct reader {
	struct netlink *n;
	const char *what;
	netlink_fn fn;
	void *data;
	int result; /* of the first refusal */
	bool full;  /* @fn wants no more */
	bool done;
};

static void handle(struct reader *r, const struct nlmsghdr *h, struct error *err)
{
	/* a left-over of an earlier exchange that ended in an error */
	if (h->nlmsg_seq + r->n->pending <= r->n->seq || h->nlmsg_seq > r->n->seq)
		return;
	if (h->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = netlink_payload(h);

		if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
			return;
		if (e->error && r->result == 0)
			r->result = refusal(r->n, h, r->what, err);
		r->done = h->nlmsg_seq == r->n->seq;
	} else if (h->nlmsg_type == NLMSG_DONE) {
		r->done = true;
	} else if (r->fn) {
		if (!r->full)
			r->full = r->fn(r->data, h) != 0;
		/* a question with one answer and no NLM_F_ACK ends with it */
		r->done = !(h->nlmsg_flags & NLM_F_MULTI);
	}
}

static int receive(struct reader *r, struct error *err)
{
	_Alignas(struct nlmsghdr) char in[RECEIVE_BYTES];

	while (!r->done) {
		ssize_t got = recv(r->n->fd, in, sizeof(in), 0);
		struct nlmsghdr *h = (struct nlmsghdr *)in;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_sys(err, "%s: netlink", r->what);
		for (unsigned left = (unsigned)got; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			handle(r, h, err);
	}
	return r->result;
}

static int exchange(struct netlink *n, const char *what, netlink_fn fn, void *data,
		    struct error *err)
{
	struct reader r = {.n = n, .what = what, .fn = fn, .data = data};
	ssize_t sent;
	int result;

	n->sys = 0;
	do
		sent = send(n->fd, n->out.data, n->out.len, 0);
	while (sent < 0 && errno == EINTR);
	result = sent < 0 ? error_sys(err, "%s: netlink", what) : receive(&r, err);
	buf_reset(&n->out);
	n->pending = 0;
	return result;
}

int netlink_commit(struct netlink *n, const char *what, struct error *err)
{
	for (size_t at = 0; at < n->out.len;) {
		struct nlmsghdr h;

		memcpy(&h, n->out.data + at, sizeof(h));
		h.nlmsg_flags |= NLM_F_ACK;
		memcpy(n->out.data + at, &h, sizeof(h));
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
	return exchange(n, what, NULL, NULL, err);
}

int netlink_query(struct netlink *n, const char *what, netlink_fn fn, void *data,
		  struct error *err)
{
	return exchange(n, what, fn, data, err);
}
