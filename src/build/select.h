/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select - which files a COPY or ADD takes: its sources found in a tree,
 * patterns matched, links followed.
 */
#pragma once

#include "build/graph.h"
#include "build/tree.h"

struct selected {
	struct tree_node *node; /* NULL: a heredoc, see file */
	const char *name;	/* under which it lands in a directory; borrowed */
	const struct copy_file *file;
	const struct vertex *git; /* of a git repository: its commit stands for the tree */
};

struct selection {
	struct selected *items; /* in the order of the sources; matches sorted */
	size_t n, cap;
	bool wildcard; /* some source was a pattern */
};

/*
 * Everything selected is loaded.  A source that is not there is
 * -ERR_NOT_FOUND; the message says which line of which file hid it, if so.
 */
int select_sources(struct tree *t, const struct copy_spec *c, struct selection *out,
		   struct error *err);
void selection_clear(struct selection *s);

bool selection_has_digests(const struct selection *s);
int selection_digest_all(struct tree *t, const struct selection *s, struct error *err);
/* Of all content (of a git repository: its commit); @owners: uid and gid count (--from). */
void selection_hash(const struct selection *s, bool owners, struct digest *out);

static inline void selection_auto(struct selection *s)
{
	selection_clear(s);
}
