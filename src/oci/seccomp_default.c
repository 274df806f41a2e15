/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default seccomp profile, equal in effect to Docker's: what is not
 * listed fails with EPERM.  clone3 fails with ENOSYS instead, because its
 * flags lie in memory that a filter cannot read and libc then falls back to
 * clone, whose flags it can.
 */
#include "oci/oci.h"

#include <errno.h>
#include <string.h>

#include <linux/capability.h>

#include "oci/oci_seccomp.h"

#include "base/mem.h"
#include "base/banned.h"

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define CLONE_NEW_FLAGS UINT64_C(0x7e020000)

/* One line of the profile: it holds when the conditions hold. */
struct group {
	const char *names;	/* separated by blanks */
	uint64_t caps;		/* needed, all of them */
	uint64_t without;	/* must be absent */
	const char *arches;	/* for these only, separated by blanks; NULL: for all */
	const char *not_arches; /* not for these */
	unsigned errno_ret;	/* not 0: refuse with this instead of allowing */
	struct seccomp_arg arg; /* .op 0: none */
};

#define CAP(c) (UINT64_C(1) << CAP_##c)
#define ARG(i, o, v)                                             \
	{                                                        \
		.index = (i), .op = SECCOMP_OP_##o, .value = (v) \
	}
#define NO_BITS(i, v)                                                  \
	{                                                              \
		.index = (i), .op = SECCOMP_OP_MASKED_EQ, .value = (v) \
	}

/* clang-format off */
static const char always[] =
	"_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat "
	"capget capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 "
	"clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
	"clock_nanosleep_time64 close close_range connect copy_file_range creat dup "
	"dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait "
	"epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
	"exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark "
	"fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 "
	"fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 "
	"fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue "
	"futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list "
	"get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid "
	"geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid "
	"getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid "
	"getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid "
	"gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch "
	"inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents "
	"io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get "
	"ioprio_set ipc kill landlock_add_rule landlock_create_ruleset "
	"landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount "
	"listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 "
	"madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir "
	"mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr "
	"mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
	"mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync "
	"munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat "
	"openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free "
	"pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 "
	"process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read "
	"readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 "
	"recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 "
	"restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending "
	"rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
	"rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max "
	"sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
	"sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
	"sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield "
	"seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile "
	"sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area "
	"set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
	"setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 "
	"setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit "
	"setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt "
	"shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn "
	"socketcall socketpair splice stat stat64 statfs statfs64 statmount statx "
	"symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
	"timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
	"timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
	"timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit "
	"umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes "
	"vfork vmsplice wait4 waitid waitpid write writev ";

static const struct group groups[] = {
	{.names = always},
	/* Before 4.8 tracing could get round a filter; we need newer kernels anyway. */
	{.names = "process_vm_readv process_vm_writev ptrace"},

	/* Every address family but AF_ALG (38) and AF_VSOCK (40). */
	{.names = "socket", .arg = ARG(0, LT, 38)},
	{.names = "socket", .arg = ARG(0, EQ, 39)},
	{.names = "socket", .arg = ARG(0, GT, 40)},

	/* PER_LINUX, PER_LINUX32, both with UNAME26, and the question. */
	{.names = "personality", .arg = ARG(0, EQ, 0x0)},
	{.names = "personality", .arg = ARG(0, EQ, 0x8)},
	{.names = "personality", .arg = ARG(0, EQ, 0x20000)},
	{.names = "personality", .arg = ARG(0, EQ, 0x20008)},
	{.names = "personality", .arg = ARG(0, EQ, 0xffffffff)},

	{.names = "sync_file_range2 swapcontext", .arches = "ppc64le"},
	{.names = "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush "
		  "set_tls", .arches = "arm arm64"},
	{.names = "arch_prctl", .arches = "amd64"},
	{.names = "modify_ldt", .arches = "amd64 x86"},
	{.names = "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
	 .arches = "s390x"},
	{.names = "riscv_flush_icache", .arches = "riscv64"},

	{.names = "open_by_handle_at", .caps = CAP(DAC_READ_SEARCH)},
	{.names = "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
		  "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr "
		  "move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
		  "sethostname setns syslog umount umount2 unshare",
	 .caps = CAP(SYS_ADMIN)},
	/* No new name spaces; s390 has the flags in the second argument. */
	{.names = "clone", .without = CAP(SYS_ADMIN), .not_arches = "s390x",
	 .arg = NO_BITS(0, CLONE_NEW_FLAGS)},
	{.names = "clone", .without = CAP(SYS_ADMIN), .arches = "s390x",
	 .arg = NO_BITS(1, CLONE_NEW_FLAGS)},
	{.names = "clone3", .without = CAP(SYS_ADMIN), .errno_ret = ENOSYS},
	{.names = "reboot", .caps = CAP(SYS_BOOT)},
	{.names = "chroot", .caps = CAP(SYS_CHROOT)},
	{.names = "delete_module init_module finit_module", .caps = CAP(SYS_MODULE)},
	{.names = "acct", .caps = CAP(SYS_PACCT)},
	{.names = "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
	 .caps = CAP(SYS_PTRACE)},
	{.names = "iopl ioperm", .caps = CAP(SYS_RAWIO)},
	{.names = "settimeofday stime clock_settime clock_settime64", .caps = CAP(SYS_TIME)},
	{.names = "vhangup", .caps = CAP(SYS_TTY_CONFIG)},
	{.names = "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
	 .caps = CAP(SYS_NICE)},
	{.names = "syslog", .caps = CAP(SYSLOG)},
	{.names = "bpf", .caps = CAP(BPF)},
	{.names = "perf_event_open", .caps = CAP(PERFMON)},
};
/* clang-format on */

static bool names_arch(const char *list, const char *arch)
{
	size_t n = strlen(arch);

	for (const char *at = list; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == n && memcmp(at, arch, n) == 0)
			return true;
		at += word;
	}
	return false;
}

static void split_names(const char *names, struct strlist *out)
{
	while (*names) {
		size_t n = strcspn(names, " ");

		strlist_addn(out, names, n);
		names += n;
		names += strspn(names, " ");
	}
}

void seccomp_profile_default(uint64_t caps, struct seccomp_profile *out)
{
	const char *arch = seccomp_native_arch();

	*out = (struct seccomp_profile){
		.present = true,
		.default_action = SECCOMP_ACTION_ERRNO,
		.default_errno = EPERM,
	};
	seccomp_native_architectures(&out->architectures);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		const struct group *g = &groups[i];
		struct seccomp_rule *rule;

		if ((g->caps & ~caps) || (g->without & caps) ||
		    (g->arches && !names_arch(g->arches, arch)) ||
		    (g->not_arches && names_arch(g->not_arches, arch)))
			continue;
		rule = seccomp_profile_add(out);
		split_names(g->names, &rule->names);
		rule->action = g->errno_ret ? SECCOMP_ACTION_ERRNO : SECCOMP_ACTION_ALLOW;
		rule->errno_ret = g->errno_ret;
		if (g->arg.op)
			rule->args[rule->nargs++] = g->arg;
	}
}
