/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a container: `export`, `commit`, `diff`. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/engine_container.h"
#include "layer/layer.h"

#include "base/banned.h"

/* containers/ID/fs: what the container wrote. */
static int open_upper(struct engine *e, const struct store_container *c, int *out,
		      struct error *err)
{
	AUTO(free) char *path = mem_printf("%s/fs", c->id);

	*out = openat(store_dir(e->store, STORE_CONTAINERS), path,
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "containers/%.12s", c->id) : 0;
}

/* What its image has. */
static int image_layers(struct engine *e, const struct store_container *c, struct image *image,
			struct snapshot_stack *out, struct error *err)
{
	int r = image_open(e->store, &c->image, image, err);

	if (r < 0)
		return r;
	return image_stack(e->store, image->config.diff_ids.items, image->config.diff_ids.n,
			   out, err);
}

/* ---- diff ---- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct layer_change *)a)->path,
		      ((const struct layer_change *)b)->path);
}

int engine_diff(struct engine *e, const char *container, struct layer_change_list *out,
		struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {.bottom = -1};
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	AUTO(store_container) struct store_container c = {0};
	AUTO(fd) int upper = -1;
	AUTO(fd) int below = -1;
	int r = engine_container(e, container, &c, err);

	if (r < 0 || (r = open_upper(e, &c, &upper, err)) < 0 ||
	    (r = image_layers(e, &c, &image, &stack, err)) < 0 ||
	    (r = snapshot_view(&stack, &below, err)) < 0 ||
	    (r = layer_changes(upper, below, true, out, err)) < 0)
		return r;
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), by_path);
	return 0;
}

/* ---- export ---- */

static int write_bytes(void *data, const void *bytes, size_t len, struct error *err)
{
	const int *fd = data;

	return io_write_full(*fd, bytes, len) < 0 ? error_sys(err, "cannot write the archive")
						  : 0;
}

int engine_export(struct engine *e, const char *container, int out, struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {.bottom = -1};
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	AUTO(store_container) struct store_container c = {0};
	struct layer_sink sink = {.write = write_bytes, .data = &out};
	AUTO(free) char *upper = NULL;
	struct lease *held = NULL;
	struct layer_info info;
	AUTO(fd) int view = -1;
	int r = engine_container(e, container, &c, err);

	if (r < 0 || (r = image_layers(e, &c, &image, &stack, err)) < 0)
		return r;
	upper = mem_printf("../containers/%s", c.id);
	snapshot_stack_add(&stack, upper);
	if ((r = snapshot_view(&stack, &view, err)) < 0 ||
	    (r = container_hold(e, &c, &held, err)) < 0)
		return r;
	r = layer_describe_tree(view, &sink, &info, err);
	container_release(e, &c, held);
	return r;
}

/* ---- commit ---- */

int engine_container_config(struct engine *e, const struct store_container *c,
			    struct image_config *out, struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	int r = container_options_of(c, &o, err);

	if (r < 0 || (r = image_open(e->store, &c->image, &image, err)) < 0)
		return r;
	runtime_container_config(&image.config, &o, out);
	return 0;
}

/* The container's layer becomes one of the store's. */
static int commit_layer(struct engine *e, const struct store_container *c,
			struct store_layer *out, struct error *err)
{
	AUTO(lease) struct lease *lease = NULL;
	AUTO(fd) int from = -1;
	AUTO(fd) int to = -1;
	struct layer_info info;
	int r = lease_new(e->store, &lease, err);

	*out = (struct store_layer){0};
	if (r < 0 || (r = open_upper(e, c, &from, err)) < 0 ||
	    (r = store_layer_new(e->store, lease, out->dir, err)) < 0)
		return r;
	r = store_layer_open(e->store, out->dir, &to, err);
	if (r == 0)
		r = layer_copy(from, to, &info, err);
	if (r < 0) {
		store_layer_discard(e->store, out->dir, NULL);
		return error_wrap(err, "container %s", c->name);
	}
	out->diff_id = info.diff_id;
	out->content_bytes = info.content_bytes;
	out->tar_bytes = info.tar_bytes;
	out->entries = info.entries;
	return store_layer_commit(e->store, out, err);
}

/* The row says what ran in the container, not what -c made of it. */
static char *command_of(const struct image_config *cfg)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;

	strlist_addall(&words, &cfg->entrypoint);
	strlist_addall(&words, &cfg->cmd);
	return strlist_join(&words, " ");
}

static void add_history(struct image_config *cfg, const struct engine_commit *req,
			const char *command, int64_t now)
{
	struct history *h = image_config_add_history(cfg);

	h->created = now;
	h->has_created = true;
	h->created_by = mem_strdup(command);
	h->author = req->author ? mem_strdup(req->author) : NULL;
	h->comment = req->message ? mem_strdup(req->message) : NULL;
}

/* Docker does not keep them: they are the container's, not the image's. */
static void drop_names(struct image_config *cfg)
{
	free(cfg->hostname);
	free(cfg->domainname);
	cfg->hostname = cfg->domainname = NULL;
}

int engine_commit(struct engine *e, const struct engine_commit *req, struct digest *out_id,
		  struct error *err)
{
	AUTO(store_container) struct store_container c = {0};
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	AUTO(free) char *command = NULL;
	struct lease *held = NULL;
	struct store_layer layer;
	bool has_epoch;
	int64_t now;
	int r = engine_container(e, req->container, &c, err);

	if (r < 0 ||
	    (r = engine_normal_name(req->name,
				    "refusing to create a tag with a digest reference", &names,
				    err)) < 0 ||
	    (r = engine_container_config(e, &c, &cfg, err)) < 0)
		return r;
	command = command_of(&cfg);
	if ((r = build_changes(e->store, &req->changes, &cfg, err)) < 0 ||
	    (r = engine_epoch(NULL, &has_epoch, &now, err)) < 0 ||
	    (req->pause && (r = container_hold(e, &c, &held, err)) < 0))
		return r;
	r = commit_layer(e, &c, &layer, err);
	container_release(e, &c, held);
	if (r < 0)
		return r;
	now = has_epoch ? now * 1000000000 : clock_now_ns();
	drop_names(&cfg);
	cfg.args_escaped = false; /* a mark of builds */
	if (req->author) {
		free(cfg.author);
		cfg.author = mem_strdup(req->author);
	}
	cfg.created = now;
	cfg.has_created = true;
	add_history(&cfg, req, command, now);
	image_config_add_diff_id(&cfg, &layer.diff_id);
	return image_commit(e->store, &cfg, &names, out_id, err);
}
