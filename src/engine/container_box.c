/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container up to its first process: a row, a directory (bundle and upper),
 * a root, a name space on the network, a spec.  The row and the directory are
 * there before anything runs, under a lease, so that the next command can
 * clean up after a killed one.
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
#include "engine/engine_container.h"
#include "engine/engine_mounts.h"
#include "engine/engine_network.h"

#include "base/banned.h"

static void notice(const struct engine_run *req, const char *text)
{
	if (req->notice)
		req->notice(req->data, text);
}

/* As Docker: from the store, else from its registry, with a word about it. */
static int find_image(struct container_box *s, const struct engine_run *req, struct error *err)
{
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
		notice(req, text);
	}
	if ((r = engine_pull(s->e, &pull, &pulled, err)) < 0)
		return r;
	return image_find(s->e->store, req->image, &s->image, err);
}

static int settle(const struct engine_run *req, struct error *err)
{
	AUTO(strlist) struct strlist warnings = STRLIST_INIT;
	int r = container_options_settle(req->options, &warnings, err);

	for (size_t i = 0; req->warning && i < warnings.n; i++)
		req->warning(req->data, warnings.items[i]);
	return r;
}

/* ---- the row and the directory ---- */

static int choose_name(struct container_box *s, struct error *err)
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

static char *describe_options(const struct container_box *s)
{
	struct buf out = BUF_INIT;
	AUTO(strlist) struct strlist args = STRLIST_INIT;
	json_t *j = json_object();

	if (runtime_make_args(&s->image.config, s->o, &args, NULL) == 0)
		json_object_set_new(j, "args", json_from_strings(&args));
	json_object_set_new(j, "labels", json_from_map(&s->o->labels));
	json_object_set_new(j, "options", container_options_encode(s->o));
	json_text(j, &out);
	json_decref(j);
	return buf_steal(&out);
}

static int make_row(struct container_box *s, const struct engine_run *req, struct error *err)
{
	AUTO(store_image) struct store_image row = {0};
	char id[65];
	int r;

	random_hex(id, 64);
	free(s->o->id);
	s->o->id = mem_strdup(id);
	s->row.id = mem_strdup(id);
	s->row.image = s->image.row.id;
	s->row.image_name = mem_strdup(req->image);
	s->row.state = mem_strdup("created");
	s->row.pid = 0;
	s->row.created_ns = clock_now_ns();
	s->row.auto_remove = s->o->remove;
	if ((r = engine_mounts_plan(s->e, &s->image.config, s->o, err)) < 0)
		return r;
	container_network_resolve(s->e, s->o);
	s->row.config = describe_options(s);
	if ((r = lease_note(s->lease, "container", id, err)) < 0 ||
	    (r = choose_name(s, err)) < 0 ||
	    (r = engine_mounts_hold(s->e, s->lease, id, s->o, err)) < 0)
		return r;
	/* from here on the row holds the image, if nobody was faster */
	return store_image_get(s->e->store, &s->row.image, &row, err);
}

static int make_directory(struct container_box *s, struct error *err)
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

int container_box_mount(struct container_box *s, int *out_fd, struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {0};
	AUTO(free) char *upper = mem_printf("../containers/%s/fs", s->row.id);
	AUTO(free) char *work = mem_printf("../containers/%s/work", s->row.id);
	const struct digest_list *ids = &s->image.config.diff_ids;
	int r = image_stack(s->e->store, ids->items, ids->n, &stack, err);

	stack.bottom = store_dir(s->e->store, STORE_STUB);
	return r < 0 ? r : snapshot_mount(&stack, upper, work, 0, out_fd, err);
}

int container_box_state(struct container_box *s, const char *state, struct error *err)
{
	char *fresh = mem_strdup(state); /* it may be the old one */

	free(s->row.state);
	s->row.state = fresh;
	return store_container_update(s->e->store, &s->row, err);
}

/* ---- what it runs with ---- */

/* Who may write to its cgroups gets one of its own in version 2: it would be ours otherwise. */
static bool wants_group(const struct container_box *s)
{
	return s->group || s->o->privileged || s->o->writable_cgroups;
}

static int make_spec(struct container_box *s, struct runtime_stdio *stdio, int root,
		     struct error *err)
{
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	const struct image_config *cfg = &s->image.config;
	int r;

	if ((r = engine_mounts_open(s->e, root, s->o, err)) < 0 ||
	    (r = runtime_resolve_user(root, runtime_user_spec(cfg, s->o), &user, err)) < 0 ||
	    (r = runtime_resolve_groups(root, &s->o->group_add, &user, err)) < 0 ||
	    (r = runtime_make_spec(cfg, s->o, &user, &s->spec, err)) < 0)
		return r;
	if ((r = container_share(s, err)) < 0)
		return r;
	container_event_mounts(s);
	if (stdio)
		runtime_stdio_console(stdio, &s->spec.process);
	/*
	 * Joining a cgroup costs more than all the rest: only for those that limit something.
	 * Another runtime makes one anyway, and leaves it when it is killed.
	 */
	if (s->o->runtime || (wants_group(s) && str_eq(sandbox_cgroup_version(), "v2")) ||
	    resources_spec_limit(&s->spec.resources))
		return lease_note(s->lease, "cgroup", s->spec.cgroups_path, err);
	free(s->spec.cgroups_path);
	s->spec.cgroups_path = NULL;
	return 0;
}

static int write_cidfile(const struct container_box *s, const struct engine_run *req,
			 struct error *err)
{
	AUTO(fd) int fd = -1;

	if (!req->cidfile)
		return 0;
	fd = open(req->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return error_set(err, ERR_EXISTS,
				 "container ID file found, make sure the other container isn't "
				 "running or delete %s",
				 req->cidfile);
	if (fd < 0)
		return error_sys(err, "failed to create the container ID file: open %s",
				 req->cidfile);
	if (io_write_full(fd, s->row.id, strlen(s->row.id)) < 0)
		return error_sys(err, "cannot write %s", req->cidfile);
	return 0;
}

/* ---- running ---- */

/* Those of the container whose network it is; one without a monitor has none to share. */
static int share_etc(struct container_box *s, struct sandbox_bind *binds, size_t *out_n,
		     struct error *err)
{
	AUTO(store_container) struct store_container c = {0};
	AUTO(fd) int dir = -1;
	int r;

	if ((r = engine_container(s->e, s->o->network_name, &c, err)) < 0 ||
	    (r = container_open_dir(s->e, c.id, &dir, err)) < 0)
		return r;
	if (faccessat(dir, "resolv.conf", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return runtime_etc_share(dir, s->o, binds, out_n, err);
	return runtime_etc_binds(s->dir, s->o, NULL, binds, out_n, err);
}

/*
 * resolv.conf and the like: in memory for a container that goes when it ends.
 * until 6.15: a file of a detached mount cannot be bound; then they lie in the
 * container's directory.
 */
static int etc_binds(struct container_box *s, const struct network_endpoint *ep,
		     struct sandbox_bind *binds, size_t *out_n, struct error *err)
{
	AUTO(fd) int scratch = -1;

	if (s->o->network == RUNTIME_NETWORK_CONTAINER)
		return share_etc(s, binds, out_n, err);
	/* those of one that has a monitor change with its networks */
	if (s->o->remove && !s->group && !runtime_has_names(s->o) &&
	    snapshot_scratch(&scratch, NULL) == 0 &&
	    runtime_etc_binds(scratch, s->o, ep, binds, out_n, NULL) == 0)
		return 0;
	return runtime_etc_binds(s->dir, s->o, ep, binds, out_n, err);
}

int container_box_start(struct container_box *s, int *root, struct sandbox_options *so,
			struct sandbox_bind *binds, struct sandbox *sb, struct error *err)
{
	int r = etc_binds(s, &s->endpoint, binds, &so->nbinds, err);

	if (r < 0)
		return r;
	if (s->shm >= 0)
		binds[so->nbinds++] = (struct sandbox_bind){.fd = take_fd(&s->shm),
							    .destination = "/dev/shm"};
	so->spec = &s->spec;
	so->netns_fd = s->endpoint.netns;
	so->binds = binds;
	so->cache_dir = store_dir(s->e->store, STORE_CACHE);
	so->init = s->o->init;
	so->runtime = s->o->runtime;
	so->bundle_dir = s->dir;
	so->id = s->row.id;
	so->root_fd = take_fd(root);
	if ((r = sandbox_start(so, sb, err)) < 0)
		return r;
	s->row.started_ns = clock_now_ns();
	s->row.finished_ns = 0;
	s->row.pid = sb->pid;
	log_debug("engine", "started %.12s", s->row.id);
	if ((r = container_box_state(s, "running", err)) == 0)
		container_event(s->e, &s->row, "start", NULL, NULL);
	return r;
}

int container_box_prepare(struct container_box *s, struct runtime_stdio *stdio, int *out_root,
			  struct error *err)
{
	int r;

	if ((r = container_box_mount(s, out_root, err)) < 0 ||
	    (r = make_spec(s, stdio, *out_root, err)) < 0 ||
	    (r = container_network_attach(s, err)) < 0)
		return r;
	log_debug("engine", "prepared %.12s", s->row.id);
	return 0;
}

int container_box_new(struct container_box *s, const struct engine_run *req, struct error *err)
{
	int r;

	if ((r = find_image(s, req, err)) < 0 || (r = settle(req, err)) < 0 ||
	    (r = lease_new(s->e->store, &s->lease, err)) < 0 ||
	    (r = make_row(s, req, err)) < 0 || (r = write_cidfile(s, req, err)) < 0 ||
	    (r = make_directory(s, err)) < 0)
		return r;
	container_event(s->e, &s->row, "create", NULL, NULL);
	return 0;
}

/* ---- one that is there ---- */

int container_open_dir(struct engine *e, const char *id, int *out, struct error *err)
{
	*out = openat(store_dir(e->store, STORE_CONTAINERS), id,
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "containers/%.12s", id) : 0;
}

int container_options_of(const struct store_container *c, struct container_options *out,
			 struct error *err)
{
	AUTO(json) json_t *j = NULL;
	json_t *options = NULL;
	int r = json_parse(c->config, strlen(c->config), &j, err);

	if (r < 0 || (r = json_get_object(j, "options", &options, err)) < 0 || !options)
		return r;
	return container_options_decode(options, out, err);
}

int container_box_open(struct container_box *s, const char *id, struct error *err)
{
	int r;

	if ((r = engine_container(s->e, id, &s->row, err)) < 0 ||
	    (r = container_options_of(&s->row, s->o, err)) < 0 ||
	    (r = image_open(s->e->store, &s->row.image, &s->image, err)) < 0 ||
	    (r = container_open_dir(s->e, s->row.id, &s->dir, err)) < 0)
		return r;
	/* as container_box_mount() wants it, also after an end that removed it */
	if (mkdirat(s->dir, "work", 0755) < 0 && errno != EEXIST)
		return error_sys(err, "cannot create containers/%.12s/work", s->row.id);
	return 0;
}

bool container_is_up(const struct store_container *c)
{
	return str_eq(c->state, "running") || str_eq(c->state, "paused");
}

static int remove_row(struct engine *e, const struct store_container *c, bool volumes,
		      struct strlist *gone, struct error *err)
{
	return volumes || c->auto_remove
		       ? store_container_remove_with_volumes(e->store, c->id, gone, err)
		       : store_container_remove(e->store, c->id, err);
}

/* It may have filled the disk, so that even its row cannot go: then its files go first. */
static void remove_files(struct engine *e, const char *id)
{
	AUTO(fd) int dir = -1;

	if (container_open_dir(e, id, &dir, NULL) == 0 && root_remove(dir, "fs", NULL) == 0)
		mkdirat(dir, "fs", 0755);
}

int container_remove(struct engine *e, const struct store_container *c, bool volumes,
		     struct error *err)
{
	AUTO(error) struct error full = ERROR_INIT;
	AUTO(strlist) struct strlist gone = STRLIST_INIT;
	int r = remove_row(e, c, volumes, &gone, &full);

	if (r < 0 && (full.sys == ENOSPC || full.sys == EDQUOT)) {
		remove_files(e, c->id);
		r = remove_row(e, c, volumes, &gone, err);
	} else if (r < 0) {
		error_move(err, &full);
	}
	if (r == 0)
		r = root_remove(store_dir(e->store, STORE_CONTAINERS), c->id, err);
	for (size_t i = 0; i < gone.n; i++)
		volume_event(e, "destroy", gone.items[i]);
	if (r == 0)
		container_event(e, c, "destroy", NULL, NULL);
	return r;
}

void container_box_clear(struct container_box *s)
{
	network_endpoint_close(&s->endpoint);
	close_fd(&s->dir);
	close_fd(&s->shm);
	json_decref(s->uses);
	lease_end(s->lease);
	runtime_spec_clear(&s->spec);
	image_clear(&s->image);
	store_container_clear(&s->row);
	*s = CONTAINER_BOX_INIT;
}

/* ---- name spaces of other containers ---- */

/* Docker's words: those who want to be joined say so when they are made. */
static int check_ipc(const struct store_container *c, struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	int r = container_options_of(c, &o, err);

	if (r < 0 || str_eq(o.ipc_mode, "shareable") || str_eq(o.ipc_mode, "host") ||
	    str_starts(o.ipc_mode ? o.ipc_mode : "", "container:"))
		return r;
	return error_set(err, ERR_CONFLICT,
			 "container %s: non-shareable IPC (hint: use IpcMode:shareable for the "
			 "donor container)",
			 c->id);
}

static int share_one(struct container_box *s, enum namespace_type type, const char *mode,
		     const char *file, struct error *err)
{
	AUTO(store_container) struct store_container c = {0};
	struct namespace_spec *ns = &s->spec.namespaces[type];
	pid_t pid = 0;
	int r;

	if (!str_starts(mode ? mode : "", "container:"))
		return 0;
	if ((r = engine_container(s->e, mode + strlen("container:"), &c, err)) < 0)
		return r;
	if (!container_is_up(&c))
		r = error_set(err, ERR_CONFLICT, "container %s is not running", c.id);
	else if (type != NAMESPACE_IPC || (r = check_ipc(&c, err)) == 0)
		r = container_process(&c, &pid, err);
	if (r < 0)
		return error_wrap(err, "failed to join %s namespace",
				  type == NAMESPACE_IPC ? "IPC" : "PID");
	ns->present = true;
	free(ns->path);
	ns->path = mem_printf("/proc/%d/ns/%s", (int)pid, file);
	/* a mount of the user's has the place */
	if (type != NAMESPACE_IPC || runtime_spec_find_mount(&s->spec, "/dev/shm"))
		return 0;
	return sandbox_take_mount(pid, "/dev/shm", &s->shm, err);
}

int container_share(struct container_box *s, struct error *err)
{
	int r = share_one(s, NAMESPACE_PID, s->o->pid_mode, "pid", err);

	return r < 0 ? r : share_one(s, NAMESPACE_IPC, s->o->ipc_mode, "ipc", err);
}

/* ---- state.json ---- */

#define STATE_MAX (1u << 20)

json_t *container_state_read(int dir)
{
	AUTO(buf) struct buf text = BUF_INIT;
	json_t *j = NULL;

	if (io_read_file(dir, "state.json", STATE_MAX, &text, NULL) < 0 ||
	    json_parse(buf_str(&text), text.len, &j, NULL) < 0)
		return json_object();
	return j;
}

int container_state_write(int dir, const json_t *state, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	json_text(state, &text);
	return io_write_file(dir, "state.json", buf_str(&text), text.len, 0600, 0, err);
}
