/* SPDX-License-Identifier: Apache-2.0 */
/* What a container must not see or change: masked and read-only paths; and sysctls. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

/*
 * Opens what the container sees at @path; *out is -1 if there is nothing,
 * which is no error: kernels differ in what they have.
 */
static int open_if_there(const struct child *c, const char *path, int *out, struct error *err)
{
	struct error why = ERROR_INIT;
	int r = root_open(c->root, ROOT_INSIDE, path, O_PATH, 0, out, &why);

	if (r == 0)
		return 0;
	*out = -1;
	if (r == -ERR_NOT_FOUND || (r == -ERR_INVALID && strstr(why.message, "directory"))) {
		error_clear(&why);
		return 0;
	}
	error_move(err, &why);
	return r;
}

static int clone_onto(int source, int target, const char *path, struct error *err)
{
	AUTO(fd) int tree = -1;

	tree = open_tree(source, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return error_sys(err, "cannot mask %s", path);
	return child_attach_to(tree, target, path, err);
}

/* Directories are covered by one empty read-only tmpfs, made when the first needs it. */
static int mask_directory(int *empty, int target, const char *path, struct error *err)
{
	struct strlist data = STRLIST_INIT;
	int r;

	if (*empty >= 0)
		return clone_onto(*empty, target, path, err);
	strlist_add(&data, "nr_inodes=1");
	strlist_add(&data, "size=4k");
	r = child_new_fs("tmpfs", "tmpfs", &data, MOUNT_ATTR_RDONLY, empty, err);
	strlist_clear(&data);
	return r < 0 ? r : child_attach_to(*empty, target, path, err);
}

static int mask_path(const struct child *c, const char *path, int *empty, struct error *err)
{
	AUTO(fd) int target = -1;
	struct stat st;
	int r = open_if_there(c, path, &target, err);

	if (r < 0 || target < 0)
		return r;
	if (fstat(target, &st) < 0)
		return error_sys(err, "cannot look at %s", path);
	if (S_ISDIR(st.st_mode))
		return mask_directory(empty, target, path, err);
	if (c->null < 0)
		return error_set(err, ERR_DENIED,
				 "cannot mask %s: the container has no /dev/null of its own",
				 path);
	return clone_onto(c->null, target, path, err);
}

static int make_readonly(const struct child *c, const char *path, struct error *err)
{
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	AUTO(fd) int target = -1;
	AUTO(fd) int tree = -1;
	int r = open_if_there(c, path, &target, err);

	if (r < 0 || target < 0)
		return r;
	tree = open_tree(target, "",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly,
				      sizeof(readonly)) < 0)
		return error_sys(err, "cannot make %s read-only", path);
	return child_attach_to(tree, target, path, err);
}

int child_mask_paths(struct child *c, struct error *err)
{
	AUTO(fd) int empty = -1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->spec->readonly_paths.n; i++)
		r = make_readonly(c, c->spec->readonly_paths.items[i], err);
	for (size_t i = 0; r == 0 && i < c->spec->masked_paths.n; i++)
		r = mask_path(c, c->spec->masked_paths.items[i], &empty, err);
	return r;
}

/* ---- sysctl ------------------------------------------------------------------------------ */

/*
 * Dots separate, but a name may have dots itself if slashes separate:
 * "net/ipv4/conf/eth0.1/forwarding" (sysctl(8)).
 */
static char *sysctl_path(const char *name)
{
	char *path = mem_printf("sys/%s", name);
	bool slashes = strcspn(name, "/") < strcspn(name, ".");

	for (char *p = path + 4; *p && !slashes; p++)
		if (*p == '.' || *p == '/')
			*p = *p == '.' ? '/' : '.';
	return path;
}

/* Only what belongs to the container's own name spaces: all else is the host's. */
static bool sysctl_is_ours(const struct child *c, const char *path)
{
	static const char *const ipc[] = {
		"sys/kernel/msgmax", "sys/kernel/msgmnb",	   "sys/kernel/msgmni",
		"sys/kernel/sem",    "sys/kernel/shmall",	   "sys/kernel/shmmax",
		"sys/kernel/shmmni", "sys/kernel/shm_rmid_forced", "sys/kernel/msg_next_id"};
	const struct namespace_spec *ns = c->spec->namespaces;

	if (str_starts(path, "sys/net/"))
		return c->o->netns_fd >= 0 || ns[NAMESPACE_NETWORK].present;
	if (str_eq(path, "sys/kernel/domainname"))
		return ns[NAMESPACE_UTS].present;
	if (str_starts(path, "sys/fs/mqueue/"))
		return ns[NAMESPACE_IPC].present;
	for (size_t i = 0; i < ARRAY_SIZE(ipc); i++)
		if (str_eq(path, ipc[i]))
			return ns[NAMESPACE_IPC].present;
	return false;
}

static int write_sysctl(const struct child *c, int proc, const char *name, const char *value,
			struct error *err)
{
	AUTO(free) char *path = sysctl_path(name);
	AUTO(fd) int fd = -1;
	int r;

	if (!sysctl_is_ours(c, path))
		return error_set(err, ERR_INVALID,
				 "sysctl \"%s\" is not in a separate kernel namespace", name);
	r = root_open(proc, ROOT_BENEATH, path, O_WRONLY, 0, &fd, err);
	if (r < 0)
		return error_wrap(err, "cannot set the sysctl %s", name);
	if (write(fd, value, strlen(value)) < 0)
		return error_sys(err, "cannot set the sysctl %s to %s", name, value);
	return 0;
}

int child_write_sysctls(struct child *c, struct error *err)
{
	AUTO(fd) int proc = -1;
	struct statfs fs;
	int r;

	if (!c->spec->sysctl.live)
		return 0;
	r = root_open(c->root, ROOT_INSIDE, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
		      &proc, err);
	if (r < 0)
		return error_wrap(err, "cannot set sysctls");
	/* only into a real procfs: an image's directory of that name is just files */
	if (fstatfs(proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return error_set(err, ERR_INVALID,
				 "cannot set sysctls: the container has no /proc");
	map_each (&c->spec->sysctl, e) {
		r = write_sysctl(c, proc, e->key, e->value, err);
		if (r < 0)
			return r;
	}
	return 0;
}
