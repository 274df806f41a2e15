/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines of which Dockerfiles made the layers of an image, as the records of builds say.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/build.h"
#include "build/explain.h"

#include "base/banned.h"

struct search {
	const struct digest *diff_ids;
	struct build_line *lines;
	size_t n;	/* of the layers, those that are still to be explained: the first n */
	json_t *record; /* owned */
};

/* The newest record of a build that made @image. */
static bool find_record(struct store *s, const char *image, json_t **out)
{
	AUTO(past_list) struct past_list list = {0};
	int dir = store_dir(s, STORE_HISTORY);

	if (past_list(dir, &list, NULL) < 0)
		return false;
	for (size_t i = 0; i < list.n; i++) {
		if (past_load(dir, &list.items[i], out, NULL) < 0)
			continue;
		if (str_eq(field(*out, "image"), image))
			return true;
		json_decref(*out);
		*out = NULL;
	}
	return false;
}

/* Does the image that the step @step begins with give our first layers?  How many? */
static size_t shared_layers(const struct search *f, const json_t *step)
{
	const json_t *layers = json_object_get(step, "layers");
	size_t n = json_array_size(layers);

	if (!str_eq(field(step, "kind"), "image") || !n || n >= f->n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(layers, i));
		char ours[DIGEST_TEXT_SIZE];

		if (!str_eq(text, digest_text(&f->diff_ids[i], ours)))
			return 0;
	}
	return n;
}

/* The base that gives most layers; "" if there is none. */
static const char *find_base(const struct search *f, size_t *out_n)
{
	const char *base = "";
	const json_t *step;
	size_t i;

	*out_n = 0;
	json_array_foreach (json_object_get(f->record, "steps"), i, step) {
		size_t n = shared_layers(f, step);

		if (n <= *out_n)
			continue;
		*out_n = n;
		base = field(step, "image");
	}
	return base;
}

/* Layers of equal content came in the order of their steps. */
static void take_lines(struct search *f, size_t first)
{
	const char *file = field(f->record, "dockerfile");
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(f->record, "steps"), i, step) {
		json_int_t line = json_integer_value(json_object_get(step, "line"));

		for (size_t l = first; line > 0 && line <= UINT32_MAX && l < f->n; l++) {
			char text[DIGEST_TEXT_SIZE];

			if (f->lines[l].line ||
			    !str_eq(field(step, "layer"), digest_text(&f->diff_ids[l], text)))
				continue;
			f->lines[l].line = (unsigned)line;
			f->lines[l].dockerfile = mem_strdup(file);
			break;
		}
	}
}

void build_layer_lines(struct store *s, const struct digest *image,
		       const struct digest_list *diff_ids, struct build_line *out)
{
	struct search f = {.diff_ids = diff_ids->items, .lines = out, .n = diff_ids->n};
	char text[DIGEST_TEXT_SIZE];
	AUTO(free) char *id = mem_strdup(digest_text(image, text));

	/* the base may be ours as well; each one has fewer layers */
	while (f.n && find_record(s, id, &f.record)) {
		size_t first;

		free(id);
		id = mem_strdup(find_base(&f, &first));
		take_lines(&f, first);
		f.n = first;
		json_decref(f.record);
		f.record = NULL;
	}
}
