/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "oci/oci.h"

#include "base/mem.h"

static const struct {
	const char *text;
	uint64_t mask; /* 0: refused */
} capabilities[] = {
	{"CAP_CHOWN", 1},
	{"chown", 1},
	{"cap_sys_admin", UINT64_C(1) << 21},
	{"CHECKPOINT_RESTORE", UINT64_C(1) << 40},
	{"ALL", CAPABILITY_ALL},
	{"all", CAPABILITY_ALL},
	{"CAP_", 0},
	{"", 0},
	{"CAP_NOPE", 0},
	{"CAP_CHOWNX", 0},
};

static void capabilities_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		uint64_t mask = 0;
		int rc = capability_parse(capabilities[i].text, &mask, NULL);

		assert_int_equal(rc == 0, capabilities[i].mask != 0);
		assert_true(mask == capabilities[i].mask);
	}
	for (unsigned bit = 0; bit < CAPABILITY_COUNT; bit++) {
		uint64_t mask = 0;

		assert_int_equal(capability_parse(capability_name(bit), &mask, NULL), 0);
		assert_true(mask == UINT64_C(1) << bit);
	}
	assert_null(capability_name(CAPABILITY_COUNT));
}

static const struct {
	const char *add;
	const char *drop;
	uint64_t mask;
} changes[] = {
	{"", "", CAPABILITY_DEFAULT},
	{"SYS_ADMIN", "", CAPABILITY_DEFAULT | UINT64_C(1) << 21},
	{"", "CHOWN", CAPABILITY_DEFAULT & ~UINT64_C(1)},
	{"", "ALL", 0},
	{"CHOWN", "ALL", 1},
	{"ALL", "CHOWN", CAPABILITY_ALL & ~UINT64_C(1)},
	{"CHOWN", "CHOWN", CAPABILITY_DEFAULT},
};

static void capabilities_apply(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		AUTO(strlist) struct strlist add = STRLIST_INIT;
		AUTO(strlist) struct strlist drop = STRLIST_INIT;
		uint64_t mask = 0;

		if (*changes[i].add)
			strlist_add(&add, changes[i].add);
		if (*changes[i].drop)
			strlist_add(&drop, changes[i].drop);
		assert_int_equal(capability_apply(CAPABILITY_DEFAULT, &add, &drop, &mask, NULL),
				 0);
		assert_true(mask == changes[i].mask);
	}
}

static const struct seccomp_rule *find_rule(const struct seccomp_profile *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strlist_find(&p->items[i].names, name) >= 0)
			return &p->items[i];
	return NULL;
}

static void seccomp_default_profile(void **state)
{
	static const char *const never[] = {"keyctl",	   "add_key",	     "request_key",
					    "userfaultfd", "io_uring_setup", "kexec_load",
					    "swapon",	   "pivot_root",     "move_pages",
					    "uselib",	   "ustat",	     "sysfs"};
	AUTO(seccomp_profile) struct seccomp_profile plain = {0};
	AUTO(seccomp_profile) struct seccomp_profile admin = {0};
	const struct seccomp_rule *r;

	(void)state;
	seccomp_profile_default(CAPABILITY_DEFAULT, &plain);
	seccomp_profile_default(CAPABILITY_ALL, &admin);
	assert_true(plain.present);
	assert_int_equal(plain.items[0].names.n, 361);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		assert_null(find_rule(&plain, never[i]));
		assert_null(find_rule(&admin, never[i]));
	}
	r = find_rule(&plain, "clone3");
	assert_int_equal(r->action, SECCOMP_ACTION_ERRNO);
	assert_int_equal(r->errno_ret, ENOSYS);
	assert_int_equal(find_rule(&admin, "clone3")->action, SECCOMP_ACTION_ALLOW);
	r = find_rule(&plain, "clone");
	assert_int_equal(r->nargs, 1);
	assert_int_equal(r->args[0].op, SECCOMP_OP_MASKED_EQ);
	assert_int_equal(find_rule(&admin, "clone")->nargs, 0);
	assert_null(find_rule(&plain, "mount"));
	assert_non_null(find_rule(&admin, "mount"));
	assert_non_null(find_rule(&plain, "chroot"));
}

static void docker_profile_is_resolved(void **state)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[],\"syscalls\":["
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
		"{\"name\":\"ptrace\",\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"minKernel\":\"4.8\"}},"
		"{\"names\":[\"future\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"includes\":{\"minKernel\":\"99.1\"}},"
		"{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":5,"
		"\"value\":18446744073709551615,\"op\":\"SCMP_CMP_NE\"}],"
		"\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}]}";
	AUTO(seccomp_profile) struct seccomp_profile plain = {0};
	AUTO(seccomp_profile) struct seccomp_profile admin = {0};

	(void)state;
	assert_int_equal(seccomp_profile_parse(text, strlen(text), 0, &plain, NULL), 0);
	assert_int_equal(
		seccomp_profile_parse(text, strlen(text), CAPABILITY_ALL, &admin, NULL), 0);
	assert_int_equal(plain.n, 3);
	assert_non_null(find_rule(&plain, "ptrace"));
	assert_true(find_rule(&plain, "clone")->args[0].value == UINT64_MAX);
	assert_int_equal(admin.n, 3);
	assert_non_null(find_rule(&admin, "mount"));
	assert_null(find_rule(&admin, "clone"));
}

static void fill(struct runtime_spec *s)
{
	runtime_spec_defaults(s);
	strlist_add(&s->process.args, "/bin/sh");
	strlist_add(&s->process.env, "A=\"b\"");
	s->process.terminal = true;
	s->process.console_width = 80;
	s->process.console_height = 24;
	s->process.uid = 4294967294U;
	s->process.has_umask = true;
	s->process.umask = 022;
	s->process.has_oom_score_adj = true;
	s->process.oom_score_adj = -5;
	s->process.no_new_privileges = true;
	process_config_add_gid(&s->process, 7);
	process_config_add_rlimit(&s->process, "RLIMIT_CORE", 0, UINT64_MAX);
	s->root_readonly = true;
	s->hostname = mem_strdup("h");
	s->domainname = mem_strdup("d");
	map_set(&s->annotations, "k", mem_strdup("v"));
	s->namespaces[NAMESPACE_NETWORK].path = mem_strdup("/proc/1/ns/net");
	s->namespaces[NAMESPACE_USER].present = true;
	*vec_push(&s->uid_mappings) = (struct id_mapping){0, 100000, 65536};
	*vec_push(&s->gid_mappings) = (struct id_mapping){0, 100000, 65536};
	runtime_spec_add_device(s, "/dev/fuse", 'c', 10, 229, 0666);
	s->resources.memory_limit = 1 << 20;
	s->resources.memory_swap = -1;
	s->resources.cpu_quota = 50000;
	s->resources.cpu_period = 100000;
	s->resources.cpuset_cpus = mem_strdup("0-1");
	s->resources.pids_limit = 100;
	s->cgroups_path = mem_strdup("/stave/x");
	s->rootfs_propagation = mem_strdup("rprivate");
	map_set(&s->sysctl, "net.ipv4.ping_group_range", mem_strdup("0 1"));
	seccomp_profile_default(CAPABILITY_DEFAULT, &s->seccomp);
}

static void spec_round_trip(void **state)
{
	struct runtime_spec spec = RUNTIME_SPEC_INIT;
	struct runtime_spec again = RUNTIME_SPEC_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(buf) struct buf text2 = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;

	(void)state;
	fill(&spec);
	runtime_spec_encode(&spec, &text);
	if (runtime_spec_decode(text.data, text.len, &again, &err) < 0)
		fail_msg("%s", err.message);
	runtime_spec_encode(&again, &text2);
	assert_string_equal(text.data, text2.data);
	assert_true(again.process.rlimits.items[0].hard == UINT64_MAX);
	assert_true(again.process.bounding == CAPABILITY_DEFAULT);
	assert_int_equal(again.process.uid, 4294967294U);
	assert_string_equal(again.namespaces[NAMESPACE_NETWORK].path, "/proc/1/ns/net");
	assert_int_equal(again.mounts.n, 7);
	assert_int_equal(again.seccomp.n, spec.seccomp.n);
	runtime_spec_clear(&spec);
	runtime_spec_clear(&again);
}

static void limits_round_trip(void **state)
{
	static const char expected[] =
		"\"memory\":{\"swappiness\":0},"
		"\"cpu\":{\"realtimeRuntime\":95,\"realtimePeriod\":100},"
		"\"blockIO\":{\"weight\":500,\"weightDevice\":[{\"major\":8,\"minor\":0,"
		"\"weight\":10}],\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":16,"
		"\"rate\":7}]}}";
	AUTO(runtime_spec) struct runtime_spec spec = RUNTIME_SPEC_INIT;
	AUTO(runtime_spec) struct runtime_spec again = RUNTIME_SPEC_INIT;
	AUTO(buf) struct buf text = BUF_INIT, text2 = BUF_INIT;

	(void)state;
	assert_false(resources_spec_limit(&spec.resources));
	spec.resources.has_swappiness = true;
	assert_true(resources_spec_limit(&spec.resources));
	spec.resources.rt_runtime = 95;
	spec.resources.rt_period = 100;
	spec.resources.blkio_weight = 500;
	resources_spec_add_blkio(&spec.resources, BLKIO_WEIGHT, 8, 0, 10);
	resources_spec_add_blkio(&spec.resources, BLKIO_WRITE_IOPS, 8, 16, 7);
	runtime_spec_encode(&spec, &text);
	assert_non_null(strstr(buf_str(&text), expected));
	assert_int_equal(runtime_spec_decode(text.data, text.len, &again, NULL), 0);
	runtime_spec_encode(&again, &text2);
	assert_string_equal(buf_str(&text), buf_str(&text2));
}

static void mounts_and_privilege(void **state)
{
	struct runtime_spec s = RUNTIME_SPEC_INIT;
	struct mount_spec *sys;

	(void)state;
	runtime_spec_defaults(&s);
	sys = runtime_spec_find_mount(&s, "/sys");
	assert_true(strlist_find(&sys->options, "ro") >= 0);
	runtime_spec_privileged(&s);
	sys = runtime_spec_find_mount(&s, "/sys");
	assert_true(strlist_find(&sys->options, "ro") < 0);
	assert_true(s.process.bounding == CAPABILITY_ALL);
	assert_int_equal(s.masked_paths.n, 0);
	assert_int_equal(s.resources.devices.n, 1);
	runtime_spec_remove_mount(&s, "/dev/shm");
	assert_null(runtime_spec_find_mount(&s, "/dev/shm"));
	assert_int_equal(s.mounts.n, 6);
	runtime_spec_clear(&s);
}

static void bad_specs_are_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"root\":{},\"process\":{\"user\":{\"uid\":-1}}}",
		"{\"root\":{},\"process\":{\"user\":{\"uid\":4294967296}}}",
		"{\"root\":{},\"process\":{\"capabilities\":{\"bounding\":[\"CAP_X\"]}}}",
		"{\"root\":{},\"process\":{\"oomScoreAdj\":5000}}",
		"{\"root\":{},\"process\":{\"rlimits\":[{}]}}",
		"{\"root\":{},\"mounts\":[{\"type\":\"bind\"}]}",
		("{\"root\":{},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}"
		 "]"
		 "}}"),
		"{\"root\":{},\"linux\":{\"namespaces\":[{\"type\":\"nope\"}]}}",
		"{\"root\":{},\"linux\":{\"devices\":[{\"path\":\"/x\",\"type\":\"cc\"}]}}",
		"{\"root\":{},\"linux\":{\"seccomp\":{\"defaultAction\":\"NOPE\"}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct runtime_spec s = RUNTIME_SPEC_INIT;

		if (runtime_spec_decode(bad[i], strlen(bad[i]), &s, NULL) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_parse),
		cmocka_unit_test(capabilities_apply),
		cmocka_unit_test(seccomp_default_profile),
		cmocka_unit_test(docker_profile_is_resolved),
		cmocka_unit_test(spec_round_trip),
		cmocka_unit_test(limits_round_trip),
		cmocka_unit_test(mounts_and_privilege),
		cmocka_unit_test(bad_specs_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
