/* SPDX-License-Identifier: Apache-2.0 */
/* COPY, ADD and WORKDIR, in the child. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/root.h"
#include "build/step.h"
#include "runtime/runtime.h"

#include "base/banned.h"

static int open_view(const struct job *j, int *out, struct error *err)
{
	*out = -1;
	return j->parent.dirs.n ? snapshot_view(&j->parent, out, err) : 0;
}

/* A half of --chown.  As Docker: a name that nobody has is nobody's choice. */
static int find_owner(int view, const char *text, struct runtime_user *out, bool *out_found,
		      struct error *err)
{
	int r = runtime_resolve_user(view, text, out, err);

	*out_found = r == 0;
	if (r != -ERR_NOT_FOUND)
		return r;
	error_clear(err);
	return 0;
}

/*
 * BuildKit's reading of USER[:GROUP]: a number is user and group alike, whatever
 * passwd says; an unknown user is root; an unknown group is the user's, and an
 * empty one is root's.
 */
int step_owner(int view, const char *chown, struct plan_look *look, struct error *err)
{
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	AUTO(runtime_user) struct runtime_user group = RUNTIME_USER_INIT;
	AUTO(free) char *name = NULL;
	AUTO(fd) int empty = -1;
	struct snapshot_stack none = {.bottom = -1};
	const char *colon;
	bool found;
	int r = 0;

	if (!chown)
		return 0;
	look->has_owner = true;
	if (view < 0 && (r = snapshot_view(&none, &empty, err)) < 0)
		return r;
	if (view < 0)
		view = empty;
	colon = strchrnul(chown, ':');
	name = mem_strndup(chown, (size_t)(colon - chown));
	if ((r = find_owner(view, name, &user, &found, err)) < 0)
		return r;
	look->uid = user.uid;
	look->gid = *name && !name[strspn(name, "0123456789")] ? (gid_t)user.uid : user.gid;
	if (!*colon || (r = find_owner(view, colon, &group, &found, err)) < 0)
		return r;
	if (found)
		look->gid = group.gid;
	return 0;
}

static int make_look(const struct job *j, int view, struct plan_look *look, struct error *err)
{
	const struct copy_spec *c = &j->v->copy;
	int r;

	*look = (struct plan_look){
		.keep_owner = copy_keeps_owners(c),
		.chmod = c->chmod,
		.has_latest = j->g->o->has_epoch,
		.latest_sec = j->g->o->epoch_sec,
	};
	if (c->chmod && (r = plan_check_chmod(c->chmod, err)) < 0)
		return r;
	return step_owner(view, c->chown, look, err);
}

/* ---- ADD of archives ---- */

/* *out stays -1 for what is no regular file. */
static int open_selected(const struct selected *s, int *out, struct error *err)
{
	if (s->node)
		return S_ISREG(s->node->mode) ? tree_open_file(s->node, out, err) : 0;
	return s->file->data
		       ? 0
		       : remote_open_body(s->file->cache, &s->file->body.digest, out, err);
}

/* As Docker: what was downloaded is unpacked only if that was asked for. */
static bool may_unpack(const struct job *j, const struct selected *s)
{
	return j->v->copy.unpack == COPY_UNPACK_ALWAYS || s->node;
}

/* Moves the archives among the sources from @all to @archives. */
static int split_archives(const struct job *j, const struct selection *all,
			  struct selection *files, struct selection *archives,
			  struct error *err)
{
	for (size_t i = 0; i < all->n; i++) {
		bool is_archive = false;
		AUTO(fd) int fd = -1;
		int r = may_unpack(j, &all->items[i]) ? open_selected(&all->items[i], &fd, err)
						      : 0;

		if (r < 0 || (fd >= 0 && (r = layer_is_archive(fd, &is_archive, err)) < 0))
			return r;
		*vec_push(is_archive ? archives : files) = all->items[i];
	}
	return 0;
}

static int unpack_one(const struct job *j, int mount, const struct selected *s,
		      struct error *err)
{
	struct root_made made = {.mode = 0755,
				 .uid = (uid_t)-1,
				 .gid = (gid_t)-1,
				 .mtime_sec = j->g->o->has_epoch ? j->g->o->epoch_sec : 0};
	struct layer_unpack how = {.mode = LAYER_UNPACK_ADD, .tree = mount};
	AUTO(buf) struct buf below = BUF_INIT;
	struct layer_unpacked unpacked;
	AUTO(fd) int fd = -1;
	int r = open_selected(s, &fd, err);

	if (r < 0 || (r = root_resolve(mount, j->v->copy.dest, &below, NULL, err)) < 0 ||
	    (r = root_mkdirs(mount, ROOT_INSIDE, buf_str(&below), &made, NULL, NULL, err)) < 0)
		return r;
	how.input = fd;
	how.below = buf_str(&below);
	r = layer_unpack(&how, &unpacked, err);
	return r < 0 ? error_wrap(err, "ADD %s", s->name) : 0;
}

/* Archives go onto the merged tree, so that their names meet what is there. */
static int unpack_archives(struct job *j, const struct selection *archives,
			   struct layer_info *out, struct error *err)
{
	AUTO(free) char *upper = mem_printf("%s/fs", j->dir);
	AUTO(free) char *work = mem_printf("%s/work", j->dir);
	int mount = -1, r;

	j->parent.bottom = j->parent.dirs.n ? -1 : j->stub;
	r = snapshot_mount(&j->parent, upper, work, SNAPSHOT_VOLATILE, &mount, err);
	for (size_t i = 0; r == 0 && i < archives->n; i++)
		r = unpack_one(j, mount, &archives->items[i], err);
	close_fd(&mount);
	return r < 0 ? r : layer_describe(j->fs, NULL, out, err);
}

int step_copy(struct job *j, struct layer_info *out, struct error *err)
{
	AUTO(selection) struct selection files = {0};
	AUTO(selection) struct selection archives = {0};
	AUTO(plan) struct plan plan = PLAN_INIT;
	const struct selection *sources = j->sources;
	struct plan_look look;
	AUTO(fd) int view = -1;
	int r = open_view(j, &view, err);

	plan.view = view;
	plan.made_sec = j->g->o->has_epoch ? j->g->o->epoch_sec : 0;
	plan.keep_top = j->v->copy.keep_top;
	if (r < 0 || (r = make_look(j, view, &look, err)) < 0)
		return r;
	if (j->v->copy.add && j->v->copy.unpack != COPY_UNPACK_NEVER) {
		if ((r = split_archives(j, sources, &files, &archives, err)) < 0)
			return r;
		sources = &files;
	}
	if ((r = plan_copy(&plan, sources, j->v->copy.dest, err)) < 0)
		return r;
	plan_sort(&plan);
	plan.count = j->count;
	r = plan_write(&plan, j->tree, &look, j->fs, j->hashed, out, err);
	return r < 0 || !archives.n ? r : unpack_archives(j, &archives, out, err);
}

int step_workdir(struct job *j, struct layer_info *out, struct error *err)
{
	AUTO(plan) struct plan plan = PLAN_INIT;
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	struct plan_look look = {.has_latest = j->g->o->has_epoch,
				 .latest_sec = j->g->o->epoch_sec};
	AUTO(fd) int view = -1;
	int r = open_view(j, &view, err);

	plan.view = view;
	plan.made_sec = j->g->o->has_epoch ? j->g->o->epoch_sec : 0;
	if (r < 0 || (r = plan_directory(&plan, j->v->workdir, err)) < 0)
		return r;
	if (*j->v->user && view >= 0) {
		if ((r = runtime_resolve_user(view, j->v->user, &user, err)) < 0)
			return r;
		look.has_owner = true;
		look.uid = user.uid;
		look.gid = user.gid;
	}
	plan_sort(&plan);
	return plan_write(&plan, NULL, &look, j->fs, NULL, out, err);
}
