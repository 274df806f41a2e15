/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifest lists that are put together here.  The store keeps a JSON array, an object for each
 * manifest: "ref" (normal), "mediaType", "digest", "size", "platform" and its bytes in "raw".
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include "engine/engine_private.h"
#include "registry/registry.h"

#include "base/banned.h"

/* ---- as a document ---- */

static void add_member(const char *key, const json_t *value, const char *fallback,
		       struct buf *out)
{
	const char *text = json_string_value(value);

	json_quote(key, true, out);
	buf_addch(out, ':');
	json_quote(text ? text : fallback, true, out);
}

void engine_list_platform(const json_t *platform, struct buf *out)
{
	static const char *const more[] = {"os.version", "os.features", "variant"};

	buf_addch(out, '{');
	add_member("architecture", json_object_get(platform, "architecture"), "", out);
	buf_addch(out, ',');
	add_member("os", json_object_get(platform, "os"), "", out);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		const json_t *value = json_object_get(platform, more[i]);

		if (!value)
			continue;
		buf_printf(out, ",\"%s\":", more[i]);
		json_text(value, out);
	}
	buf_addch(out, '}');
}

/* What it is goes by the first one. */
static const char *list_type(const struct engine_remote_parts *parts)
{
	return parts->n && str_eq(parts->items[0].descriptor.media_type, MEDIA_OCI_MANIFEST)
		       ? MEDIA_OCI_INDEX
		       : MEDIA_DOCKER_INDEX;
}

void engine_list_encode(const struct engine_remote_parts *parts, struct buf *out)
{
	AUTO(buf) struct buf text = BUF_INIT;

	buf_printf(&text, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[",
		   list_type(parts));
	for (size_t i = 0; i < parts->n; i++) {
		const struct descriptor *d = &parts->items[i].descriptor;
		char digest[DIGEST_TEXT_SIZE];

		buf_addstr(&text, i ? ",{\"mediaType\":" : "{\"mediaType\":");
		json_quote(d->media_type ? d->media_type : "", true, &text);
		buf_printf(&text, ",\"size\":%llu,\"digest\":\"%s\",\"platform\":",
			   (unsigned long long)d->size, digest_text(&d->digest, digest));
		engine_list_platform(parts->items[i].platform, &text);
		buf_addch(&text, '}');
	}
	buf_addstr(&text, "]}");
	json_indent(text.data, text.len, "   ", out);
}

/* ---- in the store ---- */

static int normal_name(const char *text, struct reference *ref, struct buf *out,
		       struct error *err)
{
	int r = reference_parse(text, ref, err);

	if (r == 0)
		reference_normal(ref, out);
	return r;
}

/* -ERR_NOT_FOUND with Docker's words. */
static int read_list(struct store *s, const char *name, json_t **out, struct error *err)
{
	AUTO(free) char *text = NULL;
	int r = store_list_get(s, name, &text, err);

	return r < 0 ? r : json_parse(text, strlen(text), out, err);
}

/* What Docker calls the file of a manifest: a list is in that order. */
static char *file_name(const char *ref)
{
	char *name = mem_strdup(ref);

	for (char *p = name; *p; p++)
		*p = *p == ':' ? '-' : *p == '/' ? '_' : *p;
	return name;
}

static const char *ref_of(const json_t *entry)
{
	const char *ref = json_string_value(json_object_get(entry, "ref"));

	return ref ? ref : "";
}

static json_t *find_entry(const json_t *list, const char *ref)
{
	json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry)
		if (str_eq(ref_of(entry), ref))
			return entry;
	return NULL;
}

static void insert_entry(json_t *list, json_t *entry)
{
	AUTO(free) char *mine = file_name(ref_of(entry));
	size_t at;

	for (at = 0; at < json_array_size(list); at++) {
		AUTO(free) char *other = file_name(ref_of(json_array_get(list, at)));

		if (strcmp(mine, other) < 0)
			break;
	}
	json_array_insert(list, at, entry);
}

static int write_list(struct store *s, const char *name, const json_t *list, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	json_text(list, &text);
	return store_list_put(s, name, buf_str(&text), err);
}

/* ---- create ---- */

static int fetch_entry(const char *image, const char *normal, bool insecure, json_t **out,
		       struct error *err)
{
	AUTO(engine_remote) struct engine_remote r = {0};
	char digest[DIGEST_TEXT_SIZE];
	int result = engine_remote(image, insecure, ENGINE_REMOTE_CONFIG, &r, err);

	if (result == -ERR_NOT_FOUND) {
		error_clear(err);
		return error_set(err, ERR_NOT_FOUND, "no such manifest: %s", normal);
	}
	if (result < 0)
		return result;
	if (r.is_index)
		return error_set(err, ERR_INVALID, "%s is a manifest list", normal);
	*out = json_pack("{s:s, s:s, s:s, s:I, s:O*, s:s%}", "ref", normal, "mediaType",
			 r.top.descriptor.media_type, "digest",
			 digest_text(&r.top.descriptor.digest, digest), "size",
			 (json_int_t)r.top.descriptor.size, "platform", r.top.platform, "raw",
			 r.top.bytes.data, r.top.bytes.len);
	return *out ? 0 : error_set(err, ERR_CORRUPT, "%s: its manifest is no text", normal);
}

/* All that the list has not; others may be at it, so that it is read again in the end. */
static int fetch_entries(struct engine *e, const char *name, char *const *images, size_t n,
			 bool insecure, json_t *out, struct error *err)
{
	AUTO(json) json_t *before = NULL;
	int r = read_list(e->store, name, &before, NULL);

	if (r < 0 && r != -ERR_NOT_FOUND)
		return read_list(e->store, name, &before, err);
	for (size_t i = 0; i < n; i++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		AUTO(buf) struct buf normal = BUF_INIT;
		json_t *entry = NULL;

		if ((r = normal_name(images[i], &ref, &normal, err)) < 0)
			return r;
		if (find_entry(before, buf_str(&normal)) || find_entry(out, buf_str(&normal)))
			continue;
		if ((r = fetch_entry(images[i], buf_str(&normal), insecure, &entry, err)) < 0)
			return r;
		json_array_append_new(out, entry);
	}
	return 0;
}

static int merge(struct engine *e, const char *name, const json_t *entries, bool amend,
		 struct error *err)
{
	AUTO(json) json_t *list = NULL;
	json_t *entry;
	size_t i;
	int r = read_list(e->store, name, &list, NULL);

	if (r == 0 && !amend)
		return error_set(err, ERR_EXISTS,
				 "refusing to amend an existing manifest list with no --amend "
				 "flag");
	if (r == -ERR_NOT_FOUND)
		list = json_array();
	else if (r < 0)
		return read_list(e->store, name, &list, err);
	json_array_foreach (entries, i, entry)
		if (!find_entry(list, ref_of(entry)))
			insert_entry(list, entry);
	return write_list(e->store, name, list, err);
}

/* Reads and writes as one. */
static int in_transaction(struct engine *e, int result, struct error *err)
{
	if (result == 0)
		return store_commit(e->store, err);
	store_abort(e->store);
	return result;
}

int engine_list_create(struct engine *e, const char *name, char *const *images, size_t n,
		       bool amend, bool insecure, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(json) json_t *entries = json_array();
	AUTO(free) char *there = NULL;
	int r = normal_name(name, &ref, &normal, err);

	if (r < 0)
		return error_wrap(err, "error parsing name for manifest list %s", name);
	/* said before anybody is asked */
	if (!amend && store_list_get(e->store, buf_str(&normal), &there, NULL) == 0)
		return merge(e, buf_str(&normal), entries, false, err);
	if ((r = fetch_entries(e, buf_str(&normal), images, n, insecure, entries, err)) < 0 ||
	    (r = store_begin(e->store, true, err)) < 0)
		return r;
	return in_transaction(e, merge(e, buf_str(&normal), entries, amend, err), err);
}

/* ---- annotate ---- */

/* Those that Docker's command lets into a list. */
static bool is_known(const char *os, const char *architecture)
{
	static const char *const known[][2] = {
		{"darwin", "386 amd64 arm arm64"},
		{"dragonfly", "amd64"},
		{"freebsd", "386 amd64 arm"},
		{"linux", "386 amd64 arm arm64 mips64 mips64le ppc64le riscv64 s390x"},
		{"netbsd", "386 amd64 arm"},
		{"openbsd", "386 amd64 arm"},
		{"plan9", "386 amd64"},
		{"solaris", "amd64"},
		{"windows", "386 amd64"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		AUTO(strlist) struct strlist words = STRLIST_INIT;

		if (!str_eq(known[i][0], os))
			continue;
		strlist_split(&words, known[i][1], ' ');
		return strlist_find(&words, architecture) >= 0;
	}
	return false;
}

static void add_features(json_t *platform, const struct strlist *features)
{
	json_t *all = json_object_get(platform, "os.features");

	if (!features->n)
		return;
	if (!json_is_array(all)) {
		all = json_array();
		json_object_set_new(platform, "os.features", all);
	}
	for (size_t i = 0; i < features->n; i++) {
		bool there = false;

		for (size_t k = 0; k < json_array_size(all); k++)
			there |= str_eq(json_string_value(json_array_get(all, k)),
					features->items[i]);
		if (!there)
			json_array_append_new(all, json_string(features->items[i]));
	}
}

static int annotate(json_t *entry, const struct engine_list_platform *p, struct error *err)
{
	const struct {
		const char *key, *value;
	} members[] = {{"os", p->os},
		       {"architecture", p->architecture},
		       {"variant", p->variant},
		       {"os.version", p->os_version}};
	json_t *platform = json_object_get(entry, "platform");
	const char *os, *architecture;

	if (!json_is_object(platform)) {
		platform = json_object();
		json_object_set_new(entry, "platform", platform);
	}
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!str_empty(members[i].value))
			json_object_set_new(platform, members[i].key,
					    json_string(members[i].value));
	add_features(platform, p->os_features);
	os = json_string_value(json_object_get(platform, "os"));
	architecture = json_string_value(json_object_get(platform, "architecture"));
	if (is_known(os ? os : "", architecture ? architecture : ""))
		return 0;
	return error_set(err, ERR_INVALID,
			 "manifest entry for image has unsupported os/arch combination: %s/%s",
			 os ? os : "", architecture ? architecture : "");
}

static int annotate_in(struct store *s, const char *name, const char *ref,
		       const struct engine_list_platform *p, struct error *err)
{
	AUTO(json) json_t *list = NULL;
	json_t *entry;
	int r = read_list(s, name, &list, err);

	if (r < 0)
		return r;
	if (!(entry = find_entry(list, ref)))
		return error_set(err, ERR_NOT_FOUND, "No such manifest: %s", ref);
	r = annotate(entry, p, err);
	return r < 0 ? r : write_list(s, name, list, err);
}

int engine_list_annotate(struct engine *e, const char *name, const char *image,
			 const struct engine_list_platform *p, struct error *err)
{
	AUTO(reference) struct reference list = REFERENCE_INIT, ref = REFERENCE_INIT;
	AUTO(buf) struct buf list_name = BUF_INIT;
	AUTO(buf) struct buf ref_name = BUF_INIT;
	int r;

	if ((r = normal_name(name, &list, &list_name, err)) < 0)
		return error_wrap(err, "annotate: error parsing name for manifest list %s",
				  name);
	if ((r = normal_name(image, &ref, &ref_name, err)) < 0)
		return error_wrap(err, "annotate: error parsing name for manifest %s", image);
	if ((r = store_begin(e->store, true, err)) < 0)
		return r;
	r = in_transaction(
		e, annotate_in(e->store, buf_str(&list_name), buf_str(&ref_name), p, err), err);
	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		error_set(err, ERR_NOT_FOUND, "manifest for image %s does not exist in %s",
			  image, name);
	}
	return r;
}

/* ---- looking ---- */

static int take_part(const json_t *entry, struct engine_remote_part *out, struct error *err)
{
	const char *digest = json_string_value(json_object_get(entry, "digest"));
	const json_t *raw = json_object_get(entry, "raw");
	uint64_t size = 0;
	struct digest d;
	int r = json_get_u64(entry, "size", &size, err);

	if (r < 0)
		return r;
	if (!digest || !digest_parse(digest, &d))
		return error_set(err, ERR_CORRUPT, "an entry without a digest");
	out->ref = mem_strdup(ref_of(entry));
	descriptor_set(&out->descriptor, json_string_value(json_object_get(entry, "mediaType")),
		       &d, size);
	out->platform = json_incref(json_object_get(entry, "platform"));
	buf_add(&out->bytes, json_string_value(raw), json_string_length(raw));
	return 0;
}

static int look(struct store *s, const char *name, struct engine_remote *out, struct error *err)
{
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(json) json_t *list = NULL;
	json_t *entry;
	size_t i;
	int r = normal_name(name, &out->ref, &normal, err);

	if (r < 0 || (r = read_list(s, buf_str(&normal), &list, err)) < 0)
		return r;
	out->is_index = true;
	json_array_foreach (list, i, entry)
		if ((r = take_part(entry, vec_push(&out->parts), err)) < 0)
			return error_wrap(err, "manifest list %s", buf_str(&normal));
	return 0;
}

int engine_list(const char *root, const char *name, struct engine_remote *out,
		struct error *err)
{
	struct store *s = NULL;
	int r = store_look(root, &s, err);

	if (r < 0)
		return r;
	r = look(s, name, out, err);
	store_close(s);
	return r;
}

int engine_list_find(const struct engine_remote *list, const char *image,
		     const struct engine_remote_part **out, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	int r = normal_name(image, &ref, &normal, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list->parts.n; i++)
		if (str_eq(list->parts.items[i].ref, buf_str(&normal))) {
			*out = &list->parts.items[i];
			return 0;
		}
	return error_set(err, ERR_NOT_FOUND, "No such manifest: %s", buf_str(&normal));
}

/* ---- push ---- */

static int check_part(const struct engine_remote *list, const struct engine_remote_part *part,
		      const struct reference *from, struct error *err)
{
	const json_t *p = part->platform;

	if (str_empty(json_string_value(json_object_get(p, "os"))) ||
	    str_empty(json_string_value(json_object_get(p, "architecture"))))
		return error_set(err, ERR_INVALID,
				 "manifest %s must have an OS and Architecture to be pushed to "
				 "a registry",
				 part->ref);
	if (str_eq(from->domain, list->ref.domain))
		return 0;
	return error_set(err, ERR_INVALID,
			 "cannot use source images from a different registry than the target "
			 "image: %s != %s",
			 from->domain, list->ref.domain);
}

/* What the list's own repository has already need not go there. */
static int push_part(const struct engine_remote *list, const struct engine_remote_part *part,
		     bool insecure,
		     void (*pushed)(void *data, const char *ref, const struct digest *d),
		     void *data, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(free) char *to = NULL;
	const struct digest *d = &part->descriptor.digest;
	char text[DIGEST_TEXT_SIZE];
	int r = reference_parse(part->ref, &ref, err);

	if (r < 0 || engine_same_repository(&ref, &list->ref) ||
	    (r = engine_copy_manifest(&ref, &list->ref, d, insecure, err)) < 0)
		return r;
	to = mem_printf("%s/%s@%s", list->ref.domain, list->ref.path, digest_text(d, text));
	pushed(data, to, d);
	return 0;
}

static int put_list(const struct engine_remote *list, bool insecure, struct digest *out,
		    struct error *err)
{
	AUTO(registry) struct registry *r = NULL;
	AUTO(buf) struct buf bytes = BUF_INIT;
	int result = registry_open(
		&list->ref, REGISTRY_PUSH | (insecure ? REGISTRY_INSECURE : 0u), &r, err);

	if (result < 0)
		return result;
	engine_list_encode(&list->parts, &bytes);
	return registry_put_manifest(r, list->ref.tag, list_type(&list->parts), &bytes, out,
				     err);
}

int engine_list_push(struct engine *e, const char *name, bool insecure,
		     void (*pushed)(void *data, const char *ref, const struct digest *d),
		     void *data, struct digest *out, struct error *err)
{
	AUTO(engine_remote) struct engine_remote list = {0};
	int r = look(e->store, name, &list, err);

	for (size_t i = 0; r == 0 && i < list.parts.n; i++) {
		AUTO(reference) struct reference from = REFERENCE_INIT;

		if ((r = reference_parse(list.parts.items[i].ref, &from, err)) == 0)
			r = check_part(&list, &list.parts.items[i], &from, err);
	}
	for (size_t i = 0; r == 0 && i < list.parts.n; i++)
		r = push_part(&list, &list.parts.items[i], insecure, pushed, data, err);
	return r < 0 ? r : put_list(&list, insecure, out, err);
}

int engine_list_remove(struct engine *e, const char *name, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(free) char *there = NULL;
	int r = normal_name(name, &ref, &normal, err);

	if (r < 0 || (r = store_list_get(e->store, buf_str(&normal), &there, err)) < 0)
		return r;
	return store_list_remove(e->store, buf_str(&normal), err);
}
