/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/cli_table.h"

#include "base/auto.h"

static const struct cli_column columns[] = {
	{"Repository", "REPOSITORY"}, {"Tag", "TAG"},	{"ID", "IMAGE ID"},
	{"CreatedSince", "CREATED"},  {"Size", "SIZE"}, {"Labels", "LABELS"},
};

static const struct cli_table_def images = {
	.type = "*formatter.imageContext",
	.fallback = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
	.quiet = "{{.ID}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

static json_t *row(const char *repository, const char *tag, const char *id, const char *size)
{
	json_t *j = json_object();

	cli_row_string(j, "Repository", repository);
	cli_row_string(j, "Tag", tag);
	cli_row_string(j, "ID", id);
	cli_row_string(j, "CreatedSince", "5 minutes ago");
	cli_row_string(j, "Size", size);
	cli_row_string(j, "Labels", "com.a=1,b=x<y");
	return j;
}

static const struct {
	const char *format;
	bool quiet;
	const char *text; /* or the message, if it begins with "template" */
} cases[] = {
	{NULL, false,
	 "REPOSITORY   TAG       IMAGE ID       CREATED         SIZE\n"
	 "alpine       3.19      60af91b8fd50   5 minutes ago   1.98MB\n"
	 "<none>       <none>    a763e1b577a6   5 minutes ago   0B\n"},
	{"table", true, "60af91b8fd50\na763e1b577a6\n"},
	{NULL, true, "60af91b8fd50\na763e1b577a6\n"},
	{"{{.Tag}}", true, "3.19\n<none>\n"},
	{"table {{.Repository}}\\t{{.Tag}}", true,
	 "REPOSITORY   TAG\nalpine       3.19\n<none>       <none>\n"},
	{"table {{.Repository}} {{.Tag}}xx {{json .ID}} {{upper .Size}}", false,
	 "REPOSITORY TAGxx IMAGE ID SIZE\nalpine 3.19xx \"60af91b8fd50\" 1.98MB\n"
	 "<none> <none>xx \"a763e1b577a6\" 0B\n"},
	{"{{.Repository}}\\t{{.Tag}}|", false, "alpine\t3.19|\n<none>\t<none>|\n"},
	{"json", false,
	 "{\"CreatedSince\":\"5 minutes ago\",\"ID\":\"60af91b8fd50\","
	 "\"Labels\":\"com.a=1,b=x\\u003cy\",\"Repository\":\"alpine\",\"Size\":\"1.98MB\","
	 "\"Tag\":\"3.19\"}\n"
	 "{\"CreatedSince\":\"5 minutes ago\",\"ID\":\"a763e1b577a6\","
	 "\"Labels\":\"com.a=1,b=x\\u003cy\",\"Repository\":\"\\u003cnone\\u003e\","
	 "\"Size\":\"0B\",\"Tag\":\"\\u003cnone\\u003e\"}\n"},
	{"{{json .Tag}}", false, "\"3.19\"\n\"<none>\"\n"},
	{"table {{.Label \"x.y-z\"}}\\t{{.Label \"b\"}}", false,
	 "y z       b\n          x<y\n          x<y\n"},
	{"{{.Label \"com.a\"}}", false, "1\n1\n"},
	{"{{if eq .Tag \"3.19\"}}Y{{else}}N{{end}}", false, "Y\nN\n"},
	{"{{.Foo}}", false,
	 "template parsing error: template: :1:2: executing \"\" at <.Foo>: can't evaluate "
	 "field "
	 "Foo in type *formatter.imageContext"},
	{"table {{.ID}} {{.Foo}}", false,
	 "template parsing error: template: :1:10: executing \"\" at <.Foo>: can't evaluate "
	 "field "
	 "Foo in type *formatter.imageContext"},
	{"{{.Repository", false, "template parsing error: template: :1: unclosed action"},
};

static int render(const char *format, bool quiet, struct buf *out, struct error *err)
{
	AUTO(cli_table) struct cli_table *t = NULL;
	int rc = cli_table_new(&images, format, quiet, &t, err);

	if (rc == 0)
		rc = cli_table_add(t, row("alpine", "3.19", "60af91b8fd50", "1.98MB"), err);
	if (rc == 0)
		rc = cli_table_add(t, row("<none>", "<none>", "a763e1b577a6", "0B"), err);
	if (rc == 0)
		cli_table_text(t, out);
	return rc;
}

static void tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf out = BUF_INIT;
		AUTO(error) struct error err = ERROR_INIT;
		int rc = render(cases[i].format, cases[i].quiet, &out, &err);

		assert_string_equal(rc < 0 ? err.message : buf_str(&out), cases[i].text);
	}
}

static void alignment(void **state)
{
	static const struct {
		const char *text;
		const char *aligned;
	} texts[] = {
		{"", ""},
		{"a\tb\n", "a         b\n"},
		{"a\t\tb\n", "a                   b\n"},
		{"a\t\n", "a         \n"},
		{"0123456789\tb\nx\ty\n", "0123456789   b\nx            y\n"},
		{"é…\tb\n", "é…        b\n"},
		/* A line without the column ends its block. */
		{"0123456789\tb\nmiddle\nx\ty\n", "0123456789   b\nmiddle\nx         y\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(buf) struct buf out = BUF_INIT;

		cli_align(texts[i].text, &out);
		assert_string_equal(buf_str(&out), texts[i].aligned);
	}
}

static void words(void **state)
{
	static const struct {
		const char *text;
		size_t width;
		const char *cut;
	} cuts[] = {
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"},
		{"ééé", 2, "é…"},  {"é", 1, "é"},
		{"abc", 1, "…"},   {"abc", 0, ""},
		{"", 5, ""},	   {"\"apk add --no-cache x\"", 20, "\"apk add --no-cache…"},
	};
	char *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		s = cli_truncate(cuts[i].text, cuts[i].width);
		assert_string_equal(s, cuts[i].cut);
		free(s);
	}
	s = cli_short_id("sha256:0123456789abcdef");
	assert_string_equal(s, "0123456789ab");
	free(s);
	s = cli_time_ago(1000000000, 1000000000 + 21LL * 86400 * 1000000000);
	assert_string_equal(s, "3 weeks ago");
	free(s);
	s = cli_time_ago(0, 5);
	assert_string_equal(s, "N/A");
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(alignment),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
