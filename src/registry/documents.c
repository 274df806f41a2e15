/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests, small blobs, tags: what is read into memory, under a limit. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "registry/registry_call.h"
#include "registry/registry_headers.h"

#include "base/banned.h"

#define DOCUMENT_SECONDS 120u
#define LIMIT_TAG_PAGES	 1000u
#define LIMIT_TAGS	 100000u

static const char accept[] = "Accept: " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_INDEX
			     ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST;

int registry_scratch(int *out_fd, struct error *err)
{
	*out_fd = memfd_create("body", MFD_CLOEXEC);
	return *out_fd < 0 ? error_sys(err, "cannot make a memory file") : 0;
}

static int read_body(int fd, size_t limit, struct buf *out, struct error *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot read a document");
	return io_read_all(fd, limit, out, err);
}

int registry_fetch(struct registry *r, struct call *c, size_t limit, struct buf *out,
		   struct error *err)
{
	AUTO(fd) int fd = -1;
	int result = registry_scratch(&fd, err);

	if (result < 0)
		return result;
	c->out = fd;
	c->out_status = 200;
	c->limit = limit;
	c->seconds = DOCUMENT_SECONDS;
	result = call_simple(r, c, err);
	c->out = -1;
	if (result < 0 || c->response.status != 200)
		return result;
	return read_body(fd, limit, out, err);
}

/* ---- manifests ---- */

static char *short_type(const char *header)
{
	size_t n = header ? strcspn(header, "; \n") : 0;

	return header ? mem_strndup(header, n) : NULL;
}

/* The document's own word, the header's and its shape must be one. */
static int check_type(const struct call *c, const char *what, struct registry_document *d,
		      struct error *err)
{
	AUTO(free) char *said = short_type(call_header(c, "content-type"));
	AUTO(json) json_t *doc = NULL;
	AUTO(free) char *own = NULL;
	enum media_kind is = media_kind_of(d->bytes.data, d->bytes.len);
	int result = json_parse(d->bytes.data, d->bytes.len, &doc, err);

	if (result == 0)
		result = json_get_string(doc, "mediaType", &own, err);
	if (result < 0)
		return error_wrap(err, "%s: its manifest", what);
	if (json_integer_value(json_object_get(doc, "schemaVersion")) == 1)
		return error_set(err, ERR_UNSUPPORTED,
				 "%s: a manifest of Docker's schema 1, which is not supported",
				 what);
	if (is != MEDIA_KIND_INDEX && is != MEDIA_KIND_MANIFEST)
		return error_set(err, ERR_CORRUPT, "%s: what the registry sent is no manifest",
				 what);
	if (said && media_kind(said) != MEDIA_KIND_UNKNOWN &&
	    (media_kind(said) != is || (own && !str_eq(own, said))))
		return error_set(err, ERR_CORRUPT,
				 "%s: announced as %.200s, but the document is %.200s", what,
				 said, own ? own : "another");
	if (own)
		d->media_type = take_ptr(own);
	else
		d->media_type = mem_strdup(is == MEDIA_KIND_INDEX ? MEDIA_OCI_INDEX
								  : MEDIA_OCI_MANIFEST);
	return 0;
}

static int check_digest(const struct call *c, const char *what, const struct digest *want,
			const struct registry_document *d, struct error *err)
{
	const char *said = call_header(c, "docker-content-digest");
	char have[DIGEST_TEXT_SIZE], wanted[DIGEST_TEXT_SIZE];
	struct digest announced;

	if (want && !digest_eq(want, &d->digest))
		return error_set(err, ERR_CORRUPT,
				 "%s: manifest verification failed: its digest is %s, not %s",
				 what, digest_text(&d->digest, have),
				 digest_text(want, wanted));
	if (!want && said && digest_parse(said, &announced) &&
	    !digest_eq(&announced, &d->digest))
		return error_set(err, ERR_CORRUPT,
				 "%s: manifest verification failed: announced as %s, it is %s",
				 what, said, digest_text(&d->digest, have));
	return 0;
}

static int missing_manifest(const struct registry *r, const struct call *c, const char *what,
			    struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (c->response.status == 404) {
		buf_printf(&text, "manifest for %s not found", what);
		return call_refused(c, buf_str(&text), err);
	}
	if (c->response.status != 401 && c->response.status != 403)
		return call_refused(c, what, err);
	buf_printf(&text,
		   "pull access denied for %s, repository does not exist or may require "
		   "'stave login'",
		   r->path);
	return call_refused(c, buf_str(&text), err);
}

static void name_of(const struct registry *r, const char *tag, const struct digest *digest,
		    struct buf *out)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;

	ref.domain = mem_strdup(r->domain);
	ref.path = mem_strdup(r->path);
	ref.tag = tag ? mem_strdup(tag) : NULL;
	if (digest) {
		ref.digest = *digest;
		ref.has_digest = true;
	}
	reference_familiar(&ref, out);
}

static void ask_manifest(const struct registry *r, const char *tag, const struct digest *digest,
			 struct call *c)
{
	char text[DIGEST_TEXT_SIZE];

	c->url = mem_printf("%s/v2/%s/manifests/%s", r->origin, r->path,
			    tag ? tag : digest_text(digest, text));
	strlist_add(&c->headers, accept);
}

static int manifest_here(struct registry *r, const char *tag, const struct digest *digest,
			 struct registry_document *out, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	AUTO(buf) struct buf what = BUF_INIT;
	int result;

	*out = (struct registry_document){0};
	name_of(r, tag, tag ? NULL : digest, &what);
	ask_manifest(r, tag, digest, &c);
	if ((result = registry_fetch(r, &c, LIMIT_MANIFEST_BYTES, &out->bytes, err)) < 0)
		return error_wrap(err, "%s", buf_str(&what));
	if (c.response.status != 200)
		return missing_manifest(r, &c, buf_str(&what), err);
	digest_of(out->bytes.data, out->bytes.len, &out->digest);
	if ((result = check_digest(&c, buf_str(&what), tag ? NULL : digest, out, err)) == 0)
		result = check_type(&c, buf_str(&what), out, err);
	if (result < 0)
		registry_document_clear(out);
	return result;
}

/* Whoever knows the tag has said what it means: another one may mean something else. */
int registry_manifest(struct registry *r, const char *tag, const struct digest *digest,
		      struct registry_document *out, struct error *err)
{
	int result = manifest_here(r, tag, digest, out, err);

	while ((!tag || !r->settled) && registry_has_next(r, result)) {
		if ((result = registry_next(r, err)) == 0)
			result = manifest_here(r, tag, digest, out, err);
	}
	r->settled |= result == 0;
	return result;
}

int registry_manifest_digest(struct registry *r, const char *tag, struct digest *out,
			     struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	AUTO(buf) struct buf what = BUF_INIT;
	const char *said;
	int result = registry_go_home(r, err);

	if (result < 0)
		return result;
	name_of(r, tag, NULL, &what);
	ask_manifest(r, tag, NULL, &c);
	c.method = "HEAD";
	c.seconds = DOCUMENT_SECONDS;
	if ((result = call_simple(r, &c, err)) < 0)
		return result;
	if (c.response.status != 200)
		return missing_manifest(r, &c, buf_str(&what), err);
	said = call_header(&c, "docker-content-digest");
	return said && digest_parse(said, out)
		       ? 0
		       : error_set(err, ERR_NOT_FOUND, "%s: the registry says no digest",
				   buf_str(&what));
}

int registry_manifest_exists(struct registry *r, const struct digest *digest, bool *out,
			     struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	int result;

	ask_manifest(r, NULL, digest, &c);
	c.method = "HEAD";
	c.seconds = DOCUMENT_SECONDS;
	if ((result = call_simple(r, &c, err)) < 0)
		return result;
	*out = c.response.status == 200;
	return *out || c.response.status == 404 ? 0 : call_refused(&c, r->path, err);
}

void registry_document_clear(struct registry_document *d)
{
	buf_clear(&d->bytes);
	free(d->media_type);
	*d = (struct registry_document){0};
}

int registry_put_manifest(struct registry *r, const char *tag, const char *media_type,
			  const struct buf *bytes, struct digest *out, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	AUTO(buf) struct buf what = BUF_INIT;
	char text[DIGEST_TEXT_SIZE];
	AUTO(fd) int fd = -1;
	int result = io_memfd("manifest", bytes->data, bytes->len, &fd, err);

	if (result < 0)
		return result;
	digest_of(bytes->data, bytes->len, out);
	name_of(r, tag, tag ? NULL : out, &what);
	ask_manifest(r, tag, out, &c);
	c.method = "PUT";
	c.has_body = true;
	c.in = fd;
	c.in_bytes = bytes->len;
	c.seconds = DOCUMENT_SECONDS;
	strlist_clear(&c.headers);
	strlist_printf(&c.headers, "Content-Type: %s", media_type);
	if ((result = call_simple(r, &c, err)) < 0)
		return result;
	if (c.response.status != 201 && c.response.status != 200 && c.response.status != 202)
		return call_refused(&c, buf_str(&what), err);
	/* a registry that has understood it otherwise has not stored this */
	if (call_header(&c, "docker-content-digest") &&
	    !str_eq(call_header(&c, "docker-content-digest"), digest_text(out, text)))
		return error_set(err, ERR_CORRUPT,
				 "%s: the registry stored the manifest as %s, it is %s",
				 buf_str(&what), call_header(&c, "docker-content-digest"),
				 text);
	/* a registry that lists referrers says whose it has noted */
	return call_header(&c, "oci-subject")
		       ? 0
		       : registry_note_referrer(r, media_type, bytes, err);
}

/* ---- blobs that are documents ---- */

static int blob_here(struct registry *r, const struct digest *digest, size_t limit,
		     struct buf *out, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	AUTO(free) char *what = NULL;
	char text[DIGEST_TEXT_SIZE];
	struct digest have;
	int result;

	c.url = mem_printf("%s/v2/%s/blobs/%s", r->origin, r->path, digest_text(digest, text));
	what = mem_printf("blob %s", text);
	if ((result = registry_fetch(r, &c, limit, out, err)) < 0)
		return error_wrap(err, "%s", what);
	if (c.response.status != 200)
		return call_refused(&c, what, err);
	digest_of(out->data, out->len, &have);
	if (digest_eq(&have, digest))
		return 0;
	buf_clear(out);
	return error_set(err, ERR_CORRUPT, "filesystem layer verification failed for digest %s",
			 text);
}

int registry_blob(struct registry *r, const struct digest *digest, size_t limit,
		  struct buf *out, struct error *err)
{
	int result = blob_here(r, digest, limit, out, err);

	while (registry_has_next(r, result)) {
		buf_reset(out);
		if ((result = registry_next(r, err)) == 0)
			result = blob_here(r, digest, limit, out, err);
	}
	return result;
}

/* ---- tags ---- */

static int read_page(const struct buf *text, struct strlist *out, struct error *err)
{
	AUTO(json) json_t *doc = NULL;
	AUTO(strlist) struct strlist page = STRLIST_INIT;
	int result = json_parse(text->data, text->len, &doc, err);

	if (result == 0)
		result = json_get_strings(doc, "tags", &page, NULL, err);
	for (size_t i = 0; result == 0 && i < page.n; i++)
		if (reference_tag_valid(page.items[i]))
			strlist_add(out, page.items[i]);
	if (result == 0 && out->n > LIMIT_TAGS)
		return error_set(err, ERR_LIMIT, "more than %u tags", LIMIT_TAGS);
	return result;
}

int registry_next_page(const struct registry *r, const struct call *c, char **out,
		       struct error *err)
{
	const char *header = call_header(c, "link"), *target;
	AUTO(free) char *to = NULL;
	size_t len;
	int result;

	*out = NULL;
	if (!header || !link_next(header, &target, &len))
		return 0;
	to = *target == '/' ? mem_printf("%s%.*s", r->origin, (int)len, target)
			    : mem_strndup(target, len);
	if ((result = url_check_next(call_place(c), to, err)) < 0)
		return result;
	*out = take_ptr(to);
	return 0;
}

int registry_tags(struct registry *r, struct strlist *out, struct error *err)
{
	AUTO(free) char *url = NULL;
	int home = registry_go_home(r, err);

	if (home < 0)
		return home;
	url = mem_printf("%s/v2/%s/tags/list", r->origin, r->path);
	for (unsigned page = 0; url; page++) {
		AUTO(call) struct call c = CALL_INIT;
		AUTO(buf) struct buf text = BUF_INIT;
		int result;

		if (page >= LIMIT_TAG_PAGES)
			return error_set(err, ERR_LIMIT, "%s: a list of tags without end",
					 r->path);
		c.url = take_ptr(url);
		if ((result = registry_fetch(r, &c, LIMIT_MANIFEST_BYTES, &text, err)) < 0)
			return result;
		if (c.response.status != 200)
			return missing_manifest(r, &c, r->path, err);
		if ((result = read_page(&text, out, err)) < 0)
			return error_wrap(err, "the tags of %s", r->path);
		if ((result = registry_next_page(r, &c, &url, err)) < 0)
			return result;
	}
	strlist_sort(out);
	return 0;
}
