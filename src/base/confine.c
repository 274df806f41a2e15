/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"

#include "base/banned.h"

#if defined(__x86_64__)
#define AUDIT_ARCH_SELF AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_SELF AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define AUDIT_ARCH_SELF AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define AUDIT_ARCH_SELF AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define AUDIT_ARCH_SELF AUDIT_ARCH_S390X
#endif

#define MOST_CALLS 128

#ifdef AUDIT_ARCH_SELF
int confine_calls(const int *calls, size_t n)
{
	enum {
		HEAD = 6,
	};
	struct sock_filter code[HEAD + 2 * MOST_CALLS + 1] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_SELF, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* the second table of numbers of x86-64 */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = (unsigned short)(HEAD + 2 * n + 1), .filter = code};

	if (n > MOST_CALLS) {
		errno = E2BIG;
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		code[HEAD + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								  (uint32_t)calls[i], 0, 1);
		code[HEAD + 2 * i + 1] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[HEAD + 2 * n] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
int confine_calls(const int *calls, size_t n)
{
	(void)calls;
	(void)n;
	errno = ENOSYS;
	return -1;
}
#endif

int confine_privileges(struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_sys(err, "cannot give up privileges");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

void confine_limit(int what, rlim_t most)
{
	struct rlimit now, want = {.rlim_cur = most, .rlim_max = most};

	if (getrlimit(what, &now) == 0 && now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
		want.rlim_cur = want.rlim_max = now.rlim_max;
	setrlimit(what, &want);
}

int confine_capabilities(uint32_t keep, struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {0};

	if (syscall(SYS_capget, &head, caps) < 0)
		return error_sys(err, "cannot read capabilities");
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
		if (c >= 32 || !(keep & 1u << c))
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	caps[0].permitted &= keep;
	caps[0].effective = caps[0].permitted;
	caps[1].permitted = caps[1].effective = 0;
	caps[0].inheritable = caps[1].inheritable = 0;
	if (syscall(SYS_capset, &head, caps) < 0)
		return error_sys(err, "cannot give up capabilities");
	return 0;
}
