/* SPDX-License-Identifier: Apache-2.0 */
#include "build/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

static int add(struct tree *t, struct selection *out, struct tree_node *node, const char *name,
	       struct error *err)
{
	struct selected *s;
	int r = tree_load_all(t, node, err);

	if (r < 0)
		return r;
	s = vec_push(out);
	s->node = node;
	s->name = name;
	return 0;
}

static int not_found(struct tree *t, const char *source, const struct tree_node *hidden,
		     const char *ignore_name, struct error *err)
{
	AUTO(buf) struct buf path = BUF_INIT;
	struct ignore_rule rule;

	error_set(err, ERR_NOT_FOUND, "\"%s%s\" not found in %s", *source == '/' ? "" : "/",
		  source, t->name);
	if (!hidden)
		return -ERR_NOT_FOUND;
	tree_path(hidden, &path);
	rule = ignore_rule(t->ignore, buf_str(&path));
	error_hint(err, "%s:%u excludes it: %s", ignore_name ? ignore_name : ".dockerignore",
		   rule.line, rule.pattern ? rule.pattern : "");
	return -ERR_NOT_FOUND;
}

/* What a matched link points to takes its place. */
static int follow(struct tree *t, struct tree_node **n, struct error *err)
{
	AUTO(buf) struct buf path = BUF_INIT;
	struct tree_node *target;
	int r;

	tree_path(*n, &path);
	if ((r = tree_find(t, buf_str(&path), &target, NULL, err)) < 0)
		return r;
	if (!target)
		return error_set(err, ERR_NOT_FOUND, "\"/%s\" not found in %s", buf_str(&path),
				 t->name);
	*n = target;
	return 0;
}

/* One component of a pattern against the names of a directory; the rest recursively. */
static int match_below(struct tree *t, struct tree_node *dir, const char *pattern,
		       struct selection *out, struct error *err)
{
	size_t len = strcspn(pattern, "/");
	AUTO(free) char *part = mem_strndup(pattern, len);
	const char *rest = pattern + len + strspn(pattern + len, "/");
	int r = tree_load(t, dir, err);

	for (size_t i = 0; r == 0 && i < dir->n_children; i++) {
		struct tree_node *n = dir->children[i];

		if (!glob_match(part, n->name))
			continue;
		/* a hidden directory shows once what was taken back in below it is known */
		if (n->hidden && S_ISDIR(n->mode) && (r = tree_load_all(t, n, err)) < 0)
			break;
		if (n->hidden)
			continue;
		if (S_ISLNK(n->mode) && (r = follow(t, &n, err)) < 0)
			break;
		if (*rest && S_ISDIR(n->mode))
			r = match_below(t, n, rest, out, err);
		else if (!*rest)
			r = add(t, out, n, dir->children[i]->name, err);
	}
	return r;
}

static int select_one(struct tree *t, const char *source, const char *ignore_name,
		      struct selection *out, struct error *err)
{
	AUTO(free) char *clean = root_clean_path(source);
	struct tree_node *node, *hidden = NULL;
	const char *slash = strrchr(clean, '/');
	int r;

	if (glob_is_pattern(clean)) {
		out->wildcard = true;
		if (!glob_valid(clean))
			return error_set(err, ERR_INVALID, "%s: syntax error in pattern",
					 source);
		return match_below(t, t->top, clean, out, err);
	}
	if ((r = tree_find(t, clean, &node, &hidden, err)) < 0)
		return r;
	if (!node)
		return not_found(t, source, hidden, ignore_name, err);
	/* a link lands under its own name, with what it points to */
	return add(t, out, node, arena_strdup(&t->arena, slash ? slash + 1 : clean), err);
}

int select_sources(struct tree *t, const struct copy_spec *c, const char *ignore_name,
		   struct selection *out, struct error *err)
{
	for (size_t i = 0; i < c->sources.n; i++) {
		int r = select_one(t, c->sources.items[i], ignore_name, out, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < c->n_files; i++) {
		struct selected *s = vec_push(out);

		s->file = &c->files[i];
		s->name = c->files[i].name;
	}
	return 0;
}

void selection_clear(struct selection *s)
{
	free(s->items);
	*s = (struct selection){0};
}

bool selection_has_digests(const struct selection *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].node && !tree_has_digests(s->items[i].node))
			return false;
	return true;
}

int selection_digest_all(struct tree *t, const struct selection *s, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n; i++)
		if (s->items[i].node)
			r = tree_digest_all(t, s->items[i].node, err);
	return r;
}

void selection_hash(const struct selection *s, bool owners, struct digest *out)
{
	struct hasher h;

	hasher_init(&h);
	for (size_t i = 0; i < s->n; i++) {
		hasher_add_string(&h, s->items[i].name);
		if (s->items[i].node) {
			tree_hash(&h, s->items[i].node, owners);
		} else {
			hasher_add_u64(&h, s->items[i].file->len);
			hasher_add(&h, s->items[i].file->data, s->items[i].file->len);
		}
	}
	hasher_end(&h, out);
}
