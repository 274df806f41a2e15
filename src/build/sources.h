/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources - the trees that a build takes files from, each opened once: the
 * build context, the directories of named contexts, stages and images.
 */
#pragma once

#include "build/graph.h"
#include "build/tree.h"

struct source;

struct sources {
	struct store *store;
	const struct build_options *o;
	struct source *first; /* owned */
};

/* The build context, if there is one: its ignore file is read, and must be well-formed. */
int sources_open(struct sources *s, struct store *store, const struct build_options *o,
		 struct error *err);
/*
 * What @c copies from.  Stages and images must be done.  The tree is borrowed;
 * its .fd is the directory itself.
 */
int sources_tree(struct sources *s, const struct copy_spec *c, struct tree **out,
		 struct error *err);
/* The tree of a git repository that was fetched. */
int sources_checkout(struct sources *s, const struct vertex *v, struct tree **out,
		     struct error *err);
/* Keeps what was learned about files for the next build. */
void sources_close(struct sources *s);
