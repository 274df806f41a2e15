/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_build_call - `build --check` and `build --call`: what is asked, and the answer. */
#pragma once

#include "cli/cli_command.h"

struct build_call {
	enum build_question what; /* 0: build */
	bool json;
	bool ignore_status; /* warnings leave the exit status 0 */
};

/* "check,format=json"; NULL or "": build.  -ERR_INVALID with buildx's words. */
int build_call_parse(const char *text, struct build_call *out, struct error *err);
/* Exit status. */
int build_call_run(const struct cli_invocation *inv, const struct build_call *call,
		   const struct engine_build *req);
