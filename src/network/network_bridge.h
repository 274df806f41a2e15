/* SPDX-License-Identifier: Apache-2.0 */
/* bridge - the host's side: the interface, its rules, and what is remembered of both. */
#pragma once

#include "base/error.h"
#include "network/network.h"
#include "network/network_link.h"

/*
 * Makes sure of bridge, forwarding and rules.  @lock: a descriptor of the bridge's own
 * that is locked when something has to be made.
 */
int bridge_ensure(struct netlink *n, const struct network_bridge *b, int state_dir, int lock,
		  struct link *out, struct error *err);
/* errno in words: -ERR_DENIED with a way out, if it says so. */
int network_denied(struct error *err, const char *what);
