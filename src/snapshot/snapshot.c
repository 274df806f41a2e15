/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "snapshot/snapshot_legacy.h"

#include "base/banned.h"

void snapshot_stack_add(struct snapshot_stack *s, const char *dir)
{
	AUTO(free) char *name = mem_printf("%s/fs", dir);
	long at = strlist_find(&s->dirs, name);

	if (at >= 0)
		strlist_remove(&s->dirs, (size_t)at);
	strlist_add(&s->dirs, name);
}

void snapshot_stack_clear(struct snapshot_stack *s)
{
	strlist_clear(&s->dirs);
}

/* The kernel says in words on the context's descriptor what it did not like. */
static int overlay_error(int context, const char *doing, struct error *err)
{
	int sys = errno;
	char text[512];
	ssize_t n = read(context, text, sizeof(text) - 1);

	errno = sys;
	if (n <= 0)
		return error_sys(err, "cannot mount the layers (%s)", doing);
	text[n] = 0;
	return error_sys(err, "cannot mount the layers (%s): %s", doing, text);
}

/* A path that names a descriptor of ours, so that no long or changing name is resolved. */
static void fd_path(int fd, char out[32])
{
	snprintf(out, 32, "/proc/self/fd/%d", fd);
}

static int add_directory(int context, const char *option, int base, const char *name,
			 struct error *err)
{
	AUTO(fd) int fd = openat(base, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char path[32];

	if (fd < 0)
		return error_sys(err, "layer %s", name);
	fd_path(fd, path);
	if (fsconfig(context, FSCONFIG_SET_STRING, option, path, 0) < 0)
		return overlay_error(context, option, err);
	return 0;
}

static int add_lower(int context, const struct snapshot_stack *s, struct error *err)
{
	for (size_t i = s->dirs.n; i-- > 0;)
		if (add_directory(context, "lowerdir+", s->layers_dir, s->dirs.items[i], err) <
		    0)
			return -ERR_SYSTEM;
	if (s->bottom >= 0)
		return add_directory(context, "lowerdir+", s->bottom, ".", err);
	return 0;
}

static int configure(int context, const struct snapshot_stack *s, const char *upper,
		     const char *work, unsigned flags, struct error *err)
{
	if (add_lower(context, s, err) < 0)
		return -ERR_SYSTEM;
	if (geteuid() != 0 || !upper)
		fsconfig(context, FSCONFIG_SET_FLAG, geteuid() ? "userxattr" : "ro", NULL, 0);
	if (upper) {
		if (add_directory(context, "upperdir", s->layers_dir, upper, err) < 0 ||
		    add_directory(context, "workdir", s->layers_dir, work, err) < 0)
			return -ERR_SYSTEM;
		/* until 5.10: unknown, then fsync inside costs what it costs */
		if (flags & SNAPSHOT_VOLATILE)
			fsconfig(context, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
	}
	/* what df(1) shows inside */
	fsconfig(context, FSCONFIG_SET_STRING, "source", "overlay", 0);
	/* an upper must be whole by itself: it is the layer */
	fsconfig(context, FSCONFIG_SET_STRING, "redirect_dir", "nofollow", 0);
	fsconfig(context, FSCONFIG_SET_STRING, "metacopy", "off", 0);
	fsconfig(context, FSCONFIG_SET_STRING, "index", "off", 0);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return overlay_error(context, "create", err);
	return 0;
}

/*
 * until 6.5: overlayfs has a context of the old kind there. It takes every word unread and
 * fails when it is created; so a flag of that name, which cannot be, tells the two apart.
 */
static bool knows_lowerdir_plus(int context, const struct snapshot_stack *s)
{
	char path[32];

	if (fsconfig(context, FSCONFIG_SET_FLAG, "lowerdir+", NULL, 0) == 0)
		return false;
	fd_path(s->layers_dir, path);
	return fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", path, 0) == 0;
}

static int mount_overlay(const struct snapshot_stack *s, const char *upper, const char *work,
			 unsigned flags, int *out_fd, struct error *err)
{
	AUTO(fd) int context = fsopen("overlay", FSOPEN_CLOEXEC);
	unsigned attributes = upper ? 0 : MOUNT_ATTR_RDONLY;
	static int modern = -1;

	if (s->dirs.n > LIMIT_LAYERS)
		return error_set(err, ERR_LIMIT, "more than %u layers", LIMIT_LAYERS);
	if (context < 0) {
		error_sys(err, "cannot mount the layers: overlayfs");
		error_hint(err, "stave needs root (or a user name space) and overlayfs here");
		return -ERR_SYSTEM;
	}
	if (modern < 0)
		modern = knows_lowerdir_plus(context, s);
	if (!modern)
		return snapshot_mount_legacy(s, upper, work, flags, out_fd, err);
	close_fd(&context);
	context = fsopen("overlay", FSOPEN_CLOEXEC);
	if (context < 0)
		return error_sys(err, "fsopen");
	if (configure(context, s, upper, work, flags, err) < 0)
		return -ERR_SYSTEM;
	*out_fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
	if (*out_fd < 0)
		return overlay_error(context, "mount", err);
	return 0;
}

/* A container may write there: not more than into its /dev/shm. */
static int memory_tree(unsigned attributes, int *out_fd, struct error *err)
{
	AUTO(fd) int context = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", "tmpfs", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "size", "64m", 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    (*out_fd = fsmount(context, FSMOUNT_CLOEXEC, attributes)) < 0)
		return error_sys(err, "cannot mount a tmpfs");
	return 0;
}

int snapshot_scratch(int *out_fd, struct error *err)
{
	return memory_tree(0, out_fd, err);
}

int snapshot_view(const struct snapshot_stack *s, int *out_fd, struct error *err)
{
	if (s->dirs.n == 0 && s->bottom < 0)
		return memory_tree(MOUNT_ATTR_RDONLY, out_fd, err);
	if (s->dirs.n + (s->bottom >= 0) > 1)
		return mount_overlay(s, NULL, NULL, 0, out_fd, err);
	*out_fd = s->dirs.n ? openat(s->layers_dir, s->dirs.items[0],
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			    : fcntl(s->bottom, F_DUPFD_CLOEXEC, 0);
	if (*out_fd < 0)
		return error_sys(err, "layer %s", s->dirs.n ? s->dirs.items[0] : "stub");
	return 0;
}

int snapshot_mount(const struct snapshot_stack *s, const char *upper, const char *work,
		   unsigned flags, int *out_fd, struct error *err)
{
	if (s->dirs.n == 0 && s->bottom < 0)
		return error_set(err, ERR_INVALID, "an active snapshot needs a bottom");
	return mount_overlay(s, upper, work, flags, out_fd, err);
}
