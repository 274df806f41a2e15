/* SPDX-License-Identifier: Apache-2.0 */
/* What a step said, when it ran. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/explain.h"

#include "base/banned.h"

static char *title_of(const json_t *step)
{
	return mem_printf("[%s] %s", field(step, "label"), field(step, "title"));
}

static bool may_have_log(const json_t *step)
{
	return str_eq(field(step, "kind"), "run") && *field(step, "key");
}

/* The log of the build itself, or of the last one before it that ran this very step. */
static int open_log(int history, const json_t *step, const char *id, struct build_log *out,
		    struct error *err)
{
	AUTO(buf) struct buf name = BUF_INIT;
	int r = past_log(history, field(step, "key"), id, &name, err);

	if (r < 0)
		return r;
	out->build = mem_strdup(buf_str(&name) + name.len - (HISTORY_ID_SIZE - 1));
	/* one that ran in this build has its own log or none */
	if (!str_eq(out->build, id) && !str_eq(field(step, "state"), "cached")) {
		free(take_ptr(out->build));
		return error_set(err, ERR_NOT_FOUND, "no log");
	}
	out->fd = openat(history, buf_str(&name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return out->fd < 0 ? error_sys(err, "cannot read the log of a step") : 0;
}

static int one_log(int history, const json_t *record, size_t i, const char *id,
		   struct build_log_list *out, struct error *err)
{
	const json_t *step = json_array_get(json_object_get(record, "steps"), i);
	bool said = json_is_true(json_object_get(step, "log"));
	struct build_log log = {.fd = -1};
	int r = -ERR_NOT_FOUND;

	if (may_have_log(step))
		r = open_log(history, step, id, &log, err);
	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	if (r < 0 && said) {
		error_clear(err);
		error_set(err, ERR_NOT_FOUND, "the log of step [%s] is not kept any more",
			  field(step, "label"));
		return -ERR_NOT_FOUND;
	}
	error_clear(err);
	log.title = title_of(step);
	*vec_push(out) = log;
	return 0;
}

static int all_logs(int history, const json_t *record, const char *id,
		    struct build_log_list *out, struct error *err)
{
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(record, "steps"), i, step) {
		struct build_log log = {.fd = -1};
		int r;

		if (!may_have_log(step))
			continue;
		r = open_log(history, step, id, &log, err);
		if (r == -ERR_NOT_FOUND) {
			error_clear(err);
			continue;
		}
		if (r < 0)
			return r;
		log.title = title_of(step);
		*vec_push(out) = log;
	}
	return 0;
}

int build_logs(struct store *s, const char *id, const char *step, struct build_log_list *out,
	       struct error *err)
{
	int history = store_dir(s, STORE_HISTORY);
	AUTO(json) json_t *record = NULL;
	struct past past;
	size_t i;
	int r = build_record(s, id, &record, &past, err);

	if (r < 0 || !step)
		return r < 0 ? r : all_logs(history, record, past.id, out, err);
	r = find_step(record, step, &i, err);
	return r < 0 ? r : one_log(history, record, i, past.id, out, err);
}

void build_log_list_clear(struct build_log_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].title);
		free(l->items[i].build);
		close_fd(&l->items[i].fd);
	}
	free(l->items);
	*l = (struct build_log_list){0};
}
