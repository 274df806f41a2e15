/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stave-git READABLE… -- WORD…: runs git with these words in the directory that
 * is descriptor 3.
 *
 * A repository is somebody else's data, and git has many ways to run programs
 * and to read files for it.  So git gets an environment from its caller only,
 * may write below that directory only, and may read the system's programs and
 * settings, and the READABLE directories (Landlock; a kernel without it leaves
 * it to git).  It keeps its network: it is there to fetch.
 *
 * The configuration is the file "config" beside that directory: the user's and
 * the machine's are not read.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORK_FD		 3
#define LIMIT_FILE_BYTES (16ull << 30)
#define NOT_FOUND	 127

#define FS_REFER (1ull << 13) /* newer than some headers: LANDLOCK_ACCESS_FS_REFER */
#define READ_RIGHTS                                                   \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
	 LANDLOCK_ACCESS_FS_EXECUTE)
#define WRITE_RIGHTS                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |  \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | FS_REFER)
#define FILE_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
/* What nobody needs: handled, and given to no path. */
#define NO_RIGHTS                                                       \
	(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK)

static int allow_fd(int rules, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};

	return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* What is not there needs no rule. */
static void allow(int rules, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return;
	allow_fd(rules, fd, rights);
	close(fd);
}

static void allow_path(int rules)
{
	const char *at = getenv("PATH");
	char dir[PATH_MAX];

	while (at && *at) {
		size_t len = strcspn(at, ":");

		if (*at == '/' && len < sizeof(dir)) {
			snprintf(dir, sizeof(dir), "%.*s", (int)len, at);
			allow(rules, dir, READ_RIGHTS);
		}
		at += len + (at[len] == ':');
	}
}

static int restrict_files(char **readable)
{
	static const char *const system[] = {"/usr",   "/bin",	 "/sbin", "/lib",
					     "/lib32", "/lib64", "/etc",  "/opt",
					     "/nix",   "/gnu",	 "/proc", "/run"};
	static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/random",
					      "/dev/urandom", "/dev/full"};
	struct landlock_ruleset_attr attr = {.handled_access_fs =
						     READ_RIGHTS | WRITE_RIGHTS | NO_RIGHTS};
	long abi =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int rules;

	if (abi < 2)
		return 0;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return 0;
	for (size_t i = 0; i < sizeof(system) / sizeof(*system); i++)
		allow(rules, system[i], READ_RIGHTS);
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		allow(rules, devices[i], FILE_RIGHTS);
	allow_path(rules);
	for (; *readable; readable++)
		allow(rules, *readable, READ_RIGHTS);
	allow(rules, "../config", LANDLOCK_ACCESS_FS_READ_FILE);
	if (allow_fd(rules, WORK_FD, READ_RIGHTS | WRITE_RIGHTS) < 0)
		return -1;
	return (int)syscall(SYS_landlock_restrict_self, rules, 0);
}

/* Root reads repositories of users; it needs no more of what root may. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {0};
	uint32_t keep = 1u << CAP_DAC_READ_SEARCH;

	if (syscall(SYS_capget, &head, caps) < 0)
		return;
	for (int c = 0; c <= CAP_LAST_CAP; c++)
		if (c != CAP_DAC_READ_SEARCH)
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	caps[0].permitted &= keep;
	caps[0].effective &= keep;
	caps[0].inheritable = 0;
	caps[1] = (struct __user_cap_data_struct){0};
	syscall(SYS_capset, &head, caps);
}

static int set_places(void)
{
	char dir[PATH_MAX], config[PATH_MAX + 16];

	if (fchdir(WORK_FD) < 0 || !getcwd(dir, sizeof(dir)))
		return -1;
	snprintf(config, sizeof(config), "%s/../config", dir);
	setenv("GIT_CONFIG_GLOBAL", config, 1);
	setenv("HOME", dir, 1);
	setenv("TMPDIR", dir, 1);
	setenv("GIT_CEILING_DIRECTORIES", dir, 1);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit none = {0};
	struct rlimit size = {.rlim_cur = LIMIT_FILE_BYTES, .rlim_max = LIMIT_FILE_BYTES};
	char **words = argv + 1;

	while (*words && strcmp(*words, "--") != 0)
		words++;
	if (argc < 3 || !*words) {
		fprintf(stderr, "usage: stave-git READABLE... -- WORD...");
		return 2;
	}
	*words = NULL;
	umask(022);
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_FSIZE, &size);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	drop_capabilities();
	if (set_places() < 0 || restrict_files(argv + 1) < 0) {
		fprintf(stderr, "fatal: cannot confine git: %s\n", strerror(errno));
		return 2;
	}
	words[0] = (char[]){"git"};
	execvp("git", words);
	if (errno == ENOENT)
		return NOT_FOUND;
	fprintf(stderr, "fatal: cannot start git: %s\n", strerror(errno));
	return 2;
}
