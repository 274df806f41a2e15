/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest inspect: what a list kept here or a registry has under a name, in the shapes of
 * Docker's command; manifest referrers.  The lists are made in cmd_manifest_list.c.
 */
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
	add_quoted(out, "Ref", part->ref ? part->ref : buf_str(&name));
	buf_addstr(out, ",\"Descriptor\":{");
	add_quoted(out, "mediaType", d->media_type);
	buf_printf(out, ",\"digest\":\"%s\",\"size\":%llu", digest_text(&d->digest, text),
		   (unsigned long long)d->size);
	buf_addstr(out, ",\"platform\":");
	engine_list_platform(part->platform, out);
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

/* ---- one of them ---- */

/* Out of a list that is kept here. */
static int run_in_list(struct cli_invocation *inv)
{
	const struct inspect_options *o = inv->options;
	AUTO(engine_remote) struct engine_remote list = {0};
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(buf) struct buf one = BUF_INIT;
	const struct engine_remote_part *part;
	int r = engine_list(cli_root(inv), inv->argv[0], &list, &err);

	/* Docker says so of the image, also where there is no such list */
	if (r == -ERR_NOT_FOUND)
		error_clear(&err);
	if ((r < 0 && r != -ERR_NOT_FOUND) ||
	    engine_list_find(&list, inv->argv[1], &part, &err) < 0)
		return cli_fail(inv, &err);
	if (o->verbose)
		add_verbose(&list, part, &one);
	else
		buf_add(&one, part->bytes.data, part->bytes.len);
	json_indent(one.data, one.len, "\t", &text);
	buf_addch(&text, '\n');
	cli_print(inv, &text);
	return 0;
}

/* What is kept here comes before what registries have. */
static int find(struct cli_invocation *inv, struct engine_remote *out, struct error *err)
{
	const struct inspect_options *o = inv->options;
	AUTO(buf) struct buf name = BUF_INIT;
	int r = engine_list(cli_root(inv), inv->argv[0], out, NULL);

	if (r == 0)
		return 0;
	engine_remote_clear(out);
	r = engine_remote(inv->argv[0], o->insecure,
			  o->verbose ? ENGINE_REMOTE_MANIFESTS : ENGINE_REMOTE_TOP, out, err);
	if (r != -ERR_NOT_FOUND)
		return r;
	reference_normal(&out->ref, &name);
	error_clear(err);
	return error_set(err, ERR_NOT_FOUND, "no such manifest: %s", buf_str(&name));
}

static int run(struct cli_invocation *inv)
{
	const struct inspect_options *o = inv->options;
	AUTO(engine_remote) struct engine_remote r = {0};
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;

	if (inv->argc == 2)
		return run_in_list(inv);
	if (find(inv, &r, &err) < 0)
		return cli_fail(inv, &err);
	if (o->verbose)
		print_verbose(&r, &text);
	else if (r.is_index)
		engine_list_encode(&r.parts, &text);
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
	.summary = "Manage Docker image manifests and manifest lists",
	.flags = COMMAND_GROUP,
};

const struct command cmd_manifest_inspect = {
	.path = "manifest inspect",
	.summary = "Display an image manifest, or manifest list",
	.usage = "[OPTIONS] [MANIFEST_LIST] MANIFEST",
	COMMAND_OPTIONS(options, inspect_options),
	.min_args = 1,
	.max_args = 2,
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
