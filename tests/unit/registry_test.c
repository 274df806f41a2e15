/* SPDX-License-Identifier: Apache-2.0 */
/* registry: where a server may lead us, and what it says in headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "registry/registry_call.h"
#include "registry/registry_headers.h"

#include "base/banned.h"

static void test_where_it_may_go_on(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} cases[] = {
		{"https://a.example/v2/", "https://b.example/x", NULL},
		{"http://a.example/v2/", "https://a.example/x", NULL},
		{"http://a.example/v2/", "http://b.example/x", NULL},
		{"http://localhost:5000/v2/", "http://127.0.0.2:80/x", NULL},
		{"https://a.example/v2/", "http://a.example/v2/", "plain HTTP"},
		{"https://localhost/v2/", "http://localhost/v2/", "plain HTTP"},
		{"https://a.example/v2/", "https://localhost/x", "this machine"},
		{"http://a.example/v2/", "http://[::1]:80/x", "this machine"},
		{"http://a.example/v2/", "http://127.0.0.1/x", "this machine"},
		{"http://a.example/v2/", "http://0x7f.1/x", "this machine"},
		{"http://a.example/v2/", "http://[::]:80/x", "this machine"},
		{"http://0.0.0.0:5000/v2/", "http://0.0.0.0:5001/x", NULL},
		{"https://a.example/v2/", "file:///etc/passwd", "not http(s)"},
		{"https://a.example/v2/", "https://u:p@a.example/", "not http(s)"},
		{"https://a.example/v2/", "list?last=x", "not http(s)"},
		{"https://a.example/v2/", "", "not http(s)"},
		{"https://a.example/v2/", NULL, "nowhere"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(error) struct error err = ERROR_INIT;
		const int result = url_check_next(cases[i].from, cases[i].to, &err);

		assert_int_equal(result, cases[i].why ? -ERR_DENIED : 0);
		if (cases[i].why)
			assert_non_null(strstr(err.message, cases[i].why));
	}
}

static void test_what_is_this_machine(void **state)
{
	static const struct {
		const char *host;
		bool plain, here; /* plain HTTP is spoken to it; it could be this machine */
	} cases[] = {
		/* as Docker: 127.0.0.0/8 and ::1 in any form of theirs, localhost */
		{"localhost", true, true},
		{"LOCALHOST:5000", true, true},
		{"a.localhost:5000", true, true},
		{"127.0.0.1", true, true},
		{"127.255.0.9:5000", true, true},
		{"[::1]", true, true},
		{"[::1]:5000", true, true},
		{"[0:0:0:0:0:0:0:1]:5000", true, true},
		{"[::ffff:7f00:1]:5000", true, true},
		/* so they are to Docker: it asks over HTTPS, or a name server */
		{"0.0.0.0:5000", false, true},
		{"[::]:5000", false, true},
		{"[::ffff:0:0]", false, true},
		{"0", false, true},
		{"127.1:5000", false, true},
		{"127.0.1", false, true},
		{"0177.0.0.1", false, true},
		{"0x7f.0.0.1", false, true},
		{"0x7F000001:5000", false, true},
		{"017700000001", false, true},
		{"2130706433:5000", false, true},
		{"localhost.", false, true},
		{"127.0.0.1.", false, true},
		/* names and addresses of others, however they begin */
		{"127.0.0.0.1", false, false},
		{"127.256.0.1", false, false},
		{"127.0.0.1.example", false, false},
		{"127.0.0", false, true},
		{"127.example:127", false, false},
		{"127.", false, false},
		{"128.0.0.1", false, false},
		{"1.0.0.127", false, false},
		{"4294967297", false, false},
		{"localhost.example", false, false},
		{"xlocalhost", false, false},
		{"localhost-", false, false},
		{"[::2]", false, false},
		{"[::1.example]", false, false},
		{"[::1", false, false},
		{"[::1]x", false, false},
		{"[fe80::1]:127", false, false},
		{"[::ffff:8000:1]", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(free) char *url = mem_printf("http://%s/v2/", cases[i].host);

		if (url_is_local(url) != cases[i].plain ||
		    url_may_be_here(url) != cases[i].here)
			fail_msg("%s: %d %d", cases[i].host, url_is_local(url),
				 url_may_be_here(url));
	}
}

static void test_challenges(void **state)
{
	static const struct {
		const char *header, *realm, *service;
		bool basic;
	} cases[] = {
		{"Bearer realm=\"https://a/token\",service=\"a\",scope=\"x\"",
		 "https://a/token", "a", false},
		{"bearer Realm=https://a/t , service=it", "https://a/t", "it", false},
		{"Basic realm=\"x\"", NULL, NULL, true},
		{"Negotiate abc==, Basic realm=\"x\", Bearer realm=\"a\\\"b\"", "a\"b", NULL,
		 true},
		{"Negotiate\nBearer realm=\"r\"\nBasic", "r", NULL, true},
		{"Bearer realm=\"no end", "no end", NULL, false},
		{"Bearer realm=one, realm=two", "one", NULL, false},
		{"realm=\"x\"", NULL, NULL, false},
		{"", NULL, NULL, false},
		{" , =\n", NULL, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(challenge) struct challenge c = {0};

		challenge_read(cases[i].header, &c);
		assert_string_equal(c.realm ? c.realm : "-",
				    cases[i].realm ? cases[i].realm : "-");
		assert_string_equal(c.service ? c.service : "-",
				    cases[i].service ? cases[i].service : "-");
		assert_int_equal(c.basic, cases[i].basic);
	}
}

static void test_next_pages(void **state)
{
	static const struct {
		const char *header, *target;
	} cases[] = {
		{"</v2/x/tags/list?last=b&n=2>; rel=\"next\"", "/v2/x/tags/list?last=b&n=2"},
		{"<a>; rel=next", "a"},
		{"<a>; rel=\"prev\", <b>; rel=\"next\"", "b"},
		{"<a>; rel=prev\n<b>;title=\"x, <c>\"; Rel=\"last NEXT\"", "b"},
		{"<a,b>; rel=next", "a,b"},
		{"<a>; rel=\"prev\"; title=\"next\"", NULL},
		{"<next>", NULL},
		{"<a>; rel=nextly", NULL},
		{"<a; rel=next", NULL},
		{"a; rel=next", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(free) char *got = NULL;
		const char *target;
		size_t len;

		if (link_next(cases[i].header, &target, &len))
			got = mem_strndup(target, len);
		assert_string_equal(got ? got : "-", cases[i].target ? cases[i].target : "-");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_it_may_go_on),
		cmocka_unit_test(test_what_is_this_machine),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_next_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
