/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - the rules by name, what "check=" asks for, and where in the text a
 * remark belongs.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

static const struct check_rule rules[] = {
	/* Docker's */
	{.name = "ConsistentInstructionCasing",
	 .summary = "Instructions should all be in upper case, or all in lower case"},
	{.name = "CopyIgnoredFile",
	 .summary = "A source of COPY or ADD should not be hidden by the ignore file",
	 .stage_only = true},
	{.name = "DuplicateStageName", .summary = "No two stages should have one name"},
	{.name = "ExposeInvalidFormat",
	 .summary = "EXPOSE takes ports of the container, no addresses and no host ports",
	 .stage_only = true},
	{.name = "ExposeProtoCasing",
	 .summary = "The protocol of EXPOSE should be in lower case",
	 .stage_only = true},
	{.name = "FromAsCasing", .summary = "AS should be in the same case as FROM"},
	{.name = "FromPlatformFlagConstDisallowed",
	 .summary = "FROM --platform should not be fixed to one platform"},
	{.name = "InvalidBaseImagePlatform",
	 .summary = "The base image should be one for the platform that is built"},
	{.name = "InvalidDefaultArgInFrom",
	 .summary = "The defaults of global ARGs should give a base image that can exist"},
	{.name = "InvalidDefinitionDescription",
	 .summary = "A comment above a stage or ARG should begin with its name",
	 .experimental = true},
	{.name = "JSONArgsRecommended",
	 .summary = "CMD and ENTRYPOINT should be in JSON form, so that signals arrive",
	 .stage_only = true},
	{.name = "LegacyKeyValueFormat",
	 .summary = "ENV and LABEL should be written key=value",
	 .stage_only = true},
	{.name = "MaintainerDeprecated",
	 .summary = "MAINTAINER is out of use, a label says the same"},
	{.name = "MultipleInstructionsDisallowed",
	 .summary = "CMD, ENTRYPOINT and HEALTHCHECK count once in a stage: the last one does",
	 .stage_only = true},
	{.name = "NoEmptyContinuation",
	 .summary = "An instruction should not have empty lines inside"},
	{.name = "RedundantTargetPlatform",
	 .summary = "FROM --platform=$TARGETPLATFORM says what is so anyway"},
	{.name = "ReservedStageName",
	 .summary = "No stage should be called scratch or context"},
	{.name = "SecretsUsedInArgOrEnv",
	 .summary = "ARG and ENV should not carry secrets: they stay in the image",
	 .stage_only = true},
	{.name = "StageNameCasing", .summary = "Names of stages should be in lower case"},
	{.name = "UndefinedArgInFrom",
	 .summary = "FROM should use only ARGs that were declared before the first FROM"},
	{.name = "UndefinedVar",
	 .summary = "A variable should be set before it is used",
	 .stage_only = true},
	{.name = "WorkdirRelativePath",
	 .summary = "The first WORKDIR should be absolute, whatever the base image says",
	 .stage_only = true},
	/* ours */
	{.name = "AptListsLeft",
	 .summary = "apt-get update should not leave its lists in the layer",
	 .layer_only = true},
	{.name = "OnbuildInvalid",
	 .summary = "An ONBUILD trigger should be an instruction that can work"},
	{.name = "RunChownDoublesLayer",
	 .summary = "RUN chown or chmod of what COPY brought stores those files twice",
	 .layer_only = true},
	{.name = "TrailingComment",
	 .summary = "Comments behind an instruction are no comments to Docker"},
	{.name = "UnusedBuildArg", .summary = "Each --build-arg should be asked for by an ARG"},
	{.name = "UserExtraWords", .summary = "USER takes one word"},
	{.name = NULL},
};

const struct check_rule *check_rules(void)
{
	return rules;
}

const struct check_rule *check_rule(const char *name)
{
	for (const struct check_rule *r = rules; r->name; r++)
		if (str_eq(r->name, name))
			return r;
	return NULL;
}

/* ------------------------------------------------------------------------ check= */

static char *trimmed(char *s)
{
	s = word_skip_space(s);
	word_trim_end(s);
	return s;
}

static void read_names(char *value, bool *all, struct strlist *out)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;

	*all = str_eq(value, "all");
	strlist_clear(out);
	if (*all)
		return;
	strlist_split(&names, value, ',');
	for (size_t i = 0; i < names.n; i++)
		strlist_add(out, trimmed(names.items[i]));
}

static int read_option(char *option, struct check_config *out, struct error *err)
{
	char *value = strchr(option, '='), *name;

	if (!value)
		return error_set(err, ERR_INVALID, "invalid check option \"%s\"", option);
	*value++ = 0;
	name = trimmed(option);
	value = trimmed(value);
	if (str_eq(name, "skip"))
		read_names(value, &out->skip_all, &out->skip);
	else if (str_eq(name, "experimental"))
		read_names(value, &out->experimental_all, &out->experimental);
	else if (!str_eq(name, "error"))
		return error_set(err, ERR_INVALID, "invalid check option \"%s\"", name);
	else if (!parse_bool(value, &out->error))
		return error_set(err, ERR_INVALID,
				 "check option error=%s is neither true nor false", value);
	return 0;
}

int check_config_parse(const char *text, struct check_config *out, struct error *err)
{
	AUTO(strlist) struct strlist options = STRLIST_INIT;
	int r = 0;

	if (str_empty(text))
		return 0;
	strlist_split(&options, text, ';');
	for (size_t i = 0; r == 0 && i < options.n; i++)
		r = read_option(options.items[i], out, err);
	if (r < 0)
		error_hint(err, "the options are skip=, error= and experimental=, with ; "
				"between them");
	return r;
}

void check_config_clear(struct check_config *c)
{
	strlist_clear(&c->skip);
	strlist_clear(&c->experimental);
	*c = (struct check_config){0};
}

bool check_wants(const struct check_config *c, const char *name)
{
	const struct check_rule *rule = check_rule(name);

	if (rule && rule->experimental)
		return c->experimental_all || strlist_find(&c->experimental, name) >= 0;
	return !c->skip_all && strlist_find(&c->skip, name) < 0;
}

/* ------------------------------------------------------------------------ where */

static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* Marks that are looked for in one file: each is a search through its instruction. */
#define LIMIT_MARKS 1000

/* The place of @mark in the line; @whole: not as a part of a longer word. */
static const char *find_mark(const char *line, size_t len, const char *mark, bool whole)
{
	const char *at = line, *end = line + len;
	size_t n = strlen(mark);

	for (; (size_t)(end - at) >= n && (at = memmem(at, (size_t)(end - at), mark, n));
	     at++) {
		if (!whole)
			return at;
		if (at > line && is_word(at[-1]) && is_word(mark[0]))
			continue;
		if (at + n < end && is_word(at[n]) && is_word(mark[n - 1]))
			continue;
		return at;
	}
	return NULL;
}

/* @line is the text of line w->line. */
static bool locate(const char *line, const char *end, struct dockerfile_warning *w, bool whole)
{
	for (unsigned number = w->line; line < end && number <= w->end_line; number++) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		const char *stop = nl ? nl : end;
		const char *at = find_mark(line, (size_t)(stop - line), w->mark, whole);

		if (at) {
			w->mark_line = number;
			w->mark_column = (unsigned)(at - line) + 1;
			return true;
		}
		line = stop + 1;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct dockerfile_warning *x = a, *y = b;
	int r = (x->line > y->line) - (x->line < y->line);

	if (r == 0)
		r = strcmp(x->rule, y->rule);
	if (r == 0)
		r = (x->mark_line > y->mark_line) - (x->mark_line < y->mark_line);
	if (r == 0)
		r = (x->mark_column > y->mark_column) - (x->mark_column < y->mark_column);
	return r ? r : strcmp(x->message, y->message);
}

void check_arrange(const char *text, size_t len, struct dockerfile_warning *items, size_t n)
{
	const char *line = text, *end = text + len;
	unsigned number = 1;

	if (!n)
		return;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	qsort(items, n, sizeof(*items), compare);
	for (size_t i = 0; i < n && i < LIMIT_MARKS; i++) {
		struct dockerfile_warning *w = &items[i];

		for (; line && number < w->line; number++) {
			line = memchr(line, '\n', (size_t)(end - line));
			line = line ? line + 1 : NULL;
		}
		if (w->end_line < w->line)
			w->end_line = w->line;
		if (line && w->line && !w->mark_line && !str_empty(w->mark) &&
		    !locate(line, end, w, true))
			locate(line, end, w, false);
	}
	qsort(items, n, sizeof(*items), compare);
}

bool check_comment(const struct instruction *i, struct check_config *out)
{
	for (size_t k = 0; i->comments && i->comments[k]; k++) {
		const char *s = i->comments[k];
		AUTO(free) char *value = NULL;

		if (!str_starts(s, "check"))
			continue;
		s = word_skip_space(s + 5);
		if (*s != '=')
			continue;
		s = word_skip_space(s + 1);
		/* what follows says why */
		value = mem_strndup(s, strcspn(s, " \t"));
		return check_config_parse(value, out, NULL) == 0;
	}
	return false;
}

const char *instruction_description(const struct instruction *i, const char *name)
{
	size_t n = name ? strlen(name) : 0;

	for (size_t k = 0; n && i->comments && i->comments[k]; k++)
		if (strncmp(i->comments[k], name, n) == 0 && i->comments[k][n] == ' ')
			return i->comments[k] + n + 1;
	return NULL;
}
