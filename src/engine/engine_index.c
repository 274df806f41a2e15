/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `imagetools create`: an index out of what registries have, as buildx composes one.  What has
 * a digest keeps its bytes; the index is the only document that is written.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#include "engine/engine_private.h"
#include "registry/registry.h"

#include "base/banned.h"

#define REFERS_TO "vnd.docker.reference.digest" /* of an attestation: its image */

/* ---- sources ---- */

/* A digest, a reference or a descriptor, as it was written. */
struct source {
	const char *text; /* borrowed */
	struct reference ref;
	bool has_ref, has_digest;
	struct digest digest;
	json_t *descriptor; /* NULL: none was written */
	struct engine_remote remote;
};

struct sources {
	struct source *items;
	size_t n, cap;
};

static void sources_auto(struct sources *l)
{
	for (size_t i = 0; i < l->n; i++) {
		reference_clear(&l->items[i].ref);
		json_decref(l->items[i].descriptor);
		engine_remote_clear(&l->items[i].remote);
	}
	free(l->items);
}

static int parse_descriptor(struct source *s, struct error *err)
{
	const char *digest;
	int r = json_parse(s->text, strlen(s->text), &s->descriptor, err);

	if (r < 0)
		return r;
	digest = json_string_value(json_object_get(s->descriptor, "digest"));
	s->has_digest = digest && digest_parse(digest, &s->digest);
	return s->has_digest ? 0 : error_set(err, ERR_INVALID, "a descriptor without a digest");
}

static int parse_source(struct source *s, struct error *err)
{
	if (digest_parse(s->text, &s->digest)) {
		s->has_digest = true;
		return 0;
	}
	if (str_starts(s->text, "sha256"))
		return error_set(err, ERR_INVALID, "invalid checksum digest %s",
				 strlen(s->text) == DIGEST_TEXT_SIZE - 1 ? "format" : "length");
	if (*s->text == '{')
		return parse_descriptor(s, err);
	s->has_ref = true;
	return reference_parse(s->text, &s->ref, err);
}

static int add_source(struct sources *out, const char *text, struct error *err)
{
	struct source *s = vec_push(out);
	AUTO(buf) struct buf quoted = BUF_INIT;
	int r;

	s->text = text;
	if ((r = parse_source(s, err)) == 0)
		return 0;
	json_quote(text, false, &quoted);
	return error_wrap(
		err,
		"failed to parse source %s, valid sources are digests, references and "
		"descriptors",
		buf_str(&quoted));
}

/* The only repository that is named; digests alone are in that. */
static int find_repository(const struct sources *all, const struct reference *tags, size_t n,
			   const struct reference **out, struct error *err)
{
	const struct reference *one = NULL;
	const char *homeless = NULL;
	bool several = false;

	for (size_t i = 0; i < n; i++) {
		several |= one && !engine_same_repository(one, &tags[i]);
		one = &tags[i];
	}
	for (size_t i = 0; i < all->n; i++) {
		if (!all->items[i].has_ref) {
			homeless = all->items[i].text;
			continue;
		}
		several |= one && !engine_same_repository(one, &all->items[i].ref);
		one = &all->items[i].ref;
	}
	if (!one)
		return error_set(err, ERR_INVALID,
				 "no repositories specified, please set a reference in tag or "
				 "source");
	if (several && homeless)
		return error_set(err, ERR_INVALID,
				 "multiple repositories specified, cannot determine repository "
				 "for \"%s\"",
				 homeless);
	*out = one;
	return 0;
}

static int read_source(struct source *s, const struct reference *repository, struct error *err)
{
	AUTO(buf) struct buf name = BUF_INIT;
	int r;

	if (!s->has_ref) {
		reference_copy(repository, &s->ref);
		s->ref.digest = s->digest;
		s->ref.has_digest = true;
		free(s->ref.tag);
		s->ref.tag = NULL;
	}
	reference_normal(&s->ref, &name);
	r = engine_remote(buf_str(&name), false, ENGINE_REMOTE_CONFIG, &s->remote, err);
	if (r != -ERR_NOT_FOUND)
		return r;
	error_clear(err);
	return error_set(err, ERR_NOT_FOUND, "%s: not found", buf_str(&name));
}

/* ---- entries ---- */

/* The members in the order of Go's type. */
static json_t *entry_of(const json_t *descriptor)
{
	static const char *const keys[] = {"mediaType",	  "digest", "size",	"urls",
					   "annotations", "data",   "platform", "artifactType"};
	json_t *out = json_pick(descriptor, keys, ARRAY_SIZE(keys));

	if (json_object_get(out, "platform"))
		json_object_set_new(out, "platform",
				    engine_pick_platform(json_object_get(out, "platform")));
	return out;
}

static const char *digest_in(const json_t *entry)
{
	const char *text = json_string_value(json_object_get(entry, "digest"));

	return text ? text : "";
}

/* What it is said to be a second time completes the first. */
static void add_entry(struct engine_index *x, json_t *entry, const struct source *s)
{
	AUTO(buf) struct buf name = BUF_INIT;
	json_t *old, *value;
	size_t i;

	json_array_foreach (x->entries, i, old) {
		if (!str_eq(digest_in(old), digest_in(entry)))
			continue;
		if ((value = json_object_get(entry, "platform")))
			json_object_set(old, "platform", value);
		if ((value = json_object_get(entry, "annotations")) &&
		    json_object_get(old, "annotations"))
			json_object_update(json_object_get(old, "annotations"), value);
		else if (value)
			json_object_set(old, "annotations", value);
		json_decref(entry);
		return;
	}
	json_array_append_new(x->entries, entry);
	reference_normal(&s->ref, &name);
	strlist_add(&x->from, buf_str(&name));
}

/* A manifest that stands alone: with what was written about it, and its platform. */
static json_t *lone_entry(const struct source *s)
{
	const struct engine_remote_part *top = &s->remote.top;
	char digest[DIGEST_TEXT_SIZE];
	json_t *out = s->descriptor ? json_copy(s->descriptor) : json_object();
	const json_t *platform = json_object_get(out, "platform");

	json_object_set_new(out, "mediaType", json_string(top->descriptor.media_type));
	json_object_set_new(out, "digest",
			    json_string(digest_text(&top->descriptor.digest, digest)));
	json_object_set_new(out, "size", json_integer((json_int_t)top->descriptor.size));
	if (!json_is_object(platform) ||
	    str_empty(json_string_value(json_object_get(platform, "architecture"))))
		json_object_set(out, "platform", top->platform);
	return out;
}

static int add_entries(struct engine_index *x, const struct source *s, struct error *err)
{
	const struct buf *bytes = &s->remote.top.bytes;
	AUTO(json) json_t *doc = NULL;
	json_t *one;
	size_t i;
	int r;

	if (!s->remote.is_index) {
		AUTO(json) json_t *entry = lone_entry(s);

		add_entry(x, entry_of(entry), s);
		return 0;
	}
	if ((r = json_parse(bytes->data, bytes->len, &doc, err)) < 0)
		return r;
	json_array_foreach (json_object_get(doc, "manifests"), i, one)
		add_entry(x, entry_of(one), s);
	return 0;
}

/* ---- platforms ---- */

static bool platform_in(const json_t *entry, struct platform *out)
{
	const json_t *p = json_object_get(entry, "platform");
	const char *os = json_string_value(json_object_get(p, "os")),
		   *architecture = json_string_value(json_object_get(p, "architecture")),
		   *variant = json_string_value(json_object_get(p, "variant"));
	AUTO(free) char *text = NULL;

	if (!os || !architecture)
		return false;
	text = variant ? mem_printf("%s/%s/%s", os, architecture, variant)
		       : mem_printf("%s/%s", os, architecture);
	return platform_parse(text, out, NULL) == 0;
}

static bool is_wanted(const json_t *entry, const struct strlist *platforms)
{
	AUTO(platform) struct platform have = PLATFORM_INIT;
	bool found = false;

	if (!platform_in(entry, &have))
		return false;
	for (size_t i = 0; !found && i < platforms->n; i++) {
		AUTO(platform) struct platform want = PLATFORM_INIT;

		found = platform_parse(platforms->items[i], &want, NULL) == 0 &&
			platform_eq(&want, &have);
	}
	return found;
}

static bool is_listed(const json_t *entries, const char *digest)
{
	json_t *one;
	size_t i;

	json_array_foreach (entries, i, one)
		if (digest && str_eq(digest_in(one), digest))
			return true;
	return false;
}

/* Those for other platforms go, and what is attested of them. */
static int filter(struct engine_index *x, const struct strlist *platforms, struct error *err)
{
	AUTO(strlist) struct strlist from = STRLIST_INIT;
	AUTO(json) json_t *kept = json_array();
	json_t *one;
	size_t i;

	if (!platforms->n)
		return 0;
	json_array_foreach (x->entries, i, one) {
		const char *about = json_string_value(
			json_object_get(json_object_get(one, "annotations"), REFERS_TO));

		if (!is_listed(kept, about) && !is_wanted(one, platforms))
			continue;
		json_array_append(kept, one);
		strlist_add(&from, x->from.items[i]);
	}
	json_decref(x->entries);
	x->entries = json_incref(kept);
	strlist_clear(&x->from);
	x->from = from;
	from = STRLIST_INIT;
	return json_array_size(kept)
		       ? 0
		       : error_set(err, ERR_NOT_FOUND,
				   "none of the manifests match the provided platforms");
}

static int check_platforms(const struct strlist *platforms, struct error *err)
{
	for (size_t i = 0; i < platforms->n; i++) {
		AUTO(platform) struct platform p = PLATFORM_INIT;
		int r = platform_parse(platforms->items[i], &p, err);

		if (r < 0)
			return error_wrap(err, "invalid platform \"%s\"", platforms->items[i]);
	}
	return 0;
}

/* ---- annotations ---- */

static void set_annotation(json_t *holder, const struct image_annotation *a)
{
	json_t *all = json_object_get(holder, "annotations");

	if (!json_is_object(all)) {
		all = json_object();
		json_object_set_new(holder, "annotations", all);
	}
	json_object_set_new(all, a->key, json_string(a->value));
}

static bool is_about(const json_t *entry, const char *platform)
{
	AUTO(platform) struct platform have = PLATFORM_INIT, want = PLATFORM_INIT;

	return !platform ||
	       (platform_in(entry, &have) && platform_parse(platform, &want, NULL) == 0 &&
		platform_eq(&want, &have));
}

static int annotate(struct engine_index *x, json_t *index, const struct image_annotation *a,
		    struct error *err)
{
	json_t *one;
	size_t i;

	if (a->places == IMAGE_ANNOTATE_INDEX) {
		set_annotation(index, a);
		return 0;
	}
	if (a->places == IMAGE_ANNOTATE_INDEX_DESCRIPTOR)
		return error_set(err, ERR_INVALID,
				 "\"index-descriptor\" annotations are invalid while creating "
				 "an image");
	if (a->places != IMAGE_ANNOTATE_MANIFEST_DESCRIPTOR)
		return error_set(err, ERR_UNSUPPORTED,
				 "\"%s\" annotations are not supported yet",
				 a->places ? "manifest" : "");
	json_array_foreach (x->entries, i, one)
		if (is_about(one, a->platform))
			set_annotation(one, a);
	return 0;
}

/* ---- the document ---- */

/* As a Go map is written. */
static void sort_annotations(json_t *holder)
{
	json_t *all = json_object_get(holder, "annotations"), *sorted, *value;
	AUTO(strlist) struct strlist keys = STRLIST_INIT;
	const char *key;

	if (!json_is_object(all))
		return;
	json_object_foreach (all, key, value)
		strlist_add(&keys, key);
	strlist_sort(&keys);
	sorted = json_object();
	for (size_t i = 0; i < keys.n; i++)
		json_object_set(sorted, keys.items[i], json_object_get(all, keys.items[i]));
	json_object_set_new(holder, "annotations", sorted);
}

/* What Go's encoder escapes stands in strings only. */
static void escape(const struct buf *text, struct buf *out)
{
	for (size_t i = 0; i < text->len; i++)
		if (strchr("<>&", text->data[i]))
			buf_printf(out, "\\u%04x", (unsigned)text->data[i]);
		else
			buf_addch(out, text->data[i]);
}

/* Docker's list of Docker's manifests; else OCI's, which alone has annotations. */
static int encode(struct engine_index *x, const struct image_annotations *annotations,
		  struct error *err)
{
	AUTO(json) json_t *index = json_object();
	AUTO(buf) struct buf text = BUF_INIT, escaped = BUF_INIT;
	const char *type = MEDIA_DOCKER_INDEX;
	json_t *one;
	size_t i;
	int r = 0;

	json_array_foreach (x->entries, i, one)
		if (!str_eq(json_string_value(json_object_get(one, "mediaType")),
			    MEDIA_DOCKER_MANIFEST))
			type = MEDIA_OCI_INDEX;
	json_object_set_new(index, "schemaVersion", json_integer(2));
	json_object_set_new(index, "mediaType", json_string(type));
	json_object_set(index, "manifests", x->entries);
	for (i = 0; r == 0 && str_eq(type, MEDIA_OCI_INDEX) && i < annotations->n; i++)
		r = annotate(x, index, &annotations->items[i], err);
	if (r < 0)
		return r;
	sort_annotations(index);
	json_array_foreach (x->entries, i, one) {
		json_t *entry;

		sort_annotations(one);
		entry = entry_of(one); /* annotations in their place */
		json_array_set_new(x->entries, i, entry);
	}
	json_text(index, &text);
	escape(&text, &escaped);
	json_indent(escaped.data, escaped.len, "  ", &x->bytes);
	x->media_type = mem_strdup(type);
	return 0;
}

/* A single source that is what is wanted already keeps its bytes. */
static bool is_copy(const struct engine_create_image *req, const struct sources *all)
{
	const struct engine_remote *one = &all->items[0].remote;

	return all->n == 1 && !req->annotations->n && !req->platforms->n &&
	       (one->is_index || !req->prefer_index);
}

static int compose(const struct engine_create_image *req, struct sources *all,
		   struct engine_index *out, struct error *err)
{
	int r;

	out->entries = json_array();
	for (size_t i = 0; i < all->n; i++)
		if ((r = add_entries(out, &all->items[i], err)) < 0)
			return r;
	if (is_copy(req, all)) {
		struct engine_remote_part *top = &all->items[0].remote.top;

		out->bytes = top->bytes;
		top->bytes = BUF_INIT;
		out->media_type = mem_strdup(top->descriptor.media_type);
		return 0;
	}
	r = filter(out, req->platforms, err);
	return r < 0 ? r : encode(out, req->annotations, err);
}

static int read_sources(const struct engine_create_image *req, const struct reference *tags,
			struct sources *all, struct error *err)
{
	const struct reference *repository = NULL;
	int r = 0;

	if (req->append && req->tags->n)
		r = add_source(all, req->tags->items[0], err);
	for (size_t i = 0; r == 0 && i < req->sources->n; i++)
		r = add_source(all, req->sources->items[i], err);
	if (r < 0 || (r = find_repository(all, tags, req->tags->n, &repository, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < all->n; i++)
		r = read_source(&all->items[i], repository, err);
	return r;
}

int engine_index_compose(const struct engine_create_image *req, struct engine_index *out,
			 struct error *err)
{
	size_t n = req->tags->n;
	AUTO(sources) struct sources all = {0};
	struct reference *tags = mem_zalloc((n + 1) * sizeof(*tags));
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = reference_parse(req->tags->items[i], &tags[i], err);
	if (r == 0 && (r = check_platforms(req->platforms, err)) == 0 &&
	    (r = read_sources(req, tags, &all, err)) == 0)
		r = compose(req, &all, out, err);
	for (size_t i = 0; i < n; i++)
		reference_clear(&tags[i]);
	free(tags);
	return r;
}

void engine_index_clear(struct engine_index *x)
{
	buf_clear(&x->bytes);
	free(x->media_type);
	json_decref(x->entries);
	strlist_clear(&x->from);
	*x = (struct engine_index){0};
}

/* ---- push ---- */

static void tell(const struct progress *p, unsigned task, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void tell(const struct progress *p, unsigned task, const char *fmt, ...)
{
	AUTO(free) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	progress_emit(p, &(struct progress_event){.kind = PROGRESS_LOG,
						  .task = task,
						  .text = text,
						  .len = strlen(text),
						  .stream = 1});
}

static int push_entry(const char *digest, const char *from, const struct reference *to,
		      struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	struct digest d;
	int r = reference_parse(from, &ref, err);

	if (r < 0)
		return r;
	return digest_parse(digest, &d)
		       ? engine_copy_manifest(&ref, to, &d, false, err)
		       : error_set(err, ERR_INVALID, "an entry with the digest \"%s\"", digest);
}

int engine_index_push(const struct engine_index *x, const char *tag,
		      const struct progress *progress, unsigned task, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(registry) struct registry *registry = NULL;
	AUTO(buf) struct buf name = BUF_INIT;
	char text[DIGEST_TEXT_SIZE];
	struct digest digest;
	json_t *one;
	size_t i;
	int r = reference_parse(tag, &ref, err);

	if (r < 0)
		return r;
	reference_normal(&ref, &name);
	json_array_foreach (x->entries, i, one) {
		tell(progress, task, "copying %s from %s to %s\n", digest_in(one),
		     x->from.items[i], buf_str(&name));
		if ((r = push_entry(digest_in(one), x->from.items[i], &ref, err)) < 0)
			return r;
	}
	digest_of(x->bytes.data, x->bytes.len, &digest);
	tell(progress, task, "pushing %s to %s\n", digest_text(&digest, text), buf_str(&name));
	if ((r = registry_open(&ref, REGISTRY_PUSH, &registry, err)) < 0)
		return r;
	return registry_put_manifest(registry, ref.tag, x->media_type, &x->bytes, &digest, err);
}
