/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/limits.h"

#include "base/banned.h"

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
#ifdef SANITIZED
	SYS_sigaltstack, /* its end */
#endif
};

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

int unpack_confine(int tree, enum layer_unpack_mode mode, struct error *err)
{
	/* only what makes files */
	uint32_t keep = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER |
			1u << CAP_FSETID | 1u << CAP_MKNOD | 1u << CAP_SETFCAP;
	bool no_network;
	int r;

	if ((r = confine_privileges(err)) < 0)
		return r;
#ifndef SANITIZED /* its shadow is terabytes of addresses */
	confine_limit(RLIMIT_AS, UNPACK_MEMORY);
#endif
	confine_limit(RLIMIT_CORE, 0);
	confine_limit(RLIMIT_NOFILE, LIMIT_TREE_DEPTH + 64);
	/* the filter has no socket(2): the name space is only for where there is no filter */
	no_network = prctl(PR_GET_SECCOMP) < 0 && unshare(CLONE_NEWNET) == 0;
	if (mode == LAYER_UNPACK_LAYER)
		keep |= 1u << CAP_SYS_ADMIN; /* trusted.overlay.opaque asks for it */
	if ((r = confine_capabilities(keep, err)) < 0)
		return r;
	restrict_files(tree);
	if (confine_calls(allowed_calls, ARRAY_SIZE(allowed_calls)) < 0 && !no_network)
		return error_sys(err, "cannot confine the program that reads archives");
	return 0;
}
