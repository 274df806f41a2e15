/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a build's files come from: a directory, standard input (a Dockerfile
 * alone, or a tar of the context), or what remote_context.c fetches.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_private.h"
#include "layer/layer.h"

#include "base/banned.h"

#define LIMIT_INPUT_BYTES (4ull << 30) /* a context on standard input, before unpacking */

/* Standard input as a file: it must be looked at before it is known what it is. */
static int spool(int input, int *out, struct error *err)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	if (fstat(input, &st) == 0 && S_ISREG(st.st_mode)) {
		*out = fcntl(input, F_DUPFD_CLOEXEC, 0);
		return 0;
	}
	fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("context", MFD_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "cannot keep standard input");
	if (io_copy(input, fd, LIMIT_INPUT_BYTES + 1, err) < 0)
		return error_wrap(err, "standard input");
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size > LIMIT_INPUT_BYTES)
		return error_set(err, ERR_LIMIT, "standard input: more than %llu bytes",
				 LIMIT_INPUT_BYTES);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "standard input");
	*out = take_fd(&fd);
	return 0;
}

int engine_context_unpack(struct engine *e, int input, const char *from,
			  struct engine_context *out, struct error *err)
{
	struct layer_unpack how = {.mode = LAYER_UNPACK_CONTEXT, .input = input, .below = ""};
	struct layer_unpacked unpacked;
	char dir[STORE_LAYER_DIR_SIZE];
	int r;

	/* a layer directory that never becomes a layer: the lease removes it */
	if ((r = engine_need_store(e, err)) < 0 ||
	    (r = lease_new(e->store, &out->lease, err)) < 0 ||
	    (r = store_layer_new(e->store, out->lease, dir, err)) < 0)
		return r;
	out->scratch = mem_strdup(dir);
	if ((r = store_layer_open(e->store, dir, &out->dir, err)) < 0)
		return r;
	how.tree = out->dir;
	r = layer_unpack(&how, &unpacked, err);
	return r < 0 ? error_wrap(err, "%s", from) : 0;
}

static int open_input(struct engine *e, const struct engine_build *req,
		      struct engine_context *out, struct error *err)
{
	AUTO(fd) int fd = -1;
	bool is_archive = false;
	int r;

	if (req->dockerfile && str_eq(req->dockerfile, "-"))
		return error_set(err, ERR_INVALID,
				 "can't use stdin for both build context and dockerfile");
	if ((r = spool(req->input, &fd, err)) < 0 ||
	    (r = layer_is_archive(fd, &is_archive, err)) < 0)
		return r;
	out->name = mem_strdup("standard input");
	if (is_archive)
		return engine_context_unpack(e, fd, "the build context on standard input", out,
					     err);
	out->dockerfile_name = mem_strdup("Dockerfile");
	return io_read_all(fd, LIMIT_DOCKERFILE_BYTES, &out->dockerfile, err);
}

/* A directory of that name comes first, as with buildx. */
static int open_place(struct engine *e, const struct engine_build *req,
		      struct engine_context *out, struct error *err)
{
	const char *path = req->context;
	struct stat st;

	out->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir < 0 && engine_is_remote(path))
		return engine_remote_open(e, path, req->progress, out, err);
	out->name = mem_strdup(path);
	if (out->dir >= 0)
		return 0;
	if (errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND,
				 "unable to prepare context: path \"%s\" not found", path);
	if (errno == ENOTDIR && stat(path, &st) == 0) {
		error_set(err, ERR_INVALID,
			  "unable to prepare context: context must be a directory: %s", path);
		error_hint(err,
			   "the last argument is the context; the Dockerfile goes with -f");
		return -ERR_INVALID;
	}
	return error_sys(err, "unable to prepare context: %s", path);
}

/* Reads a file that the user named: their own path, so links and ".." mean what they mean. */
static int read_user_file(const char *path, size_t limit, struct buf *out, struct error *err)
{
	return io_read_file(AT_FDCWD, path, limit, out, err);
}

static int missing_dockerfile(const struct engine_context *c, struct error *err)
{
	error_set(err, ERR_NOT_FOUND,
		  "failed to read dockerfile: open %s: no such file or directory",
		  c->dockerfile_name);
	error_hint(err, "the context is %s; name another file with -f", c->name);
	return -ERR_NOT_FOUND;
}

static int read_in_context(struct engine_context *c, const char *name, struct error *err)
{
	return root_read_file(c->dir, ROOT_BENEATH, name, LIMIT_DOCKERFILE_BYTES,
			      &c->dockerfile, err);
}

/* -f is looked for where the user is, then in the context, as buildx does. */
static int read_dockerfile(const struct engine_build *req, struct engine_context *c,
			   struct error *err)
{
	int r;

	if (c->dockerfile_name)
		return 0; /* came on standard input */
	if (req->dockerfile && str_eq(req->dockerfile, "-")) {
		c->dockerfile_name = mem_strdup("Dockerfile");
		return io_read_all(req->input, LIMIT_DOCKERFILE_BYTES, &c->dockerfile, err);
	}
	c->dockerfile_name = mem_strdup(req->dockerfile ? req->dockerfile : "Dockerfile");
	if (req->dockerfile && !c->scratch && !c->remote) {
		r = read_user_file(req->dockerfile, LIMIT_DOCKERFILE_BYTES, &c->dockerfile,
				   err);
		if (r != -ERR_NOT_FOUND || *req->dockerfile == '/')
			return r == -ERR_NOT_FOUND ? missing_dockerfile(c, err) : r;
	}
	error_clear(err);
	r = read_in_context(c, c->dockerfile_name, err);
	if (r == -ERR_NOT_FOUND && str_eq(c->dockerfile_name, "Dockerfile")) {
		error_clear(err);
		r = read_in_context(c, "dockerfile", err);
	}
	return r == -ERR_NOT_FOUND ? missing_dockerfile(c, err) : r;
}

static int read_ignore_file(struct engine_context *c, const char *name, bool users,
			    struct error *err)
{
	int r = users ? read_user_file(name, LIMIT_IGNORE_BYTES, &c->ignore, err)
		      : root_read_file(c->dir, ROOT_BENEATH, name, LIMIT_IGNORE_BYTES,
				       &c->ignore, err);

	if (r == 0)
		c->ignore_name = mem_strdup(name);
	return r;
}

/* DOCKERFILE.dockerignore beside the Dockerfile wins over the context's .dockerignore. */
static int read_ignore(const struct engine_build *req, struct engine_context *c,
		       struct error *err)
{
	AUTO(free) char *own = mem_printf("%s.dockerignore", c->dockerfile_name);
	bool users =
		req->dockerfile && !str_eq(req->dockerfile, "-") && !c->scratch && !c->remote;
	int r = -ERR_NOT_FOUND;

	if (c->dir < 0)
		return 0;
	if (users)
		r = read_ignore_file(c, own, true, err);
	if (r == -ERR_NOT_FOUND && *own != '/')
		r = read_ignore_file(c, own, false, err);
	if (r == -ERR_ESCAPE) /* the Dockerfile is not below the context */
		r = -ERR_NOT_FOUND;
	if (r == -ERR_NOT_FOUND)
		r = read_ignore_file(c, ".dockerignore", false, err);
	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	return r;
}

/* A context that came on standard input has no place; its name is all there is. */
static char *real_name(const struct engine_context *c)
{
	char *path = c->dir < 0 || c->scratch ? NULL : io_fd_path(c->dir);

	return path ? path : mem_strdup(c->name);
}

void engine_context_lend(const struct engine_context *c, struct build_options *o)
{
	o->dockerfile = buf_str(&c->dockerfile);
	o->dockerfile_len = c->dockerfile.len;
	o->dockerfile_name = c->dockerfile_name;
	o->context = c->dir;
	o->context_name = "the build context";
	o->context_label = c->label;
	if (!c->ignore_name)
		return;
	o->ignore = buf_str(&c->ignore);
	o->ignore_len = c->ignore.len;
	o->ignore_name = c->ignore_name;
}

int engine_context_open(struct engine *e, const struct engine_build *req,
			struct engine_context *out, struct error *err)
{
	int r;

	*out = (struct engine_context){.dir = -1, .lock = -1};
	e->tasks = 0;
	if (str_eq(req->context, "-"))
		r = open_input(e, req, out, err);
	else
		r = open_place(e, req, out, err);
	if (r == 0)
		r = read_dockerfile(req, out, err);
	if (r == 0)
		r = read_ignore(req, out, err);
	if (r < 0)
		engine_context_close(e, out);
	else if (!out->label)
		out->label = real_name(out);
	return r;
}

void engine_context_close(struct engine *e, struct engine_context *c)
{
	if (c->scratch)
		store_layer_discard(e->store, c->scratch, NULL);
	if (c->lease)
		lease_end(c->lease);
	close_fd(&c->dir);
	close_fd(&c->lock);
	free(c->name);
	free(c->label);
	buf_clear(&c->dockerfile);
	free(c->dockerfile_name);
	buf_clear(&c->ignore);
	free(c->ignore_name);
	free(c->scratch);
	*c = (struct engine_context){.dir = -1, .lock = -1};
}
