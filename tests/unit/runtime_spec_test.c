/* SPDX-License-Identifier: Apache-2.0 */
/* runtime: what image config and options become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "runtime/runtime.h"

#include "base/banned.h"

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct fixture {
	struct image_config cfg;
	struct container_options o;
	struct runtime_user user;
	struct runtime_spec spec;
	struct error err;
};

static void open_fixture(struct fixture *f)
{
	*f = (struct fixture){.cfg = IMAGE_CONFIG_INIT,
			      .o = CONTAINER_OPTIONS_INIT,
			      .spec = RUNTIME_SPEC_INIT};
	f->o.id = mem_strdup(id);
	f->user.home = mem_strdup("/root");
	*vec_push(&f->user.groups) = 0;
	strlist_add(&f->cfg.cmd, "sh");
}

static void close_fixture(struct fixture *f)
{
	image_config_clear(&f->cfg);
	container_options_clear(&f->o);
	runtime_user_clear(&f->user);
	runtime_spec_clear(&f->spec);
	error_clear(&f->err);
}

static int make(struct fixture *f)
{
	runtime_spec_clear(&f->spec);
	f->spec = RUNTIME_SPEC_INIT;
	error_clear(&f->err);
	return runtime_make_spec(&f->cfg, &f->o, &f->user, &f->spec, &f->err);
}

static void expect_error(struct fixture *f, const char *message)
{
	assert_int_equal(make(f), -ERR_INVALID);
	assert_string_equal(f->err.message, message);
}

static void expect_list(const struct strlist *l, const char *want)
{
	AUTO(free) char *got = strlist_join(l, "|");

	assert_string_equal(got, want);
}

static void set(struct strlist *l, const char *words)
{
	strlist_clear(l);
	if (words[0])
		strlist_split(l, words, '|');
}

/* The table of the Dockerfile reference, "Understand how CMD and ENTRYPOINT interact". */
static void test_entrypoint_and_cmd(void **state)
{
	static const char *const entrypoints[] = {"", "/bin/sh|-c|exec_entry p1_entry",
						  "exec_entry|p1_entry"};
	static const char *const cmds[] = {"", "exec_cmd|p1_cmd", "p1_cmd|p2_cmd",
					   "/bin/sh|-c|exec_cmd p1_cmd"};
	/* the shell form of ENTRYPOINT gets the words too; its shell takes them for $0 and on
	 */
	struct fixture f;

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(entrypoints); e++) {
		for (size_t c = 0; c < ARRAY_SIZE(cmds); c++) {
			AUTO(buf) struct buf want = BUF_INIT;

			open_fixture(&f);
			set(&f.cfg.entrypoint, entrypoints[e]);
			set(&f.cfg.cmd, cmds[c]);
			buf_printf(&want, "%s%s%s", entrypoints[e], e && c ? "|" : "", cmds[c]);
			if (e || c) {
				assert_int_equal(make(&f), 0);
				expect_list(&f.spec.process.args, buf_str(&want));
			} else {
				expect_error(&f, "no command specified");
			}
			close_fixture(&f);
		}
	}
}

static void test_command_line_overrides(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	set(&f.cfg.entrypoint, "entry");
	set(&f.cfg.cmd, "a|b");
	set(&f.o.args, "x");
	assert_int_equal(make(&f), 0);
	expect_list(&f.spec.process.args, "entry|x");
	f.o.has_entrypoint = true;
	set(&f.o.entrypoint, "other");
	assert_int_equal(make(&f), 0);
	expect_list(&f.spec.process.args, "other|x");
	set(&f.o.args, ""); /* the image's command belongs to its entrypoint */
	assert_int_equal(make(&f), 0);
	expect_list(&f.spec.process.args, "other");
	strlist_clear(&f.o.entrypoint);
	strlist_add(&f.o.entrypoint, "");
	expect_error(&f, "no command specified");
	set(&f.o.args, "x");
	assert_int_equal(make(&f), 0);
	expect_list(&f.spec.process.args, "x");
	close_fixture(&f);
}

static void test_environment(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(make(&f), 0);
	expect_list(&f.spec.process.env,
		    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|"
		    "HOSTNAME=0123456789ab|HOME=/root");
	set(&f.cfg.env, "PATH=/img|A=image|B=image|GONE=1|TERM=image");
	set(&f.o.env, "A=option|HOSTNAME=h|NEW=1=2|GONE");
	f.o.tty = true;
	assert_int_equal(make(&f), 0);
	expect_list(&f.spec.process.env,
		    "PATH=/img|HOSTNAME=h|TERM=image|A=option|NEW=1=2|B=image|HOME=/root");
	assert_true(f.spec.process.terminal);
	set(&f.o.env, "HOME=/there");
	assert_int_equal(make(&f), 0);
	assert_string_equal(strlist_env_get(&f.spec.process.env, "HOME"), "/there");
	close_fixture(&f);
}

static void test_user_and_workdir(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_string_equal(runtime_user_spec(&f.cfg, &f.o), "");
	f.cfg.user = mem_strdup("web");
	assert_string_equal(runtime_user_spec(&f.cfg, &f.o), "web");
	f.o.user = mem_strdup("5");
	assert_string_equal(runtime_user_spec(&f.cfg, &f.o), "5");
	f.user.uid = 5;
	f.user.gid = 6;
	f.user.groups.items[0] = 6;
	assert_int_equal(make(&f), 0);
	assert_int_equal(f.spec.process.uid, 5);
	assert_int_equal(f.spec.process.gid, 6);
	assert_int_equal(f.spec.process.additional_gids.n, 1);
	assert_string_equal(f.spec.process.cwd, "/");
	f.cfg.working_dir = mem_strdup("/srv//web/");
	assert_int_equal(make(&f), 0);
	assert_string_equal(f.spec.process.cwd, "/srv/web");
	f.o.workdir = mem_strdup("rel");
	expect_error(&f,
		     "the working directory 'rel' is invalid, it needs to be an absolute path");
	close_fixture(&f);
}

static void test_privileges(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(make(&f), 0);
	assert_true(f.spec.process.bounding == CAPABILITY_DEFAULT);
	assert_true(f.spec.seccomp.present);
	assert_false(f.spec.process.no_new_privileges);
	set(&f.o.cap_drop, "ALL");
	set(&f.o.cap_add, "net_admin");
	f.o.seccomp = mem_strdup("unconfined");
	f.o.no_new_privileges = true;
	assert_int_equal(make(&f), 0);
	assert_true(f.spec.process.effective == 1u << 12);
	assert_false(f.spec.seccomp.present);
	assert_true(f.spec.process.no_new_privileges);
	free(f.o.seccomp);
	f.o.seccomp = mem_strdup("{");
	assert_true(make(&f) < 0);
	set(&f.o.cap_add, "nonsense");
	assert_true(make(&f) < 0);
	close_fixture(&f);
}

static size_t place_of(const struct runtime_spec *spec, const char *destination)
{
	for (size_t i = 0; i < spec->mounts.n; i++)
		if (str_eq(spec->mounts.items[i].destination, destination))
			return i;
	fail_msg("no mount at %s", destination);
	return 0;
}

static void test_mounts(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(container_options_add_volume(&f.o, "/src:/data/deep:ro,rslave", NULL),
			 0);
	assert_int_equal(container_options_add_volume(&f.o, "/x:/data", NULL), 0);
	assert_int_equal(container_options_add_volume(&f.o, "/shm:/dev/shm", NULL), 0);
	set(&f.o.tmpfs, "/t/:size=1m,exec");
	assert_int_equal(make(&f), 0);
	assert_true(place_of(&f.spec, "/data") < place_of(&f.spec, "/data/deep"));
	expect_list(&runtime_spec_find_mount(&f.spec, "/data/deep")->options,
		    "rbind|ro|rslave");
	expect_list(&runtime_spec_find_mount(&f.spec, "/data")->options, "rbind|rprivate");
	assert_string_equal(runtime_spec_find_mount(&f.spec, "/dev/shm")->source, "/shm");
	expect_list(&runtime_spec_find_mount(&f.spec, "/t")->options,
		    "noexec|nosuid|nodev|size=1m|exec");
	set(&f.o.tmpfs, "/data");
	expect_error(&f, "Duplicate mount point: /data");
	set(&f.o.tmpfs, "rel");
	expect_error(&f, "invalid mount path: 'rel' mount path must be absolute");
	set(&f.o.tmpfs, "/x:foo");
	expect_error(&f, "invalid tmpfs option \"foo\"");
	close_fixture(&f);
}

static void test_volume_syntax(void **state)
{
	static const struct {
		const char *text, *source, *destination;
		bool is_volume, readonly;
	} good[] = {
		{"/a:/b", "/a", "/b", false, false},
		{"/a/../c/:/b/./d", "/c", "/b/d", false, false},
		{"name.x:/b:ro", "name.x", "/b", true, true},
		{"/b", NULL, "/b", true, false},
	};
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"", "invalid empty volume spec"},
		{":/b", "invalid spec: :/b: empty section between colons"},
		{"/a:/b:ro:c", "invalid volume specification: '/a:/b:ro:c'"},
		{"/a:/b:xx", "invalid mode: xx"},
		{"/a:/b:ro,rw", "invalid mode: ro,rw"},
		{"/a:/b:nocopy", "invalid volume specification: '/a:/b:nocopy': invalid mount "
				 "config for type \"bind\": field VolumeOptions must not be "
				 "specified"},
		{"a:/b:rslave", "invalid volume specification: 'a:/b:rslave': invalid mount "
				"config for type \"volume\": field BindOptions must not be "
				"specified"},
		{"a:b", "invalid volume specification: 'a:b': invalid mount config for type "
			"\"volume\": invalid mount path: 'b' mount path must be absolute"},
		{"/a:/", "invalid volume specification: '/a:/': invalid mount config for type "
			 "\"bind\": invalid specification: destination can't be '/'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;

		assert_int_equal(container_options_add_volume(&o, good[i].text, NULL), 0);
		assert_int_equal(o.mounts.n, 1);
		assert_true(str_eq(o.mounts.items[0].source, good[i].source));
		assert_string_equal(o.mounts.items[0].destination, good[i].destination);
		assert_int_equal(o.mounts.items[0].type == CONTAINER_MOUNT_VOLUME,
				 good[i].is_volume);
		assert_int_equal(o.mounts.items[0].readonly, good[i].readonly);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
		AUTO(error) struct error err = ERROR_INIT;

		assert_int_equal(container_options_add_volume(&o, bad[i].text, &err),
				 -ERR_INVALID);
		assert_string_equal(err.message, bad[i].message);
	}
}

static void test_limits(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	f.o.memory = 64u << 20;
	f.o.nano_cpus = 500000000;
	f.o.pids_limit = 100;
	assert_int_equal(make(&f), 0);
	assert_int_equal(f.spec.resources.memory_limit, 64 << 20);
	assert_int_equal(f.spec.resources.memory_swap, 128 << 20);
	assert_int_equal(f.spec.resources.cpu_period, 100000);
	assert_int_equal(f.spec.resources.cpu_quota, 50000);
	assert_int_equal(f.spec.resources.pids_limit, 100);
	f.o.memory_swap = 32 << 20;
	expect_error(&f,
		     "Minimum memoryswap limit should be larger than memory limit, see usage");
	f.o.memory = 0;
	expect_error(&f, "You should always set the Memory limit when using Memoryswap limit, "
			 "see usage");
	f.o.memory_swap = 0;
	f.o.memory = 1u << 20;
	expect_error(&f, "Minimum memory limit allowed is 6MB");
	f.o.memory = 0;
	f.o.nano_cpus = INT64_C(1000000000) * 100000;
	assert_int_equal(make(&f), -ERR_INVALID);
	assert_non_null(strstr(f.err.message, "range of CPUs is from 0.01 to "));
	close_fixture(&f);
}

static void test_ulimits(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(container_options_add_ulimit(&f.o, "nofile=10:20", NULL), 0);
	assert_int_equal(container_options_add_ulimit(&f.o, "core=-1", NULL), 0);
	assert_int_equal(make(&f), 0);
	assert_string_equal(f.spec.process.rlimits.items[0].type, "RLIMIT_NOFILE");
	assert_int_equal(f.spec.process.rlimits.items[0].soft, 10);
	assert_int_equal(f.spec.process.rlimits.items[0].hard, 20);
	assert_true(f.spec.process.rlimits.items[1].hard == UINT64_MAX);
	assert_int_equal(container_options_add_ulimit(&f.o, "nofile=20:10", &f.err),
			 -ERR_INVALID);
	assert_string_equal(f.err.message,
			    "ulimit soft limit must be less than or equal to hard "
			    "limit: 20 > 10");
	assert_int_equal(container_options_add_ulimit(&f.o, "foo=1", &f.err), -ERR_INVALID);
	assert_string_equal(f.err.message, "invalid ulimit type: foo");
	assert_int_equal(container_options_add_ulimit(&f.o, "nofile", &f.err), -ERR_INVALID);
	assert_int_equal(container_options_add_ulimit(&f.o, "nofile=1x", &f.err), -ERR_INVALID);
	close_fixture(&f);
}

static void test_network_and_names(void **state)
{
	enum runtime_network network;
	struct fixture f;
	char host[256] = "";

	(void)state;
	open_fixture(&f);
	assert_int_equal(make(&f), 0);
	assert_string_equal(f.spec.hostname, "0123456789ab");
	assert_true(f.spec.namespaces[NAMESPACE_NETWORK].present);
	assert_string_equal(map_get(&f.spec.sysctl, "net.ipv4.ip_unprivileged_port_start"),
			    "0");
	assert_non_null(strstr(f.spec.cgroups_path, id));
	assert_int_equal(runtime_network_parse("host", &f.o.network, NULL), 0);
	assert_int_equal(make(&f), 0);
	gethostname(host, sizeof(host) - 1);
	assert_string_equal(f.spec.hostname, host);
	assert_false(f.spec.namespaces[NAMESPACE_NETWORK].present);
	assert_false(map_has(&f.spec.sysctl, "net.ipv4.ip_unprivileged_port_start"));
	f.o.hostname = mem_strdup("box");
	assert_int_equal(make(&f), 0);
	assert_string_equal(f.spec.hostname, "box");
	assert_int_equal(runtime_network_parse("lan", &network, &f.err), -ERR_NOT_FOUND);
	assert_string_equal(f.err.message, "network lan not found");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entrypoint_and_cmd),
		cmocka_unit_test(test_command_line_overrides),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_user_and_workdir),
		cmocka_unit_test(test_privileges),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_volume_syntax),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_ulimits),
		cmocka_unit_test(test_network_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
