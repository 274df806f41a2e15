/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expander.  The text is a word; what follows its first line end is the
 * value of $V.  Laws: a failure says why; text without anything special stays
 * as it is; the words of a split are what the whole is without its blanks, as
 * long as nothing is quoted.
 */
#include "fuzz.h"

#include "base/banned.h"

static const char *look_up(void *data, const char *name, size_t len)
{
	static const char *const values[] = {"", "a", "path/to.tar.gz", "**?\\", " two words "};

	if (len == 1 && *name == 'V')
		return data;
	return len && *name == 'U' ? NULL : values[len % ARRAY_SIZE(values)];
}

static void check_word(const char *word, const struct expansion *x)
{
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf out = BUF_INIT;
	AUTO(strlist) struct strlist words = STRLIST_INIT;

	if (dockerfile_expand(word, EXPAND_WORD, x, &out, &err) < 0)
		demand(!out.len && err.message && err.code != ERR_NONE);
	else if (!strpbrk(word, "$'\"\\`"))
		demand(str_eq(buf_str(&out), word));
	if (dockerfile_expand_split(word, x, &words, NULL) < 0)
		demand(err.code != ERR_NONE);
	for (size_t k = 0; k < words.n; k++)
		demand(*words.items[k] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *word = mem_strndup((const char *)data, size);
	AUTO(buf) struct buf out = BUF_INIT;
	char *value = strchr(word, '\n');
	struct expansion x = {.escape = '\\', .lookup = look_up};

	if (value)
		*value++ = 0;
	x.data = value ? value : word + strlen(word);
	check_word(word, &x);
	x.escape = '`';
	check_word(word, &x);
	dockerfile_expand(word, EXPAND_HEREDOC, &x, &out, NULL);
	return 0;
}
