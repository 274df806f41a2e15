/* SPDX-License-Identifier: Apache-2.0 */
/* Images to and from registries. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "engine/engine_private.h"
#include "registry/registry.h"

#include "base/banned.h"

static void say(const struct progress *p, const char *text)
{
	progress_tell(p, PROGRESS_STATUS, 0, text, 0, 0);
}

/* What speaks to the registry takes as long to start as the store to open: at once. */
static int open_both(struct engine *e, const struct reference *ref, unsigned access,
		     struct registry **out, struct error *err)
{
	int r = registry_open(ref, access, out, err);

	return r < 0 ? r : engine_need_store(e, err);
}

/* ---- pull ---- */

/* TAKES @registry, which may be NULL. */
static int pull_one(struct engine *e, struct registry *registry, const struct reference *ref,
		    const struct platform *platform, const struct progress *progress,
		    struct engine_pulled *out, struct error *err)
{
	struct image_pull how = {.ref = ref,
				 .platform = platform,
				 .progress = progress,
				 .first_task = 1,
				 .registry = registry};
	AUTO(buf) struct buf name = BUF_INIT;
	AUTO(buf) struct buf line = BUF_INIT;
	struct image_pulled pulled = {0};
	char text[DIGEST_TEXT_SIZE];
	int r = image_pull(e->store, &how, &pulled, err);

	if (r < 0)
		return r;
	reference_familiar(ref, &name);
	buf_printf(&line, "Digest: %s", digest_text(&pulled.digest, text));
	say(progress, buf_str(&line));
	buf_reset(&line);
	buf_printf(&line, "Status: %s %s",
		   pulled.newer ? "Downloaded newer image for" : "Image is up to date for",
		   buf_str(&name));
	say(progress, buf_str(&line));
	out->id = pulled.id;
	return 0;
}

static int pull_tags(struct engine *e, struct registry *registry, struct reference *ref,
		     const struct platform *platform, const struct progress *progress,
		     struct engine_pulled *out, struct error *err)
{
	AUTO(strlist) struct strlist tags = STRLIST_INIT;
	int r = registry_tags(registry, &tags, err);

	for (size_t i = 0; r == 0 && i < tags.n; i++) {
		AUTO(reference) struct reference one = REFERENCE_INIT;

		reference_copy(ref, &one);
		free(one.tag);
		one.tag = mem_strdup(tags.items[i]);
		r = pull_one(e, NULL, &one, platform, progress, out, err);
	}
	return r;
}

int engine_pull(struct engine *e, const struct engine_pull_request *req,
		struct engine_pulled *out, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(platform) struct platform want = PLATFORM_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(registry) struct registry *registry = NULL;
	int r = reference_parse(req->name, &ref, err);

	if (r < 0)
		return r;
	if (!str_empty(req->platform) && (r = platform_parse(req->platform, &want, err)) < 0)
		return error_wrap(err, "invalid platform");
	if (req->all_tags && !ref.tag_implied)
		return error_set(err, ERR_INVALID, "tag can't be used with --all-tags/-a");
	if (ref.tag_implied && !req->all_tags)
		say(req->progress, "Using default tag: latest");
	if ((r = open_both(e, &ref, REGISTRY_PULL, &registry, err)) < 0)
		return r;
	if (req->all_tags)
		r = pull_tags(e, registry, &ref, want.os ? &want : NULL, req->progress, out,
			      err);
	else
		r = pull_one(e, take_ptr(registry), &ref, want.os ? &want : NULL, req->progress,
			     out, err);
	if (r < 0)
		return r;
	if (req->all_tags)
		reference_normal_name(&ref, &normal);
	else
		reference_normal(&ref, &normal);
	out->name = buf_steal(&normal);
	return 0;
}

void engine_pulled_clear(struct engine_pulled *p)
{
	free(p->name);
	*p = (struct engine_pulled){0};
}

/* ---- push ---- */

/* TAKES @registry, which may be NULL. */
static int push_one(struct engine *e, struct registry *registry, const struct reference *ref,
		    const struct progress *progress, struct error *err)
{
	struct image_push how = {.ref = ref, .progress = progress, .registry = registry};
	AUTO(buf) struct buf line = BUF_INIT;
	struct image_pushed pushed = {0};
	char text[DIGEST_TEXT_SIZE];
	int r = image_push(e->store, &how, &pushed, err);

	if (r < 0)
		return r;
	buf_printf(&line, "%s: digest: %s size: %llu", ref->tag,
		   digest_text(&pushed.digest, text), (unsigned long long)pushed.size);
	say(progress, buf_str(&line));
	return 0;
}

/* The tags that a repository has here. */
static int own_tags(struct engine *e, const struct reference *ref, struct strlist *out,
		    struct error *err)
{
	AUTO(store_image_list) struct store_image_list list = {0};
	AUTO(buf) struct buf prefix = BUF_INIT;
	int r = store_image_list(e->store, &list, err);

	reference_normal_name(ref, &prefix);
	buf_addch(&prefix, ':');
	for (size_t i = 0; r == 0 && i < list.n; i++)
		for (size_t k = 0; k < list.items[i].names.n; k++)
			if (str_starts(list.items[i].names.items[k], buf_str(&prefix)))
				strlist_add(out, list.items[i].names.items[k]);
	strlist_sort(out);
	if (r == 0 && !out->n) {
		buf_reset(&prefix);
		reference_familiar_name(ref, &prefix);
		return error_set(err, ERR_NOT_FOUND,
				 "An image does not exist locally with the tag: %s",
				 buf_str(&prefix));
	}
	return r;
}

/* Before anything is sent. */
static int check_platforms(struct engine *e, const struct strlist *names, const char *platform,
			   struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && platform && i < names->n; i++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		AUTO(buf) struct buf familiar = BUF_INIT;
		AUTO(image) struct image image = {0};

		if ((r = reference_parse(names->items[i], &ref, err)) < 0)
			return r;
		reference_familiar(&ref, &familiar);
		if ((r = image_find(e->store, names->items[i], &image, err)) == 0)
			r = engine_check_platform(&image, buf_str(&familiar), platform, err);
	}
	return r;
}

int engine_push(struct engine *e, const struct engine_push_request *req, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	AUTO(buf) struct buf line = BUF_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(registry) struct registry *registry = NULL;
	int r = reference_parse(req->name, &ref, err);

	if (r < 0)
		return r;
	if (ref.has_digest)
		return error_set(err, ERR_INVALID, "cannot push a digest reference");
	if (req->all_tags && !ref.tag_implied)
		return error_set(err, ERR_INVALID, "tag can't be used with --all-tags/-a");
	if (ref.tag_implied && !req->all_tags)
		say(req->progress, "Using default tag: latest");
	reference_normal(&ref, &normal);
	if ((r = open_both(e, &ref, REGISTRY_PUSH, &registry, err)) < 0)
		return r;
	if (!req->all_tags)
		strlist_add(&names, buf_str(&normal));
	else
		r = own_tags(e, &ref, &names, err);
	if (r == 0 && (r = check_platforms(e, &names, req->platform, err)) < 0)
		return r;
	buf_printf(&line, "The push refers to repository [%s/%s]", ref.domain, ref.path);
	say(req->progress, buf_str(&line));
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		AUTO(reference) struct reference one = REFERENCE_INIT;

		if ((r = reference_parse(names.items[i], &one, err)) == 0)
			r = push_one(e, take_ptr(registry), &one, req->progress, err);
	}
	return r;
}

/* ---- login ---- */

int engine_login(const struct engine_login *req, char **out_file, struct error *err)
{
	struct registry_credential c = {.user = (char *)(uintptr_t)req->user,
					.secret = (char *)(uintptr_t)req->password};
	int r = registry_login(req->registry, &c, err);

	return r < 0 ? r : registry_credential_keep(req->registry, &c, out_file, err);
}

int engine_logout(const char *registry, struct error *err)
{
	return registry_credential_forget(registry, err);
}

/* What is there already: a login without words uses it again. */
int engine_login_known(const char *registry, char **out_user, char **out_password,
		       struct error *err)
{
	AUTO(registry_credential) struct registry_credential c = REGISTRY_CREDENTIAL_INIT;
	int r = registry_credential_find(registry, &c, err);

	if (r == 0 && c.user && c.secret) {
		*out_user = take_ptr(c.user);
		*out_password = take_ptr(c.secret);
	}
	return r;
}
