/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and executing the command, with Docker's words when it is not there.
 *
 * The process is inside by now, so plain paths are the container's, and the
 * user's rights decide, as they will at execve().
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

#define EXIT_NOT_FOUND	    127
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_EXECUTED   255 /* Docker's, when execve() itself refuses */

/* 0, or an errno: may this user execute the file? */
static int examine(const char *path)
{
	struct stat st;

	if (fstatat(AT_FDCWD, path, &st, 0) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	/* root may execute what anybody may; the kernel agrees */
	if (!(st.st_mode & 0111))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

static int set_code(struct error *err, int exit_code)
{
	err->exit_code = exit_code;
	return -(int)err->code;
}

static int explain_path(const char *name, int why, struct error *err)
{
	switch (why) {
	case ENOENT:
		error_set(err, ERR_NOT_FOUND,
			  "exec: \"%s\": stat %s: no such file or directory", name, name);
		return set_code(err, EXIT_NOT_FOUND);
	case EISDIR:
		error_set(err, ERR_DENIED, "exec: \"%s\": is a directory: permission denied",
			  name);
		return set_code(err, EXIT_NOT_EXECUTABLE);
	case EACCES:
		error_set(err, ERR_DENIED, "exec: \"%s\": permission denied", name);
		error_hint(err, "is the file executable for the user of the container?");
		return set_code(err, EXIT_NOT_EXECUTABLE);
	default:
		error_set(err, ERR_FAILED, "exec: \"%s\": stat %s: %s", name, name,
			  error_reason(why));
		return set_code(err, 125);
	}
}

static char *search(const char *name, const char *path)
{
	while (path && *path) {
		size_t n = strcspn(path, ":");
		/* an empty part means the working directory; Go's look-up refuses that, so do
		 * we */
		AUTO(free)
		char *candidate =
			n && *path == '/' ? mem_printf("%.*s/%s", (int)n, path, name) : NULL;

		if (candidate && examine(candidate) == 0)
			return take_ptr(candidate);
		path += n;
		path += *path == ':';
	}
	return NULL;
}

int child_find_program(const struct child *c, char **out_path, struct error *err)
{
	const struct process_config *p = &c->spec->process;
	const char *name = p->args.items[0];
	int why;

	if (strchr(name, '/')) {
		why = examine(name);
		if (why)
			return explain_path(name, why, err);
		*out_path = mem_strdup(name);
		return 0;
	}
	*out_path = *name ? search(name, strlist_env_get(&p->env, "PATH")) : NULL;
	if (*out_path)
		return 0;
	error_set(err, ERR_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH", name);
	return set_code(err, EXIT_NOT_FOUND);
}

int child_execute(const struct child *c, const char *path, struct error *err)
{
	static char *nothing[] = {NULL};
	const struct process_config *p = &c->spec->process;
	int why;

	execve(path, p->args.items, p->env.items ? p->env.items : nothing);
	why = errno;
	error_set(err, ERR_FAILED, "exec %s: %s", path, error_reason(why));
	if (why == ENOENT)
		error_hint(err,
			   "the interpreter that the file names, or its dynamic loader, is "
			   "not in the image");
	if (why == ENOEXEC)
		error_hint(err, "is it a script without #!, or a program for another "
				"architecture?");
	return set_code(err, EXIT_NOT_EXECUTED);
}
