/* SPDX-License-Identifier: Apache-2.0 */
/* buildx imagetools create: an image out of images that registries have. */
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli_build_output.h"
#include "cli/cli_command.h"
#include "cli/cli_progress.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

struct create_options {
	struct strlist annotations;
	bool append;
	bool dry_run;
	struct strlist files;
	struct strlist platforms;
	bool prefer_index;
	char *progress;
	struct strlist tags;
};

static const struct option_def options[] = {
	OPTION(0, "annotation", LIST, create_options, annotations,
	       "Add annotation to the image"),
	OPTION(0, "append", BOOL, create_options, append, "Append to existing manifest"),
	OPTION(0, "dry-run", BOOL, create_options, dry_run,
	       "Show final image instead of pushing"),
	OPTION('f', "file", LIST, create_options, files, "Read source descriptor from file"),
	OPTION('p', "platform", STRINGS, create_options, platforms,
	       "Filter specified platforms of target image"),
	OPTION(0, "prefer-index", BOOL, create_options, prefer_index,
	       "When only a single source is specified, prefer outputting an image index or "
	       "manifest list instead of performing a carbon copy (default true)"),
	OPTION(0, "progress", STRING, create_options, progress,
	       "Set type of progress output (\"auto\", \"none\", \"plain\", \"rawjson\", "
	       "\"tty\")"),
	OPTION('t', "tag", LIST, create_options, tags, "Set reference for new image"),
};

/* Files first, as buildx has them. */
static int read_sources(const struct cli_invocation *inv, const struct create_options *o,
			struct strlist *out, struct error *err)
{
	for (size_t i = 0; i < o->files.n; i++) {
		AUTO(buf) struct buf text = BUF_INIT;
		int r = io_read_file(AT_FDCWD, o->files.items[i], LIMIT_MANIFEST_BYTES, &text,
				     err);

		if (r == -ERR_NOT_FOUND) {
			error_clear(err);
			return error_set(err, ERR_NOT_FOUND,
					 "open %s: no such file or directory",
					 o->files.items[i]);
		}
		if (r < 0)
			return r;
		strlist_add(out, buf_str(&text));
	}
	for (int i = 0; i < inv->argc; i++)
		strlist_add(out, inv->argv[i]);
	return 0;
}

static int parse_annotations(const struct strlist *texts, struct image_annotations *out,
			     struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < texts->n; i++)
		r = cli_annotation_parse(texts->items[i], out, err);
	return r < 0 ? error_wrap(err, "failed to parse annotations") : 0;
}

/* A task for each tag. */
static int push(const struct engine_index *x, const struct strlist *tags,
		const struct progress *p, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < tags->n; i++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		AUTO(buf) struct buf title = BUF_INIT;
		int64_t started = clock_monotonic_ns();
		unsigned task = (unsigned)i + 1;

		if ((r = reference_parse(tags->items[i], &ref, err)) < 0)
			break;
		buf_addstr(&title, "[internal] pushing ");
		reference_normal(&ref, &title);
		progress_tell(p, PROGRESS_BEGIN, task, buf_str(&title), 0, 0);
		r = engine_index_push(x, tags->items[i], p, task, err);
		progress_emit(p, &(struct progress_event){
					 .kind = r < 0 ? PROGRESS_FAILED : PROGRESS_DONE,
					 .task = task,
					 .text = r < 0 ? err->message : NULL,
					 .duration_ns = clock_monotonic_ns() - started});
	}
	return r;
}

static int create(const struct cli_invocation *inv, const struct engine_create_image *req,
		  const struct cli_progress_options *how, struct error *err)
{
	const struct create_options *o = inv->options;
	AUTO(engine_index) struct engine_index x = {0};
	AUTO(cli_progress) struct cli_progress *p = NULL;
	int r = engine_index_compose(req, &x, err);

	if (r < 0)
		return r;
	if (o->dry_run) {
		buf_addch(&x.bytes, '\n');
		cli_print(inv, &x.bytes);
		return 0;
	}
	if ((r = cli_progress_new(how, &p, err)) < 0)
		return r;
	r = push(&x, &o->tags, cli_progress_sink(p), err);
	cli_progress_finish(p);
	return r;
}

static int run(struct cli_invocation *inv)
{
	const struct create_options *o = inv->options;
	struct cli_progress_options how = {.fd = STDERR_FILENO, .verb = "Pushing"};
	AUTO(strlist) struct strlist sources = STRLIST_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	struct image_annotations annotations = {0};
	const struct engine_create_image req = {
		.sources = &sources,
		.tags = &o->tags,
		.platforms = &o->platforms,
		.annotations = &annotations,
		.append = o->append,
		.prefer_index = o->prefer_index || !cli_given(inv, &o->prefer_index),
	};
	int r = 0;

	if (!inv->argc && !o->files.n)
		r = error_set(&err, ERR_INVALID, "no sources specified");
	else if (!o->dry_run && !o->tags.n)
		r = error_set(&err, ERR_INVALID,
			      "can't push with no tags specified, please set --tag or "
			      "--dry-run");
	if (r == 0 && (r = cli_progress_parse(o->progress, &how.mode, &err)) == 0 &&
	    (r = read_sources(inv, o, &sources, &err)) == 0 &&
	    (r = parse_annotations(&o->annotations, &annotations, &err)) == 0)
		r = create(inv, &req, &how, &err);
	image_annotations_clear(&annotations);
	return r < 0 ? cli_fail(inv, &err) : 0;
}

const struct command cmd_imagetools_create = {
	.path = "buildx imagetools create",
	.summary = "Create a new image based on source images",
	.usage = "[OPTIONS] [SOURCE...]",
	COMMAND_OPTIONS(options, create_options),
	.min_args = 0,
	.max_args = ARGS_ANY,
	.flags = COMMAND_HIDDEN,
	.run = run,
};
