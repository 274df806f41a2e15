/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_ps_filter - `ps --filter`: values of one key are alternatives, keys are all met. */
#pragma once

#include <regex.h>

#include "cli/cli_command.h"

struct ps_filter {
	char *key, *value;
	regex_t pattern; /* of name and id */
	bool is_pattern;
	int64_t created_ns; /* of before and since: that container's */
	struct digest image;
	bool has_image;	      /* of ancestor: that there is one */
	unsigned first, last; /* of publish and expose */
	char protocol[8];
};

struct ps_filters {
	struct ps_filter *items;
	size_t n, cap;
	bool all; /* some ask for containers that do not run */
};

/* Looks up the containers and images that they name.  Messages are Docker's. */
int ps_filters_parse(struct engine *e, const struct strlist *texts, struct ps_filters *out,
		     struct error *err);
void ps_filters_clear(struct ps_filters *f);
/* @document is what inspect shows of @c. */
bool ps_filters_match(const struct ps_filters *f, const struct store_container *c,
		      const json_t *document);

static inline void ps_filters_auto(struct ps_filters *f)
{
	ps_filters_clear(f);
}
