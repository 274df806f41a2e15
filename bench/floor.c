/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor.c - what the same work costs with bare system calls
 *
 *   floor rebuild CONTEXT       hash the Dockerfile, lstat all that lies beside it
 *   floor walk DIRECTORY        lstat every file below
 *   floor container ROOTFS WORK COMMAND...
 *                               COMMAND in name spaces of its own on an overlay
 *                               of ROOTFS; WORK is an empty directory
 *   floor enter PID COMMAND...  COMMAND in the name spaces of PID
 *
 * It checks nothing, cleans up nothing that the kernel does not, and keeps no
 * record: no real tool can be as fast, but none needs to be far from it.
 */
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <nettle/sha2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long files;

static int count(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)path, (void)st, (void)type, (void)at;
	files++;
	return 0;
}

static int walk(const char *directory)
{
	if (nftw(directory, count, 64, FTW_PHYS) < 0)
		err(1, "%s", directory);
	return 0;
}

static int rebuild(const char *context)
{
	uint8_t digest[SHA256_DIGEST_SIZE], text[4096];
	struct sha256_ctx hash;
	char path[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/Dockerfile", context);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	sha256_init(&hash);
	while ((n = read(fd, text, sizeof(text))) > 0)
		sha256_update(&hash, (size_t)n, text);
	sha256_digest(&hash, sizeof(digest), digest);
	close(fd);
	return walk(context);
}

static void must(int result, const char *what)
{
	if (result < 0)
		err(126, "%s", what);
}

static void inside(const char *rootfs, const char *work, char **command)
{
	char options[3 * 4096], upper[4096], scratch[4096], merged[4096];

	snprintf(upper, sizeof(upper), "%s/upper", work);
	snprintf(scratch, sizeof(scratch), "%s/work", work);
	snprintf(merged, sizeof(merged), "%s/merged", work);
	mkdir(upper, 0755), mkdir(scratch, 0755), mkdir(merged, 0755);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", rootfs, upper,
		 scratch);
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
	must(mount("overlay", merged, "overlay", 0, options), "overlay");
	must(chdir(merged), merged);
	mkdir("proc", 0755);
	must(mount("proc", "proc", "proc", 0, NULL), "proc");
	must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "/");
	execv(command[0], command);
	err(127, "%s", command[0]);
}

static int container(const char *rootfs, const char *work, char **command)
{
	struct clone_args args = {
		.flags =
			CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC,
		.exit_signal = SIGCHLD,
	};
	int status;
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	must(pid, "clone3");
	if (pid == 0)
		inside(rootfs, work, command);
	must(waitpid(pid, &status, 0), "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int enter(pid_t target, char **command)
{
	int status, fd = (int)syscall(SYS_pidfd_open, target, 0);
	pid_t pid;

	must(fd, "pidfd_open");
	must(setns(fd, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC),
	     "setns");
	pid = fork();
	must(pid, "fork");
	if (pid == 0) {
		execv(command[0], command);
		err(127, "%s", command[0]);
	}
	must(waitpid(pid, &status, 0), "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "rebuild"))
		return rebuild(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "walk"))
		return walk(argv[2]);
	if (argc >= 5 && !strcmp(argv[1], "container"))
		return container(argv[2], argv[3], argv + 4);
	if (argc >= 4 && !strcmp(argv[1], "enter"))
		return enter((pid_t)strtol(argv[2], NULL, 10), argv + 3);
	errx(2, "usage: floor rebuild|walk DIRECTORY, floor container ROOTFS WORK COMMAND..., "
		"floor enter PID COMMAND...");
}
