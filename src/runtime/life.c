/* SPDX-License-Identifier: Apache-2.0 */
/* How long a container lives: --restart. */
#include <string.h>

#include "runtime/runtime.h"

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

static const char *const restart_names[] = {
	[CONTAINER_RESTART_NO] = "no",
	[CONTAINER_RESTART_ON_FAILURE] = "on-failure",
	[CONTAINER_RESTART_ALWAYS] = "always",
	[CONTAINER_RESTART_UNLESS_STOPPED] = "unless-stopped",
};

const char *container_restart_name(enum container_restart restart)
{
	return restart_names[restart];
}

int container_options_set_restart(struct container_options *o, const char *text,
				  struct error *err)
{
	const size_t len = strcspn(text, ":");
	AUTO(free) char *name = mem_strndup(text, len);
	uint64_t max = 0;

	o->restart_max = 0;
	if (!*text) {
		o->restart = CONTAINER_RESTART_NO;
		return 0;
	}
	if (!*name)
		return error_set(err, ERR_INVALID,
				 "invalid restart policy format: no policy provided before "
				 "colon");
	if (text[len] && !parse_u64(text + len + 1, INT32_MAX, &max))
		return error_set(err, ERR_INVALID,
				 "invalid restart policy format: maximum retry count must be "
				 "an integer");
	for (size_t i = 0; i < ARRAY_SIZE(restart_names); i++) {
		if (!str_eq(name, restart_names[i]))
			continue;
		if (max && i != CONTAINER_RESTART_ON_FAILURE)
			return error_set(err, ERR_INVALID,
					 "invalid restart policy: maximum retry count can only "
					 "be used with 'on-failure'");
		o->restart = (enum container_restart)i;
		o->restart_max = (int64_t)max;
		return 0;
	}
	return error_set(err, ERR_INVALID,
			 "invalid restart policy: unknown policy '%s'; use one of 'no', "
			 "'always', 'on-failure', or 'unless-stopped'",
			 name);
}
