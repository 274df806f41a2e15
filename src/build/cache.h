/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache - build caches that travel: --cache-to and --cache-from.
 *
 * The container is BuildKit's, so that registries, and tools that know its caches,
 * take it for one: a manifest (or an index) whose config has the type CACHE_MEDIA
 * and is
 *
 *   {"layers":  [{"blob": DIGEST, "parent": -1,
 *                 "annotations": {"mediaType", "diffID", "size"},
 *                 "stave": {"contentBytes", "tarBytes", "entries"}}],
 *    "records": [{"layers": [{"layer": 0, "createdAt"}], "digest": KEY,
 *                 "stave": {"diffID", "createdAt", "duration"}},
 *                {"digest": KEY, "stave": {"content": DIGEST}}],
 *    "stave":   {"keys": STEP_KEY_VERSION,
 *                "mounts": [{"key", "id", "layer": 0, "mode", "uid", "gid"}]}}
 *
 * The keys are stave's own (docs/adr/0018-build-caches-in-registries.md says why): what
 * BuildKit has written is read past, and BuildKit finds nothing in ours.  A *step*
 * maps a key to a layer; a *memo* one to the content of files.  A step whose layer
 * has no blob (mode=min, steps that the result does not consist of) counts as done
 * for as long as nobody asks for its files.
 *
 *   type=local     an OCI image layout in a directory, with tags in its index.json
 *   type=registry  a tag of a repository
 *   type=inline    the records alone, in the config of the image; its layers are theirs
 *
 * With cache-mounts=true on both sides the directories of RUN --mount=type=cache travel
 * along: each is a layer, and begins the cache mount of a machine that has none.
 *
 * What is read is not believed.  A layer counts when its tar has the diff_id
 * that the record says, and is brought and unpacked only when a step or the image
 * needs its files.  What cannot be used is remarked on and left out.  That a key
 * really gives that layer cannot be verified: who may write the cache decides
 * what builds with it contain, as he does with a base image.
 */
#pragma once

#include "build/graph.h"
#include "layer/layer.h"

#define CACHE_MEDIA "application/vnd.buildkit.cacheconfig.v0"

enum cache_type {
	CACHE_NONE = 0,
	CACHE_LOCAL,
	CACHE_REGISTRY,
	CACHE_INLINE, /* of --cache-to; it is read as CACHE_REGISTRY */
};

/* One --cache-to or --cache-from. */
struct cache_place {
	enum cache_type type;
	char *dir;	      /* LOCAL */
	char *tag;	      /* LOCAL */
	struct digest digest; /* LOCAL: of the manifest, instead of a tag */
	bool has_digest;
	char *name;	      /* REGISTRY: as the user wrote it */
	struct reference ref; /* REGISTRY */
	bool insecure;	      /* REGISTRY: any certificate, or plain HTTP */
	bool index;	      /* REGISTRY: image-manifest=false */
	bool docker_types;    /* REGISTRY: oci-mediatypes=false */
	bool max;	      /* mode=max: layers of all steps, not of the result only */
	enum layer_compression compression;
	int level;
	bool force; /* what is there in another compression is packed again */
	bool ignore_error;
	bool cache_mounts; /* those of RUN travel, too */
};

/* Messages name the option. */
int cache_place_parse(const char *text, bool to, struct cache_place *out, struct error *err);
void cache_place_clear(struct cache_place *p);
/* For messages: the directory or the reference. */
const char *cache_place_name(const struct cache_place *p);

/* ---- the document ---- */

struct cache_layer {
	struct digest diff_id;
	bool measured; /* the three are known */
	uint64_t content_bytes, tar_bytes, entries;
	bool has_blob;
	struct descriptor blob;
};

struct cache_step {
	struct digest key;
	size_t layer;
	int64_t created_ns, duration_ns; /* 0: not known */
};

struct cache_memo {
	struct digest key, value;
};

/* The content of one of RUN --mount=type=cache. */
struct cache_mount {
	struct digest key; /* mount_cache_key() */
	char *id;	   /* for people */
	size_t layer;	   /* its tree as a tar without whiteouts; it has a blob */
	mode_t mode;	   /* of its top, as the owner */
	uid_t uid;
	gid_t gid;
};

struct cache_document {
	struct {
		struct cache_layer *items;
		size_t n, cap;
	} layers;
	struct {
		struct cache_step *items;
		size_t n, cap;
	} steps;
	struct {
		struct cache_memo *items;
		size_t n, cap;
	} memos;
	struct {
		struct cache_mount *items;
		size_t n, cap;
	} mounts;
};

void cache_document_encode(const struct cache_document *d, struct buf *out);
/* -ERR_UNSUPPORTED: of another version, BuildKit's, or made with other keys. */
int cache_document_decode(const char *data, size_t len, struct cache_document *out,
			  struct error *err);
/* The records alone, for the config of an image with the layers @diff_ids. */
void cache_records_encode(const struct cache_document *d, const struct digest_list *diff_ids,
			  struct buf *out);
/* @out has the layers of the image already. */
int cache_records_decode(const char *data, size_t len, struct cache_document *out,
			 struct error *err);
void cache_document_clear(struct cache_document *d);
/* The manifest, or index, of a cache with the document @config. */
void cache_manifest_encode(const struct cache_document *d, const struct buf *config,
			   const struct cache_place *p, struct buf *out,
			   const char **out_media_type);

/* ---- reading one ---- */

struct cache_source {
	struct cache_place place;
	int dir;		/* LOCAL */
	struct digest manifest; /* that the place names */
	char *media_type;	/* REGISTRY: its */
	struct manifest m;	/* LOCAL */
	struct cache_document doc;
};

#define CACHE_SOURCE_INIT ((struct cache_source){.dir = -1, .m = MANIFEST_INIT})

struct registry;
/* The registry of a place. */
int cache_registry_open(const struct cache_place *p, bool push, struct registry **out,
			struct error *err);
/*
 * Reads manifest and document of @s->place; of an image, the records for @platform
 * that its config has.  @r: the registry, if it is open already; else NULL.
 */
int cache_source_read(struct cache_source *s, struct registry *r,
		      const struct platform *platform, struct error *err);
/* The same of a directory that is open. */
int cache_source_read_dir(struct cache_source *s, struct error *err);
/* Its bytes, at their beginning; those from a registry are verified.  @l has a blob. */
int cache_source_blob(const struct cache_source *s, struct store *store,
		      const struct cache_layer *l, int *out_fd, struct error *err);
void cache_source_clear(struct cache_source *s);

/* ---- taking from them ---- */

struct cache_imports;

struct cache_hit {
	struct digest diff_id;
	int64_t created_ns;
	const char *from; /* borrowed: the place */
};

/* Sources that cannot be used are remarked on.  @tasks: the last number of a task. */
int cache_imports_open(const struct build_options *o, unsigned *tasks,
		       struct cache_imports **out, struct error *err);
/* From now on tasks are numbered behind *@tasks (borrowed). */
void cache_imports_count(struct cache_imports *c, unsigned *tasks);
/*
 * A record for @key whose layer is there or can be brought; @title is what the
 * store knows the step by.  @c may be NULL.
 */
bool cache_imports_find(struct cache_imports *c, struct store *s, const struct digest *key,
			const char *title, struct cache_hit *out);
bool cache_imports_memo(const struct cache_imports *c, const struct digest *key,
			struct digest *out);
/*
 * Brings what the store has not of these layers, with the records that were
 * found.  -ERR_CORRUPT: one of them is not what it should be.
 */
int cache_imports_fetch(struct cache_imports *c, struct store *s, struct lease *lease,
			const struct digest_list *diff_ids, struct error *err);
/*
 * After a build that failed: is it worth another try, because a step that
 * counted as done could not be brought?  Then it will not be found again.
 */
bool cache_imports_lost(struct cache_imports *c);
/* A step that was found in this build; borrowed, NULL: it was not. */
const struct cache_step *cache_imports_step(const struct cache_imports *c,
					    const struct digest *key);
/* The layer and where its blob is, if one has it; both borrowed. */
const struct cache_layer *cache_imports_layer(const struct cache_imports *c,
					      const struct digest *diff_id,
					      const struct cache_source **out_source);
/* The content of a cache mount, of places that were asked for them; both borrowed. */
const struct cache_mount *cache_imports_mount(const struct cache_imports *c,
					      const struct digest *key,
					      const struct cache_source **out_source);
void cache_imports_free(struct cache_imports *c);

/* ---- cache_files.c: before files are read.  @lease is made when it is needed ---- */

/* All layers of @v (may be NULL). */
int cache_need(struct graph *g, struct lease **lease, const struct vertex *v,
	       struct error *err);
/* Those that the execution of @v begins with or takes from. */
int cache_need_inputs(struct graph *g, struct lease **lease, const struct vertex *v,
		      struct error *err);
/* Those whose content mounts_content() has to look at. */
int cache_need_contents(struct graph *g, struct lease **lease, const struct run_spec *run,
			struct error *err);

/* ---- writing one ---- */

/* Where blobs go: sees to it that it has one for @l->diff_id, and fills @l->blob. */
struct cache_target {
	/* *out_known false: nobody has the files of that layer */
	int (*blob)(void *data, struct cache_layer *l, bool *out_known, struct error *err);
	/* The bytes of @l->blob are the file @fd. */
	int (*file)(void *data, struct cache_layer *l, int fd, struct error *err);
	void *data;
};

/*
 * The document of a build that is done.  @to NULL: without blobs.  @before (may be
 * NULL) is what the place had: of several platforms, the later ones add to it.
 */
int cache_gather(const struct graph *g, const struct cache_place *p,
		 const struct cache_target *to, const struct cache_document *before,
		 struct cache_document *out, struct error *err);
/* The blob that @before has for @l, if it is packed as @p wants; borrowed. */
const struct cache_layer *cache_before(const struct cache_document *before,
				       const struct cache_place *p,
				       const struct cache_layer *l);

/* With cache-mounts=true, adds the content of those of the build. */
int cache_mounts_gather(const struct graph *g, const struct cache_place *p,
			const struct cache_target *to, const struct cache_document *before,
			struct cache_document *doc, struct error *err);
/*
 * Fills the cache mount @dir of the store, which the caller has taken, if it is new and a
 * --cache-from with cache-mounts=true has its content.  Trouble is remarked on.
 */
void cache_mounts_fill(const struct graph *g, const struct build_mount *b,
		       const struct digest *key, const char *dir);

/* All steps of a build that is done, to @p; @task is told what happens. */
int cache_export(const struct graph *g, const struct cache_place *p, unsigned task,
		 struct error *err);
/* The same for a registry. */
int cache_push(const struct graph *g, const struct cache_place *p, unsigned task,
	       struct error *err);
/* Does anybody want the records in the image's config? */
bool cache_inline_wanted(const struct build_options *o);
/* Puts them there. */
int cache_inline(const struct graph *g, struct image_config *cfg, struct error *err);
/* Those of the image with the manifest @m. */
int cache_inline_read(struct registry *r, const struct manifest *m, struct cache_document *out,
		      struct error *err);

static inline void cache_place_auto(struct cache_place *p)
{
	cache_place_clear(p);
}
static inline void cache_document_auto(struct cache_document *d)
{
	cache_document_clear(d);
}
static inline void cache_source_auto(struct cache_source *s)
{
	cache_source_clear(s);
}
static inline void cache_imports_auto(struct cache_imports **c)
{
	if (*c)
		cache_imports_free(*c);
}
