/* SPDX-License-Identifier: Apache-2.0 */
/* network: addresses, subnets and the words of -p, of both families. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "network/network.h"

#include "base/banned.h"

static struct network_ip ip(const char *text)
{
	struct network_ip out = {0};

	assert_true(network_ip_parse(text, &out));
	return out;
}

static void test_hosts_of_a_subnet(void **state)
{
	static const struct {
		const char *ip;
		unsigned len;
		uint64_t host;
		const char *first, *with_nine;
	} cases[] = {
		{"10.77.5.130", 24, 130, "10.77.5.0", "10.77.5.9"},
		{"10.77.5.130", 25, 2, "10.77.5.128", "10.77.5.137"},
		{"10.77.5.130", 20, 0x582, "10.77.0.0", "10.77.0.9"},
		{"fd00:1::1:2", 64, 0x10002, "fd00:1::", "fd00:1::9"},
		{"fd00::ff01", 120, 1, "fd00::ff00", "fd00::ff09"},
		{"fd00:1:2:3::5", 48, 0x0003000000000000ull | 0, "fd00:1:2::", "fd00:1:2::9"},
	};
	char text[NETWORK_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct network_ip a = ip(cases[i].ip);
		struct network_ip b = network_ip_with_host(&a, cases[i].len, 0);

		if (cases[i].len != 48) /* more than 64 bits: the lowest of them count */
			assert_int_equal(network_ip_host(&a, cases[i].len), cases[i].host);
		assert_string_equal(network_ip_text(&b, text), cases[i].first);
		b = network_ip_with_host(&a, cases[i].len, 9);
		assert_string_equal(network_ip_text(&b, text), cases[i].with_nine);
	}
}

static void test_subnets(void **state)
{
	static const struct {
		const char *text, *said;
	} bad[] = {
		{"x", "invalid subnet x: invalid CIDR block notation"},
		{"10.0.0.0", "invalid subnet 10.0.0.0: invalid CIDR block notation"},
		{"10.0.0.0/33", "invalid subnet 10.0.0.0/33: invalid CIDR block notation"},
		{"10.0.0.5/24", "invalid subnet 10.0.0.5/24: it should be 10.0.0.0/24"},
		{"fd00::5/64", "invalid subnet fd00::5/64: it should be fd00::/64"},
	};
	struct network_subnet a, b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(error) struct error err = ERROR_INIT;

		assert_int_equal(network_subnet_parse(bad[i].text, &a, &err), -ERR_INVALID);
		assert_string_equal(err.message, bad[i].said);
	}
	assert_int_equal(network_subnet_parse("10.0.0.0/8", &a, NULL), 0);
	assert_int_equal(network_subnet_parse("10.9.0.0/16", &b, NULL), 0);
	assert_true(network_subnets_overlap(&a, &b));
	assert_int_equal(network_subnet_parse("fd00:1::/64", &a, NULL), 0);
	assert_false(network_subnets_overlap(&a, &b));
	assert_int_equal(network_subnet_parse("fd00:1:0:1::/64", &b, NULL), 0);
	assert_false(network_subnets_overlap(&a, &b));
	assert_int_equal(network_subnet_parse("fd00::/16", &b, NULL), 0);
	assert_true(network_subnets_overlap(&a, &b));
}

static void test_ports(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned host_port, port, n;
	} good[] = {
		{"80", "", 0, 80, 1},
		{"8080:80", "", 8080, 80, 1},
		{"0.0.0.0:8080:80", "0.0.0.0", 8080, 80, 1},
		{"[::1]:8080:80", "::1", 8080, 80, 1},
		{"[::]:8080:80/udp", "::", 8080, 80, 1},
		{"[fd00::1]::80", "fd00::1", 0, 80, 1},
		{"8000-8002:80-82", "", 8000, 80, 3},
	};
	char text[NETWORK_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO(network_port_list) struct network_port_list l = {0};

		assert_int_equal(network_ports_parse(good[i].text, &l, NULL), 0);
		assert_int_equal(l.n, good[i].n);
		assert_string_equal(network_ip_text(&l.items[0].host_ip, text), good[i].host);
		assert_int_equal(l.items[0].host_port, good[i].host_port);
		assert_int_equal(l.items[0].port, good[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_of_a_subnet),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
