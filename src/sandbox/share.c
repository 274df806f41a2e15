/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount of one container, for another one.  The kernel clones mounts of the caller's own
 * name space only, so a child goes there and sends the clone back.
 */
#include "sandbox/sandbox_child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

static int clone_mount(int target, const char *path, int *out, struct error *err)
{
	struct mount_attr private = {.propagation = MS_PRIVATE};
	AUTO(fd) int root = -1;
	AUTO(fd) int place = -1;
	int r;

	if (setns(target, CLONE_NEWNS) < 0)
		return error_sys(err, "cannot join the mounts of the container");
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return error_sys(err, "cannot open the root of the container");
	/* its links are the container's: they do not lead out of it */
	if ((r = root_open(root, ROOT_INSIDE, path, O_PATH | O_DIRECTORY, 0, &place, err)) < 0)
		return r;
	*out = open_tree(place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (*out < 0 || mount_setattr(*out, "", AT_EMPTY_PATH, &private, sizeof(private)) < 0)
		return error_sys(err, "cannot take %s of the container", path);
	return 0;
}

static _Noreturn void child(struct child *c, int target, const char *path)
{
	struct error err = ERROR_INIT;
	int fd = -1;

	if (clone_mount(target, path, &fd, &err) < 0)
		child_fail(c, &err);
	channel_send(c->channel, CHANNEL_GO, NULL, 0, fd);
	_exit(0);
}

static int receive(int channel, int *out, struct error *err)
{
	AUTO(free) struct channel_message *m = mem_new(struct channel_message);

	if (channel_receive(channel, m) <= 0)
		return error_set(err, ERR_SYSTEM, "cannot look into the container");
	if (m->type == CHANNEL_GO && m->fd >= 0) {
		*out = m->fd;
		return 0;
	}
	if (m->type != CHANNEL_ERROR || error_decode(m->data, m->len, err) < 0)
		return error_set(err, ERR_SYSTEM, "cannot look into the container");
	return -(int)(err ? err->code : ERR_SYSTEM);
}

int sandbox_take_mount(pid_t pid, const char *path, int *out, struct error *err)
{
	AUTO(fd) int target = (int)syscall(SYS_pidfd_open, pid, 0);
	int channel[2], r;
	pid_t helper;

	if (target < 0)
		return error_set(err, ERR_CONFLICT, "the container is not running");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		return error_sys(err, "socketpair");
	helper = fork();
	if (helper == 0) {
		struct child c = {.channel = channel[1]};

		close(channel[0]);
		child(&c, target, path);
	}
	close(channel[1]);
	r = helper < 0 ? error_sys(err, "cannot start a process")
		       : receive(channel[0], out, err);
	close(channel[0]);
	if (helper > 0)
		waitpid(helper, NULL, 0);
	return r;
}
