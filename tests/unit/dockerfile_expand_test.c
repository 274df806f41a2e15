/* SPDX-License-Identifier: Apache-2.0 */
/* Expansion of words; the values were seen with Docker 28's builder. */
#include "dockerfile/dockerfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

static const char *const environment[][2] = {
	{"V", "foobar"},
	{"E", ""},
	{"P", "a/b/c.tar.gz"},
	{"S", "x y"},
	{"ST", "a*b"},
	{"HP", "/usr/local/bin"},
	{"N", "two\nlines"},
	{"Ü", "umlaut"},
	{"DOLLAR", "$V"},
	{"MONEY", "$$"},
	{"STAR", "*\\"},
	{"STX", "b*"},
	{"LONG", "a\xe0\x80\x80x\xed\xa0\x80"},
	{"Q", "it's \"so\""},
	{"U8", "äöü"},
};

struct watch {
	struct buf unset;
};

static const char *look_up(void *data, const char *name, size_t len)
{
	(void)data;
	for (size_t k = 0; k < ARRAY_SIZE(environment); k++)
		if (strlen(environment[k][0]) == len &&
		    memcmp(environment[k][0], name, len) == 0)
			return environment[k][1];
	return NULL;
}

static void note_unset(void *data, const char *name, size_t len)
{
	struct watch *w = data;

	buf_add(&w->unset, name, len);
	buf_addch(&w->unset, ' ');
}

struct row {
	const char *word;
	const char *value; /* NULL: an error, see .error */
	const char *error; /* part of the message */
};

static const struct row words[] = {
	{"", "", NULL},
	{"plain", "plain", NULL},
	{"${LONG//x/y}", "a\xe0\x80\x80y\xed\xa0\x80", NULL},
	{"${V//o/[\\$0]}", "f[\\o][\\o]bar", NULL},
	{"${V//o/\\$$}", "f\\$\\$bar", NULL},
	{"${V//o/$DOLLAR}", "fbar", NULL},
	{"${V/o/$DOLLAR}", "f$Vobar", NULL},
	{"${V//o/$MONEY}", "f$$bar", NULL},
	{"${STX%$STAR}", "b", NULL},
	{"${V/$DOLLAR/x}", "foobar", NULL},
	{"$V", "foobar", NULL},
	{"${V}x", "foobarx", NULL},
	{"$Vx", "", NULL},
	{"$1a", "a", NULL},
	{"${1}", "", NULL},
	{"$", "$", NULL},
	{"a$", "a$", NULL},
	{"$/x", "$/x", NULL},
	{"$-x", "x", NULL},
	{"a$$b", "ab", NULL},
	{"$@x", "x", NULL},
	{"${@}", "", NULL},
	{"$Ü", "umlaut", NULL},
	{"$V–x", "foobar–x", NULL},
	{"$V\xffx", "foobar\xffx", NULL},
	{"\\$V", "$V", NULL},
	{"'$V'", "$V", NULL},
	{"\"$V\"", "foobar", NULL},
	{"\"\\$V\"", "$V", NULL},
	{"\"a\\b\"", "a\\b", NULL},
	{"a\\b", "ab", NULL},
	{"\"a\\\"b\"", "a\"b", NULL},
	{"\"a\\\\b\"", "a\\b", NULL},
	{"'a\\b'", "a\\b", NULL},
	{"a\\ b", "a b", NULL},
	{"a\\", "a", NULL},
	{"\"a'b\"", "a'b", NULL},
	{"'a\"b'", "a\"b", NULL},
	{"a\"\"b''c", "abc", NULL},
	{"$S", "x y", NULL},
	{"$DOLLAR", "$V", NULL},
	{"$Q", "it's \"so\"", NULL},
	{"${U:-d}", "d", NULL},
	{"${U-d}", "d", NULL},
	{"${E:-d}", "d", NULL},
	{"${E-d}", "", NULL},
	{"${V:-d}", "foobar", NULL},
	{"${V:+alt}", "alt", NULL},
	{"${U:+alt}", "", NULL},
	{"${E:+alt}", "", NULL},
	{"${E+alt}", "alt", NULL},
	{"${U+alt}", "", NULL},
	{"${U:-${E:-n}}", "n", NULL},
	{"${U:-\"x y\"}", "x y", NULL},
	{"\"${U:-'q'}\"", "q", NULL},
	{"${U:-a\\}b}", "a}b", NULL},
	{"${U:-}", "", NULL},
	{"${V?m}", "foobar", NULL},
	{"${V:?m}", "foobar", NULL},
	{"${E?m}", "", NULL},
	{"${V#f*}", "oobar", NULL},
	{"${V##f*}", "", NULL},
	{"${V%o*}", "fo", NULL},
	{"${V%%o*}", "f", NULL},
	{"${V#?}", "oobar", NULL},
	{"${V%?}", "fooba", NULL},
	{"${V%??r}", "foo", NULL},
	{"${V#x}", "foobar", NULL},
	{"${V#}", "foobar", NULL},
	{"${ST#a\\*}", "b", NULL},
	{"${HP##*/}", "bin", NULL},
	{"${HP%/*}", "/usr/local", NULL},
	{"${P%%.*}", "a/b/c", NULL},
	{"${P#*.}", "tar.gz", NULL},
	{"${P##*.}", "gz", NULL},
	{"${U#x}", "", NULL},
	{"${U8#?}", "öü", NULL},
	{"${U8%?}", "äö", NULL},
	{"${N#t*l}", "two\nlines", NULL},
	{"${HP#$HP}", "", NULL},
	{"${P/\\//_}", "a_b/c.tar.gz", NULL},
	{"${P//\\//_}", "a_b_c.tar.gz", NULL},
	{"${V/o/\\/}", "f\\/obar", NULL},
	{"${V/o/[\\$1]}", "f[\\$1]obar", NULL},
	{"${V//o/$E}", "fbar", NULL},
	{"${V/[a-z]/X}", "foobar", NULL},
	{"${V/*o/X}", "Xbar", NULL},
	{"${V//?/X}", "XXXXXX", NULL},
	{"${V/b/}", "fooar", NULL},
	{"\"${V/b/x y}\"", "foox yar", NULL},
	{"${V//*/X}", "X", NULL},
	{"${V///-}", "-f-o-o-b-a-r-", NULL},
	{"${V//\\*/X}", "foobar", NULL},
	{"${U8//ö/o}", "äoü", NULL},
	{"${", NULL, "missing '}'"},
	{"${}", NULL, "bad substitution"},
	{"${:x}", NULL, "bad substitution"},
	{"${{x}}", NULL, "bad substitution"},
	{"${V", NULL, "missing '}'"},
	{"${V:", NULL, "missing '}'"},
	{"${V-a", NULL, "missing '}'"},
	{"${V:-${W}", NULL, "missing '}'"},
	{"${V/a", NULL, "missing '/'"},
	{"${V//o}", NULL, "missing '/'"},
	{"${V/a/b", NULL, "missing '}'"},
	{"${V:=x}", NULL, "unsupported modifier (:=)"},
	{"${V=x}", NULL, "unsupported modifier (=)"},
	{"${V:#x}", NULL, "unsupported modifier (:#)"},
	{"${V:3}", NULL, "unsupported modifier (:3)"},
	{"${V^}", NULL, "unsupported modifier (^)"},
	{"${Vü–}", NULL, "unsupported modifier (–)"},
	{"${U?}", NULL, "U: must be set"},
	{"${U:?}", NULL, "U: must be set"},
	{"${E:?}", NULL, "E: must not be empty"},
	{"${U:?no way}", NULL, "U: no way"},
	{"\"abc", NULL, "double quote"},
	{"\"abc\\", NULL, "double quote"},
	{"'abc", NULL, "single quote"},
	{"${V#\\a}", NULL, "invalid escape"},
	{"${V#a\\", NULL, "missing '}'"},
};

static void check(const struct row *r, enum expand_mode mode, char escape)
{
	AUTO(buf) struct buf out = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	struct expansion x = {.escape = escape, .lookup = look_up};
	int code = dockerfile_expand(r->word, mode, &x, &out, &err);

	if (!r->value) {
		if (code != -ERR_INVALID || !strstr(err.message, r->error))
			fail_msg("%s: %d \"%s\"", r->word, code,
				 err.message ? err.message : buf_str(&out));
		assert_int_equal(out.len, 0);
		return;
	}
	if (code != 0)
		fail_msg("%s: %s", r->word, err.message);
	if (!str_eq(buf_str(&out), r->value))
		fail_msg("%s is \"%s\", not \"%s\"", r->word, buf_str(&out), r->value);
}

static void test_words(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(words); k++)
		check(&words[k], EXPAND_WORD, 0);
}

static void test_backtick(void **state)
{
	static const struct row rows[] = {
		{"C:\\x\\$V", "C:\\x\\foobar", NULL}, {"a`$b", "a$b", NULL},
		{"\"x`\"y\\\"", "x\"y\\", NULL},      {"`", "", NULL},
		{"${U:-a`}b}", "a}b", NULL},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
		check(&rows[k], EXPAND_WORD, '`');
}

static void test_heredoc(void **state)
{
	static const struct row rows[] = {
		{"a \"$V\" 'b'\n", "a \"foobar\" 'b'\n", NULL},
		{"'$V'\n", "'foobar'\n", NULL},
		{"\\$V it's\n", "$V it's\n", NULL},
		{"a\\\\b\n", "a\\b\n", NULL},
		{"${U:-\"q\"}", "\"q\"", NULL},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
		check(&rows[k], EXPAND_HEREDOC, '`');
}

static void test_split(void **state)
{
	static const struct {
		const char *word;
		const char *joined; /* with "|" */
	} rows[] = {
		{"", ""},
		{"80", "80"},
		{"$S", "x|y"},
		{"\"$S\"", "x y"},
		{"a$S", "ax|y"},
		{"${S}b", "x|yb"},
		{"  a  b ", "a|b"},
		{"'a b'c\\ d e", "a bc d|e"},
		{"$E \"\" ''", ""},
		{"$N", "two|lines"},
		{"9\"$S\"", "9x y"},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		AUTO(strlist) struct strlist out = STRLIST_INIT;
		AUTO(free) char *joined = NULL;
		struct expansion x = {.lookup = look_up};

		assert_int_equal(dockerfile_expand_split(rows[k].word, &x, &out, NULL), 0);
		joined = strlist_join(&out, "|");
		assert_string_equal(joined, rows[k].joined);
	}
}

static void test_unset(void **state)
{
	AUTO(buf) struct buf out = BUF_INIT;
	struct watch w = {BUF_INIT};
	struct expansion x = {.lookup = look_up, .data = &w, .unset = note_unset};

	(void)state;
	assert_int_equal(dockerfile_expand("$A${B}$V${C:-x}${D+x}'$F'${G#x}${H/x/y}",
					   EXPAND_WORD, &x, &out, NULL),
			 0);
	assert_string_equal(buf_str(&w.unset), "A B C D G H ");
	buf_clear(&w.unset);
}

static const char *look_up_long(void *data, const char *name, size_t len)
{
	(void)name;
	(void)len;
	return data;
}

static void check_limit(const char *word, char *value)
{
	AUTO(buf) struct buf out = BUF_INIT;
	struct expansion x = {.lookup = look_up_long, .data = value};

	assert_int_equal(dockerfile_expand(word, EXPAND_WORD, &x, &out, NULL), -ERR_LIMIT);
}

static void test_limits(void **state)
{
	AUTO(buf) struct buf deep = BUF_INIT, wide = BUF_INIT;
	AUTO(free) char *value = mem_alloc(LIMIT_EXPANSION_BYTES / 2 + 1);

	(void)state;
	memset(value, 'a', LIMIT_EXPANSION_BYTES / 2);
	value[LIMIT_EXPANSION_BYTES / 2] = 0;
	check_limit("$A$A$A", value);
	check_limit("${A//a/bbbb}", value);
	check_limit("${A//a*a*a*a*a*b/c}", value);
	check_limit("${A##*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*"
		    "a*a*a*a*"
		    "a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b}",
		    value);
	for (int k = 0; k < 100000; k++) {
		buf_addstr(&deep, "${A+");
		buf_addstr(&wide, "${A##*}");
	}
	check_limit(buf_str(&deep), value);
	check_limit(buf_str(&wide), value);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),	cmocka_unit_test(test_backtick),
		cmocka_unit_test(test_heredoc), cmocka_unit_test(test_split),
		cmocka_unit_test(test_unset),	cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("dockerfile_expand", tests, NULL, NULL);
}
