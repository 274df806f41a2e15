/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions for names, and what a server says to them.  Laws: what is taken for a question
 * lies in the message; our answer to it, or refusal, is no longer than it may be, answers
 * that question and asks nothing itself; the same bytes as an answer are one.
 * In the corpus "\xHH" is a byte, so that its files are text.
 */
#include "fuzz.h"

#include "network/network_dns.h"

#include "base/banned.h"

static const char table[] = "lan 10.1.0.2 web www\n"
			    "lan fd00::2 web www\n"
			    "lan 10.1.0.3 db www\n"
			    "two no-address a.b\n"
			    "line without\n";

static void check(const struct buf *answer, const uint8_t *data, const struct dns_question *q)
{
	demand(!dns_asks(answer->data, answer->len));
	demand(dns_answers(answer->data, answer->len, data, q));
}

static void try_question(const uint8_t *data, size_t size, const struct dns_question *q)
{
	AUTO(buf) struct buf answer = BUF_INIT, refusal = BUF_INIT, same = BUF_INIT;

	demand(q->end <= size && strlen(q->name) < DNS_NAME_BYTES);
	if (dns_answer(table, data, q, DNS_UDP_BYTES, data[0], &answer)) {
		demand(answer.len <= DNS_UDP_BYTES);
		check(&answer, data, q);
	}
	dns_refuse(data, q, DNS_SERVER_FAILURE, &refusal);
	demand(refusal.len == q->end);
	check(&refusal, data, q);
	buf_add(&same, data, size);
	same.data[2] = (char)(same.data[2] | 0x80);
	check(&same, data, q);
}

/* As what a server sends, of any length. */
static void try_answer(const uint8_t *data, size_t size)
{
	static const char asked[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3Web\3lan\0\0\1\0\1";
	struct dns_question q;

	demand(dns_parse(asked, sizeof(asked) - 1, &q) && str_eq(q.name, "web.lan"));
	if (!dns_answers(data, size, asked, &q))
		return;
	demand(size >= DNS_HEADER_BYTES && !dns_asks(data, size));
	demand(size >= q.end || dns_code_of(data) != DNS_OK);
}

static unsigned digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}

/* No byte more than there are: what is read beyond is seen. */
static size_t unescape(const uint8_t *data, size_t size, uint8_t **out)
{
	size_t n = 0;

	*out = mem_alloc(size + 1);
	for (size_t i = 0; i < size; i++) {
		const bool is_escape = size - i >= 4 && data[i] == '\\' && data[i + 1] == 'x' &&
				       digit(data[i + 2]) < 16 && digit(data[i + 3]) < 16;

		(*out)[n++] = is_escape
				      ? (uint8_t)(digit(data[i + 2]) << 4 | digit(data[i + 3]))
				      : data[i];
		i += is_escape ? 3 : 0;
	}
	if (n)
		*out = mem_resize(*out, n, 1);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) uint8_t *m = NULL;
	const size_t n = unescape(data, size, &m);
	struct dns_question q;

	if (dns_parse(m, n, &q)) {
		demand(dns_asks(m, n));
		try_question(m, n, &q);
	}
	try_answer(m, n);
	return 0;
}
