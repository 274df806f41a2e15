/* SPDX-License-Identifier: Apache-2.0 */
/* What a step changed: its layer directory against the tree that it began with. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/explain.h"
#include "image/image.h"
#include "snapshot/snapshot.h"

#include "base/banned.h"

struct walk {
	int layer, before; /* -1: it began with nothing */
	struct build_change_list *out;
	struct error *err;
};

static void add(struct walk *w, char kind, const char *path, const struct stat *now,
		const struct stat *old)
{
	struct build_change *c = vec_push(w->out);

	c->kind = kind;
	c->path = mem_printf("/%s%s", path, now && S_ISDIR(now->st_mode) ? "/" : "");
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

static bool same_directory(const struct stat *a, const struct stat *b)
{
	return S_ISDIR(b->st_mode) && a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_gid == b->st_gid;
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
	if (!was || !S_ISDIR(now.st_mode) || !same_directory(&now, &old))
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

/* The layers of the step's parent, lowest first. */
static int layers_below(const json_t *steps, const json_t *step, struct digest_list *out)
{
	const json_t *parent = json_object_get(step, "parent"), *layer;
	const json_t *at = json_is_integer(parent)
				   ? json_array_get(steps, (size_t)json_integer_value(parent))
				   : NULL;
	struct digest d;
	size_t i;

	if (!at)
		return 0;
	if (str_eq(field(at, "kind"), "image")) {
		json_array_foreach (json_object_get(at, "layers"), i, layer) {
			if (!json_string_value(layer) ||
			    !digest_parse(json_string_value(layer), &d))
				return -1;
			*vec_push(out) = d;
		}
		return 0;
	}
	if (layers_below(steps, at, out) < 0 || !digest_parse(field(at, "layer"), &d))
		return -1;
	*vec_push(out) = d;
	return 0;
}

static int is_gone(const json_t *step, struct error *err)
{
	error_clear(err);
	error_set(err, ERR_NOT_FOUND, "the layer of step [%s] is not in the store any more",
		  field(step, "label"));
	error_hint(err, "build it again");
	return -ERR_NOT_FOUND;
}

static int open_layer(struct store *s, const json_t *step, int *out, struct error *err)
{
	struct store_layer layer;
	struct digest d;
	int r = 0;

	if (str_eq(field(step, "kind"), "image")) {
		error_set(err, ERR_INVALID, "[%s] is the base: it changed nothing",
			  field(step, "label"));
		return -ERR_INVALID;
	}
	if (!digest_parse(field(step, "layer"), &d)) {
		error_set(err, ERR_NOT_FOUND, "step [%s] did not come to its end",
			  field(step, "label"));
		error_hint(err, "`stave build log` has what it said");
		return -ERR_NOT_FOUND;
	}
	r = store_layer_find(s, &d, &layer, NULL);
	return r < 0 ? is_gone(step, err) : store_layer_open(s, layer.dir, out, err);
}

static int open_before(struct store *s, const json_t *steps, const json_t *step, int *out,
		       struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {.bottom = -1};
	struct digest_list below = {0};
	int r = layers_below(steps, step, &below);

	if (r == 0 && below.n) {
		r = image_stack(s, below.items, below.n, &stack, err);
		if (r == 0)
			r = snapshot_view(&stack, out, err);
	}
	free(below.items);
	return r < 0 ? is_gone(step, err) : 0;
}

int build_diff(struct store *s, const char *id, const char *step, struct build_change_list *out,
	       struct error *err)
{
	AUTO(json) json_t *record = NULL;
	AUTO(fd) int layer = -1;
	AUTO(fd) int before = -1;
	struct walk w = {.out = out, .err = err};
	const json_t *steps, *asked;
	struct past past;
	size_t i;
	int r = build_record(s, id, &record, &past, err);

	if (r < 0 || (r = find_step(record, step, &i, err)) < 0)
		return r;
	steps = json_object_get(record, "steps");
	asked = json_array_get(steps, i);
	if ((r = open_layer(s, asked, &layer, err)) < 0 ||
	    (r = open_before(s, steps, asked, &before, err)) < 0)
		return r;
	w.layer = layer;
	w.before = before;
	return walk_directory(&w, "", 0);
}

void build_change_list_clear(struct build_change_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].path);
	free(l->items);
	*l = (struct build_change_list){0};
}
