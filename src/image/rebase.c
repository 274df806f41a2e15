/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of an image on another base. */
#include "image/image_rebase.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

#define REASONS_SHOWN 20u

static bool has_layers_of(const struct image_config *image, const struct image_config *base)
{
	if (base->diff_ids.n > image->diff_ids.n)
		return false;
	for (size_t i = 0; i < base->diff_ids.n; i++)
		if (!digest_eq(&base->diff_ids.items[i], &image->diff_ids.items[i]))
			return false;
	return true;
}

static bool has_history_of(const struct image_config *image, const struct image_config *base)
{
	if (base->history.n > image->history.n)
		return false;
	for (size_t i = 0; i < base->history.n; i++) {
		const struct history *a = &base->history.items[i];
		const struct history *b = &image->history.items[i];

		if (a->empty_layer != b->empty_layer || !str_eq(a->created_by, b->created_by))
			return false;
	}
	return true;
}

/* How good a base it would be; 0: none. */
static size_t fitness(const struct image_config *image, const struct image_config *base)
{
	bool known = has_history_of(image, base);

	if (!base->diff_ids.n || !has_layers_of(image, base))
		return 0;
	/* of the same layers it is a base only if the image came after it */
	if (base->diff_ids.n == image->diff_ids.n &&
	    (!known || base->history.n == image->history.n))
		return 0;
	/* layers first, then more of the history, so that settings are its as well */
	return base->diff_ids.n * 2 * (LIMIT_HISTORY + 1) + (known ? base->history.n + 1 : 0);
}

int image_find_base(struct store *s, const struct image *i, struct image *out,
		    struct error *err)
{
	AUTO(store_image_list) struct store_image_list list = {0};
	char text[DIGEST_TEXT_SIZE];
	size_t best = 0;
	int r = store_image_list(s, &list, err);

	*out = (struct image){.config = IMAGE_CONFIG_INIT};
	for (size_t n = 0; r == 0 && n < list.n; n++) {
		struct image other;
		size_t fit;

		if (digest_eq(&list.items[n].id, &i->row.id))
			continue;
		if ((r = image_open(s, &list.items[n].id, &other, err)) < 0)
			break;
		fit = fitness(&i->config, &other.config);
		if (fit > best) {
			best = fit;
			image_clear(out);
			*out = other;
			continue;
		}
		image_clear(&other);
	}
	if (r < 0 || best)
		return r;
	error_set(err, ERR_NOT_FOUND, "no image that %s was built on is here",
		  digest_text(&i->row.id, text));
	error_hint(err, "get it, or name an image with the same layers: --from OLD-BASE");
	return -ERR_NOT_FOUND;
}

/* The rows of the image that are not its base's. */
static size_t own_history(const struct image_config *image, const struct image_config *base)
{
	size_t row = 0, layers = 0;

	if (has_history_of(image, base))
		return base->history.n;
	while (row < image->history.n && layers < base->diff_ids.n)
		layers += !image->history.items[row++].empty_layer;
	return row;
}

static void add_history(struct image_config *to, const struct history *from)
{
	struct history *h = image_config_add_history(to);

	*h = *from;
	h->created_by = from->created_by ? mem_strdup(from->created_by) : NULL;
	h->author = from->author ? mem_strdup(from->author) : NULL;
	h->comment = from->comment ? mem_strdup(from->comment) : NULL;
}

/* Layers and history: the new base's, then the image's own. */
static int put_on_base(const struct rebase_configs *c, struct image_config *out,
		       struct error *err)
{
	struct image_config fresh = IMAGE_CONFIG_INIT;
	size_t own = c->now->diff_ids.n - c->old->diff_ids.n;

	if (c->new->diff_ids.n + own > LIMIT_LAYERS)
		return error_set(err, ERR_LIMIT, "%zu layers: an image has at most %u",
				 c->new->diff_ids.n + own, LIMIT_LAYERS);
	for (size_t i = 0; i < c->new->diff_ids.n; i++)
		image_config_add_diff_id(&fresh, &c->new->diff_ids.items[i]);
	for (size_t i = c->old->diff_ids.n; i < c->now->diff_ids.n; i++)
		image_config_add_diff_id(&fresh, &c->now->diff_ids.items[i]);
	for (size_t i = 0; i < c->new->history.n; i++)
		add_history(&fresh, &c->new->history.items[i]);
	for (size_t i = own_history(c->now, c->old); i < c->now->history.n; i++)
		add_history(&fresh, &c->now->history.items[i]);
	/* what was the image's goes with @fresh */
	struct digest_list layers = out->diff_ids;
	struct history_list history = out->history;

	out->diff_ids = fresh.diff_ids;
	out->history = fresh.history;
	fresh.diff_ids = layers;
	fresh.history = history;
	image_config_clear(&fresh);
	return 0;
}

static void check_platform(const struct rebase_configs *c, struct strlist *reasons)
{
	AUTO(buf) struct buf ours = BUF_INIT;
	AUTO(buf) struct buf theirs = BUF_INIT;

	if (platform_eq(&c->now->platform, &c->new->platform))
		return;
	platform_format(&c->now->platform, &ours);
	platform_format(&c->new->platform, &theirs);
	strlist_printf(reasons, "the image is for %s, the new base for %s", buf_str(&ours),
		       buf_str(&theirs));
}

/* RUN in its shell form is run by what the base says. */
static void check_shell(const struct rebase_configs *c, struct strlist *reasons)
{
	AUTO(free) char *old = strlist_join(&c->old->shell, " ");
	AUTO(free) char *new = strlist_join(&c->new->shell, " ");

	if (str_eq(old, new))
		return;
	for (size_t i = own_history(c->now, c->old); i < c->now->history.n; i++) {
		const char *by = c->now->history.items[i].created_by;

		if (!by || !str_starts(by, "RUN "))
			continue;
		strlist_add(reasons,
			    "SHELL: another one would have run the image's RUN instructions");
		return;
	}
}

static int refuse(const struct strlist *reasons, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	for (size_t i = 0; i < reasons->n && i < REASONS_SHOWN; i++)
		buf_printf(&text, "\n  - %s", reasons->items[i]);
	if (reasons->n > REASONS_SHOWN)
		buf_printf(&text, "\n  - and %zu more", reasons->n - REASONS_SHOWN);
	error_set(err, ERR_CONFLICT,
		  "on that base the image would not be what a build gives:%s", buf_str(&text));
	error_hint(err, "build it again, or use --force: then what the image has stays");
	return -ERR_CONFLICT;
}

int image_rebase(struct store *s, const struct image_rebase *how, struct image_config *out,
		 struct error *err)
{
	const struct rebase_configs c = {
		.old = &how->from->config,
		.now = &how->image->config,
		.new = &how->onto->config,
	};
	AUTO(strlist) struct strlist reasons = STRLIST_INIT;
	int r;

	if (!has_layers_of(c.now, c.old)) {
		error_set(err, ERR_INVALID,
			  "the image does not begin with the layers of --from");
		return -ERR_INVALID;
	}
	check_platform(&c, &reasons);
	check_shell(&c, &reasons);
	rebase_merge(&c, out, &reasons);
	if ((r = rebase_check_files(s, &c, c.old->diff_ids.n, &reasons, err)) < 0)
		return r;
	if (reasons.n && !how->force)
		return refuse(&reasons, err);
	return put_on_base(&c, out, err);
}
