/* SPDX-License-Identifier: Apache-2.0 */
/* `image flatten` and `image rebase`: other layers under the same settings. */
#include "engine/engine_private.h"

#include "base/banned.h"

int engine_flatten(struct engine *e, const char *text, const char *name, struct digest *out_id,
		   struct error *err)
{
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	AUTO(strlist) struct strlist given = STRLIST_INIT;
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	int r = engine_need_store(e, err);

	if (name)
		strlist_add(&given, name);
	if (r < 0 || (r = engine_normal_names(&given, &names, err)) < 0 ||
	    (r = image_find(e->store, text, &image, err)) < 0 ||
	    (r = image_flatten(e->store, &image.config, err)) < 0)
		return r;
	return image_commit(e->store, &image.config, &names, out_id, err);
}

int engine_rebase(struct engine *e, const struct engine_rebase *req, struct digest *out_id,
		  struct error *err)
{
	AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
	AUTO(image) struct image onto = {.config = IMAGE_CONFIG_INIT};
	AUTO(image) struct image from = {.config = IMAGE_CONFIG_INIT};
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	struct image_rebase how = {&image, &from, &onto, req->force};
	int r = engine_need_store(e, err);

	if (r < 0 || (r = engine_normal_names(&req->names, &names, err)) < 0 ||
	    (r = image_find(e->store, req->image, &image, err)) < 0 ||
	    (r = image_find(e->store, req->onto, &onto, err)) < 0)
		return r;
	r = req->from ? image_find(e->store, req->from, &from, err)
		      : image_find_base(e->store, &image, &from, err);
	if (r < 0 || (r = image_rebase(e->store, &how, &cfg, err)) < 0)
		return r;
	return image_commit(e->store, &cfg, &names, out_id, err);
}
