/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From rules to a BPF program, by libseccomp.
 *
 * In front of its program comes a stub: a system call that is newer than all
 * that the profile speaks of fails with ENOSYS, not with the profile's EPERM,
 * because programs take ENOSYS as "use the old way" and EPERM as the end
 * (glibc's fchmodat2 and clone3 are known victims).
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

#define X32_BIT 0x40000000u

static uint32_t action_of(enum seccomp_action action, unsigned errno_ret)
{
	switch (action) {
	case SECCOMP_ACTION_ALLOW:
		return SCMP_ACT_ALLOW;
	case SECCOMP_ACTION_ERRNO:
		return SCMP_ACT_ERRNO(errno_ret ? errno_ret : EPERM);
	case SECCOMP_ACTION_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case SECCOMP_ACTION_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case SECCOMP_ACTION_TRAP:
		return SCMP_ACT_TRAP;
	case SECCOMP_ACTION_TRACE:
		return SCMP_ACT_TRACE(errno_ret);
	case SECCOMP_ACTION_LOG:
		return SCMP_ACT_LOG;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static enum scmp_compare compare_of(enum seccomp_op op)
{
	switch (op) {
	case SECCOMP_OP_NE:
		return SCMP_CMP_NE;
	case SECCOMP_OP_LT:
		return SCMP_CMP_LT;
	case SECCOMP_OP_LE:
		return SCMP_CMP_LE;
	case SECCOMP_OP_EQ:
		return SCMP_CMP_EQ;
	case SECCOMP_OP_GE:
		return SCMP_CMP_GE;
	case SECCOMP_OP_GT:
		return SCMP_CMP_GT;
	case SECCOMP_OP_MASKED_EQ:
		return SCMP_CMP_MASKED_EQ;
	}
	return SCMP_CMP_EQ;
}

/* "SCMP_ARCH_X86_64" is the library's "x86_64"; 0 if it has no such name. */
static uint32_t arch_of(const char *name)
{
	AUTO(free) char *lower = str_lower(str_starts(name, "SCMP_ARCH_") ? name + 10 : name);

	return seccomp_arch_resolve_name(lower);
}

static int add_architectures(scmp_filter_ctx ctx, const struct seccomp_profile *p,
			     struct error *err)
{
	for (size_t i = 0; i < p->architectures.n; i++) {
		uint32_t arch = arch_of(p->architectures.items[i]);
		int r = arch ? seccomp_arch_add(ctx, arch) : -EINVAL;

		if (r < 0 && r != -EEXIST)
			return error_set(err, ERR_INVALID,
					 "the seccomp profile names the architecture %s, which "
					 "is unknown here",
					 p->architectures.items[i]);
	}
	return 0;
}

static int add_call(scmp_filter_ctx ctx, const struct seccomp_rule *rule, int call,
		    uint32_t action)
{
	struct scmp_arg_cmp args[SECCOMP_ARGS_MAX];
	bool twice = false;
	int r = 0;

	for (size_t i = 0; i < rule->nargs; i++) {
		const struct seccomp_arg *a = &rule->args[i];

		args[i] = (struct scmp_arg_cmp){.arg = a->index,
						.op = compare_of(a->op),
						.datum_a = a->value,
						.datum_b = a->value_two};
		for (size_t k = 0; k < i; k++)
			twice = twice || args[k].arg == args[i].arg;
	}
	if (!twice)
		return seccomp_rule_add_array(ctx, action, call, (unsigned)rule->nargs, args);
	/* the library takes an argument once in a rule; as runc has it, several are
	 * alternatives */
	for (size_t i = 0; r >= 0 && i < rule->nargs; i++)
		r = seccomp_rule_add_array(ctx, action, call, 1, &args[i]);
	return r;
}

static int add_rules(scmp_filter_ctx ctx, const struct seccomp_profile *p, uint32_t fallback,
		     struct error *err)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct seccomp_rule *rule = &p->items[i];
		uint32_t action = action_of(rule->action, rule->errno_ret);

		/* the library refuses a rule that says what happens anyway */
		if (action == fallback)
			continue;
		for (size_t k = 0; k < rule->names.n; k++) {
			int call = seccomp_syscall_resolve_name(rule->names.items[k]);
			int r;

			if (call == __NR_SCMP_ERROR)
				continue;
			r = add_call(ctx, rule, call, action);
			if (r < 0)
				return error_set(err, ERR_INVALID,
						 "the seccomp rule for %s cannot be compiled: "
						 "%s",
						 rule->names.items[k], strerror(-r));
		}
	}
	return 0;
}

/* ---- the stub ---------------------------------------------------------------------------- */

/* The highest number among the profile's calls on one architecture; -1: none. */
static int newest_known(const struct seccomp_profile *p, uint32_t arch)
{
	int newest = -1;

	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->items[i].names.n; k++) {
			int call = seccomp_syscall_resolve_name_arch(
				arch, p->items[i].names.items[k]);

			/* negative: a call that this architecture does not have */
			if (call > newest)
				newest = call;
		}
	return newest;
}

static void add_stub(struct seccomp_program *out, size_t *n, uint32_t audit_arch, int newest)
{
	const struct sock_filter stub[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit_arch, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* x32 has numbers of its own */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)newest, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	out->items = mem_resize(out->items, *n + ARRAY_SIZE(stub), sizeof(*out->items));
	memcpy(out->items + *n, stub, sizeof(stub));
	*n += ARRAY_SIZE(stub);
}

static void add_stubs(const struct seccomp_profile *p, struct seccomp_program *out)
{
	uint32_t native = seccomp_arch_native();

	if (p->default_action != SECCOMP_ACTION_ERRNO || p->default_errno == ENOSYS)
		return;
	for (size_t i = 0; i <= p->architectures.n; i++) {
		uint32_t arch = i ? arch_of(p->architectures.items[i - 1]) : native;
		int newest;

		/* the library's tokens are the audit numbers, but for x32 */
		if ((i && arch == native) || !arch || arch == SCMP_ARCH_X32)
			continue;
		newest = newest_known(p, arch);
		if (newest >= 0)
			add_stub(out, &out->n, arch, newest);
	}
}

static int append_export(scmp_filter_ctx ctx, struct seccomp_program *out, struct error *err)
{
	AUTO(fd) int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;
	size_t n;

	if (fd < 0)
		return error_sys(err, "memfd_create");
	if (seccomp_export_bpf(ctx, fd) < 0 || fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return error_set(err, ERR_SYSTEM, "the seccomp profile cannot be compiled");
	n = (size_t)st.st_size / sizeof(struct sock_filter);
	if (out->n + n > BPF_MAXINSNS)
		return error_set(err, ERR_LIMIT,
				 "the seccomp profile is too large: %zu instructions of %d",
				 out->n + n, BPF_MAXINSNS);
	out->items = mem_resize(out->items, out->n + n, sizeof(*out->items));
	if (io_read_full(fd, out->items + out->n, n * sizeof(*out->items)) !=
	    (ssize_t)(n * sizeof(*out->items)))
		return error_sys(err, "cannot read the compiled seccomp profile");
	out->n += n;
	return 0;
}

int seccomp_program_compile(const struct seccomp_profile *p, struct seccomp_program *out,
			    struct error *err)
{
	uint32_t fallback = action_of(p->default_action, p->default_errno);
	scmp_filter_ctx ctx = seccomp_init(fallback);
	int r;

	*out = (struct seccomp_program){0};
	if (!ctx)
		return error_set(err, ERR_INVALID, "the seccomp profile has no default action");
	/* a binary tree over the numbers instead of a chain */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = add_architectures(ctx, p, err);
	if (r == 0)
		r = add_rules(ctx, p, fallback, err);
	if (r == 0) {
		add_stubs(p, out);
		r = append_export(ctx, out, err);
	}
	seccomp_release(ctx);
	if (r < 0)
		seccomp_program_clear(out);
	return r;
}
