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
#define CONFIG	 SIZE_MAX /* the blob that is no layer */
#define PACKED	 4	  /* layers that are packed and not sent yet, at most and one */

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
	struct registry_uploads *uploads;
	struct push_blobs {
		size_t *items; /* of each upload: its layer; CONFIG */
		size_t n, cap;
	} blobs;
	int failed; /* of what is served beside packing */
	struct error why;
};

static void begin_tasks(const struct push *p)
{
	const struct digest_list *ids = &p->image.config.diff_ids;

	/* as Docker lists them: the top first */
	for (size_t i = ids->n; i-- > 0;) {
		char hex[DIGEST_HEX_SIZE];

		digest_hex(&ids->items[i], hex);
		hex[SHORT_ID] = 0;
		progress_tell(p->how->progress, PROGRESS_BEGIN, (unsigned)i + 1, hex, 0, 0);
		progress_tell(p->how->progress, PROGRESS_STATUS, (unsigned)i + 1, "Preparing",
			      0, 0);
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
	/* an archive's plain tars are nothing to send */
	for (size_t i = 0; i < ids->n; i++)
		p->as_it_is &= is_kept(p, &ids->items[i], &p->m.layers.items[i]) &&
			       !digest_eq(&ids->items[i], &p->m.layers.items[i].digest);
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

/* While a layer is packed, the others go on their way. */
static void tick(void *data)
{
	struct push *p = data;

	if (p->failed == 0)
		p->failed = registry_uploads_serve(p->uploads, &p->why);
}

static const struct image_form packed_form = {.compression = LAYER_GZIP, .level = -1};

static int pack(struct push *p, size_t i, struct descriptor *out, int *out_fd,
		struct error *err)
{
	AUTO(archive) struct archive a;
	int r;

	archive_init(&a, p->store);
	a.tick = tick;
	a.data = p;
	r = export_layer(&a, &p->image.config.diff_ids.items[i], &packed_form, out, err);
	if (r == 0 && p->failed < 0) {
		r = p->failed;
		error_move(err, &p->why);
	}
	if (r == 0 && a.items[0].file >= 0)
		*out_fd = take_fd(&a.items[0].file);
	return r;
}

static void use_oci_type(struct descriptor *d)
{
	char *type = mem_strdup(oci_type(d->media_type));

	free(d->media_type);
	d->media_type = type;
}

/* What the layer will be, if that is known without packing it. */
static bool find_known(struct push *p, size_t i)
{
	struct descriptor *d = &p->m.layers.items[i];

	if (p->as_it_is)
		return true;
	descriptor_clear(d);
	*d = DESCRIPTOR_INIT;
	if (!export_known(p->store, &p->image.config.diff_ids.items[i], &packed_form, d))
		return false;
	use_oci_type(d);
	return true;
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

	if (is_kept(p, diff_id, d))
		return store_blob_open(p->store, &d->digest, out_fd, err);
	archive_init(&a, p->store);
	if (digest_eq(&d->digest, diff_id)) {
		r = archive_add_layer(&a, diff_id, d, err);
		return r < 0 ? r : write_plain(p, &a, out_fd, err);
	}
	if ((r = pack(p, i, &again, out_fd, err)) < 0)
		return r;
	if (digest_eq(&again.digest, &d->digest))
		return 0;
	return error_set(err, ERR_CONFLICT,
			 "a layer is packed in another way than before; push again");
}

/* ---- layers and config on their way ---- */

int push_places(struct store *s, const struct reference *ref, const struct digest *blob,
		struct strlist *out, struct error *err)
{
	AUTO(strlist) struct strlist places = STRLIST_INIT;
	size_t skip = strlen(ref->domain) + 1;
	int r = store_placed(s, blob, ref->domain, &places, err);

	for (size_t i = 0; r == 0 && i < places.n; i++)
		if (!str_eq(places.items[i] + skip, ref->path))
			strlist_add(out, places.items[i] + skip);
	return r;
}

static void on_bytes(void *data, size_t which, uint64_t current)
{
	const struct push *p = data;
	size_t i = p->blobs.items[which];

	if (i != CONFIG)
		progress_tell(p->how->progress, PROGRESS_BYTES, (unsigned)i + 1, "Pushing",
			      current, p->m.layers.items[i].size);
}

static int on_done(void *data, size_t which, enum registry_uploaded how, const char *from,
		   struct error *err)
{
	struct push *p = data;
	size_t i = p->blobs.items[which];
	AUTO(free) char *text = NULL;

	if (i == CONFIG)
		return 0;
	if (how == REGISTRY_MOUNTED)
		text = mem_printf("Mounted from %s", from);
	else
		text = mem_strdup(how == REGISTRY_SENT ? "Pushed" : "Layer already exists");
	progress_tell(p->how->progress, how == REGISTRY_SENT ? PROGRESS_DONE : PROGRESS_CACHED,
		      (unsigned)i + 1, text, 0, 0);
	return store_placed_add(p->store, &p->image.config.diff_ids.items[i],
				&p->m.layers.items[i].digest, p->repository, err);
}

/* TAKES @fd. */
static int add_blob(struct push *p, size_t layer, const struct digest *d, uint64_t size, int fd,
		    struct error *err)
{
	AUTO(strlist) struct strlist from = STRLIST_INIT;
	struct registry_upload what = {.digest = *d, .size = size, .fd = fd, .from = &from};
	int r = layer == CONFIG ? 0 : push_places(p->store, p->how->ref, d, &from, err);

	if (r < 0) {
		close_fd(&fd);
		return r;
	}
	*vec_push(&p->blobs) = layer;
	registry_uploads_add(p->uploads, &what);
	return 0;
}

static int add_layer(struct push *p, size_t i, int fd, struct error *err)
{
	const struct descriptor *d = &p->m.layers.items[i];

	return add_blob(p, i, &d->digest, d->size, fd, err);
}

static int add_config(struct push *p, struct error *err)
{
	const struct buf *config = &p->image.config_bytes;
	int fd = -1, r = io_memfd("config", config->data, config->len, &fd, err);

	return r < 0 ? r : add_blob(p, CONFIG, &p->image.row.id, config->len, fd, err);
}

/* Gives what is asked for, until no more than @most are under way. */
static int serve(struct push *p, size_t most, struct error *err)
{
	for (;;) {
		AUTO(fd) int fd = -1;
		size_t which, i;
		int r = registry_uploads_next(p->uploads, most, &which, err);

		if (r <= 0)
			return r;
		i = p->blobs.items[which];
		progress_tell(p->how->progress, PROGRESS_STATUS, (unsigned)i + 1, "Pushing", 0,
			      p->m.layers.items[i].size);
		if ((r = open_layer(p, i, &fd, err)) < 0)
			return r;
		registry_uploads_give(p->uploads, which, take_fd(&fd));
	}
}

static int pack_and_add(struct push *p, size_t i, struct error *err)
{
	struct descriptor *d = &p->m.layers.items[i];
	AUTO(fd) int fd = -1;
	int r = pack(p, i, d, &fd, err);

	if (r < 0)
		return r;
	use_oci_type(d);
	if ((r = add_layer(p, i, take_fd(&fd), err)) < 0)
		return r;
	return serve(p, PACKED, err);
}

/* The first of the layers that are this very one: a stack may have one twice. */
static size_t first_of(const struct push *p, size_t i)
{
	const struct digest_list *ids = &p->image.config.diff_ids;
	size_t k = 0;

	while (!digest_eq(&ids->items[k], &ids->items[i]))
		k++;
	return k;
}

static void follow_first(struct push *p, size_t i)
{
	const struct descriptor *first = &p->m.layers.items[first_of(p, i)];

	if (!p->as_it_is)
		descriptor_set(&p->m.layers.items[i], first->media_type, &first->digest,
			       first->size);
	progress_tell(p->how->progress, PROGRESS_CACHED, (unsigned)i + 1,
		      "Layer already exists", 0, 0);
}

/* First those that cost nothing but a question; these go on while others are packed. */
static int push_blobs(struct push *p, const bool *known, struct error *err)
{
	int r = add_config(p, err);

	for (size_t i = 0; r == 0 && i < p->m.layers.n; i++)
		if (known[i] && first_of(p, i) == i)
			r = add_layer(p, i, -1, err);
	for (size_t i = 0; r == 0 && i < p->m.layers.n; i++)
		if (!known[i] && first_of(p, i) == i)
			r = pack_and_add(p, i, err);
	if (r == 0)
		r = serve(p, 0, err);
	for (size_t i = 0; r == 0 && i < p->m.layers.n; i++)
		if (first_of(p, i) != i)
			follow_first(p, i);
	return r;
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

/* This very manifest went there before, and is what the tag means still. */
static bool is_there(struct push *p, struct image_pushed *out)
{
	AUTO(buf) struct buf by_digest = BUF_INIT;
	struct digest ours, theirs, id;

	make_manifest(p);
	digest_of(p->bytes.data, p->bytes.len, &ours);
	image_repo_digest(p->how->ref, &ours, &by_digest);
	if (store_repo_digest_find(p->store, buf_str(&by_digest), &id, NULL) < 0 ||
	    registry_manifest_digest(p->registry, p->how->ref->tag, &theirs, NULL) < 0 ||
	    !digest_eq(&ours, &theirs))
		return false;
	for (size_t i = 0; i < p->m.layers.n; i++)
		progress_tell(p->how->progress, PROGRESS_CACHED, (unsigned)i + 1,
			      "Layer already exists", 0, 0);
	*out = (struct image_pushed){.digest = ours, .size = p->bytes.len};
	return true;
}

static int put_manifest(struct push *p, struct image_pushed *out, struct error *err)
{
	AUTO(buf) struct buf by_digest = BUF_INIT;
	int r;

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

/* What other repositories have is mounted: that needs the right to read those. */
static int ask_for_places(struct push *p, const bool *known, struct error *err)
{
	AUTO(strlist) struct strlist places = STRLIST_INIT;

	for (size_t i = 0; i < p->m.layers.n; i++) {
		int r = known[i] ? push_places(p->store, p->how->ref,
					       &p->m.layers.items[i].digest, &places, err)
				 : 0;

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < places.n; i++)
		if (strlist_find(&places, places.items[i]) == (long)i)
			registry_pull_too(p->registry, places.items[i]);
	return 0;
}

static int send_all(struct push *p, struct image_pushed *out, struct error *err)
{
	const struct registry_uploads_watch watch = {
		.bytes = on_bytes, .done = on_done, .data = p};
	AUTO(free) bool *known = mem_zalloc(p->m.layers.n + 1);
	bool all = true;
	int r;

	for (size_t i = 0; i < p->m.layers.n; i++)
		all &= known[i] = find_known(p, i);
	if ((r = ask_for_places(p, known, err)) < 0)
		return r;
	if (all && is_there(p, out))
		return 0;
	p->uploads = registry_uploads_open(p->registry, &watch);
	r = push_blobs(p, known, err);
	registry_uploads_close(p->uploads);
	return r < 0 ? r : put_manifest(p, out, err);
}

static void push_clear(struct push *p)
{
	registry_close(p->registry);
	image_clear(&p->image);
	manifest_clear(&p->m);
	buf_clear(&p->bytes);
	free(p->repository);
	free(p->blobs.items);
	error_clear(&p->why);
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
	return p->registry ? 0 : registry_open(p->how->ref, REGISTRY_PUSH, &p->registry, err);
}

int image_push(struct store *s, const struct image_push *how, struct image_pushed *out,
	       struct error *err)
{
	AUTO(buf) struct buf name = BUF_INIT;
	struct push p = {.store = s,
			 .how = how,
			 .registry = how->registry,
			 .image = {.config = IMAGE_CONFIG_INIT},
			 .m = MANIFEST_INIT,
			 .why = ERROR_INIT};
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
