/* SPDX-License-Identifier: Apache-2.0 */
/* cli_build_output - what `build -o`, --annotation and --metadata-file say. */
#pragma once

#include "cli/cli_command.h"
#include "cli/cli_output.h"

struct cli_build_outputs {
	struct cli_build_output {
		char *dest; /* NULL: none said */
		char *level;
		bool push; /* of type=image */
		bool tar;  /* tar=false makes a directory of an oci output */
		struct cli_output file;
	} * items; /* beside @outputs */
	size_t n;
	size_t cap;
	struct engine_output_list {
		struct engine_output *items;
		size_t n;
		size_t cap;
	} outputs;
};

/*
 * @specs as -o has them: DIR, "-", or type=…,KEY=VALUE….  Files are opened, so that what
 * is wrong with them is known before anything is built.
 */
int cli_build_outputs_parse(const struct strlist *specs, struct cli_build_outputs *out,
			    struct error *err);
/* "manifest,index[linux/amd64]:KEY=VALUE"; "KEY=VALUE": .places 0. */
int cli_annotation_parse(const char *text, struct image_annotations *out, struct error *err);
/* --annotation, for every output that has a manifest. */
int cli_build_annotate(const struct strlist *texts, struct cli_build_outputs *out,
		       struct error *err);
/* One more, of the image in the store, unless there is one. */
void cli_build_outputs_load(struct cli_build_outputs *o);
/* --push: the image to its registry. */
void cli_build_outputs_push(struct cli_build_outputs *o);
/* Does one write files only, or to standard output? */
bool cli_build_outputs_files(const struct cli_build_outputs *o);
/* All is written: files get their names. */
int cli_build_outputs_finish(struct cli_build_outputs *o, struct error *err);
void cli_build_outputs_clear(struct cli_build_outputs *o);

/* BuildKit's keys. */
int cli_build_metadata(const char *path, const struct build_result *result,
		       const struct engine_built *built, struct error *err);

static inline void cli_build_outputs_auto(struct cli_build_outputs *o)
{
	cli_build_outputs_clear(o);
}
