/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_headers - what registries say in headers: what they demand (RFC 7235,
 * "WWW-Authenticate") and where a list goes on (RFC 8288, "Link").  A header that came
 * several times is one text of several lines.  What makes no sense is read past.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"

struct challenge {
	bool basic;
	char *realm, *service; /* of Bearer; NULL: none */
};

void challenge_read(const char *header, struct challenge *out);
void challenge_clear(struct challenge *c);

static inline void challenge_auto(struct challenge *c)
{
	challenge_clear(c);
}

/* The target of the first link with the relation "next", in @header; false: there is none. */
bool link_next(const char *header, const char **out, size_t *out_len);
