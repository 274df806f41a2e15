/* SPDX-License-Identifier: Apache-2.0 */
/* server - what stave-names and stave-forward have in common. */
#pragma once

#include "base/error.h"

#define SERVER_MEMORY_BYTES (256u << 20) /* then it ends: what it keeps has to fit */

/*
 * From here on the process can wait, receive, send and open sockets, and read what is open:
 * no name of a file, no capability, at most @files descriptors.
 */
int server_confine(unsigned files, struct error *err);
