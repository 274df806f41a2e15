/* SPDX-License-Identifier: Apache-2.0 */
/* RUN --mount values: what is accepted, what is refused and with which words. */
#include "dockerfile/dockerfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/csv.h"
#include "base/mem.h"

#include "base/banned.h"

static const char *look_up(void *data, const char *name, size_t len)
{
	(void)data;
	if (len == 1 && *name == 'T')
		return "cache";
	if (len == 5 && memcmp(name, "COMMA", 5) == 0)
		return "a,b";
	return NULL;
}

static const struct expansion x = {.lookup = look_up};

static void show(const struct run_mount *m, struct buf *out)
{
	const char *const sharing[] = {"", " private", " locked"};

	buf_printf(out, "%s %s", run_mount_type_name(m->type), m->readonly ? "ro" : "rw");
	buf_addstr(out, sharing[m->sharing]);
	if (m->required)
		buf_addstr(out, " required");
	if (m->from)
		buf_printf(out, " from=%s", m->from);
	if (m->source)
		buf_printf(out, " source=%s", m->source);
	if (m->target)
		buf_printf(out, " target=%s", m->target);
	if (m->id)
		buf_printf(out, " id=%s", m->id);
	if (m->env)
		buf_printf(out, " env=%s", m->env);
	if (m->size)
		buf_printf(out, " size=%llu", (unsigned long long)m->size);
	if (m->has_mode)
		buf_printf(out, " mode=%o", m->mode);
	if (m->has_uid)
		buf_printf(out, " uid=%u", m->uid);
	if (m->has_gid)
		buf_printf(out, " gid=%u", m->gid);
}

static const char *const accepted[][2] = {
	{"target=/a", "bind ro target=/a"},
	{"type=bind,src=a,dst=/b,from=c,rw", "bind rw from=c source=a target=/b"},
	{"destination=/b,readonly=0", "bind rw target=/b"},
	{"target=/b,readwrite=F", "bind ro target=/b"},
	{"TYPE=Cache,Target=/c", "cache rw target=/c"},
	{"type=cache,ro,sharing=LOCKED,id=k,target=/c", "cache ro locked target=/c id=k"},
	{"type=cache,target=/c,sharing=private,mode=0755,uid=1,gid=4294967295",
	 "cache rw private target=/c mode=755 uid=1 gid=4294967295"},
	{"type=tmpfs,target=/t,size=1.5k", "tmpfs rw target=/t size=1536"},
	{"type=secret,id=s,env=S,required", "secret ro required id=s env=S"},
	{"type=secret,source=s,env=", "secret ro source=s env="},
	{"type=secret,target=/run/x,mode=400,required=false",
	 "secret ro target=/run/x mode=400"},
	{"type=ssh", "ssh ro"},
	{"type=ssh,required,id=k,target=/s,uid=3", "ssh ro required target=/s id=k uid=3"},
	{"type=$T,target=/$COMMA", "cache rw target=/a,b"},
	{"\"target=/a,b\",\"src=\"\"q\"\"\"", "bind ro source=q target=/a,b"},
	{"target=/a,target=/b", "bind ro target=/b"},
	{"type=bind,id=x,env=y,target=/a", "bind ro target=/a id=x env=y"},
	{"type=cache,target=/c,from=", "cache rw from= target=/c"},
	{"from=a$,target=/x", "bind ro from=a$ target=/x"},
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(accepted); k++) {
		AUTO(run_mount) struct run_mount m = RUN_MOUNT_INIT;
		AUTO(error) struct error err = ERROR_INIT;
		AUTO(buf) struct buf text = BUF_INIT;

		if (dockerfile_parse_mount(accepted[k][0], &x, &m, &err) < 0)
			fail_msg("%s: %s", accepted[k][0], err.message);
		assert_int_equal(dockerfile_parse_mount(accepted[k][0], NULL, NULL, NULL), 0);
		show(&m, &text);
		assert_string_equal(text.data, accepted[k][1]);
	}
}

static const struct {
	const char *value;
	const char *error;
	bool early; /* shows before expansion */
} refused[] = {
	{"", "the list is empty", true},
	{"target=/a,", "invalid field '' must be a key=value pair", false},
	{"target", "invalid field 'target' must be a key=value pair", false},
	{"bogus", "invalid field 'bogus' must be a key=value pair", false},
	{"a\"b=c", "a quote inside a field at its character 2", true},
	{"\"a=b", "a quote has no end", true},
	{"\"a=b\"c", "a quote inside a quoted field at its character 5", true},
	{"type=bnd", "unsupported mount type \"bnd\" (did you mean bind?)", false},
	{"type=", "unsupported mount type \"\"", false},
	{"type=volume", "unsupported mount type \"volume\"", false},
	{"targt=/a", "unexpected key 'targt' in 'targt=/a' (did you mean target?)", false},
	{"nonsense=/a", "unexpected key 'nonsense' in 'nonsense=/a'", false},
	{"target=/a,ro=maybe", "invalid value for ro: maybe", false},
	{"target=/a,rw=", "invalid value for rw: ", false},
	{"target=/a,required", "unexpected key 'required' for mount type 'bind'", false},
	{"required,type=secret,id=a", "unexpected key 'required' for mount type 'bind'", false},
	{"type=ssh,required=perhaps", "invalid value for required: perhaps", false},
	{"target=/a,size=1", "unexpected key 'size' for mount type 'bind'", false},
	{"type=tmpfs,target=/a,size=much", "invalid value for size: much", false},
	{"type=cache,target=/a,sharing=some", "unsupported sharing value \"some\"", false},
	{"type=cache,target=/a,mode=8", "invalid value 8 for mode", false},
	{"type=cache,target=/a,mode=-1", "invalid value -1 for mode", false},
	{"type=cache,target=/a,uid=x", "invalid value x for uid", false},
	{"type=cache,target=/a,gid=4294967296", "invalid value 4294967296 for gid", false},
	{"target=/a,mode=755", "mode not allowed for \"bind\" type mounts", false},
	{"type=tmpfs,target=/a,uid=1", "uid not allowed for \"tmpfs\" type mounts", false},
	{"target=/a,gid=1", "gid not allowed for \"bind\" type mounts", false},
	{"type=secret,id=a,from=b", "secret mount should not have a from", false},
	{"type=secret,id=a,sharing=shared", "secret mount should not define sharing", false},
	{"type=secret", "invalid secret mount. one of source, target required", false},
	{"type=secret,id=", "invalid secret mount. one of source, target required", false},
	{"type=secret,id=a,src=b", "both source and id can't be set", false},
	{"target=/a,sharing=shared", "invalid cache sharing set for bind mount", false},
	{"type=ssh,source=a", "ssh does not support source", false},
	{"from=$T,target=/a", "'from' doesn't support variable expansion", true},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(refused); k++) {
		AUTO(run_mount) struct run_mount m = RUN_MOUNT_INIT;
		AUTO(error) struct error err = ERROR_INIT;
		bool early = refused[k].early;
		int r = dockerfile_parse_mount(refused[k].value, early ? NULL : &x, &m, &err);

		assert_int_equal(r, -ERR_INVALID);
		if (!strstr(err.message, refused[k].error))
			fail_msg("%s: %s", refused[k].value, err.message);
		assert_null(m.target);
		if (!early)
			assert_int_equal(
				dockerfile_parse_mount(refused[k].value, NULL, NULL, NULL), 0);
	}
}

static void test_csv(void **state)
{
	AUTO(strlist) struct strlist l = STRLIST_INIT;
	AUTO(free) char *joined = NULL;
	size_t at = 0;

	(void)state;
	assert_int_equal(csv_split("a,,\"b,\"\"c\"\"\",\"\",\r\n", &l, NULL, NULL), 0);
	joined = strlist_join(&l, "|");
	assert_string_equal(joined, "a||b,\"c\"||");
	assert_int_equal(csv_split("a,b\"c\"", &l, &at, NULL), -ERR_INVALID);
	assert_int_equal(at, 3);
	assert_int_equal(csv_split("\n", &l, NULL, NULL), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_csv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
