/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

static int open_in_place(const char *path, struct cli_output *out, struct error *err)
{
	out->fd = open(path, O_WRONLY | O_CLOEXEC);
	if (out->fd < 0)
		return error_sys(err, "open %s", path);
	if (isatty(out->fd))
		return error_set(err, ERR_INVALID,
				 "cowardly refusing to save to a terminal. Use the -o flag or "
				 "redirect");
	return 0;
}

/* In the directory of @path; whoever is killed leaves nothing then. -1 where there is no such.
 */
static int open_nameless(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO(free) char *dir = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : NULL;

	return open(dir ? dir : ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
}

static int give_name(struct cli_output *o, struct error *err)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, o->temporary, AT_SYMLINK_FOLLOW) < 0)
		return error_sys(err, "cannot write %s", o->path);
	o->nameless = false;
	return 0;
}

int cli_output_open(const char *path, struct cli_output *out, struct error *err)
{
	char random[33];
	struct stat st;

	*out = CLI_OUTPUT_INIT;
	if (!path || str_eq(path, "-")) {
		if (isatty(STDOUT_FILENO))
			return error_set(err, ERR_INVALID,
					 "cowardly refusing to save to a terminal. Use the -o "
					 "flag or redirect");
		out->fd = STDOUT_FILENO;
		return 0;
	}
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return error_set(err, ERR_INVALID, "cannot write to a directory");
		if (!S_ISREG(st.st_mode))
			return open_in_place(path, out, err);
	}
	random_hex(random, 12);
	out->path = mem_strdup(path);
	out->temporary = mem_printf("%s.%s.tmp", path, random);
	out->fd = open_nameless(path);
	out->nameless = out->fd >= 0;
	if (!out->nameless)
		out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (out->fd < 0) {
		const int why = errno;

		cli_output_clear(out);
		errno = why;
		return error_sys(err, "open %s", path);
	}
	return 0;
}

int cli_output_finish(struct cli_output *o, struct error *err)
{
	struct stat st;

	if (!o->temporary)
		return 0;
	/* what is replaced keeps its mode */
	if (stat(o->path, &st) == 0 && fchmod(o->fd, st.st_mode & 0777) < 0)
		return error_sys(err, "%s", o->path);
	if (o->nameless && give_name(o, err) < 0)
		return -ERR_SYSTEM;
	if (rename(o->temporary, o->path) < 0)
		return error_sys(err, "cannot write %s", o->path);
	free(take_ptr(o->temporary));
	return 0;
}

void cli_output_clear(struct cli_output *o)
{
	if (o->fd != STDOUT_FILENO)
		close_fd(&o->fd);
	if (o->temporary && !o->nameless)
		unlink(o->temporary);
	free(o->temporary);
	free(o->path);
	*o = CLI_OUTPUT_INIT;
}
