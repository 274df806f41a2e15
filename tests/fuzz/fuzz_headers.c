/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of registries.  Laws: what was read of a challenge, or of links, is read again
 * from the plainest header that says the same; a link's target lies in the header.
 */
#include "fuzz.h"

#include "base/strlist.h"
#include "registry/registry_headers.h"

#include "base/banned.h"

static void put_quoted(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, " %s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_addch(out, '\\');
		buf_addch(out, *value);
	}
	buf_addch(out, '"');
}

static bool same(const char *a, const char *b)
{
	return a && b ? str_eq(a, b) : !a && !b;
}

static void try_challenge(const char *header)
{
	AUTO(challenge) struct challenge once = {0}, again = {0};
	AUTO(buf) struct buf plain = BUF_INIT;

	challenge_read(header, &once);
	buf_addstr(&plain, once.basic ? "Basic Bearer" : "Bearer");
	put_quoted(&plain, "realm", once.realm);
	put_quoted(&plain, "service", once.service);
	challenge_read(buf_str(&plain), &again);
	demand(once.basic == again.basic && same(once.realm, again.realm) &&
	       same(once.service, again.service));
}

static void try_link(const char *header)
{
	AUTO(free) char *plain = NULL;
	const char *target, *again;
	size_t len, n;

	if (!link_next(header, &target, &len))
		return;
	demand(target > header && target + len < header + strlen(header));
	demand(target[-1] == '<' && target[len] == '>');
	plain = mem_printf("<%.*s>; rel=next", (int)len, target);
	demand(link_next(plain, &again, &n) && n == len && !memcmp(again, target, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *header = mem_strndup((const char *)data, size);

	try_challenge(header);
	try_link(header);
	return 0;
}
