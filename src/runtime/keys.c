/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that leave a terminal: "ctrl-p,ctrl-q". */
#include <string.h>

#include "runtime/runtime.h"

#include "base/strlist.h"

#include "base/banned.h"

static int parse_key(const char *word, unsigned char *out)
{
	static const char others[] = "@[\\]^_";
	const char *at;

	if (word[0] && !word[1]) {
		*out = (unsigned char)word[0];
		return 0;
	}
	if (!str_starts(word, "ctrl-") || !word[5] || word[6])
		return -1;
	if (word[5] >= 'a' && word[5] <= 'z') {
		*out = (unsigned char)(word[5] - 'a' + 1);
		return 0;
	}
	at = strchr(others, word[5]);
	if (!at)
		return -1;
	*out = at == others ? 0 : (unsigned char)(26 + (at - others));
	return 0;
}

int runtime_keys_parse(const char *text, struct runtime_keys *out, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	struct runtime_keys keys = {0};

	strlist_split(&words, str_empty(text) ? "ctrl-p,ctrl-q" : text, ',');
	for (size_t i = 0; i < words.n; i++)
		if (i >= RUNTIME_KEYS_MAX || parse_key(words.items[i], &keys.keys[i]) < 0)
			return error_set(err, ERR_INVALID,
					 "invalid detach keys (%s): unknown character: '%s'",
					 text, words.items[i]);
	keys.n = words.n;
	*out = keys;
	return 0;
}

bool runtime_keys_filter(struct runtime_keys *k, const char *data, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)data[i];

		if (c == k->keys[k->matched]) {
			if (++k->matched == k->n)
				return true;
			continue;
		}
		buf_add(out, k->keys, k->matched);
		k->matched = c == k->keys[0];
		if (!k->matched)
			buf_addch(out, (char)c);
	}
	return false;
}
