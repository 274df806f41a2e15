/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph - what has to be made, and what each needs.
 *
 * Everything is owned by struct graph and lives as long as it.  Vertices are
 * numbered in the order in which they were lowered, so inputs come before
 * those who need them.
 */
#pragma once

#include "build/build.h"
#include "dockerfile/dockerfile.h"
#include "oci/oci.h"
#include "remote/remote.h"

enum vertex_kind {
	VERTEX_NONE = 0,
	VERTEX_IMAGE,
	VERTEX_RUN,
	VERTEX_COPY, /* ADD too */
	VERTEX_WORKDIR,
	VERTEX_SOURCE, /* a directory of files that is no image: nothing can start from it */
};

enum vertex_state {
	VERTEX_WAITING = 0,
	VERTEX_RUNNING,
	VERTEX_DONE,
};

/* A source that is no file of a tree: a heredoc, or a download. */
struct copy_file {
	char *name;
	char *data; /* NULL: a download */
	size_t len;
	struct remote_file body; /* of a download: in the cache */
	int cache;		 /* borrowed */
};

struct build_mount; /* mount.h */

struct run_spec {
	struct strlist args;
	struct strlist env; /* ENV, then the ARGs in scope */
	size_t n_env;	    /* how many of them are ENV */
	char *user;
	char *workdir;
	enum runtime_network network;
	bool insecure; /* --security=insecure */
	char *shell;   /* the stage's, for --on-error=shell */
	struct copy_file
		script; /* a heredoc with its own "#!", in /dev/pipes; .name NULL: none */
	struct build_mount *mounts; /* in the order of the instruction */
	size_t n_mounts;
};

/* Which sources ADD unpacks if they are archives. */
enum copy_unpack {
	COPY_UNPACK_DEFAULT = 0, /* local files, not downloads */
	COPY_UNPACK_NEVER,
	COPY_UNPACK_ALWAYS,
};

struct copy_spec {
	bool add;
	struct strlist sources;	 /* expanded; paths from the root of context or stage */
	struct vertex **remotes; /* for each source what fetches it, NULL: a path; or NULL */
	struct copy_file *files; /* heredoc sources */
	size_t n_files;
	char *dest;    /* absolute, a slash at the end kept */
	bool has_from; /* @from, NULL meaning an empty stage, instead of the context */
	struct vertex *from;
	char *from_name; /* as written */
	char *chown;	 /* NULL: none */
	char *chmod;
	char *checksum;
	struct strlist exclude; /* patterns, expanded */
	bool parents;		/* keep the sources' directories, from "/./" on */
	bool keep_top;		/* see struct plan */
	enum copy_unpack unpack;
};

void copy_spec_clear(struct copy_spec *c);
void run_spec_clear(struct run_spec *r);

enum source_kind {
	SOURCE_DIRECTORY = 1, /* of the user's: --build-context */
	SOURCE_HTTP,
	SOURCE_GIT,
};

struct tree;

struct source_spec {
	enum source_kind kind;
	const struct build_context *context; /* DIRECTORY; borrowed */
	char *url;			     /* HTTP, GIT: as written, secrets too */
	bool has_want;
	struct digest want; /* --checksum */
	struct remote_git git;

	/* Filled by solve. */
	struct copy_file file;		 /* HTTP */
	struct remote_checkout checkout; /* GIT */
	struct tree *tree;		 /* GIT; borrowed from the build's sources */
};

/* Does it take anything from the context, or from what --from names? */
bool copy_needs_tree(const struct copy_spec *c);
void source_spec_clear(struct source_spec *s);

/* The ENVs and ARGs whose values the words of an instruction took: NAME=value. */
struct used_names {
	struct strlist envs, args;
};

/* Why a step did not come from the cache although its key might be known. */
enum vertex_miss {
	MISS_NONE = 0,
	MISS_ASKED,   /* --no-cache, or its filter */
	MISS_UNKNOWN, /* no record of that key */
	MISS_DAMAGED, /* the layer of the record was not whole any more */
};

/* What the build's record (history.h) says of a vertex. */
struct vertex_record {
	bool began, ended;
	enum vertex_miss miss;
	bool has_key;
	struct digest key;
	struct digest definition; /* with the key */
	bool has_content;
	struct digest content; /* of a COPY's sources */
	char *inputs;	       /* of a step that ran: see inputs.h */
	char *cache;	       /* of --cache-from that gave it; NULL: none */
	int64_t duration_ns;
	bool has_log;
	int log;	       /* its open file while it runs, -1: none */
	struct redact *redact; /* what it may not hold; NULL: nothing */
};

struct vertex {
	enum vertex_kind kind;
	unsigned number;
	struct vertex *parent;		 /* the file system it starts from; NULL: empty */
	const struct platform *platform; /* what it is made for and RUN runs as; borrowed */
	const struct instruction *instruction;
	unsigned line;
	char *title; /* "[builder 2/4] RUN make" */
	char *text;  /* the instruction after expansion, for records */
	unsigned step, steps;
	bool no_cache;

	struct digest image; /* VERTEX_IMAGE */
	bool missing;	     /* checking only: that image is not in the store */
	struct run_spec run;
	struct copy_spec copy;
	struct source_spec source; /* VERTEX_SOURCE */
	struct used_names used;
	char *workdir; /* VERTEX_WORKDIR: absolute path */
	char *user;    /* VERTEX_WORKDIR: who owns what is made */

	/* Filled by solve. */
	enum vertex_state state;
	bool cached;
	struct digest_list diff_ids; /* the whole chain */
	struct digest chain_id;	     /* zero for an empty one */
	struct digest content;	     /* of a COPY's sources; once it is done */
	int64_t created_ns;
	struct vertex_record record;
};

/* Does it take from layers, which never change and have a chain_id for a name? */
static inline bool copy_from_layers(const struct copy_spec *c)
{
	return c->from && c->from->kind != VERTEX_SOURCE;
}

/* The owners of files in stages and images are kept; those in directories mean nothing. */
static inline bool copy_keeps_owners(const struct copy_spec *c)
{
	return c->has_from && (!c->from || copy_from_layers(c));
}

/* One history row of an image that is being made. */
struct made_row {
	char *created_by;
	struct vertex *vertex; /* NULL: config only */
};

struct stage_state {
	const struct stage *stage;
	bool lowered;
	struct platform platform;   /* FROM --platform, else the target's */
	struct image_config config; /* with the base's history and no layers */
	struct vertex *base;	    /* FROM's file system: image or last vertex of a stage */
	struct vertex *last;
	struct strlist args;	   /* ARGs in scope, NAME=value */
	struct strlist unset_args; /* ARG NAME without a value */
	struct strlist arg_names;  /* of all ARGs, in the order of their first declaration */
	struct instruction_list extra;	     /* ONBUILD triggers */
	const struct stage_state *made_from; /* the stage that FROM names; NULL: an image */
	bool base_missing; /* checking only: nobody knows what the base image sets */
	bool base_shell;   /* the base has a SHELL of its own */
	bool workdir_set;  /* by this stage or one that it is made from */
	struct made_row *rows;
	size_t n_rows, cap_rows;
	bool cmd_set; /* by this stage: ENTRYPOINT does not reset it then */
	unsigned step, steps;
};

void stage_state_clear(struct stage_state *st);

struct warning_list {
	struct dockerfile_warning *items; /* owned strings in graph->arena */
	size_t n, cap;
};

struct graph {
	struct arena arena;
	struct dockerfile *file;
	struct store *store;
	const struct build_options *o;
	struct platform platform;     /* what the target is for */
	const struct platform *stage; /* of the stage that is being lowered */
	bool wants_platform;	      /* somebody wrote it, so images must be for it */
	struct strlist globals;	      /* global ARGs with values */
	struct used_names used;	      /* by the instruction that is being lowered */
	struct strlist used_args;     /* names of --build-arg that an ARG asked for */
	struct stage_state *stages;   /* as many as in the file */
	struct stage_state *target;
	struct vertex **items;
	size_t n, cap;
	struct warning_list warnings;
	struct check_config checks;
	struct ignore *ignore; /* parsed when it is first asked for */
	bool checking;	       /* nothing will run: images need not be there */
	bool all_stages;       /* lower also what the target does not need */
	bool guessed;	       /* a variable that only a missing base could set was empty */
	unsigned tasks;	       /* the last number that progress was told of */
	struct strlist pulled; /* names that were asked a registry about */
	struct build_history *history; /* borrowed; NULL: nothing is recorded */
	struct cache_imports *imports; /* borrowed; NULL: none */
};

int graph_new(struct store *s, const struct build_options *o, struct graph **out,
	      struct error *err);
/* The same in two: graph_fill() may fail and leaves what it found out. */
struct graph *graph_start(struct store *s, const struct build_options *o);
int graph_fill(struct graph *g, struct error *err);
void graph_free(struct graph *g);
void graph_print(const struct graph *g, struct buf *out);
/*
 * pull.c: brings the image @name (for @platform, NULL: this machine's) from its
 * registry, once in a build.
 */
int graph_pull(struct graph *g, const char *name, const struct platform *platform,
	       struct error *err);
/*
 * The vertex of an image, which is pulled if it is not here, one for each image; its config
 * (with history, without layers) is copied to @cfg unless that is NULL.
 */
int graph_image(struct graph *g, const char *name, struct vertex **out,
		struct image_config *cfg, struct error *err);
struct build_history;
struct vertex *graph_add(struct graph *g, enum vertex_kind kind, struct vertex *parent);

static inline void graph_auto(struct graph **g)
{
	graph_free(*g);
}
