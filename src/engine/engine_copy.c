/* SPDX-License-Identifier: Apache-2.0 */
/* `image copy`: opens what the user named; image/ does the rest. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/root.h"

#include "engine/engine_private.h"

#include "base/banned.h"

/* One end of the copy, opened. */
struct end {
	struct image_place place;
	int dir, file;
	char *scratch;	 /* a directory that goes when all is done; NULL */
	char *temporary; /* what an archive is called in @dir until it is whole; NULL */
};

#define END_INIT ((struct end){.dir = -1, .file = -1})

static void end_auto(struct end *e)
{
	if (e->temporary)
		unlinkat(e->dir, e->temporary, 0);
	close_fd(&e->dir);
	close_fd(&e->file);
	if (e->scratch)
		root_remove(AT_FDCWD, e->scratch, NULL);
	free(e->scratch);
	free(e->temporary);
	image_place_clear(&e->place);
}

static int open_dir(const char *path, int *out, struct error *err)
{
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "%s", path) : 0;
}

static const char *temporary_place(void)
{
	const char *tmp = getenv("TMPDIR");

	return str_empty(tmp) ? "/tmp" : tmp;
}

static int open_source(struct end *e, struct error *err)
{
	AUTO(free) char *dir = mem_printf("%s/stave-copy.XXXXXX", temporary_place());
	const struct image_place *p = &e->place;

	if (p->kind == IMAGE_PLACE_REGISTRY)
		return 0;
	if (p->kind == IMAGE_PLACE_LAYOUT)
		return open_dir(p->path, &e->dir, err);
	e->file = open(p->path, O_RDONLY | O_CLOEXEC);
	if (e->file < 0)
		return error_sys(err, "%s", p->path);
	if (!mkdtemp(dir))
		return error_sys(err, "cannot make %s", dir);
	e->scratch = take_ptr(dir);
	return open_dir(e->scratch, &e->dir, err);
}

static const char *file_name(const struct image_place *p)
{
	const char *slash = strrchr(p->path, '/');

	return slash ? slash + 1 : p->path;
}

/* Beside its place: it gets its name when it is whole. */
static int open_archive(struct end *e, struct error *err)
{
	const char *name = file_name(&e->place);
	AUTO(free) char *dir = mem_strndup(e->place.path, (size_t)(name - e->place.path));
	char random[13];
	int r = open_dir(*dir ? dir : ".", &e->dir, err);

	if (r < 0)
		return r;
	random_hex(random, 12);
	e->temporary = mem_printf("%s.%s.tmp", name, random);
	e->file = openat(e->dir, e->temporary,
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	return e->file < 0 ? error_sys(err, "cannot write %s", e->place.path) : 0;
}

static int open_target(struct end *e, struct error *err)
{
	const struct image_place *p = &e->place;

	if (p->kind == IMAGE_PLACE_REGISTRY)
		return open_dir(temporary_place(), &e->dir, err);
	if (p->kind != IMAGE_PLACE_LAYOUT)
		return open_archive(e, err);
	if (mkdir(p->path, 0777) < 0 && errno != EEXIST)
		return error_sys(err, "cannot make %s", p->path);
	return open_dir(p->path, &e->dir, err);
}

static int finish_target(struct end *e, struct error *err)
{
	if (!e->temporary)
		return 0;
	if (renameat(e->dir, e->temporary, e->dir, file_name(&e->place)) < 0)
		return error_sys(err, "cannot write %s", e->place.path);
	e->temporary = (free(e->temporary), NULL);
	return 0;
}

int engine_copy_image(const struct engine_copy_image *req, struct digest *out,
		      struct error *err)
{
	AUTO(end) struct end from = END_INIT, to = END_INIT;
	AUTO(platform) struct platform platform = PLATFORM_INIT;
	struct image_copy how = {.from = &from.place,
				 .to = &to.place,
				 .referrers = req->referrers,
				 .insecure = req->insecure,
				 .progress = req->progress};
	int r;

	if ((r = image_place_parse(req->from, &from.place, err)) < 0)
		return error_wrap(err, "%s", req->from);
	if ((r = image_place_parse(req->to, &to.place, err)) < 0)
		return error_wrap(err, "%s", req->to);
	if (!str_empty(req->platform)) {
		if ((r = platform_parse(req->platform, &platform, err)) < 0)
			return error_wrap(err, "invalid platform");
		how.platform = &platform;
	}
	if ((r = open_source(&from, err)) < 0 || (r = open_target(&to, err)) < 0)
		return r;
	from.place.dir = from.dir;
	from.place.file = from.file;
	to.place.dir = to.dir;
	to.place.file = to.file;
	r = image_copy(&how, out, err);
	return r < 0 ? r : finish_target(&to, err);
}

bool engine_same_repository(const struct reference *a, const struct reference *b)
{
	return str_eq(a->domain, b->domain) && str_eq(a->path, b->path);
}

/* "docker://", so that no name is taken for a place of another kind. */
static char *place_by_digest(const struct reference *ref, const struct digest *d)
{
	char text[DIGEST_TEXT_SIZE];

	return mem_printf("docker://%s/%s@%s", ref->domain, ref->path, digest_text(d, text));
}

int engine_copy_manifest(const struct reference *from, const struct reference *to,
			 const struct digest *d, bool insecure, struct error *err)
{
	AUTO(free) char *source = place_by_digest(from, d), *target = NULL;
	struct engine_copy_image req = {.from = source, .insecure = insecure};
	struct digest ignored;

	if (engine_same_repository(from, to))
		return 0;
	req.to = target = place_by_digest(to, d);
	return engine_copy_image(&req, &ignored, err);
}
