/* SPDX-License-Identifier: Apache-2.0 */
/* The root: attached over ours, entered by pivot_root, and where the command starts. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

static unsigned long propagation_of(const char *word)
{
	bool one = str_eq(word, "slave") || str_eq(word, "private");

	if (word && strstr(word, "private"))
		return MS_PRIVATE | (one ? 0 : MS_REC);
	/* shared would let the container's mounts out: the root is new, so slave is all */
	return MS_SLAVE | (one ? 0 : MS_REC);
}

/* Where hooks find it, as config.json says.  By path: the bundle of this mount name space. */
static int attach_in_bundle(struct child *c, struct error *err)
{
	AUTO(fd) int bundle = -1;

	c->bundle = io_fd_path(c->o->bundle_dir);
	if (c->bundle)
		bundle = open(c->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (bundle < 0)
		return error_sys(err, "cannot open the bundle");
	if (move_mount(c->root, "", bundle, HOOKS_ROOT, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, "cannot attach the root file system");
	return 0;
}

int child_attach_root(struct child *c, struct error *err)
{
	const char *propagation = c->spec->rootfs_propagation;

	/* nothing that happens here may reach the host */
	if (mount(NULL, "/", NULL, propagation_of(propagation), NULL) < 0)
		return error_sys(err, "cannot make the mounts private");
	c->root = c->o->root_fd;
	if (c->root < 0) {
		c->root = open_tree(AT_FDCWD, c->spec->root_path,
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (c->root < 0)
			return error_sys(err, "cannot use the root file system %s",
					 c->spec->root_path);
	}
	/* without device rules in force, no node that an image brings may work */
	if (c->cgroup->devices_open) {
		struct mount_attr nodev = {.attr_set = MOUNT_ATTR_NODEV};

		if (mount_setattr(c->root, "", AT_EMPTY_PATH, &nodev, sizeof(nodev)) < 0)
			return error_sys(err, "cannot disarm the devices of the root");
	}
	if (hooks_any(c->spec))
		return attach_in_bundle(c, err);
	/* covers "/" by descriptor: no directory is needed, no path is followed */
	if (move_mount(c->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, "cannot attach the root file system");
	return 0;
}

int child_open_cwd(struct child *c, struct error *err)
{
	/* Docker makes a working directory that is missing, for root, whoever the user is */
	const struct root_made made = {.mode = 0755, .uid = 0, .gid = 0, .mtime_sec = -1};
	const char *cwd = c->spec->process.cwd;
	int r;

	if (str_empty(cwd))
		cwd = "/";
	if (*cwd != '/')
		return error_set(err, ERR_INVALID, "the working directory %s is not absolute",
				 cwd);
	r = root_mkdirs(c->root, ROOT_INSIDE, cwd, &made, &c->cwd, NULL, err);
	if (r == -ERR_INVALID && err && err->message && strstr(err->message, "not a directory"))
		return error_set(err, ERR_INVALID, "Cannot mkdir: %s is not a directory", cwd);
	return r < 0 ? error_wrap(err, "cannot use the working directory %s", cwd) : 0;
}

/*
 * A descriptor that leads out of the root would make all else void, so ask
 * the kernel where we are: outside of the root it says "(unreachable)".
 */
static int verify_cwd(const struct child *c, struct error *err)
{
	char path[PATH_MAX];
	long n = syscall(SYS_getcwd, path, sizeof(path));

	if (n < 0 || path[0] != '/')
		return error_set(err, ERR_ESCAPE,
				 "the working directory %s is outside of the "
				 "container",
				 c->spec->process.cwd);
	return 0;
}

int child_enter_root(struct child *c, struct error *err)
{
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};

	if (c->spec->root_readonly &&
	    mount_setattr(c->root, "", AT_EMPTY_PATH, &readonly, sizeof(readonly)) < 0)
		return error_sys(err, "cannot make the root read-only");
	/* pivot_root(".", ".") stacks the old root on the new one: pivot_root(2), notes */
	if (fchdir(c->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return error_sys(err, "cannot enter the root file system");
	if (umount2(".", MNT_DETACH) < 0)
		return error_sys(err, "cannot leave the host's file system");
	if (fchdir(c->cwd) < 0)
		return error_sys(err, "cannot enter the working directory %s",
				 c->spec->process.cwd);
	return verify_cwd(c, err);
}
