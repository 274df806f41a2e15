/* SPDX-License-Identifier: Apache-2.0 */
/* buildx imagetools inspect: what a registry has under a name, in the shapes of that command.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_command.h"
#include "cli/cli_template.h"

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

struct inspect_options {
	char *format;
	bool raw;
};

static const struct option_def options[] = {
	OPTION(0, "format", STRING, inspect_options, format,
	       "Format the output using the given Go template"),
	OPTION(0, "raw", BOOL, inspect_options, raw,
	       "Show original, unformatted JSON manifest"),
};

/* ---- as text ---- */

/* "Key: value" lines whose values stand below each other. */
struct lines {
	struct line {
		char *key, *value;
	} * items;
	size_t n, cap;
};

static void add_line(struct lines *l, const char *key, const char *value)
{
	*vec_push(l) = (struct line){mem_printf("%s:", key), mem_strdup(value)};
}

static void add_gap(struct lines *l)
{
	*vec_push(l) = (struct line){mem_strdup(""), mem_strdup("")};
}

static void flush_lines(struct lines *l, struct buf *out)
{
	size_t width = 0;

	for (size_t i = 0; i < l->n; i++)
		if (strlen(l->items[i].key) > width)
			width = strlen(l->items[i].key);
	for (size_t i = 0; i < l->n; i++) {
		struct line *line = &l->items[i];

		buf_printf(out, "%-*s%s\n", (int)width + 1, line->key, line->value);
		free(line->key);
		free(line->value);
	}
	free(l->items);
	*l = (struct lines){0};
}

static void add_name(const struct engine_remote *r, const char *key,
		     const struct digest *digest, struct lines *out)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf name = BUF_INIT;

	reference_copy(&r->ref, &ref);
	if (digest) {
		ref.digest = *digest;
		ref.has_digest = true;
	}
	reference_normal(&ref, &name);
	add_line(out, key, buf_str(&name));
}

static void add_platform(const struct descriptor *d, struct lines *out)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (!d->has_platform)
		return;
	platform_format(&d->platform, &text);
	add_line(out, "  Platform", buf_str(&text));
	if (!str_empty(d->platform.os_version))
		add_line(out, "  OSVersion", d->platform.os_version);
}

static void print_part(const struct engine_remote *r, const struct engine_remote_part *part,
		       struct lines *l, struct buf *out)
{
	const struct descriptor *d = &part->descriptor;
	struct lines annotations = {0};

	add_name(r, "  Name", &d->digest, l);
	add_line(l, "  MediaType", d->media_type ? d->media_type : "");
	add_platform(d, l);
	map_each (&d->annotations, e) {
		AUTO(free) char *key = mem_printf("    %s", e->key);

		add_line(&annotations, key, e->value);
	}
	if (!annotations.n)
		return;
	add_line(l, "  Annotations", "");
	flush_lines(l, out);
	flush_lines(&annotations, out);
}

static void print_text(const struct engine_remote *r, struct buf *out)
{
	char digest[DIGEST_TEXT_SIZE];
	struct lines l = {0};

	add_name(r, "Name", NULL, &l);
	add_line(&l, "MediaType", r->top.descriptor.media_type);
	add_line(&l, "Digest", digest_text(&r->top.descriptor.digest, digest));
	if (r->is_index) {
		add_gap(&l);
		add_line(&l, "Manifests", "");
	}
	flush_lines(&l, out);
	for (size_t i = 0; i < r->parts.n; i++) {
		if (i)
			add_gap(&l);
		print_part(r, &r->parts.items[i], &l, out);
	}
	flush_lines(&l, out);
}

/* ---- as a document ---- */

static json_t *parse(const struct buf *bytes)
{
	json_t *doc = NULL;

	return json_parse(bytes->data, bytes->len, &doc, NULL) == 0 ? doc : json_object();
}

static json_t *manifest_of(const struct engine_remote *r)
{
	static const char *const keys[] = {"mediaType",	  "digest", "size",	"urls",
					   "annotations", "data",   "platform", "artifactType"};
	const struct descriptor *d = &r->top.descriptor;
	AUTO(json) json_t *doc = parse(&r->top.bytes);
	json_t *out = json_object(), *list, *entry;
	char digest[DIGEST_TEXT_SIZE];
	size_t i;

	if (r->is_index)
		json_object_set_new(out, "schemaVersion", json_integer(2));
	json_object_set_new(out, "mediaType", json_string(d->media_type));
	json_object_set_new(out, "digest", json_string(digest_text(&d->digest, digest)));
	json_object_set_new(out, "size", json_integer((json_int_t)d->size));
	if (!r->is_index)
		return out;
	list = json_array();
	json_array_foreach (json_object_get(doc, "manifests"), i, entry)
		json_array_append_new(list, json_pick(entry, keys, ARRAY_SIZE(keys)));
	json_object_set_new(out, "manifests", list);
	if (json_object_get(doc, "annotations"))
		json_object_set(out, "annotations", json_object_get(doc, "annotations"));
	return out;
}

static json_t *config_of(const struct engine_remote_part *part)
{
	static const char *const keys[] = {"created", "author",	    "architecture", "variant",
					   "os",      "os.version", "os.features",  "config",
					   "rootfs",  "history"};
	AUTO(json) json_t *doc = parse(&part->config);

	return json_pick(doc, keys, ARRAY_SIZE(keys));
}

/* The config; of an index one for each platform that is an image. */
static json_t *image_of(const struct engine_remote *r)
{
	json_t *out;

	if (!r->is_index)
		return config_of(&r->top);
	out = json_object();
	for (size_t i = 0; i < r->parts.n; i++) {
		const struct engine_remote_part *part = &r->parts.items[i];
		AUTO(image_config) struct image_config config = IMAGE_CONFIG_INIT;
		AUTO(buf) struct buf name = BUF_INIT;

		if (!part->config.len ||
		    image_config_decode(part->config.data, part->config.len, &config, NULL) < 0)
			continue;
		platform_format(part->descriptor.has_platform ? &part->descriptor.platform
							      : &config.platform,
				&name);
		json_object_set_new(out, buf_str(&name), config_of(part));
	}
	return out;
}

/* The field of Go's struct that a member of JSON is. */
static void field_of(const char *key, struct buf *out)
{
	static const char *const odd[][2] = {
		{"os", "OS"},	      {"os.version", "OSVersion"},
		{"urls", "URLs"},     {"os.features", "OSFeatures"},
		{"rootfs", "RootFS"}, {"diff_ids", "DiffIDs"}};

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		if (str_eq(key, odd[i][0])) {
			buf_addstr(out, odd[i][1]);
			return;
		}
	for (bool up = true; *key; key++) {
		if (*key != '_')
			buf_addch(out, (char)(up ? toupper((unsigned char)*key) : *key));
		up = *key == '_';
	}
}

/* Templates name the fields, JSON shows the members; maps have the user's keys. */
static void add_fields(json_t *j)
{
	json_t *value, *fields = json_object();
	const char *key;
	size_t i;

	json_array_foreach (j, i, value)
		add_fields(value);
	json_object_foreach (j, key, value) {
		AUTO(buf) struct buf name = BUF_INIT;

		field_of(key, &name);
		if (!str_eq(key, "annotations") && !str_eq(key, "Labels"))
			add_fields(value);
		if (!str_eq(key, buf_str(&name)))
			json_object_set(fields, buf_str(&name), value);
	}
	if (json_object_size(fields))
		json_object_set(j, CLI_TEMPLATE_OMITTED, fields);
	json_decref(fields);
}

static int print_format(struct cli_invocation *inv, const struct engine_remote *r,
			const struct cli_template *t)
{
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(json) json_t *doc = json_object();
	AUTO(buf) struct buf name = BUF_INIT;
	AUTO(buf) struct buf text = BUF_INIT;

	reference_normal(&r->ref, &name);
	json_object_set_new(doc, "name", json_string(buf_str(&name)));
	json_object_set_new(doc, "manifest", manifest_of(r));
	if (cli_template_uses(t, "Image"))
		json_object_set_new(doc, "image", image_of(r));
	add_fields(doc);
	if (cli_template_execute(t, doc, NULL, &text, &err) < 0)
		return cli_fail(inv, &err);
	buf_addch(&text, '\n');
	cli_print(inv, &text);
	return 0;
}

static int run(struct cli_invocation *inv)
{
	const struct inspect_options *o = inv->options;
	AUTO(engine_remote) struct engine_remote r = {0};
	AUTO(cli_template) struct cli_template *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(free) char *format = o->format ? cli_template_unescape(o->format) : NULL;
	enum engine_remote_depth depth = ENGINE_REMOTE_TOP;

	if (format && o->raw)
		return cli_usage_error(inv, "format and raw cannot be used together");
	if (format && cli_template_parse(format, &t, &err) < 0)
		return cli_fail(inv, &err);
	if (t && cli_template_uses(t, "Image"))
		depth = ENGINE_REMOTE_CONFIGS;
	if (engine_remote(inv->argv[0], false, depth, &r, &err) < 0)
		return cli_fail(inv, &err);
	if (t)
		return print_format(inv, &r, t);
	if (o->raw)
		buf_add(&text, r.top.bytes.data, r.top.bytes.len);
	else
		print_text(&r, &text);
	cli_print(inv, &text);
	return 0;
}

const struct command cmd_imagetools = {
	.path = "buildx imagetools",
	.summary = "Commands to work on images in registry",
	.flags = COMMAND_GROUP | COMMAND_HIDDEN,
};

const struct command cmd_imagetools_inspect = {
	.path = "buildx imagetools inspect",
	.summary = "Show details of an image in the registry",
	.usage = "[OPTIONS] NAME",
	COMMAND_OPTIONS(options, inspect_options),
	.min_args = 1,
	.max_args = 1,
	.flags = COMMAND_HIDDEN,
	.run = run,
};
