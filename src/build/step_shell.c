/* SPDX-License-Identifier: Apache-2.0 */
/* --on-error=shell: what is seen in the failed step, by somebody at a terminal. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/step_container.h"
#include "build/worker.h"

#include "base/banned.h"

static bool is_program(int root, const char *path)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	return root_open(root, ROOT_INSIDE, path, O_PATH, 0, &fd, NULL) == 0 &&
	       fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111;
}

/* The stage's shell, if it is there, else /bin/sh.  New string or NULL. */
static char *find_shell(const struct job *j, int root)
{
	static const char *const places[] = {"/bin", "/usr/bin", "/usr/local/bin"};
	const char *wanted = j->v->run.shell;

	if (strchr(wanted, '/') && is_program(root, wanted))
		return mem_strdup(wanted);
	for (size_t i = 0; !strchr(wanted, '/') && i < ARRAY_SIZE(places); i++) {
		AUTO(free) char *path = mem_printf("%s/%s", places[i], wanted);

		if (is_program(root, path))
			return take_ptr(path);
	}
	return is_program(root, "/bin/sh") ? mem_strdup("/bin/sh") : NULL;
}

/* Says that the step has failed, and waits for the terminal. */
static bool hold(const struct job *j, const struct error *err)
{
	AUTO(buf) struct buf message = BUF_INIT;
	AUTO(buf) struct buf frame = BUF_INIT;
	char answer = 0;

	error_encode(err, &message);
	buf_put_u32(&frame, WORKER_HELD);
	buf_put_u32(&frame, (uint32_t)message.len);
	buf_add(&frame, message.data, message.len);
	return io_write_full(j->report, frame.data, frame.len) == 0 &&
	       io_read_full(j->leave, &answer, 1) == 1 && answer == 'y';
}

static int run_shell(const struct job *j, struct container *c, struct runtime_stdio *stdio,
		     struct error *err)
{
	struct sandbox_options so;
	struct sandbox sb;
	int code, r;

	container_sandbox(j, c, NULL, &so);
	r = sandbox_start(&so, &sb, err);
	/* what it says at its end is nobody's concern: the step's error stands */
	return r < 0 ? r : runtime_stdio_run(stdio, &sb, &so, &code, err);
}

static int open_shell(const struct job *j, const struct mount_set *set, const char *shell,
		      struct error *err)
{
	const struct runtime_stdio_options how = {.tty = true,
						  .interactive = true,
						  .in = STDIN_FILENO,
						  .out = isatty(STDOUT_FILENO) ? STDOUT_FILENO
									       : STDERR_FILENO,
						  .err = STDERR_FILENO};
	AUTO(runtime_stdio) struct runtime_stdio *stdio = NULL;
	AUTO(container) struct container c = CONTAINER_INIT;
	const char *term = getenv("TERM");
	int r;

	container_prepare(j, &c);
	strlist_clear(&c.options.args);
	strlist_add(&c.options.args, shell);
	c.options.tty = true;
	if (!str_empty(term))
		strlist_printf(&c.options.env, "TERM=%s", term);
	strlist_addall(&c.options.env, &set->env);
	if ((r = mounts_clone_root(set, &c.root, err)) < 0 ||
	    (r = container_etc(j, set, &c, err)) < 0 || (r = container_spec(j, &c, err)) < 0 ||
	    (r = mounts_bind(set, c.binds, &c.n_binds, err)) < 0 ||
	    (r = runtime_stdio_new(&how, &stdio, err)) < 0)
		return r;
	runtime_stdio_console(stdio, &c.spec.process);
	return run_shell(j, &c, stdio, err);
}

void step_shell(struct job *j, const struct mount_set *set, struct error *err)
{
	AUTO(free) char *shell = find_shell(j, set->root);
	AUTO(error) struct error why = ERROR_INIT;

	if (!shell)
		error_hint(err,
			   "there is no shell to open: neither %s nor /bin/sh is in the step",
			   j->v->run.shell);
	else if (hold(j, err) && open_shell(j, set, shell, &why) < 0)
		error_hint(err, "the shell could not be opened: %s", why.message);
}
