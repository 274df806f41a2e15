/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_images_remote - `image ls --remote`: the tags that a repository has in its registry. */
#pragma once

#include "cli/cli_command.h"

struct images_remote {
	const char *repository;
	const char *format;
	bool quiet;   /* names alone */
	bool digests; /* asked for, too */
};

int images_remote(struct cli_invocation *inv, const struct images_remote *how);
