/* SPDX-License-Identifier: Apache-2.0 */
/* Mount points that a step's root has not: made before, taken away after. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/root.h"
#include "build/mount.h"

#include "base/banned.h"

/* What lies in a file system of the container's own needs nothing in the root. */
static bool is_elsewhere(const char *path)
{
	static const char *const own[] = {"dev/", "proc/", "sys/"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_starts(path, own[i]))
			return true;
	return false;
}

static int look(int tree, const char *path, struct stat *st, struct error *err)
{
	AUTO(fd) int fd = -1;
	int r = root_open(tree, ROOT_INSIDE, path, O_PATH | O_NOFOLLOW, 0, &fd, err);

	if (r < 0)
		return r;
	return fstat(fd, st) < 0 ? error_sys(err, "/%s", path) : 0;
}

static bool has_parent(const struct mount_points *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->items[i].path, path))
			return true;
	return false;
}

/*
 * Notes the directories of @path that are there, which the upper directory
 * will hold copies of, and the names of it that are not.
 */
static int note_path(struct mount_points *p, int root, const char *path, struct error *err)
{
	for (const char *slash = strchr(path, '/');; slash = strchr(slash + 1, '/')) {
		size_t len = slash ? (size_t)(slash - path) : strlen(path);
		AUTO(free) char *prefix = mem_strndup(path, len);
		AUTO(error) struct error why = ERROR_INIT;
		struct mount_parent *parent;
		struct stat st;
		int r = look(root, prefix, &st, &why);

		if (r == -ERR_NOT_FOUND) {
			if (strlist_find(&p->made, prefix) < 0)
				strlist_add(&p->made, prefix);
		} else if (r < 0) {
			error_move(err, &why);
			return r;
		} else if (slash && !has_parent(p, prefix)) {
			parent = vec_push(p);
			parent->path = take_ptr(prefix);
			parent->before = st;
		}
		if (!slash)
			return 0;
	}
}

static int make_path(int root, const char *path, bool directory, struct error *err)
{
	const struct root_made made = {
		.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};
	AUTO(free) char *parent = mem_strdup(path);
	char *slash = strrchr(parent, '/');
	AUTO(fd) int dir = -1;
	AUTO(fd) int file = -1;
	int r;

	if (directory)
		return root_mkdirs(root, ROOT_INSIDE, path, &made, NULL, NULL, err);
	if (slash)
		*slash = 0;
	r = root_mkdirs(root, ROOT_INSIDE, slash ? parent : "", &made, &dir, NULL, err);
	if (r < 0)
		return r;
	file = openat(dir, slash ? slash + 1 : path,
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
	return file < 0 ? error_sys(err, "cannot make the mount point /%s", path) : 0;
}

static int make_one(struct mount_points *p, int root, const struct open_mount *o,
		    struct error *err)
{
	AUTO(buf) struct buf path = BUF_INIT;
	struct stat there, what;
	int r = root_resolve(root, o->destination, &path, &there, err);

	if (r < 0 || there.st_mode || is_elsewhere(buf_str(&path)))
		return r;
	if (fstat(o->what, &what) < 0)
		return error_sys(err, "%s", o->destination);
	if ((r = note_path(p, root, buf_str(&path), err)) < 0)
		return r;
	return make_path(root, buf_str(&path), S_ISDIR(what.st_mode), err);
}

/* The directories look as old as they were, so that a step that looks sees nothing new. */
static int settle(struct mount_points *p, int root, int upper, struct error *err)
{
	for (size_t i = 0; i < p->n; i++) {
		struct mount_parent *m = &p->items[i];
		struct timespec times[2] = {m->before.st_atim, m->before.st_mtim};
		AUTO(fd) int fd = -1;
		int r = root_open(root, ROOT_INSIDE, m->path, O_RDONLY | O_DIRECTORY, 0, &fd,
				  err);

		if (r < 0)
			return r;
		if (futimens(fd, times) < 0)
			return error_sys(err, "cannot set the time of /%s", m->path);
		if ((r = look(upper, m->path, &m->after, err)) < 0)
			return r;
	}
	return 0;
}

int mount_points_make(struct mount_points *p, int root, int upper, const struct mount_set *set,
		      struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->n; i++)
		if (set->items[i].what >= 0)
			r = make_one(p, root, &set->items[i], err);
	return r < 0 ? r : settle(p, root, upper, err);
}

/* Removes a directory if it is empty, or an empty file; its parent stays as old as it was. */
static int remove_empty(int upper, const char *path, struct error *err)
{
	char name[NAME_MAX + 1];
	struct timespec times[2];
	struct stat st, parent;
	AUTO(fd) int above = -1;
	AUTO(fd) int dir = -1;

	/* what is not there any more, the step itself took away */
	if (root_parent(upper, ROOT_INSIDE, path, &above, name, NULL) < 0 ||
	    fstatat(above, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISDIR(st.st_mode) && (!S_ISREG(st.st_mode) || st.st_size))
		return 0;
	if (fstat(above, &parent) < 0)
		return error_sys(err, "/%s", path);
	if (unlinkat(above, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return errno == ENOTEMPTY || errno == EEXIST
			       ? 0
			       : error_sys(err, "cannot remove the mount point /%s", path);
	times[0] = parent.st_atim;
	times[1] = parent.st_mtim;
	dir = openat(above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || futimens(dir, times) < 0)
		return error_sys(err, "cannot set the time of the parent of /%s", path);
	return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

int mount_points_remove(struct mount_points *p, int upper, struct error *err)
{
	AUTO(free) bool *untouched = mem_resize(NULL, p->n + 1, sizeof(*untouched));
	int r = 0;

	/* its own time of change says whether anything but us has been in it */
	for (size_t i = 0; i < p->n; i++) {
		struct stat st;

		untouched[i] = look(upper, p->items[i].path, &st, NULL) == 0 &&
			       st.st_ino == p->items[i].after.st_ino &&
			       same_time(&st.st_ctim, &p->items[i].after.st_ctim);
	}
	for (size_t i = p->made.n; r == 0 && i-- > 0;)
		r = remove_empty(upper, p->made.items[i], err);
	/* children were noted after their parents */
	for (size_t i = p->n; r == 0 && i-- > 0;)
		if (untouched[i])
			r = remove_empty(upper, p->items[i].path, err);
	return r;
}

void mount_points_clear(struct mount_points *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->items[i].path);
	free(p->items);
	strlist_clear(&p->made);
	*p = MOUNT_POINTS_INIT;
}
