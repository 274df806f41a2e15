/* SPDX-License-Identifier: Apache-2.0 */
/* registry: where a server may lead us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "registry/registry_call.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_it_may_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
