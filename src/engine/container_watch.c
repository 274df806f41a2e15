/* SPDX-License-Identifier: Apache-2.0 */
/* top, stats, update, events, and starting again after boot. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_container.h"

#include "base/banned.h"

static int find_up(struct engine *e, const char *text, struct store_container *c,
		   struct error *err)
{
	int r = engine_need_store(e, err);

	if (r < 0 || (r = engine_container(e, text, c, err)) < 0)
		return r;
	if (!container_is_up(c))
		return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	return 0;
}

/* With another runtime the row has that one's process. */
static pid_t first_process(const struct store_container *c)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	pid_t inside = 0;

	if (container_options_of(c, &o, NULL) == 0 && o.runtime)
		inside = sandbox_inside((pid_t)c->pid);
	return inside ? inside : (pid_t)c->pid;
}

int engine_top(struct engine *e, const char *text, struct pid_list *out, struct error *err)
{
	AUTO(store_container) struct store_container c = {0};
	int r = find_up(e, text, &c, err);

	if (r == 0)
		sandbox_processes(first_process(&c), out);
	return r;
}

void engine_measure(struct engine *e, const struct store_container *c,
		    struct engine_usage_now *out)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;

	(void)e;
	*out = (struct engine_usage_now){.at_ns = clock_monotonic_ns()};
	if (!container_is_up(c) || container_options_of(c, &o, NULL) < 0)
		return;
	sandbox_measure(first_process(c), &out->usage);
	out->usage.memory_limit = o.memory;
}

/* ---- update ---- */

static void replace(char **to, const char *from)
{
	if (!from)
		return;
	free(*to);
	*to = mem_strdup(from);
}

static void merge_cpu(const struct container_options *n, struct container_options *o)
{
	if (n->nano_cpus) {
		o->nano_cpus = n->nano_cpus;
		o->cpu_quota = 0;
		o->cpu_period = 0;
	}
	if (n->cpu_shares)
		o->cpu_shares = n->cpu_shares;
	if (n->cpu_quota)
		o->cpu_quota = n->cpu_quota;
	if (n->cpu_period)
		o->cpu_period = n->cpu_period;
	if (n->cpu_rt_period)
		o->cpu_rt_period = n->cpu_rt_period;
	if (n->cpu_rt_runtime)
		o->cpu_rt_runtime = n->cpu_rt_runtime;
	replace(&o->cpuset_cpus, n->cpuset_cpus);
	replace(&o->cpuset_mems, n->cpuset_mems);
}

/* What does not go together with what was set before, in Docker's words; NULL: all does. */
static const char *conflict(const struct engine_update *u, const struct container_options *o)
{
	const struct container_options *n = u->limits;

	if (n->nano_cpus && o->cpu_period)
		return "Conflicting options: Nano CPUs cannot be updated as CPU Period has "
		       "already been set";
	if (n->nano_cpus && o->cpu_quota)
		return "Conflicting options: Nano CPUs cannot be updated as CPU Quota has "
		       "already been set";
	if (n->cpu_period && o->nano_cpus)
		return "Conflicting options: CPU Period cannot be updated as NanoCPUs has "
		       "already been set";
	if (n->cpu_quota && o->nano_cpus)
		return "Conflicting options: CPU Quota cannot be updated as NanoCPUs has "
		       "already been set";
	if (o->memory_swap > 0 && !n->memory_swap && n->memory > (uint64_t)o->memory_swap)
		return "Memory limit should be smaller than already set memoryswap limit, "
		       "update the memoryswap at the same time";
	if (u->restart && o->remove && !str_eq(u->restart, "no"))
		return "Restart policy cannot be updated because AutoRemove is enabled for the "
		       "container";
	return NULL;
}

static int merge(const struct engine_update *u, const char *id, struct container_options *o,
		 struct error *err)
{
	const struct container_options *n = u->limits;
	const char *why = conflict(u, o);

	if (why)
		return error_set(err, ERR_CONFLICT, "Cannot update container %s: %s", id, why);
	if (u->restart && container_options_set_restart(o, u->restart, err) < 0)
		return -ERR_INVALID;
	if (n->memory)
		o->memory = n->memory;
	if (n->memory_reservation)
		o->memory_reservation = n->memory_reservation;
	if (n->memory_swap)
		o->memory_swap = n->memory_swap;
	if (n->pids_limit)
		o->pids_limit = n->pids_limit;
	if (n->blkio_weight)
		o->blkio_weight = n->blkio_weight;
	merge_cpu(n, o);
	return 0;
}

/* The groups that a container has got while it ran go with it. */
static int limit_now(struct engine *e, const struct store_container *c,
		     struct container_options *o, struct error *err)
{
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	AUTO(runtime_spec) struct runtime_spec spec = RUNTIME_SPEC_INIT;
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	struct resources_spec *limits = &spec.resources;
	pid_t pid;
	int r = image_open(e->store, &c->image, &image, err);

	free(o->id);
	o->id = mem_strdup(c->id);
	if (r < 0 ||
	    (r = runtime_make_spec_running(&image.config, o, &user, true, &spec, err)) < 0 ||
	    !container_is_up(c) || (r = container_process(c, &pid, err)) < 0)
		return r;
	/* as Docker: real-time limits are for the next start */
	limits->rt_period = 0;
	limits->rt_runtime = 0;
	return sandbox_update(pid, &spec, c->id, err);
}

int engine_update(struct engine *e, const char *text, const struct engine_update *u,
		  struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(store_container) struct store_container c = {0};
	AUTO(json) json_t *config = NULL;
	AUTO(buf) struct buf out = BUF_INIT;
	AUTO(fd) int claim = -1, socket = -1;
	int r = engine_need_store(e, err);

	if (r < 0 || (r = container_claim(e, text, &c, &claim, err)) < 0 ||
	    (r = container_options_of(&c, &o, err)) < 0 || (r = merge(u, c.id, &o, err)) < 0 ||
	    (r = json_parse(c.config, strlen(c.config), &config, err)) < 0)
		return r;
	container_options_discard(&o, u->warnings);
	if (u->has_limits && (r = limit_now(e, &c, &o, err)) < 0)
		return r;
	json_object_set_new(config, "options", container_options_encode(&o));
	json_text(config, &out);
	if ((r = store_container_configure(e->store, c.id, buf_str(&out), err)) < 0)
		return r;
	if (wire_connect(claim, &socket, NULL) == 0)
		wire_send(socket, WIRE_RELOAD, NULL, 0);
	container_event(e, &c, "update", NULL, NULL);
	return 0;
}

/* ---- after boot ---- */

static bool wants_start(struct engine *e, const struct store_container *c)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(json) json_t *state = NULL;
	AUTO(fd) int dir = -1;

	if (!str_eq(c->state, "exited") || container_options_of(c, &o, NULL) < 0)
		return false;
	if (o.restart == CONTAINER_RESTART_ALWAYS)
		return true;
	if (o.restart == CONTAINER_RESTART_ON_FAILURE && !c->exit_code)
		return false;
	if (o.restart == CONTAINER_RESTART_NO || container_open_dir(e, c->id, &dir, NULL) < 0)
		return false;
	state = container_state_read(dir);
	return !json_is_true(json_object_get(state, "stopped"));
}

int engine_start_all(struct engine *e,
		     void (*told)(void *data, const char *name, const struct error *why),
		     void *data, struct error *err)
{
	AUTO(store_container_list) struct store_container_list list = {0};
	int r = engine_need_store(e, err);

	if (r < 0 || (r = store_container_list(e->store, &list, err)) < 0)
		return r;
	/* the oldest first: others may need it */
	for (size_t i = list.n; i-- > 0;) {
		AUTO(error) struct error why = ERROR_INIT;
		struct engine_attached attached;

		if (!wants_start(e, &list.items[i]))
			continue;
		if (engine_start(e, list.items[i].id, NULL, &attached, &why) < 0)
			told(data, list.items[i].name, &why);
		else
			told(data, list.items[i].name, NULL);
	}
	return 0;
}

/* ---- events ---- */

static int give_lines(const struct engine_events *req, struct buf *text, struct error *err)
{
	char *end;
	int r = 0;

	while (r == 0 && (end = text->len ? memchr(text->data, '\n', text->len) : NULL)) {
		AUTO(json) json_t *event = NULL;
		const size_t len = (size_t)(end - text->data);
		int64_t when;

		if (json_parse(text->data, len, &event, NULL) == 0) {
			when = json_integer_value(json_object_get(event, "timeNano"));
			if ((!req->since_ns || when >= req->since_ns) &&
			    (!req->until_ns || when <= req->until_ns))
				r = req->event(req->data, event, err);
		}
		buf_consume(text, len + 1);
	}
	return r;
}

#define EVENTS_CHUNK (64u << 10)
#define EVENTS_WAIT  50000000 /* ns */

static int read_events(const struct engine_events *req, int fd, struct buf *text,
		       struct error *err)
{
	ssize_t n;
	int r = 0;

	while (fd >= 0 && r == 0 &&
	       (n = read(fd, buf_reserve(text, EVENTS_CHUNK), EVENTS_CHUNK)) > 0) {
		text->len += (size_t)n;
		text->data[text->len] = 0;
		r = give_lines(req, text, err);
	}
	return r;
}

/* The file that is written to: another one when it has begun anew. */
static int reopen(int root, int *fd)
{
	struct stat now, open_one;

	if (fstatat(root, "events", &now, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (*fd >= 0 && fstat(*fd, &open_one) == 0 && open_one.st_ino == now.st_ino)
		return 0;
	close_fd(fd);
	*fd = openat(root, "events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return 1;
}

int engine_events(struct engine *e, const struct engine_events *req, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(fd) int fd = -1, old = -1;
	int r = engine_need_store(e, err), root;

	if (r < 0)
		return r;
	root = store_dir(e->store, STORE_ROOT);
	reopen(root, &fd);
	store_rest(e->store);
	if (req->since_ns || req->until_ns) {
		old = openat(root, "events.1", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		r = read_events(req, old, &text, err);
	} else if (fd >= 0) {
		lseek(fd, 0, SEEK_END);
	}
	for (;;) {
		const struct timespec wait = {.tv_nsec = EVENTS_WAIT};

		if (r == 0)
			r = read_events(req, fd, &text, err);
		if (r < 0 || (req->until_ns && clock_now_ns() >= req->until_ns))
			break;
		if (!reopen(root, &fd))
			nanosleep(&wait, NULL);
	}
	return r;
}
