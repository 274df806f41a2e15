/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules - forwarding and address translation for a bridge, loaded by nft(8).
 *
 * Each bridge has a table of its own for each family (`table ip NAME`,
 * `table ip6 NAME`): masquerading, and a forward chain by which containers reach out, answers
 * come in, and nobody else does.  Where another program's chain `filter FORWARD` would drop
 * that (Docker's policy), two accept rules go in front of it, into DOCKER-USER if that is
 * there, as it is made for this.
 *
 * Other programs change the ruleset whenever they start a container: what has
 * to do with us is then compared with its fingerprint, and mostly the same.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "network/network.h"

/* The chains of other programs in which ours may need to be let through, in table filter. */
#define RULES_FOREIGN_TABLE "filter"
extern const char *const rules_foreign_chains[2];
/* The families in nft's words. */
extern const char *const rules_families[NETWORK_FAMILIES];

/* Makes the machine's ruleset what the bridge needs; doing it again changes nothing. */
int rules_load(const struct network_bridge *b, struct error *err);
/* Removes what rules_load() made for bridge @name. */
int rules_remove(const char *name, struct error *err);
/* A number that is different after any change of the ruleset (NFT_MSG_GETGEN). */
int rules_generation(uint32_t *out, struct error *err);
/*
 * A digest of all that rules_load() looks at and makes: the bridge's own table, and the foreign
 * chains with their rules, but not their counters.  Asked of the kernel without nft(8), which
 * takes milliseconds to start.  With it the generation that it was taken of; -ERR_CONFLICT when
 * the ruleset changed meanwhile.
 */
int rules_fingerprint(const struct network_bridge *b, struct digest *out,
		      uint32_t *out_generation, struct error *err);
/* Lets the kernel forward packets of the families that the bridge has. */
int rules_enable_forwarding(const struct network_bridge *b, struct error *err);

/* Hands nft(8) a script, one transaction. */
int rules_run(const char *script, struct error *err);
