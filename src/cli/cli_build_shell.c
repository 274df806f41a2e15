/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_build_shell.h"

#include <unistd.h>

#include "base/banned.h"

int cli_build_shell_check(const char *on_error, bool *out_wanted, struct error *err)
{
	*out_wanted = str_eq(on_error, "shell");
	if (!*out_wanted && !str_empty(on_error) && !str_eq(on_error, "fail")) {
		error_set(err, ERR_INVALID, "invalid argument \"%s\" for --on-error", on_error);
		error_hint(err, "it takes shell or fail");
		return -ERR_INVALID;
	}
	if (*out_wanted && (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))) {
		error_set(err, ERR_INVALID,
			  "invalid argument \"shell\" for --on-error: there is no terminal for "
			  "a shell");
		error_hint(err, "leave it out where nobody sits, as in CI");
		return -ERR_INVALID;
	}
	return 0;
}

static void open_shell(void *data, const char *step)
{
	struct cli_build_shell *s = data;

	s->opened = true;
	cli_progress_finish(s->progress);
	fprintf(s->to,
		"%s failed. This is a shell in it, as it was; the build ends when you "
		"leave.\n",
		step);
	fflush(s->to);
}

void cli_build_shell_begin(struct cli_build_shell *s, struct cli_progress *p, FILE *to)
{
	*s = (struct cli_build_shell){
		.progress = p, .to = to, .hook = {.shell = open_shell, .data = s}};
	tcgetattr(STDIN_FILENO, &s->saved);
}

void cli_build_shell_end(struct cli_build_shell *s)
{
	/* the step's process may have been killed while the terminal was raw */
	if (s->opened)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->saved);
}
