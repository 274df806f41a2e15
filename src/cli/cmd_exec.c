/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_run.h"

#include <unistd.h>

#include "base/strlist.h"

#include "base/banned.h"

struct exec_options {
	bool detach, interactive, tty, privileged;
	struct strlist env, env_files;
	char *user, *workdir, *detach_keys;
};

static const struct option_def options[] = {
	OPTION('d', "detach", BOOL, exec_options, detach,
	       "Detached mode: run command in the background"),
	OPTION(0, "detach-keys", STRING, exec_options, detach_keys,
	       "Override the key sequence for detaching a container"),
	OPTION('e', "env", LIST, exec_options, env, "Set environment variables"),
	OPTION(0, "env-file", LIST, exec_options, env_files,
	       "Read in a file of environment variables"),
	OPTION('i', "interactive", BOOL, exec_options, interactive,
	       "Keep STDIN open even if not attached"),
	OPTION(0, "privileged", BOOL, exec_options, privileged,
	       "Give extended privileges to the command"),
	OPTION('t', "tty", BOOL, exec_options, tty, "Allocate a pseudo-TTY"),
	OPTION('u', "user", STRING, exec_options, user,
	       "Username or UID (format: \"<name|uid>[:<group|gid>]\")"),
	OPTION('w', "workdir", STRING, exec_options, workdir,
	       "Working directory inside the container"),
};

static int make_env(const struct exec_options *o, struct strlist *env, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->env_files.n; i++)
		r = run_read_env_file(o->env_files.items[i], env, err);
	for (size_t i = 0; r == 0 && i < o->env.n; i++)
		if ((r = run_add_env(o->env.items[i], env, err)) < 0)
			return run_bad_flag(err, o->env.items[i], "-e, --env");
	return r;
}

static int exec(struct cli_invocation *inv, struct engine_exec *req)
{
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct engine_attached attached;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_exec(e, req, &attached, &err) < 0)
		return cli_fail(inv, &err);
	if (attached.detached) {
		fprintf(inv->program->err, "read escape sequence\n");
		return CLI_EXIT_ERROR;
	}
	return attached.exit_code;
}

static int run(struct cli_invocation *inv)
{
	const struct exec_options *o = inv->options;
	struct engine_exec req = {.container = inv->argv[0],
				  .user = str_empty(o->user) ? NULL : o->user,
				  .workdir = str_empty(o->workdir) ? NULL : o->workdir,
				  .detach_keys = o->detach_keys,
				  .interactive = o->interactive,
				  .tty = o->tty,
				  .detach = o->detach,
				  .privileged = o->privileged,
				  .in = STDIN_FILENO,
				  .out = STDOUT_FILENO,
				  .err = STDERR_FILENO};
	AUTO(error) struct error err = ERROR_INIT;
	int status;

	for (int i = 1; i < inv->argc; i++)
		strlist_add(&req.args, inv->argv[i]);
	if (make_env(o, &req.env, &err) < 0) {
		status = str_starts(err.message, "invalid argument")
				 ? cli_usage_error(inv, "%s", err.message)
				 : cli_fail(inv, &err);
	} else if (o->tty && o->interactive && !o->detach && !isatty(STDIN_FILENO)) {
		fprintf(inv->program->err, "the input device is not a TTY\n");
		status = CLI_EXIT_ERROR;
	} else {
		status = exec(inv, &req);
	}
	strlist_clear(&req.args);
	strlist_clear(&req.env);
	return status;
}

const struct command cmd_exec = {
	.path = "container exec",
	.aliases = "exec",
	.summary = "Execute a command in a running container",
	.usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	COMMAND_OPTIONS(options, exec_options),
	.min_args = 2,
	.max_args = ARGS_ANY,
	.flags = COMMAND_STOP | COMMAND_SHIELD,
	.run = run,
};
