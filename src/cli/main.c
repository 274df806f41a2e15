/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli_command.h"

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

#define EXIT_SIGPIPE (128 + SIGPIPE)

static const struct option_def globals[] = {
	OPTION('D', "debug", BOOL, cli_globals, debug, "Enable debug mode"),
	OPTION(0, "root", STRING, cli_globals, root,
	       "Directory that images and containers are kept in (default: $STAVE_ROOT, or "
	       "/var/lib/stave)",
	       .type = "dir"),
	OPTION('v', "version", BOOL, cli_globals, version,
	       "Print version information and quit"),
};

static const char *const common[] = {"run",    "exec",	"ps",	  "build",   "pull", "push",
				     "images", "login", "logout", "version", "info", NULL};

/* A file of ours must never get a number that a child takes for its output. */
static void open_standard_files(void)
{
	for (;;) {
		int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (fd > STDERR_FILENO)
			close(fd);
		if (fd < 0 || fd > STDERR_FILENO)
			return;
		fcntl(fd, F_SETFD, 0);
	}
}

/* Trees are walked with a descriptor a level; children get what they should have. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* -D counts before the command is known, so that the opening of the store is logged too. */
static void set_debug(int argc, char **argv)
{
	for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (str_eq(argv[i], "--root"))
			i++;
		else if (str_eq(argv[i], "-D") || str_eq(argv[i], "--debug"))
			setenv("STAVE_DEBUG", "all", 0);
	}
}

/* Output that could not be written is an error, not a success. */
static int close_output(int status)
{
	bool failed = fflush(stdout) != 0;

	if (!failed && !ferror(stdout))
		return status;
	if (errno == EPIPE)
		return EXIT_SIGPIPE;
	fprintf(stderr, "stave: cannot write the output: %s\n", error_reason(errno));
	return status ? status : CLI_EXIT_ERROR;
}

int main(int argc, char **argv)
{
	AUTO(free) char **words = mem_zalloc(((size_t)argc + 1) * sizeof(*words));
	struct cli_program program = {
		.name = "stave",
		.argv = words,
		.summary = "Build, keep and run container images without a daemon",
		.common = common,
		.globals = globals,
		.nglobals = ARRAY_SIZE(globals),
		.globals_size = sizeof(struct cli_globals),
		.version_line = "stave version " STAVE_VERSION,
		.out = stdout,
		.err = stderr,
	};

	/* the parser moves those of argv */
	memcpy(words, argv, (size_t)argc * sizeof(*words));
	open_standard_files();
	/* a reader that left is an error of write(2); children get the default action back */
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	set_debug(argc, argv);
	json_seed();
	program.commands = cli_commands(&program.ncommands);
	return close_output(cli_run(&program, argc, argv));
}
