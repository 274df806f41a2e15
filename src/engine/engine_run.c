/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container in the foreground: a row, a directory (bundle and upper), a
 * name space on the network, a sandbox, and the pump between it and us.  The
 * row and the directory are there before anything runs, under a lease, so
 * that the next command can clean up after a killed one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_private.h"
#include "sandbox/sandbox.h"
#include "snapshot/snapshot.h"

#include "base/banned.h"

#define EXIT_ENGINE 125

struct starting {
	struct engine *e;
	const struct engine_run *req;
	struct container_options *o; /* borrowed */
	struct image image;
	struct store_container row;
	struct lease *lease;
	struct network_endpoint endpoint;
	struct runtime_spec spec;
	struct runtime_stdio *stdio;
	int dir; /* containers/ID */
};

static void notice(const struct starting *s, const char *text)
{
	if (s->req->notice)
		s->req->notice(s->req->data, text);
}

/* As Docker: from the store, else from its registry, with a word about it. */
static int find_image(struct starting *s, struct error *err)
{
	const struct engine_run *req = s->req;
	struct engine_pull_request pull = {.platform = req->platform,
					   .progress = req->progress};
	AUTO(engine_pulled) struct engine_pulled pulled = {0};
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf name = BUF_INIT;
	AUTO(free) char *text = NULL;
	int r = -ERR_NOT_FOUND;

	if (req->pull != ENGINE_PULL_ALWAYS)
		r = image_find(s->e->store, req->image, &s->image, err);
	if (r != -ERR_NOT_FOUND || req->pull == ENGINE_PULL_NEVER)
		return r;
	error_clear(err);
	if ((r = reference_parse(req->image, &ref, err)) < 0)
		return r;
	reference_familiar(&ref, &name);
	pull.name = buf_str(&name);
	if (req->pull == ENGINE_PULL_MISSING) {
		text = mem_printf("Unable to find image '%s' locally", buf_str(&name));
		notice(s, text);
	}
	if ((r = engine_pull(s->e, &pull, &pulled, err)) < 0)
		return r;
	return image_find(s->e->store, req->image, &s->image, err);
}

/* ---- the row and the directory ---- */

static int choose_name(struct starting *s, struct error *err)
{
	int r = 0;

	s->row.name = s->o->name ? mem_strdup(s->o->name) : NULL;
	for (int tries = 0; tries < 20; tries++) {
		if (!s->o->name) {
			AUTO(buf) struct buf name = BUF_INIT;

			engine_random_name(&name);
			if (tries > 10)
				buf_printf(&name, "%d", tries);
			free(s->row.name);
			s->row.name = buf_steal(&name);
		}
		r = store_container_add(s->e->store, &s->row, err);
		if (r != -ERR_EXISTS || s->o->name)
			break;
	}
	return r;
}

static char *describe_options(const struct starting *s)
{
	struct buf out = BUF_INIT;
	AUTO(strlist) struct strlist args = STRLIST_INIT;
	json_t *j = json_object(), *labels = json_object();

	if (runtime_make_args(&s->image.config, s->o, &args, NULL) == 0)
		json_object_set_new(j, "args", json_from_strings(&args));
	map_each (&s->o->labels, l)
		json_object_set_new(labels, l->key, json_string(l->value));
	json_object_set_new(j, "labels", labels);
	json_object_set_new(j, "options", container_options_encode(s->o));
	json_text(j, &out);
	json_decref(j);
	return buf_steal(&out);
}

static int make_row(struct starting *s, struct error *err)
{
	AUTO(store_image) struct store_image row = {0};
	char id[65];
	int r;

	random_hex(id, 64);
	free(s->o->id);
	s->o->id = mem_strdup(id);
	s->row.id = mem_strdup(id);
	s->row.image = s->image.row.id;
	s->row.image_name = mem_strdup(s->req->image);
	s->row.state = mem_strdup("created");
	s->row.pid = getpid();
	s->row.created_ns = clock_now_ns();
	s->row.auto_remove = s->req->remove;
	s->row.config = describe_options(s);
	if ((r = lease_note(s->lease, "container", id, err)) < 0 ||
	    (r = choose_name(s, err)) < 0)
		return r;
	/* from here on the row holds the image, if nobody was faster */
	return store_image_get(s->e->store, &s->row.image, &row, err);
}

static int make_directory(struct starting *s, struct error *err)
{
	static const char *const parts[] = {"fs", "work"};
	int all = store_dir(s->e->store, STORE_CONTAINERS);

	if (mkdirat(all, s->row.id, 0700) < 0)
		return error_sys(err, "cannot create containers/%.12s", s->row.id);
	s->dir = openat(all, s->row.id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return error_sys(err, "containers/%.12s", s->row.id);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (mkdirat(s->dir, parts[i], 0755) < 0 ||
		    fchmodat(s->dir, parts[i], 0755, 0) < 0)
			return error_sys(err, "cannot create containers/%.12s", s->row.id);
	return 0;
}

static int mount_root(struct starting *s, int *out_fd, struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {0};
	AUTO(free) char *upper = mem_printf("../containers/%s/fs", s->row.id);
	AUTO(free) char *work = mem_printf("../containers/%s/work", s->row.id);
	const struct digest_list *ids = &s->image.config.diff_ids;
	int r = image_stack(s->e->store, ids->items, ids->n, &stack, err);

	stack.bottom = store_dir(s->e->store, STORE_STUB);
	return r < 0 ? r : snapshot_mount(&stack, upper, work, 0, out_fd, err);
}

static int set_state(struct starting *s, const char *state, struct error *err)
{
	free(s->row.state);
	s->row.state = mem_strdup(state);
	return store_container_update(s->e->store, &s->row, err);
}

/* ---- what it runs with ---- */

/* As Docker: a missing source of -v becomes a directory, parents too. The user's own path. */
static int make_source(const char *path)
{
	AUTO(free) char *copy = mem_strdup(path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	return mkdir(copy, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

static int check_mounts(const struct starting *s, struct error *err)
{
	for (size_t i = 0; i < s->o->mounts.n; i++) {
		const struct container_mount *m = &s->o->mounts.items[i];

		if (m->is_volume || !m->source)
			return error_set(
				err, ERR_UNSUPPORTED,
				"volumes with a name (or without one) are not supported "
				"yet: %s; give a host directory",
				m->source ? m->source : m->destination);
		if (make_source(m->source) < 0)
			return error_sys(err, "cannot use %s", m->source);
	}
	return 0;
}

static int make_spec(struct starting *s, int root, struct error *err)
{
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	const struct image_config *cfg = &s->image.config;
	const struct resources_spec *res = &s->spec.resources;
	int r;

	if ((r = check_mounts(s, err)) < 0 ||
	    (r = runtime_resolve_user(root, runtime_user_spec(cfg, s->o), &user, err)) < 0 ||
	    (r = runtime_make_spec(cfg, s->o, &user, &s->spec, err)) < 0)
		return r;
	runtime_stdio_console(s->stdio, &s->spec.process);
	/* joining a cgroup costs more than all the rest: only for those that limit something */
	if (res->memory_limit || res->memory_reservation || res->memory_swap ||
	    res->cpu_shares || res->cpu_quota || res->cpu_period || res->cpuset_cpus ||
	    res->cpuset_mems || res->pids_limit > 0 || res->blkio_weight)
		return lease_note(s->lease, "cgroup", s->spec.cgroups_path, err);
	free(s->spec.cgroups_path);
	s->spec.cgroups_path = NULL;
	return 0;
}

static int attach_network(struct starting *s, struct error *err)
{
	struct network_bridge bridge;

	if (s->o->network == RUNTIME_NETWORK_NONE)
		return network_namespace_new(&s->endpoint.netns, err);
	if (s->o->network == RUNTIME_NETWORK_HOST)
		return 0;
	network_default_bridge(&bridge);
	return network_attach(&bridge, -1, &s->endpoint, err);
}

static int write_cidfile(const struct starting *s, struct error *err)
{
	AUTO(fd) int fd = -1;

	if (!s->req->cidfile)
		return 0;
	fd = open(s->req->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return error_set(err, ERR_EXISTS,
				 "container ID file found, make sure the other container isn't "
				 "running or delete %s",
				 s->req->cidfile);
	if (fd < 0 || io_write_full(fd, s->row.id, strlen(s->row.id)) < 0)
		return error_sys(err, "cannot write %s", s->req->cidfile);
	return 0;
}

/* ---- running ---- */

/*
 * resolv.conf and the like: in memory for a container that goes when it ends.
 * until 6.15: a file of a detached mount cannot be bound; then they lie in the
 * container's directory.
 */
static int etc_binds(struct starting *s, const struct network_endpoint *ep,
		     struct sandbox_bind *binds, size_t *out_n, struct error *err)
{
	AUTO(fd) int scratch = -1;

	if (s->req->remove && snapshot_scratch(&scratch, NULL) == 0 &&
	    runtime_etc_binds(scratch, s->o, ep, binds, out_n, NULL) == 0)
		return 0;
	return runtime_etc_binds(s->dir, s->o, ep, binds, out_n, err);
}

static int execute(struct starting *s, int *root, int *out_code, struct error *err)
{
	struct sandbox_bind binds[RUNTIME_ETC_BINDS];
	struct sandbox_options so = {.spec = &s->spec,
				     .netns_fd = s->endpoint.netns,
				     .stdio = runtime_stdio_child(s->stdio),
				     .binds = binds,
				     .cache_dir = store_dir(s->e->store, STORE_CACHE),
				     .init = s->o->init,
				     .runtime = s->req->runtime,
				     .bundle_dir = s->dir,
				     .id = s->row.id};
	const struct network_endpoint *ep = s->endpoint.address ? &s->endpoint : NULL;
	struct sandbox sb;
	int r = etc_binds(s, ep, binds, &so.nbinds, err);

	if (r < 0)
		return r;
	so.root_fd = take_fd(root);
	if ((r = sandbox_start(&so, &sb, err)) < 0)
		return r;
	s->row.started_ns = clock_now_ns();
	log_debug("engine", "started %.12s", s->row.id);
	if ((r = set_state(s, "running", err)) < 0)
		return r;
	/* its row holds all that it needs: others may remove what nothing does */
	store_rest(s->e->store);
	r = runtime_stdio_run(s->stdio, &sb, &so, out_code, err);
	if (store_wake(s->e->store, r < 0 ? NULL : err) < 0 && r == 0)
		r = -ERR_SYSTEM;
	return r;
}

static int run(struct starting *s, int *out_code, struct error *err)
{
	struct runtime_stdio_options io = {.tty = s->o->tty,
					   .interactive = s->o->interactive,
					   .in = s->req->in,
					   .out = s->req->out,
					   .err = s->req->err};
	AUTO(fd) int root = -1;
	int r;

	if ((r = runtime_stdio_new(&io, &s->stdio, err)) < 0 || (r = find_image(s, err)) < 0 ||
	    (r = lease_new(s->e->store, &s->lease, err)) < 0 || (r = make_row(s, err)) < 0 ||
	    (r = write_cidfile(s, err)) < 0 || (r = make_directory(s, err)) < 0 ||
	    (r = mount_root(s, &root, err)) < 0 || (r = make_spec(s, root, err)) < 0 ||
	    (r = attach_network(s, err)) < 0)
		return r;
	log_debug("engine", "prepared %.12s", s->row.id);
	return execute(s, &root, out_code, err);
}

/* One that never started leaves nothing; --rm nothing either; else the row says how it ended.
 */
static int settle(struct starting *s, int result, int code, struct error *err)
{
	struct store *store = s->e->store;
	int r = 0;

	network_endpoint_close(&s->endpoint);
	if (s->row.id && s->row.name &&
	    (s->req->remove || (result < 0 && !s->row.started_ns))) {
		r = store_container_remove(store, s->row.id, err);
		if (r == 0)
			r = root_remove(store_dir(store, STORE_CONTAINERS), s->row.id, err);
	} else if (s->row.started_ns) {
		s->row.finished_ns = clock_now_ns();
		s->row.exit_code = code;
		r = set_state(s, "exited", err);
		if (r == 0 && s->dir >= 0)
			r = root_remove(s->dir, "work", err);
	}
	return r;
}

static void clear(struct starting *s)
{
	close_fd(&s->dir);
	lease_end(s->lease);
	runtime_stdio_free(s->stdio);
	runtime_spec_clear(&s->spec);
	image_clear(&s->image);
	store_container_clear(&s->row);
}

int engine_run(struct engine *e, const struct engine_run *req, int *out_exit_code,
	       struct error *err)
{
	struct starting s = {.e = e,
			     .req = req,
			     .o = req->options,
			     .image = {.config = IMAGE_CONFIG_INIT},
			     .endpoint = NETWORK_ENDPOINT_INIT,
			     .spec = RUNTIME_SPEC_INIT,
			     .dir = -1};
	AUTO(error) struct error late = ERROR_INIT;
	int code = EXIT_ENGINE, r = run(&s, &code, err), after;

	log_debug("engine", "ended %.12s", s.row.id ? s.row.id : "");
	after = settle(&s, r, code, &late);
	if (r == 0 && after < 0) {
		r = after;
		error_move(err, &late);
	}
	clear(&s);
	if (r < 0 && err && !err->exit_code)
		err->exit_code = EXIT_ENGINE;
	*out_exit_code = code;
	return r;
}
