/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe WHAT - what a process in a container can do; static, for any image
 *
 *   fds                 the numbers of its open descriptors
 *   calls               each system call by its number, in a child, with arguments that do
 *                       nothing: "NUMBER RESULT"
 *   arguments           system calls that a filter judges by their arguments
 *   overwrite SECONDS   looks for processes whose program is not one of the container's, and
 *                       tries to open those for writing, while they live and after
 *   swap A B            exchanges two names for ever
 *   devices             "TYPE MAJOR:MINOR" of what mknod(2) and open(2) give
 *   shocker             a file of the host by a handle that was guessed
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 470
#define BAD   (-1L)

static const char *name_of(int error)
{
	const char *name = strerrorname_np(error);

	return error == 0 ? "OK" : name ? name : "UNKNOWN";
}

static int show_fds(void)
{
	for (int fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d ", fd);
	putchar('\n');
	return 0;
}

/* The child's answer is its exit status; one that sleeps or dies is allowed as well. */
static const char *try_call(long number)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		signal(SIGSYS, SIG_DFL);
		alarm(1);
		long r = syscall(number, BAD, BAD, BAD, BAD, BAD, BAD);

		_exit(r < 0 && errno < 250 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? "SIGSYS" : "OK";
	return name_of(WEXITSTATUS(status));
}

static int show_calls(void)
{
	/* these end, stop, fork or change the whole machine with such arguments */
	static const int left_out[] = {SYS_exit,   SYS_exit_group,   SYS_fork,
				       SYS_vfork,  SYS_pause,	     SYS_sync,
				       SYS_reboot, SYS_rt_sigreturn, SYS_vhangup};

	for (int n = 0; n < CALLS; n++) {
		int skip = 0;

		for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
			skip |= left_out[i] == n;
		if (!skip)
			printf("%d %s\n", n, try_call(n));
	}
	return 0;
}

static void say(const char *what, long result)
{
	printf("%s %s\n", what, result < 0 ? name_of(errno) : "OK");
	fflush(stdout);
}

static int in_child(int (*what)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(what() < 0 ? errno : 0);
	waitpid(pid, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
	return errno ? -1 : 0;
}

static int unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}
static int unshare_mounts(void)
{
	return unshare(CLONE_NEWNS);
}
static int unshare_cgroup(void)
{
	return unshare(CLONE_NEWCGROUP);
}
static int clone_user(void)
{
	return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}
static int clone3(void)
{
	unsigned long args[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};

	return (int)syscall(SYS_clone3, args, sizeof(args));
}
static int join_first(void)
{
	int fd = open("/proc/1/ns/mnt", O_RDONLY);

	return fd < 0 ? -1 : setns(fd, 0);
}
static int trace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, 0, 0);
}

static int show_arguments(void)
{
	static const unsigned long personalities[] = {
		0, 8, 0x20000, 0x20008, 0xffffffff, ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC};
	char text[64];

	for (size_t i = 0; i < sizeof(personalities) / sizeof(*personalities); i++) {
		snprintf(text, sizeof(text), "personality %#lx", personalities[i]);
		errno = 0;
		say(text, syscall(SYS_personality, personalities[i]));
	}
	say("socket AF_UNIX", socket(AF_UNIX, SOCK_STREAM, 0));
	say("socket AF_INET", socket(AF_INET, SOCK_STREAM, 0));
	say("socket AF_NETLINK", socket(AF_NETLINK, SOCK_RAW, 0));
	say("socket AF_ALG", socket(AF_ALG, SOCK_SEQPACKET, 0));
	say("socket AF_VSOCK", socket(AF_VSOCK, SOCK_STREAM, 0));
	say("unshare user", in_child(unshare_user));
	say("unshare mounts", in_child(unshare_mounts));
	say("unshare cgroup", in_child(unshare_cgroup));
	say("clone user", in_child(clone_user));
	say("clone3 user", in_child(clone3));
	say("setns", in_child(join_first));
	say("ptrace", in_child(trace));
	say("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, ""));
	say("umount", syscall(SYS_umount2, "/proc", 2));
	say("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
	say("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	say("pivot_root", syscall(SYS_pivot_root, ".", "."));
	say("bpf", syscall(SYS_bpf, 0, "", 0));
	say("perf_event_open", syscall(SYS_perf_event_open, 0, 0, -1, -1, 0));
	say("userfaultfd", syscall(SYS_userfaultfd, 0));
	say("io_uring_setup", syscall(SYS_io_uring_setup, 1, 0));
	say("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
	say("add_key", syscall(SYS_add_key, "user", "x", "y", 1, KEY_SPEC_PROCESS_KEYRING));
	say("request_key", syscall(SYS_request_key, "user", "x", 0, 0));
	say("init_module", syscall(SYS_init_module, "", 0, ""));
	say("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
	say("swapoff", syscall(SYS_swapoff, "/none"));
	say("acct", syscall(SYS_acct, "/none"));
	say("settimeofday", syscall(SYS_settimeofday, 0, "12345678"));
	say("syslog", syscall(SYS_syslog, 3, text, 1));
	say("quotactl", syscall(SYS_quotactl, 0, 0, 0, 0));
	say("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", text, text, -1));
	say("iopl", syscall(SYS_iopl, 3));
	say("chroot", chroot("/"));
	return 0;
}

static int is_foreign(const char *program)
{
	return *program && !strstr(program, "busybox") && !strstr(program, "probe");
}

/* The program of each process that is not one of the container's, once. */
static int look_for_foreign(int *fds, int n, int max)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;

	while (n < max && (e = readdir(proc))) {
		char path[300], program[300];
		struct stat st, old;
		ssize_t len;
		int known = 0;

		if (*e->d_name < '0' || *e->d_name > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/exe", e->d_name);
		len = readlink(path, program, sizeof(program) - 1);
		program[len > 0 ? len : 0] = 0;
		if (!is_foreign(program) || (fds[n] = open(path, O_PATH)) < 0)
			continue;
		for (int i = 0; i < n && fstat(fds[n], &st) == 0; i++)
			known |= fstat(fds[i], &old) == 0 && old.st_ino == st.st_ino;
		if (known)
			close(fds[n]);
		else
			printf("found %d\n", n++);
	}
	closedir(proc);
	fflush(stdout);
	return n;
}

static int overwrite(time_t seconds)
{
	time_t end = time(NULL) + seconds;
	int fds[16], last[16] = {0}, n = 0;
	char path[64];

	puts("ready");
	fflush(stdout);
	while (time(NULL) < end) {
		n = look_for_foreign(fds, n, 15);
		for (int i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);

			int fd = open(path, O_WRONLY);

			if (fd >= 0) {
				puts("OPENED");
				return (int)write(fd, "#!", 2);
			}
			if (errno != last[i])
				printf("%d %s\n", i, name_of(last[i] = errno));
		}
		fflush(stdout);
	}
	return 0;
}

static int swap(const char *a, const char *b)
{
	puts("ready");
	fflush(stdout);
	for (;;)
		if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0)
			return 1;
}

static int show_devices(void)
{
	static const struct {
		mode_t type;
		int major, minor;
	} all[] = {
		{S_IFCHR, 1, 3},    {S_IFCHR, 1, 5},	{S_IFCHR, 1, 7},    {S_IFCHR, 1, 8},
		{S_IFCHR, 1, 9},    {S_IFCHR, 5, 0},	{S_IFCHR, 1, 1},    {S_IFCHR, 1, 2},
		{S_IFCHR, 1, 4},    {S_IFCHR, 1, 11},	{S_IFCHR, 10, 229}, {S_IFCHR, 10, 200},
		{S_IFCHR, 10, 237}, {S_IFCHR, 10, 232}, {S_IFCHR, 4, 0},    {S_IFCHR, 4, 64},
		{S_IFBLK, 7, 0},    {S_IFBLK, 8, 0},	{S_IFBLK, 254, 0},  {S_IFBLK, 253, 0}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		int fd = -1;

		unlink("/tmp/node");
		if (mknod("/tmp/node", all[i].type | 0600,
			  makedev(all[i].major, all[i].minor)) == 0)
			fd = open("/tmp/node", O_RDWR | O_NONBLOCK | O_NOCTTY);
		printf("%c %d:%d ", all[i].type == S_IFCHR ? 'c' : 'b', all[i].major,
		       all[i].minor);
		say("", fd);
		close(fd);
	}
	return 0;
}

/* The root of a file system is inode 2 on ext4 and 128 on xfs: no need to have seen a handle.
 */
static int shocker(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[8];
	} handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
	int at = open("/etc/hosts", O_RDONLY);

	say("open_by_handle_at",
	    at < 0 ? -1 : syscall(SYS_open_by_handle_at, at, &handle, O_RDONLY));
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "fds"))
		return show_fds();
	if (!strcmp(what, "calls"))
		return show_calls();
	if (!strcmp(what, "arguments"))
		return show_arguments();
	if (!strcmp(what, "overwrite") && argc == 3)
		return overwrite(strtol(argv[2], NULL, 10));
	if (!strcmp(what, "swap") && argc == 4)
		return swap(argv[2], argv[3]);
	if (!strcmp(what, "devices"))
		return show_devices();
	if (!strcmp(what, "shocker"))
		return shocker();
	fprintf(stderr, "usage: probe fds|calls|arguments|overwrite SECONDS|swap A "
			"B|devices|shocker\n");
	return 2;
}
