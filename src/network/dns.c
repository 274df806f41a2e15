/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_dns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

#define TYPE_A	    1
#define TYPE_PTR    12
#define TYPE_AAAA   28
#define CLASS_IN    1
#define TTL_SECONDS 600

#define FLAG_ANSWER    0x80 /* in byte 2 */
#define FLAG_TRUNCATED 0x02
#define FLAG_RECURSION 0x01
#define OPCODE	       0x78
#define FLAG_AVAILABLE 0x80 /* in byte 3 */

/* ---- reading ---- */

static unsigned get_u16(const uint8_t *m)
{
	return (unsigned)m[0] << 8 | m[1];
}

/* Labels as text; no pointers, as there is nothing before the first name. */
static bool parse_name(const uint8_t *m, size_t len, size_t *at, char out[DNS_NAME_BYTES])
{
	size_t n = 0;

	for (unsigned label; *at < len && (label = m[*at]) != 0; *at += label + 1) {
		if (label > 63 || *at + label + 1 >= len || n + label + 2 > DNS_NAME_BYTES)
			return false;
		if (n)
			out[n++] = '.';
		for (unsigned i = 1; i <= label; i++) {
			const uint8_t c = m[*at + i];

			/* what is no letter of a name of ours is one that we do not know */
			out[n++] = (char)(c >= 'A' && c <= 'Z'		   ? c - 'A' + 'a'
					  : c > ' ' && c != '.' && c < 127 ? c
									   : '?');
		}
	}
	out[n] = 0;
	return (*at)++ < len;
}

bool dns_asks(const void *message, size_t len)
{
	return len >= DNS_HEADER_BYTES && !(((const uint8_t *)message)[2] & FLAG_ANSWER);
}

bool dns_parse(const void *message, size_t len, struct dns_question *out)
{
	const uint8_t *m = message;
	size_t at = DNS_HEADER_BYTES;

	if (!dns_asks(m, len) || m[2] & OPCODE || get_u16(m + 4) != 1 || get_u16(m + 6) ||
	    !parse_name(m, len, &at, out->name) || len - at < 4)
		return false;
	out->type = (uint16_t)get_u16(m + at);
	out->class = (uint16_t)get_u16(m + at + 2);
	out->end = at + 4;
	return true;
}

/* A server may write the name in letters of another size. */
static bool same_question(const uint8_t *a, const uint8_t *b, size_t end)
{
	size_t i = DNS_HEADER_BYTES;

	while (i < end - 4 && tolower(a[i]) == tolower(b[i]))
		i++;
	return i == end - 4 && !memcmp(a + i, b + i, 4);
}

bool dns_answers(const void *message, size_t len, const void *asked,
		 const struct dns_question *q)
{
	const uint8_t *m = message;

	if (len < DNS_HEADER_BYTES || dns_asks(m, len) || memcmp(m, asked, 2) != 0)
		return false;
	if (get_u16(m + 4) == 0)
		return dns_code_of(m) != DNS_OK;
	return get_u16(m + 4) == 1 && len >= q->end && same_question(m, asked, q->end);
}

enum dns_code dns_code_of(const void *message)
{
	return (enum dns_code)(((const uint8_t *)message)[3] & 15);
}

/* ---- writing ---- */

static void put_u16(struct buf *out, unsigned v)
{
	buf_addch(out, (char)(v >> 8));
	buf_addch(out, (char)v);
}

/* Header and question; the count of answers is filled in as they come. */
static void begin(const uint8_t *m, const struct dns_question *q, enum dns_code code,
		  struct buf *out)
{
	buf_add(out, m, 2);
	buf_addch(out, (char)(FLAG_ANSWER | (m[2] & (OPCODE | FLAG_RECURSION))));
	buf_addch(out, (char)(FLAG_AVAILABLE | code));
	put_u16(out, q ? 1 : 0);
	for (int i = 0; i < 3; i++)
		put_u16(out, 0);
	if (q)
		buf_add(out, m + DNS_HEADER_BYTES, q->end - DNS_HEADER_BYTES);
}

void dns_refuse(const void *message, const struct dns_question *q, enum dns_code code,
		struct buf *out)
{
	begin(message, q, code, out);
}

/* False when there is no room for it. */
static bool put_answer(const struct dns_question *q, const void *data, size_t len, size_t limit,
		       struct buf *out)
{
	const unsigned n = get_u16((const uint8_t *)out->data + 6) + 1;

	if (out->len + 12 + len > limit) {
		out->data[2] = (char)(out->data[2] | FLAG_TRUNCATED);
		return false;
	}
	put_u16(out, 0xc000 | DNS_HEADER_BYTES); /* the name: that of the question */
	put_u16(out, q->type);
	put_u16(out, CLASS_IN);
	put_u16(out, 0);
	put_u16(out, TTL_SECONDS);
	put_u16(out, (unsigned)len);
	buf_add(out, data, len);
	out->data[6] = (char)(n >> 8);
	out->data[7] = (char)n;
	return true;
}

/* A name as labels; an empty one for what is none. */
static void encode_name(const char *text, struct buf *out)
{
	for (const char *at = text; *at;) {
		const size_t len = strcspn(at, ".");

		if (!len || len > 63 || out->len + len + 2 > DNS_NAME_BYTES) {
			buf_reset(out);
			break;
		}
		buf_addch(out, (char)len);
		buf_add(out, at, len);
		at += len;
		at += *at == '.';
	}
	buf_addch(out, 0);
}

/* ---- the table ---- */

struct row {
	const char *network, *address, *names, *end;
};

/* The words of the line at @text; its end, or NULL when there is no more. */
static const char *next_row(const char *text, struct row *out)
{
	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		const char *a = memchr(text, ' ', (size_t)(end - text));
		const char *n = a ? memchr(a + 1, ' ', (size_t)(end - a - 1)) : NULL;

		if (!n)
			continue;
		*out = (struct row){
			.network = text, .address = a + 1, .names = n + 1, .end = end};
		return end + 1;
	}
	return NULL;
}

static bool same(const char *a, size_t len, const char *b, size_t blen)
{
	return len == blen && !strncasecmp(a, b, len);
}

/* Is @name one of its names, alone or with the network's name behind? */
static bool row_has(const struct row *r, const char *name)
{
	const size_t network = (size_t)(r->address - 1 - r->network), len = strlen(name);

	for (const char *at = r->names; at < r->end;) {
		const char *blank = memchr(at, ' ', (size_t)(r->end - at));
		const size_t n = (size_t)((blank ? blank : r->end) - at);

		if (same(at, n, name, len) ||
		    (len == n + 1 + network && name[n] == '.' && !strncasecmp(name, at, n) &&
		     same(name + n + 1, network, r->network, network)))
			return true;
		at += n + 1;
	}
	return false;
}

/* Its address in bytes: 4, 16, or 0 when it is none. */
static size_t row_address(const struct row *r, uint8_t out[16])
{
	const size_t len = (size_t)(r->names - 1 - r->address);
	AUTO(free) char *text = mem_strndup(r->address, len);

	return inet_pton(AF_INET, text, out) == 1    ? 4
	       : inet_pton(AF_INET6, text, out) == 1 ? 16
						     : 0;
}

/* "5.0.128.10.in-addr.arpa" and the like: what is asked for by an address. */
static void reverse_name(const uint8_t *ip, size_t len, char out[DNS_NAME_BYTES])
{
	size_t n = 0;

	for (size_t i = len; len == 4 && i-- > 0;)
		n += (size_t)snprintf(out + n, DNS_NAME_BYTES - n, "%u.", ip[i]);
	for (size_t i = len; len == 16 && i-- > 0;)
		n += (size_t)snprintf(out + n, DNS_NAME_BYTES - n, "%x.%x.", ip[i] & 15,
				      ip[i] >> 4);
	snprintf(out + n, DNS_NAME_BYTES - n, len == 4 ? "in-addr.arpa" : "ip6.arpa");
}

static bool answer_reverse(const char *table, const uint8_t *m, const struct dns_question *q,
			   size_t limit, struct buf *out)
{
	struct row r;

	for (const char *at = table; (at = next_row(at, &r));) {
		AUTO(buf) struct buf name = BUF_INIT;
		AUTO(free) char *text = NULL;
		char asked[DNS_NAME_BYTES];
		uint8_t ip[16];
		size_t len = row_address(&r, ip);

		if (!len)
			continue;
		reverse_name(ip, len, asked);
		if (!str_eq(asked, q->name))
			continue;
		text = mem_printf("%.*s.%.*s", (int)strcspn(r.names, " \n"), r.names,
				  (int)(r.address - 1 - r.network), r.network);
		encode_name(text, &name);
		begin(m, q, DNS_OK, out);
		put_answer(q, name.data, name.len, limit, out);
		return true;
	}
	return false;
}

struct found {
	uint8_t items[64][16];
	unsigned n;
	bool known;
};

static void find(const char *table, const struct dns_question *q, struct found *f)
{
	const size_t wanted = q->type == TYPE_A ? 4 : q->type == TYPE_AAAA ? 16 : 1;
	struct row r;

	for (const char *at = table; (at = next_row(at, &r));) {
		if (!row_has(&r, q->name))
			continue;
		f->known = true;
		if (f->n < ARRAY_SIZE(f->items) && row_address(&r, f->items[f->n]) == wanted)
			f->n++;
	}
}

bool dns_answer(const char *table, const void *message, const struct dns_question *q,
		size_t limit, unsigned turn, struct buf *out)
{
	struct found f = {.n = 0};

	if (q->class != CLASS_IN)
		return false;
	if (q->type == TYPE_PTR)
		return answer_reverse(table, message, q, limit, out);
	find(table, q, &f);
	if (!f.known)
		return false;
	/* a name without an address of this family has an answer, too: none */
	begin(message, q, DNS_OK, out);
	for (unsigned i = 0; i < f.n; i++)
		if (!put_answer(q, f.items[(i + turn) % f.n], q->type == TYPE_A ? 4 : 16, limit,
				out))
			break;
	return true;
}
