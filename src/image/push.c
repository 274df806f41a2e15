/* SPDX-License-Identifier: Apache-2.0 */
/* `push`: an image to the registry that its name says. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image_archive.h"
#include "registry/registry.h"

#include "base/banned.h"

#define SHORT_ID 12

struct push {
	struct store *store;
	const struct image_push *how;
	const char *name; /* what the user knows it by */
	char *repository; /* "host/path" */
	struct registry *registry;
	struct image image;
	struct manifest m; /* as it is sent */
	struct buf bytes;
	bool as_it_is; /* the manifest that it came with */
	unsigned current;
};

static void tell(const struct push *p, enum progress_kind kind, unsigned task, const char *text,
		 uint64_t current, uint64_t total)
{
	struct progress_event e = {.kind = kind,
				   .task = task,
				   .text = text,
				   .len = text ? strlen(text) : 0,
				   .current = current,
				   .total = total};

	progress_emit(p->how->progress, &e);
}

static void begin_tasks(const struct push *p)
{
	const struct digest_list *ids = &p->image.config.diff_ids;

	/* as Docker lists them: the top first */
	for (size_t i = ids->n; i-- > 0;) {
		char hex[DIGEST_HEX_SIZE];

		digest_hex(&ids->items[i], hex);
		hex[SHORT_ID] = 0;
		tell(p, PROGRESS_BEGIN, (unsigned)i + 1, hex, 0, 0);
		tell(p, PROGRESS_STATUS, (unsigned)i + 1, "Preparing", 0, 0);
	}
}

/* ---- which manifest ---- */

/* Does a registry have this very manifest, as far as we know? */
static bool came_from_registry(struct push *p)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	char text[DIGEST_TEXT_SIZE];

	digest_text(&p->image.row.manifest, text);
	store_repo_digests(p->store, &p->image.row.id, &names, NULL);
	for (size_t i = 0; i < names.n; i++)
		if (str_ends(names.items[i], text))
			return true;
	return false;
}

static bool is_kept(struct push *p, const struct digest *diff_id, const struct descriptor *d)
{
	AUTO(store_origin) struct store_origin origin = {0};

	return store_origin_find(p->store, diff_id, &origin, NULL) == 0 &&
	       digest_eq(&origin.blob, &d->digest);
}

static int read_manifest(struct push *p, struct error *err)
{
	const struct digest_list *ids = &p->image.config.diff_ids;
	int r = store_blob_read(p->store, &p->image.row.manifest, LIMIT_MANIFEST_BYTES,
				&p->bytes, err);

	if (r == 0)
		r = manifest_decode(p->bytes.data, p->bytes.len, &p->m, err);
	if (r < 0)
		return r;
	if (p->m.layers.n != ids->n)
		return error_set(err, ERR_CORRUPT,
				 "its manifest has %zu layers, its config %zu", p->m.layers.n,
				 ids->n);
	p->as_it_is = true;
	for (size_t i = 0; i < ids->n; i++)
		p->as_it_is &= is_kept(p, &ids->items[i], &p->m.layers.items[i]);
	p->as_it_is |= came_from_registry(p);
	return 0;
}

/* ---- a layer's bytes ---- */

static const char *oci_type(const char *type)
{
	if (str_eq(type, MEDIA_DOCKER_LAYER_GZIP))
		return MEDIA_OCI_LAYER_GZIP;
	return str_eq(type, MEDIA_DOCKER_LAYER) ? MEDIA_OCI_LAYER : type;
}

/*
 * Packs the layer, unless @lazy is enough: its digest is known, and the registry
 * may have the bytes.
 */
static int pack(struct push *p, size_t i, bool lazy, struct descriptor *out, int *out_fd,
		struct error *err)
{
	const struct image_form form = {.compression = LAYER_GZIP, .level = -1};
	AUTO(archive) struct archive a;
	int r;

	archive_init(&a, p->store);
	a.lazy = lazy;
	r = export_layer(&a, &p->image.config.diff_ids.items[i], &form, out, err);
	if (r == 0 && a.items[0].file >= 0)
		*out_fd = take_fd(&a.items[0].file);
	return r;
}

/* What the layer will be, without making it if that is known. */
static int describe(struct push *p, size_t i, int *out_fd, struct error *err)
{
	struct descriptor *d = &p->m.layers.items[i];
	AUTO(free) char *type = NULL;
	int r;

	if (p->as_it_is)
		return 0;
	descriptor_clear(d);
	*d = DESCRIPTOR_INIT;
	if ((r = pack(p, i, true, d, out_fd, err)) < 0)
		return r;
	type = mem_strdup(oci_type(d->media_type));
	free(d->media_type);
	d->media_type = take_ptr(type);
	return 0;
}

/* Its plain tar, which nobody keeps. */
static int write_plain(struct push *p, const struct archive *a, int *out_fd, struct error *err)
{
	AUTO(fd) int fd = -1;
	int r = root_open(store_dir(p->store, STORE_CACHE), ROOT_BENEATH, ".",
			  O_TMPFILE | O_RDWR, 0600, &fd, err);

	if (r < 0 || (r = archive_put_blob(a, &a->items[0], fd, err)) < 0)
		return r;
	*out_fd = take_fd(&fd);
	return 0;
}

static int open_layer(struct push *p, size_t i, int *out_fd, struct error *err)
{
	const struct digest *diff_id = &p->image.config.diff_ids.items[i];
	const struct descriptor *d = &p->m.layers.items[i];
	AUTO(descriptor) struct descriptor again = DESCRIPTOR_INIT;
	AUTO(archive) struct archive a;
	int r;

	if (*out_fd >= 0)
		return 0;
	if (is_kept(p, diff_id, d))
		return store_blob_open(p->store, &d->digest, out_fd, err);
	archive_init(&a, p->store);
	if (digest_eq(&d->digest, diff_id)) {
		r = archive_add_layer(&a, diff_id, d, err);
		return r < 0 ? r : write_plain(p, &a, out_fd, err);
	}
	if ((r = pack(p, i, false, &again, out_fd, err)) < 0)
		return r;
	if (digest_eq(&again.digest, &d->digest))
		return 0;
	return error_set(err, ERR_CONFLICT,
			 "a layer is packed in another way than before; push again");
}

/* ---- layers and config on their way ---- */

static void on_bytes(void *data, uint64_t current)
{
	const struct push *p = data;

	tell(p, PROGRESS_BYTES, p->current, "Pushing", current,
	     p->m.layers.items[p->current - 1].size);
}

int push_mount(struct store *s, struct registry *registry, const struct reference *ref,
	       const struct digest *blob, char **out_from, struct error *err)
{
	AUTO(strlist) struct strlist places = STRLIST_INIT;
	size_t skip = strlen(ref->domain) + 1;
	int r = store_placed(s, blob, ref->domain, &places, err);

	for (size_t i = 0; r >= 0 && i < places.n; i++) {
		const char *from = places.items[i] + skip;
		bool mounted = false;

		if (str_eq(from, ref->path))
			continue;
		r = registry_mount(registry, blob, from, &mounted, err);
		if (mounted)
			*out_from = mem_strdup(from);
		/* a registry that cannot mount takes uploads */
		if (mounted)
			break;
	}
	return r < 0 ? r : 0;
}

static int place(struct push *p, size_t i, int *fd, const char **out_how, char **out_from,
		 struct error *err)
{
	const struct descriptor *d = &p->m.layers.items[i];
	bool there = false;
	int r = registry_blob_exists(p->registry, &d->digest, &there, err);

	if (r < 0)
		return r;
	*out_how = there ? "Layer already exists" : "Pushed";
	if (there)
		return 0;
	r = push_mount(p->store, p->registry, p->how->ref, &d->digest, out_from, err);
	if (r < 0 || *out_from)
		return r;
	if ((r = open_layer(p, i, fd, err)) < 0)
		return r;
	tell(p, PROGRESS_STATUS, (unsigned)i + 1, "Pushing", 0, d->size);
	return registry_upload(p->registry, &d->digest, d->size, *fd, on_bytes, p, err);
}

static int push_layer(struct push *p, size_t i, struct error *err)
{
	const struct digest *diff_id = &p->image.config.diff_ids.items[i];
	AUTO(free) char *from = NULL, *text = NULL;
	const char *how = NULL;
	AUTO(fd) int fd = -1;
	int r;

	p->current = (unsigned)i + 1;
	if ((r = describe(p, i, &fd, err)) < 0 ||
	    (r = place(p, i, &fd, &how, &from, err)) < 0 ||
	    (r = store_placed_add(p->store, diff_id, &p->m.layers.items[i].digest,
				  p->repository, err)) < 0) {
		tell(p, PROGRESS_FAILED, p->current, NULL, 0, 0);
		return r;
	}
	text = from ? mem_printf("Mounted from %s", from) : mem_strdup(how);
	tell(p, str_eq(how, "Pushed") ? PROGRESS_DONE : PROGRESS_CACHED, p->current, text, 0,
	     0);
	return 0;
}

static int push_config(struct push *p, struct error *err)
{
	const struct buf *config = &p->image.config_bytes;
	bool there = false;
	AUTO(fd) int fd = -1;
	int r = registry_blob_exists(p->registry, &p->image.row.id, &there, err);

	if (r < 0 || there)
		return r;
	if ((r = io_memfd("config", config->data, config->len, &fd, err)) < 0)
		return r;
	return registry_upload(p->registry, &p->image.row.id, config->len, fd, NULL, NULL, err);
}

/* Written anew where layers have been packed: the same image and form, the same bytes. */
static void make_manifest(struct push *p)
{
	const struct buf *config = &p->image.config_bytes;

	if (p->as_it_is)
		return;
	descriptor_clear(&p->m.config);
	p->m.config = DESCRIPTOR_INIT;
	descriptor_set(&p->m.config, MEDIA_OCI_CONFIG, &p->image.row.id, config->len);
	free(p->m.media_type);
	p->m.media_type = NULL;
	buf_reset(&p->bytes);
	manifest_encode(&p->m, &p->bytes);
}

static int send_all(struct push *p, struct image_pushed *out, struct error *err)
{
	AUTO(buf) struct buf by_digest = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->m.layers.n; i++)
		r = push_layer(p, i, err);
	if (r < 0 || (r = push_config(p, err)) < 0)
		return r;
	make_manifest(p);
	r = registry_put_manifest(p->registry, p->how->ref->tag,
				  p->m.media_type ? p->m.media_type : MEDIA_OCI_MANIFEST,
				  &p->bytes, &out->digest, err);
	if (r < 0)
		return r;
	out->size = p->bytes.len;
	image_repo_digest(p->how->ref, &out->digest, &by_digest);
	return store_repo_digest_add(p->store, buf_str(&by_digest), &p->image.row.id, err);
}

static void push_clear(struct push *p)
{
	registry_close(p->registry);
	image_clear(&p->image);
	manifest_clear(&p->m);
	buf_clear(&p->bytes);
	free(p->repository);
}

static int start(struct push *p, struct error *err)
{
	AUTO(buf) struct buf normal = BUF_INIT;
	struct digest id;
	int r;

	reference_normal(p->how->ref, &normal);
	r = store_name_find(p->store, buf_str(&normal), &id, err);
	if (r == -ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND,
				 "An image does not exist locally with the tag: %s", p->name);
	if (r < 0 || (r = image_open(p->store, &id, &p->image, err)) < 0 ||
	    (r = read_manifest(p, err)) < 0)
		return r;
	return registry_open(p->how->ref, REGISTRY_PUSH, &p->registry, err);
}

int image_push(struct store *s, const struct image_push *how, struct image_pushed *out,
	       struct error *err)
{
	AUTO(buf) struct buf name = BUF_INIT;
	struct push p = {.store = s,
			 .how = how,
			 .image = {.config = IMAGE_CONFIG_INIT},
			 .m = MANIFEST_INIT};
	int r;

	reference_familiar_name(how->ref, &name);
	p.name = buf_str(&name);
	p.repository = mem_printf("%s/%s", how->ref->domain, how->ref->path);
	if ((r = start(&p, err)) == 0) {
		begin_tasks(&p);
		r = send_all(&p, out, err);
	}
	push_clear(&p);
	return r;
}
