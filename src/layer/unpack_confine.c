/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"

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

/*
 * Reading, memory, and acts on files by descriptor.  Nothing that starts,
 * sends or mounts.  (qsort(3) asks sysinfo how much memory there is.)
 */
static const int allowed_calls[] = {
	SYS_read,	 SYS_pread64,	 SYS_readv,	   SYS_write,
	SYS_pwrite64,	 SYS_writev,	 SYS_lseek,	   SYS_close,
	SYS_fcntl,	 SYS_fstat,	 SYS_newfstatat,   SYS_statx,
	SYS_getdents64,	 SYS_readlinkat, SYS_openat,	   SYS_openat2,
	SYS_mkdirat,	 SYS_mknodat,	 SYS_symlinkat,	   SYS_linkat,
	SYS_unlinkat,	 SYS_ftruncate,	 SYS_fchmod,	   SYS_fchmodat,
	SYS_fchown,	 SYS_fchownat,	 SYS_utimensat,	   SYS_fsetxattr,
	SYS_fgetxattr,	 SYS_flistxattr, SYS_fremovexattr, SYS_mmap,
	SYS_munmap,	 SYS_mremap,	 SYS_mprotect,	   SYS_madvise,
	SYS_brk,	 SYS_futex,	 SYS_rt_sigreturn, SYS_rt_sigprocmask,
	SYS_geteuid,	 SYS_getegid,	 SYS_sysinfo,	   SYS_getpid,
	SYS_gettid,	 SYS_tgkill,	 SYS_getrandom,	   SYS_clock_gettime,
	SYS_exit,	 SYS_exit_group,
#ifdef __SANITIZE_ADDRESS__
	SYS_sigaltstack, /* its end */
#endif
};

#ifdef AUDIT_ARCH_SELF
static int filter_calls(void)
{
	enum {
		N = ARRAY_SIZE(allowed_calls),
		HEAD = 6,
	};
	struct sock_filter code[HEAD + 2 * N + 1] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_SELF, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* the second table of numbers of x86-64 */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

	for (size_t i = 0; i < N; i++) {
		code[HEAD + 2 * i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed_calls[i], 0, 1);
		code[HEAD + 2 * i + 1] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[HEAD + 2 * N] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
static int filter_calls(void)
{
	errno = ENOSYS;
	return -1;
}
#endif

/* Rights that ABI 2 knows: without its REFER, no hard link could cross a directory. */
#define TREE_RIGHTS                                                      \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |  \
	 LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |   \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |     \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | FS_REFER)
#define FS_REFER \
	(1ull << 13) /* LANDLOCK_ACCESS_FS_REFER, newer than Debian 12's headers may be */
#define FS_EXECUTE LANDLOCK_ACCESS_FS_EXECUTE

/* Best effort: a kernel without it, or a tree it cannot name, leaves it to the rest. */
static void restrict_files(int tree)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = TREE_RIGHTS | FS_EXECUTE};
	struct landlock_path_beneath_attr rule = {.allowed_access = TREE_RIGHTS,
						  .parent_fd = tree};
	long abi =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	AUTO(fd) int rules = -1;

	if (abi < 2)
		return;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return;
	if (tree >= 0 &&
	    syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return;
	syscall(SYS_landlock_restrict_self, rules, 0);
}

static void limit(int what, rlim_t most)
{
	struct rlimit now, want = {.rlim_cur = most, .rlim_max = most};

	if (getrlimit(what, &now) == 0 && now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
		want.rlim_cur = want.rlim_max = now.rlim_max;
	setrlimit(what, &want);
}

/* Keeps of what we have only what makes files; without any, this changes nothing. */
static int drop_capabilities(enum layer_unpack_mode mode, struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {0};
	uint32_t keep = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER |
			1u << CAP_FSETID | 1u << CAP_MKNOD | 1u << CAP_SETFCAP;

	if (mode == LAYER_UNPACK_LAYER)
		keep |= 1u << CAP_SYS_ADMIN; /* trusted.overlay.opaque asks for it */
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

int unpack_confine(int tree, enum layer_unpack_mode mode, struct error *err)
{
	bool no_network;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_sys(err, "cannot give up privileges");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#ifndef __SANITIZE_ADDRESS__ /* its shadow is terabytes of addresses */
	limit(RLIMIT_AS, UNPACK_MEMORY);
#endif
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, LIMIT_TREE_DEPTH + 64);
	/* the filter has no socket(2): the name space is only for where there is no filter */
	no_network = prctl(PR_GET_SECCOMP) < 0 && unshare(CLONE_NEWNET) == 0;
	if ((r = drop_capabilities(mode, err)) < 0)
		return r;
	restrict_files(tree);
	if (filter_calls() < 0 && !no_network)
		return error_sys(err, "cannot confine the program that reads archives");
	return 0;
}
