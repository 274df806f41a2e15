/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_build_output.h"
#include "cli/cli_build_shell.h"
#include "cli/cli_command.h"
#include "cli/cli_error.h"
#include "cli/cli_progress.h"
#include "cli/cli_source.h"
#include "cli/cmd_build_why.h"
#include "cli/cmd_build_attest.h"
#include "cli/cmd_build_call.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define EXIT_INTERRUPTED 130
#define EXPLAIN_REASONS	 20

struct build_options_cli {
	struct strlist outputs, annotations, attests;
	struct strlist hosts, args, contexts, labels, names, no_cache_stages, cache_from,
		cache_to, allow, secrets, ssh, ulimits;
	int64_t shm_size, memory;
	char *cgroup_parent, *on_error;
	char *call, *file, *iidfile, *network, *platform, *progress, *runtime, *target, *dump,
		*provenance, *sbom, *explain;
	char *metadata;
	bool check, no_cache, pull, quiet, load, push, flatten, remove, force_remove;
};

#define BUILD(letter, name, kind, field, help, ...) \
	OPTION(letter, name, kind, build_options_cli, field, help, ##__VA_ARGS__)

static const struct option_def options[] = {
	BUILD(0, "add-host", STRINGS, hosts,
	      "Add a custom host-to-IP mapping (format: \"host:ip\")"),
	BUILD(0, "allow", STRINGS, allow,
	      "Allow extra privileged entitlement (e.g., \"network.host\", "
	      "\"security.insecure\")",
	      .type = "stringArray"),
	BUILD(0, "annotation", LIST, annotations, "Add annotation to the image",
	      .type = "stringArray"),
	BUILD(0, "attest", LIST, attests,
	      "Attestation parameters (format: \"type=sbom\", \"type=provenance,mode=max\")",
	      .type = "stringArray"),
	BUILD(0, "build-arg", LIST, args, "Set build-time variables", .type = "stringArray"),
	BUILD(0, "build-context", LIST, contexts, "Additional build contexts (e.g., name=path)",
	      .type = "stringArray"),
	BUILD(0, "cache-from", LIST, cache_from,
	      "External cache sources (e.g., \"user/app:cache\", "
	      "\"type=local,src=path/to/dir\")",
	      .type = "stringArray"),
	BUILD(0, "cache-to", LIST, cache_to,
	      "Cache export destinations (e.g., \"user/app:cache\", "
	      "\"type=local,dest=path/to/dir\")",
	      .type = "stringArray"),
	BUILD(0, "call", STRING, call,
	      "Set method for evaluating build (\"check\", \"outline\", \"targets\")",
	      .fallback = "build"),
	BUILD(0, "cgroup-parent", STRING, cgroup_parent,
	      "Set the parent cgroup for the \"RUN\" instructions during build"),
	BUILD(0, "check", BOOL, check, "Shorthand for \"--call=check\""),
	BUILD(0, "dump", STRING, dump, "Print a stage of the build instead: ast, graph",
	      .hidden = true),
	BUILD(0, "explain", STRING, explain,
	      "Show why each step that ran did not come from the cache (\"text\", \"json\")",
	      .no_value = "text"),
	BUILD('f', "file", STRING, file,
	      "Name of the Dockerfile (default: \"PATH/Dockerfile\")"),
	BUILD(0, "flatten", BOOL, flatten, "Make one layer of all, and keep the configuration"),
	BUILD(0, "force-rm", BOOL, force_remove, "Always remove intermediate containers",
	      .hidden = true),
	BUILD(0, "iidfile", STRING, iidfile, "Write the image ID to a file"),
	BUILD(0, "label", LIST, labels, "Set metadata for an image", .type = "stringArray"),
	BUILD(0, "load", BOOL, load, "Shorthand for \"--output=type=docker\""),
	BUILD('m', "memory", BYTES, memory, "Memory limit of each \"RUN\" instruction"),
	BUILD(0, "metadata-file", STRING, metadata, "Write build result metadata to a file",
	      .type = "file"),
	BUILD(0, "network", STRING, network,
	      "Set the networking mode for the \"RUN\" instructions during build",
	      .fallback = "default"),
	BUILD(0, "no-cache", BOOL, no_cache, "Do not use cache when building the image"),
	BUILD(0, "no-cache-filter", STRINGS, no_cache_stages, "Do not cache specified stages",
	      .type = "stringArray"),
	BUILD(0, "on-error", STRING, on_error,
	      "What to do when a \"RUN\" fails (\"fail\", \"shell\": open a shell in the "
	      "failed step)"),
	BUILD('o', "output", LIST, outputs,
	      "Output destination (format: \"type=local,dest=path\")", .type = "stringArray"),
	BUILD(0, "platform", STRING, platform, "Set target platform for build"),
	BUILD(0, "progress", STRING, progress,
	      "Set type of progress output (\"auto\", \"plain\", \"tty\", \"classic\", "
	      "\"rawjson\", \"quiet\"). Use plain to show container output (default "
	      "\"auto\")"),
	BUILD(0, "provenance", STRING, provenance,
	      "Shorthand for \"--attest=type=provenance\""),
	BUILD(0, "pull", BOOL, pull, "Always attempt to pull all referenced images"),
	BUILD(0, "push", BOOL, push, "Shorthand for \"--output=type=registry\""),
	BUILD('q', "quiet", BOOL, quiet,
	      "Suppress the build output and print image ID on success"),
	BUILD(0, "rm", BOOL, remove, "Remove intermediate containers, as is always done",
	      .hidden = true),
	BUILD(0, "runtime", STRING, runtime,
	      "OCI runtime to use for \"RUN\" (default: the built-in one)"),
	BUILD(0, "sbom", STRING, sbom, "Shorthand for \"--attest=type=sbom\""),
	BUILD(0, "secret", LIST, secrets,
	      "Secret to expose to the build (format: "
	      "\"id=mysecret[,src=/local/secret]\")",
	      .type = "stringArray"),
	BUILD(0, "shm-size", BYTES, shm_size, "Shared memory size for build containers"),
	BUILD(0, "squash", BOOL, flatten, "The same as --flatten", .hidden = true),
	BUILD(0, "ssh", LIST, ssh,
	      "SSH agent socket or keys to expose to the build (format: "
	      "\"default|<id>[=<socket>|<key>[,<key>]]\")",
	      .type = "stringArray"),
	BUILD('t', "tag", LIST, names, "Name and optionally a tag (format: \"name:tag\")",
	      .type = "stringArray"),
	BUILD(0, "target", STRING, target, "Set the target build stage to build"),
	BUILD(0, "ulimit", LIST, ulimits, "Ulimit options", .type = "ulimit"),
};

/* ---- the command line ---- */

static int check_names(const struct strlist *names, struct error *err)
{
	for (size_t i = 0; i < names->n; i++) {
		AUTO(reference) struct reference ref = REFERENCE_INIT;
		AUTO(error) struct error why = ERROR_INIT;
		bool upper;

		if (reference_parse(names->items[i], &ref, &why) == 0 && !ref.has_digest)
			continue;
		upper = why.message && str_ends(why.message, "must be lowercase");
		return error_set(err, ERR_INVALID, "invalid tag \"%s\": %s", names->items[i],
				 upper	       ? "repository name must be lowercase"
				 : why.message ? why.message
					       : "refusing to create a tag with a digest "
						 "reference");
	}
	return 0;
}

static int check_pairs(const struct strlist *pairs, bool need_value, struct error *err)
{
	for (size_t i = 0; i < pairs->n; i++) {
		const char *text = pairs->items[i];

		if (*text == '=' || !*text)
			return error_set(err, ERR_INVALID,
					 "invalid key-value pair \"%s\": empty key", text);
		if (need_value && !strchr(text, '='))
			return error_set(err, ERR_INVALID,
					 "invalid key-value pair \"%s\": no \"=\"", text);
	}
	return 0;
}

static int take_hosts(const struct strlist *from, struct strlist *to, struct error *err)
{
	for (size_t i = 0; i < from->n; i++) {
		int r = cli_add_host(from->items[i], to, err);

		if (r < 0)
			return error_wrap(err, "invalid host %s", from->items[i]);
	}
	return 0;
}

static int parse_dump(const char *text, enum build_dump *out, struct error *err)
{
	if (!text)
		return 0;
	if (str_eq(text, "ast"))
		*out = BUILD_DUMP_AST;
	else if (str_eq(text, "graph"))
		*out = BUILD_DUMP_GRAPH;
	else
		return error_set(err, ERR_INVALID,
				 "invalid argument \"%s\" for --dump: it takes ast or graph",
				 text);
	return 0;
}

static int check_explain(const char *text, struct error *err)
{
	if (!text || str_eq(text, "text") || str_eq(text, "json"))
		return 0;
	return error_set(err, ERR_INVALID,
			 "invalid argument \"%s\" for --explain: it takes text or json", text);
}

static int make_outputs(const struct build_options_cli *o, struct cli_build_outputs *out,
			struct engine_build *req, struct error *err)
{
	int r;

	if (o->push && !o->names.n)
		return error_set(err, ERR_INVALID, "tag is needed when pushing to registry");
	if ((r = cli_build_outputs_parse(&o->outputs, out, err)) < 0)
		return r;
	if (o->push)
		cli_build_outputs_push(out);
	if ((r = cli_build_annotate(&o->annotations, out, err)) < 0)
		return r;
	if (o->iidfile && cli_build_outputs_files(out))
		return error_set(err, ERR_INVALID,
				 "local and tar exporters are incompatible "
				 "with image ID file");
	if (o->load && out->n)
		cli_build_outputs_load(out);
	req->outputs = out->outputs.items;
	req->n_outputs = out->outputs.n;
	return 0;
}

static int make_request(const struct build_options_cli *o, struct engine_build *req,
			struct error *err)
{
	int r;

	if ((r = check_names(&o->names, err)) < 0 ||
	    (r = check_pairs(&o->args, false, err)) < 0 ||
	    (r = check_pairs(&o->labels, false, err)) < 0 ||
	    (r = cli_build_attest(&o->attests, o->sbom, o->provenance, req, err)) < 0 ||
	    (r = check_explain(o->explain, err)) < 0 ||
	    (r = parse_dump(o->dump, &req->dump, err)) < 0)
		return r;
	if (str_eq(req->context, "-") && str_eq(o->file, "-"))
		return error_set(err, ERR_INVALID,
				 "invalid argument: can't use stdin for both build context and "
				 "dockerfile");
	if (o->no_cache && o->no_cache_stages.n)
		return error_set(err, ERR_INVALID,
				 "--no-cache and --no-cache-filter cannot currently be used "
				 "together");
	req->names = o->names;
	req->build_args = o->args;
	req->labels = o->labels;
	req->dockerfile = str_empty(o->file) ? NULL : o->file;
	req->target = str_empty(o->target) ? NULL : o->target;
	req->platform = str_empty(o->platform) ? NULL : o->platform;
	req->network = str_eq(o->network, "default") ? NULL : o->network;
	req->runtime = o->runtime;
	req->allow = o->allow;
	req->secrets = o->secrets;
	req->ssh = o->ssh;
	req->ulimits = o->ulimits;
	req->shm_size = (uint64_t)o->shm_size;
	req->memory = (uint64_t)o->memory;
	req->cgroup_parent = str_empty(o->cgroup_parent) ? NULL : o->cgroup_parent;
	req->pull = o->pull;
	req->no_cache = o->no_cache;
	req->no_cache_stages = o->no_cache_stages;
	req->cache_from = o->cache_from;
	req->cache_to = o->cache_to;
	req->contexts = o->contexts;
	req->flatten = o->flatten;
	return take_hosts(&o->hosts, &req->extra_hosts, err);
}

/* ---- the end of a build ---- */

/* What is wrong before there is anything to solve has no "failed to solve". */
static bool is_about_request(const struct error *err)
{
	static const char *const begins[] = {
		"invalid tag",
		"invalid argument",
		"invalid host",
		"invalid key-value pair",
		"--no-cache and",
		"--cache-",
		"unable to prepare context",
		"failed to stat",
		"secret missing ID",
		"invalid field",
		"unexpected key",
		"unsupported secret type",
		"invalid secret",
		"unknown entitlement",
		"failed to convert agent config",
		"invalid empty ssh agent",
		"invalid ssh agent config",
		"invalid value",
		"dest",
		"type is required",
		"failed to open",
		"tag is needed",
		"parse annotations",
		"local and tar exporters",
	};

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (str_starts(err->message ? err->message : "", begins[i]))
			return true;
	return false;
}

static int report(const struct cli_invocation *inv, const struct error *err,
		  const struct buf *dockerfile)
{
	AUTO(buf) struct buf text = BUF_INIT;
	FILE *to = inv->program->err;

	fflush(inv->program->out);
	if (err->code == ERR_CANCELLED) {
		fprintf(to, "ERROR: interrupted\n");
		return err->exit_code ? err->exit_code : EXIT_INTERRUPTED;
	}
	if (err->line && dockerfile->len)
		cli_source_excerpt(err->file ? err->file : "Dockerfile", buf_str(dockerfile),
				   dockerfile->len, err->line, err->column, &text);
	else if (err->line)
		buf_printf(&text, "%s:%u\n", err->file ? err->file : "Dockerfile", err->line);
	buf_printf(&text, "ERROR: failed to build: %s%s\n",
		   is_about_request(err) ? "" : "failed to solve: ",
		   err->message ? err->message : "unknown error");
	if (!str_empty(err->hint))
		buf_printf(&text, "hint: %s\n", err->hint);
	fwrite(buf_str(&text), 1, text.len, to);
	fflush(to);
	return CLI_EXIT_ERROR;
}

static int write_id(const char *path, const char *id, struct error *err)
{
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || io_write_full(fd, id, strlen(id)) < 0)
		return error_sys(err, "cannot write the image ID to %s", path);
	return 0;
}

static bool to_stdout(const struct engine_build *req)
{
	for (size_t i = 0; i < req->n_outputs; i++)
		if (req->outputs[i].fd == STDOUT_FILENO)
			return true;
	return false;
}

static int finish(const struct cli_invocation *inv, const struct engine_build *req,
		  const struct build_result *result, bool quiet, struct error *err)
{
	const struct build_options_cli *o = inv->options;
	char id[DIGEST_TEXT_SIZE];
	int r = 0;

	digest_text(&result->image, id);
	/* of files alone there is no image to be named */
	if (quiet && !to_stdout(req))
		fprintf(inv->program->out, "%s\n",
			!req->n_outputs || req->built->descriptor.media_type ? id : "");
	if (o->iidfile)
		r = write_id(o->iidfile, id, err);
	if (r == 0 && o->metadata)
		r = cli_build_metadata(o->metadata, result, req->built, err);
	return r;
}

/* Of a build that failed too: what ran, ran for a reason. */
static int explain(const struct cli_invocation *inv, struct engine *e, const char *id,
		   struct error *err)
{
	const struct build_options_cli *o = inv->options;
	AUTO(json) json_t *document = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	int r;

	if (!o->explain || !*id)
		return 0;
	if ((r = engine_build_why(e, id, NULL, &document, err)) < 0)
		return r;
	if (str_eq(o->explain, "json")) {
		cli_print_format(inv, "json", document);
		return 0;
	}
	cli_explain_text(document, EXPLAIN_REASONS, &text);
	fwrite(buf_str(&text), 1, text.len, inv->program->err);
	return 0;
}

static int build(const struct cli_invocation *inv, struct engine_build *req,
		 struct cli_build_outputs *outputs, struct cli_progress *p, bool quiet)
{
	const struct build_options_cli *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf dockerfile = BUF_INIT;
	AUTO(buf) struct buf dump = BUF_INIT;
	struct engine_built built = {.descriptor = DESCRIPTOR_INIT};
	struct build_result result = {0};
	struct cli_build_shell shell;
	bool wanted;
	int r, status = 0;

	if (cli_build_shell_check(o->on_error, &wanted, &err) < 0)
		return report(inv, &err, &BUF_INIT);
	cli_build_shell_begin(&shell, p, inv->program->err);
	req->on_error = wanted ? &shell.hook : NULL;
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	/* a file of an earlier build must not pass for this one's */
	if (o->iidfile && !req->dump)
		unlink(o->iidfile);
	if (o->metadata || outputs->n)
		req->built = &built;
	req->progress = cli_progress_sink(p);
	req->dump_out = &dump;
	r = engine_build(e, req, &result, &dockerfile, &err);
	if (!shell.opened)
		cli_progress_finish(p);
	cli_build_shell_end(&shell);
	if (explain(inv, e, result.id, r < 0 ? NULL : &err) < 0 && r == 0)
		r = -(int)err.code;
	if (r == 0 && req->dump)
		cli_print(inv, &dump);
	else if (r == 0 && (r = cli_build_outputs_finish(outputs, &err)) == 0)
		r = finish(inv, req, &result, quiet, &err);
	if (r < 0)
		status = report(inv, &err, &dockerfile);
	build_result_clear(&result);
	engine_built_clear(&built);
	return status;
}

static int start(const struct cli_invocation *inv, struct engine_build *req,
		 struct cli_build_outputs *outputs, struct cli_progress_options *how,
		 bool quiet)
{
	AUTO(cli_progress) struct cli_progress *p = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	/* where it always was, for scripts that read it */
	if (how->mode == CLI_PROGRESS_CLASSIC && !to_stdout(req))
		how->fd = STDOUT_FILENO;
	if (cli_progress_new(how, &p, &err) < 0)
		return report(inv, &err, &BUF_INIT);
	return build(inv, req, outputs, p, quiet);
}

/* The value of a variable that is not set says nothing, here and to Docker. */
static void drop_empty(struct build_options_cli *o)
{
	struct strlist *const lists[] = {&o->allow,    &o->annotations, &o->cache_from,
					 &o->cache_to, &o->contexts,	&o->hosts,
					 &o->secrets,  &o->ssh};
	char **const texts[] = {&o->iidfile, &o->metadata, &o->provenance, &o->sbom};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (size_t k = lists[i]->n; k-- > 0;)
			if (!*lists[i]->items[k])
				strlist_remove(lists[i], k);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (str_empty(*texts[i]))
			*texts[i] = (free(*texts[i]), NULL);
}

static int run(struct cli_invocation *inv)
{
	struct build_options_cli *o = inv->options;
	AUTO(cli_build_outputs) struct cli_build_outputs outputs = {0};
	AUTO(error) struct error err = ERROR_INIT;
	struct cli_progress_options how = {.fd = STDERR_FILENO, .verb = "Building"};
	struct engine_build req = {.context = inv->argv[0], .input = STDIN_FILENO};
	struct build_call call;
	bool quiet;
	int status;

	drop_empty(o);
	if (cli_progress_parse(o->progress, &how.mode, &err) < 0) {
		cli_error_print(inv->program->err, "ERROR", &err);
		return CLI_EXIT_ERROR;
	}
	quiet = o->quiet || how.mode == CLI_PROGRESS_QUIET;
	if (quiet)
		how.mode = CLI_PROGRESS_QUIET;
	if (build_call_parse(o->check ? "check" : o->call, &call, &err) < 0 ||
	    make_request(o, &req, &err) < 0 || make_outputs(o, &outputs, &req, &err) < 0)
		status = report(inv, &err, &BUF_INIT);
	else if (call.what)
		status = build_call_run(inv, &call, &req);
	else
		status = start(inv, &req, &outputs, &how, quiet);
	strlist_clear(&req.extra_hosts);
	return status;
}

const struct command cmd_build = {
	.path = "image build",
	.aliases = "build, builder build, buildx build, buildx b",
	.summary = "Build an image from a Dockerfile",
	.usage = "[OPTIONS] PATH | URL | -\nwhy|log|diff [OPTIONS] [STEP]",
	COMMAND_OPTIONS(options, build_options_cli),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
