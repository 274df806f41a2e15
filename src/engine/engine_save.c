/* SPDX-License-Identifier: Apache-2.0 */
/* Images as archives: `save` and `load`. */
#include "engine/engine_private.h"

#include "base/banned.h"

static int check_platform(struct engine *e, const struct image_choices *choices,
			  const struct platform *want, struct error *err)
{
	for (size_t i = 0; i < choices->n; i++) {
		AUTO(image) struct image image = {.config = IMAGE_CONFIG_INIT};
		AUTO(buf) struct buf text = BUF_INIT;
		int r = image_open(e->store, &choices->items[i].id, &image, err);

		if (r < 0)
			return r;
		if (platform_match(want, &image.config.platform))
			continue;
		platform_format(want, &text);
		return error_set(err, ERR_NOT_FOUND,
				 "no suitable export target found for platform %s",
				 buf_str(&text));
	}
	return 0;
}

int engine_save(struct engine *e, const struct engine_save *req, struct error *err)
{
	AUTO(image_choices) struct image_choices choices = {0};
	AUTO(platform) struct platform want = PLATFORM_INIT;
	int r;

	if (req->platform && (r = platform_parse(req->platform, &want, err)) < 0)
		return error_wrap(err, "invalid platform");
	for (size_t i = 0; i < req->n_names; i++)
		if ((r = image_choose(e->store, req->names[i], &choices, err)) < 0)
			return r;
	if (req->platform && (r = check_platform(e, &choices, &want, err)) < 0)
		return r;
	return image_save(e->store, &choices, req->output, err);
}

int engine_load(struct engine *e, const struct engine_load *req, struct image_loaded *out,
		struct error *err)
{
	AUTO(platform) struct platform want = PLATFORM_INIT;
	int r;

	if (req->platform && (r = platform_parse(req->platform, &want, err)) < 0)
		return error_wrap(err, "invalid platform");
	r = image_load(e->store, req->input, req->platform ? &want : NULL, req->watch, out,
		       err);
	return r < 0 && req->path ? error_wrap(err, "%s", req->path) : r;
}
