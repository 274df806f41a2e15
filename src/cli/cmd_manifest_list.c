/* SPDX-License-Identifier: Apache-2.0 */
/* manifest create, annotate, push, rm: lists that the store keeps until they are taken out. */
#include "cli/cli_command.h"

#include "base/banned.h"

/* ---- create ---- */

struct create_options {
	bool amend;
	bool insecure;
};

static const struct option_def create_table[] = {
	OPTION('a', "amend", BOOL, create_options, amend, "Amend an existing manifest list"),
	OPTION(0, "insecure", BOOL, create_options, insecure,
	       "Allow communication with an insecure registry"),
};

static int run_create(struct cli_invocation *inv)
{
	const struct create_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf text = BUF_INIT;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_list_create(e, inv->argv[0], inv->argv + 1, (size_t)inv->argc - 1, o->amend,
			       o->insecure, &err) < 0 ||
	    reference_parse(inv->argv[0], &ref, &err) < 0)
		return cli_fail(inv, &err);
	buf_addstr(&text, "Created manifest list ");
	reference_normal(&ref, &text);
	buf_addch(&text, '\n');
	cli_print(inv, &text);
	return 0;
}

const struct command cmd_manifest_create = {
	.path = "manifest create",
	.summary = "Create a local manifest list for annotating and pushing to a registry",
	.usage = "MANIFEST_LIST MANIFEST [MANIFEST...]",
	COMMAND_OPTIONS(create_table, create_options),
	.min_args = 2,
	.max_args = ARGS_ANY,
	.run = run_create,
};

/* ---- annotate ---- */

struct annotate_options {
	char *arch;
	char *os;
	struct strlist os_features;
	char *os_version;
	char *variant;
};

static const struct option_def annotate_table[] = {
	OPTION(0, "arch", STRING, annotate_options, arch, "Set architecture"),
	OPTION(0, "os", STRING, annotate_options, os, "Set operating system"),
	OPTION(0, "os-features", STRINGS, annotate_options, os_features,
	       "Set operating system feature"),
	OPTION(0, "os-version", STRING, annotate_options, os_version,
	       "Set operating system version"),
	OPTION(0, "variant", STRING, annotate_options, variant, "Set architecture variant"),
};

static int run_annotate(struct cli_invocation *inv)
{
	const struct annotate_options *o = inv->options;
	const struct engine_list_platform platform = {.os = o->os,
						      .architecture = o->arch,
						      .variant = o->variant,
						      .os_version = o->os_version,
						      .os_features = &o->os_features};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_list_annotate(e, inv->argv[0], inv->argv[1], &platform, &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_manifest_annotate = {
	.path = "manifest annotate",
	.summary = "Add additional information to a local image manifest",
	.usage = "[OPTIONS] MANIFEST_LIST MANIFEST",
	COMMAND_OPTIONS(annotate_table, annotate_options),
	.min_args = 2,
	.max_args = 2,
	.run = run_annotate,
};

/* ---- push ---- */

struct push_options {
	bool insecure;
	bool purge;
};

static const struct option_def push_table[] = {
	OPTION(0, "insecure", BOOL, push_options, insecure,
	       "Allow push to an insecure registry"),
	OPTION('p', "purge", BOOL, push_options, purge,
	       "Remove the local manifest list after push"),
};

static void tell_pushed(void *data, const char *ref, const struct digest *d)
{
	const struct cli_invocation *inv = data;
	char text[DIGEST_TEXT_SIZE];

	fprintf(inv->program->out, "Pushed ref %s with digest: %s\n", ref,
		digest_text(d, text));
}

static int run_push(struct cli_invocation *inv)
{
	const struct push_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	char text[DIGEST_TEXT_SIZE];
	struct digest digest;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_list_push(e, inv->argv[0], o->insecure, tell_pushed, inv, &digest, &err) < 0)
		return cli_fail(inv, &err);
	fprintf(inv->program->out, "%s\n", digest_text(&digest, text));
	if (o->purge && engine_list_remove(e, inv->argv[0], &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_manifest_push = {
	.path = "manifest push",
	.summary = "Push a manifest list to a repository",
	.usage = "[OPTIONS] MANIFEST_LIST",
	COMMAND_OPTIONS(push_table, push_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_push,
};

/* ---- rm ---- */

static int run_rm(struct cli_invocation *inv)
{
	AUTO(engine) struct engine *e = NULL;
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	for (int i = 0; i < inv->argc; i++) {
		AUTO(error) struct error err = ERROR_INIT;

		if (engine_list_remove(e, inv->argv[i], &err) < 0)
			status = cli_fail(inv, &err);
	}
	return status;
}

const struct command cmd_manifest_rm = {
	.path = "manifest rm",
	.summary = "Delete one or more manifest lists from local storage",
	.usage = "MANIFEST_LIST [MANIFEST_LIST...]",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_rm,
};
