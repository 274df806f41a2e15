/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/cli_option.h"

#include "base/mem.h"

struct run_options {
	bool interactive;
	bool tty;
	bool rm;
	char *name;
	struct strlist env;
	struct strlist platforms;
	int64_t memory;
	int64_t cpus;
	int64_t timeout;
	uint64_t shares;
	int64_t last;
	char *pull;
};

static const struct option_def run_options[] = {
	{'i', "interactive", OPTION_BOOL, OPTION_FIELD(run_options, interactive),
	 "Keep STDIN open even if not attached"},
	{'t', "tty", OPTION_BOOL, OPTION_FIELD(run_options, tty), "Allocate a pseudo-TTY"},
	{0, "rm", OPTION_BOOL, OPTION_FIELD(run_options, rm),
	 "Automatically remove the container when it exits"},
	{'n', "name", OPTION_STRING, OPTION_FIELD(run_options, name),
	 "Assign a name to the container"},
	{'e', "env", OPTION_LIST, OPTION_FIELD(run_options, env), "Set environment variables"},
	{0, "platform", OPTION_STRINGS, OPTION_FIELD(run_options, platforms), "Platforms"},
	{'m', "memory", OPTION_BYTES, OPTION_FIELD(run_options, memory), "Memory limit"},
	{0, "cpus", OPTION_DECIMAL, OPTION_FIELD(run_options, cpus), "Number of CPUs"},
	{0, "wait", OPTION_DURATION, OPTION_FIELD(run_options, timeout), "Time",
	 .fallback = "10s"},
	{'c', "cpu-shares", OPTION_UINT, OPTION_FIELD(run_options, shares), "CPU shares"},
	{0, "last", OPTION_INT, OPTION_FIELD(run_options, last), "Last ones", .fallback = "-1"},
	{0, "pull", OPTION_STRING, OPTION_FIELD(run_options, pull), "Pull image before running",
	 .fallback = "missing", .no_value = "always"},
	{0, "old-name", OPTION_STRING, OPTION_FIELD(run_options, name), "", .hidden = true},
};

static struct buf seen; /* what the command saw, as text */

static int run_command(struct cli_invocation *inv)
{
	const struct run_options *o = inv->options;
	AUTO(free) char *env = strlist_join(&o->env, "|");
	AUTO(free) char *platforms = strlist_join(&o->platforms, "|");

	buf_printf(&seen, "%s:", inv->name);
	if (o->interactive || o->tty || o->rm)
		buf_printf(&seen, " %s%s%s", o->interactive ? "i" : "", o->tty ? "t" : "",
			   o->rm ? "r" : "");
	if (o->name)
		buf_printf(&seen, " name=%s%s", o->name,
			   cli_given(inv, &o->name) ? "" : "(not given)");
	if (o->env.n)
		buf_printf(&seen, " env=%s", env);
	if (o->platforms.n)
		buf_printf(&seen, " platforms=%s", platforms);
	if (cli_given(inv, &o->memory))
		buf_printf(&seen, " memory=%lld", (long long)o->memory);
	if (cli_given(inv, &o->cpus))
		buf_printf(&seen, " cpus=%lld", (long long)o->cpus);
	if (o->timeout != 10000000000)
		buf_printf(&seen, " wait=%lld", (long long)o->timeout);
	if (o->shares)
		buf_printf(&seen, " shares=%llu", (unsigned long long)o->shares);
	if (o->last != -1)
		buf_printf(&seen, " last=%lld", (long long)o->last);
	if (!str_eq(o->pull, "missing"))
		buf_printf(&seen, " pull=%s", o->pull);
	for (int i = 0; i < inv->argc; i++)
		buf_printf(&seen, " [%s]", inv->argv[i]);
	assert_null(inv->argv[inv->argc]);
	return 7;
}

static const struct command cmd_run = {
	.path = "container run",
	.aliases = "run",
	.summary = "Create and run a new container from an image",
	.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	COMMAND_OPTIONS(run_options, run_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.flags = COMMAND_STOP,
	.run = run_command,
};

static const struct command cmd_build = {
	.path = "build",
	.aliases = "image build, builder build",
	.summary = "Start a build",
	.usage = "[OPTIONS] PATH | URL | -",
	COMMAND_OPTIONS(run_options, run_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_command,
};

static const struct command cmd_ls = {
	.path = "image ls",
	.aliases = "image list, images",
	.summary = "List images",
	.usage = "[OPTIONS] [REPOSITORY[:TAG]]",
	COMMAND_OPTIONS(run_options, run_options),
	.max_args = 1,
	.run = run_command,
};

static const struct command cmd_ps = {
	.path = "container ls",
	.aliases = "container list, container ps, ps",
	.summary = "List containers",
	.usage = "[OPTIONS]",
	COMMAND_OPTIONS(run_options, run_options),
	.run = run_command,
};

static const struct command group_image = {
	.path = "image", .summary = "Manage images", .flags = COMMAND_GROUP};
static const struct command group_container = {
	.path = "container", .summary = "Manage containers", .flags = COMMAND_GROUP};

static const struct command *const commands[] = {
	&cmd_run, &cmd_build, &cmd_ls, &cmd_ps, &group_image, &group_container,
};

struct globals {
	bool debug;
	bool version;
	char *root;
};

static const struct option_def globals[] = {
	{'D', "debug", OPTION_BOOL, OPTION_FIELD(globals, debug), "Enable debug mode"},
	{'v', "version", OPTION_BOOL, OPTION_FIELD(globals, version),
	 "Print version information and quit"},
	{0, "root", OPTION_STRING, OPTION_FIELD(globals, root), "Directory of the store"},
};

static const char *const common[] = {"run", "ps", "build", NULL};

/* Runs a line of words; *out is what was printed (stdout and stderr) or seen. */
static int run_line(const char *line, struct buf *out)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	AUTO(free) char **argv = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct cli_program program = {
		.name = "stave",
		.summary = "Container images",
		.commands = commands,
		.ncommands = sizeof(commands) / sizeof(commands[0]),
		.common = common,
		.globals = globals,
		.nglobals = sizeof(globals) / sizeof(globals[0]),
		.globals_size = sizeof(struct globals),
		.version_line = "stave version 1",
		.out = f,
		.err = f,
		.columns = 80,
	};
	int status;

	strlist_split(&words, line, ' ');
	argv = mem_alloc((words.n + 1) * sizeof(*argv));
	memcpy(argv, words.items, (words.n + 1) * sizeof(*argv));
	buf_reset(&seen);
	status = cli_run(&program, (int)words.n, argv);
	fclose(f);
	buf_add(out, text, len);
	buf_add(out, buf_str(&seen), seen.len);
	free(text);
	return status;
}

#define RUN_USAGE                                                                     \
	"\n\nUsage:  stave run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'stave run " \
	"--help' for more information\n"
#define PS_USAGE \
	"\n\nUsage:  stave ps [OPTIONS]\n\nRun 'stave ps --help' for more information\n"

static const struct {
	const char *line;
	int status;
	const char *text;
} lines[] = {
	{"stave run -it --rm alpine sh -c x", 7, "run: itr [alpine] [sh] [-c] [x]"},
	{"stave run -itn web alpine", 7, "run: it name=web [alpine]"},
	{"stave run -nweb alpine", 7, "run: name=web [alpine]"},
	{"stave run -n=web alpine", 7, "run: name=web [alpine]"},
	{"stave run --name=web alpine", 7, "run: name=web [alpine]"},
	{"stave run --name web alpine --rm", 7, "run: name=web [alpine] [--rm]"},
	{"stave run --old-name web a", 7, "run: name=web [a]"},
	{"stave run --rm --rm=false a", 7, "run: [a]"},
	{"stave run -t=false a", 7, "run: [a]"},
	{"stave run -e A=1 -eB=2 --env=C a", 7, "run: env=A=1|B=2|C [a]"},
	{"stave run -e A=1,2 --platform x,y --platform z a", 7,
	 "run: env=A=1,2 platforms=x|y|z [a]"},
	{"stave run -m 1k --cpus 1.5 --wait=2m -c 5 --last 3 a", 7,
	 "run: memory=1024 cpus=1500000000 wait=120000000000 shares=5 last=3 [a]"},
	{"stave run --pull a", 7, "run: pull=always [a]"},
	{"stave run --pull=never a", 7, "run: pull=never [a]"},
	{"stave run -- --rm x", 7, "run: [--rm] [x]"},
	{"stave container run a", 7, "container run: [a]"},
	{"stave -D run a", 7, "run: [a]"},
	{"stave build . --rm", 7, "build: r [.]"},
	{"stave image build -", 7, "image build: [-]"},
	{"stave build -- -x", 7, "build: [-x]"},
	{"stave image list", 7, "image list:"},

	{"stave --nope", 125,
	 "unknown flag: --nope\n\nUsage:  stave [OPTIONS] COMMAND [ARG...]\n\nRun 'stave "
	 "--help' "
	 "for more information\n"},
	{"stave run --nope=1 a", 125, "unknown flag: --nope" RUN_USAGE},
	{"stave run -y", 125, "unknown shorthand flag: 'y' in -y" RUN_USAGE},
	{"stave ps -xt", 125, "unknown shorthand flag: 'x' in -xt" PS_USAGE},
	{"stave ps -tx", 125, "unknown shorthand flag: 'x' in -x" PS_USAGE},
	{"stave run --name", 125, "flag needs an argument: --name" RUN_USAGE},
	{"stave run -tn", 125, "flag needs an argument: 'n' in -tn" RUN_USAGE},
	{"stave run --rm=x a", 125,
	 "invalid argument \"x\" for \"--rm\" flag: strconv.ParseBool: parsing \"x\": invalid "
	 "syntax" RUN_USAGE},
	{"stave run --memory=x a", 125,
	 "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'" RUN_USAGE},
	{"stave run --cpus=x a", 125,
	 "invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational "
	 "number" RUN_USAGE},
	{"stave run --last=99999999999999999999 a", 125,
	 "invalid argument \"99999999999999999999\" for \"--last\" flag: strconv.ParseInt: "
	 "parsing "
	 "\"99999999999999999999\": value out of range" RUN_USAGE},
	{"stave run ---x a", 125, "bad flag syntax: ---x" RUN_USAGE},
	{"stave run", 1,
	 "stave: 'stave run' requires at least 1 argument\n\nUsage:  stave run [OPTIONS] IMAGE "
	 "[COMMAND] [ARG...]\n\nSee 'stave run --help' for more information\n"},
	{"stave build", 1,
	 "stave: 'stave build' requires 1 argument\n\nUsage:  stave build [OPTIONS] PATH | URL "
	 "| "
	 "-\n\nRun 'stave build --help' for more information\n"},
	{"stave ps a", 1, "stave: 'stave ps' accepts no arguments" PS_USAGE},
	{"stave images a b", 1,
	 "stave: 'stave images' requires at most 1 argument\n\nUsage:  stave images [OPTIONS] "
	 "[REPOSITORY[:TAG]]\n\nRun 'stave images --help' for more information\n"},
	{"stave nope", 1,
	 "stave: unknown command: stave nope\n\nRun 'stave --help' for more information\n"},
	{"stave image nope", 1,
	 "stave: unknown command: stave image nope\n\nUsage:  stave image COMMAND\n\nRun "
	 "'stave "
	 "image --help' for more information\n"},
	{"stave help nope", 1, "unknown help topic: nope\n"},
	{"stave --version", 0, "stave version 1\n"},
	{"stave image --help", 0,
	 "Usage:  stave image COMMAND\n\nManage images\n\nCommands:\n  build       Start a "
	 "build\n  "
	 "ls          List images\n\nRun 'stave image COMMAND --help' for more information on "
	 "a "
	 "command.\n"},
	{"stave help", 0,
	 "Usage:  stave [OPTIONS] COMMAND\n\nContainer images\n\nCommon Commands:\n"
	 "  run         Create and run a new container from an image\n"
	 "  ps          List containers\n"
	 "  build       Start a build\n\nManagement Commands:\n"
	 "  container   Manage containers\n"
	 "  image       Manage images\n\nCommands:\n"
	 "  images      List images\n\nGlobal Options:\n"
	 "  -D, --debug         Enable debug mode\n"
	 "      --root string   Directory of the store\n"
	 "  -v, --version       Print version information and quit\n\n"
	 "Run 'stave COMMAND --help' for more information on a command.\n"},
	{"stave completion tcsh", 1,
	 "stave: no completion for the shell \"tcsh\"\nhint: there is one for bash, zsh and "
	 "fish\n"},
};

static void command_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		AUTO(buf) struct buf out = BUF_INIT;
		int status = run_line(lines[i].line, &out);

		if (strcmp(buf_str(&out), lines[i].text) != 0 || status != lines[i].status)
			fail_msg("%s\n-- status %d:\n%s\n-- not %d:\n%s", lines[i].line, status,
				 buf_str(&out), lines[i].status, lines[i].text);
	}
	buf_clear(&seen);
}

/* As Docker 28 wraps it in 80 columns. */
static void help_is_wrapped(void **state)
{
	static const struct option_def defs[] = {
		{'n', "last", OPTION_INT, 0,
		 "Show n last created containers (includes all states)", .fallback = "-1"},
		{'a', "all", OPTION_BOOL, 0,
		 "Show all containers (default shows just running)"},
		{'f', "filter", OPTION_STRING, 0, "Filter output based on conditions provided",
		 .type = "filter"},
		{0, "format", OPTION_STRING, 0,
		 "Format output using a custom template:\n"
		 "'table':            Print output in table format with column headers "
		 "(default)\n"
		 "'TEMPLATE':         Print output using the given Go template.\n"
		 "Refer to https://docs.docker.com/go/formatting/ for more"},
		{'l', "latest", OPTION_BOOL, 0,
		 "Show the latest created container (includes all states)"},
		{0, "secret", OPTION_BOOL, 0, "x", .hidden = true},
	};
	AUTO(buf) struct buf out = BUF_INIT;

	(void)state;
	cli_help_options(defs, sizeof(defs) / sizeof(defs[0]), 80, &out);
	assert_string_equal(
		buf_str(&out),
		"  -a, --all             Show all containers (default shows just running)\n"
		"  -f, --filter filter   Filter output based on conditions provided\n"
		"      --format string   Format output using a custom template:\n"
		"                        'table':            Print output in table format\n"
		"                        with column headers (default)\n"
		"                        'TEMPLATE':         Print output using the given\n"
		"                        Go template.\n"
		"                        Refer to https://docs.docker.com/go/formatting/\n"
		"                        for more\n"
		"  -n, --last int        Show n last created containers (includes all\n"
		"                        states) (default -1)\n"
		"  -l, --latest          Show the latest created container (includes all\n"
		"                        states)\n");
}

static void help_of_a_command(void **state)
{
	AUTO(buf) struct buf out = BUF_INIT;
	AUTO(buf) struct buf same = BUF_INIT;

	(void)state;
	assert_int_equal(run_line("stave images --help", &out), 0);
	assert_int_equal(run_line("stave help images", &same), 0);
	assert_string_equal(out.data, same.data);
	assert_non_null(strstr(out.data,
			       "Usage:  stave images [OPTIONS] [REPOSITORY[:TAG]]\n\n"
			       "List images\n\nAliases:\n  stave image ls, stave image "
			       "list, stave images\n\nOptions:\n"));
	assert_non_null(strstr(out.data, "--pull string"));
	assert_non_null(strstr(out.data, "(default \"missing\")"));
	assert_null(strstr(out.data, "old-name"));
	buf_clear(&seen);
}

static void completion_knows_the_tables(void **state)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};

	(void)state;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		AUTO(buf) struct buf out = BUF_INIT;
		AUTO(free) char *line = mem_printf("stave completion %s", shells[i]);

		assert_int_equal(run_line(line, &out), 0);
		assert_non_null(strstr(out.data, "interactive"));
		assert_non_null(strstr(out.data, "images --format"));
		assert_null(strstr(out.data, "old-name"));
	}
	buf_clear(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines),
		cmocka_unit_test(help_is_wrapped),
		cmocka_unit_test(help_of_a_command),
		cmocka_unit_test(completion_knows_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
