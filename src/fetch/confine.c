/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/fetch_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

#define COUNT(a)     (sizeof(a) / sizeof(*(a)))
#define MEMORY_BYTES (1ull << 30)

/* ---- files ---- */

/* The resolver's, the C library's and OpenSSL's; on several distributions. */
static const char *const readable_files[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/host.conf",
	"/etc/nsswitch.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/localtime",
	"/etc/ld.so.cache",
	"/etc/ssl",
	"/etc/pki",
	"/etc/crypto-policies",
	"/etc/ca-certificates",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/usr/share/pki",
	"/usr/share/crypto-policies",
	"/var/lib/ca-certificates",
	"/run/systemd/resolve",
	"/run/resolvconf",
	"/run/NetworkManager",
	"/usr/lib",
	"/usr/lib32",
	"/usr/lib64",
	"/usr/local/lib",
	"/usr/local/ssl",
	"/lib",
	"/lib64",
	"/nix/store",
	"/gnu/store",
	"/dev/urandom",
	"/dev/null",
#ifdef SANITIZED
	"/proc", /* its search for leaks */
#endif
};

/* All that ABI 1 knows; of these, reading is given to the paths above. */
#define ALL_RIGHTS  ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define FILE_RIGHTS LANDLOCK_ACCESS_FS_READ_FILE
#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* What is not there needs no rule. */
static void allow(int rules, const char *path)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = FILE_RIGHTS};
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	if (fstat(rule.parent_fd, &st) == 0 && S_ISDIR(st.st_mode))
		rule.allowed_access = READ_RIGHTS;
	syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

static int restrict_files(char *const *more)
{
	static const char *const variables[] = {"SSL_CERT_FILE", "SSL_CERT_DIR",
						"CURL_CA_BUNDLE"};
	struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_RIGHTS};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int r;

	if (rules < 0)
		return 0;
	for (size_t i = 0; i < COUNT(readable_files); i++)
		allow(rules, readable_files[i]);
	for (size_t i = 0; i < COUNT(variables); i++)
		if (getenv(variables[i]))
			allow(rules, getenv(variables[i]));
	for (; *more; more++)
		allow(rules, *more);
	r = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	close(rules);
	return r;
}

/* ---- system calls ---- */

/*
 * A list of what is denied, and not of what is allowed: libcurl's, OpenSSL's and the
 * C library's threads ask for many things, and for others in their next version.
 */
static const int denied_calls[] = {
	SYS_execve,
	SYS_execveat,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kill,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
	SYS_mount,
	SYS_umount2,
	SYS_move_mount,
	SYS_open_tree,
	SYS_fsopen,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_pivot_root,
	SYS_chroot,
	SYS_setns,
	SYS_unshare,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_userfaultfd,
	SYS_open_by_handle_at,
	SYS_name_to_handle_at,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_setuid,
	SYS_setgid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setgroups,
	SYS_fchmod,
	SYS_fchmodat,
	SYS_fchown,
	SYS_fchownat,
	SYS_setxattr,
	SYS_fsetxattr,
	SYS_truncate,
	SYS_utimensat,
	SYS_ioprio_set,
	SYS_sched_setaffinity,
	SYS_listen,
	SYS_accept4,
	SYS_personality,
	SYS_syslog,
	SYS_acct,
	SYS_quotactl,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_kcmp,
	SYS_shmget,
	SYS_msgget,
	SYS_semget,
/* not on younger machines */
#ifdef SYS_chmod
	SYS_chmod,
#endif
#ifdef SYS_chown
	SYS_chown,
#endif
#ifdef SYS_accept
	SYS_accept,
#endif
#ifndef SANITIZED
	SYS_ptrace, /* its search for leaks */
#endif
};

#define DENY(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

#ifdef AUDIT_ARCH_SELF
static size_t add_sockets(struct sock_filter *code)
{
	/* NETLINK: which addresses this machine has; UNIX: name services */
	static const uint32_t families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK};
	size_t n = 0;

	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0,
						 COUNT(families) + 3);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, args[0]));
	for (size_t i = 0; i < COUNT(families); i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, families[i],
							 (uint8_t)(COUNT(families) - i), 0);
	code[n++] = (struct sock_filter)DENY(EAFNOSUPPORT);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return n;
}

static int filter_calls(void)
{
	struct sock_filter code[16 + 2 * COUNT(denied_calls)] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_SELF, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* the second table of numbers of x86-64 */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.filter = code};
	size_t n = 6;

	for (size_t i = 0; i < COUNT(denied_calls); i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (uint32_t)denied_calls[i], 0, 1);
		code[n++] = (struct sock_filter)DENY(EPERM);
	}
	n += add_sockets(code + n);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
static int filter_calls(void)
{
	return 0;
}
#endif

/* ---- all ---- */

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	return (int)syscall(SYS_capset, &head, none);
}

/* Less, if the caller has less. */
static void limit_memory(void)
{
#ifndef SANITIZED /* its shadow is terabytes of data */
	struct rlimit now, memory = {MEMORY_BYTES, MEMORY_BYTES};

	if (getrlimit(RLIMIT_DATA, &now) == 0 && now.rlim_max > MEMORY_BYTES)
		setrlimit(RLIMIT_DATA, &memory);
#endif
}

int fetch_confine(char *const *readable)
{
	struct rlimit none = {0};

	setrlimit(RLIMIT_CORE, &none);
	limit_memory();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || restrict_files(readable) < 0 ||
	    drop_capabilities() < 0)
		return -1;
	return filter_calls();
}
