/* SPDX-License-Identifier: Apache-2.0 */
/* Which build, and which of its steps, the user means. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "build/explain.h"

#include "base/banned.h"

static int no_build(const char *id, struct error *err)
{
	if (id)
		error_set(err, ERR_NOT_FOUND, "there is no record of a build %s", id);
	else
		error_set(err, ERR_NOT_FOUND, "no build has left a record yet");
	error_hint(err, "the last %u builds of this store are remembered",
		   LIMIT_HISTORY_BUILDS);
	return -ERR_NOT_FOUND;
}

int build_record(struct store *s, const char *id, json_t **out, struct past *out_past,
		 struct error *err)
{
	AUTO(past_list) struct past_list list = {0};
	int dir = store_dir(s, STORE_HISTORY), r = past_list(dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (id && !str_starts(list.items[i].id, id))
			continue;
		if ((r = past_load(dir, &list.items[i], out, err)) < 0)
			return r;
		*out_past = list.items[i];
		out_past->name = NULL;
		return 0;
	}
	return r < 0 ? r : no_build(id, err);
}

static bool is_number(const char *text, uint64_t *out)
{
	return parse_u64(text, UINT32_MAX, out);
}

/* "builder 2" and "builder 2/4" and "2" of "builder 2/4" */
static bool has_label(const json_t *step, const char *wanted)
{
	const char *label = field(step, "label");
	const char *space = strrchr(label, ' ');
	size_t n = strlen(wanted), number = strcspn(label, "/");
	uint64_t ignored;

	if (str_eq(label, wanted) || (n == number && !strncmp(label, wanted, n)))
		return true;
	if (!is_number(wanted, &ignored) || !space)
		return false;
	return n == number - (size_t)(space + 1 - label) && !strncmp(space + 1, wanted, n);
}

static bool is_at(const json_t *step, uint64_t line)
{
	int64_t first = json_integer_value(json_object_get(step, "line"));
	int64_t last = json_integer_value(json_object_get(step, "end_line"));

	return (int64_t)line >= first && (int64_t)line <= (last > first ? last : first);
}

static int no_step(const json_t *record, const char *text, struct error *err)
{
	AUTO(buf) struct buf have = BUF_INIT;
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(record, "steps"), i, step)
		if (*field(step, "label"))
			buf_printf(&have, " [%s]", field(step, "label"));
	error_set(err, ERR_NOT_FOUND, "the build has no step \"%s\"", text);
	error_hint(
		err,
		"name it by its number (3), as it was shown (\"[builder 2/4]\") or by its line "
		"(:12); there are%s",
		buf_str(&have));
	return -ERR_NOT_FOUND;
}

int find_steps(const json_t *record, const char *text, struct step_list *out, struct error *err)
{
	size_t n = strlen(text);
	AUTO(free)
	char *wanted = *text == '[' && n > 1 && text[n - 1] == ']'
			       ? mem_strndup(text + 1, n - 2)
			       : mem_strdup(text);
	const json_t *step;
	uint64_t line;
	size_t i;
	bool by_line = *wanted == ':' && is_number(wanted + 1, &line);

	json_array_foreach (json_object_get(record, "steps"), i, step)
		if (by_line ? is_at(step, line) : has_label(step, wanted))
			*vec_push(out) = i;
	return out->n ? 0 : no_step(record, text, err);
}

int find_step(const json_t *record, const char *text, size_t *out, struct error *err)
{
	AUTO(step_list) struct step_list list = {0};
	int r = find_steps(record, text, &list, err);

	if (r < 0)
		return r;
	*out = list.items[0];
	if (list.n == 1)
		return 0;
	error_set(err, ERR_INVALID, "\"%s\" is more than one step", text);
	error_hint(
		err, "[%s] or [%s]?",
		field(json_array_get(json_object_get(record, "steps"), list.items[0]), "label"),
		field(json_array_get(json_object_get(record, "steps"), list.items[1]),
		      "label"));
	return -ERR_INVALID;
}
