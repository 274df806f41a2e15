/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_option - commands and their options as tables, and the one reader of
 * command lines.
 *
 * A command describes its options in a table of `struct option_def`, each with
 * the offset of a field in a struct of the command's own:
 *
 *	struct stop_options {
 *		char *signal;
 *		int64_t timeout;
 *	};
 *	static const struct option_def stop_options[] = {
 *		{'s', "signal", OPTION_STRING, OPTION_FIELD(stop_options, signal),
 *		 "Signal to send to the container"},
 *		{'t', "timeout", OPTION_INT, OPTION_FIELD(stop_options, timeout),
 *		 "Seconds to wait before killing the container"},
 *	};
 *
 * and itself as a `struct command`.  Reading, --help, the errors and the
 * completion of shells come from these tables, with Docker's habits and
 * words: -it, -tVALUE, --name=VALUE, --flag=false, "--", and exit status 125
 * for a bad option, 1 for a wrong number of arguments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strlist.h"

/* The field's type follows from the kind. */
enum option_kind {
	OPTION_BOOL = 1, /* bool: a switch; --flag=false takes it back */
	OPTION_STRING,	 /* char *, owned by the invocation; NULL if not given */
	OPTION_LIST,	 /* struct strlist: one element for each use */
	OPTION_STRINGS,	 /* struct strlist: each use may hold several, at commas */
	OPTION_INT,	 /* int64_t */
	OPTION_UINT,	 /* uint64_t */
	OPTION_BYTES,	 /* int64_t: "512m"; -1 is allowed */
	OPTION_DURATION, /* int64_t, ns: "30s" */
	OPTION_DECIMAL,	 /* int64_t, billionths: "1.5" */
};

struct option_def {
	char letter;	  /* 0: none */
	const char *name; /* without the dashes; NULL ends nothing, the count does */
	enum option_kind kind;
	size_t offset;
	const char *help;
	const char *type;     /* word for the value in --help; NULL: by kind ("list", "int") */
	const char *fallback; /* initial value, as the user would write it; shown in --help */
	const char *
		no_value; /* may stand without a value and then means this; needs "=" for one */
	bool hidden;	  /* accepted, not shown */
};

#define OPTION_FIELD(owner, field) offsetof(struct owner, field)

struct command;
struct cli_program;

/* One reading of a command line. */
struct cli_invocation {
	const struct cli_program *program;
	const struct command *command;
	const char *name; /* as it was called: "ps", "container ls" */
	void *options;	  /* the command's struct, filled */
	void *globals;	  /* the program's struct, filled */
	int argc;	  /* what is left: positional arguments */
	char **argv;	  /* argv[argc] is NULL; borrowed from main's */
	bool *given;	  /* one for each option of the command */
};

enum command_flags {
	COMMAND_STOP = 1 << 0,	 /* options end at the first positional argument: run, exec */
	COMMAND_GROUP = 1 << 1,	 /* holds others and runs nothing: "image" */
	COMMAND_HIDDEN = 1 << 2, /* not listed in --help */
	COMMAND_SHIELD = 1 << 3, /* always becomes a container's process: process_shield() */
};

#define ARGS_ANY (-1)

struct command {
	const char *path;    /* canonical: "container run" */
	const char *aliases; /* full names, comma separated: "run" */
	const char *summary;
	const char
		*usage; /* after the name: "[OPTIONS] IMAGE [COMMAND] [ARG...]"; lines by \n */
	const struct option_def *options;
	size_t noptions;
	size_t options_size;
	int min_args;
	int max_args; /* ARGS_ANY: no limit */
	unsigned flags;
	/* Exit status.  Prints its own errors with cli_error(). */
	int (*run)(struct cli_invocation *inv);
};

/* For the initialiser of a command: its options table and the struct behind it. */
#define COMMAND_OPTIONS(table, type)                                        \
	.options = (table), .noptions = sizeof(table) / sizeof((table)[0]), \
	.options_size = sizeof(struct type)

struct cli_program {
	const char *name; /* "stave" */
	char **argv;	  /* main's, whole; NULL: it cannot be executed again */
	const char *summary;
	const struct command *const *commands;
	size_t ncommands;
	const char *const *common; /* names that --help lists first, in this order; NULL ends */
	const struct option_def *globals; /* read before the command's name */
	size_t nglobals;
	size_t globals_size;
	const char *version_line; /* what --version prints */
	FILE *out;		  /* stdout */
	FILE *err;		  /* stderr */
	unsigned columns;	  /* width of help texts; 0: the terminal's, or 80 */
};

enum cli_exit {
	CLI_EXIT_ERROR = 1,
	CLI_EXIT_USAGE = 125,
};

/*
 * The whole program: finds the command, reads its options, answers --help,
 * help, --version and completion, or runs it.  Returns the exit status.
 */
int cli_run(const struct cli_program *program, int argc, char **argv);

/* Was the option behind this field written on the command line? */
bool cli_given(const struct cli_invocation *inv, const void *field);

/* Wrong use found by the command itself: message, usage line, hint; CLI_EXIT_USAGE. */
int cli_usage_error(const struct cli_invocation *inv, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- the parts, for tests and for help ----------------------------------------------------
 */

/* The command that the words begin with, and how many words name it; NULL if none. */
const struct command *cli_find_command(const struct cli_program *program, char *const *words,
				       int nwords, int *out_used);
/* Fills @options (zeroed, of the command's size) and @given; *out_used words were options. */
int cli_parse_options(const struct option_def *defs, size_t n, bool stop, void *options,
		      bool *given, int *argc, char **argv, bool *out_help, struct error *err);
void cli_clear_options(const struct option_def *defs, size_t n, void *options);

/* Appends: "container run" and the names that mean the same. */
void cli_command_names(const struct command *c, struct strlist *out);
void cli_help_command(const struct cli_program *program, const struct command *c,
		      const char *name, struct buf *out);
void cli_help_program(const struct cli_program *program, struct buf *out);
void cli_help_options(const struct option_def *defs, size_t n, unsigned columns,
		      struct buf *out);
/* @shell is bash, zsh or fish. */
int cli_completion(const struct cli_program *program, const char *shell, struct buf *out,
		   struct error *err);
/* The word that --help shows for an option's value, "" for a switch. */
const char *cli_option_type(const struct option_def *o);
