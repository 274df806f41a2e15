/* SPDX-License-Identifier: Apache-2.0 */
/* The trees behind a step's mounts, in the step's own process. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/mount.h"

#include "base/banned.h"

#define SCRIPT_DIR "/dev/pipes"

/* ---- trees, in the name space that the store's descriptors belong to ---- */

static int clone_tree(int fd, int *out, struct error *err)
{
	*out = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return *out < 0 ? error_sys(err, "cannot clone a mount") : 0;
}

static int view_tree(const struct snapshot_stack *stack, int *out, struct error *err)
{
	AUTO(fd) int view = -1;
	int r = snapshot_view(stack, &view, err);

	if (r < 0)
		return r;
	/* of one layer it is the layer's directory, which hangs in our name space */
	if (stack->dirs.n == 1)
		return clone_tree(view, out, err);
	*out = take_fd(&view);
	return 0;
}

/* A view that takes writes, into directories that go with the step. */
static int writable_tree(const struct job *j, size_t i, struct snapshot_stack *stack, int *out,
			 struct error *err)
{
	AUTO(free) char *dir = mem_printf("%s/mounts/%zu", j->dir, i);
	AUTO(free) char *upper = mem_printf("%s/fs", dir);
	AUTO(free) char *work = mem_printf("%s/work", dir);
	AUTO(free) char *bottom = mem_printf("%s/empty", dir);
	AUTO(fd) int empty = -1;
	int r;

	if (mkdirat(j->layers, dir, 0700) < 0 || mkdirat(j->layers, upper, 0755) < 0 ||
	    mkdirat(j->layers, work, 0700) < 0 || mkdirat(j->layers, bottom, 0755) < 0 ||
	    (empty = openat(j->layers, bottom, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return error_sys(err, "cannot create layers/%s", dir);
	stack->layers_dir = j->layers;
	stack->bottom = stack->dirs.n ? -1 : empty;
	r = snapshot_mount(stack, upper, work, SNAPSHOT_VOLATILE, out, err);
	stack->bottom = -1;
	return r;
}

static int memory_tree(uint64_t size, int *out, struct error *err)
{
	AUTO(fd) int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	char bytes[24];

	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)size);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", "tmpfs", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "mode", "1777", 0) < 0 ||
	    (size && fsconfig(context, FSCONFIG_SET_STRING, "size", bytes, 0) < 0) ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    (*out = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID)) < 0)
		return error_sys(err, "cannot mount a tmpfs");
	return 0;
}

static int open_one(struct job *j, size_t i, struct open_mount *o, struct error *err)
{
	const struct build_mount *b = &j->v->run.mounts[i];

	*o = (struct open_mount){
		.destination = b->target, .tree = -1, .what = -1, .readonly = b->m.readonly};
	switch (b->m.type) {
	case RUN_MOUNT_BIND:
		return b->m.readonly ? view_tree(&j->mounts[i].stack, &o->tree, err)
				     : writable_tree(j, i, &j->mounts[i].stack, &o->tree, err);
	case RUN_MOUNT_CACHE:
		return mount_cache_open(j, i, &o->tree, err);
	case RUN_MOUNT_TMPFS:
		return memory_tree(b->m.size, &o->tree, err);
	case RUN_MOUNT_SECRET:
		o->readonly = true;
		o->attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
		return 0;
	case RUN_MOUNT_SSH:
	default:
		o->readonly = false;
		return 0;
	}
}

int mounts_open(struct job *j, struct mount_set *set, struct error *err)
{
	const struct run_spec *run = &j->v->run;
	AUTO(free) char *dir = mem_printf("%s/mounts", j->dir);
	int r = 0;

	if (!run->n_mounts && !run->script.name && !j->shell)
		return 0;
	if (mkdirat(j->layers, dir, 0700) < 0)
		return error_sys(err, "cannot create layers/%s", dir);
	set->items = mem_resize(NULL, run->n_mounts + 1, sizeof(*set->items));
	if ((r = mount_cache_wait(j, err)) < 0)
		return r;
	for (; set->n < run->n_mounts; set->n++) {
		r = open_one(j, set->n, &set->items[set->n], err);
		if (r < 0) {
			set->n++;
			return error_wrap(err, "mount %s",
					  run->mounts[set->n - 1].target
						  ? run->mounts[set->n - 1].target
						  : run->mounts[set->n - 1].id);
		}
	}
	if (run->script.name)
		set->items[set->n++] = (struct open_mount){
			.destination = SCRIPT_DIR, .tree = -1, .what = -1, .readonly = true};
	return snapshot_scratch(&set->memory, err);
}

/* ---- attached, in a name space of our own ---- */

static int enter_namespace(const struct job *j, struct mount_set *set, struct error *err)
{
	AUTO(free)
	char *place = mem_printf("%s/layers/%s/mounts", store_path(j->g->store), j->dir);

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_sys(err, "cannot make a mount name space");
	/* by its path: descriptors of before belong to the name space that we left */
	if (move_mount(set->memory, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, "cannot mount on %s", place);
	set->place = take_ptr(place);
	return 0;
}

static int write_file(int dir, const char *name, const void *data, size_t len, mode_t mode,
		      uid_t uid, gid_t gid, struct error *err)
{
	AUTO(fd) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || io_write_full(fd, data, len) < 0 || fchown(fd, uid, gid) < 0 ||
	    fchmod(fd, mode) < 0)
		return error_sys(err, "cannot write %s", name);
	return 0;
}

static int open_path(int dir, const char *name, int *out, struct error *err)
{
	*out = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cannot open %s", name) : 0;
}

/* Who has no --secret or --ssh for it does without, unless it is required. */
static int absent(const struct build_mount *b, int r, struct error *err)
{
	if (r == -ERR_NOT_FOUND && !b->m.required) {
		error_clear(err);
		return 0;
	}
	return r;
}

static int set_variable(struct mount_set *set, const struct build_mount *b,
			const struct buf *value, struct error *err)
{
	if (memchr(value->data, 0, value->len))
		return error_set(err, ERR_INVALID,
				 "secret %s has a zero byte: it can be no variable", b->id);
	strlist_printf(&set->env, "%s=%.*s", b->env, (int)value->len, value->data);
	return 0;
}

static int place_secret(const struct job *j, const struct build_mount *b, int dir,
			struct mount_set *set, struct open_mount *o, struct error *err)
{
	AUTO(error) struct error why = ERROR_INIT;
	AUTO(buf) struct buf value = BUF_INIT;
	int r = secret_read(j->g->o, b->id, &value, &why);

	if (r < 0) {
		r = absent(b, r, &why);
		error_move(err, &why);
		return r;
	}
	buf_str(&value);
	if (b->env && (r = set_variable(set, b, &value, err)) < 0)
		return r;
	if (!b->target)
		return 0;
	r = write_file(dir, "file", value.data, value.len, b->m.has_mode ? b->m.mode : 0400,
		       b->m.has_uid ? b->m.uid : 0, b->m.has_gid ? b->m.gid : 0, err);
	return r < 0 ? r : open_path(dir, "file", &o->what, err);
}

static int place_agent(const struct job *j, const struct build_mount *b, int dir,
		       struct open_mount *o, struct error *err)
{
	AUTO(error) struct error why = ERROR_INIT;
	int r = ssh_forward(j->g->o, b->id, dir, &why);

	if (r < 0) {
		r = absent(b, r, &why);
		error_move(err, &why);
		return r;
	}
	if (fchmodat(dir, "s", b->m.has_mode ? b->m.mode : 0600, 0) < 0 ||
	    fchownat(dir, "s", b->m.has_uid ? b->m.uid : 0, b->m.has_gid ? b->m.gid : 0, 0) < 0)
		return error_sys(err, "cannot give away the socket of the ssh agent");
	return open_path(dir, "s", &o->what, err);
}

static int place_tree(const struct build_mount *b, int at, const char *name,
		      struct open_mount *o, struct error *err)
{
	AUTO(free) char *source = NULL;

	if (move_mount(o->tree, "", at, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, "cannot attach a mount");
	if (b->m.type != RUN_MOUNT_BIND)
		return open_path(o->tree, ".", &o->what, err);
	source = mount_source_path(b);
	return root_open(o->tree, ROOT_INSIDE, source, O_PATH, 0, &o->what, err);
}

static int place_one(const struct job *j, struct mount_set *set, size_t i, struct error *err)
{
	const struct run_spec *run = &j->v->run;
	const struct build_mount *b = i < run->n_mounts ? &run->mounts[i] : NULL;
	struct open_mount *o = &set->items[i];
	AUTO(fd) int dir = -1;
	char name[24];
	int r;

	snprintf(name, sizeof(name), "%zu", i);
	if (mkdirat(set->memory, name, 0755) < 0 ||
	    (dir = openat(set->memory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return error_sys(err, "cannot make a place for a mount");
	if (!b) {
		r = write_file(dir, run->script.name, run->script.data, run->script.len, 0755,
			       0, 0, err);
		return r < 0 ? r : open_path(dir, ".", &o->what, err);
	}
	if (b->m.type == RUN_MOUNT_SECRET)
		return place_secret(j, b, dir, set, o, err);
	if (b->m.type == RUN_MOUNT_SSH)
		return place_agent(j, b, dir, o, err);
	r = place_tree(b, set->memory, name, o, err);
	return r < 0 ? error_wrap(err, "mount %s", b->target) : 0;
}

int mounts_clone_root(const struct mount_set *set, int *out, struct error *err)
{
	return clone_tree(set->root, out, err);
}

static int keep_root(struct mount_set *set, int *root, struct error *err)
{
	if (mkdirat(set->memory, "root", 0700) < 0 ||
	    move_mount(*root, "", set->memory, "root", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, "cannot attach the step's root");
	set->root = take_fd(root);
	return mounts_clone_root(set, root, err);
}

int mounts_enter(struct job *j, struct mount_set *set, int *root, struct error *err)
{
	int r;

	if (set->memory < 0)
		return 0;
	if ((r = enter_namespace(j, set, err)) < 0)
		return r;
	for (size_t i = 0; i < set->n; i++)
		if ((r = place_one(j, set, i, err)) < 0)
			return r;
	return j->shell ? keep_root(set, root, err) : 0;
}

/* ---- clones ---- */

static int compare_binds(const void *a, const void *b)
{
	const struct sandbox_bind *x = a, *y = b;

	return strcmp(x->destination, y->destination);
}

static int bind_one(const struct open_mount *o, struct sandbox_bind *out, struct error *err)
{
	struct mount_attr attr = {.attr_set = o->attributes};

	*out = (struct sandbox_bind){
		.fd = -1, .destination = o->destination, .readonly = o->readonly};
	if (clone_tree(o->what, &out->fd, err) < 0)
		return -ERR_SYSTEM;
	if (o->attributes &&
	    mount_setattr(out->fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		close_fd(&out->fd);
		return error_sys(err, "cannot protect the mount on %s", o->destination);
	}
	return 0;
}

int mounts_bind(const struct mount_set *set, struct sandbox_bind *binds, size_t *n,
		struct error *err)
{
	size_t first = *n;

	for (size_t i = 0; i < set->n; i++) {
		if (set->items[i].what < 0)
			continue;
		if (bind_one(&set->items[i], &binds[*n], err) < 0)
			return -ERR_SYSTEM;
		++*n;
	}
	/* /a before /a/b */
	qsort(binds + first, *n - first, sizeof(*binds), compare_binds);
	return 0;
}

void mount_set_clear(struct mount_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		close_fd(&set->items[i].tree);
		close_fd(&set->items[i].what);
	}
	free(set->items);
	close_fd(&set->memory);
	close_fd(&set->root);
	if (set->place)
		umount2(set->place, MNT_DETACH | UMOUNT_NOFOLLOW);
	free(set->place);
	strlist_clear(&set->env);
	*set = MOUNT_SET_INIT;
}
