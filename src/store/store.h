/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - everything that stave keeps, in one directory.
 *
 *   blobs/sha256/HEX   documents by digest (image configs, manifests): an OCI image layout
 *   layers/DIR/fs      layer directories; DIR is short, so that many fit into a mount option
 *   containers/ID/     one directory a container: bundle, its upper directory
 *   cache/             what can be made again: context indexes, compiled filters
 *   cachemounts/DIR/   one directory of RUN --mount=type=cache: fs and two locks
 *   volumes/NAME/_data what containers keep beyond their own lives
 *   history/           what the last builds did: records, logs, lists of files; has a ceiling
 *   leases/ID          what a running command has made and not yet recorded
 *   stub/              the empty mount points that lie under every container's root
 *   stave.db           SQLite (WAL): what is known about all of the above
 *   lock               shared by every command, exclusive for garbage collection
 *
 * Words: a *row* makes a thing exist.  A directory without a row is a
 * leftover; its maker wrote its name into a *lease* (a file that the maker
 * keeps locked) before making it, so the next command undoes what a killed
 * one left (store_open() looks for leases without an owner).
 *
 * Durability: blobs and the rows of images and names are synced before a
 * function returns.  Layer directories are not: a layer row says in which
 * boot it was committed, and one that was not synced before the machine went
 * down is *doubtful* until its diff_id has been computed again
 * (docs/adr/0003-no-fsync-on-the-hot-path.md).
 *
 * Several commands may have the store open; SQLite's transactions order
 * them.  A handle belongs to one thread and does not survive fork(): children
 * use descriptors, never the handle.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/strlist.h"
#include "oci/oci.h"

struct store;
struct lease;

enum store_place {
	STORE_ROOT = 0,
	STORE_BLOBS,
	STORE_LAYERS,
	STORE_CONTAINERS,
	STORE_CACHE,
	STORE_LEASES,
	STORE_STUB,
	STORE_CACHE_MOUNTS,
	STORE_HISTORY,
	STORE_VOLUMES,
	STORE_PLACES,
};

/* What to do with a thing of a dead command that is not the store's: "cgroup", "bridge" … */
typedef int (*store_undo_fn)(void *data, const char *kind, const char *name, struct error *err);

/*
 * @path NULL: $STAVE_ROOT, else /var/lib/stave for root, else
 * $XDG_DATA_HOME/stave.  Makes the store if it is not there, migrates an
 * older one, refuses a newer one (-ERR_UNSUPPORTED), undoes dead leases.
 */
int store_open(const char *path, store_undo_fn undo, void *data, struct store **out,
	       struct error *err);
/*
 * To look at what is there, and at nothing else: takes no lock, writes
 * nothing, undoes nothing.  -ERR_NOT_FOUND if there is no store of this version.
 */
int store_look(const char *path, struct store **out, struct error *err);
void store_close(struct store *s);
const char *store_path(const struct store *s);
/* Borrowed directory descriptor. */
int store_dir(const struct store *s, enum store_place place);
/*
 * Transactions nest; an abort of the inner one aborts the whole.  @durable (of
 * the outermost): what is committed is on disk when store_commit() returns.
 */
int store_begin(struct store *s, bool durable, struct error *err);
int store_commit(struct store *s, struct error *err);
void store_abort(struct store *s);
/*
 * What is asked between the two is answered of one moment, with one lock.  A transaction
 * that begins in between ends it.  Not to be held while anybody is waited for: it keeps
 * the log from being shortened.
 */
int store_view_begin(struct store *s, struct error *err);
void store_view_end(struct store *s);

/* ---- leases ---- */

/* One a command; ends with it, also when it is killed. */
int lease_new(struct store *s, struct lease **out, struct error *err);
/* Before the thing is made.  The same again changes nothing. */
int lease_note(struct lease *l, const char *kind, const char *name, struct error *err);
/* All that was noted is recorded or removed: forget it. */
void lease_end(struct lease *l);
/* What commands at work have noted of one kind: the names are keys of @out. */
int store_leased(struct store *s, const char *kind, struct map *out, struct error *err);

/* ---- blobs ---- */

/*
 * Needs no lease: a blob has no name before it is whole, and one that no row
 * uses is garbage, not damage (store_collect()).
 */
int store_blob_write(struct store *s, const void *data, size_t len, struct digest *out,
		     struct error *err);
/* Reads it whole and verifies it: -ERR_NOT_FOUND, -ERR_CORRUPT, -ERR_LIMIT. */
int store_blob_read(struct store *s, const struct digest *d, size_t limit, struct buf *out,
		    struct error *err);

/*
 * Keeps the @size bytes of @from, which must have the digest @want
 * (-ERR_CORRUPT), without having them in memory.
 */
int store_blob_copy(struct store *s, int from, const struct digest *want, uint64_t size,
		    struct error *err);
/*
 * The same with the file @name of the directory @dir, which nobody else writes:
 * on the same file system it is moved.
 */
int store_blob_take(struct store *s, int dir, const char *name, const struct digest *want,
		    uint64_t size, struct error *err);
/* The same, of a file of ours on this file system, and the caller has hashed all of it as it
 * came. */
int store_blob_adopt(struct store *s, int dir, const char *name, const struct digest *hashed,
		     struct error *err);
/* For reading; not verified: the reader hashes what it reads. */
int store_blob_open(struct store *s, const struct digest *d, int *out_fd, struct error *err);

/* ---- layers ---- */

#define STORE_LAYER_DIR_SIZE 12

struct store_layer {
	struct digest diff_id;
	char dir[STORE_LAYER_DIR_SIZE];
	uint64_t content_bytes; /* Docker's size */
	uint64_t tar_bytes;
	uint64_t entries; /* 0: nothing to mount */
	bool doubtful;	  /* verify before use */
};

/* A new empty layers/DIR/{fs,work}, noted in @l. Owner root:root, mode 0755. */
int store_layer_new(struct store *s, struct lease *l, char dir[STORE_LAYER_DIR_SIZE],
		    struct error *err);
/*
 * Makes layers/DIR the layer @info (its .dir is taken).  If that diff_id is
 * there already, the new directory is removed and info->dir becomes the old.
 */
int store_layer_commit(struct store *s, struct store_layer *info, struct error *err);
/* Removes an unrecorded directory. */
int store_layer_discard(struct store *s, const char *dir, struct error *err);
/* -ERR_NOT_FOUND. */
int store_layer_find(struct store *s, const struct digest *diff_id, struct store_layer *out,
		     struct error *err);
/* It was verified in this boot, or synced. */
int store_layer_trust(struct store *s, const struct digest *diff_id, struct error *err);
/* Forgets a layer that turned out damaged, with all step records that give it. */
int store_layer_drop(struct store *s, const struct digest *diff_id, struct error *err);
/* Opens layers/DIR/fs. */
int store_layer_open(struct store *s, const char *dir, int *out_fd, struct error *err);
/* Calls syncfs once and marks every layer of this boot as synced. */
int store_layers_sync(struct store *s, struct error *err);

/*
 * Where a layer that was not made here came from.  Its diff_id is the digest of a
 * tar that somebody else wrote, so the directory cannot be verified against it
 * and the tar cannot be written again from the directory: the directory has a
 * digest of its own (.tree, what layer_describe() gives), and the bytes of the
 * tar, compressed as they came, are kept as a blob.  Both go with the layer.
 */
struct store_origin {
	struct digest tree;
	struct digest blob;
	uint64_t size;	  /* of the blob */
	char *media_type; /* of the blob; owned */
};

/* After the layer's row, in its transaction. The first origin of a layer stays. */
int store_origin_add(struct store *s, const struct digest *diff_id,
		     const struct store_origin *origin, struct error *err);
/* -ERR_NOT_FOUND: the layer was made here. */
int store_origin_find(struct store *s, const struct digest *diff_id, struct store_origin *out,
		      struct error *err);
/* What layer_describe() must say about the layer: its origin's tree, or the diff_id itself. */
int store_layer_tree(struct store *s, const struct digest *diff_id, struct digest *out,
		     struct error *err);
void store_origin_clear(struct store_origin *o);

/* ---- step records: the build cache ---- */

struct store_step {
	struct digest key;
	struct digest diff_id;
	int64_t created_ns;
	int64_t duration_ns;
	char *title;  /* the instruction, for people; owned */
	char *inputs; /* JSON: the tree of digests that the key was made of; owned */
};

/* -ERR_NOT_FOUND. Marks it as used now and then. */
int store_step_find(struct store *s, const struct digest *key, struct store_step *out,
		    struct error *err);
/* The inputs of a record, a new string; not a use.  -ERR_NOT_FOUND. */
int store_step_inputs(struct store *s, const struct digest *key, char **out, struct error *err);
int store_step_add(struct store *s, const struct store_step *step, struct error *err);
void store_step_clear(struct store_step *step);

/* A digest computed once of something that does not change, by a key that names it. */
bool store_memo_find(struct store *s, const struct digest *key, struct digest *out);
int store_memo_add(struct store *s, const struct digest *key, const struct digest *value,
		   struct error *err);

/* ---- cache mounts: what RUN --mount=type=cache keeps between builds ---- */

/*
 * A *cache mount* is a directory, cachemounts/DIR/fs, that build steps write
 * to, and its row.  Its *key* is a digest of all that must be the same for
 * two mounts to be the same one (id, where its first content came from,
 * owner, mode); of one key there may be several directories, because
 * sharing=private gives each concurrent step one of its own.  fs is made by
 * the first step that has it.
 */
enum store_sharing {
	STORE_SHARING_SHARED = 0, /* several at once */
	STORE_SHARING_PRIVATE,	  /* one that nobody has now, or a new one */
	STORE_SHARING_LOCKED,	  /* the only one: the next waits */
};

/*
 * Somebody has it: not removed meanwhile.  The descriptors are locks; a child
 * process that inherits them keeps them.
 */
struct store_cache_use {
	char dir[STORE_LAYER_DIR_SIZE];
	int use;
	int turn;   /* to be waited for with io_lock(turn, true, true) if .waits */
	bool waits; /* sharing=locked, and another has its turn */
};

#define STORE_CACHE_USE_INIT ((struct store_cache_use){.use = -1, .turn = -1})

/* Takes the one with this key that suits @sharing, or makes one (noted in @l). */
int store_cache_take(struct store *s, struct lease *l, const struct digest *key, const char *id,
		     enum store_sharing sharing, struct store_cache_use *out,
		     struct error *err);
/*
 * One with this key that nobody has, for us alone; it does not count as a use.
 * -ERR_NOT_FOUND: there is none.
 */
int store_cache_find(struct store *s, const struct digest *key, struct store_cache_use *out,
		     struct error *err);
void store_cache_release(struct store_cache_use *use);

struct store_cache {
	char *dir; /* names it for store_cache_remove() */
	char *id;  /* as the Dockerfile has it */
	int64_t created_ns, used_ns;
	uint64_t uses;
	uint64_t bytes; /* on disk (blocks), if it was asked for */
	bool in_use;	/* a build has it at this moment */
};

struct store_cache_list {
	struct store_cache *items;
	size_t n;
	size_t cap;
};

/* The last used first.  @measure reads all directories for their sizes. */
int store_cache_list(struct store *s, bool measure, struct store_cache_list *out,
		     struct error *err);
/* -ERR_CONFLICT while a build has it; safe while builds run.  Absent is fine. */
int store_cache_remove(struct store *s, const char *dir, struct error *err);
void store_cache_list_clear(struct store_cache_list *l);

/* ---- images and names ---- */

struct store_image {
	struct digest id;	/* digest of the config */
	struct digest manifest; /* digest of the manifest */
	int64_t created_ns;	/* as the config says, 0 if it does not */
	int64_t added_ns;
	uint64_t size;	      /* sum of the layers' content_bytes */
	struct strlist names; /* normal references, sorted */
	/* as store_repo_digests() has them; store_image_list() alone fills them in */
	struct strlist digests;
};

struct store_image_list {
	struct store_image *items;
	size_t n;
	size_t cap;
};

/* Idempotent. @diff_ids must have layer rows. */
int store_image_add(struct store *s, const struct store_image *image,
		    const struct digest_list *diff_ids, struct error *err);
int store_image_get(struct store *s, const struct digest *id, struct store_image *out,
		    struct error *err);
/* The image whose manifest has this digest; -ERR_NOT_FOUND. */
int store_manifest_find(struct store *s, const struct digest *manifest, struct digest *out_id,
			struct error *err);
/* By normal reference; -ERR_NOT_FOUND. */
int store_name_find(struct store *s, const char *name, struct digest *out_id,
		    struct error *err);
/* Ids that begin with @hex_prefix, at most @max. */
int store_image_prefix(struct store *s, const char *hex_prefix, size_t max,
		       struct digest_list *out, struct error *err);
/* Points @name at @id; @out_changed (may be NULL) is false when it did so before. */
int store_name_set(struct store *s, const char *name, const struct digest *id,
		   bool *out_changed, struct error *err);
int store_name_remove(struct store *s, const char *name, struct error *err);
/* Another manifest for the same config and layers; it must be there as a blob. */
int store_image_set_manifest(struct store *s, const struct digest *id,
			     const struct digest *manifest, struct error *err);
/* The row, its names and its layers' uses; bytes go with store_collect(). */
int store_image_remove(struct store *s, const struct digest *id, struct error *err);
/* Newest first. */
int store_image_list(struct store *s, struct store_image_list *out, struct error *err);
void store_image_clear(struct store_image *image);
void store_image_list_clear(struct store_image_list *l);

/* ---- what registries have ---- */

/* "docker.io/library/x@sha256:…": the manifest or index that this image has there. */
int store_repo_digest_add(struct store *s, const char *name, const struct digest *id,
			  struct error *err);
int store_repo_digest_find(struct store *s, const char *name, struct digest *out_id,
			   struct error *err);
/* All of an image, sorted. */
int store_repo_digests(struct store *s, const struct digest *id, struct strlist *out,
		       struct error *err);

/*
 * A layer of ours packed in one form ("gzip:libdeflate-1"): packing is a pure function, so
 * digest and size stay true when the bytes are gone.  -ERR_NOT_FOUND.
 */
int store_packed_find(struct store *s, const struct digest *diff_id, const char *form,
		      struct digest *out_blob, uint64_t *out_size, struct error *err);
int store_packed_add(struct store *s, const struct digest *diff_id, const char *form,
		     const struct digest *blob, uint64_t size, struct error *err);

/* A repository ("localhost:5000/x") was seen to have the layer as this blob. */
int store_placed_add(struct store *s, const struct digest *diff_id, const struct digest *blob,
		     const char *repository, struct error *err);
/* Those below @registry, the last seen first. */
int store_placed(struct store *s, const struct digest *blob, const char *registry,
		 struct strlist *out, struct error *err);

/* ---- containers ---- */

struct store_container {
	char *id;   /* 64 hex digits */
	char *name; /* unique */
	struct digest image;
	char *image_name; /* as the user wrote it */
	char *state;	  /* "created", "running", "paused", "restarting", "exited" */
	char *boot;	  /* in which boot it runs */
	int64_t pid;	  /* of its first process, while it runs */
	int64_t created_ns, started_ns, finished_ns;
	int64_t exit_code;
	bool auto_remove;
	char *config; /* JSON: the options it was made with */
};

struct store_container_list {
	struct store_container *items;
	size_t n;
	size_t cap;
};

/* -ERR_EXISTS when the name is taken (the message says by which container). */
int store_container_add(struct store *s, const struct store_container *c, struct error *err);
int store_container_update(struct store *s, const struct store_container *c, struct error *err);
/* -ERR_EXISTS as for store_container_add(). */
int store_container_rename(struct store *s, const char *id, const char *name,
			   struct error *err);
/* Replaces what it was made with (`update`). */
int store_container_configure(struct store *s, const char *id, const char *config,
			      struct error *err);
/* Sets the state, if it is @from now; *out_changed tells. */
int store_container_move(struct store *s, const char *id, const char *from, const char *to,
			 bool *out_changed, struct error *err);
int store_container_remove(struct store *s, const char *id, struct error *err);
/* Newest first. */
int store_container_list(struct store *s, struct store_container_list *out, struct error *err);
/* Those whose id begins with @text, or whose name it is (a "/" before it does not count). */
int store_container_named(struct store *s, const char *text, struct store_container_list *out,
			  struct error *err);
void store_container_clear(struct store_container *c);
void store_container_list_clear(struct store_container_list *l);

/* ---- networks ---- */

/* One that a user made; what @config says is its maker's affair. */
struct store_network {
	char *id; /* owned, as are the others; 64 hex digits */
	char *name;
	int64_t created_ns;
	char *config; /* JSON */
};

struct store_network_list {
	struct store_network *items;
	size_t n;
	size_t cap;
};

/* -ERR_EXISTS "network with name x already exists". */
int store_network_add(struct store *s, const struct store_network *n, struct error *err);
/* Oldest first. */
int store_network_list(struct store *s, struct store_network_list *out, struct error *err);
int store_network_remove(struct store *s, const char *id, struct error *err);
void store_network_clear(struct store_network *n);
void store_network_list_clear(struct store_network_list *l);

/* ---- manifest lists that somebody puts together, by normal reference ---- */

/* What @document says is its maker's affair; in place of an earlier one. */
int store_list_put(struct store *s, const char *name, const char *document, struct error *err);
/* -ERR_NOT_FOUND "No such manifest: x". */
int store_list_get(struct store *s, const char *name, char **out, struct error *err);
int store_list_remove(struct store *s, const char *name, struct error *err);

/* ---- volumes ---- */

/*
 * A *volume* is a directory that containers write to and that outlives them:
 * volumes/NAME/_data, and its row.  A container *holds* its volumes for as
 * long as it has a row: the database refuses to forget a volume that is
 * held.  What it *owns* (volumes that were made for it without a name) goes
 * with it when its remover says so.
 */
struct store_volume {
	char *name;
	int64_t created_ns;	   /* 0: now */
	bool anonymous;		   /* made without a name: pruned when nobody holds it */
	struct map labels;	   /* owned strings */
	struct map options;	   /* of the driver, owned strings: type, o, device */
	struct strlist containers; /* ids of those that hold it */
	uint64_t disk;		   /* allocated bytes, if it was asked for */
};

#define STORE_VOLUME_INIT \
	((struct store_volume){.labels = MAP_INIT_FREE(free), .options = MAP_INIT_FREE(free)})

struct store_volume_list {
	struct store_volume *items;
	size_t n;
	size_t cap;
};

/* -ERR_INVALID with Docker's words. */
int store_volume_check_name(const char *name, struct error *err);
/* One that is there stays as it is; *out_made (may be NULL) is false then. */
int store_volume_make(struct store *s, struct lease *l, const struct store_volume *v,
		      bool *out_made, struct error *err);
/* The container (its row is there) holds the volume. */
int store_volume_hold(struct store *s, const char *container, const char *name, bool owned,
		      struct error *err);
/* -ERR_NOT_FOUND "get x: no such volume".  @out: STORE_VOLUME_INIT. */
int store_volume_get(struct store *s, const char *name, struct store_volume *out,
		     struct error *err);
/* By name.  @measure reads all directories for their sizes. */
int store_volume_list(struct store *s, bool measure, struct store_volume_list *out,
		      struct error *err);
/* Opens volumes/NAME, in which _data is what containers see. */
int store_volume_open(struct store *s, const char *name, int *out_fd, struct error *err);
/* Where _data is, for people and for other runtimes; new string. */
char *store_volume_path(const struct store *s, const char *name);
/* -ERR_CONFLICT while a container holds it.  Adds to @out_bytes (may be NULL). */
int store_volume_remove(struct store *s, const char *name, uint64_t *out_bytes,
			struct error *err);
/* store_container_remove(), and the volumes that it owns and nobody else holds. */
int store_container_remove_with_volumes(struct store *s, const char *id,
					struct strlist *out_gone, struct error *err);
void store_volume_clear(struct store_volume *v);
void store_volume_list_clear(struct store_volume_list *l);

/* ---- upkeep ---- */

struct store_collected {
	uint64_t layers, blobs;
	uint64_t bytes;		     /* that the file system has back */
	bool busy;		     /* another command is at work: nothing was done */
	struct digest_list diff_ids; /* of the removed layers */
};

/*
 * Removes layers and blobs that no image, step record, container or lease
 * uses.  Another command that holds the store (most are short; long ones
 * rest: store_rest()) is waited for up to @patience_ms; then nothing is done,
 * 0 returned and out->busy set.  @sources (may be NULL): "http/x" below cache/,
 * removed as well.
 */
int store_collect_wait(struct store *s, unsigned patience_ms, const struct strlist *sources,
		       struct store_collected *out, struct error *err);
/* Without waiting. */
int store_collect(struct store *s, struct store_collected *out, struct error *err);
void store_collected_clear(struct store_collected *c);
/* Removes all memos. */
int store_forget_memos(struct store *s, struct error *err);
/* Removes all step records and memos. */
int store_forget_steps(struct store *s, struct error *err);

/*
 * A long command lets collections go on while it works.  Before it rests, every
 * layer that it needs is an image's that a container's row holds, pinned, or
 * noted in its lease by the maker; images are committed awake.
 */
void store_rest(struct store *s);
int store_wake(struct store *s, struct error *err);
/*
 * Holds the layer for as long as the lease lives, and gives its row;
 * -ERR_NOT_FOUND: it is not there, or not any more.
 */
int store_layer_pin(struct store *s, struct lease *l, const struct digest *diff_id,
		    struct store_layer *out, struct error *err);

/* ---- upkeep: the build cache ---- */

enum store_entry_kind {
	STORE_ENTRY_STEP = 1, /* a step record and the layer that it gives */
	STORE_ENTRY_MOUNT,    /* what RUN --mount=type=cache keeps */
	STORE_ENTRY_FILE,     /* below cache/: an index of a context, a compiled filter */
	STORE_ENTRY_SOURCE,   /* below a directory of cache/: a download, a checkout */
};

/* One thing of the build cache: what it costs to keep it and to make it again. */
struct store_entry {
	enum store_entry_kind kind;
	struct digest key;
	struct digest diff_id; /* of the layer; of others: made of .name */
	char *name;	       /* of a mount's directory, or below cache/; owned */
	int64_t created_ns;
	int64_t used_ns; /* to within a minute */
	int64_t duration_ns;
	uint64_t disk; /* allocated for its layer, which other records may give as well */
	bool shared;   /* an image has the layer: its bytes stay without the record */
	bool busy;     /* a command at work holds it */
	char *title;   /* owned */
};

struct store_entry_list {
	struct store_entry *items;
	size_t n;
	size_t cap;
};

/* Oldest first. */
int store_entry_list(struct store *s, struct store_entry_list *out, struct error *err);
void store_entry_list_clear(struct store_entry_list *l);

struct store_prune {
	bool all;		/* records that free nothing (.shared) and files, too */
	int64_t used_before_ns; /* 0: however lately used */
	bool has_ceiling;	/* only as many as it takes to come down to @ceiling */
	uint64_t ceiling;	/* bytes, of store_entry_bytes() */
	bool (*wanted)(void *data, const struct store_entry *item); /* NULL: all */
	void *data;
};

/* What the entries keep that no image does; each layer counts once. */
uint64_t store_entry_bytes(const struct store_entry_list *l);
/*
 * Which of @l go: @gone has an element for each.  Busy ones stay.  Under a
 * ceiling those go first that are the cheapest to make again for their bytes
 * (in powers of two), and of these the least recently used; a layer goes with
 * all of its records, and what frees nothing stays.
 */
void store_entry_choose(const struct store_entry_list *l, const struct store_prune *how,
			bool *gone);
/*
 * Forgets the records that @gone marks, and removes the mounts and files; the
 * bytes of layers and sources go with store_collect_wait() (which is told of the latter
 * by @out_sources), the others are added to @out_bytes.
 */
int store_entry_forget(struct store *s, const struct store_entry_list *l, const bool *gone,
		       uint64_t *out_bytes, struct strlist *out_sources, struct error *err);

/* ---- upkeep: the disk ---- */

/* Allocated bytes below one name of the store; 0 if it is not there. */
int store_disk(struct store *s, enum store_place place, const char *name, uint64_t *out,
	       struct error *err);
/* The sizes of the files in it, as Docker counts what a container wrote. */
int store_content(struct store *s, enum store_place place, const char *name, uint64_t *out,
		  struct error *err);

struct store_image_usage {
	struct digest id;
	uint64_t disk;	 /* its layers and documents, as they are allocated */
	uint64_t unique; /* what no other image shares */
	uint64_t containers;
};

struct store_container_usage {
	char *id; /* owned */
	uint64_t disk;
};

struct store_image_usage_list {
	struct store_image_usage *items;
	size_t n;
	size_t cap;
};

struct store_container_usage_list {
	struct store_container_usage *items;
	size_t n;
	size_t cap;
};

/* Allocated bytes, as du(1) counts them: those marked + add up to what du says of the store. */
struct store_usage {
	uint64_t image_bytes;	       /* + what images keep */
	uint64_t image_bytes_idle;     /* of that, what goes with those without a container */
	uint64_t images_active;	       /* how many have one */
	uint64_t cache_layers;	       /* + what step records keep and no image does */
	uint64_t cache_mounts;	       /* + */
	uint64_t cache_busy;	       /* of those, what commands at work hold */
	uint64_t cache_files;	       /* + below cache/ */
	uint64_t container_bytes;      /* + */
	uint64_t container_bytes_idle; /* of that, of those that do not run */
	uint64_t volume_bytes;	       /* + */
	uint64_t volume_bytes_idle;    /* of that, of those that no container holds */
	uint64_t leftovers;	       /* + what no row uses: the next collection removes it */
	uint64_t database;	       /* + */
	uint64_t history;	       /* + what the last builds did */
	uint64_t other;		       /* + directories, leases, mount points */
	struct store_image_usage_list images; /* newest first */
	struct store_container_usage_list containers;
	struct store_volume_list volumes; /* measured */
};

int store_usage(struct store *s, struct store_usage *out, struct error *err);
void store_usage_clear(struct store_usage *u);

struct store_problem_sink {
	/* @fixed: it was mended. */
	void (*problem)(void *data, const char *text, bool fixed);
	void *data;
};

/*
 * Checks the database, that each row has its bytes and the bytes their rows,
 * and each blob's digest; with @repair mends it (removes what is damaged and
 * what depends on it, and leftovers).  Layers' contents are the caller's to
 * verify (they need layer/): see store_layer_all().
 */
int store_check(struct store *s, bool repair, const struct store_problem_sink *sink,
		struct error *err);
struct store_layer_list {
	struct store_layer *items;
	size_t n;
	size_t cap;
};
int store_layer_all(struct store *s, struct store_layer_list *out, struct error *err);

struct store_counts {
	uint64_t images, containers, running, layers, steps;
};
int store_count(struct store *s, struct store_counts *out, struct error *err);

static inline void store_entry_list_auto(struct store_entry_list *l)
{
	store_entry_list_clear(l);
}
static inline void store_collected_auto(struct store_collected *c)
{
	store_collected_clear(c);
}
static inline void store_usage_auto(struct store_usage *u)
{
	store_usage_clear(u);
}
static inline void store_auto(struct store **s)
{
	store_close(*s);
}
static inline void lease_auto(struct lease **l)
{
	if (*l)
		lease_end(*l);
}
static inline void store_origin_auto(struct store_origin *o)
{
	store_origin_clear(o);
}
static inline void store_step_auto(struct store_step *step)
{
	store_step_clear(step);
}
static inline void store_cache_use_auto(struct store_cache_use *use)
{
	store_cache_release(use);
}
static inline void store_cache_list_auto(struct store_cache_list *l)
{
	store_cache_list_clear(l);
}
static inline void store_network_auto(struct store_network *n)
{
	store_network_clear(n);
}
static inline void store_network_list_auto(struct store_network_list *l)
{
	store_network_list_clear(l);
}
static inline void store_volume_auto(struct store_volume *v)
{
	store_volume_clear(v);
}
static inline void store_volume_list_auto(struct store_volume_list *l)
{
	store_volume_list_clear(l);
}
static inline void store_image_auto(struct store_image *image)
{
	store_image_clear(image);
}
static inline void store_image_list_auto(struct store_image_list *l)
{
	store_image_list_clear(l);
}
static inline void store_container_auto(struct store_container *c)
{
	store_container_clear(c);
}
static inline void store_container_list_auto(struct store_container_list *l)
{
	store_container_list_clear(l);
}
