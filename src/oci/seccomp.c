/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles as documents.  Docker's form adds conditions to the runtime
 * specification's; they are resolved while reading, so that a profile in
 * memory is always the specification's.
 */
#include "oci/oci_seccomp.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/banned.h"

#define RULES_MAX 10000u

struct word {
	const char *name;
	unsigned value;
};

static const struct word actions[] = {
	{"SCMP_ACT_ALLOW", SECCOMP_ACTION_ALLOW},
	{"SCMP_ACT_ERRNO", SECCOMP_ACTION_ERRNO},
	{"SCMP_ACT_KILL", SECCOMP_ACTION_KILL_THREAD},
	{"SCMP_ACT_KILL_THREAD", SECCOMP_ACTION_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SECCOMP_ACTION_KILL_PROCESS},
	{"SCMP_ACT_TRAP", SECCOMP_ACTION_TRAP},
	{"SCMP_ACT_TRACE", SECCOMP_ACTION_TRACE},
	{"SCMP_ACT_LOG", SECCOMP_ACTION_LOG},
};

static const struct word operators[] = {
	{"SCMP_CMP_NE", SECCOMP_OP_NE},
	{"SCMP_CMP_LT", SECCOMP_OP_LT},
	{"SCMP_CMP_LE", SECCOMP_OP_LE},
	{"SCMP_CMP_EQ", SECCOMP_OP_EQ},
	{"SCMP_CMP_GE", SECCOMP_OP_GE},
	{"SCMP_CMP_GT", SECCOMP_OP_GT},
	{"SCMP_CMP_MASKED_EQ", SECCOMP_OP_MASKED_EQ},
};

/* What a machine calls itself, Docker's word, and what a filter here has to know. */
static const struct {
	const char *machine;
	const char *arch;
	const char *filter[4];
} machines[] = {
	{"x86_64", "amd64", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
	{"i686", "x86", {"SCMP_ARCH_X86"}},
	{"aarch64", "arm64", {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}},
	{"armv7l", "arm", {"SCMP_ARCH_ARM"}},
	{"ppc64le", "ppc64le", {"SCMP_ARCH_PPC64LE"}},
	{"s390x", "s390x", {"SCMP_ARCH_S390X", "SCMP_ARCH_S390"}},
	{"riscv64", "riscv64", {"SCMP_ARCH_RISCV64"}},
	{"loongarch64", "loong64", {"SCMP_ARCH_LOONGARCH64"}},
};

static size_t machine_index(void)
{
	struct utsname uts;

	if (uname(&uts) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
			if (str_eq(uts.machine, machines[i].machine))
				return i;
	return ARRAY_SIZE(machines);
}

const char *seccomp_native_arch(void)
{
	size_t i = machine_index();

	return i < ARRAY_SIZE(machines) ? machines[i].arch : "";
}

void seccomp_native_architectures(struct strlist *out)
{
	size_t i = machine_index();

	if (i == ARRAY_SIZE(machines))
		return;
	for (const char *const *f = machines[i].filter; *f; f++)
		strlist_add(out, *f);
}

struct seccomp_rule *seccomp_profile_add(struct seccomp_profile *p)
{
	return vec_push(p);
}

void seccomp_profile_clear(struct seccomp_profile *p)
{
	for (size_t i = 0; i < p->n; i++)
		strlist_clear(&p->items[i].names);
	free(p->items);
	strlist_clear(&p->architectures);
	strlist_clear(&p->flags);
	*p = (struct seccomp_profile){0};
}

static const char *word_name(const struct word *words, size_t n, unsigned value)
{
	/* The later of two names for one value is the specification's newer one. */
	const char *name = "";

	for (size_t i = 0; i < n; i++)
		if (words[i].value == value)
			name = words[i].name;
	return name;
}

static int read_word(const json_t *obj, const char *key, const struct word *words, size_t n,
		     unsigned *out, struct error *err)
{
	AUTO(free) char *text = NULL;
	int rc = json_get_string(obj, key, &text, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(text, words[i].name))
			continue;
		*out = words[i].value;
		return 0;
	}
	return error_set(err, ERR_INVALID, "seccomp: \"%s\" has the unknown value \"%.60s\"",
			 key, text ? text : "");
}

static void write_rule(struct json_writer *w, const struct seccomp_rule *r)
{
	json_write_open(w, '{');
	json_member_strings(w, "names", &r->names);
	json_member_string(w, "action", word_name(actions, ARRAY_SIZE(actions), r->action));
	if (r->errno_ret)
		json_member_u64(w, "errnoRet", r->errno_ret);
	if (r->nargs) {
		json_write_key(w, "args");
		json_write_open(w, '[');
		for (size_t i = 0; i < r->nargs; i++) {
			const struct seccomp_arg *a = &r->args[i];

			json_write_open(w, '{');
			json_member_u64(w, "index", a->index);
			json_member_u64(w, "value", a->value);
			json_member_u64(w, "valueTwo", a->value_two);
			json_member_string(w, "op",
					   word_name(operators, ARRAY_SIZE(operators), a->op));
			json_write_close(w, '}');
		}
		json_write_close(w, ']');
	}
	json_write_close(w, '}');
}

void seccomp_write(struct json_writer *w, const struct seccomp_profile *p)
{
	json_write_open(w, '{');
	json_member_string(w, "defaultAction",
			   word_name(actions, ARRAY_SIZE(actions), p->default_action));
	if (p->default_errno)
		json_member_u64(w, "defaultErrnoRet", p->default_errno);
	json_member_strings_opt(w, "architectures", &p->architectures);
	json_member_strings_opt(w, "flags", &p->flags);
	json_write_key(w, "syscalls");
	json_write_open(w, '[');
	for (size_t i = 0; i < p->n; i++)
		write_rule(w, &p->items[i]);
	json_write_close(w, ']');
	json_write_close(w, '}');
}

static int read_args(const json_t *obj, struct seccomp_rule *r, struct error *err)
{
	json_t *array = NULL;
	int rc = json_get_array(obj, "args", &array, err);

	if (rc < 0)
		return rc;
	if (json_array_size(array) > SECCOMP_ARGS_MAX)
		return error_set(err, ERR_INVALID, "seccomp: a rule has more than %d arguments",
				 SECCOMP_ARGS_MAX);
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct seccomp_arg *a = &r->args[r->nargs++];
		uint64_t index = 0;
		unsigned op = 0;
		json_t *j;

		if ((rc = json_read_element(array, i, "args", &j, err)) < 0 ||
		    (rc = json_get_u64(j, "index", &index, err)) < 0 ||
		    (rc = json_read_wide(j, "value", &a->value, err)) < 0 ||
		    (rc = json_read_wide(j, "valueTwo", &a->value_two, err)) < 0 ||
		    (rc = read_word(j, "op", operators, ARRAY_SIZE(operators), &op, err)) < 0)
			return rc;
		if (index >= SECCOMP_ARGS_MAX)
			return error_set(err, ERR_INVALID, "seccomp: no argument has index %ju",
					 (uintmax_t)index);
		a->index = (unsigned)index;
		a->op = op;
	}
	return 0;
}

static bool kernel_at_least(const char *version)
{
	struct utsname uts;
	unsigned long want_major, want_minor = 0, major, minor = 0;
	char *end;

	want_major = strtoul(version, &end, 10);
	if (*end == '.')
		want_minor = strtoul(end + 1, NULL, 10);
	if (uname(&uts) < 0)
		return true;
	major = strtoul(uts.release, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	return major > want_major || (major == want_major && minor >= want_minor);
}

/* Does the container hold all capabilities of the list, and does @out_any hold for one? */
static int read_caps(const json_t *cond, uint64_t caps, bool *out_all, bool *out_any,
		     struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	int rc = json_get_strings(cond, "caps", &names, NULL, err);

	*out_all = true;
	*out_any = false;
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		uint64_t mask = 0;

		rc = capability_parse(names.items[i], &mask, err);
		if (caps & mask)
			*out_any = true;
		else
			*out_all = false;
	}
	return rc;
}

/* Docker's "includes" and "excludes"; @out_applies tells whether the rule is in force here. */
static int read_conditions(const json_t *obj, uint64_t caps, bool *out_applies,
			   struct error *err)
{
	static const char *const sides[] = {"includes", "excludes"};

	*out_applies = true;
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		AUTO(strlist) struct strlist arches = STRLIST_INIT;
		AUTO(free) char *kernel = NULL;
		bool all, any, here;
		json_t *cond = NULL;
		int rc;

		if ((rc = json_get_object(obj, sides[i], &cond, err)) < 0)
			return rc;
		if (!cond)
			continue;
		if ((rc = read_caps(cond, caps, &all, &any, err)) < 0 ||
		    (rc = json_get_strings(cond, "arches", &arches, NULL, err)) < 0 ||
		    (rc = json_get_string(cond, "minKernel", &kernel, err)) < 0)
			return rc;
		here = strlist_find(&arches, seccomp_native_arch()) >= 0;
		if (i == 0 &&
		    (!all || (arches.n && !here) || (kernel && !kernel_at_least(kernel))))
			*out_applies = false;
		if (i == 1 && (any || here || (kernel && kernel_at_least(kernel))))
			*out_applies = false;
	}
	return 0;
}

static int read_rule(const json_t *obj, uint64_t caps, struct seccomp_profile *p,
		     struct error *err)
{
	struct seccomp_rule *r;
	AUTO(free) char *single = NULL;
	uint64_t errno_ret = 0;
	unsigned action = 0;
	bool applies;
	int rc = read_conditions(obj, caps, &applies, err);

	if (rc < 0 || !applies)
		return rc;
	r = seccomp_profile_add(p);
	if ((rc = json_get_strings(obj, "names", &r->names, NULL, err)) < 0 ||
	    (rc = json_get_string(obj, "name", &single, err)) < 0 ||
	    (rc = json_get_u64(obj, "errnoRet", &errno_ret, err)) < 0 ||
	    (rc = read_word(obj, "action", actions, ARRAY_SIZE(actions), &action, err)) < 0)
		return rc;
	if (single)
		strlist_add(&r->names, single);
	if (errno_ret > 4095)
		return error_set(err, ERR_INVALID, "seccomp: %ju is not an errno",
				 (uintmax_t)errno_ret);
	r->action = action;
	r->errno_ret = (unsigned)errno_ret;
	return read_args(obj, r, err);
}

static int read_architectures(const json_t *obj, struct seccomp_profile *p, struct error *err)
{
	json_t *map = NULL;
	int rc = json_get_array(obj, "archMap", &map, err);

	if (rc < 0)
		return rc;
	if (map) {
		seccomp_native_architectures(&p->architectures);
		return 0;
	}
	return json_get_strings(obj, "architectures", &p->architectures, NULL, err);
}

int seccomp_read(const json_t *obj, uint64_t caps, struct seccomp_profile *out,
		 struct error *err)
{
	json_t *rules = NULL;
	uint64_t errno_ret = 0;
	unsigned action = 0;
	int rc;

	out->present = true;
	if ((rc = read_word(obj, "defaultAction", actions, ARRAY_SIZE(actions), &action, err)) <
		    0 ||
	    (rc = json_get_u64(obj, "defaultErrnoRet", &errno_ret, err)) < 0 ||
	    (rc = read_architectures(obj, out, err)) < 0 ||
	    (rc = json_get_strings(obj, "flags", &out->flags, NULL, err)) < 0 ||
	    (rc = json_get_array(obj, "syscalls", &rules, err)) < 0)
		return rc;
	if (errno_ret > 4095)
		return error_set(err, ERR_INVALID, "seccomp: %ju is not an errno",
				 (uintmax_t)errno_ret);
	out->default_action = action;
	out->default_errno = (unsigned)errno_ret;
	if (json_array_size(rules) > RULES_MAX)
		return error_set(err, ERR_LIMIT, "seccomp: more than %u rules", RULES_MAX);
	for (size_t i = 0; i < json_array_size(rules); i++) {
		json_t *rule;

		if ((rc = json_read_element(rules, i, "syscalls", &rule, err)) < 0 ||
		    (rc = read_rule(rule, caps, out, err)) < 0)
			return rc;
	}
	return 0;
}

int seccomp_profile_parse(const char *data, size_t len, uint64_t caps,
			  struct seccomp_profile *out, struct error *err)
{
	AUTO(json) json_t *doc = NULL;
	int rc;

	*out = (struct seccomp_profile){0};
	if (len > LIMIT_CONFIG_BYTES)
		return error_set(err, ERR_LIMIT, "seccomp profile: larger than %u bytes",
				 LIMIT_CONFIG_BYTES);
	rc = json_read_wide_document(data, len, "seccomp profile", &doc, err);
	if (rc == 0)
		rc = seccomp_read(doc, caps, out, err);
	if (rc < 0)
		seccomp_profile_clear(out);
	return rc;
}
