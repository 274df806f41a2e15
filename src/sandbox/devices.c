/* SPDX-License-Identifier: Apache-2.0 */
/* /dev: nodes, links, and what stands in for a node that cannot be made. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

/* runtime-spec config-linux.md, "Default Devices" */
static const struct {
	const char *name;
	int minor;
	int major;
} default_nodes[] = {
	{"null", 3, 1},	  {"zero", 5, 1},    {"full", 7, 1},
	{"random", 8, 1}, {"urandom", 9, 1}, {"tty", 0, 5},
};

static const struct {
	const char *name;
	const char *target;
} default_links[] = {
	{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
};

/* The host's node @path, if it is the device that is meant, on an empty file. */
static int bind_node(int parent, const char *name, const char *path, mode_t type, dev_t rdev,
		     struct error *err)
{
	AUTO(fd) int tree = -1;
	AUTO(fd) int file = -1;
	struct stat st;

	tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || fstat(tree, &st) < 0)
		return error_sys(err, "cannot take the device %s from the host", path);
	if ((st.st_mode & S_IFMT) != type || st.st_rdev != rdev)
		return error_set(err, ERR_UNSUPPORTED,
				 "the device %s cannot be made, and the host's is another one",
				 path);
	file = openat(parent, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (file < 0)
		return error_sys(err, "cannot make the file %s", name);
	close_fd(&file);
	file = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0)
		return error_sys(err, "cannot open the file %s", name);
	return child_attach_to(tree, file, path, err);
}

static int make_node(const struct child *c, int parent, const char *name, const char *path,
		     mode_t mode, dev_t rdev, struct error *err)
{
	/* a user name space has no devices of its own (mknod is EPERM or the node is dead) */
	if (c->user_ns && (S_ISCHR(mode) || S_ISBLK(mode)))
		return bind_node(parent, name, path, mode & S_IFMT, rdev, err);
	if (mknodat(parent, name, mode, rdev) == 0)
		return 0;
	/* an image's own /dev, or a volume: what is there stays */
	if (errno == EEXIST)
		return 0;
	if (errno == EPERM && (S_ISCHR(mode) || S_ISBLK(mode)))
		return bind_node(parent, name, path, mode & S_IFMT, rdev, err);
	return error_sys(err, "cannot make the device %s", path);
}

static int make_defaults(const struct child *c, int dev, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_nodes); i++) {
		const char *name = default_nodes[i].name;
		dev_t rdev = makedev(default_nodes[i].major, default_nodes[i].minor);
		AUTO(free) char *path = mem_printf("/dev/%s", name);
		int r = make_node(c, dev, name, path, S_IFCHR | 0666, rdev, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_links); i++)
		if (symlinkat(default_links[i].target, dev, default_links[i].name) < 0 &&
		    errno != EEXIST)
			return error_sys(err, "cannot make /dev/%s", default_links[i].name);
	if (faccessat(AT_FDCWD, "/proc/kcore", F_OK, 0) == 0 &&
	    symlinkat("/proc/kcore", dev, "core") < 0 && errno != EEXIST)
		return error_sys(err, "cannot make /dev/core");
	return 0;
}

static mode_t mode_of(const struct device_spec *d)
{
	mode_t mode = d->has_file_mode ? d->file_mode & 07777 : 0666;

	switch (d->type) {
	case 'b':
		return mode | S_IFBLK;
	case 'p':
		return mode | S_IFIFO;
	default:
		return mode | S_IFCHR;
	}
}

/* A device of the spec; a path below /dev stays in our tmpfs, whatever the image's /dev is. */
static int make_device(const struct child *c, int dev, const struct device_spec *d,
		       struct error *err)
{
	const struct root_made made = {.mode = 0755, .mtime_sec = -1};
	bool in_dev = str_starts(d->path, "/dev/");
	int tree = in_dev ? dev : c->root;
	AUTO(free) char *clean = root_clean_path(in_dev ? d->path + 5 : d->path);
	char *slash = strrchr(clean, '/');
	const char *name = slash ? slash + 1 : clean;
	AUTO(fd) int parent = -1;
	int r;

	if (!*name)
		return error_set(err, ERR_INVALID, "the device %s has no name", d->path);
	if (slash)
		*slash = 0;
	r = root_mkdirs(tree, ROOT_INSIDE, slash ? clean : "", &made, &parent, NULL, err);
	if (r == 0)
		r = make_node(c, parent, name, d->path, mode_of(d),
			      makedev((unsigned)d->major, (unsigned)d->minor), err);
	if (r == 0 && (d->uid || d->gid) &&
	    fchownat(parent, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "cannot give away the device %s", d->path);
	return r;
}

/* Masks are binds of this node: it must be the real one, not what an image put there. */
static void verify_null(struct child *c, int dev)
{
	struct stat st;
	AUTO(fd) int fd = openat(dev, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    st.st_rdev == makedev(1, 3))
		c->null = take_fd(&fd);
}

static bool dev_is_bound(const struct child *c)
{
	for (size_t i = 0; i < c->spec->mounts.n; i++) {
		AUTO(free) char *clean = root_clean_path(c->spec->mounts.items[i].destination);

		if (str_eq(clean, "dev") && c->sources[i] >= 0)
			return true;
	}
	return false;
}

int child_make_devices(struct child *c, struct error *err)
{
	const struct root_made made = {
		.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};
	AUTO(fd) int opened = -1;
	int dev = c->dev, r = 0;

	if (dev < 0) {
		r = root_mkdirs(c->root, ROOT_INSIDE, "/dev", &made, &opened, NULL, err);
		dev = opened;
	}
	if (r < 0)
		return error_wrap(err, "cannot set up /dev");
	/* a /dev of the host is complete, and not ours to change */
	if (!dev_is_bound(c)) {
		r = make_defaults(c, dev, err);
		for (size_t i = 0; r == 0 && i < c->spec->devices.n; i++)
			r = make_device(c, dev, &c->spec->devices.items[i], err);
	}
	if (r == 0)
		verify_null(c, dev);
	return r;
}
