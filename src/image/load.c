/* SPDX-License-Identifier: Apache-2.0 */
/* `load`: an archive's members become files of ours, and those become images. */
#include "image/image_load.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "layer/layer.h"

#include "base/banned.h"

static struct load_image *add_image(struct load *l)
{
	struct load_image *i = vec_push(l);

	i->image = INCOMING_IMAGE_INIT;
	return i;
}

int load_check_platform(const struct load *l, const struct incoming_image *image,
			struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (!l->platform || platform_match(l->platform, &image->cfg.platform))
		return 0;
	platform_format(l->platform, &text);
	return error_set(err, ERR_NOT_FOUND, "it does not provide the platform %s",
			 buf_str(&text));
}

int load_add_name(struct load_image *i, const char *name, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	int r = reference_parse(name, &ref, err);

	if (r < 0)
		return error_wrap(err, "the name \"%.200s\"", name);
	if (ref.has_digest)
		return 0; /* says what the bytes say */
	reference_normal(&ref, &normal);
	if (strlist_find(&i->names, buf_str(&normal)) < 0)
		strlist_add(&i->names, buf_str(&normal));
	return 0;
}

/* ---- OCI ---- */

/*
 * containerd's annotation is the whole name.  The other one should be a tag
 * alone, which names nothing, but many write the whole name there.
 */
static const char *name_of(const struct descriptor *d)
{
	const char *name = map_get(&d->annotations, "io.containerd.image.name");
	const char *ref = map_get(&d->annotations, "org.opencontainers.image.ref.name");

	if (name)
		return name;
	return ref && strpbrk(ref, ":/") ? ref : NULL;
}

static bool is_attestation(const struct descriptor *d)
{
	return d->has_platform && str_eq(d->platform.os, "unknown");
}

static struct load_image *find_image(struct load *l, const struct digest *from)
{
	for (size_t i = 0; i < l->n; i++)
		if (digest_eq(&l->items[i].from, from))
			return &l->items[i];
	return NULL;
}

static int read_oci_image(struct load *l, const struct descriptor *d, struct error *err)
{
	struct load_image *i = find_image(l, &d->digest);
	const char *name = name_of(d);
	struct platform host = PLATFORM_INIT;
	int r = 0;

	if (!i) {
		i = add_image(l);
		i->from = d->digest;
		platform_host(&host);
		r = incoming_layout_image(&l->in, d, l->platform ? l->platform : &host,
					  &i->image, err);
		platform_clear(&host);
		if (r == 0)
			r = load_check_platform(l, &i->image, err);
	}
	return r == 0 && name ? load_add_name(i, name, err) : r;
}

static int read_oci(struct load *l, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->index.manifests.n; i++)
		if (!is_attestation(&l->index.manifests.items[i]))
			r = read_oci_image(l, &l->index.manifests.items[i], err);
	if (r == 0 && !l->n)
		r = error_set(err, ERR_INVALID, "there is no image in the archive");
	return r;
}

/* ---- the whole ---- */

static bool has_member(const struct load *l, const char *name)
{
	AUTO(fd) int fd = -1;

	return root_open(l->layout.dir, ROOT_BENEATH, name, O_PATH | O_NOFOLLOW, 0, &fd,
			 NULL) == 0;
}

static int read_members(struct load *l, struct error *err)
{
	bool docker = has_member(l, "manifest.json");
	int r;

	if (has_member(l, "index.json") && has_member(l, "oci-layout") &&
	    (r = image_layout_index(&l->layout, &l->index, err)) < 0)
		return r;
	if (docker)
		return load_docker(l, err);
	if (l->index.media_type || l->index.manifests.n)
		return read_oci(l, err);
	if (has_member(l, "repositories"))
		return error_set(err, ERR_UNSUPPORTED,
				 "an archive of Docker 1.9 or older: it has no manifest.json");
	error_set(err, ERR_INVALID,
		  "not an image archive: it has no manifest.json and no "
		  "index.json");
	error_hint(err, "`stave import` makes an image of an archive of files");
	return -ERR_INVALID;
}

static int unpack_archive(struct load *l, int input, char dir[STORE_LAYER_DIR_SIZE],
			  struct error *err)
{
	struct layer_unpack how = {.mode = LAYER_UNPACK_CONTEXT, .input = input, .below = ""};
	struct layer_unpacked unpacked;
	int r;

	/* a layer directory that never becomes a layer: the lease removes it */
	if ((r = store_layer_new(l->in.store, l->in.lease, dir, err)) < 0 ||
	    (r = store_layer_open(l->in.store, dir, &l->layout.dir, err)) < 0)
		return r;
	how.tree = l->layout.dir;
	return layer_unpack(&how, &unpacked, err);
}

/* ---- recording ---- */

static void note_renamed(struct store *s, const char *normal, const char *familiar,
			 const struct digest *id, struct image_loaded_item *out)
{
	struct digest old;

	if (store_name_find(s, normal, &old, NULL) < 0 || digest_eq(&old, id))
		return;
	strlist_add(&out->renamed, familiar);
	*vec_push(&out->renamed_from) = old;
}

static int record(struct load *l, struct load_image *i, struct image_loaded_item *out,
		  struct error *err)
{
	digest_of(i->image.config.data, i->image.config.len, &out->id);
	for (size_t k = 0; k < i->names.n; k++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		AUTO(buf) struct buf familiar = BUF_INIT;
		int r = reference_parse(i->names.items[k], &ref, err);

		if (r < 0)
			return r;
		reference_familiar(&ref, &familiar);
		strlist_add(&out->names, buf_str(&familiar));
		note_renamed(l->in.store, i->names.items[k], buf_str(&familiar), &out->id, out);
	}
	return incoming_commit(l->in.store, &i->image, &i->names, &out->id, err);
}

static int record_all(struct load *l, struct image_loaded *out, struct error *err)
{
	struct store *s = l->in.store;
	int r = store_begin(s, true, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = record(l, &l->items[i], vec_push(out), err);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

static void load_clear(struct load *l)
{
	for (size_t i = 0; i < l->n; i++) {
		incoming_image_clear(&l->items[i].image);
		strlist_clear(&l->items[i].names);
	}
	free(l->items);
	index_clear(&l->index);
	close_fd(&l->layout.dir);
}

/* What was read before it went wrong is used by nothing. */
static void forget(struct store *s)
{
	struct store_collected gone;

	store_collect(s, &gone, NULL);
	store_collected_clear(&gone);
}

int image_load(struct store *s, int input, const struct platform *platform,
	       const struct image_watch *watch, struct image_loaded *out, struct error *err)
{
	struct load l = {.layout = {.dir = -1, .name = "the archive"},
			 .index = INDEX_INIT,
			 .platform = platform,
			 .in = {.store = s, .ours = true, .watch = watch}};
	char dir[STORE_LAYER_DIR_SIZE] = "";
	int r = lease_new(s, &l.in.lease, err);

	if (r < 0)
		return r;
	l.in.layout = &l.layout;
	if ((r = unpack_archive(&l, input, dir, err)) == 0 && (r = read_members(&l, err)) == 0)
		r = record_all(&l, out, err);
	load_clear(&l);
	if (*dir)
		store_layer_discard(s, dir, NULL);
	lease_end(l.in.lease);
	if (r < 0)
		forget(s);
	return r;
}

void image_loaded_clear(struct image_loaded *l)
{
	for (size_t i = 0; i < l->n; i++) {
		strlist_clear(&l->items[i].names);
		strlist_clear(&l->items[i].renamed);
		free(l->items[i].renamed_from.items);
	}
	free(l->items);
	*l = (struct image_loaded){0};
}
