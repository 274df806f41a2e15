/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote - files that lie elsewhere: resources on web servers, and git
 * repositories.
 *
 * Others' bytes are fetched by programs that have nothing to steal: stave-fetch
 * has a URL and an output file; git is run by stave-git, which gives up all
 * that a fetch does not need.  What they bring stays in a *cache directory*
 * (the store's cache/), under names that say what it is; all of it may be
 * removed at any time by whoever has the store for himself.
 *
 *   http/url-HEX     what is known of a URL (HEX: its SHA-256): its body's digest,
 *                    ETag and Last-Modified
 *   http/body-HEX    a body by its SHA-256
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

/*
 * The text of a URL as it may be shown and kept: "xxxxx" stands for a user's name
 * and password in it.  Other texts come back as they are.  New string.
 */
char *remote_redact(const char *text);

/* ---- http ---- */

/* "http://…" and "https://…". */
bool remote_is_http(const char *text);
/* The last component of the URL's path, decoded, as ADD names the file; "" if there is none. */
char *remote_file_name(const char *url);

struct remote_file {
	struct digest digest;
	uint64_t size;
	int64_t mtime_sec; /* Last-Modified; 0 without one */
};

/*
 * The body of @url, into @cache.  A copy that is there is asked about with its
 * ETag or Last-Modified, and read again if the server says that it is current.
 * With @want (may be NULL) a body of another digest is -ERR_CORRUPT naming both,
 * and a copy of that digest needs no server.
 */
int remote_download(int cache, const char *url, const struct digest *want,
		    struct remote_file *out, struct error *err);
/* Opens such a body. */
int remote_open_body(int cache, const struct digest *d, int *out_fd, struct error *err);
/* The body of @url into the open file @body; nothing is kept. */
int remote_fetch(const char *url, int body, struct error *err);

/* ---- git ---- */

/*
 * A repository and what of it is wanted, as BuildKit reads it:
 *
 *   https://host/path.git#REF:SUBDIR     http, https: only with ".git"
 *   ssh://git@host/path  git@host:path   git://host/path  file:///path
 *   github.com/owner/name                https, without a scheme
 *   …?ref=…&branch=…&tag=…&subdir=…&commit=…&submodules=BOOL&keep-git-dir=BOOL
 */
struct remote_git {
	char *url;    /* for git, without "#" and "?" */
	char *ref;    /* branch, tag, refs/…, or a commit; NULL: the default branch */
	char *subdir; /* clean, relative; "" for all */
	char *commit; /* what the ref must be (a beginning will do); NULL: whatever it is */
	bool keep_git_dir;
	bool no_submodules;
};

/* Would remote_git_parse() take it for a repository, well-formed or not? */
bool remote_is_git(const char *text);
int remote_git_parse(const char *text, struct remote_git *out, struct error *err);
/* Also demands the commit @checksum: 40 or 64 hexadecimal digits, or the first 7 or more. */
int remote_git_want(struct remote_git *g, const char *checksum, struct error *err);
void remote_git_clear(struct remote_git *g);

#define REMOTE_COMMIT_SIZE 65

struct remote_checkout {
	char commit[REMOTE_COMMIT_SIZE];
	char dir[80]; /* below cache/git/ */
};

/*
 * Finds out which commit is meant, fetches just that one (with its submodules)
 * and checks it out, unless that was done before.  All files have the time of
 * the commit.
 */
int remote_git_checkout(int cache, const struct remote_git *g, struct remote_checkout *out,
			struct error *err);
/*
 * Opens the directory @subdir of a checkout; links on the way are refused.  As
 * long as *out_lock is open the checkout has a shared lock: it is in use.
 */
int remote_open_checkout(int cache, const struct remote_checkout *c, const char *subdir,
			 int *out_fd, int *out_lock, struct error *err);

static inline void remote_git_auto(struct remote_git *g)
{
	remote_git_clear(g);
}
