/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for containers. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/mem.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define INSIDE_TRIES 1000 /* of 5 ms: for the other runtime to have started */

int engine_containers(struct engine *e, struct store_container_list *out, struct error *err)
{
	return store_container_list(e->store, out, err);
}

static bool matches(const struct store_container *c, const char *text)
{
	const char *name = *text == '/' ? text + 1 : text;

	return str_eq(c->name, name) || str_eq(c->id, text);
}

int engine_container(struct engine *e, const char *text, struct store_container *out,
		     struct error *err)
{
	AUTO(store_container_list) struct store_container_list list = {0};
	struct store_container *found = NULL;
	unsigned prefixes = 0;
	int r = store_container_named(e->store, text, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (matches(&list.items[i], text)) {
			found = &list.items[i];
			prefixes = 1;
			break;
		}
		if (*text && str_starts(list.items[i].id, text)) {
			found = &list.items[i];
			prefixes++;
		}
	}
	if (r < 0)
		return r;
	if (prefixes > 1)
		return error_set(err, ERR_CONFLICT,
				 "multiple IDs found with provided prefix: %s", text);
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "No such container: %s", text);
	*out = *found;
	*found = (struct store_container){0};
	return 0;
}

int engine_container_size(struct engine *e, const struct store_container *c, uint64_t *out_rw,
			  uint64_t *out_root, struct error *err)
{
	AUTO(store_image) struct store_image image = {0};
	AUTO(free) char *name = mem_printf("%s/fs", c->id);
	int r = store_content(e->store, STORE_CONTAINERS, name, out_rw, err);

	if (r == 0)
		r = store_image_get(e->store, &c->image, &image, err);
	*out_root = *out_rw + image.size;
	return r;
}

int container_claim(struct engine *e, const char *text, struct store_container *c,
		    int *out_claim, struct error *err)
{
	AUTO(fd) int dir = -1;
	AUTO(free) char *id = NULL;
	int r = engine_container(e, text, c, err);

	if (r < 0 || (r = container_open_dir(e, c->id, &dir, err)) < 0 ||
	    (r = io_lock(dir, true, true, err)) < 0)
		return r;
	/* as it is now: somebody may have changed it while we waited */
	id = take_ptr(c->id);
	store_container_clear(c);
	if ((r = engine_container(e, id, c, err)) == 0)
		*out_claim = take_fd(&dir);
	return r;
}

/* Those whose name spaces are this kernel's; gVisor's and Kata's containers have their own. */
static bool is_plain_runtime(const char *runtime)
{
	static const char *const plain[] = {"crun", "runc", "youki"};
	const char *slash = strrchr(runtime, '/');

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (str_eq(slash ? slash + 1 : runtime, plain[i]))
			return true;
	return false;
}

int container_process(const struct store_container *c, pid_t *out, struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	const struct timespec pause = {.tv_nsec = 5000000};
	const pid_t runtime = (pid_t)c->pid;
	pid_t inside = 0;
	int r = container_options_of(c, &o, err);

	if (r < 0)
		return r;
	if (!o.runtime) {
		*out = runtime;
		return 0;
	}
	if (!is_plain_runtime(o.runtime))
		return error_set(err, ERR_UNSUPPORTED,
				 "the processes of a container of the runtime %s cannot be "
				 "reached: only crun, runc and youki are known to use this "
				 "kernel's name spaces",
				 o.runtime);
	for (int i = 0; i < INSIDE_TRIES && !(inside = sandbox_inside(runtime)) &&
			sandbox_start_time(runtime);
	     i++)
		nanosleep(&pause, NULL);
	if (!inside)
		return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	*out = inside;
	return 0;
}
