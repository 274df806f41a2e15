/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestations beside an image, as BuildKit stores them: one more manifest in
 * the index, for the platform unknown/unknown, that says in its annotations which
 * manifest it is about; its layers are in-toto statements
 * (https://github.com/in-toto/attestation/tree/v0.1.0/spec).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "image/image_archive.h"
#include "layer/layer.h"

#include "base/banned.h"

#define STATEMENT_TYPE	"https://in-toto.io/Statement/v0.1"
#define MEDIA_STATEMENT "application/vnd.in-toto+json"
#define PREDICATE_KEY	"in-toto.io/predicate-type"

/* TAKES @subjects. */
static void statement(const struct image_attestation *a, json_t *subjects, struct buf *out)
{
	AUTO(json) json_t *j = json_object();

	json_object_set_new(j, "_type", json_string(STATEMENT_TYPE));
	json_object_set_new(j, "predicateType", json_string(a->predicate_type));
	json_object_set_new(j, "subject", subjects);
	json_object_set(j, "predicate", a->predicate);
	json_text(j, out);
}

static void add_subject(json_t *list, const char *name, const struct digest *d)
{
	json_t *j = json_object(), *digests = json_object();
	char text[DIGEST_TEXT_SIZE];

	json_object_set_new(digests, "sha256",
			    json_string(strchr(digest_text(d, text), ':') + 1));
	/* a name that is no UTF-8 cannot be said in JSON */
	json_object_set_new(j, "name", json_string(name));
	if (!json_object_get(j, "name"))
		json_object_set_new(j, "name", json_string("?"));
	json_object_set_new(j, "digest", digests);
	json_array_append_new(list, j);
}

void image_purl(const char *name, const struct platform *platform, struct buf *out)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf familiar = BUF_INIT;
	AUTO(buf) struct buf where = BUF_INIT;
	char *colon;

	if (reference_parse(name, &ref, NULL) == 0)
		reference_familiar(&ref, &familiar);
	else
		buf_addstr(&familiar, name);
	colon = strrchr(buf_str(&familiar), ':');
	if (colon && !strchr(colon, '/'))
		*colon = '@';
	platform_format(platform, &where);
	buf_printf(out, "pkg:docker/%s?platform=", buf_str(&familiar));
	for (const char *c = buf_str(&where); *c; c++)
		if (*c == '/')
			buf_addstr(out, "%2F");
		else
			buf_addch(out, *c);
}

/* The image under each of its names. */
static json_t *image_subjects(const struct image_part *part, const struct strlist *names,
			      const struct digest *manifest)
{
	json_t *list = json_array();

	for (size_t i = 0; names && i < names->n; i++) {
		AUTO(buf) struct buf purl = BUF_INIT;

		image_purl(names->items[i], &part->cfg->platform, &purl);
		add_subject(list, buf_str(&purl), manifest);
	}
	if (!json_array_size(list))
		add_subject(list, "_", manifest);
	return list;
}

/* BuildKit's: a config that runs nowhere. */
static void add_config(struct archive *a, const struct digest_list *layers,
		       struct descriptor *out)
{
	AUTO(json) json_t *j = json_object();
	json_t *fs = json_object(), *ids = json_array();
	AUTO(buf) struct buf text = BUF_INIT;
	char id[DIGEST_TEXT_SIZE];
	struct digest d;

	for (size_t i = 0; i < layers->n; i++)
		json_array_append_new(ids, json_string(digest_text(&layers->items[i], id)));
	json_object_set_new(j, "architecture", json_string("unknown"));
	json_object_set_new(j, "os", json_string("unknown"));
	json_object_set_new(j, "config", json_object());
	json_object_set_new(fs, "type", json_string("layers"));
	json_object_set_new(fs, "diff_ids", ids);
	json_object_set_new(j, "rootfs", fs);
	json_text(j, &text);
	archive_add_bytes(a, text.data, text.len, &d);
	descriptor_set(out, MEDIA_OCI_CONFIG, &d, text.len);
}

void attest_add(struct archive *a, const struct image_part *part, const struct strlist *names,
		const struct descriptor *manifest, struct index *x)
{
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	struct digest_list layers = {0};
	struct descriptor *d;
	struct digest digest;
	char id[DIGEST_TEXT_SIZE];

	for (size_t i = 0; i < part->n_attestations; i++) {
		const struct image_attestation *one = &part->attestations[i];
		struct descriptor *layer = descriptor_list_add(&m.layers);

		buf_reset(&text);
		statement(one, image_subjects(part, names, &manifest->digest), &text);
		archive_add_bytes(a, text.data, text.len, &digest);
		descriptor_set(layer, MEDIA_STATEMENT, &digest, text.len);
		map_set(&layer->annotations, PREDICATE_KEY, mem_strdup(one->predicate_type));
		*vec_push(&layers) = digest;
	}
	add_config(a, &layers, &m.config);
	free(layers.items);
	m.media_type = mem_strdup(MEDIA_OCI_MANIFEST);
	buf_reset(&text);
	manifest_encode(&m, &text);
	archive_add_bytes(a, text.data, text.len, &digest);
	d = descriptor_list_add(&x->manifests);
	descriptor_set(d, MEDIA_OCI_MANIFEST, &digest, text.len);
	map_set(&d->annotations, "vnd.docker.reference.digest",
		mem_strdup(digest_text(&manifest->digest, id)));
	map_set(&d->annotations, "vnd.docker.reference.type",
		mem_strdup("attestation-manifest"));
	d->has_platform = true;
	d->platform.os = mem_strdup("unknown");
	d->platform.architecture = mem_strdup("unknown");
}

/* ---- beside files ---- */

static int hash_file(void *data, const struct layer_entry *e, int fd, struct error *err)
{
	AUTO(buf) struct buf block = BUF_INIT;
	struct hasher h;
	struct digest d;
	ssize_t n;

	if (!S_ISREG(e->mode) || e->link || fd < 0)
		return 0;
	hasher_init(&h);
	buf_reserve(&block, 65536);
	while ((n = read(fd, block.data, 65536)) > 0)
		hasher_add(&h, block.data, (size_t)n);
	if (n < 0)
		return error_sys(err, "%s", e->path);
	hasher_end(&h, &d);
	add_subject(data, e->path, &d);
	return 0;
}

int image_statement(struct store *s, const struct image_config *cfg,
		    const struct image_attestation *a, struct buf *out, struct error *err)
{
	json_t *subjects = json_array();
	struct layer_visitor visitor = {.entry = hash_file, .data = subjects};
	AUTO(fd) int tree = -1;
	int r = image_view(s, cfg, &tree, err);

	if (r == 0)
		r = layer_visit_tree(tree, &visitor, err);
	if (r < 0) {
		json_decref(subjects);
		return r;
	}
	statement(a, subjects, out);
	return 0;
}
