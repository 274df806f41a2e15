/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runtime_terminal.h"

#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/runtime.h"

#include "base/banned.h"

/* The one global of this module: exit handlers have no argument. */
static struct {
	struct termios before;
	pid_t owner; /* a forked child must not touch its parent's terminal */
	int fd;
	bool raw;
	bool registered;
} saved;

bool terminal_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return false;
	saved.before = t;
	saved.fd = fd;
	saved.owner = getpid();
	cfmakeraw(&t);
	saved.raw = tcsetattr(fd, TCSANOW, &t) == 0;
	if (saved.raw && !saved.registered)
		saved.registered = atexit(terminal_restore) == 0;
	return saved.raw;
}

void terminal_restore(void)
{
	if (!saved.raw || saved.owner != getpid())
		return;
	tcsetattr(saved.fd, TCSADRAIN, &saved.before);
	saved.raw = false;
}

bool terminal_size(int fd, struct winsize *out)
{
	return ioctl(fd, TIOCGWINSZ, out) == 0 && out->ws_row && out->ws_col;
}

bool runtime_terminal_raw(int fd)
{
	return terminal_raw(fd);
}

void runtime_terminal_restore(void)
{
	terminal_restore();
}

bool runtime_terminal_size(int fd, unsigned *rows, unsigned *columns)
{
	struct winsize size;

	if (!terminal_size(fd, &size))
		return false;
	*rows = size.ws_row;
	*columns = size.ws_col;
	return true;
}
