/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another runtime's container with a terminal.
 *
 * Runtimes give the terminal away when they do not stay: `run --detach
 * --console-socket` (runc refuses the socket otherwise; crun, if it stays, does not
 * pass changes of the size on).  So process 1 of their pid name space is a fork of
 * ours, to whom the container falls: it passes signals on, has the runtime remove
 * what it keeps of the container, and ends with the container's code.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/parse.h"
#include "base/process.h"

#include "base/banned.h"

#define PID_FILE "pid"
#define LOG_FILE "log.json"

static void common_words(const struct child *c, const char *bundle_path, struct strlist *args)
{
	strlist_add(args, c->o->runtime);
	strlist_add(args, "--root");
	strlist_printf(args, "%s/state", bundle_path);
	strlist_add(args, "--log-format");
	strlist_add(args, "json");
	strlist_add(args, "--log");
	strlist_printf(args, "%s/" LOG_FILE, bundle_path);
}

static void run_words(const struct child *c, const char *bundle_path, int bundle,
		      struct strlist *args)
{
	common_words(c, bundle_path, args);
	strlist_add(args, "run");
	strlist_add(args, "--detach");
	strlist_add(args, "--bundle");
	strlist_add(args, bundle_path);
	strlist_add(args, "--pid-file");
	strlist_printf(args, "%s/" PID_FILE, bundle_path);
	strlist_add(args, "--console-socket");
	/* a path of any length would not fit into sun_path */
	strlist_printf(args, "/proc/1/fd/%d/" RUNTIME_CONSOLE, bundle);
	strlist_add(args, c->o->id);
}

/* Executes in a child; its status as waitpid() has it. */
static int run_program(struct child *c, const struct strlist *args, const struct strlist *env)
{
	struct error err = ERROR_INIT;
	sigset_t none;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		runtime_execute(c, args, env, &err);
		child_fail(c, &err);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid < 0 ? -1 : status;
}

static pid_t read_pid(const char *bundle_path)
{
	AUTO(fd) int dir = open(bundle_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(buf) struct buf text = BUF_INIT;
	uint64_t pid;

	if (dir < 0 || io_read_file(dir, PID_FILE, 32, &text, NULL) < 0)
		return -1;
	if (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = 0;
	return parse_u64(buf_str(&text), INT32_MAX, &pid) && pid > 1 ? (pid_t)pid : -1;
}

/* Until @command has ended: its code. */
static int reap_and_forward(pid_t command, const sigset_t *all)
{
	int status;

	for (;;) {
		int sig = sigwaitinfo(all, NULL);
		pid_t pid;

		if (sig > 0 && sig != SIGCHLD)
			kill(command, sig);
		while (sig == SIGCHLD && (pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == command)
				return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							   : WEXITSTATUS(status);
	}
}

_Noreturn void runtime_attend(struct child *c, const char *bundle_path, int bundle,
			      const struct strlist *env)
{
	struct strlist run = STRLIST_INIT, delete = STRLIST_INIT;
	sigset_t all;
	pid_t command;
	int code = 125;

	run_words(c, bundle_path, bundle, &run);
	common_words(c, bundle_path, &delete);
	strlist_add(&delete, "delete");
	strlist_add(&delete, "--force");
	strlist_add(&delete, c->o->id);
	/* a blocked signal waits even for a process 1 that has no handler */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (run_program(c, &run, env) != 0 || (command = read_pid(bundle_path)) < 0)
		_exit(code);
	channel_send(c->channel, CHANNEL_EXEC, NULL, 0, -1);
	/* with the host's pid name space this is a process that the container sees */
	prctl(PR_SET_DUMPABLE, 0);
	process_close_from(3);
	code = reap_and_forward(command, &all);
	run_program(c, &delete, env);
	_exit(code);
}

/* The last thing that the runtime has to say: {"level":"error","msg":"…"}. */
static char *last_message(int bundle)
{
	AUTO(buf) struct buf text = BUF_INIT;
	char *line, *rest, *found = NULL;

	if (io_read_file(bundle, LOG_FILE, LIMIT_RUNTIME_LOG, &text, NULL) < 0)
		return NULL;
	for (line = text.len ? strtok_r(text.data, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest)) {
		AUTO(json) json_t *j = NULL;
		char *message = NULL;

		if (json_parse(line, strlen(line), &j, NULL) < 0 ||
		    json_get_string(j, "msg", &message, NULL) < 0 || !message)
			continue;
		free(found);
		found = message;
	}
	return found;
}

int runtime_failure(const char *runtime, int bundle, struct error *err)
{
	AUTO(free) char *message = last_message(bundle);
	int code = 125;

	if (!message)
		return error_set(err, ERR_FAILED, "%s ended before its container ran", runtime);
	/* that the command is not there, or may not be run: in runc's words, and in crun's */
	if (strstr(message, "exec: ") || strstr(message, "executable")) {
		if (strstr(message, "not found") || strstr(message, "no such file"))
			code = 127;
		else if (strstr(message, "ermission denied") ||
			 strstr(message, "not permitted"))
			code = 126;
	}
	error_set(err, ERR_FAILED, "%s", message);
	if (err)
		err->exit_code = code;
	return -ERR_FAILED;
}
