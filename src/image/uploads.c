/* SPDX-License-Identifier: Apache-2.0 */
/* Layers and other blobs up, some on their way while the next one is packed. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "image/image_archive.h"
#include "registry/registry.h"

#include "base/banned.h"

#define PACKED	  4	   /* that are not sent yet, at most and one */
#define ELSEWHERE SIZE_MAX /* in place of the number of an archive's blob */

struct image_uploads {
	const struct reference *ref;
	const struct image_form *form;
	const struct image_uploads_watch *watch;
	struct registry_uploads *uploads;
	struct archive archive; /* what there is to open */
	struct upload_list {
		struct {
			size_t blob;  /* of the archive; ELSEWHERE */
			size_t which; /* as the caller counts */
			struct digest digest;
			uint64_t size, current;
			bool sent; /* counts */
		} * items;
		size_t n, cap;
	} all;		/* by the number that registry/ has for each */
	size_t n_added; /* by the caller; what is the same blob is sent once */
	int failed;	/* of what is served beside packing */
	struct error why;
};

static void on_bytes(void *data, size_t which, uint64_t current)
{
	struct image_uploads *u = data;
	uint64_t sum = 0, total = 0;

	u->all.items[which].sent = true;
	u->all.items[which].current = current;
	for (size_t i = 0; i < u->all.n; i++)
		if (u->all.items[i].sent) {
			sum += u->all.items[i].current;
			total += u->all.items[i].size;
		}
	u->watch->bytes(u->watch->data, sum, total);
}

static int on_done(void *data, size_t which, enum registry_uploaded how, const char *from,
		   struct error *err)
{
	struct image_uploads *u = data;
	size_t blob = u->all.items[which].blob;

	(void)how;
	(void)from;
	if (blob != ELSEWHERE)
		close_fd(&u->archive.items[blob].file);
	return u->watch->done(u->watch->data, u->all.items[which].which,
			      &u->all.items[which].digest, err);
}

static void tick(void *data)
{
	struct image_uploads *u = data;

	if (u->failed == 0)
		u->failed = registry_uploads_serve(u->uploads, &u->why);
}

struct image_uploads *image_uploads_open(struct store *s, struct registry *registry,
					 const struct reference *ref,
					 const struct image_form *form,
					 const struct image_uploads_watch *watch)
{
	struct image_uploads *u = mem_new(struct image_uploads);
	const struct registry_uploads_watch own = {
		.bytes = on_bytes, .done = on_done, .data = u};

	u->ref = ref;
	u->form = form;
	u->watch = watch;
	u->why = ERROR_INIT;
	u->uploads = registry_uploads_open(registry, &own);
	archive_init(&u->archive, s);
	u->archive.lazy = true;
	u->archive.tick = tick;
	u->archive.data = u;
	return u;
}

void image_uploads_close(struct image_uploads *u)
{
	registry_uploads_close(u->uploads);
	archive_clear(&u->archive);
	error_clear(&u->why);
	free(u->all.items);
	free(u);
}

static int open_one(struct image_uploads *u, size_t which, int *out_fd, struct error *err)
{
	size_t blob = u->all.items[which].blob;

	return blob == ELSEWHERE
		       ? u->watch->open(u->watch->data, u->all.items[which].which, out_fd, err)
		       : archive_open_blob(&u->archive, &u->archive.items[blob], out_fd, err);
}

/* What went wrong while something was packed. */
static int check_tick(struct image_uploads *u, struct error *err)
{
	if (u->failed < 0)
		error_move(err, &u->why);
	return u->failed;
}

static int serve(struct image_uploads *u, size_t most, struct error *err)
{
	for (;;) {
		AUTO(fd) int fd = -1;
		size_t which;
		int r = registry_uploads_next(u->uploads, most, &which, err);

		if (r <= 0)
			return r;
		if ((r = open_one(u, which, &fd, err)) < 0 || (r = check_tick(u, err)) < 0)
			return r;
		registry_uploads_give(u->uploads, which, take_fd(&fd));
	}
}

static int add(struct image_uploads *u, size_t blob, const struct descriptor *d,
	       const char *from, struct error *err)
{
	AUTO(strlist) struct strlist places = STRLIST_INIT;
	const struct registry_upload what = {
		.digest = d->digest, .size = d->size, .fd = -1, .from = &places};
	int r = push_places(u->archive.store, u->ref, &d->digest, &places, err);

	if (r < 0)
		return r;
	if (from && strlist_find(&places, from) < 0)
		strlist_add(&places, from);
	*vec_push(&u->all) = (typeof(*u->all.items)){
		.blob = blob, .which = u->n_added++, .digest = d->digest, .size = d->size};
	registry_uploads_add(u->uploads, &what);
	return 0;
}

/* What the archive has got as its last one, if it had it not before. */
static int add_last(struct image_uploads *u, size_t before, const struct descriptor *d,
		    struct error *err)
{
	int r;

	if (u->archive.n == before)
		return u->watch->done(u->watch->data, u->n_added++, &d->digest, err);
	if ((r = add(u, before, d, NULL, err)) < 0)
		return r;
	/* what is packed takes space until it is sent */
	return u->archive.items[before].file >= 0 ? serve(u, PACKED, err) : 0;
}

int image_uploads_layer(struct image_uploads *u, const struct digest *diff_id,
			struct descriptor *out, struct error *err)
{
	size_t before = u->archive.n;
	int r = export_layer(&u->archive, diff_id, u->form, out, err);

	if (r == 0)
		r = check_tick(u, err);
	return r < 0 ? r : add_last(u, before, out, err);
}

int image_uploads_file(struct image_uploads *u, const struct descriptor *blob, int fd,
		       struct error *err)
{
	size_t before = u->archive.n;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		return error_sys(err, "cannot read a blob");
	archive_add_file(&u->archive, own, &blob->digest, blob->size);
	return add_last(u, before, blob, err);
}

int image_uploads_elsewhere(struct image_uploads *u, const struct descriptor *blob,
			    const char *from, struct error *err)
{
	return add(u, ELSEWHERE, blob, from, err);
}

int image_uploads_finish(struct image_uploads *u, struct error *err)
{
	return serve(u, 0, err);
}
