/* SPDX-License-Identifier: Apache-2.0 */
/* --device, --gpus, --device-cgroup-rule, block devices, sets of CPUs: words and what they
 * mean. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"
#include "runtime/runtime_device.h"

#include "base/mem.h"

static void cdi_names(void **state)
{
	static const char *const good[] = {"nvidia.com/gpu=all", "nvidia.com/gpu=0", "a/b=c",
					   "vendor.x/class_y=GPU-1:2.3"};
	static const char *const bad[] = {
		"/dev/null", "gpu=0",  "a/b",	  "a/=c",   "/b=c",	"a/b=", "a/b=c/d",
		"1a/b=c",    "a/b=-c", "a b/c=d", "a./b=c", "a/b=c:/x", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(cdi_is_name(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cdi_is_name(bad[i]));
}

static void gpus(void **state)
{
	static const struct {
		const char *text;
		int64_t count;
		const char *devices, *capabilities, *error;
	} cases[] = {
		{"all", -1, "", "gpu", NULL},
		{"2", 2, "", "gpu", NULL},
		{"count=3", 3, "", "gpu", NULL},
		{"device=0", 0, "0", "gpu", NULL},
		{"\"device=0,GPU-x\",driver=nvidia", 0, "0 GPU-x", "gpu", NULL},
		{"capabilities=utility", 1, "", "utility gpu", NULL},
		{"x", 0, NULL, NULL,
		 "invalid count (x): value must be either \"all\" or an integer: invalid "
		 "syntax"},
		{"foo=1", 0, NULL, NULL, "unexpected key 'foo' in 'foo=1'"},
		{"all,count=1", 0, NULL, NULL,
		 "gpu request key 'count' can be specified only once"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(gpu_request) struct gpu_request g = {0};
		AUTO(error) struct error err = ERROR_INIT;
		AUTO(free) char *devices = NULL;
		AUTO(free) char *capabilities = NULL;
		int r = gpu_request_parse(cases[i].text, &g, &err);

		if (cases[i].error) {
			assert_int_equal(r, -ERR_INVALID);
			assert_string_equal(err.message, cases[i].error);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(g.count, cases[i].count);
		devices = strlist_join(&g.devices, " ");
		capabilities = strlist_join(&g.capabilities, " ");
		assert_string_equal(devices, cases[i].devices);
		assert_string_equal(capabilities, cases[i].capabilities);
	}
}

static void block_devices(void **state)
{
	static const struct {
		enum blkio_kind kind;
		const char *text, *kept; /* NULL: refused */
	} cases[] = {
		{BLKIO_WEIGHT, "/dev/sda:100", "/dev/sda:100"},
		{BLKIO_WEIGHT, "/dev/sda:0", "/dev/sda:0"},
		{BLKIO_WEIGHT, "/dev/sda:9", NULL},
		{BLKIO_WEIGHT, "/dev/sda:1001", NULL},
		{BLKIO_WEIGHT, "/dev/sda", NULL},
		{BLKIO_WEIGHT, "sda:100", NULL},
		{BLKIO_READ_BPS, "/dev/sda:1mb", "/dev/sda:1048576"},
		{BLKIO_WRITE_BPS, "/dev/sda:17", "/dev/sda:17"},
		{BLKIO_READ_BPS, "/dev/sda:-1", NULL},
		{BLKIO_READ_IOPS, "/dev/sda:1000", "/dev/sda:1000"},
		{BLKIO_WRITE_IOPS, "/dev/sda:1k", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
		int r = container_options_add_blkio(&o, cases[i].kind, cases[i].text, NULL);

		assert_int_equal(r == 0, cases[i].kept != NULL);
		if (cases[i].kept)
			assert_string_equal(o.blkio[cases[i].kind].items[0], cases[i].kept);
	}
}

static void device_rules(void **state)
{
	static const char *const good[] = {"c 1:3 rwm", "b *:* m", "a 7:* r", "c 189:* rw"};
	static const char *const bad[] = {"x 1:3 r",	"c 1:3",   "c 1 r",
					  "c 1:3 ",	"c 1:3 q", "c 1:3 rwmr",
					  "c 1:3  rwm", "c1:3 r",  ""};
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(runtime_spec) struct runtime_spec spec = RUNTIME_SPEC_INIT;
	const struct device_rule *last;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(container_options_add_device_rule(&o, good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(container_options_add_device_rule(&o, bad[i], NULL),
				 -ERR_INVALID);
	assert_int_equal(runtime_add_devices(&o, &spec, NULL), 0);
	/* 'a' is both kinds */
	assert_int_equal(spec.resources.devices.n, ARRAY_SIZE(good) + 1);
	assert_int_equal(spec.resources.devices.items[2].type, 'b');
	assert_int_equal(spec.resources.devices.items[3].type, 'c');
	last = &spec.resources.devices.items[4];
	assert_true(last->allow && last->type == 'c' && last->major == 189 &&
		    last->minor == -1);
	assert_memory_equal(last->access, "rwm", 3);
}

static void devices_are_words(void **state)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(json) json_t *j = NULL;

	(void)state;
	assert_int_equal(container_options_add_device(&o, "/dev/a:/dev/b:r", NULL), 0);
	assert_int_equal(container_options_add_device(&o, "/dev/a:rw", NULL), 0);
	assert_int_equal(container_options_add_device(&o, "x.y/z=1", NULL), 0);
	assert_int_equal(container_options_add_device(&o, "/dev/a:/b:q", NULL), -ERR_INVALID);
	assert_int_equal(o.cdi.n, 1);
	j = container_options_devices(&o);
	json_text(j, &text);
	assert_string_equal(buf_str(&text),
			    "[{\"PathOnHost\":\"/dev/a\",\"PathInContainer\":\"/dev/b\","
			    "\"CgroupPermissions\":\"r\"},{\"PathOnHost\":\"/dev/a\","
			    "\"PathInContainer\":\"/dev/a\",\"CgroupPermissions\":\"rw\"}]");
}

static void options_survive_the_record(void **state)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(container_options) struct container_options back = CONTAINER_OPTIONS_INIT;
	AUTO(json) json_t *j = NULL;

	(void)state;
	container_options_add_blkio(&o, BLKIO_WRITE_IOPS, "/dev/sda:5", NULL);
	container_options_add_gpus(&o, "all", NULL);
	o.has_swappiness = true;
	o.oom_kill_disable = true;
	o.blkio_weight = 10;
	j = container_options_encode(&o);
	assert_int_equal(container_options_decode(j, &back, NULL), 0);
	assert_string_equal(back.blkio[BLKIO_WRITE_IOPS].items[0], "/dev/sda:5");
	assert_string_equal(back.gpus.items[0], "all");
	assert_true(back.has_swappiness && back.oom_kill_disable && back.blkio_weight == 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cdi_names),
		cmocka_unit_test(gpus),
		cmocka_unit_test(block_devices),
		cmocka_unit_test(device_rules),
		cmocka_unit_test(devices_are_words),
		cmocka_unit_test(options_survive_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
