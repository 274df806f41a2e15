/* SPDX-License-Identifier: Apache-2.0 */
/* build: which programs a handler of binfmt_misc takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "build/emulate.h"

#include "base/banned.h"

#define ARM64                                                     \
	"enabled\n"                                               \
	"interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\n" \
	"flags: POCF\n"                                           \
	"offset 0\n"                                              \
	"magic 7f454c460201010000000000000000000200b700\n"        \
	"mask ffffffffffffff00fffffffffffffffffeffffff\n"
#define S390X                                              \
	"enabled\n"                                        \
	"interpreter /usr/bin/qemu-s390x-static\n"         \
	"flags: OCF\n"                                     \
	"offset 0\n"                                       \
	"magic 7f454c4602020100000000000000000000020016\n" \
	"mask ffffffffffffff00fffffffffffffffffffeffff\n"

static void test_handlers(void **state)
{
	(void)state;
	assert_true(emulate_handler_takes(ARM64, "arm64"));
	assert_false(emulate_handler_takes(ARM64, "arm"));
	assert_false(emulate_handler_takes(ARM64, "amd64"));
	assert_false(emulate_handler_takes(ARM64, "s390x"));
	assert_true(emulate_handler_takes(S390X, "s390x"));
	assert_false(emulate_handler_takes(S390X, "arm64"));
	assert_false(emulate_handler_takes(S390X, "nosuch"));
}

static void test_texts_that_take_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"enabled\n",
		"disabled\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n",
		"enabled\noffset 4\nmagic 7f454c460201010000000000000000000200b700\n",
		"enabled\noffset 0\nmagic 7f454c46\n",
		"enabled\noffset 0\nmagic zz454c460201010000000000000000000200b700\n",
		"enabled\noffset 0\nmagic 7f454c460201010000000000000000000200b700\nmask ff\n",
		"enabled\noffset 0\nextension .py\n",
		"enabled\noffset 0\nmagic 7",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(emulate_handler_takes(texts[i], "arm64"));
	/* without a mask every bit counts */
	assert_true(emulate_handler_takes(
		"enabled\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n",
		"arm64"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handlers),
		cmocka_unit_test(test_texts_that_take_nothing),
	};

	return cmocka_run_group_tests_name("build_emulate", tests, NULL, NULL);
}
