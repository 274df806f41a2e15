/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_archive - blobs and the documents that point to them, on their way out.
 *
 * First all blobs are named with digest and size, then the whole is written
 * in one pass: as a tar, or as the files of a directory.  An index takes any
 * number of manifests, so whatever stands beside an image (other platforms,
 * attestations) is one more of them.
 */
#pragma once

#include "image/image.h"

struct archive_blob {
	struct digest digest;
	uint64_t size;
	struct buf bytes;		  /* owned; what is small */
	int file;			  /* owned: read from its start; -1 */
	bool stored;			  /* a blob of the store */
	char layer[STORE_LAYER_DIR_SIZE]; /* a layer directory's canonical tar; "": none */
	bool later;			  /* to be packed when its bytes are wanted */
	struct digest diff_id;		  /* then of this layer, … */
	struct image_form form;		  /* … in this form */
};

/* One element of Docker's manifest.json. */
struct archive_image {
	struct digest config;
	struct strlist tags; /* familiar references */
	struct digest_list layers;
};

struct archive {
	struct store *store; /* borrowed */
	bool lazy;	     /* what was packed once is not packed again before it must be */
	bool known;	     /* nothing is packed at all */
	void (*tick)(void *data); /* now and then while layers are packed; may be NULL */
	void *data;
	struct archive_blob *items;
	size_t n, cap;
	struct map seen; /* hex digests of @items */
	struct index index;
	struct archive_images {
		struct archive_image *items;
		size_t n, cap;
	} images; /* none: no manifest.json */
};

void archive_init(struct archive *a, struct store *s);
void archive_clear(struct archive *a);

/* A document; its digest goes to @out. */
void archive_add_bytes(struct archive *a, const void *data, size_t len, struct digest *out);
/* A file whose digest and size the caller has computed. TAKES @fd. */
void archive_add_file(struct archive *a, int fd, const struct digest *d, uint64_t size);
/* A manifest or config of the store, as it is. */
int archive_add_stored(struct archive *a, const struct digest *d, size_t limit,
		       struct error *err);
/*
 * The layer @diff_id in the form @d in which a manifest describes it: its
 * canonical tar, or a blob that was kept.
 */
int archive_add_layer(struct archive *a, const struct digest *diff_id,
		      const struct descriptor *d, struct error *err);
/* A blob of this digest, packed from the layer when it is asked for. */
void archive_add_later(struct archive *a, const struct digest *diff_id,
		       const struct image_form *form, const struct digest *blob, uint64_t size);
/* The same document or blob again is one blob. */
bool archive_has(const struct archive *a, const struct digest *d);

/* All that is left of @from, to @to; what it hashes to. */
int archive_stream(int from, const struct layer_sink *to, struct digest *out,
		   struct error *err);
/* One blob's bytes, verified while they are written. */
int archive_put_blob(const struct archive *a, const struct archive_blob *b, int fd,
		     struct error *err);
/* A file that begins at 0; verified, but for one of ours that was just hashed. */
int archive_open_blob(const struct archive *a, const struct archive_blob *b, int *out,
		      struct error *err);
int archive_write_tar(const struct archive *a, int fd, struct error *err);
/* Repositories of the registry of @ref, but its own, that are known to have the blob. */
int push_places(struct store *s, const struct reference *ref, const struct digest *blob,
		struct strlist *out, struct error *err);
/* All but manifests, each unless the repository of @ref has it or another one lets it be
 * mounted. */
int archive_push_blobs(const struct archive *a, struct registry *registry,
		       const struct reference *ref, struct error *err);
/* To the registry of @name (a normal reference): first what others point to, @top last. */
int archive_push(const struct archive *a, const char *name, bool by_digest,
		 const struct descriptor *top, struct error *err);
/* An OCI layout: index.json comes last. */
int archive_write_dir(const struct archive *a, int dir, struct error *err);

/*
 * Points index.json to @manifest once for each of @names (normal references;
 * none: once without), the names as annotations.  @tags (may be NULL) gets the familiar
 * references.
 */
int archive_name(struct archive *a, const struct descriptor *manifest,
		 const struct strlist *names, struct strlist *tags, struct error *err);

/*
 * Adds the layer @diff_id in the form @form; @out becomes its descriptor.
 */
int export_layer(struct archive *a, const struct digest *diff_id, const struct image_form *form,
		 struct descriptor *out, struct error *err);

/* The same descriptor, if it is known without packing anything. */
bool export_known(struct store *s, const struct digest *diff_id, const struct image_form *form,
		  struct descriptor *out);

/* Adds what is attested of @part, whose manifest is @manifest, to archive and index. */
void attest_add(struct archive *a, const struct image_part *part, const struct strlist *names,
		const struct descriptor *manifest, struct index *x);

static inline void archive_auto(struct archive *a)
{
	archive_clear(a);
}
