/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_upkeep.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli_table.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

char *cli_size4(uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double size = (double)bytes;
	size_t unit = 0;

	for (; size >= 1000 && unit + 1 < ARRAY_SIZE(units); unit++)
		size /= 1000;
	return mem_printf("%.4g%s", size, units[unit]);
}

int cli_check_filters(const struct cli_invocation *inv, const char *flag,
		      const struct strlist *filters)
{
	for (size_t i = 0; i < filters->n; i++)
		if (!strchr(filters->items[i], '='))
			return cli_usage_error(
				inv,
				"invalid argument \"%s\" for \"%s\" flag: bad format of filter "
				"(expected name=value)",
				filters->items[i], flag);
	return 0;
}

/* ---- images and containers ---- */

/* Local time, as Docker takes a time without a zone. */
static bool parse_local(const char *text, int64_t *out_ns)
{
	static const char *const shapes[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, shapes[i], &tm);
		time_t at;

		if (!end || *end)
			continue;
		at = mktime(&tm);
		*out_ns = (int64_t)at * 1000000000;
		return at != (time_t)-1;
	}
	return false;
}

bool cli_parse_until(const char *text, int64_t *out_ns)
{
	int64_t span, seconds;

	if (parse_duration(text, &span))
		*out_ns = clock_now_ns() - span;
	else if (parse_i64(text, &seconds) && seconds < INT64_MAX / 1000000000 && seconds > 0)
		*out_ns = seconds * 1000000000;
	else if (!clock_parse(text, out_ns))
		return parse_local(text, out_ns);
	return true;
}

int cli_parse_moment(const char *option, const char *text, int64_t *out_ns, struct error *err)
{
	uint64_t seconds;

	*out_ns = 0;
	if (str_empty(text))
		return 0;
	if (parse_u64(text, INT64_MAX / 1000000000, &seconds)) {
		*out_ns = (int64_t)seconds * 1000000000;
		return 0;
	}
	if (!cli_parse_until(text, out_ns))
		return error_set(err, ERR_INVALID,
				 "invalid value for \"%s\": failed to parse value as time or "
				 "duration: \"%s\"",
				 option, text);
	return 0;
}

static int add_prune_filter(const char *text, struct cli_prune_filters *out, struct error *err)
{
	AUTO(free) char *key = NULL;
	const char *value;
	int r = cli_parse_filter(text, &key, &value, err);

	if (r < 0)
		return r;
	if (str_eq(key, "label")) {
		strlist_add(&out->labels, value);
	} else if (str_eq(key, "label!")) {
		strlist_add(&out->not_labels, value);
	} else if (!str_eq(key, "until")) {
		return error_set(err, ERR_INVALID, "invalid filter '%s'", key);
	} else if (out->has_until) {
		return error_set(err, ERR_INVALID, "more than one until filter specified");
	} else {
		out->has_until = true;
		if (!cli_parse_until(value, &out->before_ns))
			return error_set(err, ERR_INVALID,
					 "failed to parse value as time or duration: \"%s\"",
					 value);
	}
	return 0;
}

int cli_prune_filters_parse(const struct strlist *filters, struct cli_prune_filters *out,
			    struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < filters->n; i++)
		r = add_prune_filter(filters->items[i], out, err);
	return r;
}

void cli_prune_filters_clear(struct cli_prune_filters *f)
{
	strlist_clear(&f->labels);
	strlist_clear(&f->not_labels);
}

/* ---- the build cache ---- */

static bool is_known(const char *key)
{
	static const char *const keys[] = {"id",      "type",  "description", "shared",
					   "private", "inuse", "mutable",     "immutable"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(key, keys[i]))
			return true;
	return false;
}

static int add_age(const char *key, const char *value, struct cli_entry_filters *out,
		   struct error *err)
{
	int64_t span;

	if (!parse_duration(value, &span))
		return error_set(
			err, ERR_INVALID,
			"\"%s\" filter expects a duration (e.g., '24h'): time: invalid "
			"duration \"%s\"",
			key, value);
	if (out->before_ns)
		return error_set(err, ERR_INVALID, "filters expect only one value: [%s]", key);
	out->before_ns = clock_now_ns() - span;
	return 0;
}

/* KEY=VALUE, KEY==VALUE, KEY!=VALUE, KEY~=PATTERN: containerd's operators. */
static int add_entry_filter(const char *text, struct cli_entry_filters *out, struct error *err)
{
	size_t len = strcspn(text, "=!~");
	AUTO(free) char *key = mem_strndup(text, len);
	const char *value = strchr(text, '=');
	struct cli_entry_filter *f;

	if (!value++)
		return error_set(err, ERR_INVALID,
				 "bad format of filter (expected name=value)");
	if (str_eq(key, "until") || str_eq(key, "unused-for"))
		return add_age(key, value, out, err);
	if (!is_known(key))
		return error_set(err, ERR_INVALID, "invalid filter '%s'", key);
	if (text[len] == '=' && *value == '=')
		value++;
	f = vec_push(out);
	f->key = take_ptr(key);
	f->value = mem_strdup(value);
	f->negated = text[len] == '!';
	if (text[len] != '~')
		return 0;
	f->is_pattern = regcomp(&f->pattern, value, REG_EXTENDED | REG_NOSUB) == 0;
	return f->is_pattern
		       ? 0
		       : error_set(err, ERR_INVALID, "invalid filter '%s': bad pattern \"%s\"",
				   f->key, value);
}

int cli_entry_filters_parse(const struct strlist *filters, struct cli_entry_filters *out,
			    struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < filters->n; i++)
		r = add_entry_filter(filters->items[i], out, err);
	return r;
}

void cli_filter_free(char *key, char *value, regex_t *pattern)
{
	free(key);
	free(value);
	if (pattern)
		regfree(pattern);
}

void cli_entry_filters_clear(struct cli_entry_filters *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct cli_entry_filter *one = &f->items[i];

		cli_filter_free(one->key, one->value, one->is_pattern ? &one->pattern : NULL);
	}
	free(f->items);
	*f = (struct cli_entry_filters){0};
}

static const char *field_of(const struct store_entry *e, const char *key,
			    char id[CLI_ENTRY_ID_SIZE])
{
	static const char *const words[] = {"false", "true"};
	bool mutable = e->kind == STORE_ENTRY_MOUNT;

	if (str_eq(key, "id"))
		return cli_entry_id(e, id);
	if (str_eq(key, "type"))
		return cli_entry_type(e);
	if (str_eq(key, "description"))
		return e->title ? e->title : "";
	if (str_eq(key, "inuse"))
		return words[e->busy];
	if (str_eq(key, "mutable"))
		return words[mutable];
	if (str_eq(key, "immutable"))
		return words[!mutable];
	return words[str_eq(key, "shared") ? e->shared : !e->shared];
}

bool cli_entry_wanted(void *filters, const struct store_entry *e)
{
	const struct cli_entry_filters *f = filters;

	for (size_t i = 0; i < f->n; i++) {
		const struct cli_entry_filter *one = &f->items[i];
		char id[CLI_ENTRY_ID_SIZE];
		const char *have = field_of(e, one->key, id);
		bool met = one->is_pattern ? regexec(&one->pattern, have, 0, NULL, 0) == 0
					   : str_eq(have, one->value);

		if (met == one->negated)
			return false;
	}
	return true;
}

/* ---- rows ---- */

const char *cli_entry_id(const struct store_entry *e, char out[CLI_ENTRY_ID_SIZE])
{
	char hex[DIGEST_HEX_SIZE];

	memcpy(out, digest_hex(&e->key, hex), CLI_ENTRY_ID_SIZE - 1);
	out[CLI_ENTRY_ID_SIZE - 1] = '\0';
	return out;
}

const char *cli_entry_type(const struct store_entry *e)
{
	return e->kind == STORE_ENTRY_MOUNT  ? "exec.cachemount"
	       : e->kind == STORE_ENTRY_FILE ? "internal"
	       : e->kind == STORE_ENTRY_SOURCE
		       ? str_starts(e->name, "git/") ? "source.git.checkout" : "source.http"
		       : "regular";
}

void cli_entry_table(const struct store_entry_list *l, struct buf *out)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int64_t now = clock_now_ns();

	if (!l->n)
		return;
	buf_addstr(&text, "ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED\n");
	for (size_t i = 0; i < l->n; i++) {
		const struct store_entry *e = &l->items[i];
		AUTO(free) char *size = cli_size4(e->disk);
		AUTO(free) char *ago = cli_time_ago(e->used_ns, now);
		char id[CLI_ENTRY_ID_SIZE];

		buf_printf(&text, "%s%s\t%s\t%s%s\t%s\n", cli_entry_id(e, id),
			   e->kind == STORE_ENTRY_MOUNT ? "*" : "", e->busy ? "false" : "true",
			   size, e->shared ? "*" : "", ago);
	}
	cli_align(buf_str(&text), out);
}

void cli_entry_blocks(const struct store_entry_list *l, struct buf *out)
{
	int64_t now = clock_now_ns();

	for (size_t i = 0; i < l->n; i++) {
		const struct store_entry *e = &l->items[i];
		AUTO(free) char *size = cli_size4(e->disk);
		AUTO(free) char *ago = cli_time_ago(e->used_ns, now);
		AUTO(free) char *at = cli_time_text(e->created_ns);
		AUTO(buf) struct buf span = BUF_INIT;
		char id[CLI_ENTRY_ID_SIZE];

		format_duration(e->duration_ns / 1000000 * 1000000, &span);
		buf_printf(out, "ID:\t\t%s\nCreated at:\t%s\nMutable:\t%s\nReclaimable:\t%s\n",
			   cli_entry_id(e, id), at,
			   e->kind == STORE_ENTRY_MOUNT ? "true" : "false",
			   e->busy ? "false" : "true");
		buf_printf(out, "Shared:\t\t%s\nSize:\t\t%s\nDescription:\t%s\n",
			   e->shared ? "true" : "false", size, e->title);
		if (e->kind == STORE_ENTRY_STEP)
			buf_printf(out, "Took:\t\t%s\n", buf_str(&span));
		buf_printf(out, "Last used:\t%s\nType:\t\t%s\n\n", ago, cli_entry_type(e));
	}
}

json_t *cli_entry_document(const struct store_entry *e)
{
	AUTO(free) char *size = cli_size4(e->disk);
	AUTO(free) char *ago = cli_time_ago(e->used_ns, clock_now_ns());
	AUTO(free) char *at = cli_time_text(e->created_ns);
	char id[CLI_ENTRY_ID_SIZE];
	json_t *row = json_object();

	cli_row_string(row, "CreatedAt", at);
	cli_row_string(row, "Description", e->title);
	cli_row_string(row, "ID", cli_entry_id(e, id));
	cli_row_string(row, "LastUsedAt", ago);
	json_object_set_new(row, "Mutable", json_boolean(e->kind == STORE_ENTRY_MOUNT));
	json_object_set_new(row, "Parents", json_null());
	json_object_set_new(row, "Reclaimable", json_boolean(!e->busy));
	json_object_set_new(row, "Shared", json_boolean(e->shared));
	cli_row_string(row, "Size", size);
	json_object_set_new(row, "SizeBytes", json_integer((json_int_t)e->disk));
	cli_row_string(row, "Type", cli_entry_type(e));
	return row;
}

void cli_note_busy(const struct cli_invocation *inv, bool busy)
{
	if (busy)
		fprintf(inv->program->err,
			"other commands are at work: what they keep from being removed goes "
			"with the next prune\n");
}
