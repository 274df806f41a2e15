/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_ps - the row of a container, which `system df -v` shows as well. */
#pragma once

#include "cli/cli_command.h"

/* @document is what engine_inspect_container() gave.  New reference. */
json_t *cli_container_row(const struct store_container *c, const json_t *document,
			  bool no_trunc);
