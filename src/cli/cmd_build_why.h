/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_build_why - what `build --explain` and `build why` print. */
#pragma once

#include "cli/cli_command.h"

/*
 * The document of engine_build_why() as text.  @limit: of reasons for each
 * step, 0: all of them.
 */
void cli_explain_text(const json_t *document, size_t limit, struct buf *out);
