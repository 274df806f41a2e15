/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_copy - `image copy`: first all documents are read, then the blobs that the target lacks
 * go over, then the documents, what others name before what names it.
 */
#pragma once

#include "image/image_archive.h"
#include "registry/registry.h"

struct copy_document {
	struct descriptor d;
	struct buf bytes;
};

struct copy_blob {
	struct descriptor d;
	int fd; /* what has come of it; -1 */
};

/* The opened source; of these two one. */
struct copy_source {
	const struct image_place *place;
	struct registry *registry;
	struct image_layout layout;
};

struct copy_target {
	const struct image_place *place;
	struct registry *registry;
	const char *from; /* a repository of the same registry that has the blobs; or NULL */
	int dir;	  /* of a layout; of an archive where its temporary files go */
	struct archive archive; /* what is written at the end */
	bool here;		/* a layout: it was there before */
};

/* copy_place.c */
int copy_source_open(const struct image_copy *how, struct copy_source *out, struct error *err);
/* The document that the place means, or that of @digest; descriptor and bytes. */
int copy_source_document(const struct copy_source *s, const struct digest *digest,
			 struct copy_document *out, struct error *err);

int copy_target_open(const struct image_copy *how, const struct copy_source *from,
		     struct copy_target *out, struct error *err);
void copy_target_close(struct copy_target *t);
/* With a manifest goes all that it names. */
int copy_target_has_document(const struct copy_target *t, const struct digest *d, bool *out,
			     struct error *err);
/* *out_how: "Layer already exists", "Mounted from x"; NULL (new string): it has to be sent. */
int copy_target_has_blob(const struct copy_target *t, const struct descriptor *d,
			 char **out_how, struct error *err);
/* An empty file without a name, for one blob. */
int copy_target_scratch(const struct copy_target *t, int *out_fd, struct error *err);
/* TAKES @fd, which has the verified bytes. */
int copy_target_blob(struct copy_target *t, const struct descriptor *d, int fd,
		     void (*bytes)(void *data, uint64_t current), void *data,
		     struct error *err);
int copy_target_document(struct copy_target *t, const struct copy_document *doc, bool top,
			 struct error *err);
/* Archives are written now. */
int copy_target_finish(struct copy_target *t, const struct copy_document *top,
		       struct error *err);
