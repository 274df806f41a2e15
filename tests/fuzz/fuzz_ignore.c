/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ignore patterns and globs.  The lines up to an empty one are patterns, those
 * behind it are paths; without an empty one they are both.  Laws: the rule and
 * the answer agree; what is taken back in, out of a hidden directory, lies where
 * the walker has to look.
 */
#include "fuzz.h"

#include "base/banned.h"

static void check_path(const struct ignore *ig, const char *path)
{
	struct ignore_rule r = ignore_rule(ig, path);
	const char *slash = strrchr(path, '/');

	demand(ignore_match(ig, path) == (r.pattern && !r.negated));
	if (r.pattern && r.negated && slash && slash != path) {
		AUTO(free) char *dir = mem_strndup(path, (size_t)(slash - path));

		demand(!ignore_match(ig, dir) || ignore_may_contain(ig, dir));
	}
}

static bool is_clean(const char *path)
{
	return *path && *path != '/' && !strstr(path, "//") && !strstr(path, "..") &&
	       path[strlen(path) - 1] != '/' && !str_starts(path, "./") && !strstr(path, "/.");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(ignore) struct ignore *ig = NULL;
	AUTO(strlist) struct strlist paths = STRLIST_INIT;
	AUTO(free) char *text = mem_strndup((const char *)data, size);
	char *behind = strstr(text, "\n\n");

	if (behind)
		*behind = 0;
	if (ignore_parse(text, strlen(text), "ignore", &ig, NULL) < 0)
		return 0;
	strlist_split(&paths, behind ? behind + 2 : text, '\n');
	for (size_t k = 0; k < paths.n && k < 20; k++) {
		if (is_clean(paths.items[k]))
			check_path(ig, paths.items[k]);
		glob_match(paths.items[0], paths.items[k]);
		demand(glob_valid(paths.items[k]) || !glob_match(paths.items[k], "a"));
	}
	return 0;
}
