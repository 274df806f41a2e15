/* SPDX-License-Identifier: Apache-2.0 */
/* The tar of an archive, in one pass. */
#include "image/image_archive.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "layer/layer.h"

#include "base/banned.h"

#define COPY_BYTES (256u << 10)

/* Every byte of a blob passes here, to be counted. */
struct output {
	int fd;
	uint64_t bytes; /* of the blob so far */
};

static int put(int fd, const void *data, size_t len, struct error *err)
{
	if (io_write_full(fd, data, len) < 0)
		return error_sys(err, "cannot write the archive");
	return 0;
}

static int put_header(int fd, const char *path, mode_t mode, uint64_t size, struct error *err)
{
	const struct layer_entry e = {.path = path, .mode = mode, .size = size};
	AUTO(buf) struct buf header = BUF_INIT;

	layer_tar_header(&e, &header);
	return put(fd, header.data, header.len, err);
}

static int put_padding(int fd, uint64_t size, struct error *err)
{
	static const char zeros[LAYER_TAR_BLOCK];
	size_t tail = size % LAYER_TAR_BLOCK;

	return tail ? put(fd, zeros, LAYER_TAR_BLOCK - tail, err) : 0;
}

static int put_file(int fd, const char *path, const struct buf *data, struct error *err)
{
	int r = put_header(fd, path, S_IFREG | 0644, data->len, err);

	if (r == 0)
		r = put(fd, buf_str(data), data->len, err);
	return r < 0 ? r : put_padding(fd, data->len, err);
}

/* ---- blobs ---- */

static int sink_write(void *data, const void *bytes, size_t len, struct error *err)
{
	struct output *o = data;

	o->bytes += len;
	return put(o->fd, bytes, len, err);
}

/* The directory's own serialisation hashes as it goes. */
static int put_layer(const struct archive *a, const struct archive_blob *b, struct output *o,
		     struct digest *out, struct error *err)
{
	const struct layer_sink sink = {.write = sink_write, .data = o};
	struct layer_info info;
	AUTO(fd) int fd = -1;
	int r = store_layer_open(a->store, b->layer, &fd, err);

	if (r < 0 || (r = layer_describe(fd, &sink, &info, err)) < 0)
		return r;
	*out = info.diff_id;
	return 0;
}

int archive_stream(int from, const struct layer_sink *to, struct digest *out, struct error *err)
{
	AUTO(free) char *data = mem_alloc(2 * COPY_BYTES);
	AUTO(hash_aside) struct hash_aside *hasher = hash_aside_new();
	char *piece = data;
	ssize_t n;
	int r;

	while ((n = io_read_full(from, piece, COPY_BYTES)) > 0) {
		hash_aside_add(hasher, piece, (size_t)n);
		if ((r = to->write(to->data, piece, (size_t)n, err)) < 0)
			return r;
		piece = piece == data ? data + COPY_BYTES : data;
	}
	if (n < 0)
		return error_sys(err, "cannot read a blob");
	hash_aside_end(hasher, out);
	return 0;
}

static int put_stream(struct output *o, int from, struct digest *out, struct error *err)
{
	const struct layer_sink sink = {.write = sink_write, .data = o};

	return archive_stream(from, &sink, out, err);
}

static int put_content(const struct archive *a, const struct archive_blob *b, struct output *o,
		       struct digest *out, struct error *err)
{
	AUTO(fd) int fd = -1;
	int r;

	if (*b->layer)
		return put_layer(a, b, o, out, err);
	if (b->stored) {
		r = store_blob_open(a->store, &b->digest, &fd, err);
		return r < 0 ? r : put_stream(o, fd, out, err);
	}
	if (b->file >= 0) {
		if (lseek(b->file, 0, SEEK_SET) < 0)
			return error_sys(err, "cannot read a blob");
		return put_stream(o, b->file, out, err);
	}
	*out = b->digest;
	return sink_write(o, buf_str(&b->bytes), b->bytes.len, err);
}

/* To @fd and nothing else: no header, no padding. */
int archive_put_blob(const struct archive *a, const struct archive_blob *b, int fd,
		     struct error *err)
{
	struct output o = {.fd = fd};
	char text[DIGEST_TEXT_SIZE];
	struct digest have;
	int r = put_content(a, b, &o, &have, err);

	if (r < 0)
		return error_wrap(err, "blob %s", digest_text(&b->digest, text));
	if (o.bytes == b->size && digest_eq(&have, &b->digest))
		return 0;
	error_set(err, ERR_CORRUPT, "blob %s is not what its digest says any more",
		  digest_text(&b->digest, text));
	error_hint(err, "run `stave system check --repair`, then make the image again");
	return -ERR_CORRUPT;
}

/* ---- documents ---- */

static json_t *blob_path(const struct digest *d)
{
	char hex[DIGEST_HEX_SIZE];

	return json_sprintf("blobs/sha256/%s", digest_hex(d, hex));
}

/* Docker's own list: which config and layers make the image that has these names. */
static void docker_manifest(const struct archive *a, struct buf *out)
{
	AUTO(json) json_t *list = json_array();

	for (size_t i = 0; i < a->images.n; i++) {
		const struct archive_image *image = &a->images.items[i];
		json_t *j = json_object(), *layers = json_array();

		for (size_t k = 0; k < image->layers.n; k++)
			json_array_append_new(layers, blob_path(&image->layers.items[k]));
		json_object_set_new(j, "Config", blob_path(&image->config));
		json_object_set_new(j, "RepoTags",
				    image->tags.n ? json_from_strings(&image->tags)
						  : json_null());
		json_object_set_new(j, "Layers", layers);
		json_array_append_new(list, j);
	}
	json_text(list, out);
}

static int put_documents(const struct archive *a, int fd, struct error *err)
{
	AUTO(buf) struct buf layout = BUF_INIT;
	AUTO(buf) struct buf index = BUF_INIT;
	AUTO(buf) struct buf docker = BUF_INIT;
	int r;

	buf_addstr(&layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
	index_encode(&a->index, &index);
	docker_manifest(a, &docker);
	if ((r = put_file(fd, "oci-layout", &layout, err)) < 0 ||
	    (r = put_file(fd, "index.json", &index, err)) < 0 || !a->images.n)
		return r;
	return put_file(fd, "manifest.json", &docker, err);
}

int archive_write_tar(const struct archive *a, int fd, struct error *err)
{
	static const char zeros[LAYER_TAR_END];
	int r = put_documents(a, fd, err);

	if (r < 0 || (r = put_header(fd, "blobs", S_IFDIR | 0755, 0, err)) < 0 ||
	    (r = put_header(fd, "blobs/sha256", S_IFDIR | 0755, 0, err)) < 0)
		return r;
	for (size_t i = 0; i < a->n; i++) {
		const struct archive_blob *b = &a->items[i];
		char hex[DIGEST_HEX_SIZE];
		AUTO(free)
		char *path = mem_printf("blobs/sha256/%s", digest_hex(&b->digest, hex));

		if ((r = put_header(fd, path, S_IFREG | 0644, b->size, err)) < 0 ||
		    (r = archive_put_blob(a, b, fd, err)) < 0 ||
		    (r = put_padding(fd, b->size, err)) < 0)
			return r;
	}
	return put(fd, zeros, sizeof(zeros), err);
}

/* ---- a directory ---- */

static int put_blob_file(const struct archive *a, const struct archive_blob *b, int blobs,
			 struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	AUTO(fd) int fd = -1;
	struct stat st;
	int r = root_open(blobs, ROOT_BENEATH, digest_hex(&b->digest, hex),
			  O_WRONLY | O_CREAT | O_NOFOLLOW, 0644, &fd, err);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERR_CONFLICT, "blobs/sha256/%s is not a file", hex);
	/* a whole one from before; one that was cut short is written again */
	if ((uint64_t)st.st_size == b->size)
		return 0;
	if (ftruncate(fd, 0) < 0)
		return error_sys(err, "cannot write blobs/sha256/%s", hex);
	return archive_put_blob(a, b, fd, err);
}

/* The whole name, or the tag that stands alone. */
static const char *name_of(const struct descriptor *d)
{
	const char *name = map_get(&d->annotations, "io.containerd.image.name");

	return name ? name : map_get(&d->annotations, "org.opencontainers.image.ref.name");
}

static bool is_replaced(const struct archive *a, const struct descriptor *old)
{
	const char *name = name_of(old);

	for (size_t i = 0; i < a->index.manifests.n; i++) {
		const struct descriptor *d = &a->index.manifests.items[i];
		const char *mine = name_of(d);

		if (name ? str_eq(name, mine) : digest_eq(&old->digest, &d->digest))
			return true;
	}
	return false;
}

/* What an index says of other images stays. */
static int merged_index(const struct archive *a, int dir, struct buf *out, struct error *err)
{
	AUTO(index) struct index old = INDEX_INIT;
	AUTO(index) struct index all = INDEX_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	int r = root_read_file(dir, ROOT_BENEATH, "index.json", LIMIT_MANIFEST_BYTES, &text,
			       NULL);

	if (r == 0 && (r = index_decode(text.data, text.len, &old, err)) < 0)
		return error_wrap(err, "index.json");
	for (size_t i = 0; i < old.manifests.n; i++)
		if (!is_replaced(a, &old.manifests.items[i]))
			descriptor_copy(&old.manifests.items[i],
					descriptor_list_add(&all.manifests));
	for (size_t i = 0; i < a->index.manifests.n; i++)
		descriptor_copy(&a->index.manifests.items[i],
				descriptor_list_add(&all.manifests));
	index_encode(&all, out);
	return 0;
}

int archive_write_dir(const struct archive *a, int dir, struct error *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	const struct root_made made = {
		.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};
	AUTO(buf) struct buf index = BUF_INIT;
	AUTO(fd) int blobs = -1;
	int r = root_mkdirs(dir, ROOT_BENEATH, "blobs/sha256", &made, &blobs, NULL, err);

	for (size_t i = 0; r == 0 && i < a->n; i++)
		r = put_blob_file(a, &a->items[i], blobs, err);
	if (r < 0 || (r = merged_index(a, dir, &index, err)) < 0)
		return r;
	r = io_write_file(dir, "oci-layout", layout, sizeof(layout) - 1, 0644, 0, err);
	return r < 0 ? r
		     : io_write_file(dir, "index.json", index.data, index.len, 0644, 0, err);
}
