/* SPDX-License-Identifier: Apache-2.0 */
/* Standard streams: what the caller gave, or a pty of the container's own devpts. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/root.h"

#include "base/banned.h"

/* /dev/console is the pty itself: who writes there shall be read. */
static int bind_console(const struct child *c, unsigned number, struct error *err)
{
	const struct root_made made = {.mode = 0755, .mtime_sec = -1};
	char name[16];
	AUTO(fd) int dev = -1;
	AUTO(fd) int tree = -1;
	AUTO(fd) int file = -1;
	int r;

	snprintf(name, sizeof(name), "%u", number);
	tree = open_tree(c->pts, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return error_sys(err, "cannot take the terminal %s", name);
	r = c->dev >= 0 ? root_open(c->dev, ROOT_BENEATH, "", O_PATH, 0, &dev, err)
			: root_mkdirs(c->root, ROOT_INSIDE, "/dev", &made, &dev, NULL, err);
	if (r < 0)
		return r;
	file = openat(dev, "console", O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      0600);
	if (file < 0 && errno != EEXIST)
		return error_sys(err, "cannot make /dev/console");
	close_fd(&file);
	file = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0)
		return error_sys(err, "cannot open /dev/console");
	return child_attach_to(tree, file, "/dev/console", err);
}

int child_open_terminal(struct child *c, struct error *err)
{
	const struct process_config *p = &c->spec->process;
	struct winsize size = {.ws_row = (unsigned short)p->console_height,
			       .ws_col = (unsigned short)p->console_width};
	AUTO(fd) int master = -1;
	unsigned number = 0;
	int unlock = 0;

	if (!p->terminal)
		return 0;
	if (c->pts < 0)
		return error_set(err, ERR_INVALID,
				 "a terminal needs a devpts mount at /dev/pts");
	master = openat(c->pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(master, TIOCGPTN, &number) < 0)
		return error_sys(err, "cannot open a terminal");
	/* by descriptor: the name could be covered by then (Linux 4.13) */
	c->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->slave < 0)
		return error_sys(err, "cannot open the terminal's other side");
	if (size.ws_row && size.ws_col)
		ioctl(master, TIOCSWINSZ, &size);
	if (channel_send(c->channel, CHANNEL_TERMINAL, NULL, 0, master) < 0)
		return error_sys(err, "cannot hand over the terminal");
	/* /dev/console is the first command's */
	return c->entering ? 0 : bind_console(c, number, err);
}

/*
 * A command that is not root may open /dev/stdout again only if it owns what
 * is behind.  Pipes without a name and the pty are ours to give; a file or a
 * terminal of the user is not.
 */
static void give_to_user(int fd, uid_t uid)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0 || st.st_uid == uid)
		return;
	if (S_ISFIFO(st.st_mode) && fs.f_type == PIPEFS_MAGIC)
		(void)!fchown(fd, uid, (gid_t)-1);
}

int child_set_stdio(struct child *c, struct error *err)
{
	const struct process_config *p = &c->spec->process;
	int given[3] = {c->slave, c->slave, c->slave}, moved[3];
	int null = -1;

	if (c->slave < 0 && !c->o->stdio)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		if (c->slave < 0)
			given[i] = c->o->stdio ? c->o->stdio[i] : null;
		/* out of the way of 0 to 2, which may be among those given */
		moved[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 3);
		if (moved[i] < 0)
			return error_sys(err, "cannot set up the standard streams");
	}
	for (int i = 0; i < 3; i++) {
		if (dup3(moved[i], i, 0) < 0)
			return error_sys(err, "cannot set up the standard streams");
		give_to_user(i, p->uid);
	}
	if (c->slave >= 0 && fchown(0, p->uid, (gid_t)-1) < 0 && !c->user_ns)
		return error_sys(err, "cannot give the terminal to the user");
	return 0;
}

int child_take_terminal(struct child *c, struct error *err)
{
	if (c->slave < 0)
		return 0;
	/* with --init this is not the leader yet; else it fails, and we are */
	setsid();
	if (ioctl(0, TIOCSCTTY, 0) < 0)
		return error_sys(err, "cannot take the terminal");
	return 0;
}
