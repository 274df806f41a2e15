/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_confine - what programs that speak to servers give up first.
 *
 * They parse what strangers send, with large libraries.  They need a network, a
 * resolver's settings, certificates, and the descriptors that they were given;
 * nothing else is left to them: no capability, no file but those few and only to
 * be read (Landlock), no program to start, no process to look into, no kind of socket
 * but those of the Internet and of name services (seccomp).
 */
#pragma once

/*
 * @readable: further files, NULL at the end.  0, or -1 with errno; a kernel without
 * Landlock leaves files to the rest.
 */
int fetch_confine(char *const *readable);
