/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build - from the text of a Dockerfile to an image in the store.
 *
 *   text ─dockerfile/→ AST ─lower→ graph ─solve→ results ─commit→ image
 *
 * The *graph* has one *vertex* for each thing that makes a file system: a
 * base image, RUN, COPY or ADD, WORKDIR.  All else (ENV, CMD …) changes the
 * image's config only and is folded while the graph is made: every word is
 * expanded before the first vertex runs.  Only what the target needs is in
 * the graph.
 *
 * A vertex has two faces: the *key*, a digest over all that its result
 * depends on (the chain_id it starts from, the expanded instruction, the
 * environment it can see, the content of every source), and its *execution*,
 * which makes a layer in a child process.  A *step record* in the store maps
 * the key to the layer's diff_id, together with the tree of inputs that the
 * key was made of.  Vertices whose inputs are ready run at the same time.
 *
 * Times: directories that the build itself makes, and everything it stamps,
 * have the time of SOURCE_DATE_EPOCH if given; without it such directories
 * have time 0, so that a layer depends on its inputs alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/progress.h"
#include "base/strlist.h"
#include "dockerfile/dockerfile.h"
#include "layer/layer.h"
#include "runtime/runtime.h"
#include "store/store.h"

enum build_context_kind {
	BUILD_CONTEXT_DIRECTORY = 1,
	BUILD_CONTEXT_IMAGE, /* in the store */
	BUILD_CONTEXT_STAGE, /* of the same Dockerfile */
};

/*
 * A name given with --build-context.  It takes the place of the image that
 * FROM, --from or from= would mean by it, and of a stage of that name.
 */
struct build_context {
	const char *name; /* build_context_name() */
	enum build_context_kind kind;
	const char *label;  /* what it was given as, for messages */
	int dir;	    /* DIRECTORY; borrowed */
	const char *ignore; /* text of its ignore file, NULL: none */
	size_t ignore_len;
	const char *ignore_name;
	const char *image; /* IMAGE: name or id; STAGE: name or number */
};

/* The form under which such a name is looked for. New string. */
char *build_context_name(const char *text);
/* --secret: where its value is, which is read in the step that mounts it. */
struct build_secret {
	char *id;
	char *file; /* NULL: in the environment */
	char *env;
};

struct build_secret_list {
	struct build_secret *items;
	size_t n, cap;
};

/* "id=ID[,src=FILE|env=NAME][,type=file|env]", appended.  Looks whether the file is there. */
int build_secret_parse(const char *text, struct build_secret_list *l, struct error *err);
void build_secrets_clear(struct build_secret_list *l);

/* --ssh: one agent's socket, or key files. */
struct build_ssh {
	char *id;
	struct strlist paths;
};

struct build_ssh_list {
	struct build_ssh *items;
	size_t n, cap;
};

/* "ID[=SOCKET|KEYFILE[,KEYFILE…]]", appended.  Without a path: $SSH_AUTH_SOCK. */
int build_ssh_parse(const char *text, struct build_ssh_list *l, struct error *err);
void build_ssh_clear(struct build_ssh_list *l);

/* What a Dockerfile may have only if the user allows it. */
enum build_allow {
	BUILD_ALLOW_NETWORK_HOST = 1 << 0,
	BUILD_ALLOW_INSECURE = 1 << 1,
};

/* "network.host", "security.insecure": --allow. */
int build_allow_parse(const char *text, unsigned *allowed, struct error *err);

/*
 * --on-error=shell, for somebody at a terminal: called once, when a RUN has
 * failed and all else has ended.  From then on until the build returns the
 * terminal belongs to a shell in that step.
 */
struct build_on_error {
	void (*shell)(void *data, const char *step);
	void *data;
};

struct build_options {
	const char *dockerfile; /* text */
	size_t dockerfile_len;
	const char *dockerfile_name; /* for messages */
	int context;		     /* directory, borrowed; -1: there is none */
	const char *context_name;    /* for messages */
	const char *context_label;   /* which one it is: a path or a URL, for the history */
	const char *ignore;	     /* text of the ignore file, NULL: none */
	size_t ignore_len;
	const char *ignore_name;
	const struct build_context *contexts;
	size_t n_contexts;
	const struct strlist *build_args; /* NAME=value */
	const char *target;		  /* NULL: the last stage */
	const struct strlist *names;	  /* normal references */
	const struct strlist *labels;	  /* KEY=value */
	bool pull; /* ask registries about images that are in the store, too */
	bool no_cache;
	const struct strlist *no_cache_stages;	     /* names; may be NULL */
	const struct strlist *cache_from, *cache_to; /* "type=local,…"; may be NULL */
	const char *platform;			     /* NULL: this machine's */
	enum runtime_network network;
	const struct strlist *extra_hosts;	 /* "name:ip", may be NULL */
	const char *runtime;			 /* NULL: embedded */
	const struct build_secret_list *secrets; /* may be NULL, as below */
	const struct build_ssh_list *ssh;
	unsigned allow;	   /* BUILD_ALLOW_x */
	uint64_t shm_size; /* of RUN's /dev/shm; 0: 64 MiB */
	const struct rlimit_list *ulimits;
	const char *cgroup_parent; /* NULL: RUN has no cgroup of its own without a limit */
	uint64_t memory;	   /* limit of each RUN; 0: none */
	bool has_epoch;
	int64_t epoch_sec;		       /* SOURCE_DATE_EPOCH */
	const struct build_on_error *on_error; /* NULL: the build fails at once */
	const struct progress *progress;
	bool several;	  /* one of several platforms: titles say which */
	bool adds;	  /* not the first of them: to what the others wrote to --cache-to */
	unsigned tasks;	  /* that progress was told of already: ours are counted from there */
	bool flatten;	  /* all layers become one */
	bool discard;	  /* nobody wants the image: it is not recorded */
	unsigned outputs; /* tasks of the caller that follow, for the count */
};

struct build_result {
	struct digest image;
	struct buf config;    /* its bytes, also of an image that is not recorded */
	unsigned next_task;   /* for the progress of what the caller does with it */
	struct strlist names; /* familiar */
	char id[16];	      /* of the build, for build_explain(); "" if it has none */
	unsigned cached;      /* steps that did not run */
	unsigned executed;
};

/*
 * Errors name file and line of the Dockerfile (err->file, err->line).  A RUN
 * that failed is -ERR_FAILED with err->exit_code.  Steps that finished before
 * an error stay cached.  Interrupted: -ERR_CANCELLED, nothing left running.
 */
int build_run(struct store *s, const struct build_options *o, struct build_result *out,
	      struct error *err);
void build_result_clear(struct build_result *r);

enum build_provenance {
	BUILD_PROVENANCE_NONE = 0,
	BUILD_PROVENANCE_MIN, /* materials and invocation */
	BUILD_PROVENANCE_MAX, /* and each step with the digests of its inputs */
};
/* The SLSA v0.2 predicate of a build that is remembered.  New reference. */
int build_provenance(struct store *s, const char *id, enum build_provenance mode, json_t **out,
		     struct error *err);

/*
 * `import -c` and `commit -c`: applies instructions that change the config
 * only (CMD, ENV, LABEL …) to @cfg.  Others are -ERR_INVALID.
 */
int build_changes(struct store *s, const struct strlist *changes, struct image_config *cfg,
		  struct error *err);

/* ---- afterwards: what the last builds left in the store's history ---- */

struct build_past {
	char *id;
	char *name;   /* the first that the image got, "" without */
	char *status; /* "done", "failed", "cancelled" */
	char *dockerfile, *context, *target;
	int64_t started_ns, duration_ns;
	unsigned steps, cached, ran; /* steps that make files; the rest was not reached */
};

struct build_past_list {
	struct build_past *items;
	size_t n, cap;
};

/* The builds that are remembered, the newest first. */
int build_past_list(struct store *s, struct build_past_list *out, struct error *err);
void build_past_list_clear(struct build_past_list *l);

/*
 * Why the steps of a build ran, as JSON (docs/explain.md).  @id: the beginning
 * of a build's id, NULL: the last.  @step: "3", "[builder 2/4]", ":12" (a line); then only
 * that one is in it and those that its reasons lead to; NULL: all.
 * -ERR_NOT_FOUND: no such build, no such step.
 */
int build_explain(struct store *s, const char *id, const char *step, json_t **out,
		  struct error *err);

/* What a RUN said, whole. */
struct build_log {
	char *title; /* "[builder 2/4] RUN make" */
	char *build; /* the build that ran it; NULL if it said nothing */
	int fd;	     /* to be read; -1 if it said nothing */
};

struct build_log_list {
	struct build_log *items;
	size_t n, cap;
};

/* Of one step; of all that said something with @step NULL.  Names as for build_explain(). */
int build_logs(struct store *s, const char *id, const char *step, struct build_log_list *out,
	       struct error *err);
void build_log_list_clear(struct build_log_list *l);

/* What a step changed in the file system that it began with, in canonical order. */
int build_diff(struct store *s, const char *id, const char *step, struct layer_change_list *out,
	       struct error *err);

struct build_line {
	char *dockerfile; /* its path as the build had it; owned; NULL: not known */
	unsigned line;	  /* 0: not known */
};

/*
 * Which line made each layer of @image: as far as records of its build, and of
 * those of its bases, are remembered.  @out: as many as layers, zero.
 */
void build_layer_lines(struct store *s, const struct digest *image,
		       const struct digest_list *diff_ids, struct build_line *out);

/*
 * Forgets logs, lists of files and all records but the last one of each thing that
 * was built, which says what the cache had; *out_bytes were freed.
 */
int build_forget(struct store *s, uint64_t *out_bytes, struct error *err);

/* ---- questions about a Dockerfile that is not built ---- */

enum build_question {
	BUILD_CHECK = 1, /* all warnings; without a target, of all stages */
	BUILD_OUTLINE,	 /* what the target can be given: ARGs, secrets, ssh agents */
	BUILD_TARGETS,	 /* the stages */
};

struct build_item {
	const char *name;	 /* NULL: a stage without one */
	const char *description; /* of the comment above; NULL: none */
	const char *value;	 /* of an ARG; NULL: none */
	const char *base;	 /* of a stage, as written, as is the next */
	const char *platform;	 /* NULL: none */
	bool required;		 /* secret, ssh */
	bool is_default;	 /* stage: the last one */
	unsigned line, end_line;
};

struct build_item_list {
	struct build_item *items;
	size_t n, cap;
};

struct build_answer {
	struct graph *graph; /* owns the strings */
	struct dockerfile_warning *warnings;
	size_t n_warnings;
	struct build_item target; /* BUILD_OUTLINE: name and description */
	struct build_item_list args, secrets, ssh, targets;
};

/*
 * Runs nothing, and writes nothing into the store; @s may be NULL.  Base images
 * that are not there are no error: rules that depend on what they set are
 * silent then.  An error leaves the warnings that were found until then; so
 * *out is to be cleared in any case, and lives no longer than @o's texts.
 * check=error=true is an error without a line.
 */
int build_ask(struct store *s, const struct build_options *o, enum build_question what,
	      struct build_answer *out, struct error *err);
void build_answer_clear(struct build_answer *a);

static inline void build_answer_auto(struct build_answer *a)
{
	build_answer_clear(a);
}

enum build_dump {
	BUILD_DUMP_AST = 1,
	BUILD_DUMP_GRAPH,
};
/* The stage of the pipeline as text, for tests and for the curious. */
int build_print(struct store *s, const struct build_options *o, enum build_dump what,
		struct buf *out, struct error *err);

static inline void build_log_list_auto(struct build_log_list *l)
{
	build_log_list_clear(l);
}
static inline void build_past_list_auto(struct build_past_list *l)
{
	build_past_list_clear(l);
}
