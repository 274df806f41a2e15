/* SPDX-License-Identifier: Apache-2.0 */
/* info and system check. */
#include <stdlib.h>

#include "cli/cli_command.h"
#include "cli/cli_error.h"

#include "base/json.h"

#include "base/banned.h"

#define GIB (1024.0 * 1024.0 * 1024.0)

/* ---- info ---- */

struct info_options {
	char *format;
};

static const struct option_def info_options[] = {
	OPTION('f', "format", STRING, info_options, format, cli_help_format),
};

static json_t *info_document(const struct engine_info *i)
{
	const struct store_counts *c = &i->counts;

	return json_pack(
		"{s:I,s:I,s:i,s:I,s:I,s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:s,s:s,s:s}",
		"Containers", (json_int_t)c->containers, "ContainersRunning",
		(json_int_t)c->running, "ContainersPaused", 0, "ContainersStopped",
		(json_int_t)(c->containers - c->running), "Images", (json_int_t)c->images,
		"Layers", (json_int_t)c->layers, "CachedSteps", (json_int_t)c->steps, "Driver",
		"overlay", "CgroupVersion", i->cgroup_version ? i->cgroup_version : "",
		"KernelVersion", i->kernel ? i->kernel : "", "OperatingSystem",
		i->os ? i->os : "", "OSType", "linux", "Architecture",
		i->architecture ? i->architecture : "", "NCPU", (int)i->cpus, "MemTotal",
		(json_int_t)i->memory_bytes, "DockerRootDir", i->root, "Name",
		i->hostname ? i->hostname : "", "ServerVersion", STAVE_VERSION);
}

static void print_info(FILE *to, const struct engine_info *i)
{
	const struct store_counts *c = &i->counts;

	fprintf(to, "Client: stave\n Version:    " STAVE_VERSION "\n\nServer:\n");
	fprintf(to, " Containers: %llu\n  Running: %llu\n  Paused: 0\n  Stopped: %llu\n",
		(unsigned long long)c->containers, (unsigned long long)c->running,
		(unsigned long long)(c->containers - c->running));
	fprintf(to, " Images: %llu\n Layers: %llu\n Cached Steps: %llu\n",
		(unsigned long long)c->images, (unsigned long long)c->layers,
		(unsigned long long)c->steps);
	fprintf(to, " Server Version: " STAVE_VERSION "\n Storage Driver: overlay\n");
	fprintf(to, " Cgroup Version: %s\n", i->cgroup_version ? i->cgroup_version : "");
	fprintf(to, " Kernel Version: %s\n", i->kernel ? i->kernel : "");
	fprintf(to, " Operating System: %s\n OSType: linux\n", i->os ? i->os : "");
	fprintf(to, " Architecture: %s\n", i->architecture ? i->architecture : "");
	fprintf(to, " CPUs: %u\n", i->cpus);
	fprintf(to, " Total Memory: %.4gGiB\n", (double)i->memory_bytes / GIB);
	fprintf(to, " Name: %s\n", i->hostname ? i->hostname : "");
	fprintf(to, " Root Dir: %s\n", i->root);
}

static int run_info(struct cli_invocation *inv)
{
	const struct info_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(json) json_t *document = NULL;
	struct engine_info info = {0};
	int status = 0;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_info(e, &info, &err) < 0) {
		status = cli_fail(inv, &err);
	} else if (str_empty(o->format)) {
		print_info(inv->program->out, &info);
	} else {
		document = info_document(&info);
		status = cli_print_format(inv, o->format, document);
	}
	engine_info_clear(&info);
	return status;
}

const struct command cmd_info = {
	.path = "system info",
	.aliases = "info",
	.summary = "Display system-wide information",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(info_options, info_options),
	.max_args = 0,
	.run = run_info,
};

/* ---- check ---- */

struct check_options {
	bool repair;
};

static const struct option_def check_options[] = {
	OPTION(0, "repair", BOOL, check_options, repair,
	       "Mend what can be mended; what is damaged is removed"),
};

struct findings {
	FILE *to;
	unsigned n;
	unsigned left;
};

static void on_problem(void *data, const char *text, bool fixed)
{
	struct findings *f = data;

	f->n++;
	f->left += !fixed;
	fprintf(f->to, "%s%s\n", text, fixed ? " (repaired)" : "");
}

static int run_check(struct cli_invocation *inv)
{
	const struct check_options *o = inv->options;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct findings f = {.to = inv->program->out};
	struct store_problem_sink sink = {.problem = on_problem, .data = &f};
	int r;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = engine_check(e, o->repair, &sink, &err);
	if (r < 0 && r != -ERR_CORRUPT)
		return cli_fail(inv, &err);
	if (!f.n && r == 0)
		fprintf(inv->program->out, "no problems found\n");
	else if (f.n && !f.left && r == 0)
		fprintf(inv->program->out, "all problems are repaired\n");
	if (r < 0)
		return cli_fail(inv, &err);
	return f.left ? CLI_EXIT_ERROR : 0;
}

const struct command cmd_system_check = {
	.path = "system check",
	.summary = "Check that everything kept is complete and undamaged",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(check_options, check_options),
	.max_args = 0,
	.run = run_check,
};
