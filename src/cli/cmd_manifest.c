/* SPDX-License-Identifier: Apache-2.0 */
/* manifest inspect: what a registry has under a name, in the shapes of Docker's command. */
#include <nettle/base64.h>

#include "cli/cli_command.h"
#include "cli/cli_table.h"

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

struct inspect_options {
	bool insecure;
	bool verbose;
};

static const struct option_def options[] = {
	OPTION(0, "insecure", BOOL, inspect_options, insecure,
	       "Allow communication with an insecure registry"),
	OPTION('v', "verbose", BOOL, inspect_options, verbose,
	       "Output additional info including layers and platform"),
};

/* ---- parts of documents ---- */

static void add_quoted(struct buf *out, const char *key, const char *value)
{
	json_quote(key, true, out);
	buf_addch(out, ':');
	json_quote(value, true, out);
}

/* The members of a platform that Docker knows, in its order; what has no platform has an empty
 * one. */
static void add_platform(struct buf *out, const json_t *platform)
{
	static const char *const more[] = {"os.version", "os.features", "variant"};
	const char *architecture = json_string_value(json_object_get(platform, "architecture"));
	const char *os = json_string_value(json_object_get(platform, "os"));

	buf_addstr(out, ",\"platform\":{");
	add_quoted(out, "architecture", architecture ? architecture : "");
	buf_addch(out, ',');
	add_quoted(out, "os", os ? os : "");
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		const json_t *value = json_object_get(platform, more[i]);

		if (!value)
			continue;
		buf_printf(out, ",\"%s\":", more[i]);
		json_text(value, out);
	}
	buf_addch(out, '}');
}

static void add_base64(struct buf *out, const struct buf *bytes)
{
	size_t len = BASE64_ENCODE_RAW_LENGTH(bytes->len);

	base64_encode_raw(buf_reserve(out, len), bytes->len, (const uint8_t *)bytes->data);
	out->len += len;
	out->data[out->len] = 0;
}

/* ---- with -v ---- */

static void add_verbose(const struct engine_remote *r, const struct engine_remote_part *part,
			struct buf *out)
{
	const struct descriptor *d = &part->descriptor;
	bool docker = str_eq(d->media_type, MEDIA_DOCKER_MANIFEST);
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf name = BUF_INIT;
	char text[DIGEST_TEXT_SIZE];

	reference_copy(&r->ref, &ref);
	if (r->is_index) {
		ref.digest = d->digest;
		ref.has_digest = true;
	}
	reference_normal(&ref, &name);
	buf_addch(out, '{');
	add_quoted(out, "Ref", buf_str(&name));
	buf_addstr(out, ",\"Descriptor\":{");
	add_quoted(out, "mediaType", d->media_type);
	buf_printf(out, ",\"digest\":\"%s\",\"size\":%llu", digest_text(&d->digest, text),
		   (unsigned long long)d->size);
	add_platform(out, part->platform);
	buf_addstr(out, "},\"Raw\":\"");
	add_base64(out, &part->bytes);
	buf_printf(out, "\",\"%s\":", docker ? "SchemaV2Manifest" : "OCIManifest");
	buf_add(out, part->bytes.data, part->bytes.len);
	buf_addch(out, '}');
}

static void print_verbose(const struct engine_remote *r, struct buf *out)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (r->is_index)
		buf_addch(&text, '[');
	else
		add_verbose(r, &r->top, &text);
	for (size_t i = 0; i < r->parts.n; i++) {
		if (i)
			buf_addch(&text, ',');
		add_verbose(r, &r->parts.items[i], &text);
	}
	if (r->is_index)
		buf_addch(&text, ']');
	json_indent(text.data, text.len, "\t", out);
}

/* ---- without ---- */

/* Docker reads a list and writes one of its own, without annotations. */
static void print_list(const struct engine_remote *r, struct buf *out)
{
	const struct engine_remote_parts *parts = &r->parts;
	bool oci =
		parts->n && str_eq(parts->items[0].descriptor.media_type, MEDIA_OCI_MANIFEST);
	AUTO(buf) struct buf text = BUF_INIT;

	buf_printf(&text, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[",
		   oci ? MEDIA_OCI_INDEX : MEDIA_DOCKER_INDEX);
	for (size_t i = 0; i < parts->n; i++) {
		const struct descriptor *d = &parts->items[i].descriptor;
		char digest[DIGEST_TEXT_SIZE];

		buf_addstr(&text, i ? ",{" : "{");
		add_quoted(&text, "mediaType", d->media_type ? d->media_type : "");
		buf_printf(&text, ",\"size\":%llu,\"digest\":\"%s\"",
			   (unsigned long long)d->size, digest_text(&d->digest, digest));
		add_platform(&text, parts->items[i].platform);
		buf_addch(&text, '}');
	}
	buf_addstr(&text, "]}");
	json_indent(text.data, text.len, "   ", out);
}

static int run(struct cli_invocation *inv)
{
	const struct inspect_options *o = inv->options;
	AUTO(engine_remote) struct engine_remote r = {0};
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	int result = engine_remote(inv->argv[0], o->insecure,
				   o->verbose ? ENGINE_REMOTE_MANIFESTS : ENGINE_REMOTE_TOP, &r,
				   &err);

	if (result == -ERR_NOT_FOUND) {
		AUTO(buf) struct buf name = BUF_INIT;

		reference_normal(&r.ref, &name);
		error_clear(&err);
		error_set(&err, ERR_NOT_FOUND, "no such manifest: %s", buf_str(&name));
	}
	if (result < 0)
		return cli_fail(inv, &err);
	if (o->verbose)
		print_verbose(&r, &text);
	else if (r.is_index)
		print_list(&r, &text);
	else
		json_indent(r.top.bytes.data, r.top.bytes.len, "\t", &text);
	buf_addch(&text, '\n');
	cli_print(inv, &text);
	return 0;
}

/* ---- referrers ---- */

struct referrers_options {
	char *format;
	bool insecure;
	bool quiet;
};

static const struct option_def referrers_table[] = {
	OPTION(0, "format", STRING, referrers_options, format, cli_help_list_format),
	OPTION(0, "insecure", BOOL, referrers_options, insecure,
	       "Allow communication with an insecure registry"),
	OPTION('q', "quiet", BOOL, referrers_options, quiet, "Only show digests"),
};

static const struct cli_column columns[] = {
	{"Digest", "DIGEST"},
	{"ArtifactType", "ARTIFACT TYPE"},
	{"Size", "SIZE"},
};

static const struct cli_table_def table = {
	.type = "*formatter.referrerContext",
	.fallback = "table {{.Digest}}\t{{.ArtifactType}}\t{{.Size}}",
	.quiet = "{{.Digest}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

static json_t *make_row(const json_t *descriptor)
{
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	const char *type = json_string_value(json_object_get(descriptor, "artifactType"));
	json_t *row = json_object();

	cli_row_string(row, "Digest", digest ? digest : "");
	cli_row_string(row, "ArtifactType", type ? type : "<none>");
	cli_row_size(row, "Size",
		     (uint64_t)json_integer_value(json_object_get(descriptor, "size")));
	return row;
}

static int run_referrers(struct cli_invocation *inv)
{
	const struct referrers_options *o = inv->options;
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(json) json_t *all = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	const json_t *one;
	size_t i;

	if (cli_table_new(&table, o->format, o->quiet, &t, &err) < 0 ||
	    engine_remote_referrers(inv->argv[0], o->insecure, &all, &err) < 0)
		return cli_fail(inv, &err);
	json_array_foreach (all, i, one)
		if (cli_table_add(t, make_row(one), &err) < 0)
			return cli_fail(inv, &err);
	cli_table_text(t, &text);
	cli_print(inv, &text);
	return 0;
}

const struct command cmd_manifest = {
	.path = "manifest",
	.summary = "Look at manifests in registries",
	.flags = COMMAND_GROUP,
};

const struct command cmd_manifest_inspect = {
	.path = "manifest inspect",
	.summary = "Display an image manifest, or manifest list",
	.usage = "[OPTIONS] MANIFEST",
	COMMAND_OPTIONS(options, inspect_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

const struct command cmd_manifest_referrers = {
	.path = "manifest referrers",
	.summary = "List what refers to an image: signatures, SBOMs",
	.usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
	COMMAND_OPTIONS(referrers_table, referrers_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_referrers,
};
