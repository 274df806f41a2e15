/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "oci/oci.h"

#define HEX    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define DIGEST "sha256:" HEX

static const struct {
	const char *text;
	const char *normal; /* NULL: refused, and familiar is a part of the message */
	const char *familiar;
	const char *name;
} references[] = {
	{"alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine"},
	{"alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19", "alpine"},
	{"docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine"},
	{"index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest", "a/b"},
	{"library/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine"},
	{"me/app:v1", "docker.io/me/app:v1", "me/app:v1", "me/app"},
	{"localhost/x", "localhost/x:latest", "localhost/x:latest", "localhost/x"},
	{"localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest",
	 "localhost:5000/x"},
	{"host:5000/a/b:t@" DIGEST, "host:5000/a/b:t@" DIGEST, "host:5000/a/b:t@" DIGEST,
	 "host:5000/a/b"},
	{"alpine@" DIGEST, "docker.io/library/alpine@" DIGEST, "alpine@" DIGEST, "alpine"},
	{"Host/a", "Host/a:latest", "Host/a:latest", "Host/a"},
	{"[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest", "[::1]:5000/a"},
	{"foo:5000", "docker.io/library/foo:5000", "foo:5000", "foo"},
	{"a---b/c__d.e_f", "docker.io/a---b/c__d.e_f:latest", "a---b/c__d.e_f:latest",
	 "a---b/c__d.e_f"},
	{"Foo", NULL, "repository name (library/Foo) must be lowercase", NULL},
	{"foo/Bar", NULL, "repository name (foo/Bar) must be lowercase", NULL},
	{HEX, NULL, "cannot specify 64-byte hexadecimal strings", NULL},
	{"", NULL, "invalid reference format", NULL},
	{"a b", NULL, "invalid reference format", NULL},
	{"a//b", NULL, "invalid reference format", NULL},
	{"/a", NULL, "invalid reference format", NULL},
	{"a/", NULL, "invalid reference format", NULL},
	{"-a", NULL, "invalid reference format", NULL},
	{"a-", NULL, "invalid reference format", NULL},
	{"a___b", NULL, "invalid reference format", NULL},
	{"a._b", NULL, "invalid reference format", NULL},
	{"alpine:", NULL, "invalid reference format", NULL},
	{"alpine:-x", NULL, "invalid reference format", NULL},
	{"alpine:a:b", NULL, "invalid reference format", NULL},
	{"alpine@sha256:12", NULL, "invalid reference format", NULL},
	{"alpine@" DIGEST "0", NULL, "invalid reference format", NULL},
	{"h.io:/a", NULL, "invalid reference format", NULL},
	{"h.io:5x/a", NULL, "invalid reference format", NULL},
	{"..", NULL, "invalid reference format", NULL},
	{"../x", NULL, "invalid reference format", NULL},
	{"https://h.io/a", NULL, "invalid reference format", NULL},
};

static void check_text(void (*format)(const struct reference *, struct buf *),
		       const struct reference *ref, const char *expected)
{
	AUTO(buf) struct buf text = BUF_INIT;

	format(ref, &text);
	assert_string_equal(buf_str(&text), expected);
}

static void references_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		AUTO(reference) struct reference copy = REFERENCE_INIT;
		AUTO(error) struct error err = ERROR_INIT;
		int rc = reference_parse(references[i].text, &ref, &err);

		if (!references[i].normal) {
			if (rc == 0)
				fail_msg("accepted: \"%s\"", references[i].text);
			assert_int_equal(rc, -ERR_INVALID);
			assert_non_null(strstr(err.message, references[i].familiar));
			continue;
		}
		if (rc < 0)
			fail_msg("refused: \"%s\": %s", references[i].text, err.message);
		reference_copy(&ref, &copy);
		check_text(reference_normal, &copy, references[i].normal);
		check_text(reference_familiar, &ref, references[i].familiar);
		check_text(reference_familiar_name, &ref, references[i].name);
	}
}

static void implied_tag_is_told(void **state)
{
	struct reference ref = REFERENCE_INIT;

	(void)state;
	assert_int_equal(reference_parse("alpine", &ref, NULL), 0);
	assert_true(ref.tag_implied);
	reference_clear(&ref);
	assert_int_equal(reference_parse("alpine:latest", &ref, NULL), 0);
	assert_false(ref.tag_implied);
	reference_clear(&ref);
	assert_int_equal(reference_parse("alpine@" DIGEST, &ref, NULL), 0);
	assert_null(ref.tag);
	reference_clear(&ref);
}

static void long_names_and_tags(void **state)
{
	char text[400];
	struct reference ref = REFERENCE_INIT;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[1] = '/';
	text[256] = '\0';
	assert_int_equal(reference_parse(text, &ref, NULL), -ERR_INVALID);
	text[255] = '\0';
	assert_int_equal(reference_parse(text, &ref, NULL), 0);
	reference_clear(&ref);
	text[1] = ':';
	text[2 + 128] = '\0';
	assert_int_equal(reference_parse(text, &ref, NULL), 0);
	reference_clear(&ref);
	text[2 + 128] = 'a';
	text[2 + 129] = '\0';
	assert_int_equal(reference_parse(text, &ref, NULL), -ERR_INVALID);
}

static const struct {
	const char *text;
	const char *normal; /* NULL: refused */
} platforms[] = {
	{"linux/amd64", "linux/amd64"},
	{"Linux/x86_64", "linux/amd64"},
	{"amd64", "linux/amd64"},
	{"arm64", "linux/arm64"},
	{"aarch64", "linux/arm64"},
	{"linux/arm64/v8", "linux/arm64"},
	{"linux/arm", "linux/arm/v7"},
	{"arm/v6", "linux/arm/v6"},
	{"linux/arm/7", "linux/arm/v7"},
	{"linux/armhf", "linux/arm/v7"},
	{"linux/i386", "linux/386"},
	{"linux/amd64/v3", "linux/amd64/v3"},
	{"windows/amd64", "windows/amd64"},
	{"linux/riscv64", "linux/riscv64"},
	{"", NULL},
	{"/", NULL},
	{"linux/", NULL},
	{"bogus", NULL},
	{"a/b/c/d", NULL},
	{"linux/am d64", NULL},
};

static void platforms_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(platforms); i++) {
		AUTO(platform) struct platform p = PLATFORM_INIT;
		AUTO(buf) struct buf text = BUF_INIT;
		int rc = platform_parse(platforms[i].text, &p, NULL);

		if ((rc == 0) != (platforms[i].normal != NULL))
			fail_msg("%s: %d", platforms[i].text, rc);
		if (rc < 0)
			continue;
		platform_format(&p, &text);
		assert_string_equal(buf_str(&text), platforms[i].normal);
	}
}

static void platform_host_is_known(void **state)
{
	AUTO(platform) struct platform host = PLATFORM_INIT;
	AUTO(platform) struct platform same = PLATFORM_INIT;

	(void)state;
	platform_host(&host);
	assert_string_equal(host.os, "linux");
	assert_int_equal(platform_parse("linux", &same, NULL), 0);
	assert_true(platform_eq(&host, &same));
	assert_true(platform_match(&host, &same) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_parse),	  cmocka_unit_test(implied_tag_is_told),
		cmocka_unit_test(long_names_and_tags),	  cmocka_unit_test(platforms_parse),
		cmocka_unit_test(platform_host_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
