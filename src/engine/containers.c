/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for containers. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/engine_private.h"

#include "base/banned.h"

int engine_containers(struct engine *e, struct store_container_list *out, struct error *err)
{
	return store_container_list(e->store, out, err);
}

static bool matches(const struct store_container *c, const char *text)
{
	const char *name = *text == '/' ? text + 1 : text;

	return str_eq(c->name, name) || str_eq(c->id, text);
}

int engine_container(struct engine *e, const char *text, struct store_container *out,
		     struct error *err)
{
	AUTO(store_container_list) struct store_container_list list = {0};
	struct store_container *found = NULL;
	unsigned prefixes = 0;
	int r = store_container_named(e->store, text, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (matches(&list.items[i], text)) {
			found = &list.items[i];
			prefixes = 1;
			break;
		}
		if (*text && str_starts(list.items[i].id, text)) {
			found = &list.items[i];
			prefixes++;
		}
	}
	if (r < 0)
		return r;
	if (prefixes > 1)
		return error_set(err, ERR_CONFLICT,
				 "multiple IDs found with provided prefix: %s", text);
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "No such container: %s", text);
	*out = *found;
	*found = (struct store_container){0};
	return 0;
}

int engine_container_size(struct engine *e, const struct store_container *c, uint64_t *out_rw,
			  uint64_t *out_root, struct error *err)
{
	AUTO(store_image) struct store_image image = {0};
	AUTO(free) char *name = mem_printf("%s/fs", c->id);
	int r = store_content(e->store, STORE_CONTAINERS, name, out_rw, err);

	if (r == 0)
		r = store_image_get(e->store, &c->image, &image, err);
	*out_root = *out_rw + image.size;
	return r;
}
