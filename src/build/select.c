/* SPDX-License-Identifier: Apache-2.0 */
#include "build/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

struct choosing {
	struct tree *t;
	const struct copy_spec *c;
	struct ignore *exclude; /* NULL: nothing is excluded */
	struct selection *out;
};

static void choosing_auto(struct choosing *g)
{
	ignore_free(g->exclude);
}

static int add(struct choosing *g, struct tree_node *node, const char *name, struct error *err)
{
	struct tree_filter filter = {.exclude = g->exclude};
	struct selected *s;
	int r;

	/* what is excluded is what lies below a directory: a file that is named is taken */
	if (g->exclude && S_ISDIR(node->mode))
		r = tree_filter(g->t, node, &filter, &node, err);
	else
		r = tree_load_all(g->t, node, err);
	if (r < 0)
		return r;
	s = vec_push(g->out);
	s->node = node;
	s->name = name;
	return 0;
}

static int not_found(struct tree *t, const char *source, const struct tree_node *hidden,
		     struct error *err)
{
	AUTO(buf) struct buf path = BUF_INIT;
	struct ignore_rule rule;

	error_set(err, ERR_NOT_FOUND, "\"%s%s\" not found in %s", *source == '/' ? "" : "/",
		  source, t->name);
	if (!hidden)
		return -ERR_NOT_FOUND;
	tree_path(hidden, &path);
	rule = ignore_rule(t->ignore, buf_str(&path));
	error_hint(err, "%s:%u excludes it: %s",
		   t->ignore_name ? t->ignore_name : ".dockerignore", rule.line,
		   rule.pattern ? rule.pattern : "");
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
static int match_below(struct choosing *g, struct tree_node *dir, const char *pattern,
		       struct error *err)
{
	size_t len = strcspn(pattern, "/");
	AUTO(free) char *part = mem_strndup(pattern, len);
	const char *rest = pattern + len + strspn(pattern + len, "/");
	int r = tree_load(g->t, dir, err);

	for (size_t i = 0; r == 0 && i < dir->n_children; i++) {
		struct tree_node *n = dir->children[i];

		if (!glob_match(part, n->name))
			continue;
		/* a hidden directory shows once what was taken back in below it is known */
		if (n->hidden && S_ISDIR(n->mode) && (r = tree_load_all(g->t, n, err)) < 0)
			break;
		if (n->hidden)
			continue;
		if (S_ISLNK(n->mode) && (r = follow(g->t, &n, err)) < 0)
			break;
		if (*rest && S_ISDIR(n->mode))
			r = match_below(g, n, rest, err);
		else if (!*rest)
			r = add(g, n, dir->children[i]->name, err);
	}
	return r;
}

static int find(struct choosing *g, const char *clean, const char *source,
		struct tree_node **out, struct error *err)
{
	struct tree_node *hidden = NULL;
	int r = tree_find(g->t, clean, out, &hidden, err);

	if (r == 0 && !*out)
		r = not_found(g->t, source, hidden, err);
	return r;
}

/*
 * --parents: what the pattern matches, with the directories above it up to the
 * pivot, a "/./" in the source (else the top).  Here a pattern is one of
 * .dockerignore: "**" too, and a directory means all below it.
 */
static int select_with_parents(struct choosing *g, const char *source, struct error *err)
{
	const char *pivot = strstr(source, "/./");
	AUTO(free) char *above = mem_strndup(source, pivot ? (size_t)(pivot - source) : 0);
	AUTO(free) char *clean = root_clean_path(above);
	AUTO(free) char *below = root_clean_path(pivot ? pivot + 3 : source);
	AUTO(free) char *only = mem_printf("!%s", below);
	AUTO(ignore) struct ignore *rest = NULL;
	struct tree_filter filter = {.exclude = g->exclude};
	struct tree_node *dir, *kept;
	struct selected *s;
	int r = find(g, clean, source, &dir, err);

	if (r < 0)
		return r;
	if (!S_ISDIR(dir->mode))
		return error_set(err, ERR_INVALID, "%s: \"/%s\" is not a directory", source,
				 clean);
	if (*below && ((r = ignore_parse("**", 2, "--parents", &rest, err)) < 0 ||
		       (r = ignore_add(rest, only, err)) < 0))
		return r;
	filter.only = rest;
	if ((r = tree_filter(g->t, dir, &filter, &kept, err)) < 0)
		return r;
	if (!kept->n_children && *below && !glob_is_pattern(below))
		return not_found(g->t, source, NULL, err);
	s = vec_push(g->out);
	s->node = kept;
	s->name = "";
	g->out->wildcard = true;
	return 0;
}

static int select_one(struct choosing *g, const char *source, struct error *err)
{
	AUTO(free) char *clean = root_clean_path(source);
	const char *slash = strrchr(clean, '/');
	struct tree_node *node;
	int r;

	if (g->c->parents)
		return select_with_parents(g, source, err);
	if (glob_is_pattern(clean)) {
		g->out->wildcard = true;
		if (!glob_valid(clean))
			return error_set(err, ERR_INVALID, "%s: syntax error in pattern",
					 source);
		return match_below(g, g->t->top, clean, err);
	}
	if ((r = find(g, clean, source, &node, err)) < 0)
		return r;
	/* a link lands under its own name, with what it points to */
	return add(g, node, arena_strdup(&g->t->arena, slash ? slash + 1 : clean), err);
}

static int make_exclude(const struct copy_spec *c, struct ignore **out, struct error *err)
{
	int r = 0;

	if (!c->exclude.n)
		return 0;
	r = ignore_parse("", 0, "--exclude", out, err);
	for (size_t i = 0; r == 0 && i < c->exclude.n; i++) {
		const char *pattern = c->exclude.items[i];

		/* as Docker: nothing has a name that begins with a slash */
		if (*pattern && pattern[*pattern == '!'] != '/')
			r = ignore_add(*out, pattern, err);
	}
	return r;
}

/* What was fetched: a file, or all of a repository. */
static int select_remote(struct choosing *g, const struct vertex *v, struct error *err)
{
	struct tree_filter filter = {.exclude = g->exclude};
	struct tree_node *top;
	struct selected *s;
	int r;

	if (v->source.kind == SOURCE_HTTP) {
		s = vec_push(g->out);
		s->file = &v->source.file;
		s->name = v->source.file.name;
		return 0;
	}
	top = v->source.tree->top;
	if ((r = tree_filter(v->source.tree, top, &filter, &top, err)) < 0)
		return r;
	s = vec_push(g->out);
	s->node = top;
	s->name = "";
	s->git = v;
	return 0;
}

int select_sources(struct tree *t, const struct copy_spec *c, struct selection *out,
		   struct error *err)
{
	AUTO(choosing) struct choosing g = {.t = t, .c = c, .out = out};
	int r = make_exclude(c, &g.exclude, err);

	for (size_t i = 0; r == 0 && i < c->sources.n; i++)
		r = c->remotes && c->remotes[i] ? select_remote(&g, c->remotes[i], err)
						: select_one(&g, c->sources.items[i], err);
	if (r < 0)
		return r;
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
		if (s->items[i].node && !s->items[i].git && !tree_has_digests(s->items[i].node))
			return false;
	return true;
}

int selection_digest_all(struct tree *t, const struct selection *s, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n; i++)
		if (s->items[i].node && !s->items[i].git)
			r = tree_digest_all(t, s->items[i].node, err);
	return r;
}

static void hash_git(struct hasher *h, const struct source_spec *s)
{
	hasher_add_string(h, "git");
	hasher_add_string(h, s->checkout.commit);
	hasher_add_string(h, s->git.subdir);
	hasher_add_u64(h, s->git.keep_git_dir);
	hasher_add_u64(h, s->git.no_submodules);
}

static void hash_file(struct hasher *h, const struct copy_file *f)
{
	if (f->data) {
		hasher_add_u64(h, f->len);
		hasher_add(h, f->data, f->len);
		return;
	}
	hasher_add_string(h, "download");
	hasher_add(h, f->body.digest.bytes, DIGEST_SIZE);
	hasher_add_u64(h, (uint64_t)f->body.mtime_sec);
}

void selection_hash(const struct selection *s, bool owners, struct digest *out)
{
	struct hasher h;

	hasher_init(&h);
	for (size_t i = 0; i < s->n; i++) {
		hasher_add_string(&h, s->items[i].name);
		if (s->items[i].git)
			hash_git(&h, &s->items[i].git->source);
		else if (s->items[i].node)
			tree_hash(&h, s->items[i].node, owners);
		else
			hash_file(&h, s->items[i].file);
	}
	hasher_end(&h, out);
}
