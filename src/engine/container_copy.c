/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cp: files between this machine and a container, or a tar on our streams.
 *
 * Both sides are a tree and a path in it, resolved as chroot would: this machine's
 * tree is "/", that of a container what its processes see, or, when none runs, its
 * layers mounted.  So no link of a container leads out of it.  What is read is not
 * trusted to stay what it was: each name is opened first and looked at then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_container.h"
#include "layer/layer.h"

#include "base/banned.h"

#define DEPTH_MAX 512

struct copying {
	const struct engine_copy *req;
	uint64_t bytes;
	uid_t uid; /* of what is made, unless owners are kept */
	gid_t gid;
	bool keep_owner;
	unsigned depth;
};

static int copy_one(struct copying *c, int from_dir, const char *from, int to_dir,
		    const char *to, struct error *err);

/* ---- one entry ---- */

static int set_owner_and_mode(const struct copying *c, int fd, const struct stat *st,
			      const char *name, struct error *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (fchown(fd, c->keep_owner ? st->st_uid : c->uid,
		   c->keep_owner ? st->st_gid : c->gid) < 0 &&
	    errno != EPERM)
		return error_sys(err, "cannot give %s away", name);
	if (fchmod(fd, st->st_mode & 07777) < 0)
		return error_sys(err, "cannot set the mode of %s", name);
	futimens(fd, times);
	return 0;
}

static int copy_inside(struct copying *c, int from, int to, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(from, &list, err);

	if (++c->depth > DEPTH_MAX)
		return error_set(err, ERR_LIMIT, "more than %d directories in each other",
				 DEPTH_MAX);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = copy_one(c, from, list.items[i].name, to, list.items[i].name, err);
	c->depth--;
	return r;
}

static int copy_dir(struct copying *c, int from_dir, const char *from, int to_dir,
		    const char *to, struct error *err)
{
	AUTO(fd)
	int in = openat(from_dir, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(fd) int out = -1;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return error_sys(err, "cannot open %s", from);
	if (mkdirat(to_dir, to, 0700) < 0 && errno != EEXIST)
		return error_sys(err, "cannot make %s", to);
	out = openat(to_dir, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0 && errno == ENOTDIR)
		return error_set(err, ERR_CONFLICT,
				 "cannot overwrite non-directory \"%s\" with directory", to);
	if (out < 0)
		return error_sys(err, "cannot open %s", to);
	r = copy_inside(c, in, out, err);
	return r < 0 ? r : set_owner_and_mode(c, out, &st, to, err);
}

static int copy_file(struct copying *c, int from_dir, const char *from, int to_dir,
		     const char *to, struct error *err)
{
	AUTO(fd)
	int in = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO(fd) int out = -1;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return error_sys(err, "cannot open %s", from);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_CONFLICT, "%s changed while it was read", from);
	/* a mount point, such as /etc/hosts, is written in place */
	if (unlinkat(to_dir, to, 0) < 0 && errno != ENOENT && errno != EBUSY)
		return error_sys(err, "cannot replace %s", to);
	out = openat(to_dir, to,
		     O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (out < 0)
		return error_sys(err, "cannot write %s", to);
	r = io_copy(in, out, UINT64_MAX, err);
	c->bytes += (uint64_t)st.st_size;
	return r < 0 ? error_wrap(err, "%s", to) : set_owner_and_mode(c, out, &st, to, err);
}

static int copy_other(struct copying *c, int from_dir, const char *from, int to_dir,
		      const char *to, const struct stat *st, struct error *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	AUTO(buf) struct buf target = BUF_INIT;
	int r = 0;

	if (S_ISLNK(st->st_mode))
		r = root_read_link(from_dir, from, &target, err);
	if (r < 0)
		return r;
	if (unlinkat(to_dir, to, 0) < 0 && errno != ENOENT)
		return error_sys(err, "cannot replace %s", to);
	r = S_ISLNK(st->st_mode)
		    ? symlinkat(buf_str(&target), to_dir, to)
		    : mknodat(to_dir, to, st->st_mode & (S_IFMT | 07777), st->st_rdev);
	if (r < 0)
		return error_sys(err, "cannot make %s", to);
	if (fchownat(to_dir, to, c->keep_owner ? st->st_uid : c->uid,
		     c->keep_owner ? st->st_gid : c->gid, AT_SYMLINK_NOFOLLOW) < 0 &&
	    errno != EPERM)
		return error_sys(err, "cannot give %s away", to);
	utimensat(to_dir, to, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int copy_one(struct copying *c, int from_dir, const char *from, int to_dir,
		    const char *to, struct error *err)
{
	struct stat st;

	if (fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "cannot look at %s", from);
	if (S_ISDIR(st.st_mode))
		return copy_dir(c, from_dir, from, to_dir, to, err);
	if (S_ISREG(st.st_mode))
		return copy_file(c, from_dir, from, to_dir, to, err);
	if (S_ISSOCK(st.st_mode))
		return 0; /* it means nothing without its process */
	return copy_other(c, from_dir, from, to_dir, to, &st, err);
}

/* ---- where ---- */

struct place {
	int tree;
	char *path;	  /* in it */
	const char *text; /* as written */
	bool host;
};

static bool ends_in_slash(const char *text)
{
	return str_ends(text, "/");
}

static bool means_contents(const char *text)
{
	return str_ends(text, "/.") || str_eq(text, ".") || str_eq(text, "/");
}

/* The last component as it is called, not as it is linked to. */
static char *base_name(const char *text)
{
	AUTO(free) char *clean = root_clean_path(text);
	const char *slash = strrchr(clean, '/');

	return mem_strdup(slash ? slash + 1 : clean);
}

static int missing(const struct engine_copy *req, const struct place *p, struct error *err)
{
	if (p->host)
		return error_set(err, ERR_NOT_FOUND, "lstat %s: no such file or directory",
				 p->text);
	return error_set(err, ERR_NOT_FOUND, "Could not find the file %s in container %s",
			 p->text, req->container);
}

/* Opens the directory that has the source; a link at its end is followed when that is meant. */
static int open_source(const struct engine_copy *req, const struct place *p, int *out_dir,
		       char name[NAME_MAX + 1], struct stat *st, struct error *err)
{
	AUTO(buf) struct buf real = BUF_INIT;
	const bool follow = req->follow || ends_in_slash(p->text) || means_contents(p->text);
	const char *path = p->path;
	int r;

	if (follow) {
		if ((r = root_resolve(p->tree, p->path, &real, NULL, err)) < 0)
			return r;
		path = buf_str(&real);
	}
	r = root_parent(p->tree, ROOT_INSIDE, path, out_dir, name, err);
	if (r == -ERR_NOT_FOUND ||
	    (r == 0 && fstatat(*out_dir, name, st, AT_SYMLINK_NOFOLLOW) < 0)) {
		error_clear(err);
		return missing(req, p, err);
	}
	return r;
}

struct destination {
	int dir;
	char name[NAME_MAX + 1];
	bool contents; /* into @dir, not as @name */
};

static int open_destination(const struct engine_copy *req, const struct place *p,
			    const char *source, bool source_is_dir, struct destination *out,
			    struct error *err)
{
	AUTO(buf) struct buf real = BUF_INIT;
	AUTO(free) char *name = base_name(source);
	struct stat st = {0};
	int r = root_resolve(p->tree, p->path, &real, &st, err);

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode)) {
		out->contents = source_is_dir && means_contents(source);
		if (strlen(name) > NAME_MAX)
			return error_set(err, ERR_INVALID, "%s: the name is too long", name);
		memcpy(out->name, name, strlen(name) + 1);
		return root_open(p->tree, ROOT_INSIDE, buf_str(&real), O_RDONLY | O_DIRECTORY,
				 0, &out->dir, err);
	}
	if (st.st_mode && source_is_dir)
		return error_set(err, ERR_CONFLICT, "cannot copy a directory to a file");
	if (ends_in_slash(p->text) && !source_is_dir)
		return error_set(err, ERR_NOT_FOUND, "%s",
				 st.st_mode ? "not a directory"
					    : "destination directory must exist");
	r = root_parent(p->tree, ROOT_INSIDE, buf_str(&real), &out->dir, out->name, err);
	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		return missing(req, p, err);
	}
	return r;
}

static int copy_between(struct copying *c, const struct place *from, const struct place *to,
			struct error *err)
{
	struct destination d = {.dir = -1};
	char name[NAME_MAX + 1];
	AUTO(fd) int dir = -1, in = -1;
	struct stat st;
	int r = open_source(c->req, from, &dir, name, &st, err);

	if (r < 0)
		return r;
	r = open_destination(c->req, to, from->text, S_ISDIR(st.st_mode), &d, err);
	if (r == 0 && d.contents) {
		in = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = in < 0 ? error_sys(err, "cannot open %s", from->text)
			   : copy_inside(c, in, d.dir, err);
	} else if (r == 0) {
		r = copy_one(c, dir, name, d.dir, d.name, err);
	}
	close_fd(&d.dir);
	return r;
}

/* ---- tar ---- */

static int write_bytes(void *data, const void *bytes, size_t len, struct error *err)
{
	struct copying *c = data;

	c->bytes += len;
	return io_write_full(c->req->out, bytes, len) < 0
		       ? error_sys(err, "cannot write the archive")
		       : 0;
}

/* A copy first: what is written as a tar must not change while it is. */
static int to_tar(struct engine *e, struct copying *c, const struct place *from,
		  struct error *err)
{
	const struct layer_sink sink = {.write = write_bytes, .data = c};
	AUTO(lease) struct lease *lease = NULL;
	struct store_layer layer = {0};
	char name[NAME_MAX + 1];
	AUTO(fd) int dir = -1, scratch = -1;
	AUTO(free) char *base = base_name(from->text);
	struct layer_info info;
	struct stat st;
	int r = open_source(c->req, from, &dir, name, &st, err);

	c->keep_owner = true;
	if (r < 0 || (r = lease_new(e->store, &lease, err)) < 0 ||
	    (r = store_layer_new(e->store, lease, layer.dir, err)) < 0)
		return r;
	if ((r = store_layer_open(e->store, layer.dir, &scratch, err)) == 0)
		r = copy_one(c, dir, name, scratch, *base ? base : "root", err);
	c->bytes = 0;
	if (r == 0)
		r = layer_describe_tree(scratch, &sink, &info, err);
	store_layer_discard(e->store, layer.dir, NULL);
	return r;
}

static int from_tar(struct copying *c, const struct place *to, struct error *err)
{
	AUTO(buf) struct buf real = BUF_INIT;
	struct layer_unpacked unpacked;
	struct stat st;
	int r = root_resolve(to->tree, to->path, &real, &st, err);
	struct layer_unpack how = {.mode = LAYER_UNPACK_ADD,
				   .input = c->req->in,
				   .tree = to->tree,
				   .below = buf_str(&real)};

	if (r < 0)
		return r;
	if (!st.st_mode)
		return missing(c->req, to, err);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "destination \"%s:%s\" must be a directory",
				 c->req->container, to->text);
	r = layer_unpack(&how, &unpacked, err);
	if (r == 0)
		c->bytes = unpacked.content_bytes;
	return r;
}

/* ---- the container's tree ---- */

static int open_tree(struct container_box *b, int *out, struct error *err)
{
	AUTO(free) char *path = NULL;
	pid_t pid;
	int r;

	if (!container_is_up(&b->row))
		return container_box_mount(b, out, err);
	if ((r = container_process(&b->row, &pid, err)) < 0)
		return r;
	path = mem_printf("/proc/%d/root", (int)pid);
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cannot look into the container") : 0;
}

static int host_place(const char *text, struct place *out, struct error *err)
{
	AUTO(free) char *here = *text == '/' ? mem_strdup("") : getcwd(NULL, 0);

	if (!here)
		return error_sys(err, "cannot tell the current directory");
	out->path = mem_printf("%s/%s", here, text);
	out->tree = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return out->tree < 0 ? error_sys(err, "cannot open /") : 0;
}

static int copy(struct container_box *b, struct copying *c, struct error *err)
{
	const struct engine_copy *req = c->req;
	const bool tar = str_eq(req->host_path, "-");
	struct place inside = {.tree = -1, .text = req->path};
	struct place host = {.tree = -1, .text = req->host_path, .host = true};
	int r;

	inside.path = mem_printf("/%s", req->path);
	if ((r = engine_need_store(b->e, err)) == 0 &&
	    (r = container_box_open(b, req->container, err)) == 0)
		r = open_tree(b, &inside.tree, err);
	if (r == 0 && !tar)
		r = host_place(req->host_path, &host, err);
	if (r == 0 && tar)
		r = req->to_container ? from_tar(c, &inside, err)
				      : to_tar(b->e, c, &inside, err);
	else if (r == 0)
		r = req->to_container ? copy_between(c, &host, &inside, err)
				      : copy_between(c, &inside, &host, err);
	close_fd(&inside.tree);
	close_fd(&host.tree);
	free(inside.path);
	free(host.path);
	return r;
}

int engine_copy(struct engine *e, const struct engine_copy *req, uint64_t *out_bytes,
		struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	struct copying c = {.req = req, .keep_owner = req->archive};
	struct container_box b = CONTAINER_BOX_INIT;
	int r;

	if (!req->to_container) {
		c.uid = geteuid();
		c.gid = getegid();
	}
	b.e = e;
	b.o = &o;
	r = copy(&b, &c, err);
	if (b.dir >= 0 && !container_is_up(&b.row))
		root_remove(b.dir, "work", NULL);
	container_box_clear(&b);
	*out_bytes = c.bytes;
	return r;
}
