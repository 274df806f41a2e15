/* SPDX-License-Identifier: Apache-2.0 */
/* cli_ports - "0.0.0.0:8000->3000/tcp": the ports of a container in one cell. */
#pragma once

#include "base/json.h"

/*
 * New string; @document is what engine_inspect_container() gave.  Ports with the same number
 * on both sides that follow one another are one range.
 */
char *cli_ports_text(const json_t *document);
