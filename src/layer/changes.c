/* SPDX-License-Identifier: Apache-2.0 */
/* A layer directory against the tree that lies below it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"
#include "layer/layer.h"

#include "base/banned.h"

struct walk {
	int layer, before; /* -1: it began with nothing */
	struct layer_change_list *out;
	bool times; /* the time of a directory counts */
	struct error *err;
};

static void add(struct walk *w, char kind, const char *path, const struct stat *now,
		const struct stat *old)
{
	struct layer_change *c = vec_push(w->out);

	c->kind = kind;
	c->path = mem_printf("/%s", path);
	c->is_directory = S_ISDIR((now ? now : old)->st_mode);
	c->bytes = now && S_ISREG(now->st_mode) ? (uint64_t)now->st_size : 0;
	c->old_bytes = old && S_ISREG(old->st_mode) ? (uint64_t)old->st_size : 0;
}

/* False: there is nothing. */
static bool look(int tree, const char *path, struct stat *out)
{
	AUTO(fd) int fd = -1;

	return tree >= 0 &&
	       root_open(tree, ROOT_BENEATH, path, O_PATH | O_NOFOLLOW, 0, &fd, NULL) == 0 &&
	       fstat(fd, out) == 0;
}

static bool is_opaque(int fd)
{
	char value;

	return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 ||
	       fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1;
}

static int compare_path(const void *key, const void *item)
{
	return strcmp(key, ((const struct dir_entry *)item)->name);
}

/* An opaque directory hides what was in the old one: all that is not in it is gone. */
static int hidden_by(struct walk *w, const char *path, const struct dir_list *now)
{
	AUTO(dir_list) struct dir_list old = {0};
	AUTO(fd) int fd = -1;
	int r;

	if (w->before < 0 || root_open(w->before, ROOT_BENEATH, path,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, NULL) < 0)
		return 0;
	r = dir_list_read(fd, &old, w->err);
	for (size_t i = 0; r == 0 && i < old.n; i++) {
		AUTO(free) char *below = mem_printf("%s/%s", path, old.items[i].name);
		struct stat st;

		if (bsearch(old.items[i].name, now->items, now->n, sizeof(*now->items),
			    compare_path) ||
		    !look(w->before, below, &st))
			continue;
		add(w, 'D', below, NULL, &st);
	}
	return r;
}

static bool same_directory(const struct walk *w, const struct stat *a, const struct stat *b)
{
	return S_ISDIR(b->st_mode) && a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_gid == b->st_gid &&
	       (!w->times || (a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
			      a->st_mtim.tv_nsec == b->st_mtim.tv_nsec));
}

static int walk_directory(struct walk *w, const char *path, unsigned depth);

static int walk_entry(struct walk *w, const char *path, unsigned depth)
{
	struct stat now, old;
	bool was = look(w->before, path, &old);

	if (!look(w->layer, path, &now))
		return error_set(w->err, ERR_CORRUPT, "%s: cannot be read in the layer", path);
	if (S_ISCHR(now.st_mode) && now.st_rdev == 0) {
		if (was)
			add(w, 'D', path, NULL, &old);
		return 0;
	}
	/* a directory on the way to a change is there only for that */
	if (!was || !S_ISDIR(now.st_mode) || !same_directory(w, &now, &old))
		add(w, was ? 'C' : 'A', path, &now, was ? &old : NULL);
	return S_ISDIR(now.st_mode) ? walk_directory(w, path, depth + 1) : 0;
}

static int walk_directory(struct walk *w, const char *path, unsigned depth)
{
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(fd) int fd = -1;
	int r = root_open(w->layer, ROOT_BENEATH, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
			  &fd, w->err);

	if (depth > LIMIT_TREE_DEPTH)
		return error_set(w->err, ERR_LIMIT, "%s: too deep", path);
	if (r < 0 || (r = dir_list_read(fd, &list, w->err)) < 0)
		return r;
	if (is_opaque(fd))
		r = hidden_by(w, path, &list);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		AUTO(free)
		char *below = *path ? mem_printf("%s/%s", path, list.items[i].name)
				    : mem_strdup(list.items[i].name);

		r = walk_entry(w, below, depth);
	}
	return r;
}

int layer_changes(int layer, int before, bool times, struct layer_change_list *out,
		  struct error *err)
{
	struct walk w = {
		.layer = layer, .before = before, .out = out, .times = times, .err = err};

	return walk_directory(&w, "", 0);
}

void layer_change_list_clear(struct layer_change_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].path);
	free(l->items);
	*l = (struct layer_change_list){0};
}
