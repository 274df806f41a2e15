/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's archives: manifest.json lists configs, names and layer files.  Since
 * Docker 25 the files are the blobs of an OCI layout; before, "ID.json" and
 * "ID/layer.tar", where a layer that comes twice may be a link.
 */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image_load.h"

#include "base/banned.h"

#define HASH_BYTES (256u << 10)

/* ---- which bytes ---- */

/* A file that is called by its digest ("HEX", "HEX.json") must have it. */
static int check_called(const char *path, const struct digest *have, struct error *err)
{
	const char *base = strrchr(path, '/');
	char hex[DIGEST_HEX_SIZE];
	struct digest called;

	base = base ? base + 1 : path;
	if (strnlen(base, 64) < 64 || (base[64] && !str_eq(base + 64, ".json")))
		return 0;
	memcpy(hex, base, 64);
	hex[64] = 0;
	if (!digest_parse_hex(hex, &called) || digest_eq(&called, have))
		return 0;
	return error_set(err, ERR_CORRUPT, "%.200s is damaged: its bytes have another digest",
			 path);
}

static int read_config(struct load *l, const char *path, struct incoming_image *out,
		       struct error *err)
{
	struct digest id;
	int r = root_read_file(l->layout.dir, ROOT_BENEATH, path, LIMIT_CONFIG_BYTES,
			       &out->config, err);

	if (r == -ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND, "the config %.200s is missing", path);
	if (r < 0)
		return error_wrap(err, "the config %.200s", path);
	digest_of(out->config.data, out->config.len, &id);
	if ((r = check_called(path, &id, err)) < 0)
		return r;
	r = image_config_decode(out->config.data, out->config.len, &out->cfg, err);
	return r < 0 ? error_wrap(err, "the config %.200s", path) : 0;
}

static const char *media_type_of(const unsigned char *head, size_t len)
{
	static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd},
				   bzip2[] = {'B', 'Z', 'h'},
				   xz[] = {0xfd, '7', 'z', 'X', 'Z', 0};

	if (len >= sizeof(gzip) && !memcmp(head, gzip, sizeof(gzip)))
		return MEDIA_OCI_LAYER_GZIP;
	if (len >= sizeof(zstd) && !memcmp(head, zstd, sizeof(zstd)))
		return MEDIA_OCI_LAYER_ZSTD;
	if ((len >= sizeof(bzip2) && !memcmp(head, bzip2, sizeof(bzip2))) ||
	    (len >= sizeof(xz) && !memcmp(head, xz, sizeof(xz))))
		return NULL;
	return MEDIA_OCI_LAYER;
}

int incoming_hash(int fd, struct digest *out, struct error *err)
{
	AUTO(free) char *data = mem_alloc(HASH_BYTES);
	struct hasher h;
	ssize_t n;

	hasher_init(&h);
	while ((n = io_read_full(fd, data, HASH_BYTES)) > 0)
		hasher_add(&h, data, (size_t)n);
	hasher_end(&h, out);
	return n < 0 ? error_sys(err, "cannot read it") : 0;
}

/* What a manifest would say about the file; the tar of a plain one is its diff_id. */
static int describe(struct load *l, const char *path, const struct digest *diff_id,
		    struct descriptor *out, struct error *err)
{
	unsigned char head[8];
	const char *media_type;
	struct digest digest = *diff_id;
	AUTO(fd) int fd = -1;
	struct stat st;
	ssize_t n;
	int r = root_open(l->layout.dir, ROOT_BENEATH, path, O_RDONLY | O_NONBLOCK, 0, &fd,
			  err);

	if (r == -ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND, "it is missing");
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "it is not a file");
	if ((n = pread(fd, head, sizeof(head), 0)) < 0)
		return error_sys(err, "cannot read it");
	media_type = media_type_of(head, (size_t)n);
	if (!media_type)
		return error_set(err, ERR_UNSUPPORTED,
				 "it is packed with bzip2 or xz, which no manifest can say");
	if (!str_eq(media_type, MEDIA_OCI_LAYER) && (r = incoming_hash(fd, &digest, err)) < 0)
		return r;
	descriptor_set(out, media_type, &digest, (uint64_t)st.st_size);
	return 0;
}

static int read_layer(struct load *l, const char *path, const struct digest *diff_id,
		      struct error *err)
{
	AUTO(descriptor) struct descriptor d = DESCRIPTOR_INIT;
	struct store_layer have;
	int r;

	/* an archive may leave out, or link away, what it has said before */
	if (image_layer(l->in.store, diff_id, &have, NULL) == 0)
		return 0;
	if ((r = describe(l, path, diff_id, &d, err)) == 0)
		r = incoming_layer(&l->in, path, &d, diff_id, err);
	return r < 0 ? error_wrap(err, "layer %.200s", path) : 0;
}

static int read_layers(struct load *l, const struct strlist *paths,
		       const struct image_config *cfg, struct error *err)
{
	int r = 0;

	if (paths->n != cfg->diff_ids.n)
		return error_set(err, ERR_CORRUPT,
				 "manifest.json has %zu layers, the image's config %zu",
				 paths->n, cfg->diff_ids.n);
	for (size_t i = 0; r == 0 && i < paths->n; i++)
		r = read_layer(l, paths->items[i], &cfg->diff_ids.items[i], err);
	return r;
}

/* ---- manifest.json ---- */

/* The manifest that index.json has for this config, if both are in the archive. */
static int find_manifest(struct load *l, const struct digest *config, struct descriptor *out,
			 bool *out_found, struct error *err)
{
	*out_found = false;
	for (size_t i = 0; !*out_found && i < l->index.manifests.n; i++) {
		const struct descriptor *d = &l->index.manifests.items[i];
		AUTO(manifest) struct manifest m = MANIFEST_INIT;
		AUTO(buf) struct buf text = BUF_INIT;
		int r;

		if (media_kind(d->media_type) != MEDIA_KIND_MANIFEST)
			continue;
		if ((r = image_layout_blob(&l->layout, &d->digest, LIMIT_MANIFEST_BYTES, &text,
					   err)) < 0 ||
		    (r = manifest_decode(text.data, text.len, &m, err)) < 0)
			return r;
		*out_found = digest_eq(&m.config.digest, config);
		if (*out_found)
			descriptor_copy(d, out);
	}
	return 0;
}

static int read_image(struct load *l, struct load_image *i, const char *config,
		      const struct strlist *layers, struct error *err)
{
	AUTO(descriptor) struct descriptor d = DESCRIPTOR_INIT;
	struct digest id;
	bool found;
	int r = read_config(l, config, &i->image, err);

	if (r < 0 || (r = load_check_platform(l, &i->image, err)) < 0)
		return r;
	digest_of(i->image.config.data, i->image.config.len, &id);
	if ((r = find_manifest(l, &id, &d, &found, err)) < 0)
		return r;
	if (!found)
		return read_layers(l, layers, &i->image.cfg, err);
	/* with it comes all of the image again, the same config included */
	incoming_image_clear(&i->image);
	i->image = INCOMING_IMAGE_INIT;
	return incoming_layout_image(&l->in, &d, &i->image.cfg.platform, &i->image, err);
}

static int read_entry(struct load *l, const json_t *entry, struct error *err)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	AUTO(strlist) struct strlist layers = STRLIST_INIT;
	AUTO(free) char *config = NULL;
	struct load_image *i;
	int r;

	if (!json_is_object(entry))
		return error_set(err, ERR_INVALID, "it is not an object");
	if ((r = json_get_string(entry, "Config", &config, err)) < 0 ||
	    (r = json_get_strings(entry, "RepoTags", &names, NULL, err)) < 0 ||
	    (r = json_get_strings(entry, "Layers", &layers, NULL, err)) < 0)
		return r;
	if (str_empty(config))
		return error_set(err, ERR_INVALID, "it has no \"Config\"");
	i = vec_push(l);
	i->image = INCOMING_IMAGE_INIT;
	for (size_t k = 0; k < names.n; k++)
		if ((r = load_add_name(i, names.items[k], err)) < 0)
			return r;
	return read_image(l, i, config, &layers, err);
}

int load_docker(struct load *l, struct error *err)
{
	AUTO(json) json_t *list = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	int r = root_read_file(l->layout.dir, ROOT_BENEATH, "manifest.json",
			       LIMIT_MANIFEST_BYTES, &text, err);

	if (r < 0 || (r = json_parse(text.data, text.len, &list, err)) < 0)
		return error_wrap(err, "manifest.json");
	if (!json_is_array(list) || !json_array_size(list))
		return error_set(err, ERR_INVALID, "manifest.json: it lists no image");
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		r = read_entry(l, json_array_get(list, i), err);
		if (r < 0)
			error_wrap(err, "image %zu of manifest.json", i + 1);
	}
	return r;
}
