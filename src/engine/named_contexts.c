/* SPDX-License-Identifier: Apache-2.0 */
/* --build-context NAME=VALUE: directories, images of the store, layouts, stages. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_private.h"

#include "base/banned.h"

#define IMAGE_PREFIX  "docker-image://"
#define LAYOUT_PREFIX "oci-layout://"
#define TARGET_PREFIX "target:"

static int read_ignore(struct engine_named *n, struct error *err)
{
	int r = root_read_file(n->dir, ROOT_BENEATH, ".dockerignore", LIMIT_IGNORE_BYTES,
			       &n->ignore, err);

	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return error_wrap(err, "build context %s", n->name);
	n->ignore_name = mem_printf("%s/.dockerignore", n->label);
	return 0;
}

static int open_remote(struct engine *e, const struct progress *p, struct engine_named *n,
		       struct error *err)
{
	int r = engine_remote_open(e, n->label, p, &n->remote, err);

	n->dir = n->remote.dir;
	if (r == 0 && n->dir < 0)
		r = error_set(err, ERR_INVALID, "%s is not an archive", n->label);
	return r < 0 ? error_wrap(err, "build context %s", n->name) : read_ignore(n, err);
}

static int open_directory(struct engine *e, const struct progress *p, struct engine_named *n,
			  struct error *err)
{
	n->kind = BUILD_CONTEXT_DIRECTORY;
	n->dir = open(n->label, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (n->dir >= 0)
		return read_ignore(n, err);
	if (engine_is_remote(n->label))
		return open_remote(e, p, n, err);
	if (errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND,
				 "failed to get build context %s: there is no directory \"%s\"",
				 n->name, n->label);
	return error_sys(err, "failed to get build context %s: %s", n->name, n->label);
}

static int choose_platform(const char *text, struct platform *out, struct error *err)
{
	if (!str_empty(text))
		return platform_parse(text, out, err);
	platform_host(out);
	return 0;
}

/* "DIR", "DIR:TAG", "DIR@sha256:…" or both. */
static int load_layout(struct engine *e, const char *platform_text, struct engine_named *n,
		       struct error *err)
{
	AUTO(platform) struct platform platform = PLATFORM_INIT;
	AUTO(descriptor) struct descriptor d = DESCRIPTOR_INIT;
	AUTO(free) char *path = mem_strdup(n->label + strlen(LAYOUT_PREFIX));
	AUTO(free) char *ref = NULL;
	struct image_layout l = {.name = n->label};
	char id_text[DIGEST_TEXT_SIZE], *cut = strchr(path, '@');
	struct digest id;
	AUTO(fd) int dir = -1;
	int r;

	if (cut) {
		ref = mem_strdup(cut);
		*cut = 0;
	}
	cut = strrchr(path, ':');
	if (cut && !strchr(cut, '/')) {
		if (!ref)
			ref = mem_strdup(cut + 1);
		*cut = 0;
	}
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_sys(err, "build context %s: %s", n->name, path);
	l.dir = dir;
	if ((r = choose_platform(platform_text, &platform, err)) < 0)
		return r;
	if ((r = image_layout_find(&l, ref, &d, err)) < 0 ||
	    (r = engine_need_store(e, err)) < 0 ||
	    (r = image_layout_load(e->store, &l, &d, &platform, NULL, &id, err)) < 0)
		return error_wrap(err, "build context %s", n->name);
	n->kind = BUILD_CONTEXT_IMAGE;
	n->image = mem_strdup(digest_text(&id, id_text));
	return 0;
}

static int check_image(struct engine_named *n, struct error *err)
{
	const char *name = n->label + strlen(IMAGE_PREFIX);
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	int r = reference_parse(name, &ref, err);

	if (r < 0)
		return error_wrap(err, "build context %s", n->name);
	n->kind = BUILD_CONTEXT_IMAGE;
	n->image = mem_strdup(name);
	return 0;
}

static int open_one(struct engine *e, const struct engine_build *req, const char *text,
		    struct engine_named *n, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(free) char *name = mem_strndup(text, strcspn(text, "="));
	int r;

	n->dir = -1;
	n->remote = (struct engine_context){.dir = -1, .lock = -1};
	if (!strchr(text, '='))
		return error_set(err, ERR_INVALID,
				 "invalid context value: %s, expected key=value", text);
	if ((r = reference_parse(name, &ref, err)) < 0)
		return error_wrap(err, "invalid context name %s", name);
	n->name = build_context_name(name);
	n->label = mem_strdup(text + strlen(name) + 1);
	if (str_starts(n->label, IMAGE_PREFIX))
		return check_image(n, err);
	if (str_starts(n->label, LAYOUT_PREFIX))
		return load_layout(e, req->platform, n, err);
	if (!str_starts(n->label, TARGET_PREFIX))
		return open_directory(e, req->progress, n, err);
	n->kind = BUILD_CONTEXT_STAGE;
	n->image = mem_strdup(n->label + strlen(TARGET_PREFIX));
	return 0;
}

int engine_contexts_open(struct engine *e, const struct engine_build *req,
			 struct engine_contexts *out, struct error *err)
{
	const struct strlist *l = &req->contexts;
	int r = 0;

	*out = (struct engine_contexts){.engine = e};
	out->items = mem_zalloc((l->n ? l->n : 1) * sizeof(*out->items));
	out->contexts = mem_zalloc((l->n ? l->n : 1) * sizeof(*out->contexts));
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		struct engine_named *n = &out->items[out->n++];

		r = open_one(e, req, l->items[i], n, err);
		out->contexts[i] = (struct build_context){
			.name = n->name,
			.kind = n->kind,
			.label = n->label,
			.dir = n->dir,
			.ignore = n->ignore_name ? buf_str(&n->ignore) : NULL,
			.ignore_len = n->ignore.len,
			.ignore_name = n->ignore_name,
			.image = n->image,
		};
	}
	if (r < 0)
		engine_contexts_close(out);
	return r;
}

void engine_contexts_close(struct engine_contexts *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct engine_named *n = &c->items[i];

		if (n->dir != n->remote.dir)
			close_fd(&n->dir);
		engine_context_close(c->engine, &n->remote);
		buf_clear(&n->ignore);
		free(n->ignore_name);
		free(n->name);
		free(n->label);
		free(n->image);
	}
	free(c->items);
	free(c->contexts);
	*c = (struct engine_contexts){0};
}
