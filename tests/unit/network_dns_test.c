/* SPDX-License-Identifier: Apache-2.0 */
/* dns: questions in bytes, answers out of a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "network/network_dns.h"

#include "base/banned.h"

#define A    1
#define PTR  12
#define MX   15
#define AAAA 28

static const char table[] = "lan 10.1.0.2 web www 0123456789ab\n"
			    "lan fd00::2 web www 0123456789ab\n"
			    "lan 10.1.0.3 db www\n"
			    "two 10.2.0.2 web\n";

/* A question for @name ("a.b"), with more of the header as given. */
static void question(const char *name, unsigned type, struct buf *out)
{
	static const char head[DNS_HEADER_BYTES] = {'\x12', '\x34', 1, 0, 0, 1};

	buf_reset(out);
	buf_add(out, head, sizeof(head));
	for (const char *at = name; *at;) {
		const size_t len = strcspn(at, ".");

		buf_addch(out, (char)len);
		buf_add(out, at, len);
		at += len + (at[len] == '.');
	}
	buf_addch(out, 0);
	buf_addch(out, 0);
	buf_addch(out, (char)type);
	buf_addch(out, 0);
	buf_addch(out, 1);
}

/* "3: 4:0a010002 4:…" of what the table says; "-" when it does not know. */
static void ask(const char *name, unsigned type, size_t limit, struct buf *out)
{
	AUTO(buf) struct buf m = BUF_INIT, answer = BUF_INIT;
	struct dns_question q;
	size_t at;

	question(name, type, &m);
	assert_true(dns_parse(m.data, m.len, &q));
	buf_reset(out);
	if (!dns_answer(table, m.data, &q, limit, 0, &answer)) {
		buf_addstr(out, "-");
		return;
	}
	assert_true(answer.len <= limit);
	assert_memory_equal(answer.data, m.data, 2);
	assert_int_equal((uint8_t)answer.data[2] & 0x81, 0x81);
	buf_printf(out, "%u%s:", (uint8_t)answer.data[7], answer.data[2] & 2 ? " cut" : "");
	at = q.end;
	for (unsigned i = 0; i < (uint8_t)answer.data[7]; i++) {
		const unsigned len = (uint8_t)answer.data[at + 11];

		assert_int_equal((uint8_t)answer.data[at + 3], type);
		buf_printf(out, " ");
		for (unsigned k = 0; k < len; k++)
			buf_printf(out, "%02x", (uint8_t)answer.data[at + 12 + k]);
		at += 12 + len;
	}
	assert_int_equal(at, answer.len);
}

static void test_answers(void **state)
{
	static const struct {
		const char *name;
		unsigned type;
		const char *answer;
	} cases[] = {
		{"db", A, "1: 0a010003"},
		{"DB", A, "1: 0a010003"},
		{"db", AAAA, "0:"},
		{"db", MX, "0:"},
		{"db.lan", A, "1: 0a010003"},
		{"db.two", A, "-"},
		{"web", A, "2: 0a010002 0a020002"},
		{"web.two", A, "1: 0a020002"},
		{"web", AAAA, "1: fd000000000000000000000000000002"},
		{"www", A, "2: 0a010002 0a010003"},
		{"0123456789ab", A, "1: 0a010002"},
		{"ww", A, "-"},
		{"lan", A, "-"},
		{"", A, "-"},
		{"3.0.1.10.in-addr.arpa", PTR,
		 "1: 02646203"
		 "6c616e00"},
		{"9.0.1.10.in-addr.arpa", PTR, "-"},
		{"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
		 PTR, "1: 03776562036c616e00"},
	};
	AUTO(buf) struct buf got = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ask(cases[i].name, cases[i].type, DNS_UDP_BYTES, &got);
		assert_string_equal(buf_str(&got), cases[i].answer);
	}
	/* what does not fit is left out, and that is said */
	ask("web", A, 12 + 9 + 16, &got);
	assert_string_equal(buf_str(&got), "1 cut: 0a010002");
}

static void test_what_is_no_question(void **state)
{
	AUTO(buf) struct buf m = BUF_INIT;
	struct dns_question q;

	(void)state;
	question("web.lan", A, &m);
	assert_true(dns_parse(m.data, m.len, &q));
	assert_string_equal(q.name, "web.lan");
	assert_int_equal(q.end, m.len);
	/* each beginning of it */
	for (size_t len = 0; len < m.len; len++) {
		AUTO(free) char *part = mem_strndup("", 0);

		part = mem_resize(part, len + 1, 1);
		memcpy(part, m.data, len);
		assert_false(dns_parse(part, len, &q));
	}
	m.data[12] = (char)0xc0; /* a pointer */
	assert_false(dns_parse(m.data, m.len, &q));
	m.data[12] = 63; /* longer than the message */
	assert_false(dns_parse(m.data, m.len, &q));
	m.data[12] = 3;
	m.data[2] = (char)0x81; /* an answer */
	assert_false(dns_parse(m.data, m.len, &q));
	m.data[2] = 0x28; /* another deed than asking */
	assert_false(dns_parse(m.data, m.len, &q));
	m.data[2] = 1;
	m.data[5] = 2; /* two questions */
	assert_false(dns_parse(m.data, m.len, &q));
	m.data[5] = 1;
	m.data[13] = 0; /* a byte that is in no name */
	assert_true(dns_parse(m.data, m.len, &q));
	assert_string_equal(q.name, "?eb.lan");
}

/* Nobody knows what comes: whatever it is, it is not read past its end (asan looks). */
static void test_any_bytes(void **state)
{
	uint32_t random = 12345;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		AUTO(buf) struct buf answer = BUF_INIT;
		const size_t len = round % 80;
		AUTO(free) uint8_t *m = mem_alloc(len + 1);
		struct dns_question q;

		for (size_t i = 0; i < len; i++) {
			random = random * 1664525 + 1013904223;
			m[i] = (uint8_t)(random >> (round & 1 ? 24 : 28));
		}
		if (len > 12 && round & 2)
			memcpy(m, "\x12\x34\1\0\0\1\0\0\0\0\0\0", 12);
		if (!dns_parse(m, len, &q))
			continue;
		assert_true(q.end <= len && strlen(q.name) < DNS_NAME_BYTES);
		dns_answer(table, m, &q, DNS_UDP_BYTES, round, &answer);
		assert_true(answer.len <= DNS_UDP_BYTES);
	}
}

static void test_refusal(void **state)
{
	AUTO(buf) struct buf m = BUF_INIT, answer = BUF_INIT;
	struct dns_question q;

	(void)state;
	question("web", A, &m);
	assert_true(dns_parse(m.data, m.len, &q));
	dns_refuse(m.data, &q, DNS_SERVER_FAILURE, &answer);
	assert_int_equal(answer.len, m.len);
	assert_int_equal(dns_code_of(answer.data), DNS_SERVER_FAILURE);
	assert_int_equal(answer.data[7], 0);
}

static void test_what_is_an_answer(void **state)
{
	AUTO(buf) struct buf m = BUF_INIT, answer = BUF_INIT, other = BUF_INIT;
	struct dns_question q;

	(void)state;
	question("web.lan", A, &m);
	assert_true(dns_asks(m.data, m.len));
	assert_false(dns_asks(m.data, DNS_HEADER_BYTES - 1));
	assert_true(dns_parse(m.data, m.len, &q));
	dns_refuse(m.data, &q, DNS_OK, &answer);
	assert_false(dns_asks(answer.data, answer.len));
	assert_true(dns_answers(answer.data, answer.len, m.data, &q));
	/* the question itself, a part of the answer, another number */
	assert_false(dns_answers(m.data, m.len, m.data, &q));
	for (size_t len = 0; len < q.end; len++)
		assert_false(dns_answers(answer.data, len, m.data, &q));
	answer.data[1] ^= 1;
	assert_false(dns_answers(answer.data, answer.len, m.data, &q));
	answer.data[1] ^= 1;
	/* letters of another size; another name, another type */
	answer.data[13] = 'W';
	assert_true(dns_answers(answer.data, answer.len, m.data, &q));
	answer.data[13] = 'v';
	assert_false(dns_answers(answer.data, answer.len, m.data, &q));
	question("web.lan", AAAA, &other);
	other.data[2] = (char)(other.data[2] | 0x80);
	assert_false(dns_answers(other.data, other.len, m.data, &q));
	/* without the question it can be an error alone */
	buf_reset(&answer);
	dns_refuse(m.data, NULL, DNS_REFUSED, &answer);
	assert_true(dns_answers(answer.data, answer.len, m.data, &q));
	buf_reset(&answer);
	dns_refuse(m.data, NULL, DNS_OK, &answer);
	assert_false(dns_answers(answer.data, answer.len, m.data, &q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_what_is_no_question),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_what_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
