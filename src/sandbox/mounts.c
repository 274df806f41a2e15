/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of the spec, each made detached and attached by descriptor. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

/* ---- sources of binds -------------------------------------------------------------------- */

static int open_source(const struct mount_spec *m, const struct mount_options *how, int *out,
		       struct error *err)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	struct mount_attr attr = {
		.attr_set = how->set,
		.propagation = how->propagation ? how->propagation : MS_PRIVATE,
	};
	AUTO(fd) int fd = -1;

	if (str_empty(m->source))
		return error_set(err, ERR_INVALID, "the bind mount at %s has no source",
				 m->destination);
	fd = open_tree(AT_FDCWD, m->source, flags | (how->recursive ? AT_RECURSIVE : 0u));
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return error_set(err, ERR_NOT_FOUND, "bind source path does not exist: %s",
				 m->source);
	if (fd < 0)
		return error_sys(err, "cannot bind %s", m->source);
	if (mount_setattr(fd, "", AT_EMPTY_PATH | (how->recursive ? AT_RECURSIVE : 0u), &attr,
			  sizeof(attr)) < 0)
		return error_sys(err, "cannot set the options of the bind of %s", m->source);
	*out = take_fd(&fd);
	return 0;
}

/*
 * Before propagation to the host is cut, so that a bind that asks for it
 * ("rslave", "rshared") still can be a peer.
 */
int child_open_sources(struct child *c, struct error *err)
{
	const struct mount_list *l = &c->spec->mounts;
	int r;

	c->sources = mem_resize(NULL, l->n + 1, sizeof(int));
	for (size_t i = 0; i < l->n; i++) {
		AUTO(mount_options) struct mount_options how;

		c->sources[i] = -1;
		mount_options_parse(&l->items[i], &how);
		if (!how.bind)
			continue;
		r = open_source(&l->items[i], &how, &c->sources[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- mount points ------------------------------------------------------------------------ */

/* Tells the parent which component of @path is the first that is not there. */
static void report_made(const struct child *c, const char *path)
{
	AUTO(free) char *clean = root_clean_path(path);
	char *slash = clean;

	if (!c->o->made)
		return;
	do {
		AUTO(fd) int fd = -1;
		int r;

		slash = strchr(slash, '/');
		if (slash)
			*slash = 0;
		r = root_open(c->root, ROOT_INSIDE, clean, O_PATH, 0, &fd, NULL);
		if (r == -ERR_NOT_FOUND) {
			channel_send(c->channel, CHANNEL_MADE, clean, strlen(clean), -1);
			return;
		}
		if (slash)
			*slash++ = '/';
	} while (slash);
}

static int make_file(const struct child *c, const char *path, int *out, struct error *err)
{
	const struct root_made made = {
		.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};
	AUTO(fd) int parent = -1;
	AUTO(fd) int file = -1;
	AUTO(free) char *clean = root_clean_path(path);
	char *slash = strrchr(clean, '/');
	const char *name = slash ? slash + 1 : clean;
	int r;

	if (slash)
		*slash = 0;
	r = root_mkdirs(c->root, ROOT_INSIDE, slash ? clean : "", &made, &parent, NULL, err);
	if (r < 0)
		return r;
	file = openat(parent, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (file < 0)
		return error_sys(err, "cannot make the mount point %s", path);
	*out = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cannot open the mount point %s", path) : 0;
}

static int open_mount_point(const struct child *c, const char *path, bool directory,
			    bool nofollow, int *out, bool *out_made, struct error *err)
{
	const struct root_made made = {
		.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};
	struct stat st;
	int r = root_open(c->root, ROOT_INSIDE, path, O_PATH | (nofollow ? O_NOFOLLOW : 0), 0,
			  out, err);

	*out_made = false;
	if (r == -ERR_NOT_FOUND) {
		AUTO(buf) struct buf where = BUF_INIT;

		if (err)
			error_clear(err);
		/* a link to nowhere gets what it points to */
		if (nofollow)
			buf_addstr(&where, path);
		else if ((r = root_resolve(c->root, path, &where, NULL, err)) < 0)
			return r;
		report_made(c, buf_str(&where));
		*out_made = true;
		return directory ? root_mkdirs(c->root, ROOT_INSIDE, buf_str(&where), &made,
					       out, NULL, err)
				 : make_file(c, buf_str(&where), out, err);
	}
	if (r < 0)
		return r;
	if (fstat(*out, &st) < 0)
		return error_sys(err, "cannot look at the mount point %s", path);
	if (directory == S_ISDIR(st.st_mode))
		return 0;
	close_fd(out);
	return error_set(err, ERR_INVALID,
			 "cannot mount %s onto %s: are you trying to mount a directory onto a "
			 "file (or vice-versa)?",
			 directory ? "a directory" : "a file", path);
}

int child_attach_to(int fd, int target, const char *destination, struct error *err)
{
	if (move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return error_sys(err, "cannot mount on %s", destination);
	return 0;
}

/* As child_attach(); @out_mode (may be NULL) is the mode of what was there, 0 if nothing. */
static int attach(struct child *c, int fd, const char *destination, bool nofollow,
		  mode_t *out_mode, struct error *err)
{
	AUTO(fd) int target = -1;
	struct stat st;
	bool made;
	int r;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at what is mounted on %s", destination);
	r = open_mount_point(c, destination, S_ISDIR(st.st_mode), nofollow, &target, &made,
			     err);
	if (r < 0)
		return r;
	if (out_mode)
		*out_mode = !made && fstat(target, &st) == 0 ? st.st_mode & 07777 : 0;
	return child_attach_to(fd, target, destination, err);
}

int child_attach(struct child *c, int fd, const char *destination, bool nofollow,
		 struct error *err)
{
	return attach(c, fd, destination, nofollow, NULL, err);
}

/* ---- new file systems -------------------------------------------------------------------- */

/* The kernel says why in the fs context's own log: "e tmpfs: Unknown parameter 'foo'". */
static int fs_error(int context, const char *type, struct error *err)
{
	int saved = errno;
	char log[256];
	ssize_t n = read(context, log, sizeof(log) - 1);

	errno = saved;
	if (n <= 2)
		return error_sys(err, "cannot mount a %s", type);
	log[n] = 0;
	log[strcspn(log, "\n")] = 0;
	return error_sys(err, "cannot mount a %s: %s", type, log + 2);
}

int child_new_fs(const char *type, const char *source, const struct strlist *data,
		 uint64_t attributes, int *out_fd, struct error *err)
{
	AUTO(fd) int context = fsopen(type, FSOPEN_CLOEXEC);

	if (context < 0)
		return error_sys(err, "this kernel has no file system %s", type);
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", source ? source : type, 0) < 0)
		return fs_error(context, type, err);
	for (size_t i = 0; data && i < data->n; i++) {
		AUTO(free) char *key = mem_strdup(data->items[i]);
		char *value = strchr(key, '=');
		int r;

		if (value)
			*value++ = 0;
		r = value ? fsconfig(context, FSCONFIG_SET_STRING, key, value, 0)
			  : fsconfig(context, FSCONFIG_SET_FLAG, key, NULL, 0);
		if (r < 0)
			return fs_error(context, type, err);
	}
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(context, type, err);
	*out_fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes);
	return *out_fd < 0 ? fs_error(context, type, err) : 0;
}

/* Group 5 ("tty") may not be in the map of a user name space; then root's will do. */
static int new_devpts(const struct mount_spec *m, struct mount_options *how, int *out,
		      struct error *err)
{
	int r = child_new_fs("devpts", m->source, &how->data, how->set, out, err);

	if (r == 0 || err->sys != EINVAL)
		return r;
	for (size_t i = how->data.n; i-- > 0;)
		if (str_starts(how->data.items[i], "gid="))
			strlist_remove(&how->data, i);
	return child_new_fs("devpts", m->source, &how->data, how->set, out, err);
}

/* sysfs shows a network name space, and only who owns that may mount it: else bind ours. */
static int new_sysfs(const struct mount_spec *m, struct mount_options *how, int *out,
		     struct error *err)
{
	char host[] = "/sys";
	const struct mount_spec ours = {.destination = m->destination, .source = host};
	int r = child_new_fs("sysfs", m->source, &how->data, how->set, out, err);

	if (r == 0 || err->sys != EPERM)
		return r;
	how->recursive = true;
	return open_source(&ours, how, out, err);
}

static bool says_mode(const struct mount_options *how)
{
	for (size_t i = 0; i < how->data.n; i++)
		if (str_starts(how->data.items[i], "mode="))
			return true;
	return false;
}

/* A tmpfs over a directory of the image takes its mode, unless it was given one. */
static int attach_tmpfs(struct child *c, int fd, const struct mount_spec *m,
			const struct mount_options *how, struct error *err)
{
	mode_t mode = 0;
	int r = attach(c, fd, m->destination, false, &mode, err);
	AUTO(fd) int top = -1;

	if (r < 0 || !mode || says_mode(how) || how->set & MOUNT_ATTR_RDONLY)
		return r;
	top = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0 || fchmod(top, mode) < 0)
		return error_sys(err, "cannot set the mode of %s", m->destination);
	return 0;
}

static int mount_fs(struct child *c, const struct mount_spec *m, struct mount_options *how,
		    struct error *err)
{
	bool is_pts = str_eq(m->type, "devpts"), is_sys = str_eq(m->type, "sysfs");
	AUTO(free) char *clean = root_clean_path(m->destination);
	AUTO(fd) int fd = -1;
	int r;

	if (is_pts)
		r = new_devpts(m, how, &fd, err);
	else if (is_sys)
		r = new_sysfs(m, how, &fd, err);
	else
		r = child_new_fs(m->type, m->source, &how->data, how->set, &fd, err);
	if (r < 0)
		return r;
	/* a /proc that is a link could lead what is written there to another file */
	if (str_eq(m->type, "tmpfs"))
		r = attach_tmpfs(c, fd, m, how, err);
	else
		r = child_attach(c, fd, m->destination, is_sys || str_eq(m->type, "proc"), err);
	if (r < 0)
		return r;
	if (is_pts && str_eq(clean, "dev/pts"))
		c->pts = take_fd(&fd);
	else if (str_eq(clean, "dev"))
		c->dev = take_fd(&fd);
	return 0;
}

static int mount_one(struct child *c, const struct mount_spec *m, int source, struct error *err)
{
	AUTO(mount_options) struct mount_options how;
	int r;

	mount_options_parse(m, &how);
	if (str_empty(m->destination))
		return error_set(err, ERR_INVALID, "a mount without a destination");
	if (source >= 0)
		r = child_attach(c, source, m->destination, false, err);
	else if (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"))
		r = child_mount_cgroup(c, m, &how, err);
	else if (str_empty(m->type))
		r = error_set(err, ERR_INVALID, "no type of file system is given");
	else
		r = mount_fs(c, m, &how, err);
	return r < 0 ? error_wrap(err, "mount %s", m->destination) : 0;
}

static int mount_bind(struct child *c, const struct sandbox_bind *b, struct error *err)
{
	/* a clone of a mount that is shared, as systemd makes all, is a peer of it: what is
	 * mounted on a volume would appear on the host */
	struct mount_attr attr = {.attr_set = b->readonly ? MOUNT_ATTR_RDONLY : 0,
				  .propagation = MS_PRIVATE};

	if (mount_setattr(b->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return error_sys(err, "cannot set the options of %s", b->destination);
	return child_attach(c, b->fd, b->destination, false, err);
}

int child_mount_all(struct child *c, struct error *err)
{
	int r;

	for (size_t i = 0; i < c->spec->mounts.n; i++) {
		r = mount_one(c, &c->spec->mounts.items[i], c->sources[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < c->o->nbinds; i++) {
		r = mount_bind(c, &c->o->binds[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}
