/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instruction - one logical line as an instruction.
 *
 * Each kind has a function that is handed the text behind the flags.  What
 * they accept is what Docker's builder accepts, tried against it where the
 * reference is silent.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

/* The line being parsed; @rest points into @text, which we may shorten. */
struct line {
	struct parser *p;
	unsigned number;
	char *text;
	char *rest;
	size_t lead; /* white space in front of @text in the logical line */
	struct instruction *i;
};

typedef int parse_fn(struct line *l, struct error *err);

static const char *const names[INSTRUCTION_KINDS + 1] = {
	[INSTRUCTION_NONE] = "",
	[INSTRUCTION_FROM] = "FROM",
	[INSTRUCTION_RUN] = "RUN",
	[INSTRUCTION_COPY] = "COPY",
	[INSTRUCTION_ADD] = "ADD",
	[INSTRUCTION_ENV] = "ENV",
	[INSTRUCTION_ARG] = "ARG",
	[INSTRUCTION_WORKDIR] = "WORKDIR",
	[INSTRUCTION_USER] = "USER",
	[INSTRUCTION_LABEL] = "LABEL",
	[INSTRUCTION_EXPOSE] = "EXPOSE",
	[INSTRUCTION_VOLUME] = "VOLUME",
	[INSTRUCTION_CMD] = "CMD",
	[INSTRUCTION_ENTRYPOINT] = "ENTRYPOINT",
	[INSTRUCTION_SHELL] = "SHELL",
	[INSTRUCTION_STOPSIGNAL] = "STOPSIGNAL",
	[INSTRUCTION_HEALTHCHECK] = "HEALTHCHECK",
	[INSTRUCTION_ONBUILD] = "ONBUILD",
	[INSTRUCTION_MAINTAINER] = "MAINTAINER",
};

const char *instruction_name(enum instruction_kind kind)
{
	return kind < INSTRUCTION_KINDS ? names[kind] : "";
}

static const char *own_name(const struct line *l)
{
	return names[l->i->kind];
}

/* Changes of one letter, or two neighbours swapped, that make @a of @b; any case. */
static size_t edit_distance(const char *a, const char *b)
{
	enum {
		MAX = 24
	};
	size_t na = strlen(a), nb = strlen(b);
	size_t d[MAX + 1][MAX + 1];

	if (na > MAX || nb > MAX)
		return MAX;
	for (size_t x = 0; x <= na; x++)
		d[x][0] = x;
	for (size_t y = 0; y <= nb; y++)
		d[0][y] = y;
	for (size_t x = 1; x <= na; x++) {
		for (size_t y = 1; y <= nb; y++) {
			bool same = (a[x - 1] | 32) == (b[y - 1] | 32);
			size_t best = d[x - 1][y - 1] + !same;

			if (d[x - 1][y] + 1 < best)
				best = d[x - 1][y] + 1;
			if (d[x][y - 1] + 1 < best)
				best = d[x][y - 1] + 1;
			if (x > 1 && y > 1 && (a[x - 1] | 32) == (b[y - 2] | 32) &&
			    (a[x - 2] | 32) == (b[y - 1] | 32) && d[x - 2][y - 2] + 1 < best)
				best = d[x - 2][y - 2] + 1;
			d[x][y] = best;
		}
	}
	return d[na][nb];
}

const char *nearest_name(const char *word, const char *const *list)
{
	size_t best = strlen(word) > 4 ? 3 : 2; /* nearer than this */
	const char *found = NULL;

	for (; *list; list++) {
		size_t d = **list ? edit_distance(word, *list) : best;

		if (d < best) {
			best = d;
			found = *list;
		}
	}
	return found;
}

/* ------------------------------------------------------------------------ trailing comments */

/* Drops the comment at @hash, which is in l->rest, where Docker would fail or misread. */
static void drop_comment(struct line *l, char *hash)
{
	warn(l->p,
	     &(struct dockerfile_warning){.rule = "TrailingComment",
					  .line = l->number,
					  .mark = hash,
					  .fix = "move the comment to a line of its own"},
	     "Docker knows no comments behind %s; \"%s\" is left out here", own_name(l), hash);
	*hash = 0;
	word_trim_end(l->text);
}

/* Says that Docker, and so we, take what looks like a comment for a part of the argument. */
static void warn_comment(struct line *l)
{
	const char *hash = words_find_comment(l->rest, 1, false);

	if (hash)
		warn(l->p,
		     &(struct dockerfile_warning){.rule = "TrailingComment",
						  .line = l->number,
						  .mark = hash,
						  .fix = "move the comment to a line of its "
							 "own"},
		     "\"%s\" is no comment but a part of %s's argument", hash, own_name(l));
}

/* ------------------------------------------------------------------------ arguments */

/* Where @word stands in what is left of the line. */
static const char *place_of(const struct line *l, const char *word)
{
	const char *at = strstr(l->rest, word);

	return at ? at : l->rest;
}

static void keep_args(struct line *l, const struct strlist *words)
{
	l->i->args = parser_keep(l->p, words);
	l->i->n_args = words->n;
}

static int need_args(struct line *l, struct error *err)
{
	if (*l->rest)
		return 0;
	return parser_fail_in(l->p, l->i, l->rest, err, "%s requires at least one argument",
			      own_name(l));
}

/* Fills .args and .form when the rest is a JSON array of strings; false if it is not. */
static int try_json(struct line *l, bool *out_json, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	const char *comment;

	*out_json = false;
	switch (words_json(l->rest, &words, &comment)) {
	case WORDS_NOT_STRINGS:
		l->p->fatal = true;
		parser_fail_in(l->p, l->i, l->rest, err,
			       "the JSON array of %s must consist of strings only",
			       own_name(l));
		error_hint(err, "put double quotes around each element");
		return -ERR_INVALID;
	case WORDS_ZERO:
		return parser_fail_in(l->p, l->i, l->rest, err,
				      "a string of %s has a zero byte (\\u0000)", own_name(l));
	case WORDS_JSON:
		if (comment)
			drop_comment(l, l->rest + (comment - l->rest));
		l->i->form = FORM_EXEC;
		keep_args(l, &words);
		*out_json = true;
		return 0;
	case WORDS_NOT_JSON:
		break;
	}
	return 0;
}

static int parse_command(struct line *l, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	bool json;

	if (try_json(l, &json, err) < 0)
		return -ERR_INVALID;
	if (json)
		return 0;
	l->i->form = FORM_SHELL;
	if (*l->rest)
		strlist_add(&words, l->rest);
	keep_args(l, &words);
	return 0;
}

static int parse_shell(struct line *l, struct error *err)
{
	bool json;

	if (try_json(l, &json, err) < 0)
		return -ERR_INVALID;
	if (!json && *l->rest) {
		parser_fail_in(l->p, l->i, l->rest, err,
			       "SHELL requires the arguments to be in JSON form");
		error_hint(err, "for example: SHELL [\"/bin/bash\", \"-c\"]");
		return -ERR_INVALID;
	}
	if (!l->i->n_args)
		return parser_fail_in(l->p, l->i, l->rest, err,
				      "SHELL requires at least one argument");
	return 0;
}

static int parse_rest(struct line *l, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	char *hash;

	if (!*l->rest)
		return parser_fail_in(l->p, l->i, l->rest, err,
				      "%s requires exactly one argument", own_name(l));
	if (l->i->kind == INSTRUCTION_STOPSIGNAL) {
		hash = words_find_comment(l->rest, 1, false);
		if (hash)
			drop_comment(l, hash);
	} else if (l->i->kind != INSTRUCTION_MAINTAINER) {
		warn_comment(l);
	}
	strlist_add(&words, l->rest);
	keep_args(l, &words);
	return 0;
}

static int parse_expose(struct line *l, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	char *hash;

	if (need_args(l, err) < 0)
		return -ERR_INVALID;
	hash = words_find_comment(l->rest, 1, false);
	if (hash)
		drop_comment(l, hash);
	words_split(l->rest, &words);
	keep_args(l, &words);
	return 0;
}

static int parse_volume(struct line *l, struct error *err)
{
	bool json;

	if (need_args(l, err) < 0 || try_json(l, &json, err) < 0)
		return -ERR_INVALID;
	if (!json) {
		AUTO(strlist) struct strlist words = STRLIST_INIT;

		warn_comment(l);
		words_split(l->rest, &words);
		keep_args(l, &words);
	}
	if (!l->i->n_args)
		return parser_fail_in(l->p, l->i, l->rest, err,
				      "VOLUME requires at least one argument");
	for (size_t k = 0; k < l->i->n_args; k++)
		if (!*word_skip_space(l->i->args[k]))
			return parser_fail_in(l->p, l->i, l->rest, err,
					      "a path of VOLUME cannot be empty");
	return 0;
}

static int check_destination(struct line *l, struct error *err)
{
	struct heredoc h;
	bool is;

	heredoc_word(l->p->arena, l->i->args[l->i->n_args - 1], &h, &is, NULL);
	if (!is)
		return 0;
	return parser_fail_in(l->p, l->i, place_of(l, h.word), err,
			      "%s cannot have a heredoc for its destination", own_name(l));
}

/* A string that looks like a heredoc's word means one without a line. */
static int find_json_heredocs(struct line *l, struct error *err)
{
	struct instruction *i = l->i;
	struct heredoc *kept = arena_alloc(l->p->arena, i->n_args * sizeof(*kept));
	bool is;

	for (size_t k = 0; k + 1 < i->n_args; k++) {
		heredoc_word(l->p->arena, i->args[k], &kept[i->n_heredocs], &is, NULL);
		i->n_heredocs += is;
	}
	i->heredocs = kept;
	return check_destination(l, err);
}

static int parse_copy(struct line *l, struct error *err)
{
	struct instruction *i = l->i;
	bool json;

	if (try_json(l, &json, err) < 0)
		return -ERR_INVALID;
	if (!json) {
		AUTO(strlist) struct strlist words = STRLIST_INIT;
		char *hash = words_find_comment(l->rest, 2, true);

		if (hash)
			drop_comment(l, hash);
		else if (words_find_comment(l->rest, 2, false))
			warn_comment(l);
		words_split(l->rest, &words);
		keep_args(l, &words);
	}
	if (i->n_args < 2) {
		parser_fail_in(
			l->p, l->i, l->rest, err,
			"%s requires at least two arguments: a source and the destination",
			own_name(l));
		if (i->n_args)
			error_hint(err, "where to? For example: %s %s ./", own_name(l),
				   i->args[0]);
		return -ERR_INVALID;
	}
	return json ? find_json_heredocs(l, err) : check_destination(l, err);
}

static int parse_from(struct line *l, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	char *hash = words_find_comment(l->rest, 1, false);

	if (hash)
		drop_comment(l, hash);
	words_split(l->rest, &words);
	if (words.n != 1 && (words.n != 3 || !str_ieq(words.items[1], "as"))) {
		parser_fail_in(l->p, l->i, l->rest, err,
			       "FROM requires either one or three arguments");
		error_hint(err, "write FROM image, or FROM image AS name");
		return -ERR_INVALID;
	}
	keep_args(l, &words);
	return 0;
}

/* ------------------------------------------------------------------------ pairs */

static int bad_pair(struct line *l, const char *word, struct error *err)
{
	l->p->fatal = true;
	parser_fail_in(l->p, l->i, place_of(l, word), err,
		       "%s: \"%s\" has no =, it must be name=value", own_name(l), word);
	error_hint(err, "a value with spaces needs quotes: name=\"some value\"");
	return -ERR_INVALID;
}

static int add_pair(struct line *l, const char *word, struct instruction_pair *out,
		    struct error *err)
{
	const char *eq = strchr(word, '=');

	if (!eq && l->i->kind != INSTRUCTION_ARG)
		return bad_pair(l, word, err);
	if (eq == word)
		return parser_fail_in(l->p, l->i, place_of(l, word), err,
				      "%s names cannot be blank", own_name(l));
	out->key = eq ? arena_strndup(l->p->arena, word, (size_t)(eq - word))
		      : arena_strdup(l->p->arena, word);
	out->value = eq ? arena_strdup(l->p->arena, eq + 1) : NULL;
	return 0;
}

/* "ENV K V": the value is the rest of the line. */
static int parse_legacy_pair(struct line *l, struct error *err)
{
	struct instruction_pair *pair = arena_new(l->p->arena, struct instruction_pair);
	AUTO(free) char *fix = NULL;
	const char *end = l->rest;
	const char *value;

	while (*end && !word_space(*end))
		end++;
	value = word_skip_space(end);
	if (!*value) {
		l->p->fatal = true;
		parser_fail_in(l->p, l->i, l->rest, err, "%s must have two arguments",
			       own_name(l));
		error_hint(err, "write %s %s=value", own_name(l), l->rest);
		return -ERR_INVALID;
	}
	fix = mem_printf("write %s key=value", own_name(l));
	warn(l->p,
	     &(struct dockerfile_warning){
		     .rule = "LegacyKeyValueFormat", .line = l->number, .fix = fix},
	     "\"%s key value\", with a blank between, is the old format", own_name(l));
	warn_comment(l);
	pair->key = arena_strndup(l->p->arena, l->rest, (size_t)(end - l->rest));
	pair->value = arena_strdup(l->p->arena, value);
	l->i->pairs = pair;
	l->i->n_pairs = 1;
	return 0;
}

static int parse_pairs(struct line *l, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	struct instruction_pair *pairs;

	if (need_args(l, err) < 0)
		return -ERR_INVALID;
	words_quoted(l->rest, l->p->escape, &words);
	if (!words.n)
		return bad_pair(l, l->rest, err);
	if (l->i->kind != INSTRUCTION_ARG && !strchr(words.items[0], '='))
		return parse_legacy_pair(l, err);
	pairs = arena_alloc(l->p->arena, words.n * sizeof(*pairs));
	for (size_t k = 0; k < words.n; k++) {
		/* A word "#" cannot be a pair, so that nothing legal is lost. */
		if (l->i->kind != INSTRUCTION_ARG && words.items[k][0] == '#' &&
		    !strchr(words.items[k], '=')) {
			drop_comment(l, words_find_pair_comment(l->rest, l->p->escape));
			break;
		}
		if (add_pair(l, words.items[k], &pairs[k], err) < 0)
			return -ERR_INVALID;
		l->i->n_pairs++;
	}
	if (l->i->kind == INSTRUCTION_ARG)
		warn_comment(l);
	l->i->pairs = pairs;
	return 0;
}

/* ------------------------------------------------------------------------ HEALTHCHECK */

static const char *flag_place(const struct line *l, const char *flag)
{
	AUTO(free) char *word = mem_printf("--%s=", flag);
	const char *at = strstr(l->text, word);

	return at ? at : l->text;
}

static int parse_interval(struct line *l, const char *flag, int64_t *out, struct error *err)
{
	const char *text = instruction_flag(l->i, flag);

	if (str_empty(text))
		return 0;
	if (!parse_duration(text, out)) {
		parser_fail_in(l->p, l->i, flag_place(l, flag), err,
			       "--%s=%s is not a duration", flag, text);
		error_hint(err, "write for example --%s=30s", flag);
		return -ERR_INVALID;
	}
	if (*out && *out < 1000000)
		return parser_fail_in(l->p, l->i, flag_place(l, flag), err,
				      "--%s cannot be less than 1ms", flag);
	return 0;
}

static int parse_health_flags(struct line *l, struct healthcheck *h, struct error *err)
{
	const char *retries = instruction_flag(l->i, "retries");
	int64_t n = 0;

	if (parse_interval(l, "interval", &h->interval_ns, err) < 0 ||
	    parse_interval(l, "timeout", &h->timeout_ns, err) < 0 ||
	    parse_interval(l, "start-period", &h->start_period_ns, err) < 0 ||
	    parse_interval(l, "start-interval", &h->start_interval_ns, err) < 0)
		return -ERR_INVALID;
	if (!str_empty(retries) && (!parse_i64(retries, &n) || n < 0 || n > INT32_MAX))
		return parser_fail_in(l->p, l->i, flag_place(l, "retries"), err,
				      "--retries=%s is not a number from 0 to %d", retries,
				      INT32_MAX);
	h->retries = (uint64_t)n;
	return 0;
}

static int parse_healthcheck(struct line *l, struct error *err)
{
	struct healthcheck *h = arena_new(l->p->arena, struct healthcheck);
	char *type = l->rest;
	size_t n;

	if (need_args(l, err) < 0)
		return -ERR_INVALID;
	for (n = 0; type[n] && !word_space(type[n]);)
		n++;
	l->rest = word_skip_space(type + n);
	l->i->health = h;
	if (n == 4 && strncasecmp(type, "NONE", 4) == 0) {
		if (*l->rest == '#')
			drop_comment(l, l->rest);
		h->none = true;
		if (parse_command(l, err) < 0)
			return -ERR_INVALID;
		l->i->form = FORM_WORDS;
		if (l->i->n_args)
			return parser_fail_in(l->p, l->i, l->rest, err,
					      "HEALTHCHECK NONE takes no arguments");
		return 0;
	}
	if (n != 3 || strncasecmp(type, "CMD", 3) != 0) {
		parser_fail_in(l->p, l->i, type, err, "unknown type \"%.*s\" in HEALTHCHECK",
			       (int)(n > 80 ? 80 : n), type);
		error_hint(err, "write HEALTHCHECK CMD command, or HEALTHCHECK NONE");
		return -ERR_INVALID;
	}
	if (parse_command(l, err) < 0)
		return -ERR_INVALID;
	if (!l->i->n_args)
		return parser_fail_in(l->p, l->i, l->rest, err,
				      "missing command after HEALTHCHECK CMD");
	return parse_health_flags(l, h, err);
}

/* ------------------------------------------------------------------------ ONBUILD */

static enum instruction_kind find_kind(const char *word)
{
	for (enum instruction_kind k = INSTRUCTION_FROM; k < INSTRUCTION_KINDS; k++)
		if (str_ieq(names[k], word))
			return k;
	return INSTRUCTION_NONE;
}

/* Splits a logical line in place: returns the word in front, which is cut off. */
static const char *take_keyword(char *text, char **out_rest)
{
	size_t n = 0;

	while (text[n] && !word_space(text[n]))
		n++;
	*out_rest = word_skip_space(text + n);
	text[n] = 0;
	return text;
}

static bool kind_takes_heredocs(enum instruction_kind kind)
{
	return kind == INSTRUCTION_RUN || kind == INSTRUCTION_COPY || kind == INSTRUCTION_ADD;
}

/* Do lines follow this trigger?  That does not depend on whether it can work. */
static bool trigger_takes_heredocs(const struct parser *p, const char *text)
{
	AUTO(free) char *copy = mem_strdup(text);
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	const char *comment;
	char *rest;

	if (!kind_takes_heredocs(find_kind(take_keyword(copy, &rest))))
		return false;
	return words_json(flags_skip(p->escape, rest), &words, &comment) != WORDS_JSON;
}

/*
 * The trigger is stored as text and obeyed by a later build.  Docker looks
 * no further than at its first word and its words' form, so one that cannot
 * work is only remarked on here.
 */
static int parse_onbuild(struct line *l, struct error *err)
{
	AUTO(error) struct error inner_err = ERROR_INIT;
	AUTO(buf) struct buf trigger = BUF_INIT;
	struct parser inner = *l->p;
	struct instruction *i = NULL;
	struct instruction dummy = *l->i;

	if (need_args(l, err) < 0)
		return -ERR_INVALID;
	inner.warnings = NULL;
	inner.origin += (size_t)(l->rest - l->text) + l->lead;
	buf_addstr(&trigger, l->rest);
	if (instruction_parse(&inner, l->rest, l->number, true, &i, &inner_err) < 0) {
		if (inner.fatal) {
			error_move(err, &inner_err);
			return -ERR_INVALID;
		}
		warn(l->p,
		     &(struct dockerfile_warning){.rule = "OnbuildInvalid",
						  .line = l->number,
						  .mark = l->rest,
						  .fix = inner_err.hint},
		     "this trigger will fail when it runs: %s", inner_err.message);
	}
	if (trigger_takes_heredocs(l->p, l->rest) &&
	    heredocs_read(l->p, l->rest, &dummy, &trigger, err) < 0)
		return -ERR_INVALID;
	l->i->onbuild = i;
	l->i->trigger = arena_strdup(l->p->arena, buf_str(&trigger));
	return 0;
}

static int refuse_trigger(struct parser *p, const struct instruction *i, struct error *err)
{
	p->fatal = true;
	return parser_fail_in(p, i, i->text, err, "%s is not allowed as an ONBUILD trigger",
			      names[i->kind]);
}

/* ------------------------------------------------------------------------ the table */

static parse_fn *const parsers[INSTRUCTION_KINDS] = {
	[INSTRUCTION_FROM] = parse_from,	  [INSTRUCTION_RUN] = parse_command,
	[INSTRUCTION_COPY] = parse_copy,	  [INSTRUCTION_ADD] = parse_copy,
	[INSTRUCTION_ENV] = parse_pairs,	  [INSTRUCTION_ARG] = parse_pairs,
	[INSTRUCTION_WORKDIR] = parse_rest,	  [INSTRUCTION_USER] = parse_rest,
	[INSTRUCTION_LABEL] = parse_pairs,	  [INSTRUCTION_EXPOSE] = parse_expose,
	[INSTRUCTION_VOLUME] = parse_volume,	  [INSTRUCTION_CMD] = parse_command,
	[INSTRUCTION_ENTRYPOINT] = parse_command, [INSTRUCTION_SHELL] = parse_shell,
	[INSTRUCTION_STOPSIGNAL] = parse_rest,	  [INSTRUCTION_HEALTHCHECK] = parse_healthcheck,
	[INSTRUCTION_ONBUILD] = parse_onbuild,	  [INSTRUCTION_MAINTAINER] = parse_rest,
};

static int unknown_instruction(struct parser *p, const struct instruction *i, const char *word,
			       struct error *err)
{
	const char *near = nearest_name(word, names + 1);

	if (near)
		return parser_fail_in(p, i, i->text, err,
				      "unknown instruction: %s (did you mean %s?)", word, near);
	parser_fail_in(p, i, i->text, err, "unknown instruction: %s", word);
	error_hint(err, "a line that continues the one above needs a %c at the end of that one",
		   p->escape);
	return -ERR_INVALID;
}

/* Of the logical line's pieces, those that the text has which begins at @from of it. */
static void take_pieces(struct parser *p, struct instruction *i, size_t from)
{
	const struct piece_list *all = &p->pieces;
	struct text_piece *kept = arena_alloc(p->arena, (all->n + 1) * sizeof(*kept));
	size_t n = 0;

	from += p->origin;
	for (size_t k = 0; k < all->n; k++) {
		struct text_piece piece = all->items[k];

		if (piece.offset <= from) {
			piece.column += (unsigned)(from - piece.offset);
			piece.offset = from;
			n = 0;
		}
		piece.offset -= from;
		kept[n++] = piece;
	}
	i->pieces = kept;
	i->n_pieces = n;
}

int instruction_parse(struct parser *p, const char *text, unsigned line, bool inner,
		      struct instruction **out, struct error *err)
{
	AUTO(free) char *keyword = NULL;
	struct instruction *i = arena_new(p->arena, struct instruction);
	struct line l = {.p = p, .number = line, .i = i};
	size_t n = 0;

	l.text = arena_strdup(p->arena, word_skip_space(text));
	word_trim_end(l.text);
	while (l.text[n] && !word_space(l.text[n]))
		n++;
	keyword = mem_strndup(l.text, n);
	l.rest = word_skip_space(l.text + n);
	i->kind = find_kind(keyword);
	i->line = line;
	i->text = l.text;
	l.lead = (size_t)(word_skip_space(text) - text);
	take_pieces(p, i, l.lead);
	if (i->kind == INSTRUCTION_NONE)
		return unknown_instruction(p, i, keyword, err);
	if (inner && (i->kind == INSTRUCTION_ONBUILD || i->kind == INSTRUCTION_FROM ||
		      i->kind == INSTRUCTION_MAINTAINER))
		return refuse_trigger(p, i, err);
	if (flags_parse(p, &l.rest, i, err) < 0 || parsers[i->kind](&l, err) < 0)
		return -ERR_INVALID;
	if (kind_takes_heredocs(i->kind) && i->form != FORM_EXEC &&
	    heredocs_read(p, l.text, i, NULL, err) < 0)
		return -ERR_INVALID;
	i->end_line = p->line;
	if (p->comments.n)
		i->comments = parser_keep(p, &p->comments);
	if (!inner)
		strlist_clear(&p->comments);
	warn_instruction(p, i);
	*out = i;
	return 0;
}

/* ------------------------------------------------------------------------ questions */

void instruction_place(const struct instruction *i, size_t offset, unsigned *out_line,
		       unsigned *out_column)
{
	size_t k = i->n_pieces;

	*out_line = i->line;
	*out_column = 0;
	while (k-- > 0) {
		const struct text_piece *p = &i->pieces[k];

		if (p->offset > offset)
			continue;
		*out_line = p->line;
		*out_column = p->column + (unsigned)(offset - p->offset);
		return;
	}
}

void instruction_error_at(const struct instruction *i, const char *file, const char *word,
			  struct error *err)
{
	const char *at = word && *word ? strstr(i->text, word) : NULL;
	unsigned line = i->line, column = 0;

	if (at)
		instruction_place(i, (size_t)(at - i->text), &line, &column);
	error_at(err, file, line, column);
}

const struct heredoc *instruction_heredoc(const struct instruction *i, const char *word)
{
	for (size_t k = 0; k < i->n_heredocs; k++)
		if (str_eq(i->heredocs[k].word, word))
			return &i->heredocs[k];
	return NULL;
}

enum run_script instruction_run_script(const struct instruction *i, struct buf *out)
{
	const char *command = i->n_args ? i->args[0] : "";

	if (i->n_heredocs == 1 && str_eq(i->heredocs[0].word, command)) {
		buf_add(out, i->heredocs[0].content, i->heredocs[0].len);
		return str_starts(i->heredocs[0].content, "#!") ? SCRIPT_FILE : SCRIPT_SHELL;
	}
	buf_addstr(out, command);
	for (size_t k = 0; k < i->n_heredocs; k++) {
		buf_addch(out, '\n');
		buf_addstr(out, i->heredocs[k].raw);
		buf_addstr(out, i->heredocs[k].name);
	}
	return SCRIPT_SHELL;
}
