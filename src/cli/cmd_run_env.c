/* SPDX-License-Identifier: Apache-2.0 */
/* The environment and the labels of a container: -e, --env-file, -l. */
#include "cli/cmd_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

#define BLANKS " \t\v\f\r\n"

static bool is_utf8(const char *s, size_t len)
{
	json_t *text = json_stringn(s, len);
	bool valid = text != NULL;

	json_decref(text);
	return valid;
}

/* NAME=value, or NAME for our own value; nothing if we have none. */
static int add_env_line(const char *line, struct strlist *env, struct error *err)
{
	size_t len = strcspn(line, "=");
	AUTO(free) char *name = mem_strndup(line, len);
	const char *value;

	if (!len)
		return error_set(err, ERR_INVALID, "no variable name on line '%s'", line);
	if (strpbrk(name, BLANKS))
		return error_set(err, ERR_INVALID, "variable '%s' contains whitespaces", name);
	value = line[len] ? line + len + 1 : getenv(name);
	if (value)
		strlist_printf(env, "%s=%s", name, value);
	return 0;
}

static int parse_env_file(const char *data, size_t len, struct strlist *env, struct error *err)
{
	const char *at = data, *end = data + len;

	if (len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	for (unsigned number = 1; at < end; number++) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((nl ? nl : end) - at);
		AUTO(free) char *line = NULL;
		const char *text;
		int r;

		if (memchr(at, 0, n) || !is_utf8(at, n))
			return error_set(err, ERR_INVALID, "invalid utf8 bytes at line %u",
					 number);
		if (n && at[n - 1] == '\r')
			n--;
		line = mem_strndup(at, n);
		text = line + strspn(line, BLANKS);
		if (*text && *text != '#' && (r = add_env_line(text, env, err)) < 0)
			return r;
		at = nl ? nl + 1 : end;
	}
	return 0;
}

int run_read_env_file(const char *path, struct strlist *env, struct error *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(buf) struct buf text = BUF_INIT;
	int r;

	if (fd < 0)
		return error_sys(err, "open %s", path);
	if ((r = io_read_all(fd, LIMIT_ENV_FILE_BYTES, &text, err)) == 0)
		r = parse_env_file(buf_str(&text), text.len, env, err);
	return r < 0 ? error_wrap(err, "invalid env file (%s)", path) : 0;
}

int run_add_env(const char *text, struct strlist *env, struct error *err)
{
	const char *value;

	if (!*text || *text == '=')
		return error_set(err, ERR_INVALID, "invalid environment variable: %s", text);
	value = strchr(text, '=') ? NULL : getenv(text);
	if (value)
		strlist_printf(env, "%s=%s", text, value);
	else
		strlist_add(env, text); /* a bare NAME takes the image's away */
	return 0;
}

int run_add_label(const char *text, struct map *labels, struct error *err)
{
	size_t len = strcspn(text, "=");
	AUTO(free) char *key = mem_strndup(text, len);

	if (!len)
		return error_set(err, ERR_INVALID, "invalid label '%s': empty name", text);
	map_set(labels, key, mem_strdup(text[len] ? text + len + 1 : ""));
	return 0;
}
