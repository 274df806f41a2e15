/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own program as containers may see it: `#!/proc/self/exe` makes them
 * execute it, and then it is theirs to open, for writing too as soon as nobody
 * executes that file any more (CVE-2019-5736).  Access to it goes through the
 * mount that it was executed from, so that one is made that is read-only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/process.h"

#include "base/banned.h"

#define SELF	"/proc/self/exe"
#define PROGRAM "STAVE_PROGRAM" /* where we are, as the link says it before */
#define SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

extern char **environ;

static bool is_shielded(void)
{
	AUTO(fd) int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	struct statvfs fs;
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	return fd < 0 || (seals >= 0 && (seals & F_SEAL_WRITE)) ||
	       (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY));
}

/* A mount of this one file that hangs nowhere. -1: that needs CAP_SYS_ADMIN. */
static int read_only_mount(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	AUTO(fd)
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, SELF,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 ||
	    syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -1;
	return take_fd(&fd);
}

/* For an ordinary user, and only if the file is theirs: who cannot write it needs no copy. */
static int sealed_copy(void)
{
	AUTO(fd) int from = open(SELF, O_RDONLY | O_CLOEXEC);
	AUTO(fd) int to = -1;
	struct stat st;
	off_t at = 0;

	if (from < 0 || access(SELF, W_OK) < 0 || fstat(from, &st) < 0)
		return -1;
	to = memfd_create("stave", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	while (to >= 0 && at < st.st_size)
		if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0)
			return -1;
	return to >= 0 && fcntl(to, F_ADD_SEALS, SEALS) == 0 ? take_fd(&to) : -1;
}

void process_shield(char *const *argv)
{
	AUTO(fd) int fd = -1;
	char self[4096];
	ssize_t n;

	if (is_shielded()) {
		/* until 6.14: what execveat() executes is called like the descriptor */
		prctl(PR_SET_NAME, "stave");
		return;
	}
	fd = read_only_mount();
	if (fd < 0)
		fd = sealed_copy();
	n = readlink(SELF, self, sizeof(self) - 1);
	if (fd < 0 || n <= 0)
		return;
	self[n] = 0;
	setenv(PROGRAM, self, 1);
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
}

ssize_t process_program(char *out, size_t size)
{
	const char *known = secure_getenv(PROGRAM);
	ssize_t n;

	if (known && is_shielded() && strlen(known) < size) {
		n = (ssize_t)strlen(known);
		memcpy(out, known, (size_t)n + 1);
		return n;
	}
	n = readlink(SELF, out, size - 1);
	if (n >= 0)
		out[n] = 0;
	return n;
}
