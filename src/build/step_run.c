/* SPDX-License-Identifier: Apache-2.0 */
/* RUN, in the child: a container whose upper directory becomes the layer. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/mount.h"
#include "build/step.h"
#include "runtime/runtime.h"
#include "sandbox/sandbox.h"

#include "base/banned.h"

static volatile sig_atomic_t container_pid;

/* The build was interrupted: the container goes, then step_run() comes to its end. */
static void on_terminate(int signal)
{
	(void)signal;
	if (container_pid > 0)
		kill((pid_t)container_pid, SIGKILL);
	else
		_exit(128 + SIGTERM);
}

static void catch_terminate(void)
{
	struct sigaction sa = {.sa_handler = on_terminate, .sa_flags = SA_RESTART};

	sigaction(SIGTERM, &sa, NULL);
}

/* All that one container is made of. */
struct container {
	struct container_options options;
	struct runtime_spec spec;
	struct mount_set mounts;
	struct sandbox_bind *binds; /* resolv.conf and the like, then the mounts */
	size_t n_binds;
	int root;
	int etc;
};

static void container_auto(struct container *c)
{
	container_options_clear(&c->options);
	runtime_spec_clear(&c->spec);
	mount_set_clear(&c->mounts);
	for (size_t i = 0; i < c->n_binds; i++)
		close_fd(&c->binds[i].fd);
	free(c->binds);
	close_fd(&c->root);
	close_fd(&c->etc);
}

static void make_options(const struct job *j, struct container_options *o)
{
	const struct run_spec *run = &j->v->run;

	o->id = mem_strdup(j->id);
	/* the name that a builder's container has does not differ from build to build */
	o->hostname = mem_strdup("buildkitsandbox");
	strlist_addall(&o->args, &run->args);
	/* a container has it in its environment, a build step has not */
	strlist_add(&o->env, "HOSTNAME");
	strlist_addall(&o->env, &run->env);
	o->workdir = mem_strdup(run->workdir);
	o->user = mem_strdup(run->user);
	o->network = run->network;
	o->privileged = run->insecure;
	o->shm_size = j->g->o->shm_size;
	o->memory = j->g->o->memory;
	for (size_t i = 0; j->g->o->ulimits && i < j->g->o->ulimits->n; i++) {
		const struct rlimit_spec *l = &j->g->o->ulimits->items[i];

		*vec_push(&o->ulimits) = (struct rlimit_spec){
			.type = mem_strdup(l->type), .hard = l->hard, .soft = l->soft};
	}
	if (j->g->o->extra_hosts)
		strlist_addall(&o->extra_hosts, j->g->o->extra_hosts);
}

static int make_spec(const struct job *j, int root, const struct container_options *o,
		     struct runtime_spec *spec, struct error *err)
{
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	int r = runtime_resolve_user(root, o->user, &user, err);

	if (r < 0 || (r = runtime_make_spec(NULL, o, &user, spec, err)) < 0)
		return r;
	/* without limits the pid name space ends all of it: no cgroup is needed */
	free(spec->cgroups_path);
	spec->cgroups_path = j->cgroup ? mem_strdup(j->cgroup) : NULL;
	return 0;
}

/* layers/DIR/etc, which goes before the layer is committed. */
static int open_etc(const struct job *j, int *out, struct error *err)
{
	AUTO(free) char *etc = mem_printf("%s/etc", j->dir);

	if (mkdirat(j->layers, etc, 0700) < 0)
		return error_sys(err, "cannot create layers/%s", etc);
	*out = openat(j->layers, etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "layers/%s", etc) : 0;
}

/*
 * resolv.conf and the like, in memory.  until 6.15: a file of a detached mount
 * cannot be bound; then, and for another runtime's bundle, in a directory.
 */
static int etc_binds(const struct job *j, const struct container_options *o,
		     struct sandbox_bind *binds, size_t *out_n, int *out_dir, struct error *err)
{
	AUTO(fd) int scratch = -1;
	int r;

	if (!j->g->o->runtime && snapshot_scratch(&scratch, NULL) == 0 &&
	    runtime_etc_binds(scratch, o, j->endpoint, binds, out_n, NULL) == 0)
		return 0;
	if ((r = open_etc(j, out_dir, err)) < 0)
		return r;
	return runtime_etc_binds(*out_dir, o, j->endpoint, binds, out_n, err);
}

/* The container with its root, its etc and its mounts; all are used up. */
static int start(struct job *j, struct container *c, int *out_code, struct error *err)
{
	AUTO(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int stdio[3] = {null, j->out, j->err}, r;
	struct sandbox_options so = {.spec = &c->spec,
				     .id = c->options.id,
				     .root_fd = take_fd(&c->root),
				     .netns_fd = j->netns,
				     .stdio = stdio,
				     .binds = c->binds,
				     .nbinds = c->n_binds,
				     .cache_dir = j->cache,
				     .bundle_dir = c->etc,
				     .runtime = j->g->o->runtime};
	struct sandbox sb;

	c->n_binds = 0;
	if ((r = sandbox_start(&so, &sb, err)) < 0)
		return r;
	container_pid = sb.pid;
	*out_code = sandbox_wait(&sb, &so);
	container_pid = 0;
	return 0;
}

static int execute(struct job *j, struct container *c, int *out_code, struct error *err)
{
	AUTO(mount_points) struct mount_points points = MOUNT_POINTS_INIT;
	int r;

	c->binds =
		mem_resize(NULL, RUNTIME_ETC_BINDS + j->v->run.n_mounts + 1, sizeof(*c->binds));
	make_options(j, &c->options);
	/* trees first: then the name space that their directories are in is left */
	if ((r = mounts_open(j, &c->mounts, err)) < 0 ||
	    (r = etc_binds(j, &c->options, c->binds, &c->n_binds, &c->etc, err)) < 0 ||
	    (r = mounts_enter(j, &c->mounts, err)) < 0)
		return r;
	strlist_addall(&c->options.env, &c->mounts.env);
	if ((r = make_spec(j, c->root, &c->options, &c->spec, err)) < 0 ||
	    (r = mount_points_make(&points, c->root, j->fs, &c->mounts, err)) < 0 ||
	    (r = mounts_bind(&c->mounts, c->binds, &c->n_binds, err)) < 0 ||
	    (r = start(j, c, out_code, err)) < 0)
		return r;
	return mount_points_remove(&points, j->fs, err);
}

/* Times that this step set are at most SOURCE_DATE_EPOCH. */
static int clamp_times(int dir, int64_t latest, unsigned depth, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	struct timespec times[2] = {{.tv_sec = latest}, {.tv_sec = latest}};
	int r = dir_list_read(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;
		struct stat st;

		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_sys(err, "%s", name);
		if (S_ISDIR(st.st_mode) && depth < LIMIT_TREE_DEPTH) {
			AUTO(fd)
			int sub = openat(dir, name,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (sub < 0)
				return error_sys(err, "%s", name);
			r = clamp_times(sub, latest, depth + 1, err);
		}
		if (st.st_mtim.tv_sec > latest &&
		    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
			return error_sys(err, "%s", name);
	}
	return r;
}

static int failed(const struct job *j, int code, struct error *err)
{
	AUTO(free) char *command = strlist_join(&j->v->run.args, " ");
	AUTO(buf) struct buf quoted = BUF_INIT;

	json_quote(command, false, &quoted);
	error_set(err, ERR_FAILED, "process %s did not complete successfully: exit code: %d",
		  buf_str(&quoted), code);
	if (err)
		err->exit_code = code;
	return -ERR_FAILED;
}

static int mount_root(struct job *j, int *out_root, struct error *err)
{
	AUTO(free) char *upper = mem_printf("%s/fs", j->dir);
	AUTO(free) char *work = mem_printf("%s/work", j->dir);

	j->parent.bottom = j->stub;
	return snapshot_mount(&j->parent, upper, work, SNAPSHOT_VOLATILE, out_root, err);
}

int step_run(struct job *j, struct layer_info *out, struct error *err)
{
	AUTO(container)
	struct container c = {.options = CONTAINER_OPTIONS_INIT,
			      .spec = RUNTIME_SPEC_INIT,
			      .mounts = MOUNT_SET_INIT,
			      .root = -1,
			      .etc = -1};
	int code = 0, r;

	catch_terminate();
	r = mount_root(j, &c.root, err);
	if (r == 0)
		r = execute(j, &c, &code, err);
	if (r < 0)
		return r;
	if (code)
		return failed(j, code, err);
	if (j->g->o->has_epoch && (r = clamp_times(j->fs, j->g->o->epoch_sec, 0, err)) < 0)
		return r;
	return layer_describe(j->fs, NULL, out, err);
}
