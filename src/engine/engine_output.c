/* SPDX-License-Identifier: Apache-2.0 */
/* What a build writes besides, or instead of, an image in the store. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_private.h"

#include "base/banned.h"

static void emit(const struct engine_build *req, struct progress_event e)
{
	progress_emit(req->progress, &e);
}

static bool is_several(const struct engine_build *req)
{
	return req->platform && strchr(req->platform, ',');
}

int engine_outputs_plan(const struct engine_build *req, struct build_options *o,
			struct strlist *names, struct error *err)
{
	AUTO(strlist) struct strlist own = STRLIST_INIT;
	bool recorded = req->n_outputs == 0;

	for (size_t i = 0; i < req->n_outputs; i++) {
		const struct engine_output *out = &req->outputs[i];
		int r;

		o->outputs += out->type != ENGINE_OUTPUT_IMAGE;
		if (out->type != ENGINE_OUTPUT_IMAGE &&
		    (out->type != ENGINE_OUTPUT_REGISTRY || is_several(req)))
			continue;
		recorded = true;
		if ((r = engine_normal_names(&out->names, &own, err)) < 0)
			return r;
	}
	/* name= of an output takes the place of -t */
	if (own.n) {
		strlist_clear(names);
		strlist_addall(names, &own);
	}
	o->discard = !recorded;
	o->flatten = req->flatten;
	return 0;
}

/* ---- one output ---- */

static const char *title_of(const struct engine_output *out)
{
	switch (out->type) {
	case ENGINE_OUTPUT_LOCAL:
		return "exporting to directory";
	case ENGINE_OUTPUT_TAR:
		return "exporting to tarball";
	case ENGINE_OUTPUT_OCI:
		return "exporting to oci image format";
	case ENGINE_OUTPUT_REGISTRY:
		return "pushing to registry";
	case ENGINE_OUTPUT_DOCKER:
		return "exporting to docker image format";
	case ENGINE_OUTPUT_IMAGE:
		break;
	}
	return "exporting to image";
}

/* mkdir -p of the user's own path. */
static int open_directory(const char *path, int *out, struct error *err)
{
	const struct root_made made = {
		.mode = 0700, .uid = (uid_t)-1, .gid = (gid_t)-1, .mtime_sec = -1};
	AUTO(free) char *here = NULL;
	AUTO(free) char *whole = NULL;
	AUTO(fd) int top = -1;
	int r;

	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out >= 0)
		return 0;
	if (errno != ENOENT)
		return error_sys(err, "cannot open %s", path);
	here = *path == '/' ? mem_strdup("") : get_current_dir_name();
	top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0 || !here)
		return error_sys(err, "cannot find %s", path);
	whole = mem_printf("%s/%s", here, path);
	r = root_mkdirs(top, ROOT_INSIDE, whole, &made, out, NULL, err);
	return r < 0 ? error_wrap(err, "cannot make %s", path) : 0;
}

static int write_image(struct engine *e, const struct engine_output *out,
		       const struct image_export *how, struct descriptor *d, struct error *err)
{
	AUTO(fd) int dir = -1;
	int r;

	if (out->type == ENGINE_OUTPUT_REGISTRY)
		return how->names->n
			       ? image_export_registry(e->store, how, out->by_digest, d, err)
			       : error_set(err, ERR_INVALID,
					   "tag is needed when pushing to registry");
	if (!out->unpacked)
		return image_export_tar(e->store, how, out->fd, d, err);
	if ((r = open_directory(out->dest, &dir, err)) < 0)
		return r;
	return image_export_layout(e->store, how, dir, d, err);
}

/* "linux_arm64": what the directory of one of several platforms is called. */
static char *directory_name(const struct platform *p)
{
	struct buf text = BUF_INIT;

	platform_format(p, &text);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '/')
			text.data[i] = '_';
	return buf_steal(&text);
}

/* The statements about the files, beside them: BuildKit's names. */
static int write_statements(struct engine *e, const struct image_part *part, int dir,
			    struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < part->n_attestations; i++) {
		const struct image_attestation *a = &part->attestations[i];
		bool sbom = str_eq(a->predicate_type, IMAGE_PREDICATE_SPDX);
		AUTO(buf) struct buf text = BUF_INIT;

		r = image_statement(e->store, part->cfg, a, &text, err);
		if (r == 0)
			r = io_write_file(dir, sbom ? "sbom.spdx.json" : "provenance.json",
					  text.data, text.len, 0644, 0, err);
	}
	return r;
}

static int write_directory(struct engine *e, const struct engine_output *out,
			   const struct image_part *part, bool split, struct error *err)
{
	const struct image_config *cfg = part->cfg;
	AUTO(free) char *name = directory_name(&cfg->platform);
	AUTO(free)
	char *path = split ? mem_printf("%s/%s", out->dest, name) : mem_strdup(out->dest);
	AUTO(fd) int dir = -1;
	int r = open_directory(path, &dir, err);

	if (r < 0 || (r = image_files(e->store, cfg, dir, err)) < 0)
		return r;
	return write_statements(e, part, dir, err);
}

static int write_files(struct engine *e, const struct engine_output *out,
		       const struct image_part *parts, size_t n, struct error *err)
{
	int r = 0;

	if (out->type == ENGINE_OUTPUT_TAR && n > 1)
		return error_set(err, ERR_UNSUPPORTED,
				 "type=tar takes the files of one platform; type=local has a "
				 "directory for each");
	if (out->type == ENGINE_OUTPUT_TAR)
		return image_files_tar(e->store, parts->cfg, out->fd, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = write_directory(e, out, &parts[i], n > 1 || out->split, err);
	return r;
}

static int write_output(struct engine *e, const struct engine_output *out,
			const struct image_part *parts, size_t n, const struct strlist *names,
			struct engine_built *built, struct error *err)
{
	AUTO(strlist) struct strlist own = STRLIST_INIT;
	struct image_export how = {
		.parts = parts,
		.n_parts = n,
		.names = names,
		.form = out->form,
		.annotations = &out->annotations,
		.docker_list = out->type == ENGINE_OUTPUT_DOCKER,
	};
	int r;

	if (out->type == ENGINE_OUTPUT_LOCAL || out->type == ENGINE_OUTPUT_TAR)
		return write_files(e, out, parts, n, err);
	if (out->type == ENGINE_OUTPUT_DOCKER && n > 1)
		return error_set(
			err, ERR_UNSUPPORTED,
			"docker exporter does not currently support exporting manifest lists");
	if (out->names.n) {
		if ((r = engine_normal_names(&out->names, &own, err)) < 0)
			return r;
		how.names = &own;
	}
	strlist_clear(&built->names);
	strlist_addall(&built->names, how.names);
	descriptor_clear(&built->descriptor);
	return write_image(e, out, &how, &built->descriptor, err);
}

static int run_output(struct engine *e, const struct engine_build *req,
		      const struct engine_output *out, const struct image_part *parts, size_t n,
		      const struct strlist *names, unsigned task, struct engine_built *built,
		      struct error *err)
{
	int64_t started = clock_monotonic_ns();
	int r;

	emit(req, (struct progress_event){
			  .kind = PROGRESS_BEGIN, .task = task, .text = title_of(out)});
	r = write_output(e, out, parts, n, names, built, err);
	emit(req, (struct progress_event){.kind = r < 0 ? PROGRESS_FAILED : PROGRESS_DONE,
					  .task = task,
					  .text = r < 0 && err ? err->message : NULL,
					  .duration_ns = clock_monotonic_ns() - started});
	return r;
}

/* ---- the image in the store ---- */

static int describe_stored(struct engine *e, const struct digest *id,
			   const struct strlist *names, struct engine_built *built,
			   struct error *err)
{
	AUTO(store_image) struct store_image row = {0};
	AUTO(manifest) struct manifest m = MANIFEST_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	int r;

	if ((r = store_image_get(e->store, id, &row, err)) < 0 ||
	    (r = store_blob_read(e->store, &row.manifest, LIMIT_MANIFEST_BYTES, &text, err)) <
		    0 ||
	    (r = manifest_decode(text.data, text.len, &m, err)) < 0)
		return r;
	descriptor_clear(&built->descriptor);
	descriptor_set(&built->descriptor,
		       str_empty(m.media_type) ? MEDIA_OCI_MANIFEST : m.media_type,
		       &row.manifest, text.len);
	strlist_clear(&built->names);
	strlist_addall(&built->names, names);
	return 0;
}

static int finish_stored(struct engine *e, const struct engine_output *out,
			 const struct digest *id, const struct strlist *names,
			 struct engine_built *built, struct error *err)
{
	int r = 0;

	if (out && out->annotations.n)
		r = image_annotate(e->store, id, &out->annotations, err);
	return r < 0 ? r : describe_stored(e, id, names, built, err);
}

static int write_all(struct engine *e, const struct engine_build *req,
		     const struct build_result *results, const struct image_part *parts,
		     size_t n, const struct strlist *names, struct engine_built *built,
		     struct error *err)
{
	const struct digest *image = &results[0].image;
	unsigned task = results[n - 1].next_task;
	int r = 0;

	for (size_t i = 0; r == 0 && i < req->n_outputs; i++) {
		const struct engine_output *out = &req->outputs[i];

		if (out->type == ENGINE_OUTPUT_IMAGE)
			r = finish_stored(e, out, image, names, built, err);
		else
			r = run_output(e, req, out, parts, n, names, task++, built, err);
	}
	if (r == 0 && !req->n_outputs && req->built)
		r = finish_stored(e, NULL, image, names, built, err);
	return r;
}

/* ---- attestations ---- */

struct attested {
	struct image_attestation items[2];
	size_t n;
};

/* Takes @predicate. */
static void attest(struct attested *a, const char *type, json_t *predicate)
{
	a->items[a->n++] = (struct image_attestation){type, predicate};
}

static int make_attestations(struct engine *e, const struct engine_build *req,
			     const struct build_result *result, const struct image_config *cfg,
			     struct attested *out, struct error *err)
{
	json_t *j;
	int r;

	if (req->sbom) {
		if ((r = image_sbom(e->store, cfg, &j, err)) < 0)
			return r;
		attest(out, IMAGE_PREDICATE_SPDX, j);
	}
	if (req->provenance) {
		if ((r = build_provenance(e->store, result->id, req->provenance, &j, err)) < 0)
			return r;
		attest(out, IMAGE_PREDICATE_PROVENANCE, j);
	}
	return 0;
}

static void attested_clear(struct attested *a)
{
	while (a->n)
		json_decref(a->items[--a->n].predicate);
}

static bool holds_attestations(const struct engine_output *out)
{
	return out->type == ENGINE_OUTPUT_OCI || out->type == ENGINE_OUTPUT_LOCAL ||
	       out->type == ENGINE_OUTPUT_REGISTRY;
}

int engine_check_attestations(const struct engine_build *req, struct error *err)
{
	if (!req->sbom && !req->provenance)
		return 0;
	for (size_t i = 0; i < req->n_outputs; i++)
		if (holds_attestations(&req->outputs[i]))
			return 0;
	error_set(err, ERR_UNSUPPORTED, "no output of this build can hold attestations");
	error_hint(err, "the store keeps images without them; add -o type=oci,dest=FILE, "
			"type=local,dest=DIR or --push");
	return -ERR_UNSUPPORTED;
}

int engine_outputs_write(struct engine *e, const struct engine_build *req,
			 const struct build_result *results, size_t n_results,
			 const struct strlist *names, struct error *err)
{
	struct engine_built own = {.descriptor = DESCRIPTOR_INIT};
	AUTO(free) struct image_config *configs = NULL;
	AUTO(free) struct image_part *parts = NULL;
	AUTO(free) struct attested *attested = NULL;
	size_t read = 0;
	int r = 0;

	if (!req->n_outputs && !req->built)
		return 0;
	configs = mem_zalloc(n_results * sizeof(*configs));
	parts = mem_zalloc(n_results * sizeof(*parts));
	attested = mem_zalloc(n_results * sizeof(*attested));
	for (; r == 0 && read < n_results; read++) {
		const struct buf *text = &results[read].config;

		configs[read] = IMAGE_CONFIG_INIT;
		parts[read] = (struct image_part){.config = text, .cfg = &configs[read]};
		r = image_config_decode(text->data, text->len, &configs[read], err);
		if (r == 0)
			r = make_attestations(e, req, &results[read], &configs[read],
					      &attested[read], err);
		parts[read].attestations = attested[read].items;
		parts[read].n_attestations = attested[read].n;
	}
	if (r == 0)
		r = write_all(e, req, results, parts, n_results, names,
			      req->built ? req->built : &own, err);
	for (size_t i = 0; i < read; i++) {
		image_config_clear(&configs[i]);
		attested_clear(&attested[i]);
	}
	engine_built_clear(&own);
	return r;
}

void engine_built_clear(struct engine_built *b)
{
	descriptor_clear(&b->descriptor);
	strlist_clear(&b->names);
}
