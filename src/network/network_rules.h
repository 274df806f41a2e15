/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules - forwarding and address translation for a bridge, loaded by nft(8).
 *
 * Each bridge has one table of its own (`table ip NAME`): masquerading,
 * and a forward chain by which containers reach out, answers come in, and
 * nobody else does.  Where another program's chain `ip filter FORWARD` would
 * drop that (Docker's policy), two accept rules go in front of it, into
 * DOCKER-USER if that is there, as it is made for this.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "network/network.h"

/* Makes the machine's ruleset what the bridge needs; doing it again changes nothing. */
int rules_load(const struct network_bridge *b, struct error *err);
/* Removes what rules_load() made for bridge @name. */
int rules_remove(const char *name, struct error *err);
/* A number that is different after any change of the ruleset (NFT_MSG_GETGEN). */
int rules_generation(uint32_t *out, struct error *err);
/* Lets the kernel forward IPv4 packets. */
int rules_enable_forwarding(struct error *err);
