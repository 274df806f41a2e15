/* SPDX-License-Identifier: Apache-2.0 */
/* A tree as files of the user's. */
#include "layer/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

/* A directory gets its mode and time when all is in it. */
struct made_dir {
	char *path; /* owned */
	mode_t mode;
	int64_t mtime_sec;
};

struct copy {
	int to;
	struct made_dirs {
		struct made_dir *items;
		size_t n, cap;
	} dirs;
};

static void set_times(int dir, const char *name, int64_t mtime_sec)
{
	struct timespec times[2] = {{.tv_sec = mtime_sec}, {.tv_sec = mtime_sec}};

	/* a file system that has no such times is no reason to fail */
	utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
}

static int make_dir(struct copy *c, const struct layer_entry *e, int parent, const char *name,
		    struct error *err)
{
	struct made_dir *d;
	struct stat st;

	if (mkdirat(parent, name, 0700) < 0) {
		if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_sys(err, "cannot create %s", e->path);
		if (!S_ISDIR(st.st_mode) &&
		    (unlinkat(parent, name, 0) < 0 || mkdirat(parent, name, 0700) < 0))
			return error_sys(err, "cannot create %s", e->path);
		/* it gets its mode again in the end, as the tree has it */
		if (S_ISDIR(st.st_mode) && (st.st_mode & 0700) != 0700 &&
		    fchmodat(parent, name, (st.st_mode & 07777) | 0700, 0) < 0)
			return error_sys(err, "cannot write into %s", e->path);
	}
	d = vec_push(&c->dirs);
	*d = (struct made_dir){mem_strdup(e->path), e->mode & 07777, e->mtime_sec};
	return 0;
}

/* What is made under another name takes the place of whatever is there. */
static int put_in_place(int parent, const char *temporary, const char *name,
			const struct layer_entry *e, struct error *err)
{
	int r = 0;

	if (renameat(parent, temporary, parent, name) == 0)
		return 0;
	if (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST) {
		r = root_remove(parent, name, err);
		if (r == 0 && renameat(parent, temporary, parent, name) == 0)
			return 0;
	}
	if (r == 0)
		r = error_sys(err, "cannot create %s", e->path);
	unlinkat(parent, temporary, 0);
	return r;
}

static void set_attributes(int fd, const struct layer_entry *e)
{
	for (size_t i = 0; i < e->nxattrs; i++) {
		const struct layer_xattr *x = &e->xattrs[i];

		fsetxattr(fd, x->name, x->value, x->size, 0);
	}
}

static int make_file(const struct layer_entry *e, int from, int parent, const char *temporary,
		     struct error *err)
{
	AUTO(fd)
	int fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	int r = 0;

	if (fd < 0)
		return error_sys(err, "cannot create %s", e->path);
	if (e->size && (r = io_copy(from, fd, e->size, err)) < 0)
		return error_wrap(err, "%s", e->path);
	if (fchmod(fd, e->mode & 07777) < 0)
		return error_sys(err, "cannot set the mode of %s", e->path);
	set_attributes(fd, e);
	return 0;
}

static int make_link(struct copy *c, const struct layer_entry *e, int parent,
		     const char *temporary, struct error *err)
{
	char name[NAME_MAX + 1];
	AUTO(fd) int dir = -1;
	int r = root_parent(c->to, ROOT_BENEATH, e->link, &dir, name, err);

	if (r < 0)
		return r;
	if (linkat(dir, name, parent, temporary, 0) < 0)
		return error_sys(err, "cannot link %s to %s", e->path, e->link);
	return 0;
}

static int make_other(const struct layer_entry *e, int parent, const char *temporary,
		      struct error *err)
{
	int r = S_ISLNK(e->mode) ? symlinkat(e->link, parent, temporary)
				 : mknodat(parent, temporary, e->mode & S_IFMT, e->rdev);

	if (r < 0)
		return error_sys(err, "cannot create %s", e->path);
	if (!S_ISLNK(e->mode) && fchmodat(parent, temporary, e->mode & 07777, 0) < 0)
		return error_sys(err, "cannot set the mode of %s", e->path);
	return 0;
}

static int copy_entry(void *data, const struct layer_entry *e, int from, struct error *err)
{
	struct copy *c = data;
	bool link = S_ISREG(e->mode) && e->link;
	char name[NAME_MAX + 1], temporary[] = ".stave-0123456789ab";
	AUTO(fd) int parent = -1;
	int r = root_parent(c->to, ROOT_BENEATH, e->path, &parent, name, err);

	if (r < 0)
		return r;
	if (S_ISDIR(e->mode))
		return make_dir(c, e, parent, name, err);
	random_hex(temporary + strlen(".stave-"), 12);
	if (link)
		r = make_link(c, e, parent, temporary, err);
	else if (S_ISREG(e->mode))
		r = make_file(e, from, parent, temporary, err);
	else
		r = make_other(e, parent, temporary, err);
	if (r < 0) {
		unlinkat(parent, temporary, 0);
		return r;
	}
	if (!link)
		set_times(parent, temporary, e->mtime_sec);
	/* two names of one file: rename(2) does nothing then */
	if (link)
		unlinkat(parent, name, 0);
	return put_in_place(parent, temporary, name, e, err);
}

static int finish_dirs(struct copy *c, struct error *err)
{
	/* the inner ones first: what is done in them changes the outer one's time */
	for (size_t i = c->dirs.n; i-- > 0;) {
		const struct made_dir *d = &c->dirs.items[i];
		AUTO(fd) int fd = -1;
		int r = root_open(c->to, ROOT_BENEATH, d->path,
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err);

		if (r < 0)
			return r;
		if (fchmod(fd, d->mode) < 0)
			return error_sys(err, "cannot set the mode of %s", d->path);
		struct timespec times[2] = {{.tv_sec = d->mtime_sec}, {.tv_sec = d->mtime_sec}};
		futimens(fd, times);
	}
	return 0;
}

int layer_copy_out(int tree, int to, struct error *err)
{
	struct copy c = {.to = to};
	const struct layer_visitor visitor = {.entry = copy_entry, .data = &c};
	int r = layer_visit_tree(tree, &visitor, err);

	if (r == 0)
		r = finish_dirs(&c, err);
	for (size_t i = 0; i < c.dirs.n; i++)
		free(c.dirs.items[i].path);
	free(c.dirs.items);
	return r;
}
