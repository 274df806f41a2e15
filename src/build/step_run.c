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

static void make_options(const struct job *j, struct container_options *o)
{
	const struct run_spec *run = &j->v->run;
	char id[65];

	random_hex(id, 64);
	o->id = mem_strdup(id);
	/* the name that a builder's container has does not differ from build to build */
	o->hostname = mem_strdup("buildkitsandbox");
	strlist_addall(&o->args, &run->args);
	/* a container has it in its environment, a build step has not */
	strlist_add(&o->env, "HOSTNAME");
	strlist_addall(&o->env, &run->env);
	o->workdir = mem_strdup(run->workdir);
	o->user = mem_strdup(run->user);
	o->network = run->network;
	if (j->g->o->extra_hosts)
		strlist_addall(&o->extra_hosts, j->g->o->extra_hosts);
}

static int make_spec(int root, const struct container_options *o, struct runtime_spec *spec,
		     struct error *err)
{
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	int r = runtime_resolve_user(root, o->user, &user, err);

	if (r < 0 || (r = runtime_make_spec(NULL, o, &user, spec, err)) < 0)
		return r;
	/* no limits were asked for, and the pid name space ends all of it: no cgroup is needed
	 */
	free(spec->cgroups_path);
	spec->cgroups_path = NULL;
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

static int execute(struct job *j, int root, int *out_code, struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(runtime_spec) struct runtime_spec spec = RUNTIME_SPEC_INIT;
	struct sandbox_bind binds[RUNTIME_ETC_BINDS];
	AUTO(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO(fd) int etc = -1;
	int stdio[3] = {null, j->out, j->err}, r;
	struct sandbox_options so = {.spec = &spec,
				     .root_fd = root,
				     .netns_fd = j->netns,
				     .stdio = stdio,
				     .binds = binds,
				     .cache_dir = j->cache,
				     .bundle_dir = -1,
				     .runtime = j->g->o->runtime};
	struct sandbox sb;

	make_options(j, &o);
	if ((r = make_spec(root, &o, &spec, err)) < 0 ||
	    (r = etc_binds(j, &o, binds, &so.nbinds, &etc, err)) < 0) {
		close(root);
		return r;
	}
	so.id = o.id;
	so.bundle_dir = etc;
	if ((r = sandbox_start(&so, &sb, err)) < 0)
		return r;
	container_pid = sb.pid;
	*out_code = sandbox_wait(&sb, &so);
	container_pid = 0;
	return 0;
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
	int root = -1, code = 0, r;

	catch_terminate();
	r = mount_root(j, &root, err);
	if (r == 0)
		r = execute(j, root, &code, err);
	if (r < 0)
		return r;
	if (code)
		return failed(j, code, err);
	if (j->g->o->has_epoch && (r = clamp_times(j->fs, j->g->o->epoch_sec, 0, err)) < 0)
		return r;
	return layer_describe(j->fs, NULL, out, err);
}
