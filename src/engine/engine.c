/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_container.h"
#include "layer/layer.h"
#include "sandbox/sandbox.h"

#include "base/banned.h"

/* What a dead command left that is not the store's own. */
static int undo(void *data, const char *kind, const char *name, struct error *err)
{
	(void)data;
	if (str_eq(kind, "cgroup"))
		return sandbox_remove_cgroup(name, err);
	if (str_eq(kind, "endpoint"))
		return network_reap(err);
	if (str_eq(kind, "held"))
		return container_release_dead(name, err);
	return 0;
}

int engine_need_store(struct engine *e, struct error *err)
{
	return e->store ? 0 : store_open(e->root, undo, NULL, &e->store, err);
}

struct engine *engine_for_registry(const char *root)
{
	struct engine *e = mem_new(struct engine);

	e->root = root;
	return e;
}

int engine_open(const char *root, struct engine **out, struct error *err)
{
	AUTO(engine) struct engine *e = engine_for_registry(root);
	int r = engine_need_store(e, err);

	if (r == 0)
		*out = take_ptr(e);
	return r;
}

void engine_close(struct engine *e)
{
	if (!e)
		return;
	store_close(e->store);
	free(e);
}

int engine_view_begin(struct engine *e, struct error *err)
{
	return store_view_begin(e->store, err);
}

void engine_view_end(struct engine *e)
{
	store_view_end(e->store);
}

/* ---- images ---- */

int engine_images(struct engine *e, struct store_image_list *out, struct error *err)
{
	return store_image_list(e->store, out, err);
}

int engine_image(struct engine *e, const char *text, struct image *out, struct error *err)
{
	return image_find(e->store, text, out, err);
}

int engine_check_platform(const struct image *i, const char *text, const char *platform,
			  struct error *err)
{
	AUTO(platform) struct platform want = PLATFORM_INIT;
	AUTO(buf) struct buf wanted = BUF_INIT;
	AUTO(buf) struct buf have = BUF_INIT;
	int r;

	if (str_empty(platform))
		return 0;
	if ((r = platform_parse(platform, &want, err)) < 0)
		return r;
	if (platform_eq(&want, &i->config.platform))
		return 0;
	platform_format(&want, &wanted);
	platform_format(&i->config.platform, &have);
	return error_set(err, ERR_NOT_FOUND,
			 "image with reference %s was found but its platform (%s) does not "
			 "match the specified platform (%s)",
			 text, buf_str(&have), buf_str(&wanted));
}

int engine_tag(struct engine *e, const char *source, const char *target, struct error *err)
{
	struct digest id;
	int r = image_resolve(e->store, source, &id, err);

	return r < 0 ? r : image_tag(e->store, &id, target, err);
}

int engine_rmi(struct engine *e, const char *text, bool force, struct image_removed *out,
	       struct error *err)
{
	return image_remove(e->store, text, force, out, err);
}

int engine_history(struct engine *e, const struct image *i, struct image_history *out,
		   struct error *err)
{
	return image_history(e->store, i, out, err);
}

json_t *engine_inspect_image(struct engine *e, const struct image *i)
{
	return image_inspect(e->store, i);
}

/* ---- system ---- */

int engine_info(struct engine *e, struct engine_info *out, struct error *err)
{
	AUTO(platform) struct platform host = PLATFORM_INIT;
	struct sysinfo memory;
	struct utsname u;
	int r = store_count(e->store, &out->counts, err);

	if (r < 0)
		return r;
	uname(&u);
	sysinfo(&memory);
	platform_host(&host);
	out->root = store_path(e->store);
	out->kernel = mem_strdup(u.release);
	out->hostname = mem_strdup(u.nodename);
	out->os = mem_strdup(host.os);
	out->architecture = mem_strdup(u.machine);
	out->cgroup_version = sandbox_cgroup_version();
	if (*out->cgroup_version == 'v')
		out->cgroup_version++;
	out->memory_bytes = (uint64_t)memory.totalram * memory.mem_unit;
	out->cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	return 0;
}

void engine_info_clear(struct engine_info *i)
{
	free(i->kernel);
	free(i->hostname);
	free(i->os);
	free(i->architecture);
	*i = (struct engine_info){0};
}

struct counting {
	const struct store_problem_sink *sink;
	unsigned left;
};

static void count_problem(void *data, const char *text, bool fixed)
{
	struct counting *c = data;

	c->left += !fixed;
	c->sink->problem(c->sink->data, text, fixed);
}

/* Reads every layer again: the only proof that its bytes are what its name says. */
static int check_layers(struct engine *e, bool repair, const struct store_problem_sink *sink,
			struct error *err)
{
	struct store_layer_list list = {0};
	int r = store_layer_all(e->store, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct store_layer *layer = &list.items[i];
		struct layer_info info = {0};
		AUTO(free) char *text = NULL;
		char id[DIGEST_TEXT_SIZE];
		struct digest tree;
		AUTO(fd) int fd = -1;
		int bad;

		if ((r = store_layer_tree(e->store, &layer->diff_id, &tree, err)) < 0)
			break;
		if (store_layer_open(e->store, layer->dir, &fd, NULL) < 0)
			continue; /* named by store_check() */
		bad = layer_describe(fd, NULL, &info, NULL);
		if (bad == 0 && digest_eq(&info.diff_id, &tree))
			continue;
		text = mem_printf("layer %.19s: its files are not what they were",
				  digest_text(&layer->diff_id, id));
		sink->problem(sink->data, text, repair);
		if (repair)
			r = store_layer_drop(e->store, &layer->diff_id, err);
	}
	free(list.items);
	return r;
}

int engine_check(struct engine *e, bool repair, const struct store_problem_sink *sink,
		 struct error *err)
{
	struct counting c = {.sink = sink};
	struct store_problem_sink counted = {.problem = count_problem, .data = &c};
	struct store_collected collected = {0};
	int r = check_layers(e, repair, &counted, err);

	if (r == 0)
		r = store_check(e->store, repair, &counted, err);
	if (r == 0 && repair)
		r = store_collect(e->store, &collected, err);
	store_collected_clear(&collected);
	if (r < 0)
		return r;
	if (!c.left)
		return store_layers_sync(e->store, err);
	error_set(err, ERR_CORRUPT, "%u problem%s left", c.left, c.left == 1 ? "" : "s");
	error_hint(err, "`stave system check --repair` mends what can be mended");
	return -ERR_CORRUPT;
}
