/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "layer/layer.h"

#include "base/banned.h"

#define CANDIDATES_MAX 8

static bool is_hex(const char *s)
{
	return *s && s[strspn(s, "0123456789abcdef")] == 0;
}

/* " (name:tag)" */
static void add_familiar(const char *normal, struct buf *out)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;

	if (reference_parse(normal, &ref, NULL) < 0)
		return;
	buf_addstr(out, " (");
	reference_familiar(&ref, out);
	buf_addch(out, ')');
}

/* The candidates, so that the next word can be longer than the one that was too short. */
static int ambiguous(struct store *s, const char *text, const struct digest_list *found,
		     struct error *err)
{
	AUTO(buf) struct buf names = BUF_INIT;

	for (size_t i = 0; i < found->n && i < CANDIDATES_MAX; i++) {
		struct store_image row = {0};
		char hex[DIGEST_HEX_SIZE];

		buf_printf(&names, "%s%.12s", i ? ", " : "", digest_hex(&found->items[i], hex));
		if (store_image_get(s, &found->items[i], &row, NULL) == 0 && row.names.n)
			add_familiar(row.names.items[0], &names);
		store_image_clear(&row);
	}
	if (found->n > CANDIDATES_MAX)
		buf_addstr(&names, " …");
	error_set(err, ERR_CONFLICT, "ambiguous image id prefix: %s could be %s", text,
		  buf_str(&names));
	error_hint(err, "write more of the id, or a name");
	return -ERR_CONFLICT;
}

static int no_such_image(const char *text, struct error *err)
{
	/* as Docker says it: what is no whole id was looked for as a name, too */
	if (is_hex(text))
		return error_set(err, ERR_NOT_FOUND, "No such image: %s%s%s",
				 strlen(text) == 64 ? "sha256:" : "", text,
				 strlen(text) < 64 ? ":latest" : "");
	return error_set(err, ERR_NOT_FOUND, "No such image: %s", text);
}

static int resolve_prefix(struct store *s, const char *hex, const char *text,
			  struct digest *out_id, struct error *err)
{
	struct digest_list found = {0};
	int r = store_image_prefix(s, hex, CANDIDATES_MAX + 1, &found, err);

	if (r == 0 && found.n == 1)
		*out_id = found.items[0];
	else if (r == 0 && found.n > 1)
		r = ambiguous(s, text, &found, err);
	else if (r == 0)
		r = no_such_image(text, err);
	free(found.items);
	return r;
}

void image_repo_digest(const struct reference *ref, const struct digest *d, struct buf *out)
{
	char text[DIGEST_TEXT_SIZE];

	reference_normal_name(ref, out);
	buf_printf(out, "@%s", digest_text(d, text));
}

/* An index, or a manifest that was packed in another way than ours. */
static bool find_repo_digest(struct store *s, const struct reference *ref, struct digest *out)
{
	AUTO(buf) struct buf name = BUF_INIT;

	image_repo_digest(ref, &ref->digest, &name);
	return store_repo_digest_find(s, buf_str(&name), out, NULL) == 0;
}

static int resolve_name(struct store *s, const char *text, struct digest *out_id,
			struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf normal = BUF_INIT;
	AUTO(buf) struct buf familiar = BUF_INIT;
	int r = reference_parse(text, &ref, err);

	if (r < 0)
		return r;
	/* a name with a digest means the image that has it, whatever the tag says now */
	if (ref.has_digest) {
		struct store_image image = {0};

		r = store_image_get(s, &ref.digest, &image, NULL);
		store_image_clear(&image);
		if (r == 0) {
			*out_id = ref.digest;
			return 0;
		}
		if (store_manifest_find(s, &ref.digest, out_id, NULL) == 0 ||
		    find_repo_digest(s, &ref, out_id))
			return 0;
	}
	reference_normal(&ref, &normal);
	r = store_name_find(s, buf_str(&normal), out_id, err);
	if (r != -ERR_NOT_FOUND)
		return r;
	reference_familiar(&ref, &familiar);
	return error_set(err, ERR_NOT_FOUND, "No such image: %s", buf_str(&familiar));
}

int image_resolve(struct store *s, const char *text, struct digest *out_id, struct error *err)
{
	const char *hex = str_starts(text, "sha256:") ? text + 7 : text;
	int r;

	if (hex != text) {
		if (!is_hex(hex) || strlen(hex) > 64)
			return error_set(err, ERR_INVALID, "invalid image id: %s", text);
		return resolve_prefix(s, hex, text, out_id, err);
	}
	if (strlen(text) != 64 || !is_hex(text)) {
		AUTO(error) struct error nameless = ERROR_INIT;

		/* that it is no name does not matter if it is an id */
		r = resolve_name(s, text, out_id, &nameless);
		if (r != -ERR_NOT_FOUND || !is_hex(text)) {
			if (r < 0)
				error_move(err, &nameless);
			return r;
		}
	}
	return strlen(text) <= 64 ? resolve_prefix(s, text, text, out_id, err)
				  : no_such_image(text, err);
}

int image_open(struct store *s, const struct digest *id, struct image *out, struct error *err)
{
	int r;

	*out = (struct image){.config = IMAGE_CONFIG_INIT};
	if ((r = store_image_get(s, id, &out->row, err)) < 0)
		return r;
	r = store_blob_read(s, id, LIMIT_CONFIG_BYTES, &out->config_bytes, err);
	if (r == 0)
		r = image_config_decode(out->config_bytes.data, out->config_bytes.len,
					&out->config, err);
	if (r < 0)
		image_clear(out);
	return r;
}

int image_find(struct store *s, const char *text, struct image *out, struct error *err)
{
	struct digest id;
	int r = image_resolve(s, text, &id, err);

	*out = (struct image){.config = IMAGE_CONFIG_INIT};
	return r < 0 ? r : image_open(s, &id, out, err);
}

void image_clear(struct image *i)
{
	store_image_clear(&i->row);
	image_config_clear(&i->config);
	buf_clear(&i->config_bytes);
}

/* What a manifest says of a layer: the bytes it came as, else the tar that it means. */
static int describe_layer(struct store *s, const struct digest *diff_id,
			  struct store_image *row, struct descriptor *out, struct error *err)
{
	AUTO(store_origin) struct store_origin origin = {0};
	struct store_layer layer;
	int r = store_layer_find(s, diff_id, &layer, err);

	if (r < 0)
		return r;
	row->size += layer.content_bytes;
	if (store_origin_find(s, diff_id, &origin, NULL) == 0)
		descriptor_set(out, origin.media_type, &origin.blob, origin.size);
	else
		descriptor_set(out, MEDIA_OCI_LAYER, diff_id, layer.tar_bytes);
	return 0;
}

/* @given: the bytes that describe this image where it came from; kept if they still do. */
static int write_manifest(struct store *s, const struct image_config *cfg,
			  const struct digest *config, size_t config_size,
			  const struct image_documents *given, struct store_image *row,
			  struct error *err)
{
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	bool same = given && given->manifest;
	int r;

	descriptor_set(&m.config, MEDIA_OCI_CONFIG, config, config_size);
	for (size_t i = 0; i < cfg->diff_ids.n; i++) {
		struct descriptor *d = descriptor_list_add(&m.layers);

		r = describe_layer(s, &cfg->diff_ids.items[i], row, d, err);
		if (r < 0)
			return r;
		same = same && digest_eq(&d->digest, &given->layers->items[i].digest);
	}
	if (same)
		return store_blob_write(s, given->manifest->data, given->manifest->len,
					&row->manifest, err);
	manifest_encode(&m, &text);
	return store_blob_write(s, text.data, text.len, &row->manifest, err);
}

static int set_names(struct store *s, const struct strlist *names, const struct digest *id,
		     struct error *err)
{
	for (size_t i = 0; names && i < names->n; i++) {
		int r = store_name_set(s, names->items[i], id, NULL, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_current(struct store *s, const struct strlist *names, const struct digest *id)
{
	struct store_image row = {0};
	bool same = store_image_get(s, id, &row, NULL) == 0;

	for (size_t i = 0; same && names && i < names->n; i++)
		same = strlist_find(&row.names, names->items[i]) >= 0;
	store_image_clear(&row);
	return same;
}

static int commit(struct store *s, const struct image_config *cfg, const struct buf *config,
		  const struct image_documents *given, const struct strlist *names,
		  struct digest *out_id, struct error *err)
{
	struct store_image row = {.created_ns = cfg->has_created ? cfg->created : 0};
	int r;

	digest_of(config->data, config->len, out_id);
	if (is_current(s, names, out_id))
		return 0;
	if ((r = store_blob_write(s, config->data, config->len, &row.id, err)) < 0 ||
	    (r = write_manifest(s, cfg, &row.id, config->len, given, &row, err)) < 0 ||
	    (r = store_begin(s, true, err)) < 0)
		return r;
	r = store_image_add(s, &row, &cfg->diff_ids, err);
	if (r == 0)
		r = set_names(s, names, &row.id, err);
	if (r < 0) {
		store_abort(s);
		return r;
	}
	return store_commit(s, err);
}

int image_commit(struct store *s, const struct image_config *cfg, const struct strlist *names,
		 struct digest *out_id, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	image_config_encode(cfg, &text);
	return commit(s, cfg, &text, NULL, names, out_id, err);
}

int image_commit_documents(struct store *s, const struct image_documents *given,
			   const struct strlist *names, struct digest *out_id,
			   struct error *err)
{
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	int r = image_config_decode(given->config->data, given->config->len, &cfg, err);

	if (r < 0)
		return r;
	if (given->manifest && given->layers->n != cfg.diff_ids.n)
		return error_set(err, ERR_CORRUPT,
				 "the manifest has %zu layers, the config %zu",
				 given->layers->n, cfg.diff_ids.n);
	return commit(s, &cfg, given->config, given, names, out_id, err);
}

/* A layer of an earlier boot that was never synced is believed only after reading it. */
static int verify(struct store *s, const struct store_layer *layer, struct error *err)
{
	struct layer_info info = {0};
	char text[DIGEST_TEXT_SIZE];
	struct digest tree;
	AUTO(fd) int fd = -1;
	int r = store_layer_tree(s, &layer->diff_id, &tree, err);

	if (r < 0)
		return r;
	r = store_layer_open(s, layer->dir, &fd, NULL);
	if (r == 0)
		r = layer_describe(fd, NULL, &info, NULL);
	log_debug("image", "verified layer %s: %d", layer->dir, r);
	if (r == 0 && digest_eq(&info.diff_id, &tree))
		return store_layer_trust(s, &layer->diff_id, err);
	if ((r = store_layer_drop(s, &layer->diff_id, err)) < 0)
		return r;
	error_set(err, ERR_CORRUPT, "layer %s did not survive the last shutdown of the machine",
		  digest_text(&layer->diff_id, text));
	error_hint(err, "it was removed; build, import or load it again");
	return -ERR_CORRUPT;
}

int image_layer(struct store *s, const struct digest *diff_id, struct store_layer *out,
		struct error *err)
{
	int r = store_layer_find(s, diff_id, out, err);

	return r == 0 && out->doubtful ? verify(s, out, err) : r;
}

int image_stack(struct store *s, const struct digest *diff_ids, size_t n,
		struct snapshot_stack *out, struct error *err)
{
	out->layers_dir = store_dir(s, STORE_LAYERS);
	out->bottom = -1;
	for (size_t i = 0; i < n; i++) {
		struct store_layer layer;
		int r = image_layer(s, &diff_ids[i], &layer, err);

		if (r < 0)
			return r;
		if (layer.entries)
			snapshot_stack_add(out, layer.dir);
	}
	return 0;
}

int image_view(struct store *s, const struct image_config *cfg, int *out_fd, struct error *err)
{
	AUTO(snapshot_stack) struct snapshot_stack stack = {.bottom = -1};
	int r = image_stack(s, cfg->diff_ids.items, cfg->diff_ids.n, &stack, err);

	return r < 0 ? r : snapshot_view(&stack, out_fd, err);
}
