/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion for shells, written from the tables of commands.  The script
 * knows all names; only those of images, containers, volumes and networks
 * are asked for while the user types.
 */
#include "cli/cli_option.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/banned.h"

/* What the operands of a command are, by the words of its usage line. */
static const struct {
	const char *word;
	const char *kind;
	const char *list; /* arguments of the program that print the names */
} operands[] = {
	{"CONTAINER", "container", "ps -a --format '{{.Names}}'"},
	{"IMAGE", "image", "images --format '{{.Repository}}:{{.Tag}}'"},
	{"REPOSITORY", "image", NULL},
	{"VOLUME", "volume", "volume ls -q"},
	{"NETWORK", "network", "network ls --format '{{.Name}}'"},
};

static const char *operand_kind(const struct command *c)
{
	const char *best = "file";
	const char *first = NULL;

	for (size_t i = 0; c->usage && i < ARRAY_SIZE(operands); i++) {
		const char *at = strstr(c->usage, operands[i].word);

		if (!at || (first && at > first))
			continue;
		first = at;
		best = operands[i].kind;
	}
	return best;
}

static bool takes_value(const struct option_def *o)
{
	return o->kind != OPTION_BOOL && !o->no_value;
}

/* "run"|"container run" */
static void add_pattern(const struct command *c, struct buf *out)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;

	cli_command_names(c, &names);
	for (size_t i = 0; i < names.n; i++)
		buf_printf(out, "%s\"%s\"", i ? "|" : "", names.items[i]);
}

static void add_options(const struct option_def *defs, size_t n, bool valued, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (defs[i].hidden || (valued && !takes_value(&defs[i])))
			continue;
		buf_printf(out, " --%s", defs[i].name);
		if (defs[i].letter)
			buf_printf(out, " -%c", defs[i].letter);
	}
}

/* A shell function that prints words for each command's name. */
static void add_option_function(const struct cli_program *p, const char *what, bool valued,
				struct buf *out)
{
	buf_printf(out, "_%s_%s()\n{\n\tcase \"$1\" in\n\t\"\") echo \"", p->name, what);
	if (!valued)
		buf_addstr(out, "--help");
	add_options(p->globals, p->nglobals, valued, out);
	buf_addstr(out, "\" ;;\n");
	for (size_t i = 0; i < p->ncommands; i++) {
		const struct command *c = p->commands[i];

		buf_addch(out, '\t');
		add_pattern(c, out);
		buf_printf(out, ") echo \"%s", valued ? "" : "--help");
		add_options(c->options, c->noptions, valued, out);
		buf_addstr(out, "\" ;;\n");
	}
	buf_addstr(out, "\tesac\n}\n\n");
}

/* The words that may follow each group, and the top. */
static void add_command_function(const struct cli_program *p, struct buf *out)
{
	AUTO(map) struct map groups = MAP_INIT_FREE(free);

	map_set(&groups, "", mem_strdup("help completion"));
	for (size_t i = 0; i < p->ncommands; i++) {
		AUTO(strlist) struct strlist names = STRLIST_INIT;

		if (p->commands[i]->flags & COMMAND_HIDDEN)
			continue;
		cli_command_names(p->commands[i], &names);
		for (size_t j = 0; j < names.n; j++) {
			char *name = names.items[j];
			char *gap = strrchr(name, ' ');
			const char *group = gap ? name : "";
			const char *old;

			if (gap)
				*gap = '\0';
			old = map_get(&groups, group);
			map_set(&groups, group,
				mem_printf("%s%s%s", old ? old : "", old ? " " : "",
					   gap ? gap + 1 : name));
		}
	}
	buf_printf(out, "_%s_commands()\n{\n\tcase \"$1\" in\n", p->name);
	map_each (&groups, e)
		buf_printf(out, "\t\"%s\") echo \"%s\" ;;\n", e->key, (const char *)e->value);
	buf_addstr(out, "\tesac\n}\n\n");
}

static void add_operand_function(const struct cli_program *p, struct buf *out)
{
	buf_printf(out, "_%s_operands()\n{\n\tcase \"$1\" in\n", p->name);
	for (size_t i = 0; i < p->ncommands; i++) {
		const char *kind = operand_kind(p->commands[i]);

		if (str_eq(kind, "file") || (p->commands[i]->flags & COMMAND_GROUP))
			continue;
		buf_addch(out, '\t');
		add_pattern(p->commands[i], out);
		buf_printf(out, ") echo %s ;;\n", kind);
	}
	buf_addstr(out, "\tesac\n}\n\n");
	buf_printf(out, "_%s_names()\n{\n\tcase \"$1\" in\n", p->name);
	for (size_t i = 0; i < ARRAY_SIZE(operands); i++)
		if (operands[i].list)
			buf_printf(out, "\t%s) %s %s 2>/dev/null ;;\n", operands[i].kind,
				   p->name, operands[i].list);
	buf_addstr(out, "\tesac\n}\n\n");
}

/* @ stands for the program's name. */
static const char bash_main[] =
	"_@()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tlocal path= word i skip= operand= words=\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ $skip ]]; then skip=; continue; fi\n"
	"\t\tif [[ $word == -* ]]; then\n"
	"\t\t\t[[ \" $(_@_valued \"$path\") \" == *\" $word \"* ]] && skip=1\n"
	"\t\telif [[ ! $operand && \" $(_@_commands \"$path\") \" == *\" $word \"* ]]; then\n"
	"\t\t\tpath=\"${path:+$path }$word\"\n"
	"\t\telse\n"
	"\t\t\toperand=1\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tCOMPREPLY=()\n"
	"\t[[ $skip && $prev != = ]] && return 0\n"
	"\tif [[ $cur == -* ]]; then\n"
	"\t\twords=$(_@_options \"$path\")\n"
	"\telif [[ ! $operand && $(_@_commands \"$path\") ]]; then\n"
	"\t\twords=$(_@_commands \"$path\")\n"
	"\telse\n"
	"\t\twords=$(_@_names \"$(_@_operands \"$path\")\")\n"
	"\tfi\n"
	"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	"\tif declare -F __ltrim_colon_completions >/dev/null; then\n"
	"\t\t__ltrim_colon_completions \"$cur\"\n"
	"\tfi\n"
	"}\n"
	"complete -o default -o bashdefault -F _@ @\n";

static void add_named(const char *text, const char *name, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '@')
			buf_addstr(out, name);
		else
			buf_addch(out, *text);
	}
}

static void completion_bash(const struct cli_program *p, struct buf *out)
{
	add_command_function(p, out);
	add_option_function(p, "options", false, out);
	add_option_function(p, "valued", true, out);
	add_operand_function(p, out);
	add_named(bash_main, p->name, out);
}

/* Single-quoted for fish, whose only escapes inside are \' and \\. */
static void fish_quote(const char *text, struct buf *out)
{
	buf_addch(out, '\'');
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'' || *text == '\\')
			buf_addch(out, '\\');
		buf_addch(out, *text);
	}
	buf_addch(out, '\'');
}

/* The condition under which the words of @name have been typed. */
static void fish_condition(const char *name, struct buf *out)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;

	strlist_split(&words, name, ' ');
	buf_addstr(out, " -n '");
	for (size_t i = 0; i < words.n; i++)
		buf_printf(out, "%s__fish_seen_subcommand_from %s", i ? "; and " : "",
			   words.items[i]);
	buf_addch(out, '\'');
}

static void fish_command(const struct cli_program *p, const struct command *c, const char *name,
			 struct buf *out)
{
	AUTO(free) char *group = mem_strdup(name);
	char *gap = strrchr(group, ' ');

	buf_printf(out, "complete -c %s -f", p->name);
	if (gap) {
		*gap = '\0';
		fish_condition(group, out);
		buf_printf(out, " -a %s -d ", gap + 1);
	} else {
		buf_printf(out, " -n __fish_use_subcommand -a %s -d ", name);
	}
	fish_quote(c->summary, out);
	buf_addch(out, '\n');
	for (size_t i = 0; i < c->noptions; i++) {
		const struct option_def *o = &c->options[i];

		if (o->hidden)
			continue;
		buf_printf(out, "complete -c %s", p->name);
		fish_condition(name, out);
		buf_printf(out, " -l %s", o->name);
		if (o->letter)
			buf_printf(out, " -s %c", o->letter);
		buf_printf(out, "%s -d ", takes_value(o) ? " -r" : "");
		fish_quote(o->help, out);
		buf_addch(out, '\n');
	}
	for (size_t i = 0; i < ARRAY_SIZE(operands); i++) {
		if (!operands[i].list || !str_eq(operands[i].kind, operand_kind(c)) ||
		    (c->flags & COMMAND_GROUP))
			continue;
		buf_printf(out, "complete -c %s -f", p->name);
		fish_condition(name, out);
		buf_printf(out, " -a \"(%s %s 2>/dev/null)\"\n", p->name, operands[i].list);
	}
}

static void completion_fish(const struct cli_program *p, struct buf *out)
{
	for (size_t i = 0; i < p->ncommands; i++) {
		AUTO(strlist) struct strlist names = STRLIST_INIT;

		if (p->commands[i]->flags & COMMAND_HIDDEN)
			continue;
		cli_command_names(p->commands[i], &names);
		for (size_t j = 0; j < names.n; j++)
			fish_command(p, p->commands[i], names.items[j], out);
	}
}

int cli_completion(const struct cli_program *program, const char *shell, struct buf *out,
		   struct error *err)
{
	if (str_eq(shell, "zsh"))
		buf_printf(out, "#compdef %s\nautoload -U +X bashcompinit && bashcompinit\n",
			   program->name);
	if (str_eq(shell, "bash") || str_eq(shell, "zsh")) {
		completion_bash(program, out);
		return 0;
	}
	if (str_eq(shell, "fish")) {
		completion_fish(program, out);
		return 0;
	}
	error_set(err, ERR_INVALID, "no completion for the shell \"%.40s\"", shell);
	error_hint(err, "there is one for bash, zsh and fish");
	return -ERR_INVALID;
}
