/* SPDX-License-Identifier: Apache-2.0 */
/* cli_upkeep - what prune, du and df share: sizes, filters, rows of the build cache. */
#pragma once

#include <regex.h>

#include "cli/cli_command.h"

/* Docker's sizes with four digits: "10.71kB".  New string. */
char *cli_size4(uint64_t bytes);

/* until=: a span back from now, seconds since 1970, or a time. */
bool cli_parse_until(const char *text, int64_t *out_ns);
/* --filter of image, container and system prune. */
struct cli_prune_filters {
	bool has_until;
	int64_t before_ns; /* 0: whenever */
	struct strlist labels, not_labels;
};
/* "until=24h", "until=2026-11-01T10:00", "label=K[=V]", "label!=K[=V]". */
int cli_prune_filters_parse(const struct strlist *filters, struct cli_prune_filters *out,
			    struct error *err);
void cli_prune_filters_clear(struct cli_prune_filters *f);
/* A --filter without "=": Docker's usage error and its exit status; 0 if all are well. */
int cli_check_filters(const struct cli_invocation *inv, const char *flag,
		      const struct strlist *filters);

/* --filter of builder prune and du. */
struct cli_entry_filter {
	char *key;
	char *value;
	bool negated;
	bool is_pattern;
	regex_t pattern;
};
struct cli_entry_filters {
	int64_t before_ns; /* of until= and unused-for=: last used before that; 0: whenever */
	struct cli_entry_filter *items;
	size_t n;
	size_t cap;
};
int cli_entry_filters_parse(const struct strlist *filters, struct cli_entry_filters *out,
			    struct error *err);
/* All but the age.  @filters is a struct cli_entry_filters. */
bool cli_entry_wanted(void *filters, const struct store_entry *e);
void cli_entry_filters_clear(struct cli_entry_filters *f);
/* What one with a pattern owns; @pattern NULL: it has none. */
void cli_filter_free(char *key, char *value, regex_t *pattern);

/* The name of an entry, as long as BuildKit's. */
#define CLI_ENTRY_ID_SIZE 26
const char *cli_entry_id(const struct store_entry *e, char out[CLI_ENTRY_ID_SIZE]);
const char *cli_entry_type(const struct store_entry *e);
/* ID, RECLAIMABLE, SIZE, LAST ACCESSED, aligned; nothing for an empty list. */
void cli_entry_table(const struct store_entry_list *l, struct buf *out);
/* The same as blocks of facts. */
void cli_entry_blocks(const struct store_entry_list *l, struct buf *out);
json_t *cli_entry_document(const struct store_entry *e);

/* Those that nobody is on; prints what went. */
int cli_prune_networks(const struct cli_invocation *inv, struct engine *e,
		       const struct engine_prune *how, struct error *err);

/* "other commands are at work …" on standard error, if so. */
void cli_note_busy(const struct cli_invocation *inv, bool busy);

static inline void cli_prune_filters_auto(struct cli_prune_filters *f)
{
	cli_prune_filters_clear(f);
}
static inline void cli_entry_filters_auto(struct cli_entry_filters *f)
{
	cli_entry_filters_clear(f);
}
