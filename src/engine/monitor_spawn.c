/* SPDX-License-Identifier: Apache-2.0 */
/* How a command starts a monitor: by executing itself, away from its own session. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/process.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define MONITOR_FD 3

extern char **environ;

/* In the child of a child: nobody waits for it, and no terminal is its own. */
static _Noreturn void become(char *const *argv, int socket)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	socket = fcntl(socket, F_DUPFD, 10);
	for (int i = 0; i < MONITOR_FD; i++)
		dup2(null, i);
	dup2(socket, MONITOR_FD);
	process_close_from(MONITOR_FD + 1);
	process_shield(argv);
	execve("/proc/self/exe", argv, environ);
	_exit(EXIT_FAILURE);
}

int monitor_spawn(struct engine *e, const char *id, unsigned attach, unsigned rows,
		  unsigned columns, int *out, struct error *err)
{
	AUTO(strlist) struct strlist argv = STRLIST_INIT;
	int pair[2], status;
	pid_t child;

	strlist_add(&argv, "stave");
	strlist_add(&argv, "--root");
	strlist_add(&argv, store_path(e->store));
	strlist_add(&argv, "container");
	strlist_add(&argv, "monitor");
	strlist_add(&argv, id);
	strlist_printf(&argv, "%u", attach);
	strlist_printf(&argv, "%u", rows);
	strlist_printf(&argv, "%u", columns);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, "socketpair");
	child = fork();
	if (child == 0) {
		if (fork() == 0)
			become(argv.items, pair[1]);
		_exit(EXIT_SUCCESS);
	}
	close(pair[1]);
	if (child < 0) {
		close(pair[0]);
		return error_sys(err, "cannot start a monitor");
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	*out = pair[0];
	return 0;
}

int monitor_outcome(int socket, struct buf *in, struct error *err)
{
	struct wire_message f;

	for (;;) {
		int r = wire_receive(socket, in, &f, -1);

		if (r <= 0)
			return error_set(err, ERR_FAILED,
					 "the container's monitor ended before its start");
		if (f.type == WIRE_RUNNING) {
			wire_drop(in, &f);
			return 0;
		}
		if (f.type == WIRE_ERROR) {
			if (error_decode(f.data, f.len, err) < 0)
				error_set(err, ERR_FAILED, "the container cannot be started");
			return -(int)(err ? err->code : ERR_FAILED);
		}
		wire_drop(in, &f);
	}
}
