/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_volume - what other lists and prunes say of volumes. */
#pragma once

#include "cli/cli_command.h"

/* A row of `volume ls`, new reference; size and links are "N/A". */
json_t *cli_volume_row(struct engine *e, const struct store_volume *v);
/* Removes and prints them. */
int cli_prune_volumes(const struct cli_invocation *inv, struct engine *e,
		      const struct engine_prune *how, uint64_t *bytes, struct error *err);
