/* SPDX-License-Identifier: Apache-2.0 */
/* Single blobs from a registry, and the files that downloads go to. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image_incoming.h"
#include "registry/registry.h"

#include "base/banned.h"

#define PARTIAL_TRIES 8
#define READ_BYTES    (256u << 10)

/* ---- files of downloads ---- */

int partial_place(struct store *s, int *out_dir, struct error *err)
{
	const struct root_made made = {
		.mode = 0700, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};

	return root_mkdirs(store_dir(s, STORE_CACHE), ROOT_BENEATH, "pull", &made, out_dir,
			   NULL, err);
}

int partial_open(int dir, const struct digest *blob, struct partial *out, int *out_fd,
		 struct error *err)
{
	char hex[DIGEST_HEX_SIZE], random[9];
	struct stat held, named;

	digest_hex(blob, hex);
	snprintf(out->file, sizeof(out->file), "%s", hex);
	for (int i = 0; i < PARTIAL_TRIES; i++) {
		AUTO(fd) int fd = -1;
		int r = root_open(dir, ROOT_BENEATH, out->file, O_RDWR | O_CREAT | O_NOFOLLOW,
				  0600, &fd, err);

		if (r < 0)
			return error_wrap(err, "cannot keep a download");
		if (io_lock(fd, true, false, NULL) < 0) {
			random_hex(random, 8);
			snprintf(out->file, sizeof(out->file), "%s.%s", hex, random);
			continue;
		}
		if (fstat(fd, &held) == 0 &&
		    fstatat(dir, out->file, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		    held.st_ino == named.st_ino) {
			out->resumed = held.st_size > 0;
			*out_fd = take_fd(&fd);
			return 0;
		}
	}
	return error_set(err, ERR_CONFLICT, "others pull the same layer");
}

/* ---- down ---- */

struct fetching {
	const struct image_blobs *want;
	int dir;
	struct partial *partials;
	struct registry_download *files;
};

static int verify(int fd, const struct digest *want, struct error *err)
{
	AUTO(free) char *data = mem_alloc(READ_BYTES);
	char text[DIGEST_TEXT_SIZE];
	struct hasher hasher;
	struct digest have;
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot read a download");
	hasher_init(&hasher);
	while ((n = io_read_full(fd, data, READ_BYTES)) > 0)
		hasher_add(&hasher, data, (size_t)n);
	hasher_end(&hasher, &have);
	if (n < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot read a download");
	return digest_eq(&have, want)
		       ? 0
		       : error_set(err, ERR_CORRUPT, "verification failed for digest %s",
				   digest_text(want, text));
}

static void on_bytes(void *data, size_t which, uint64_t current)
{
	const struct fetching *f = data;

	if (f->want->bytes)
		f->want->bytes(f->want->data, which, current);
}

static int on_check(void *data, size_t which, struct error *err)
{
	const struct fetching *f = data;

	return verify(f->files[which].fd, &f->files[which].digest, err);
}

static int on_done(void *data, size_t which, struct error *err)
{
	struct fetching *f = data;
	int r = f->want->take(f->want->data, which, f->files[which].fd, err);

	unlinkat(f->dir, f->partials[which].file, 0);
	close_fd(&f->files[which].fd);
	return r;
}

/* What has come stays for the next time, unless it is of no use. */
static void close_files(struct fetching *f, bool forget)
{
	for (size_t i = 0; i < f->want->n; i++) {
		struct stat st;

		if (f->files[i].fd >= 0 &&
		    (forget || fstat(f->files[i].fd, &st) < 0 || !st.st_size))
			unlinkat(f->dir, f->partials[i].file, 0);
		close_fd(&f->files[i].fd);
	}
}

static int fetch(struct fetching *f, struct error *err)
{
	const struct registry_watch watch = {
		.bytes = on_bytes, .check = on_check, .done = on_done, .data = f};
	int r = 0;

	for (size_t i = 0; i < f->want->n; i++)
		f->files[i].fd = -1;
	for (size_t i = 0; r == 0 && i < f->want->n; i++) {
		const struct descriptor *d = f->want->items[i];
		int fd = -1;

		if ((r = partial_open(f->dir, &d->digest, &f->partials[i], &fd, err)) == 0)
			f->files[i] = (struct registry_download){
				.digest = d->digest, .size = d->size, .fd = fd};
	}
	if (r == 0)
		r = registry_download(f->want->registry, f->files, f->want->n, &watch, err);
	close_files(f, !partial_is_kept(r));
	return r;
}

int image_fetch_blobs(struct store *s, const struct image_blobs *b, struct error *err)
{
	struct fetching f = {.want = b, .dir = -1};
	int r = partial_place(s, &f.dir, err);

	if (r < 0)
		return r;
	f.partials = mem_zalloc((b->n + 1) * sizeof(*f.partials));
	f.files = mem_zalloc((b->n + 1) * sizeof(*f.files));
	r = fetch(&f, err);
	free(f.partials);
	free(f.files);
	close_fd(&f.dir);
	return r;
}
