/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image - manifest, config and layers as one object in the store.
 *
 * An *image id* is the digest of its config.  What the user writes for an
 * image is a *name* (a reference), an id, or the beginning of one.  Layers
 * made here exist as directories only; their tar is written again when it is
 * needed, so the manifest of a local image describes uncompressed layers.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/progress.h"
#include "layer/layer.h"
#include "oci/oci.h"
#include "snapshot/snapshot.h"
#include "store/store.h"

struct registry;

struct image {
	struct store_image row;
	struct image_config config;
	struct buf config_bytes; /* as stored: never encoded again */
};

/* Name, id, or the beginning of an id: -ERR_NOT_FOUND, -ERR_CONFLICT when ambiguous. */
int image_resolve(struct store *s, const char *text, struct digest *out_id, struct error *err);
int image_open(struct store *s, const struct digest *id, struct image *out, struct error *err);
/* Both. The error of a missing image says how to get one. */
int image_find(struct store *s, const char *text, struct image *out, struct error *err);
void image_clear(struct image *i);

/*
 * Records the image that @cfg describes (its diff_ids must have layers) under
 * @names (normal references).  Config, manifest, rows and names are durable
 * when it returns.
 */
int image_commit(struct store *s, const struct image_config *cfg, const struct strlist *names,
		 struct digest *out_id, struct error *err);

/* An image as it was elsewhere: these bytes have digests that people know. */
struct image_documents {
	const struct buf *config;
	const struct buf *manifest;	      /* NULL: ours is made */
	const struct descriptor_list *layers; /* of that manifest */
};
/*
 * As image_commit(); the config is stored as it is.  The manifest too, if each
 * layer is still kept as the bytes that it names (store_origin).
 */
int image_commit_documents(struct store *s, const struct image_documents *given,
			   const struct strlist *names, struct digest *out_id,
			   struct error *err);

/*
 * The stack of directories for the first @n of @diff_ids.  A doubtful layer is
 * verified first; a damaged one is dropped with all that needs it and gives
 * -ERR_CORRUPT.
 */
int image_stack(struct store *s, const struct digest *diff_ids, size_t n,
		struct snapshot_stack *out, struct error *err);
/* The merged tree of all its layers, read-only. */
int image_view(struct store *s, const struct image_config *cfg, int *out_fd, struct error *err);
/* Finds one layer and verifies it if it is doubtful. */
int image_layer(struct store *s, const struct digest *diff_id, struct store_layer *out,
		struct error *err);

/* ---- import ---- */

struct image_import {
	int input;			   /* the archive; borrowed */
	const char *source;		   /* "-" or a URL, for the history's comment */
	const char *message;		   /* NULL: "Imported from SOURCE" */
	const struct image_config *config; /* what --change made; borrowed */
	const struct strlist *names;	   /* normal references */
	int64_t now_ns;
};

int image_import(struct store *s, const struct image_import *how, struct digest *out_id,
		 struct error *err);

/* ---- OCI image layouts ---- */

/*
 * A directory with oci-layout, index.json and blobs/ (image-spec v1.1,
 * image-layout.md).  Nothing in it is believed: each document and each layer is
 * compared with the digest that named it, and layers are read by stave-unpack.
 */
struct image_layout {
	int dir;	  /* borrowed */
	const char *name; /* for messages; borrowed */
};

/* Checks that it is a layout and reads index.json. */
int image_layout_index(const struct image_layout *l, struct index *out, struct error *err);
/* A config, manifest or index, verified; @limit as for its kind. */
int image_layout_blob(const struct image_layout *l, const struct digest *d, size_t limit,
		      struct buf *out, struct error *err);
/* Its file and size, not verified. */
int image_layout_open(const struct image_layout *l, const struct digest *d, int *out_fd,
		      uint64_t *out_size, struct error *err);
/*
 * The entry of index.json that @ref means: "TAG", "@sha256:…" or "TAG@sha256:…"
 * (the digest decides); NULL or "": the only one there is, else "latest".
 * -ERR_NOT_FOUND names the tags that there are.
 */
int image_layout_find(const struct image_layout *l, const char *ref, struct descriptor *out,
		      struct error *err);
/*
 * Brings the image @what (a manifest, or an index with one for @platform) into
 * the store under @names (normal references, may be NULL); ids and digests stay
 * what they were.  What is in the store already is not read again.
 */
int image_layout_load(struct store *s, const struct image_layout *l,
		      const struct descriptor *what, const struct platform *platform,
		      const struct strlist *names, struct digest *out_id, struct error *err);

/* ---- from place to place, without a store ---- */

enum image_place_kind {
	IMAGE_PLACE_REGISTRY = 1,   /* "NAME", "docker://NAME" */
	IMAGE_PLACE_LAYOUT,	    /* "oci:DIRECTORY[:TAG]", "oci:DIRECTORY@sha256:…" */
	IMAGE_PLACE_OCI_ARCHIVE,    /* "oci-archive:FILE[:TAG]" */
	IMAGE_PLACE_DOCKER_ARCHIVE, /* "docker-archive:FILE[:NAME]" */
};

struct image_place {
	enum image_place_kind kind;
	const char *text;     /* as written; borrowed */
	char *path;	      /* of the directory or file; for who opens it */
	char *name;	      /* behind it; NULL: none */
	struct reference ref; /* of a registry; of a name in Docker's archive */
	/*
	 * Opened by the caller, who owns them; -1 where none is needed.  @dir is the layout, or
	 * a directory for temporary files (an empty one to read an archive); @file the archive,
	 * to be read or written.
	 */
	int dir, file;
};

int image_place_parse(const char *text, struct image_place *out, struct error *err);
void image_place_clear(struct image_place *p);

struct image_copy {
	const struct image_place *from, *to;
	const struct platform *platform; /* of an index that one only; NULL: all there is */
	bool referrers;			 /* and what refers to the images */
	bool insecure;			 /* registries may be without TLS */
	const struct progress *progress;
};

/*
 * Bytes and digests stay what they are.  What is there is not sent, and what another repository
 * of the same registry has is mounted.  Docker's archive holds one image: that of @platform, or
 * of this machine.  *out: the digest of what the name means at its new place.
 */
int image_copy(const struct image_copy *how, struct digest *out, struct error *err);

static inline void image_place_auto(struct image_place *p)
{
	image_place_clear(p);
}

/* ---- archives ---- */

/*
 * One image of a `save`: its names are those that go along with it.
 */
struct image_choice {
	struct digest id;
	struct strlist names; /* normal references */
};

struct image_choices {
	struct image_choice *items; /* each image once */
	size_t n;
	size_t cap;
};

/*
 * Adds what the user wrote for an image: an id brings no name, a name without
 * a tag brings all tags that it has.
 */
int image_choose(struct store *s, const char *text, struct image_choices *out,
		 struct error *err);
void image_choices_clear(struct image_choices *c);

/*
 * Writes one tar to @fd that readers of OCI layouts (oci-layout, index.json)
 * and of Docker's archives (manifest.json) take, over one set of blobs.  It
 * depends on the images and names alone.  Manifests and configs are the bytes
 * that they always were; layers are written from their directories, foreign
 * ones are the blobs they came as.  Nothing is believed: what is not what its
 * digest says is -ERR_CORRUPT.
 */
int image_save(struct store *s, const struct image_choices *what, int fd, struct error *err);

/* What came out of an archive. */
struct image_loaded {
	struct image_loaded_item {
		struct digest id;
		struct strlist names;	/* familiar references; none: only the id */
		struct strlist renamed; /* those of them that meant another image before */
		struct digest_list renamed_from; /* as many: those images */
	} * items;
	size_t n;
	size_t cap;
};

/* Who wants to see a layer unpacked: the position of @file tells how far it is. */
struct image_watch {
	void (*layer)(void *data, const struct digest *diff_id, int file);
	void *data;
};

/*
 * Reads the archive @input: Docker's (manifest.json) of any age, an OCI layout,
 * or both in one; plain or packed with gzip, bzip2, xz or zstd.  The bytes are
 * hostile: stave-unpack lays the members out in a directory of ours, and then
 * each document and each layer is compared with the digest that names it.  All
 * images come in, or none.  Ids are what they were; manifests too, if the
 * archive has them.
 *
 * @platform NULL: of an index the image for this machine; else that one only
 * (-ERR_NOT_FOUND).  @watch may be NULL.
 */
int image_load(struct store *s, int input, const struct platform *platform,
	       const struct image_watch *watch, struct image_loaded *out, struct error *err);
void image_loaded_clear(struct image_loaded *l);

/* ---- outputs of a build ---- */

/* How layers and documents leave. */
struct image_form {
	enum layer_compression compression;
	int level; /* -1: the usual one */
	/* also what came in another form; else what was packed elsewhere stays as it is */
	bool force;
	bool docker_types; /* Docker's media types instead of OCI's */
};

enum image_annotation_place {
	IMAGE_ANNOTATE_MANIFEST = 1 << 0,
	IMAGE_ANNOTATE_MANIFEST_DESCRIPTOR = 1 << 1,
	IMAGE_ANNOTATE_INDEX = 1 << 2,
	IMAGE_ANNOTATE_INDEX_DESCRIPTOR = 1 << 3,
};

struct image_annotation {
	unsigned places;
	char *platform; /* owned; NULL: all */
	char *key;	/* owned */
	char *value;	/* owned */
};

struct image_annotations {
	struct image_annotation *items;
	size_t n;
	size_t cap;
};

void image_annotations_clear(struct image_annotations *a);

/* Something said about an image: the predicate of an in-toto statement. */
struct image_attestation {
	const char *predicate_type; /* IMAGE_PREDICATE_… */
	json_t *predicate;	    /* borrowed */
};

#define IMAGE_PREDICATE_SPDX	   "https://spdx.dev/Document"
#define IMAGE_PREDICATE_PROVENANCE "https://slsa.dev/provenance/v0.2"

/* One platform's image, as it is in the store or would be. */
struct image_part {
	const struct buf *config; /* its bytes */
	const struct image_config *cfg;
	const struct image_attestation *attestations; /* stored beside it, in an index */
	size_t n_attestations;
};

/* "pkg:docker/NAME@TAG?platform=os%2Farch": the image's name as a package URL. */
void image_purl(const char *name, const struct platform *platform, struct buf *out);
/* The whole statement about the files of an image, each a subject with its digest. */
int image_statement(struct store *s, const struct image_config *cfg,
		    const struct image_attestation *a, struct buf *out, struct error *err);

struct image_export {
	const struct image_part *parts;
	size_t n_parts;		     /* several: an index over them */
	const struct strlist *names; /* normal references; may be NULL */
	struct image_form form;
	const struct image_annotations *annotations; /* may be NULL */
	bool docker_list; /* manifest.json too, for readers that know only that */
};

/*
 * An archive like that of image_save(), packed as @how says; @out becomes the
 * descriptor of the manifest, or of the index of several.
 */
int image_export_tar(struct store *s, const struct image_export *how, int fd,
		     struct descriptor *out, struct error *err);
/* The same as files of the directory @dir: an OCI layout, whose index keeps what others named.
 */
int image_export_layout(struct store *s, const struct image_export *how, int dir,
			struct descriptor *out, struct error *err);
/*
 * The same to the registries that the names say, under each of them; with @by_digest
 * their tags are not touched.
 */
int image_export_registry(struct store *s, const struct image_export *how, bool by_digest,
			  struct descriptor *out, struct error *err);
/* The merged tree of the image's layers: below the directory @dir, or as a tar to @fd. */
int image_files(struct store *s, const struct image_config *cfg, int dir, struct error *err);
int image_files_tar(struct store *s, const struct image_config *cfg, int fd, struct error *err);

/*
 * Makes one layer of all, under the config that @cfg is: its history keeps its
 * rows, which make no layers any more, and gets one that does.
 */
int image_flatten(struct store *s, struct image_config *cfg, struct error *err);
/* Gives the stored image's manifest the annotations for manifests. */
int image_annotate(struct store *s, const struct digest *id, const struct image_annotations *a,
		   struct error *err);

/* ---- registries ---- */

/*
 * Progress of both: a task for each layer, numbered from .first_task on, whose title
 * is the beginning of a digest; lines that belong to no layer are STATUS of task 0.
 */
struct image_pull {
	const struct reference *ref;	 /* its digest decides, else its tag */
	const struct platform *platform; /* NULL: of an index this machine's, else any */
	const struct progress *progress; /* may be NULL */
	unsigned first_task;
	struct registry *registry; /* TAKES; opened to pull .ref; NULL: is opened */
};

struct image_pulled {
	struct digest id;
	struct digest digest; /* of what the reference names: a manifest or an index */
	bool newer;	      /* the name did not mean this image before */
};

/*
 * Brings an image from its registry.  Layers come several at once; one that is
 * here is not fetched, and one that came in part (below cache/pull) goes on
 * where it was.  Documents are stored as they came.
 */
int image_pull(struct store *s, const struct image_pull *how, struct image_pulled *out,
	       struct error *err);

struct image_push {
	const struct reference *ref;	 /* a name with a tag, of an image in the store */
	const struct progress *progress; /* may be NULL */
	struct registry *registry;	 /* TAKES; opened to push .ref; NULL: is opened */
};

struct image_pushed {
	struct digest digest; /* of the manifest */
	uint64_t size;
};

/*
 * Sends the image to where its name says.  The manifest that it came with goes
 * as it is; what was built here is packed with gzip, and once.  Layers that the
 * repository has are not sent, and those that another one of the same registry
 * has are mounted.
 */
int image_push(struct store *s, const struct image_push *how, struct image_pushed *out,
	       struct error *err);
/* Blobs of a repository for somebody else than an image; begun in their order. */
struct image_blobs {
	struct registry *registry;
	const struct descriptor *const *items;
	size_t n;
	/* @fd: the bytes from their beginning, verified; borrowed.  An error ends it all. */
	int (*take)(void *data, size_t which, int fd, struct error *err);
	void (*bytes)(void *data, size_t which, uint64_t current); /* may be NULL */
	void *data;
};

/* What a broken one left in the store's cache is continued. */
int image_fetch_blobs(struct store *s, const struct image_blobs *b, struct error *err);
/*
 * A tree that is no layer (layer_describe_tree()), packed into the file @out_fd, which has no
 * name and stands at its beginning; @out becomes its descriptor.
 */
int image_pack_tree(struct store *s, int tree, const struct image_form *form,
		    struct digest *out_diff_id, struct descriptor *out, int *out_fd,
		    struct error *err);

/*
 * Blobs to a repository, several at once: those that it has, or that can be mounted, are not
 * sent.  They are numbered from 0 as they are added.
 */
struct image_uploads;

struct image_uploads_watch {
	/* Of all that are sent, so far. */
	void (*bytes)(void *data, uint64_t current, uint64_t total);
	/* The repository has it.  An error ends it all. */
	int (*done)(void *data, size_t which, const struct digest *blob, struct error *err);
	/* The bytes of one from elsewhere are wanted. */
	int (*open)(void *data, size_t which, int *out_fd, struct error *err);
	void *data;
};

/* All borrowed; layers are packed as @form says. */
struct image_uploads *image_uploads_open(struct store *s, struct registry *registry,
					 const struct reference *ref,
					 const struct image_form *form,
					 const struct image_uploads_watch *watch);
/*
 * The layer @diff_id of the store; @out becomes its descriptor.  It is packed now, unless that
 * was done once; others go on meanwhile.
 */
int image_uploads_layer(struct image_uploads *u, const struct digest *diff_id,
			struct descriptor *out, struct error *err);
/* The file @fd, whose digest the caller has computed; borrowed. */
int image_uploads_file(struct image_uploads *u, const struct descriptor *blob, int fd,
		       struct error *err);
/* @from: a repository of the same registry that has it; may be NULL. */
int image_uploads_elsewhere(struct image_uploads *u, const struct descriptor *blob,
			    const char *from, struct error *err);
/* Until all are there. */
int image_uploads_finish(struct image_uploads *u, struct error *err);
void image_uploads_close(struct image_uploads *u);

static inline void image_uploads_auto(struct image_uploads **u)
{
	if (*u)
		image_uploads_close(*u);
}

/* "docker.io/library/x@sha256:…", appended. */
void image_repo_digest(const struct reference *ref, const struct digest *d, struct buf *out);

/* ---- names and removal ---- */

int image_tag(struct store *s, const struct digest *id, const char *reference,
	      struct error *err);

struct image_removed {
	struct strlist untagged;    /* familiar references */
	struct digest_list deleted; /* image ids, then layers */
};

/*
 * `rmi TEXT`: takes the name away; the image goes with its last name.  By id
 * with several names: -ERR_CONFLICT unless @force.  Used by a container:
 * -ERR_CONFLICT.
 */
int image_remove(struct store *s, const char *text, bool force, struct image_removed *out,
		 struct error *err);
/*
 * The image with all its names: -ERR_CONFLICT when a container uses it, or it has
 * names and @named does not allow that; -ERR_NOT_FOUND.  Its bytes go with store_collect().
 */
int image_discard(struct store *s, const struct digest *id, bool named,
		  struct image_removed *out, struct error *err);
void image_removed_clear(struct image_removed *r);

/* ---- looking ---- */

struct image_history_row {
	struct digest id; /* zero: "<missing>" */
	int64_t created_ns;
	bool has_created;
	const char *created_by; /* borrowed from the image */
	const char *comment;
	uint64_t size;
};

struct image_history {
	struct image_history_row *items; /* newest first */
	size_t n;
	size_t cap;
};

int image_history(struct store *s, const struct image *i, struct image_history *out,
		  struct error *err);
/* Docker's `image inspect` object.  New reference. */
json_t *image_inspect(struct store *s, const struct image *i);

/* ---- packages ---- */

struct image_package {
	const char *type;     /* "deb", "apk" */
	char *name, *version; /* always there; the others may be NULL */
	char *architecture, *license, *maintainer;
	struct strlist files; /* clean, relative; with dpkg directories too */
};

struct image_package_list {
	struct image_package *items; /* by name */
	size_t n;
	size_t cap;
	char *distribution, *release; /* ID and VERSION_ID of os-release, or NULL */
};

/*
 * What the package databases in the tree @tree (a view) say.  They are texts of
 * strangers: what is not in their form is passed over, nothing is an error.
 */
void image_packages(int tree, struct image_package_list *out);
void image_package_list_clear(struct image_package_list *l);
/*
 * The packages of an image as an SPDX 2.3 document, a function of its files and
 * its time.  New reference.
 */
int image_sbom(struct store *s, const struct image_config *cfg, json_t **out,
	       struct error *err);

static inline void image_package_list_auto(struct image_package_list *l)
{
	image_package_list_clear(l);
}

struct image_difference {
	char kind;		 /* 'A', 'C', 'D': a file; '=': a part of the config */
	char *path;		 /* absolute; the name of the part */
	char *what;		 /* of C: "content, mode" */
	char *old_value, *value; /* of =: JSON */
	uint64_t old_bytes, bytes;
};

struct image_difference_list {
	struct image_difference *items;
	size_t n;
	size_t cap;
};

/* What @b has otherwise than @a: files by path, then the config.  Times do not count. */
int image_compare(struct store *s, const struct image *a, const struct image *b,
		  struct image_difference_list *out, struct error *err);
void image_difference_list_clear(struct image_difference_list *l);

/* ---- another base ---- */

struct image_rebase {
	const struct image *image;
	const struct image *from; /* the base it was built on */
	const struct image *onto;
	bool force; /* although there are reasons against it */
};

/*
 * The image that the longest part of the layers of @i is; of several that whose
 * history is its history.  -ERR_NOT_FOUND.
 */
int image_find_base(struct store *s, const struct image *i, struct image *out,
		    struct error *err);
/*
 * The config (@out: IMAGE_CONFIG_INIT) of the image with the layers of @onto in place
 * of those of @from; settings are merged three ways.  -ERR_CONFLICT, with the
 * reasons as further lines, when the image's own layers touch what is not the same
 * in both bases, when both sides changed a setting, or for another platform.  What
 * RUN steps read of the base is not known: that is for the caller to know.
 */
int image_rebase(struct store *s, const struct image_rebase *how, struct image_config *out,
		 struct error *err);

/* ---- why an image is big ---- */

enum image_waste {
	IMAGE_USED = 0,
	IMAGE_SHADOWED,	  /* a later layer has another file in its place */
	IMAGE_DELETED,	  /* a later layer deletes it */
	IMAGE_DUPLICATED, /* the same content is in the image before it, under another name */
	IMAGE_WASTES,
};

struct image_big_file {
	char *path; /* as in the layer: relative, clean */
	uint64_t bytes;
	long package; /* that brought it; -1: none that is known */
	enum image_waste waste;
	size_t by;	/* the layer that shadows or deletes it; the file that it duplicates */
	unsigned names; /* that it has and nothing hides; 0: it is wasted */
};

struct image_big_package {
	const char *type; /* as in struct image_package */
	char *name, *version;
};

struct image_big_layer {
	struct digest diff_id;
	char *created_by; /* of its history row; "" */
	char *dockerfile; /* known for our builds; NULL */
	unsigned line;	  /* in it; 0: not known */
	uint64_t bytes, wasted;
	size_t first, n; /* its files, in canonical order */
};

/* Each byte of an image in one place: bytes of layers, of files and of the image add up. */
struct image_big {
	struct {
		struct image_big_layer *items; /* lowest first */
		size_t n, cap;
	} layers;
	struct {
		struct image_big_file *items;
		size_t n, cap;
	} files;
	struct {
		struct image_big_package *items;
		size_t n, cap;
	} packages;
	uint64_t bytes;
	uint64_t wasted[IMAGE_WASTES]; /* by kind; [IMAGE_USED]: the rest */
};

/*
 * Attributes each byte of each layer to its file, and that to a package when
 * the layer changed a package database that knows the path.  -ERR_CORRUPT if the
 * files are not as large as the layer was.
 */
int image_why_big(struct store *s, const struct image *i, struct image_big *out,
		  struct error *err);
void image_big_clear(struct image_big *b);

static inline void image_big_auto(struct image_big *b)
{
	image_big_clear(b);
}

/* Computes every digest of the image again; -ERR_CORRUPT names what is damaged. */
int image_verify(struct store *s, const struct image *i, uint64_t *out_bytes,
		 struct error *err);

static inline void image_difference_list_auto(struct image_difference_list *l)
{
	image_difference_list_clear(l);
}
static inline void image_auto(struct image *i)
{
	image_clear(i);
}
static inline void image_choices_auto(struct image_choices *c)
{
	image_choices_clear(c);
}
static inline void image_loaded_auto(struct image_loaded *l)
{
	image_loaded_clear(l);
}
static inline void image_removed_auto(struct image_removed *r)
{
	image_removed_clear(r);
}
