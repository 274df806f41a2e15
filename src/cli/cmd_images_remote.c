/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_images_remote.h"

#include "cli/cli_table.h"

#include "base/mem.h"

#include "base/banned.h"

static const struct cli_column columns[] = {
	{"Repository", "REPOSITORY"},
	{"Tag", "TAG"},
	{"Digest", "DIGEST"},
};

#define TABLE(digest)                                                    \
	{                                                                \
		.type = "*formatter.imageContext",                       \
		.fallback = "table {{.Repository}}\t{{.Tag}}" digest,    \
		.quiet = "{{.Repository}}:{{.Tag}}", .columns = columns, \
		.ncolumns = ARRAY_SIZE(columns),                         \
	}

static const struct cli_table_def table = TABLE("");
static const struct cli_table_def table_digests = TABLE("\t{{.Digest}}");

static int fill(const struct images_remote *how, struct cli_table *t, struct error *err)
{
	AUTO(engine_tags) struct engine_tags tags = {0};
	AUTO(buf) struct buf name = BUF_INIT;
	int r = engine_remote_tags(how->repository, cli_table_uses(t, "Digest"), &tags, err);

	reference_familiar_name(&tags.ref, &name);
	for (size_t i = 0; r == 0 && i < tags.names.n; i++) {
		json_t *row = json_object();
		char text[DIGEST_TEXT_SIZE];

		cli_row_string(row, "Repository", buf_str(&name));
		cli_row_string(row, "Tag", tags.names.items[i]);
		if (tags.digests.n)
			cli_row_string(row, "Digest",
				       digest_text(&tags.digests.items[i], text));
		r = cli_table_add(t, row, err);
	}
	return r;
}

int images_remote(struct cli_invocation *inv, const struct images_remote *how)
{
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;

	if (cli_table_new(how->digests ? &table_digests : &table, how->format, how->quiet, &t,
			  &err) < 0 ||
	    fill(how, t, &err) < 0)
		return cli_fail(inv, &err);
	cli_table_text(t, &text);
	cli_print(inv, &text);
	return 0;
}
