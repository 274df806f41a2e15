/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts that lie elsewhere: git repositories, archives and Dockerfiles behind a URL. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/engine_private.h"
#include "layer/layer.h"
#include "remote/remote.h"

#include "base/banned.h"

bool engine_is_remote(const char *text)
{
	return remote_is_http(text) || remote_is_git(text);
}

static int open_git(struct engine *e, const char *text, struct engine_context *out,
		    struct error *err)
{
	AUTO(remote_git) struct remote_git git = {0};
	struct remote_checkout checkout;
	int cache = store_dir(e->store, STORE_CACHE);
	int r = remote_git_parse(text, &git, err);

	if (r < 0 || (r = remote_git_checkout(cache, &git, &checkout, err)) < 0)
		return r;
	return remote_open_checkout(cache, &checkout, git.subdir, &out->dir, &out->lock, err);
}

static int open_http(struct engine *e, const char *text, struct engine_context *out,
		     struct error *err)
{
	int cache = store_dir(e->store, STORE_CACHE);
	struct remote_file file;
	bool is_archive = false;
	AUTO(fd) int fd = -1;
	int r = remote_download(cache, text, NULL, &file, err);

	if (r < 0 || (r = remote_open_body(cache, &file.digest, &fd, err)) < 0 ||
	    (r = layer_is_archive(fd, &is_archive, err)) < 0)
		return r;
	if (is_archive)
		return engine_context_unpack(e, fd, out->name, out, err);
	out->dockerfile_name = mem_strdup("Dockerfile");
	r = io_read_all(fd, LIMIT_DOCKERFILE_BYTES, &out->dockerfile, err);
	return r < 0 ? error_wrap(err, "%s", out->name) : 0;
}

int engine_remote_open(struct engine *e, const char *text, const struct progress *p,
		       struct engine_context *out, struct error *err)
{
	bool is_git = remote_is_git(text);
	AUTO(free) char *shown = remote_redact(text);
	AUTO(free)
	char *title =
		mem_printf("[internal] load %s %s", is_git ? "git source" : "remote", shown);
	struct progress_event ev = {.kind = PROGRESS_BEGIN, .task = ++e->tasks, .text = title};
	int64_t started = clock_monotonic_ns();
	AUTO(error) struct error why = ERROR_INIT;
	int r = engine_need_store(e, err);

	out->name = mem_strdup(shown);
	out->label = mem_strdup(shown);
	out->remote = true;
	if (r < 0)
		return r;
	progress_emit(p, &ev);
	r = is_git ? open_git(e, text, out, &why) : open_http(e, text, out, &why);
	ev.kind = r < 0 ? PROGRESS_FAILED : PROGRESS_DONE;
	ev.text = why.message;
	ev.duration_ns = clock_monotonic_ns() - started;
	progress_emit(p, &ev);
	error_move(err, &why);
	return r;
}
