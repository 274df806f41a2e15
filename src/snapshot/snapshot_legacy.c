/* SPDX-License-Identifier: Apache-2.0 */
/*
 * until 6.5: all lower directories must be named in one string of mount(2),
 * at most a page long.  A child enters a private mount name space, makes the
 * layers directory its own so that the names are short, mounts, and sends
 * back a detached clone of the mount.
 */
#include "snapshot/snapshot_legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

#include "base/banned.h"

/* a descriptor travels beside a byte */
#define ONE_BYTE ((struct iovec){.iov_base = (char[1]){0}, .iov_len = 1})

static void make_options(const struct snapshot_stack *s, const char *upper, const char *work,
			 unsigned flags, struct buf *out)
{
	buf_addstr(out, "lowerdir=");
	for (size_t i = s->dirs.n; i-- > 0;)
		buf_printf(out, "%s%s", s->dirs.items[i], i ? ":" : "");
	/* mounted on a name beside the layers: see child_mount() */
	if (s->bottom >= 0)
		buf_printf(out, "%s../stub", s->dirs.n ? ":" : "");
	if (upper)
		buf_printf(out, ",upperdir=%s,workdir=%s%s", upper, work,
			   flags & SNAPSHOT_VOLATILE ? ",volatile" : "");
	/* an upper must be whole by itself: it is the layer */
	buf_addstr(out, ",redirect_dir=nofollow,metacopy=off,index=off");
	buf_addstr(out, geteuid() ? ",userxattr" : "");
}

static int child_mount(const struct snapshot_stack *s, const char *options, bool readonly,
		       int socket)
{
	AUTO(fd) int tree = -1;

	/* in this order: a descriptor from before would lead back to the old name space */
	if (fchdir(s->layers_dir) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("overlay", ".", "overlay", readonly ? MS_RDONLY : 0, options) < 0)
		return errno;
	/* "." still is the directory below the mount; its name leads to the mount itself */
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->layers_dir);
	AUTO(free) char *name = mem_zalloc(4097);
	if (readlink(path, name, 4096) < 0)
		return errno;
	tree = open_tree(AT_FDCWD, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || io_send_fds(socket, &ONE_BYTE, 1, &tree, 1) < 0)
		return errno;
	return 0;
}

int snapshot_mount_legacy(const struct snapshot_stack *s, const char *upper, const char *work,
			  unsigned flags, int *out_fd, struct error *err)
{
	AUTO(buf) struct buf options = BUF_INIT;
	int sockets[2], status = 0;
	pid_t pid;

	make_options(s, upper, work, flags, &options);
	if (options.len >= 4096)
		return error_set(err, ERR_LIMIT,
				 "this kernel mounts no more than a page of layer names (%zu)",
				 s->dirs.n);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return error_sys(err, "socketpair");
	pid = fork();
	if (pid == 0)
		_exit(child_mount(s, buf_str(&options), !upper, sockets[1]));
	close(sockets[1]);
	*out_fd = -1;
	if (pid > 0)
		io_receive_fd(sockets[0], &ONE_BYTE, 1, out_fd);
	close(sockets[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (*out_fd >= 0)
		return 0;
	errno = pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
	return error_sys(err, "cannot mount the layers");
}
