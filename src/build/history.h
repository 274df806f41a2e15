/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history - what the last builds did, so that it can be explained afterwards.
 *
 * The directory history/ of the store holds
 *
 *   build-ID-IDENTITY   the record of a build, JSON
 *   log-KEY-ID          what a RUN said, whole: by the beginning of its key, and the build
 *                       that ran it
 *   files-DIGEST        the list of files behind a content digest (step.h)
 *   salt                what tags of values are keyed with
 *
 * ID is the time of the build's beginning, so names sort by age.  The
 * identity stands for "the same thing built again": Dockerfile, context and
 * platform, whatever the target.  Nothing here is needed to build: what cannot be
 * written or read is left out.  A ceiling (limits.h) holds for count and
 * bytes; the oldest goes first.
 *
 * A build that is all cache writes its record, a few kilobytes that are not
 * synced, and reads nothing.
 */
#pragma once

#include <fcntl.h>

#include "build/graph.h"
#include "oci/oci.h"

struct build_history;

/* Nothing is written before something is worth it. Free with history_free(). */
struct build_history *history_new(struct store *s, const struct build_options *o);
void history_free(struct build_history *h);
/* The build's id; borrowed. */
const char *history_id(const struct build_history *h);
/* The key of the tags of values; made when first needed; NULL if it cannot be. */
const struct digest *history_salt(struct build_history *h);
/* Output of a RUN, as it comes. */
void history_log(struct build_history *h, struct vertex *v, const char *text, size_t len);
/* The step has ended, whether it said anything or not. */
void history_log_end(struct vertex *v);
/* The record of the build as far as it came; @image NULL: it did not succeed. */
void history_save(struct build_history *h, const struct graph *g, const struct digest *image,
		  const struct error *err);

/* A path or URL as it is remembered: without the user and password. New string. */
char *history_place(const char *text);

/* ---- reading ---- */

#define HISTORY_ID_SIZE 14

/* One of the files in history/. */
struct past {
	char id[HISTORY_ID_SIZE];
	char identity[17];
	char *name; /* owned */
};

struct past_list {
	struct past *items;
	size_t n, cap;
};

/* Newest first. */
int past_list(int history, struct past_list *out, struct error *err);
void past_list_clear(struct past_list *l);
/* -ERR_NOT_FOUND; a damaged one is that too. */
int past_load(int history, const struct past *p, json_t **out, struct error *err);
/* The log of the step with @key that ran in build @id or last before it. */
int past_log(int history, const char *key, const char *id, struct buf *out_name,
	     struct error *err);

enum history_trim {
	HISTORY_CEILING = 0, /* what is above the limits */
	HISTORY_PRUNE,	     /* all but the last record of each identity */
};
int history_trim(int history, enum history_trim how, uint64_t *out_bytes, struct error *err);

/* ---- lists of files ---- */

#define FILES_TAG	16
#define FILES_NAME_SIZE (6 + DIGEST_HEX_SIZE)

struct files_entry {
	char *path;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	char *link;
	unsigned char tag[FILES_TAG]; /* of a regular file's content */
};

struct files {
	struct map by_path; /* struct files_entry, in canonical order */
};

bool files_load(int history, const struct digest *content, struct files *out);
void files_clear(struct files *f);

static inline void files_auto(struct files *f)
{
	files_clear(f);
}
static inline void past_list_auto(struct past_list *l)
{
	past_list_clear(l);
}
static inline void build_history_auto(struct build_history **h)
{
	history_free(*h);
}
