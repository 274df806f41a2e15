/* SPDX-License-Identifier: Apache-2.0 */
/* What the last builds left: why, what they said, what they changed. */
#include "engine/engine_private.h"

#include "base/banned.h"

int engine_build_why(struct engine *e, const char *id, const char *step, json_t **out,
		     struct error *err)
{
	return build_explain(e->store, id, step, out, err);
}

int engine_build_logs(struct engine *e, const char *id, const char *step,
		      struct build_log_list *out, struct error *err)
{
	return build_logs(e->store, id, step, out, err);
}

int engine_build_diff(struct engine *e, const char *id, const char *step,
		      struct layer_change_list *out, struct error *err)
{
	return build_diff(e->store, id, step, out, err);
}

int engine_build_history(struct engine *e, struct build_past_list *out, struct error *err)
{
	return build_past_list(e->store, out, err);
}
