/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /sys/fs/cgroup in the container.
 *
 * Version 2: the hierarchy itself; the cgroup name space hides what is above.  Without one it
 * is a clone of the host's mount: a new one from the first cgroup name space would set the
 * options of all (nsdelegate, memory_recursiveprot) anew, for the host too.
 * Version 1: a tmpfs with one directory for each hierarchy in which the
 * container has a group of its own, bound to that group.  A container without
 * limits has none and finds the directory empty: what it would see is ours.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

static int bind_group(int tmpfs, const char *path, const struct cgroup_join *join,
		      uint64_t attributes, struct error *err)
{
	struct mount_attr attr = {.attr_set = attributes, .propagation = MS_PRIVATE};
	AUTO(fd) int hierarchy = cgroup_open_controller(join->controller);
	AUTO(fd) int group = -1;
	AUTO(fd) int tree = -1;
	AUTO(fd) int target = -1;
	int r;

	/* opened anew: a mount is cloned only within its own mount name space, and the
	 * descriptor of the parent leads into the parent's */
	r = root_open(hierarchy, ROOT_BENEATH, path, O_PATH | O_DIRECTORY, 0, &group, err);
	if (r < 0)
		return r;
	tree = open_tree(group, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_sys(err, "cannot show the %s group", join->controller);
	if (mkdirat(tmpfs, join->controller, 0755) < 0)
		return error_sys(err, "cannot make the directory %s", join->controller);
	target = openat(tmpfs, join->controller, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return error_sys(err, "cannot open the directory %s", join->controller);
	return child_attach_to(tree, target, join->controller, err);
}

static int mount_v1(struct child *c, const struct mount_spec *m, uint64_t attributes,
		    struct error *err)
{
	struct strlist data = STRLIST_INIT;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	AUTO(free) char *path = cgroup_path_of(c->o);
	AUTO(fd) int tmpfs = -1;
	int r;

	strlist_add(&data, "mode=755");
	strlist_add(&data, "size=64k");
	r = child_new_fs("tmpfs", "tmpfs", &data, attributes & ~(uint64_t)MOUNT_ATTR_RDONLY,
			 &tmpfs, err);
	strlist_clear(&data);
	if (r == 0)
		r = child_attach(c, tmpfs, m->destination, false, err);
	for (size_t i = 0; r == 0 && i < c->cgroup->njoins; i++)
		/* the group of the device rules is shared with other containers */
		if (!str_eq(c->cgroup->joins[i].controller, "devices"))
			r = bind_group(tmpfs, path, &c->cgroup->joins[i], attributes, err);
	if (r < 0)
		return r;
	if (attributes & MOUNT_ATTR_RDONLY &&
	    mount_setattr(tmpfs, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_sys(err, "cannot make it read-only");
	return 0;
}

static int clone_host(uint64_t attributes, int *out_fd, struct error *err)
{
	struct mount_attr attr = {.attr_set = attributes, .propagation = MS_PRIVATE};
	AUTO(fd)
	int fd = open_tree(AT_FDCWD, CGROUP_MOUNT_POINT, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_sys(err, "cannot show the host's cgroups");
	*out_fd = take_fd(&fd);
	return 0;
}

int child_mount_cgroup(struct child *c, const struct mount_spec *m,
		       const struct mount_options *how, struct error *err)
{
	AUTO(fd) int fd = -1;
	int r;

	switch (cgroup_layout()) {
	case CGROUP_LAYOUT_NONE:
		return 0;
	case CGROUP_LAYOUT_V1:
		return mount_v1(c, m, how->set, err);
	case CGROUP_LAYOUT_V2:
		break;
	}
	r = c->spec->namespaces[NAMESPACE_CGROUP].present
		    ? child_new_fs("cgroup2", "cgroup", NULL, how->set, &fd, err)
		    : clone_host(how->set, &fd, err);
	if (r < 0 && c->user_ns) {
		/* not ours to mount: programs do without */
		error_clear(err);
		return 0;
	}
	return r < 0 ? r : child_attach(c, fd, m->destination, false, err);
}
