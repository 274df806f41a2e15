/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_big - what `image why-big` shows: a tree of the image's bytes.
 *
 * Image, its layers, in each layer the packages and the directories, in these
 * the files.  The bytes of a node are the sum of those of its children.  Names
 * are UTF-8 whatever the image has; they may hold control characters.
 */
#pragma once

#include "engine/engine.h"

struct big_node {
	char *name;
	const char *kind; /* "image", "layer", "package", "directory", "file" */
	uint64_t bytes, wasted;
	char *why; /* of a file that is wasted: "deleted in layer 3"; else NULL */
	bool shown;
	size_t order;		 /* of all nodes, parents first */
	struct big_node **items; /* largest first, then by name */
	size_t n, cap;
};

/* @name: of the image, as the user wrote it.  Free with big_node_free(). */
struct big_node *big_tree(const struct image_big *b, const char *name);
void big_node_free(struct big_node *n);

/* "deleted in layer 3"; NULL if it is used.  New string. */
char *big_waste(const struct image_big *b, const struct image_big_file *f);

/* Printed for people. */
struct big_view {
	unsigned columns; /* 0: lines are not cut */
	unsigned rows;	  /* how many nodes fit */
	uint64_t depth;	  /* at most so many levels below the image; 0: what fits */
	uint64_t top;	  /* at most so many nodes of each; 0: what fits */
};

void big_text(const struct image_big *b, struct big_node *tree, const struct big_view *view,
	      struct buf *out);
/* docs/why-big.md. New reference. */
json_t *big_json(const struct image_big *b, const struct digest *id);
/* Lines of why_big.js and why_big.css; NULL ends. */
extern const char *const big_script[];
extern const char *const big_style[];
/* One page that needs nothing else. */
void big_page(const struct image_big *b, const struct big_node *tree, struct buf *out);

static inline void big_node_auto(struct big_node **n)
{
	big_node_free(*n);
}
