/* SPDX-License-Identifier: Apache-2.0 */
/* terminal - ours, raw for a while, and given back however the process ends. */
#pragma once

#include <stdbool.h>
#include <sys/ioctl.h>

/* Makes @fd raw; one at a time.  False if it is no terminal. */
bool terminal_raw(int fd);
/* Gives it back; harmless if it is not raw.  Also runs at exit(3). */
void terminal_restore(void);
/* False if @fd is no terminal or does not know its size. */
bool terminal_size(int fd, struct winsize *out);
