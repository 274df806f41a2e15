/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry - one repository on a registry, as a client of the distribution
 * protocol (OCI distribution-spec v1.1; Docker's token and basic
 * authentication).
 *
 *   registry     a server with images; "docker.io", "localhost:5000"
 *   repository   images of one name there; tags and digests are below it
 *   blob         bytes by digest: layers and configs
 *   manifest     the document that a tag or digest names
 *
 * Sockets and TLS are in a program of its own, stave-transfer, which gets each
 * request and the descriptors that bytes go to or come from; what it brings is
 * data from a stranger.  Everything has a limit, in bytes and in time.  A
 * document is what its digest says, or it is an error; blobs go to the file
 * that they are asked into, and whoever asked verifies them.
 *
 * Broken connections and the statuses 429, 500, 502, 503 and 504 are tried
 * again, with growing pauses or after Retry-After; a download goes on behind
 * what is there.  A redirect to another host gets no secret, nor does plain
 * HTTP after HTTPS.
 *
 * Addresses: docker.io is registry-1.docker.io.  Registries of this machine
 * (localhost and names below it, 127.0.0.0/8 with all four numbers, ::1) may speak plain HTTP
 * or have any certificate, and so may those that the caller says it of. certs.d/HOST[:PORT]/
 * (below /etc/docker, /etc/containers and $HOME/.config/containers) may have *.crt, and *.cert
 * with *.key for clients.  Proxies are what the environment says.
 *
 * registries.conf (see registry_conf.h) may name mirrors, other locations, and registries that
 * are insecure or blocked.  What a tag means the first mirror that has it says, or the
 * registry.  What is asked for by its digest comes from there, too, or, as a digest is the same
 * everywhere, from the next one that has it.  A mirror is shown its own credentials only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strlist.h"
#include "oci/oci.h"

struct registry;

enum registry_access {
	REGISTRY_PULL = 1,
	REGISTRY_PUSH = 2,     /* and pull */
	REGISTRY_INSECURE = 4, /* with either: any certificate, or plain HTTP */
};

/*
 * @access: flags of enum registry_access.  Speaks to nobody yet.
 */
int registry_open(const struct reference *ref, unsigned access, struct registry **out,
		  struct error *err);
/* What will be asked of it needs the right to pull @path, too. */
void registry_pull_too(struct registry *r, const char *path);
void registry_close(struct registry *r);

static inline void registry_auto(struct registry **r)
{
	if (*r)
		registry_close(*r);
}

/* ---- documents ---- */

struct registry_document {
	struct buf bytes;
	char *media_type; /* as the server said and the document agrees */
	struct digest digest;
};

/*
 * The manifest or index by @tag or, if that is NULL, by @digest; at most
 * LIMIT_MANIFEST_BYTES.  -ERR_NOT_FOUND; -ERR_DENIED: not without other
 * credentials; -ERR_CORRUPT: it is not what was named or announced.
 */
int registry_manifest(struct registry *r, const char *tag, const struct digest *digest,
		      struct registry_document *out, struct error *err);
/* The digest alone, without the bytes; trusted only to say that nothing has changed. */
int registry_manifest_digest(struct registry *r, const char *tag, struct digest *out,
			     struct error *err);
int registry_manifest_exists(struct registry *r, const struct digest *digest, bool *out,
			     struct error *err);
/*
 * The descriptors of the manifests whose subject is @subject, a new array; empty if the
 * registry knows none.
 */
int registry_referrers(struct registry *r, const struct digest *subject, json_t **out,
		       struct error *err);
/* A blob that is a document, verified. */
int registry_blob(struct registry *r, const struct digest *digest, size_t limit,
		  struct buf *out, struct error *err);
/* All tags, sorted. */
int registry_tags(struct registry *r, struct strlist *out, struct error *err);
void registry_document_clear(struct registry_document *d);

static inline void registry_document_auto(struct registry_document *d)
{
	registry_document_clear(d);
}

/* ---- blobs ---- */

struct registry_download {
	struct digest digest;
	uint64_t size;
	int fd; /* a file to append to; what it has is taken for the blob's beginning */
};

#define REGISTRY_OTHERS	 16
#define REGISTRY_AT_ONCE 4u /* requests; the next ones wait for one of them */

/* All of these may be NULL. */
struct registry_watch {
	void (*bytes)(void *data, size_t which, uint64_t current);
	/* The file has been emptied: a server would not go on where it was, or has lied. */
	void (*anew)(void *data, size_t which);
	/* The file has .size bytes; -ERR_CORRUPT: not those that it should.  Then the next
	 * place. */
	int (*check)(void *data, size_t which, struct error *err);
	/* They are the right ones.  Others go on meanwhile.  An error ends it all. */
	int (*done)(void *data, size_t which, struct error *err);
	/*
	 * Who works on what has come: writes the descriptors to be waited for (at most
	 * REGISTRY_OTHERS), returns their number; asked several times a second.
	 */
	size_t (*others)(void *data, int *fds);
	/* One of them can be read.  An error ends it all. */
	int (*ready)(void *data, int fd, struct error *err);
	void *data;
};

/* Several at once, begun in their order. */
int registry_download(struct registry *r, const struct registry_download *items, size_t n,
		      const struct registry_watch *watch, struct error *err);

/* Asked side by side. */
int registry_blobs_exist(struct registry *r, const struct digest *const *digests, size_t n,
			 bool *out, struct error *err);
int registry_blob_exists(struct registry *r, const struct digest *digest, bool *out,
			 struct error *err);
/*
 * The repository @from of the same registry has the blob: let ours have it, too.
 * *out false: the registry will not; then upload it.
 */
int registry_mount(struct registry *r, const struct digest *digest, const char *from, bool *out,
		   struct error *err);
/* @size bytes from the beginning of the file @fd. */
int registry_upload(struct registry *r, const struct digest *digest, uint64_t size, int fd,
		    void (*bytes)(void *data, uint64_t current), void *data, struct error *err);
/*
 * Several blobs up at once, in this order of preference: the repository has it; it is
 * mounted from another one; its bytes are sent.  Nothing happens but in these functions.
 */
struct registry_uploads;

struct registry_upload {
	struct digest digest;
	uint64_t size;
	int fd;			    /* TAKES; a file with the blob; -1: asked for if need be */
	const struct strlist *from; /* repositories that may have it; may be NULL */
	bool is_missing;	    /* known not to be there */
};

enum registry_uploaded {
	REGISTRY_SENT = 1,
	REGISTRY_THERE,
	REGISTRY_MOUNTED,
};

/* Both may be NULL. */
struct registry_uploads_watch {
	void (*bytes)(void *data, size_t which, uint64_t current);
	/* @from: where it was mounted from.  An error ends it all. */
	int (*done)(void *data, size_t which, enum registry_uploaded how, const char *from,
		    struct error *err);
	void *data;
};

struct registry_uploads *registry_uploads_open(struct registry *r,
					       const struct registry_uploads_watch *watch);
/* Its number: they count from 0. */
size_t registry_uploads_add(struct registry_uploads *u, const struct registry_upload *what);
/*
 * Goes on with all, until one's bytes are wanted (1, *out_which), or no more than @most are
 * unfinished (0).
 */
int registry_uploads_next(struct registry_uploads *u, size_t most, size_t *out_which,
			  struct error *err);
/* The bytes that were wanted. TAKES @fd. */
void registry_uploads_give(struct registry_uploads *u, size_t which, int fd);
/* Goes on without waiting: for who has long work meanwhile. */
int registry_uploads_serve(struct registry_uploads *u, struct error *err);
/* Gives up what is unfinished. */
void registry_uploads_close(struct registry_uploads *u);

static inline void registry_uploads_auto(struct registry_uploads **u)
{
	if (*u)
		registry_uploads_close(*u);
}

/*
 * @tag NULL: by digest only.  A manifest with a subject is listed with that one's referrers,
 * if need be by the tag that stands in for the list.
 */
int registry_put_manifest(struct registry *r, const char *tag, const char *media_type,
			  const struct buf *bytes, struct digest *out, struct error *err);

/* ---- credentials ---- */

struct registry_credential {
	char *user;   /* NULL: none known */
	char *secret; /* owned, as all; wiped by clear */
	char *identity_token;
};

#define REGISTRY_CREDENTIAL_INIT ((struct registry_credential){0})

/*
 * What the user's files say: $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json or
 * ~/.docker/config.json, $XDG_RUNTIME_DIR/containers/auth.json, in that order,
 * with their credHelpers and credsStore.  @name: "host[:port][/path]".
 */
int registry_credential_find(const char *name, struct registry_credential *out,
			     struct error *err);
/*
 * Into the first of those files, 0600, or its helper; *out_file (new) is the file, or NULL: it
 * has not been written.
 */
int registry_credential_keep(const char *domain, const struct registry_credential *c,
			     char **out_file, struct error *err);
int registry_credential_forget(const char *domain, struct error *err);
/* Asks the registry whether it takes them: -ERR_DENIED. */
int registry_login(const char *domain, const struct registry_credential *c, struct error *err);
void registry_credential_clear(struct registry_credential *c);

static inline void registry_credential_auto(struct registry_credential *c)
{
	registry_credential_clear(c);
}
