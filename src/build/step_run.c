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
#include "build/step_container.h"

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

static int execute(struct job *j, struct container *c, int *out_code, struct error *err)
{
	AUTO(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int stdio[3] = {null, j->out, j->err};
	struct sandbox_options so;
	struct sandbox sb;
	int r;

	container_sandbox(j, c, stdio, &so);
	if ((r = sandbox_start(&so, &sb, err)) < 0)
		return r;
	container_pid = sb.pid;
	*out_code = sandbox_wait(&sb, &so);
	container_pid = 0;
	return *out_code ? failed(j, *out_code, err) : 0;
}

/* Was it the command, which somebody may want to look at? */
static bool is_about_command(const struct error *err)
{
	return err->exit_code && err->exit_code != 125;
}

static int run_container(struct job *j, struct container *c, struct mount_set *set,
			 struct error *err)
{
	AUTO(mount_points) struct mount_points points = MOUNT_POINTS_INIT;
	int code = 0, r;

	container_prepare(j, c);
	/* trees first: then the name space that their directories are in is left */
	if ((r = mounts_open(j, set, err)) < 0 ||
	    (r = mounts_enter(j, set, &c->root, err)) < 0 ||
	    (r = container_etc(j, set, c, err)) < 0)
		return r;
	strlist_addall(&c->options.env, &set->env);
	if ((r = container_spec(j, c, err)) < 0 ||
	    (r = mount_points_make(&points, c->root, j->fs, set, err)) < 0 ||
	    (r = mounts_bind(set, c->binds, &c->n_binds, err)) < 0)
		return r;
	/* a mount on /dev/shm or the like is instead of what is always there */
	for (size_t i = 0; i < c->n_binds; i++)
		runtime_spec_remove_mount(&c->spec, c->binds[i].destination);
	r = execute(j, c, &code, err);
	if (r < 0 && j->shell && is_about_command(err))
		step_shell(j, set, err);
	return r < 0 ? r : mount_points_remove(&points, j->fs, err);
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

static int mount_root(struct job *j, int *out_root, struct error *err)
{
	AUTO(free) char *upper = mem_printf("%s/fs", j->dir);
	AUTO(free) char *work = mem_printf("%s/work", j->dir);

	j->parent.bottom = j->stub;
	return snapshot_mount(&j->parent, upper, work, SNAPSHOT_VOLATILE, out_root, err);
}

int step_run(struct job *j, struct layer_info *out, struct error *err)
{
	AUTO(mount_set) struct mount_set set = MOUNT_SET_INIT;
	AUTO(container) struct container c = CONTAINER_INIT;
	int r;

	catch_terminate();
	r = mount_root(j, &c.root, err);
	if (r == 0)
		r = run_container(j, &c, &set, err);
	if (r < 0)
		return r;
	if (j->g->o->has_epoch && (r = clamp_times(j->fs, j->g->o->epoch_sec, 0, err)) < 0)
		return r;
	return layer_describe(j->fs, NULL, out, err);
}
