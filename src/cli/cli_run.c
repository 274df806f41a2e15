/* SPDX-License-Identifier: Apache-2.0 */
/* From the words of a command line to the command that runs. */
#include "cli/cli_option.h"

#include <stdarg.h>
#include <string.h>

#include "cli/cli_error.h"

#include "base/mem.h"
#include "base/process.h"

#include "base/banned.h"

void cli_command_names(const struct command *c, struct strlist *out)
{
	strlist_add(out, c->path);
	if (c->aliases) {
		AUTO(strlist) struct strlist parts = STRLIST_INIT;

		strlist_split(&parts, c->aliases, ',');
		for (size_t i = 0; i < parts.n; i++) {
			const char *name = parts.items[i];

			strlist_add(out, name + strspn(name, " "));
		}
	}
}

/* How many of the words spell @name; 0 if they do not. */
static int match_name(const char *name, char *const *words, int nwords)
{
	int used = 0;

	while (used < nwords) {
		size_t len = strcspn(name, " ");

		if (strncmp(words[used], name, len) != 0 || words[used][len])
			return 0;
		used++;
		name += len;
		if (!*name)
			return used;
		name++;
	}
	return 0;
}

const struct command *cli_find_command(const struct cli_program *program, char *const *words,
				       int nwords, int *out_used)
{
	const struct command *best = NULL;

	*out_used = 0;
	for (size_t i = 0; i < program->ncommands; i++) {
		AUTO(strlist) struct strlist names = STRLIST_INIT;

		cli_command_names(program->commands[i], &names);
		for (size_t j = 0; j < names.n; j++) {
			int used = match_name(names.items[j], words, nwords);

			if (used > *out_used) {
				*out_used = used;
				best = program->commands[i];
			}
		}
	}
	return best;
}

static void print(FILE *to, const struct buf *text)
{
	fwrite(buf_str(text), 1, text->len, to);
	fflush(to);
}

/* The first of the usage lines. */
static void print_usage(const struct cli_program *program, const struct command *c,
			const char *name, const char *verb)
{
	int len = (int)strcspn(c->usage ? c->usage : "", "\n");

	fprintf(program->err,
		"\nUsage:  %s %s%s%.*s\n\n%s '%s %s --help' for more information\n",
		program->name, name, len ? " " : "", len, c->usage ? c->usage : "", verb,
		program->name, name);
}

int cli_usage_error(const struct cli_invocation *inv, const char *fmt, ...)
{
	AUTO(free) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	fprintf(inv->program->err, "%s: %s\n", inv->program->name, text);
	print_usage(inv->program, inv->command, inv->name, "Run");
	return CLI_EXIT_USAGE;
}

static const char *plural(int n)
{
	return n == 1 ? "" : "s";
}

static int check_arity(const struct cli_invocation *inv)
{
	const struct command *c = inv->command;
	const char *verb = "Run";
	AUTO(buf) struct buf text = BUF_INIT;

	if (inv->argc >= c->min_args && (c->max_args == ARGS_ANY || inv->argc <= c->max_args))
		return 0;
	if (c->max_args == 0) {
		buf_addstr(&text, "accepts no arguments");
	} else if (c->min_args == c->max_args) {
		buf_printf(&text, "requires %d argument%s", c->min_args, plural(c->min_args));
	} else if (c->max_args == ARGS_ANY) {
		buf_printf(&text, "requires at least %d argument%s", c->min_args,
			   plural(c->min_args));
		verb = "See";
	} else if (c->min_args == 0) {
		buf_printf(&text, "requires at most %d argument%s", c->max_args,
			   plural(c->max_args));
	} else {
		buf_printf(&text, "requires at least %d and at most %d arguments", c->min_args,
			   c->max_args);
	}
	fprintf(inv->program->err, "%s: '%s %s' %s\n", inv->program->name, inv->program->name,
		inv->name, buf_str(&text));
	print_usage(inv->program, c, inv->name, verb);
	return CLI_EXIT_ERROR;
}

static int show_help(const struct cli_program *program, const struct command *c,
		     const char *name, FILE *to)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (c)
		cli_help_command(program, c, name, &text);
	else
		cli_help_program(program, &text);
	print(to, &text);
	return 0;
}

static int run_command(struct cli_invocation *inv, int argc, char **argv)
{
	const struct command *c = inv->command;
	AUTO(free) void *options = mem_zalloc(c->options_size + 1);
	AUTO(free) bool *given = mem_zalloc(c->noptions + 1);
	AUTO(error) struct error err = ERROR_INIT;
	bool help = false;
	int status;

	inv->options = options;
	inv->given = given;
	if (cli_parse_options(c->options, c->noptions, c->flags & COMMAND_STOP, options, given,
			      &argc, argv, &help, &err) < 0) {
		fprintf(inv->program->err, "%s\n", err.message);
		print_usage(inv->program, c, inv->name, "Run");
		cli_clear_options(c->options, c->noptions, options);
		return CLI_EXIT_USAGE;
	}
	inv->argc = argc;
	inv->argv = argv;
	if (help) {
		status = show_help(inv->program, c, inv->name, inv->program->out);
	} else {
		status = check_arity(inv);
		if (!status)
			status = c->run(inv);
	}
	cli_clear_options(c->options, c->noptions, options);
	return status;
}

static char *join_words(char *const *words, int n)
{
	AUTO(buf) struct buf name = BUF_INIT;

	for (int i = 0; i < n; i++)
		buf_printf(&name, "%s%s", i ? " " : "", words[i]);
	return buf_steal(&name);
}

static int unknown_command(const struct cli_program *program, const char *group,
			   const char *word)
{
	const char *gap = *group ? " " : "";

	fprintf(program->err, "%s: unknown command: %s %s%s%s\n\n", program->name,
		program->name, group, gap, word);
	if (*group)
		fprintf(program->err, "Usage:  %s %s COMMAND\n\n", program->name, group);
	fprintf(program->err, "Run '%s%s%s --help' for more information\n", program->name,
		*group ? " " : "", group);
	return CLI_EXIT_ERROR;
}

static int run_group(struct cli_invocation *inv, int argc, char **argv)
{
	if (!argc)
		return show_help(inv->program, inv->command, inv->name, inv->program->err);
	if (str_eq(argv[0], "--help") || str_eq(argv[0], "-h") || str_eq(argv[0], "help"))
		return show_help(inv->program, inv->command, inv->name, inv->program->out);
	if (argv[0][0] == '-') {
		fprintf(inv->program->err, "unknown flag: %s\n", argv[0]);
		print_usage(inv->program, inv->command, inv->name, "Run");
		return CLI_EXIT_USAGE;
	}
	return unknown_command(inv->program, inv->name, argv[0]);
}

static int run_help(const struct cli_program *program, int argc, char **argv)
{
	AUTO(free) char *name = NULL;
	const struct command *c;
	int used;

	if (!argc)
		return show_help(program, NULL, NULL, program->out);
	c = cli_find_command(program, argv, argc, &used);
	if (!c || used < argc) {
		fprintf(program->err, "unknown help topic: %s\n", argv[used]);
		return CLI_EXIT_ERROR;
	}
	name = join_words(argv, used);
	return show_help(program, c, name, program->out);
}

static int run_completion(const struct cli_program *program, int argc, char **argv)
{
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;

	if (argc != 1 || argv[0][0] == '-') {
		fprintf(program->err, "Usage:  %s completion bash|zsh|fish\n", program->name);
		return argc == 1 && str_eq(argv[0], "--help") ? 0 : CLI_EXIT_ERROR;
	}
	if (cli_completion(program, argv[0], &text, &err) < 0) {
		cli_error_print(program->err, program->name, &err);
		return CLI_EXIT_ERROR;
	}
	print(program->out, &text);
	return 0;
}

static int dispatch(const struct cli_program *program, void *globals, int argc, char **argv)
{
	struct cli_invocation inv = {.program = program, .globals = globals};
	AUTO(free) char *name = NULL;
	int used;

	if (!argc)
		return show_help(program, NULL, NULL, program->err);
	inv.command = cli_find_command(program, argv, argc, &used);
	if (!inv.command && str_eq(argv[0], "help"))
		return run_help(program, argc - 1, argv + 1);
	if (!inv.command && str_eq(argv[0], "completion"))
		return run_completion(program, argc - 1, argv + 1);
	if (!inv.command)
		return unknown_command(program, "", argv[0]);
	name = join_words(argv, used);
	inv.name = name;
	if (inv.command->flags & COMMAND_GROUP)
		return run_group(&inv, argc - used, argv + used);
	if ((inv.command->flags & COMMAND_SHIELD) && program->argv)
		process_shield(program->argv);
	return run_command(&inv, argc - used, argv + used);
}

static bool wants_version(const struct cli_program *program, const bool *given)
{
	for (size_t i = 0; i < program->nglobals; i++)
		if (str_eq(program->globals[i].name, "version") && given[i])
			return true;
	return false;
}

int cli_run(const struct cli_program *program, int argc, char **argv)
{
	AUTO(free) void *globals = mem_zalloc(program->globals_size + 1);
	AUTO(free) bool *given = mem_zalloc(program->nglobals + 1);
	AUTO(error) struct error err = ERROR_INIT;
	bool help = false;
	int status;

	argc--;
	argv++;
	if (cli_parse_options(program->globals, program->nglobals, true, globals, given, &argc,
			      argv, &help, &err) < 0) {
		fprintf(program->err,
			"%s\n\nUsage:  %s [OPTIONS] COMMAND [ARG...]\n\n"
			"Run '%s --help' for more information\n",
			err.message, program->name, program->name);
		status = CLI_EXIT_USAGE;
	} else if (help) {
		status = show_help(program, NULL, NULL, program->out);
	} else if (program->version_line && wants_version(program, given)) {
		fprintf(program->out, "%s\n", program->version_line);
		status = 0;
	} else {
		status = dispatch(program, globals, argc, argv);
	}
	cli_clear_options(program->globals, program->nglobals, globals);
	return status;
}
