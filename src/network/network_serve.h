/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve - the name server of one container, a process of its own: stave-names.
 *
 * It has two sockets at 127.0.0.11 in the container's name space, at ports that nobody
 * wants (the container may have a server of its own at 53: rules there lead from 53 to
 * them), and the container's file of names.  The rest of it is on this side: what the file
 * does not have, it asks the machine's servers.
 */
#pragma once

#include "base/error.h"
#include "network/network.h"

#define NAMES_HELPER  "stave-names"
#define NAMES_FILE_FD 3
#define NAMES_UDP_FD  4
#define NAMES_TCP_FD  5

void server_stop(struct network_endpoint *e);

/*
 * forward - what comes to sockets of IPv6 ports, carried by a process of its own to the
 * container: stave-forward.  Rules take what they can before it gets there; what is left is
 * for containers without IPv6, and what this machine's programs send to ::1.
 */
#define FORWARD_HELPER	 "stave-forward"
#define FORWARD_FIRST_FD 3 /* and so on: one socket for each "tcp ADDRESS PORT" */

/* As e->ports are now; does nothing when they are as they were. */
int forward_start(struct network_endpoint *e, struct error *err);
void forward_stop(struct network_endpoint *e);
/* The servers to ask: @dns->servers, or the host's, as they are. */
int network_servers(const struct network_dns *dns, struct strlist *out, struct error *err);
