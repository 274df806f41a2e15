/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/cli_template.h"

#include "base/json.h"

static const char document[] =
	"{\"Id\":\"sha256:733723575153773f2dd0\",\"Os\":\"linux\",\"Size\":318,\"Real\":1.5,"
	"\"Parent\":\"\",\"RepoDigests\":[],\"Config\":{\"User\":\"1:2\",\"ArgsEscaped\":true,"
	"\"Env\":[\"PATH=/bin\",\"A=1\",\"B=é\"],\"Cmd\":[\"a\",\"b\"],\"Entrypoint\":null,"
	"\"Labels\":{\"b\":\"2\",\"a\":\"<x>&\"},\"Volumes\":{\"/data\":{},\"/a\":{}},"
	"\"ExposedPorts\":null}}";

/* Asked of Docker 28 for an image of the same shape. */
static const struct {
	const char *text;
	const char *output; /* NULL: fails */
	const char *message;
} cases[] = {
	{"plain", "plain", NULL},
	{"{{.Id}}", "sha256:733723575153773f2dd0", NULL},
	{"{{.Config.Labels}}", "map[a:<x>& b:2]", NULL},
	{"{{.Config.Labels.x}}", "<no value>", NULL},
	{"{{.Config.Labels.a | upper}}", "<X>&", NULL},
	{"{{.Config.Env}}", "[PATH=/bin A=1 B=é]", NULL},
	{"{{json .Config.Env}}", "[\"PATH=/bin\",\"A=1\",\"B=é\"]", NULL},
	{"{{json .Config.Labels}}", "{\"b\":\"2\",\"a\":\"<x>&\"}", NULL},
	{"{{index .Config.Env 0}}", "PATH=/bin", NULL},
	{"{{index .Config.Labels \"a\"}}", "<x>&", NULL},
	{"{{index .Config.Labels \"zz\"}}|", "|", NULL},
	{"{{index .Config \"User\"}}", "1:2", NULL},
	{"{{range .Config.Env}}{{.}},{{end}}", "PATH=/bin,A=1,B=é,", NULL},
	{"{{range $k,$v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=<x>&;b=2;", NULL},
	{"{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$i}}:{{$e}}{{else}}none{{end}}",
	 "0:PATH=/bin, 1:A=1, 2:B=é", NULL},
	{"{{range .RepoDigests}}x{{else}}none{{end}}", "none", NULL},
	{"{{range 3}}{{.}}{{end}}", "012", NULL},
	{"{{range .Config.Env}}{{if eq . \"A=1\"}}{{break}}{{end}}{{.}}{{end}}", "PATH=/bin",
	 NULL},
	{"{{range .Config.Env}}{{if eq . \"A=1\"}}{{continue}}{{end}}{{.}} {{end}}",
	 "PATH=/bin B=é ", NULL},
	{"{{len .Config.Env}} {{.Size}} {{.Config.ArgsEscaped}} {{len .Os}}", "3 318 true 5",
	 NULL},
	{"{{.Config.Volumes}}", "map[/a:{} /data:{}]", NULL},
	{"{{.Config.Entrypoint}} {{.RepoDigests}} {{.Config.ExposedPorts}}", "[] [] map[]",
	 NULL},
	{"{{json .Config.Entrypoint}}", "null", NULL},
	{"{{with .Config}}{{.User}}{{end}} {{- /* c */ -}} x", "1:2x", NULL},
	{"{{with $x := .Os}}{{$x}}{{.}}{{end}} {{- \"  \" -}} {{/* c */}}z", "linuxlinux  z",
	 NULL},
	{"{{with .Parent}}p{{else with .Os}}{{.}}{{end}}", "linux", NULL},
	{"{{printf \"%s-%v-%q\" .Id .Config.Cmd .Os}}",
	 "sha256:733723575153773f2dd0-[a b]-\"linux\"", NULL},
	{"{{printf \"%5s|%-5s|%05d|%x|%q|%t|%.2f\" \"a\" \"b\" 42 255 \"q\" true 1.5 }}",
	 "    a|b    |00042|ff|\"q\"|true|1.50", NULL},
	{"{{printf \"%d%%\" \"x\"}}", "%!d(string=x)%", NULL},
	{"{{printf \"%s\"}}", "%!s(MISSING)", NULL},
	{"{{printf \"x\" 1}}", "x%!(EXTRA int=1)", NULL},
	{"{{print 1 2 \"a\" \"b\" 3}} {{1.5}} {{true}} {{print nil}}", "1 2ab3 1.5 true <nil>",
	 NULL},
	{"{{println \"a\" 1}}", "a 1\n", NULL},
	{"{{and 1 0}} {{or 0 \"x\"}} {{not 1}} {{eq 1 2 1}} {{lt 1 2}} {{ge \"b\" \"a\"}}",
	 "0 x false true true true", NULL},
	{"{{and .Parent .Nope.Deeper}}|", "|", NULL},
	{"{{$x := 5}}{{$x}}{{$x = 6}}{{$x}}{{$.Os}}", "56linux", NULL},
	{"{{.Config.Env | json | len}}", "26", NULL},
	{"{{(index .Config.Env 1)}} {{slice .Id 7 19}}", "A=1 733723575153", NULL},
	{"{{(index .Config.Env 1) | printf \"%s!\"}}", "A=1!", NULL},
	{"{{title \"foo bar\"}} {{pad \"x\" 2 3}}| {{truncate \"abcdef\" 3}} {{split \"a:b\" "
	 "\":\"}} {{join (split \"a:b\" \":\") \"-\"}}",
	 "Foo Bar   x   | abc [a b] a-b", NULL},
	{"{{join .Config.Env \";\"}} {{lower \"ABC\"}}", "PATH=/bin;A=1;B=é abc", NULL},
	{"{{\"a\\tb\"}} {{`r\\n`}} x\\ty", "a\tb r\\n x\\ty", NULL},
	{"{{if .Parent}}p{{else if .Size}}s{{else}}n{{end}}", "s", NULL},
	{"a {{- 1 -}} b", "a1b", NULL},
	{"{{-1}}", "-1", NULL},
	{"{{.}}}", NULL, NULL},
	{"{{if 1}}{{$a := 1}}{{$a}}{{end}}", "1", NULL},

	{"{{.Nope}}", NULL,
	 ":1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\""},
	{"{{.Config.Nope}}", NULL,
	 ":1:9: executing \"\" at <.Config.Nope>: map has no entry for key \"Nope\""},
	{"a\nb {{.Nope}}", NULL,
	 ":2:4: executing \"\" at <.Nope>: map has no entry for key \"Nope\""},
	{"{{index .Config.Env 10}}", NULL,
	 ":1:2: executing \"\" at <index .Config.Env 10>: error calling index: index out of "
	 "range: "
	 "10"},
	{"{{index .Config.Env \"a\"}}", NULL,
	 "error calling index: cannot index slice/array with type string"},
	{"{{.Config.Env.X}}", NULL, "can't evaluate field X in type interface {}"},
	{"{{upper}}", NULL,
	 ":1:2: executing \"\" at <upper>: wrong number of args for upper: want 1 got 0"},
	{"{{1 | upper}}", NULL, "wrong type for value; expected string; got int"},
	{"{{eq \"a\" 1}}", NULL, "error calling eq: incompatible types for comparison"},
	{"{{.Id .Os}}", NULL, "Id is not a method but has arguments"},
	{"{{range .Os}}x{{end}}", NULL, "range can't iterate over linux"},
	{"{{.Id", NULL, "template: :1: unclosed action"},
	{"{{nope .Id}}", NULL, "template: :1: function \"nope\" not defined"},
	{"{{end}}", NULL, "template: :1: unexpected {{end}}"},
	{"{{else}}", NULL, "template: :1: unexpected {{else}}"},
	{"{{if}}x{{end}}", NULL, "template: :1: missing value for if"},
	{"{{}}", NULL, "template: :1: missing value for command"},
	{"{{range .Config.Env}}", NULL, "template: :1: unexpected EOF"},
	{"{{\"abc}}", NULL, "template: :1: unterminated quoted string"},
	{"{{$y}}", NULL, "template: :1: undefined variable \"$y\""},
	{"{{if 1}}{{$a := 1}}{{end}}{{$a}}", NULL, "undefined variable \"$a\""},
	{"{{break}}", NULL, "{{break}} outside {{range}}"},
	{"{{/* x}}", NULL, "unclosed comment"},
	{"{{(1}}", NULL, "unexpected"},
	{"{{1 | 2}}", NULL, "non executable command"},
	{"{{%}}", NULL, "unexpected"},
	{"{{\"\\q\"}}", NULL, "invalid syntax"},
	{"{{1x}}", NULL, "bad number syntax"},
};

static void templates(void **state)
{
	AUTO(json) json_t *doc = NULL;

	(void)state;
	assert_int_equal(json_parse(document, strlen(document), &doc, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cli_template) struct cli_template *t = NULL;
		AUTO(error) struct error err = ERROR_INIT;
		AUTO(buf) struct buf out = BUF_INIT;
		int rc = cli_template_parse(cases[i].text, &t, &err);

		if (rc == 0)
			rc = cli_template_execute(t, doc, NULL, &out, &err);
		if (cases[i].message) {
			if (rc == 0)
				fail_msg("%s: gave %s", cases[i].text, buf_str(&out));
			if (!strstr(err.message, cases[i].message))
				fail_msg("%s: says %s", cases[i].text, err.message);
		} else if (cases[i].output) {
			if (rc < 0)
				fail_msg("%s: %s", cases[i].text, err.message);
			assert_string_equal(buf_str(&out), cases[i].output);
		}
	}
}

static void used_fields(void **state)
{
	AUTO(cli_template) struct cli_template *t = NULL;

	(void)state;
	assert_int_equal(
		cli_template_parse("{{if .A}}{{upper .B.C}}{{end}}{{(len .D)}}", &t, NULL), 0);
	assert_true(cli_template_uses(t, "A"));
	assert_true(cli_template_uses(t, "B"));
	assert_false(cli_template_uses(t, "C"));
	assert_true(cli_template_uses(t, "D"));
}

static void deep_nesting_is_refused(void **state)
{
	AUTO(buf) struct buf text = BUF_INIT;
	struct cli_template *t = NULL;

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_addstr(&text, "{{if 1}}");
	assert_int_equal(cli_template_parse(buf_str(&text), &t, NULL), -ERR_INVALID);
	buf_reset(&text);
	buf_addstr(&text, "{{");
	for (int i = 0; i < 5000; i++)
		buf_addch(&text, '(');
	assert_int_equal(cli_template_parse(buf_str(&text), &t, NULL), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates),
		cmocka_unit_test(used_fields),
		cmocka_unit_test(deep_nesting_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
