/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_build_output.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

/* The two that are being filled from one -o. */
struct target {
	struct engine_output *out;
	struct cli_build_output *own;
};

/* ---- attributes ---- */

static int take_bool(const char *key, const char *value, bool *out, struct error *err)
{
	if (parse_bool(value, out))
		return 0;
	return error_set(err, ERR_INVALID,
			 "invalid argument \"%s\" for output: %s=%s is not "
			 "true or false",
			 key, key, value);
}

static int take_type(const char *value, struct engine_output *out, struct error *err)
{
	static const struct {
		const char *name;
		enum engine_output_type type;
	} types[] = {
		{"image", ENGINE_OUTPUT_IMAGE},	  {"local", ENGINE_OUTPUT_LOCAL},
		{"tar", ENGINE_OUTPUT_TAR},	  {"oci", ENGINE_OUTPUT_OCI},
		{"docker", ENGINE_OUTPUT_DOCKER}, {"registry", ENGINE_OUTPUT_REGISTRY},
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(types[i].name, value)) {
			out->type = types[i].type;
			return 0;
		}
	error_set(err, ERR_INVALID, "exporter \"%s\" could not be found", value);
	error_hint(err, "there are image, registry, local, tar, oci and docker");
	return -ERR_INVALID;
}

static int take_compression(const char *value, struct image_form *form, struct error *err)
{
	if (str_eq(value, "gzip"))
		form->compression = LAYER_GZIP;
	else if (str_eq(value, "zstd"))
		form->compression = LAYER_ZSTD;
	else if (str_eq(value, "uncompressed"))
		form->compression = LAYER_PLAIN;
	else
		return error_set(err, ERR_INVALID,
				 "invalid argument \"compression=%s\" for output: it takes "
				 "uncompressed, gzip or zstd",
				 value);
	return 0;
}

static void add_annotation(struct image_annotations *a, unsigned places, const char *platform,
			   size_t platform_len, const char *key, const char *value)
{
	struct image_annotation *one = vec_push(a);

	one->places = places;
	one->platform = platform_len ? mem_strndup(platform, platform_len) : NULL;
	one->key = mem_strdup(key);
	one->value = mem_strdup(value);
}

/* "manifest", "index-descriptor[linux/arm64]" …; 0 if it is none. */
static unsigned place_of(const char *text, size_t len, const char **platform,
			 size_t *platform_len)
{
	static const struct {
		const char *name;
		unsigned place;
	} places[] = {
		{"manifest", IMAGE_ANNOTATE_MANIFEST},
		{"manifest-descriptor", IMAGE_ANNOTATE_MANIFEST_DESCRIPTOR},
		{"index", IMAGE_ANNOTATE_INDEX},
		{"index-descriptor", IMAGE_ANNOTATE_INDEX_DESCRIPTOR},
	};
	const char *bracket = memchr(text, '[', len);
	size_t n = bracket ? (size_t)(bracket - text) : len;

	*platform = NULL;
	*platform_len = 0;
	if (bracket) {
		if (text[len - 1] != ']')
			return 0;
		*platform = bracket + 1;
		*platform_len = len - n - 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strlen(places[i].name) == n && !memcmp(places[i].name, text, n))
			return places[i].place;
	return 0;
}

/* annotation.KEY, annotation-index.KEY, annotation-manifest[linux/arm64].KEY … */
static int take_annotation(const char *key, const char *value, struct engine_output *out,
			   struct error *err)
{
	const char *where = key + strlen("annotation"), *dot, *platform;
	AUTO(free) char *text = NULL;
	size_t platform_len;
	unsigned place;

	/* a platform has no dot, but a key may have brackets */
	dot = strchr(where, '.');
	if (dot && dot[1]) {
		text = mem_strndup(where, (size_t)(dot - where));
		if (!*text || *text == '[') {
			AUTO(free) char *whole = mem_printf("manifest%s", text);

			place = place_of(whole, strlen(whole), &platform, &platform_len);
			add_annotation(&out->annotations, place, platform, platform_len,
				       dot + 1, value);
			if (place)
				return 0;
		} else if (*text == '-') {
			place = place_of(text + 1, strlen(text + 1), &platform, &platform_len);
			add_annotation(&out->annotations, place, platform, platform_len,
				       dot + 1, value);
			if (place)
				return 0;
		}
	}
	return error_set(err, ERR_INVALID,
			 "invalid argument \"%s\" for output: not an annotation", key);
}

static int take_attribute(const struct target *t, const char *key, const char *value,
			  struct error *err)
{
	bool ignored;

	if (str_eq(key, "type"))
		return take_type(value, t->out, err);
	if (str_eq(key, "dest")) {
		free(t->own->dest);
		t->own->dest = mem_strdup(value);
		return 0;
	}
	if (str_eq(key, "tar"))
		return take_bool(key, value, &t->own->tar, err);
	if (str_eq(key, "name")) {
		strlist_split(&t->out->names, value, ',');
		return 0;
	}
	if (str_eq(key, "compression"))
		return take_compression(value, &t->out->form, err);
	if (str_eq(key, "compression-level")) {
		free(t->own->level);
		t->own->level = mem_strdup(value);
		return 0;
	}
	if (str_eq(key, "force-compression"))
		return take_bool(key, value, &t->out->form.force, err);
	if (str_eq(key, "oci-mediatypes")) {
		int r = take_bool(key, value, &ignored, err);

		t->out->form.docker_types = !ignored;
		return r;
	}
	if (str_eq(key, "platform-split"))
		return take_bool(key, value, &t->out->split, err);
	/* no file that a step made is younger than SOURCE_DATE_EPOCH anyway */
	if (str_eq(key, "rewrite-timestamp") || str_eq(key, "unpack") || str_eq(key, "store"))
		return take_bool(key, value, &ignored, err);
	if (str_eq(key, "push"))
		return take_bool(key, value, &t->own->push, err);
	if (str_eq(key, "push-by-digest"))
		return take_bool(key, value, &t->out->by_digest, err);
	if (str_starts(key, "annotation"))
		return take_annotation(key, value, t->out, err);
	return error_set(err, ERR_INVALID, "invalid argument \"%s\" for output: not known",
			 key);
}

/* ---- where it goes ---- */

static int check_level(const struct target *t, struct error *err)
{
	uint64_t level;

	t->out->form.level = -1;
	if (!t->own->level)
		return 0;
	if (!parse_u64(t->own->level, 100, &level) ||
	    !layer_compression_level_valid(t->out->form.compression, (int64_t)level))
		return error_set(err, ERR_INVALID,
				 "invalid argument \"compression-level=%s\" for output: not a "
				 "level of this compression",
				 t->own->level);
	t->out->form.level = (int)level;
	return 0;
}

static int check_directory(const struct target *t, const char *type, struct error *err)
{
	const char *dest = t->own->dest;
	struct stat st;

	if (str_empty(dest))
		return error_set(err, ERR_INVALID, "dest is required for %s exporter", type);
	if (str_eq(dest, "-"))
		return error_set(err, ERR_INVALID, "dest cannot be stdout for %s exporter",
				 type);
	if (stat(dest, &st) == 0 && !S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "destination directory %s is a file", dest);
	t->out->dest = dest;
	return 0;
}

static int open_file(const struct target *t, const char *type, struct error *err)
{
	const char *dest = str_empty(t->own->dest) ? "-" : t->own->dest;
	struct stat st;
	int r;

	if (str_eq(dest, "-") && isatty(STDOUT_FILENO))
		return error_set(err, ERR_INVALID,
				 "dest file is required for %s exporter. refusing to write to "
				 "console",
				 type);
	if (stat(dest, &st) == 0 && S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "destination file %s is a directory", dest);
	r = cli_output_open(dest, &t->own->file, err);
	if (r < 0)
		return error_wrap(err, "failed to open");
	t->out->fd = t->own->file.fd;
	return 0;
}

static int open_target(const struct target *t, struct error *err)
{
	switch (t->out->type) {
	case ENGINE_OUTPUT_LOCAL:
		return check_directory(t, "local", err);
	case ENGINE_OUTPUT_TAR:
		return open_file(t, "tar", err);
	case ENGINE_OUTPUT_OCI:
		t->out->unpacked = !t->own->tar;
		return t->own->tar ? open_file(t, "oci", err) : check_directory(t, "oci", err);
	case ENGINE_OUTPUT_DOCKER:
		/* without a file: the image in the store */
		if (str_empty(t->own->dest)) {
			t->out->type = ENGINE_OUTPUT_IMAGE;
			return 0;
		}
		return open_file(t, "docker", err);
	case ENGINE_OUTPUT_IMAGE:
		if (t->own->push)
			t->out->type = ENGINE_OUTPUT_REGISTRY;
		break;
	case ENGINE_OUTPUT_REGISTRY:
		break;
	}
	return 0;
}

/* ---- all of them ---- */

static int take_fields(const struct target *t, const struct strlist *fields, struct error *err)
{
	for (size_t i = 0; i < fields->n; i++) {
		const char *field = fields->items[i], *eq = strchr(field, '=');
		AUTO(free) char *name = NULL;
		AUTO(free) char *key = NULL;
		int r;

		if (!eq)
			return error_set(err, ERR_INVALID, "invalid value %s", field);
		name = mem_strndup(field, (size_t)(eq - field));
		key = str_starts(name, "annotation") ? mem_strdup(name) : str_lower(name);
		if ((r = take_attribute(t, key, eq + 1, err)) < 0)
			return r;
	}
	return 0;
}

static int parse_one(const char *text, const struct target *t, struct error *err)
{
	AUTO(strlist) struct strlist fields = STRLIST_INIT;
	int r = csv_split(text, &fields, NULL, err);

	if (r < 0)
		return error_wrap(err, "invalid argument \"%s\" for output", text);
	if (fields.n == 1 && !str_starts(text, "type=")) {
		t->out->type = str_eq(text, "-") ? ENGINE_OUTPUT_TAR : ENGINE_OUTPUT_LOCAL;
		t->own->dest = mem_strdup(text);
		return 0;
	}
	if ((r = take_fields(t, &fields, err)) < 0)
		return r;
	if (!t->out->type)
		return error_set(err, ERR_INVALID, "type is required for output");
	return check_level(t, err);
}

int cli_build_outputs_parse(const struct strlist *specs, struct cli_build_outputs *out,
			    struct error *err)
{
	unsigned to_stdout = 0;

	for (size_t i = 0; i < specs->n; i++) {
		struct target t;
		int r;

		if (!*specs->items[i])
			continue;
		t.own = vec_push(out);
		t.out = vec_push(&out->outputs);
		*t.own = (struct cli_build_output){.tar = true, .file = CLI_OUTPUT_INIT};
		t.out->fd = -1;
		t.out->form.compression = LAYER_GZIP;
		if ((r = parse_one(specs->items[i], &t, err)) < 0)
			return r;
		/* the two names of one format: Docker's own types for Docker's archive */
		if (t.out->type == ENGINE_OUTPUT_DOCKER &&
		    !strstr(specs->items[i], "mediatypes"))
			t.out->form.docker_types = true;
		if ((r = open_target(&t, err)) < 0)
			return r;
		to_stdout += t.out->fd == STDOUT_FILENO;
	}
	if (to_stdout > 1)
		return error_set(
			err, ERR_INVALID,
			"invalid argument for output: only one can go to standard output");
	return 0;
}

int cli_annotation_parse(const char *text, struct image_annotations *out, struct error *err)
{
	const char *eq = strchr(text, '='), *at = text, *colon, *platform;
	AUTO(strlist) struct strlist types = STRLIST_INIT;
	AUTO(free) char *key = NULL;
	size_t len;

	if (!eq || eq == text)
		return error_set(err, ERR_INVALID,
				 "invalid annotation \"%s\", expected key=value", text);
	colon = memchr(text, ':', (size_t)(eq - text));
	if (colon) {
		AUTO(free) char *head = mem_strndup(text, (size_t)(colon - text));

		strlist_split(&types, head, ',');
		at = colon + 1;
	}
	key = mem_strndup(at, (size_t)(eq - at));
	if (!colon)
		add_annotation(out, 0, NULL, 0, key, eq + 1);
	for (size_t i = 0; i < types.n; i++) {
		const char *type = types.items[i];
		unsigned place = place_of(type, strlen(type), &platform, &len);

		if (!place || !*key)
			return error_set(err, ERR_INVALID, "unknown annotation type in \"%s\"",
					 text);
		add_annotation(out, place, platform, len, key, eq + 1);
	}
	return 0;
}

/* In all outputs; manifests are what is meant when nothing is said. */
static int annotate_all(const char *text, struct cli_build_outputs *o, struct error *err)
{
	struct image_annotations all = {0};
	int r = cli_annotation_parse(text, &all, err);

	for (size_t i = 0; r == 0 && i < all.n; i++)
		for (size_t k = 0; k < o->outputs.n; k++) {
			const struct image_annotation *a = &all.items[i];

			add_annotation(&o->outputs.items[k].annotations,
				       a->places ? a->places : IMAGE_ANNOTATE_MANIFEST,
				       a->platform, a->platform ? strlen(a->platform) : 0,
				       a->key, a->value);
		}
	image_annotations_clear(&all);
	return r < 0 ? error_wrap(err, "parse annotations") : 0;
}

int cli_build_annotate(const struct strlist *texts, struct cli_build_outputs *out,
		       struct error *err)
{
	int r = 0;

	if (texts->n && !out->n)
		cli_build_outputs_load(out);
	for (size_t i = 0; r == 0 && i < texts->n; i++)
		r = annotate_all(texts->items[i], out, err);
	return r;
}

void cli_build_outputs_load(struct cli_build_outputs *o)
{
	for (size_t i = 0; i < o->outputs.n; i++)
		if (o->outputs.items[i].type == ENGINE_OUTPUT_IMAGE)
			return;
	*vec_push(o) = (struct cli_build_output){.file = CLI_OUTPUT_INIT};
	*vec_push(&o->outputs) = (struct engine_output){.type = ENGINE_OUTPUT_IMAGE, .fd = -1};
}

void cli_build_outputs_push(struct cli_build_outputs *o)
{
	for (size_t i = 0; i < o->outputs.n; i++) {
		struct engine_output *out = &o->outputs.items[i];

		if (out->type == ENGINE_OUTPUT_IMAGE)
			out->type = ENGINE_OUTPUT_REGISTRY;
		if (out->type == ENGINE_OUTPUT_REGISTRY)
			return;
	}
	*vec_push(o) = (struct cli_build_output){.file = CLI_OUTPUT_INIT};
	*vec_push(&o->outputs) =
		(struct engine_output){.type = ENGINE_OUTPUT_REGISTRY,
				       .fd = -1,
				       .form = {.compression = LAYER_GZIP, .level = -1}};
}

bool cli_build_outputs_files(const struct cli_build_outputs *o)
{
	for (size_t i = 0; i < o->outputs.n; i++)
		if (o->outputs.items[i].type == ENGINE_OUTPUT_LOCAL ||
		    o->outputs.items[i].type == ENGINE_OUTPUT_TAR)
			return true;
	return false;
}

int cli_build_outputs_finish(struct cli_build_outputs *o, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->n; i++)
		r = cli_output_finish(&o->items[i].file, err);
	return r;
}

void cli_build_outputs_clear(struct cli_build_outputs *o)
{
	for (size_t i = 0; i < o->n; i++) {
		cli_output_clear(&o->items[i].file);
		free(o->items[i].dest);
		free(o->items[i].level);
	}
	for (size_t i = 0; i < o->outputs.n; i++) {
		strlist_clear(&o->outputs.items[i].names);
		image_annotations_clear(&o->outputs.items[i].annotations);
	}
	free(o->items);
	free(o->outputs.items);
	*o = (struct cli_build_outputs){0};
}

/* ---- --metadata-file ---- */

static json_t *descriptor_json(const struct descriptor *d)
{
	json_t *j = json_object(), *annotations = json_object();
	char text[DIGEST_TEXT_SIZE];

	json_object_set_new(j, "mediaType", json_string(d->media_type));
	json_object_set_new(j, "digest", json_string(digest_text(&d->digest, text)));
	json_object_set_new(j, "size", json_integer((json_int_t)d->size));
	map_each (&d->annotations, e)
		json_object_set_new(annotations, e->key, json_string(e->value));
	if (json_object_size(annotations))
		json_object_set(j, "annotations", annotations);
	json_decref(annotations);
	return j;
}

int cli_build_metadata(const char *path, const struct build_result *result,
		       const struct engine_built *built, struct error *err)
{
	AUTO(cli_output) struct cli_output file = CLI_OUTPUT_INIT;
	AUTO(json) json_t *j = json_object();
	AUTO(free) char *names = strlist_join(&built->names, ",");
	AUTO(buf) struct buf text = BUF_INIT;
	char digest[DIGEST_TEXT_SIZE];
	int r;

	if (*result->id)
		json_object_set_new(j, "buildx.build.ref",
				    json_sprintf("default/default/%s", result->id));
	if (built->descriptor.media_type) {
		json_object_set_new(j, "containerimage.config.digest",
				    json_string(digest_text(&result->image, digest)));
		json_object_set_new(j, "containerimage.descriptor",
				    descriptor_json(&built->descriptor));
		json_object_set_new(
			j, "containerimage.digest",
			json_string(digest_text(&built->descriptor.digest, digest)));
	}
	if (*names)
		json_object_set_new(j, "image.name", json_string(names));
	json_pretty(j, &text);
	if ((r = cli_output_open(path, &file, err)) < 0)
		return error_wrap(err, "the metadata file");
	if (io_write_full(file.fd, text.data, text.len) < 0)
		return error_sys(err, "cannot write %s", path);
	return cli_output_finish(&file, err);
}
