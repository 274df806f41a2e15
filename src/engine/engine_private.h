/* SPDX-License-Identifier: Apache-2.0 */
/* engine_private - what the use cases share. */
#pragma once

#include "engine/engine.h"

struct engine {
	struct store *store;
	const char *root; /* as given to engine_open(); for engine_need_store() only */
	unsigned tasks;	  /* that this build's progress has told of before its steps */
};

/* Opens the store now, where only some requests need one. */
int engine_need_store(struct engine *e, struct error *err);
/*
 * The manifest @d of the repository of @from goes to that of @to, with all that it names and as
 * it is; if they are one, nothing does.
 */
int engine_copy_manifest(const struct reference *from, const struct reference *to,
			 const struct digest *d, bool insecure, struct error *err);
/* The members of a platform, in the order of Go's type.  New reference. */
json_t *engine_pick_platform(const json_t *from);
bool engine_same_repository(const struct reference *a, const struct reference *b);

/* The context and the Dockerfile of one build, opened. */
struct engine_context {
	int dir; /* -1: none */
	char *name;
	char *label; /* which context it is, wherever we are: a real path */
	struct buf dockerfile;
	char *dockerfile_name;
	struct buf ignore;
	char *ignore_name;   /* NULL: none */
	bool remote;	     /* a URL or repository: -f means a file in it */
	int lock;	     /* of the git checkout that it is; -1: none */
	char *scratch;	     /* directory below cache/ that a tar context was unpacked to */
	struct lease *lease; /* of @scratch */
};

int engine_context_open(struct engine *e, const struct engine_build *req,
			struct engine_context *out, struct error *err);
void engine_context_close(struct engine *e, struct engine_context *c);
/* Unpacks the archive @input, which came from @from, as the context. */
int engine_context_unpack(struct engine *e, int input, const char *from,
			  struct engine_context *out, struct error *err);
/* A URL of an archive or a Dockerfile, or a git repository? */
bool engine_is_remote(const char *text);
/* Fetches it; its directory or, of a Dockerfile, its text. */
int engine_remote_open(struct engine *e, const char *text, const struct progress *p,
		       struct engine_context *out, struct error *err);
/* What a build borrows of it. */
void engine_context_lend(const struct engine_context *c, struct build_options *o);

/* --build-arg: NAME alone takes its value from our environment, or means nothing. */
void engine_build_args(const struct strlist *given, struct strlist *out);

/* One --build-context. */
struct engine_named {
	char *name;
	char *label; /* what the user wrote behind "=" */
	enum build_context_kind kind;
	int dir; /* borrowed from @remote if that has one */
	struct engine_context remote;
	struct buf ignore;
	char *ignore_name;
	char *image;
};

struct engine_contexts {
	struct engine *engine; /* borrowed */
	struct engine_named *items;
	struct build_context *contexts; /* the same, as the build wants them */
	size_t n;
};

/* Layouts of images are brought into the store here. */
int engine_contexts_open(struct engine *e, const struct engine_build *req,
			 struct engine_contexts *out, struct error *err);
void engine_contexts_close(struct engine_contexts *c);

static inline void engine_contexts_auto(struct engine_contexts *c)
{
	engine_contexts_close(c);
}

/* Normal references of what the user wrote as names, each once. */
/* NULL is none; @no_digest: the words for a name with a digest, which is no tag. */
int engine_normal_name(const char *name, const char *no_digest, struct strlist *out,
		       struct error *err);
int engine_normal_names(const struct strlist *names, struct strlist *out, struct error *err);

/* Is the image recorded, and by which names? What -t said goes for outputs without names. */
/* What is attested has a place to go.  Before anything is built. */
int engine_check_attestations(const struct engine_build *req, struct error *err);
int engine_outputs_plan(const struct engine_build *req, struct build_options *o,
			struct strlist *names, struct error *err);
/* @results: one of each platform; the image of one alone may be in the store. */
int engine_outputs_write(struct engine *e, const struct engine_build *req,
			 const struct build_result *results, size_t n_results,
			 const struct strlist *names, struct error *err);

/* SOURCE_DATE_EPOCH of @args (may be NULL) or our environment. */
int engine_epoch(const struct strlist *args, bool *out_has, int64_t *out_sec,
		 struct error *err);

/* "gallant_lovelace"-like. */
void engine_random_name(struct buf *out);
