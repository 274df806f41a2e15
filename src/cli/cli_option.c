/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of options, with the grammar and the words of Docker's command line (pflag). */
#include "cli/cli_option.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/banned.h"

struct reader {
	const struct option_def *defs;
	size_t n;
	bool stop;
	void *options;
	bool *given;
	int argc;
	char **argv;
	int at;	  /* next word to read */
	int kept; /* positional arguments, moved to the front of argv */
	bool help;
};

static void *field_of(const struct option_def *o, void *options)
{
	return (char *)options + o->offset;
}

const char *cli_option_type(const struct option_def *o)
{
	static const char *const by_kind[] = {
		[OPTION_BOOL] = "",	      [OPTION_STRING] = "string",
		[OPTION_LIST] = "list",	      [OPTION_STRINGS] = "strings",
		[OPTION_INT] = "int",	      [OPTION_UINT] = "uint",
		[OPTION_BYTES] = "bytes",     [OPTION_DURATION] = "duration",
		[OPTION_DECIMAL] = "decimal",
	};

	return o->type ? o->type : by_kind[o->kind];
}

static int bad_value(const struct option_def *o, const char *value, struct error *err,
		     const char *why)
{
	char letter[8] = "";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	return error_set(err, ERR_INVALID, "invalid argument \"%s\" for \"%s--%s\" flag: %s",
			 value, letter, o->name, why);
}

static int bad_number(const struct option_def *o, const char *value, const char *parser,
		      struct error *err)
{
	AUTO(free)
	char *why = mem_printf("strconv.%s: parsing \"%s\": %s", parser, value,
			       strspn(value, "+-0123456789") == strlen(value) && *value
				       ? "value out of range"
				       : "invalid syntax");

	return bad_value(o, value, err, why);
}

static int set_bytes(const struct option_def *o, const char *value, int64_t *out,
		     struct error *err)
{
	AUTO(free) char *why = NULL;
	uint64_t v;

	if (str_eq(value, "-1")) {
		*out = -1;
		return 0;
	}
	if (parse_bytes(value, &v) && v <= INT64_MAX) {
		*out = (int64_t)v;
		return 0;
	}
	why = mem_printf("invalid size: '%s'", value);
	return bad_value(o, value, err, why);
}

static int set_value(const struct option_def *o, const char *value, void *options,
		     struct error *err)
{
	void *field = field_of(o, options);
	AUTO(free) char *why = NULL;

	switch (o->kind) {
	case OPTION_BOOL:
		return parse_bool(value, field) ? 0 : bad_number(o, value, "ParseBool", err);
	case OPTION_STRING:
		free(*(char **)field);
		*(char **)field = mem_strdup(value);
		return 0;
	case OPTION_LIST:
		strlist_add(field, value);
		return 0;
	case OPTION_STRINGS:
		strlist_split(field, value, ',');
		return 0;
	case OPTION_INT:
		return parse_i64(value, field) ? 0 : bad_number(o, value, "ParseInt", err);
	case OPTION_UINT:
		return parse_u64(value, UINT64_MAX, field)
			       ? 0
			       : bad_number(o, value, "ParseUint", err);
	case OPTION_BYTES:
		return set_bytes(o, value, field, err);
	case OPTION_DURATION:
		if (parse_duration(value, field))
			return 0;
		why = mem_printf("time: invalid duration \"%s\"", value);
		return bad_value(o, value, err, why);
	case OPTION_DECIMAL:
		if (parse_nano(value, field))
			return 0;
		why = mem_printf("failed to parse %s as a rational number", value);
		return bad_value(o, value, err, why);
	}
	return -ERR_INVALID;
}

void cli_clear_options(const struct option_def *defs, size_t n, void *options)
{
	for (size_t i = 0; i < n; i++) {
		void *field = field_of(&defs[i], options);

		if (defs[i].kind == OPTION_STRING) {
			free(*(char **)field);
			*(char **)field = NULL;
		} else if (defs[i].kind == OPTION_LIST || defs[i].kind == OPTION_STRINGS) {
			strlist_clear(field);
		}
	}
}

static const struct option_def *by_name(const struct reader *r, const char *name, size_t len)
{
	for (size_t i = 0; i < r->n; i++)
		if (strncmp(r->defs[i].name, name, len) == 0 && !r->defs[i].name[len])
			return &r->defs[i];
	return NULL;
}

static const struct option_def *by_letter(const struct reader *r, char letter)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->defs[i].letter == letter)
			return &r->defs[i];
	return NULL;
}

static int store(struct reader *r, const struct option_def *o, const char *value,
		 struct error *err)
{
	int rc = set_value(o, value, r->options, err);

	if (rc == 0)
		r->given[o - r->defs] = true;
	return rc;
}

/* What an option means that stands without a value; NULL: it needs one. */
static const char *bare_value(const struct option_def *o)
{
	return o->kind == OPTION_BOOL ? "true" : o->no_value;
}

static int read_long(struct reader *r, const char *word, struct error *err)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "=");
	const struct option_def *o = by_name(r, name, len);

	if (!len || *name == '-')
		return error_set(err, ERR_INVALID, "bad flag syntax: %s", word);
	if (!o && len == strlen("help") && strncmp(name, "help", len) == 0) {
		r->help = true;
		return 0;
	}
	if (!o)
		return error_set(err, ERR_INVALID, "unknown flag: --%.*s", (int)len, name);
	if (name[len])
		return store(r, o, name + len + 1, err);
	if (bare_value(o))
		return store(r, o, bare_value(o), err);
	if (r->at == r->argc)
		return error_set(err, ERR_INVALID, "flag needs an argument: %s", word);
	return store(r, o, r->argv[r->at++], err);
}

static int read_letters(struct reader *r, const char *word, struct error *err)
{
	for (const char *c = word + 1; *c; c++) {
		const struct option_def *o = by_letter(r, *c);
		int rc;

		if (!o && *c == 'h') {
			r->help = true;
			return 0;
		}
		if (!o)
			return error_set(err, ERR_INVALID,
					 "unknown shorthand flag: '%c' in -%s", *c, c);
		if (c[1] == '=' && c[2])
			return store(r, o, c + 2, err);
		if (!bare_value(o)) {
			if (c[1])
				return store(r, o, c + 1, err);
			if (r->at == r->argc)
				return error_set(err, ERR_INVALID,
						 "flag needs an argument: '%c' in -%s", *c,
						 word + 1);
			return store(r, o, r->argv[r->at++], err);
		}
		rc = store(r, o, bare_value(o), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void keep_rest(struct reader *r)
{
	while (r->at < r->argc)
		r->argv[r->kept++] = r->argv[r->at++];
}

static int read_words(struct reader *r, struct error *err)
{
	while (r->at < r->argc && !r->help) {
		char *word = r->argv[r->at++];
		int rc = 0;

		if (word[0] != '-' || !word[1]) {
			r->argv[r->kept++] = word;
			if (r->stop)
				break;
		} else if (word[1] != '-') {
			rc = read_letters(r, word, err);
		} else if (word[2]) {
			rc = read_long(r, word, err);
		} else {
			break;
		}
		if (rc < 0)
			return rc;
	}
	keep_rest(r);
	return 0;
}

int cli_parse_options(const struct option_def *defs, size_t n, bool stop, void *options,
		      bool *given, int *argc, char **argv, bool *out_help, struct error *err)
{
	struct reader r = {
		.defs = defs,
		.n = n,
		.stop = stop,
		.options = options,
		.given = given,
		.argc = *argc,
		.argv = argv,
	};
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = defs[i].fallback ? set_value(&defs[i], defs[i].fallback, options, err) : 0;
		if (rc < 0)
			return rc;
	}
	rc = read_words(&r, err);
	argv[r.kept] = NULL;
	*argc = r.kept;
	*out_help = r.help;
	return rc;
}

bool cli_given(const struct cli_invocation *inv, const void *field)
{
	const struct command *c = inv->command;
	size_t offset = (size_t)((const char *)field - (const char *)inv->options);

	/* Two options may fill one field: an old name beside the new one. */
	for (size_t i = 0; i < c->noptions; i++)
		if (c->options[i].offset == offset && inv->given[i])
			return true;
	return false;
}
